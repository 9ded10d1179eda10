//! A cluster in a simulator: the real machines on virtual time, with faults that a seed decides.
mod agenda;
mod bucket;
mod chance;
mod clock;
mod disk;
mod ends;
mod fault;
mod network;
mod trace;
mod weather;

pub use bucket::{Requests, StoreKind};
pub use chance::Chance;
pub use ends::{CLIENTS_MAX, End, Ends, NODES_MAX};
pub use fault::{Fault, Faults};
pub use weather::Trouble;

/// Microseconds of virtual time from a simulation's start.
pub type Micros = u64;
