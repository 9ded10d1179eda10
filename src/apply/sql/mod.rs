//! The statements that travel in the log as text: UPDATE and the ALTERs that change no column.
//!
//! QuestDB logs them as typed and compiles them again when it applies them. This module understands
//! those whose effect it can reproduce to the byte: [`parse`] reads a statement, [`CompiledUpdate`]
//! and [`CompiledFilter`] bind it to a table's columns, [`PartitionChoice`] picks partitions. Whatever
//! is not certain is a [`NotUnderstood`] that points at the first word in question, never a guess.
//!
//! ```
//! use understudy::apply::sql::{Alter, Statement, parse};
//!
//! assert_eq!(parse("ALTER TABLE trades SET TTL 3 weeks").unwrap(), Statement::Alter(Alter::SetTtl(504)));
//! let error = parse("UPDATE trades SET price = price * 2").unwrap_err();
//! assert_eq!((error.position, &*error.word), (32, "*"));
//! ```

mod expr;
mod lexer;
mod parse;

pub use expr::{Comparison, Expr, Operand, OperandKind};
pub use parse::parse;

/// A statement of the log.
#[derive(Debug, Clone, PartialEq)]
pub enum Statement {
    Alter(Alter),
    Update(Update),
}

/// What an ALTER of the log does to what one can see of a table.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Alter {
    DropPartitions(PartitionChoice),
    /// As `_meta` stores it: hours above zero, months below zero, 0 for none.
    SetTtl(i32),
    /// Index, symbol cache and capacity, parameters, squash, Parquet or native form, materialized
    /// view settings: no row changes. The text names which.
    RowsUnchanged(&'static str),
}

/// The partitions that a statement names.
#[derive(Debug, Clone, PartialEq)]
pub enum PartitionChoice {
    List(Vec<PartitionName>),
    /// A condition on the designated timestamp, tried on the start of each partition.
    Where(Expr),
}

/// A partition as the statement names it, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionName {
    pub text: String,
    /// In UTF-16 units from the start of the statement.
    pub position: usize,
}

/// `UPDATE table SET column = value, ... WHERE filter`.
#[derive(Debug, Clone, PartialEq)]
pub struct Update {
    pub assignments: Vec<Assignment>,
    /// All rows if there is none.
    pub filter: Option<Expr>,
}

/// `column = value` of an UPDATE.
#[derive(Debug, Clone, PartialEq)]
pub struct Assignment {
    pub column: String,
    /// Of the column's name, in UTF-16 units from the start of the statement.
    pub position: usize,
    pub value: Operand,
}

/// Why a statement can't be executed exactly, and the first word that shows it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason} (at {position}: '{word}')")]
pub struct NotUnderstood {
    /// In UTF-16 units from the start of the statement, as QuestDB counts.
    pub position: usize,
    /// As written; empty at the end of the statement.
    pub word: Box<str>,
    pub reason: Box<str>,
}

impl NotUnderstood {
    /// The longest word that is kept, in characters.
    const MAX_WORD: usize = 60;

    /// At byte `at` of `sql`.
    fn at(sql: &str, at: usize, word: &str, reason: impl Into<Box<str>>) -> Self {
        let word: String = word.chars().take(Self::MAX_WORD).collect();
        Self { position: utf16_position(sql, at), word: word.into(), reason: reason.into() }
    }

    fn token(sql: &str, token: &lexer::Token<'_>, reason: impl Into<Box<str>>) -> Self {
        Self::at(sql, token.at, token.text, reason)
    }
}

/// UTF-16 units before byte `at`.
fn utf16_position(sql: &str, at: usize) -> usize {
    let before = sql.get(..at).unwrap_or(sql);
    if before.is_ascii() { before.len() } else { before.encode_utf16().count() }
}
