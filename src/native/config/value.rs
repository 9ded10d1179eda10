//! Times and sizes as QuestDB writes them, and a little more.

use std::time::Duration;

/// A time: milliseconds, or a number with `ns`, `us`, `ms`, `s`, `m`, `h`, `d`. Underscores between digits are left out.
///
/// QuestDB has no `d`; all else is taken as it takes it, upper and lower case alike.
pub fn time(text: &str) -> Option<Duration> {
    let (number, unit) = number_and_unit(text)?;
    let nanos: u64 = match unit.to_ascii_lowercase().as_str() {
        "ns" => 1,
        "us" => 1_000,
        "" | "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        "d" => 86_400_000_000_000,
        _ => return None,
    };
    Some(Duration::from_nanos(number.checked_mul(nanos)?))
}

/// Bytes: a number, with `k`, `m`, `g` (powers of 1024, as QuestDB has them), `t`, `KiB` to `TiB`, or `kB`, `MB`, `GB`
/// (powers of 1000).
///
/// # Errors
/// What is wrong with the text, for people.
pub fn size(text: &str) -> Result<u64, String> {
    let (number, unit) =
        number_and_unit(text).ok_or_else(|| "a size is a number with a unit, e.g. 1GiB".to_owned())?;
    let unit = match unit.trim() {
        "" | "B" => 1,
        "k" | "K" | "KiB" => 1 << 10,
        "m" | "M" | "MiB" => 1 << 20,
        "g" | "G" | "GiB" => 1 << 30,
        "t" | "T" | "TiB" => 1 << 40,
        "kB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        other => return Err(format!("unknown unit {other:?}; there are KiB, MiB, GiB, TiB, kB, MB, GB")),
    };
    number.checked_mul(unit).ok_or_else(|| "the size is too large".to_owned())
}

fn number_and_unit(text: &str) -> Option<(u64, &str)> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '_').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    Some((number.replace('_', "").parse().ok()?, unit))
}

/// Bytes that a text of 64 hex digits gives.
pub fn key(text: &str) -> Option<[u8; 32]> {
    if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let mut key = [0; 32];
    for (at, byte) in key.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    Some(key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_times() {
        for (text, millis) in [
            ("1000", 1000),
            ("10s", 10_000),
            ("5m", 300_000),
            ("24h", 86_400_000),
            ("1d", 86_400_000),
            ("200ms", 200),
            ("1_000", 1000),
            ("3000us", 3),
            ("2S", 2000),
        ] {
            assert_eq!(time(text), Some(Duration::from_millis(millis)), "{text}");
        }
        assert_eq!(time("1ns"), Some(Duration::from_nanos(1)));
        for bad in ["", "s", "-1", "1.5s", "10 seconds", "1w", "10 s", "10  # c", "99999999999d", "_"] {
            assert_eq!(time(bad), None, "{bad}");
        }
    }

    #[test]
    fn reads_sizes() {
        for (text, bytes) in [
            ("1GiB", 1 << 30),
            ("64m", 64 << 20),
            ("1_000", 1000),
            ("2MB", 2_000_000),
            ("7 KiB", 7168),
            ("512", 512),
            ("1G", 1 << 30),
        ] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for bad in ["", "GiB", "1XB", "-1", "99999999999TiB"] {
            assert!(size(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn reads_keys() {
        let text = "00ff".repeat(16);
        assert_eq!(key(&text).map(|key| (key[0], key[1], key[31])), Some((0, 255, 255)));
        for bad in ["", "00", &text[1..], &text.replace("ff", "fg"), &text.replace("ff", "ü")] {
            assert_eq!(key(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "\\PC{0,80}") {
            let _ = (time(&text), size(&text), key(&text));
        }
    }
}
