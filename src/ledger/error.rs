use super::{ClusterId, Place};
use crate::wal;
use std::fmt;

/// What reading the replicated log can answer instead of a value.
///
/// `key` is the object's key below the root of the bucket.
#[derive(Debug, Clone, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The bytes contradict the format: read them again, then look for damage in the bucket.
    #[error("{key} at offset {offset}: expected {expected}, found {found}")]
    Damaged {
        /// The object.
        key: Box<str>,
        /// Where in the object, in bytes.
        offset: u64,
        /// What a valid object has there.
        expected: Box<str>,
        /// What is there.
        found: Box<str>,
    },
    /// A format, version or feature that this reader does not know: use a newer Understudy.
    #[error("{key} at offset {offset}: {what}")]
    Unsupported {
        /// The object.
        key: Box<str>,
        /// Where in the object, in bytes.
        offset: u64,
        /// What is not known.
        what: Box<str>,
    },
    /// More than a limit of the format allows.
    #[error("{key}: {what} is {found}, at most {most} allowed")]
    TooLarge {
        /// The object.
        key: Box<str>,
        /// What is too large.
        what: &'static str,
        /// How large it is.
        found: u64,
        /// The limit.
        most: u64,
    },
    /// A whole and valid object that has no business at its place: another cluster's bucket, a copied bucket that
    /// lived on, or a writer that came back from a memory image. Nobody goes on from here by itself.
    #[error("{place}: {what}")]
    Foreign {
        /// Where it lies.
        place: Place,
        /// What does not fit.
        what: &'static str,
    },
    /// The bucket is another cluster's, or nobody's. A node that holds a cluster's data never starts another one there.
    #[error("cluster.json: expected {expected}, found {found}")]
    OtherCluster {
        /// What should be there.
        expected: Expected,
        /// What is there.
        found: Expected,
    },
    /// A caller asked for what a rule of the protocol forbids.
    #[error("rule {rule}: {what}")]
    Rule {
        /// The rule's name, as in `docs/format.md`.
        rule: &'static str,
        /// What was asked for.
        what: &'static str,
    },
}

/// A cluster that a bucket holds or should hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Expected {
    /// This one.
    Cluster(ClusterId),
    /// Any one.
    Any,
    /// None at all.
    None,
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cluster(id) => write!(f, "cluster {id}"),
            Self::Any => f.write_str("a cluster"),
            Self::None => f.write_str("none"),
        }
    }
}

/// A result whose error is [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    pub(crate) fn damaged(
        key: impl fmt::Display,
        offset: u64,
        expected: impl fmt::Display,
        found: impl fmt::Display,
    ) -> Self {
        Self::Damaged {
            key: key.to_string().into(),
            offset,
            expected: expected.to_string().into(),
            found: found.to_string().into(),
        }
    }

    pub(crate) fn unsupported(key: impl fmt::Display, offset: u64, what: impl fmt::Display) -> Self {
        Self::Unsupported { key: key.to_string().into(), offset, what: what.to_string().into() }
    }
}

/// Answers an error if `found` is more than `most`.
pub(super) fn at_most(key: impl fmt::Display, what: &'static str, found: u64, most: u64) -> Result<()> {
    if found <= most {
        return Ok(());
    }
    Err(Error::TooLarge { key: key.to_string().into(), what, found, most })
}

/// The checked reader of the WAL reads the log's objects too; its errors become ours.
impl From<wal::Error> for Error {
    fn from(error: wal::Error) -> Self {
        match error {
            wal::Error::Damaged { file, offset, expected, found } => {
                Self::Damaged { key: file, offset, expected, found }
            }
            wal::Error::Unsupported { file, offset, what } => Self::Unsupported { key: file, offset, what },
            other => Self::damaged("", 0, "bytes in memory", other),
        }
    }
}
