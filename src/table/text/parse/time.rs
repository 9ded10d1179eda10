//! Times: `YYYY[-MM[-DD[(T| )hh[:mm[:ss[.fraction][zone]]]]]]` and ISO weeks, `YYYY-Www[-D[(T| )time]]`.

use super::Chars;
use super::number::int_range;
use crate::table::text::time::{is_leap, year_start};

/// DATE, in milliseconds.
pub fn date(text: Chars<'_>) -> Option<i64> {
    Reader { text, at: 0, unit: MILLIS }.instant()
}

/// TIMESTAMP in microseconds, or TIMESTAMP_NS in nanoseconds: the first instant of what the text names.
pub fn timestamp(text: Chars<'_>, nanos: bool) -> Option<i64> {
    Reader { text, at: 0, unit: unit(nanos) }.instant()
}

/// As [`timestamp`], from SQL text.
pub fn parse_timestamp(text: &str, nanos: bool) -> Option<i64> {
    timestamp(text.into(), nanos)
}

/// The first and the last instant of what the text names: `2024-01` is a month, `2024-01-02T03` an hour,
/// `2024-W05` a week. Stricter than [`timestamp`]: no zone, `T` before the time.
pub(super) fn span(text: &str, nanos: bool) -> Option<(i64, i64)> {
    Reader { text: text.into(), at: 0, unit: unit(nanos) }.interval()
}

/// What a second is in, and how many digits of its fraction are read.
#[derive(Clone, Copy)]
struct Unit {
    per_second: i64,
    digits: usize,
    /// Digits that may follow and are dropped.
    spare: usize,
    weeks: bool,
}

const MILLIS: Unit = Unit { per_second: 1_000, digits: 3, spare: 6, weeks: false };
const MICROS: Unit = Unit { per_second: 1_000_000, digits: 6, spare: 3, weeks: true };
const NANOS: Unit = Unit { per_second: 1_000_000_000, digits: 9, spare: 0, weeks: true };

fn unit(nanos: bool) -> Unit {
    if nanos { NANOS } else { MICROS }
}

impl Unit {
    fn day(self) -> i64 {
        86_400 * self.per_second
    }
}

struct Reader<'a> {
    text: Chars<'a>,
    at: usize,
    unit: Unit,
}

impl Reader<'_> {
    fn instant(&mut self) -> Option<i64> {
        let (year, leap) = self.year()?;
        let start = year_start(year, self.unit.day());
        let time = match self.date(year, leap, false)? {
            Part::Whole(span) => start.wrapping_add(span.start),
            Part::Week(day) => return self.week_time(start.wrapping_add(day), false).map(|(low, _)| low),
            Part::Day(day) => {
                let (time, full) = self.time(":")?;
                let zone = if full { self.zone()? } else { 0 };
                start.wrapping_add(day).wrapping_add(time.start).wrapping_add(zone)
            }
        };
        // The null's own number.
        Some(time).filter(|&t| t != i64::MIN)
    }

    fn interval(&mut self) -> Option<(i64, i64)> {
        let (year, leap) = self.year()?;
        let start = year_start(year, self.unit.day());
        let (base, span) = match self.date(year, leap, true)? {
            Part::Whole(span) => (start, span),
            Part::Week(day) => return self.week_time(start.wrapping_add(day), true),
            Part::Day(day) => (start.wrapping_add(day), self.time_span()?),
        };
        let low = base.wrapping_add(span.start);
        Some((low, low.wrapping_add(span.len - 1)))
    }

    /// Four characters, of which one may be a sign.
    fn year(&mut self) -> Option<(i32, bool)> {
        let year = self.int(4)?;
        Some((year, is_leap(year)))
    }

    /// Month and day, as time since the start of the year; [`Part::Day`] if a time of day follows.
    fn date(&mut self, year: i32, leap: bool, strict: bool) -> Option<Part> {
        let day = self.unit.day();
        if !self.more(3)? {
            return Some(Part::Whole(Span { start: 0, len: day * (365 + i64::from(leap)) }));
        }
        self.expect("-")?;
        if self.unit.weeks && self.peek(b'W') {
            return self.week(year);
        }
        let month = self.ranged(2, 1, 12)?;
        let (before, days) = month_days(month, leap)?;
        if !self.more(3)? {
            return Some(Part::Whole(Span { start: before * day, len: days * day }));
        }
        self.expect("-")?;
        let of_month = i64::from(self.ranged(2, 1, i32::try_from(days).ok()?)?) - 1;
        let start = (before + of_month) * day;
        if !self.more(3)? {
            return Some(Part::Whole(Span { start, len: day }));
        }
        self.expect(if strict { "T" } else { "T " })?;
        Some(Part::Day(start))
    }

    /// Time of day; the flag says whether it went down to seconds.
    fn time(&mut self, colon: &str) -> Option<(Span, bool)> {
        let second = self.unit.per_second;
        let hour = i64::from(self.ranged(2, 0, 23)?);
        if !self.more(3)? {
            return Some((Span { start: hour * 3600 * second, len: 3600 * second }, false));
        }
        self.expect(colon)?;
        let minute = i64::from(self.ranged(2, 0, 59)?);
        let start = (hour * 60 + minute) * 60 * second;
        if !self.more(3)? {
            return Some((Span { start, len: 60 * second }, false));
        }
        self.expect(colon)?;
        let start = start + i64::from(self.ranged(2, 0, 59)?) * second;
        if !self.peek(b'.') {
            return Some((Span { start, len: second }, true));
        }
        self.at += 1;
        let fraction = self.fraction()?;
        let spare = self.at + self.unit.spare;
        while self.at < spare && self.digit().is_some() {
            self.at += 1;
        }
        Some((Span { start: start + fraction.start, len: fraction.len }, true))
    }

    /// As [`Self::time`], but nothing may follow.
    fn time_span(&mut self) -> Option<Span> {
        let (span, _) = self.time(":")?;
        (self.at == self.text.len()).then_some(span)
    }

    /// Digits of a second's fraction, with the length of what they leave open.
    fn fraction(&mut self) -> Option<Span> {
        let (mut value, mut open) = (0, self.unit.per_second);
        for _ in 0..self.unit.digits {
            let Some(digit) = self.digit() else { break };
            value = value * 10 + digit;
            open /= 10;
            self.at += 1;
        }
        // QuestDB has no power of ten for nine missing digits.
        (open < 1_000_000_000).then_some(Span { start: value * open, len: open })
    }

    /// `Z`, or `+hh`, `+hhmm`, `+hh:mm`, as what has to be added to get UTC.
    fn zone(&mut self) -> Option<i64> {
        let rest = self.text.len().saturating_sub(self.at);
        match rest {
            0 => return Some(0),
            1 => return self.expect("Z").map(|()| 0),
            2 => return None,
            _ => {}
        }
        let sign = if self.peek(b'+') { -1 } else { 1 };
        self.expect("+-")?;
        let hours = i64::from(self.ranged(2, 0, 23)?);
        if self.text.len() - self.at == 3 {
            self.expect(":")?;
        }
        let minutes = match self.text.len().saturating_sub(self.at) {
            0 => 0,
            2 => i64::from(self.ranged(2, 0, 59)?),
            _ => return None,
        };
        Some(sign * (hours * 60 + minutes) * 60 * self.unit.per_second)
    }

    fn week(&mut self, year: i32) -> Option<Part> {
        self.at += 1;
        let week = i64::from(self.ranged(2, 1, weeks_of(year))?);
        Some(Part::Week((week_offset(year) + (week - 1) * 7) * self.unit.day()))
    }

    /// What may follow a week: a day of it and a time. Whatever else follows is not looked at, unless `strict`.
    fn week_time(&mut self, monday: i64, strict: bool) -> Option<(i64, i64)> {
        let day = self.unit.day();
        let done = |reader: &Self, start: i64, len: i64| {
            (!strict || reader.at == reader.text.len()).then(|| (start, start.wrapping_add(len - 1)))
        };
        if !self.peek(b'-') {
            return done(self, monday, 7 * day);
        }
        self.at += 1;
        let start = monday.wrapping_add((i64::from(self.ranged(1, 1, 7)?) - 1) * day);
        if !self.peek(b'T') && !self.peek(b' ') {
            return done(self, start, day);
        }
        self.at += 1;
        let (span, _) = self.time(":")?;
        done(self, start.wrapping_add(span.start), span.len)
    }

    /// Whether there is more: `None` if it is shorter than `least` characters.
    fn more(&self, least: usize) -> Option<bool> {
        let rest = self.text.len().saturating_sub(self.at);
        if rest >= least {
            return Some(true);
        }
        (rest == 0).then_some(false)
    }

    fn int(&mut self, len: usize) -> Option<i32> {
        let to = self.at + len;
        if to > self.text.len() {
            return None;
        }
        let value = int_range(self.text, self.at, to)?;
        self.at = to;
        Some(value)
    }

    fn ranged(&mut self, len: usize, low: i32, high: i32) -> Option<i32> {
        self.int(len).filter(|v| (low..=high).contains(v))
    }

    fn expect(&mut self, any: &str) -> Option<()> {
        any.bytes().any(|b| self.peek(b)).then(|| self.at += 1)
    }

    fn peek(&self, b: u8) -> bool {
        self.text.get(self.at) == Some(u16::from(b))
    }

    fn digit(&self) -> Option<i64> {
        let c = u8::try_from(self.text.get(self.at)?).ok()?;
        c.is_ascii_digit().then(|| i64::from(c - b'0'))
    }
}

/// Time since some start, and its length.
#[derive(Clone, Copy)]
struct Span {
    start: i64,
    len: i64,
}

enum Part {
    /// Nothing follows.
    Whole(Span),
    /// The start of a day in the year, whose time follows.
    Day(i64),
    /// The start of a week in the year.
    Week(i64),
}

/// Days before a month, and days in it.
pub(super) fn month_days(month: i32, leap: bool) -> Option<(i64, i64)> {
    const DAYS: [i64; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let index = usize::try_from(month).ok()?.checked_sub(1)?;
    let before: i64 = DAYS.iter().take(index).sum();
    let leap = i64::from(leap);
    Some((before + if index > 1 { leap } else { 0 }, DAYS.get(index)? + if index == 1 { leap } else { 0 }))
}

/// Days from the first of January to the Monday of ISO week 1.
fn week_offset(year: i32) -> i64 {
    let last = last_weekday(year - 1);
    i64::from(if last <= 3 { 0 } else { 7 } - last)
}

fn weeks_of(year: i32) -> i32 {
    if last_weekday(year) == 4 || last_weekday(year - 1) == 3 { 53 } else { 52 }
}

/// Day of the week (Sunday 0) of the last day of a year, as QuestDB counts it, for negative years too.
fn last_weekday(year: i32) -> i32 {
    (year + (year / 4).abs() - (year / 100).abs() + (year / 400).abs()) % 7
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400_000_000;

    #[test]
    fn instants() {
        let micros = |text: &str| parse_timestamp(text, false);
        assert_eq!(micros("1970"), Some(0));
        assert_eq!(micros("1970-02"), Some(31 * DAY));
        assert_eq!(micros("2024-02-29"), Some(1_709_164_800_000_000));
        assert_eq!(micros("2023-02-29"), None);
        assert_eq!(micros("2024-01-02T03:04:05.678901Z"), Some(1_704_164_645_678_901));
        assert_eq!(
            micros("2024-01-02 03:04:05.678901234+02:30"),
            Some(1_704_164_645_678_901 - 9_000_000_000)
        );
        assert_eq!(micros("2024-01-02T03:04"), Some(1_704_164_640_000_000));
        assert_eq!(micros("2024-01-02T03:04Z"), None);
        assert_eq!(micros("2024-01-02T03:04:05-0130"), Some(1_704_164_645_000_000 + 5_400_000_000));
        assert_eq!(micros("2024-W01-1"), Some(1_704_067_200_000_000));
        assert_eq!(micros("abc"), None);
        assert_eq!(micros(""), None);
        assert_eq!(parse_timestamp("1970-01-01T00:00:00.1", true), Some(100_000_000));
        assert_eq!(date("2024-01-02T03:04:05.678901Z".into()), Some(1_704_164_645_678));
        assert_eq!(date("2024-W01".into()), None);
    }

    #[test]
    fn spans() {
        let micros = |text: &str| span(text, false);
        assert_eq!(micros("1970"), Some((0, 365 * DAY - 1)));
        assert_eq!(micros("1970-01-01T00"), Some((0, 3_600_000_000 - 1)));
        assert_eq!(micros("1970-01-01T00:00:00.12"), Some((120_000, 129_999)));
        assert_eq!(micros("1970-01-01 00"), None);
    }
}
