//! A replica's directory follows a bucket: to equal rows, whatever it is interrupted by.

#![cfg(feature = "native")]
#![allow(
    clippy::disallowed_macros,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::unwrap_used
)]
#![allow(unreachable_pub, reason = "modules that other test programs share")]

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/packed.rs"]
mod packed;
#[path = "../common/bucket.rs"]
mod test_bucket;

use crate::common::{Recording, csv, recordings};
use crate::test_bucket::{TestBucket, applied, created, entry, run};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use understudy::ledger::*;
use understudy::native::cluster::Pace;
use understudy::native::metrics::Metrics;
use understudy::native::outcome::Exit;
use understudy::native::replica::{Replica, ReplicaOptions, Report};
use understudy::native::store::{CommitMode, Database, Disk, FileTable, RealDisk};
use understudy::replay::{History, Player};
use understudy::table::{Calendar, Digest, Standing, Table};
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
        pace: Pace::steady(Duration::from_millis(2)),
        digest: true,
        policy: understudy::policy::Settings::default(),
        parquet: understudy::columnar::parquet::Options::default(),
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

/// What the journal tells of partitions is how they are.
fn compare_partitions(name: &str, bucket: &TestBucket, subjects: &[Subject]) {
    let mut told: BTreeMap<String, BTreeMap<String, StoredPartition>> = BTreeMap::new();
    for k in 0.. {
        let key = Key::Journal { node: 0, k };
        let Ok(bytes) = std::fs::read(bucket.path().join(key.to_string())) else { break };
        for entry in Journal::read(key, &bytes).unwrap().entries {
            let Note::Partitions { table, partitions, .. } = entry.what else { continue };
            let table = told.entry(table).or_default();
            for stored in partitions {
                match stored.form {
                    PartitionForm::Dropped => drop(table.remove(&stored.name)),
                    _ => drop(table.insert(stored.name.clone(), stored)),
                }
            }
        }
    }
    for Subject { token, table, .. } in subjects {
        if matches!(table.standing, Standing::Dropped { .. }) {
            continue;
        }
        let told = told.get(&token.dir).map(|told| {
            told.values()
                .filter(|stored| stored.rows > 0)
                .map(|stored| {
                    assert!(stored.bytes > 0 && stored.form == PartitionForm::Native, "{name}: {stored:?}");
                    (stored.name.clone(), stored.rows)
                })
                .collect::<BTreeMap<_, _>>()
        });
        let calendar = Calendar::new(table.schema.partition_by, table.schema.nanos());
        let there: BTreeMap<String, u64> = table
            .partitions
            .iter()
            .filter(|(_, partition)| partition.rows > 0)
            .map(|(floor, partition)| (calendar.name(*floor), partition.rows as u64))
            .collect();
        assert_eq!(told.unwrap_or_default(), there, "{name}: {}", token.dir);
    }
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
        compare_partitions(&name, &bucket, &subjects);
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

/// One table of a recording, halfway through its packs and at the end of them.
fn one(name: &str) -> (Recording, Subject) {
    let recording = named(name);
    let exact = |subject: &Subject| subject.table.standing == Standing::Exact && subject.count >= 4;
    let subject = subjects(&recording).into_iter().find(exact).unwrap();
    (recording, subject)
}

fn trouble<'a>(report: &'a Report, token: &TableToken) -> Option<&'a str> {
    report.tables.iter().find(|table| table.directory == token.dir)?.error.as_deref()
}

#[test]
fn a_copy_takes_the_place_of_what_there_was_and_heals_a_gap() {
    let (recording, subject) = one("evolution");
    let (files, token, half) = (&recording.files, &subject.token, subject.count / 2);
    let mut bucket = TestBucket::new(1);
    bucket.put(vec![created(files, token), run(files, token, 1, 1)]);
    // Transaction 2 is missing.
    bucket.put(vec![run(files, token, 3, half)]);
    let dir = tempfile::tempdir().unwrap();
    let report = follow(&bucket, dir.path());
    let told = trouble(&report, token).expect("there is a gap").to_owned();
    assert!(told.contains("transaction 3 follows 1") && told.contains("--rebase"), "{told}");
    assert_eq!(report.result, Exit::Damaged);
    // It stays so in another run, and the table is as it was.
    let report = follow(&bucket, dir.path());
    assert_eq!(trouble(&report, token), Some(&*told));
    assert_eq!(csv(&load(dir.path(), token)), csv(&at(&recording, token, 1)));
    let copy = applied(files, token, half);
    let copied = understudy::native::disk::DiskFiles::open(copy.path()).unwrap();
    let (manifest, manifest_len, seq_txn) = bucket.copy(&copied, token);
    let what = What::Base { seq_txn, manifest, manifest_len, why: "there was a gap".into() };
    // What comes before the copy in its pack counts no more, what comes behind it does.
    bucket.put(vec![
        run(files, token, 3, half),
        entry(token, what),
        run(files, token, seq_txn + 1, subject.count),
    ]);
    let report = follow(&bucket, dir.path());
    assert_eq!(report.result, Exit::Ok, "{report:?}");
    compare("evolution", dir.path(), &subject);
    // Another run, from before the copy, doesn't take it again.
    let made = std::fs::metadata(dir.path().join("db").join(&token.dir).join("_name")).unwrap();
    follow(&bucket, dir.path());
    let now = std::fs::metadata(dir.path().join("db").join(&token.dir).join("_name")).unwrap();
    assert_eq!(now.modified().unwrap(), made.modified().unwrap());
    compare("evolution", dir.path(), &subject);
}

#[test]
fn a_copy_that_was_interrupted_is_begun_again() {
    let (recording, subject) = one("dedup_keys");
    let (files, token) = (&recording.files, &subject.token);
    let mut bucket = TestBucket::new(1);
    bucket.put(vec![created(files, token), run(files, token, 1, 2)]);
    let dir = tempfile::tempdir().unwrap();
    follow(&bucket, dir.path());
    let copy = applied(files, token, subject.count);
    let copied = understudy::native::disk::DiskFiles::open(copy.path()).unwrap();
    let (manifest, manifest_len, seq_txn) = bucket.copy(&copied, token);
    let lost = bucket.path().join(Key::Blob(manifest).to_string());
    let aside = bucket.path().join("aside");
    let why = "again".into();
    // The blob comes late, as if the store had not answered: it is damaged, then whole.
    std::fs::rename(&lost, &aside).unwrap();
    bucket.put(vec![entry(token, What::Base { seq_txn, manifest, manifest_len, why })]);
    let report = follow(&bucket, dir.path());
    assert!(trouble(&report, token).unwrap().contains("is not in the bucket"), "{report:?}");
    // Killed while the directory was being made: the state says so, and there is no table.
    std::fs::rename(&aside, &lost).unwrap();
    let place = dir.path().join("understudy/place.json");
    let mut kept: serde_json::Value = serde_json::from_slice(&std::fs::read(&place).unwrap()).unwrap();
    kept["n"] = 1.into();
    kept["before"] = object_sum(&bucket, 0).into();
    kept["tables"][&token.dir] =
        serde_json::json!({ "base": { "n": 1, "sum": manifest.to_string(), "done": false } });
    std::fs::write(&place, kept.to_string()).unwrap();
    std::fs::remove_file(dir.path().join("db").join(&token.dir).join("_txn")).unwrap();
    let report = follow(&bucket, dir.path());
    assert_eq!(report.result, Exit::Ok, "{report:?}");
    compare("dedup_keys", dir.path(), &subject);
}

fn object_sum(bucket: &TestBucket, n: u64) -> String {
    let place = Place { dir: bucket.point().next.dir, n };
    let bytes = std::fs::read(bucket.path().join(place.key().to_string())).unwrap();
    Object::read(place, bytes.into()).unwrap().sum().to_string()
}

#[test]
fn a_wrong_digest_stops_its_table_and_no_other() {
    let recording = named("symbols");
    let subjects = subjects(&recording);
    let wrong = subjects.iter().find(|subject| subject.table.standing == Standing::Exact).unwrap();
    let mut bucket = TestBucket::new(1);
    for pack in entries(&recording, &subjects, 1000) {
        bucket.put(pack);
    }
    let digests = |subject: &Subject, digest: Digest| {
        let digests = vec![(subject.table.seq_txn, digest)];
        entry(&subject.token, What::Digests { digests })
    };
    bucket.put(subjects.iter().map(|subject| digests(subject, subject.table.digest())).collect());
    let dir = tempfile::tempdir().unwrap();
    let report = follow(&bucket, dir.path());
    assert_eq!(report.result, Exit::Ok, "{report:?}");
    bucket.put(vec![digests(wrong, Digest(7))]);
    let mut replica = start(&bucket, dir.path());
    let report = level(&mut replica);
    let metrics = Metrics::new(false);
    replica.measure(&metrics);
    assert_eq!((metrics.digest_mismatches.get(), metrics.applied_txns.get()), (1, 0));
    replica.finish("the test is over").unwrap();
    assert_eq!(report.result, Exit::Diverged, "{report:?}");
    assert!(trouble(&report, &wrong.token).unwrap().contains("not those of the primary"));
    assert_eq!(report.tables.iter().filter(|table| table.error.is_some()).count(), 1);
}

#[test]
fn a_directory_is_of_one_cluster_and_one_history_and_one_process() {
    let (recording, subject) = one("ooo");
    let (files, token) = (&recording.files, &subject.token);
    let fill = |bucket: &mut TestBucket, last: u64| {
        bucket.put(vec![created(files, token)]);
        bucket.put(vec![run(files, token, 1, last)]);
    };
    let (mut bucket, mut lived_on, mut foreign) =
        (TestBucket::new(1), TestBucket::new(1), TestBucket::new(2));
    fill(&mut bucket, 3);
    fill(&mut lived_on, 2);
    fill(&mut foreign, 3);
    let dir = tempfile::tempdir().unwrap();
    let replica = start(&bucket, dir.path());
    let refused = |bucket: &TestBucket| match Replica::start(bucket.open(), options(dir.path())) {
        Ok(_) => panic!("it is refused"),
        Err(failure) => failure,
    };
    let pid = format!("process {}", std::process::id());
    let second = refused(&bucket);
    assert!(second.message.contains(&pid) && second.message.contains("understudy replica"), "{second:?}");
    drop(replica);
    follow(&bucket, dir.path());
    let other = refused(&foreign);
    assert!(other.message.contains("this node has data of") && other.advice.is_some(), "{other:?}");
    let copy = refused(&lived_on);
    assert!(copy.message.contains("has the hash") && copy.advice.is_some(), "{copy:?}");
    let empty = refused(&TestBucket::new(1));
    assert!(empty.message.contains("is not there"), "{empty:?}");
    compare("ooo", dir.path(), &Subject { table: at(&recording, token, 3), count: 3, token: token.clone() });
}

#[test]
fn what_happens_is_in_the_journal() {
    let (recording, subject) = one("ooo");
    let (files, token) = (&recording.files, &subject.token);
    let mut bucket = TestBucket::new(1);
    bucket.put(vec![created(files, token), run(files, token, 1, subject.count)]);
    let dir = tempfile::tempdir().unwrap();
    follow(&bucket, dir.path());
    follow(&bucket, dir.path());
    let node = std::fs::read(bucket.path().join(Key::Node(0).to_string())).unwrap();
    let node = Node::read(Key::Node(0), &node).unwrap();
    assert_eq!((&*node.name, &*node.kind), ("replica-1", "replica"));
    assert!(!bucket.path().join(Key::Node(1).to_string()).exists());
    let mut notes = Vec::new();
    for k in 0.. {
        let key = Key::Journal { node: 0, k };
        let Ok(bytes) = std::fs::read(bucket.path().join(key.to_string())) else { break };
        notes.extend(Journal::read(key, &bytes).unwrap().entries.into_iter().map(|entry| entry.what));
    }
    let count = |is: fn(&Note) -> bool| notes.iter().filter(|note| is(note)).count();
    assert_eq!(count(|note| matches!(note, Note::Started { role, .. } if role == "replica")), 2, "{notes:?}");
    assert_eq!(count(|note| matches!(note, Note::Stopped { .. })), 2, "{notes:?}");
    assert!(count(|note| matches!(note, Note::Reached { n: 0, .. })) > 0, "{notes:?}");
    let last = notes.iter().rev().find_map(|note| match note {
        Note::Applied { tables } => tables.get(&token.dir).copied(),
        _ => None,
    });
    assert_eq!(last, Some(subject.count), "{notes:?}");
}

#[test]
fn tables_of_another_history_are_not_taken_over() {
    let (recording, subject) = one("ooo");
    let (files, token) = (&recording.files, &subject.token);
    let mut bucket = TestBucket::new(1);
    bucket.put(vec![created(files, token), run(files, token, 1, 2)]);
    let dir = tempfile::tempdir().unwrap();
    follow(&bucket, dir.path());
    std::fs::remove_dir_all(dir.path().join("understudy")).unwrap();
    match Replica::start(bucket.open(), options(dir.path())) {
        Ok(_) => panic!("it is refused"),
        Err(failure) => assert!(failure.message.contains("is no replica's directory"), "{failure:?}"),
    }
}

#[test]
fn tables_may_exchange_their_names() {
    let recording = named("rename_drop");
    let subjects = subjects(&recording);
    let renamed = |subject: &&Subject| subject.token.dir.split('~').next() != Some(&*subject.token.name);
    assert!(subjects.iter().filter(renamed).count() > 1);
    let mut bucket = TestBucket::new(1);
    // All of each table's history at once, in either order: names are free only when another table is renamed.
    for subject in subjects.iter().rev() {
        let Subject { token, count, table } = subject;
        let mut pack = vec![created(&recording.files, token), run(&recording.files, token, 1, *count)];
        if let Standing::Dropped { .. } = table.standing {
            pack.push(entry(token, What::Dropped));
        }
        bucket.put(pack);
    }
    let dir = tempfile::tempdir().unwrap();
    let report = follow(&bucket, dir.path());
    assert_eq!(report.result, Exit::Ok, "{report:?}");
    subjects.iter().for_each(|subject| compare("rename_drop", dir.path(), subject));
}

/// An idle replica of many tables costs next to nothing.
#[cfg(target_os = "linux")]
#[test]
#[ignore = "takes three minutes, and is about what the whole machine does"]
fn ten_thousand_idle_tables_cost_next_to_nothing() {
    let (recording, subject) = one("ooo");
    let mut bucket = TestBucket::new(1);
    let packs: u64 = 10;
    for pack in 0..packs {
        let mut entries = Vec::new();
        for table in 0..1000 {
            let id = (pack * 1000 + table) as i32 + 1;
            for mut entry in
                [created(&recording.files, &subject.token), run(&recording.files, &subject.token, 1, 2)]
            {
                entry.token = Token { dir: format!("t{id}~{id}"), id, name: format!("t{id}"), ..entry.token };
                entries.push(entry);
            }
        }
        bucket.put(entries);
    }
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("conf")).unwrap();
    std::fs::write(dir.path().join("conf/server.conf"), "http.min.enabled=false\n").unwrap();
    let begun = Instant::now();
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_understudy"))
        .args(["replica", "--dir", dir.path().to_str().unwrap()])
        .args(["--from", &format!("fs::root={};", bucket.path().display())])
        .spawn()
        .unwrap();
    let applied = || {
        let place = std::fs::read(dir.path().join("understudy/place.json")).unwrap_or_default();
        serde_json::from_slice::<serde_json::Value>(&place).is_ok_and(|place| place["n"] == packs)
    };
    while !applied() {
        assert!(begun.elapsed() < Duration::from_secs(300) && child.try_wait().unwrap().is_none());
        std::thread::sleep(Duration::from_millis(100));
    }
    let took = begun.elapsed();
    let process = format!("/proc/{}", child.id());
    let ticks = || {
        let stat = std::fs::read_to_string(format!("{process}/stat")).unwrap();
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
    };
    // Tables that nothing comes for are closed after a minute.
    std::thread::sleep(Duration::from_secs(75));
    let before = ticks();
    std::thread::sleep(Duration::from_secs(10));
    let used = ticks() - before;
    let status = std::fs::read_to_string(format!("{process}/status")).unwrap();
    let anonymous = status.lines().find(|line| line.starts_with("RssAnon")).unwrap().to_owned();
    child.kill().unwrap();
    child.wait().unwrap();
    let kib: u64 = anonymous.split_whitespace().nth(1).unwrap().parse().unwrap();
    eprintln!("10,000 tables in {took:?}; idle {} % of a core, {kib} KiB", used as f64 / 10.0);
    assert!(used <= 10 && kib < 64 << 10, "{used} ticks of 1,000, {kib} KiB");
}
