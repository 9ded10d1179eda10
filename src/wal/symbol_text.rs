//! What a symbol is: UTF-16 units, which need not be characters.

use std::fmt;
use std::ops::Deref;

/// A symbol as QuestDB keeps it. Nearly all are text; one that a CHAR became may be half of a surrogate pair, which
/// prints as `?` and yet is another symbol than `?`.
///
/// ```
/// use understudy::wal::{Symbol, SymbolText};
/// assert_eq!(SymbolText::of_units(&[b'a', 0]).symbol(), Symbol::Text("a"));
/// let half = SymbolText::of_units(&[0x3d, 0xd8]);
/// assert_eq!((half.symbol(), &*half), (Symbol::Units(&[0x3d, 0xd8]), "?"));
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum SymbolText {
    /// Text.
    Text(String),
    /// Units that are no text.
    Units(Box<Odd>),
}

/// The rare kind of [`SymbolText`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Odd {
    units: Vec<u8>,
    printed: String,
}

/// A symbol, borrowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Symbol<'a> {
    /// Text.
    Text(&'a str),
    /// UTF-16LE units that are no text.
    Units(&'a [u8]),
}

impl SymbolText {
    /// Of UTF-16LE units. An odd last byte is ignored.
    pub fn of_units(units: &[u8]) -> Self {
        let mut text = String::with_capacity(units.len() / 2);
        let mut odd = false;
        for character in char::decode_utf16(each(units)) {
            odd |= character.is_err();
            // As the server prints it.
            text.push(character.unwrap_or('?'));
        }
        if odd {
            Self::Units(Box::new(Odd { units: units.to_vec(), printed: text }))
        } else {
            Self::Text(text)
        }
    }

    /// The symbol.
    pub fn symbol(&self) -> Symbol<'_> {
        match self {
            Self::Text(text) => Symbol::Text(text),
            Self::Units(odd) => Symbol::Units(&odd.units),
        }
    }
}

/// As it is printed.
impl Deref for SymbolText {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            Self::Text(text) => text,
            Self::Units(odd) => &odd.printed,
        }
    }
}

impl fmt::Debug for SymbolText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl From<&str> for SymbolText {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl<'a> From<&'a str> for Symbol<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text)
    }
}

impl<'a> Symbol<'a> {
    /// Calls `take` with each UTF-16 unit.
    pub fn units(self, take: impl FnMut(u16)) {
        match self {
            Self::Text(text) => text.encode_utf16().for_each(take),
            Self::Units(units) => each(units).for_each(take),
        }
    }
}

fn each(units: &[u8]) -> impl Iterator<Item = u16> + '_ {
    units.as_chunks::<2>().0.iter().map(|unit| u16::from_le_bytes(*unit))
}
