//! The table's definition and its transactions, as QuestDB would have written them.

use super::{PolicyRow, token};
use crate::ledger::{Block, Codec, FilePiece, Run, TableEntry, What};
use crate::native::outcome::{Failure, Result};
use crate::table::Value;
use crate::table::files::{LogRecord, LogWriter, Patch, commit_segment, encode_meta};
use crate::wal::{
    ColumnType, LogVersion, MetaColumn, OWN_TABLE_IDS, PartitionBy, SegmentId, SequencerMeta, TableMeta,
    TableMetaColumn, Ttl, TxnKind,
};

const STRING: i32 = 11;
const CHAR: i32 = 4;
const TIMESTAMP: i32 = 8;

/// Names and type codes of the columns: those of the view `storage_policies`.
pub(super) const COLUMNS: &[(&str, i32)] = &[
    ("table_dir_name", STRING),
    ("to_parquet", STRING),
    ("to_remote", STRING),
    ("drop_local", STRING),
    ("drop_remote", STRING),
    ("status", CHAR),
    ("last_updated", TIMESTAMP),
];
/// The designated timestamp.
const LAST_UPDATED: usize = 6;
/// The one writer of the table's log.
const WAL: u32 = 1;

/// That the table is made.
///
/// # Errors
/// None that can be seen: its own columns are known.
pub(super) fn created(at_us: i64) -> Result<TableEntry> {
    let (_, header) = LogWriter::create(LogVersion::V1, at_us);
    let definition = Patch { file: "txn_seq/_meta.0".into(), offset: 0, bytes: encode_meta(&definition()?) };
    let files = vec![piece(header)?, piece(definition)?];
    Ok(TableEntry { token: token(), what: What::Created { files } })
}

/// Transaction `seq_txn`, which adds these rows in one commit. Each commit has a segment of its own.
///
/// # Errors
/// None that can be seen: a number of more transactions than segments can have.
pub(super) fn transaction(seq_txn: u64, rows: &[PolicyRow], at_us: i64) -> Result<TableEntry> {
    let before = seq_txn.saturating_sub(1);
    let segment =
        u32::try_from(before).map_err(|_too_many| Failure::failed("too many changes of storage policies"))?;
    let texts: Vec<[Vec<u8>; 5]> = rows.iter().map(texts).collect();
    let values: Vec<Vec<Value<'_>>> = rows
        .iter()
        .zip(&texts)
        .map(|(row, texts)| {
            let mut values: Vec<Value<'_>> = texts.iter().map(|text| Value::Utf16(text)).collect();
            values.push(Value::Char(row.status as u32 as u16));
            values.push(Value::Timestamp(row.last_updated));
            values
        })
        .collect();
    let id = SegmentId { wal: WAL, segment };
    let files = commit_segment(&sequencer_meta()?, id, &values)?;
    let files = files.into_iter().map(piece).collect::<Result<_>>()?;
    let kind = TxnKind::Wal { wal: WAL, segment, segment_txn: 0 };
    let record = LogRecord { structure_version: 0, kind, commit_ts: at_us, extent: (0, 0, 0) };
    let (log, _) = LogWriter::create(LogVersion::V1, at_us);
    let (_, patches) = log.at(before).append(&[record]);
    let records = patches.into_iter().take(1).map(|patch| patch.bytes.into()).collect();
    let run = Run { first_seq_txn: seq_txn, part_size: 0, records, files };
    Ok(TableEntry { token: token(), what: What::Transactions(run) })
}

fn texts(row: &PolicyRow) -> [Vec<u8>; 5] {
    let texts = [&row.table_dir_name, &row.to_parquet, &row.to_remote, &row.drop_local, &row.drop_remote];
    texts.map(|text| text.encode_utf16().flat_map(u16::to_le_bytes).collect())
}

fn piece(patch: Patch) -> Result<FilePiece> {
    let block = Block::of(patch.bytes.into(), Codec::Lz4);
    let block = block.map_err(|error| Failure::failed(error.to_string()))?;
    Ok(FilePiece { path: patch.file.to_string(), offset: patch.offset, block })
}

fn columns() -> Result<Vec<(String, ColumnType)>> {
    let column = |(name, code): &(&str, i32)| {
        let ty = ColumnType::from_code(*code).ok_or_else(|| Failure::failed("no such type"))?;
        Ok(((*name).to_owned(), ty))
    };
    COLUMNS.iter().map(column).collect()
}

fn sequencer_meta() -> Result<SequencerMeta> {
    let column = |(name, ty)| MetaColumn { name, ty, dropped: false };
    Ok(SequencerMeta {
        structure_version: 0,
        columns: columns()?.into_iter().map(column).collect(),
        timestamp: Some(LAST_UPDATED),
        table_id: OWN_TABLE_IDS,
        read_order: None,
    })
}

fn definition() -> Result<TableMeta> {
    let column = |(name, ty)| TableMetaColumn {
        name,
        ty,
        dropped: false,
        indexed: false,
        symbol_cache: false,
        dedup_key: false,
        index_block_capacity: 0,
        symbol_capacity: 0,
        parquet_encoding: 0,
        replaces: None,
    };
    Ok(TableMeta {
        partition_by: PartitionBy::Year,
        timestamp: Some(LAST_UPDATED),
        table_id: OWN_TABLE_IDS,
        // QuestDB's own defaults.
        max_uncommitted_rows: 500_000,
        o3_max_lag: 600_000_000,
        metadata_version: 0,
        wal_enabled: true,
        ttl: Ttl::None,
        minor_version: 1,
        columns: columns()?.into_iter().map(column).collect(),
    })
}
