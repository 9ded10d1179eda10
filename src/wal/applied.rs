use super::cursor::Cursor;
use super::{Error, Files, Result};

/// Where the two base descriptors begin.
const BASE_A: u64 = 8;
const BASE_B: u64 = 32;
const RECORD_HEAD: u64 = 132;
const PARTITION: usize = 32;
/// Times that a `_txn` which changes under the reader is read again.
const ATTEMPTS: u32 = 16;

/// What QuestDB has applied of a table: its `_txn` file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// The table writer's own count of commits.
    pub txn: i64,
    /// Last transaction of the log that is wholly applied.
    pub seq_txn: u64,
    /// Transactions after `seq_txn` whose rows are copied but not visible yet.
    pub lag_txns: u32,
    /// Rows of those transactions.
    pub lag_rows: u32,
    /// In the table's timestamp unit; larger than `max_ts` when there are no rows.
    pub min_ts: i64,
    /// In the table's timestamp unit.
    pub max_ts: i64,
    /// `_meta`'s version.
    pub metadata_version: i32,
    /// The versions of metadata (low half) and column structure (high half) as the file packs them.
    pub structure_version: i64,
    /// Changes when the rows are replaced as a whole (truncate).
    pub data_version: i64,
    /// Counts changes of the list of partitions.
    pub partition_table_version: i64,
    /// Version of `_cv`.
    pub column_version: i64,
    /// Counts truncates.
    pub truncate_version: i64,
    /// Number of symbols of each live SYMBOL column, in writer order.
    pub symbol_counts: Vec<u32>,
    /// By ascending timestamp; empty for a table without partitions.
    pub partitions: Vec<AppliedPartition>,
    /// Visible rows.
    pub rows: u64,
}

/// A partition in [`Applied`]; a split part counts as a partition of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AppliedPartition {
    /// Its beginning, in the table's timestamp unit.
    pub ts: i64,
    /// Rows.
    pub rows: u64,
    /// Suffix of the directory, -1 for none.
    pub name_txn: i64,
    /// How often split parts were squashed into it.
    pub squash_count: u16,
    /// It is a Parquet file.
    pub parquet: bool,
    /// It takes no writes.
    pub read_only: bool,
    /// Bytes of the Parquet file, -1 for a native partition.
    pub parquet_len: i64,
}

impl Applied {
    /// Reads `<dir>/_txn` by its version protocol: as often as needed until the version is the same
    /// before and after.
    ///
    /// # Errors
    /// [`Error::Io`] if it changes faster than it can be read.
    pub fn read(files: &dyn Files, table_dir: &str) -> Result<Self> {
        let file = format!("{table_dir}/_txn");
        for _ in 0..ATTEMPTS {
            let head = files.read(&file, 0, 64)?;
            let result = Self::read_once(files, &file, &head);
            // What a file says while it moves, errors included, means nothing.
            if matches!(result, Err(Error::Pending)) || head.starts_with(&files.read(&file, 0, 8)?) {
                return result;
            }
        }
        Err(Error::Io { file: file.into(), message: "changes faster than it can be read".into() })
    }

    fn read_once(files: &dyn Files, file: &str, head: &[u8]) -> Result<Self> {
        let mut cursor = Cursor::new(file, 0, head);
        let version = cursor.i64("version")?;
        let at = if version & 1 == 0 { BASE_A } else { BASE_B };
        let mut cursor = Cursor::new(file, at, head.get(at as usize..).unwrap_or_default());
        let base = u64::from(cursor.u31("offset of the record")?);
        let symbols = u64::from(cursor.u31("size of the symbol counts")?);
        let partitions = u64::from(cursor.u31("size of the partitions")?);
        let len = RECORD_HEAD + symbols + 4 + partitions;
        let bytes = files.read(file, base, len)?;
        decode(file, base, &bytes)
    }
}

fn decode(file: &str, base: u64, bytes: &[u8]) -> Result<Applied> {
    let mut cursor = Cursor::new(file, base, bytes);
    let txn = cursor.i64("txn")?;
    let transient_rows = cursor.u63("rows of the last partition")?;
    let fixed_rows = cursor.u63("rows of the other partitions")?;
    let min_ts = cursor.i64("smallest timestamp")?;
    let max_ts = cursor.i64("largest timestamp")?;
    let structure = cursor.i64("structure version")?;
    let data_version = cursor.i64("data version")?;
    let partition_table_version = cursor.i64("partition table version")?;
    let column_version = cursor.i64("column version")?;
    let truncate_version = cursor.i64("truncate version")?;
    let seq_txn = cursor.u63("applied transaction")?;
    cursor.i32("lag checksum")?;
    // Its sign tells whether the rows are in order.
    let lag_txns = cursor.i32("transactions in the lag")?.unsigned_abs();
    let lag_rows = cursor.u31("rows in the lag")?;
    cursor.take(28, "lag timestamps")?;
    let symbol_counts = decode_symbols(&mut cursor)?;
    let len = cursor.u31("size of the partitions")? as usize;
    if !len.is_multiple_of(PARTITION) || len > cursor.remaining() {
        let expected = format_args!("a multiple of {PARTITION} up to {}", cursor.remaining());
        return Err(cursor.damaged_back(4, expected, len));
    }
    let mut partitions = Vec::with_capacity(len / PARTITION);
    for _ in 0..len / PARTITION {
        partitions.push(decode_partition(&mut cursor)?);
    }
    // The last entry's own count is stale.
    if let Some(last) = partitions.last_mut() {
        last.rows = transient_rows;
    }
    let rows = transient_rows.saturating_add(fixed_rows);
    Ok(Applied {
        txn,
        seq_txn,
        lag_txns,
        lag_rows,
        min_ts,
        max_ts,
        metadata_version: structure as i32,
        structure_version: structure,
        data_version,
        partition_table_version,
        column_version,
        truncate_version,
        symbol_counts,
        partitions,
        rows,
    })
}

fn decode_symbols(cursor: &mut Cursor<'_>) -> Result<Vec<u32>> {
    let count = cursor.count(8, "symbol columns")?;
    let mut counts = Vec::with_capacity(count);
    for _ in 0..count {
        counts.push(cursor.u31("number of symbols")?);
        cursor.i32("uncommitted symbols")?;
    }
    Ok(counts)
}

fn decode_partition(cursor: &mut Cursor<'_>) -> Result<AppliedPartition> {
    let ts = cursor.i64("partition timestamp")?;
    let masked = cursor.i64("partition rows")? as u64;
    let name_txn = cursor.i64("partition name")?;
    let parquet_len = cursor.i64("Parquet size")?;
    Ok(AppliedPartition {
        ts,
        rows: masked & ((1 << 44) - 1),
        name_txn,
        squash_count: (masked >> 44) as u16,
        parquet: masked >> 61 & 1 != 0,
        read_only: masked >> 62 & 1 != 0,
        parquet_len,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wal::MemoryFiles;

    fn txn_file(version: i64) -> Vec<u8> {
        let mut out = version.to_le_bytes().to_vec();
        out.resize(64, 0);
        let at = if version % 2 == 0 { 8 } else { 32 };
        for (i, n) in [64i32, 16, 64].into_iter().enumerate() {
            out[at + i * 4..at + i * 4 + 4].copy_from_slice(&n.to_le_bytes());
        }
        for n in [version, 5, 10, 100, 900, 3 << 32 | 7, 1, 2, 3, 4, 42] {
            out.extend(n.to_le_bytes());
        }
        for n in [0i32, -2, 6] {
            out.extend(n.to_le_bytes());
        }
        out.resize(64 + 128, 0);
        for n in [2i32, 11, 11, 12, 12, 64] {
            out.extend(n.to_le_bytes());
        }
        for n in [100i64, 10, -1, -1, 800, 3 << 44 | 1 << 61 | 99, 4, 777] {
            out.extend(n.to_le_bytes());
        }
        out
    }

    #[test]
    fn reads_the_area_that_the_version_names() {
        for version in [8, 9] {
            let mut files = MemoryFiles::default();
            files.insert("t/_txn", txn_file(version));
            let applied = Applied::read(&files, "t").unwrap();
            assert_eq!((applied.txn, applied.seq_txn, applied.rows), (version, 42, 15));
            assert_eq!((applied.lag_txns, applied.lag_rows, applied.metadata_version), (2, 6, 7));
            assert_eq!(applied.symbol_counts, [11, 12]);
            assert_eq!(applied.partitions[0].rows, 10);
            let last = applied.partitions[1];
            assert_eq!((last.rows, last.squash_count, last.name_txn), (5, 3, 4));
            assert!(last.parquet && !last.read_only);
        }
    }

    #[test]
    fn refuses_sizes_that_do_not_fit() {
        let mut files = MemoryFiles::default();
        let mut partitions = txn_file(8);
        partitions[64 + 132 + 16] = 63;
        files.insert("t/_txn", partitions);
        assert!(matches!(Applied::read(&files, "t"), Err(Error::Damaged { .. })));
        files.insert("t/_txn", txn_file(8)[..150].to_vec());
        assert!(matches!(Applied::read(&files, "t"), Err(Error::Short { .. })));
    }
}
