//! A bucket that is watched reads as the database that it was made of, whatever memory there is for its objects.

use crate::cluster_made::{Bucket, Plan};
use crate::common::{Recording, csv, recording, recordings};
use bytes::Bytes;
use std::cell::RefCell;
use std::collections::BTreeMap;
use understudy::ledger::*;
use understudy::replay::{History, Player, tables};
use understudy::wal::{self, Files, TableToken};

const PLAIN: Plan =
    Plan { pack: 40, seal_after: usize::MAX, copied: None, cleaned: false, snapshot_after: 0 };

#[test]
fn every_recording_replays_from_a_watched_bucket() {
    let (mut compared, mut asked_again) = (0, 0);
    for (name, recording) in recordings() {
        let bucket = Bucket::of(&recording, Plan { pack: 9, seal_after: 3, ..PLAIN });
        // No room at all: each object is asked for again and again.
        for memory in [1 << 30, 0] {
            let watched = Watched::open(&bucket, memory);
            for token in tables(&watched).unwrap() {
                let (found, expected) =
                    (play(&watched, &token, u64::MAX), play(&recording.files, &token, u64::MAX));
                assert_eq!(found, expected, "{name}: {}", token.dir);
                compared += 1;
            }
            asked_again += watched.state.borrow().asked_again;
        }
    }
    assert!(compared > 80, "{compared} tables");
    assert!(asked_again > 100, "nothing was let go");
}

#[test]
fn a_table_goes_on_behind_its_copy() {
    let recording = recording("trading_day");
    let bucket = Bucket::of(&recording, Plan { copied: Some(("trades", 500)), ..PLAIN });
    let watched = Watched::open(&bucket, 1 << 20);
    let token = named(&watched, "trades");
    let history = History::read(&watched, &token).unwrap();
    assert_eq!((history.first_state(), history.survey.first_readable), (Some(500), 501));
    for seq_txn in [500, 501, 700, u64::MAX] {
        assert_eq!(play(&watched, &token, seq_txn), play(&recording.files, &token, seq_txn), "at {seq_txn}");
    }
}

#[test]
fn what_was_cleaned_is_in_the_snapshot() {
    let recording = recording("trading_day");
    let bucket = Bucket::of(&recording, Plan { cleaned: true, seal_after: 5, ..PLAIN });
    let watched = Watched::open(&bucket, 1 << 20);
    let watch = &watched.state.borrow().watch;
    assert_eq!(watch.begins_at(), bucket.point.next.n);
    assert!(watch.catalog().passed().is_empty());
    assert_eq!(watch.point(), &bucket.point);
    let mut compared = 0;
    for token in tables(&recording.files).unwrap() {
        if History::read(&recording.files, &token).is_ok_and(|history| history.is_replayable()) {
            let token = named_dir(&bucket, &token.dir);
            let fresh = Watched::open(&bucket, 1 << 20);
            assert_eq!(play(&fresh, &token, u64::MAX), play(&recording.files, &token, u64::MAX));
            compared += 1;
        }
    }
    assert!(compared > 2);
}

#[test]
fn a_correction_leaves_what_the_log_told_before_to_be_looked_at() {
    let recording = recording("trading_day");
    let mut bucket = Bucket::of(&recording, PLAIN);
    let token = named(&recording.files, "trades");
    let last = History::read(&recording.files, &token).unwrap().txn_count();
    let what = bucket.copied_again(&recording, &token, last);
    bucket.pack(Pack { tables: vec![what], ..Pack::default() }, 0);
    let watched = Watched::open(&bucket, 1 << 20);
    assert_eq!(play(&watched, &token, u64::MAX), play(&recording.files, &token, u64::MAX));
    let before = named(&watched, &format!("trades until txn {last}"));
    let (_, digest, rows) = play(&watched, &before, 300);
    assert_eq!((digest, rows), {
        let (_, d, r) = play(&recording.files, &token, 300);
        (d, r)
    });
}

#[test]
fn copies_that_follow_each_other_in_one_pack_keep_their_own_files() {
    let recording = recording("trading_day");
    let mut bucket = Bucket::of(&recording, Plan { copied: Some(("trades", 500)), ..PLAIN });
    let token = named(&recording.files, "trades");
    let last = History::read(&recording.files, &token).unwrap().txn_count();
    let first = bucket.copied_again(&recording, &token, 600);
    let run = bucket.run_of(&recording, &token, 601, 700);
    let second = bucket.copied_again(&recording, &token, last);
    bucket.pack(Pack { tables: vec![first, run, second], ..Pack::default() }, 0);
    let watched = Watched::open(&bucket, 1 << 20);
    assert_eq!(play(&watched, &token, u64::MAX), play(&recording.files, &token, u64::MAX));
    let between = named(&watched, "trades until txn 700");
    assert_eq!(History::read(&watched, &between).unwrap().txn_count(), 700);
    for seq_txn in [600, 650, 700] {
        let (_, digest, rows) = play(&watched, &between, seq_txn);
        let (_, expected, expected_rows) = play(&recording.files, &token, seq_txn);
        assert_eq!((digest, rows), (expected, expected_rows), "at {seq_txn}");
    }
}

#[test]
fn the_history_of_the_cluster_is_told() {
    let bucket = Bucket::of(&recording("trading_day"), Plan { seal_after: 4, ..PLAIN });
    let watched = Watched::open(&bucket, 0);
    let state = watched.state.borrow();
    let passed = state.watch.catalog().passed();
    assert_eq!(passed.len() as u64, bucket.point.next.n);
    assert!(passed.iter().zip(0..).all(|(passed, n)| passed.place.n == n));
    let seals: Vec<u64> =
        passed.iter().filter(|passed| passed.kind != Kind::Pack).map(|passed| passed.place.n).collect();
    assert_eq!(seals, [5]);
    assert!(passed.iter().skip(6).all(|passed| passed.place.dir.term == Term(2)));
    assert!(passed[0].tables.iter().all(|(_, what)| *what == Happened::Created));
}

#[test]
fn what_the_history_does_not_name_is_refused() {
    let bucket = Bucket::of(&recording("ooo"), PLAIN);
    let watched = Watched::open(&bucket, 1 << 30);
    let mut state = watched.state.borrow_mut();
    let place = state.watch.catalog().passed()[1].place;
    let mut wrong = bucket.objects[&place.key().to_string()].to_vec();
    wrong[200] ^= 1;
    let catalog = state.watch.catalog_mut();
    assert!(catalog.put(place.key(), wrong.into()).is_err());
    assert!(catalog.put(Key::Blob(Sum::ZERO), Bytes::from_static(b"x")).is_err());
    assert!(catalog.put(Key::Head, Bytes::from_static(b"{}")).is_err());
}

#[test]
fn a_damaged_pack_stops_the_watch_and_says_where() {
    let mut bucket = Bucket::of(&recording("ooo"), PLAIN);
    let key = Place { dir: bucket.point.next.dir, n: 1 }.key().to_string();
    let mut bytes = bucket.objects[&key].to_vec();
    bytes[150] ^= 1;
    bucket.objects.insert(key.clone(), bytes.into());
    let mut state = State::of(&bucket, 1 << 20);
    let Some(error) = state.follow() else { panic!("it went on") };
    assert!(error.to_string().contains(&key), "{error}");
}

#[test]
fn a_copy_that_is_missing_breaks_its_table_alone() {
    let recording = recording("trading_day");
    let mut bucket = Bucket::of(&recording, Plan { copied: Some(("trades", 500)), ..PLAIN });
    bucket.objects.retain(|key, _| !key.starts_with("blob/"));
    let watched = Watched::open(&bucket, 1 << 20);
    let state = watched.state.borrow();
    let broken: Vec<_> = state.watch.catalog().broken().collect();
    assert_eq!(broken.len(), 1);
    assert!(broken[0].1.contains("not in the bucket"), "{broken:?}");
}

#[test]
fn one_that_the_cleaner_overtook_goes_on_behind_the_snapshot() {
    let recording = recording("trading_day");
    let bucket = Bucket::of(&recording, Plan { cleaned: true, ..PLAIN });
    let whole = Bucket::of(&recording, PLAIN);
    let mut state = State::of(&whole, 1 << 20);
    // Half of the log was there, then the rest was cleaned.
    for n in 5..bucket.point.next.n {
        state.objects.remove(&Place { dir: bucket.point.next.dir, n }.key().to_string());
    }
    assert!(state.follow().is_none());
    let before = state.watch.catalog_mut().changes().len();
    assert!(before > 10 && state.watch.point().next.n == 5);
    state.objects = bucket.objects.clone();
    state.watch.again(true);
    assert!(state.follow().is_none());
    assert_eq!(state.watch.point(), &bucket.point);
    let gone = state.watch.catalog_mut().changes().into_iter().filter(|(_, there)| !there).count();
    assert!(gone > 10, "{gone} files went");
    let watched = Watched { state: RefCell::new(state) };
    let token = named(&watched, "trades");
    assert_eq!(play(&watched, &token, u64::MAX), play(&recording.files, &token, u64::MAX));
}

/// Leaves buckets below `UNDERSTUDY_BUCKETS` for the browser's tests, with what each table holds at some transactions.
#[test]
fn buckets_for_the_page() {
    let Some(out) = std::env::var_os("UNDERSTUDY_BUCKETS").map(std::path::PathBuf::from) else {
        return;
    };
    let recording = recording("trading_day");
    let plans = [
        ("plain", Plan { seal_after: 20, ..PLAIN }),
        ("copied", Plan { copied: Some(("trades", 500)), ..PLAIN }),
        ("cleaned", Plan { cleaned: true, ..PLAIN }),
        ("snapshot", Plan { snapshot_after: 30, ..PLAIN }),
    ];
    let altered = altered(&recording);
    let buckets = plans.map(|(name, plan)| (name, Bucket::of(&recording, plan)));
    for (name, bucket) in buckets.into_iter().chain([("altered", Bucket::of(&altered, PLAIN))]) {
        for (key, bytes) in &bucket.objects {
            let path = out.join(name).join(key);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
    }
    let mut expected = Vec::new();
    for token in tables(&recording.files).unwrap() {
        let Ok(history) = History::read(&recording.files, &token) else { continue };
        let last = history.txn_count();
        for seq_txn in [last / 3, last / 2 + 1, last] {
            let (_, digest, rows) = play(&recording.files, &token, seq_txn);
            let rows = String::from_utf8(rows).unwrap();
            let count = rows.lines().count() - 1;
            expected.push(serde_json::json!({
                "dir": token.dir, "name": token.name, "last": last, "seqTxn": seq_txn, "digest": digest,
                "rows": count, "first": rows.lines().take(6).collect::<Vec<_>>(),
            }));
        }
    }
    std::fs::write(out.join("expected.json"), serde_json::to_vec(&expected).unwrap()).unwrap();
    let differ = first_difference(&recording, &altered, "trades");
    std::fs::write(out.join("altered.json"), serde_json::to_vec(&differ).unwrap()).unwrap();
}

/// The same history but for one price.
fn altered(recording: &Recording) -> Recording {
    let mut altered = recording.clone();
    let path = "trades~7/wal2/1/price.d";
    let len = recording.files.len(path).unwrap();
    let mut prices = recording.files.read(path, 0, len).unwrap().to_vec();
    let at = prices.len() / 16 * 8;
    prices[at..at + 8].copy_from_slice(&1.25f64.to_le_bytes());
    altered.files.insert(path, prices);
    altered
}

/// The first transaction after which a table of two histories differs.
fn first_difference(one: &Recording, other: &Recording, name: &str) -> serde_json::Value {
    let token = named(&one.files, name);
    let at = |recording: &Recording, seq_txn| {
        let mut player = Player::new(History::read(&recording.files, &token).unwrap()).unwrap();
        player.seek(&recording.files, seq_txn).unwrap();
        player.table().digest().to_string()
    };
    let last = History::read(&one.files, &token).unwrap().txn_count();
    let (mut equal, mut differs) = (0, last);
    assert_ne!(at(one, last), at(other, last));
    while differs - equal > 1 {
        let middle = equal.midpoint(differs);
        *if at(one, middle) == at(other, middle) { &mut equal } else { &mut differs } = middle;
    }
    serde_json::json!({ "dir": token.dir, "first": differs, "last": last })
}

fn named(files: &dyn Files, name: &str) -> TableToken {
    tables(files).unwrap().into_iter().find(|token| token.name == name).expect("the table is there")
}

fn named_dir(bucket: &Bucket, dir: &str) -> TableToken {
    let watched = Watched::open(bucket, 0);
    tables(&watched).unwrap().into_iter().find(|token| token.dir == dir).expect("the table is there")
}

fn play(files: &dyn Files, token: &TableToken, seq_txn: u64) -> (String, String, Vec<u8>) {
    let history = History::read(files, token).unwrap_or_else(|error| panic!("{}: {error}", token.dir));
    let mut player = Player::new(history).unwrap();
    player.seek(files, seq_txn).unwrap_or_else(|error| panic!("{}: {error}", token.dir));
    let table = player.table();
    (format!("{:?}", table.standing), table.digest().to_string(), csv(table))
}

/// The files of a watched bucket, which waits for nothing.
struct Watched {
    state: RefCell<State>,
}

struct State {
    watch: Watch,
    objects: BTreeMap<String, Bytes>,
    asked_again: u64,
}

impl State {
    fn of(bucket: &Bucket, memory: u64) -> Self {
        let objects = bucket.objects.clone();
        let cluster = Cluster::read(Key::Cluster, &objects["cluster.json"]).unwrap();
        Self { watch: Watch::of(&cluster, memory), objects, asked_again: 0 }
    }

    /// Reads the log to its end; the error if it stops before.
    fn follow(&mut self) -> Option<Error> {
        loop {
            match self.watch.next() {
                Step::Idle => return None,
                Step::Stopped(error) => return Some(error),
                Step::Get(key) => {
                    let answer = match self.objects.get(&key.to_string()) {
                        Some(bytes) => GetAnswer::Found(bytes.clone()),
                        None => GetAnswer::NotFound,
                    };
                    self.watch.give(&answer);
                }
            }
        }
    }
}

impl Watched {
    fn open(bucket: &Bucket, memory: u64) -> Self {
        let mut state = State::of(bucket, memory);
        if let Some(error) = state.follow() {
            panic!("{error}");
        }
        Self { state: RefCell::new(state) }
    }
}

impl Files for Watched {
    fn read(&self, path: &str, offset: u64, len: u64) -> wal::Result<Bytes> {
        let mut state = self.state.borrow_mut();
        let state = &mut *state;
        let mut out = Vec::new();
        let end = offset + len;
        while offset + (out.len() as u64) < end {
            let catalog = state.watch.catalog_mut();
            match catalog.read(path, offset + out.len() as u64, end) {
                Ok(bytes) => out.extend_from_slice(&bytes),
                Err(wal::Error::Pending) => {
                    for key in catalog.wanted().into_iter().rev() {
                        catalog.put(key, state.objects[&key.to_string()].clone()).unwrap();
                        state.asked_again += 1;
                    }
                }
                Err(error) => return Err(error),
            }
        }
        if len == 0 {
            self::exists(&state.watch, path)?;
        }
        Ok(out.into())
    }

    fn len(&self, path: &str) -> wal::Result<u64> {
        exists(&self.state.borrow().watch, path)
    }

    fn list(&self, dir: &str) -> wal::Result<Option<Vec<String>>> {
        Ok(Some(self.state.borrow().watch.catalog().names(dir)))
    }
}

fn exists(watch: &Watch, path: &str) -> wal::Result<u64> {
    watch.catalog().len(path).ok_or_else(|| wal::Error::Absent { file: path.into() })
}

impl Bucket {
    /// The news of these transactions.
    fn run_of(&self, recording: &Recording, token: &TableToken, first: u64, last: u64) -> TableEntry {
        let run = crate::cluster_made::run(&recording.files, &token.dir, first, last);
        let token =
            Token { dir: token.dir.clone(), id: token.id, name: token.name.clone(), kind: token.kind };
        TableEntry { token, what: What::Transactions(run) }
    }

    /// The news that a table starts anew from a copy of this recording.
    fn copied_again(&mut self, recording: &Recording, token: &TableToken, seq_txn: u64) -> TableEntry {
        let what = self.copy_of(&recording.files, token, seq_txn);
        let token =
            Token { dir: token.dir.clone(), id: token.id, name: token.name.clone(), kind: token.kind };
        TableEntry { token, what }
    }
}
