//! The order of new rows by (timestamp, arrival), and their shares among the parts of the table.

use super::plan::OldPart;
use crate::table::Calendar;

/// Rows that belong to one part of the table, as a range of the sorted rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// Position of the part among the existing ones; `None` for a partition that is new.
    pub part: Option<usize>,
    /// First timestamp that belongs into the part.
    pub floor: i64,
    /// Position of the first sorted row.
    pub from: usize,
    /// Position after the last sorted row.
    pub to: usize,
}

/// The numbers of all rows, sorted by timestamp; rows of one timestamp keep their order. `None` where they are
/// sorted as they stand.
///
/// Most backlogs are nearly in order: rows that are not late need no sorting, only merging with those that are.
///
/// ```
/// use understudy::apply::backlog::sort_rows;
///
/// assert_eq!(sort_rows(&[1, 2, 2, 9]), None);
/// assert_eq!(sort_rows(&[5, 3, 5, 4]), Some(vec![1, 3, 0, 2]));
/// ```
pub fn sort_rows(timestamps: &[i64]) -> Option<Vec<u32>> {
    if timestamps.is_sorted() {
        return None;
    }
    let mut newest = i64::MIN;
    let mut late_count = 0usize;
    for &ts in timestamps {
        late_count += usize::from(ts < newest);
        newest = newest.max(ts);
    }
    if late_count > timestamps.len() / 3 {
        let mut all: Vec<Keyed> = (0..).zip(timestamps).map(|(row, &ts)| Keyed { ts, row }).collect();
        sort_keyed(&mut all);
        return Some(all.into_iter().map(|keyed| keyed.row).collect());
    }
    let mut late = Vec::with_capacity(late_count);
    newest = i64::MIN;
    for (row, &ts) in (0..).zip(timestamps) {
        if ts < newest {
            late.push(Keyed { ts, row });
        }
        newest = newest.max(ts);
    }
    sort_keyed(&mut late);
    Some(merge_late(timestamps, &late))
}

/// Cuts the sorted rows by the parts they belong to; parts come in order.
///
/// `parts` are the existing ones in order: a part holds what is from its floor up to the next one's, or to the end
/// of its partition.
pub fn split(timestamps: &[i64], order: Option<&[u32]>, parts: &[OldPart], calendar: Calendar) -> Vec<Share> {
    let ts_at = |position: usize| match order {
        Some(order) => order.get(position).and_then(|&row| timestamps.get(row as usize)).copied(),
        None => timestamps.get(position).copied(),
    };
    let mut shares = Vec::new();
    let mut from = 0;
    while let Some(ts) = ts_at(from) {
        let partition = calendar.floor(ts);
        let mut ceiling = calendar.ceiling(ts);
        let next = parts.partition_point(|part| part.floor <= ts);
        if let Some(next) = parts.get(next) {
            ceiling = ceiling.min(next.floor);
        }
        // A part of an earlier partition does not reach here.
        let part =
            next.checked_sub(1).filter(|&part| parts.get(part).is_some_and(|part| part.floor >= partition));
        let floor = part.and_then(|part| parts.get(part)).map_or(partition, |part| part.floor);
        // At the end of time the ceiling is not above the last timestamp.
        let mut to = from + 1;
        let mut step = 1;
        while ts_at(to + step).is_some_and(|ts| ts < ceiling) {
            to += step;
            step *= 2;
        }
        let mut end = (to + step).min(timestamps.len());
        while to < end {
            let middle = to + (end - to) / 2;
            if ts_at(middle).is_some_and(|ts| ts < ceiling) {
                to = middle + 1;
            } else {
                end = middle;
            }
        }
        shares.push(Share { part, floor, from, to });
        from = to;
    }
    shares
}

#[derive(Debug, Clone, Copy)]
struct Keyed {
    ts: i64,
    row: u32,
}

/// Rows sorted by arrival become sorted by (timestamp, arrival).
fn sort_keyed(rows: &mut Vec<Keyed>) {
    const DIGIT_BITS: u32 = 11;
    const SMALL: usize = 1 << 12;
    let (Some(min), Some(max)) = (rows.iter().map(|r| r.ts).min(), rows.iter().map(|r| r.ts).max()) else {
        return;
    };
    if rows.len() < SMALL {
        rows.sort_by_key(|keyed| keyed.ts);
        return;
    }
    // Least significant digit first; each pass keeps the order of equal digits.
    let bits = 64 - (max.wrapping_sub(min) as u64).leading_zeros();
    let mut other = vec![Keyed { ts: 0, row: 0 }; rows.len()];
    let mut shift = 0;
    while shift < bits {
        let digit =
            |keyed: &Keyed| (keyed.ts.wrapping_sub(min) as u64 >> shift) as usize & ((1 << DIGIT_BITS) - 1);
        let mut places = vec![0usize; 1 << DIGIT_BITS];
        for keyed in rows.iter() {
            if let Some(count) = places.get_mut(digit(keyed)) {
                *count += 1;
            }
        }
        let mut next = 0;
        for place in &mut places {
            next += std::mem::replace(place, next);
        }
        for keyed in rows.iter() {
            let Some(place) = places.get_mut(digit(keyed)) else { continue };
            if let Some(to) = other.get_mut(*place) {
                *to = *keyed;
            }
            *place += 1;
        }
        std::mem::swap(rows, &mut other);
        shift += DIGIT_BITS;
    }
}

/// Merges the late rows, sorted, with the others, which are sorted as they stand.
fn merge_late(timestamps: &[i64], late: &[Keyed]) -> Vec<u32> {
    let mut order = Vec::with_capacity(timestamps.len());
    let mut late = late.iter().peekable();
    let mut newest = i64::MIN;
    for (row, &ts) in (0..).zip(timestamps) {
        if ts < newest {
            continue;
        }
        newest = ts;
        while let Some(first) = late.next_if(|late| (late.ts, late.row) < (ts, row)) {
            order.push(first.row);
        }
        order.push(row);
    }
    order.extend(late.map(|late| late.row));
    order
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wal::PartitionBy;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn sorts_like_a_stable_sort(
            timestamps in prop::collection::vec(prop_oneof![0..50i64, any::<i64>()], 0..300),
            repeat in 1..40usize,
            late in 0..100usize,
        ) {
            let mut timestamps: Vec<i64> = timestamps.repeat(repeat);
            if late < 60 {
                timestamps.sort();
                let len = timestamps.len();
                for i in 0..late.min(len) {
                    timestamps.swap(i * 7 % len, i * 31 % len);
                }
            }
            let mut expected: Vec<u32> = (0..timestamps.len() as u32).collect();
            expected.sort_by_key(|&row| timestamps[row as usize]);
            let sorted = sort_rows(&timestamps);
            prop_assert_eq!(sorted.is_none(), timestamps.is_sorted());
            prop_assert_eq!(sorted.unwrap_or(expected.clone()), expected);
        }
    }

    #[test]
    fn rows_are_cut_by_partitions_and_by_parts() {
        let calendar = Calendar::new(PartitionBy::Hour, false);
        let hour = 3_600_000_000i64;
        let part = |floor, rows| OldPart { floor, rows, max_ts: floor };
        let parts = [part(0, 3), part(hour, 5), part(hour + 100, 5), part(5 * hour, 1)];
        let timestamps = [5, hour + 3, hour + 99, hour + 100, 2 * hour - 1, 2 * hour, 2 * hour + 7, 5 * hour];
        let share = |part, floor, from, to| Share { part, floor, from, to };
        let expected = [
            share(Some(0), 0, 0, 1),
            share(Some(1), hour, 1, 3),
            share(Some(2), hour + 100, 3, 5),
            share(None, 2 * hour, 5, 7),
            share(Some(3), 5 * hour, 7, 8),
        ];
        assert_eq!(split(&timestamps, None, &parts, calendar), expected);
        let shuffled = [hour, 0, hour + 100];
        let order = sort_rows(&shuffled).unwrap();
        let cut = split(&shuffled, Some(&order), &parts, calendar);
        assert_eq!(
            cut,
            [share(Some(0), 0, 0, 1), share(Some(1), hour, 1, 2), share(Some(2), hour + 100, 2, 3)]
        );
        let end = [i64::MAX - 1, i64::MAX];
        assert_eq!(split(&end, None, &[], Calendar::new(PartitionBy::None, false)).len(), 2);
    }
}
