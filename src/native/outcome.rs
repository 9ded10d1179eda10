//! How a verb of the command ends: exit codes and failures.

use crate::wal;
use std::fmt;
use std::io;
use std::process::ExitCode;

/// Exit codes of the command, the same for every verb. They are a contract: `docs/cli.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Exit {
    /// Done.
    Ok = 0,
    /// The work could not be done: source unreachable, output not writable, no such table.
    Failed = 1,
    /// The command line is wrong.
    Usage = 2,
    /// Rows that the result needs were purged by QuestDB after it applied them.
    Purged = 3,
    /// The log is damaged.
    Damaged = 4,
    /// A statement in the log can't be executed exactly: the result is marked from there on.
    Diverged = 5,
    /// The table stops at the transaction where the server suspends it.
    Suspended = 6,
    /// The log uses a format or version that this program does not know.
    Unsupported = 7,
    /// Another process continues the history. Of `ship` alone, which exits with 4: its log can't be the damaged one.
    Fenced = 8,
    /// No primary answered in time. Of `policy` alone, which exits with 3: it reads no rows.
    Unanswered = 9,
}

impl Exit {
    /// What the process exits with.
    pub fn code(self) -> u8 {
        match self {
            Self::Fenced => Self::Damaged as u8,
            Self::Unanswered => Self::Purged as u8,
            other => other as u8,
        }
    }
}

impl Exit {
    /// The one that counts of two, where several tables end differently.
    #[must_use]
    pub fn worse(self, other: Self) -> Self {
        let order =
            [Self::Failed, Self::Damaged, Self::Unsupported, Self::Purged, Self::Diverged, Self::Suspended];
        let place = |exit: Self| order.iter().position(|known| *known == exit).unwrap_or(order.len());
        if place(other) < place(self) { other } else { self }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// Why a verb could not be done, in words for the person who ran it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What the process exits with.
    pub exit: Exit,
    /// What happened, without a full stop.
    pub message: String,
    /// What to do about it.
    pub advice: Option<String>,
    /// Nothing needs to be said: the reader of our output went away.
    pub silent: bool,
}

/// A result whose error is a [`Failure`].
pub type Result<T> = std::result::Result<T, Failure>;

impl Failure {
    /// A failure with this exit code.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), advice: None, silent: false }
    }

    /// [`Exit::Failed`].
    pub fn failed(message: impl Into<String>) -> Self {
        Self::new(Exit::Failed, message)
    }

    /// [`Exit::Usage`].
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn advise(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }

    /// A failure of writing the result; silent when the reader of a pipe is gone.
    pub fn output(target: impl fmt::Display, error: &io::Error) -> Self {
        Self {
            silent: error.kind() == io::ErrorKind::BrokenPipe,
            ..Self::failed(format!("can't write {target}: {error}"))
        }
    }
}

impl From<wal::Error> for Failure {
    fn from(error: wal::Error) -> Self {
        let exit = exit_of(&error);
        let failure = Self::new(exit, error.to_string());
        match exit {
            Exit::Damaged => {
                failure.advise("`understudy verify` lists all damage and the transactions that it affects")
            }
            Exit::Unsupported => failure.advise("a newer Understudy may know this format"),
            _ => failure,
        }
    }
}

/// The exit code that an error of the log's readers leads to.
pub fn exit_of(error: &wal::Error) -> Exit {
    match error {
        wal::Error::Damaged { .. } | wal::Error::Short { .. } | wal::Error::Absent { .. } => Exit::Damaged,
        wal::Error::Unsupported { .. } => Exit::Unsupported,
        _ => Exit::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_pipe_is_not_worth_a_word() {
        assert!(Failure::output("stdout", &io::ErrorKind::BrokenPipe.into()).silent);
        assert!(!Failure::output("stdout", &io::ErrorKind::StorageFull.into()).silent);
    }

    #[test]
    fn damage_and_the_unknown_have_their_own_codes() {
        let absent = wal::Error::Absent { file: "a/wal1/0/_event".into() };
        assert_eq!(Failure::from(absent).exit as u8, 4);
        let unknown = wal::Error::Unsupported { file: "a".into(), offset: 0, what: "format 9".into() };
        assert_eq!(Failure::from(unknown).exit as u8, 7);
        let network = wal::Error::Io { file: "a".into(), message: "timed out".into() };
        assert_eq!(Failure::from(network).exit as u8, 1);
    }
}
