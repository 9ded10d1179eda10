//! The files of one column in one partition.

use super::bitmap::Bitmap;
use super::symbols::Dictionary;
use super::{Report, i32_at, i64_at};
use crate::table::files::column_file;
use crate::wal::{ColumnType, Files, Tag, check_values, data_range};

/// Values that are read at once.
const ROWS: u64 = 1 << 14;
const NULL_KEY: i32 = i32::MIN;

/// A column of a partition.
pub(super) struct Place<'a> {
    pub(super) files: &'a dyn Files,
    /// The partition's folder.
    pub(super) dir: &'a str,
    pub(super) name: &'a str,
    pub(super) name_txn: i64,
    pub(super) ty: ColumnType,
    /// Rows of the partition before the column's first.
    pub(super) top: u64,
    /// Rows of the partition.
    pub(super) rows: u64,
}

impl Place<'_> {
    fn file(&self, ext: &str) -> String {
        format!("{}/{}", self.dir, column_file(self.name, ext, self.name_txn))
    }

    fn values(&self) -> u64 {
        self.rows.saturating_sub(self.top)
    }
}

/// Checks that the files are long enough, and what values of a variable size promise.
pub(super) fn check(place: &Place<'_>, report: &mut Report) {
    if place.values() == 0 {
        return;
    }
    match place.ty.fixed_size() {
        Some(size) => fixed(place, size as u64, report),
        None => variable(place, report),
    }
}

fn fixed(place: &Place<'_>, size: u64, report: &mut Report) {
    let file = place.file("d");
    let Some(len) = report.need("column-file", place.files.len(&file)) else { return };
    let wanted = place.values().saturating_mul(size);
    if len < wanted {
        report.error("column-short", &file, len, format_args!("{len} bytes, {wanted} expected"));
    }
}

fn variable(place: &Place<'_>, report: &mut Report) {
    let (aux_file, data_file) = (place.file("i"), place.file("d"));
    let Some(data_len) = report.need("column-file", place.files.len(&data_file)) else { return };
    // STRING and BINARY end each value where the next begins; the others say their lengths.
    let (size, more) = match place.ty.tag() {
        Tag::String | Tag::Binary => (8, 1),
        _ => (16, 0),
    };
    let (mut row, mut next) = (0, 0);
    while row < place.values() {
        let rows = ROWS.min(place.values() - row);
        let aux = place.files.read(&aux_file, row * size, (rows + more) * size);
        let Some(aux) = report.need("column-short", aux) else { return };
        let Some((start, end)) =
            report.need("column-values", data_range(place.ty, &aux_file, row * size, &aux))
        else {
            return;
        };
        if start != next {
            let message = format_args!("values begin at {start} of the data, expected at {next}");
            report.error("column-values", &aux_file, row * size, message);
            return;
        }
        if end > data_len {
            let message = format_args!("{data_len} bytes, values reach to {end}");
            report.error("column-short", &data_file, data_len, message);
            return;
        }
        let data = place.files.read(&data_file, start, end - start);
        let Some(data) = report.need("column-file", data) else { return };
        let (aux, data) = ((&*aux_file, row * size, &*aux), (&*data_file, start, &*data));
        if report.need("column-values", check_values(place.ty, aux, data)).is_none() {
            return;
        }
        (row, next) = (row + rows, end);
    }
}

/// Checks that designated timestamps don't decrease and are in `[lo, hi)`; answers first and last.
pub(super) fn timestamps(place: &Place<'_>, lo: i64, hi: i64, report: &mut Report) -> Option<(i64, i64)> {
    let file = place.file("d");
    let (mut row, mut first, mut last) = (0, None, lo);
    while row < place.rows {
        let rows = ROWS.min(place.rows - row);
        let bytes = report.need("column-short", place.files.read(&file, row * 8, rows * 8))?;
        for (i, ts) in bytes.chunks_exact(8).map(|ts| i64_at(ts, 0)).enumerate() {
            if ts < last || ts >= hi {
                let rule = if ts < lo || ts >= hi { "timestamp-bounds" } else { "timestamp-order" };
                let message = format_args!("{ts} after {last}, in a partition from {lo} to before {hi}");
                report.error(rule, &file, (row + i as u64) * 8, message);
                return None;
            }
            first = first.or(Some(ts));
            last = ts;
        }
        row += rows;
    }
    first.map(|first| (first, last))
}

/// Checks that every key is in the dictionary, and the index of the column if it has one.
pub(super) fn symbols(place: &Place<'_>, dictionary: Dictionary, indexed: bool, report: &mut Report) {
    let file = place.file("d");
    let Some(bytes) = report.need("column-short", place.files.read(&file, 0, place.values() * 4)) else {
        return;
    };
    let keys: Vec<i32> = bytes.chunks_exact(4).map(|key| i32_at(key, 0)).collect();
    for (row, key) in keys.iter().enumerate() {
        let known = u32::try_from(*key).is_ok_and(|key| key < dictionary.count);
        if !known && *key != NULL_KEY {
            let message = format_args!("key {key}, the dictionary has {}", dictionary.count);
            report.error("symbol-key", &file, row as u64 * 4, message);
            return;
        }
        if *key == NULL_KEY && !dictionary.has_null {
            let message = "null, where the dictionary says that there is none";
            report.error("symbol-null", &file, row as u64 * 4, message);
            return;
        }
    }
    if indexed {
        index(place, &keys, report);
    }
}

/// Every row is in its key's list, and in no other.
fn index(place: &Place<'_>, keys: &[i32], report: &mut Report) {
    let Some(index) = Bitmap::open(place.files, place.file("k"), place.file("v"), report) else { return };
    let mut found = 0;
    for number in 0..index.keys() {
        let Some(rows) = index.list(number, place.rows, report) else { return };
        found += rows.len() as u64;
        for row in rows {
            let key = row.checked_sub(place.top).and_then(|row| keys.get(row as usize));
            let listed = key.map(|key| if *key == NULL_KEY { 0 } else { i64::from(*key) + 1 });
            if listed != Some(number as i64) {
                let message = format_args!("lists row {row} under {number}, where it is of key {key:?}");
                report.error("index-row", index.key_file(), Bitmap::place(number), message);
                return;
            }
        }
    }
    if found != place.values() {
        let message = format_args!("{found} rows, the column has {}", place.values());
        report.error("index-missing", index.key_file(), 0, message);
    }
}

/// The index of a column in a Parquet partition: its lists, as far as they can be judged without the rows.
pub(super) fn parquet_index(place: &Place<'_>, report: &mut Report) {
    let Some(index) = Bitmap::open(place.files, place.file("k"), place.file("v"), report) else { return };
    let mut found = 0;
    for number in 0..index.keys() {
        let Some(rows) = index.list(number, place.rows, report) else { return };
        found += rows.len() as u64;
    }
    if found > place.rows || found < place.values() {
        let message = format_args!("{found} rows, the partition has {}", place.rows);
        report.error("index-missing", index.key_file(), 0, message);
    }
}
