//! What an UPDATE writes: literals as values of a column's type.

use super::compile::{Compiler, Lookup, Scope};
use super::literal::{Const, Constant};
use super::{CompiledFilter, Context, NotUnderstood, Operand, Update, time};
use crate::table::Value;
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
        for assignment in &update.assignments {
            let (index, ty) = lookup(&assignment.column).ok_or_else(|| NotUnderstood {
                position: assignment.position,
                word: assignment.column.as_str().into(),
                reason: "the table has no such column".into(),
            })?;
            let constant = context.constant(&assignment.value)?;
            let constant = constant.ok_or_else(|| {
                assignment.value.not_understood("a value taken from another column is not understood")
            })?;
            assignments.push((index, literal(&assignment.value, &constant, ty)?));
        }
        let compiler = Compiler { lookup, context, scope: Scope::Rows { timestamp } };
        let filter = update.filter.as_ref().map(|filter| compiler.filter(filter)).transpose()?;
        Ok(Self { assignments, filter })
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

fn literal(operand: &Operand, constant: &Constant, ty: ColumnType) -> Result<OwnedLiteral, NotUnderstood> {
    convert(constant, ty)
        .map(OwnedLiteral)
        .ok_or_else(|| operand.not_understood("what this becomes in the column is not certain"))
}

/// The constant as QuestDB stores it in a column of type `ty`, where that is certain.
fn convert(constant: &Constant, ty: ColumnType) -> Option<Owned> {
    let fixed = match (ty.tag(), &constant.value) {
        (_, Const::Null) => Value::absent(ty),
        (Tag::Boolean, Const::Boolean(value)) => Value::Boolean(*value),
        (Tag::Byte, Const::Integer { value, .. }) => Value::Byte(i8::try_from(*value).ok()?),
        (Tag::Short, Const::Integer { value, .. }) => Value::Short(i16::try_from(*value).ok()?),
        (Tag::Int, Const::Integer { value, .. }) => match i32::try_from(*value).ok()? {
            i32::MIN => return None,
            value => Value::Int(value),
        },
        (Tag::Long, Const::Integer { value, .. }) => Value::Long(*value),
        (Tag::Double, Const::Integer { value, .. }) if value.unsigned_abs() <= 1 << 53 => {
            Value::Double(*value as f64)
        }
        (Tag::Double, Const::Real { value, .. }) => Value::Double(*value),
        (Tag::Float, Const::Integer { value, .. }) if value.unsigned_abs() <= 1 << 24 => {
            Value::Float(*value as f32)
        }
        (Tag::Float, Const::Real { value, .. }) => match *value as f32 {
            narrow if narrow.is_finite() => Value::Float(narrow),
            _ => return None,
        },
        (Tag::Char, Const::Char(unit)) => Value::Char(*unit),
        (Tag::Timestamp, _) => timestamp(constant, ty)?,
        (Tag::Date, Const::Date(millis)) => Value::Date(*millis),
        (Tag::Uuid, Const::Uuid(value)) => Value::Uuid(*value),
        (Tag::Ipv4, Const::Ipv4(value)) => Value::Ipv4(*value),
        (
            Tag::Decimal8
            | Tag::Decimal16
            | Tag::Decimal32
            | Tag::Decimal64
            | Tag::Decimal128
            | Tag::Decimal256,
            Const::Decimal { unscaled, scale },
        ) => decimal(*unscaled, *scale, ty)?,
        (Tag::Binary, Const::Binary(bytes)) => return Some(Owned::Binary(bytes.clone())),
        (Tag::String | Tag::Symbol | Tag::Varchar, Const::Text(text)) => return Some(owned_text(text, ty)),
        (Tag::String | Tag::Symbol | Tag::Varchar, Const::Char(unit)) => {
            return Some(owned_text(&String::from_utf16(&[*unit]).ok()?, ty));
        }
        _ => return None,
    };
    Some(Owned::Fixed(fixed))
}

fn owned_text(text: &str, ty: ColumnType) -> Owned {
    if ty.tag() == Tag::String {
        Owned::Utf16(text.encode_utf16().flat_map(u16::to_le_bytes).collect())
    } else {
        Owned::Utf8(Bytes::copy_from_slice(text.as_bytes()))
    }
}

fn timestamp(constant: &Constant, ty: ColumnType) -> Option<Value<'static>> {
    let nanos = match &constant.value {
        Const::Moment(moment) => moment.nanos,
        Const::Text(text) if !constant.bound => time::floor(text)?.nanos,
        _ => return None,
    };
    if ty.is_nanos() {
        return i64::try_from(nanos).ok().filter(|v| *v != i64::MIN).map(Value::TimestampNs);
    }
    i64::try_from(nanos.div_euclid(1_000)).ok().map(Value::Timestamp)
}

/// The number with the column's scale, where no digit is lost and the precision suffices.
fn decimal(unscaled: I256, scale: u32, ty: ColumnType) -> Option<Value<'static>> {
    let (precision, wanted) = ty.decimal();
    let raised = unscaled.checked_mul(I256::from(10).checked_pow(wanted.checked_sub(scale)?)?)?;
    let limit = I256::from(10).checked_pow(precision)?;
    (raised.abs() < limit).then_some(Value::Decimal { unscaled: raised, scale: wanted })
}
