//! Storage policies: what they say, and when a partition enters which stage.
//!
//! A policy is defined once and replicated; every instance enforces it on its own partitions, on its own schedule.
//! [`parse_statement`] and [`parse_list`] read definitions as QuestDB writes them, [`Change::applied`] checks
//! them against a table, [`StoragePolicy`] is what is kept. [`Machine`] enforces the policies of all tables on one instance.

mod definition;
mod ended;
mod error;
mod event;
mod machine;
#[cfg(test)]
mod machine_tests;
mod parse;
mod partition;
mod rules;
mod settings;
mod ttl;
mod why;

pub use definition::{Change, Stage, Stages, StoragePolicy, TableFacts, ViewRow};
pub use error::PolicyError;
pub use event::{
    Action, Event, Form, Happening, Outcome, PartitionSeen, PartitionsSeen, PolicyStatus, TableSeen, Task,
    TaskKind, Transition,
};
pub use machine::Machine;
pub use parse::{PolicyStatement, parse_list, parse_statement};
#[doc(hidden)]
pub use rules::Rules;
pub use settings::Settings;
pub use ttl::Ttl;
pub use why::{Because, Lines, Next, Why};
