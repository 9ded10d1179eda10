//! What a store can say to a request, in the words of the log's protocol.

use bytes::Bytes;
use std::fmt;

/// The answer to a put-if-absent. Whoever asked acts on it by the table in `docs/stores.md`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum PutAnswer {
    /// These bytes are in, whole and durable, and no other bytes were there.
    Stored,
    /// Something is, or was, at this key: perhaps these very bytes.
    ///
    /// It proves nothing. An earlier try of the same call may have landed unanswered, or an earlier
    /// call; and S3's 409 `ConditionalRequestConflict`, which means "a conflict, nothing was
    /// settled", comes as this too. GET the key and compare: equal bytes are one's own success, other
    /// bytes are somebody else's, and nothing there means "put the same bytes again".
    Taken,
    /// The store asks for fewer requests. Not settled: put the same bytes again, later.
    SlowDown(Trouble),
    /// The bytes may have landed, may land later, or never. Put the same bytes again.
    Unsettled(Trouble),
    /// The store refuses: credentials, permissions, no such bucket, disk full. This try did not
    /// land; [`Trouble::may_land`] says whether an earlier one of the same call may yet.
    Refused(Trouble),
}

/// The answer to reading: `T` is the object's bytes, or its size.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum GetAnswer<T = Bytes> {
    /// The object is there, whole.
    Found(T),
    /// Nothing was at this key at that moment.
    NotFound,
    /// It could not be read, which says nothing about whether it is there.
    Failed(Trouble),
}

/// Why a request came to nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// What to do about it.
    pub kind: TroubleKind,
    /// What happened, for people: the store's status, code and message. Never a secret.
    pub why: String,
    /// How often it was tried.
    pub tries: u32,
    /// Of a put: a try of this call that was sent and not answered may yet take effect.
    pub may_land: bool,
}

/// The three ways in which a request can come to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TroubleKind {
    /// 429, 503: send less, and later.
    SlowDown,
    /// 500, 502, 504, a reset connection, a time-out: try again.
    Unsettled,
    /// 400, 401, 403, no such bucket, a full disk: somebody has to do something first.
    Refused,
}

impl Trouble {
    /// A first try that ended like this; `why` is without a full stop.
    pub fn new(kind: TroubleKind, why: impl Into<String>) -> Self {
        Self { kind, why: why.into(), tries: 1, may_land: kind != TroubleKind::Refused }
    }

    /// [`TroubleKind::Refused`].
    pub fn refused(why: impl Into<String>) -> Self {
        Self::new(TroubleKind::Refused, why)
    }

    /// [`TroubleKind::Unsettled`].
    pub fn unsettled(why: impl Into<String>) -> Self {
        Self::new(TroubleKind::Unsettled, why)
    }

    /// True if the same request may succeed without anybody doing anything.
    pub fn is_passing(&self) -> bool {
        self.kind != TroubleKind::Refused
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            TroubleKind::SlowDown => "the store asks for fewer requests",
            TroubleKind::Unsettled => "no usable answer",
            TroubleKind::Refused => "refused",
        };
        write!(f, "{kind}: {}", self.why)?;
        if self.tries > 1 { write!(f, " (tried {} times)", self.tries) } else { Ok(()) }
    }
}

impl std::error::Error for Trouble {}

impl From<Trouble> for PutAnswer {
    fn from(trouble: Trouble) -> Self {
        match trouble.kind {
            TroubleKind::SlowDown => Self::SlowDown(trouble),
            TroubleKind::Unsettled => Self::Unsettled(trouble),
            TroubleKind::Refused => Self::Refused(trouble),
        }
    }
}

impl PutAnswer {
    /// What went wrong, if the put is neither stored nor taken.
    pub fn trouble(&self) -> Option<&Trouble> {
        match self {
            Self::Stored | Self::Taken => None,
            Self::SlowDown(trouble) | Self::Unsettled(trouble) | Self::Refused(trouble) => Some(trouble),
        }
    }
}

impl<T> From<Result<Option<T>, Trouble>> for GetAnswer<T> {
    fn from(result: Result<Option<T>, Trouble>) -> Self {
        match result {
            Ok(Some(found)) => Self::Found(found),
            Ok(None) => Self::NotFound,
            Err(trouble) => Self::Failed(trouble),
        }
    }
}

impl<T> GetAnswer<T> {
    /// The same as a result: `None` if nothing is there.
    ///
    /// # Errors
    ///
    /// The trouble of [`GetAnswer::Failed`].
    pub fn into_result(self) -> Result<Option<T>, Trouble> {
        match self {
            Self::Found(found) => Ok(Some(found)),
            Self::NotFound => Ok(None),
            Self::Failed(trouble) => Err(trouble),
        }
    }
}
