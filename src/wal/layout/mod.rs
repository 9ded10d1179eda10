//! One transaction down to its bytes: which file and offset holds what.
//!
//! Made for people: `inspect` prints it, the page lays it over a hex view. It therefore goes as far as
//! it can: what can't be read becomes a field that says why, and the rest goes on.

mod columns;
mod event;
mod log;
mod walk;

use super::cursor::Gather;
use super::{ColumnType, Error, Event, Files, Result, SequencerLog, SequencerMeta, TxnKind, TxnRecord};
use walk::Fields;

/// Where everything that belongs to one transaction is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// The transaction.
    pub seq_txn: u64,
    /// The files that it is in, in the order in which a reader comes to them.
    pub files: Vec<LayoutFile>,
    /// In order of file and offset; a field of greater `depth` is a part of the one before it.
    pub fields: Vec<LayoutField>,
    /// Rows, symbols or other items were left out.
    pub truncated: bool,
}

/// A file in [`Layout`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayoutFile {
    /// Relative to the database root.
    pub path: String,
    /// What it is, in words.
    pub role: String,
}

/// Some bytes and what they mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayoutField {
    /// Index into [`Layout::files`].
    pub file: usize,
    /// First byte.
    pub offset: u64,
    /// Number of bytes; 0 for something to say about this place.
    pub len: u64,
    /// Name, QuestDB's own where it has one.
    pub name: String,
    /// What the bytes say.
    pub value: String,
    /// 0 for a record, 1 for its fields, and so on.
    pub depth: usize,
}

/// One value as it lies in a segment's files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RawValue<'a> {
    /// A null STRING, VARCHAR, BINARY or ARRAY.
    Null,
    /// A fixed-size value, sentinels of null included; never of a SYMBOL.
    Fixed(&'a [u8]),
    /// STRING: UTF-16LE units.
    Utf16(&'a [u8]),
    /// VARCHAR or a symbol: UTF-8.
    Utf8(&'a [u8]),
    /// BINARY.
    Binary(&'a [u8]),
    /// ARRAY: `i32` dimension lengths and row-major `f64`.
    Array {
        /// One `i32` per dimension.
        dims: &'a [u8],
        /// The elements.
        values: &'a [u8],
    },
}

/// How values are to be shown, and how many.
pub struct LayoutOptions<'a> {
    /// Rows of each column, symbols of each diff.
    pub items: usize,
    /// The text of a value.
    pub text: &'a dyn Fn(ColumnType, RawValue<'_>) -> String,
}

impl Layout {
    /// Lays out the transaction of `record`.
    ///
    /// # Errors
    /// Only [`Error::Pending`]: anything else is said in a field.
    pub fn read(
        files: &dyn Files,
        log: &SequencerLog,
        record: &TxnRecord,
        options: &LayoutOptions<'_>,
    ) -> Result<Self> {
        let mut fields = Fields::new(options);
        let mut gather = Gather::default();
        let sequencer = log::record(files, log, record, &mut fields);
        part(&mut fields, &mut gather, sequencer)?;
        match record.kind {
            TxnKind::Structure => {
                let change = log::change(files, log.table_dir(), record.structure_version, &mut fields);
                part(&mut fields, &mut gather, change)?;
            }
            TxnKind::Drop => {}
            TxnKind::Wal { .. } => wal_transaction(files, log.table_dir(), record, &mut fields, &mut gather)?,
        }
        gather.done()?;
        Ok(fields.finish(record.seq_txn))
    }
}

fn wal_transaction(
    files: &dyn Files,
    table_dir: &str,
    record: &TxnRecord,
    fields: &mut Fields<'_>,
    gather: &mut Gather,
) -> Result<()> {
    let Some((segment, segment_txn)) = record.segment() else { return Ok(()) };
    let dir = segment.dir(table_dir);
    let meta = gather.add(SequencerMeta::of_segment(files, table_dir, segment)).unwrap_or(None);
    let designated = meta.as_ref().and_then(|meta| meta.columns.get(meta.timestamp?)).map(|column| column.ty);
    let event = event::event(files, table_dir, segment, segment_txn, designated, fields);
    let event = part(fields, gather, event)?;
    let bytes = log::segment_meta(files, &dir, fields);
    part(fields, gather, bytes)?;
    if let (Some(Event::Data(event)), Some(meta)) = (event, meta) {
        columns::columns(files, &dir, &event, &meta, fields, gather)?;
    }
    Ok(())
}

/// Keeps a pending answer for the end and turns another error into a field at the place to blame.
fn part<T>(fields: &mut Fields<'_>, gather: &mut Gather, result: Result<T>) -> Result<Option<T>> {
    match gather.add(result) {
        Ok(found) => Ok(found),
        Err(error) => {
            let (file, offset) = match &error {
                Error::Damaged { file, offset, .. } | Error::Unsupported { file, offset, .. } => {
                    (file, *offset)
                }
                Error::Absent { file } | Error::Short { file, .. } | Error::Io { file, .. } => (file, 0),
                Error::Pending => return Err(error),
            };
            let file = fields.file(file, "");
            fields.say(file, offset, 0, "can't be read", error.to_string(), 0);
            Ok(None)
        }
    }
}

#[cfg(test)]
mod tests;
