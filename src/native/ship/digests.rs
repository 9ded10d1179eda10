//! Digests of quiet tables, read from the server's own files: what replicas compare theirs with.

use super::Shared;
use super::copy::PartState;
use super::files::BesideFiles;
use super::tables::State;
use crate::columnar::parquet::ParquetForm;
use crate::ledger::Token;
use crate::table::files::read::AppliedTable;
use crate::table::{Digest, Table};
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
                let digest = read(&beside, &of, seq_txn, &mut partitions);
                (digest, partitions)
            });
            let Ok((digest, partitions)) = reading.await else { return };
            known.insert(dir.clone(), partitions);
            // A table that moved meanwhile has its turn when it is quiet again.
            let still = shared.tables.lock().get(dir).is_some_and(|table| table.shipped == Some(seq_txn));
            if let (Ok(Some(digest)), true) = (digest, still) {
                told.insert(dir.clone(), seq_txn);
                shared.digest(token, seq_txn, digest);
            }
        }
        seen = quiet.into_iter().map(|(dir, (_, seq_txn))| (dir, seq_txn)).collect();
        told.retain(|dir, _| seen.contains_key(dir));
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

/// The digest of a table as of a transaction; `None` if the server is not there, or is further.
fn read(shared: &Shared, token: &Token, seq_txn: u64, known: &mut Known) -> Result<Option<Digest>> {
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
                digest
            }
        };
        known.insert(floor, (state, digest));
        digests.push((floor, digest));
    }
    known.retain(|floor, _| digests.iter().any(|(there, _)| there == floor));
    let same = Applied::read(&files, &token.dir)?.txn == applied.applied.txn;
    Ok(same.then(|| Table::digest_of(digests)))
}
