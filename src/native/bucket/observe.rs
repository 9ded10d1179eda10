//! What is told of every try of a request to those who measure.

use super::answer::{Trouble, TroubleKind};
use super::store::Put;
use bytes::Bytes;
use std::time::Duration;

/// Is told of each try when its answer is there. Called in between requests: it must not wait.
pub trait Observe: Send + Sync {
    /// A try has ended.
    fn answered(&self, tried: Tried);
}

/// A try of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tried {
    /// What was asked for.
    pub op: Op,
    /// What came of it.
    pub outcome: Outcome,
    /// From sending it to the whole answer.
    pub took: Duration,
    /// Bytes of the object that were moved; none where nothing came of it.
    pub bytes: u64,
}

/// A kind of request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Op {
    /// A put whatever is there.
    Put,
    /// The conditional put.
    PutIfAbsent,
    /// Reading an object or a range of it.
    Get,
    /// Asking for an object's size.
    Head,
    /// Removing an object.
    Delete,
}

/// What came of a try.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Done, or found.
    Ok,
    /// Nothing is there: what a reader hears that asks for the next object.
    Absent,
    /// A conditional put found the key taken.
    Taken,
    /// The store asks for fewer requests.
    SlowDown,
    /// No usable answer.
    Unsettled,
    /// Refused.
    Refused,
}

impl Op {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Put, Self::PutIfAbsent, Self::Get, Self::Head, Self::Delete];

    /// Its name in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Put => "put",
            Self::PutIfAbsent => "put_if_absent",
            Self::Get => "get",
            Self::Head => "head",
            Self::Delete => "delete",
        }
    }
}

impl Outcome {
    /// Its name in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Absent => "absent",
            Self::Taken => "taken",
            Self::SlowDown => "slow_down",
            Self::Unsettled => "unsettled",
            Self::Refused => "refused",
        }
    }

    pub(super) fn of<T: Answer>(answer: &Result<T, Trouble>) -> Self {
        match answer {
            Ok(answer) => answer.outcome(),
            Err(trouble) => match trouble.kind {
                TroubleKind::SlowDown => Self::SlowDown,
                TroubleKind::Unsettled => Self::Unsettled,
                TroubleKind::Refused => Self::Refused,
            },
        }
    }
}

/// What a request gives if there is no trouble.
pub(super) trait Answer {
    fn outcome(&self) -> Outcome;

    /// Bytes of an object that came with it.
    fn bytes(&self) -> u64 {
        0
    }
}

impl Answer for () {
    fn outcome(&self) -> Outcome {
        Outcome::Ok
    }
}

impl Answer for Put {
    fn outcome(&self) -> Outcome {
        match self {
            Self::Stored => Outcome::Ok,
            Self::Taken => Outcome::Taken,
        }
    }
}

impl Answer for Option<Bytes> {
    fn outcome(&self) -> Outcome {
        if self.is_some() { Outcome::Ok } else { Outcome::Absent }
    }

    fn bytes(&self) -> u64 {
        self.as_ref().map_or(0, |bytes| bytes.len() as u64)
    }
}

impl Answer for Option<u64> {
    fn outcome(&self) -> Outcome {
        if self.is_some() { Outcome::Ok } else { Outcome::Absent }
    }
}
