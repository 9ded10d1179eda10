//! A segment of our own, whose events have no rows.
//!
//! The sequencer's log is published before `_txn`. For the moment between the two, each record that it is
//! ahead by must be one that QuestDB can apply with the right result: nothing, as the rows are in the
//! table's own files by then. Each such record points at an event of its own: the server goes through a segment's
//! events in their order, and each but once.

use super::out::Out;
use super::{Patch, encode_segment_meta};
use crate::wal::{SegmentId, SequencerMeta, Tag};

/// A record's length, transaction and kind, then the numbers of a commit and the end of its symbols.
const RECORD: u32 = 50;
/// The earliest timestamp of no rows. For a table without partitions the server takes it for the latest it has, and whatever
/// is written next would wait, unseen, for later rows if that were the greatest number of all (`WalTxnDetails`, 9.3.4).
const NEVER: i64 = i64::MAX - 1;
/// Header of `_event`.
const FIRST: u32 = 8;

/// The files of segment `id`, relative to the table's directory, for a table of these columns. Its events are
/// transactions 0 to `count` - 1 of the segment.
pub fn empty_segment(meta: &SequencerMeta, id: SegmentId, count: u32) -> Vec<Patch> {
    let dir = format!("wal{}/{}", id.wal, id.segment);
    let mut out = Vec::with_capacity(meta.columns.len() + 3);
    for column in meta.columns.iter().filter(|column| !column.dropped) {
        let file = |ext: &str| format!("{dir}/{}.{ext}", column.name);
        out.push(Patch::new(file("d"), 0, Vec::new()));
        match column.ty.tag() {
            // Begins with the offset of the first value, be there one or not.
            Tag::String | Tag::Binary => out.push(Patch::new(file("i"), 0, vec![0; 8])),
            Tag::Varchar | Tag::Array => out.push(Patch::new(file("i"), 0, Vec::new())),
            _ => {}
        }
    }
    out.push(Patch::new(format!("{dir}/_meta"), 0, encode_segment_meta(meta)));
    out.push(Patch::new(format!("{dir}/_event"), 0, events(count)));
    let mut index = Out::with_capacity(8 * (count as usize + 1));
    (0..=i64::from(count)).for_each(|event| index.i64(i64::from(FIRST) + event * i64::from(RECORD)));
    out.push(Patch::new(format!("{dir}/_event.i"), 0, index.0));
    out
}

fn events(count: u32) -> Vec<u8> {
    let mut out = Out::with_capacity(FIRST as usize + (RECORD * count) as usize + 4);
    // Last transaction, format version.
    out.i32(count as i32 - 1);
    out.i32(0);
    for txn in 0..i64::from(count) {
        out.i32(RECORD as i32);
        out.i64(txn);
        out.byte(0);
        // Rows 0 to 0, and the timestamps of none.
        out.i64(0);
        out.i64(0);
        out.i64(NEVER);
        out.i64(-1);
        out.flag(false);
        // No symbols.
        out.i32(-1);
    }
    // No further record.
    out.i32(-1);
    out.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wal::{ColumnType, Event, Files, MemoryFiles, MetaColumn, read_event};

    fn column(name: &str, ty: ColumnType, dropped: bool) -> MetaColumn {
        MetaColumn { name: name.into(), ty, dropped }
    }

    #[test]
    fn reads_as_a_segment_with_a_commit_of_nothing() {
        let meta = SequencerMeta {
            structure_version: 2,
            columns: vec![
                column("ts", ColumnType::TIMESTAMP, false),
                column("old", ColumnType::LONG, true),
                column("v", ColumnType::VARCHAR, false),
            ],
            timestamp: Some(0),
            table_id: 9,
            read_order: None,
        };
        let id = SegmentId { wal: 3, segment: 1 };
        let mut files = MemoryFiles::default();
        for patch in empty_segment(&meta, id, 3) {
            files.insert(format!("t/{}", patch.file), patch.bytes);
        }
        assert_eq!(SequencerMeta::of_segment(&files, "t", id).unwrap(), meta);
        for txn in 0..3 {
            let Event::Data(event) = read_event(&files, "t", id, txn).unwrap() else { panic!("not rows") };
            assert_eq!((event.row_lo, event.row_hi, event.min_ts, event.max_ts), (0, 0, NEVER, -1));
            assert!(event.symbols.is_empty() && event.dedup_mode == 0 && !event.out_of_order);
        }
        assert!(read_event(&files, "t", id, 3).is_err());
        let names = files.list("t/wal3/1").unwrap().unwrap();
        assert_eq!(names, ["_event", "_event.i", "_meta", "ts.d", "v.d", "v.i"]);
    }
}
