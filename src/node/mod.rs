//! A node as a state machine: which role it has, and what it may do; and what it writes.
//!
//! [`Machine`] holds the machines of [`crate::ledger`] and decides which of them is in charge. It is told what happened
//! ([`Event`]) and says what is to be done ([`Decision`]); a driver has the bucket, the tables and the clock. The same
//! machine runs in the native node and in the simulator.
//!
//! | part | what happens there |
//! |---|---|
//! | [`Machine`] | roles, promotion, fencing, planned and automatic failover (rules L1 to L4) |
//! | [`Acks`] | which transaction is in which pack, and so what is durable |
//! | [`mod@write`] | lines of a client as transactions in QuestDB's write-ahead log |
//! | [`divergent`] | which own transactions the history does not contain |

mod acks;
mod config;
mod decision;
mod dice;
pub mod divergent;
mod machine;
mod role;
pub mod write;

pub use acks::{Acks, Held, reached};
pub use config::{Config, Failover, Kept};
pub use decision::{Answer, Decision, Event, Now, Reason, Refusal};
pub use machine::{Machine, Told};
pub use role::Role;
