//! The statements that travel in the log as text: UPDATE and the ALTERs that change no column.
//!
//! QuestDB logs them as typed and compiles them again when it applies them. This module understands
//! those whose effect it can reproduce to the byte: [`parse()`] reads a statement, [`CompiledUpdate`]
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

mod assign;
mod column;
mod compile;
mod condition;
mod expr;
pub(crate) mod lexer;
mod literal;
mod operand;
mod parse;
mod partition;
mod test;
mod time;

pub use assign::{CompiledUpdate, OwnedLiteral};
pub use compile::{CompiledFilter, Lookup};
pub use expr::{Comparison, Expr, Operand, OperandKind};
pub use literal::Context;
pub use parse::parse;
pub use partition::Partitioning;

/// A statement of the log.
#[derive(Debug, Clone, PartialEq)]
pub enum Statement {
    /// A change of settings or partitions.
    Alter(Alter),
    /// A change of cells.
    Update(Update),
}

/// What an ALTER of the log does to what one can see of a table.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Alter {
    /// The rows of whole partitions go.
    DropPartitions(PartitionChoice),
    /// As `_meta` stores it: hours above zero, months below zero, 0 for none.
    SetTtl(i32),
    /// The form of partitions on the server changes; no row does.
    ConvertPartitions {
        /// To Parquet, else to QuestDB's own form.
        parquet: bool,
        /// Which; `None` if that is not understood.
        choice: Option<PartitionChoice>,
    },
    /// Index, symbol cache and capacity, parameters, squash, Parquet encodings, materialized view
    /// settings: no row changes. The text names which.
    RowsUnchanged(&'static str),
}

/// The partitions that a statement names.
#[derive(Debug, Clone, PartialEq)]
pub enum PartitionChoice {
    /// By name, in the order of the statement.
    List(Vec<PartitionName>),
    /// A condition on the designated timestamp, tried on the start of each partition.
    Where(Expr),
}

/// A partition as the statement names it, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionName {
    /// Without quotes.
    pub text: String,
    /// In UTF-16 units from the start of the statement.
    pub position: usize,
}

/// `UPDATE table SET column = value, ... WHERE filter`.
#[derive(Debug, Clone, PartialEq)]
pub struct Update {
    /// In the order of the statement.
    pub assignments: Vec<Assignment>,
    /// All rows if there is none.
    pub filter: Option<Expr>,
}

/// `column = value` of an UPDATE.
#[derive(Debug, Clone, PartialEq)]
pub struct Assignment {
    /// Name of the column.
    pub column: String,
    /// Of the column's name, in UTF-16 units from the start of the statement.
    pub position: usize,
    /// What is written.
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
    /// What is wrong with it, for a person to read.
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
pub(crate) fn utf16_position(sql: &str, at: usize) -> usize {
    let before = sql.get(..at).unwrap_or(sql);
    if before.is_ascii() { before.len() } else { before.encode_utf16().count() }
}
