use super::walk::{Fields, Walk};
use crate::wal::changes::change_place;
use crate::wal::{ColumnType, Files, Result, SequencerLog, TxnRecord};

/// The record of the sequencer log.
pub(super) fn record(
    files: &dyn Files,
    log: &SequencerLog,
    record: &TxnRecord,
    fields: &mut Fields<'_>,
) -> Result<()> {
    let (path, offset, len) = log.place(record.seq_txn);
    let bytes = files.read(&path, offset, len)?;
    let mut walk = Walk::new(fields, &path, "sequencer log", offset, &bytes);
    walk.head(format!("transaction {}", record.seq_txn), "");
    walk.i64("structureVersion")?;
    let wal = walk.i32("walId")?;
    walk.i32("segmentId")?;
    walk.i32("segmentTxn")?;
    walk.time("commitTimestamp", ColumnType::TIMESTAMP)?;
    if walk.cursor.remaining() > 0 {
        if wal > 0 {
            walk.i64("minTimestamp")?;
            walk.i64("maxTimestamp")?;
        } else {
            walk.i64("ALTER command")?;
            walk.skip(8, "unused")?;
        }
        walk.i64("rowCount")?;
        walk.skip(8, "reserved")?;
    }
    Ok(())
}

/// A structural change and its entry in the index.
pub(super) fn change(
    files: &dyn Files,
    table_dir: &str,
    structure_version: i64,
    fields: &mut Fields<'_>,
) -> Result<()> {
    let place = change_place(files, table_dir, structure_version)?;
    let bytes = files.read(&place.index_file, place.index_offset, 16)?;
    let mut walk =
        Walk::new(fields, &place.index_file, "where structural changes are", place.index_offset, &bytes);
    walk.head(format!("change to version {structure_version}"), "");
    walk.i64("start")?;
    walk.i64("end")?;
    let bytes = files.read(&place.file, place.offset, place.len)?;
    let mut walk = Walk::new(fields, &place.file, "structural changes", place.offset, &bytes);
    walk.head(format!("change to version {structure_version}"), "");
    walk.i32("length")?;
    walk.i16("command", command_text)?;
    walk.i32("tableNamePosition")?;
    let count = walk.cursor.clone().count(8, "numbers")?;
    walk.i32("numbers")?;
    walk.items(count, "numbers", |walk, i| walk.i64(&format!("number {i}")).map(|_| ()))?;
    let count = walk.cursor.clone().count(4, "names")?;
    walk.i32("names")?;
    walk.items(count, "names", |walk, i| walk.string(&format!("name {i}")).map(|_| ()))
}

fn command_text(command: i16) -> String {
    let name = match command {
        1 => "ADD COLUMN",
        8 => "DROP COLUMN",
        9 => "RENAME COLUMN",
        14 => "RENAME TABLE",
        15 => "DEDUP ENABLE",
        16 => "DEDUP DISABLE",
        17 => "ALTER COLUMN TYPE",
        _ => "not known",
    };
    format!("{command} = {name}")
}

/// The segment's `_meta`.
pub(super) fn segment_meta(files: &dyn Files, dir: &str, fields: &mut Fields<'_>) -> Result<()> {
    let path = format!("{dir}/_meta");
    let head = files.read(&path, 0, 4)?;
    let used = crate::wal::Cursor::new(&path, 0, &head).u31("length of the metadata")?;
    let bytes = files.read(&path, 0, u64::from(used))?;
    let mut walk = Walk::new(fields, &path, "segment metadata", 0, &bytes);
    walk.head("segment metadata", "");
    walk.i32("length")?;
    walk.i32("format")?;
    walk.i64("structureVersion")?;
    let count = walk.i32("columnCount")?;
    walk.i32("timestampIndex")?;
    walk.i32("tableId")?;
    walk.i8("legacy flag", |n| n.to_string())?;
    // Each column takes 8 bytes or more, so reading ends with the bytes.
    for index in 0..count {
        let offset = walk.cursor.offset();
        let code = walk.cursor.i32("column type")?;
        let name = walk.cursor.name("column name")?;
        let ty = ColumnType::from_code(code.saturating_abs());
        let ty = ty.map_or_else(|| format!("type code {code}"), |ty| ty.to_string());
        let dropped = if code < 0 { ", dropped" } else { "" };
        walk.since(offset, format!("column {index}"), format!("{name:?} {ty}{dropped}"));
    }
    Ok(())
}
