//! Applies transactions to a table: order, merge, dedup, replace, schema changes, statements.

pub mod sql;
