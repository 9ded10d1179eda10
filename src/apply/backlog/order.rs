//! The order of new rows by (timestamp, arrival).

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
        return Some(sorted((0..).zip(timestamps.iter().copied()), timestamps.len()));
    }
    let mut late = Vec::with_capacity(late_count);
    newest = i64::MIN;
    for (row, &ts) in (0..).zip(timestamps) {
        if ts < newest {
            late.push((row, ts));
        }
        newest = newest.max(ts);
    }
    let late = sorted(late.iter().copied(), timestamps.len());
    Some(merge_late(timestamps, &late))
}

/// Row numbers, given by arrival and all below `rows`, sorted by (timestamp, arrival).
fn sorted(keyed: impl Iterator<Item = (u32, i64)> + Clone, rows: usize) -> Vec<u32> {
    let ends = keyed.clone().fold((i64::MAX, i64::MIN), |(min, max), (_, ts)| (min.min(ts), max.max(ts)));
    let (min, max) = ends;
    let row_bits = usize::BITS - rows.leading_zeros();
    let ts_bits = u64::BITS - (max.wrapping_sub(min) as u64).leading_zeros();
    if min > max || ts_bits + row_bits > u64::BITS {
        let mut all: Vec<(u32, i64)> = keyed.collect();
        all.sort_by_key(|&(_, ts)| ts);
        return all.into_iter().map(|(row, _)| row).collect();
    }
    // Both in one word: half the bytes to move about.
    let pack = |(row, ts): (u32, i64)| (ts.wrapping_sub(min) as u64) << row_bits | u64::from(row);
    let words = radix_sort(keyed.map(pack).collect(), row_bits, ts_bits);
    words.into_iter().map(|word| (word & ((1 << row_bits) - 1)) as u32).collect()
}

/// Sorts words by the `bits` bits above the lowest `low`; words that are equal there keep their order.
fn radix_sort(mut words: Vec<u64>, low: u32, bits: u32) -> Vec<u64> {
    const DIGIT_BITS: u32 = 11;
    const DIGITS: usize = 1 << DIGIT_BITS;
    const SMALL: usize = 1 << 12;
    if words.len() < SMALL {
        words.sort_unstable();
        return words;
    }
    // Least significant digit first; each pass keeps the order of equal digits.
    let mut other = vec![0; words.len()];
    for shift in (low..low + bits).step_by(DIGIT_BITS as usize) {
        let digit = |word: u64| (word >> shift) as usize & (DIGITS - 1);
        let mut places = [0usize; DIGITS];
        for &word in &words {
            if let Some(count) = places.get_mut(digit(word)) {
                *count += 1;
            }
        }
        let mut next = 0;
        for place in &mut places {
            next += std::mem::replace(place, next);
        }
        for &word in &words {
            let Some(place) = places.get_mut(digit(word)) else { continue };
            if let Some(to) = other.get_mut(*place) {
                *to = word;
            }
            *place += 1;
        }
        std::mem::swap(&mut words, &mut other);
    }
    words
}

/// Merges the late rows, sorted, with the others, which are sorted as they stand.
fn merge_late(timestamps: &[i64], late: &[u32]) -> Vec<u32> {
    let mut order = Vec::with_capacity(timestamps.len());
    let ts_of = |row: u32| timestamps.get(row as usize).copied().unwrap_or(i64::MAX);
    let mut late = late.iter().map(|&row| (ts_of(row), row)).peekable();
    let mut newest = i64::MIN;
    for (row, &ts) in (0..).zip(timestamps) {
        if ts < newest {
            continue;
        }
        newest = ts;
        while let Some((_, first)) = late.next_if(|late| *late < (ts, row)) {
            order.push(first);
        }
        order.push(row);
    }
    order.extend(late.map(|(_, row)| row));
    order
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn sorts_like_a_stable_sort(
            timestamps in prop::collection::vec(prop_oneof![0..50i64, any::<i64>()], 0..300),
            narrow in any::<bool>(),
            repeat in 1..40usize,
            late in 0..100usize,
        ) {
            let mut timestamps: Vec<i64> = timestamps.repeat(repeat);
            if narrow {
                timestamps.iter_mut().for_each(|ts| *ts %= 1 << 30);
            }
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
}
