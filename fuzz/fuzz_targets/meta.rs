//! Both kinds of `_meta`, of sequencer and segment and of the table, and `_txn`.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use understudy::wal::{Applied, MemoryFiles, SequencerMeta, TableMeta};
use understudy_fuzz::within_memory;

fuzz_target!(|bytes: &[u8]| {
    let _ = within_memory(bytes.len(), || SequencerMeta::decode("t~1/txn_seq/_meta", bytes));
    let _ = within_memory(bytes.len(), || TableMeta::decode("t~1/_meta", bytes));
    let mut files = MemoryFiles::default();
    files.insert("t~1/_txn", Bytes::copy_from_slice(bytes));
    let _ = within_memory(bytes.len(), || Applied::read(&files, "t~1"));
});
