use super::cursor::Cursor;
use super::{ColumnType, Files, Result, SegmentId};

/// Longest metadata file that is read: far above what QuestDB's own limits on columns and names allow.
const MAX_META: u64 = 16 << 20;
/// A column takes at least its type code and the length of its name.
const MIN_COLUMN: usize = 8;

/// Columns as the sequencer knows them: `txn_seq/_meta`, or `_meta` of a segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SequencerMeta {
    /// -2 in `txn_seq/_meta` once the table is dropped.
    pub structure_version: i64,
    /// By writer index, which never changes: a dropped column keeps its place.
    pub columns: Vec<MetaColumn>,
    /// Writer index of the designated timestamp; views have none.
    pub timestamp: Option<usize>,
    /// The table's id in this database.
    pub table_id: i32,
    /// Position in `SELECT *` by writer index; only `txn_seq/_meta` has it.
    pub read_order: Option<Vec<i32>>,
}

/// A column in [`SequencerMeta`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetaColumn {
    /// Names of dropped columns remain and can repeat.
    pub name: String,
    /// Type, of a dropped column the last one.
    pub ty: ColumnType,
    /// The column is dropped and keeps its place only.
    pub dropped: bool,
}

impl SequencerMeta {
    /// Reads `txn_seq/_meta`: the table as the sequencer sees it now.
    pub fn of_table(files: &dyn Files, table_dir: &str) -> Result<Self> {
        Self::read(files, &format!("{table_dir}/txn_seq/_meta"))
    }

    /// Reads a segment's `_meta`: the layout of its column files.
    pub fn of_segment(files: &dyn Files, table_dir: &str, segment: SegmentId) -> Result<Self> {
        Self::read(files, &format!("{}/_meta", segment.dir(table_dir)))
    }

    /// Reads the file at `path`.
    pub fn read(files: &dyn Files, path: &str) -> Result<Self> {
        Self::decode(path, &files.read_all(path, MAX_META)?)
    }

    /// Decodes the content of `file`, which may be followed by unused bytes.
    pub fn decode(file: &str, bytes: &[u8]) -> Result<Self> {
        let mut head = Cursor::new(file, 0, bytes);
        let used = head.u31("length of the metadata")? as usize;
        let Some(used_bytes) = bytes.get(4..used) else {
            return Err(head.damaged_back(4, format_args!("a length of 4 to {}", bytes.len()), used));
        };
        let mut cursor = Cursor::new(file, 4, used_bytes);
        let format = cursor.i32("format")?;
        if format != 0 {
            return Err(cursor.unsupported_back(4, format_args!("metadata format {format}; 0 is known")));
        }
        let structure_version = cursor.i64("structure version")?;
        let count_offset = cursor.offset();
        let count = cursor.u31("number of columns")? as usize;
        let timestamp_offset = cursor.offset();
        let timestamp = cursor.i32("index of the designated timestamp")?;
        let table_id = cursor.i32("table id")?;
        cursor.i8("legacy flag")?;
        if count > cursor.remaining() / MIN_COLUMN {
            let most = cursor.remaining() / MIN_COLUMN;
            return Err(super::Error::damaged(
                file,
                count_offset,
                format_args!("at most {most} columns in the bytes left"),
                count,
            ));
        }
        let mut columns = Vec::with_capacity(count);
        for _ in 0..count {
            columns.push(decode_column(&mut cursor)?);
        }
        let timestamp = usize::try_from(timestamp).ok();
        if let Some(index) = timestamp.filter(|index| *index >= count) {
            let expected = format_args!("an index below {count}");
            return Err(super::Error::damaged(file, timestamp_offset, expected, index));
        }
        let read_order = decode_read_order(&mut cursor, count)?;
        Ok(Self { structure_version, columns, timestamp, table_id, read_order })
    }
}

fn decode_column(cursor: &mut Cursor<'_>) -> Result<MetaColumn> {
    let code = cursor.i32("column type")?;
    let ty = ColumnType::from_code(code.saturating_abs())
        .ok_or_else(|| cursor.unsupported_back(4, format_args!("column type code {code} is not known")))?;
    Ok(MetaColumn { name: cursor.name("column name")?, ty, dropped: code < 0 })
}

fn decode_read_order(cursor: &mut Cursor<'_>, columns: usize) -> Result<Option<Vec<i32>>> {
    if cursor.remaining() == 0 {
        return Ok(None);
    }
    cursor.i64("checksum")?;
    let count = cursor.count(4, "entries of the read order")?;
    if count != columns {
        return Err(cursor.damaged_back(4, format_args!("a read order of {columns} columns"), count));
    }
    let mut order = Vec::with_capacity(count);
    for _ in 0..count {
        order.push(cursor.i32("read order")?);
    }
    Ok(Some(order))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::wal::Error;

    /// A segment's `_meta` with columns of these type codes and names.
    pub(in crate::wal) fn encode(version: i64, timestamp: i32, columns: &[(i32, &str)]) -> Vec<u8> {
        let mut out = vec![0; 8];
        out.extend(version.to_le_bytes());
        out.extend((columns.len() as i32).to_le_bytes());
        out.extend(timestamp.to_le_bytes());
        out.extend(7i32.to_le_bytes());
        out.push(0);
        for (code, name) in columns {
            out.extend(code.to_le_bytes());
            let units: Vec<u16> = name.encode_utf16().collect();
            out.extend((units.len() as i32).to_le_bytes());
            units.iter().for_each(|unit| out.extend(unit.to_le_bytes()));
        }
        let used = (out.len() as i32).to_le_bytes();
        out[..4].copy_from_slice(&used);
        out
    }

    #[test]
    fn reads_live_and_dropped_columns_and_ignores_the_rest_of_the_page() {
        let mut bytes = encode(5, 1, &[(-12, "s"), (8, "ts"), (6, "s")]);
        bytes.resize(4096, 0);
        let meta = SequencerMeta::decode("f", &bytes).unwrap();
        assert_eq!((meta.structure_version, meta.timestamp, meta.table_id), (5, Some(1), 7));
        let dropped: Vec<_> = meta.columns.iter().map(|c| c.dropped).collect();
        assert_eq!(dropped, [true, false, false]);
        assert_eq!(meta.columns[0].ty, ColumnType::SYMBOL);
        assert_eq!(meta.read_order, None);
    }

    #[test]
    fn refuses_what_cannot_be() {
        let good = encode(5, 0, &[(8, "ts")]);
        assert!(SequencerMeta::decode("f", &good).is_ok());
        let mut format = good.clone();
        format[4] = 1;
        assert!(matches!(SequencerMeta::decode("f", &format), Err(Error::Unsupported { offset: 4, .. })));
        let mut count = good.clone();
        count[16] = 200;
        assert!(matches!(SequencerMeta::decode("f", &count), Err(Error::Damaged { offset: 16, .. })));
        let mut ty = good.clone();
        ty[29] = 77;
        assert!(matches!(SequencerMeta::decode("f", &ty), Err(Error::Unsupported { offset: 29, .. })));
        let mut timestamp = good.clone();
        timestamp[20] = 3;
        assert!(matches!(SequencerMeta::decode("f", &timestamp), Err(Error::Damaged { offset: 20, .. })));
        assert!(SequencerMeta::decode("f", &good[..good.len() - 1]).is_err());
    }
}
