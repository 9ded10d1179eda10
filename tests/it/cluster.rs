//! The log's machines driven over a directory: founding, writing, following, fencing, journals.

use std::collections::BTreeMap;
use std::time::Duration;
use understudy::ledger::*;
use understudy::native::bucket::{self, Bucket};
use understudy::native::cluster::*;

fn bucket(root: &std::path::Path) -> Bucket {
    let connection = format!("fs::root={};", root.display()).parse().unwrap();
    bucket::open(&connection, bucket::RequestLimits::default()).unwrap()
}

fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(work)
}

/// Counts requests for what is not there.
#[derive(Default)]
struct Asked(std::sync::atomic::AtomicU64);

impl Asked {
    fn take(&self) -> u64 {
        self.0.swap(0, std::sync::atomic::Ordering::Relaxed)
    }
}

impl bucket::observe::Observe for Asked {
    fn answered(&self, tried: bucket::observe::Tried) {
        let asked = tried.op == bucket::observe::Op::Get && tried.outcome == bucket::observe::Outcome::Absent;
        self.0.fetch_add(u64::from(asked), std::sync::atomic::Ordering::Relaxed);
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
