use crate::wal::{ColumnType, PartitionBy};

/// Why partitions of a table with dropped columns stay native.
const GAP: &str = "a column before others was dropped, or changed its type: where a partition of such a table is a Parquet file, QuestDB \
                   9.3.4 suspends the table, or ends, at the next row that comes late for it";

/// A column of a table, at its writer index for ever.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// The name now; a dropped column keeps its last one.
    pub name: String,
    /// Type, also of a dropped column.
    pub ty: ColumnType,
    /// True once dropped or replaced by a type change.
    pub dropped: bool,
    /// Part of the upsert key (the designated timestamp included).
    pub upsert_key: bool,
    /// Has a bitmap index.
    pub indexed: bool,
    /// The writer index of the column that this one replaced by a type change.
    pub replaces: Option<usize>,
}

/// What a table looks like: columns by writer index, partitioning, deduplication, TTL.
#[derive(Debug, Clone, PartialEq)]
pub struct Schema {
    /// By writer index; append-only.
    pub columns: Vec<Column>,
    /// Writer indexes of the live columns in the order of `SELECT *`.
    pub order: Vec<usize>,
    /// Writer index of the designated timestamp.
    pub timestamp: usize,
    /// Unit of partitions.
    pub partition_by: PartitionBy,
    /// Hours if positive, months if negative, none if 0.
    pub ttl: i32,
    /// Structure version: grows by one with each structural change.
    pub version: i64,
}

impl Schema {
    /// True if rows with equal upsert keys replace each other.
    pub fn dedup(&self) -> bool {
        self.columns.iter().any(|column| column.upsert_key && !column.dropped)
    }

    /// Writer indexes of the upsert keys besides the designated timestamp.
    pub fn extra_keys(&self) -> Vec<usize> {
        (0..self.columns.len())
            .filter(|&i| i != self.timestamp)
            .filter(|&i| self.columns.get(i).is_some_and(|column| column.upsert_key && !column.dropped))
            .collect()
    }

    /// True if the designated timestamp counts nanoseconds.
    pub fn nanos(&self) -> bool {
        self.columns.get(self.timestamp).is_some_and(|column| column.ty.is_nanos())
    }

    /// The live column of this name; names compare without case.
    pub fn find(&self, name: &str) -> Option<(usize, &Column)> {
        let same = |column: &Column| column.name == name || column.name.to_lowercase() == name.to_lowercase();
        self.columns.iter().enumerate().find(|(_, column)| !column.dropped && same(column))
    }

    /// The live columns in the order of `SELECT *`, with their writer indexes.
    pub fn live(&self) -> impl Iterator<Item = (usize, &Column)> + '_ {
        self.order.iter().filter_map(|&index| Some((index, self.columns.get(index)?)))
    }

    /// Why partitions of this table must not become Parquet files in a directory, if so: QuestDB takes a column's writer index
    /// for its place in the file when it merges rows into one. Files of them can still be taken elsewhere.
    pub fn stays_native(&self) -> Option<&'static str> {
        let in_place = self.order.iter().enumerate().all(|(place, index)| place == *index);
        (!in_place).then_some(GAP)
    }

    /// QuestDB's text of the TTL, e.g. `12 HOURS`; `None` without one.
    pub fn ttl_text(&self) -> Option<String> {
        ttl_text(self.ttl)
    }
}

/// QuestDB's text of a TTL as `_meta` stores it (hours, or negative months), e.g. `12 HOURS`; `None` for 0.
pub fn ttl_text(ttl: i32) -> Option<String> {
    let plural = |n: i64, unit: &str| format!("{n} {unit}{}", if n == 1 { "" } else { "S" });
    let hours = i64::from(ttl);
    let months = -hours;
    Some(match ttl {
        0 => return None,
        i32::MIN..=-1 if months % 12 == 0 => plural(months / 12, "YEAR"),
        i32::MIN..=-1 => plural(months, "MONTH"),
        _ if hours % (7 * 24) == 0 => plural(hours / (7 * 24), "WEEK"),
        _ if hours % 24 == 0 => plural(hours / 24, "DAY"),
        _ => plural(hours, "HOUR"),
    })
}
