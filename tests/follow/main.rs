//! A replica's directory follows a bucket: to equal rows, whatever it is interrupted by.

#![cfg(feature = "native")]
#![allow(clippy::disallowed_methods, clippy::disallowed_types, clippy::unwrap_used)]
#![allow(unreachable_pub, reason = "modules that other test programs share")]

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/bucket.rs"]
mod test_bucket;

use crate::common::{Recording, csv, recordings};
use crate::test_bucket::{TestBucket, applied, created, entry, of, run};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use understudy::ledger::*;
use understudy::native::outcome::Exit;
use understudy::native::replica::{Replica, ReplicaOptions, Report};
use understudy::native::store::{CommitMode, Database, Disk, FileTable, RealDisk};
use understudy::replay::{History, Player};
use understudy::table::{Digest, Standing, Table};
use understudy::wal::{Registry, TableKind, TableToken};

/// A table of a recording that can be replayed, as it is in memory at the end.
struct Subject {
    token: TableToken,
    count: u64,
    table: Table,
}

fn subjects(recording: &Recording) -> Vec<Subject> {
    let tokens = Registry::read(&recording.files).unwrap().tables;
    let wanted = |token: &TableToken| matches!(token.kind, TableKind::Wal | TableKind::MatView);
    let tokens = tokens.into_iter().filter(|token| wanted(token) && !token.is_system());
    let subject = |token: TableToken| {
        let history = History::read(&recording.files, &token).ok().filter(History::is_replayable)?;
        let count = history.txn_count();
        let mut player = Player::new(history).ok()?;
        player.seek(&recording.files, u64::MAX).ok()?;
        Some(Subject { token, count, table: player.table().clone() })
    };
    tokens.filter_map(subject).collect()
}

fn at(recording: &Recording, token: &TableToken, seq_txn: u64) -> Table {
    let mut player = Player::new(History::read(&recording.files, token).unwrap()).unwrap();
    player.seek(&recording.files, seq_txn).unwrap();
    player.table().clone()
}

fn named(name: &str) -> Recording {
    recordings().into_iter().find(|(_, recording)| recording.about["name"] == name).unwrap().1
}

/// The tables of a recording as packs: all are made, then each has some transactions in turn.
fn entries(recording: &Recording, subjects: &[Subject], size: u64) -> Vec<Vec<TableEntry>> {
    let mut packs = vec![Vec::new()];
    for Subject { token, .. } in subjects {
        packs[0].push(created(&recording.files, token));
    }
    let longest = subjects.iter().map(|subject| subject.count).max().unwrap_or(0);
    for first in (1..=longest).step_by(size as usize) {
        let mut pack = Vec::new();
        for Subject { token, count, table } in subjects.iter().filter(|subject| subject.count >= first) {
            let last = (*count).min(first + size - 1);
            pack.push(run(&recording.files, token, first, last));
            if last == *count && matches!(table.standing, Standing::Dropped { .. }) {
                pack.push(entry(token, What::Dropped));
            }
        }
        packs.push(pack);
    }
    packs
}

fn options(dir: &Path) -> ReplicaOptions {
    ReplicaOptions {
        dir: dir.to_owned(),
        verb: "replica",
        name: "replica-1".to_owned(),
        threads: 2,
        memory: 64 << 20,
        commit_mode: CommitMode::NoSync,
        poll: Duration::from_millis(2),
        digest: true,
        trusted: Vec::new(),
    }
}

fn start(bucket: &TestBucket, dir: &Path) -> Replica {
    Replica::start(bucket.open(), options(dir)).unwrap_or_else(|failure| panic!("{}", failure.message))
}

/// Goes on until all of the log is applied.
fn level(replica: &mut Replica) -> Report {
    let begun = Instant::now();
    loop {
        replica.step(Duration::from_millis(100)).unwrap_or_else(|failure| panic!("{}", failure.message));
        if replica.is_level() {
            return replica.report();
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", replica.report());
    }
}

/// A run to the end of the log, and out of the directory again.
fn follow(bucket: &TestBucket, dir: &Path) -> Report {
    let mut replica = start(bucket, dir);
    let report = level(&mut replica);
    replica.finish("the test is over").unwrap_or_else(|failure| panic!("{}", failure.message));
    report
}

fn disk(dir: &Path) -> Arc<dyn Disk> {
    Arc::new(RealDisk::open(dir.join("db")).unwrap())
}

/// A table of the directory.
fn load(dir: &Path, token: &TableToken) -> Table {
    let disk = disk(dir);
    let database = Database::open(disk.clone()).unwrap();
    let token = database.find(&token.dir).unwrap_or_else(|| panic!("{} is not there", token.dir)).clone();
    FileTable::open(disk, &token, CommitMode::NoSync).and_then(|table| table.load()).unwrap()
}

fn compare(name: &str, dir: &Path, subject: &Subject) {
    let Subject { token, table: expected, .. } = subject;
    let database = Database::open(disk(dir)).unwrap();
    if let Standing::Dropped { .. } = expected.standing {
        assert!(database.find(&token.dir).is_none(), "{name}: {} was dropped", token.dir);
        assert!(!dir.join("db").join(&token.dir).exists(), "{name}: {} was dropped", token.dir);
        return;
    }
    let table = load(dir, token);
    let (ours, theirs) = (
        (table.seq_txn, &*table.name, &table.standing),
        (expected.seq_txn, &*expected.name, &expected.standing),
    );
    assert_eq!(ours, theirs, "{name}: {}", token.dir);
    assert!(csv(&table) == csv(expected), "{name}: {} has other rows", token.dir);
    assert_eq!(table.digest(), expected.digest(), "{name}: {}", token.dir);
}

#[test]
fn every_recording_comes_to_the_directory() {
    let mut tables = 0;
    for (name, recording) in recordings() {
        let subjects = subjects(&recording);
        let mut bucket = TestBucket::new(1);
        for pack in entries(&recording, &subjects, 5) {
            bucket.put(pack);
        }
        let dir = tempfile::tempdir().unwrap();
        let report = follow(&bucket, dir.path());
        assert_eq!((report.level, report.lag_txns), (true, 0), "{name}: {report:?}");
        for subject in &subjects {
            compare(&name, dir.path(), subject);
            tables += 1;
        }
    }
    assert!(tables > 40, "{tables} tables");
}

#[test]
fn killed_at_every_pack_it_goes_on() {
    for name in ["evolution", "matview", "rename_drop", "dedup_keys", "truncate"] {
        let recording = named(name);
        let subjects = subjects(&recording);
        let mut bucket = TestBucket::new(1);
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().join("understudy/place.json");
        let mut old = None;
        for (number, pack) in entries(&recording, &subjects, 3).into_iter().enumerate() {
            bucket.put(pack);
            if number % 10 == 9 {
                bucket.seal();
            }
            let mut replica = start(&bucket, dir.path());
            level(&mut replica);
            match number % 3 {
                // Killed after the place was written down, before it was, and long before.
                0 => replica.finish("").unwrap_or_else(|failure| panic!("{}", failure.message)),
                1 => drop(replica),
                _ => {
                    drop(replica);
                    let now = std::fs::read(&place).unwrap();
                    if let Some(old) = old.replace(now) {
                        std::fs::write(&place, old).unwrap();
                    }
                }
            }
        }
        let report = follow(&bucket, dir.path());
        assert_eq!(report.result, Exit::Ok, "{name}: {report:?}");
        subjects.iter().for_each(|subject| compare(name, dir.path(), subject));
    }
}

#[test]
fn a_new_directory_begins_with_the_newest_snapshot() {
    let recording = named("evolution");
    let subjects = subjects(&recording);
    let mut bucket = TestBucket::new(1);
    bucket.put(entries(&recording, &subjects, 1)[0].clone());
    let mut parts = Vec::new();
    let mut rest = Vec::new();
    for Subject { token, count, .. } in &subjects {
        let half = count / 2;
        if half > 0 {
            bucket.put(vec![run(&recording.files, token, 1, half)]);
        }
        let copy = applied(&recording.files, token, half.max(1).min(*count));
        let files = understudy::native::disk::DiskFiles::open(copy.path()).unwrap();
        let (sum, bytes, seq_txn) = bucket.copy(&files, token);
        parts.push(Part { name: token.dir.clone(), sum, bytes });
        // What the copy has already comes once more.
        rest.push(run(&recording.files, token, half + 1, *count));
        assert!(seq_txn >= half);
    }
    let snapshot = bucket.snapshot(parts);
    bucket.hint(snapshot);
    bucket.clean(0, snapshot);
    bucket.put(rest);
    let dir = tempfile::tempdir().unwrap();
    let report = follow(&bucket, dir.path());
    assert_eq!(report.result, Exit::Ok, "{report:?}");
    subjects.iter().for_each(|subject| compare("evolution", dir.path(), subject));
    // Without the hint the boundary says so.
    std::fs::remove_file(bucket.path().join("head.json")).unwrap();
    let other = tempfile::tempdir().unwrap();
    follow(&bucket, other.path());
    subjects.iter().for_each(|subject| compare("evolution", other.path(), subject));
}
