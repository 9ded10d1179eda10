//! A segment's events: `_event` through its index, and the record by itself.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use understudy::wal::{Event, MemoryFiles, RawEvent, SegmentId, read_event};
use understudy_fuzz::within_memory;

fuzz_target!(|bytes: &[u8]| {
    // A record whose length and number are right, so that what is inside is reached.
    let mut record = (bytes.len() as i32 + 12).to_le_bytes().to_vec();
    record.extend(0i64.to_le_bytes());
    record.extend(bytes);
    let raw = RawEvent { file: "t~1/wal1/0/_event".into(), offset: 8, bytes: Bytes::from(record) };
    let event = within_memory(bytes.len(), || raw.decode(0));
    if let Ok(Event::Sql(sql)) = event {
        for bind in sql.indexed.iter().chain(sql.named.iter().map(|(_, bind)| bind)) {
            let _ = bind.decode();
        }
    }

    let (index, content) = bytes.split_at(bytes.len().min(24));
    let mut files = MemoryFiles::default();
    files.insert("t~1/wal1/0/_event.i", Bytes::copy_from_slice(index));
    files.insert("t~1/wal1/0/_event", Bytes::copy_from_slice(content));
    let _ = within_memory(bytes.len(), || read_event(&files, "t~1", SegmentId { wal: 1, segment: 0 }, 0));
});
