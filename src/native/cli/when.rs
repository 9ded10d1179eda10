//! Moments as people write them: for `--to`.

use crate::table::text::parse::{self, Chars};
use std::time::{SystemTime, UNIX_EPOCH};

/// A place in a table's history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    /// After this transaction.
    Txn(u64),
    /// After the last transaction committed by then, in microseconds UTC.
    Time(i64),
}

impl Moment {
    /// Reads a transaction number, a time as QuestDB reads it (RFC 3339 among them), `now`, or
    /// `5 minutes ago`. `now_us` is microseconds UTC.
    pub(super) fn parse(text: &str, now_us: i64) -> Result<Self, String> {
        let text = text.trim();
        if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit() || b == b',' || b == b'_') {
            let digits: String = text.chars().filter(char::is_ascii_digit).collect();
            return digits
                .parse()
                .map(Self::Txn)
                .ok()
                .ok_or_else(|| format!("{text} is more than any log has"));
        }
        let time = if text.eq_ignore_ascii_case("now") {
            Some(now_us)
        } else {
            parse::timestamp(Chars::Bytes(text.as_bytes()), false).or_else(|| now_us.checked_sub(ago(text)?))
        };
        time.map(Self::Time).ok_or_else(|| {
            "give a transaction number, a time such as 2026-08-01T12:30:00.123456Z or 2026-08-01, or \
             `5 minutes ago`"
                .into()
        })
    }
}

/// Microseconds since the epoch by this machine's clock.
pub(super) fn now_us() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros() as i64)
}

/// `1 hour 30 min ago` in microseconds.
fn ago(text: &str) -> Option<i64> {
    let lower = text.to_ascii_lowercase();
    let mut rest = lower.strip_suffix("ago")?.trim();
    let mut total: i64 = 0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let (number, after) = rest.split_at(digits);
        let after = after.trim_start();
        let letters = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
        let (unit, after) = after.split_at(letters);
        let seconds = match unit {
            "s" | "sec" | "secs" | "second" | "seconds" => 1,
            "m" | "min" | "mins" | "minute" | "minutes" => 60,
            "h" | "hour" | "hours" => 3600,
            "d" | "day" | "days" => 24 * 3600,
            "w" | "week" | "weeks" => 7 * 24 * 3600,
            _ => return None,
        };
        total = total.checked_add(number.parse::<i64>().ok()?.checked_mul(seconds * 1_000_000)?)?;
        rest = after.trim_start_matches([',', ' ']);
    }
    (total > 0).then_some(total)
}

/// A moment in microseconds UTC as QuestDB prints it.
pub(super) fn show(micros: i64) -> String {
    let mut text = Vec::new();
    let value = crate::table::Value::Timestamp(micros);
    crate::table::text::write_text(&mut text, value);
    String::from_utf8_lossy(&text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments() {
        let noon = 1_785_585_600_000_000;
        let minute = 60_000_000;
        let cases = [
            ("0", Moment::Txn(0)),
            (" 98,311 ", Moment::Txn(98_311)),
            ("2026", Moment::Txn(2026)),
            ("2026-08-01T12:00:00.000000Z", Moment::Time(noon)),
            ("2026-08-01T12:00:00.5Z", Moment::Time(noon + 500_000)),
            ("2026-08-01", Moment::Time(noon - 12 * 60 * minute)),
            ("2026-08-01T12:00", Moment::Time(noon)),
            ("2026-08-01 12:00:00", Moment::Time(noon)),
            ("2026-08-01T14:00:00+02:00", Moment::Time(noon)),
            ("now", Moment::Time(noon)),
            ("5 minutes ago", Moment::Time(noon - 5 * minute)),
            ("1 hour 30 min ago", Moment::Time(noon - 90 * minute)),
            ("2 days ago", Moment::Time(noon - 2 * 24 * 60 * minute)),
            ("90s ago", Moment::Time(noon - 90_000_000)),
            ("1 Week Ago", Moment::Time(noon - 7 * 24 * 60 * minute)),
        ];
        for (text, moment) in cases {
            assert_eq!(Moment::parse(text, noon), Ok(moment), "{text}");
        }
        for text in [
            "",
            "yesterday",
            "5 minutes",
            "2026-13-01",
            "99999999999999999999999",
            "in 5 minutes",
            "ago",
            "5 ago",
            "9999999999999 weeks ago",
        ] {
            assert!(Moment::parse(text, noon).is_err(), "{text}");
        }
        assert_eq!(show(noon), "2026-08-01T12:00:00.000000Z");
    }
}
