//! A client that loses nothing: it finds the server that takes writes, and keeps frames until that has them.
//!
//! Three machines, none of which knows a clock, a socket or a file:
//!
//! - [`Walk`]: which host to try next (QuestDB's documented host walk).
//! - [`Queue`]: frames in order until they are acknowledged, in memory or in a directory (store-and-forward).
//! - [`Client`]: both together. It takes frames ([`Client::send`]) and events ([`Client::on`]), and says what to do
//!   ([`Client::poll`]) and when to be asked again ([`Client::wakes_at`]).
//!
//! Times are microseconds of a clock that never goes back. Settings are those of QuestDB's connection strings
//! ([`Settings`]); where its pages differ from what its clients do, the clients are followed. `docs/client.md` has both.

mod backoff;
mod batch;
mod counters;
mod events;
mod host;
mod journal;
mod link;
mod machine;
mod queue;
mod rejection;
mod rules;
mod settings;
mod walk;

#[cfg(test)]
mod settings_tests;
#[cfg(test)]
mod walk_tests;

pub use backoff::{Backoff, Dice, Jitter};
pub use batch::{Batch, BatchError, Batcher};
pub use counters::Counters;
pub use events::{Action, Backpressure, CatchUp, Conn, Event, Safe, SendError, Sending};
pub use host::{Host, HostState, Role, Target, ZoneTier};
pub use journal::{Happening, Journal, What, Window};
pub use machine::{Client, Goal};
pub use queue::{
    FAILED_FILE, FileOp, Finding, Limits, Payload, Queue, Refused, Sibling, SlotError, SlotFiles,
    failed_sentinel, orphans,
};
pub use rejection::{Category, MESSAGE_BYTES_MAX, Poison, Policies, Policy, Rejection, SenderError};
#[doc(hidden)]
pub use rules::Rules;
pub use settings::{ConfError, Durability, Failover, Login, Scheme, Secret, Settings};
pub use walk::{Bound, FirstConnect, Found, GaveUp, Lost, Next, Walk, WalkSettings, Way};

/// Microseconds of a clock that never goes back.
pub type Micros = u64;

/// Microseconds in a millisecond.
const MILLI: Micros = 1000;
