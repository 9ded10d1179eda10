//! Reads the lines of a body, each from the left to the right, by the grammar of what QuestDB accepts:
//!
//! ```text
//! body      = { end | "=" | line }
//! line      = table ( "," tags | " " fields )
//! tags      = { tag "," } [ tag ] ( " " fields | end )
//! tag       = name "=" [ word ]
//! fields    = { field "," } [ field ] ( " " timestamp | end )
//!           | long [ unit ] end                  if a tag is the last that was read
//! field     = name "=" ( [ word ] | quoted [ word ] | "=" binary )
//! timestamp = [ long [ unit ] ] end
//! quoted    = '"' { any but '"', "\", LF | "\" any } '"'
//! unit      = "n" | "t" | "m"
//! end       = LF | CR
//! ```
//!
//! A line has at least one tag or field. `end` and `=` in front of a line are passed over. The table's name may be empty, names of
//! tags and fields may not. What a field's value says is a matter of [`value`].
//!
//! **Words.** A table, a name, a `word` and the text of a timestamp end at `,`, `=`, a blank, LF or CR. A backslash takes its
//! meaning from the byte behind it, whichever that is, and is no part of the word. Quotes are plain bytes but for those that a
//! field's value begins with: between them all separators are plain, CR too, and LF needs a backslash. What follows the closing
//! quote before the next separator belongs to the value.
//!
//! **Strays** are bytes that may not stand in a word: NUL; outside of values `/`, and a backslash behind a backslash; behind a
//! closing quote another quote. A backslash makes plain bytes of NUL, `/` and the quote, and between quotes there are no strays.
//!
//! **Refused** is the first byte that fits nowhere, and there the walk stays:
//!
//! | what is wrong | code |
//! |---|---|
//! | no `,` or blank behind the table; neither tag nor field | `NoFields` |
//! | `=` without a name before it | `IncompleteTag`, `IncompleteField` |
//! | no `=` behind a name; `,` in place of a name | `MissingTagValue`, `MissingFieldValue` |
//! | `=` behind a value; a timestamp or binary value that another byte follows | `InvalidFieldSeparator` |
//! | a stray in the table's name | `InvalidTableName` |
//! | a stray in a name, which then has one byte more | `InvalidColumnName` |
//! | a stray in the value of a tag or field, LF between quotes, a value that says nothing | `InvalidFieldValue` |
//! | a stray in a timestamp | `EmptyLine` if anything was passed over in front of the line, else `None` |
//! | a timestamp that is no number | `InvalidTimestamp` |
//! | a binary value that can't be | its own |
//!
//! Where the body ends inside a line or its value, more would be needed: that is no error, but the end.

use super::array::Taken;
use super::raw::{Code, Ended, Raw, RawField, RawValue, Span};
use super::{number, value};
use std::cell::Cell;

/// Where the walk is.
#[derive(Debug)]
pub(super) struct Scan {
    pub(super) bytes: Vec<u8>,
    pub(super) line: Raw,
    /// What `Could not parse timestamp` names.
    pub(super) bad_timestamp: Span,
    /// The byte to be read next; all of a line that lies before it may have been moved.
    at: usize,
}

/// A part of a line that is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Tags,
    Fields,
    Timestamp,
    End,
}

impl Part {
    /// What a blank leads to.
    fn next(self) -> Self {
        match self {
            Self::Tags => Self::Fields,
            Self::Fields => Self::Timestamp,
            Self::Timestamp | Self::End => Self::End,
        }
    }
}

/// What a word ends at, which is not read yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    Comma,
    Equals,
    Blank,
    End,
    Stray,
}

impl Stop {
    fn of(byte: u8) -> Self {
        match byte {
            b',' => Self::Comma,
            b'=' => Self::Equals,
            b' ' => Self::Blank,
            b'\n' | b'\r' => Self::End,
            _ => Self::Stray,
        }
    }
}

/// Where a byte stands, which says whether it means anything by itself: a bit of [`MARKS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// In a name or a timestamp.
    Name = 1,
    /// In the value of a tag or field.
    Value = 2,
    /// In the value of a field, behind its closing quote.
    Tail = 4,
    /// Between quotes.
    Quotes = 8,
}

/// The places where a byte means something.
const MARKS: [u8; 256] = {
    let words = Place::Name as u8 | Place::Value as u8 | Place::Tail as u8;
    let mut marks = [0; 256];
    let mut byte = 0;
    while byte < marks.len() {
        marks[byte] = match byte as u8 {
            b'\n' | b'\\' => words | Place::Quotes as u8,
            b'\r' | b',' | b'=' | b' ' | b'\0' => words,
            b'"' => Place::Tail as u8 | Place::Quotes as u8,
            b'/' => Place::Name as u8,
            _ => 0,
        };
        byte += 1;
    }
    marks
};

/// A word as it lies when a part of it is read: once it has lost backslashes, it ends before the byte to be read next.
#[derive(Debug, Clone, Copy)]
struct Word {
    start: usize,
    end: usize,
}

impl Scan {
    /// Of a request's body, to which the end of a line is added: the last one may lack it.
    pub(super) fn new(mut bytes: Vec<u8>) -> Self {
        bytes.push(b'\n');
        let line = Raw { timestamp: i64::MIN, ..Raw::default() };
        Self { bytes, line, bad_timestamp: Span::default(), at: 0 }
    }

    /// The name of the last field that was begun.
    pub(super) fn last(&self) -> Option<&RawField> {
        self.line.fields.last()
    }

    /// Reads the next line.
    pub(super) fn line(&mut self) -> Ended {
        self.line.fields.clear();
        self.line.timestamp = i64::MIN;
        self.line.unit = None;
        self.parts().err().unwrap_or(Ended::Complete)
    }

    /// Reads the parts of a line; an error is how it ended without being complete.
    fn parts(&mut self) -> Result<(), Ended> {
        let passed = self.pass_empty();
        let mut part = self.table()?;
        if part == Part::Tags {
            part = self.tags()?;
        }
        if part == Part::Fields {
            part = self.fields()?;
        }
        if part == Part::Timestamp {
            self.timestamp(if passed { Code::EmptyLine } else { Code::None })?;
        }
        if self.line.fields.is_empty() {
            return Err(Ended::Refused(Code::NoFields));
        }
        self.at += 1;
        Ok(())
    }

    /// Passes over what may stand in front of a line, and says whether there is any.
    fn pass_empty(&mut self) -> bool {
        let from = self.at;
        while let Some(b'\n' | b'\r' | b'=') = self.bytes.get(self.at) {
            self.at += 1;
        }
        self.at > from
    }

    fn table(&mut self) -> Result<Part, Ended> {
        let (table, stop) = self.word(Place::Name)?;
        match stop {
            Stop::Comma | Stop::Blank => self.line.table = table,
            Stop::Equals | Stop::End => return Err(Ended::Refused(Code::NoFields)),
            Stop::Stray => return Err(Ended::Refused(Code::InvalidTableName)),
        }
        self.at += 1;
        Ok(if stop == Stop::Comma { Part::Tags } else { Part::Fields })
    }

    fn tags(&mut self) -> Result<Part, Ended> {
        loop {
            if let Some(part) = self.name(Part::Tags)? {
                return Ok(part);
            }
            let (text, stop) = self.word(Place::Value)?;
            accept(stop)?;
            self.set(RawValue::Tag, text);
            if stop != Stop::Comma {
                return Ok(self.behind(Part::Tags, stop));
            }
            self.at += 1;
        }
    }

    fn fields(&mut self) -> Result<Part, Ended> {
        loop {
            if let Some(part) = self.name(Part::Fields)? {
                return Ok(part);
            }
            let stop = match self.bytes.get(self.at) {
                Some(b'=') => self.binary()?,
                _ => self.text()?,
            };
            if stop != Stop::Comma {
                return Ok(self.behind(Part::Fields, stop));
            }
            self.at += 1;
        }
    }

    /// The part that a blank or the end leads to.
    fn behind(&mut self, part: Part, stop: Stop) -> Part {
        if stop == Stop::End {
            return Part::End;
        }
        self.at += 1;
        part.next()
    }

    /// Begins a tag or field with its name and `=`; or leads to the part that follows, if there is no more of them.
    fn name(&mut self, part: Part) -> Result<Option<Part>, Ended> {
        let start = self.at;
        let (name, stop) = self.word(Place::Name)?;
        let empty = self.at == start;
        let of_tag = part == Part::Tags;
        let code = match stop {
            Stop::Equals if !empty => {
                self.begin(name);
                self.at += 1;
                return Ok(None);
            }
            Stop::Equals if of_tag => Code::IncompleteTag,
            Stop::Equals => Code::IncompleteField,
            Stop::Blank | Stop::End if empty => return Ok(Some(self.behind(part, stop))),
            Stop::End if !of_tag && self.last().is_some_and(|last| matches!(last.value, RawValue::Tag)) => {
                self.set_timestamp(name)?;
                return Ok(Some(Part::End));
            }
            Stop::Stray => {
                if !empty {
                    // The server's message has one byte more than the name: the one behind it, once backslashes are taken out.
                    self.begin(Span::new(name.start(), name.end() + 1));
                }
                Code::InvalidColumnName
            }
            Stop::Comma | Stop::Blank | Stop::End => {
                if !empty {
                    self.begin(name);
                }
                if of_tag { Code::MissingTagValue } else { Code::MissingFieldValue }
            }
        };
        Err(Ended::Refused(code))
    }

    fn begin(&mut self, name: Span) {
        self.line.fields.push(RawField { name, text: Span::default(), value: RawValue::Null, binary: false });
    }

    fn set(&mut self, value: RawValue, text: Span) {
        if let Some(field) = self.line.fields.last_mut() {
            (field.value, field.text) = (value, text);
        }
    }

    /// A field's value that is text.
    fn text(&mut self) -> Result<Stop, Ended> {
        let (text, stop) = match self.bytes.get(self.at) {
            Some(b'"') => self.quoted()?,
            _ => self.word(Place::Value)?,
        };
        accept(stop)?;
        let Some((value, text)) = value::of_text(&self.bytes, text) else {
            self.set(RawValue::Null, text);
            return Err(Ended::Refused(Code::InvalidFieldValue));
        };
        self.set(value, text);
        Ok(stop)
    }

    /// A field's value that begins with a quote, and what follows the closing one.
    fn quoted(&mut self) -> Result<(Span, Stop), Ended> {
        let mut word = Word { start: self.at, end: self.at };
        self.take(&mut word);
        loop {
            match self.advance(&mut word, Place::Quotes)? {
                b'"' => break,
                b'\\' => {
                    self.at += 1;
                    self.take(&mut word);
                }
                _ => return Err(Ended::Refused(Code::InvalidFieldValue)),
            }
        }
        self.take(&mut word);
        self.rest(word, Place::Tail)
    }

    /// A field's value that is binary, behind a second `=`.
    fn binary(&mut self) -> Result<Stop, Ended> {
        self.at += 1;
        let (value, end) = match value::of_bytes(&self.bytes, self.at) {
            Taken::Value { value, end } => (value, end),
            Taken::More => return Err(Ended::Underflow),
            Taken::Refused(code) => return Err(Ended::Refused(code)),
        };
        if let Some(field) = self.line.fields.last_mut() {
            (field.value, field.binary) = (value, true);
        }
        // What can't follow is refused at the value's last byte.
        self.at = end.saturating_sub(1);
        let stop = self.bytes.get(end).copied().map(Stop::of).ok_or(Ended::Underflow)?;
        if matches!(stop, Stop::Equals | Stop::Stray) {
            return Err(Ended::Refused(Code::InvalidFieldSeparator));
        }
        self.at = end;
        Ok(stop)
    }

    /// The timestamp behind the fields; `stray` is the code of a byte that can't be in it.
    fn timestamp(&mut self, stray: Code) -> Result<(), Ended> {
        let (text, stop) = self.word(Place::Name)?;
        match stop {
            Stop::End => self.set_timestamp(text),
            Stop::Stray => Err(Ended::Refused(stray)),
            Stop::Comma | Stop::Equals | Stop::Blank => Err(Ended::Refused(Code::InvalidFieldSeparator)),
        }
    }

    fn set_timestamp(&mut self, text: Span) -> Result<(), Ended> {
        let Some(last) = text.of(&self.bytes).last() else { return Ok(()) };
        let unit = value::unit(*last);
        let digits = if unit.is_some() { text.without_last() } else { text };
        let Some(timestamp) = number::long(digits.of(&self.bytes)) else {
            self.bad_timestamp = digits;
            return Err(Ended::Refused(Code::InvalidTimestamp));
        };
        (self.line.timestamp, self.line.unit) = (timestamp, unit);
        Ok(())
    }

    /// The next word, and what it ends at.
    fn word(&mut self, place: Place) -> Result<(Span, Stop), Ended> {
        self.rest(Word { start: self.at, end: self.at }, place)
    }

    /// The rest of a word.
    #[inline]
    fn rest(&mut self, mut word: Word, place: Place) -> Result<(Span, Stop), Ended> {
        let stop = loop {
            let byte = self.advance(&mut word, place)?;
            if byte != b'\\' {
                break Stop::of(byte);
            }
            self.at += 1;
            if place == Place::Name && self.bytes.get(self.at) == Some(&b'\\') {
                break Stop::Stray;
            }
            self.take(&mut word);
        };
        Ok((Span::new(word.start, word.end), stop))
    }

    /// Takes the next byte into a word, whatever it is.
    fn take(&mut self, word: &mut Word) {
        if let Some(&byte) = self.bytes.get(self.at)
            && let Some(place) = self.bytes.get_mut(word.end)
        {
            *place = byte;
        }
        word.end += 1;
        self.at += 1;
    }

    /// Takes what is plain into a word, up to a byte that means something in its place.
    #[inline]
    fn advance(&mut self, word: &mut Word, place: Place) -> Result<u8, Ended> {
        let marked = |byte: u8| MARKS.get(usize::from(byte)).is_some_and(|marks| marks & place as u8 != 0);
        let bytes = Cell::from_mut(self.bytes.as_mut_slice()).as_slice_of_cells();
        let rest = bytes.get(self.at..).unwrap_or_default();
        let plain = if word.end == self.at {
            rest.iter().position(|byte| marked(byte.get()))
        } else {
            let places = bytes.get(word.end..).unwrap_or_default();
            rest.iter().zip(places).position(|(byte, place)| {
                let end = marked(byte.get());
                if !end {
                    place.set(byte.get());
                }
                end
            })
        };
        let len = plain.unwrap_or(rest.len());
        word.end += len;
        self.at += len;
        rest.get(len).map(Cell::get).ok_or(Ended::Underflow)
    }
}

/// Whether a value may end so.
fn accept(stop: Stop) -> Result<(), Ended> {
    match stop {
        Stop::Comma | Stop::Blank | Stop::End => Ok(()),
        Stop::Equals => Err(Ended::Refused(Code::InvalidFieldSeparator)),
        Stop::Stray => Err(Ended::Refused(Code::InvalidFieldValue)),
    }
}

#[cfg(test)]
#[path = "scan_tests.rs"]
mod tests;
