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
        let year = self.int(4)?;
        let start = year_start(year, self.unit.day());
        let in_year = if !self.more(3)? {
            0
        } else {
            self.expect("-")?;
            if self.unit.weeks && self.peek(b'W') { self.week(year)? } else { self.month(is_leap(year))? }
        };
        // Sums wrap as in Java; the null's own number is null.
        Some(start.wrapping_add(in_year)).filter(|&t| t != i64::MIN)
    }

    /// Month, day and time, as time since the start of the year.
    fn month(&mut self, leap: bool) -> Option<i64> {
        let day = self.unit.day();
        let (before, days) = month_days(self.ranged(2, 1, 12)?, leap)?;
        if !self.more(3)? {
            return Some(before * day);
        }
        self.expect("-")?;
        let date = (before + i64::from(self.ranged(2, 1, days)?) - 1) * day;
        if !self.more(3)? {
            return Some(date);
        }
        self.expect("T ")?;
        let (time, to_the_second) = self.time()?;
        Some(date + time + if to_the_second { self.zone()? } else { 0 })
    }

    /// Time of day, and whether it went down to seconds.
    fn time(&mut self) -> Option<(i64, bool)> {
        let second = self.unit.per_second;
        let mut time = i64::from(self.ranged(2, 0, 23)?) * 3600 * second;
        if !self.more(3)? {
            return Some((time, false));
        }
        self.expect(":")?;
        time += i64::from(self.ranged(2, 0, 59)?) * 60 * second;
        if !self.more(3)? {
            return Some((time, false));
        }
        self.expect(":")?;
        time += i64::from(self.ranged(2, 0, 59)?) * second;
        if self.peek(b'.') {
            self.at += 1;
            time += self.fraction()?;
            let spare = self.at + self.unit.spare;
            while self.at < spare && self.digit().is_some() {
                self.at += 1;
            }
        }
        Some((time, true))
    }

    /// Digits of a second's fraction.
    fn fraction(&mut self) -> Option<i64> {
        let (mut value, mut rest) = (0, self.unit.per_second);
        for _ in 0..self.unit.digits {
            let Some(digit) = self.digit() else { break };
            value = value * 10 + digit;
            rest /= 10;
            self.at += 1;
        }
        // QuestDB has no power of ten for nine missing digits.
        (rest < 1_000_000_000).then_some(value * rest)
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

    /// An ISO week, a day of it and a time. Whatever else follows is not looked at.
    fn week(&mut self, year: i32) -> Option<i64> {
        self.at += 1;
        let week = i64::from(self.ranged(2, 1, weeks_of(year))?);
        let mut days = week_offset(year) + (week - 1) * 7;
        let mut time = 0;
        if self.peek(b'-') {
            self.at += 1;
            days += i64::from(self.ranged(1, 1, 7)?) - 1;
            if self.peek(b'T') || self.peek(b' ') {
                self.at += 1;
                (time, _) = self.time()?;
            }
        }
        Some(days * self.unit.day() + time)
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

/// Days before a month, and days in it.
fn month_days(month: i32, leap: bool) -> Option<(i64, i32)> {
    const DAYS: [i32; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let index = usize::try_from(month).ok()?.checked_sub(1)?;
    let before: i32 = DAYS.iter().take(index).sum();
    let leap = i32::from(leap);
    let before = before + if index > 1 { leap } else { 0 };
    Some((before.into(), DAYS.get(index)? + if index == 1 { leap } else { 0 }))
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
        let micros = |text: &str| timestamp(text.into(), false);
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
        assert_eq!(timestamp("1970-01-01T00:00:00.1".into(), true), Some(100_000_000));
        assert_eq!(date("2024-01-02T03:04:05.678901Z".into()), Some(1_704_164_645_678));
        assert_eq!(date("2024-W01".into()), None);
    }
}
