//! The partitions of a table: their list, their folders, and the columns in them.

use super::Report;
use super::column::{self, Place};
use super::symbols::Dictionary;
use crate::table::Calendar;
use crate::table::files::read::{PartFile, WantedColumn, schema_of};
use crate::table::files::{ColumnVersions, PARQUET_FILE, partition_dir};
use crate::wal::{Applied, AppliedPartition, Files, PartitionBy, TableMeta};

const PARQUET_MAGIC: &[u8] = b"PAR1";
/// Magic, an empty footer's length, magic.
const PARQUET_MIN: i64 = 12;

/// What the partitions of a table are checked against.
pub(super) struct Partitions<'a> {
    pub(super) files: &'a dyn Files,
    pub(super) dir: &'a str,
    pub(super) meta: &'a TableMeta,
    pub(super) applied: &'a Applied,
    pub(super) versions: &'a ColumnVersions,
    /// By writer index; `None` for what is no live SYMBOL, or was found to be wrong.
    pub(super) dictionaries: &'a [Option<Dictionary>],
}

impl Partitions<'_> {
    /// Checks all partitions.
    pub(super) fn check(&self, report: &mut Report) {
        self.list(report);
        let mut extremes: Option<(Option<i64>, Option<i64>)> = None;
        for (i, partition) in self.applied.partitions.iter().enumerate() {
            let next = self.applied.partitions.get(i + 1);
            let seen = self.partition(partition, next, report);
            let (first, last) = (seen.map(|(first, _)| first), seen.map(|(_, last)| last));
            extremes = Some((extremes.map_or(first, |(first, _)| first), last));
        }
        let file = format!("{}/_txn", self.dir);
        let (min, max) = (self.applied.min_ts, self.applied.max_ts);
        if let Some((Some(first), _)) = extremes
            && first != min
        {
            report.error(
                "txn-min",
                &file,
                0,
                format_args!("smallest timestamp {min}, the rows begin at {first}"),
            );
        }
        if let Some((_, Some(last))) = extremes
            && last != max
        {
            report.error(
                "txn-max",
                &file,
                0,
                format_args!("largest timestamp {max}, the rows end at {last}"),
            );
        }
    }

    fn nanos(&self) -> bool {
        let column = self.meta.timestamp.and_then(|index| self.meta.columns.get(index));
        column.is_some_and(|column| column.ty.is_nanos())
    }

    /// A partition's folder, relative to the database root.
    fn folder(&self, partition: &AppliedPartition) -> String {
        // The one folder of a table without partitions has no suffix, whatever its entry says.
        let whole = self.meta.partition_by == PartitionBy::None;
        let suffix = if whole { -1 } else { partition.name_txn };
        let name = partition_dir(self.meta.partition_by, self.nanos(), partition.ts, suffix);
        format!("{}/{name}", self.dir)
    }

    fn list(&self, report: &mut Report) {
        let file = format!("{}/_txn", self.dir);
        let mut last: Option<i64> = None;
        for partition in &self.applied.partitions {
            let ts = partition.ts;
            if last.is_some_and(|last| last >= ts) {
                report.error("partition-order", &file, 0, format_args!("{ts} after {last:?}"));
            }
            last = Some(ts);
            if partition.name_txn < -1 || partition.name_txn > self.applied.txn {
                let message = format_args!(
                    "partition {ts} has suffix {}, which a writer at {} will use itself",
                    partition.name_txn, self.applied.txn
                );
                report.error("partition-suffix", &file, 0, message);
            }
            if partition.rows == 0 && self.meta.partition_by != PartitionBy::None {
                report.error("partition-empty", &file, 0, format_args!("partition {ts} has no rows"));
            }
            if partition.parquet != (partition.parquet_len > 0) {
                let message = format_args!(
                    "partition {ts}: {} bytes of Parquet, and the flag is {}",
                    partition.parquet_len, partition.parquet
                );
                report.error("partition-parquet", &file, 0, message);
            }
        }
    }

    /// Checks one partition; answers its first and last timestamp where they can be read.
    fn partition(
        &self,
        partition: &AppliedPartition,
        next: Option<&AppliedPartition>,
        report: &mut Report,
    ) -> Option<(i64, i64)> {
        let dir = self.folder(partition);
        if self.files.list(&dir).ok().flatten().is_none_or(|names| names.is_empty()) {
            if partition.rows > 0 {
                report.error("partition-folder", &dir, 0, "no such folder, or nothing in it");
            }
            return None;
        }
        if partition.parquet {
            self.parquet(&dir, partition, report);
            return None;
        }
        let mut seen = None;
        for (index, column) in self.meta.columns.iter().enumerate().filter(|(_, column)| !column.dropped) {
            let Some(place) = self.place(&dir, partition, index) else { continue };
            if place.top > partition.rows {
                let message =
                    format_args!("top {} of {}, of {} rows", place.top, column.name, partition.rows);
                report.error("cv-top", &dir, 0, message);
            }
            column::check(&place, report);
            if self.meta.timestamp == Some(index) {
                let (lo, hi) = self.bounds(partition, next);
                seen = column::timestamps(&place, lo, hi, report);
            }
            if let Some(dictionary) = self.dictionaries.get(index).copied().flatten()
                && place.top < partition.rows
            {
                column::symbols(&place, dictionary, column.indexed, report);
            }
        }
        seen
    }

    /// Where a column's files are; `None` if the partition is older than the column.
    fn place<'b>(&'b self, dir: &'b str, partition: &AppliedPartition, index: usize) -> Option<Place<'b>> {
        let column = self.meta.columns.get(index)?;
        // Not cut to the rows, so that one that is too large shows.
        let top = self.versions.top(partition.ts, index, u64::MAX)?;
        let name_txn = self.versions.name_txn(partition.ts, index);
        let (files, name, ty, rows) = (self.files, &*column.name, column.ty, partition.rows);
        Some(Place { files, dir, name, name_txn, ty, top, rows })
    }

    /// First timestamp of a partition, and the first after it.
    fn bounds(&self, partition: &AppliedPartition, next: Option<&AppliedPartition>) -> (i64, i64) {
        let calendar = Calendar::new(self.meta.partition_by, self.nanos());
        if matches!(self.meta.partition_by, PartitionBy::None | PartitionBy::NotApplicable) {
            return (i64::MIN, i64::MAX);
        }
        let end = calendar.ceiling(partition.ts);
        (partition.ts, next.map_or(end, |next| next.ts.min(end)))
    }

    fn parquet(&self, dir: &str, partition: &AppliedPartition, report: &mut Report) {
        let file = format!("{dir}/{PARQUET_FILE}");
        let magic = |at: i64| self.files.read(&file, at as u64, 4);
        let len = partition.parquet_len;
        if len < PARQUET_MIN {
            report.error("parquet-size", &file, 0, format_args!("{len} bytes"));
            return;
        }
        for at in [0, len - 4] {
            if let Some(bytes) = report.need("parquet-size", magic(at))
                && bytes != PARQUET_MAGIC
            {
                report.error(
                    "parquet-size",
                    &file,
                    at as u64,
                    format_args!("{bytes:?} where PAR1 should be"),
                );
            }
        }
        if let (Some(form), Ok(schema)) = (report.form, schema_of(self.dir, self.meta, self.applied)) {
            let columns = schema.live().enumerate().map(|(place, (index, column))| WantedColumn {
                index,
                place,
                ty: column.ty,
                symbols: u32::MAX,
                may_be_absent: self
                    .versions
                    .top(partition.ts, index, partition.rows)
                    .is_none_or(|top| top >= partition.rows),
            });
            let part = PartFile { path: &file, len: len as u64, rows: partition.rows };
            report.need("parquet-file", form.check(self.files, &part, &columns.collect::<Vec<_>>()));
        }
        for (index, column) in self.meta.columns.iter().enumerate() {
            if column.dropped || !column.indexed {
                continue;
            }
            if let Some(place) = self.place(dir, partition, index)
                && place.top < partition.rows
            {
                column::parquet_index(&place, report);
            }
        }
    }

    /// Checks that records of partitions are of ones that there are, and suffixes of files are old ones.
    pub(super) fn versions(&self, report: &mut Report) {
        let file = format!("{}/_cv", self.dir);
        let columns = self.meta.columns.len();
        for column in self.versions.columns() {
            let newest = self.versions.default_name_txn(column).max(self.versions.symbol_name_txn(column));
            if column >= columns || newest > self.applied.txn {
                let message = format_args!("column {column} of {columns}, suffix {newest}");
                report.error("cv-column", &file, 0, message);
            }
        }
        for (ts, column, name_txn, top) in self.versions.partition_records() {
            if column >= columns || name_txn > self.applied.txn {
                let message = format_args!("column {column} of {columns}, suffix {name_txn}");
                report.error("cv-column", &file, 0, message);
            }
            let known = self.applied.partitions.iter().any(|partition| partition.ts == ts);
            if !known && self.meta.partition_by != PartitionBy::None {
                let message =
                    format_args!("a record of partition {ts}, column {column}, top {top}: no such one");
                report.error("cv-partition", &file, 0, message);
            }
        }
    }
}
