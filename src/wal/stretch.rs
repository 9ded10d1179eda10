use super::check::{self, Aux};
use super::path::check_component;
use super::segment::first_range;
use super::{DataEvent, Error, Files, MetaColumn, Result, SegmentId, SequencerMeta, Tag, WalColumn};
use bytes::Bytes;
use std::sync::Arc;

/// Rows of a segment beyond this are a contradiction; see [`read_commit`](super::read_commit).
const MAX_ROW: u64 = 1 << 48;

/// The rows of neighbouring commits of one segment, read a column at a time.
///
/// A backlog of small commits costs then one read per column, not one per column and commit.
#[derive(Debug, Clone)]
pub struct Stretch {
    dir: String,
    meta: Arc<SequencerMeta>,
    events: Vec<DataEvent>,
}

impl Stretch {
    /// A stretch of one commit.
    ///
    /// # Errors
    /// [`Error::Damaged`] for an event whose rows or symbols can't be those of the segment.
    pub fn new(
        table_dir: &str,
        segment: SegmentId,
        meta: Arc<SequencerMeta>,
        event: DataEvent,
    ) -> Result<Self> {
        let dir = segment.dir(table_dir);
        check_event(&dir, &meta, &event)?;
        Ok(Self { dir, meta, events: vec![event] })
    }

    /// Adds the next commit of the segment; gives it back where its rows don't follow.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn push(&mut self, event: DataEvent) -> Result<Option<DataEvent>> {
        if event.row_lo != self.row_hi() {
            return Ok(Some(event));
        }
        check_event(&self.dir, &self.meta, &event)?;
        self.events.push(event);
        Ok(None)
    }

    /// The commits, in order.
    pub fn events(&self) -> &[DataEvent] {
        &self.events
    }

    /// The segment's columns.
    pub fn meta(&self) -> &SequencerMeta {
        &self.meta
    }

    /// Number of rows.
    pub fn rows(&self) -> u64 {
        self.row_hi() - self.row_lo()
    }

    /// Bytes of the rows, as [`column`](Self::column) reads them.
    ///
    /// # Errors
    /// What reading the offsets of variable-size columns answers.
    pub fn bytes(&self, files: &dyn Files) -> Result<u64> {
        let mut bytes = 0u64;
        for (index, column) in self.meta.columns.iter().enumerate().filter(|(_, column)| !column.dropped) {
            bytes = bytes.saturating_add(self.column_bytes(files, index, column)?);
        }
        Ok(bytes)
    }

    /// Reads and validates a column; `None` for one that is dropped or that the segment does not have.
    ///
    /// # Errors
    /// Those of [`read_commit`](super::read_commit).
    pub fn column(&self, files: &dyn Files, index: usize) -> Result<Option<WalColumn>> {
        let Some(column) = self.meta.columns.get(index).filter(|column| !column.dropped) else {
            return Ok(None);
        };
        check_component(format_args!("{}/_meta", self.dir), &column.name)?;
        let designated = Some(index) == self.meta.timestamp;
        let (file, offset, len) = first_range(&self.dir, column, designated, self.row_lo()..self.row_hi());
        if self.rows() == 0 {
            return Ok(None);
        }
        let bytes = files.read(&file, offset, len)?;
        if designated {
            self.each_event(&bytes, 16, |event, at, bytes| {
                check::designated(&file, offset + at, bytes, event)
            })?;
            return Ok(Some(WalColumn::Designated(bytes)));
        }
        if let Some(width) = column.ty.fixed_size() {
            if column.ty.is_symbol() {
                self.each_event(&bytes, width, |event, at, bytes| {
                    let diff = event.symbols.iter().find(|diff| diff.column == index);
                    check::symbol_keys(&file, offset + at, bytes, diff)
                })?;
            }
            return Ok(Some(WalColumn::Fixed { ty: column.ty, values: bytes }));
        }
        self.variable(files, column, &file, offset, bytes).map(Some)
    }

    fn variable(
        &self,
        files: &dyn Files,
        column: &MetaColumn,
        file: &str,
        offset: u64,
        bytes: Bytes,
    ) -> Result<WalColumn> {
        let (base, end) = check::data_range(column.ty, file, offset, &bytes)?;
        let data_file = super::path::column_file(&self.dir, &column.name, "d");
        let data = if base == end { Bytes::new() } else { files.read(&data_file, base, end - base)? };
        let aux = Aux { file, offset, bytes: &bytes };
        let values = Aux { file: &data_file, offset: base, bytes: &data };
        match column.ty.tag() {
            Tag::String => check::strings(&aux, &values)?,
            Tag::Binary => check::binaries(&aux, &values)?,
            Tag::Varchar => check::varchars(&aux, &values)?,
            _ => check::arrays(&aux, &values, column.ty.array_dims())?,
        }
        Ok(WalColumn::Var { ty: column.ty, aux: bytes, data, base })
    }

    fn column_bytes(&self, files: &dyn Files, index: usize, column: &MetaColumn) -> Result<u64> {
        let designated = Some(index) == self.meta.timestamp;
        check_component(format_args!("{}/_meta", self.dir), &column.name)?;
        let (file, offset, len) = first_range(&self.dir, column, designated, self.row_lo()..self.row_hi());
        if designated || column.ty.fixed_size().is_some() || self.rows() == 0 {
            return Ok(len);
        }
        let entry = if matches!(column.ty.tag(), Tag::String | Tag::Binary) { 8 } else { 16 };
        let mut ends = files.read(&file, offset, entry)?.to_vec();
        ends.extend_from_slice(&files.read(&file, offset + len - entry, entry)?);
        let (base, end) = check::data_range(column.ty, &file, offset, &ends)?;
        Ok(len.saturating_add(end - base))
    }

    /// Calls `check` with each commit, the offset of its values in `bytes`, and these values.
    fn each_event(
        &self,
        bytes: &[u8],
        width: usize,
        mut check: impl FnMut(&DataEvent, u64, &[u8]) -> Result<()>,
    ) -> Result<()> {
        let mut at = 0;
        for event in &self.events {
            let len = (event.row_hi - event.row_lo) as usize * width;
            check(event, at as u64, bytes.get(at..at + len).unwrap_or_default())?;
            at += len;
        }
        Ok(())
    }

    fn row_lo(&self) -> u64 {
        self.events.first().map_or(0, |event| event.row_lo)
    }

    fn row_hi(&self) -> u64 {
        self.events.last().map_or(0, |event| event.row_hi)
    }
}

fn check_event(dir: &str, meta: &SequencerMeta, event: &DataEvent) -> Result<()> {
    if event.row_hi > MAX_ROW {
        let found = format_args!("{} to {}", event.row_lo, event.row_hi);
        return Err(Error::damaged(&format!("{dir}/_event"), 0, "a possible range of rows", found));
    }
    check::symbol_diffs(dir, meta, event)
}
