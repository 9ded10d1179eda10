//! What the machines ask of a driver, and what it answers.

use super::Key;
use bytes::Bytes;

/// A request to the bucket, or a pause before one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Write an object.
    Put {
        /// Where.
        key: Key,
        /// All its bytes.
        bytes: Bytes,
        /// When only.
        condition: Condition,
    },
    /// Read an object. Never from a cache that keeps "not found".
    Get {
        /// Which.
        key: Key,
    },
    /// Delete an object; that it is gone already is as good.
    Delete {
        /// Which.
        key: Key,
    },
    /// Wait, then call `waited`. How long is the driver's: it has the clock and the dice for the jitter.
    Later {
        /// Which object the pause is about.
        key: Key,
        /// Why.
        pause: Pause,
    },
}

/// When a put may write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// Only if nothing is there. All of the log is written like this.
    IfAbsent,
    /// In any case: `head.json`.
    Always,
}

/// Why to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Pause {
    /// The answer settled nothing: a short pause that grows, with jitter.
    Retry,
    /// The store asks for less: longer, and better fewer requests side by side.
    SlowDown,
    /// The store refused: tell the operator, and try now and then.
    Refused,
    /// Nothing new yet: the reader's interval.
    Poll,
}

/// What came of a put-if-absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PutAnswer {
    /// 200, 201: my bytes are in.
    Stored,
    /// 412, 409, 304, EEXIST: somebody's bytes are or were there, perhaps mine. Proves nothing (rule W4).
    Taken,
    /// It may have landed, may land later, may land twice.
    Unsettled(Unsettled),
    /// This try failed; earlier ones may still land.
    Refused(Refused),
}

/// Why nothing is settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Unsettled {
    /// 500, 502, 504, a connection that broke, a time-out.
    Unknown,
    /// 429, 503.
    SlowDown,
}

/// Why the store refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refused {
    /// 401, 403.
    Denied,
    /// The bucket or root does not exist: a reason to stop.
    NoBucket,
    /// No space, a quota.
    Full,
    /// Any other refusal.
    Other,
}

/// What came of a get.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GetAnswer {
    /// The object, whole.
    Found(Bytes),
    /// Nothing was there at that moment.
    NotFound,
    /// It could not be read; ask again after a pause.
    Failed,
}
