//! Applying a backlog to a table whose rows are in files: plan, then build, a column at a time.
//!
//! A [`Batch`] holds what neighbouring data transactions are, and the timestamps of their rows; their other
//! columns are read when they are built, one after the other, so that a block may have many more rows than
//! fit into memory whole. [`split`] gives each row to a part of the table, [`Plan`] says for each part which
//! rows it consists of then, in order, and [`build()`] carries that out for one column.
//!
//! The result is that of [`apply_commits`](super::apply_commits) for the same transactions: what differs is
//! where the rows lie. The driver does all reading and writing, and may work on several parts and columns at
//! once.

mod batch;
mod build;
mod column;
mod flow;
mod old_window;
mod order;
mod plan;
mod share;
mod slices;
mod upsert;

pub use batch::{Batch, BatchCommit, BatchLimits, Gathered, SymbolMaps, TimestampReader, Window};
pub use build::{BuildTarget, OldColumn, Place, Rows, build};
pub use column::{ColumnReader, KeyColumn, NewColumn};
pub use flow::Flow;
pub use order::sort_rows;
pub use plan::{NewRows, OldPart, OldRows, Plan, Run, Sequence};
pub use share::{Members, Share, join, split};
pub use slices::{Slice, slices};
pub use upsert::Keys;
