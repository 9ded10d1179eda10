//! When a partition is old enough, computed without the code under test: by counting years, months and days.

use understudy::policy::Ttl;
use understudy::wal::PartitionBy;

pub const MINUTE: i64 = 60_000_000;
pub const HOUR: i64 = 60 * MINUTE;
pub const DAY: i64 = 24 * HOUR;

fn year_days(year: i64) -> i64 {
    if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) { 366 } else { 365 }
}

fn month_days(year: i64, month: i64) -> i64 {
    match month {
        1 => year_days(year) - 337,
        3 | 5 | 8 | 10 => 30,
        _ => 31,
    }
}

/// Year, month from 0, day from 0.
fn civil(mut day: i64) -> (i64, i64, i64) {
    let (mut year, mut month) = (1970, 0);
    while day >= year_days(year) {
        day -= year_days(year);
        year += 1;
    }
    while day >= month_days(year, month) {
        day -= month_days(year, month);
        month += 1;
    }
    (year, month, day)
}

fn day_of(year: i64, month: i64, day: i64) -> i64 {
    (1970..year).map(year_days).sum::<i64>() + (0..month).map(|m| month_days(year, m)).sum::<i64>() + day
}

fn next_month(year: i64, month: i64) -> (i64, i64) {
    if month == 11 { (year + 1, 0) } else { (year, month + 1) }
}

/// The first timestamp of the partition that holds `ts`, and of the one after it.
pub fn bounds(unit: PartitionBy, ts: i64) -> (i64, i64) {
    match unit {
        PartitionBy::Hour => (ts / HOUR * HOUR, ts / HOUR * HOUR + HOUR),
        PartitionBy::Day => (ts / DAY * DAY, ts / DAY * DAY + DAY),
        _ => {
            let (year, month, _) = civil(ts / DAY);
            let (next_year, next) = next_month(year, month);
            (day_of(year, month, 0) * DAY, day_of(next_year, next, 0) * DAY)
        }
    }
}

/// Whether a partition that ends at `end` is older than `ttl` at `reference`.
pub fn old(end: i64, ttl: Option<Ttl>, reference: i64) -> bool {
    let Some(ttl) = ttl.map(Ttl::stored) else { return false };
    if ttl > 0 {
        return reference - end >= i64::from(ttl) * HOUR;
    }
    let (mut year, mut month, day) = civil(end / DAY);
    for _ in 0..-ttl {
        (year, month) = next_month(year, month);
    }
    if day >= month_days(year, month) {
        let (year, month) = next_month(year, month);
        return reference >= day_of(year, month, 0) * DAY;
    }
    reference >= day_of(year, month, day) * DAY + end % DAY
}
