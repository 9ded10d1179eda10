use super::cursor::Cursor;
use super::{ColumnType, Error, Files, PartitionBy, Result};

/// The one metadata version that QuestDB has used since 6.x.
const VERSION: i32 = 426;
/// The minor version that QuestDB 9.0 to 9.3 write.
const MINOR_VERSION: u16 = 1;
const HEADER: usize = 128;
const COLUMN: usize = 32;
const MAX_META: u64 = 16 << 20;
const FLAG_INDEXED: i64 = 1;
const FLAG_SYMBOL_CACHE: i64 = 1 << 2;
const FLAG_DEDUP_KEY: i64 = 1 << 3;

/// A table's definition: `txn_seq/_meta.0` (at creation) or `_meta` (as applied).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableMeta {
    /// How rows are cut into partitions.
    pub partition_by: PartitionBy,
    /// Writer index of the designated timestamp, if there is one.
    pub timestamp: Option<usize>,
    /// The table's id in this database.
    pub table_id: i32,
    /// Rows that a writer may hold before it commits.
    pub max_uncommitted_rows: i32,
    /// Microseconds.
    pub o3_max_lag: i64,
    /// Counts changes of the applied table's metadata, not only structural ones.
    pub metadata_version: i64,
    /// False for a table without a log.
    pub wal_enabled: bool,
    /// How long rows are kept.
    pub ttl: Ttl,
    /// Of the metadata's format: 1 since QuestDB 9, 0 before.
    pub minor_version: u16,
    /// By writer index.
    pub columns: Vec<TableMetaColumn>,
}

/// How long rows are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ttl {
    /// Rows are kept for ever.
    None,
    /// Hours after the end of a partition.
    Hours(u32),
    /// Calendar months after the end of a partition.
    Months(u32),
}

/// A column in [`TableMeta`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableMetaColumn {
    /// Name; of a dropped column the last one.
    pub name: String,
    /// Type.
    pub ty: ColumnType,
    /// The column is dropped and keeps its place only.
    pub dropped: bool,
    /// A SYMBOL with an index.
    pub indexed: bool,
    /// A SYMBOL whose dictionary the server caches.
    pub symbol_cache: bool,
    /// One of the upsert keys.
    pub dedup_key: bool,
    /// Row ids per block of the index.
    pub index_block_capacity: i32,
    /// Configured capacity of the dictionary.
    pub symbol_capacity: i32,
    /// How QuestDB encodes the column in Parquet: encoding, codec and level as it packs them, 0 for its
    /// defaults.
    pub parquet_encoding: i32,
    /// Writer index of the column whose place in `SELECT *` this one has, after a change of type.
    pub replaces: Option<usize>,
}

impl TableMeta {
    /// Reads `txn_seq/_meta.0`: the table as it was created. QuestDB never changes this file.
    pub fn at_creation(files: &dyn Files, table_dir: &str) -> Result<Self> {
        Self::read(files, &format!("{table_dir}/txn_seq/_meta.0"))
    }

    /// Reads `_meta`: the table as QuestDB has applied it.
    pub fn applied(files: &dyn Files, table_dir: &str) -> Result<Self> {
        Self::read(files, &format!("{table_dir}/_meta"))
    }

    /// Reads the file at `path`.
    pub fn read(files: &dyn Files, path: &str) -> Result<Self> {
        Self::decode(path, &files.read_all(path, MAX_META)?)
    }

    /// True if rows of equal upsert keys replace each other.
    pub fn dedup(&self) -> bool {
        self.columns.iter().any(|column| column.dedup_key)
    }

    /// What to know of a table that another release of QuestDB made than those that replays are compared
    /// with byte for byte; `None` for those. Files tell a release no more exactly than that.
    pub fn other_release(&self) -> Option<&'static str> {
        match self.minor_version {
            MINOR_VERSION => None,
            0 => Some("it was made by a QuestDB before 9, whose recordings are compared by value only"),
            _ => {
                Some("it was made by a later QuestDB than 9.3.4, the last one that replays are compared with")
            }
        }
    }

    /// Decodes the content of `file`, which may be followed by unused bytes.
    pub fn decode(file: &str, bytes: &[u8]) -> Result<Self> {
        let mut cursor = Cursor::new(file, 0, bytes);
        let count = cursor.u31("number of columns")? as usize;
        let most = bytes.len().saturating_sub(HEADER) / (COLUMN + 4);
        if count > most {
            return Err(cursor.damaged_back(4, format_args!("at most {most} columns in this file"), count));
        }
        let by = cursor.i32("partitioning")?;
        let partition_by = PartitionBy::from_code(by)
            .ok_or_else(|| cursor.unsupported_back(4, format_args!("partitioning code {by} is not known")))?;
        let timestamp = cursor.i32("index of the designated timestamp")?;
        if timestamp >= count as i32 {
            return Err(cursor.damaged_back(4, format_args!("an index below {count}"), timestamp));
        }
        let version = cursor.i32("metadata version")?;
        if version != VERSION {
            return Err(cursor
                .unsupported_back(4, format_args!("table metadata version {version}; {VERSION} is known")));
        }
        let table_id = cursor.i32("table id")?;
        let max_uncommitted_rows = cursor.i32("most uncommitted rows")?;
        let o3_max_lag = cursor.i64("largest lag")?;
        let metadata_version = cursor.i64("version of the metadata")?;
        let wal_enabled = cursor.flag("WAL flag")?;
        let minor = cursor.i32("checksum and minor version")? as u32;
        // Older releases have anything there; later ones a checksum below the number.
        let checksum = (count as i64).wrapping_mul(37).wrapping_add(metadata_version.wrapping_mul(13));
        let minor_version = if checksum as u16 == minor as u16 { (minor >> 16) as u16 } else { 0 };
        let ttl = match cursor.i32("TTL")? {
            0 => Ttl::None,
            hours @ 1.. => Ttl::Hours(hours as u32),
            months => Ttl::Months(months.unsigned_abs()),
        };
        let columns = decode_columns(file, bytes, count)?;
        Ok(Self {
            partition_by,
            timestamp: usize::try_from(timestamp).ok(),
            table_id,
            max_uncommitted_rows,
            o3_max_lag,
            metadata_version,
            wal_enabled,
            ttl,
            minor_version,
            columns,
        })
    }
}

fn decode_columns(file: &str, bytes: &[u8], count: usize) -> Result<Vec<TableMetaColumn>> {
    let mut fixed = Cursor::new(file, HEADER as u64, bytes.get(HEADER..).unwrap_or_default());
    let names_at = HEADER + count * COLUMN;
    let mut names = Cursor::new(file, names_at as u64, bytes.get(names_at..).unwrap_or_default());
    let mut columns = Vec::with_capacity(count);
    for _ in 0..count {
        let code = fixed.i32("column type")?;
        let ty = ColumnType::from_code(code.saturating_abs())
            .ok_or_else(|| fixed.unsupported_back(4, format_args!("column type code {code} is not known")))?;
        let flags = fixed.i64("column flags")?;
        let index_block_capacity = fixed.i32("index block capacity")?;
        let symbol_capacity = fixed.i32("symbol capacity")?;
        let parquet_encoding = fixed.i32("parquet encoding")?;
        let replaces = fixed.i32("replaced column")?;
        if replaces > count as i32 {
            return Err(fixed.damaged_back(4, format_args!("a column up to {count}"), replaces));
        }
        fixed.i32("reserved")?;
        columns.push(TableMetaColumn {
            name: names.name("column name")?,
            ty,
            dropped: code < 0,
            indexed: flags & FLAG_INDEXED != 0,
            symbol_cache: flags & FLAG_SYMBOL_CACHE != 0,
            dedup_key: flags & FLAG_DEDUP_KEY != 0,
            index_block_capacity,
            symbol_capacity,
            parquet_encoding,
            replaces: usize::try_from(replaces.saturating_sub(1)).ok(),
        });
    }
    Ok(columns)
}

/// The logical name in `<dir>/_name`, for a directory that the registry does not list.
pub fn read_name_file(files: &dyn Files, table_dir: &str) -> Result<String> {
    let file = format!("{table_dir}/_name");
    let bytes = files.read_all(&file, 1 << 16)?;
    let name = Cursor::new(&file, 0, &bytes).name("table name")?;
    if name.is_empty() {
        return Err(Error::damaged(&file, 0, "a table name", "an empty one"));
    }
    Ok(name)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A `_meta.0` by day with columns of these type codes, flags and names.
    pub(in crate::wal) fn encode(columns: &[(i32, i64, &str)], ttl: i32) -> Vec<u8> {
        let mut out = Vec::new();
        for n in [columns.len() as i32, 0, 0, VERSION, 9, 500_000] {
            out.extend(n.to_le_bytes());
        }
        out.extend(600_000_000i64.to_le_bytes());
        out.extend(0i64.to_le_bytes());
        out.push(1);
        out.extend((columns.len() as i32 * 37 | 1 << 16).to_le_bytes());
        out.extend(ttl.to_le_bytes());
        out.resize(HEADER, 0);
        for (code, flags, _) in columns {
            out.extend(code.to_le_bytes());
            out.extend(flags.to_le_bytes());
            for n in [256i32, 128, 0, 0, 0] {
                out.extend(n.to_le_bytes());
            }
        }
        for (_, _, name) in columns {
            let units: Vec<u16> = name.encode_utf16().collect();
            out.extend((units.len() as i32).to_le_bytes());
            units.iter().for_each(|unit| out.extend(unit.to_le_bytes()));
        }
        out
    }

    #[test]
    fn reads_flags_ttl_and_names() {
        let bytes = encode(&[(8, 8, "ts"), (12, 13, "s"), (-6, 0, "old")], -2);
        let meta = TableMeta::decode("f", &bytes).unwrap();
        assert_eq!(meta.partition_by, PartitionBy::Day);
        assert_eq!((meta.timestamp, meta.table_id, meta.ttl), (Some(0), 9, Ttl::Months(2)));
        assert!(meta.dedup() && meta.wal_enabled);
        let symbol = &meta.columns[1];
        assert!(symbol.indexed && symbol.symbol_cache && symbol.dedup_key && !symbol.dropped);
        assert_eq!((symbol.symbol_capacity, symbol.index_block_capacity), (128, 256));
        assert_eq!(meta.columns[2].name, "old");
        assert!(meta.columns[2].dropped);
    }

    #[test]
    fn tells_other_releases() {
        let bytes = encode(&[(8, 0, "ts"), (6, 0, "n")], 0);
        let with =
            |minor: [u8; 4]| TableMeta::decode("f", &[&bytes[..41], &minor, &bytes[45..]].concat()).unwrap();
        assert_eq!(with([74, 0, 1, 0]).other_release(), None);
        assert!(with([0; 4]).other_release().unwrap().contains("before 9"));
        assert!(with([75, 0, 1, 0]).other_release().unwrap().contains("before 9"));
        assert!(with([74, 0, 2, 0]).other_release().unwrap().contains("later"));
    }

    #[test]
    fn refuses_other_releases_and_short_files() {
        let good = encode(&[(8, 0, "ts")], 0);
        let mut version = good.clone();
        version[12] ^= 1;
        assert!(matches!(TableMeta::decode("f", &version), Err(Error::Unsupported { offset: 12, .. })));
        let mut by = good.clone();
        by[4] = 9;
        assert!(matches!(TableMeta::decode("f", &by), Err(Error::Unsupported { offset: 4, .. })));
        assert!(TableMeta::decode("f", &good[..good.len() - 1]).is_err());
        assert!(TableMeta::decode("f", &[255, 255, 255, 127]).is_err());
    }
}
