//! Partitions that storage policies have dropped from a directory, and that the bucket has: read, merged with what came later,
//! and put there.
//!
//! | file | what happens there |
//! |---|---|
//! | `read` | for those who read a directory: whole partitions, whatever is here of them |
//! | `write` | a partition's file, for the bucket |
//!
//! A file's rows by the table's present columns, and late rows merged into them, are [`apply`](crate::apply)'s matter.

mod read;
mod write;

pub use read::{AwayReader, Store, complete};
pub use write::{merged_file, upload};
