//! The book of all rows: who sent them, what they were told, whether the history holds them.

use super::workload::{Row, of_id};
use serde::{Deserialize, Serialize};

/// What became of rows so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowCounts {
    /// Clients made them.
    pub made: u64,
    /// A client was told `OK` for them, or durable.
    pub acknowledged: u64,
    /// A client was told that they are durable.
    pub durable: u64,
    /// They are in the history.
    pub in_history: u64,
    /// A client was told `OK`, and they are in no history: a former primary has set them aside, or lost them.
    pub lost: u64,
    /// They are in the history more than once, in a table without upsert keys.
    pub duplicated: u64,
    /// They went with a client whose queue was in memory when it was killed, before anybody was told of them.
    pub forgotten: u64,
}

#[derive(Debug)]
pub(super) struct Book {
    /// The column that has rows' identities.
    row_id: &'static str,
    /// By client, then by number.
    rows: Vec<Vec<Fate>>,
    counts: RowCounts,
}

#[derive(Debug, Clone, Copy, Default)]
struct Fate {
    acknowledged: bool,
    durable: bool,
    aside: bool,
    forgotten: bool,
    times: u16,
}

impl Default for Book {
    fn default() -> Self {
        Self { row_id: "id", rows: Vec::new(), counts: RowCounts::default() }
    }
}

impl Book {
    /// Rows have their identities in this column.
    pub(super) fn named_by(row_id: &'static str) -> Self {
        Self { row_id, ..Self::default() }
    }

    /// The column that has rows' identities.
    pub(super) fn row_id(&self) -> &'static str {
        self.row_id
    }

    pub(super) fn made(&mut self, client: u32, rows: &[Row]) {
        let client = client as usize;
        if self.rows.len() <= client {
            self.rows.resize_with(client + 1, Vec::new);
        }
        if let Some(book) = self.rows.get_mut(client) {
            book.extend(rows.iter().map(|_| Fate::default()));
        }
        self.counts.made += rows.len() as u64;
    }

    pub(super) fn acknowledged(&mut self, ids: &[i64], durable: bool) {
        for id in ids {
            let Some((fate, counts)) = self.fate(*id) else { continue };
            if !std::mem::replace(&mut fate.acknowledged, true) {
                counts.acknowledged += 1;
                counts.lost += u64::from(fate.is_lost());
            }
            if durable && !std::mem::replace(&mut fate.durable, true) {
                counts.durable += 1;
            }
        }
    }

    /// The history holds this row, once more. `unique`: its table has upsert keys. False if no client made it.
    pub(super) fn accepted(&mut self, id: i64, unique: bool) -> bool {
        let Some((fate, counts)) = self.fate(id) else { return false };
        if fate.times == 0 {
            counts.in_history += 1;
            counts.lost -= u64::from(fate.is_lost());
        } else if !unique {
            counts.duplicated += 1;
        }
        fate.times = fate.times.saturating_add(1);
        true
    }

    /// A former primary holds it, and the history went on without.
    pub(super) fn set_aside(&mut self, ids: impl IntoIterator<Item = i64>) {
        for id in ids {
            let Some((fate, counts)) = self.fate(id) else { continue };
            if !std::mem::replace(&mut fate.aside, true) {
                counts.lost += u64::from(fate.is_lost());
            }
        }
    }

    /// Its client was killed and had it in memory.
    pub(super) fn forgotten(&mut self, ids: &[i64]) {
        for id in ids {
            let Some((fate, counts)) = self.fate(*id) else { continue };
            if !std::mem::replace(&mut fate.forgotten, true) {
                counts.forgotten += 1;
            }
        }
    }

    /// Whether the history holds it.
    pub(super) fn is_accepted(&self, id: i64) -> bool {
        self.get(id).is_some_and(|fate| fate.times > 0)
    }

    /// The first row of which a client was told that it is durable and that the history does not hold.
    pub(super) fn lost_durable(&self) -> Option<i64> {
        self.find(|fate| fate.durable && fate.times == 0)
    }

    /// The first row that nobody lost and that the history does not hold; of clients that wait for durable answers.
    pub(super) fn missing(&self) -> Option<i64> {
        self.find(|fate| !fate.acknowledged && !fate.forgotten && fate.times == 0)
    }

    /// At the end: what was acknowledged and is not in the history is lost, whoever had it.
    pub(super) fn close(&mut self) {
        for fate in self.rows.iter_mut().flatten().filter(|fate| !fate.aside) {
            fate.aside = true;
            self.counts.lost += u64::from(fate.is_lost());
        }
    }

    pub(super) fn counts(&self) -> RowCounts {
        self.counts
    }

    fn get(&self, id: i64) -> Option<&Fate> {
        let (client, number) = of_id(id)?;
        self.rows.get(client as usize)?.get(usize::try_from(number).ok()?)
    }

    fn fate(&mut self, id: i64) -> Option<(&mut Fate, &mut RowCounts)> {
        let (client, number) = of_id(id)?;
        let fate = self.rows.get_mut(client as usize)?.get_mut(usize::try_from(number).ok()?)?;
        Some((fate, &mut self.counts))
    }

    fn find(&self, wanted: impl Fn(&Fate) -> bool) -> Option<i64> {
        self.rows.iter().enumerate().find_map(|(client, rows)| {
            let number = rows.iter().position(&wanted)?;
            Some(super::workload::id(client as u32, number as u64))
        })
    }
}

impl Fate {
    fn is_lost(&self) -> bool {
        self.acknowledged && self.aside && self.times == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::workload::id;

    fn book(rows: u64) -> (Book, Vec<i64>) {
        let mut book = Book::default();
        let ids: Vec<i64> = (0..rows).map(|number| id(1, number)).collect();
        let rows: Vec<Row> = ids.iter().map(|id| Row { id: *id }).collect();
        book.made(1, &rows);
        (book, ids)
    }

    #[test]
    fn a_row_is_lost_until_the_history_holds_it_after_all() {
        let (mut book, ids) = book(3);
        book.acknowledged(&ids[..2], false);
        book.set_aside(ids.clone());
        assert_eq!((book.counts().acknowledged, book.counts().lost), (2, 2));
        book.acknowledged(&ids[2..], true);
        assert_eq!((book.counts().lost, book.lost_durable()), (3, Some(ids[2])));
        assert!(ids.iter().all(|id| book.accepted(*id, true)));
        assert_eq!((book.counts().lost, book.lost_durable(), book.counts().in_history), (0, None, 3));
    }

    #[test]
    fn what_no_client_made_is_not_counted() {
        let (mut book, _) = book(1);
        assert!(!book.accepted(i64::MIN, false) && !book.accepted(id(3, 0), false));
        assert_eq!(book.counts().in_history, 0);
    }

    #[test]
    fn duplicates_count_where_nothing_makes_rows_unique() {
        let (mut book, ids) = book(2);
        for _ in 0..3 {
            book.accepted(ids[0], false);
            book.accepted(ids[1], true);
        }
        assert_eq!((book.counts().duplicated, book.counts().in_history), (2, 2));
    }

    #[test]
    fn at_the_end_nothing_acknowledged_may_be_missing_without_being_lost() {
        let (mut book, ids) = book(3);
        book.acknowledged(&ids[..1], false);
        book.forgotten(&ids[1..2]);
        assert_eq!(book.missing(), Some(ids[2]));
        book.accepted(ids[2], false);
        book.close();
        assert_eq!((book.counts().lost, book.missing(), book.counts().forgotten), (1, None, 1));
    }
}
