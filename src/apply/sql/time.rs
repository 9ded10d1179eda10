//! Moments and intervals as SQL literals spell them, and `dateadd`.

use crate::table::calendar::{civil, days};

/// Nanoseconds since the epoch, wide enough that no sum of literals overflows.
pub(super) type Nanos = i128;

const SECOND: Nanos = 1_000_000_000;
const DAY: Nanos = 86_400 * SECOND;

/// A moment that a literal names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moment {
    pub nanos: Nanos,
    /// More than six digits of a second were given: the literal is a TIMESTAMP_NS.
    pub precise: bool,
}

/// `yyyy[-MM[-dd[Thh[:mm[:ss[.f][zone]]]]]]` or `yyyy-Www[-d]`: the first moment of what is named.
pub(super) fn floor(text: &str) -> Option<Moment> {
    let mut reader = Reader { rest: text.as_bytes() };
    let span = reader.moment(true)?;
    reader.rest.is_empty().then_some(Moment { nanos: span.low, precise: span.precise })
}

/// A span of time, both ends included, that may come again at a fixed distance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Interval {
    low: Nanos,
    high: Nanos,
    period: Nanos,
    /// How often it comes again.
    repeats: Nanos,
}

impl Interval {
    pub(super) fn new(low: Nanos, high: Nanos) -> Self {
        Self { low, high, period: 1, repeats: 0 }
    }

    pub(super) fn holds(&self, at: Nanos) -> bool {
        // The last one that has begun by then is the one that ends latest.
        let begun = ((at - self.low) / self.period).min(self.repeats) * self.period;
        self.low <= at && at <= self.high + begun
    }
}

/// An interval literal: a partial moment and all it covers, or `moment;duration[;period;count]`.
///
/// `unit` is the resolution of the column in nanoseconds.
pub(super) fn interval(text: &str, unit: Nanos) -> Option<Interval> {
    let mut parts = text.split(';');
    let start = parts.next()?;
    let Some(length) = parts.next() else {
        return whole(start, unit);
    };
    let low = interval_start(start)?;
    let once = Interval::new(low, add_duration(low, length)?.checked_sub(unit)?);
    match (parts.next(), parts.next(), parts.next()) {
        (None, ..) => Some(once),
        (Some(period), Some(count), None) => repeated(once, period, count),
        _ => None,
    }
}

/// `to_timestamp(text, pattern)` for patterns of fixed width: `yyyy`, `MM`, `dd`, `HH`, `mm`, `ss` and
/// whatever stands between them.
pub(super) fn by_pattern(text: &str, pattern: &str) -> Option<Nanos> {
    let mut fields = [1_970, 1, 1, 0, 0, 0];
    let (mut text, mut pattern) = (text, pattern);
    while let Some(first) = pattern.chars().next() {
        let len = pattern.chars().take_while(|c| *c == first).count();
        let field = match (first, len) {
            ('y', 4) => 0,
            ('M', 2) => 1,
            ('d', 2) => 2,
            ('H', 2) => 3,
            ('m', 2) => 4,
            ('s', 2) => 5,
            (c, _) if !c.is_ascii_alphanumeric() || c == 'T' => {
                text = text.strip_prefix(c)?;
                pattern = pattern.get(c.len_utf8()..)?;
                continue;
            }
            _ => return None,
        };
        let (digits, rest) = text.split_at_checked(len)?;
        if !digits.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        *fields.get_mut(field)? = digits.parse().ok()?;
        (text, pattern) = (rest, pattern.get(len..)?);
    }
    let [year, month, dom, hour, minute, second] = fields;
    let plain = format!("{year:04}-{month:02}-{dom:02}T{hour:02}:{minute:02}:{second:02}");
    if text.is_empty() { floor(&plain).map(|moment| moment.nanos) } else { None }
}

fn repeated(once: Interval, period: &str, count: &str) -> Option<Interval> {
    let (digits, letter) = period.split_at_checked(period.len().checked_sub(1)?)?;
    let letter = letter.chars().next()?;
    let period: i32 = digits.parse().ok()?;
    let count: i32 = count.parse().ok()?;
    if count < 1 || period < 1 || !matches!(letter, 'h' | 'm' | 's' | 'd') {
        return None;
    }
    Some(Interval { period: add(0, letter, period)?, repeats: Nanos::from(count) - 1, ..once })
}

/// A partial moment as an interval; a moment with a zone is one point.
fn whole(text: &str, unit: Nanos) -> Option<Interval> {
    let mut reader = Reader { rest: text.as_bytes() };
    if let Some(span) = reader.moment(false)
        && reader.rest.is_empty()
    {
        let low = span.low.div_euclid(unit) * unit;
        return Some(Interval::new(low, (span.end - unit).max(low)));
    }
    let low = floor(text)?.nanos.div_euclid(unit) * unit;
    Some(Interval::new(low, low))
}

fn interval_start(text: &str) -> Option<Nanos> {
    let mut reader = Reader { rest: text.as_bytes() };
    let span = reader.moment(false)?;
    (reader.rest.is_empty() && !span.precise).then_some(span.low)
}

/// `2h`, `1d12h`: numbers with units, added one after the other.
fn add_duration(from: Nanos, text: &str) -> Option<Nanos> {
    let mut at = from;
    let mut rest = text;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let count: i32 = rest.get(..digits)?.parse().ok()?;
        let letter = rest.get(digits..)?.chars().next()?;
        at = add(at, letter, count)?;
        rest = rest.get(digits + letter.len_utf8()..)?;
    }
    Some(at)
}

/// `dateadd(unit, count, from)`; `None` for an unknown unit.
///
/// Months and years keep the time of day; a day that the month lacks becomes its last (months), or
/// spills into the next (years).
pub(super) fn add(from: Nanos, unit: char, count: i32) -> Option<Nanos> {
    let count = i64::from(count);
    let linear = match unit {
        'u' | 'U' => 1_000,
        'T' => 1_000_000,
        's' => SECOND,
        'm' => 60 * SECOND,
        'h' | 'H' => 3_600 * SECOND,
        'd' => DAY,
        'w' => 7 * DAY,
        'M' | 'y' => return add_months(from, if unit == 'y' { count * 12 } else { count }, unit == 'M'),
        _ => return None,
    };
    from.checked_add(linear.checked_mul(Nanos::from(count))?)
}

fn add_months(from: Nanos, months: i64, clamp: bool) -> Option<Nanos> {
    let day = i64::try_from(from.div_euclid(DAY)).ok()?;
    let (year, month, dom) = civil(day);
    let total = year.checked_mul(12)?.checked_add(i64::from(month) - 1)?.checked_add(months)?;
    let (year, month) = (total.div_euclid(12), total.rem_euclid(12) as u32 + 1);
    if !(0..=9_999).contains(&year) {
        return None;
    }
    let dom = if clamp { dom.min(days_in_month(year, month)) } else { dom };
    let first = days(year, month, 1);
    Some(Nanos::from(first + i64::from(dom) - 1) * DAY + from.rem_euclid(DAY))
}

fn days_in_month(year: i64, month: u32) -> u32 {
    let (next_year, next) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
    (days(next_year, next, 1) - days(year, month, 1)) as u32
}

/// What a partial moment covers: `low` up to, not including, `end`.
struct Span {
    low: Nanos,
    end: Nanos,
    precise: bool,
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl Reader<'_> {
    /// `zone` also allows a blank for the T, and a time zone after the seconds.
    fn moment(&mut self, zone: bool) -> Option<Span> {
        let year = i64::from(self.number(4, 0, 9_999)?);
        if !self.accept(b'-') {
            return Some(span(days(year, 1, 1), days(year + 1, 1, 1)));
        }
        if self.accept(b'W') {
            return self.week(year);
        }
        let month = self.number(2, 1, 12)?;
        if !self.accept(b'-') {
            let first = days(year, month, 1);
            return Some(span(first, first + i64::from(days_in_month(year, month))));
        }
        let day = days(year, month, self.number(2, 1, days_in_month(year, month))?);
        if !(self.accept(b'T') || zone && self.accept(b' ')) {
            return Some(span(day, day + 1));
        }
        self.time(Nanos::from(day) * DAY, zone)
    }

    /// The Monday of an ISO week, or its day 1 to 7; times after that are not understood.
    fn week(&mut self, year: i64) -> Option<Span> {
        let week = i64::from(self.number(2, 1, 53)?);
        // The week with 4 January is the first.
        let fourth = days(year, 1, 4);
        let monday = fourth - (fourth + 3).rem_euclid(7) + (week - 1) * 7;
        if crate::table::calendar::iso_week(monday).0 != year {
            return None;
        }
        if !self.accept(b'-') {
            return Some(span(monday, monday + 7));
        }
        let day = monday + i64::from(self.number(1, 1, 7)?) - 1;
        Some(span(day, day + 1))
    }

    fn time(&mut self, day: Nanos, zone: bool) -> Option<Span> {
        let mut low = day;
        let mut unit = DAY;
        for (count, max) in [(24, 23), (60, 59), (60, 59)] {
            unit /= count;
            low += Nanos::from(self.number(2, 0, max)?) * unit;
            if unit > SECOND && !self.accept(b':') {
                return Some(Span { low, end: low + unit, precise: false });
            }
        }
        let mut digits = 0;
        if self.accept(b'.') {
            while let Some(digit) = self.rest.first().filter(|b| b.is_ascii_digit()) {
                digits += 1;
                if digits > 9 {
                    return None;
                }
                unit /= 10;
                low += Nanos::from(digit - b'0') * unit;
                self.rest = self.rest.get(1..)?;
            }
        }
        let precise = digits > 6;
        if zone && !self.rest.is_empty() {
            let shift = self.zone()?;
            // QuestDB looks for the digits of a second from the end, and finds the zone's.
            if precise && shift.is_some() {
                return None;
            }
            low -= shift.unwrap_or(0);
        }
        Some(Span { low, end: low + unit, precise })
    }

    /// `Z`, or hours and minutes ahead of UTC.
    fn zone(&mut self) -> Option<Option<Nanos>> {
        if self.accept(b'Z') {
            return Some(None);
        }
        let sign = if self.accept(b'+') { 1 } else { self.accept(b'-').then_some(-1)? };
        let mut shift = Nanos::from(self.number(2, 0, 23)?) * 3_600;
        if !self.rest.is_empty() {
            self.accept(b':');
            shift += Nanos::from(self.number(2, 0, 59)?) * 60;
        }
        Some(Some(sign * shift * SECOND))
    }

    fn accept(&mut self, byte: u8) -> bool {
        match self.rest.split_first() {
            Some((&first, rest)) if first == byte => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    /// Exactly `len` digits, within bounds.
    fn number(&mut self, len: usize, min: u32, max: u32) -> Option<u32> {
        let (digits, rest) = self.rest.split_at_checked(len)?;
        let mut number = 0;
        for &digit in digits {
            number = number * 10 + u32::from(digit.checked_sub(b'0').filter(|d| *d <= 9)?);
        }
        self.rest = rest;
        (min..=max).contains(&number).then_some(number)
    }
}

fn span(first: i64, end: i64) -> Span {
    Span { low: Nanos::from(first) * DAY, end: Nanos::from(end) * DAY, precise: false }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T2024: Nanos = 1_704_067_200 * SECOND;

    #[test]
    fn reads_moments_of_every_length() {
        for (text, seconds) in [
            ("2024", 0),
            ("2024-02", 31 * 86_400),
            ("2024-01-03", 2 * 86_400),
            ("2024-01-01T05", 5 * 3_600),
            ("2024-01-01 05:06", 5 * 3_600 + 360),
            ("2024-01-01T05:06:07Z", 18_367),
            ("2024-01-01T05:06:07+01:00", 14_767),
            ("2024-01-01T05:06:07-0130", 23_767),
            ("2024-W01", 0),
            ("2024-W02-3", 9 * 86_400),
        ] {
            assert_eq!(
                floor(text),
                Some(Moment { nanos: T2024 + seconds * SECOND, precise: false }),
                "{text}"
            );
        }
        assert_eq!(floor("2024-01-01T00:00:00.000000001Z"), Some(Moment { nanos: T2024 + 1, precise: true }));
        for bad in [
            "",
            "x",
            "202",
            "2024-13",
            "2024-1-1",
            "2024-02-30",
            "2024-01-01T24",
            "2024-01-01T00Z",
            "2024 ",
            "2023-W53",
        ] {
            assert_eq!(floor(bad), None, "{bad}");
        }
    }

    #[test]
    fn reads_intervals() {
        let read = |text| interval(text, 1_000).unwrap();
        let ends = |text| (read(text).low, read(text).high);
        assert_eq!(ends("2024-01-01"), (T2024, T2024 + DAY - 1_000));
        assert_eq!(ends("2024-01-01T00;2h"), (T2024, T2024 + 7_200 * SECOND - 1_000));
        assert_eq!(ends("2024-01-01T00:00:00.000Z"), (T2024, T2024));
        assert_eq!(ends("2024-01-01T00:00:00.1"), (T2024 + SECOND / 10, T2024 + SECOND / 5 - 1_000));
        for bad in ["2024;", "2024;x", "2024;1h;1d", "[2024]", "$today", "2024-01-01#Mon", ""] {
            assert_eq!(interval(bad, 1_000), None, "{bad}");
        }
        let repeated = read("2024-01-01T00:00:00;1s;1d;2");
        for (at, inside) in
            [(-1, false), (0, true), (SECOND, false), (DAY, true), (DAY + SECOND, false), (2 * DAY, false)]
        {
            assert_eq!(repeated.holds(T2024 + at), inside, "{at}");
        }
    }

    #[test]
    fn adds_calendar_units() {
        let leap = T2024 + 59 * DAY;
        assert_eq!(add(leap, 'y', 1), Some(leap + 366 * DAY));
        assert_eq!(add(T2024 + 30 * DAY, 'M', 1), Some(leap));
        assert_eq!(add(T2024, 'M', -1), Some(T2024 - 31 * DAY));
        assert_eq!(add(T2024, 'x', 1), None);
        assert_eq!(add(T2024, 'd', -3), Some(T2024 - 3 * DAY));
    }
}
