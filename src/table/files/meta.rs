//! A table's `_meta`: its definition as it is applied.

use super::out::Out;
use super::small::{Todo, decode_todo};
use crate::wal::{Error, Files, Result, TableMeta, TableMetaColumn, Ttl};

/// Longest `_todo_` that is read.
const MAX_TODO: u64 = 1 << 16;
const VERSION: i32 = 426;
const MINOR_VERSION: i16 = 1;
/// Where the columns begin; what of it is not used is zeros.
const HEADER: usize = 128;
const COLUMN: usize = 32;
const FLAG_INDEXED: i64 = 1;
const FLAG_SYMBOL_CACHE: i64 = 1 << 2;
const FLAG_DEDUP_KEY: i64 = 1 << 3;
/// What stands for a checksum of 0.
const NO_CHECKSUM: i16 = -1337;

/// The definition that belongs to a table's `_txn`, given that file's count of commits and its version of the metadata:
/// `_meta`, or `_meta.prev` where a change was begun that `_txn` does not know. `None` where neither is.
///
/// Our changes leave the version as it is (`docs/replica-directory.md` says why), and QuestDB's count it up; both note
/// in `_todo_` what is to be put back.
///
/// # Errors
/// What reading the files answers.
pub fn meta_of_txn(files: &dyn Files, table_dir: &str, txn: i64, version: i64) -> Result<Option<TableMeta>> {
    let todo_file = format!("{table_dir}/_todo_");
    let todo = match files.read_all(&todo_file, MAX_TODO) {
        Ok(bytes) => decode_todo(&todo_file, &bytes, txn)?,
        Err(Error::Absent { .. }) => Todo::Nothing,
        Err(error) => return Err(error),
    };
    let before = format!("{table_dir}/_meta.prev");
    if let Todo::RestoreMeta { index } = todo {
        let suffix = if index > 0 { format!(".{index}") } else { String::new() };
        match TableMeta::read(files, &format!("{before}{suffix}")) {
            Ok(meta) if meta.metadata_version == version => return Ok(Some(meta)),
            // The writer then goes on with `_meta`, too.
            Ok(_) | Err(Error::Absent { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    let meta = TableMeta::applied(files, table_dir)?;
    if meta.metadata_version == version {
        return Ok(Some(meta));
    }
    match TableMeta::read(files, &before) {
        Ok(meta) => Ok(Some(meta).filter(|meta| meta.metadata_version == version)),
        Err(Error::Absent { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The whole content of `_meta`, the inverse of [`TableMeta::decode`].
///
/// The header's checksum and minor version are those of QuestDB 9.3.4, so that it believes the TTL.
pub fn encode_meta(meta: &TableMeta) -> Vec<u8> {
    let mut out = Out::with_capacity(HEADER + meta.columns.len() * (COLUMN + 24));
    out.count32(meta.columns.len());
    out.i32(meta.partition_by.code());
    out.i32(meta.timestamp.map_or(-1, |index| i32::try_from(index).unwrap_or(-1)));
    out.i32(VERSION);
    out.i32(meta.table_id);
    out.i32(meta.max_uncommitted_rows);
    out.i64(meta.o3_max_lag);
    out.i64(meta.metadata_version);
    out.flag(meta.wal_enabled);
    out.i16(meta_checksum(meta.metadata_version, meta.columns.len()));
    out.i16(MINOR_VERSION);
    out.i32(match meta.ttl {
        Ttl::None => 0,
        Ttl::Hours(hours) => i32::try_from(hours).unwrap_or(i32::MAX),
        Ttl::Months(months) => 0i32.saturating_sub_unsigned(months),
    });
    out.pad_to(HEADER);
    for column in &meta.columns {
        encode_column(&mut out, column);
    }
    for column in &meta.columns {
        out.text(&column.name);
    }
    out.0
}

fn encode_column(out: &mut Out, column: &TableMetaColumn) {
    let code = column.ty.code();
    out.i32(if column.dropped { -code } else { code });
    let flag = |set: bool, flag: i64| if set { flag } else { 0 };
    out.i64(
        flag(column.indexed, FLAG_INDEXED)
            | flag(column.symbol_cache, FLAG_SYMBOL_CACHE)
            | flag(column.dedup_key, FLAG_DEDUP_KEY),
    );
    out.i32(column.index_block_capacity);
    out.i32(column.symbol_capacity);
    out.i32(column.parquet_encoding);
    out.i32(column.replaces.map_or(0, |index| i32::try_from(index + 1).unwrap_or(0)));
    out.i32(0);
}

/// The checksum at offset 41 of `_meta`. Where it does not match, QuestDB takes the file for one of an
/// older release, and reads no TTL from it.
pub fn meta_checksum(metadata_version: i64, columns: usize) -> i16 {
    let version = (metadata_version as i32) ^ (metadata_version >> 32) as i32;
    let mixed = 13i32.wrapping_mul(version).wrapping_add(37i32.wrapping_mul(columns as i32));
    match (mixed as i16) ^ (mixed >> 16) as i16 {
        0 => NO_CHECKSUM,
        checksum => checksum,
    }
}
