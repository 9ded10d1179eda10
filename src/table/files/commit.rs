//! A commit of our own: a segment with rows, as a writer of QuestDB's log leaves it.

use super::out::Out;
use super::{Patch, encode_segment_meta};
use crate::table::{Chunk, Value};
use crate::wal::{Error, Result, SegmentId, SequencerMeta};

/// Header of `_event`.
const FIRST: i64 = 8;

/// The files of segment `id`, relative to the table's directory, with these rows as its only transaction, number 0. Each row has
/// a value for each column, by writer index; that of a dropped column counts for nothing.
///
/// ```
/// use understudy::table::{Value, files::commit_segment};
/// use understudy::wal::{ColumnType, MetaColumn, SegmentId, SequencerMeta};
/// let ts = MetaColumn { name: "ts".into(), ty: ColumnType::TIMESTAMP, dropped: false };
/// let meta = SequencerMeta { structure_version: 0, columns: vec![ts], timestamp: Some(0), table_id: 1, read_order: None };
/// let files = commit_segment(&meta, SegmentId { wal: 1, segment: 0 }, &[vec![Value::Timestamp(5)]])?;
/// assert!(files.iter().any(|file| file.file == "wal1/0/ts.d" && file.bytes.len() == 16));
/// # Ok::<(), understudy::wal::Error>(())
/// ```
///
/// # Errors
/// [`Error::Unsupported`] of a SYMBOL column, whose keys only the table's own dictionary tells, and of a row without a designated
/// timestamp.
pub fn commit_segment(meta: &SequencerMeta, id: SegmentId, rows: &[Vec<Value<'_>>]) -> Result<Vec<Patch>> {
    let dir = format!("wal{}/{}", id.wal, id.segment);
    let times = timestamps(&dir, meta, rows)?;
    let mut out = Vec::with_capacity(2 * meta.columns.len() + 3);
    for (index, column) in meta.columns.iter().enumerate().filter(|(_, column)| !column.dropped) {
        let file = |ext: &str| format!("{dir}/{}.{ext}", column.name);
        if Some(index) == meta.timestamp {
            let mut pairs = Out::with_capacity(16 * rows.len());
            for (row, time) in (0i64..).zip(&times) {
                pairs.i64(*time);
                pairs.i64(row);
            }
            out.push(Patch::new(file("d"), 0, pairs.0));
            continue;
        }
        if column.ty.is_symbol() {
            return Err(unsupported(&file("d"), "a SYMBOL column is not written"));
        }
        let mut chunk = Chunk::new(column.ty);
        for row in rows {
            chunk.push(column.ty, row.get(index).copied().unwrap_or(Value::Null), None);
        }
        let (aux, data) = match chunk {
            Chunk::Fixed { values, .. } => (None, values),
            Chunk::Prefixed { aux, data } => {
                (Some(aux.into_iter().flat_map(u64::to_le_bytes).collect()), data)
            }
            Chunk::Varchar { aux, data } | Chunk::Array { aux, data } => (Some(aux.concat()), data),
        };
        out.push(Patch::new(file("d"), 0, data));
        out.extend(aux.map(|aux| Patch::new(file("i"), 0, aux)));
    }
    out.push(Patch::new(format!("{dir}/_meta"), 0, encode_segment_meta(meta)));
    let event = event(&times);
    let mut index = Out::default();
    index.i64(FIRST);
    index.i64(FIRST.saturating_add(event.len() as i64));
    let mut events = Out::default();
    // Last transaction, format version; behind the only record there is no other.
    events.i32(0);
    events.i32(0);
    events.0.extend_from_slice(&event);
    events.i32(-1);
    out.push(Patch::new(format!("{dir}/_event"), 0, events.0));
    out.push(Patch::new(format!("{dir}/_event.i"), 0, index.0));
    Ok(out)
}

fn timestamps(dir: &str, meta: &SequencerMeta, rows: &[Vec<Value<'_>>]) -> Result<Vec<i64>> {
    let of_row = |row: &Vec<Value<'_>>| match row.get(meta.timestamp?)? {
        Value::Timestamp(time) | Value::TimestampNs(time) => Some(*time),
        _ => None,
    };
    let missing = || unsupported(dir, "a row without a designated timestamp");
    rows.iter().map(|row| of_row(row).ok_or_else(missing)).collect()
}

fn event(times: &[i64]) -> Vec<u8> {
    let mut out = Out::default();
    out.i32(0);
    // Transaction and kind: rows.
    out.i64(0);
    out.byte(0);
    out.i64(0);
    out.u63(times.len() as u64);
    out.i64(times.iter().copied().min().unwrap_or(i64::MAX - 1));
    out.i64(times.iter().copied().max().unwrap_or(-1));
    out.flag(!times.is_sorted());
    // No symbols.
    out.i32(-1);
    out.put_i32(0, out.len() as i32);
    out.0
}

fn unsupported(file: &str, what: &str) -> Error {
    Error::Unsupported { file: file.into(), offset: 0, what: what.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wal::{
        ColumnType, MemoryFiles, MetaColumn, Transaction, TxnKind, TxnRecord, WalColumn, read_transaction,
    };

    fn meta(codes: &[(&str, i32)]) -> SequencerMeta {
        let column = |(name, code): &(&str, i32)| MetaColumn {
            name: (*name).into(),
            ty: ColumnType::from_code(*code).unwrap(),
            dropped: false,
        };
        SequencerMeta {
            structure_version: 0,
            columns: codes.iter().map(column).collect(),
            timestamp: Some(1),
            table_id: 9,
            read_order: None,
        }
    }

    fn units(text: &str) -> Vec<u8> {
        text.encode_utf16().flat_map(u16::to_le_bytes).collect()
    }

    #[test]
    fn reads_back_as_a_commit_with_its_rows() {
        let meta = meta(&[("s", 11), ("ts", 8), ("c", 4), ("v", 26), ("n", 6)]);
        let id = SegmentId { wal: 1, segment: 7 };
        let (hello, long) = (units("h\u{e9}llo"), "longer than nine bytes".as_bytes());
        let rows = vec![
            vec![
                Value::Utf16(&hello),
                Value::Timestamp(50),
                Value::Char(65),
                Value::Utf8(b"in"),
                Value::Long(-1),
            ],
            vec![Value::Null, Value::Timestamp(40), Value::Null, Value::Utf8(long), Value::Null],
        ];
        let mut files = MemoryFiles::default();
        for patch in commit_segment(&meta, id, &rows).unwrap() {
            files.insert(format!("t/{}", patch.file), patch.bytes);
        }
        assert_eq!(SequencerMeta::of_segment(&files, "t", id).unwrap(), meta);
        let record = TxnRecord {
            seq_txn: 8,
            structure_version: 0,
            kind: TxnKind::Wal { wal: 1, segment: 7, segment_txn: 0 },
            commit_ts: 0,
            extent: None,
        };
        let Transaction::Rows(commit) = read_transaction(&files, "t", &record).unwrap() else {
            panic!("not rows")
        };
        assert_eq!((commit.rows, commit.min_ts, commit.max_ts, commit.out_of_order), (2, 40, 50, true));
        let Some(WalColumn::Var { aux, data, .. }) = &commit.columns[0] else { panic!("no text") };
        assert_eq!((aux.len(), data.len()), (24, 4 + 10 + 4));
        let Some(WalColumn::Designated(pairs)) = &commit.columns[1] else { panic!("no timestamps") };
        assert_eq!(pairs[16..32], [40i64.to_le_bytes(), 1i64.to_le_bytes()].concat());
        assert!(
            matches!(&commit.columns[2], Some(WalColumn::Fixed { values, .. }) if values[..] == [65, 0, 0, 0])
        );
    }

    #[test]
    fn symbols_and_rows_without_a_time_are_refused() {
        let id = SegmentId { wal: 1, segment: 0 };
        let row = vec![Value::Null, Value::Timestamp(1)];
        assert!(commit_segment(&meta(&[("s", 12), ("ts", 8)]), id, &[row]).is_err());
        let row = vec![Value::Null, Value::Null];
        assert!(commit_segment(&meta(&[("s", 11), ("ts", 8)]), id, &[row]).is_err());
    }
}
