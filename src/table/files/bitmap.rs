use super::Patch;
use super::index::Index;
use crate::wal::{Files, Result};

/// The bitmap index of a SYMBOL column in a partition: its files `.k` and `.v`.
///
/// Rows are numbered from the start of the partition, those above a column top included (they have no entries).
#[derive(Debug, Clone)]
pub struct BitmapWriter {
    index: Index,
}

impl BitmapWriter {
    /// An index without rows, and the patches that create its files.
    ///
    /// `dir` is the partition's directory below the table's, `block_capacity` that of `_meta` (row numbers per
    /// block; rounded up to a power of two of at least 2), `name_txn` -1 for files without a suffix.
    pub fn create(dir: &str, column: &str, name_txn: i64, block_capacity: u32) -> (Self, Vec<Patch>) {
        let (index, patches) = Index::create(&stem(dir, column), &suffix(name_txn), block_capacity);
        (Self { index }, patches)
    }

    /// Takes up existing files, ours or the server's, as of `rows` rows; what lists more is rolled back by the
    /// next [`append`](Self::append).
    ///
    /// # Errors
    /// Files that contradict themselves: the index must be built anew.
    pub fn open(
        files: &dyn Files,
        table_dir: &str,
        dir: &str,
        column: &str,
        name_txn: i64,
        rows: u64,
    ) -> Result<Self> {
        let mut index = Index::open(files, table_dir, &stem(dir, column), &suffix(name_txn))?;
        // The header's number is written before the entries, so it is never too small; but it can be missing.
        if index.max_value < 1 || index.max_value as u64 >= rows {
            index.roll_back(files, table_dir, rows)?;
        }
        Ok(Self { index })
    }

    /// Lists rows from `first_row` on: their symbol keys, null being any negative number. The keys must be
    /// those of the column's dictionary.
    ///
    /// Patches are in crash-safe order, even if one of them is cut, as long as `.k`'s header (64 bytes) and
    /// each of its entries (32 bytes, aligned) are written whole. Nothing before the header's patch changes what
    /// anybody sees; where power may fail, it must be durable before that is written.
    pub fn append(&mut self, keys: &[i32], first_row: u64) -> Vec<Patch> {
        let end = first_row + keys.len() as u64;
        self.index.append(pairs(keys, first_row), end as i64 - 1)
    }

    /// Content of `.k` and `.v` for rows that are indexed in one go: `keys` as for [`append`](Self::append).
    pub fn build(keys: &[i32], first_row: u64, block_capacity: u32) -> (Vec<u8>, Vec<u8>) {
        let end = first_row + keys.len() as u64;
        Index::empty("", "", block_capacity).build(pairs(keys, first_row), end as i64 - 1)
    }

    /// Memory held, in bytes.
    pub fn memory(&self) -> usize {
        self.index.memory()
    }
}

fn pairs(keys: &[i32], first_row: u64) -> impl Iterator<Item = (usize, u64)> + '_ {
    // 0 is null; a negative key can be nothing else.
    let number = |key: i32| usize::try_from(key).map_or(0, |key| key + 1);
    keys.iter().zip(first_row..).map(move |(key, row)| (number(*key), row))
}

fn stem(dir: &str, column: &str) -> String {
    format!("{dir}/{column}")
}

/// What follows the extension of a file of this name-txn.
pub(super) fn suffix(name_txn: i64) -> String {
    if name_txn < 0 { String::new() } else { format!(".{name_txn}") }
}
