//! A request's lines, one after the other.

use super::error::LineError;
use super::field::{Line, printed};
use super::raw::{Code, Ended};
use super::scan::Scan;

/// Reads the lines of a request's body.
///
/// ```
/// use understudy::ilp::{FieldValue, Parser};
/// let mut parser = Parser::new(b"trades,sym=A price=1.5 1000\n".to_vec());
/// let line = parser.next().unwrap().unwrap();
/// assert_eq!((line.table(), line.timestamp(), line.len()), (&b"trades"[..], Some(1000), 2));
/// assert_eq!(line.fields().last().unwrap().value(), FieldValue::Float(1.5));
/// assert!(parser.next().is_none());
/// ```
#[derive(Debug)]
pub struct Parser {
    scan: Scan,
    lines: u32,
    over: bool,
}

impl Parser {
    /// Of a body of at most 4 GiB; what lies behind that is not read.
    pub fn new(mut body: Vec<u8>) -> Self {
        body.truncate(u32::MAX as usize - 1);
        Self { scan: Scan::new(body), lines: 0, over: false }
    }

    /// The next line, which is there until the one behind it is asked for; the first error ends the request.
    #[expect(clippy::should_implement_trait, reason = "a line is borrowed from the parser")]
    pub fn next(&mut self) -> Option<Result<Line<'_>, LineError>> {
        if self.over {
            return None;
        }
        match self.scan.line() {
            Ended::Complete => {
                self.lines = self.lines.saturating_add(1);
                Some(Ok(Line { bytes: &self.scan.bytes, raw: &self.scan.line, number: self.lines }))
            }
            Ended::Underflow => {
                self.over = true;
                None
            }
            Ended::Refused(code) => {
                self.over = true;
                Some(Err(self.error(code)))
            }
        }
    }

    fn error(&self, code: Code) -> LineError {
        let bytes = &self.scan.bytes;
        let last = self.scan.last();
        let name = || printed(last.map_or(&[][..], |field| field.name.of(bytes)));
        let value = || printed(last.map_or(&[][..], |field| field.text.of(bytes)));
        let what = match code {
            Code::NoFields => ": No fields were provided".to_owned(),
            Code::MissingFieldValue => {
                format!(": Could not parse entire line. Field value is missing: {}", name())
            }
            Code::MissingTagValue => {
                format!(": Could not parse entire line. Symbol value is missing: {}", name())
            }
            Code::InvalidTimestamp => {
                format!(": Could not parse timestamp: {}", printed(self.scan.bad_timestamp.of(bytes)))
            }
            Code::InvalidFieldValue => format!(
                ": Could not parse entire line, field value is invalid. Field: {}; value: {}",
                name(),
                value()
            ),
            Code::InvalidColumnName => {
                let table = printed(self.scan.line.table.of(bytes));
                format!(": table: {table}; invalid column name: {}", name())
            }
            other => format!(": {}", other.name()),
        };
        LineError::invalid(self.lines.saturating_add(1), &what)
    }
}

impl Code {
    /// As the server prints what it has no sentence for.
    fn name(self) -> &'static str {
        match self {
            Self::None => "NONE",
            Self::EmptyLine => "EMPTY_LINE",
            Self::NoFields => "NO_FIELDS",
            Self::IncompleteTag => "INCOMPLETE_TAG",
            Self::IncompleteField => "INCOMPLETE_FIELD",
            Self::InvalidFieldSeparator => "INVALID_FIELD_SEPARATOR",
            Self::InvalidTimestamp => "INVALID_TIMESTAMP",
            Self::InvalidFieldValue => "INVALID_FIELD_VALUE",
            Self::InvalidTableName => "INVALID_TABLE_NAME",
            Self::InvalidColumnName => "INVALID_COLUMN_NAME",
            Self::MissingFieldValue => "MISSING_FIELD_VALUE",
            Self::MissingTagValue => "MISSING_TAG_VALUE",
            Self::UnsupportedBinaryFormat => "UNSUPPORTED_BINARY_FORMAT",
            Self::ArrayInvalidType => "ARRAY_INVALID_TYPE",
            Self::ArrayTooManyDimensions => "ARRAY_TOO_MANY_DIMENSIONS",
            Self::ArrayTooLarge => "ARRAY_TOO_LARGE",
            Self::DecimalInvalidScale => "DECIMAL_INVALID_SCALE",
            Self::DecimalOverflow => "DECIMAL_OVERFLOW",
        }
    }
}
