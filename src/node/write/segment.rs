//! The segment that a table's writer has open.

use super::Write;
use super::column::Filled;
use crate::table::Chunk;
use crate::table::chunk::{array_entry, array_span, varchar_offset, varchar_with_offset};
use crate::table::files::{EventRows, EventSymbols, encode_rows_event, encode_segment_meta};
use crate::wal::{SegmentId, SequencerMeta, Tag};
use bytes::Bytes;
use std::sync::Arc;

/// Header of `_event`.
const EVENTS: u64 = 8;

/// How far the files of a segment are written.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) id: SegmentId,
    /// The number of columns, dropped ones included, that it is for.
    pub(super) layout: usize,
    pub(super) rows: u64,
    /// Bytes of all columns.
    pub(super) bytes: u64,
    /// The next transaction.
    pub(super) txn: u32,
    dir: Arc<str>,
    meta: Bytes,
    events_end: u64,
    /// By writer index.
    files: Vec<Option<Files>>,
    names: [Arc<str>; 3],
}

#[derive(Debug)]
struct Files {
    data: Arc<str>,
    aux: Arc<str>,
    data_end: u64,
}

/// A commit's writes, and the pieces of files that a reader of it needs.
#[derive(Debug, Default)]
pub(super) struct Laid {
    pub(super) writes: Vec<Write>,
    pub(super) pieces: Vec<Write>,
}

impl Laid {
    fn both(&mut self, write: Write) {
        self.pieces.push(write.clone());
        self.writes.push(write);
    }
}

impl Segment {
    /// A new one for a table of these columns.
    pub(super) fn new(dir: &Arc<str>, id: SegmentId, meta: &SequencerMeta) -> Self {
        let folder = format!("wal{}/{}", id.wal, id.segment);
        let files = meta.columns.iter().map(|column| {
            let file = |ext: &str| format!("{folder}/{}.{ext}", column.name).into();
            (!column.dropped).then(|| Files { data: file("d"), aux: file("i"), data_end: 0 })
        });
        Self {
            id,
            layout: meta.columns.len(),
            rows: 0,
            bytes: 0,
            txn: 0,
            dir: dir.clone(),
            meta: encode_segment_meta(meta).into(),
            events_end: EVENTS,
            files: files.collect(),
            names: ["_meta", "_event", "_event.i"].map(|name| format!("{folder}/{name}").into()),
        }
    }

    fn write(&self, file: &Arc<str>, offset: u64, bytes: impl Into<Bytes>) -> Write {
        Write { dir: self.dir.clone(), file: file.clone(), offset, bytes: bytes.into() }
    }

    /// Appends a commit: its timestamps in the order of rows, and the columns by writer index, `None` for dropped ones and
    /// the designated timestamp, which is column `designated`.
    pub(super) fn append(
        &mut self,
        times: &[i64],
        columns: Vec<Option<Filled>>,
        meta: &SequencerMeta,
        out: &mut Laid,
    ) {
        let [meta_file, ..] = self.names.clone();
        let definition = self.write(&meta_file, 0, self.meta.clone());
        out.pieces.push(definition.clone());
        if self.txn == 0 {
            out.writes.push(definition);
        }
        let mut symbols = Vec::new();
        for (index, filled) in columns.into_iter().enumerate() {
            if Some(index) == meta.timestamp {
                self.append_times(index, times, out);
                continue;
            }
            let Some(filled) = filled else { continue };
            let tag = meta.columns.get(index).map(|column| column.ty.tag());
            self.append_column(index, filled.chunk, tag, out);
            if let Some((texts, has_null)) = filled.symbols
                && (has_null || !texts.is_empty())
            {
                symbols.push((index, has_null, texts));
            }
        }
        self.append_event(times, &symbols, out);
        self.rows += times.len() as u64;
        self.txn += 1;
    }

    fn append_times(&mut self, index: usize, times: &[i64], out: &mut Laid) {
        let mut pairs = Vec::with_capacity(times.len() * 16);
        for (row, time) in (self.rows..).zip(times) {
            pairs.extend_from_slice(&time.to_le_bytes());
            pairs.extend_from_slice(&row.to_le_bytes());
        }
        self.append_data(index, pairs, out);
    }

    fn append_data(&mut self, index: usize, bytes: Vec<u8>, out: &mut Laid) {
        let Some(Some(files)) = self.files.get_mut(index) else { return };
        let (file, offset) = (files.data.clone(), files.data_end);
        files.data_end += bytes.len() as u64;
        self.bytes += bytes.len() as u64;
        let write = self.write(&file, offset, bytes);
        if write.bytes.is_empty() {
            // The file has to be there.
            if self.txn == 0 {
                out.writes.push(write.clone());
            }
            out.pieces.push(write);
            return;
        }
        out.both(write);
    }

    fn append_column(&mut self, index: usize, chunk: Chunk, tag: Option<Tag>, out: &mut Laid) {
        let Some(Some(files)) = self.files.get(index) else { return };
        let (base, file, rows) = (files.data_end, files.aux.clone(), self.rows);
        let (mut data, entries, offset) = match chunk {
            Chunk::Fixed { values, .. } => return self.append_data(index, values, out),
            Chunk::Prefixed { aux, data } => {
                // The entry of the first row is there from the commit before.
                let entries: Vec<u8> = aux.iter().flat_map(|end| (base + end).to_le_bytes()).collect();
                (data, entries, rows * 8)
            }
            Chunk::Varchar { aux, data } => {
                let moved = aux.iter().map(|entry| varchar_with_offset(*entry, base + varchar_offset(entry)));
                (data, moved.flatten().collect(), rows * 16)
            }
            Chunk::Array { aux, data } => {
                let moved = aux.iter().map(|entry| {
                    let (offset, size) = array_span(entry);
                    array_entry(base + offset, size)
                });
                (data, moved.flatten().collect(), rows * 16)
            }
        };
        if tag == Some(Tag::Array) {
            // Elements begin at multiples of eight of the file.
            data.resize(data.len().next_multiple_of(8), 0);
        }
        self.append_data(index, data, out);
        self.bytes += entries.len() as u64;
        let write = self.write(&file, offset, entries);
        out.both(write);
    }

    fn append_event(&mut self, times: &[i64], symbols: &[(usize, bool, Vec<Box<str>>)], out: &mut Laid) {
        let columns: Vec<EventSymbols<'_>> = symbols
            .iter()
            .map(|(column, has_null, symbols)| EventSymbols { column: *column, has_null: *has_null, symbols })
            .collect();
        let rows = EventRows {
            lo: self.rows,
            hi: self.rows + times.len() as u64,
            min_ts: times.iter().copied().min().unwrap_or(i64::MAX - 1),
            max_ts: times.iter().copied().max().unwrap_or(-1),
            out_of_order: !times.is_sorted(),
        };
        let record = Bytes::from(encode_rows_event(self.txn, rows, &columns));
        let begin = self.events_end;
        let end = begin + record.len() as u64;
        let [_, event, index] = self.names.clone();
        let mut head = [0; 8];
        head[..4].copy_from_slice(&self.txn.to_le_bytes());
        let head = Bytes::copy_from_slice(&head);
        // Behind the record there is none; then its end, and last its number, which makes it count.
        let mut closed = record.to_vec();
        closed.extend_from_slice(&[0xff; 4]);
        out.writes.push(self.write(&event, begin, closed));
        let ends: Vec<u8> = [begin, end].into_iter().flat_map(u64::to_le_bytes).collect();
        let ends = self.write(&index, u64::from(self.txn) * 8, ends);
        out.both(ends);
        out.both(self.write(&event, 0, head));
        out.pieces.push(self.write(&event, begin, record));
        self.events_end = end;
    }
}
