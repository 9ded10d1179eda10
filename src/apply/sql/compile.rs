//! Conditions bound to a table's columns.

use super::column::Column;
use super::literal::{Const, Constant};
use super::test::{self, Test};
use super::time;
use super::{Comparison, Context, Expr, NotUnderstood, Operand, OperandKind};
use crate::table::Value;
use crate::wal::{ColumnType, Tag};

/// A column by name: writer index and type.
pub type Lookup<'a> = &'a dyn Fn(&str) -> Option<(usize, ColumnType)>;

/// A condition that can be asked of rows.
#[derive(Debug, Clone, PartialEq)]
pub struct CompiledFilter {
    root: Node,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Node {
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

    /// Whether there may be rows for which [`matches`](Self::matches) can't tell.
    pub fn may_doubt(&self) -> bool {
        self.root.may_doubt()
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

    fn may_doubt(&self) -> bool {
        match self {
            Self::Always(_) | Self::Column { .. } => false,
            Self::All(nodes) | Self::Any(nodes) => nodes.iter().any(Self::may_doubt),
            Self::Rounded { .. } => true,
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
