//! The sequencer's files, and how they stand to what is applied.

use super::{Report, exists};
use crate::table::files::{ChangeLog, column_structure_version, decode_wal_index};
use crate::wal::{
    Applied, Event, Files, LogVersion, SegmentId, SequencerLog, SequencerMeta, TableMeta, TxnKind, TxnRecord,
    read_changes, read_event, read_transaction,
};
use std::collections::BTreeMap;

const V2_RECORD: u64 = 60;
const MAX_SMALL: u64 = 1 << 20;

/// Checks `<dir>/txn_seq` and the writers' directories.
pub(super) fn check(files: &dyn Files, dir: &str, meta: &TableMeta, applied: &Applied, report: &mut Report) {
    let file = format!("{dir}/txn_seq/_txnlog");
    let Some(log) = report.need("seq-log", SequencerLog::open(files, dir)) else { return };
    if log.max_txn < applied.seq_txn {
        let message = format_args!(
            "{} transactions, {} are applied: the next {} would be lost",
            log.max_txn,
            applied.seq_txn,
            applied.seq_txn - log.max_txn
        );
        report.error("seq-behind", &file, 4, message);
    }
    versions_ahead(files, dir, &log, applied, report);
    writers(files, dir, report);
    parts(files, &log, report);
    let last = last_version(files, &log, report);
    let ours = report.need("seq-meta", SequencerMeta::of_table(files, dir));
    if let (Some(last), Some(sequencer)) = (last, &ours) {
        versions(files, dir, last, sequencer, report);
        if let Some(version) = ahead(files, dir, &log, applied, report) {
            columns(dir, version == last, sequencer, meta, report);
        }
    }
}

/// `_cv` is ahead of `_txn` only while the log is, too: nothing else makes the server open the table and roll it back, and
/// until then whoever reads the table waits for `_txn` to follow, for ever.
fn versions_ahead(files: &dyn Files, dir: &str, log: &SequencerLog, applied: &Applied, report: &mut Report) {
    let file = format!("{dir}/_cv");
    let head = files.read(&file, 0, 8).ok();
    let Some(newest) = head.and_then(|head| Some(i64::from_le_bytes(*head.first_chunk()?))) else { return };
    if newest > applied.column_version && log.max_txn <= applied.seq_txn {
        let message =
            format_args!("version {newest}, _txn has {}: readers would hang", applied.column_version);
        report.error("cv-ahead", &file, 0, message);
    }
}

/// No writer's directory has a number that the next writer would take.
fn writers(files: &dyn Files, dir: &str, report: &mut Report) {
    let file = format!("{dir}/txn_seq/_wal_index.d");
    let index = files.read_all(&file, MAX_SMALL).and_then(|bytes| decode_wal_index(&file, &bytes));
    let Some(index) = report.need("wal-index", index) else { return };
    let names = files.list(dir).ok().flatten().unwrap_or_default();
    let writers = names.iter().filter_map(|name| name.strip_prefix("wal")?.parse::<u32>().ok());
    if let Some(wal) = writers.max().filter(|wal| *wal > index) {
        report.error("wal-index", &file, 0, format_args!("last writer {index}, there is wal{wal}"));
    }
}

/// Parts of a V2 log are mapped whole.
fn parts(files: &dyn Files, log: &SequencerLog, report: &mut Report) {
    let LogVersion::V2 { part_size } = log.version else { return };
    if log.max_txn == 0 {
        return;
    }
    let (file, _, _) = log.place(log.max_txn);
    let wanted = u64::from(part_size) * V2_RECORD;
    if let Some(len) = report.need("seq-part", files.len(&file))
        && len < wanted
    {
        report.error("seq-part", &file, len, format_args!("{len} bytes, {wanted} expected"));
    }
}

/// The structure version that a sequencer takes from the last record.
fn last_version(files: &dyn Files, log: &SequencerLog, report: &mut Report) -> Option<i64> {
    if log.max_txn == 0 {
        return Some(0);
    }
    let record = report.need("seq-record", log.records(files, log.max_txn..=log.max_txn))?.pop()?;
    Some(record.structure_version)
}

fn versions(files: &dyn Files, dir: &str, last: i64, meta: &SequencerMeta, report: &mut Report) {
    if meta.structure_version != last {
        let file = format!("{dir}/txn_seq/_meta");
        let message =
            format_args!("structure version {}, the last record has {last}", meta.structure_version);
        report.error("seq-structure", &file, 8, message);
    }
    report.need("seq-changes", ChangeLog::open(files, dir, last.unsigned_abs()));
}

/// Checks that every transaction after the applied ones can be applied; answers the structure version that
/// is applied.
fn ahead(
    files: &dyn Files,
    dir: &str,
    log: &SequencerLog,
    applied: &Applied,
    report: &mut Report,
) -> Option<i64> {
    let now = column_structure_version(applied.structure_version);
    let mut version = now;
    if applied.seq_txn > 0 && log.first_record(files).is_ok_and(|first| first <= applied.seq_txn) {
        let records = log.records(files, applied.seq_txn..=applied.seq_txn);
        if let Some(record) = report.need("seq-record", records)?.first()
            && record.structure_version != now
        {
            let (file, offset, _) = log.place(applied.seq_txn);
            let message = format_args!("structure version {}, _txn has {now}", record.structure_version);
            report.error("txn-structure", &file, offset, message);
        }
    }
    let records = report.need("seq-record", log.records(files, applied.seq_txn + 1..=log.max_txn))?;
    // QuestDB goes through a segment's events once, in their order.
    let mut newest: BTreeMap<SegmentId, u32> = BTreeMap::new();
    for record in records {
        if let Some((segment, event)) = record.segment()
            && let Some(before) = newest.insert(segment, event).filter(|before| *before >= event)
        {
            let (file, offset, _) = log.place(record.seq_txn);
            let message =
                format_args!("transaction {} is event {event} after event {before}", record.seq_txn);
            report.error("ahead-order", &file, offset, message);
        }
        let (file, offset, _) = log.place(record.seq_txn);
        let expected = version + i64::from(record.kind == TxnKind::Structure);
        if record.structure_version != expected {
            let message = format_args!(
                "transaction {} has structure version {}, {expected} would follow",
                record.seq_txn, record.structure_version
            );
            report.error("ahead-structure", &file, offset, message);
        }
        version = record.structure_version;
        transaction(files, dir, &record, report);
    }
    Some(now)
}

fn transaction(files: &dyn Files, dir: &str, record: &TxnRecord, report: &mut Report) {
    match (record.kind, record.segment()) {
        (TxnKind::Structure, _) => {
            let version = record.structure_version;
            report.need("ahead-change", read_changes(files, dir, version - 1, version));
        }
        (TxnKind::Wal { segment_txn, .. }, Some((segment, _))) => {
            if let Some(event) = report.need("ahead-event", read_event(files, dir, segment, segment_txn)) {
                content(files, dir, record, segment, &event, report);
            }
        }
        _ => {}
    }
}

/// What an event without rows needs is less than what reading rows needs.
fn content(
    files: &dyn Files,
    dir: &str,
    record: &TxnRecord,
    segment: SegmentId,
    event: &Event,
    report: &mut Report,
) {
    match event {
        Event::Data(data) if data.row_lo == data.row_hi => {
            let Some(meta) = report.need("ahead-segment", SequencerMeta::of_segment(files, dir, segment))
            else {
                return;
            };
            let folder = segment.dir(dir);
            for column in meta.columns.iter().filter(|column| !column.dropped) {
                let file = format!("{folder}/{}.d", column.name);
                if !exists(files, &file) {
                    report.error("ahead-segment", &file, 0, "no such file");
                }
            }
            if data.symbols.iter().any(|diff| !diff.entries.is_empty()) {
                report.error("ahead-symbols", &folder, 0, "symbols without rows");
            }
        }
        _ => {
            report.need("ahead-rows", read_transaction(files, dir, record));
        }
    }
}

/// The sequencer's columns are the table's, if no structural change is still to be applied.
fn columns(dir: &str, applied: bool, sequencer: &SequencerMeta, meta: &TableMeta, report: &mut Report) {
    let file = format!("{dir}/txn_seq/_meta");
    if sequencer.table_id != meta.table_id {
        let message = format_args!("table id {}, _meta has {}", sequencer.table_id, meta.table_id);
        report.error("seq-id", &file, 24, message);
    }
    if !applied {
        return;
    }
    if sequencer.timestamp != meta.timestamp || sequencer.columns.len() != meta.columns.len() {
        let message = format_args!(
            "{} columns, timestamp {:?}; _meta has {} and {:?}",
            sequencer.columns.len(),
            sequencer.timestamp,
            meta.columns.len(),
            meta.timestamp
        );
        report.error("seq-columns", &file, 16, message);
        return;
    }
    for (index, (a, b)) in sequencer.columns.iter().zip(&meta.columns).enumerate() {
        let same = a.dropped == b.dropped && a.ty == b.ty && (a.dropped || a.name == b.name);
        if !same {
            let message = format_args!("column {index} is {a:?}, _meta has {:?} {:?}", b.name, b.ty);
            report.error("seq-columns", &file, 29, message);
        }
    }
}
