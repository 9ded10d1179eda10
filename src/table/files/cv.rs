//! A table's `_cv`: which files a column has in which partition, and at which row they begin.

use super::Patch;
use super::out::Out;
use crate::wal::{Cursor, Error, Files, Result};
use std::collections::BTreeMap;

const FILE: &str = "_cv";
const HEADER: u64 = 40;
const AREA_A: u64 = 8;
const AREA_B: u64 = 24;
const ENTRY: u64 = 32;
/// Key of the records that hold for every partition without its own.
const DEFAULT: i64 = i64::MIN;
/// Key of the records of dictionaries.
const SYMBOLS: i64 = i64::MIN + 1;
/// Longest file that is read: 8 million records.
const MAX_FILE: u64 = 256 << 20;
/// Times that a file which changes under the reader is read again.
const ATTEMPTS: u32 = 16;

/// The content of `_cv`: for columns that did not come with the table, or whose files were written anew.
///
/// As in `_txn`, the file holds two areas, and its version's parity says which is current. Partitions are
/// named by their timestamp in the table's unit, columns by writer index.
///
/// ```
/// use understudy::table::files::ColumnVersions;
/// let mut versions = ColumnVersions::default();
/// versions.set_default(3, 7, 86_400_000_000);
/// assert_eq!(versions.top(0, 3, 10), None, "the column came later");
/// assert_eq!(versions.top(86_400_000_000, 3, 10), Some(0));
/// assert_eq!(versions.name_txn(86_400_000_000, 3), 7);
/// let (versions, patches) = versions.next();
/// assert_eq!((versions.version(), patches.len()), (1, 3));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ColumnVersions {
    version: i64,
    areas: [Area; 2],
    /// By key and column, as the file has them.
    records: BTreeMap<(i64, usize), Record>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Area {
    offset: u64,
    len: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Record {
    name_txn: i64,
    /// The top, or of a default record the partition in which the column was added.
    value: i64,
}

impl ColumnVersions {
    /// Reads `<table_dir>/_cv` as it is now.
    ///
    /// # Errors
    /// What [`decode`](Self::decode) answers; [`Error::Io`] if it changes faster than it can be read.
    pub fn read(files: &dyn Files, table_dir: &str) -> Result<Self> {
        let file = format!("{table_dir}/{FILE}");
        for _ in 0..ATTEMPTS {
            let content = files.read_all(&file, MAX_FILE)?;
            let decoded = Self::decode(&file, &content);
            if content.starts_with(&files.read(&file, 0, 8)?) {
                return decoded;
            }
        }
        Err(Error::Io { file: file.into(), message: "changes faster than it can be read".into() })
    }

    /// Decodes the current state in the whole content of `file`.
    ///
    /// # Errors
    /// [`Error::Damaged`] if the current area is not in the file, or its records are not in order.
    pub fn decode(file: &str, bytes: &[u8]) -> Result<Self> {
        let version = Cursor::new(file, 0, bytes).i64("version")?;
        Self::decode_at(file, bytes, version)
    }

    /// Decodes the state of a version: the current one, or the one before, which its area still holds
    /// until the next write. `_txn` decides which of the two counts: a crash can leave `_cv` one ahead.
    ///
    /// # Errors
    /// As [`decode`](Self::decode); [`Error::Damaged`] for any other version.
    pub fn decode_at(file: &str, bytes: &[u8], version: i64) -> Result<Self> {
        let mut cursor = Cursor::new(file, 0, bytes);
        let current = cursor.i64("version")?;
        if current < 0 || version < 0 || current != version && current.checked_sub(1) != Some(version) {
            return Err(cursor.damaged_back(8, format_args!("version {version}, or one more"), current));
        }
        let areas = [decode_area(&mut cursor)?, decode_area(&mut cursor)?];
        let mut out = Self { version, areas, records: BTreeMap::new() };
        let Area { offset, len } = out.current();
        if len == 0 {
            return Ok(out);
        }
        let area = usize::try_from(offset).ok().zip(usize::try_from(offset.saturating_add(len)).ok());
        let area = area.and_then(|(from, to)| bytes.get(from..to));
        let (Some(area), true, true) = (area, len.is_multiple_of(ENTRY), offset >= HEADER) else {
            let expected = format_args!("an area of {ENTRY}-byte records in {HEADER} to {}", bytes.len());
            let found = format_args!("{len} bytes at {offset}");
            return Err(Error::damaged(file, descriptor(version), expected, found));
        };
        out.decode_records(&mut Cursor::new(file, offset, area))?;
        Ok(out)
    }

    fn decode_records(&mut self, cursor: &mut Cursor<'_>) -> Result<()> {
        while cursor.remaining() > 0 {
            let key = cursor.i64("partition")?;
            let column = cursor.i64("column")?;
            let Some(index) = u32::try_from(column).ok() else {
                return Err(cursor.damaged_back(8, "a column's index", column));
            };
            let place = (key, index as usize);
            if self.records.last_key_value().is_some_and(|(last, _)| *last >= place) {
                let expected = "records in order of partition and column, each once";
                return Err(cursor.damaged_back(16, expected, format_args!("{key}, {column}")));
            }
            let record = Record { name_txn: cursor.i64("name of the files")?, value: cursor.i64("top")? };
            if key > SYMBOLS && record.value < 0 {
                return Err(cursor.damaged_back(8, "a top of 0 or more", record.value));
            }
            self.records.insert(place, record);
        }
        Ok(())
    }

    /// The version, which `_txn` names once it counts.
    pub fn version(&self) -> i64 {
        self.version
    }

    /// The suffix of a column's files in a partition, -1 for none.
    pub fn name_txn(&self, partition_ts: i64, column: usize) -> i64 {
        self.at(partition_ts, column).map_or_else(|| self.default_name_txn(column), |record| record.name_txn)
    }

    /// The suffix of its files in partitions without a record of their own, -1 for none.
    pub fn default_name_txn(&self, column: usize) -> i64 {
        self.get(DEFAULT, column).map_or(-1, |record| record.name_txn)
    }

    /// The partition in which the column was added; `None` if it came with the table.
    pub fn added_at(&self, column: usize) -> Option<i64> {
        self.get(DEFAULT, column).map(|record| record.value)
    }

    /// Rows at the beginning of a partition of `rows` rows that its files don't hold, because they are
    /// older than the column; `None` if the partition has no files of it.
    pub fn top(&self, partition_ts: i64, column: usize, rows: u64) -> Option<u64> {
        match self.at(partition_ts, column) {
            Some(record) => Some(record.value.unsigned_abs().min(rows)),
            None if self.added_at(column).is_none_or(|added| added <= partition_ts) => Some(0),
            None => None,
        }
    }

    /// True if the partition has its own record of the column.
    pub fn has_record(&self, partition_ts: i64, column: usize) -> bool {
        self.at(partition_ts, column).is_some()
    }

    /// The suffix of the files of a column's dictionary, -1 for none.
    pub fn symbol_name_txn(&self, column: usize) -> i64 {
        self.get(SYMBOLS, column).map_or_else(|| self.default_name_txn(column), |record| record.name_txn)
    }

    /// Every partition's own record: partition, column, suffix, top; in order of partition and column.
    pub fn partition_records(&self) -> impl Iterator<Item = (i64, usize, i64, u64)> {
        let own = self.records.range((SYMBOLS + 1, 0)..);
        own.map(|((key, column), record)| (*key, *column, record.name_txn, record.value.unsigned_abs()))
    }

    /// Columns that have a default or a dictionary record.
    pub fn columns(&self) -> impl Iterator<Item = usize> {
        self.records.range(..(SYMBOLS + 1, 0)).map(|((_, column), _)| *column)
    }

    /// Sets a column's default: `added_ts` is the partition in which it was added.
    pub fn set_default(&mut self, column: usize, name_txn: i64, added_ts: i64) {
        self.records.insert((DEFAULT, column), Record { name_txn, value: added_ts });
    }

    /// Sets what holds for a column in one partition.
    pub fn set(&mut self, partition_ts: i64, column: usize, name_txn: i64, top: u64) {
        // A timestamp at the very beginning of time would be taken for one of the two other kinds.
        if partition_ts > SYMBOLS {
            let value = i64::try_from(top).unwrap_or(i64::MAX);
            self.records.insert((partition_ts, column), Record { name_txn, value });
        }
    }

    /// Sets the suffix of the files of a column's dictionary.
    pub fn set_symbol(&mut self, column: usize, name_txn: i64) {
        self.records.insert((SYMBOLS, column), Record { name_txn, value: 0 });
    }

    /// Forgets a partition's records.
    pub fn remove_partition(&mut self, ts: i64) {
        if ts > SYMBOLS {
            let columns: Vec<usize> =
                self.records.range((ts, 0)..=(ts, usize::MAX)).map(|((_, column), _)| *column).collect();
            for column in columns {
                self.records.remove(&(ts, column));
            }
        }
    }

    /// Forgets everything about a column.
    pub fn remove_column(&mut self, column: usize) {
        self.records.retain(|(_, of), _| *of != column);
    }

    /// After the newest partitions were dropped: a column that was added in one of them counts as added
    /// in the one that is now last, below all of its `rows` rows.
    pub fn move_added(&mut self, last_partition_ts: i64, rows: u64) {
        let later: Vec<(usize, i64)> = self
            .records
            .range((DEFAULT, 0)..(SYMBOLS, 0))
            .filter(|(_, record)| record.value > last_partition_ts)
            .map(|((_, column), record)| (*column, record.name_txn))
            .collect();
        for (column, name_txn) in later {
            self.set_default(column, name_txn, last_partition_ts);
            if self.at(last_partition_ts, column).is_none() {
                self.set(last_partition_ts, column, name_txn, rows);
            }
        }
    }

    /// TRUNCATE: names of files stay, tops and the partitions that columns were added in go.
    pub fn truncate(&mut self) {
        self.records.retain(|(key, _), _| *key <= SYMBOLS);
        for record in self.records.values_mut() {
            record.value = SYMBOLS;
        }
    }

    /// A whole new file with this state at its version.
    pub fn first(&self) -> (Self, Vec<u8>) {
        let records = self.encode_records();
        let mut out = self.clone();
        out.areas = [Area::default(); 2];
        let area = Area { offset: if records.is_empty() { 0 } else { HEADER }, len: records.len() as u64 };
        *out.area_mut() = area;
        let mut bytes = Out::default();
        bytes.i64(out.version);
        for area in out.areas {
            bytes.u63(area.offset);
            bytes.u63(area.len);
        }
        bytes.0.extend(records);
        (out, bytes.0)
    }

    /// The writes that bring the file from the state at [`version`](Self::version) to what this is now,
    /// one version on: the records, where they are, the version. They must reach the file in this order.
    pub fn next(&self) -> (Self, [Patch; 3]) {
        let records = self.encode_records();
        let current = self.current();
        let (start, len) = (current.offset.max(HEADER), records.len() as u64);
        let offset = if HEADER + len <= start { HEADER } else { start + current.len };
        let mut next = self.clone();
        next.version = self.version.wrapping_add(1);
        *next.area_mut() = Area { offset, len };
        let mut place = Out::default();
        place.u63(offset);
        place.u63(len);
        let patches = [
            Patch::new(FILE, offset, records),
            Patch::new(FILE, descriptor(next.version), place.0),
            Patch::new(FILE, 0, next.version.to_le_bytes().to_vec()),
        ];
        (next, patches)
    }

    fn encode_records(&self) -> Vec<u8> {
        let mut out = Out::with_capacity(self.records.len() * ENTRY as usize);
        for ((key, column), record) in &self.records {
            out.i64(*key);
            out.u63(*column as u64);
            out.i64(record.name_txn);
            out.i64(record.value);
        }
        out.0
    }

    fn get(&self, key: i64, column: usize) -> Option<&Record> {
        self.records.get(&(key, column))
    }

    /// A partition's own record.
    fn at(&self, partition_ts: i64, column: usize) -> Option<&Record> {
        if partition_ts > SYMBOLS { self.get(partition_ts, column) } else { None }
    }

    fn current(&self) -> Area {
        let [a, b] = self.areas;
        if self.version & 1 == 0 { a } else { b }
    }

    fn area_mut(&mut self) -> &mut Area {
        let [a, b] = &mut self.areas;
        if self.version & 1 == 0 { a } else { b }
    }
}

/// Where the area's descriptor is that a version selects.
fn descriptor(version: i64) -> u64 {
    if version & 1 == 0 { AREA_A } else { AREA_B }
}

fn decode_area(cursor: &mut Cursor<'_>) -> Result<Area> {
    Ok(Area { offset: cursor.u63("offset of the records")?, len: cursor.u63("size of the records")? })
}
