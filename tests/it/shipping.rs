//! Databases shipped into a bucket, and what a reader makes of it.

use crate::common::{Recording, csv, recording, recordings};
use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use understudy::ledger::{Base, Document, HeadHint, Key, Manifest, Mirror, News, Reader, Sum};
use understudy::native::bucket::{self, Bucket};
use understudy::native::cluster::*;
use understudy::native::disk::DiskFiles;
use understudy::native::outcome::Failure;
use understudy::native::ship::{Listen, Options, Progress, Report, divergent, ship};
use understudy::native::store::{CommitMode, FileTable, RealDisk};
use understudy::replay::{History, Player};
use understudy::table::Table;
use understudy::table::files::read::read_table;
use understudy::wal::{self, Files, LogVersion, Registry, SequencerLog, TableKind, TableToken};

/// A database in a directory, and a bucket beside it.
struct Place {
    root: tempfile::TempDir,
}

/// What comes out of a bucket.
#[derive(Default)]
struct Received {
    mirror: Mirror,
    news: Vec<News>,
}

#[derive(Default)]
struct Lines(Mutex<Vec<String>>);

impl Listen for Lines {
    fn note(&self, text: &str) {
        self.0.lock().unwrap().push(text.to_owned());
    }

    fn warn(&self, text: &str) {
        self.0.lock().unwrap().push(text.to_owned());
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
        Self { root }
    }

    fn db(&self) -> PathBuf {
        self.root.path().join("a/db")
    }

    fn bucket(&self) -> Bucket {
        let connection = format!("fs::root={};", self.root.path().join("bucket").display()).parse().unwrap();
        bucket::open(&connection, bucket::RequestLimits::default()).unwrap()
    }

    fn options(&self) -> Options {
        Options {
            db: self.db(),
            own: self.root.path().join("a/understudy-ship"),
            name: "a".into(),
            window: Duration::from_millis(1),
            compression_level: 1,
            compression_threads: 1,
            rebase: Vec::new(),
            once: true,
            beat: Duration::ZERO,
            snapshot_interval: Duration::from_secs(3600),
            snapshot_bytes: 1 << 40,
            snapshot_now: false,
            cleaning: None,
            digest_rate: 8 << 20,
            disk_limit: 1 << 30,
            on_fence: None,
            signer: None,
        }
    }

    fn ship(&self) -> Result<Report, Failure> {
        self.ship_with(self.options()).0
    }

    fn ship_with(&self, options: Options) -> (Result<Report, Failure>, Vec<String>) {
        let lines = Arc::new(Lines::default());
        let report = run(ship(options, self.bucket(), lines.clone(), std::future::pending()));
        let lines = lines.0.lock().unwrap().clone();
        (report, lines)
    }

    fn receive(&self) -> Received {
        run(receive(&self.bucket()))
    }

    /// The tables of the database that have a log.
    fn tables(&self) -> Vec<TableToken> {
        let wanted =
            |token: &TableToken| matches!(token.kind, TableKind::Wal | TableKind::MatView) && !token.dropped;
        let tables = Registry::read(&DiskFiles::open(self.db()).unwrap()).unwrap().tables;
        tables.into_iter().filter(|token| wanted(token) && !token.is_system()).collect()
    }
}

fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(work)
}

async fn receive(bucket: &Bucket) -> Received {
    let cluster = join(bucket, None).await.unwrap();
    let options = FollowOptions {
        pace: Pace::steady(Duration::from_millis(5)),
        ahead_bytes: 1 << 20,
        trusted: Vec::new(),
    };
    let mut follower = Follower::start(bucket.clone(), Reader::of(&cluster), options);
    let mut received = Received::default();
    loop {
        match follower.next().await {
            Followed::Pack(arrived) => {
                let key = arrived.object.head().place.key();
                received.news.extend(received.mirror.take(key, &arrived.pack, &arrived.blobs).unwrap());
            }
            Followed::Term(_) => {}
            Followed::CaughtUp => return received,
            other => panic!("{other:?}"),
        }
    }
}

/// The rows of a table whose log is there from the first transaction on.
fn replayed(files: &dyn Files, token: &TableToken) -> Table {
    let history = History::read(files, token).unwrap_or_else(|error| panic!("{}: {error}", token.dir));
    let count = history.txn_count();
    let mut player = Player::new(history).unwrap();
    player.seek(files, count).unwrap_or_else(|error| panic!("{}: {error}", token.dir));
    player.table().clone()
}

impl Received {
    fn base(&self, dir: &str) -> Option<(u64, Sum)> {
        self.news.iter().rev().find_map(|news| match news {
            News::Base { token, seq_txn, manifest, .. } if token.dir == dir => Some((*seq_txn, *manifest)),
            _ => None,
        })
    }
}

/// Makes a table of a base, as a replica does.
fn made_of_base(place: &Place, manifest: Sum, to: &Path) -> Table {
    let bucket = place.bucket();
    let blob = run(get_blob(&bucket, manifest)).unwrap();
    let base = Base::read("base", &blob).unwrap();
    let token = base.token();
    let mut blobs = BTreeMap::new();
    for bundle in &base.bundles {
        blobs.insert(bundle.sum, run(get_blob(&bucket, bundle.sum)).unwrap());
    }
    let absent = |sum: Sum| wal::Error::Absent { file: sum.to_string().into() };
    let files = base.files(&token.dir, |sum| blobs.get(&sum).cloned().ok_or_else(|| absent(sum))).unwrap();
    let disk = Arc::new(RealDisk::open(to).unwrap());
    FileTable::create_from(disk, &files, &token, CommitMode::NoSync).unwrap();
    read_table(&DiskFiles::open(to).unwrap(), &token).unwrap()
}

#[test]
fn every_recording_replays_from_the_bucket() {
    let (mut compared, mut waiting) = (0, 0);
    for (name, recording) in recordings() {
        let place = Place::of(&recording);
        place.ship().unwrap_or_else(|failure| panic!("{name}: {failure:?}"));
        let received = place.receive();
        for token in place.tables() {
            let complete =
                History::read(&recording.files, &token).is_ok_and(|history| history.is_replayable());
            // One with a statement that can't be executed waits for the table to be applied, which is not recorded.
            let last = History::read(&recording.files, &token).unwrap().txn_count();
            let waits = received.mirror.last(&token.dir) != Some(last);
            waiting += usize::from(waits && complete);
            if !complete || waits || received.base(&token.dir).is_some() {
                continue;
            }
            let (ours, theirs) =
                (replayed(received.mirror.files(), &token), replayed(&recording.files, &token));
            assert_eq!(ours.standing, theirs.standing, "{name}: {}", token.dir);
            assert_eq!(ours.digest(), theirs.digest(), "{name}: {}", token.dir);
            assert!(csv(&ours) == csv(&theirs), "{name}: {}", token.dir);
            compared += 1;
        }
    }
    assert!(compared > 35 && (1..20).contains(&waiting), "{compared} tables, {waiting} waiting");
}

#[test]
fn what_a_log_does_not_tell_is_copied_from_the_applied_table() {
    let mut compared = 0;
    let recordings = [
        ("indexes", applied("files/indexes")),
        ("half_applied", applied("files/half_applied")),
        ("whole", whole()),
    ];
    for (path, recording) in recordings {
        let place = Place::of(&recording);
        let with_rows = |token: &TableToken| read_table(&recording.files, token).is_ok();
        let tables: Vec<TableToken> = place.tables().into_iter().filter(with_rows).collect();
        let rebase = tables.iter().map(|token| token.dir.clone()).collect();
        let (report, lines) = place.ship_with(Options { rebase, ..place.options() });
        let report = report.unwrap();
        let stopped = |token: &TableToken| report.stopped.contains_key(&token.name);
        assert!(!tables.iter().any(stopped), "{path}: {report:?} {lines:?}");
        let received = place.receive();
        for token in tables {
            let found = received.base(&token.dir);
            let (seq_txn, manifest) = found.unwrap_or_else(|| panic!("{path}: {}", token.dir));
            let to = tempfile::tempdir().unwrap();
            let ours = made_of_base(&place, manifest, to.path());
            let theirs = read_table(&recording.files, &token).unwrap();
            assert_eq!((ours.seq_txn, theirs.seq_txn), (seq_txn, seq_txn), "{path}: {}", token.dir);
            assert_eq!(ours.digest(), theirs.digest(), "{path}: {}", token.dir);
            assert!(csv(&ours) == csv(&theirs), "{path}: {}", token.dir);
            compared += 1;
        }
    }
    assert!(compared > 8, "{compared} tables");
}

/// A recording with the applied tables' files.
pub(crate) fn applied(path: &str) -> Recording {
    let path = format!("{}/tests/data/{path}.tar.gz", env!("CARGO_MANIFEST_DIR"));
    Recording::unpack(&fs::read(path).unwrap())
}

/// The whole directory that a real QuestDB left.
fn whole() -> Recording {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/applied/whole.tar.gz");
    let mut files = wal::MemoryFiles::default();
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(fs::File::open(path).unwrap()));
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let path = entry.path().unwrap().to_string_lossy().into_owned();
        if entry.header().entry_type().is_file() {
            let mut content = Vec::new();
            entry.read_to_end(&mut content).unwrap();
            files.insert(path, content);
        }
    }
    Recording { about: serde_json::Value::Null, files, answers: BTreeMap::new() }
}

#[test]
fn a_snapshot_stands_for_the_log_before_it() {
    let place = Place::of(&applied("files/indexes"));
    let options = Options { snapshot_now: true, ..place.options() };
    let (report, lines) = place.ship_with(options);
    let report = report.unwrap();
    assert!(report.stopped.is_empty(), "{report:?} {lines:?}");
    let n = run(async {
        let bucket = place.bucket();
        let head: HeadHint = get_document(&bucket, Key::Head).await.unwrap().unwrap();
        assert_eq!(head.n, report.next - 1);
        let n = head.snapshot.expect("a snapshot");
        let manifest: Manifest = get_document(&bucket, Key::Snapshot(n)).await.unwrap().unwrap();
        assert_eq!(manifest.n, n);
        let mut tables: Vec<String> = manifest.parts.iter().map(|part| part.name.clone()).collect();
        tables.sort();
        let mut expected: Vec<String> = place.tables().into_iter().map(|token| token.dir).collect();
        expected.sort();
        tables.retain(|dir| expected.contains(dir));
        assert_eq!(tables, expected);
        for part in &manifest.parts {
            let base = Base::read("base", &get_blob(&bucket, part.sum).await.unwrap()).unwrap();
            assert_eq!(base.directory, part.name);
            for bundle in &base.bundles {
                get_blob(&bucket, bundle.sum).await.unwrap();
            }
        }
        n
    });
    // A restart begins behind it: the packs before are not needed.
    for entry in fs::read_dir(place.root.path().join("bucket/log")).unwrap() {
        let folder = entry.unwrap().path().join("00000000");
        fs::remove_file(folder.join(format!("{:016}.pack", 0))).unwrap();
    }
    let again = place.ship().unwrap();
    assert_eq!((again.progress.transactions, again.stopped.len()), (0, 0), "{again:?}");
    // One that writes something goes on naming the snapshot.
    let rebase = vec![place.tables()[0].dir.clone()];
    let last = place.ship_with(Options { rebase, ..place.options() }).0.unwrap();
    assert!(last.next > again.next + 1, "{last:?}");
    let head: HeadHint = run(get_document(&place.bucket(), Key::Head)).unwrap().unwrap();
    assert_eq!((head.n, head.snapshot), (last.next - 1, Some(n)));
}

#[test]
fn a_restart_goes_on_where_the_log_ends() {
    let place = Place::of(&recording("trading_day"));
    let first = place.ship().unwrap();
    let again = place.ship().unwrap();
    assert!(first.progress.transactions > 1000, "{first:?}");
    assert_eq!((again.progress.transactions, again.progress.packs), (0, 0));
    // The seal took a number.
    assert_eq!(again.next, first.next + 1);
    assert!(
        place.receive().news.iter().all(|news| !matches!(news, News::Base { .. } | News::Dropped { .. }))
    );
}

#[test]
fn a_log_that_was_rewritten_is_seen_and_stops_its_table_alone() {
    let recording = whole();
    let place = Place::of(&recording);
    place.ship().unwrap();
    let v1 = |token: &TableToken| {
        let log = SequencerLog::open(&recording.files, &token.dir).unwrap();
        log.version == LogVersion::V1 && log.max_txn > 1 && read_table(&recording.files, token).is_ok()
    };
    let token = place.tables().into_iter().find(v1).expect("a table with a log");
    let path = place.db().join(&token.dir).join("txn_seq/_txnlog");
    let mut log = fs::read(&path).unwrap();
    let last = u64::from_le_bytes(log[4..12].try_into().unwrap()) as usize;
    log[76 + 28 * (last - 1) + 20] ^= 1;
    fs::write(&path, &log).unwrap();
    let report = place.ship().unwrap();
    let why = report.stopped.get(&token.name).expect("the table is stopped");
    assert!(why.contains(&format!("from transaction {last} on")) && why.contains("--rebase"), "{why}");
    assert_eq!(report.stopped.len(), 1);
    // An operator has it sent anew.
    let options = Options { rebase: vec![token.name.clone()], ..place.options() };
    let (report, lines) = place.ship_with(options);
    assert!(report.unwrap().stopped.is_empty(), "{lines:?}");
    assert!(place.receive().base(&token.dir).is_some());
    assert!(place.ship().unwrap().stopped.is_empty());
}

#[test]
fn a_shorter_log_is_seen() {
    let place = Place::of(&recording("trading_day"));
    place.ship().unwrap();
    let token = place.tables().remove(0);
    let path = place.db().join(&token.dir).join("txn_seq/_txnlog");
    let mut log = fs::read(&path).unwrap();
    log[4..12].copy_from_slice(&3u64.to_le_bytes());
    fs::write(&path, &log).unwrap();
    let report = place.ship().unwrap();
    assert!(report.stopped[&token.name].contains("from transaction 4 on"), "{report:?}");
}

#[test]
fn another_shipper_takes_over_and_the_first_one_learns_of_it() {
    let place = Place::of(&recording("live"));
    let token = place.tables().remove(0);
    let log = place.db().join(&token.dir).join("txn_seq/_txnlog");
    let last = SequencerLog::open(&DiskFiles::open(place.db()).unwrap(), &token.dir).unwrap().max_txn;
    let end_at = |last: u64| {
        let mut bytes = fs::read(&log).unwrap();
        bytes[4..12].copy_from_slice(&last.to_le_bytes());
        fs::write(&log, bytes).unwrap();
    };
    end_at(last - 1);
    let ran = place.root.path().join("ran");
    let lines = Arc::new(Lines::default());
    run(async {
        let on_fence = Some(format!("touch {}", ran.display()));
        let following = Options { once: false, on_fence, ..place.options() };
        let first = ship(following, place.bucket(), lines.clone(), std::future::pending());
        let second = async {
            while !lines.0.lock().unwrap().iter().any(|line| line.starts_with("shipping ")) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            tokio::time::sleep(Duration::from_millis(300)).await;
            // The same database, somewhere else.
            let own = place.root.path().join("b/understudy-ship");
            let other = Options { own, name: "b".into(), ..place.options() };
            let second =
                ship(other, place.bucket(), Arc::new(Lines::default()), std::future::pending()).await;
            assert!(!second.unwrap().fenced);
            // The first one has something to send, and can't.
            end_at(last);
        };
        let (first, ()) = tokio::join!(first, second);
        let first = first.unwrap();
        assert!(first.fenced, "{first:?}");
        let reports = divergent(&place.bucket()).await.unwrap();
        let [(_, report)] = &reports[..] else { panic!("{reports:?}") };
        let [table] = &report.tables[..] else { panic!("{report:?}") };
        assert_eq!((&table.directory, table.first, table.last), (&token.dir, last, last));
        assert!(table.rows.is_some() && table.committed_us.is_some(), "{table:?}");
    });
    assert!(ran.exists(), "the command for being fenced");
    assert!(lines.0.lock().unwrap().iter().any(|line| line.starts_with("FENCED: ")));
}

/// The file of the registry that counts.
fn newest_registry(files: &DiskFiles) -> String {
    let names = files.list("").unwrap().unwrap();
    names.into_iter().filter(|name| name.starts_with("tables.d.")).max().unwrap()
}

/// Another name for a table, as a registry tells it.
fn grow(place: &Place) {
    let files = DiskFiles::open(place.db()).unwrap();
    let mut tables = Registry::read(&files).unwrap().tables;
    let newest = newest_registry(&files);
    for table in tables.iter_mut().filter(|table| !table.dropped) {
        table.name.push_str("_renamed");
    }
    fs::write(place.db().join(newest), understudy::table::files::encode_registry(&tables)).unwrap();
}

#[test]
fn a_bucket_of_another_database_is_refused() {
    let place = Place::of(&recording("trading_day"));
    place.ship().unwrap();
    let other = Place::of(&recording("alltypes"));
    let options =
        Options { db: other.db(), own: other.root.path().join("a/understudy-ship"), ..place.options() };
    let (report, _) = place.ship_with(options);
    assert!(report.unwrap_err().message.contains("another database") || !other.tables().is_empty());
}

#[test]
fn a_registry_that_is_not_written_yet_is_waited_for() {
    let place = Place::of(&recording("trading_day"));
    let tables = Registry::read(&DiskFiles::open(place.db()).unwrap()).unwrap().tables;
    let path = place.db().join("tables.d.0");
    fs::write(&path, [0; 4096]).unwrap();
    let server = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(500));
        fs::write(&path, understudy::table::files::encode_registry(&tables)).unwrap();
    });
    let report = place.ship().unwrap();
    server.join().unwrap();
    assert!(report.progress.transactions > 1000, "{report:?}");
}

#[test]
fn tables_that_are_dropped_or_renamed_are_told() {
    let place = Place::of(&recording("trading_day"));
    place.ship().unwrap();
    let tables = place.tables();
    grow(&place);
    let files = DiskFiles::open(place.db()).unwrap();
    let newest = newest_registry(&files);
    let mut registered = Registry::read(&files).unwrap().tables;
    registered.iter_mut().find(|token| token.dir == tables[0].dir).unwrap().dropped = true;
    let listed: Vec<TableToken> = registered.into_iter().filter(|token| !token.dropped).collect();
    fs::remove_dir_all(place.db().join(&tables[0].dir)).unwrap();
    fs::write(place.db().join(newest), understudy::table::files::encode_registry(&listed)).unwrap();
    place.ship().unwrap();
    let news = place.receive().news;
    let dropped: Vec<&News> = news.iter().filter(|news| matches!(news, News::Dropped { .. })).collect();
    assert_eq!(dropped, [&News::Dropped { dir: tables[0].dir.clone() }]);
    let renamed =
        news.iter().filter(|news| matches!(news, News::Renamed { to, .. } if to.ends_with("_renamed")));
    assert!(renamed.count() >= tables.len() - 1);
    assert!(!place.root.path().join("a/understudy-ship/links").join(&tables[0].dir).exists());
}
