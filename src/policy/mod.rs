//! Storage policies: what they say, and when a partition enters which stage.
//!
//! A policy is defined once and replicated; every instance enforces it on its own partitions, on its own schedule.
//! [`parse_statement`] and [`parse_list`] read definitions as QuestDB writes them, [`Change::applied`] checks
//! them against a table, [`StoragePolicy`] is what is kept.

mod definition;
mod error;
mod parse;
mod ttl;

pub use definition::{Change, Stage, Stages, StoragePolicy, TableFacts, ViewRow};
pub use error::PolicyError;
pub use parse::{PolicyStatement, parse_list, parse_statement};
pub use ttl::Ttl;
