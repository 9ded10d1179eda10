use std::fmt;

/// What reading a log can answer instead of a value.
///
/// `file` is the path relative to the database root, so its first component is the table's
/// directory.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The bytes asked for are on their way: let the driver fetch, then run the same call again.
    #[error("waiting for bytes")]
    Pending,
    /// The file does not exist (purged, dropped, or never written).
    #[error("{file}: no such file")]
    Absent {
        /// The file, relative to the database root.
        file: Box<str>,
    },
    /// The file ends before the bytes that a valid log would have there.
    #[error("{file}: ends at {len}, expected at least {wanted} bytes")]
    Short {
        /// The file, relative to the database root.
        file: Box<str>,
        /// Its length in bytes.
        len: u64,
        /// The least length it should have.
        wanted: u64,
    },
    /// The bytes contradict the format.
    #[error("{file} at offset {offset}: expected {expected}, found {found}")]
    Damaged {
        /// The file, relative to the database root.
        file: Box<str>,
        /// Where in the file, in bytes.
        offset: u64,
        /// What a valid log has there.
        expected: Box<str>,
        /// What is there.
        found: Box<str>,
    },
    /// A format, version or feature that this reader does not know.
    #[error("{file} at offset {offset}: {what}")]
    Unsupported {
        /// The file, relative to the database root.
        file: Box<str>,
        /// Where in the file, in bytes.
        offset: u64,
        /// What is not known.
        what: Box<str>,
    },
    /// The driver could not read (permission, network ...).
    #[error("{file}: {message}")]
    Io {
        /// The file, relative to the database root.
        file: Box<str>,
        /// What the driver said.
        message: Box<str>,
    },
}

/// A result whose error is [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// Builds [`Error::Damaged`].
    pub fn damaged(file: &str, offset: u64, expected: impl fmt::Display, found: impl fmt::Display) -> Self {
        Self::Damaged {
            file: file.into(),
            offset,
            expected: expected.to_string().into(),
            found: found.to_string().into(),
        }
    }

    /// True if the same call can succeed once the driver has fetched what was asked for.
    pub fn is_pending(&self) -> bool {
        matches!(self, Self::Pending)
    }
}
