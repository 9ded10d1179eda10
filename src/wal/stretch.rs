use super::check::{self, Aux};
use super::path::check_component;
use super::segment::first_range;
use super::{DataEvent, Error, Files, MetaColumn, Result, SegmentId, SequencerMeta, Tag};
use std::sync::Arc;

/// Rows of a segment beyond this are a contradiction; see [`read_commit`](super::read_commit).
const MAX_ROW: u64 = 1 << 48;

/// The rows of neighbouring commits of one segment, read a column at a time.
///
/// A backlog of small commits costs then one read per column, not one per column and commit.
#[derive(Debug, Clone)]
pub struct Stretch {
    wal: u32,
    dir: String,
    meta: Arc<SequencerMeta>,
    events: Vec<DataEvent>,
}

/// Where the bytes of a column go.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ColumnBytes {
    /// Values of fixed size (of the designated timestamp 16 bytes each), or what `.d` has of variable-size ones, of
    /// one stretch after the other.
    pub data: Vec<u8>,
    /// What `.i` has of variable-size values, of the last stretch.
    pub entries: Vec<u8>,
    /// Where in `.d` the last stretch begins: what its entries count from.
    pub base: u64,
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
        Ok(Self { wal: segment.wal, dir, meta, events: vec![event] })
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

    /// The writer whose segment it is.
    pub fn wal(&self) -> u32 {
        self.wal
    }

    /// The segment's columns.
    pub fn meta(&self) -> &SequencerMeta {
        &self.meta
    }

    /// Number of rows.
    pub fn rows(&self) -> u64 {
        self.row_hi() - self.row_lo()
    }

    /// Bytes of each column's rows, by position in [`meta`](Self::meta), as [`append_column`](Self::append_column) reads
    /// them.
    ///
    /// # Errors
    /// What reading the offsets of variable-size columns answers.
    pub fn bytes(&self, files: &dyn Files) -> Result<Vec<u64>> {
        let columns = self.meta.columns.iter().enumerate();
        columns
            .map(|(index, column)| match column.dropped {
                true => Ok(0),
                false => self.column_bytes(files, index, column),
            })
            .collect()
    }

    /// Reads and validates a column, behind what is in `to`; answers whether the segment has it, which it hasn't where
    /// it is dropped.
    ///
    /// # Errors
    /// Those of [`read_commit`](super::read_commit).
    pub fn append_column(&self, files: &dyn Files, index: usize, to: &mut ColumnBytes) -> Result<bool> {
        let Some(column) = self.meta.columns.get(index).filter(|column| !column.dropped) else {
            return Ok(false);
        };
        check_component(format_args!("{}/_meta", self.dir), &column.name)?;
        let designated = Some(index) == self.meta.timestamp;
        let (file, offset, len) = first_range(&self.dir, column, designated, self.row_lo()..self.row_hi());
        if self.rows() == 0 {
            return Ok(false);
        }
        let Some(width) = column.ty.fixed_size() else {
            to.entries.clear();
            files.read_into(&file, offset, len, &mut to.entries)?;
            return self.variable(files, column, &file, offset, to).map(|()| true);
        };
        let begun = to.data.len();
        files.read_into(&file, offset, len, &mut to.data)?;
        let bytes = to.data.get(begun..).unwrap_or_default();
        if designated {
            self.each_event(bytes, 16, |event, at, bytes| {
                check::designated(&file, offset + at, bytes, event)
            })?;
        } else if column.ty.is_symbol() {
            self.each_event(bytes, width, |event, at, bytes| {
                let diff = event.symbols.iter().find(|diff| diff.column == index);
                check::symbol_keys(&file, offset + at, bytes, diff)
            })?;
        }
        Ok(true)
    }

    fn variable(
        &self,
        files: &dyn Files,
        column: &MetaColumn,
        file: &str,
        offset: u64,
        to: &mut ColumnBytes,
    ) -> Result<()> {
        let (base, end) = check::data_range(column.ty, file, offset, &to.entries)?;
        let data_file = super::path::column_file(&self.dir, &column.name, "d");
        let begun = to.data.len();
        if base < end {
            files.read_into(&data_file, base, end - base, &mut to.data)?;
        }
        to.base = base;
        let aux = Aux { file, offset, bytes: &to.entries };
        let values = Aux { file: &data_file, offset: base, bytes: to.data.get(begun..).unwrap_or_default() };
        match column.ty.tag() {
            Tag::String => check::strings(&aux, &values),
            Tag::Binary => check::binaries(&aux, &values),
            Tag::Varchar => check::varchars(&aux, &values),
            _ => check::arrays(&aux, &values, column.ty.array_dims()),
        }
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
