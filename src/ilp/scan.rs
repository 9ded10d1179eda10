//! The server's own walk over a line's bytes, state by state.
//!
//! It is a port of QuestDB's `LineTcpParser`, since what it accepts is what that does with its flags, and no grammar says. Escapes
//! are taken out in place: what is read moves left, over bytes that were read before.

use super::array::{self, Taken};
use super::field::Unit;
pub(super) use super::raw::{Code, Ended, Raw, RawField, RawValue, Span};
use super::{Decimal, number};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expect {
    Table,
    Name,
    Value,
    Timestamp,
    Nothing,
}

/// Where the walk is.
#[derive(Debug)]
pub(super) struct Scan {
    pub(super) bytes: Vec<u8>,
    pub(super) line: Raw,
    /// What `Could not parse timestamp` names.
    pub(super) bad_timestamp: Span,
    at: usize,
    /// Where the present word begins.
    begin: usize,
    expect: Expect,
    code: Code,
    tags_complete: bool,
    /// Escapes taken out of the present word so far.
    escapes: usize,
    quoted: bool,
    quotes: usize,
    may_open_quote: bool,
    escaping: bool,
}

/// Bytes that mean something by themselves.
const CONTROL: [bool; 256] = {
    let mut control = [false; 256];
    let bytes = b"\n\r=, \\\"\0/";
    let mut at = 0;
    while at < bytes.len() {
        control[bytes[at] as usize] = true;
        at += 1;
    }
    let mut high = 128;
    while high < 256 {
        control[high] = true;
        high += 1;
    }
    control
};

impl Scan {
    /// Of a request's body, to which the end of a line is added: the last one may lack it.
    pub(super) fn new(mut bytes: Vec<u8>) -> Self {
        bytes.push(b'\n');
        Self {
            bytes,
            line: Raw { timestamp: i64::MIN, ..Raw::default() },
            bad_timestamp: Span::default(),
            at: 0,
            begin: 0,
            expect: Expect::Table,
            code: Code::None,
            tags_complete: false,
            escapes: 0,
            quoted: false,
            quotes: 0,
            may_open_quote: false,
            escaping: false,
        }
    }

    /// The name of the last field that was begun.
    pub(super) fn last(&self) -> Option<&RawField> {
        self.line.fields.last()
    }

    /// Begins the next line, behind the end of the one before.
    fn begin_line(&mut self) {
        self.line.fields.clear();
        self.line.timestamp = i64::MIN;
        self.line.unit = None;
        self.begin = self.at;
        self.expect = Expect::Table;
        self.code = Code::None;
        self.tags_complete = false;
        self.escapes = 0;
        self.quoted = false;
        self.quotes = 0;
        self.may_open_quote = false;
        self.escaping = false;
    }

    fn byte(&self, at: usize) -> u8 {
        self.bytes.get(at).copied().unwrap_or(0)
    }

    /// Moves a byte to the left by the escapes before it.
    fn shift(&mut self, byte: u8) {
        let to = self.at - self.escapes.min(self.at);
        if let Some(place) = self.bytes.get_mut(to) {
            *place = byte;
        }
    }

    /// Reads the next line.
    pub(super) fn line(&mut self) -> Ended {
        self.begin_line();
        while self.at < self.bytes.len() {
            let byte = self.byte(self.at);
            if self.escapes == 0 && !CONTROL.get(usize::from(byte)).copied().unwrap_or(true) {
                self.may_open_quote = false;
                self.at += 1;
                continue;
            }
            match byte {
                b'\n' | b'\r' | b',' | b'=' | b' ' => {
                    if let Some(ended) = self.separator(if byte == b'\r' { b'\n' } else { byte }) {
                        return ended;
                    }
                }
                b'\\' => {
                    if self.at + 1 >= self.bytes.len() {
                        return Ended::Underflow;
                    }
                    self.escapes += 1;
                    self.at += 1;
                    let escaped = self.byte(self.at);
                    if escaped == b'\\' && self.expect != Expect::Value {
                        return self.stray();
                    }
                    self.append(escaped);
                }
                b'"' if self.opens_quote() => {
                    let opening = self.at;
                    self.at += 1;
                    if !self.read_quoted(opening) {
                        return self.refused();
                    }
                    self.code = Code::None;
                    self.quotes = 0;
                    self.at += 1;
                }
                b'"' if self.quoted => return self.stray(),
                b'\0' => return self.stray(),
                b'/' if self.expect != Expect::Value => return self.stray(),
                _ => {
                    self.may_open_quote = false;
                    self.append(byte);
                }
            }
        }
        Ended::Underflow
    }

    fn append(&mut self, byte: u8) {
        if self.escapes > 0 {
            self.shift(byte);
        }
        self.at += 1;
    }

    fn opens_quote(&mut self) -> bool {
        if !self.may_open_quote {
            return false;
        }
        self.quotes += 1;
        self.quotes == 1
    }

    fn refused(&self) -> Ended {
        if self.code == Code::Underflow { Ended::Underflow } else { Ended::Refused(self.code) }
    }

    /// A word ends here.
    fn separator(&mut self, byte: u8) -> Option<Ended> {
        self.quoted = false;
        if !self.complete(byte) {
            if self.code == Code::EmptyLine {
                self.at += 1;
                self.begin = self.at;
                return None;
            }
            return Some(self.refused());
        }
        if byte == b'\n' {
            if self.line.fields.is_empty() {
                return Some(Ended::Refused(Code::NoFields));
            }
            self.at += 1;
            return Some(Ended::Complete);
        }
        self.at += 1;
        if !self.quoted {
            self.escapes = 0;
            self.begin = self.at;
        }
        None
    }

    fn complete(&mut self, byte: u8) -> bool {
        match self.expect {
            Expect::Table => self.table(byte),
            Expect::Name => self.name(byte),
            Expect::Value => self.value(byte),
            Expect::Timestamp => self.timestamp(byte),
            Expect::Nothing => false,
        }
    }

    fn word(&self) -> Span {
        Span::new(self.begin, self.at.saturating_sub(self.escapes))
    }

    fn fail(&mut self, code: Code) -> bool {
        self.code = code;
        false
    }

    fn table(&mut self, byte: u8) -> bool {
        self.tags_complete = byte == b' ';
        if byte == b',' || self.tags_complete {
            self.line.table = self.word();
            self.expect = Expect::Name;
            return true;
        }
        self.fail(if self.begin == self.at { Code::EmptyLine } else { Code::NoFields })
    }

    fn begin_field(&mut self, name: Span) {
        let (text, value) = (Span::default(), RawValue::Null);
        self.line.fields.push(RawField { name, text, value, binary: false });
    }

    fn name(&mut self, byte: u8) -> bool {
        if byte == b'=' {
            if self.at - self.begin == self.escapes {
                let tags = !self.tags_complete;
                return self.fail(if tags { Code::IncompleteTag } else { Code::IncompleteField });
            }
            self.begin_field(self.word());
            self.expect = Expect::Value;
            if self.tags_complete {
                if self.at + 3 >= self.bytes.len() {
                    self.may_open_quote = true;
                } else if self.byte(self.at + 1) == b'"' {
                    let opening = self.at + 1;
                    self.escapes = 0;
                    self.quotes += 1;
                    self.at += 2;
                    return self.read_quoted(opening);
                } else {
                    self.may_open_quote = false;
                }
            }
            return true;
        }
        let empty = self.at == self.begin;
        if empty && byte == b' ' {
            if self.tags_complete {
                self.expect = Expect::Timestamp;
            } else {
                self.tags_complete = true;
            }
            return true;
        }
        if empty && byte == b'\n' {
            return true;
        }
        let after_tag = matches!(self.line.fields.last(), Some(RawField { value: RawValue::Tag, .. }));
        if !empty && self.tags_complete && byte == b'\n' && after_tag {
            // One word behind the last tag, and no fields: it must be the timestamp.
            return self.timestamp(byte);
        }
        if !empty {
            self.begin_field(self.word());
        }
        self.fail(if self.tags_complete { Code::MissingFieldValue } else { Code::MissingTagValue })
    }

    fn value(&mut self, byte: u8) -> bool {
        if matches!(byte, b' ' | b',' | b'\n') {
            let text = self.word();
            let value = if self.tags_complete { self.typed(text) } else { Some((RawValue::Tag, text)) };
            if let Some(field) = self.line.fields.last_mut() {
                field.text = value.map_or(text, |(_, text)| text);
            }
            let Some((value, _)) = value else {
                let tags = !self.tags_complete;
                return self.fail(if tags { Code::InvalidTagValue } else { Code::InvalidFieldValue });
            };
            if let Some(field) = self.line.fields.last_mut() {
                field.value = value;
            }
            self.expect = Expect::Name;
            if byte == b' ' {
                if self.tags_complete {
                    self.expect = Expect::Timestamp;
                }
                self.tags_complete = true;
            }
            return true;
        }
        if byte == b'=' && self.at == self.begin && self.tags_complete {
            self.at += 1;
            return self.binary();
        }
        self.fail(Code::InvalidFieldSeparator)
    }

    /// The type and value that a field's text says; the text without the letter of the type.
    fn typed(&self, text: Span) -> Option<(RawValue, Span)> {
        let bytes = text.of(&self.bytes);
        let Some((&last, front)) = bytes.split_last() else { return Some((RawValue::Null, text)) };
        let bare = text.without_last();
        let long = || number::long(front);
        let boolean = |value| Some((RawValue::Boolean(value), text));
        match last {
            b'i' if bytes.len() > 1 && bytes.get(1) != Some(&b'x') => {
                Some((RawValue::Integer(long()?), bare))
            }
            b'i' => (bytes.len() > 3 && bytes.starts_with(b"0x")).then_some((RawValue::Long256, bare)),
            b'n' | b'm' if bytes.len() > 1 => {
                let unit = if last == b'n' { Unit::Nanos } else { Unit::Millis };
                Some((RawValue::Timestamp(long()?, Some(unit)), bare))
            }
            b'n' | b'm' => None,
            b't' if bytes.len() > 1 => Some((RawValue::Timestamp(long()?, Some(Unit::Micros)), bare)),
            b't' | b'T' if front.is_empty() => boolean(true),
            b'f' | b'F' if front.is_empty() => boolean(false),
            b'T' | b'f' | b'F' | b'e' | b'E' => match bytes {
                _ if bytes.eq_ignore_ascii_case(b"true") => boolean(true),
                _ if bytes.eq_ignore_ascii_case(b"false") => boolean(false),
                _ => None,
            },
            b'"' if bytes.len() > 1 && bytes.first() == Some(&b'"') => {
                Some((RawValue::String, Span::new(bare.start() + 1, bare.end())))
            }
            b'"' => None,
            b'd' => Some((RawValue::Decimal(Decimal::parse(front, None, None, true)?), text)),
            _ => Some((RawValue::Float(number::double(bytes)?), text)),
        }
    }

    /// A binary value, and the separator behind it.
    fn binary(&mut self) -> bool {
        let taken = binary_value(&self.bytes, self.at);
        let (value, end) = match taken {
            Taken::Value { value, end } => (value, end),
            Taken::More => return self.fail(Code::Underflow),
            Taken::Refused(code) => return self.fail(code),
        };
        if let Some(field) = self.line.fields.last_mut() {
            (field.value, field.binary) = (value, true);
        }
        // The last byte of the value: the caller goes on behind it, or behind the separator.
        self.at = end - 1;
        match self.bytes.get(end) {
            None => return self.fail(Code::Underflow),
            Some(b' ') => {
                self.expect = Expect::Timestamp;
                self.at += 1;
            }
            Some(b'\n' | b'\r') => self.expect = Expect::Timestamp,
            Some(b',') => {
                self.expect = Expect::Name;
                self.at += 1;
            }
            Some(_) => return self.fail(Code::InvalidFieldSeparator),
        }
        true
    }

    fn timestamp(&mut self, byte: u8) -> bool {
        if byte != b'\n' {
            return self.fail(Code::InvalidFieldSeparator);
        }
        let mut text = self.word();
        if let Some((&last, _)) = text.of(&self.bytes).split_last() {
            let unit = match last {
                b'n' => Some(Unit::Nanos),
                b't' => Some(Unit::Micros),
                b'm' => Some(Unit::Millis),
                _ => None,
            };
            if unit.is_some() {
                text = text.without_last();
            }
            let Some(timestamp) = number::long(text.of(&self.bytes)) else {
                self.bad_timestamp = text;
                return self.fail(Code::InvalidTimestamp);
            };
            (self.line.timestamp, self.line.unit) = (timestamp, unit);
        }
        self.expect = Expect::Nothing;
        true
    }

    /// Reads up to the closing quote, which the walk then stands on.
    fn read_quoted(&mut self, opening: usize) -> bool {
        self.begin = opening;
        while self.at < self.bytes.len() {
            let byte = self.byte(self.at);
            let mut keep = true;
            match byte {
                b'\\' => {
                    if !self.escaping {
                        self.escapes += 1;
                        keep = false;
                    }
                    self.escaping = !self.escaping;
                }
                b'"' if !self.escaping => {
                    self.quoted = true;
                    self.quotes = self.quotes.saturating_sub(1);
                    if self.escapes > 0 {
                        self.shift(byte);
                    }
                    return true;
                }
                b'\n' if !self.escaping => return self.fail(Code::InvalidFieldValue),
                _ => self.escaping = false,
            }
            self.may_open_quote = false;
            if keep && self.escapes > 0 {
                self.shift(byte);
            }
            self.at += 1;
        }
        self.fail(Code::Underflow)
    }

    /// A byte that can't be here.
    fn stray(&mut self) -> Ended {
        let code = match self.expect {
            Expect::Name => {
                if self.at > self.begin && self.at < self.bytes.len() {
                    let end = (self.at + 1).saturating_sub(self.escapes);
                    self.begin_field(Span::new(self.begin, end));
                }
                Code::InvalidColumnName
            }
            Expect::Table => Code::InvalidTableName,
            Expect::Value => Code::InvalidFieldValue,
            Expect::Timestamp | Expect::Nothing => self.code,
        };
        Ended::Refused(code)
    }
}

/// A binary value: its type, then the value.
fn binary_value(bytes: &[u8], at: usize) -> Taken {
    let Some(&kind) = bytes.get(at) else { return Taken::More };
    let begin = at + 1;
    let value = match kind {
        6 => take(bytes, begin).map(|[byte]| (RawValue::Boolean(byte == 1), begin + 1)),
        2 => take(bytes, begin).map(|four| (RawValue::Float(f64::from(f32::from_le_bytes(four))), begin + 4)),
        16 => take(bytes, begin).map(|eight| (RawValue::Float(f64::from_le_bytes(eight)), begin + 8)),
        3 => {
            take(bytes, begin).map(|four| (RawValue::Integer(i64::from(i32::from_le_bytes(four))), begin + 4))
        }
        15 => take(bytes, begin).map(|eight| (RawValue::Integer(i64::from_le_bytes(eight)), begin + 8)),
        13 => take(bytes, begin).map(|nine: [u8; 9]| {
            let [unit, rest @ ..] = nine;
            (RawValue::Timestamp(i64::from_le_bytes(rest), Unit::of_code(unit)), begin + 9)
        }),
        14 => return array::array(bytes, begin),
        23 => return array::decimal(bytes, begin),
        _ => return Taken::Refused(Code::UnsupportedBinaryFormat),
    };
    value.map_or(Taken::More, |(value, end)| Taken::Value { value, end })
}

fn take<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at.checked_add(N)?)?.try_into().ok()
}
