//! DATE, TIMESTAMP, TIMESTAMP_NS: `yyyy-MM-ddTHH:mm:ss`, a fraction of 3, 6 or 9 digits, and `Z`.
//!
//! QuestDB finds the year by an estimate that it corrects by one, and the rest relative to that year's start.
//! Before 1970 the estimate can be off by two: 1964-12-31T23:00 is printed as 1965-01-01T23:00. That is
//! followed here, and so are its wrapping sums at the far ends of the range.

use super::number;

const DAY_SECONDS: i64 = 86_400;
const DAYS_TO_1970: i64 = 719_527;
const CUMULATIVE: [[i64; 12]; 2] = [
    [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334],
    [0, 31, 60, 91, 121, 152, 182, 213, 244, 274, 305, 335],
];

/// Milliseconds since the epoch.
pub(super) fn millis(out: &mut Vec<u8>, value: i64) {
    write::<1_000, 3>(out, value, year_of_millis);
}

/// Microseconds since the epoch.
pub(super) fn micros(out: &mut Vec<u8>, value: i64) {
    write::<1_000_000, 6>(out, value, year_of::<1_000_000>);
}

/// Nanoseconds since the epoch.
pub(super) fn nanos(out: &mut Vec<u8>, value: i64) {
    write::<1_000_000_000, 9>(out, value, year_of::<1_000_000_000>);
}

fn write<const PER_SECOND: i64, const DIGITS: usize>(out: &mut Vec<u8>, value: i64, year_of: fn(i64) -> i32) {
    let day = DAY_SECONDS * PER_SECOND;
    let (days, in_day) = (value.div_euclid(day), value.rem_euclid(day));
    let (year, month, day_of_month) =
        if days >= 0 { civil(days) } else { as_questdb_counts(value, year_of(value), day) };
    let (seconds, mut fraction) = (in_day / PER_SECOND, in_day % PER_SECOND);
    let seconds = seconds as u32;
    let mut text = *b"-00-00T00:00:00.000000000Z";
    two(&mut text, 1, month);
    two(&mut text, 4, day_of_month);
    two(&mut text, 7, seconds / 3600);
    two(&mut text, 10, seconds / 60 % 60);
    two(&mut text, 13, seconds % 60);
    for slot in text.iter_mut().skip(16).take(DIGITS).rev() {
        *slot = b'0' + (fraction % 10) as u8;
        fraction /= 10;
    }
    if let Some(slot) = text.get_mut(16 + DIGITS) {
        *slot = b'Z';
    }
    write_year(out, year);
    out.extend_from_slice(text.get(..17 + DIGITS).unwrap_or_default());
}

/// Year, month and day of the month, from days since the epoch that are not negative.
fn civil(days: i64) -> (i32, u32, u32) {
    // Counted from the first of March of year 0, so that a leap day ends a year.
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, (days % 146_097) as u32);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = era as i32 * 400 + year_of_era as i32 + i32::from(month <= 2);
    (year, month, day_of_year - (153 * shifted + 2) / 5 + 1)
}

/// Month and day relative to the start of a year that may be one too late: the first of January then.
fn as_questdb_counts(value: i64, year: i32, day: i64) -> (i32, u32, u32) {
    let in_year = value.wrapping_sub(year_start(year, day));
    let starts = if is_leap(year) { &CUMULATIVE[1] } else { &CUMULATIVE[0] };
    let month = starts.iter().rposition(|&start| start * day <= in_year).unwrap_or(0);
    let day_of_month = in_year / day - starts.get(month).copied().unwrap_or(0) + 1;
    (year, month as u32 + 1, day_of_month as u32)
}

/// At least four digits; the sign comes after the padding and the year 0 is printed as 1, as QuestDB does.
fn write_year(out: &mut Vec<u8>, year: i32) {
    let padding = match year.unsigned_abs() {
        0..=9 => 3,
        10..=99 => 2,
        100..=999 => 1,
        _ => 0,
    };
    out.resize(out.len() + padding, b'0');
    number::integer(out, if year == 0 { 1 } else { year.into() });
}

fn two(text: &mut [u8], at: usize, value: u32) {
    if let Some([tens, ones]) = text.get_mut(at..at + 2) {
        *tens = b'0' + (value / 10 % 10) as u8;
        *ones = b'0' + (value % 10) as u8;
    }
}

pub(super) fn is_leap(year: i32) -> bool {
    year & 3 == 0 && (year % 100 != 0 || year % 400 == 0)
}

/// The first instant of a year, in units of which a day has `day`.
pub(super) fn year_start(year: i32, day: i64) -> i64 {
    let year = i64::from(year);
    // Leap days in the years 0 to `year - 1`, counted as floors for negative years too.
    let before = year - 1;
    let leap_days = before.div_euclid(4) - before.div_euclid(100) + before.div_euclid(400) + 1;
    let days = year * 365 + leap_days - DAYS_TO_1970 - 1;
    let start = days.wrapping_mul(day);
    // QuestDB guards TIMESTAMP and TIMESTAMP_NS in this way, DATE not.
    if days < 0 && start > 0 && day != DAY_SECONDS * 1_000 { i64::MIN } else { start }
}

/// The year that QuestDB prints for a TIMESTAMP.
fn year_of<const PER_SECOND: i64>(value: i64) -> i32 {
    let day = DAY_SECONDS * PER_SECOND;
    // 365.2425 days.
    let average = day / 400 * 146_097;
    let mut year = 1970 + (value / average) as i32;
    if value < 0 && year >= 1970 {
        year = 1969;
    }
    let since = value.wrapping_sub(year_start(year, day));
    if since < 0 { year - 1 } else { year + i32::from(since >= day * (365 + i64::from(is_leap(year)))) }
}

/// The year that QuestDB prints for a DATE.
fn year_of_millis(value: i64) -> i32 {
    const DAY: i64 = DAY_SECONDS * 1000;
    const AVERAGE: i64 = DAY / 400 * 146_097;
    let mut mid = (value >> 1) + 1970 * AVERAGE / 2;
    if mid < 0 {
        mid = mid - AVERAGE / 2 + 1;
    }
    let year = (mid / (AVERAGE / 2)) as i32;
    let start = year_start(year, DAY);
    let since = value.wrapping_sub(start);
    if since < 0 {
        return year - 1;
    }
    if since >= 365 * DAY {
        let next = start.wrapping_add((365 + i64::from(is_leap(year))) * DAY);
        return year + i32::from(next <= value);
    }
    year
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(write: fn(&mut Vec<u8>, i64), value: i64) -> String {
        let mut out = Vec::new();
        write(&mut out, value);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn times() {
        assert_eq!(text(millis, 0), "1970-01-01T00:00:00.000Z");
        assert_eq!(text(millis, -1), "1969-12-31T23:59:59.999Z");
        assert_eq!(text(millis, i64::MAX), "292278994-08-17T07:12:55.807Z");
        assert_eq!(text(micros, i64::MAX), "294247-01-10T04:00:54.775807Z");
        assert_eq!(text(nanos, i64::MAX), "2262-04-11T23:47:16.854775807Z");
        assert_eq!(text(micros, 1_704_164_645_678_901), "2024-01-02T03:04:05.678901Z");
        assert_eq!(text(micros, 1_709_251_199_999_999), "2024-02-29T23:59:59.999999Z");
    }
}
