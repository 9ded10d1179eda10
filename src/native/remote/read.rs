//! Whole partitions for those who read a directory, whatever is here of them.

use crate::apply::{file_rows, merged};
use crate::ledger::{Key, Sum};
use crate::native::bucket::{self, Bucket};
use crate::native::cluster::get_blob;
use crate::native::config::Config;
use crate::native::outcome::{Failure, Result};
use crate::native::source::Source;
use crate::native::store::{Away, Blob, away_of, stamp};
use crate::table::files::read::AppliedTable;
use crate::table::{Partition, Table};
use crate::wal::{self, Error, Files, TableToken};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::runtime::{Builder, Runtime};

/// Where the files of partitions are that are not here. It is opened when the first one is asked for.
#[derive(Debug)]
pub struct Store {
    place: Place,
}

#[derive(Debug)]
enum Place {
    /// A QuestDB root: its configuration names the bucket.
    Root(PathBuf),
    Open(Bucket, Arc<Runtime>),
}

impl Store {
    /// The one that the configuration beside a `db` directory names, or `QDB_REPLICATION_OBJECT_STORE`.
    pub fn beside(db: &Path) -> Self {
        // A path that is just `db` has the directory that it is seen from for its parent.
        let parent = db.parent().filter(|parent| !parent.as_os_str().is_empty());
        Self { place: Place::Root(parent.map_or_else(|| PathBuf::from("."), Path::to_owned)) }
    }

    /// Gets a partition's file, its hash checked.
    ///
    /// # Errors
    /// That no bucket is known, what the bucket answers, and a file that is another one.
    pub fn get(&mut self, sum: Sum) -> Result<Bytes> {
        if let Place::Root(root) = &self.place {
            self.place = open(root)?;
        }
        match &self.place {
            Place::Open(bucket, runtime) => runtime.block_on(get_blob(bucket, sum)),
            Place::Root(root) => Err(nowhere(root)),
        }
    }
}

fn open(root: &Path) -> Result<Place> {
    let config = Config::load(root).map_err(Failure::from)?;
    let connection = config.object_store.as_ref().ok_or_else(|| nowhere(root))?;
    let bucket = bucket::open(connection, config.requests.clone())
        .map_err(|error| Failure::failed(error.to_string()))?;
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(|error| Failure::failed(format!("no threads: {error}")))?;
    Ok(Place::Open(bucket, Arc::new(runtime)))
}

fn nowhere(root: &Path) -> Failure {
    Failure::failed(format!(
        "no bucket is known: {} has no replication.object.store",
        root.join("conf/server.conf").display()
    ))
    .advise("set it there, or QDB_REPLICATION_OBJECT_STORE in the environment")
}

/// What is not here of a table, for a reader of its directory.
#[derive(Debug)]
pub struct AwayReader {
    away: BTreeMap<i64, Away>,
}

impl AwayReader {
    /// Of a table as it was applied.
    ///
    /// # Errors
    /// What the files answer. A directory that Understudy has not written to has nothing away.
    pub fn of(files: &dyn Files, table: &AppliedTable) -> wal::Result<Self> {
        Ok(Self { away: away_of(files, &table.token.dir, table.applied.txn)? })
    }

    /// Partitions, by first timestamp, of which the bucket has rows that are not here.
    pub fn remote(&self) -> impl Iterator<Item = i64> {
        self.away.iter().filter(|(_, away)| away.under.is_some()).map(|(floor, _)| *floor)
    }

    /// Partitions, by first timestamp, with the rows that were dropped here and that the bucket does not have.
    pub fn lost(&self) -> impl Iterator<Item = (i64, u64)> {
        self.away.iter().filter(|(_, away)| away.lost > 0).map(|(floor, away)| (*floor, away.lost))
    }

    /// Partitions of which the bucket has rows that a statement of the log has not reached, with the last such transaction.
    pub fn missed(&self) -> impl Iterator<Item = (i64, u64)> {
        let under = self.away.iter().filter(|(_, away)| away.under.is_some());
        under.filter_map(|(floor, away)| Some((*floor, away.missed?)))
    }

    /// Rows that the bucket has and that are not here.
    pub fn rows(&self) -> u64 {
        self.away.values().filter_map(|away| away.under).map(|blob| blob.rows).sum()
    }

    /// Whether reading this partition takes the bucket.
    pub fn concerns(&self, floor: i64) -> bool {
        self.away.get(&floor).is_some_and(|away| away.under.is_some())
    }

    /// The whole partition: what the bucket has, what is here merged into it. `here` reads the table's own files; `table` has
    /// schema and dictionaries, which new symbols are entered into in memory.
    ///
    /// # Errors
    /// What the files answer; [`Error::Io`] if the bucket's file can't be had.
    pub fn read(
        &self,
        applied: &AppliedTable,
        table: &mut Table,
        floor: i64,
        parts: Option<Range<usize>>,
        store: &mut Store,
        here: impl FnOnce() -> wal::Result<Partition>,
    ) -> wal::Result<Partition> {
        let Some((away, under)) = self.away.get(&floor).and_then(|away| Some((away, away.under?))) else {
            return here();
        };
        let covering = parts.map(|parts| stamp(applied, parts)).and_then(|stamp| away.covering(stamp));
        let blob = covering.unwrap_or(under);
        let rows = read_blob(&blob, table, floor, store)?;
        match covering {
            Some(_) => Ok(rows),
            None => Ok(merged(table, rows, &here()?)),
        }
    }
}

/// The rows of a file in the bucket.
fn read_blob(blob: &Blob, table: &mut Table, floor: i64, store: &mut Store) -> wal::Result<Partition> {
    let path = Key::Blob(blob.sum).to_string();
    let bytes = store.get(blob.sum).map_err(|failure| {
        let name = table.calendar().name(floor);
        let advice = failure.advice.as_deref().map(|advice| format!(" ({advice})")).unwrap_or_default();
        let message =
            format!("partition {name} of {} is in the bucket alone: {}{advice}", table.name, failure.message);
        Error::Io { file: path.as_str().into(), message: message.into() }
    })?;
    file_rows(&path, bytes, blob.rows, table, floor)
}

/// The table as a directory holds it, with the rows that the bucket has in its place; `None` where there are none, or where the
/// table is as of another transaction than the directory.
///
/// # Errors
/// What the directory and the bucket answer.
pub fn complete(source: &Source, token: &TableToken, table: &Table) -> Result<Option<Table>> {
    let Some(db) = source.directory() else { return Ok(None) };
    let applied = match AppliedTable::read(source, token) {
        Ok(applied) if applied.applied.seq_txn == table.seq_txn => applied,
        // There is no table, or another one: the rows come of its log.
        _ => return Ok(None),
    };
    let away = AwayReader::of(source, &applied)?;
    let parts: BTreeMap<i64, Range<usize>> = applied.partitions().into_iter().collect();
    let mut whole: Option<Table> = None;
    let mut store = Store::beside(db);
    for floor in away.remote() {
        let here = table.partitions.get(&floor).cloned().unwrap_or_default();
        let own = || Ok(Partition { floor, ..Arc::unwrap_or_clone(here) });
        let into = whole.get_or_insert_with(|| table.clone());
        let partition = away.read(&applied, into, floor, parts.get(&floor).cloned(), &mut store, own)?;
        into.partitions.insert(floor, Arc::new(partition));
    }
    Ok(whole)
}
