//! A table's whole history, and moving through it.
//!
//! [`History`] is the log; [`Player`] holds the table at one place of it, goes forward by applying and
//! back by checkpoints, within a budget of memory, from the beginning or, where that was purged, from the table
//! as the server applied it; [`timeline()`] tells what each transaction is without
//! reading rows; [`compare()`] holds the result against the table as the server applied it.

mod base;
mod budget;
mod checkpoints;
mod compare;
mod history;
mod player;
mod timeline;

pub use compare::{Difference, UNLOGGED_CAUSES, compare};
pub use history::{History, tables};
pub use player::{Player, PlayerOptions, Spent, WORK_PER_TXN};
pub use timeline::{Kind, Mark, timeline};
