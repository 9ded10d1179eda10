//! Who writes, and to which history: the identities that stand in every object.

use std::fmt;
use std::str::FromStr;

/// A text that is not the identity, directory or key it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected}, found {found:?}")]
pub struct ParseError {
    /// What the text should be.
    pub expected: &'static str,
    /// The text, shortened.
    pub found: Box<str>,
}

impl ParseError {
    pub(super) fn new(expected: &'static str, found: &str) -> Self {
        Self { expected, found: found.chars().take(120).collect() }
    }
}

macro_rules! random_id {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub u128);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:032x}", self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = ParseError;

            fn from_str(text: &str) -> Result<Self, ParseError> {
                hex_u128(text).map(Self).ok_or_else(|| ParseError::new($what, text))
            }
        }
    };
}

random_id! {
    /// A cluster's identity: 128 random bits, drawn once. As text 32 hex digits.
    ///
    /// ```
    /// use understudy::ledger::ClusterId;
    /// let id: ClusterId = "000000000000000000000000000000ff".parse()?;
    /// assert_eq!(id, ClusterId(255));
    /// # Ok::<(), understudy::ledger::ParseError>(())
    /// ```
    ClusterId, "a cluster's id of 32 hex digits"
}
random_id! {
    /// A writer's identity: 128 random bits, drawn anew for every start of a process and every attempt to become
    /// primary (rule P1). So a directory has one writing process, ever. As text 32 hex digits.
    WriterId, "a writer's id of 32 hex digits"
}

/// The number of a primary in the row of all of a cluster: 1, 2, 3 ...
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Term(pub u64);

impl Term {
    /// The term after this one; the last possible one has none.
    pub fn next(self) -> Option<Self> {
        self.0.checked_add(1).filter(|term| *term <= i64::MAX as u64).map(Self)
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// A term's directory in the log, with its one writer. As text `{term}-{writer}`.
///
/// ```
/// use understudy::ledger::{Dir, Term, WriterId};
/// let dir = Dir { term: Term(3), writer: WriterId(0xab) };
/// assert_eq!(dir.to_string(), "3-000000000000000000000000000000ab");
/// assert_eq!(dir.to_string().parse(), Ok(dir));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Dir {
    /// Whose term it is.
    pub term: Term,
    /// The process that writes in it.
    pub writer: WriterId,
}

impl fmt::Display for Dir {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.term, self.writer)
    }
}

impl fmt::Debug for Dir {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Dir {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let wrong = || ParseError::new("a directory {term}-{writer}", text);
        let (term, writer) = text.split_once('-').ok_or_else(wrong)?;
        let term = decimal(term, 1).filter(|term| (1..=i64::MAX as u64).contains(term)).ok_or_else(wrong)?;
        Ok(Self { term: Term(term), writer: writer.parse()? })
    }
}

/// A BLAKE3 hash: of an object of the log (all its bytes before the hash itself), or of a blob. As text 64 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Sum(pub [u8; 32]);

impl Sum {
    /// What the first object names as the one before it.
    pub const ZERO: Self = Self([0; 32]);

    /// The hash of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }
}

impl fmt::Display for Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Sum {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let wrong = || ParseError::new("a hash of 64 hex digits", text);
        let (high, low) = text.split_at_checked(32).ok_or_else(wrong)?;
        let (high, low) = (hex_u128(high).ok_or_else(wrong)?, hex_u128(low).ok_or_else(wrong)?);
        let mut sum = [0; 32];
        for (place, byte) in sum.iter_mut().zip(high.to_be_bytes().into_iter().chain(low.to_be_bytes())) {
            *place = byte;
        }
        Ok(Self(sum))
    }
}

/// Exactly 32 lower-case hex digits: one text for each number, so that keys can be compared as text.
fn hex_u128(text: &str) -> Option<u128> {
    let digits = text.len() == 32 && text.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f'));
    if digits { u128::from_str_radix(text, 16).ok() } else { None }
}

/// A decimal number of at least `width` digits, zeros in front only up to that width.
pub(super) fn decimal(text: &str, width: usize) -> Option<u64> {
    let plain = text.len() >= width && text.bytes().all(|c| c.is_ascii_digit());
    let padded = text.len() > width && text.starts_with('0');
    if plain && !padded { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_identity_has_one_text() {
        let dir: Dir = "12-0000000000000000000000000000abcd".parse().unwrap();
        assert_eq!((dir.term, dir.writer), (Term(12), WriterId(0xabcd)));
        let sum = Sum::of(b"x");
        assert_eq!(sum.to_string().parse(), Ok(sum));
        for wrong in [
            "",
            "-",
            "1-",
            "0-0000000000000000000000000000abcd",
            "01-0000000000000000000000000000abcd",
            "+1-0000000000000000000000000000abcd",
            "1-0000000000000000000000000000ABCD",
            "1-0000000000000000000000000000abc",
            "9223372036854775808-0000000000000000000000000000abcd",
            "99999999999999999999-0000000000000000000000000000abcd",
            "1-00000000000000000000000000000ab\u{e9}",
        ] {
            assert!(wrong.parse::<Dir>().is_err(), "{wrong}");
        }
        assert!("é".repeat(32).parse::<Sum>().is_err());
        assert!("0".repeat(63).parse::<Sum>().is_err());
    }

    #[test]
    fn terms_end_where_their_field_does() {
        assert_eq!(Term(1).next(), Some(Term(2)));
        assert_eq!(Term(i64::MAX as u64).next(), None);
    }
}
