//! Digests of quiet tables, read from the server's own files: what replicas compare theirs with.

use super::Shared;
use super::copy::PartState;
use super::files::BesideFiles;
use super::tables::State;
use crate::columnar::parquet::ParquetForm;
use crate::ledger::{Note, PartitionForm, StoredPartition, Token};
use crate::table::files::read::AppliedTable;
use crate::table::{Calendar, Digest, Table};
use crate::wal::{Applied, Error, Result};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// How often it is looked which tables are quiet. One that has not moved from one look to the next is.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Digests of a table's partitions, by floor.
type Known = BTreeMap<i64, (PartState, Digest)>;

/// Reads digests for as long as the shipper runs.
pub(super) async fn run(shared: Arc<Shared>) {
    let mut seen: BTreeMap<String, u64> = BTreeMap::new();
    let mut told: BTreeMap<String, u64> = BTreeMap::new();
    let mut known: BTreeMap<String, Known> = BTreeMap::new();
    let mut untold: BTreeMap<String, BTreeMap<String, StoredPartition>> = BTreeMap::new();
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let quiet = quiet(&shared);
        known.retain(|dir, _| quiet.contains_key(dir) || seen.contains_key(dir));
        for (dir, (token, seq_txn)) in &quiet {
            let is_quiet = seen.get(dir) == Some(seq_txn) && told.get(dir) != Some(seq_txn);
            if !is_quiet || shared.stop.load(Ordering::Relaxed) {
                continue;
            }
            let (of, beside, seq_txn) = (token.clone(), shared.clone(), *seq_txn);
            let mut partitions = known.remove(dir).unwrap_or_default();
            let reading = tokio::task::spawn_blocking(move || {
                let mut changed = Vec::new();
                let digest = read(&beside, &of, seq_txn, &mut partitions, &mut changed);
                (digest, partitions, changed)
            });
            let Ok((digest, partitions, changed)) = reading.await else { return };
            known.insert(dir.clone(), partitions);
            let waiting = untold.entry(dir.clone()).or_default();
            waiting.extend(changed.into_iter().map(|stored| (stored.name.clone(), stored)));
            // A table that moved meanwhile has its turn when it is quiet again.
            let still = shared.tables.lock().get(dir).is_some_and(|table| table.shipped == Some(seq_txn));
            if let (Ok(Some(digest)), true) = (digest, still) {
                told.insert(dir.clone(), seq_txn);
                shared.digest(token, seq_txn, digest);
                let partitions: Vec<_> = std::mem::take(waiting).into_values().collect();
                if !partitions.is_empty() {
                    shared.journal(Note::Partitions { table: dir.clone(), seq_txn, partitions });
                }
            }
        }
        seen = quiet.into_iter().map(|(dir, (_, seq_txn))| (dir, seq_txn)).collect();
        told.retain(|dir, _| seen.contains_key(dir));
        untold.retain(|dir, waiting| known.contains_key(dir) && !waiting.is_empty());
    }
}

/// Tables of which all that there is has been sent.
fn quiet(shared: &Shared) -> BTreeMap<String, (Token, u64)> {
    let tables = shared.tables.lock();
    let quiet = tables.values().filter_map(|table| {
        let following = matches!(table.state, State::Following) && !table.dropped && !table.is_view();
        let shipped = table.shipped.filter(|shipped| following && *shipped == table.max_txn)?;
        Some((table.token.dir.clone(), (table.token.clone(), shipped)))
    });
    quiet.collect()
}

/// The digest of a table as of a transaction; `None` if the server is not there, or is further. `changed`: partitions whose
/// digests were not known, and those that are gone.
fn read(
    shared: &Shared,
    token: &Token,
    seq_txn: u64,
    known: &mut Known,
    changed: &mut Vec<StoredPartition>,
) -> Result<Option<Digest>> {
    let failed = |failure: crate::native::outcome::Failure| Error::Io {
        file: token.dir.as_str().into(),
        message: failure.message.into(),
    };
    let files = BesideFiles::open(&shared.options.db, &shared.options.own).map_err(failed)?;
    let applied = AppliedTable::read(&files, &token.as_registered(false))?.with_form(&ParquetForm);
    if applied.applied.seq_txn != seq_txn {
        return Ok(None);
    }
    let mut table: Option<Table> = None;
    let mut digests = Vec::new();
    let calendar = Calendar::new(applied.schema.partition_by, applied.schema.nanos());
    let (begun, from) = (Instant::now(), files.read_bytes());
    for (floor, parts) in applied.partitions() {
        let state =
            PartState::of(&applied, applied.applied.partitions.get(parts.clone()).unwrap_or_default());
        if state.rows() == 0 {
            continue;
        }
        let digest = match known.get(&floor).filter(|(before, _)| *before == state) {
            Some((_, digest)) => *digest,
            None => {
                let table = match &mut table {
                    Some(table) => table,
                    None => table.insert(applied.without_rows(applied.symbols(&files)?)),
                };
                let digest = table.partition_digest(&applied.read_parts(&files, floor, parts)?);
                let rest = Duration::from_millis(
                    (files.read_bytes() - from) * 1000 / shared.options.digest_rate.max(1),
                );
                std::thread::sleep(rest.saturating_sub(begun.elapsed()));
                changed.push(stored(calendar.name(floor), &state, digest));
                digest
            }
        };
        known.insert(floor, (state, digest));
        digests.push((floor, digest));
    }
    let gone = known.extract_if(.., |floor, _| digests.iter().all(|(there, _)| there != floor));
    changed.extend(gone.map(|(floor, _)| StoredPartition::dropped(calendar.name(floor))));
    let same = Applied::read(&files, &token.dir)?.txn == applied.applied.txn;
    Ok(same.then(|| Table::digest_of(digests)))
}

/// How much room the server's files take is not looked at.
fn stored(name: String, state: &PartState, digest: Digest) -> StoredPartition {
    let form = if state.is_parquet() { PartitionForm::Parquet } else { PartitionForm::Native };
    StoredPartition { name, rows: state.rows(), bytes: 0, form, digest: Some(digest.to_string()) }
}
