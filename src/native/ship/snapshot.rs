//! Snapshots: now and then all tables are copied as they are applied, so that a reader need not begin at number 0.
//!
//! Each table of a snapshot named after object `n` is at or after what the objects up to `n` hold, and holds nothing that is
//! not in the log when the manifest is put (rule S1): so `n` is what was acknowledged before the copies were begun, and the
//! manifest waits for what the copies hold.

use super::blocks::Packing;
use super::copy::{Copied, Kept};
use super::copying::{copy, copy_policies, is_applied};
use super::hints::Tell;
use super::tables::State;
use super::{Confirmed, Shared};
use crate::ledger::{Document, Key, Manifest, Note, Part, Point, Token};
use crate::native::bucket::{Bucket, PutAnswer};
use crate::native::outcome::Failure;
use crate::native::policies;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tokio::runtime::Handle;

/// How often it is looked whether one is due, or what it waits for has come.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Takes snapshots for as long as the shipper runs.
pub(super) async fn run(shared: Arc<Shared>, packing: Arc<Packing>, bucket: Bucket) {
    let (mut last, mut bytes) = (Instant::now(), 0);
    let mut now = shared.options.snapshot_now;
    let mut kept = BTreeMap::new();
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let written = shared.counts.stored.load(Ordering::Relaxed);
        let due = now
            || last.elapsed() >= shared.options.snapshot_interval
            || written - bytes >= shared.options.snapshot_bytes;
        if !due || !is_ready(&shared) {
            continue;
        }
        match take(&shared, &packing, &bucket, &mut kept).await {
            Ok(Some(n)) => {
                shared.note(format!("snapshot {n} is in the bucket"));
                shared.journal(Note::Snapshot { n });
                // Who hears of it may have ended.
                let _ = shared.hints.send(Tell::Snapshot(n));
                (last, bytes, now) = (Instant::now(), written, false);
                shared.snapshots.fetch_add(1, Ordering::Release);
            }
            Ok(None) => {}
            Err(failure) => {
                shared.warn(format!("no snapshot could be taken: {}", failure.message));
                if shared.options.once {
                    shared.snapshots.fetch_add(1, Ordering::Release);
                    return;
                }
                tokio::time::sleep(Duration::from_secs(30)).await;
            }
        }
    }
}

/// Not while a table is on its way to a copy, or can't go on: it would be missing.
fn is_ready(shared: &Shared) -> bool {
    let following =
        shared.tables.lock().values().all(|table| matches!(table.state, State::Following | State::Ended));
    following && shared.confirmed().is_some_and(|confirmed| confirmed.point.next.n > 0)
}

/// One snapshot; `None` if a table changed so that it has to be begun anew.
async fn take(
    shared: &Arc<Shared>,
    packing: &Arc<Packing>,
    bucket: &Bucket,
    kept: &mut BTreeMap<String, Kept>,
) -> Result<Option<u64>, Failure> {
    let Some(Confirmed { point, requests }) = shared.confirmed() else { return Ok(None) };
    let tables: Vec<(Token, u64)> = {
        let tables = shared.tables.lock();
        let sent = tables.values().filter_map(|table| Some((table.token.clone(), table.shipped?)));
        sent.collect()
    };
    kept.retain(|dir, _| tables.iter().any(|(token, _)| token.dir == *dir));
    let mut parts = Vec::new();
    for (token, at_least) in tables {
        let Some(copied) = copy_one(shared, packing, bucket, &token, at_least, kept).await? else {
            if shared.tables.lock().get(&token.dir).is_none_or(|table| table.dropped) {
                continue;
            }
            return Ok(None);
        };
        if !wait_for(shared, &token, copied.seq_txn).await {
            return Ok(None);
        }
        parts.push(Part { name: token.dir, sum: copied.manifest, bytes: copied.manifest_len });
    }
    parts.extend(copied_policies(shared, packing, bucket).await?);
    wait_for_all(shared).await;
    put(bucket, &point, requests, parts).await.map(Some)
}

async fn copy_one(
    shared: &Arc<Shared>,
    packing: &Arc<Packing>,
    bucket: &Bucket,
    token: &Token,
    at_least: u64,
    kept: &mut BTreeMap<String, Kept>,
) -> Result<Option<Copied>, Failure> {
    while !is_applied(shared, token, at_least) {
        let gone = shared.tables.lock().get(&token.dir).is_none_or(|table| table.dropped);
        if gone {
            return Ok(None);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    let mut partitions = kept.remove(&token.dir).unwrap_or_default();
    let (shared2, packing, bucket, handle, of) =
        (shared.clone(), packing.clone(), bucket.clone(), Handle::current(), token.clone());
    let copying = tokio::task::spawn_blocking(move || {
        let copied = copy(&shared2, &packing, &bucket, &handle, &of, &mut partitions);
        (copied, partitions)
    });
    let (copied, partitions) = copying.await.map_err(|error| Failure::failed(error.to_string()))?;
    kept.insert(token.dir.clone(), partitions);
    if shared.tables.lock().get(&token.dir).is_none_or(|table| table.dropped) {
        return Ok(None);
    }
    copied.map_err(|error| Failure::failed(format!("{}: {error}", token.name)))
}

/// The table of storage policies, which the server does not have; what is in it is in the bucket when this is over.
async fn copied_policies(
    shared: &Arc<Shared>,
    packing: &Arc<Packing>,
    bucket: &Bucket,
) -> Result<Option<Part>, Failure> {
    let (shared2, packing, bucket, handle) =
        (shared.clone(), packing.clone(), bucket.clone(), Handle::current());
    let copying = tokio::task::spawn_blocking(move || copy_policies(&shared2, &packing, &bucket, &handle));
    let copied = copying.await.map_err(|error| Failure::failed(error.to_string()))?;
    let Some(copied) = copied? else { return Ok(None) };
    while shared.requests().acknowledged < copied.seq_txn {
        tokio::time::sleep(LOOK_EVERY).await;
    }
    let (sum, bytes) = (copied.manifest, copied.manifest_len);
    Ok(Some(Part { name: policies::DIR.to_owned(), sum, bytes }))
}

/// Waits until a transaction of a table is acknowledged; `false` if it won't be.
async fn wait_for(shared: &Shared, token: &Token, seq_txn: u64) -> bool {
    loop {
        match shared.tables.lock().get(&token.dir) {
            Some(table) if table.acknowledged >= seq_txn => return true,
            Some(table) if matches!(table.state, State::Following) => {}
            _ => return false,
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Waits until all that was handed in by now is acknowledged: new tables, too.
async fn wait_for_all(shared: &Shared) {
    let end = shared.handed_in.load(Ordering::Acquire);
    while shared.confirmed().is_none_or(|confirmed| confirmed.point.next.n < end) {
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

async fn put(bucket: &Bucket, point: &Point, requests: u64, parts: Vec<Part>) -> Result<u64, Failure> {
    let failed = |error: crate::ledger::Error| Failure::failed(error.to_string());
    let manifest = Manifest { requests, ..point.manifest(parts, None).map_err(failed)? };
    let bytes = manifest.to_bytes().map_err(failed)?;
    match bucket.put_if_absent(&Key::Snapshot(manifest.n).to_string(), bytes).await {
        PutAnswer::Stored | PutAnswer::Taken => Ok(manifest.n),
        other => Err(Failure::failed(other.trouble().map_or_else(String::new, ToString::to_string))),
    }
}
