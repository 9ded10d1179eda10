//! The digest of a table's rows, version 1: equal digests are what "converged" means.
//!
//! Per live column, the wrapping 128-bit sum over rows of a hash of (writer index, designated
//! timestamp, value), and one sum of a hash over whole rows. Values are hashed as they mean: text as
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
    /// The digest of all rows: partitions in order of time, each with its floor.
    ///
    /// Of a table with partitions whose values were let go it means nothing: see
    /// [`is_whole`](Self::is_whole).
    pub fn digest(&self) -> Digest {
        let mut fold = Fold(u128::from(DIGEST_VERSION));
        for (&floor, partition) in &self.partitions {
            fold.word(floor as u64);
            fold.wide(self.partition_digest(partition).0);
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
                    total.1 = total.1.wrapping_add(sum.1);
                }
            }
            rows = rows.wrapping_add(sums.rows);
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
    let mut columns = Vec::with_capacity(schema.columns.len());
    for (index, column) in schema.columns.iter().enumerate().filter(|(_, column)| !column.dropped) {
        let mut sum = Sum { key: column_key(index), total: 0 };
        match block.chunk(index) {
            Some(chunk) => {
                let dictionary = symbols.get(index).and_then(Option::as_ref);
                each_word(chunk, column.ty, dictionary, |row, word| {
                    sum.add(row, word, &row_keys, &mut whole)
                });
            }
            None => {
                let word = value_word(Value::absent(column.ty));
                (0..block.rows).for_each(|row| sum.add(row, word, &row_keys, &mut whole));
            }
        }
        columns.push((index, sum.total));
    }
    let rows = whole.iter().fold(0u128, |total, &row| total.wrapping_add(spread(row, row ^ PI[4])));
    BlockDigest { columns, rows }
}

struct Sum {
    key: u64,
    total: u128,
}

impl Sum {
    #[inline]
    fn add(&mut self, row: usize, word: u64, row_keys: &[u64], whole: &mut [u64]) {
        let (Some(&key), Some(so_far)) = (row_keys.get(row), whole.get_mut(row)) else { return };
        self.total = self.total.wrapping_add(spread(word ^ self.key, key));
        *so_far = mix(*so_far ^ word, self.key);
    }
}

/// Hands out one word per row. The loops over common types stay free of the match on [`Value`].
fn each_word(chunk: &Chunk, ty: ColumnType, symbols: Option<&SymbolTable>, mut take: impl FnMut(usize, u64)) {
    let Chunk::Fixed { values, .. } = chunk else {
        for row in 0..chunk.rows() {
            take(row, value_word(chunk.value(row, ty, symbols)));
        }
        return;
    };
    match ty.tag() {
        Tag::Long | Tag::Date | Tag::Timestamp => {
            for (row, bytes) in values.as_chunks::<8>().0.iter().enumerate() {
                let value = i64::from_le_bytes(*bytes);
                take(row, if value == i64::MIN { NULL } else { value as u64 });
            }
        }
        Tag::Int => {
            for (row, bytes) in values.as_chunks::<4>().0.iter().enumerate() {
                let value = i32::from_le_bytes(*bytes);
                take(row, if value == i32::MIN { NULL } else { i64::from(value) as u64 });
            }
        }
        Tag::Double => {
            for (row, bytes) in values.as_chunks::<8>().0.iter().enumerate() {
                let value = f64::from_le_bytes(*bytes);
                take(row, if value.is_finite() { value.to_bits() } else { NULL });
            }
        }
        Tag::Symbol => {
            let words: Vec<u64> = match symbols {
                Some(symbols) => symbols.iter().map(|text| bytes_word(text.as_bytes())).collect(),
                None => Vec::new(),
            };
            for (row, bytes) in values.as_chunks::<4>().0.iter().enumerate() {
                let key = usize::try_from(i32::from_le_bytes(*bytes)).ok();
                take(row, key.and_then(|key| words.get(key)).copied().unwrap_or(NULL));
            }
        }
        _ => {
            for row in 0..chunk.rows() {
                take(row, value_word(chunk.value(row, ty, symbols)));
            }
        }
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
            values.as_chunks::<8>().0.iter().fold(start, |so_far, bytes| mix(so_far ^ element(bytes), PI[2]))
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
    let mut word = PI[0] ^ bytes.len() as u64;
    let (chunks, rest) = bytes.as_chunks::<8>();
    for chunk in chunks {
        word = mix(word ^ u64::from_le_bytes(*chunk), PI[1]);
    }
    let mut last = [0; 8];
    for (to, from) in last.iter_mut().zip(rest) {
        *to = *from;
    }
    mix(word ^ u64::from_le_bytes(last), PI[2])
}

fn words_word(words: &[u64]) -> u64 {
    words.iter().fold(PI[3], |so_far, &word| mix(so_far ^ word, PI[1]))
}

fn row_key(timestamp: i64) -> u64 {
    mix(timestamp as u64 ^ PI[2], PI[3])
}

fn column_key(index: usize) -> u64 {
    mix(index as u64 ^ PI[0], PI[1])
}

/// The two halves of a 128-bit product, folded into 64 bits.
fn mix(a: u64, b: u64) -> u64 {
    let (low, high) = product(a, b);
    low ^ high
}

/// Low and high half of a product.
#[cfg(not(target_arch = "wasm32"))]
#[inline]
fn product(a: u64, b: u64) -> (u64, u64) {
    let product = u128::from(a) * u128::from(b);
    (product as u64, (product >> 64) as u64)
}

/// Low and high half of a product. WebAssembly multiplies 64 bits at most, and what the compiler makes of
/// 128 is a call that multiplies zeros too.
#[cfg(target_arch = "wasm32")]
#[inline]
fn product(a: u64, b: u64) -> (u64, u64) {
    narrow_product(a, b)
}

/// The same from products of 32 bits.
#[cfg(any(test, target_arch = "wasm32"))]
#[inline]
fn narrow_product(a: u64, b: u64) -> (u64, u64) {
    const LOW: u64 = 0xffff_ffff;
    let (a_low, a_high, b_low, b_high) = (a & LOW, a >> 32, b & LOW, b >> 32);
    let lowest = a_low * b_low;
    let middle = a_high * b_low + (lowest >> 32);
    let other = a_low * b_high + (middle & LOW);
    (other << 32 | lowest & LOW, a_high * b_high + (middle >> 32) + (other >> 32))
}

/// 128 bits from two words: the second product undoes the linearity of the first, so that sums of
/// different values with one timestamp differ.
fn spread(a: u64, b: u64) -> u128 {
    let folded = mix(a, b ^ PI[4]);
    let (low, high) = product(folded ^ PI[5], folded.rotate_left(32) ^ b ^ PI[0]);
    u128::from(high) << 64 | u128::from(low)
}

struct Fold(u128);

impl Fold {
    fn word(&mut self, word: u64) {
        let low = mix(self.0 as u64 ^ word, PI[0] ^ (self.0 >> 64) as u64);
        let high = mix((self.0 >> 64) as u64 ^ word.rotate_left(32), PI[1] ^ low);
        self.0 = u128::from(high) << 64 | u128::from(low);
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
            "22dedf8d02149fefc1ac4bd92764cfe0"
        );
        assert_eq!(table.digest().to_string(), "cb02100c783ac301546fffe607ace35f");
        let late = [
            Value::Timestamp(DAY + 5),
            Value::Utf8(b"b"),
            Value::Double(-0.0),
            Value::Utf8(b"longer than nine bytes"),
        ];
        add(&mut table, DAY, &[late]);
        assert_eq!(table.digest().to_string(), "b1a06deb1062de041730fc3f1232e6eb");
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

    #[test]
    fn products_of_narrow_words_are_those_of_wide_ones() {
        let mut words = vec![0, 1, u64::MAX, u64::from(u32::MAX), 1 << 32, 1 << 63];
        for _ in 0..1_000 {
            // A step of a generator with full period; any words do.
            let last = words.last().copied().unwrap_or(1);
            words.push(last.wrapping_mul(PI[0] | 1).wrapping_add(PI[1]));
        }
        for pair in words.windows(2) {
            let (a, b) = (pair[0], pair[1]);
            assert_eq!(narrow_product(a, b), product(a, b), "{a} * {b}");
            assert_eq!(narrow_product(a, a), product(a, a), "{a} * {a}");
        }
    }
}
