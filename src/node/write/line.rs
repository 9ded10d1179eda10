//! A line into a row, and what the server says where it can't be one.

use super::convert::{self, Problem, moment};
use super::create::New;
use super::table::TableWriter;
use super::{Options, Written, is_column_name, is_table_name};
use crate::ilp::{Field, FieldValue, Line, LineError, Unit, printed};
use crate::table::files::{check_column_name, check_dir_name};
use crate::wal::{ColumnType, TableKind, TableToken, Tag};
use std::collections::BTreeSet;

/// The designated timestamp of tables that a line makes.
const TIMESTAMP: &str = "timestamp";
/// 2261-12-31T23:59:59.999999999: QuestDB's largest timestamp in nanoseconds, and of a line whatever it counts.
const NANOS_MAX: i64 = 9_214_646_399_999_999_999;
/// 9999-12-31T23:59:59.999999
const MICROS_MAX: i64 = 253_402_300_799_999_999;
const UNSUPPORTED: &str = "java.lang.UnsupportedOperationException";

impl TableWriter {
    /// Appends a line's row, after it has made the columns that aren't there.
    pub(super) fn append(
        &mut self,
        line: &Line<'_>,
        precision: Unit,
        now_us: i64,
        options: &Options,
        out: &mut Written,
    ) -> Result<(), LineError> {
        let row = self.begin_line();
        let mut time = self.time(line, precision, now_us)?;
        for (at, field) in line.fields().enumerate() {
            let column = match self.find(at, field.name()) {
                Ok(column) => column,
                Err(()) => self.make_column(line, &field, options, now_us, out)?,
            };
            if !self.name(column) {
                continue;
            }
            if Some(column) == self.meta.timestamp {
                time = self.designated_field(line, &field)?;
            }
        }
        check_bounds(self.is_nanos(), time).map_err(|what| failed(line, &what))?;
        // Names are known by now: the first field of each is the one that counts.
        self.begin_line();
        for (at, field) in line.fields().enumerate() {
            let Ok(column) = self.find(at, field.name()) else { continue };
            if !self.name(column) || Some(column) == self.meta.timestamp {
                continue;
            }
            let Some(ty) = self.column(column).map(|column| column.ty) else { continue };
            let Some(pending) = self.pending(column) else { continue };
            let put = convert::put(pending, ty, row, &field);
            put.map_err(|problem| self.refused(line, &field, column, problem))?;
        }
        self.end_line(time);
        Ok(())
    }

    fn time(&self, line: &Line<'_>, precision: Unit, now_us: i64) -> Result<i64, LineError> {
        let nanos = self.is_nanos();
        let Some(at) = line.timestamp() else {
            return Ok(if nanos { now_us.saturating_mul(1000) } else { now_us });
        };
        let table = &self.token.name;
        if at < 0 {
            let what = format!(
                ": table: {table}, timestamp: {at}; designated timestamp before 1970-01-01 is not allowed"
            );
            return Err(LineError::invalid(line.number, &what));
        }
        let unit = line.timestamp_unit().unwrap_or(precision);
        let converted = if nanos { unit.to_nanos(at) } else { unit.to_micros(at) };
        let Some(time) = converted else { return Err(overflow(line, at)) };
        if time > NANOS_MAX {
            let what = format!(
                ": table: {table}, timestamp: {time}; designated timestamp overflow, max[{NANOS_MAX}]"
            );
            return Err(LineError::invalid(line.number, &what));
        }
        Ok(time)
    }

    /// The timestamp out of a field that has its name.
    fn designated_field(&self, line: &Line<'_>, field: &Field<'_>) -> Result<i64, LineError> {
        let FieldValue::Timestamp(value, unit) = field.value() else { return Err(fault(line, UNSUPPORTED)) };
        moment(self.is_nanos(), value, unit).map_err(|problem| match problem {
            Problem::Overflow(value) => overflow(line, value),
            _ => fault(line, UNSUPPORTED),
        })
    }

    fn make_column(
        &mut self,
        line: &Line<'_>,
        field: &Field<'_>,
        options: &Options,
        now_us: i64,
        out: &mut Written,
    ) -> Result<usize, LineError> {
        let name = utf8(line, field.name())?;
        if !options.create_columns {
            let table = &self.token.name;
            let what =
                format!(": table: {table}, column: {name} does not exist, creating new columns is disabled");
            return Err(LineError::invalid(line.number, &what));
        }
        if !is_column(name, options) {
            let what = format!(": table: {}; invalid column name: {name}", self.token.name);
            return Err(LineError::invalid(line.number, &what));
        }
        let ty = new_type(field, options).map_err(|kind| match kind {
            NoType::Null => failed(line, "invalid column type: 0"),
            NoType::Decimal => {
                let table = &self.token.dir;
                let what = format!(
                    "decimal columns cannot be created automatically [table={table}, columnName={name}]"
                );
                failed(line, &what)
            }
            NoType::Fault => fault(line, UNSUPPORTED),
        })?;
        Ok(self.add_column(name, ty, options, now_us, out))
    }

    fn refused(&self, line: &Line<'_>, field: &Field<'_>, column: usize, problem: Problem) -> LineError {
        let table = &self.token.name;
        let (known, ty) = match self.column(column) {
            Some(column) => (column.name.as_str(), column.ty.to_string()),
            None => ("", String::new()),
        };
        let sent = printed(field.name());
        let what = match problem {
            Problem::Cast(from) => {
                format!(
                    ": table: {table}, column: {sent}; cast error from protocol type: {from} to column type: {ty}"
                )
            }
            Problem::Bounds(value) => {
                // Of a decimal the server prints the name as it was sent, else the column's own.
                let name = if matches!(field.value(), FieldValue::Decimal(_)) { sent } else { known };
                format!(
                    ": table: {table}, column: {name}; line protocol value: {value} is out bounds of column type: {ty}"
                )
            }
            Problem::Text(value) => {
                format!(
                    ": table: {table}, column: {sent}; value error: {value} cannot be converted to column type: {ty}"
                )
            }
            Problem::Loss(value) => {
                format!(
                    ": table: {table}, column: {sent}; value error: converting {value} to {ty} will result in loss of precision"
                )
            }
            Problem::Overflow(value) => return overflow(line, value),
            Problem::Utf8(value) => return failed(line, &format!("invalid UTF8 in value for {value}")),
            Problem::Fault(class) => return fault(line, class),
        };
        LineError::invalid(line.number, &what)
    }
}

/// What a line makes of a table that isn't there; its id is the caller's.
pub(super) fn new_table(line: &Line<'_>, options: &Options) -> Result<New, LineError> {
    let name = printed(line.table());
    let refuse = |what: &str| LineError::invalid(line.number, &format!(": table: {name}; {what}"));
    if !is_table_name(name, options.max_name) || check_dir_name(&format!("{name}~2147483647")).is_err() {
        return Err(refuse("invalid table name"));
    }
    if !options.create_tables {
        return Err(refuse("table does not exist, creating new tables is disabled"));
    }
    if !options.create_columns {
        return Err(refuse("table does not exist, cannot create table, creating new columns is disabled"));
    }
    let mut seen = BTreeSet::new();
    let mut fields = Vec::new();
    let mut timestamp = None;
    for field in line.fields() {
        let column = utf8(line, field.name())?;
        if seen.insert(column.to_lowercase()) {
            if column == TIMESTAMP {
                timestamp = Some(fields.len());
            }
            fields.push((column, field));
        }
    }
    let mut columns = Vec::with_capacity(fields.len() + 1);
    for (index, (column, field)) in fields.into_iter().enumerate() {
        if Some(index) == timestamp {
            columns.push((TIMESTAMP.to_owned(), designated_type(line, options)));
            continue;
        }
        // The server makes such a table, and can't open it then.
        if !is_column(column, options) || column.eq_ignore_ascii_case(TIMESTAMP) {
            return Err(refuse(&format!("invalid column name: {column}")));
        }
        let ty = new_type(&field, options).map_err(|kind| match kind {
            NoType::Null => refuse(&format!("invalid column type: {column}")),
            NoType::Decimal => refuse(&format!("decimal columns must be created manually: {column}")),
            NoType::Fault => fault(line, UNSUPPORTED),
        })?;
        columns.push((column.to_owned(), ty));
    }
    let timestamp = timestamp.unwrap_or_else(|| {
        columns.push((TIMESTAMP.to_owned(), designated_type(line, options)));
        columns.len() - 1
    });
    Ok(New { name: name.to_owned(), id: 0, columns, timestamp })
}

/// A table that takes no lines.
pub(super) fn not_writable(line: &Line<'_>, token: &TableToken) -> LineError {
    let what = match token.kind {
        TableKind::MatView => format!("cannot modify materialized view: {}", token.name),
        TableKind::View => format!("cannot modify view: {}", token.name),
        _ => "cannot insert in non-WAL table".to_owned(),
    };
    LineError::invalid(line.number, &format!(": table: {}; {what}", printed(line.table())))
}

fn designated_type(line: &Line<'_>, options: &Options) -> ColumnType {
    let nanos = match line.timestamp() {
        Some(_) => line.timestamp_unit() == Some(Unit::Nanos),
        None => options.timestamp.is_nanos(),
    };
    if nanos { ColumnType::TIMESTAMP_NS } else { ColumnType::TIMESTAMP }
}

/// Why a value makes no column.
enum NoType {
    Null,
    Decimal,
    /// The server fails.
    Fault,
}

fn new_type(field: &Field<'_>, options: &Options) -> Result<ColumnType, NoType> {
    let plain = |tag: Tag| ColumnType::from_code(tag as i32).ok_or(NoType::Fault);
    match field.value() {
        FieldValue::Null => Err(NoType::Null),
        FieldValue::Decimal(_) => Err(NoType::Decimal),
        FieldValue::Tag(_) => Ok(ColumnType::SYMBOL),
        FieldValue::Integer(_) => Ok(options.integer),
        FieldValue::Float(_) => Ok(options.float),
        FieldValue::String(_) => Ok(options.string),
        FieldValue::Boolean(_) => plain(Tag::Boolean),
        FieldValue::Long256(_) => plain(Tag::Long256),
        FieldValue::Timestamp(_, Some(Unit::Nanos)) => Ok(ColumnType::TIMESTAMP_NS),
        FieldValue::Timestamp(..) => Ok(ColumnType::TIMESTAMP),
        FieldValue::Array(None) => Err(NoType::Fault),
        FieldValue::Array(Some(array)) => {
            let dims = (array.dims.len() / 4) as i32;
            ColumnType::from_code(Tag::Array as i32 | 10 << 8 | (dims - 1) << 14).ok_or(NoType::Fault)
        }
    }
}

fn is_column(name: &str, options: &Options) -> bool {
    is_column_name(name, options.max_name) && check_column_name(name).is_ok()
}

fn utf8<'a>(line: &Line<'_>, name: &'a [u8]) -> Result<&'a str, LineError> {
    let invalid = |_| failed(line, &format!("invalid UTF8 in value for {}", printed(name)));
    std::str::from_utf8(name).map_err(invalid)
}

fn check_bounds(nanos: bool, time: i64) -> Result<(), String> {
    if nanos {
        if (0..=NANOS_MAX).contains(&time) {
            return Ok(());
        }
        return Err(
            "designated timestamp_ns before 1970-01-01 and beyond 2261-12-31 23:59:59.999999999 is not \
                    allowed"
                .into(),
        );
    }
    match time {
        0..=MICROS_MAX => Ok(()),
        i64::MIN..0 => Err("designated timestamp before 1970-01-01 is not allowed".into()),
        _ => Err("designated timestamp beyond 9999-12-31 is not allowed".into()),
    }
}

fn overflow(line: &Line<'_>, at: i64) -> LineError {
    LineError::invalid(line.number, &format!(": long overflow, timestamp: {at}"))
}

/// What the server answers to an error of its own.
fn failed(line: &Line<'_>, what: &str) -> LineError {
    LineError::internal(
        line.number,
        format!("write error: {}, errno: -1, error: {what}", printed(line.table())),
    )
}

fn fault(line: &Line<'_>, class: &str) -> LineError {
    LineError::internal(line.number, format!("write error: {}, error: {class}", printed(line.table())))
}
