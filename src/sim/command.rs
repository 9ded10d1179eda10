//! What can be done to a simulated cluster at any moment.

use super::{End, Ends, Micros};
use serde::{Deserialize, Serialize};

/// A command. In a document: `{"do": "kill", "node": 0}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Command {
    /// Kills a node's process. It stays down until it is started.
    Kill {
        /// Which.
        node: u32,
    },
    /// A node's machine loses power. It stays down until it is started.
    PowerOff {
        /// Which.
        node: u32,
    },
    /// Starts a node that is down.
    Start {
        /// Which.
        node: u32,
    },
    /// A node stands still.
    Pause {
        /// Which.
        node: u32,
    },
    /// It goes on as if nothing had been.
    Resume {
        /// Which.
        node: u32,
    },
    /// Everything to and from this end takes longer; 0 ends that.
    Slow {
        /// Which.
        end: End,
        /// By how much, microseconds.
        extra_us: Micros,
    },
    /// These are cut off from all others.
    Partition {
        /// Whom.
        ends: Ends,
        /// What they send vanishes, else their connections are refused.
        #[serde(default)]
        silent: bool,
    },
    /// The network is as it should be.
    Heal,
    /// Makes a node primary: at once, or by a planned switch in which the primary hands over to it.
    Promote {
        /// Which.
        node: u32,
        /// By the primary's own will.
        #[serde(default)]
        planned: bool,
    },
    /// A new replica joins.
    AddNode,
    /// A new client begins to send.
    AddClient,
    /// A client is killed, and starts again at once.
    KillClient {
        /// Which.
        client: u32,
    },
    /// Clients ask for durable acknowledgements from now on, or no longer.
    Durable {
        /// Whether.
        on: bool,
    },
    /// Clients keep what is not acknowledged on disk, or in memory. Counts for those that start from now on.
    StoreAndForward {
        /// Whether on disk.
        on: bool,
    },
    /// Another window; a primary has it once it starts again or is promoted.
    Window {
        /// Packs in flight.
        packs: u32,
    },
    /// Other intervals.
    Intervals {
        /// How often replicas ask, microseconds.
        poll_us: Micros,
        /// How long commits are collected, microseconds.
        throttle_us: Micros,
    },
}
