//! Quoting of text. QuestDB's CSV doubles quotes *and* backslashes, and writes control characters as JSON does.

/// How `"` and `\` are written inside quotes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Quote {
    /// CSV: written twice.
    Double,
    /// JSON: after a backslash.
    Backslash,
}

/// Escapes the bytes of a VARCHAR; bytes from 128 up, a NUL and invalid UTF-8 go through as they are.
pub(super) fn utf8(out: &mut Vec<u8>, bytes: &[u8], quote: Quote) {
    escape_runs(out, bytes, quote, |b| b == 0);
}

/// Escapes the UTF-8 form of a Java string (SYMBOL, column name): as [`utf8`], but a NUL is escaped too.
pub(super) fn string(out: &mut Vec<u8>, bytes: &[u8], quote: Quote) {
    escape_runs(out, bytes, quote, |_| false);
}

/// Escapes a STRING's UTF-16LE units.
pub(super) fn utf16(out: &mut Vec<u8>, units: &[u8], quote: Quote) {
    for_each_char(units, |c| match c {
        Unit::Ascii(b) if needs_escape(b) => escape(out, b, quote),
        Unit::Ascii(b) => out.push(b),
        Unit::Char(c) => push_char(out, c),
        Unit::Lone => out.push(b'?'),
    });
}

/// A STRING's UTF-16LE units as UTF-8, unescaped.
pub(super) fn utf16_plain(out: &mut Vec<u8>, units: &[u8]) {
    for_each_char(units, |c| match c {
        Unit::Ascii(b) => out.push(b),
        Unit::Char(c) => push_char(out, c),
        Unit::Lone => out.push(b'?'),
    });
}

/// One UTF-16 unit (CHAR) as UTF-8; half of a pair becomes `?`.
pub(super) fn unit(out: &mut Vec<u8>, unit: u16) {
    match char::from_u32(unit.into()) {
        Some(c) => push_char(out, c),
        None => out.push(b'?'),
    }
}

enum Unit {
    Ascii(u8),
    Char(char),
    Lone,
}

/// Pairs surrogates as QuestDB's encoder does: a high one swallows whatever unit follows it.
fn for_each_char(units: &[u8], mut each: impl FnMut(Unit)) {
    let mut units = units.chunks_exact(2).map(|b| match b {
        [lo, hi] => u16::from_le_bytes([*lo, *hi]),
        _ => 0,
    });
    while let Some(unit) = units.next() {
        each(match unit {
            0..=0x7f => Unit::Ascii(unit as u8),
            0xd800..=0xdbff => match units.next() {
                Some(low @ 0xdc00..=0xdfff) => {
                    let code = 0x10000 + ((u32::from(unit) - 0xd800) << 10) + (u32::from(low) - 0xdc00);
                    char::from_u32(code).map_or(Unit::Lone, Unit::Char)
                }
                _ => Unit::Lone,
            },
            _ => char::from_u32(unit.into()).map_or(Unit::Lone, Unit::Char),
        });
    }
}

fn push_char(out: &mut Vec<u8>, c: char) {
    out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
}

fn needs_escape(b: u8) -> bool {
    b < 32 || b == b'"' || b == b'\\'
}

/// Copies what needs no escape in runs.
fn escape_runs(out: &mut Vec<u8>, mut bytes: &[u8], quote: Quote, raw: impl Fn(u8) -> bool) {
    while let Some(at) = first_escape(bytes) {
        let (run, rest) = bytes.split_at(at);
        out.extend_from_slice(run);
        let Some((&b, rest)) = rest.split_first() else { return };
        if raw(b) {
            out.push(b);
        } else {
            escape(out, b, quote);
        }
        bytes = rest;
    }
    out.extend_from_slice(bytes);
}

/// Looks at sixteen bytes at once first, which compiles to vector instructions.
fn first_escape(bytes: &[u8]) -> Option<usize> {
    let mut clean = 0;
    for chunk in bytes.chunks_exact(16) {
        if chunk.iter().fold(false, |found, &b| found | needs_escape(b)) {
            break;
        }
        clean += 16;
    }
    bytes.get(clean..)?.iter().position(|&b| needs_escape(b)).map(|at| clean + at)
}

fn escape(out: &mut Vec<u8>, b: u8, quote: Quote) {
    match b {
        b'"' | b'\\' if quote == Quote::Double => out.extend_from_slice(&[b, b]),
        b'"' | b'\\' => out.extend_from_slice(&[b'\\', b]),
        8 => out.extend_from_slice(b"\\b"),
        9 => out.extend_from_slice(b"\\t"),
        10 => out.extend_from_slice(b"\\n"),
        12 => out.extend_from_slice(b"\\f"),
        13 => out.extend_from_slice(b"\\r"),
        _ => {
            out.extend_from_slice(b"\\u00");
            out.push(b'0' + (b >> 4));
            out.push(super::wide::hex_digit(b & 15));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn csv(bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        utf8(&mut out, bytes, Quote::Double);
        out
    }

    #[test]
    fn csv_doubles_quotes_and_backslashes() {
        assert_eq!(csv(b"a\"b\\c"), b"a\"\"b\\\\c");
        assert_eq!(csv(b"\x01\x1f\n\0"), b"\\u0001\\u001f\\n\0");
        assert_eq!(csv(b"\xff\xc3"), b"\xff\xc3");
    }

    #[test]
    fn a_lone_high_surrogate_swallows_the_next_unit() {
        let mut out = Vec::new();
        let units: Vec<u8> = [0x61u16, 0xd800, 0x62, 0xdc00, 0xd83d, 0xde00, 0xd800]
            .iter()
            .flat_map(|u| u.to_le_bytes())
            .collect();
        utf16_plain(&mut out, &units);
        assert_eq!(out, "a??😀?".as_bytes());
    }
}
