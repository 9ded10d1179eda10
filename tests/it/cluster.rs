//! The log's machines driven over a directory: founding, writing, following, fencing, journals.

use std::collections::BTreeMap;
use std::time::Duration;
use understudy::ledger::*;
use understudy::native::bucket::observe::{Observe, Op, Outcome, Tried};
use understudy::native::bucket::{self, Bucket};
use understudy::native::cluster::*;

fn bucket(root: &std::path::Path) -> Bucket {
    let connection = format!("fs::root={};", root.display()).parse().unwrap();
    bucket::open(&connection, bucket::RequestLimits::default()).unwrap()
}

fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(work)
}

/// Counts reads of what is there, and of what is not.
#[derive(Default)]
struct Asked {
    found: std::sync::atomic::AtomicU64,
    absent: std::sync::atomic::AtomicU64,
}

impl Asked {
    /// Of what was not there since the last time.
    fn take(&self) -> u64 {
        self.absent.swap(0, std::sync::atomic::Ordering::Relaxed)
    }
}

impl Observe for Asked {
    fn answered(&self, tried: Tried) {
        let count = match (tried.op, tried.outcome) {
            (Op::Get, Outcome::Absent) => &self.absent,
            (Op::Get, Outcome::Ok) => &self.found,
            _ => return,
        };
        count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    }
}

/// A pack that can be told from others; a long one has a block beside it.
fn pack(text: &str) -> Pack {
    Pack { handover: Some(text.to_owned()), ..Pack::default() }
}

async fn write(writer: &PackWriter, texts: &[String]) {
    let mut last = 0;
    for text in texts {
        last = writer.put(pack(text)).await.unwrap();
    }
    writer.acknowledged().wait_for(|acknowledged| *acknowledged > last).await.unwrap();
}

async fn read(bucket: &Bucket) -> (Vec<String>, Point) {
    let cluster = join(bucket, None).await.unwrap();
    let options = FollowOptions {
        pace: Pace::steady(Duration::from_millis(5)),
        ahead_bytes: 1 << 20,
        trusted: Vec::new(),
    };
    let mut follower = Follower::start(bucket.clone(), Reader::of(&cluster), options);
    let (mut texts, mut at) = (Vec::new(), Point::start(&cluster));
    loop {
        match follower.next().await {
            Followed::Pack(arrived) => {
                texts.push(arrived.pack.handover.unwrap());
                at = arrived.point;
            }
            Followed::Term(point) => at = *point,
            Followed::CaughtUp => return (texts, at),
            other => panic!("{other:?}"),
        }
    }
}

fn texts(prefix: &str, count: usize) -> Vec<String> {
    (0..count).map(|n| format!("{prefix}{n}")).collect()
}

#[test]
fn a_log_is_written_and_read_and_a_new_writer_fences_the_old_one() {
    let root = tempfile::tempdir().unwrap();
    let bucket = bucket(root.path());
    run(async {
        let (cluster, mine) = found(&bucket).await.unwrap();
        assert!(mine);
        let first = PackWriter::start(bucket.clone(), Point::start(&cluster), 4, None);
        write(&first, &texts("a", 40)).await;
        let (again, mine) = found(&bucket).await.unwrap();
        assert!(!mine);
        assert_eq!(again, cluster);
        let mut heard = Vec::new();
        let claimed = claim(&bucket, Reader::of(&cluster), async |what: Heard<'_>| {
            if let Heard::Pack(object) = what {
                heard.push(object.pack().unwrap().handover.unwrap());
            }
            Ok(())
        });
        let Claimed::Won(point) = claimed.await.unwrap() else { panic!("nobody else claims") };
        assert_eq!(heard, texts("a", 40));
        assert_eq!((point.next.n, point.next.dir.term), (41, Term(2)));
        let second = PackWriter::start(bucket.clone(), *point, 4, None);
        write(&second, &texts("b", 5)).await;
        // What the first one still sends is never in the history, and it learns so.
        let _ = first.put(pack("late")).await;
        let mut state = first.state();
        let fenced = state.wait_for(|state| matches!(state, WriterState::Fenced(_)));
        tokio::time::timeout(Duration::from_secs(5), fenced).await.unwrap().unwrap();
        assert!(first.put(pack("later")).await.unwrap_err().message.contains("fenced"));
        assert_eq!(first.acknowledged().borrow().to_owned(), 40);
        let (all, point) = read(&bucket).await;
        assert_eq!(all, [texts("a", 40), texts("b", 5)].concat());
        assert_eq!(point, second.point());
    });
}

#[test]
fn a_log_that_is_quiet_is_asked_seldom_until_something_comes() {
    let root = tempfile::tempdir().unwrap();
    let bucket = bucket(root.path());
    run(async {
        let (cluster, _) = found(&bucket).await.unwrap();
        // The last pack is an hour old.
        let start = Point::start(&cluster);
        let head = Head {
            cluster: cluster.cluster,
            place: start.next,
            committed_us: now_us() - 3_600_000_000,
            before: start.before,
            kind: Kind::Pack,
        };
        let old = pack("old").encode(head, None).unwrap();
        let put = bucket.put_if_absent(&start.next.key().to_string(), old.bytes().clone()).await;
        assert!(matches!(put, bucket::PutAnswer::Stored), "{put:?}");
        let (_, behind) = read(&bucket).await;
        let pace = Pace { least: Duration::from_millis(10), most: Duration::from_secs(1) };
        let options = FollowOptions { pace, ahead_bytes: 1 << 20, trusted: Vec::new() };
        // One that reads the old pack, and one that had it before it began.
        let mut followers = Vec::new();
        for reader in [Reader::of(&cluster), Reader::new(behind.clone())] {
            let asked = std::sync::Arc::new(Asked::default());
            let observed = self::bucket(root.path()).observed(asked.clone());
            let mut follower = Follower::start(observed, reader, options.clone());
            while !matches!(follower.next().await, Followed::CaughtUp) {}
            followers.push((follower, asked));
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        for (_, asked) in &followers {
            asked.take();
        }
        tokio::time::sleep(Duration::from_millis(2_500)).await;
        let seldom: Vec<u64> = followers.iter().map(|(_, asked)| asked.take()).collect();
        assert!(seldom.iter().all(|asked| (1..=3).contains(asked)), "{seldom:?} requests in 2.5 s");
        let writer = PackWriter::start(bucket.clone(), behind, 4, None);
        write(&writer, &texts("new", 1)).await;
        for (follower, asked) in &mut followers {
            while !matches!(follower.next().await, Followed::Pack(_)) {}
            asked.take();
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        let often: Vec<u64> = followers.iter().map(|(_, asked)| asked.take()).collect();
        assert!(often.iter().all(|asked| *asked > 20), "{often:?} requests in 1 s");
    });
}

#[test]
fn a_writer_with_nothing_to_write_learns_that_it_was_fenced() {
    let root = tempfile::tempdir().unwrap();
    let bucket = bucket(root.path());
    run(async {
        let (cluster, _) = found(&bucket).await.unwrap();
        let idle = PackWriter::start(bucket.clone(), Point::start(&cluster), 4, None);
        let claimed = claim(&bucket, Reader::of(&cluster), async |_: Heard<'_>| Ok(())).await.unwrap();
        assert!(matches!(claimed, Claimed::Won(_)));
        let mut state = idle.state();
        let fenced = state.wait_for(|state| matches!(state, WriterState::Fenced(_)));
        tokio::time::timeout(Duration::from_secs(25), fenced).await.unwrap().unwrap();
    });
}

#[test]
fn of_two_claimants_one_writes() {
    let root = tempfile::tempdir().unwrap();
    let bucket = bucket(root.path());
    run(async {
        let (cluster, _) = found(&bucket).await.unwrap();
        let mut tasks = tokio::task::JoinSet::new();
        for number in 0..6 {
            let (bucket, cluster) = (bucket.clone(), cluster.clone());
            tasks.spawn(async move {
                match claim(&bucket, Reader::of(&cluster), async |_: Heard<'_>| Ok(())).await.unwrap() {
                    Claimed::Won(point) => {
                        let writer = PackWriter::start(bucket, *point, 4, None);
                        let _ = writer.put(pack(&format!("of {number}"))).await;
                        tokio::time::sleep(Duration::from_millis(50)).await;
                    }
                    Claimed::StoodDown(_) => {}
                }
            });
        }
        tasks.join_all().await;
        // Some may have won one after the other; what all readers see is one history.
        let (one, at) = read(&bucket).await;
        assert!(!one.is_empty());
        assert_eq!(read(&bucket).await, (one, at));
    });
}

#[test]
fn a_bucket_without_a_cluster_or_with_another_one_is_refused() {
    let root = tempfile::tempdir().unwrap();
    let bucket = bucket(root.path());
    run(async {
        let error = join(&bucket, None).await.unwrap_err();
        assert!(error.message.contains("no cluster"), "{error:?}");
        let (cluster, _) = found(&bucket).await.unwrap();
        let error = join(&bucket, Some(ClusterId(1))).await.unwrap_err();
        assert!(error.message.contains(&cluster.cluster.to_string()), "{error:?}");
        assert!(error.advice.is_some());
    });
}

#[test]
fn blobs_are_put_once_and_checked() {
    let root = tempfile::tempdir().unwrap();
    let bucket = bucket(root.path());
    run(async {
        let sum = Sum::of(b"blob");
        assert!(put_blob(&bucket, sum, "blob".into()).await.unwrap());
        assert!(!put_blob(&bucket, sum, "blob".into()).await.unwrap());
        assert_eq!(get_blob(&bucket, sum).await.unwrap(), "blob");
        assert!(get_blob(&bucket, Sum::of(b"other")).await.is_err());
        let wrong = Sum::of(b"what is named");
        bucket.put(&Key::Blob(wrong).to_string(), "something else".into()).await.unwrap();
        assert!(get_blob(&bucket, wrong).await.unwrap_err().message.contains("hash"));
    });
}

#[test]
fn instances_keep_their_numbers_and_go_on_with_their_journals() {
    let root = tempfile::tempdir().unwrap();
    let bucket = bucket(root.path());
    run(async {
        let (cluster, _) = found(&bucket).await.unwrap();
        let id = cluster.cluster;
        assert_eq!(register(&bucket, id, "a", "shipper").await.unwrap(), 0);
        assert_eq!(register(&bucket, id, "b", "replica").await.unwrap(), 1);
        assert_eq!(register(&bucket, id, "a", "shipper").await.unwrap(), 0);
        let names: Vec<_> = nodes(&bucket).await.unwrap().into_iter().map(|node| node.name).collect();
        assert_eq!(names, ["a", "b"]);
        for round in 0..20u64 {
            let journal = JournalWriter::start(bucket.clone(), id, 1, "b");
            for seq_txn in 0..100 {
                journal.applied("t~1", round * 100 + seq_txn);
            }
            journal.note(Note::Reached { n: round, bytes: 3 });
            journal.close().await;
        }
        assert_eq!(journal_end(&bucket, 1, 0).await.unwrap(), 20);
        assert_eq!(journal_end(&bucket, 1, 7).await.unwrap(), 20);
        assert_eq!(journal_end(&bucket, 0, 0).await.unwrap(), 0);
        let key = Key::Journal { node: 1, k: 19 };
        let journal: Journal = get_document(&bucket, key).await.unwrap().unwrap();
        assert_eq!(journal.entries.len(), 2);
        let applied: BTreeMap<String, u64> = [("t~1".to_owned(), 1999)].into();
        assert_eq!(journal.entries[0].what, Note::Applied { tables: applied });
    });
}

fn stored(name: &str, rows: u64) -> StoredPartition {
    let (name, form) = (name.to_owned(), PartitionForm::Native);
    StoredPartition { name, rows, bytes: rows * 8, form, digest: None }
}

/// Writes one object of a journal with these notes, as a process does that ends then.
async fn journal_one(bucket: &Bucket, cluster: ClusterId, notes: Vec<Note>) {
    let journal = JournalWriter::start(bucket.clone(), cluster, 0, "a");
    notes.into_iter().for_each(|note| journal.note(note));
    journal.close().await;
}

#[test]
fn a_journal_tells_of_many_partitions_a_few_at_a_time_and_of_each_the_last_state() {
    let root = tempfile::tempdir().unwrap();
    let bucket = bucket(root.path());
    run(async {
        let (cluster, _) = found(&bucket).await.unwrap();
        let id = cluster.cluster;
        register(&bucket, id, "a", "replica").await.unwrap();
        let of = |rows| (0..600).map(|n| stored(&format!("p{n:03}"), rows)).collect();
        let journal = JournalWriter::start(bucket.clone(), id, 0, "a");
        for rows in [1, 2, 3] {
            journal.note(Note::Partitions { table: "t~1".into(), seq_txn: rows, partitions: of(rows) });
        }
        // Hurries the first object; the other one follows in its own time.
        journal.note(Note::Role { role: "replica".into() });
        tokio::time::sleep(Duration::from_secs(2)).await;
        journal.close().await;
        assert_eq!(journal_end(&bucket, 0, 0).await.unwrap(), 2);
        let mut told = Vec::new();
        for k in 0..2 {
            let key = Key::Journal { node: 0, k };
            let journal: Journal = get_document(&bucket, key).await.unwrap().unwrap();
            told.push(0);
            for entry in journal.entries {
                if let Note::Partitions { table, seq_txn: 3, partitions } = entry.what {
                    assert_eq!(table, "t~1");
                    assert!(partitions.iter().all(|stored| stored.rows == 3));
                    told[k as usize] += partitions.len();
                }
            }
        }
        assert_eq!(told, [512, 88]);
    });
}

#[test]
fn how_an_instance_is_takes_few_requests_however_long_its_journal_is() {
    let root = tempfile::tempdir().unwrap();
    let bucket = bucket(root.path());
    run(async {
        let (cluster, _) = found(&bucket).await.unwrap();
        let id = cluster.cluster;
        register(&bucket, id, "a", "replica").await.unwrap();
        let digest = |dir: &str, seq_txn| Note::Digests {
            tables: [(dir.to_owned(), (seq_txn, format!("{seq_txn:032x}")))].into(),
        };
        for k in 0..=600 {
            // Some objects are written as an instance writes them, the others are laid there.
            if Journal::is_rollup(k) || k == 592 {
                journal_one(&bucket, id, vec![Note::Reached { n: k, bytes: 1 }]).await;
                continue;
            }
            let mut journal = Journal::new(id, 0, "a", k);
            journal.written_us = 1_000_000 * k as i64;
            let what = match k {
                3 => digest("t~1", 30),
                5 => Note::Error { table: Some("t~1".into()), text: "over since then".into() },
                300 => digest("t~2", 40),
                310 => digest("t~3", 50),
                400 => Note::Recovered { table: Some("t~1".into()) },
                550 => digest("t~3", 60),
                _ => Note::Reached { n: k, bytes: 1 },
            };
            journal.entries.push(JournalEntry { at_us: journal.written_us, what });
            let key = Key::Journal { node: 0, k }.to_string();
            let put = bucket.put_if_absent(&key, journal.to_bytes().unwrap()).await;
            assert!(matches!(put, bucket::PutAnswer::Stored), "{k}: {put:?}");
        }
        let asked = std::sync::Arc::new(Asked::default());
        let observed = self::bucket(root.path()).observed(asked.clone());
        let survey = Survey::new(observed, cluster).await.unwrap();
        let [node] = survey.nodes.as_slice() else { panic!("{:?}", survey.nodes) };
        assert_eq!(node.reached, 600);
        let digests = ["t~1", "t~2", "t~3"].map(|dir| node.digests.get(dir).map(|(seq_txn, _)| *seq_txn));
        assert_eq!(digests, [Some(30), Some(40), Some(60)]);
        assert_eq!(node.errors().count(), 0);
        let found = asked.found.load(std::sync::atomic::Ordering::Relaxed);
        assert!(found <= 14, "{found} objects were read");
    });
}

/// A log of so many packs, with snapshots of no tables after some of them, the last of which `head.json` names.
async fn log_with_snapshots(bucket: &Bucket, packs: usize, snapshots: &[u64]) -> Cluster {
    let (cluster, _) = found(bucket).await.unwrap();
    let writer = PackWriter::start(bucket.clone(), Point::start(&cluster), 4, None);
    for text in texts("a", packs) {
        let n = writer.put(pack(&text)).await.unwrap();
        if snapshots.contains(&n) {
            writer.acknowledged().wait_for(|acknowledged| *acknowledged > n).await.unwrap();
            snapshot(bucket, &writer.point(), Vec::new()).await;
        }
    }
    writer.acknowledged().wait_for(|acknowledged| *acknowledged >= packs as u64).await.unwrap();
    cluster
}

async fn snapshot(bucket: &Bucket, point: &Point, parts: Vec<Part>) {
    let manifest = point.manifest(parts, None).unwrap();
    let put =
        bucket.put_if_absent(&Key::Snapshot(manifest.n).to_string(), manifest.to_bytes().unwrap()).await;
    assert!(matches!(put, bucket::PutAnswer::Stored), "{put:?}");
    let Place { dir, n } = point.last().unwrap();
    let hint =
        HeadHint { format: 1, cluster: point.cluster, directory: dir, n, boundary: None, snapshot: Some(n) };
    bucket.put(&Key::Head.to_string(), hint.to_bytes().unwrap()).await.unwrap();
}

const ALL_THAT_CAN_GO: Retention =
    Retention { age: Duration::ZERO, snapshots: 1, before: None, gone_after: Duration::from_secs(3600) };

async fn why_not(bucket: &Bucket, cluster: &Cluster, retention: Retention) -> String {
    match plan_cleaning(bucket, cluster, retention).await.unwrap() {
        Plan::Nothing(why) => why,
        Plan::Clean(cleaning) => panic!("{cleaning:?}"),
    }
}

async fn can_go(bucket: &Bucket, cluster: &Cluster, retention: Retention) -> Cleaning {
    match plan_cleaning(bucket, cluster, retention).await.unwrap() {
        Plan::Clean(cleaning) => *cleaning,
        Plan::Nothing(why) => panic!("{why}"),
    }
}

#[test]
fn what_a_snapshot_stands_for_is_deleted_unless_somebody_needs_it() {
    let root = tempfile::tempdir().unwrap();
    let bucket = bucket(root.path());
    run(async {
        let cluster = log_with_snapshots(&bucket, 20, &[]).await;
        assert!(why_not(&bucket, &cluster, ALL_THAT_CAN_GO).await.contains("no snapshot"));
        let (_, end) = read(&bucket).await;
        assert_eq!(end.next.n, 20);
        // One whose parts are not all there is as good as none.
        let part = Part { name: "t~1".into(), sum: Sum::of(b"not there"), bytes: 9 };
        snapshot(&bucket, &end, vec![part]).await;
        let broken = plan_cleaning(&bucket, &cluster, ALL_THAT_CAN_GO).await.unwrap_err();
        assert!(broken.message.contains("is not in the bucket"), "{broken:?}");
        std::fs::remove_file(root.path().join(Key::Snapshot(19).to_string())).unwrap();
        snapshot(&bucket, &end, Vec::new()).await;
        let old = Retention { age: Duration::from_secs(600), ..ALL_THAT_CAN_GO };
        assert!(why_not(&bucket, &cluster, old).await.contains("old enough"));
        let before = Retention { before: Some(19), ..ALL_THAT_CAN_GO };
        assert!(why_not(&bucket, &cluster, before).await.contains("before number 19"));
        // A replica that is behind holds it back, until it is gone.
        register(&bucket, cluster.cluster, "a", "replica").await.unwrap();
        journal_one(&bucket, cluster.cluster, vec![Note::Reached { n: 12, bytes: 0 }]).await;
        let why = why_not(&bucket, &cluster, ALL_THAT_CAN_GO).await;
        assert!(why.contains("a has not received number 13"), "{why}");
        let gone = Retention { gone_after: Duration::ZERO, ..ALL_THAT_CAN_GO };
        assert_eq!(can_go(&bucket, &cluster, gone).await.packs, 20);
        journal_one(&bucket, cluster.cluster, vec![Note::Reached { n: 19, bytes: 0 }]).await;
        let cleaning = can_go(&bucket, &cluster, ALL_THAT_CAN_GO).await;
        assert_eq!((cleaning.from, cleaning.to, cleaning.packs, cleaning.snapshot()), (0, 20, 20, 19));
        let place = |n| root.path().join(Place { dir: cluster.directory, n }.to_string());
        let sizes: u64 = (0..20).map(|n| place(n).metadata().unwrap().len()).sum();
        assert_eq!(cleaning.bytes, sizes);
        // Interrupted: the boundary is raised and some are gone. The next round takes up the rest.
        let held = std::fs::read(place(19)).unwrap();
        let mut gone = 0;
        clean(&bucket, &cleaning, || gone += 1).await.unwrap();
        assert_eq!(gone, 20);
        assert!((0..20).all(|n| !place(n).exists()));
        std::fs::write(place(19), held).unwrap();
        let rest = can_go(&bucket, &cluster, ALL_THAT_CAN_GO).await;
        assert_eq!((rest.to, rest.packs), (20, 1));
        clean(&bucket, &rest, || {}).await.unwrap();
        assert!(!place(19).exists() && !root.path().join(Key::Clean(1).to_string()).exists());
        assert!(why_not(&bucket, &cluster, ALL_THAT_CAN_GO).await.contains("gone already"));
        // Who begins at the start is sent to the snapshot.
        let options = FollowOptions {
            pace: Pace::steady(Duration::from_millis(5)),
            ahead_bytes: 1 << 20,
            trusted: Vec::new(),
        };
        let mut follower = Follower::start(bucket.clone(), Reader::of(&cluster), options);
        let Followed::Load(manifest) = follower.next().await else { panic!("a snapshot") };
        assert_eq!(manifest.n, 19);
    });
}

#[test]
fn so_many_snapshots_stay() {
    let root = tempfile::tempdir().unwrap();
    let bucket = bucket(root.path());
    run(async {
        let cluster = log_with_snapshots(&bucket, 300, &[9, 290]).await;
        let entry =
            IndexEntry { directory: cluster.directory, committed_us: 0, bytes: 100, tables: Vec::new() };
        let block = IndexBlock {
            format: 1,
            cluster: cluster.cluster,
            k: 0,
            objects: vec![entry; 256],
            snapshot: Some(9),
        };
        let put = bucket.put_if_absent(&Key::Index(0).to_string(), block.to_bytes().unwrap()).await;
        assert!(matches!(put, bucket::PutAnswer::Stored), "{put:?}");
        let newest = can_go(&bucket, &cluster, ALL_THAT_CAN_GO).await;
        assert_eq!((newest.to, newest.packs), (291, 291));
        let two = Retention { snapshots: 2, ..ALL_THAT_CAN_GO };
        let cleaning = can_go(&bucket, &cluster, two).await;
        assert_eq!((cleaning.to, cleaning.packs, cleaning.bytes), (10, 10, 1000));
        let three = Retention { snapshots: 3, ..ALL_THAT_CAN_GO };
        assert!(why_not(&bucket, &cluster, three).await.contains("2 snapshots, and 3 shall stay"));
        let before = Retention { before: Some(290), ..ALL_THAT_CAN_GO };
        assert_eq!(can_go(&bucket, &cluster, before).await.to, 10);
    });
}
