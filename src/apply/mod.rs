//! Applying transactions to a [`Table`](crate::table::Table), exactly as QuestDB does.
//!
//! Plan, then execute, over a block of transactions: the plan looks at timestamps and upsert keys only
//! and says which rows go where; execution builds each column from that alone. A block of one
//! transaction is the reference; any other block gives the same rows.

pub mod backlog;
mod change;
mod commits;
pub mod convert;
mod effect;
mod execute;
#[cfg(feature = "parquet-form")]
mod file_rows;
mod fixed;
mod gather;
mod keys;
mod learn;
mod merge;
mod other;
mod plan;
mod remove;
mod source;
pub mod sql;
mod statement;
mod tops;
mod ttl;

pub use change::{ChangeError, apply_change};
pub use commits::{CommitHead, apply_commits, ends_block};
pub use effect::{CHANGED_RANGES_MAX, Effect, PartitionEffect, Touch};
#[cfg(feature = "parquet-form")]
pub use file_rows::{file_rows, merged};
pub use gather::append_rows;
pub use learn::learn_symbol_order;
pub use other::{Rewrite, apply_other};
pub use ttl::evict;
