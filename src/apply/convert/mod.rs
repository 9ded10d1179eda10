//! What a column's values become when its type is changed: QuestDB 9.3.4's conversions, pair by pair.
//!
//! Three outcomes have to be told apart. A pair that `ALTER TABLE … ALTER COLUMN … TYPE` refuses never gets
//! into the log ([`Refused`]). A pair that it accepts may still fail on some value, or on every one, when the
//! change is applied; that suspends the table ([`Suspends`]), and only if there is a row to convert. All else
//! gives a value, which is null where the source doesn't fit.

mod numeric;
mod text;

use crate::table::{Chunk, SymbolTable, Value};
use crate::wal::{ColumnType, Symbol, Tag};

/// Converts the values of one column from one type to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Converter {
    from: ColumnType,
    to: ColumnType,
    kind: Kind,
}

/// `ALTER TABLE` refuses this pair of types, so no log of QuestDB's holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("QuestDB refuses to change a column of type {} to type {}", from.code(), to.code())]
pub struct Refused {
    /// The column's type.
    pub from: ColumnType,
    /// The wanted type.
    pub to: ColumnType,
}

/// The server fails on this value when it applies the change, which suspends the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Suspends {
    /// More digits than the DECIMAL holds, or digits that its scale would cut off.
    #[error("a value does not fit the DECIMAL")]
    Decimal,
    /// The server accepts the pair in `ALTER TABLE` but has no conversion for it.
    #[error("QuestDB has no conversion between these types")]
    Unsupported,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Numeric,
    FromText,
    ToText,
    ToDecimal,
    Unsupported,
}

/// The value of a row as a conversion needs it: unlike [`Chunk::value`] it leaves infinities as they are.
pub fn source<'a>(
    chunk: &'a Chunk,
    row: usize,
    ty: ColumnType,
    symbols: Option<&'a SymbolTable>,
) -> Value<'a> {
    let bytes = match ty.tag() {
        Tag::Float | Tag::Double => chunk.fixed(row).unwrap_or_default(),
        Tag::Symbol => return symbol(chunk, row, symbols).unwrap_or(Value::Null),
        _ => return chunk.value(row, ty, symbols),
    };
    if let Ok(bytes) = bytes.try_into() {
        Value::Double(f64::from_le_bytes(bytes))
    } else {
        bytes.try_into().map_or(Value::Null, |bytes| Value::Float(f32::from_le_bytes(bytes)))
    }
}

/// A symbol with all its units, be they text or not.
fn symbol<'a>(chunk: &'a Chunk, row: usize, symbols: Option<&'a SymbolTable>) -> Option<Value<'a>> {
    let key = chunk.fixed(row)?.try_into().ok().map(i32::from_le_bytes)?;
    Some(match symbols?.symbol(key)? {
        Symbol::Text(text) => Value::Utf8(text.as_bytes()),
        Symbol::Units(units) => Value::Utf16(units),
    })
}

/// The conversion between two column types.
///
/// # Errors
/// [`Refused`] where the server refuses the statement, the same type included.
pub fn converter(from: ColumnType, to: ColumnType) -> Result<Converter, Refused> {
    let kind = if from == to { None } else { kind(from.tag(), to.tag()) };
    kind.map(|kind| Converter { from, to, kind }).ok_or(Refused { from, to })
}

fn kind(from: Tag, to: Tag) -> Option<Kind> {
    Some(match (family(from), family(to)) {
        (Family::Number, Family::Number) => Kind::Numeric,
        (Family::Number | Family::Other, Family::Text) => Kind::ToText,
        (Family::Text, Family::Number | Family::Other) => Kind::FromText,
        (Family::Text, Family::Text) => Kind::ToText,
        (Family::Decimal, Family::Decimal) => Kind::ToDecimal,
        (Family::Number, Family::Decimal) if is_integer(from) => Kind::ToDecimal,
        (Family::Decimal, Family::Number) if is_integer(to) => Kind::Unsupported,
        _ => return None,
    })
}

#[derive(Clone, Copy)]
enum Family {
    Number,
    Text,
    Decimal,
    /// IPv4, UUID, CHAR: only from and to text.
    Other,
    Never,
}

fn family(tag: Tag) -> Family {
    use Tag::*;
    match tag {
        Boolean | Byte | Short | Int | Long | Date | Timestamp | Float | Double => Family::Number,
        String | Varchar | Symbol => Family::Text,
        Decimal8 | Decimal16 | Decimal32 | Decimal64 | Decimal128 | Decimal256 => Family::Decimal,
        Ipv4 | Uuid | Char => Family::Other,
        _ => Family::Never,
    }
}

fn is_integer(tag: Tag) -> bool {
    matches!(tag, Tag::Byte | Tag::Short | Tag::Int | Tag::Long)
}

impl Converter {
    /// Converts one value of the old type. Text goes to `scratch`, which is cleared first: UTF-16LE units for
    /// STRING, UTF-8 for VARCHAR and SYMBOL.
    ///
    /// FLOAT and DOUBLE may be infinite here, on either side: an infinity prints as null, yet it becomes
    /// `true` as a BOOLEAN, where a NaN becomes `false`.
    ///
    /// # Errors
    /// [`Suspends`] where the server would suspend the table.
    pub fn convert<'s>(&self, value: Value<'_>, scratch: &'s mut Vec<u8>) -> Result<Value<'s>, Suspends> {
        match self.kind {
            Kind::Numeric => Ok(numeric::convert(value, self.to)),
            Kind::ToDecimal => numeric::to_decimal(value, self.to),
            Kind::FromText => Ok(text::parse(value, self.from, self.to)),
            Kind::ToText => Ok(text::write(value, self.to, scratch)),
            Kind::Unsupported => Err(Suspends::Unsupported),
        }
    }

    /// Converts all values of a chunk at once, where that is the same and quicker.
    pub fn convert_all(&self, chunk: &Chunk) -> Option<Chunk> {
        let (Chunk::Fixed { values, .. }, Some(width)) = (chunk, self.to.fixed_size()) else { return None };
        numeric::widen(values, self.from, self.to).map(|values| Chunk::Fixed { width, values })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_double_beyond_all_floats_becomes_null() {
        let [float, double] = [9, 10].map(|code| ColumnType::from_code(code).unwrap());
        let converter = converter(double, float).unwrap();
        let max = f64::from(f32::MAX);
        for (from, to) in [
            (max, Value::Float(f32::MAX)),
            (-max, Value::Float(f32::MIN)),
            (1e300, Value::Null),
            (-max.next_up(), Value::Null),
            (f64::INFINITY, Value::Null),
        ] {
            let mut scratch = Vec::new();
            assert_eq!(converter.convert(Value::Double(from), &mut scratch).ok(), Some(to), "{from}");
        }
        let (back, mut scratch) = (super::converter(float, double).unwrap(), Vec::new());
        assert_eq!(back.convert(Value::Float(f32::INFINITY), &mut scratch).ok(), Some(Value::Null));
    }

    #[test]
    fn a_whole_chunk_becomes_what_its_values_become() {
        let [int, long, float, double] = [5, 6, 9, 10].map(|code| ColumnType::from_code(code).unwrap());
        let ints: Vec<u8> =
            [0, 7, -1, i32::MIN, i32::MAX].iter().flat_map(|v: &i32| v.to_le_bytes()).collect();
        let longs: Vec<u8> =
            [0, 1 << 60, -1, i64::MIN, i64::MAX].iter().flat_map(|v: &i64| v.to_le_bytes()).collect();
        let floats = [0.1, -0.0, f32::NAN, f32::INFINITY, f32::MIN_POSITIVE];
        let floats: Vec<u8> = floats.iter().flat_map(|v| v.to_le_bytes()).collect();
        let cases =
            [(int, long, ints.clone()), (int, double, ints), (long, double, longs), (float, double, floats)];
        for (from, to, values) in cases {
            let converter = converter(from, to).unwrap();
            let chunk = Chunk::Fixed { width: from.fixed_size().unwrap(), values };
            let mut one_by_one = Chunk::new(to);
            for row in 0..chunk.rows() {
                let mut scratch = Vec::new();
                let value = converter.convert(source(&chunk, row, from, None), &mut scratch).unwrap();
                one_by_one.push(to, value, None);
            }
            assert_eq!(converter.convert_all(&chunk), Some(one_by_one), "{from} to {to}");
        }
    }
}
