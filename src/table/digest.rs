//! The digest of a table's rows, version 1: equal digests are what "converged" means.
//!
//! Per live column, the sum over rows of a hash of (writer index, designated timestamp, value), and one
//! sum of a hash over whole rows; each is two sums of 64 bits, and no step multiplies more than 64 bits,
//! which is all that WebAssembly can. Values are hashed as they mean: text as
//! UTF-8, null as null, every NaN as null; keys, offsets, column tops and the form of files never. So
//! it sees rows, not their order. It finds faults, not forgers. `docs/format.md` has the definition
//! with test vectors.

use super::{Block, Chunk, Partition, Schema, SymbolTable, Table, Value};
use crate::wal::{ColumnType, Tag};
use std::fmt;

/// The version of the definition.
pub const DIGEST_VERSION: u32 = 1;

/// The first 64 fraction bits of pi, then the following ones.
const PI: [u64; 6] = [
    0x243f_6a88_85a3_08d3,
    0x1319_8a2e_0370_7344,
    0xa409_3822_299f_31d0,
    0x082e_fa98_ec4e_6c89,
    0x4528_21e6_38d0_1377,
    0xbe54_66cf_34e9_0c6c,
];
/// What null hashes as.
const NULL: u64 = PI[5];

/// Sums over the rows of one block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockDigest {
    /// `(writer index, sum)` of the live columns.
    columns: Vec<(usize, u128)>,
    rows: u128,
}

/// 128 bits that are equal for equal rows; shown as 32 hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Digest(pub u128);

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl Table {
    /// The digest of all rows: partitions in order of time, each with its floor; those without rows are left out.
    ///
    /// Of a table with partitions whose values were let go it means nothing: see
    /// [`is_whole`](Self::is_whole).
    pub fn digest(&self) -> Digest {
        let filled = self.partitions.iter().filter(|(_, partition)| partition.rows > 0);
        Self::digest_of(filled.map(|(&floor, partition)| (floor, self.partition_digest(partition))))
    }

    /// The digest of a table whose partitions have these floors and digests: in order of time, none without rows.
    pub fn digest_of(partitions: impl IntoIterator<Item = (i64, Digest)>) -> Digest {
        let mut fold = Fold(u128::from(DIGEST_VERSION));
        for (floor, digest) in partitions {
            fold.word(floor as u64);
            fold.wide(digest.0);
        }
        Digest(fold.0)
    }

    /// False while some partition's values are let go for want of memory.
    pub fn is_whole(&self) -> bool {
        self.partitions.values().all(|partition| !partition.let_go)
    }

    /// The digest of one partition: row count, every live column's sum by writer index, the sum over
    /// rows.
    ///
    /// Sums are kept with each block, so only blocks that changed are read.
    pub fn partition_digest(&self, partition: &Partition) -> Digest {
        let mut columns: Vec<(usize, u128)> = Vec::new();
        let mut rows = 0u128;
        for block in &partition.blocks {
            let sums = block.digest.get_or_init(|| block_digest(block, &self.schema, &self.symbols));
            // A block keeps its sums until it changes; a change of schema drops them.
            if columns.is_empty() {
                columns = sums.columns.clone();
            } else {
                for (total, sum) in columns.iter_mut().zip(&sums.columns) {
                    total.1 = add(total.1, sum.1);
                }
            }
            rows = add(rows, sums.rows);
        }
        let mut fold = Fold(partition.rows as u128);
        for (index, sum) in columns {
            fold.word(index as u64);
            fold.wide(sum);
        }
        fold.wide(rows);
        Digest(fold.0)
    }
}

fn block_digest(block: &Block, schema: &Schema, symbols: &[Option<SymbolTable>]) -> BlockDigest {
    let row_keys: Vec<u64> =
        (0..block.rows).map(|row| row_key(block.timestamp(row, schema.timestamp))).collect();
    let mut whole = row_keys.clone();
    let mut words = Vec::with_capacity(block.rows);
    let mut columns = Vec::with_capacity(schema.columns.len());
    for (index, column) in schema.columns.iter().enumerate().filter(|(_, column)| !column.dropped) {
        words.clear();
        match block.chunk(index) {
            Some(chunk) => {
                push_words(&mut words, chunk, column.ty, symbols.get(index).and_then(Option::as_ref));
            }
            None => words.resize(block.rows, value_word(Value::absent(column.ty))),
        }
        columns.push((index, column_sum(&words, column_key(index), &row_keys, &mut whole)));
    }
    let mut rows = Sum::default();
    for (&row, &key) in whole.iter().zip(&row_keys) {
        rows.add(stir(row ^ key), row);
    }
    BlockDigest { columns, rows: rows.wide() }
}

/// The sum of a column's values; folds each into its row.
fn column_sum(words: &[u64], key: u64, row_keys: &[u64], whole: &mut [u64]) -> u128 {
    let mut sum = Sum::default();
    for ((&word, &row_key), row) in words.iter().zip(row_keys).zip(whole) {
        let word = word ^ key;
        sum.add(stir(word ^ row_key), row_key);
        *row = fold(*row, word);
    }
    sum.wide()
}

#[derive(Default)]
struct Sum {
    low: u64,
    high: u64,
}

impl Sum {
    #[inline(always)]
    fn add(&mut self, hash: u64, key: u64) {
        self.low = self.low.wrapping_add(hash);
        self.high = self.high.wrapping_add(hash.rotate_left(32).wrapping_mul(key | 1));
    }

    fn wide(&self) -> u128 {
        wide(self.low, self.high)
    }
}

/// One word per row. The loops over common types stay free of the match on [`Value`].
fn push_words(words: &mut Vec<u64>, chunk: &Chunk, ty: ColumnType, symbols: Option<&SymbolTable>) {
    let values = match chunk {
        Chunk::Fixed { values, .. } => values.as_slice(),
        _ => &[],
    };
    match ty.tag() {
        Tag::Long | Tag::Date | Tag::Timestamp => words.extend(values.as_chunks().0.iter().map(|bytes| {
            let value = i64::from_le_bytes(*bytes);
            if value == i64::MIN { NULL } else { value as u64 }
        })),
        Tag::Int => words.extend(values.as_chunks().0.iter().map(|bytes| {
            let value = i32::from_le_bytes(*bytes);
            if value == i32::MIN { NULL } else { i64::from(value) as u64 }
        })),
        Tag::Double => words.extend(values.as_chunks().0.iter().map(|bytes| {
            let value = f64::from_le_bytes(*bytes);
            if value.is_finite() { value.to_bits() } else { NULL }
        })),
        Tag::Symbol => {
            let texts: Vec<u64> = match symbols {
                Some(symbols) => symbols.iter().map(|text| bytes_word(text.as_bytes())).collect(),
                None => Vec::new(),
            };
            words.extend(values.as_chunks().0.iter().map(|bytes| {
                let key = usize::try_from(i32::from_le_bytes(*bytes)).ok();
                key.and_then(|key| texts.get(key)).copied().unwrap_or(NULL)
            }));
        }
        _ => words.extend((0..chunk.rows()).map(|row| value_word(chunk.value(row, ty, symbols)))),
    }
}

/// The word that stands for a value, whatever its form.
fn value_word(value: Value<'_>) -> u64 {
    match value {
        Value::Null => NULL,
        Value::Boolean(x) => u64::from(x),
        Value::Byte(x) => i64::from(x) as u64,
        Value::Short(x) => i64::from(x) as u64,
        Value::Char(x) => u64::from(x),
        Value::Int(x) => i64::from(x) as u64,
        Value::Long(x) | Value::Date(x) | Value::Timestamp(x) | Value::TimestampNs(x) => x as u64,
        Value::Float(x) => u64::from(x.to_bits()),
        Value::Double(x) => x.to_bits(),
        Value::Ipv4(x) => u64::from(x),
        Value::Geohash { value, .. } => value,
        Value::Utf8(bytes) => bytes_word(bytes),
        Value::Utf16(units) => bytes_word(utf8(units).as_bytes()),
        Value::Binary(bytes) => bytes_word(bytes),
        Value::Uuid(x) | Value::Long128(x) => words_word(&[x as u64, (x >> 64) as u64]),
        Value::Long256(words) => words_word(&words),
        Value::Decimal { unscaled, .. } => {
            let (high, low) = unscaled.into_words();
            words_word(&[low as u64, (low >> 64) as u64, high as u64, (high >> 64) as u64])
        }
        Value::Array { dims, values } => {
            let element = |bytes: &[u8; 8]| {
                let value = f64::from_le_bytes(*bytes);
                if value.is_nan() { NULL } else { value.to_bits() }
            };
            let start = bytes_word(dims);
            let elements = values.as_chunks::<8>().0.iter().map(element);
            stir(elements.fold(start, fold))
        }
    }
}

/// UTF-16LE units as text; a lone surrogate becomes U+FFFD.
fn utf8(units: &[u8]) -> String {
    char::decode_utf16(units.as_chunks::<2>().0.iter().map(|unit| u16::from_le_bytes(*unit)))
        .map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect()
}

fn bytes_word(bytes: &[u8]) -> u64 {
    let (chunks, rest) = bytes.as_chunks::<8>();
    let start = PI[5] ^ bytes.len() as u64;
    let word = chunks.iter().map(|chunk| u64::from_le_bytes(*chunk)).fold(start, fold);
    let mut last = [0; 8];
    for (to, from) in last.iter_mut().zip(rest) {
        *to = *from;
    }
    stir(fold(word, u64::from_le_bytes(last)))
}

fn words_word(words: &[u64]) -> u64 {
    stir(words.iter().copied().fold(PI[3], fold))
}

fn row_key(timestamp: i64) -> u64 {
    stir(timestamp as u64 ^ PI[2])
}

fn column_key(index: usize) -> u64 {
    stir(index as u64 ^ PI[1])
}

/// Spreads each bit of a word over all; different words stay different.
#[inline(always)]
fn stir(word: u64) -> u64 {
    let word = (word ^ word >> 32).wrapping_mul(PI[0]);
    let word = (word ^ word >> 29).wrapping_mul(PI[4]);
    word ^ word >> 32
}

/// Takes one more word into a hash.
#[inline(always)]
fn fold(hash: u64, word: u64) -> u64 {
    (hash.rotate_left(27) ^ word).wrapping_mul(PI[3])
}

/// The sums of both halves.
fn add(a: u128, b: u128) -> u128 {
    wide((a as u64).wrapping_add(b as u64), ((a >> 64) as u64).wrapping_add((b >> 64) as u64))
}

fn wide(low: u64, high: u64) -> u128 {
    u128::from(high) << 64 | u128::from(low)
}

/// 128 bits that take in one word after the other.
struct Fold(u128);

impl Fold {
    fn word(&mut self, word: u64) {
        let low = stir(self.0 as u64 ^ word);
        let high = stir((self.0 >> 64) as u64 ^ fold(low, word));
        self.0 = wide(low, high);
    }

    fn wide(&mut self, wide: u128) {
        self.word(wide as u64);
        self.word((wide >> 64) as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::Column;
    use crate::wal::PartitionBy;
    use std::sync::Arc;

    const DAY: i64 = 86_400_000_000;
    const DOUBLE: i32 = 10;

    fn table() -> Table {
        let column = |(name, ty): (&str, ColumnType)| Column {
            name: name.into(),
            ty,
            dropped: false,
            upsert_key: false,
            indexed: false,
            replaces: None,
        };
        let double = ColumnType::from_code(DOUBLE).unwrap();
        let types = [
            ("ts", ColumnType::TIMESTAMP),
            ("s", ColumnType::SYMBOL),
            ("d", double),
            ("v", ColumnType::VARCHAR),
        ];
        let schema = Schema {
            columns: types.map(column).into(),
            order: (0..4).collect(),
            timestamp: 0,
            partition_by: PartitionBy::Day,
            ttl: 0,
            version: 0,
        };
        Table::new("t".into(), "t~1".into(), schema)
    }

    fn add(table: &mut Table, floor: i64, rows: &[[Value<'_>; 4]]) {
        let schema = table.schema.clone();
        let mut block = Block::empty();
        block.rows = rows.len();
        for (index, column) in schema.columns.iter().enumerate() {
            let mut chunk = Chunk::new(column.ty);
            for row in rows {
                chunk.push(column.ty, row[index], table.symbols[index].as_mut());
            }
            block.columns.push(Some(Arc::new(chunk)));
        }
        let partition = table.partitions.entry(floor).or_default();
        let partition = Arc::make_mut(partition);
        partition.floor = floor;
        partition.rows += rows.len();
        partition.blocks.push(Arc::new(block));
    }

    fn first_rows() -> [[Value<'static>; 4]; 2] {
        let ts = Value::Timestamp(1);
        [
            [ts, Value::Utf8(b"a"), Value::Double(1.5), Value::Utf8(b"inlined")],
            [ts, Value::Null, Value::Null, Value::Null],
        ]
    }

    /// The vectors of `docs/format.md`, which were computed from its text by another program.
    #[test]
    fn digests_are_those_of_the_documented_definition() {
        let mut table = table();
        assert_eq!(table.digest().to_string(), "00000000000000000000000000000001");
        add(&mut table, 0, &first_rows());
        assert_eq!(
            table.partition_digest(&table.partitions[&0]).to_string(),
            "a9c5a58e748a15d7c26d5318f54be280"
        );
        assert_eq!(table.digest().to_string(), "66fb9b80c3830b461b77427a591718d2");
        let late = [
            Value::Timestamp(DAY + 5),
            Value::Utf8(b"b"),
            Value::Double(-0.0),
            Value::Utf8(b"longer than nine bytes"),
        ];
        add(&mut table, DAY, &[late]);
        assert_eq!(table.digest().to_string(), "1985cb2526adbffa9c9e66d33ced5309");
    }

    #[test]
    fn a_digest_sees_rows_and_not_how_they_are_cut_or_ordered() {
        let [a, b] = first_rows();
        let digest_of = |parts: &[&[[Value<'_>; 4]]]| {
            let mut table = table();
            parts.iter().for_each(|rows| add(&mut table, 0, rows));
            table.digest()
        };
        assert_eq!(digest_of(&[&[a, b]]), digest_of(&[&[b], &[a]]));
        // Values of one timestamp that change places between rows are other rows.
        let [mut c, mut d] = [a, b];
        std::mem::swap(&mut c[2], &mut d[2]);
        assert_ne!(digest_of(&[&[a, b]]), digest_of(&[&[c, d]]));
        assert_ne!(digest_of(&[&[a, b]]), digest_of(&[&[a]]));
    }
}
