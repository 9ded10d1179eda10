//! Values out of text, as QuestDB 9.3.4 reads them when a column changes its type.
//!
//! SQL literals are another matter: they keep what overflows a column, and follow the column's resolution.

mod net;
mod number;
mod real;
mod time;

pub use net::{ipv4, uuid};
pub use number::{int, long};
pub use real::{double, float};
pub use time::{date, timestamp};

/// Text as QuestDB's parsers see it: a row of 16-bit characters.
///
/// A VARCHAR is read byte by byte, each byte a character of its own.
#[derive(Debug, Clone, Copy)]
pub enum Chars<'a> {
    /// VARCHAR, and SYMBOL where only ASCII is of use.
    Bytes(&'a [u8]),
    /// STRING: UTF-16LE units.
    Units(&'a [u8]),
}

impl<'a> Chars<'a> {
    /// Number of characters.
    pub fn len(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::Units(units) => units.len() / 2,
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The character at `at`; bytes from 128 up are negative in Java, hence `0xff80` and up.
    pub fn get(&self, at: usize) -> Option<u16> {
        match self {
            Self::Bytes(bytes) => bytes.get(at).map(|&b| i16::from(b as i8) as u16),
            Self::Units(units) => units.get(at * 2..at * 2 + 2)?.try_into().ok().map(u16::from_le_bytes),
        }
    }

    /// ASCII text into `buffer`; `None` if there is any other character or it is longer.
    fn ascii<'b>(&self, buffer: &'b mut [u8]) -> Option<&'b [u8]> {
        let slots = buffer.get_mut(..self.len())?;
        for (at, slot) in slots.iter_mut().enumerate() {
            *slot = u8::try_from(self.get(at)?).ok().filter(u8::is_ascii)?;
        }
        Some(slots)
    }
}

impl<'a> From<&'a str> for Chars<'a> {
    fn from(text: &'a str) -> Self {
        Self::Bytes(text.as_bytes())
    }
}

/// Only `true`, in any case.
pub fn boolean(text: Chars<'_>) -> bool {
    let mut buffer = [0; 4];
    text.ascii(&mut buffer).is_some_and(|t| t.eq_ignore_ascii_case(b"true"))
}

/// The first character; `None` for empty text and for a NUL.
pub fn char(text: Chars<'_>) -> Option<u16> {
    text.get(0).filter(|&c| c != 0)
}
