//! Parquet files, damaged anywhere: footer, page headers, levels, dictionaries, values.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use understudy::columnar::parquet::ParquetFile;
use understudy::wal::{ColumnType, MemoryFiles};

/// Rows that are read of each column: a run of a few bytes may stand for any number.
const ROWS: u64 = 1000;

fuzz_target!(|bytes: &[u8]| {
    let mut files = MemoryFiles::default();
    files.insert("data.parquet", Bytes::copy_from_slice(bytes));
    let Ok(file) = ParquetFile::open(&files, "data.parquet", bytes.len() as u64) else { return };
    let rows = file.rows().min(ROWS);
    for place in 0..file.columns().count().min(64) {
        for code in (1..=19).chain(24..=26) {
            let Some(ty) = ColumnType::from_code(code) else { continue };
            if let Ok(mut column) = file.read(&files, place, ty, 100, 0..rows) {
                let _ = column.next(rows as usize);
            }
        }
    }
});
