//! What a shipper that was fenced had, and the history does not contain: reported, never silently dropped.

use super::Shared;
use super::files::BesideFiles;
use super::tables::Tracked;
use crate::ledger::{ClusterId, Dir, Divergent, DivergentTable, Document, Key, Place};
use crate::native::bucket::{Bucket, PutAnswer};
use crate::native::cluster::{get_document, join, log_end, now_us};
use crate::native::outcome::Failure;
use crate::wal::{Event, Files, SequencerLog, TxnKind, read_event};
use std::collections::BTreeMap;

/// Reports of one term, at most.
const REPORTS_MAX: u64 = 1000;
/// Transactions of a table whose rows are counted.
const COUNTED: u64 = 100_000;

/// What the history does not contain; `reached` is what it does contain of each table.
pub(super) fn report(
    shared: &Shared,
    cluster: ClusterId,
    place: Place,
    reached: &BTreeMap<String, u64>,
) -> Divergent {
    let tables = shared.tables.lock();
    let lost = tables.values().filter_map(|table| lost(shared, table, reached)).collect();
    let database = shared.options.db.display().to_string();
    Divergent::new(cluster, place, &shared.options.name, &database, now_us(), lost)
}

fn lost(shared: &Shared, table: &Tracked, reached: &BTreeMap<String, u64>) -> Option<DivergentTable> {
    let dir = &table.token.dir;
    let first = reached.get(dir).copied().unwrap_or(table.acknowledged).max(table.acknowledged) + 1;
    if table.max_txn < first || table.is_view() {
        return None;
    }
    let files = BesideFiles::open(&shared.options.db, &shared.options.own).ok();
    let counted = files.and_then(|files| count(&files, dir, first, table.max_txn));
    let (rows, committed_us) = (counted.and_then(|(rows, _)| rows), counted.map(|(_, times)| times));
    let (name, directory, last) = (table.token.name.clone(), dir.clone(), table.max_txn);
    Some(DivergentTable { directory, name, first, last, rows, committed_us })
}

/// Rows of these transactions, and the commit times of the first and the last one.
pub fn count(files: &dyn Files, dir: &str, first: u64, last: u64) -> Option<(Option<u64>, (i64, i64))> {
    let log = SequencerLog::open(files, dir).ok()?;
    let records = log.records(files, first..=last.min(first + COUNTED - 1)).ok()?;
    let times = (records.first()?.commit_ts, records.last()?.commit_ts);
    let mut rows = (last - first < COUNTED).then_some(0u64);
    for record in &records {
        let TxnKind::Wal { .. } = record.kind else { continue };
        let Some((segment, txn)) = record.segment() else { continue };
        rows = match (rows, read_event(files, dir, segment, txn)) {
            (Some(rows), Ok(Event::Data(event))) => Some(rows + event.row_hi.saturating_sub(event.row_lo)),
            (rows, Ok(_)) => rows,
            (_, Err(_)) => None,
        };
    }
    Some((rows, times))
}

/// Puts a report at the first free number of its term.
///
/// # Errors
/// What the store answers.
pub async fn put(bucket: &Bucket, dir: Dir, report: &Divergent) -> Result<Key, Failure> {
    let bytes = report.to_bytes().map_err(|error| Failure::failed(error.to_string()))?;
    for k in 0..REPORTS_MAX {
        let key = Key::Divergent { dir, k };
        match bucket.put_if_absent(&key.to_string(), bytes.clone()).await {
            PutAnswer::Stored => return Ok(key),
            PutAnswer::Taken => {
                if get_document::<Divergent>(bucket, key).await?.as_ref() == Some(report) {
                    return Ok(key);
                }
            }
            other => {
                let why = other.trouble().map_or_else(String::new, ToString::to_string);
                return Err(Failure::failed(why));
            }
        }
    }
    Err(Failure::failed(format!("there are {REPORTS_MAX} reports of this term already")))
}

/// All reports in a bucket, the oldest term first.
///
/// # Errors
/// When there is no cluster, and what the store answers.
pub async fn divergent(bucket: &Bucket) -> Result<Vec<(Key, Divergent)>, Failure> {
    let cluster = join(bucket, None).await?;
    let mut reports = Vec::new();
    for span in log_end(bucket, &cluster).await?.terms {
        for k in 0..REPORTS_MAX {
            let key = Key::Divergent { dir: span.directory, k };
            let Some(report) = get_document(bucket, key).await? else { break };
            reports.push((key, report));
        }
    }
    Ok(reports)
}
