//! What an UPDATE writes: literals as values of a column's type.

use super::compile::{Compiler, Lookup, Scope};
use super::literal::{self, Const, Constant};
use super::time::{self, Nanos};
use super::{CompiledFilter, Context, NotUnderstood, Operand, OperandKind, Update};
use crate::table::Value;
use crate::table::text::parse;
use crate::wal::{ColumnType, Tag};
use bytes::Bytes;
use ethnum::I256;

/// An UPDATE bound to a table's columns.
#[derive(Debug, Clone, PartialEq)]
pub struct CompiledUpdate {
    /// Writer index of each column set, and what it becomes.
    pub assignments: Vec<(usize, OwnedLiteral)>,
    /// The rows to change; all if there is none.
    pub filter: Option<CompiledFilter>,
    /// Why the server suspends the table as soon as there is a row to change.
    pub unwritable: Option<Box<str>>,
}

/// A value of a column's type that owns its bytes.
#[derive(Debug, Clone, PartialEq)]
pub struct OwnedLiteral(Owned);

#[derive(Debug, Clone, PartialEq)]
enum Owned {
    Fixed(Value<'static>),
    Utf16(Bytes),
    Utf8(Bytes),
    Binary(Bytes),
}

impl CompiledUpdate {
    /// Binds an UPDATE to columns; `timestamp` is the designated one's name.
    ///
    /// # Errors
    /// [`NotUnderstood`] if it isn't certain which rows QuestDB changes, or to what.
    pub fn compile(
        update: &Update,
        lookup: Lookup<'_>,
        timestamp: &str,
        context: Context<'_>,
    ) -> Result<Self, NotUnderstood> {
        let mut assignments = Vec::with_capacity(update.assignments.len());
        let mut unwritable = None;
        for assignment in &update.assignments {
            let (index, ty) = lookup(&assignment.column).ok_or_else(|| NotUnderstood {
                position: assignment.position,
                word: assignment.column.as_str().into(),
                reason: "the table has no such column".into(),
            })?;
            // Accepted into the log, but the server has no way to write it.
            if ty.tag() == Tag::Long256 {
                unwritable = Some(format!("QuestDB can't update the LONG256 {}", assignment.column).into());
                continue;
            }
            let constant = context.constant(&assignment.value)?;
            let constant = constant.ok_or_else(|| {
                assignment.value.not_understood("a value taken from another column is not understood")
            })?;
            let cast = matches!(assignment.value.kind, OperandKind::Cast { .. });
            if !cast && is_no_value(&constant.value, ty) {
                unwritable = Some(format!("QuestDB can't convert {} to {ty}", assignment.value.word).into());
                continue;
            }
            assignments.push((index, owned(&assignment.value, &constant, ty)?));
        }
        let compiler = Compiler { lookup, context, scope: Scope::Rows { timestamp } };
        let filter = update.filter.as_ref().map(|filter| compiler.filter(filter)).transpose()?;
        Ok(Self { assignments, filter, unwritable })
    }
}

impl OwnedLiteral {
    /// The value to store.
    pub fn value(&self) -> Value<'_> {
        match &self.0 {
            Owned::Fixed(value) => *value,
            Owned::Utf16(units) => Value::Utf16(units),
            Owned::Utf8(bytes) => Value::Utf8(bytes),
            Owned::Binary(bytes) => Value::Binary(bytes),
        }
    }
}

fn owned(operand: &Operand, constant: &Constant, ty: ColumnType) -> Result<OwnedLiteral, NotUnderstood> {
    convert(constant, ty)
        .map(OwnedLiteral)
        .ok_or_else(|| operand.not_understood("what this becomes in the column is not certain"))
}

/// True for a text that no column of type `ty` can take: the log has it, but it suspends the server's table.
fn is_no_value(value: &Const, ty: ColumnType) -> bool {
    let Const::Text(text) = value else { return false };
    let text = text.as_str();
    // Words for null, which some types take.
    if text.is_empty() || ["nan", "null"].iter().any(|word| text.eq_ignore_ascii_case(word)) {
        return false;
    }
    let number = || parse::long(text.into()).is_some();
    match ty.tag() {
        Tag::Byte | Tag::Short | Tag::Int | Tag::Long => !number(),
        Tag::Float | Tag::Double => parse::double(text.into()).is_none(),
        Tag::Date => parse::date(text.into()).is_none() && !number(),
        Tag::Timestamp => time::floor(text).is_none() && !number(),
        Tag::Ipv4 => parse::ipv4(text.into()).is_none(),
        Tag::Char => text.encode_utf16().count() > 1,
        _ => false,
    }
}

/// The constant as QuestDB stores it in a column of type `ty`, where that is certain.
fn convert(constant: &Constant, ty: ColumnType) -> Option<Owned> {
    let value = &constant.value;
    // QuestDB takes the ticks of a bind variable as they are, and a null UUID for a text it can't have.
    match (constant.bound, value) {
        (Some(Tag::Timestamp), Const::Moment(moment)) if moment.precise != ty.is_nanos() => return None,
        (Some(Tag::Uuid), Const::Null) if ty.tag() != Tag::Uuid => return None,
        _ => {}
    }
    let fixed = match ty.tag() {
        _ if *value == Const::Null => Value::absent(ty),
        Tag::String | Tag::Symbol | Tag::Varchar => return owned_text(value, ty),
        Tag::Binary => match value {
            Const::Binary(bytes) => return Some(Owned::Binary(bytes.clone())),
            _ => return None,
        },
        Tag::Boolean => match value {
            Const::Boolean(value) => Value::Boolean(*value),
            _ => return None,
        },
        Tag::Byte => Value::Byte(i8::try_from(whole(value)?).ok()?),
        Tag::Short => Value::Short(i16::try_from(whole(value)?).ok()?),
        Tag::Int => Value::Int(i32::try_from(whole(value)?).ok().filter(|v| *v != i32::MIN)?),
        Tag::Long => Value::Long(whole(value)?),
        Tag::Float => Value::Float(float(value)?),
        Tag::Double => Value::Double(double(value)?),
        Tag::Char => return char(value),
        Tag::Timestamp => timestamp(value, ty)?,
        Tag::Date => match value {
            Const::Date(millis) => Value::Date(*millis),
            Const::Integer { value, tag: Tag::Int | Tag::Long } => Value::Date(*value),
            Const::Text(text) => Value::Date(parse::date(text.as_str().into())?),
            _ => return None,
        },
        Tag::Uuid => uuid(value)?,
        Tag::Ipv4 => match value {
            Const::Ipv4(address) => Value::Ipv4(*address),
            Const::Text(text) => Value::Ipv4(parse::ipv4(text.as_str().into()).filter(|a| *a != 0)?),
            _ => return None,
        },
        Tag::GeoByte | Tag::GeoShort | Tag::GeoInt | Tag::GeoLong => geohash(value, ty)?,
        Tag::Decimal8
        | Tag::Decimal16
        | Tag::Decimal32
        | Tag::Decimal64
        | Tag::Decimal128
        | Tag::Decimal256 => decimal(value, ty)?,
        _ => return None,
    };
    Some(Owned::Fixed(fixed))
}

/// A whole number; text is read as one.
fn whole(value: &Const) -> Option<i64> {
    match value {
        Const::Integer { value, .. } => Some(*value),
        Const::Char(unit @ 0x30..=0x39) => Some(i64::from(unit - 0x30)),
        Const::Text(text) => parse::long(text.as_str().into()).filter(|_| text.bytes().all(is_plain)),
        _ => None,
    }
}

/// Digits and a sign: nothing that one type of number takes and another doesn't.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_digit() || byte == b'-'
}

fn float(value: &Const) -> Option<f32> {
    let narrow = match value {
        Const::Integer { value, .. } => *value as f32,
        Const::Real { value, tag: Tag::Float } => *value as f32,
        Const::Char(unit @ 0x30..=0x39) => f32::from(unit - 0x30),
        Const::Text(text) => parse::float(text.as_str().into())?,
        _ => return None,
    };
    narrow.is_finite().then_some(narrow)
}

fn double(value: &Const) -> Option<f64> {
    let wide = match value {
        Const::Integer { value, .. } => *value as f64,
        Const::Real { value, .. } => *value,
        Const::Char(unit @ 0x30..=0x39) => f64::from(unit - 0x30),
        Const::Text(text) => parse::double(text.as_str().into())?,
        _ => return None,
    };
    wide.is_finite().then_some(wide)
}

/// The empty text is a CHAR's null.
fn char(value: &Const) -> Option<Owned> {
    let unit = match value {
        Const::Char(unit) => *unit,
        Const::Text(text) => {
            let mut units = text.encode_utf16();
            match (units.next(), units.next()) {
                (None, _) => return Some(Owned::Fixed(Value::Null)),
                (Some(unit), None) => unit,
                _ => return None,
            }
        }
        _ => return None,
    };
    Some(Owned::Fixed(Value::Char(unit)))
}

/// What isn't a UUID at all becomes null.
fn uuid(value: &Const) -> Option<Value<'static>> {
    match value {
        Const::Uuid(value) => Some(Value::Uuid(*value)),
        Const::Text(text) => match parse::uuid(text.as_str().into()) {
            Some(value) => Some(Value::Uuid(value)),
            None if text.len() != 36 => Some(Value::Null),
            None => None,
        },
        _ => None,
    }
}

/// A geohash of more bits loses the last.
fn geohash(value: &Const, ty: ColumnType) -> Option<Value<'static>> {
    let (bits, value) = match value {
        Const::Geohash { bits, value } => (*bits, *value),
        Const::Text(text) => literal::geohash(text)?,
        _ => return None,
    };
    let wanted = ty.geohash_bits();
    let dropped = bits.checked_sub(wanted)?;
    Some(Value::Geohash { bits: wanted, value: value >> dropped })
}

fn owned_text(value: &Const, ty: ColumnType) -> Option<Owned> {
    let text = match value {
        Const::Text(text) => text.clone(),
        Const::Char(unit) => String::from_utf16(&[*unit]).ok()?,
        _ => return None,
    };
    Some(if ty.tag() == Tag::String {
        Owned::Utf16(text.encode_utf16().flat_map(u16::to_le_bytes).collect())
    } else {
        Owned::Utf8(text.into())
    })
}

/// Plain numbers count in the column's unit; what is finer is dropped.
fn timestamp(value: &Const, ty: ColumnType) -> Option<Value<'static>> {
    let unit = if ty.is_nanos() { 1 } else { 1_000 };
    let nanos = match value {
        Const::Integer { value, tag: Tag::Int | Tag::Long } => Nanos::from(*value) * unit,
        Const::Moment(moment) => moment.nanos,
        Const::Text(text) => time::floor(text)?.nanos,
        Const::Date(millis) if !ty.is_nanos() => Nanos::from(*millis) * 1_000_000,
        _ => return None,
    };
    let ticks = i64::try_from(nanos.div_euclid(unit)).ok().filter(|ticks| *ticks != i64::MIN)?;
    Some(if ty.is_nanos() { Value::TimestampNs(ticks) } else { Value::Timestamp(ticks) })
}

/// The number with the column's scale, where no digit is lost and the precision suffices.
fn decimal(value: &Const, ty: ColumnType) -> Option<Value<'static>> {
    let (unscaled, scale) = match value {
        Const::Decimal { unscaled, scale } => (*unscaled, *scale),
        Const::Integer { value, .. } => (I256::from(*value), 0),
        Const::Text(text) => match literal::decimal(text.trim_start_matches('-'), text.starts_with('-'))? {
            Const::Decimal { unscaled, scale } => (unscaled, scale),
            _ => return None,
        },
        _ => return None,
    };
    let (precision, wanted) = ty.decimal();
    let ten = I256::from(10);
    let raised = unscaled.checked_mul(ten.checked_pow(wanted.checked_sub(scale)?)?)?;
    let limit = ten.checked_pow(precision)?;
    (raised.abs() < limit).then_some(Value::Decimal { unscaled: raised, scale: wanted })
}
