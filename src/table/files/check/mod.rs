//! Reads a database's directory as it lies on the disk, before any recovery, and says where it breaks a
//! rule that QuestDB 9.3.4 relies on.
//!
//! Many of the rules are silent traps: QuestDB opens such a table without a word and then loses writes,
//! answers wrongly or stops the table. Nothing here repairs anything.

mod bitmap;
mod column;
mod database;
mod partition;
mod sequencer;
mod symbols;
mod table;
mod txn;

use crate::table::files::read::PartitionForm;
use crate::wal::{Error, Files};
use std::fmt;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// QuestDB tolerates it, but would not leave it so itself.
    Warning,
    /// QuestDB would refuse the table, stop it, lose a write or give a wrong answer.
    Error,
}

/// A rule that a directory breaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// The file or folder, relative to the database root.
    pub file: String,
    /// Where in the file, in bytes.
    pub offset: u64,
    /// The rule's short name, e.g. `txn-parity`.
    pub rule: &'static str,
    /// What is wrong.
    pub message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at offset {}: {} [{}]", self.file, self.offset, self.message, self.rule)
    }
}

/// Checks a whole database: what lies beside the tables, and every table that is not dropped.
///
/// `files` must be able to list directories. Takes time and reads in proportion to the tables' rows.
pub fn check_database(files: &dyn Files) -> Vec<Finding> {
    check_all(files, Report::default())
}

/// As [`check_database`], and what the files of partitions in Parquet form say of themselves.
pub fn check_database_with(files: &dyn Files, form: &'static dyn PartitionForm) -> Vec<Finding> {
    check_all(files, Report { form: Some(form), ..Report::default() })
}

fn check_all(files: &dyn Files, mut report: Report) -> Vec<Finding> {
    for table in database::check(files, &mut report) {
        table::check(files, &table.dir, Some(&table), &mut report);
    }
    report.findings
}

/// Checks the table in directory `table_dir`, whatever the registry says of it.
pub fn check_table(files: &dyn Files, table_dir: &str) -> Vec<Finding> {
    let mut report = Report::default();
    table::check(files, table_dir, None, &mut report);
    report.findings
}

/// Findings as they are made.
#[derive(Debug, Default)]
struct Report {
    findings: Vec<Finding>,
    form: Option<&'static dyn PartitionForm>,
}

impl Report {
    fn error(&mut self, rule: &'static str, file: &str, offset: u64, message: impl fmt::Display) {
        self.add(Severity::Error, rule, file, offset, message);
    }

    fn warning(&mut self, rule: &'static str, file: &str, offset: u64, message: impl fmt::Display) {
        self.add(Severity::Warning, rule, file, offset, message);
    }

    fn add(
        &mut self,
        severity: Severity,
        rule: &'static str,
        file: &str,
        offset: u64,
        message: impl fmt::Display,
    ) {
        self.findings.push(Finding {
            severity,
            file: file.into(),
            offset,
            rule,
            message: message.to_string(),
        });
    }

    /// The value, or `None` after noting why there is none.
    fn need<T>(&mut self, rule: &'static str, result: Result<T, Error>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(error) => {
                let (file, offset) = place_of(&error);
                self.error(rule, &file, offset, &error);
                None
            }
        }
    }
}

/// File and offset that an error blames.
fn place_of(error: &Error) -> (String, u64) {
    match error {
        Error::Damaged { file, offset, .. } | Error::Unsupported { file, offset, .. } => {
            (file.to_string(), *offset)
        }
        Error::Short { file, len, .. } => (file.to_string(), *len),
        Error::Absent { file } | Error::Io { file, .. } => (file.to_string(), 0),
        Error::Pending => (String::new(), 0),
    }
}

/// Whether a file is there, whatever else may be wrong with it.
fn exists(files: &dyn Files, path: &str) -> bool {
    !matches!(files.len(path), Err(Error::Absent { .. }))
}

/// The number at `at`; 0 beyond the end, which callers exclude by the lengths they ask for.
fn i64_at(bytes: &[u8], at: usize) -> i64 {
    bytes.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |chunk| i64::from_le_bytes(*chunk))
}

fn i32_at(bytes: &[u8], at: usize) -> i32 {
    bytes.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |chunk| i32::from_le_bytes(*chunk))
}
