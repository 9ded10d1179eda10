//! Partitions between QuestDB's two forms: column files, and one Parquet file.
//!
//! A conversion has two halves, named as QuestDB names them. PARQUET_CONVERSION writes the file beside the
//! table's partitions from rows that don't change any more, on any thread, while the table goes on:
//! `FileTable::begin_conversion` takes what it needs, [`Conversion::run`] does it. PARQUET_COMMIT,
//! `FileTable::commit_conversion`, publishes the file if the partition is still what it was made from.
//!
//! Each change of form is a publication of its own, which has no record in the log: a crash leaves the table in one
//! form or the other.
//!
//! Rows that come for a partition in Parquet form put it back to native first, in a publication of its own, and are then
//! merged as into any other (`FileTable::to_native`). QuestDB merges into the file. Who converts by a policy sees the
//! new form and converts again; so a partition that gets rows in many blocks is written as a file once, behind the
//! last of them, and not for each. The rows are the same in both ways, and so is the form in the end.

mod column_files;
mod commit;
mod convert;
mod encode;
mod native;
mod reader;
mod tops;

pub use commit::{Committed, Dropped};
pub use convert::{Conversion, Converted};
pub(super) use reader::timestamp;

/// The file of a partition in Parquet form, in its folder.
/// Where conversions are before they are committed: in the table's directory, the partition's name behind.
const BESIDE: &str = "_understudy.parquet.";
