//! What a run begins with: tables of a real history, with their rows as they were at a moment.
//!
//! They are written as any rows are, as lines into a node's own log, and lie on the disk of the node that founds the cluster
//! before it does so: the history begins with them. Clients write to these tables, rows like theirs.

use super::cells::{column_type, field, moment};
use super::clock::EPOCH_US;
use super::disk::Disk;
use super::node::{NewTable, create_tables};
use super::workload::Made;
use super::{Chance, Micros, NODES_MAX};
use crate::ilp::{Row, Unit, Version, encode, word};
use crate::node::write;
use crate::wal::{ColumnType, PartitionBy, Tag};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The moment of the real history, in the run: before it the cluster is founded and comes level, behind it clients write.
pub const FORK_US: Micros = 5_000_000;
/// The column by which the simulator tells rows of clients apart.
pub(super) const ROW_ID: &str = "lab_row";
/// Tables, at most.
const TABLES_MAX: usize = 16;
/// Columns of a table, at most; and writer indexes.
const COLUMNS_MAX: usize = 4_000;
/// Rows of all tables together, at most.
const ROWS_MAX: usize = 50_000;
/// Cells of all rows together, and bytes in them, at most.
const CELLS_MAX: usize = 4_000_000;
const BYTES_MAX: usize = 16 << 20;
const NAME_MAX: usize = 127;
/// Rows of one transaction.
const ROWS_AT_ONCE: usize = 1_000;
/// Rows that clients take theirs from, of each table, the newest.
const MODELS_MAX: usize = 256;
/// Rows are late by up to this much of their own time, which is as fast as the run's.
const LATE_US: u64 = 20_000_000;

/// Tables of a real history to begin with.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Begin {
    /// Of which history, and where in it; for people.
    pub of: String,
    /// What the nodes were called, from the first on, which founds the cluster; for people.
    pub names: Vec<String>,
    /// The tables.
    pub tables: Vec<BeginTable>,
}

/// A table to begin with.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BeginTable {
    /// Its name.
    pub name: String,
    /// `HOUR`, `DAY`, `WEEK`, `MONTH` or `YEAR`.
    pub partition: String,
    /// The column with the designated timestamp.
    pub timestamp: String,
    /// Upsert keys, the designated timestamp among them; none without deduplication.
    pub dedup: Vec<String>,
    /// Writer index, name and type, in the order of a row's cells. An index that is left out is of a column that was dropped.
    pub columns: Vec<(u32, String, String)>,
    /// Cells as a replay shows them, `null` for none; in order of time.
    pub rows: Vec<Vec<Option<String>>>,
    /// How many rows it had there: the newest of them are here.
    pub all: u64,
}

/// The same, written.
#[derive(Debug, Clone)]
pub(super) struct Begun {
    /// As the first node finds it.
    pub disk: Disk,
    pub tables: Vec<Model>,
}

/// A table, and rows that new ones are made from.
#[derive(Debug, Clone)]
pub(super) struct Model {
    pub name: String,
    pub rows: u64,
    /// The newest timestamp, in microseconds.
    newest_us: i64,
    /// Lines without a time; those that have any field end with a comma.
    lines: Vec<Vec<u8>>,
}

impl Begin {
    /// Writes it.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn write(&self) -> Result<Begun, String> {
        self.bounds()?;
        let mut begun = Begun { disk: Disk::default(), tables: Vec::new() };
        let shapes = self.tables.iter().map(BeginTable::shape).collect::<Result<Vec<_>, _>>()?;
        create_tables(&mut begun.disk, 0, EPOCH_US, &shapes);
        let mut writer = write::Tables::open(&begun.disk, write::Options::default())
            .map_err(|error| format!("begin: {error}"))?;
        for (table, shape) in self.tables.iter().zip(&shapes) {
            for rows in table.rows.chunks(ROWS_AT_ONCE) {
                let mut body = Vec::new();
                rows.iter().try_for_each(|row| table.line(shape, row, &mut body))?;
                let written = writer
                    .commit(body, Unit::Nanos, EPOCH_US)
                    .map_err(|refused| table.wrong(&refused.error.to_string()))?;
                for write in written.writes {
                    let done = begun.disk.write(0, &write.path(), write.offset, write.bytes);
                    done.map_err(|error| table.wrong(&error.to_string()))?;
                }
            }
            begun.tables.push(table.model(shape)?);
        }
        begun.disk.sync_all();
        Ok(begun)
    }

    fn bounds(&self) -> Result<(), String> {
        let tables = &self.tables;
        if !(1..=TABLES_MAX).contains(&tables.len()) || self.names.len() > NODES_MAX as usize {
            return Err(format!("begin has 1 to {TABLES_MAX} tables and up to {NODES_MAX} names"));
        }
        let all = || tables.iter().flat_map(|table| &table.rows);
        let (rows, cells) = (all().count(), all().map(Vec::len).sum::<usize>());
        let bytes: usize = all().flatten().flatten().map(String::len).sum();
        if rows > ROWS_MAX || cells > CELLS_MAX || bytes > BYTES_MAX {
            return Err(format!(
                "begin has up to {ROWS_MAX} rows, {CELLS_MAX} cells and {} MiB of text",
                BYTES_MAX >> 20
            ));
        }
        let names: BTreeSet<String> = tables.iter().map(|table| table.name.to_lowercase()).collect();
        if names.len() < tables.len() {
            return Err("begin has two tables of one name".into());
        }
        Ok(())
    }
}

impl BeginTable {
    fn wrong(&self, what: &str) -> String {
        format!("begin: table {:?}: {what}", self.name)
    }

    fn shape(&self) -> Result<NewTable, String> {
        if !write::is_table_name(&self.name, NAME_MAX) {
            return Err(self.wrong("it can't be called that"));
        }
        let columns = self.places()?;
        let at = |name: &String| {
            let named = |place: &Option<(String, ColumnType)>| place.as_ref().is_some_and(|it| it.0 == *name);
            columns.iter().position(named).ok_or_else(|| self.wrong(&format!("it has no column {name:?}")))
        };
        let timestamp = at(&self.timestamp)?;
        let keys = self.dedup.iter().map(at).collect::<Result<Vec<_>, _>>()?;
        let designated = columns.get(timestamp).and_then(Option::as_ref);
        let is_time = designated.is_some_and(|(_, ty)| ty.tag() == Tag::Timestamp);
        if !is_time || !keys.is_empty() && !keys.contains(&timestamp) {
            return Err(self.wrong("its time is no timestamp, or no upsert key"));
        }
        let partition_by = match self.partition.as_str() {
            "HOUR" => PartitionBy::Hour,
            "DAY" => PartitionBy::Day,
            "WEEK" => PartitionBy::Week,
            "MONTH" => PartitionBy::Month,
            "YEAR" => PartitionBy::Year,
            other => return Err(self.wrong(&format!("no partitions are by {other:?}"))),
        };
        Ok(NewTable { name: self.name.clone(), columns, timestamp, keys, partition_by })
    }

    /// Columns by writer index.
    fn places(&self) -> Result<Vec<Option<(String, ColumnType)>>, String> {
        if !(2..=COLUMNS_MAX).contains(&self.columns.len()) {
            return Err(self.wrong(&format!("it has 2 to {COLUMNS_MAX} columns")));
        }
        let mut columns: Vec<Option<(String, ColumnType)>> = Vec::new();
        let mut names = BTreeSet::new();
        for (index, name, ty) in &self.columns {
            let index = *index as usize;
            if index >= 2 * COLUMNS_MAX || columns.get(index).is_some_and(Option::is_some) {
                return Err(self.wrong("two columns in one place, or a place beyond all"));
            }
            let Some(ty) = column_type(ty) else {
                return Err(self.wrong(&format!("no type is called {ty:?}")));
            };
            if !write::is_column_name(name, NAME_MAX) || name.eq_ignore_ascii_case(ROW_ID) {
                return Err(self.wrong(&format!("no column can be called {name:?}")));
            }
            if !names.insert(name.to_lowercase()) {
                return Err(self.wrong("two of its columns have one name"));
            }
            columns.resize(columns.len().max(index + 1), None);
            if let Some(place) = columns.get_mut(index) {
                *place = Some((name.clone(), ty));
            }
        }
        Ok(columns)
    }

    /// A row's time, and its other cells.
    fn row(&self, shape: &NewTable, cells: &[Option<String>]) -> Result<(Row, i64, Unit), String> {
        if cells.len() != self.columns.len() {
            return Err(self.wrong("a row has not as many cells as there are columns"));
        }
        let mut row = Row { table: self.name.clone(), tags: Vec::new(), fields: Vec::new(), timestamp: None };
        let mut time = None;
        for ((index, name, _), cell) in self.columns.iter().zip(cells) {
            let Some((_, ty)) = shape.columns.get(*index as usize).and_then(Option::as_ref) else { continue };
            let Some(text) = cell else { continue };
            let wrong = || self.wrong(&format!("{:.60?} is no {ty}", text));
            if *index as usize == shape.timestamp {
                time = Some(moment(*ty, text).ok_or_else(wrong)?);
            } else if let Some(value) = field(*ty, text).map_err(|()| wrong())? {
                row.fields.push((name.clone(), value));
            }
        }
        let Some((at, unit)) = time.filter(|(at, _)| *at >= 0) else {
            return Err(self.wrong("a row has no time, or one before 1970"));
        };
        Ok((row, at, unit))
    }

    fn line(&self, shape: &NewTable, cells: &[Option<String>], out: &mut Vec<u8>) -> Result<(), String> {
        let (mut row, at, unit) = self.row(shape, cells)?;
        row.timestamp = Some((at, unit));
        if row.fields.is_empty() {
            // A line has a field; one without a value is null.
            let other = self.columns.iter().find(|(_, name, _)| *name != self.timestamp);
            let name = other.map_or("", |(_, name, _)| name);
            word(out, &self.name);
            out.push(b' ');
            word(out, name);
            out.extend_from_slice(b"= ");
            let letter = if unit == Unit::Nanos { 'n' } else { 't' };
            out.extend_from_slice(format!("{at}{letter}\n").as_bytes());
        } else {
            encode(out, &[row], Version::V2);
        }
        Ok(())
    }

    /// What clients make their rows from.
    fn model(&self, shape: &NewTable) -> Result<Model, String> {
        let first = self.rows.len().saturating_sub(MODELS_MAX);
        let mut model = Model {
            name: self.name.clone(),
            rows: self.rows.len() as u64,
            newest_us: EPOCH_US,
            lines: Vec::new(),
        };
        for cells in self.rows.get(first..).unwrap_or_default() {
            let (row, at, unit) = self.row(shape, cells)?;
            let us = if unit == Unit::Nanos { at / 1_000 + 1 } else { at };
            model.newest_us = if model.lines.is_empty() { us } else { model.newest_us.max(us) };
            let empty = row.fields.is_empty();
            let mut line = Vec::new();
            encode(&mut line, &[row], Version::V2);
            line.pop();
            line.push(if empty { b' ' } else { b',' });
            model.lines.push(line);
        }
        if model.lines.is_empty() {
            let mut line = Vec::new();
            word(&mut line, &self.name);
            line.push(b' ');
            model.lines.push(line);
        }
        Ok(model)
    }
}

impl Model {
    /// A row as a line: like one that was there, at a time behind all of them.
    pub(super) fn line(&self, chance: &mut Chance, made: Made, out: &mut Vec<u8>) {
        let Made { id, number, now, late } = made;
        let since = now.saturating_sub(FORK_US);
        let late = if late { chance.below(since.clamp(1, LATE_US)) } else { 0 };
        let since = i64::try_from(since - late.min(since)).unwrap_or(0);
        // No two rows of a client have the same time.
        let us = self.newest_us.saturating_add(1 + since + (number % 1_000) as i64);
        out.extend_from_slice(chance.pick(&self.lines).map_or(&[][..], Vec::as_slice));
        out.extend_from_slice(format!("{ROW_ID}={id}i {us}t\n").as_bytes());
    }
}
