//! Rows of the table: the columns of QuestDB's view `storage_policies`.

use super::commit::COLUMNS;
use crate::native::outcome::{Exit, Failure, Result};
use crate::table::{Table, Value};
use std::collections::BTreeMap;

/// The status of a policy that was removed.
pub const REMOVED: char = 'X';

/// A table's policy, or that it has none any more.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct PolicyRow {
    /// The table's directory: a renamed table keeps its policy.
    pub table_dir_name: String,
    /// Hours or months, as `72h`, `1m`; `0h` if not set.
    pub to_parquet: String,
    /// As `to_parquet`.
    pub to_remote: String,
    /// As `to_parquet`.
    pub drop_local: String,
    /// Always `0h`.
    pub drop_remote: String,
    /// `A` active, `D` disabled, `X` removed.
    pub status: char,
    /// When the definition changed, microseconds since 1970.
    pub last_updated: i64,
}

impl PolicyRow {
    /// That a table has no policy.
    pub fn removed(dir: &str, at_us: i64) -> Self {
        let none = || "0h".to_owned();
        Self {
            table_dir_name: dir.to_owned(),
            to_parquet: none(),
            to_remote: none(),
            drop_local: none(),
            drop_remote: none(),
            status: REMOVED,
            last_updated: at_us,
        }
    }

    fn read(table: &Table, row: usize) -> Option<Self> {
        let text = |column| match table.value(row, column) {
            Value::Utf16(units) => String::from_utf16(&units_of(units)).ok(),
            _ => None,
        };
        let status = match table.value(row, 5) {
            Value::Char(unit) => char::from_u32(unit.into())?,
            _ => return None,
        };
        let Value::Timestamp(last_updated) = table.value(row, 6) else { return None };
        Some(Self {
            table_dir_name: text(0)?,
            to_parquet: text(1)?,
            to_remote: text(2)?,
            drop_local: text(3)?,
            drop_remote: text(4)?,
            status,
            last_updated,
        })
    }
}

fn units_of(bytes: &[u8]) -> Vec<u16> {
    bytes.as_chunks::<2>().0.iter().map(|unit| u16::from_le_bytes(*unit)).collect()
}

/// The newest row of each table, by directory; also of tables whose policy was removed.
///
/// # Errors
/// Of a table with other columns or values than these.
pub fn newest(table: &Table) -> Result<BTreeMap<String, PolicyRow>> {
    let columns = &table.schema.columns;
    let fits = columns.len() >= COLUMNS.len()
        && columns
            .iter()
            .zip(COLUMNS)
            .all(|(found, (name, ty))| found.name == *name && found.ty.code() == *ty);
    let damaged = |what: String| Failure::new(Exit::Damaged, format!("{}: {what}", table.dir));
    if !fits {
        return Err(damaged("it has other columns than a table of storage policies".into()));
    }
    let mut newest = BTreeMap::new();
    for row in 0..table.rows() {
        let policy = PolicyRow::read(table, row).ok_or_else(|| damaged(format!("row {row} is no policy")))?;
        newest.insert(policy.table_dir_name.clone(), policy);
    }
    Ok(newest)
}
