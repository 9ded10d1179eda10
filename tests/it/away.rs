//! Partitions that a policy drops here: at a crash anywhere they are here whole, or where they are is known.

use crate::common::recordings;
use crate::sim_disk::{Fate, SimDisk, State};
use std::sync::{Arc, Mutex};
use understudy::apply::backlog::BatchLimits;
use understudy::columnar::parquet::Options as ParquetOptions;
use understudy::ledger::Sum;
use understudy::native::store::{
    Blob, CommitMode, Disk, DiskReader, Dropped, FileTable, Step, Worker, stamp,
};
use understudy::replay::{History, tables};
use understudy::table::files::read::AppliedTable;
use understudy::wal::{TableKind, TableToken};

const WHOLE: BatchLimits = BatchLimits { rows: 1 << 30, bytes: 1 << 30, commits: 1 << 20, column: 1 << 30 };
const BLOB: Blob = Blob { sum: Sum([7; 32]), bytes: 100, rows: 3, columns: 0 };

/// A table of several partitions, applied to its end with all of it synced.
fn applied(disk: Arc<dyn Disk>) -> (TableToken, FileTable) {
    for (_, recording) in recordings() {
        for token in tables(&recording.files).unwrap().iter().filter(|token| token.kind == TableKind::Wal) {
            let history = History::read(&recording.files, token).ok().filter(History::is_replayable);
            let Some(history) = history else { continue };
            let mut worker = Worker::new(disk.clone(), history.token.clone(), CommitMode::Sync, false);
            while let Step::Applied(_) = worker.step(&recording.files, WHOLE) {}
            let fits = |table: &&FileTable| {
                table.table().schema.stays_native().is_none()
                    && table.table().partitions.len() >= 3
                    && !table.is_stopped()
            };
            if worker.table().filter(fits).is_some() {
                let token = history.token;
                let table = FileTable::open(disk, &token, CommitMode::Sync).unwrap();
                return (token, table);
            }
        }
    }
    panic!("no recording has such a table");
}

fn stamp_of(disk: &dyn Disk, token: &TableToken, floor: i64) -> u64 {
    let table = AppliedTable::read(&DiskReader(disk), token).unwrap();
    let (_, parts) = table.partitions().into_iter().find(|(at, _)| *at == floor).unwrap();
    stamp(&table, parts)
}

/// All that kills and losses of power may leave while `work` is done.
fn crashes(disk: &SimDisk, work: impl FnOnce()) -> Vec<State> {
    let left: Arc<Mutex<Vec<State>>> = Arc::default();
    let seen = left.clone();
    disk.watch(Box::new(move |state, change| {
        let mut odd = false;
        let mut every_other = || {
            odd = !odd;
            odd
        };
        let lost = [
            state.without_power(|| false),
            state.without_power(|| true),
            state.without_power(&mut every_other),
        ];
        seen.lock().unwrap().extend([state.clone(), state.torn(change)].into_iter().chain(lost));
        Fate::Done
    }));
    work();
    disk.watch(Box::new(|_, _| Fate::Done));
    let states = std::mem::take(&mut *left.lock().unwrap());
    assert!(states.len() > 10, "only {} states", states.len());
    states
}

fn reopened(state: State, token: &TableToken) -> FileTable {
    let mut table = FileTable::open(Arc::new(SimDisk::new(state)), token, CommitMode::Sync).unwrap();
    table.recover().unwrap();
    table.load().unwrap();
    table
}

#[test]
fn a_crash_leaves_a_dropped_partition_here_or_known() {
    let disk = SimDisk::new(State::default());
    let (token, mut table) = applied(Arc::new(disk.clone()));
    table.recover().unwrap();
    let floor = *table.table().partitions.keys().next().unwrap();
    let rows = table.table().partitions[&floor].rows as u64;
    let covers = stamp_of(&disk, &token, floor);
    for state in crashes(&disk, || table.note_uploaded(floor, BLOB, covers).unwrap()) {
        let table = reopened(state, &token);
        let away = table.away().get(&floor);
        assert!(table.table().partitions.contains_key(&floor) && away.is_none_or(|away| !away.is_partial()));
        assert!(away.is_none_or(|away| away.covering(covers) == Some(BLOB)));
    }
    for state in crashes(&disk, || assert_eq!(table.drop_local(floor, covers).unwrap(), Dropped::Gone(rows)))
    {
        let table = reopened(state, &token);
        let (here, away) = (table.table().partitions.contains_key(&floor), &table.away()[&floor]);
        assert_eq!((away.is_partial(), away.under), (!here, (!here).then_some(BLOB)));
    }
    let away = &table.away()[&floor];
    assert_eq!((away.under, away.lost, away.whole), (Some(BLOB), 0, None));
    // What is in no file is told as lost.
    let next = *table.table().partitions.keys().next().unwrap();
    let rows = table.table().partitions[&next].rows as u64;
    assert_eq!(table.drop_local(next, covers).unwrap(), Dropped::Gone(rows));
    let table = FileTable::open(Arc::new(disk), &token, CommitMode::Sync).unwrap();
    assert_eq!((table.away()[&next].under, table.away()[&next].lost), (None, rows));
}

#[test]
fn a_drop_that_failed_does_not_count_for_the_commit_that_comes_in_its_place() {
    let disk = SimDisk::new(State::default());
    let (token, mut table) = applied(Arc::new(disk.clone()));
    table.recover().unwrap();
    let floors: Vec<i64> = table.table().partitions.keys().copied().collect();
    let covers = stamp_of(&disk, &token, floors[0]);
    table.note_uploaded(floors[0], BLOB, covers).unwrap();
    // All but the last operations, one of which makes the drop count.
    let mut failed = 0;
    for last in 1..40 {
        let mut operations = 0;
        disk.watch(Box::new(move |_, _| {
            operations += 1;
            if operations >= last { Fate::Failed } else { Fate::Done }
        }));
        let done = table.drop_local(floors[0], covers);
        disk.watch(Box::new(|_, _| Fate::Done));
        table = FileTable::open(Arc::new(disk.clone()), &token, CommitMode::Sync).unwrap();
        table.recover().unwrap();
        if !table.table().partitions.contains_key(&floors[0]) {
            break;
        }
        assert!(done.is_err());
        failed += 1;
        // Another commit, with the same count.
        match table.to_parquet(floors[1], &ParquetOptions::default()).unwrap() {
            Some(_) => {}
            None => assert!(table.to_native(floors[1]).unwrap()),
        }
        let table = FileTable::open(Arc::new(disk.clone()), &token, CommitMode::Sync).unwrap();
        assert!(table.table().partitions.contains_key(&floors[0]), "operation {last}");
        assert_eq!(table.away()[&floors[0]].covering(covers), Some(BLOB), "operation {last}");
        assert!(!table.away()[&floors[0]].is_partial(), "operation {last}");
    }
    assert!(failed > 5, "{failed} drops failed");
    assert!(table.away()[&floors[0]].is_partial());
}
