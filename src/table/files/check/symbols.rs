//! A column's dictionary: offsets, strings and the index of their hashes.

use super::bitmap::Bitmap;
use super::{Report, i32_at, i64_at};
use crate::table::files::column_file;
use crate::wal::{Cursor, Error, Files, Result};
use std::collections::BTreeSet;

const HEADER: u64 = 64;

/// What the columns of a partition must keep to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dictionary {
    /// Keys below this one exist.
    pub(super) count: u32,
    /// Rows may be null.
    pub(super) has_null: bool,
}

/// Checks the four files of a column's dictionary, of which `count` symbols are valid.
pub(super) fn check(
    files: &dyn Files,
    dir: &str,
    column: &str,
    name_txn: i64,
    count: u32,
    report: &mut Report,
) -> Option<Dictionary> {
    let file = |ext: &str| format!("{dir}/{}", column_file(column, ext, name_txn));
    let offsets_file = file("o");
    let head = report.need("symbol-file", files.read(&offsets_file, 0, HEADER))?;
    let (capacity, has_null) = (i32_at(&head, 0), head.get(8).is_some_and(|flag| *flag != 0));
    if capacity <= 0 {
        report.error("symbol-capacity", &offsets_file, 0, format_args!("capacity {capacity}"));
        return None;
    }
    let hashes = report.need("symbol-values", hashes(files, &offsets_file, &file("c"), count))?;
    if let Some(duplicate) = hashes.duplicate {
        let message = format_args!("key {duplicate} is a string that an earlier key has");
        report.error("symbol-duplicate", &offsets_file, HEADER + u64::from(duplicate) * 8, message);
    }
    if let Some(index) = Bitmap::open(files, file("k"), file("v"), report) {
        buckets(&index, capacity as u32, &hashes.hashes, report);
    }
    Some(Dictionary { count, has_null })
}

struct Hashes {
    /// Of each string, in order of key.
    hashes: Vec<u32>,
    /// The first key whose string is not its own.
    duplicate: Option<u32>,
}

fn hashes(files: &dyn Files, offsets_file: &str, values_file: &str, count: u32) -> Result<Hashes> {
    let bytes = files.read(offsets_file, HEADER, (u64::from(count) + 1) * 8)?;
    let offsets: Vec<i64> = bytes.chunks_exact(8).map(|offset| i64_at(offset, 0)).collect();
    let end = offsets.last().copied().unwrap_or(0);
    let end = u64::try_from(end).ok().unwrap_or(u64::MAX);
    let values = files.read(values_file, 0, end)?;
    let mut cursor = Cursor::new(values_file, 0, &values);
    let mut out = Hashes { hashes: Vec::with_capacity(count as usize), duplicate: None };
    let mut seen = BTreeSet::new();
    for (key, start) in offsets.iter().take(count as usize).enumerate() {
        if cursor.offset() as i64 != *start {
            let at = HEADER + key as u64 * 8;
            return Err(Error::damaged(offsets_file, at, format_args!("offset {}", cursor.offset()), start));
        }
        let units = cursor.units("symbol")?.ok_or_else(|| cursor.damaged_back(4, "a symbol", "null"))?;
        if !seen.insert(units) {
            out.duplicate = out.duplicate.or(Some(key as u32));
        }
        out.hashes.push(hash(units));
    }
    if cursor.remaining() > 0 {
        let at = HEADER + u64::from(count) * 8;
        return Err(Error::damaged(offsets_file, at, format_args!("end {}", cursor.offset()), end));
    }
    Ok(out)
}

/// `String.hashCode` of Java, made positive as QuestDB does.
fn hash(units: &[u8]) -> u32 {
    let units = units.chunks_exact(2).filter_map(|unit| unit.first_chunk::<2>());
    let hash = units
        .fold(0u32, |hash, unit| hash.wrapping_mul(31).wrapping_add(u32::from(u16::from_le_bytes(*unit))));
    hash & 0x0fff_ffff
}

/// Every symbol is in the bucket of its hash, once.
fn buckets(index: &Bitmap, capacity: u32, hashes: &[u32], report: &mut Report) {
    let mask = ((capacity / 2).max(1).next_power_of_two() - 1).max(1);
    let end = HEADER + hashes.len() as u64 * 8;
    let mut found = 0;
    for bucket in 0..index.keys() {
        let Some(list) = index.list(bucket, end, report) else { return };
        found += list.len();
        for offset in list {
            let key = offset.checked_sub(HEADER).filter(|at| at % 8 == 0).map(|at| (at / 8) as usize);
            let right = key.and_then(|key| hashes.get(key)).is_some_and(|hash| hash & mask == bucket as u32);
            if !right {
                let message = format_args!("offset {offset} is not that of a symbol of this bucket");
                report.error("symbol-bucket", index.key_file(), Bitmap::place(bucket), message);
                return;
            }
        }
    }
    if found != hashes.len() {
        let message = format_args!("{found} symbols in the buckets, {} in the dictionary", hashes.len());
        report.error("symbol-bucket", index.key_file(), 0, message);
    }
}
