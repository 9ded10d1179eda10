//! Sizes on the command line: `1GiB`, `512MiB`, `64m`, `1000000`.

/// Bytes that a text means. Units are powers of 1024, as in QuestDB's configuration; `kB`, `MB` and `GB` are powers
/// of 1000.
pub(super) fn parse(text: &str) -> Result<u64, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '_').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: u64 = number
        .replace('_', "")
        .parse()
        .ok()
        .ok_or_else(|| "a size is a number with a unit, e.g. 1GiB".to_owned())?;
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

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn reads_units() {
        for (text, bytes) in
            [("1GiB", 1 << 30), ("64m", 64 << 20), ("1_000", 1000), ("2MB", 2_000_000), ("7 KiB", 7168)]
        {
            assert_eq!(parse(text), Ok(bytes), "{text}");
        }
        for bad in ["", "GiB", "1XB", "-1", "99999999999TiB"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
