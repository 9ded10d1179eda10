//! Sending rows: [`crate::client`] with a network, a disk and a clock.
//!
//! | file | what happens there |
//! |---|---|
//! | `send` | lines from a reader into a client, until all are acknowledged |
//! | `drive` | does what a client asks for, and tells it what came of it |
//! | [`wire`] | one connection to a server: ILP over HTTP |
//! | [`slot`] | the directory of a queue, with its lock |
//! | `drain` | slots of senders that are gone |

mod drain;
mod drive;
mod send;
pub mod slot;
pub mod wire;

pub use send::{Listen, Progress, Report, Stop, send};
