use super::NotUnderstood;

/// A condition over the columns of one table, as written.
#[derive(Debug, Clone, PartialEq)]
pub enum Expr {
    /// At least one holds.
    Or(Vec<Expr>),
    /// All hold.
    And(Vec<Expr>),
    /// The condition does not hold.
    Not(Box<Expr>),
    /// `left op right`.
    Compare {
        /// Left side.
        left: Operand,
        /// The operator.
        op: Comparison,
        /// Right side.
        right: Operand,
    },
    /// `value [NOT] BETWEEN a AND b`.
    Between {
        /// What is compared.
        value: Operand,
        /// In either order.
        bounds: [Operand; 2],
        /// With NOT.
        negated: bool,
    },
    /// `value [NOT] IN (a, b ...)`, or without parentheses beside a single value.
    In {
        /// What is looked for.
        value: Operand,
        /// Where.
        list: Vec<Operand>,
        /// With NOT.
        negated: bool,
    },
    /// A value that is a condition by itself: `true`, `false`, a BOOLEAN column.
    Truth(Operand),
}

/// `=` and its relatives. IS is `=`, IS NOT is `!=`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// `=`
    Equal,
    /// `!=` and `<>`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

/// One side of a comparison, or a value to write.
#[derive(Debug, Clone, PartialEq)]
pub struct Operand {
    /// What it is.
    pub kind: OperandKind,
    /// In UTF-16 units from the start of the statement.
    pub position: usize,
    /// The first word, as written.
    pub word: Box<str>,
}

/// What an [`Operand`] is.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum OperandKind {
    /// A column's name.
    Column(String),
    /// `null` or `NaN`.
    Null,
    /// `true` or `false`.
    Boolean(bool),
    /// A text literal without its quotes.
    Text(String),
    /// A number as written, with its sign.
    Number(String),
    /// `$1` is 0.
    Bind(usize),
    /// `:name`, without the colon.
    NamedBind(String),
    /// `now()`: the commit time of the record.
    Now,
    /// `dateadd(unit, stride, from)`.
    DateAdd {
        /// One letter.
        unit: char,
        /// How many units.
        stride: i32,
        /// From when.
        from: Box<Operand>,
    },
    /// `to_timestamp(text, pattern)`.
    ToTimestamp {
        /// The moment.
        text: String,
        /// How it is written.
        pattern: String,
    },
    /// `moment + ticks`, `moment - ticks`.
    Shift {
        /// From when.
        from: Box<Operand>,
        /// In the unit of the moment.
        ticks: i64,
    },
    /// `cast(value as type)`, `value::type` or `type 'value'`.
    Cast {
        /// What is cast.
        value: Box<Operand>,
        /// The type in lower case, with its parameters.
        to: String,
    },
}

impl Operand {
    /// The error that names this operand as the first word not understood.
    pub fn not_understood(&self, reason: impl Into<Box<str>>) -> NotUnderstood {
        NotUnderstood { position: self.position, word: self.word.clone(), reason: reason.into() }
    }

    pub(super) fn may_be_condition(&self) -> bool {
        matches!(self.kind, OperandKind::Boolean(_) | OperandKind::Column(_))
    }
}

impl Comparison {
    /// The comparison with its sides exchanged.
    pub fn mirrored(self) -> Self {
        match self {
            Self::Equal | Self::NotEqual => self,
            Self::Less => Self::Greater,
            Self::LessOrEqual => Self::GreaterOrEqual,
            Self::Greater => Self::Less,
            Self::GreaterOrEqual => Self::LessOrEqual,
        }
    }
}
