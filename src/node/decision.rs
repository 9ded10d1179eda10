//! What a node's machine is told, and what it decides.

use super::{Held, Kept, Role};
use crate::ledger::{
    Action, Error, GetAnswer, Head, Loaded, Manifest, Object, Pack, Place, Point, PutAnswer,
};

/// The clocks of the node's machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Now {
    /// A clock that only goes forward, microseconds. It is compared with itself only.
    pub mono_us: u64,
    /// The time of day, microseconds since 1970. Nothing is decided by it.
    pub wall_us: i64,
}

/// What came of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Of a put.
    Put(PutAnswer),
    /// Of a get. "Not found" only from a request sent after it was asked for.
    Got(GetAnswer),
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "one at a time, and handed on at once")]
pub enum Event {
    /// The answer to [`Decision::Ask`].
    Answered {
        /// The request's id.
        id: u64,
        /// What came of it.
        answer: Answer,
    },
    /// All that packs below this number brought is in the tables.
    Applied {
        /// The first number that is not applied.
        next: u64,
    },
    /// The answer to [`Decision::Load`].
    Loaded {
        /// What came of it.
        loaded: Loaded,
        /// What the tables hold then.
        held: Held,
    },
    /// There are commits that no pack has yet.
    Commits,
    /// The answer to [`Decision::Cut`]: the pack.
    Cut {
        /// The pack, for the head that was given.
        object: Object,
        /// Its tables with the last transaction of each that it holds.
        reached: Vec<(String, u64)>,
        /// There are commits that did not fit.
        more: bool,
    },
    /// The answer to [`Decision::Cut`]: there is nothing to put into a pack.
    Nothing,
    /// The answer to [`Decision::SetAside`]: it is written down.
    Aside {
        /// There was something that the history does not contain, so the tables have to be taken back.
        any: bool,
    },
    /// The answer to [`Decision::Rewind`]: the tables are those of the history before this point.
    Rewound {
        /// Where to read on; `None` if there are no tables any more, so that it begins as a new replica does.
        point: Option<Box<Point>>,
        /// What the tables hold.
        held: Held,
    },
    /// An operator wants this node to be the primary now, whatever becomes of the old one.
    Promote,
    /// An operator wants the primary to hand over to this instance.
    HandOver {
        /// Its name.
        to: String,
    },
    /// Something is likely to come soon: ask often for a while.
    Brisk,
    /// An operator wants the node to end.
    Stop,
}

/// What is to be done, in this order. A driver does one after the other; requests may take as long as they do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Send this put or get, and tell [`Event::Answered`].
    Ask {
        /// Comes back with the answer.
        id: u64,
        /// The request.
        action: Action,
    },
    /// The next pack of the history, to be applied: tell [`Event::Applied`]. What the tables have of it already is passed
    /// over.
    Apply {
        /// As it lies in the bucket.
        object: Object,
        /// Its contents.
        pack: Box<Pack>,
        /// Behind it.
        point: Box<Point>,
    },
    /// A new term has begun.
    Term {
        /// Where the history goes on.
        point: Box<Point>,
    },
    /// All that is in the log was read. Told again each time that something came.
    Level,
    /// Take this snapshot in place of the tables: tell [`Event::Loaded`].
    Load(Box<Manifest>),
    /// Make a pack of commits that no pack has yet, in order: tell [`Event::Cut`] or [`Event::Nothing`].
    Cut {
        /// Its head, but for the commit time.
        head: Head,
        /// A pack is wanted even if there is nothing to put into it.
        needed: bool,
        /// The instance that it hands over to.
        handover: Option<String>,
    },
    /// All packs below this number are durable.
    Acknowledge {
        /// The first number that is not.
        below: u64,
    },
    /// Write this down before anything else is done.
    Keep(Box<Kept>),
    /// The node has this role from here on.
    Role {
        /// Which.
        role: Role,
        /// Why.
        why: Reason,
    },
    /// This node continues the history. Its tables hold all before the point; what they hold beyond `held` is its own, and
    /// comes first.
    Open {
        /// The primary's first object goes there.
        point: Box<Point>,
        /// What of each table the history before the point holds.
        held: Held,
        /// Take writes. Else there is only the rest to be uploaded.
        writes: bool,
    },
    /// Take no writes, and answer clients so. No commit is made any more but those that [`Decision::Cut`] will be given.
    Refuse(Refusal),
    /// Take writes again.
    Resume,
    /// The history went on without this node: write down what the tables hold beyond `held`, and tell [`Event::Aside`].
    SetAside {
        /// Where this node's writing ended.
        sealed: Place,
        /// What of each table the history holds.
        held: Held,
    },
    /// Take the tables back to a state of the history, and tell [`Event::Rewound`]; what was being applied before is not told
    /// any more.
    Rewind {
        /// Behind the seal: the history goes on here.
        point: Box<Point>,
        /// What of each table the history before the point holds.
        held: Held,
    },
    /// The node has nothing more to do.
    Exit(Reason),
}

/// Why a node takes no writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// It is no primary.
    Replica,
    /// It is about to be one.
    Opening,
    /// It hands over, or uploads the rest and ends.
    Leaving,
    /// Its packs were not confirmed for too long (rule L3).
    SelfStop,
    /// Another process continues the history (rule W6).
    Fenced,
    /// It has ended.
    Over,
}

/// Why something happened to a node's role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// It is configured so.
    Configured,
    /// It founded the cluster.
    Founded,
    /// It was the primary before it was started again (rule W7).
    Restarted,
    /// An operator asked for it.
    Ordered,
    /// The primary handed over to it (rule L4).
    HandedOver,
    /// It handed over to another one, or took back what nobody took (rule L4).
    HandOver,
    /// The primary was silent for too long (rule L2).
    Silence,
    /// Another process continues the history (rule W6).
    Fenced,
    /// All is uploaded.
    CaughtUp,
    /// It was told to stop.
    Stopped,
    /// The configuration and the bucket don't fit; a person has to decide.
    Refused(&'static str),
    /// What is in the bucket is not what should be; a person has to look.
    Failed(Error),
}
