//! What a setting is: its name, what it takes, what becomes of it.

use super::table::SETTINGS;
use std::fmt;

/// One key of `server.conf`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    /// The key.
    pub key: &'static str,
    /// What it takes.
    pub takes: Takes,
    /// What holds without it, as it would be written.
    pub default: Preset,
    /// What it does, for people.
    pub what: &'static str,
    /// Who defined it.
    pub origin: Origin,
    /// What becomes of it.
    pub support: Support,
}

/// What a key takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// A time above zero; milliseconds where no unit stands.
    Time,
    /// Bytes above zero.
    Size,
    /// A whole number from the first to the second.
    Number(u64, u64),
    /// A number from 0 on, with a fraction.
    Ratio,
    /// An object store, `scheme::key=value;..`. A secret.
    Store,
    /// 64 hex digits. A secret.
    SecretKey,
    /// 64 hex digits, several with commas between them.
    PublicKeys,
    /// `ADDRESS:PORT`.
    Address,
    /// A name of at most 128 letters.
    Name,
    /// A command for the shell.
    Command,
}

/// What holds without a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preset {
    /// This value.
    Value(&'static str),
    /// What the words say.
    Computed(&'static str),
    /// Nothing.
    None,
}

/// Who defined a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// QuestDB documents it, with the same default.
    QuestDb,
    /// QuestDB documents it, with this default.
    QuestDbWith(&'static str),
    /// We.
    Understudy,
}

/// What becomes of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Support {
    /// It does what it says.
    Honoured,
    /// It is taken and does nothing, because of this. One that is set is warned of.
    NoEffect(&'static str),
}

impl Setting {
    /// The setting with this key.
    pub fn find(key: &str) -> Option<&'static Self> {
        SETTINGS.iter().find(|setting| setting.key == key)
    }

    /// The setting whose environment variable is this.
    pub fn of_variable(name: &str) -> Option<&'static Self> {
        SETTINGS.iter().find(|setting| setting.variable() == name)
    }

    /// The name of its environment variable.
    pub fn variable(&self) -> String {
        variable(self.key)
    }

    /// True if its value must not be shown, and may stand in a file of its own.
    pub fn is_secret(&self) -> bool {
        matches!(self.takes, Takes::Store | Takes::SecretKey)
    }
}

/// The environment variable that QuestDB makes of a key.
pub fn variable(key: &str) -> String {
    format!("QDB_{}", key.to_uppercase().replace('.', "_"))
}

/// True if a key is ours to know: another one with such a beginning is an error.
pub fn is_ours(key: &str) -> bool {
    OURS.iter().any(|prefix| key.starts_with(prefix))
}

/// True if an environment variable is ours to know.
pub fn is_our_variable(name: &str) -> bool {
    OURS.iter().any(|prefix| name.starts_with(&variable(prefix)))
}

/// The known key that is the nearest to this one.
pub fn nearest(key: &str) -> &'static str {
    let known = SETTINGS.iter().map(|setting| setting.key);
    known.min_by_key(|known| strsim::levenshtein(known, key)).unwrap_or_default()
}

impl fmt::Display for Takes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OneOf(words) => f.write_str(&words.join(", ")),
            Self::Time => f.write_str("a time above 0 like 200 (milliseconds), 500ms, 10s, 5m, 24h, 1d"),
            Self::Size => f.write_str("bytes above 0 like 65536, 512k, 10m, 1g, 8 MiB"),
            Self::Number(from, u64::MAX) => write!(f, "a whole number from {from}"),
            Self::Number(from, to) => write!(f, "a whole number from {from} to {to}"),
            Self::Ratio => f.write_str("a number from 0 on like 1.2"),
            Self::Store => f.write_str("an object store like s3::bucket=..;root=..;"),
            Self::SecretKey => f.write_str("64 hex digits"),
            Self::PublicKeys => f.write_str("64 hex digits, several with commas between them"),
            Self::Address => f.write_str("an address and a port like 0.0.0.0:9003"),
            Self::Name => f.write_str("a name of at most 128 letters"),
            Self::Command => f.write_str("a command for the shell"),
        }
    }
}

impl fmt::Display for Preset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value(text) | Self::Computed(text) => f.write_str(text),
            Self::None => f.write_str("none"),
        }
    }
}

/// Keys with these beginnings are replication's, storage policies' and our own.
const OURS: &[&str] = &["replication.", "storage.policy.", "understudy."];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_unique_and_so_are_their_variables() {
        for (at, setting) in SETTINGS.iter().enumerate() {
            let before = &SETTINGS[..at];
            assert!(before.iter().all(|other| other.variable() != setting.variable()), "{}", setting.key);
            assert!(setting.key.chars().all(|c| c.is_ascii_alphanumeric() || c == '.'), "{}", setting.key);
            assert!(!setting.what.is_empty() && !setting.what.ends_with('.'), "{}", setting.key);
        }
    }

    #[test]
    fn names_of_variables_are_questdbs() {
        assert_eq!(variable("replication.object.store"), "QDB_REPLICATION_OBJECT_STORE");
        assert!(is_our_variable("QDB_UNDERSTUDY_X") && !is_our_variable("QDB_UNDERSTUDYX"));
        assert!(is_ours("replication.rolle") && !is_ours("cairo.commit.mode") && !is_ours("replication"));
        assert_eq!(nearest("replication.rolle"), "replication.role");
    }
}
