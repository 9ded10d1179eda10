//! Spans of time as `ts IN '...'` takes them: `2024-01`, `2024-01-01;1d12h`, `2024-01-01T09:30;30m;1d;5`.

use super::{Chars, long, parse_timestamp, time};
use crate::table::text::time::{is_leap, year_of, year_start};

/// Most spans that a repeat may have.
const REPEATS_MAX: i64 = 10_000;

/// The first and last instant of one span; `None` also for what is several.
///
/// A time with a zone, or a plain number, is a span of one instant.
pub fn parse_interval(text: &str, nanos: bool) -> Option<(i64, i64)> {
    match parse_intervals(text, nanos)?.as_slice() {
        [one] => Some(*one),
        _ => None,
    }
}

/// The spans that QuestDB takes `text` for, in order; they may overlap.
///
/// After `;` comes the length from the start of the first part, `;30m;1d;5` repeats it. QuestDB's further
/// forms (lists in brackets, `@` zones, `#` calendars, `$` variables) give `None`.
pub fn parse_intervals(text: &str, nanos: bool) -> Option<Vec<(i64, i64)>> {
    if text.contains(['[', ']', '@', '#', '$', ',']) || text.starts_with(|c: char| c.is_ascii_whitespace()) {
        return None;
    }
    let clock = Clock { nanos };
    let parts: Vec<&str> = text.splitn(5, ';').collect();
    match *parts.as_slice() {
        [one] => Some(vec![
            time::span(one, nanos)
                .or_else(|| parse_timestamp(one, nanos).map(|t| (t, t)))
                .or_else(|| long(Chars::from(one)).map(|t| (t, t)))?,
        ]),
        [start, length] => Some(vec![clock.ranged(start, length)?]),
        [start, length, period, count] => {
            let first = clock.ranged(start, length)?;
            let unit = period.chars().next_back().filter(|c| "yMhmsd".contains(*c))?;
            let period = super::int(Chars::from(period.strip_suffix(unit)?))?;
            let count = i64::from(super::int(Chars::from(count))?).max(1);
            clock.repeated(first, period, unit, count)
        }
        _ => None,
    }
}

/// Adds units of time in the resolution of the column.
#[derive(Clone, Copy)]
struct Clock {
    nanos: bool,
}

impl Clock {
    fn second(self) -> i64 {
        if self.nanos { 1_000_000_000 } else { 1_000_000 }
    }

    fn ranged(self, start: &str, length: &str) -> Option<(i64, i64)> {
        let (low, _) = time::span(start, self.nanos)?;
        Some((low, self.add_all(low, length)?.checked_sub(1)?))
    }

    fn repeated(self, first: (i64, i64), period: i32, unit: char, count: i64) -> Option<Vec<(i64, i64)>> {
        if count > REPEATS_MAX {
            return None;
        }
        let mut spans = vec![first];
        let (mut low, mut high) = first;
        for _ in 1..count {
            (low, high) = (self.add(low, period, unit)?, self.add(high, period, unit)?);
            spans.push((low, high));
        }
        spans.sort_unstable();
        Some(spans)
    }

    /// Adds all of `1d12h30m`.
    fn add_all(self, mut time: i64, lengths: &str) -> Option<i64> {
        let mut rest = lengths;
        while !rest.is_empty() {
            let at = rest.find(|c: char| !c.is_ascii_digit() && c != '_')?;
            let (number, tail) = rest.split_at(at);
            let unit = tail.chars().next()?;
            time = self.add(time, super::int(Chars::from(number))?, unit)?;
            rest = tail.get(unit.len_utf8()..)?;
        }
        Some(time)
    }

    fn add(self, time: i64, count: i32, unit: char) -> Option<i64> {
        let second = self.second();
        let count = i64::from(count);
        let step = match unit {
            'n' if self.nanos => 1,
            'n' => return time.checked_add(count / 1_000),
            'u' => second / 1_000_000,
            'T' => second / 1_000,
            's' => second,
            'm' => 60 * second,
            'h' => 3_600 * second,
            'd' => 86_400 * second,
            'w' => 7 * 86_400 * second,
            'M' => return self.add_months(time, count),
            'y' => return self.add_months(time, count.checked_mul(12)?),
            _ => return None,
        };
        time.checked_add(count.checked_mul(step)?)
    }

    /// To the same day and time of another month, or to its last day.
    fn add_months(self, time: i64, count: i64) -> Option<i64> {
        let day = 86_400 * self.second();
        let year = if self.nanos { year_of::<1_000_000_000>(time) } else { year_of::<1_000_000>(time) };
        let day_of_year = time.checked_sub(year_start(year, day))?.div_euclid(day);
        let leap = is_leap(year);
        let mut month = 12;
        while month > 1 && time::month_days(month, leap)?.0 > day_of_year {
            month -= 1;
        }
        let day_of_month = day_of_year - time::month_days(month, leap)?.0;
        let months =
            i64::from(year).checked_mul(12)?.checked_add(i64::from(month) - 1)?.checked_add(count)?;
        let (year, month) =
            (i32::try_from(months.div_euclid(12)).ok()?, i32::try_from(months.rem_euclid(12)).ok()? + 1);
        let (before, days) = time::month_days(month, is_leap(year))?;
        let date = before + day_of_month.min(days - 1);
        year_start(year, day).checked_add(date.checked_mul(day)?)?.checked_add(time.rem_euclid(day))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400_000_000;

    #[test]
    fn spans_and_lengths() {
        let one = |text: &str| parse_interval(text, false);
        assert_eq!(one("1970"), Some((0, 365 * DAY - 1)));
        assert_eq!(one("1970;1d"), Some((0, DAY - 1)));
        assert_eq!(one("1970-01-01;1M"), Some((0, 31 * DAY - 1)));
        assert_eq!(one("1970-01-31;1M"), Some((30 * DAY, 58 * DAY - 1)));
        assert_eq!(one("1970-01-01;1h30m"), Some((0, DAY / 16 - 1)));
        assert_eq!(one("1970-01-02T00:00:00Z"), Some((DAY, DAY)));
        assert_eq!(one("123"), Some((123, 123)));
        assert_eq!(one("1970-01-01;1x"), None);
        assert_eq!(one("1970-[01,02]"), None);
        assert_eq!(
            parse_intervals("1970-01-01;1h;1d;3", false),
            Some(vec![(0, DAY / 24 - 1), (DAY, DAY + DAY / 24 - 1), (2 * DAY, 2 * DAY + DAY / 24 - 1)])
        );
        assert_eq!(parse_interval("1970-01-01;1y", true), Some((0, 365 * DAY * 1000 - 1)));
    }
}
