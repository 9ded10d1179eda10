//! The sequencer log: header and records of `_txnlog`, and a part file of V2.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use understudy::wal::{MemoryFiles, SequencerLog};
use understudy_fuzz::within_memory;

fuzz_target!(|bytes: &[u8]| {
    let mut files = MemoryFiles::default();
    let (log, part) = bytes.split_at(bytes.len().min(400));
    files.insert("t~1/txn_seq/_txnlog", Bytes::copy_from_slice(log));
    files.insert("t~1/txn_seq/_txn_parts/0", Bytes::copy_from_slice(part));
    within_memory(bytes.len(), || {
        let Ok(log) = SequencerLog::open(&files, "t~1") else { return };
        let _ = log.first_record(&files);
        // A log may claim any number of transactions; a reader asks for as many as it can show.
        let _ = log.records(&files, 1..=log.max_txn.min(1_000));
        let _ = log.records(&files, log.max_txn.saturating_sub(3)..=log.max_txn);
        let _ = log.place(log.max_txn.max(1));
    });
});
