//! Choosing tables, and words about their logs that several verbs use.

use super::progress::grouped;
use crate::native::outcome::{Failure, Result};
use crate::native::source::Source;
use crate::replay::{self, History};
use crate::wal::{Error, Survey, TableKind, TableToken};
use std::ops::RangeInclusive;

/// What to do about purged rows.
pub(super) const PURGE_ADVICE: &str = "QuestDB deletes applied segments every cairo.wal.purge.interval (30 s unless set): raise it in \
     server.conf before the rows are written that are to be replayed; `understudy ship`, when it comes, will keep them";

/// Every table of the database.
pub(super) fn all(source: &Source) -> Result<Vec<TableToken>> {
    source.drive(|files| replay::tables(files)).map_err(|error| match (&error, source) {
        (Error::Absent { .. }, Source::Http(files)) => {
            let failure = Failure::failed(format!("{}: no QuestDB database is there", source.shown()));
            if files.has_index() {
                failure.advise("its understudy-index.json lists no tables.d.N; `understudy index DIR` writes a new one")
            } else {
                failure.advise(
                    "tables.d.0 to tables.d.63 were tried; give the URL of the `db` directory itself, and run \
                     `understudy index DIR` there if its number is higher",
                )
            }
        }
        (Error::Absent { .. }, Source::Disk(_)) => {
            Failure::failed(format!("{}: no QuestDB database is there", source.shown()))
        }
        _ => error.into(),
    })
}

/// The log of a table, without its rows.
pub(super) fn history(source: &Source, token: &TableToken) -> crate::wal::Result<History> {
    source.drive(|files| History::read(files, token))
}

/// The table with this name, or in this directory.
pub(super) fn find<'a>(tables: &'a [TableToken], name: &str) -> Result<&'a TableToken> {
    let by_dir = tables.iter().find(|table| table.dir == name);
    let lower = name.to_lowercase();
    let named = |dropped| tables.iter().find(|t| t.dropped == dropped && t.name.to_lowercase() == lower);
    by_dir.or_else(|| named(false)).or_else(|| named(true)).ok_or_else(|| {
        let names = names(tables.iter().filter(|table| !table.is_system()));
        Failure::failed(format!("there is no table {name:?}")).advise(format!("there are: {names}"))
    })
}

/// Names for a message, a dozen at most.
pub(super) fn names<'a>(tables: impl Iterator<Item = &'a TableToken>) -> String {
    let mut names: Vec<&str> = tables.map(|table| table.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let more = names.len().saturating_sub(12);
    names.truncate(12);
    match (names.is_empty(), more) {
        (true, _) => "none".to_owned(),
        (_, 0) => names.join(", "),
        _ => format!("{} and {more} more", names.join(", ")),
    }
}

/// A table's kind for people.
pub(super) fn kind(kind: TableKind) -> &'static str {
    match kind {
        TableKind::Plain => "plain",
        TableKind::Wal => "table",
        TableKind::MatView => "materialized view",
        TableKind::View => "view",
    }
}

/// What was purged, in one sentence; `None` if nothing was.
pub(super) fn purge_text(survey: &Survey) -> Option<String> {
    if survey.purged.is_empty() {
        return None;
    }
    let which = if survey.purged_count() == 1 { "transaction" } else { "transactions" };
    Some(format!("rows of {which} {} were purged after QuestDB applied them", ranges(&survey.purged)))
}

/// Ranges of transactions for people: `1 ... 98,311, 98,400`.
pub(super) fn ranges(ranges: &[RangeInclusive<u64>]) -> String {
    const SHOWN: usize = 8;
    let text = |range: &RangeInclusive<u64>| match (*range.start(), *range.end()) {
        (from, to) if from == to => grouped(from),
        (from, to) if from + 1 == to => format!("{}, {}", grouped(from), grouped(to)),
        (from, to) => format!("{} ... {}", grouped(from), grouped(to)),
    };
    let mut shown: Vec<String> = ranges.iter().take(SHOWN).map(text).collect();
    if ranges.len() > SHOWN {
        let rest: u64 = ranges.iter().skip(SHOWN).map(|range| range.end() - range.start() + 1).sum();
        shown.push(format!("and {} more", grouped(rest)));
    }
    shown.join(", ")
}

/// Ranges of transactions for programs: `[[1, 98311]]`.
pub(super) fn pairs(ranges: &[RangeInclusive<u64>]) -> Vec<[u64; 2]> {
    ranges.iter().map(|range| [*range.start(), *range.end()]).collect()
}

/// Adds a transaction to ranges that grow upwards.
pub(super) fn extend(ranges: &mut Vec<RangeInclusive<u64>>, seq_txn: u64) {
    match ranges.last_mut() {
        Some(last) if *last.end() + 1 == seq_txn => *last = *last.start()..=seq_txn,
        _ => ranges.push(seq_txn..=seq_txn),
    }
}

/// Lays cells out in columns; numbers to the right where `right` says so.
pub(super) fn columns(head: &[&str], right: &[bool], rows: &[Vec<String>]) -> String {
    let width = |text: &str| text.chars().count();
    let mut widths: Vec<usize> = head.iter().map(|cell| width(cell)).collect();
    for row in rows {
        for (w, cell) in widths.iter_mut().zip(row) {
            *w = (*w).max(width(cell));
        }
    }
    let mut text = String::new();
    let mut line = |cells: &mut dyn Iterator<Item = &str>| {
        let mut line = String::new();
        for ((cell, w), right) in cells.zip(&widths).zip(right) {
            let pad = " ".repeat(w - width(cell));
            let (before, after) = if *right { (pad.as_str(), "") } else { ("", pad.as_str()) };
            line.push_str(before);
            line.push_str(cell);
            line.push_str(after);
            line.push_str("  ");
        }
        text.push_str(line.trim_end());
        text.push('\n');
    };
    line(&mut head.iter().copied());
    for row in rows {
        line(&mut row.iter().map(String::as_str));
    }
    text
}

/// Text of a log shown on a terminal: control characters could do anything there.
pub(super) fn clean(text: &str) -> String {
    text.chars().flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_read_well() {
        assert_eq!(ranges(&[1..=98_311]), "1 ... 98,311");
        assert_eq!(ranges(&[3..=3, 5..=6]), "3, 5, 6");
        let many: Vec<_> = (0..20).map(|i| i * 10..=i * 10 + 1).collect();
        assert!(ranges(&many).ends_with("70, 71, and 24 more"), "{}", ranges(&many));
        let mut grown = vec![];
        for seq_txn in [1, 2, 3, 7, 8] {
            extend(&mut grown, seq_txn);
        }
        assert_eq!(pairs(&grown), [[1, 3], [7, 8]]);
    }

    #[test]
    fn columns_line_up() {
        let rows = [vec!["a".into(), "1".into()], vec!["long name".into(), "1,000".into()]];
        let text = columns(&["table", "txns"], &[false, true], &rows);
        assert_eq!(text, "table       txns\na              1\nlong name  1,000\n");
        assert_eq!(clean("a\u{1b}[31m\n"), "a\\u{1b}[31m\\n");
    }
}
