//! How long after its end a partition enters a stage.

use crate::table::ttl_text;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Hours of a month, where spans are compared.
const MONTH_HOURS: i64 = 730;

/// A span of whole hours or whole calendar months, never zero; as QuestDB stores a TTL.
///
/// ```
/// use understudy::policy::Ttl;
/// let ttl = Ttl::from_stored(72).unwrap();
/// assert_eq!((ttl.to_string(), ttl.view()), ("3 DAYS".to_owned(), "72h".to_owned()));
/// assert_eq!(Ttl::from_view("12m"), Some(Some(Ttl::from_stored(-12).unwrap())));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "i32", into = "i32")]
pub struct Ttl(i32);

impl Ttl {
    /// Hours above zero, months below; `None` for 0, and for the one number whose negative does not exist.
    pub fn from_stored(stored: i32) -> Option<Self> {
        (stored != 0 && stored != i32::MIN).then_some(Self(stored))
    }

    /// Hours above zero, months below.
    pub fn stored(self) -> i32 {
        self.0
    }

    /// As the view `storage_policies` shows it: `72h`; months as `1m`.
    pub fn view(self) -> String {
        if self.0 > 0 { format!("{}h", self.0) } else { format!("{}m", self.0.unsigned_abs()) }
    }

    /// Reads what the view shows: `Some(None)` is `0h`, unset; `None` is not of that format.
    pub fn from_view(text: &str) -> Option<Option<Self>> {
        let sign = if text.ends_with('h') {
            1
        } else if text.ends_with('m') {
            -1
        } else {
            return None;
        };
        let digits = text.get(..text.len().checked_sub(1)?)?;
        if !digits.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        Some(Self::from_stored(sign * digits.parse::<i32>().ok()?))
    }

    /// Whether this span is at most as long as the other one. A month counts as 730 hours, the twelfth of a year of 365
    /// days: `30d` is within `1M`, `1M` is not within `30d`.
    pub(super) fn is_within(self, other: Self) -> bool {
        self.hours() <= other.hours()
    }

    fn hours(self) -> i64 {
        let stored = i64::from(self.0);
        if stored > 0 { stored } else { -stored * MONTH_HOURS }
    }
}

/// As `SHOW CREATE TABLE` writes it: `3 DAYS`, `1 MONTH`.
impl fmt::Display for Ttl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&ttl_text(self.0).unwrap_or_default())
    }
}

impl TryFrom<i32> for Ttl {
    type Error = &'static str;

    fn try_from(stored: i32) -> Result<Self, Self::Error> {
        Self::from_stored(stored).ok_or("a TTL is never zero")
    }
}

impl From<Ttl> for i32 {
    fn from(ttl: Ttl) -> Self {
        ttl.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ttl(stored: i32) -> Ttl {
        Ttl::from_stored(stored).unwrap()
    }

    #[test]
    fn is_shown_as_questdb_shows_it() {
        for (stored, sql, view) in [
            (1, "1 HOUR", "1h"),
            (36, "36 HOURS", "36h"),
            (72, "3 DAYS", "72h"),
            (168, "1 WEEK", "168h"),
            (-1, "1 MONTH", "1m"),
            (-12, "1 YEAR", "12m"),
            (-18, "18 MONTHS", "18m"),
            (i32::MAX, "2147483647 HOURS", "2147483647h"),
            (-i32::MAX, "2147483647 MONTHS", "2147483647m"),
        ] {
            assert_eq!((ttl(stored).to_string(), ttl(stored).view()), (sql.into(), view.into()));
            assert_eq!(Ttl::from_view(view), Some(Some(ttl(stored))));
        }
        assert_eq!(Ttl::from_view("0h"), Some(None));
        for wrong in ["", "h", "-1h", "+1h", "1", "1d", "99999999999h", "é", "1 h"] {
            assert_eq!(Ttl::from_view(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn hours_and_months_compare_by_the_mean_month() {
        let within = |a: i32, b: i32| ttl(a).is_within(ttl(b));
        assert!(within(24, 24) && !within(25, 24) && within(-1, -2) && !within(-13, -12));
        assert!(within(30 * 24, -1) && !within(31 * 24, -1));
        assert!(within(-1, 31 * 24) && !within(-1, 30 * 24));
        assert!(within(365 * 24, -12) && within(-12, 365 * 24) && !within(366 * 24, -12));
        assert!(within(i32::MAX, -i32::MAX) && !within(-i32::MAX, i32::MAX));
    }
}
