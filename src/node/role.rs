//! What a node is, in QuestDB's words.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The role of a node, as `replication.role` names it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// It replicates nothing.
    #[default]
    None,
    /// It takes writes and continues the history.
    Primary,
    /// It follows the history.
    Replica,
    /// It takes no writes, uploads what is not in the history yet, and ends.
    PrimaryCatchupUploads,
}

impl Role {
    /// As QuestDB names it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Primary => "primary",
            Self::Replica => "replica",
            Self::PrimaryCatchupUploads => "primary-catchup-uploads",
        }
    }

    /// As `X-QuestDB-Role` names it for clients.
    pub fn header(self) -> &'static str {
        match self {
            Self::None => "STANDALONE",
            Self::Primary => "PRIMARY",
            Self::Replica => "REPLICA",
            Self::PrimaryCatchupUploads => "PRIMARY_CATCHUP",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
