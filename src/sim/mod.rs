//! A cluster in a simulator: the real machines on virtual time, with faults that a seed decides, and a checker.
//!
//! [`Sim::new`] makes a run of a [`Scenario`] and a seed; [`Sim::step`] does what is due next. Everything follows from the two:
//! the same seed gives the same run, natively and in a tab, to the last bit of [`Sim::trace`].
//!
//! | part | what happens there |
//! |---|---|
//! | `chance`, `agenda`, `clock`, `trace` | numbers by seed, events in order, clocks that drift and jump, the hash |
//! | `network`, `bucket`, `disk` | what lies between the machines, and what goes wrong there |
//! | `node`, `client` | the real machines with what they need of a process |
//! | `begin`, `cells` | tables of a real history to begin with |
//! | `plan`, `weather`, `trouble` | faults: which, when, for whom, and what they do |
//! | `truth`, `watch`, `book`, `verdict` | the history as it is, and what must hold ([`Invariant`]) |
//!
//! `docs/simulator.md` says what is real, what is modelled and what is not.

mod agenda;
mod applied;
mod begin;
mod book;
mod bucket;
mod bugs;
mod call;
mod cells;
mod chance;
mod client;
mod clock;
mod command;
mod disk;
mod ends;
mod fault;
mod flights;
mod ground;
mod invariant;
mod network;
mod node;
mod plan;
mod run;
mod scenario;
mod shelf;
mod told;
mod trace;
mod trouble;
mod truth;
mod verdict;
mod watch;
mod weather;
mod workload;

pub use begin::{Begin, BeginTable, FORK_US};
pub use book::RowCounts;
pub use bucket::{Requests, StoreKind};
#[cfg(feature = "planted-bugs")]
pub use bugs::Bug;
pub use chance::Chance;
pub use command::Command;
pub use ends::{CLIENTS_MAX, End, Ends, NODES_MAX};
pub use fault::{Fault, Faults};
pub use invariant::{Invariant, Violation, lab_link};
pub use run::Sim;
pub use scenario::{ClientSettings, NodeSettings, SCENARIO_FORMAT, Scenario, Scripted};
pub use told::{Cargo, ClientTold, FlightTold, Happening, NodeTold, TableTold, Told, What};
pub use weather::Trouble;

/// Microseconds of virtual time from a simulation's start.
pub type Micros = u64;
