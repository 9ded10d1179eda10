//! Conditions bound to a table's columns.

use super::literal::{Const, Constant};
use super::test::{self, Test};
use super::time::{self, Nanos};
use super::{Comparison, Context, Expr, NotUnderstood, Operand, OperandKind};
use crate::table::Value;
use crate::table::text::parse;
use crate::wal::{ColumnType, Tag};
use ethnum::I256;

/// A column by name: writer index and type.
pub type Lookup<'a> = &'a dyn Fn(&str) -> Option<(usize, ColumnType)>;

/// A condition that can be asked of rows.
#[derive(Debug, Clone, PartialEq)]
pub struct CompiledFilter {
    root: Node,
}

#[derive(Debug, Clone, PartialEq)]
enum Node {
    Always(bool),
    All(Vec<Node>),
    Any(Vec<Node>),
    Column {
        column: usize,
        test: Test,
        negated: bool,
    },
    /// See [`test::holds_rounded`].
    Rounded {
        column: usize,
        op: Comparison,
        rhs: f64,
        doubt: NotUnderstood,
    },
}

impl CompiledFilter {
    /// Binds the condition of an UPDATE to columns; `timestamp` is the designated one's name.
    ///
    /// # Errors
    /// [`NotUnderstood`] if it isn't certain for which rows QuestDB finds the condition true.
    pub fn compile(
        filter: &Expr,
        lookup: Lookup<'_>,
        timestamp: &str,
        context: Context<'_>,
    ) -> Result<Self, NotUnderstood> {
        Compiler { lookup, context, scope: Scope::Rows { timestamp } }.filter(filter)
    }

    /// Whether the condition holds for the row whose cells `cell` reads by writer index.
    ///
    /// # Errors
    /// Where that depends on whether the server compiled the filter to machine code, which no log tells.
    pub fn matches<'a>(&self, cell: &dyn Fn(usize) -> Value<'a>) -> Result<bool, &NotUnderstood> {
        self.root.holds(cell)
    }

    /// Writer indexes of the columns that the condition reads.
    pub fn columns(&self) -> Vec<usize> {
        let mut columns = Vec::new();
        self.root.columns(&mut columns);
        columns.sort_unstable();
        columns.dedup();
        columns
    }
}

impl Node {
    fn holds<'a>(&self, cell: &dyn Fn(usize) -> Value<'a>) -> Result<bool, &NotUnderstood> {
        match self {
            Self::Always(answer) => Ok(*answer),
            Self::All(nodes) => until(false, nodes, cell),
            Self::Any(nodes) => until(true, nodes, cell),
            Self::Column { column, test, negated } => Ok(test.holds(cell(*column)) != *negated),
            Self::Rounded { column, op, rhs, doubt } => {
                test::holds_rounded(*op, cell(*column), *rhs).ok_or(doubt)
            }
        }
    }

    fn columns(&self, out: &mut Vec<usize>) {
        match self {
            Self::Always(_) => {}
            Self::All(nodes) | Self::Any(nodes) => nodes.iter().for_each(|node| node.columns(out)),
            Self::Column { column, .. } | Self::Rounded { column, .. } => out.push(*column),
        }
    }
}

/// `decisive` if one node answers so, whatever is in doubt of the others.
fn until<'n, 'a>(
    decisive: bool,
    nodes: &'n [Node],
    cell: &dyn Fn(usize) -> Value<'a>,
) -> Result<bool, &'n NotUnderstood> {
    let mut answer = Ok(!decisive);
    for node in nodes {
        match node.holds(cell) {
            Ok(holds) if holds == decisive => return Ok(decisive),
            Ok(_) => {}
            Err(doubt) => answer = Err(doubt),
        }
    }
    answer
}

/// Where a condition stands: QuestDB reads some differently.
#[derive(Debug, Clone, Copy)]
pub(super) enum Scope<'a> {
    /// WHERE of an UPDATE.
    Rows { timestamp: &'a str },
    /// WHERE of a DROP PARTITION, which knows the designated timestamp alone.
    Partitions,
}

/// Binds conditions to columns.
pub(super) struct Compiler<'a> {
    pub lookup: Lookup<'a>,
    pub context: Context<'a>,
    pub scope: Scope<'a>,
}

/// A column as a condition meets it.
struct Column<'a> {
    index: usize,
    ty: ColumnType,
    operand: &'a Operand,
    designated: bool,
}

impl Compiler<'_> {
    pub(super) fn filter(&self, filter: &Expr) -> Result<CompiledFilter, NotUnderstood> {
        Ok(CompiledFilter { root: self.node(filter, false, true)? })
    }

    /// `negated` under an odd number of NOTs, which QuestDB pushes down to the comparisons; `top` if
    /// only ANDs are above.
    fn node(&self, expr: &Expr, negated: bool, top: bool) -> Result<Node, NotUnderstood> {
        let all = |exprs: &[Expr], top: bool| -> Result<Vec<Node>, NotUnderstood> {
            exprs.iter().map(|e| self.node(e, negated, top)).collect()
        };
        match expr {
            Expr::And(exprs) if negated => all(exprs, false).map(Node::Any),
            Expr::Or(exprs) if negated => all(exprs, top).map(Node::All),
            Expr::And(exprs) => all(exprs, top).map(Node::All),
            Expr::Or(exprs) => all(exprs, false).map(Node::Any),
            Expr::Not(inner) => self.node(inner, !negated, top),
            Expr::Truth(operand) => self.truth(operand, negated),
            Expr::Compare { left, op, right } => {
                let op = if negated { op.negated() } else { *op };
                self.comparison(left, op, right, top)
            }
            Expr::In { value, list, negated: not } => self.in_list(value, list, *not != negated, top),
            Expr::Between { value, bounds, negated: not } => self.between(value, bounds, *not != negated),
        }
    }

    fn truth(&self, operand: &Operand, negated: bool) -> Result<Node, NotUnderstood> {
        if let Some(constant) = self.context.constant(operand)? {
            return match constant.value {
                Const::Boolean(answer) if constant.bound.is_none() => Ok(Node::Always(answer != negated)),
                _ => Err(operand.not_understood("a condition was expected")),
            };
        }
        let column = self.column(operand)?;
        match column.ty.tag() {
            Tag::Boolean => Ok(column.test(Test::IsTrue, negated)),
            _ => Err(operand.not_understood("a BOOLEAN was expected")),
        }
    }

    fn comparison(
        &self,
        left: &Operand,
        op: Comparison,
        right: &Operand,
        top: bool,
    ) -> Result<Node, NotUnderstood> {
        match (self.context.constant(left)?, self.context.constant(right)?) {
            (None, Some(constant)) => self.compare(&self.column(left)?, op, right, &constant, top),
            (Some(constant), None) => self.compare(&self.column(right)?, op.mirrored(), left, &constant, top),
            (None, None) => Err(right.not_understood("a comparison of two columns is not understood")),
            (
                Some(Constant { value: Const::Integer { value: a, .. }, bound: None, .. }),
                Some(Constant { value: Const::Integer { value: b, .. }, bound: None, .. }),
            ) => Ok(Node::Always(op.holds(Some(a.cmp(&b))))),
            (Some(_), Some(_)) => Err(left.not_understood("a comparison of two constants is not understood")),
        }
    }

    fn column<'o>(&self, operand: &'o Operand) -> Result<Column<'o>, NotUnderstood> {
        let OperandKind::Column(name) = &operand.kind else {
            return Err(operand.not_understood("a column was expected"));
        };
        let (index, ty) =
            (self.lookup)(name).ok_or_else(|| operand.not_understood("the table has no such column"))?;
        let designated = match self.scope {
            Scope::Rows { timestamp } => name.to_lowercase() == timestamp.to_lowercase(),
            Scope::Partitions => true,
        };
        Ok(Column { index, ty, operand, designated })
    }

    fn compare(
        &self,
        column: &Column<'_>,
        op: Comparison,
        operand: &Operand,
        constant: &Constant,
        top: bool,
    ) -> Result<Node, NotUnderstood> {
        use Comparison::{Equal, NotEqual};
        if constant.value == Const::Null {
            return column.compare_null(op, operand);
        }
        if let Some(node) = column.rounded(op, operand, constant) {
            return Ok(node);
        }
        let test = match column.ty.tag() {
            Tag::Timestamp | Tag::Date => return self.compare_moment(column, op, operand, constant, top),
            Tag::Boolean => match constant.value {
                Const::Boolean(want) if matches!(op, Equal | NotEqual) => {
                    return Ok(column.test(Test::IsTrue, want != (op == Equal)));
                }
                _ => None,
            },
            _ => match column.identity(constant) {
                // These are compared for equality alone.
                Some(same) if matches!(op, Equal | NotEqual) => {
                    return Ok(column.test(same, op == NotEqual));
                }
                Some(_) => None,
                None => column.test_of(op, constant),
            },
        };
        test.map(|test| column.test(test, false)).ok_or_else(|| column.refuse(operand))
    }

    fn compare_moment(
        &self,
        column: &Column<'_>,
        op: Comparison,
        operand: &Operand,
        constant: &Constant,
        top: bool,
    ) -> Result<Node, NotUnderstood> {
        let rhs = column.moment(constant).ok_or_else(|| column.refuse(operand))?;
        // At the top of an UPDATE's condition `!=` takes out all that a partial moment covers.
        let rows = matches!(self.scope, Scope::Rows { .. });
        if rows
            && top
            && column.designated
            && op == Comparison::NotEqual
            && let Const::Text(text) = &constant.value
        {
            let span = time::interval(text, column.unit()).ok_or_else(|| column.refuse(operand))?;
            return Ok(column.test(Test::Within(span), true));
        }
        // A moment finer than the column: what QuestDB makes of it depends on how it compiles.
        if rows && rhs.rem_euclid(column.unit()) != 0 {
            return Err(operand.not_understood("a moment finer than the column's unit"));
        }
        Ok(column.test(Test::Moment { op, rhs }, false))
    }

    fn in_list(
        &self,
        value: &Operand,
        list: &[Operand],
        negated: bool,
        top: bool,
    ) -> Result<Node, NotUnderstood> {
        let column = self.column(value)?;
        match (list, column.ty.tag()) {
            ([only], Tag::Timestamp) => return self.in_interval(&column, only, negated, top),
            (_, Tag::Date) => return Err(value.not_understood("IN is not understood of a DATE")),
            _ => {}
        }
        let op = if negated { Comparison::NotEqual } else { Comparison::Equal };
        let tests =
            list.iter()
                .map(|operand| {
                    let constant = self.context.constant(operand)?.ok_or_else(|| {
                        operand.not_understood("a comparison of two columns is not understood")
                    })?;
                    if column.moment(&constant).is_some_and(|m| m.rem_euclid(column.unit()) != 0) {
                        return Err(operand.not_understood("a moment finer than the column's unit"));
                    }
                    self.compare(&column, op, operand, &constant, false)
                })
                .collect::<Result<Vec<_>, _>>()?;
        Ok(if negated { Node::All(tests) } else { Node::Any(tests) })
    }

    /// `ts IN 'interval'`.
    fn in_interval(
        &self,
        column: &Column<'_>,
        only: &Operand,
        negated: bool,
        top: bool,
    ) -> Result<Node, NotUnderstood> {
        // Elsewhere a compiled filter takes the interval for its first moment.
        if matches!(self.scope, Scope::Rows { .. }) && !(top && column.designated) {
            return Err(only.not_understood("an interval is not understood here"));
        }
        let constant = self.context.constant(only)?.ok_or_else(|| column.refuse(only))?;
        let span = match &constant.value {
            Const::Text(text) if constant.bound.is_none() => time::interval(text, column.unit()),
            _ => None,
        };
        let span = span.ok_or_else(|| column.refuse(only))?;
        Ok(column.test(Test::Within(span), negated))
    }

    fn between(&self, value: &Operand, bounds: &[Operand; 2], negated: bool) -> Result<Node, NotUnderstood> {
        let column = self.column(value)?;
        match column.ty.tag() {
            Tag::Timestamp => {}
            Tag::Int | Tag::Long => return self.integer_range(&column, bounds, negated),
            _ => return Err(value.not_understood("BETWEEN is not understood of this column's type")),
        }
        let mut ends = [0; 2];
        for (end, bound) in ends.iter_mut().zip(bounds) {
            let constant = self.context.constant(bound)?.ok_or_else(|| column.refuse(bound))?;
            let moment = column.moment(&constant).ok_or_else(|| column.refuse(bound))?;
            if moment.rem_euclid(column.unit()) != 0 {
                return Err(bound.not_understood("a moment finer than the column's unit"));
            }
            *end = moment;
        }
        ends.sort_unstable();
        Ok(column.test(Test::Within(time::Interval::new(ends[0], ends[1])), negated))
    }

    fn integer_range(
        &self,
        column: &Column<'_>,
        bounds: &[Operand; 2],
        negated: bool,
    ) -> Result<Node, NotUnderstood> {
        let mut ends = [0; 2];
        for (end, bound) in ends.iter_mut().zip(bounds) {
            *end = match self.context.constant(bound)? {
                Some(Constant { value: Const::Integer { value, .. }, bound: None, .. }) => value,
                _ => return Err(column.refuse(bound)),
            };
        }
        ends.sort_unstable();
        Ok(column.test(Test::Range(ends[0], ends[1]), negated))
    }
}

impl Column<'_> {
    fn test(&self, test: Test, negated: bool) -> Node {
        Node::Column { column: self.index, test, negated }
    }

    fn refuse(&self, operand: &Operand) -> NotUnderstood {
        operand.not_understood(format!("not understood beside the column {}", self.operand.word))
    }

    /// Nanoseconds per tick of a timestamp.
    fn unit(&self) -> Nanos {
        match self.ty.tag() {
            Tag::Date => 1_000_000,
            _ if self.ty.is_nanos() => 1,
            _ => 1_000,
        }
    }

    /// A constant as the moment that QuestDB compares this timestamp with.
    fn moment(&self, constant: &Constant) -> Option<Nanos> {
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

    fn compare_null(&self, op: Comparison, operand: &Operand) -> Result<Node, NotUnderstood> {
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
    fn rounded(&self, op: Comparison, operand: &Operand, constant: &Constant) -> Option<Node> {
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
    fn identity(&self, constant: &Constant) -> Option<Test> {
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
    fn test_of(&self, op: Comparison, constant: &Constant) -> Option<Test> {
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
