//! Names of a table's folders and files, and which names from a log may become one.

use crate::table::Calendar;
use crate::table::calendar::civil;
use crate::wal::{Error, PartitionBy, Result};
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// The file of a partition in Parquet form, in its folder.
pub const PARQUET_FILE: &str = "data.parquet";

/// Longest name that file systems take, in bytes.
const NAME_MAX: usize = 255;
/// What QuestDB may put behind a column's name: `.d`, `.` and a transaction number of 19 digits.
const COLUMN_SUFFIX: usize = 22;
/// What it may put behind a table directory's: `.lock`.
const DIR_SUFFIX: usize = 5;

/// The folder of a partition, relative to the table's directory.
///
/// `ts` is the partition's timestamp in the table's unit (`nanos` for TIMESTAMP_NS): the first moment of
/// its span, or of a split part the part's own first timestamp, which then shows in the name. `name_txn`
/// is the suffix, negative for none.
///
/// ```
/// use understudy::table::files::partition_dir;
/// use understudy::wal::PartitionBy;
/// assert_eq!(partition_dir(PartitionBy::Day, false, 0, -1), "1970-01-01");
/// assert_eq!(partition_dir(PartitionBy::Month, false, 0, 7), "1970-01.7");
/// assert_eq!(partition_dir(PartitionBy::Day, false, 11 * 3_600_000_000 + 5, 6), "1970-01-01T110000-000005.6");
/// ```
pub fn partition_dir(by: PartitionBy, nanos: bool, ts: i64, name_txn: i64) -> String {
    let calendar = Calendar::new(by, nanos);
    let mut name = calendar.name(ts);
    let floor = calendar.floor(ts);
    let partitioned = !matches!(by, PartitionBy::None | PartitionBy::NotApplicable);
    if partitioned && ts > floor {
        name = split_name(by, nanos, ts, floor, name);
    }
    if name_txn >= 0 {
        name.push('.');
        name.push_str(itoa::Buffer::new().format(name_txn));
    }
    name
}

/// The name of a part that begins inside its partition: a day of the calendar, or of the week, and the
/// time of day as far as it is needed.
fn split_name(by: PartitionBy, nanos: bool, ts: i64, floor: i64, week: String) -> String {
    let second: i64 = if nanos { 1_000_000_000 } else { 1_000_000 };
    let (hour, day) = (second * 3_600, second * 86_400);
    // Writing to a String cannot fail.
    let mut name = if by == PartitionBy::Week {
        format!("{week}-{}", ts.saturating_sub(floor) / day + 1)
    } else {
        let (year, month, dom) = civil(ts.div_euclid(day));
        format!("{year:04}-{month:02}-{dom:02}")
    };
    let time = ts.rem_euclid(day);
    if time == 0 {
        return name;
    }
    let _ = write!(name, "T{:02}", time / hour);
    if time % hour != 0 {
        let _ = write!(name, "{:02}{:02}", time % hour / (second * 60), time % (second * 60) / second);
    }
    match time % second {
        0 => {}
        rest if nanos => drop(write!(name, "-{rest:09}")),
        rest => drop(write!(name, "-{rest:06}")),
    }
    name
}

/// The file of a column: `ext` is `d`, `i`, `k`, `v`, `o` or `c`, `name_txn` the suffix, negative for none.
///
/// ```
/// use understudy::table::files::column_file;
/// assert_eq!(column_file("x", "d", -1), "x.d");
/// assert_eq!(column_file("x", "d", 4), "x.d.4");
/// ```
pub fn column_file(name: &str, ext: &str, name_txn: i64) -> String {
    if name_txn < 0 {
        return [name, ".", ext].concat();
    }
    [name, ".", ext, ".", itoa::Buffer::new().format(name_txn)].concat()
}

/// Refuses a column's name that can't safely name files.
///
/// # Errors
/// [`Error::Unsupported`] with the offset in the name of what is wrong: empty, `.`, `..`, a separator, NUL
/// or another control character, or longer than a file's name can be with every suffix that it may get.
pub fn check_column_name(name: &str) -> Result<()> {
    check(name, "column name", NAME_MAX - COLUMN_SUFFIX)
}

/// Refuses a table directory's name that would not stay one folder of the database.
///
/// # Errors
/// As [`check_column_name`].
pub fn check_dir_name(name: &str) -> Result<()> {
    check(name, "directory name", NAME_MAX - DIR_SUFFIX)
}

fn check(name: &str, what: &str, longest: usize) -> Result<()> {
    if matches!(name, "" | "." | "..") {
        return Err(refused(what, 0, name, "it is not a name"));
    }
    let bad = |c: &char| matches!(c, '/' | '\\' | '\u{feff}') || c.is_control();
    if let Some((offset, _)) = name.char_indices().find(|(_, c)| bad(c)) {
        return Err(refused(what, offset, name, "a separator or control character"));
    }
    if name.len() > longest {
        return Err(refused(what, longest, name, "too long"));
    }
    Ok(())
}

fn refused(what: &str, offset: usize, name: &str, why: &str) -> Error {
    Error::Unsupported {
        file: what.into(),
        offset: offset as u64,
        what: format!("{name:?} can't name a file: {why}").into(),
    }
}

/// Refuses names that a file system which ignores case can't tell apart; QuestDB compares so, too.
///
/// # Errors
/// [`Error::Unsupported`] that names the second of two.
pub fn check_distinct<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<()> {
    let mut seen = BTreeSet::new();
    for name in names {
        if !seen.insert(name.to_lowercase()) {
            return Err(refused("column name", 0, name, "another one differs in case only"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::calendar::days;

    const SECOND: i64 = 1_000_000;

    fn at(year: i64, month: u32, dom: u32, seconds: i64) -> i64 {
        days(year, month, dom) * 86_400 * SECOND + seconds * SECOND
    }

    #[test]
    fn folders_of_partitions_and_of_their_parts() {
        use PartitionBy::*;
        let name = |by, ts| partition_dir(by, false, ts, -1);
        let hour = at(2024, 2, 1, 11 * 3600);
        assert_eq!(name(Hour, hour), "2024-02-01T11");
        assert_eq!(name(Hour, hour + 30 * 60 * SECOND), "2024-02-01T113000");
        assert_eq!(name(Day, hour), "2024-02-01T11");
        assert_eq!(name(Day, hour + 60 * SECOND), "2024-02-01T110100");
        assert_eq!(name(Day, hour + 1), "2024-02-01T110000-000001");
        assert_eq!(name(Month, at(2024, 2, 1, 0)), "2024-02");
        assert_eq!(name(Month, at(2024, 2, 17, 0)), "2024-02-17");
        assert_eq!(name(Month, at(2024, 2, 17, 3600)), "2024-02-17T01");
        assert_eq!(name(Year, at(2024, 1, 1, 0)), "2024");
        assert_eq!(name(Year, at(2024, 12, 31, 86_399) + 17), "2024-12-31T235959-000017");
        assert_eq!(name(Week, at(2024, 1, 1, 0)), "2024-W01");
        assert_eq!(name(Week, at(2024, 1, 1, 5)), "2024-W01-1T000005");
        assert_eq!(name(Week, at(2024, 1, 7, 0)), "2024-W01-7");
        assert_eq!(name(None, 12345), "default");
        assert_eq!(partition_dir(Day, true, hour * 1000 + 1, 12), "2024-02-01T110000-000000001.12");
    }

    #[test]
    fn names_that_leave_their_folder_are_refused() {
        for good in ["x", "price (usd)", "ünï€", "a.b", &"n".repeat(NAME_MAX - COLUMN_SUFFIX)] {
            assert!(check_column_name(good).is_ok(), "{good}");
            assert!(check_dir_name(good).is_ok(), "{good}");
        }
        for bad in ["", ".", "..", "a/b", "a\\b", "a\0", "a\n", "\u{7f}", "\u{85}", &"n".repeat(NAME_MAX)] {
            assert!(check_column_name(bad).is_err(), "{bad:?}");
            assert!(check_dir_name(bad).is_err(), "{bad:?}");
        }
        let error = check_column_name("a/b").unwrap_err();
        assert!(matches!(error, Error::Unsupported { offset: 1, .. }), "{error}");
    }

    #[test]
    fn names_must_differ_in_more_than_case() {
        assert!(check_distinct(["a", "b", "ab"]).is_ok());
        assert!(check_distinct(["price", "x", "PRICE"]).is_err());
        assert!(check_distinct(["é", "É"]).is_err());
    }
}
