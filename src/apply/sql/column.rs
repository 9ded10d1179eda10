//! What a constant is beside a column: the comparison that QuestDB makes of the two.

use super::compile::Node;
use super::literal::{Const, Constant};
use super::test::Test;
use super::time::{self, Nanos};
use super::{Comparison, NotUnderstood, Operand};
use crate::table::text::parse;
use crate::wal::{ColumnType, Tag};
use ethnum::I256;

/// A column as a condition meets it.
pub(super) struct Column<'a> {
    /// Writer index.
    pub index: usize,
    pub ty: ColumnType,
    pub operand: &'a Operand,
    pub designated: bool,
}

impl Column<'_> {
    pub(super) fn test(&self, test: Test, negated: bool) -> Node {
        Node::Column { column: self.index, test, negated }
    }

    pub(super) fn refuse(&self, operand: &Operand) -> NotUnderstood {
        operand.not_understood(format!("not understood beside the column {}", self.operand.word))
    }

    /// Nanoseconds per tick of a timestamp.
    pub(super) fn unit(&self) -> Nanos {
        match self.ty.tag() {
            Tag::Date => 1_000_000,
            _ if self.ty.is_nanos() => 1,
            _ => 1_000,
        }
    }

    /// A constant as the moment that QuestDB compares this timestamp with.
    pub(super) fn moment(&self, constant: &Constant) -> Option<Nanos> {
        match &constant.value {
            // Beside another unit QuestDB takes the ticks of a bind variable as they are.
            Const::Moment(moment) if constant.bound.is_some() && moment.precise != self.ty.is_nanos() => None,
            Const::Moment(_) if constant.bound.is_some() && self.ty.tag() == Tag::Date => None,
            Const::Moment(moment) => Some(moment.nanos),
            Const::Text(text) if constant.bound.is_none() => time::floor(text).map(|m| m.nanos),
            // A plain number counts in the column's own unit.
            Const::Integer { value, tag: Tag::Int | Tag::Long } if constant.bound.is_none() => {
                Some(Nanos::from(*value) * self.unit())
            }
            _ => None,
        }
    }

    pub(super) fn compare_null(&self, op: Comparison, operand: &Operand) -> Result<Node, NotUnderstood> {
        match op {
            Comparison::Equal | Comparison::NotEqual => {
                Ok(self.test(Test::IsNull, op == Comparison::NotEqual))
            }
            _ if !self.is_number_or_time() => {
                Err(operand.not_understood("an order beside null is not understood"))
            }
            // Null equals null here, and is neither before nor behind anything.
            Comparison::LessOrEqual | Comparison::GreaterOrEqual => Ok(self.test(Test::IsNull, false)),
            Comparison::Less | Comparison::Greater => Ok(Node::Always(false)),
        }
    }

    fn is_number_or_time(&self) -> bool {
        use Tag::{Byte, Date, Double, Float, Int, Long, Short, Timestamp};
        matches!(self.ty.tag(), Byte | Short | Int | Long | Float | Double | Date | Timestamp)
    }

    /// The comparison of a FLOAT with a number that no FLOAT equals.
    pub(super) fn rounded(&self, op: Comparison, operand: &Operand, constant: &Constant) -> Option<Node> {
        let rhs = match constant.value {
            Const::Real { value, .. } if constant.bound.is_none() => value,
            _ => return None,
        };
        (self.ty.tag() == Tag::Float && f64::from(rhs as f32) != rhs).then(|| Node::Rounded {
            column: self.index,
            op,
            rhs,
            doubt: operand.not_understood("a FLOAT so close to this number that QuestDB's answer depends on whether it compiles the filter"),
        })
    }

    /// Whether the cell is the constant, for types that have no order here.
    pub(super) fn identity(&self, constant: &Constant) -> Option<Test> {
        let text = match &constant.value {
            Const::Text(text) => Some(text.as_str()),
            _ => None,
        };
        match (self.ty.tag(), &constant.value) {
            (Tag::Uuid, Const::Uuid(value)) => Some(Test::Uuid(*value)),
            (Tag::Uuid, _) => parse::uuid(text?.into()).map(Test::Uuid),
            (Tag::Ipv4, Const::Ipv4(address)) => Some(Test::Ipv4(*address)),
            (Tag::Ipv4, _) => parse::ipv4(text?.into()).filter(|a| *a != 0).map(Test::Ipv4),
            (Tag::Long256, Const::Long256(words)) => Some(Test::Long256(*words)),
            (Tag::GeoByte | Tag::GeoShort | Tag::GeoInt | Tag::GeoLong, Const::Geohash { bits, value }) => {
                (*bits == self.ty.geohash_bits()).then_some(Test::Geohash(*value))
            }
            _ => None,
        }
    }

    /// The test for a column that is neither BOOLEAN nor a time.
    pub(super) fn test_of(&self, op: Comparison, constant: &Constant) -> Option<Test> {
        use Comparison::{Equal, NotEqual};
        let equality = matches!(op, Equal | NotEqual);
        Some(match (self.ty.tag(), &constant.value) {
            (Tag::Byte | Tag::Short | Tag::Int | Tag::Long, Const::Integer { value, .. }) => {
                self.fits(*value).then_some(Test::Integer { op, rhs: *value })?
            }
            (
                Tag::Byte | Tag::Short | Tag::Int | Tag::Long | Tag::Double,
                Const::Real { value, tag: Tag::Double },
            ) => Test::Real { op, rhs: *value },
            (Tag::Double, Const::Integer { value, .. }) if value.unsigned_abs() <= 1 << 53 => {
                Test::Real { op, rhs: *value as f64 }
            }
            // A compiled filter rounds the number to the column's own width.
            (Tag::Float, Const::Real { value, .. }) if f64::from(*value as f32) == *value => {
                Test::Real { op, rhs: *value }
            }
            (Tag::Float, Const::Integer { value, .. }) if value.unsigned_abs() <= 1 << 24 => {
                Test::Real { op, rhs: *value as f64 }
            }
            (Tag::String, Const::Text(text)) => Test::Text16 { op, rhs: text.encode_utf16().collect() },
            (Tag::String, Const::Char(unit)) => Test::Text16 { op, rhs: vec![*unit] },
            (Tag::Varchar | Tag::Symbol, Const::Text(text)) => {
                Test::Text8 { op, rhs: text.as_bytes().to_vec() }
            }
            (Tag::Varchar | Tag::Symbol, Const::Char(unit)) => {
                Test::Text8 { op, rhs: String::from_utf16(&[*unit]).ok()?.into_bytes() }
            }
            // A compiled filter takes a null CHAR for a character below all others.
            (Tag::Char, Const::Char(unit)) if equality => Test::Char { op, rhs: *unit },
            (tag, _) if tag >= Tag::Decimal8 && constant.bound.is_some() => return None,
            (tag, Const::Decimal { unscaled, scale }) if tag >= Tag::Decimal8 => {
                self.decimal(op, *unscaled, *scale)?
            }
            (tag, Const::Integer { value, .. }) if tag >= Tag::Decimal8 => {
                self.decimal(op, (*value).into(), 0)?
            }
            _ => return None,
        })
    }

    /// A number that the column could hold; with any other QuestDB takes nulls for numbers.
    fn decimal(&self, op: Comparison, unscaled: I256, scale: u32) -> Option<Test> {
        let (precision, own_scale) = self.ty.decimal();
        let ten = I256::from(10);
        let raised = unscaled.checked_mul(ten.checked_pow(own_scale.checked_sub(scale)?)?)?;
        (raised.abs() < ten.checked_pow(precision)?).then_some(Test::Decimal { op, unscaled: raised })
    }

    /// Whether a column of integers could hold the number and its negative: beyond that QuestDB's answer depends on
    /// whether it compiles the filter to machine code.
    fn fits(&self, value: i64) -> bool {
        let (min, max) = match self.ty.tag() {
            Tag::Byte => (i64::from(i8::MIN) + 1, i64::from(i8::MAX)),
            Tag::Short => (i64::from(i16::MIN) + 1, i64::from(i16::MAX)),
            Tag::Int => (i64::from(i32::MIN) + 1, i64::from(i32::MAX)),
            _ => (i64::MIN + 1, i64::MAX),
        };
        (min..=max).contains(&value)
    }
}
