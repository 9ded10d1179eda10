//! Storage policies through the log: an operator's requests, the shipper's answers, what a replica has of them.

use crate::common::Recording;
use crate::shipping::applied;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use understudy::apply::sql::{Alter, Statement, parse};
use understudy::ledger::*;
use understudy::native::bucket::{self, Bucket};
use understudy::native::cluster::*;
use understudy::native::policies::{self, PolicyRow, answer, policies_of, put_request};
use understudy::native::replica::{Replica, ReplicaOptions};
use understudy::native::ship::{Listen, Options, Progress, ship};
use understudy::native::store::CommitMode;
use understudy::wal::{TableKind, TableToken};

/// A database, its shipper's folder, a bucket and a replica's directory.
struct Place {
    root: tempfile::TempDir,
    bucket: Bucket,
}

/// Shown where a test fails.
struct Lines;

impl Listen for Lines {
    fn note(&self, text: &str) {
        println!("{text}");
    }
    fn warn(&self, text: &str) {
        println!("warning: {text}");
    }
    fn progress(&self, _: &Progress) {}
}

impl Place {
    fn of(recording: &Recording) -> Self {
        let root = tempfile::tempdir().unwrap();
        for (path, content) in recording.files.iter() {
            let path = root.path().join("a/db").join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        fs::create_dir_all(root.path().join("bucket")).unwrap();
        let connection = format!("fs::root={};", root.path().join("bucket").display()).parse().unwrap();
        let bucket = bucket::open(&connection, bucket::RequestLimits::default()).unwrap();
        Self { root, bucket }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// Ships what there is and answers what is asked.
    async fn ship(&self, snapshot_now: bool) {
        self.ship_from("a", &self.bucket, snapshot_now).await;
    }

    async fn ship_from(&self, name: &str, bucket: &Bucket, snapshot_now: bool) {
        let options = Options {
            db: self.path(name).join("db"),
            own: self.path(name).join("understudy-ship"),
            name: name.into(),
            window: Duration::from_millis(1),
            compression_level: 1,
            compression_threads: 1,
            rebase: Vec::new(),
            once: true,
            beat: Duration::ZERO,
            snapshot_interval: Duration::from_secs(3600),
            snapshot_bytes: 1 << 40,
            snapshot_now,
            digest_rate: 0,
            disk_limit: 1 << 30,
            cleaning: None,
            on_fence: None,
            signer: None,
        };
        let report = ship(options, bucket.clone(), Arc::new(Lines), std::future::pending()).await.unwrap();
        assert!(report.stopped.is_empty(), "{report:?}");
    }

    async fn ask(&self, table: &str, change: PolicyChange) -> u64 {
        let cluster = join(&self.bucket, None).await.unwrap();
        let wish = PolicyRequest { table: table.into(), change };
        put_request(&self.bucket, &Request::policy(cluster.cluster, "ops", 5, &wish)).await.unwrap()
    }

    /// The answer in the log, and that there is but one.
    async fn answer(&self, k: u64) -> RequestAnswer {
        let cluster = join(&self.bucket, None).await.unwrap();
        let end = log_end(&self.bucket, &cluster).await.unwrap();
        let begin = LogEnd { last: None, ..end.clone() };
        let first = answer(&self.bucket, &begin, k, Duration::ZERO).await.unwrap().unwrap();
        let mut found = 0;
        for n in 0..=end.last.unwrap().n {
            let place = end.place(n).unwrap();
            let bucket::GetAnswer::Found(bytes) = self.bucket.get(&place.to_string()).await else { continue };
            let object = Object::read(place, bytes).unwrap();
            if object.head().kind == Kind::Pack {
                found += object.pack().unwrap().answers.iter().filter(|answer| answer.request == k).count();
            }
        }
        assert_eq!(found, 1, "request {k}");
        first
    }

    async fn policies(&self) -> Vec<PolicyRow> {
        let cluster = join(&self.bucket, None).await.unwrap();
        policies_of(&self.bucket, &cluster).await.unwrap()
    }
}

fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(work)
}

/// Tables that can have a policy.
fn tables(recording: &Recording) -> Vec<TableToken> {
    let tables = understudy::wal::Registry::read(&recording.files).unwrap().tables;
    tables
        .into_iter()
        .filter(|token| token.kind == TableKind::Wal && !token.dropped && !token.is_system())
        .collect()
}

fn set(list: &str) -> PolicyChange {
    PolicyChange::Set(list.into())
}

#[test]
fn requests_are_answered_once_in_order_and_read_back_by_replicas() {
    let recording = applied("files/indexes");
    let table = tables(&recording).remove(0);
    let place = Place::of(&recording);
    run(async {
        place.ship(false).await;
        assert_eq!(place.policies().await, []);
        assert_eq!(place.ask(&table.name.to_uppercase(), set("TO PARQUET 3d, DROP LOCAL 1M")).await, 0);
        // What no command of ours writes is refused, and keeps nobody behind it waiting.
        let put = async |k, bytes: &[u8]| {
            let key = Key::Request(k).to_string();
            assert!(matches!(
                place.bucket.put_if_absent(&key, bytes.to_vec().into()).await,
                bucket::PutAnswer::Stored
            ));
        };
        put(1, b"\xff{").await;
        let foreign = Request::policy(
            ClusterId(1),
            "x",
            0,
            &PolicyRequest { table: table.name.clone(), change: PolicyChange::Drop },
        );
        put(2, &foreign.to_bytes().unwrap()).await;
        put(3, &vec![b' '; 100 << 10]).await;
        assert_eq!(place.ask("no such table", PolicyChange::Drop).await, 4);
        assert_eq!(place.ask(&table.dir, PolicyChange::Disable).await, 5);
        place.ship(false).await;
        let mut done = Vec::new();
        for k in 0..6 {
            done.push(place.answer(k).await);
        }
        assert_eq!(
            done.iter().map(|answer| answer.done).collect::<Vec<_>>(),
            [true, false, false, false, false, true]
        );
        assert!(done[4].text.contains("there is no table"), "{}", done[4].text);
        let [row] = &place.policies().await[..] else { panic!("one policy") };
        assert_eq!((&*row.table_dir_name, &*row.to_parquet, row.status), (&*table.dir, "72h", 'D'));
        // A shipper that begins with a snapshot goes on with the same numbers, and with the same policies.
        place.ship(true).await;
        assert_eq!(place.ask(&table.name, set("TO PARQUET 5d")).await, 6);
        place.ship(false).await;
        assert!(place.answer(6).await.done);
        for k in 0..6 {
            place.answer(k).await;
        }
        assert_eq!(place.policies().await[0].to_parquet, "120h");
    });
    let mut replica = follow(&place, "b");
    let found = replica.policies().unwrap().unwrap();
    let expected = run(place.policies());
    assert_eq!(found.len(), 1);
    assert_eq!(found[&table.dir], (expected[0].policy().unwrap(), expected[0].last_updated));
    assert_eq!(replica.policies().unwrap(), None);
    run(async {
        place.ask(&table.name, PolicyChange::Drop).await;
        place.ship(false).await;
    });
    level(&mut replica);
    assert!(replica.policies().unwrap().unwrap().is_empty());
    replica.finish("the test is over").unwrap();
}

fn follow(place: &Place, name: &str) -> Replica {
    let options = ReplicaOptions {
        dir: place.path(name),
        verb: "replica",
        name: name.into(),
        threads: 2,
        memory: 64 << 20,
        commit_mode: CommitMode::NoSync,
        pace: Pace::steady(Duration::from_millis(5)),
        digest: true,
        trusted: Vec::new(),
        policy: understudy::policy::Settings::default(),
        parquet: understudy::columnar::parquet::Options::default(),
    };
    let mut replica = Replica::start(place.bucket.clone(), options).unwrap();
    level(&mut replica);
    replica
}

fn level(replica: &mut Replica) {
    // Once more around: what was put meanwhile has to be asked for.
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_millis(300) || !replica.is_level() {
        replica.step(Duration::from_millis(20)).unwrap();
        assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", replica.report());
    }
    assert!(replica.report().tables.iter().all(|table| table.error.is_none()), "{:?}", replica.report());
}

#[test]
fn a_replica_that_becomes_a_primary_keeps_the_policies() {
    let recording = applied("files/indexes");
    let table = tables(&recording).remove(0);
    let place = Place::of(&recording);
    run(async {
        place.ship(false).await;
        place.ask(&table.name, set("TO PARQUET 2d")).await;
        place.ship(false).await;
    });
    follow(&place, "b").finish("the test is over").unwrap();
    // A new history begins with what the directory has.
    let other = Place::of(&recording);
    fs::create_dir_all(other.path("c")).unwrap();
    copy(&place.path("b/db"), &other.path("c/db"));
    run(async {
        other.ship_from("c", &other.bucket, false).await;
        let [row] = &other.policies().await[..] else { panic!("one policy") };
        assert_eq!((&*row.table_dir_name, &*row.to_parquet, row.status), (&*table.dir, "48h", 'A'));
    });
    let names = fs::read_dir(other.path("c/db")).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(
        names.into_iter().any(|name| name == policies::DIR),
        "the directory has had the table all the time"
    );
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(|entry| entry.unwrap()) {
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() {
            copy(&from, &to);
        } else {
            fs::copy(&from, &to).unwrap();
        }
    }
}

#[test]
fn statements_about_policies_change_no_row() {
    for sql in [
        "ALTER TABLE t SET STORAGE POLICY(TO PARQUET 3 DAYS, DROP LOCAL 1 MONTH)",
        "ALTER TABLE 't' DROP STORAGE POLICY",
        "alter table t enable storage policy",
        "ALTER MATERIALIZED VIEW v DISABLE STORAGE POLICY",
    ] {
        assert_eq!(parse(sql), Ok(Statement::Alter(Alter::RowsUnchanged("a storage policy"))), "{sql}");
    }
    assert!(parse("ALTER TABLE t ENABLE dancing").is_err());
}
