//! A reader behind a network asks for everything that it can before it waits, and for nothing that
//! it does not need.

use crate::common::recordings;
use bytes::Bytes;
use std::cell::RefCell;
use std::collections::BTreeSet;
use understudy::wal::{
    Error, Files, Layout, LayoutOptions, MemoryFiles, RawValue, Registry, Result, SequencerLog, Survey,
    TableKind, read_changes, read_transaction,
};

/// Answers [`Error::Pending`] the first time that something is asked for, as a browser has to.
pub(crate) struct Remote<'a> {
    files: &'a MemoryFiles,
    asked: RefCell<BTreeSet<String>>,
    fetched: RefCell<BTreeSet<String>>,
    bytes: RefCell<u64>,
}

impl<'a> Remote<'a> {
    pub(crate) fn new(files: &'a MemoryFiles) -> Self {
        Self { files, asked: RefCell::default(), fetched: RefCell::default(), bytes: RefCell::default() }
    }

    fn after_fetch<T>(&self, what: String, len: u64, answer: impl FnOnce() -> Result<T>) -> Result<T> {
        if self.fetched.borrow().contains(&what) {
            return answer();
        }
        if self.asked.borrow_mut().insert(what) {
            *self.bytes.borrow_mut() += len;
        }
        Err(Error::Pending)
    }

    /// Runs until nothing is pending and tells how often it had to wait.
    pub(crate) fn run<T>(&self, mut read: impl FnMut() -> Result<T>) -> (Result<T>, usize) {
        for waits in 0..20 {
            match read() {
                Err(Error::Pending) => self.fetched.borrow_mut().append(&mut self.asked.borrow_mut()),
                result => return (result, waits),
            }
        }
        panic!("still waiting for {:?}", self.asked);
    }
}

impl Files for Remote<'_> {
    fn read(&self, path: &str, offset: u64, len: u64) -> Result<Bytes> {
        self.after_fetch(format!("{path} {offset} {len}"), len, || self.files.read(path, offset, len))
    }

    fn len(&self, path: &str) -> Result<u64> {
        self.after_fetch(format!("{path} length"), 0, || self.files.len(path))
    }

    fn list(&self, _dir: &str) -> Result<Option<Vec<String>>> {
        Ok(None)
    }
}

#[test]
fn a_database_without_listing_opens_in_few_round_trips() {
    for (name, recording) in recordings() {
        let remote = Remote::new(&recording.files);
        let (registry, waits) = remote.run(|| Registry::read(&remote));
        assert!(waits <= 4, "{name}: {waits} waits for the registry");
        for token in registry.expect("a registry").tables {
            if token.kind == TableKind::Plain || recording.files.len(&format!("{}/_txn", token.dir)).is_err()
            {
                continue;
            }
            let (log, waits) = remote.run(|| SequencerLog::open(&remote, &token.dir));
            assert_eq!(waits, 1, "{name}");
            let log = log.expect("a log");
            let (survey, waits) = remote.run(|| Survey::read(&remote, &log));
            assert!(survey.expect("a survey").is_complete(), "{name}");
            assert!(waits <= 9, "{name} {}: {waits} waits for the survey", token.name);
        }
    }
}

#[test]
fn a_transaction_takes_four_round_trips_and_its_own_rows() {
    for (name, recording) in recordings() {
        for token in Registry::read(&recording.files).expect("a registry").tables {
            let Ok(log) = SequencerLog::open(&recording.files, &token.dir) else { continue };
            for record in log.records(&recording.files, 1..=40).expect("records") {
                let remote = Remote::new(&recording.files);
                let (transaction, waits) = remote.run(|| read_transaction(&remote, &token.dir, &record));
                transaction.expect("a transaction");
                assert!(waits <= 4, "{name} {} {}: {waits} waits", token.name, record.seq_txn);
                let text = |_, _: RawValue<'_>| String::new();
                let options = LayoutOptions { items: 3, text: &text };
                let (layout, waits) = remote.run(|| Layout::read(&remote, &log, &record, &options));
                layout.expect("a layout");
                assert!(waits <= 6, "{name} {} {}: {waits} waits for the layout", token.name, record.seq_txn);
            }
        }
    }
}

/// A log that promises more parts than anybody can ask for.
#[test]
fn hostile_counts_do_not_ask_for_ever() {
    let mut header = 1i32.to_le_bytes().to_vec();
    header.extend((1i64 << 56).to_le_bytes());
    header.extend(0i64.to_le_bytes());
    header.extend(1i32.to_le_bytes());
    header.resize(76, 0);
    let mut files = MemoryFiles::default();
    files.insert("t/txn_seq/_txnlog", header);
    let log = SequencerLog::open(&files, "t").expect("a log");
    let remote = Remote::new(&files);
    let (records, waits) = remote.run(|| log.records(&remote, 1..=log.max_txn));
    assert!(matches!(records, Err(Error::Absent { .. })) && waits == 1);
    let remote = Remote::new(&files);
    let (changes, waits) = remote.run(|| read_changes(&remote, "t", 0, i64::MAX));
    assert!(matches!(changes, Err(Error::Absent { .. })) && waits == 1);
}
