//! Structural changes: an entry of `_txnlog.meta.d`, found through `_txnlog.meta.i`.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use understudy::wal::{MemoryFiles, decode_change, read_changes};
use understudy_fuzz::within_memory;

fuzz_target!(|bytes: &[u8]| {
    let _ = within_memory(bytes.len(), || decode_change("t~1/txn_seq/_txnlog.meta.d", 0, bytes));
    let (index, content) = bytes.split_at(bytes.len().min(40));
    let mut files = MemoryFiles::default();
    files.insert("t~1/txn_seq/_txnlog.meta.i", Bytes::copy_from_slice(index));
    files.insert("t~1/txn_seq/_txnlog.meta.d", Bytes::copy_from_slice(content));
    let _ = within_memory(bytes.len(), || read_changes(&files, "t~1", 0, 4));
});
