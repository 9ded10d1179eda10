//! Rules of `_txn` that go beyond what reading it needs.

use super::{Report, i32_at, i64_at};
use crate::table::files::{TxnFile, TxnState};
use crate::wal::{Applied, Files, PartitionBy, Result};
use bytes::Bytes;

const HEADER: u64 = 64;
const RECORD_HEAD: usize = 132;
const PARTITION: usize = 32;
/// Bits of a partition's masked rows that mean nothing.
const RESERVED: u64 = 1 << 60 | 1 << 63;

/// Checks `<dir>/_txn`, which was read as `applied`; `symbols` are the live SYMBOL columns.
pub(super) fn check(
    files: &dyn Files,
    dir: &str,
    applied: &Applied,
    by: PartitionBy,
    symbols: usize,
    report: &mut Report,
) {
    let file = format!("{dir}/_txn");
    let Some((head, record, at)) = report.need("txn-decode", raw(files, &file)) else { return };
    let version = i64_at(&head, 0);
    if applied.txn != version {
        let message = format_args!("version {version} selects the record of txn {}", applied.txn);
        report.error("txn-parity", &file, 0, message);
    }
    areas(&file, &head, version, report);
    sizes(&file, &head, &record, (version, at), symbols, report);
    lag(&file, &record, at, report);
    symbol_counts(&file, &record, at, report);
    partition_bits(&file, &record, at, report);
    rows(&file, &record, at, applied, by, report);
    if by != PartitionBy::None {
        extremes(&file, at, applied, report);
    }
}

/// Header, current record and the record's offset.
fn raw(files: &dyn Files, file: &str) -> Result<(Bytes, Bytes, u64)> {
    let head = files.read(file, 0, HEADER)?;
    let (offset, len) = TxnFile::decode(file, &head)?.record();
    let record = files.read(file, offset, len)?;
    Ok((head, record, offset))
}

/// Offset and size of an area's record.
fn area(head: &[u8], at: usize) -> (u64, u64) {
    let [offset, symbols, partitions] = [0, 4, 8].map(|i| u64::from(i32_at(head, at + i).unsigned_abs()));
    (offset, RECORD_HEAD as u64 + symbols + 4 + partitions)
}

fn areas(file: &str, head: &[u8], version: i64, report: &mut Report) {
    let (current, other) = if version & 1 == 0 { (8, 32) } else { (32, 8) };
    let ((a, a_len), (b, b_len)) = (area(head, current), area(head, other));
    // A table that was never written again has one area.
    if b != 0 && a < b + b_len && b < a + a_len {
        let message = format_args!("the record at {b} overlaps the current one at {a}");
        report.error("txn-areas", file, other as u64, message);
    }
}

fn sizes(file: &str, head: &[u8], record: &[u8], at: (i64, u64), symbols: usize, report: &mut Report) {
    let (version, at) = at;
    let place = if version & 1 == 0 { 8 } else { 32 };
    let count = i32_at(record, 128);
    if i64::from(count) * 8 != i64::from(i32_at(head, place + 4)) || count != symbols as i32 {
        let message = format_args!(
            "{count} symbol columns, the header says {} bytes, the table has {symbols}",
            i32_at(head, place + 4)
        );
        report.error("txn-symbol-columns", file, at + 128, message);
    }
    let offset = RECORD_HEAD + usize::try_from(count).unwrap_or(0) * 8;
    let bytes = i32_at(record, offset);
    if bytes != i32_at(head, place + 8) {
        let message =
            format_args!("{bytes} bytes of partitions, the header says {}", i32_at(head, place + 8));
        report.error("txn-partition-size", file, at + offset as u64, message);
    }
}

fn lag(file: &str, record: &[u8], at: u64, report: &mut Report) {
    let empty = i64_at(record, 92) == 0 && i64_at(record, 100) == i64::MAX && i64_at(record, 108) == i64::MIN;
    if !empty {
        report.error(
            "txn-lag",
            file,
            at + 92,
            "rows in the lag, which only their writer knows how to finish",
        );
    }
}

fn symbol_counts(file: &str, record: &[u8], at: u64, report: &mut Report) {
    let count = usize::try_from(i32_at(record, 128)).unwrap_or(0);
    let counts = record.get(RECORD_HEAD..).unwrap_or_default().chunks_exact(8).take(count);
    for (i, pair) in counts.enumerate() {
        if i32_at(pair, 0) != i32_at(pair, 4) {
            let message = format_args!("{} symbols, of which {} count", i32_at(pair, 4), i32_at(pair, 0));
            report.warning("txn-symbol-counts", file, at + (RECORD_HEAD + i * 8) as u64, message);
        }
    }
}

fn partition_bits(file: &str, record: &[u8], at: u64, report: &mut Report) {
    let start = RECORD_HEAD + usize::try_from(i32_at(record, 128)).unwrap_or(0) * 8 + 4;
    for (i, entry) in record.get(start..).unwrap_or_default().chunks_exact(PARTITION).enumerate() {
        let masked = i64_at(entry, 8) as u64;
        if masked & RESERVED != 0 {
            let message = format_args!("reserved bits are set: {masked:#x}");
            report.error("partition-flags", file, at + (start + i * PARTITION + 8) as u64, message);
        }
    }
}

fn rows(file: &str, record: &[u8], at: u64, applied: &Applied, by: PartitionBy, report: &mut Report) {
    let state = TxnState::from_applied(applied);
    let fixed = i64_at(record, 16) as u64;
    let last = state.partitions.last().map_or(0, |partition| partition.rows);
    // A table without partitions may have no entry for its one folder.
    let unlisted = by == PartitionBy::None && state.partitions.is_empty();
    if !unlisted && (fixed != state.rows().saturating_sub(last) || applied.rows != state.rows()) {
        let message = format_args!("{} rows in all, the partitions have {}", applied.rows, state.rows());
        report.error("txn-rows", file, at + 8, message);
    }
}

fn extremes(file: &str, at: u64, applied: &Applied, report: &mut Report) {
    let (min, max) = (applied.min_ts, applied.max_ts);
    let right = if applied.rows == 0 { (min, max) == (i64::MAX, i64::MIN) } else { min <= max };
    if !right {
        let message = format_args!("timestamps {min} to {max} of {} rows", applied.rows);
        report.error("txn-extremes", file, at + 24, message);
    }
}
