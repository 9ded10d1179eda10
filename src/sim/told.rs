//! What a run tells while it goes on: what happened, for narration, and how everything stands, for a stage.

use super::trace::TraceHash;
use super::{End, Fault, Micros, Requests, RowCounts, StoreKind, Trouble};
use serde::{Deserialize, Serialize};

/// Something that happened, for people and for lessons that wait for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Happening {
    /// The step.
    pub step: u64,
    /// When, microseconds from the start.
    pub at_us: Micros,
    /// To whom.
    pub who: End,
    /// What.
    #[serde(flatten)]
    pub what: What,
}

/// The kinds of happening. In JSON `{"kind": "pack-sent", "n": 7, ...}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum What {
    /// A client has made rows.
    RowsMade {
        /// How many.
        rows: u64,
        /// The number of its frame.
        frame: u64,
    },
    /// A client sends a frame.
    FrameSent {
        /// To which node.
        node: u32,
        /// Its number.
        frame: u64,
        /// It was sent before.
        again: bool,
    },
    /// A client was told that its frame is safe.
    FrameAcknowledged {
        /// Its number.
        frame: u64,
        /// In the bucket; else in the primary's log.
        durable: bool,
    },
    /// A client has found a primary.
    Connected {
        /// Which node.
        node: u32,
    },
    /// A client has lost its connection, or was turned away.
    Disconnected {
        /// Which node.
        node: u32,
    },
    /// A primary has committed rows.
    Committed {
        /// How many.
        rows: u64,
    },
    /// A primary sends a pack.
    PackSent {
        /// Its number.
        n: u64,
        /// Rows in it.
        rows: u64,
    },
    /// A pack is in the history.
    PackLanded {
        /// Its number.
        n: u64,
    },
    /// A seal is in the history: a new term.
    Sealed {
        /// Its number.
        n: u64,
        /// The new term.
        term: u64,
    },
    /// A primary knows that its packs below this number are durable.
    Confirmed {
        /// The first one that is not.
        below: u64,
    },
    /// A node has applied the history before this number.
    Applied {
        /// The first one that it has not.
        next: u64,
    },
    /// A node has taken a snapshot in place of its tables.
    SnapshotLoaded {
        /// As of this number.
        n: u64,
    },
    /// A snapshot is in the bucket.
    SnapshotTaken {
        /// As of this number.
        n: u64,
    },
    /// Packs below this number may be deleted.
    BoundaryRaised {
        /// The first one that may not.
        boundary: u64,
    },
    /// A node has another role.
    Role {
        /// `primary`, `replica`, ...
        role: String,
        /// In a word.
        why: String,
    },
    /// A node takes writes.
    Opened {
        /// In this term.
        term: u64,
    },
    /// A node takes no writes any more.
    Refuses {
        /// In a word.
        why: String,
    },
    /// A former primary has written down what the history does not hold.
    SetAside {
        /// Rows.
        rows: u64,
    },
    /// A former primary has gone back to the history.
    Rewound,
    /// A node's process has ended.
    Stopped {
        /// Why.
        why: String,
    },
    /// A node's or client's process begins.
    Started,
    /// Something goes wrong, or is done.
    Trouble {
        /// What.
        fault: Fault,
    },
    /// It is over.
    TroubleOver {
        /// What.
        fault: Fault,
    },
    /// A storage policy has changed a partition's form.
    PolicyDone {
        /// The table's directory.
        table: String,
        /// The partition's first timestamp.
        floor: i64,
    },
    /// From now on nothing goes wrong.
    Quiet,
}

/// How everything stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// The seed.
    pub seed: u64,
    /// Steps so far.
    pub step: u64,
    /// Virtual time, microseconds from the start.
    pub now_us: Micros,
    /// The hash over all that happened, 16 hex digits.
    pub trace: String,
    /// The store.
    pub store: StoreKind,
    /// Objects of the history.
    pub history: u64,
    /// The term in force.
    pub term: u64,
    /// What became of rows.
    pub rows: RowCounts,
    /// The tables of a real history that the run began with, if it did.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tables: Vec<TableTold>,
    /// Requests to the bucket.
    pub requests: Requests,
    /// The nodes.
    pub nodes: Vec<NodeTold>,
    /// The clients.
    pub clients: Vec<ClientTold>,
    /// What is on its way.
    pub in_flight: Vec<FlightTold>,
    /// Faults in force.
    pub troubles: Vec<Trouble>,
}

/// A table of a real history that the run began with, as the history in the bucket has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableTold {
    /// Its name.
    pub name: String,
    /// Rows that it began with.
    pub began: u64,
    /// Rows that it has.
    pub rows: u64,
    /// Rows of clients that were written to it; what deduplication took the place of counts, too.
    pub written: u64,
    /// The digest of its rows, 32 hex digits: before clients write, that of the real table at the moment of the fork, if all of
    /// its rows were taken and lines can have all of its types.
    pub digest: String,
}

/// A node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeTold {
    /// Its number.
    pub node: u32,
    /// Its process runs.
    pub up: bool,
    /// It stands still.
    pub paused: bool,
    /// `primary`, `replica`, ...
    pub role: String,
    /// It takes writes.
    pub writes: bool,
    /// Why not.
    pub refuses: Option<String>,
    /// The term that it knows.
    pub term: u64,
    /// Of a primary: all below is confirmed; of a replica: applied.
    pub next: u64,
    /// Objects that it lacks.
    pub lag: u64,
    /// For how long it has been catching up since it started, went on, or was no longer cut off, microseconds; 0 if it has what
    /// the history had then.
    pub behind_us: Micros,
    /// How long that took the last time.
    pub caught_up_us: Micros,
    /// Commits that no pack has.
    pub queued: u64,
    /// Packs that are not confirmed.
    pub flying: u64,
    /// Rows in its tables.
    pub rows: u64,
    /// Rows that it set aside, ever.
    pub aside: u64,
    /// How often it became primary.
    pub promotions: u64,
    /// How often it was fenced.
    pub fenced: u64,
}

/// A client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientTold {
    /// Its number.
    pub client: u32,
    /// The node that it is connected to.
    pub node: Option<u32>,
    /// Frames that are not acknowledged.
    pub queue: u64,
    /// It asks for durable acknowledgements.
    pub durable: bool,
    /// How long it has been without a primary, microseconds; 0 if it has one.
    pub outage_us: Micros,
    /// The longest time that it was.
    pub longest_outage_us: Micros,
    /// How often it lost its primary.
    pub outages: u64,
    /// It has given up.
    pub stopped: Option<String>,
}

/// Something on its way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlightTold {
    /// From here.
    pub from: End,
    /// To there.
    pub to: End,
    /// What it is.
    pub what: Cargo,
    /// The object's key; empty where there is none.
    pub name: String,
    /// When it set out, microseconds from the start; of a store's answer, when it was asked.
    pub sent_us: Micros,
    /// When it arrives.
    pub arrives_us: Micros,
}

/// What is on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cargo {
    /// A put.
    Put,
    /// A get.
    Get,
    /// A delete.
    Delete,
    /// The answer that it is done.
    Stored,
    /// An object.
    Read,
    /// Any answer that it is not, or not there.
    Refused,
    /// The question whether a node takes writes.
    Settings,
    /// Rows.
    Write,
    /// What a client hoped to hear.
    Answer,
}

impl What {
    /// Takes it into the hash: a number for its kind, then its numbers and names.
    pub(super) fn trace(&self, trace: &mut TraceHash) {
        let words: (u64, u64, u64) = match self {
            Self::RowsMade { rows, frame } => (1, *rows, *frame),
            Self::FrameSent { node, frame, again } => (2, u64::from(*node) << 1 | u64::from(*again), *frame),
            Self::FrameAcknowledged { frame, durable } => (3, *frame, u64::from(*durable)),
            Self::Connected { node } => (4, u64::from(*node), 0),
            Self::Disconnected { node } => (5, u64::from(*node), 0),
            Self::Committed { rows } => (6, *rows, 0),
            Self::PackSent { n, rows } => (7, *n, *rows),
            Self::PackLanded { n } => (8, *n, 0),
            Self::Sealed { n, term } => (9, *n, *term),
            Self::Confirmed { below } => (10, *below, 0),
            Self::Applied { next } => (11, *next, 0),
            Self::SnapshotLoaded { n } => (12, *n, 0),
            Self::SnapshotTaken { n } => (13, *n, 0),
            Self::BoundaryRaised { boundary } => (14, *boundary, 0),
            Self::Opened { term } => (15, *term, 0),
            Self::SetAside { rows } => (16, *rows, 0),
            Self::Rewound => (17, 0, 0),
            Self::Started => (18, 0, 0),
            Self::Trouble { fault } => (19, *fault as u64, 0),
            Self::TroubleOver { fault } => (20, *fault as u64, 0),
            Self::Quiet => (21, 0, 0),
            Self::Role { .. } => (22, 0, 0),
            Self::Refuses { .. } => (23, 0, 0),
            Self::Stopped { .. } => (24, 0, 0),
            Self::PolicyDone { floor, .. } => (25, *floor as u64, 0),
        };
        [words.0, words.1, words.2].into_iter().for_each(|word| trace.word(word));
        match self {
            Self::Role { role, why } => [role, why].into_iter().for_each(|text| trace.text(text)),
            Self::Refuses { why } | Self::Stopped { why } => trace.text(why),
            Self::PolicyDone { table, .. } => trace.text(table),
            _ => {}
        }
    }
}
