use crate::table::Schema;
use crate::wal::{Error, Result, SequencerMeta};

/// Offset of the designated timestamp's index in a segment's `_meta`.
const TIMESTAMP_AT: u64 = 20;
/// Offset of the first column.
const COLUMNS_AT: u64 = 29;

/// Refuses a segment whose columns contradict the table's: its rows would be taken for something else.
///
/// `file` is the segment's `_meta`. Names may differ, and columns that one side doesn't have are null.
pub(super) fn check(schema: &Schema, meta: &SequencerMeta, file: impl Fn() -> String) -> Result<()> {
    if meta.timestamp != Some(schema.timestamp) {
        let expected = format_args!("the designated timestamp at index {}", schema.timestamp);
        let found = meta.timestamp.map_or_else(|| "none".to_owned(), |index| index.to_string());
        return Err(Error::damaged(&file(), TIMESTAMP_AT, expected, found));
    }
    let mut columns = schema.columns.iter().zip(&meta.columns).enumerate();
    let other = columns.find(|(_, (mine, theirs))| !mine.dropped && !theirs.dropped && mine.ty != theirs.ty);
    let Some((index, (mine, theirs))) = other else { return Ok(()) };
    let before = meta.columns.iter().take(index);
    let offset: usize = before.map(|column| 8 + 2 * column.name.encode_utf16().count()).sum();
    Err(Error::damaged(
        &file(),
        COLUMNS_AT + offset as u64,
        format_args!("a column of type {}", mine.ty),
        theirs.ty,
    ))
}
