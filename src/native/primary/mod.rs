//! The writing side of a node on a machine: requests become QuestDB's write-ahead log in the node's directory, and the log becomes
//! tables, as with QuestDB itself. Whatever ends the process, QuestDB opens the directory and goes on.
//!
//! | part | what happens there |
//! |---|---|
//! | [`Log`] | writes and sequences requests; one at a time |
//! | [`Applier`] | brings tables level with the log, on threads of its own |
//! | `purge` | removes segments that are applied and that nobody else needs |

mod applier;
mod log;
mod purge;
mod writing;

pub use applier::{Applied, Applier};
pub use log::{Log, LogError};
pub use purge::purge;
