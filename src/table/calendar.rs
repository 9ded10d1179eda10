//! Partitions as spans of time: floors, ceilings and QuestDB's names.
//!
//! All arithmetic is on UTC civil days; a WEEK begins on ISO Monday.

use crate::wal::PartitionBy;
use std::fmt::Write as _;

const MICROS_PER_SECOND: i64 = 1_000_000;
const SECONDS_PER_DAY: i64 = 86_400;

/// The partitions of a table: unit and resolution of the designated timestamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Calendar {
    unit: PartitionBy,
    per_second: i64,
}

/// Year, month 1-12, day 1-31.
pub type Civil = (i64, u32, u32);

impl Calendar {
    /// Partitions of a `unit` on timestamps of microseconds, or nanoseconds.
    pub fn new(unit: PartitionBy, nanos: bool) -> Self {
        Self { unit, per_second: if nanos { 1_000 * MICROS_PER_SECOND } else { MICROS_PER_SECOND } }
    }

    fn per_day(self) -> i64 {
        self.per_second * SECONDS_PER_DAY
    }

    /// First timestamp of the partition that holds `ts` (saturating at the ends of time).
    pub fn floor(self, ts: i64) -> i64 {
        let day = ts.div_euclid(self.per_day());
        match self.unit {
            PartitionBy::None | PartitionBy::NotApplicable => i64::MIN,
            PartitionBy::Hour => {
                let hour = self.per_second * 3600;
                ts.div_euclid(hour).saturating_mul(hour)
            }
            PartitionBy::Day => self.at_day(day),
            PartitionBy::Week => self.at_day(day - (day + 3).rem_euclid(7)),
            PartitionBy::Month => {
                let (year, month, _) = civil(day);
                self.at_day(days(year, month, 1))
            }
            PartitionBy::Year => self.at_day(days(civil(day).0, 1, 1)),
        }
    }

    /// First timestamp after the partition that holds `ts`.
    pub fn ceiling(self, ts: i64) -> i64 {
        let day = ts.div_euclid(self.per_day());
        match self.unit {
            PartitionBy::None | PartitionBy::NotApplicable => i64::MAX,
            PartitionBy::Hour => self.floor(ts).saturating_add(self.per_second * 3600),
            PartitionBy::Day => self.at_day(day + 1),
            PartitionBy::Week => self.at_day(day - (day + 3).rem_euclid(7) + 7),
            PartitionBy::Month => {
                let (year, month, _) = civil(day);
                let (year, month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
                self.at_day(days(year, month, 1))
            }
            PartitionBy::Year => self.at_day(days(civil(day).0 + 1, 1, 1)),
        }
    }

    /// The name of the partition whose floor is `ts`, as QuestDB names its folder.
    pub fn name(self, ts: i64) -> String {
        let day = ts.div_euclid(self.per_day());
        let (year, month, dom) = civil(day);
        let mut name = String::new();
        // Writing to a String cannot fail.
        let _ = match self.unit {
            PartitionBy::None | PartitionBy::NotApplicable => write!(name, "default"),
            PartitionBy::Year => write!(name, "{year:04}"),
            PartitionBy::Month => write!(name, "{year:04}-{month:02}"),
            PartitionBy::Day => write!(name, "{year:04}-{month:02}-{dom:02}"),
            PartitionBy::Hour => {
                let hour = ts.rem_euclid(self.per_day()) / (self.per_second * 3600);
                write!(name, "{year:04}-{month:02}-{dom:02}T{hour:02}")
            }
            PartitionBy::Week => {
                let (year, week) = iso_week(day);
                write!(name, "{year:04}-W{week:02}")
            }
        };
        name
    }

    /// Whether a partition that ends at `ceiling` has outlived `ttl` (hours, or negative months)
    /// as seen from `now`, both in the table's timestamp unit.
    pub fn expired(self, ceiling: i64, now: i64, ttl: i32) -> bool {
        if ttl > 0 {
            let hours = i64::from(ttl).saturating_mul(3600).saturating_mul(self.per_second);
            return now.saturating_sub(ceiling) >= hours;
        }
        ttl < 0 && self.whole_months(ceiling, now) >= -i64::from(ttl)
    }

    /// The first moment at which a partition that ends at `ceiling` has outlived `ttl`, saturating.
    pub fn expires_at(self, ceiling: i64, ttl: i32) -> i64 {
        self.moved(ceiling, ttl, 1)
    }

    /// Partitions that end up to this moment have outlived `ttl` at `now`, later ones have not; saturating.
    ///
    /// Where the month so long ago lacks the day, the moment is the end of that month, and no part of it.
    pub fn expiry_line(self, now: i64, ttl: i32) -> i64 {
        self.moved(now, ttl, -1)
    }

    /// A moment moved by `ttl`, forward or back, saturating. A month without that day: the next one's first.
    fn moved(self, at: i64, ttl: i32, sign: i64) -> i64 {
        if ttl >= 0 {
            return at.saturating_add(sign * i64::from(ttl).saturating_mul(3600 * self.per_second));
        }
        let (year, month, dom) = civil(at.div_euclid(self.per_day()));
        let months = i64::from(month) - 1 - sign * i64::from(ttl);
        let first = |months: i64| days(year + months.div_euclid(12), months.rem_euclid(12) as u32 + 1, 1);
        let (day, next) = (first(months) + i64::from(dom) - 1, first(months + 1));
        if day >= next {
            return self.at_day(next);
        }
        self.at_day(day).saturating_add(at.rem_euclid(self.per_day()))
    }

    /// Whole months between two moments, whichever is earlier: QuestDB counts so, and thereby expires
    /// partitions of the far future under a TTL in months.
    fn whole_months(self, from: i64, to: i64) -> i64 {
        let (from, to) = (from.min(to), from.max(to));
        let (from_year, from_month, from_day) = civil(from.div_euclid(self.per_day()));
        let (to_year, to_month, to_day) = civil(to.div_euclid(self.per_day()));
        let months = (to_year - from_year) * 12 + i64::from(to_month) - i64::from(from_month);
        let within = |day: u32, ts: i64| (day, ts.rem_euclid(self.per_day()));
        months - i64::from(within(to_day, to) < within(from_day, from))
    }

    fn at_day(self, day: i64) -> i64 {
        day.saturating_mul(self.per_day())
    }
}

/// The civil date of a day counted from 1970-01-01 (proleptic Gregorian).
///
/// Counts in eras of 400 years that begin on 1 March, so that the leap day is the last of a year.
pub fn civil(day: i64) -> Civil {
    let shifted = day + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let dom = (day_of_year - (153 * shifted_month + 2) / 5 + 1) as u32;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 } as u32;
    (year_of_era + era * 400 + i64::from(month <= 2), month, dom)
}

/// The day, counted from 1970-01-01, of a civil date; the inverse of [`civil`].
pub fn days(year: i64, month: u32, dom: u32) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month = i64::from(month);
    let shifted_month = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * shifted_month + 2) / 5 + i64::from(dom) - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// ISO 8601 year and week of a day.
pub fn iso_week(day: i64) -> (i64, i64) {
    // A week belongs to the year of its Thursday.
    let thursday = day - (day + 3).rem_euclid(7) + 3;
    let year = civil(thursday).0;
    (year, (thursday - days(year, 1, 1)) / 7 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = SECONDS_PER_DAY * MICROS_PER_SECOND;

    #[test]
    fn civil_dates_round_trip_over_twelve_thousand_years() {
        for day in (-2_200_000..2_200_000).step_by(17) {
            let (year, month, dom) = civil(day);
            assert_eq!(days(year, month, dom), day);
        }
        assert_eq!(civil(0), (1970, 1, 1));
        assert_eq!(civil(-1), (1969, 12, 31));
        assert_eq!(civil(days(2024, 2, 29)), (2024, 2, 29));
    }

    #[test]
    fn every_unit_covers_time_without_gaps() {
        for unit in
            [PartitionBy::Hour, PartitionBy::Day, PartitionBy::Week, PartitionBy::Month, PartitionBy::Year]
        {
            for nanos in [false, true] {
                let calendar = Calendar::new(unit, nanos);
                let mut ts = calendar.floor(-3 * DAY - 1);
                for _ in 0..1_000 {
                    let next = calendar.ceiling(ts);
                    assert!(next > ts);
                    // Nanoseconds end in 2262.
                    if next == i64::MAX {
                        break;
                    }
                    assert_eq!(calendar.floor(ts), ts);
                    assert_eq!(calendar.floor(next - 1), ts);
                    assert_eq!(calendar.floor(next), next);
                    ts = next;
                }
            }
        }
    }

    #[test]
    fn names_are_those_of_partition_folders() {
        let ts = days(2024, 1, 2) * DAY + 5 * 3_600_000_000 + 17;
        let name = |unit| {
            let calendar = Calendar::new(unit, false);
            calendar.name(calendar.floor(ts))
        };
        assert_eq!(name(PartitionBy::Hour), "2024-01-02T05");
        assert_eq!(name(PartitionBy::Day), "2024-01-02");
        assert_eq!(name(PartitionBy::Week), "2024-W01");
        assert_eq!(name(PartitionBy::Month), "2024-01");
        assert_eq!(name(PartitionBy::Year), "2024");
    }

    #[test]
    fn a_ttl_counts_from_the_end_of_the_partition() {
        let calendar = Calendar::new(PartitionBy::Day, false);
        assert!(!calendar.expired(DAY, DAY + 3_600_000_000 - 1, 1));
        assert!(calendar.expired(DAY, DAY + 3_600_000_000, 1));
        let ceiling = days(2024, 1, 31) * DAY;
        assert!(!calendar.expired(ceiling, days(2024, 2, 29) * DAY, -1));
        assert!(calendar.expired(ceiling, days(2024, 3, 1) * DAY, -1));
    }

    #[test]
    fn a_partition_expires_at_the_first_moment_at_which_it_is_expired() {
        for nanos in [false, true] {
            let calendar = Calendar::new(PartitionBy::Day, nanos);
            for hours in (0..24 * 800).step_by(7) {
                let ceiling = (days(2023, 1, 1) * 24 + hours) * 3600 * calendar.per_second + hours;
                for ttl in [1, 24, 168, -1, -2, -11, -12, -24, -50] {
                    let at = calendar.expires_at(ceiling, ttl);
                    assert!(calendar.expired(ceiling, at, ttl), "{hours} {ttl}");
                    assert!(!calendar.expired(ceiling, at - 1, ttl), "{hours} {ttl}");
                    let line = calendar.expiry_line(ceiling, ttl);
                    assert!(calendar.expired(line - 1, ceiling, ttl), "{hours} {ttl}");
                    assert!(!calendar.expired(line + 1, ceiling, ttl), "{hours} {ttl}");
                }
            }
        }
        let calendar = Calendar::new(PartitionBy::Day, true);
        assert_eq!(calendar.expires_at(i64::MAX, i32::MAX), i64::MAX);
        assert_eq!(calendar.expires_at(0, i32::MIN + 1), i64::MAX);
    }
}
