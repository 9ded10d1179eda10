//! What a literal, bind variable or constant function is, before it meets a column.

use super::time::{self, Nanos};
use super::{NotUnderstood, Operand, OperandKind};
use crate::table::text::parse;
use crate::wal::{BindValue, ColumnType, SqlEvent, Tag};
use bytes::Bytes;
use ethnum::I256;

/// A value that is the same for all rows, with the type that QuestDB gives it.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Const {
    Null,
    Boolean(bool),
    /// BYTE, SHORT, INT or LONG, as `tag` says.
    Integer {
        value: i64,
        tag: Tag,
    },
    /// FLOAT or DOUBLE, never NaN.
    Real {
        value: f64,
        tag: Tag,
    },
    /// A text literal of one UTF-16 unit.
    Char(u16),
    Text(String),
    Moment(time::Moment),
    /// Milliseconds since the epoch.
    Date(i64),
    Uuid(u128),
    Ipv4(u32),
    Long256([u64; 4]),
    Geohash {
        bits: u32,
        value: u64,
    },
    Decimal {
        unscaled: I256,
        scale: u32,
    },
    Binary(Bytes),
}

/// A constant and where it came from.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Constant {
    pub value: Const,
    /// The type of the bind variable that it comes from: QuestDB picks some comparisons by whether a
    /// value is known when it compiles.
    pub bound: Option<Tag>,
    /// From `now()`.
    pub frozen: bool,
}

/// What constants may refer to besides themselves.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The statement's event: its bind values.
    pub event: &'a SqlEvent,
    /// What `now()` says: the commit time of the record, in microseconds since the epoch.
    pub now_us: i64,
    /// Whether the table's designated timestamp counts nanoseconds.
    pub nanos: bool,
}

impl Context<'_> {
    /// The value of an operand that is the same for all rows; `None` if it is a column.
    pub(super) fn constant(&self, operand: &Operand) -> Result<Option<Constant>, NotUnderstood> {
        let literal = |value| Ok(Some(Constant { value, bound: None, frozen: false }));
        match &operand.kind {
            OperandKind::Column(_) => Ok(None),
            OperandKind::Null => literal(Const::Null),
            OperandKind::Boolean(value) => literal(Const::Boolean(*value)),
            OperandKind::Text(text) => literal(text_constant(text)),
            OperandKind::Number(text) => {
                literal(number(text).ok_or_else(|| operand.not_understood("this number is not understood"))?)
            }
            OperandKind::Bind(index) => self.bound(operand, self.event.indexed.get(*index)),
            OperandKind::NamedBind(name) => {
                let found = self.event.named.iter().find(|(n, _)| n.eq_ignore_ascii_case(name));
                self.bound(operand, found.map(|(_, value)| value))
            }
            OperandKind::Now => {
                // On a table of nanoseconds the server takes the microseconds of the record for
                // nanoseconds, so that the clock stands in January 1970.
                let unit = if self.nanos { 1 } else { 1_000 };
                let moment = time::Moment { nanos: Nanos::from(self.now_us) * unit, precise: self.nanos };
                Ok(Some(Constant { value: Const::Moment(moment), bound: None, frozen: true }))
            }
            OperandKind::DateAdd { unit, stride, from } => {
                self.dateadd(operand, *unit, *stride, from).map(Some)
            }
            OperandKind::ToTimestamp { text, pattern } => {
                let nanos = time::by_pattern(text, pattern)
                    .ok_or_else(|| operand.not_understood("this pattern of time is not understood"))?;
                literal(Const::Moment(time::Moment { nanos, precise: false }))
            }
            OperandKind::Shift { from, ticks } => self.shifted(operand, from, *ticks).map(Some),
            OperandKind::Cast { value, to } => self.cast(operand, value, to).map(Some),
        }
    }

    fn bound(&self, operand: &Operand, value: Option<&BindValue>) -> Result<Option<Constant>, NotUnderstood> {
        let value = value.ok_or_else(|| operand.not_understood("the log has no value for this variable"))?;
        let tag = ColumnType::from_code(value.type_code).map(ColumnType::tag);
        let (Some(tag), Some(value)) = (tag, bind(value)) else {
            return Err(operand.not_understood("a value of this type is not understood"));
        };
        Ok(Some(Constant { value, bound: Some(tag), frozen: false }))
    }

    fn dateadd(
        &self,
        operand: &Operand,
        unit: char,
        stride: i32,
        from: &Operand,
    ) -> Result<Constant, NotUnderstood> {
        let from_value = self.constant(from)?;
        let moment = match &from_value {
            Some(Constant { value: Const::Moment(moment), .. }) => Some(*moment),
            Some(Constant { value: Const::Text(text), bound: None, .. }) => time::floor(text),
            _ => None,
        };
        let moment = moment.ok_or_else(|| from.not_understood("a moment was expected"))?;
        let nanos = time::add(moment.nanos, unit, stride)
            .ok_or_else(|| operand.not_understood("this step in time is not understood"))?;
        let frozen = from_value.is_some_and(|c| c.frozen);
        Ok(Constant { value: Const::Moment(time::Moment { nanos, ..moment }), bound: None, frozen })
    }

    fn shifted(&self, operand: &Operand, from: &Operand, ticks: i64) -> Result<Constant, NotUnderstood> {
        match self.constant(from)? {
            Some(Constant { value: Const::Moment(moment), bound, frozen }) => {
                let unit = if moment.precise { 1 } else { 1_000 };
                let nanos = moment.nanos + Nanos::from(ticks) * unit;
                Ok(Constant { value: Const::Moment(time::Moment { nanos, ..moment }), bound, frozen })
            }
            _ => Err(operand.not_understood("a moment was expected")),
        }
    }

    fn cast(&self, operand: &Operand, inner: &Operand, to: &str) -> Result<Constant, NotUnderstood> {
        let Some(from) = self.constant(inner)?.filter(|constant| constant.bound.is_none()) else {
            return Err(inner.not_understood("only a literal is understood here"));
        };
        let value = cast(&from.value, to)
            .ok_or_else(|| operand.not_understood(format!("this cast to {to} is not understood")))?;
        Ok(Constant { value, ..from })
    }
}

/// What a text literal is: QuestDB reads one of a single character as a CHAR.
fn text_constant(text: &str) -> Const {
    let mut units = text.encode_utf16();
    match (units.next(), units.next()) {
        (Some(unit), None) => Const::Char(unit),
        _ => Const::Text(text.to_owned()),
    }
}

fn cast(from: &Const, to: &str) -> Option<Const> {
    match (from, to) {
        (Const::Null, _) => Some(Const::Null),
        (Const::Integer { value, .. }, "byte") => {
            Some(Const::Integer { value: i64::from(*value as i8), tag: Tag::Byte })
        }
        (Const::Integer { value, .. }, "short") => {
            Some(Const::Integer { value: i64::from(*value as i16), tag: Tag::Short })
        }
        (Const::Integer { value, .. }, "int" | "long") => whole_number(*value, to),
        (Const::Real { value, .. }, "int" | "long") if value.abs() < 9e15 => whole_number(*value as i64, to),
        (Const::Char(unit @ 0x30..=0x39), "int" | "long") => whole_number(i64::from(unit - 0x30), to),
        (Const::Text(text), "int") => whole_number(i64::from(parse::int(text.as_str().into())?), to),
        (Const::Text(text), "long") => whole_number(parse::long(text.as_str().into())?, to),
        (Const::Integer { value, .. }, "double") if value.unsigned_abs() <= 1 << 53 => {
            Some(Const::Real { value: *value as f64, tag: Tag::Double })
        }
        (Const::Real { value, .. }, "double") => Some(Const::Real { value: *value, tag: Tag::Double }),
        (Const::Text(text), "timestamp" | "timestamp_ns") => {
            let moment = time::floor(text)?;
            let precise = to == "timestamp_ns";
            (precise || !moment.precise).then_some(Const::Moment(time::Moment { precise, ..moment }))
        }
        (Const::Integer { value, .. }, "timestamp") if *value >= 0 => {
            Some(Const::Moment(time::Moment { nanos: Nanos::from(*value) * 1_000, precise: false }))
        }
        (Const::Integer { value, .. }, "timestamp_ns") if *value >= 0 => {
            Some(Const::Moment(time::Moment { nanos: Nanos::from(*value), precise: true }))
        }
        (Const::Integer { value, .. }, "date") => Some(Const::Date(*value)),
        (Const::Text(text), "string" | "varchar" | "symbol") => Some(Const::Text(text.clone())),
        (Const::Text(text), "date") => parse::date(text.as_str().into()).map(Const::Date),
        (Const::Moment(moment), "timestamp") if !moment.precise => Some(from.clone()),
        _ => None,
    }
}

/// A number as INT or LONG, where it fits and isn't that type's null.
fn whole_number(value: i64, to: &str) -> Option<Const> {
    let (tag, null, max) = match to {
        "int" => (Tag::Int, i64::from(i32::MIN), i64::from(i32::MAX)),
        _ => (Tag::Long, i64::MIN, i64::MAX),
    };
    (null < value && value <= max).then_some(Const::Integer { value, tag })
}

/// A number as QuestDB's parser types it: the first of INT, LONG, DOUBLE, FLOAT, DECIMAL, LONG256 that takes it.
fn number(text: &str) -> Option<Const> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    if let Some(hash) = digits.strip_prefix('#') {
        return (!negative).then(|| geohash_literal(hash)).flatten();
    }
    if let Some(hex) = digits.strip_prefix("0x") {
        return (!negative).then(|| long256(hex)).flatten();
    }
    let suffix = digits.chars().last().filter(char::is_ascii_alphabetic);
    let body = digits.strip_suffix(|c: char| c.is_ascii_alphabetic()).unwrap_or(digits);
    match suffix {
        None => integer(digits, negative).or_else(|| real(digits, negative)),
        Some('l' | 'L') => integer(body, negative).map(|c| as_long(&c)),
        Some('d' | 'D') => real(body, negative),
        Some('f' | 'F') => match real(body, negative)? {
            Const::Real { .. } => float(body, negative),
            _ => None,
        },
        Some('m' | 'M') => decimal(body, negative),
        Some(_) => None,
    }
}

fn as_long(value: &Const) -> Const {
    match value {
        Const::Integer { value, .. } => Const::Integer { value: *value, tag: Tag::Long },
        other => other.clone(),
    }
}

/// Digits with single underscores between them.
fn plain_digits(text: &str) -> Option<String> {
    let well_placed = !text.starts_with('_') && !text.ends_with('_') && !text.contains("__");
    let plain: String = text.chars().filter(|c| *c != '_').collect();
    (well_placed && !plain.is_empty() && plain.bytes().all(|b| b.is_ascii_digit())).then_some(plain)
}

fn integer(digits: &str, negative: bool) -> Option<Const> {
    let magnitude: i64 = plain_digits(digits)?.parse().ok()?;
    let tag = if magnitude <= i64::from(i32::MAX) { Tag::Int } else { Tag::Long };
    Some(Const::Integer { value: if negative { -magnitude } else { magnitude }, tag })
}

/// A FLOAT, of text that is known to be a plain number.
fn float(text: &str, negative: bool) -> Option<Const> {
    let value = text.parse::<f32>().ok().filter(|v| v.is_finite())?;
    let value = f64::from(if negative { -value } else { value });
    Some(Const::Real { value, tag: Tag::Float })
}

/// Digits, a point, an exponent; nothing else that a parser of floats would take.
fn real(text: &str, negative: bool) -> Option<Const> {
    let plain = text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-'));
    let value: f64 = text.parse().ok()?;
    let value = if negative { -value } else { value };
    (plain && value.is_finite() && text.starts_with(|c: char| c.is_ascii_digit()))
        .then_some(Const::Real { value, tag: Tag::Double })
}

pub(super) fn decimal(text: &str, negative: bool) -> Option<Const> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = format!("{whole}{fraction}");
    if digits.is_empty() || digits.len() > 76 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let unscaled: I256 = digits.parse().ok()?;
    let unscaled = if negative { -unscaled } else { unscaled };
    Some(Const::Decimal { unscaled, scale: u32::try_from(fraction.len()).ok()? })
}

fn long256(hex: &str) -> Option<Const> {
    if hex.is_empty()
        || hex.len() > 64
        || !hex.len().is_multiple_of(2)
        || !hex.bytes().all(|b| b.is_ascii_hexdigit())
    {
        return None;
    }
    let padded = format!("{hex:0>64}");
    let mut words = [0; 4];
    for (i, word) in words.iter_mut().rev().enumerate() {
        *word = u64::from_str_radix(padded.get(i * 16..i * 16 + 16)?, 16).ok()?;
    }
    Some(Const::Long256(words))
}

/// `#` and up to twelve letters of five bits, or `##` and bits.
fn geohash_literal(text: &str) -> Option<Const> {
    let Some(bits) = text.strip_prefix('#') else {
        let (bits, value) = geohash(text)?;
        return Some(Const::Geohash { bits, value });
    };
    let value = u64::from_str_radix(bits, 2).ok()?;
    (bits.len() <= 60).then_some(Const::Geohash { bits: u32::try_from(bits.len()).ok()?, value })
}

/// Bits and value of a geohash's letters.
pub(super) fn geohash(text: &str) -> Option<(u32, u64)> {
    const LETTERS: &str = "0123456789bcdefghjkmnpqrstuvwxyz";
    if text.is_empty() || text.len() > 12 {
        return None;
    }
    let mut value = 0;
    for letter in text.chars() {
        value = value << 5 | LETTERS.find(letter.to_ascii_lowercase())? as u64;
    }
    Some((5 * u32::try_from(text.len()).ok()?, value))
}

/// A bind value as the log stores it.
fn bind(value: &BindValue) -> Option<Const> {
    let ty = ColumnType::from_code(value.type_code)?;
    let Some(bytes) = &value.bytes else { return Some(Const::Null) };
    let raw = bytes.as_ref();
    let integer = |value: i64, null: i64| match value == null {
        true => Const::Null,
        false => Const::Integer { value, tag: ty.tag() },
    };
    Some(match ty.tag() {
        Tag::Boolean => Const::Boolean(*raw.first()? != 0),
        Tag::Byte => Const::Integer { value: i64::from(*raw.first()? as i8), tag: Tag::Byte },
        Tag::Short => Const::Integer { value: i64::from(i16::from_le_bytes(array(raw)?)), tag: Tag::Short },
        Tag::Int => integer(i64::from(i32::from_le_bytes(array(raw)?)), i64::from(i32::MIN)),
        Tag::Long => integer(i64::from_le_bytes(array(raw)?), i64::MIN),
        Tag::Float => real_or_null(f64::from(f32::from_le_bytes(array(raw)?)), Tag::Float),
        Tag::Double => real_or_null(f64::from_le_bytes(array(raw)?), Tag::Double),
        Tag::Char => match u16::from_le_bytes(array(raw)?) {
            0 => Const::Null,
            unit => Const::Char(unit),
        },
        Tag::Date => match i64::from_le_bytes(array(raw)?) {
            i64::MIN => Const::Null,
            millis => Const::Date(millis),
        },
        Tag::Timestamp => match i64::from_le_bytes(array(raw)?) {
            i64::MIN => Const::Null,
            ticks => {
                let precise = ty.is_nanos();
                let scale = if precise { 1 } else { 1_000 };
                Const::Moment(time::Moment { nanos: Nanos::from(ticks) * scale, precise })
            }
        },
        Tag::String | Tag::Symbol => Const::Text(utf16(raw)?),
        Tag::Varchar => Const::Text(String::from_utf8(raw.to_vec()).ok()?),
        Tag::Uuid => match (u64::from_le_bytes(array(raw)?), u64::from_le_bytes(array(raw.get(8..)?)?)) {
            (NULL_WORD, NULL_WORD) => Const::Null,
            (low, high) => Const::Uuid(u128::from(high) << 64 | u128::from(low)),
        },
        Tag::Ipv4 => match u32::from_le_bytes(array(raw)?) {
            0 => Const::Null,
            address => Const::Ipv4(address),
        },
        Tag::Binary => Const::Binary(bytes.clone()),
        _ => return None,
    })
}

const NULL_WORD: u64 = 1 << 63;

fn real_or_null(value: f64, tag: Tag) -> Const {
    if value.is_finite() { Const::Real { value, tag } } else { Const::Null }
}

fn array<const N: usize>(bytes: &[u8]) -> Option<[u8; N]> {
    bytes.get(..N)?.try_into().ok()
}

fn utf16(bytes: &[u8]) -> Option<String> {
    let units = bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
    char::decode_utf16(units).collect::<Result<_, _>>().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_numbers_as_questdb_does() {
        let int = |value, tag| Some(Const::Integer { value, tag });
        let double = |value| Some(Const::Real { value, tag: Tag::Double });
        assert_eq!(number("5"), int(5, Tag::Int));
        assert_eq!(number("-1_000"), int(-1_000, Tag::Int));
        assert_eq!(number("5L"), int(5, Tag::Long));
        assert_eq!(number("2147483648"), int(1 << 31, Tag::Long));
        assert_eq!(number("-1.5e3"), double(-1_500.0));
        assert_eq!(number("9223372036854775808"), double(9_223_372_036_854_775_808.0));
        assert_eq!(number("1.50m"), Some(Const::Decimal { unscaled: 150.into(), scale: 2 }));
        assert_eq!(number("0x05"), Some(Const::Long256([5, 0, 0, 0])));
        for bad in ["1__0", "1_", "0x5", "1z", "1e999", "-0x05", "12abc"] {
            assert_eq!(number(bad), None, "{bad}");
        }
    }
}
