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

/// What is remembered of a table.
#[derive(Default)]
struct Remembered {
    /// Where it was when it was last looked at, if it was quiet.
    seen: Option<u64>,
    /// Where it was when its digest was told.
    told: Option<u64>,
    known: Known,
    /// Partitions that changed and were not told of, by name.
    untold: BTreeMap<String, StoredPartition>,
}

/// Reads digests for as long as the shipper runs.
pub(super) async fn run(shared: Arc<Shared>) {
    let mut remembered: BTreeMap<String, Remembered> = BTreeMap::new();
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        for (token, seq_txn) in turns(&shared, &mut remembered) {
            let Some(table) = remembered.get_mut(&token.dir) else { continue };
            if shared.stop.load(Ordering::Relaxed) {
                break;
            }
            let (of, beside) = (token.clone(), shared.clone());
            let mut partitions = std::mem::take(&mut table.known);
            let reading = tokio::task::spawn_blocking(move || {
                let mut changed = Vec::new();
                let digest = read(&beside, &of, seq_txn, &mut partitions, &mut changed);
                (digest, partitions, changed)
            });
            let Ok((digest, partitions, changed)) = reading.await else { return };
            table.known = partitions;
            table.untold.extend(changed.into_iter().map(|stored| (stored.name.clone(), stored)));
            // A table that moved meanwhile has its turn when it is quiet again.
            let still =
                shared.tables.lock().get(&token.dir).is_some_and(|table| table.shipped == Some(seq_txn));
            if let (Ok(Some(digest)), true) = (digest, still) {
                table.told = Some(seq_txn);
                shared.digest(&token, seq_txn, digest);
                let partitions: Vec<_> = std::mem::take(&mut table.untold).into_values().collect();
                if !partitions.is_empty() {
                    shared.journal(Note::Partitions { table: token.dir, seq_txn, partitions });
                }
            }
        }
    }
}

/// Tables of which all that there is has been sent, that were there already at the last look, and whose digest was not told. One
/// that is busy for long is forgotten.
fn turns(shared: &Shared, remembered: &mut BTreeMap<String, Remembered>) -> Vec<(Token, u64)> {
    let tables = shared.tables.lock();
    let mut turns = Vec::new();
    for (dir, table) in tables.iter() {
        let following = matches!(table.state, State::Following) && !table.dropped && !table.is_view();
        let quiet = table.shipped.filter(|shipped| following && *shipped == table.max_txn);
        match (remembered.get_mut(dir), quiet) {
            (Some(of), Some(seq_txn)) => {
                if of.seen == quiet && of.told != quiet {
                    turns.push((table.token.clone(), seq_txn));
                }
                of.seen = quiet;
            }
            (Some(of), None) => {
                if of.seen.take().is_none() {
                    remembered.remove(dir);
                }
            }
            (None, Some(_)) => {
                remembered.insert(dir.clone(), Remembered { seen: quiet, ..Remembered::default() });
            }
            (None, None) => {}
        }
    }
    if remembered.len() > tables.len() {
        remembered.retain(|dir, _| tables.contains_key(dir));
    }
    turns
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
