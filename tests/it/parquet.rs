//! Partitions as Parquet files, written and read back.

use bytes::Bytes;
use proptest::prelude::*;
use std::sync::Arc;
use understudy::columnar::parquet::{Codec, EncodeError, Field, Options, ParquetFile, ParquetForm};
use understudy::columnar::parquet::{PartitionRows, Plan, encode};
use understudy::table::chunk::{array_entry, varchar_entry};
use understudy::table::files::read::{PartFile, PartitionForm, WantedColumn};
use understudy::table::{Block, Chunk, Partition, SymbolTable, Value, null_pattern};
use understudy::wal::{ColumnType, Error, MemoryFiles, Tag};

const SYMBOLS: u32 = 40;

/// Codes of every type that a column can have.
fn types() -> Vec<ColumnType> {
    let plain = [1, 2, 3, 4, 5, 6, 7, 8, 8 | 1 << 18, 9, 10, 11, 12, 13, 18, 19, 24, 25, 26];
    let geo = [14 | 5 << 8, 15 | 10 << 8, 16 | 20 << 8, 17 | 40 << 8].map(|code| code | 1 << 16);
    let decimal = [(28, 2, 1), (29, 4, 2), (30, 9, 3), (31, 18, 4), (32, 38, 5), (33, 76, 6)];
    let decimal = decimal.map(|(tag, precision, scale)| tag | precision << 8 | scale << 18);
    let array = [27 | 10 << 8, 27 | 10 << 8 | 1 << 14];
    let geo = geo.map(|code| if ColumnType::from_code(code).is_some() { code } else { code & 0xffff });
    let codes = plain.into_iter().chain(geo).chain(decimal).chain(array);
    codes.map(|code| ColumnType::from_code(code).expect("a type")).collect()
}

/// Values of a column from random numbers; about one of `nulls` is null.
fn chunk(ty: ColumnType, rows: usize, nulls: u64, seed: &mut u64) -> Chunk {
    let mut chunk = Chunk::new(ty);
    for _ in 0..rows {
        let null = nulls > 0 && next(seed).is_multiple_of(nulls);
        let word = next(seed) >> (next(seed) % 50);
        match &mut chunk {
            Chunk::Fixed { values, .. } if null => values.extend_from_slice(null_pattern(ty)),
            Chunk::Fixed { width, values } => values.extend_from_slice(&fixed(ty, *width, word)),
            Chunk::Prefixed { aux, data } => {
                let text = "añ€𝄞xyz".repeat((word % 4) as usize);
                match (ty.tag(), null) {
                    (Tag::String, true) => data.extend((-1i32).to_le_bytes()),
                    (Tag::String, false) => {
                        let text = if word % 8 < 4 { format!("plain {word}") } else { text };
                        data.extend((text.encode_utf16().count() as i32).to_le_bytes());
                        data.extend(text.encode_utf16().flat_map(u16::to_le_bytes));
                    }
                    (_, true) => data.extend((-1i64).to_le_bytes()),
                    (_, false) => {
                        data.extend((text.len() as i64).to_le_bytes());
                        data.extend(text.as_bytes());
                    }
                }
                aux.push(data.len() as u64);
            }
            Chunk::Varchar { aux, data } => {
                let text = if nulls == 3 { format!("v{}", word % 7) } else { format!("vä {word} of many") };
                let value = (!null).then_some(text.as_bytes());
                aux.push(varchar_entry(value, data.len() as u64));
                data.extend(value.filter(|value| value.len() > 9).unwrap_or_default());
            }
            Chunk::Array { aux, data } => {
                let dims = ty.array_dims();
                let start = data.len();
                if !null {
                    let shape: Vec<i32> = (0..dims).map(|dim| (word >> dim) as i32 & 3).collect();
                    data.extend(shape.iter().flat_map(|dim| dim.to_le_bytes()));
                    data.resize(data.len().next_multiple_of(8), 0);
                    let count: i32 = shape.iter().product();
                    data.extend((0..count).flat_map(|n| (word as f64 / f64::from(n)).to_le_bytes()));
                }
                aux.push(array_entry(start as u64, (data.len() - start) as u32));
            }
        }
    }
    chunk
}

fn fixed(ty: ColumnType, width: usize, word: u64) -> Vec<u8> {
    let mut bytes = word.to_le_bytes().repeat(4);
    bytes.truncate(width);
    match ty.tag() {
        Tag::Boolean => vec![(word & 1) as u8],
        Tag::Symbol => (word as u32 % SYMBOLS).to_le_bytes().to_vec(),
        Tag::Float => (word as f32 / 7.0).to_le_bytes().to_vec(),
        Tag::Double => (word as f64 / 7.0).to_le_bytes().to_vec(),
        _ => bytes,
    }
}

fn next(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*seed ^ *seed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed ^ mixed >> 27
}

/// A partition with a designated timestamp and a column of every type, and its file's columns.
struct Made {
    partition: Partition,
    symbols: Vec<Option<SymbolTable>>,
    fields: Vec<Field>,
}

fn made(blocks: &[usize], mut seed: u64) -> Made {
    let mut types = types();
    types.insert(0, ColumnType::TIMESTAMP);
    let mut dictionary = SymbolTable::default();
    for n in 0..SYMBOLS {
        dictionary.intern(&format!("symbol {n}"));
    }
    let mut partition = Partition::default();
    for &rows in blocks {
        let mut block = Block::empty();
        block.rows = rows;
        for (index, ty) in types.iter().enumerate() {
            let nulls = [0, 3, 1, 50][(next(&mut seed) % 4) as usize];
            let first = partition.rows as i64;
            let chunk = match index {
                0 => {
                    let times = (first..first + rows as i64).flat_map(|n| (n * 1000).to_le_bytes());
                    Some(Chunk::Fixed { width: 8, values: times.collect() })
                }
                _ if next(&mut seed).is_multiple_of(5) => None,
                _ => Some(chunk(*ty, rows, nulls, &mut seed)),
            };
            block.columns.push(chunk.map(Arc::new));
        }
        partition.rows += rows;
        partition.blocks.push(Arc::new(block));
    }
    let symbols = types.iter().map(|ty| ty.is_symbol().then(|| dictionary.clone())).collect();
    let field = |(index, ty): (usize, &ColumnType)| Field {
        name: format!("c{index}"),
        ty: *ty,
        index: index * 2,
        designated: index == 0,
        config: 0,
        top: 0,
    };
    let fields = types.iter().enumerate().map(field).collect();
    Made { partition, symbols, fields }
}

impl Made {
    /// The file. Field ids are twice the place of a column.
    fn file(&self, options: Options) -> Result<Vec<u8>, EncodeError> {
        let mut fields = self.fields.clone();
        fields.iter_mut().enumerate().for_each(|(place, field)| field.index = place);
        let plan = Plan::new("t", fields, self.partition.rows, options)?;
        let mut bytes = Vec::new();
        let source = PartitionRows { partition: &self.partition, symbols: &self.symbols };
        let len = encode(&plan, &source, &mut bytes)?;
        assert_eq!(len, bytes.len() as u64);
        Ok(bytes)
    }

    fn wanted(&self) -> Vec<WantedColumn> {
        let wanted = |(place, field): (usize, &Field)| WantedColumn {
            index: place,
            place,
            ty: field.ty,
            symbols: SYMBOLS,
            may_be_absent: false,
        };
        self.fields.iter().enumerate().map(wanted).collect()
    }

    /// Everything the reader answers for a file.
    fn read(&self, bytes: &[u8], cuts: &[usize]) -> understudy::wal::Result<Vec<Option<Vec<Chunk>>>> {
        let mut files = MemoryFiles::default();
        files.insert("data.parquet", Bytes::copy_from_slice(bytes));
        let file =
            PartFile { path: "data.parquet", len: bytes.len() as u64, rows: self.partition.rows as u64 };
        ParquetForm.read(&files, &file, &self.wanted(), cuts)
    }

    /// Fails where values differ from what was written.
    fn compare(&self, columns: &[Option<Vec<Chunk>>], cuts: &[usize]) {
        for (place, (field, chunks)) in self.fields.iter().zip(columns).enumerate() {
            let chunks = chunks.as_ref().expect("the file has every column");
            let mut row = 0;
            for (chunk, end) in chunks.iter().zip(cuts) {
                assert_eq!(chunk.rows(), end - row, "{}", field.ty);
                for at in 0..chunk.rows() {
                    let (block, here) = self.partition.locate(row + at).expect("a row");
                    let symbols = self.symbols[place].as_ref();
                    let written = block.chunk(place).map(|chunk| chunk.value(here, field.ty, symbols));
                    let written = written.unwrap_or(Value::absent(field.ty));
                    let read = chunk.value(at, field.ty, symbols);
                    assert_eq!(text(&read), text(&written), "{} of row {}", field.ty, row + at);
                }
                row = *end;
            }
        }
    }
}

/// Comparable also where numbers of an array are not.
fn text(value: &Value<'_>) -> String {
    format!("{value:?}")
}

const CODECS: [Codec; 6] =
    [Codec::Uncompressed, Codec::Snappy, Codec::Gzip, Codec::Brotli, Codec::Zstd, Codec::Lz4Raw];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn every_type_comes_back(
        blocks in prop::collection::vec(1..400usize, 1..5),
        seed: u64,
        codec in 0..6usize,
        version in 1..3u8,
        row_group_rows in 1..700usize,
        page_bytes in prop::sample::select(vec![64usize, 1000, 1 << 20]),
        cut in 1..900usize,
        config in 0..5i32,
    ) {
        let mut made = made(&blocks, seed);
        for field in &mut made.fields {
            field.config = config;
        }
        let options =
            Options { codec: CODECS[codec], version, row_group_rows, page_bytes, min_ratio: 0.0, ..Options::default() };
        let bytes = made.file(options).unwrap();
        let rows = made.partition.rows;
        let mut cuts: Vec<usize> = (cut..rows).step_by(cut).collect();
        cuts.push(rows);
        made.compare(&made.read(&bytes, &cuts).unwrap(), &cuts);
    }

    #[test]
    fn damaged_bytes_give_errors_and_never_a_panic(
        seed: u64,
        codec in 0..6usize,
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
        truncated: bool,
    ) {
        let made = made(&[50, 70], seed);
        let options = Options { codec: CODECS[codec], row_group_rows: 80, min_ratio: 0.0, ..Options::default() };
        let mut bytes = made.file(options).unwrap();
        for (place, byte) in damage {
            let at = place.index(bytes.len());
            bytes[at] ^= byte;
        }
        if truncated {
            bytes.truncate(cut.index(bytes.len()));
        }
        match made.read(&bytes, &[60, 120]) {
            // Values may differ, their number may not.
            Ok(columns) => {
                for chunks in columns.iter().flatten() {
                    let rows: Vec<usize> = chunks.iter().map(Chunk::rows).collect();
                    assert_eq!(rows, [60, 60]);
                }
            }
            Err(Error::Damaged { .. } | Error::Unsupported { .. } | Error::Short { .. }) => {}
            Err(other) => panic!("{other}"),
        }
    }
}

#[test]
fn a_range_of_rows_is_read_alone() {
    let made = made(&[500, 500], 7);
    let bytes = made.file(Options { row_group_rows: 300, page_bytes: 256, ..Options::default() }).unwrap();
    let mut files = MemoryFiles::default();
    files.insert("f", bytes.clone());
    let file = ParquetFile::open(&files, "f", bytes.len() as u64).unwrap();
    assert_eq!((file.rows(), file.bounds()), (1000, vec![0, 300, 600, 900, 1000]));
    let times = file.read(&files, 0, ColumnType::TIMESTAMP, 0, 310..905).unwrap().next(595).unwrap();
    assert_eq!((times.long(0), times.long(594)), (310_000, 904_000));
}
