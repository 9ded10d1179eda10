//! Who takes part: the bucket, nodes and clients.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Nodes in a cluster, at most.
pub const NODES_MAX: u32 = 31;
/// Clients, at most.
pub const CLIENTS_MAX: u32 = 32;

/// One end of a connection. As text `bucket`, `node0`, `client3`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum End {
    /// The object store.
    Bucket,
    /// An instance, by number from 0.
    Node(u32),
    /// A client, by number from 0.
    Client(u32),
}

/// A set of ends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Vec<End>", from = "Vec<End>")]
pub struct Ends(u64);

impl End {
    fn bit(self) -> u64 {
        match self {
            Self::Bucket => 1,
            Self::Node(node) => 1 << (1 + node.min(NODES_MAX - 1)),
            Self::Client(client) => 1 << (32 + client.min(CLIENTS_MAX - 1)),
        }
    }

    /// A number of its own, for traces.
    pub(super) fn word(self) -> u64 {
        match self {
            Self::Bucket => 0,
            Self::Node(node) => 1 + u64::from(node),
            Self::Client(client) => 0x100 + u64::from(client),
        }
    }
}

impl Ends {
    /// None.
    pub const NONE: Self = Self(0);
    /// Everybody.
    pub const ALL: Self = Self(u64::MAX);

    /// Whether this one is among them.
    pub fn has(self, end: End) -> bool {
        self.0 & end.bit() != 0
    }

    /// Whether nobody is.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl FromIterator<End> for Ends {
    fn from_iter<T: IntoIterator<Item = End>>(ends: T) -> Self {
        Self(ends.into_iter().fold(0, |bits, end| bits | end.bit()))
    }
}

impl From<End> for Ends {
    fn from(end: End) -> Self {
        Self(end.bit())
    }
}

impl From<Vec<End>> for Ends {
    fn from(ends: Vec<End>) -> Self {
        ends.into_iter().collect()
    }
}

impl From<Ends> for Vec<End> {
    fn from(ends: Ends) -> Self {
        let nodes = (0..NODES_MAX).map(End::Node);
        let clients = (0..CLIENTS_MAX).map(End::Client);
        std::iter::once(End::Bucket).chain(nodes).chain(clients).filter(|end| ends.has(*end)).collect()
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bucket => f.write_str("bucket"),
            Self::Node(node) => write!(f, "node{node}"),
            Self::Client(client) => write!(f, "client{client}"),
        }
    }
}

impl FromStr for End {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("expected bucket, nodeN or clientN, found {text:?}");
        let numbered = |prefix: &str, end: u32| {
            let number = text.strip_prefix(prefix)?.parse::<u32>().ok()?;
            (number < end).then_some(number)
        };
        if text == "bucket" {
            return Ok(Self::Bucket);
        }
        numbered("node", NODES_MAX)
            .map(Self::Node)
            .or_else(|| numbered("client", CLIENTS_MAX).map(Self::Client))
            .ok_or_else(wrong)
    }
}

impl From<End> for String {
    fn from(end: End) -> Self {
        end.to_string()
    }
}

impl TryFrom<String> for End {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_and_sets_of_them_read_back() {
        let all = [End::Bucket, End::Node(0), End::Node(30), End::Client(0), End::Client(31)];
        let set: Ends = all.into_iter().collect();
        assert_eq!(Vec::from(set), all);
        assert!(!set.has(End::Node(1)) && Ends::ALL.has(End::Client(31)) && Ends::NONE.is_empty());
        let text = serde_json::to_string(&set).unwrap();
        assert_eq!(serde_json::from_str::<Ends>(&text).unwrap(), set);
        for wrong in ["", "node", "node31", "client-1", "Node1", "bucket0"] {
            assert!(wrong.parse::<End>().is_err(), "{wrong}");
        }
    }
}
