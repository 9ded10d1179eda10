//! `server.conf` as Java's `Properties.load` reads it, which is how QuestDB reads it.
//!
//! A line is `key=value`, `key: value` or `key value`. Lines that begin with `#` or `!` are comments; there are none
//! at the end of a line. A backslash at the end of a line joins it with the next. `\t`, `\n`, `\r`, `\f` and `\uXXXX`
//! are escapes; before any other letter the backslash is dropped. Bytes are ISO-8859-1.

use std::iter::Peekable;
use std::str::Chars;

/// One pair of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Property {
    /// The key, escapes resolved.
    pub key: String,
    /// The value, without white space around it.
    pub value: String,
    /// The line where the key stands, counted from 1.
    pub line: usize,
}

/// An escape that Java refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadEscape {
    /// The line, counted from 1.
    pub line: usize,
}

/// The pairs of a file in their order, with what can't be taken left out and told.
pub fn parse(bytes: &[u8]) -> (Vec<Property>, Vec<BadEscape>) {
    let text: String = bytes.iter().map(|byte| char::from(*byte)).collect();
    let (mut found, mut bad) = (Vec::new(), Vec::new());
    for (line, text) in logical_lines(&text) {
        match pair(&text) {
            Some((key, value)) => found.push(Property { key, value: value.trim().to_owned(), line }),
            None => bad.push(BadEscape { line }),
        }
    }
    (found, bad)
}

/// Lines without comments and blank ones, those that go on joined; each with its number.
fn logical_lines(text: &str) -> Vec<(usize, String)> {
    let mut lines = Vec::new();
    let mut open: Option<(usize, String)> = None;
    for (at, natural) in natural_lines(text).enumerate() {
        let begun = natural.trim_start_matches(BLANK);
        let (line, before) = match open.take() {
            Some(open) => open,
            None if begun.is_empty() || begun.starts_with(['#', '!']) => continue,
            None => (at + 1, String::new()),
        };
        let trailing = begun.chars().rev().take_while(|c| *c == '\\').count();
        let goes_on = trailing % 2 == 1;
        let kept = if goes_on { begun.strip_suffix('\\').unwrap_or(begun) } else { begun };
        let whole = before + kept;
        if goes_on {
            open = Some((line, whole));
        } else {
            lines.push((line, whole));
        }
    }
    lines.extend(open);
    lines
}

/// Lines that end with `\n`, `\r` or both.
fn natural_lines(text: &str) -> impl Iterator<Item = &str> {
    text.split('\n').flat_map(|line| line.strip_suffix('\r').unwrap_or(line).split('\r'))
}

/// Key and value; none if an escape is malformed.
fn pair(line: &str) -> Option<(String, String)> {
    let mut rest = line.chars().peekable();
    let mut key = String::new();
    while let Some(c) = rest.peek().copied() {
        if BLANK.contains(&c) || c == '=' || c == ':' {
            break;
        }
        key.push(letter(&mut rest)?);
    }
    while rest.next_if(|c| BLANK.contains(c)).is_some() {}
    if rest.next_if(|c| *c == '=' || *c == ':').is_some() {
        while rest.next_if(|c| BLANK.contains(c)).is_some() {}
    }
    let mut value = String::new();
    while rest.peek().is_some() {
        value.push(letter(&mut rest)?);
    }
    Some((key, value))
}

/// The next letter, its escape resolved.
fn letter(rest: &mut Peekable<Chars<'_>>) -> Option<char> {
    match rest.next()? {
        '\\' => match rest.next() {
            Some('t') => Some('\t'),
            Some('n') => Some('\n'),
            Some('r') => Some('\r'),
            Some('f') => Some('\u{c}'),
            Some('u') => {
                let mut code = 0;
                for _ in 0..4 {
                    code = code * 16 + rest.next()?.to_digit(16)?;
                }
                // Half of a surrogate pair is no letter; QuestDB would not get far with one either.
                Some(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER))
            }
            Some(other) => Some(other),
            None => Some('\\'),
        },
        other => Some(other),
    }
}

/// What Java takes for white space here.
const BLANK: [char; 3] = [' ', '\t', '\u{c}'];

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pairs(text: &str) -> Vec<(String, String, usize)> {
        let (found, bad) = parse(text.as_bytes());
        assert_eq!(bad, []);
        found.into_iter().map(|one| (one.key, one.value, one.line)).collect()
    }

    #[test]
    fn reads_what_java_reads() {
        for (text, key, value) in [
            ("a.b=c", "a.b", "c"),
            ("  a.b = c  ", "a.b", "c"),
            ("a.b: c", "a.b", "c"),
            ("a.b c d", "a.b", "c d"),
            ("a.b", "a.b", ""),
            ("a.b==c", "a.b", "=c"),
            ("a.b=s3::bucket=b;root=r;", "a.b", "s3::bucket=b;root=r;"),
            ("a.b=10000  # 10 seconds", "a.b", "10000  # 10 seconds"),
            ("a\\:b\\ c=d", "a:b c", "d"),
            ("path=C:\\\\temp\\x", "path", "C:\\tempx"),
            ("a=\\u00fc\\t.", "a", "\u{fc}\t."),
            ("a=b\\\n   c\\\\", "a", "bc\\"),
            ("a=b\\", "a", "b"),
            ("=c", "", "c"),
        ] {
            assert_eq!(pairs(text), [(key.into(), value.into(), 1)], "{text}");
        }
        // Bytes, not letters of UTF-8.
        assert_eq!(
            parse("a=\u{fc}".as_bytes()).0.first().map(|one| one.value.as_str()),
            Some("\u{c3}\u{bc}")
        );
    }

    #[test]
    fn lines_are_counted_over_comments_and_all_line_ends() {
        let text = "# a=1\r\n! b=2\r\n\r\n  # c\\\nd=4\re=5\\\n  # f\ng=8\n";
        let found = pairs(text);
        assert_eq!(
            found,
            [("d".into(), "4".into(), 5), ("e".into(), "5# f".into(), 6), ("g".into(), "8".into(), 8)]
        );
    }

    #[test]
    fn a_malformed_escape_is_told_and_costs_its_line_only() {
        let (found, bad) = parse(b"a=1\nb=\\u12\nc=3\nd\\uzzzz=1");
        assert_eq!(found.iter().map(|one| one.key.as_str()).collect::<Vec<_>>(), ["a", "c"]);
        assert_eq!(bad, [BadEscape { line: 2 }, BadEscape { line: 4 }]);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let lines = bytes.iter().filter(|byte| b"\r\n".contains(byte)).count() + 1;
            let (found, _) = parse(&bytes);
            for one in found {
                prop_assert!((1..=lines).contains(&one.line));
            }
        }

        #[test]
        fn what_is_written_plainly_is_read(key in "[a-z.]{1,20}", value in "[a-z0-9=;:/]{0,20}") {
            let text = format!("x=1\n{key}={value}\n");
            let (found, _) = parse(text.as_bytes());
            let last = found.last().expect("a pair");
            prop_assert_eq!((&last.key, &last.value, last.line), (&key, &value, 2));
        }
    }
}
