//! What a line is made of before its bytes are copied: where its words stand.

use super::Decimal;
use super::field::Unit;

/// A stretch of the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Span {
    start: u32,
    end: u32,
}

impl Span {
    /// Of a request of at most 4 GiB.
    pub(super) fn new(start: usize, end: usize) -> Self {
        let narrow = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        Self { start: narrow(start), end: narrow(end.max(start)) }
    }

    pub(super) fn start(self) -> usize {
        self.start as usize
    }

    pub(super) fn end(self) -> usize {
        self.end as usize
    }

    pub(super) fn of(self, bytes: &[u8]) -> &[u8] {
        bytes.get(self.start()..self.end()).unwrap_or_default()
    }

    pub(super) fn without_last(self) -> Self {
        Self::new(self.start(), self.end().saturating_sub(1))
    }
}

/// A line as it lies in the request.
#[derive(Debug, Default)]
pub(super) struct Raw {
    pub(super) table: Span,
    pub(super) fields: Vec<RawField>,
    /// `i64::MIN` is none.
    pub(super) timestamp: i64,
    pub(super) unit: Option<Unit>,
}

/// A tag or field of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct RawField {
    pub(super) name: Span,
    pub(super) text: Span,
    pub(super) value: RawValue,
    pub(super) binary: bool,
}

/// What it says, where that is not its text.
#[derive(Debug, Clone, Copy)]
pub(super) enum RawValue {
    Null,
    Tag,
    String,
    Long256,
    Integer(i64),
    Float(f64),
    Boolean(bool),
    Timestamp(i64, Option<Unit>),
    Decimal(Option<Decimal>),
    Array { dims: Option<Span>, values: Span },
}

/// The server's names of what can be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Code {
    None,
    EmptyLine,
    NoFields,
    IncompleteTag,
    IncompleteField,
    InvalidFieldSeparator,
    InvalidTimestamp,
    InvalidFieldValue,
    InvalidTableName,
    InvalidColumnName,
    MissingFieldValue,
    MissingTagValue,
    UnsupportedBinaryFormat,
    ArrayInvalidType,
    ArrayTooManyDimensions,
    ArrayTooLarge,
    DecimalInvalidScale,
    DecimalOverflow,
}

/// How a line ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    Complete,
    /// Inside the line: the request is over, and the server passes over what there is of it.
    Underflow,
    Refused(Code),
}
