use super::walk::Fields;
use super::{RawValue, part};
use crate::wal::check::data_range;
use crate::wal::cursor::Gather;
use crate::wal::segment::first_range;
use crate::wal::{
    ColumnType, Cursor, DataEvent, Error, Files, MetaColumn, Result, SequencerMeta, SymbolDiff, Tag,
};

/// Bytes of one variable-length value that are read; longer ones are shown by their beginning.
const VALUE_MAX: u64 = 4096;
const OFFSET_BITS: i64 = (1 << 48) - 1;

/// The byte ranges of every column for the commit's rows, and the values of the first rows.
pub(super) fn columns(
    files: &dyn Files,
    dir: &str,
    event: &DataEvent,
    meta: &SequencerMeta,
    fields: &mut Fields<'_>,
    gather: &mut Gather,
) -> Result<()> {
    let rows = event.row_hi - event.row_lo;
    if rows == 0 || event.row_hi > 1 << 48 {
        return Ok(());
    }
    let shown = rows.min(fields.options.items as u64);
    fields.truncated |= shown < rows;
    for (index, column) in meta.columns.iter().enumerate().filter(|(_, column)| !column.dropped) {
        let designated = Some(index) == meta.timestamp;
        let (path, offset, len) = first_range(dir, column, designated, event.row_lo..event.row_hi);
        let view = View { files, column, path: &path, offset, len, event, shown };
        let read = if designated {
            view.designated(fields)
        } else if column.ty.fixed_size().is_some() {
            view.fixed(fields, event.symbols.iter().find(|diff| diff.column == index))
        } else {
            view.variable(fields, &format!("{dir}/{}.d", column.name))
        };
        part(fields, gather, read)?;
    }
    Ok(())
}

struct View<'a> {
    files: &'a dyn Files,
    column: &'a MetaColumn,
    path: &'a str,
    /// Of the commit's first row in the file that is read first, and the bytes of all its rows.
    offset: u64,
    len: u64,
    event: &'a DataEvent,
    shown: u64,
}

impl View<'_> {
    fn title(&self) -> String {
        format!("column {}", self.column.name)
    }

    fn rows(&self) -> String {
        let (lo, hi) = (self.event.row_lo, self.event.row_hi);
        format!("{}, rows {lo} to {}", self.column.ty, hi - 1)
    }

    fn designated(&self, fields: &mut Fields<'_>) -> Result<()> {
        let bytes = self.files.read(self.path, self.offset, self.shown * 16)?;
        let file = fields.file(self.path, &format!("{}, timestamps and row ids", self.title()));
        fields.say(file, self.offset, self.len, self.title(), self.rows(), 0);
        let mut cursor = Cursor::new(self.path, self.offset, &bytes);
        for row in self.event.row_lo..self.event.row_lo + self.shown {
            let (offset, ts) = (cursor.offset(), cursor.i64("timestamp")?);
            let id = cursor.i64("row id")?;
            let value = format!("{}, row id {id}", fields.time(self.column.ty, ts));
            fields.say(file, offset, 16, format!("row {row}"), value, 1);
        }
        Ok(())
    }

    fn fixed(&self, fields: &mut Fields<'_>, diff: Option<&SymbolDiff>) -> Result<()> {
        let size = self.column.ty.fixed_size().unwrap_or(1);
        let bytes = self.files.read(self.path, self.offset, self.shown * size as u64)?;
        let file = fields.file(self.path, &format!("{}, values", self.title()));
        fields.say(file, self.offset, self.len, self.title(), self.rows(), 0);
        for (row, value) in (self.event.row_lo..).zip(bytes.chunks_exact(size)) {
            let at = self.offset + (row - self.event.row_lo) * size as u64;
            let text = match self.column.ty.is_symbol() {
                true => symbol_text(value, diff),
                false => fields.text(self.column.ty, RawValue::Fixed(value)),
            };
            fields.say(file, at, size as u64, format!("row {row}"), text, 1);
        }
        Ok(())
    }

    fn variable(&self, fields: &mut Fields<'_>, data_path: &str) -> Result<()> {
        let entry: u64 = if matches!(self.column.ty.tag(), Tag::String | Tag::Binary) { 8 } else { 16 };
        let mut gather = Gather::default();
        // One entry more: the end of the last value shown.
        let head =
            gather.add(self.files.read(self.path, self.offset, self.len.min((self.shown + 1) * entry)))?;
        let last = gather.add(self.files.read(self.path, self.offset + self.len - entry, entry))?;
        let (Some(head), Some(last)) = (head, last) else { return Err(Error::Pending) };
        let ends = [head.get(..entry as usize).unwrap_or_default(), &last].concat();
        let (start, end) = data_range(self.column.ty, self.path, self.offset, &ends)?;
        let file = fields.file(self.path, &format!("{}, where values are", self.title()));
        let data_file = fields.file(data_path, &format!("{}, values", self.title()));
        fields.say(file, self.offset, self.len, self.title(), self.rows(), 0);
        let mut values = Vec::new();
        for (row, bytes) in
            (self.event.row_lo..self.event.row_lo + self.shown).zip(head.chunks_exact(entry as usize))
        {
            let at = self.offset + (row - self.event.row_lo) * entry;
            let next = head.get((at - self.offset + entry) as usize..).unwrap_or_default();
            let place = place(self.column.ty, self.path, at, bytes, next)?;
            let text = match &place {
                Place::Inline(value) => fields.text(self.column.ty, *value),
                Place::At { offset, len } => format!("{len} bytes at {offset}"),
            };
            fields.say(file, at, entry, format!("row {row}"), text, 1);
            if let Place::At { offset, len } = place {
                values.push((row, offset, len));
            }
        }
        if start < end {
            fields.say(data_file, start, end - start, self.title(), self.rows(), 0);
        }
        for (row, offset, len) in values {
            let Some(bytes) = gather.add(self.files.read(data_path, offset, len.min(VALUE_MAX)))? else {
                continue;
            };
            let text = match stored(self.column.ty, data_path, offset, &bytes)? {
                RawValue::Array { .. } if len > VALUE_MAX => format!("{len} bytes"),
                value => fields.text(self.column.ty, value),
            };
            let more = if len > VALUE_MAX { " ..." } else { "" };
            fields.say(data_file, offset, len, format!("row {row}"), text + more, 1);
        }
        gather.done()
    }
}

fn symbol_text(key: &[u8], diff: Option<&SymbolDiff>) -> String {
    let key = key.first_chunk().map_or(i32::MIN, |key| i32::from_le_bytes(*key));
    let Ok(index) = usize::try_from(key) else { return "null".to_owned() };
    let new = diff.and_then(|diff| diff.entries.get(index.checked_sub(diff.clean as usize)?));
    match new {
        Some(symbol) => format!("{key} = {symbol:?}, new"),
        None => format!("{key}, of the table's dictionary"),
    }
}

enum Place<'a> {
    Inline(RawValue<'a>),
    At { offset: u64, len: u64 },
}

/// Where the value of an entry of `.i` is; `next` are the bytes behind the entry.
fn place<'a>(ty: ColumnType, path: &str, at: u64, entry: &'a [u8], next: &[u8]) -> Result<Place<'a>> {
    let mut cursor = Cursor::new(path, at, entry);
    match ty.tag() {
        Tag::String | Tag::Binary => {
            let offset = cursor.u63("offset")?;
            let end = Cursor::new(path, at + 8, next).u63("offset")?;
            Ok(Place::At { offset, len: end.saturating_sub(offset) })
        }
        Tag::Varchar => {
            let head = cursor.i32("head")? as u32;
            let inline = entry.get(1..).unwrap_or_default();
            let offset = entry.get(10..16).unwrap_or_default();
            let offset = offset.iter().rev().fold(0u64, |n, byte| n << 8 | u64::from(*byte));
            Ok(match head {
                head if head & 4 != 0 => Place::Inline(RawValue::Null),
                head if head & 1 != 0 => {
                    let len = (head >> 4 & 0xf).min(9) as usize;
                    Place::Inline(RawValue::Utf8(inline.get(..len).unwrap_or_default()))
                }
                head => Place::At { offset, len: u64::from(head >> 4) },
            })
        }
        _ => {
            let offset = (cursor.i64("offset")? & OFFSET_BITS) as u64;
            match cursor.u31("size")? {
                0 => Ok(Place::Inline(RawValue::Null)),
                len => Ok(Place::At { offset, len: u64::from(len) }),
            }
        }
    }
}

/// The value in the beginning of its bytes in `.d`.
fn stored<'a>(ty: ColumnType, path: &'a str, at: u64, bytes: &'a [u8]) -> Result<RawValue<'a>> {
    let mut cursor = Cursor::new(path, at, bytes);
    match ty.tag() {
        Tag::Varchar => Ok(RawValue::Utf8(bytes)),
        Tag::String => match cursor.i32("length")? {
            -1 => Ok(RawValue::Null),
            _ => Ok(RawValue::Utf16(bytes.get(4..).unwrap_or_default())),
        },
        Tag::Binary => match cursor.i64("length")? {
            -1 => Ok(RawValue::Null),
            _ => Ok(RawValue::Binary(bytes.get(8..).unwrap_or_default())),
        },
        _ => {
            let dims = cursor.take(ty.array_dims() * 4, "dimension lengths")?;
            let padding = cursor.offset().next_multiple_of(8) - cursor.offset();
            cursor.take((padding as usize).min(cursor.remaining()), "padding")?;
            let values = cursor.take(cursor.remaining() / 8 * 8, "elements")?;
            Ok(RawValue::Array { dims, values })
        }
    }
}
