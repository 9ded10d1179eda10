//! Which new rows belong to which part of the table.

use super::plan::OldPart;
use crate::table::Calendar;
use std::borrow::Cow;
use std::ops::Range;

/// The new rows that belong to one part of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Share {
    /// Position of the part among the existing ones; `None` for a partition that is new.
    pub part: Option<usize>,
    /// First timestamp that belongs into the part.
    pub floor: i64,
    /// Its rows, by arrival.
    pub rows: Members,
}

/// Numbers of rows of a batch, ascending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Members {
    /// Neighbouring rows.
    Range(Range<u32>),
    /// Others.
    List(Vec<u32>),
}

/// A share that is being found.
struct Found {
    ceiling: i64,
    share: Share,
}

/// Gives each row to the part it belongs to; answers the shares that have rows, in order of their floors.
///
/// `timestamps` are those of the rows from number `first` on. `parts` are the existing ones in order: a part holds
/// what is from its floor up to the next one's, or to the end of its partition. A batch may be split piece by piece:
/// [`join`] puts the answers together.
pub fn split(timestamps: &[i64], first: u32, parts: &[OldPart], calendar: Calendar) -> Vec<Share> {
    let mut found: Vec<Found> = Vec::new();
    let mut rest = timestamps;
    let mut row = first;
    let mut here = usize::MAX;
    while let Some(&ts) = rest.first() {
        if !found.get(here).is_some_and(|found| found.holds(ts)) {
            let next = found.partition_point(|found| found.share.floor <= ts);
            here = match next.checked_sub(1).filter(|&at| found.get(at).is_some_and(|found| found.holds(ts)))
            {
                Some(at) => at,
                None => {
                    found.insert(next, Found::new(ts, row, parts, calendar));
                    next
                }
            };
        }
        let Some(place) = found.get_mut(here) else { break };
        let len = rest.iter().position(|&ts| !place.holds(ts)).unwrap_or(rest.len());
        place.share.rows.push(row, len as u32);
        rest = rest.get(len..).unwrap_or_default();
        row += len as u32;
    }
    found.into_iter().map(|found| found.share).collect()
}

/// Puts together what [`split`] answered for neighbouring pieces of a batch.
pub fn join(pieces: Vec<Vec<Share>>) -> Vec<Share> {
    let mut whole: Vec<Share> = Vec::new();
    for share in pieces.into_iter().flatten() {
        match whole.binary_search_by_key(&share.floor, |known| known.floor) {
            Ok(at) => {
                if let Some(known) = whole.get_mut(at) {
                    known.rows.append(share.rows);
                }
            }
            Err(at) => whole.insert(at, share),
        }
    }
    whole
}

impl Found {
    fn new(ts: i64, row: u32, parts: &[OldPart], calendar: Calendar) -> Self {
        let partition = calendar.floor(ts);
        let next = parts.partition_point(|part| part.floor <= ts);
        let ceiling = calendar.ceiling(ts).min(parts.get(next).map_or(i64::MAX, |part| part.floor));
        // A part of an earlier partition does not reach here.
        let part =
            next.checked_sub(1).filter(|&part| parts.get(part).is_some_and(|part| part.floor >= partition));
        let floor = part.and_then(|part| parts.get(part)).map_or(partition, |part| part.floor);
        Self { ceiling, share: Share { part, floor, rows: Members::Range(row..row) } }
    }

    fn holds(&self, ts: i64) -> bool {
        // The end of time has nothing behind it.
        ts >= self.share.floor && (ts < self.ceiling || self.ceiling == i64::MAX)
    }
}

impl Members {
    /// Number of rows.
    pub fn len(&self) -> usize {
        match self {
            Self::Range(range) => range.len(),
            Self::List(list) => list.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Number of the row at a position.
    pub fn get(&self, position: usize) -> Option<u32> {
        match self {
            Self::Range(range) => u32::try_from(position)
                .ok()
                .and_then(|at| range.start.checked_add(at))
                .filter(|row| *row < range.end),
            Self::List(list) => list.get(position).copied(),
        }
    }

    /// From the first row to behind the last.
    pub fn span(&self) -> Range<usize> {
        match self {
            Self::Range(range) => range.start as usize..range.end as usize,
            Self::List(list) => {
                let last = list.last().map_or(0, |&row| row as usize + 1);
                list.first().map_or(0, |&row| row as usize)..last
            }
        }
    }

    /// Positions of those whose numbers are in a range.
    pub fn within(&self, rows: &Range<usize>) -> Range<usize> {
        match self {
            Self::Range(range) => {
                let (start, end) = (range.start as usize, range.end as usize);
                let at = |row: usize| row.clamp(start, end) - start;
                at(rows.start)..at(rows.end)
            }
            Self::List(list) => {
                let at = |row: usize| list.partition_point(|&member| (member as usize) < row);
                at(rows.start)..at(rows.end)
            }
        }
    }

    /// The members at some positions.
    #[must_use]
    pub fn at(&self, positions: &Self) -> Self {
        match (self, positions) {
            (Self::Range(rows), Self::Range(at)) => Self::Range(rows.start + at.start..rows.start + at.end),
            (Self::Range(rows), Self::List(at)) => Self::List(at.iter().map(|at| rows.start + at).collect()),
            (Self::List(rows), at) => Self::List(at.of(rows).into_owned()),
        }
    }

    /// What `all` has of these rows.
    pub fn of<'a, T: Copy>(&self, all: &'a [T]) -> Cow<'a, [T]> {
        match self {
            Self::Range(range) => {
                Cow::Borrowed(all.get(range.start as usize..range.end as usize).unwrap_or_default())
            }
            Self::List(list) => {
                Cow::Owned(list.iter().filter_map(|&row| all.get(row as usize).copied()).collect())
            }
        }
    }

    fn push(&mut self, start: u32, len: u32) {
        match self {
            Self::Range(range) if range.end == start => range.end += len,
            Self::Range(range) => {
                let list = range.clone().chain(start..start + len).collect();
                *self = Self::List(list);
            }
            Self::List(list) => list.extend(start..start + len),
        }
    }

    fn append(&mut self, other: Self) {
        match other {
            Self::Range(range) => self.push(range.start, range.len() as u32),
            Self::List(more) => match self {
                Self::Range(range) => *self = Self::List(range.clone().chain(more).collect()),
                Self::List(list) => list.extend(more),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wal::PartitionBy;

    #[test]
    fn rows_are_cut_by_partitions_and_by_parts() {
        let calendar = Calendar::new(PartitionBy::Hour, false);
        let hour = 3_600_000_000i64;
        let part = |floor, rows| OldPart { floor, rows, max_ts: floor };
        let parts = [part(0, 3), part(hour, 5), part(hour + 100, 5), part(5 * hour, 1)];
        let timestamps = [5, hour + 3, hour + 99, hour + 100, 2 * hour - 1, 2 * hour, 2 * hour + 7, 5 * hour];
        let share = |part, floor, rows: Range<u32>| Share { part, floor, rows: Members::Range(rows) };
        let expected = [
            share(Some(0), 0, 0..1),
            share(Some(1), hour, 1..3),
            share(Some(2), hour + 100, 3..5),
            share(None, 2 * hour, 5..7),
            share(Some(3), 5 * hour, 7..8),
        ];
        assert_eq!(split(&timestamps, 0, &parts, calendar), expected);
        for cut in 0..timestamps.len() {
            let (front, back) = timestamps.split_at(cut);
            let pieces = vec![split(front, 0, &parts, calendar), split(back, cut as u32, &parts, calendar)];
            assert_eq!(join(pieces), expected);
        }
        let list = |part, floor, rows: &[u32]| Share { part, floor, rows: Members::List(rows.to_vec()) };
        let shuffled = [hour, 0, hour + 1, 7, 3 * hour];
        let expected = [list(Some(0), 0, &[1, 3]), list(Some(1), hour, &[0, 2]), share(None, 3 * hour, 4..5)];
        assert_eq!(split(&shuffled, 0, &parts, calendar), expected);
        let pieces =
            vec![split(&shuffled[..2], 0, &parts, calendar), split(&shuffled[2..], 2, &parts, calendar)];
        assert_eq!(join(pieces), expected);
        let end = [i64::MAX - 1, i64::MAX];
        assert_eq!(split(&end, 0, &[], Calendar::new(PartitionBy::None, false)).len(), 1);
    }

    #[test]
    fn members_are_found_by_number_and_by_position() {
        let range = Members::Range(10..14);
        let list = Members::List(vec![3, 10, 11, 40]);
        assert_eq!((range.span(), list.span()), (10..14, 3..41));
        assert_eq!((range.within(&(0..12)), list.within(&(4..40))), (0..2, 1..3));
        assert_eq!((range.get(3), range.get(4), list.get(3)), (Some(13), None, Some(40)));
        assert_eq!(range.of(&(0..20).collect::<Vec<_>>()).into_owned(), [10, 11, 12, 13]);
        assert_eq!(list.of(&(0..50).collect::<Vec<_>>()).into_owned(), [3, 10, 11, 40]);
    }
}
