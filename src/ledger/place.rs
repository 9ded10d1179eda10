//! Where things lie in the bucket: one type for every key, with its one text.

use super::identity::{ParseError, decimal};
use super::{Dir, Sum};
use std::fmt;
use std::str::FromStr;

/// Objects of the log in one folder.
const NUMBERS_PER_FOLDER: u64 = 1000;
/// Numbers are below this, so that they fit the signed fields of the format.
const NUMBER_END: u64 = 1 << 63;

/// A place in the log: the number `n` in one term's directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    /// The term's directory.
    pub dir: Dir,
    /// 0, 1, 2 ... over all terms.
    pub n: u64,
}

impl Place {
    /// The place of the next number in the same directory.
    #[must_use]
    pub fn next(self) -> Self {
        Self { dir: self.dir, n: self.n.saturating_add(1) }
    }

    /// Its key.
    pub fn key(self) -> Key {
        Key::Object(self)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.key(), f)
    }
}

/// The key of an object in the bucket, below its root.
///
/// ```
/// use understudy::ledger::{Dir, Key, Place, Term, WriterId};
/// let place = Place { dir: Dir { term: Term(1), writer: WriterId(7) }, n: 2001 };
/// let text = "log/1-00000000000000000000000000000007/00000002/0000000000002001.pack";
/// assert_eq!(place.key().to_string(), text);
/// assert_eq!(text.parse(), Ok(Key::Object(place)));
/// assert!("log/../head.json".parse::<Key>().is_err());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Key {
    /// `cluster.json`: which cluster this is.
    Cluster,
    /// `log/{dir}/{n/1000:08}/{n:016}.pack`: a pack or a seal.
    Object(Place),
    /// `blob/{h[0..2]}/{h}`: bytes named by their hash.
    Blob(Sum),
    /// `clean/{k:08}.json`: a boundary record.
    Clean(u64),
    /// `snapshots/{n:016}.json`: the manifest of the state after object `n`.
    Snapshot(u64),
    /// `index/{k:08}.json`: where the objects `256 k ...` lie.
    Index(u64),
    /// `nodes/{i:04}.json`: an instance's registration.
    Node(u32),
    /// `nodes/{i:04}/{k:08}.journal`: what an instance did.
    Journal {
        /// The instance.
        node: u32,
        /// 0, 1, 2 ...
        k: u64,
    },
    /// `requests/{k:08}.json`: an operator's wish.
    Request(u64),
    /// `divergent/{dir}/{k:08}.json`: what a writer had that the history does not contain.
    Divergent {
        /// The term's directory.
        dir: Dir,
        /// 0, 1, 2 ...
        k: u64,
    },
    /// `head.json`: a hint where the log ends.
    Head,
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cluster => f.write_str("cluster.json"),
            Self::Object(Place { dir, n }) => {
                write!(f, "log/{dir}/{:08}/{n:016}.pack", n / NUMBERS_PER_FOLDER)
            }
            Self::Blob(sum) => {
                let first = sum.0.first().copied().unwrap_or_default();
                write!(f, "blob/{first:02x}/{sum}")
            }
            Self::Clean(k) => write!(f, "clean/{k:08}.json"),
            Self::Snapshot(n) => write!(f, "snapshots/{n:016}.json"),
            Self::Index(k) => write!(f, "index/{k:08}.json"),
            Self::Node(i) => write!(f, "nodes/{i:04}.json"),
            Self::Journal { node, k } => write!(f, "nodes/{node:04}/{k:08}.journal"),
            Self::Request(k) => write!(f, "requests/{k:08}.json"),
            Self::Divergent { dir, k } => write!(f, "divergent/{dir}/{k:08}.json"),
            Self::Head => f.write_str("head.json"),
        }
    }
}

impl FromStr for Key {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let wrong = || ParseError::new("a key of the bucket", text);
        let key = match text {
            "cluster.json" => Self::Cluster,
            "head.json" => Self::Head,
            _ => {
                let (folder, rest) = text.split_once('/').ok_or_else(wrong)?;
                in_folder(folder, rest).ok_or_else(wrong)?
            }
        };
        // One text for each key: what another spelling would mean is nobody's guess.
        if key.to_string() == text { Ok(key) } else { Err(wrong()) }
    }
}

fn in_folder(folder: &str, rest: &str) -> Option<Key> {
    match folder {
        "log" => {
            let (dir, rest) = rest.split_once('/')?;
            let (_, name) = rest.split_once('/')?;
            let n = number(name.strip_suffix(".pack")?, 16)?;
            Some(Key::Object(Place { dir: dir.parse().ok()?, n }))
        }
        "blob" => Some(Key::Blob(rest.split_once('/')?.1.parse().ok()?)),
        "clean" => numbered(rest, 8).map(Key::Clean),
        "snapshots" => numbered(rest, 16).map(Key::Snapshot),
        "index" => numbered(rest, 8).map(Key::Index),
        "requests" => numbered(rest, 8).map(Key::Request),
        "divergent" => {
            let (dir, name) = rest.split_once('/')?;
            Some(Key::Divergent { dir: dir.parse().ok()?, k: numbered(name, 8)? })
        }
        "nodes" => match rest.split_once('/') {
            None => Some(Key::Node(u32::try_from(numbered(rest, 4)?).ok()?)),
            Some((node, name)) => Some(Key::Journal {
                node: u32::try_from(number(node, 4)?).ok()?,
                k: number(name.strip_suffix(".journal")?, 8)?,
            }),
        },
        _ => None,
    }
}

fn numbered(name: &str, width: usize) -> Option<u64> {
    number(name.strip_suffix(".json")?, width)
}

fn number(text: &str, width: usize) -> Option<u64> {
    decimal(text, width).filter(|n| *n < NUMBER_END)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::{Term, WriterId};

    #[test]
    fn every_key_reads_back_from_its_text() {
        let dir = Dir { term: Term(2), writer: WriterId(u128::MAX) };
        let keys = [
            Key::Cluster,
            Key::Object(Place { dir, n: 0 }),
            Key::Object(Place { dir, n: NUMBER_END - 1 }),
            Key::Blob(Sum::of(b"")),
            Key::Clean(3),
            Key::Clean(1_234_567_890),
            Key::Snapshot(17),
            Key::Index(4),
            Key::Node(5),
            Key::Journal { node: 12_345, k: 6 },
            Key::Request(7),
            Key::Divergent { dir, k: 8 },
            Key::Head,
        ];
        for key in keys {
            assert_eq!(key.to_string().parse(), Ok(key), "{key}");
        }
        assert_eq!(Key::Node(5).to_string(), "nodes/0005.json");
        assert_eq!(Key::Journal { node: 5, k: 6 }.to_string(), "nodes/0005/00000006.journal");
    }

    #[test]
    fn other_spellings_and_hostile_texts_are_refused() {
        let dir = "1-00000000000000000000000000000007";
        for wrong in [
            "".to_owned(),
            "/".to_owned(),
            "Cluster.json".to_owned(),
            "clean/1.json".to_owned(),
            "clean/000000001.json".to_owned(),
            "clean/00000001.json/".to_owned(),
            "clean/../00000001.json".to_owned(),
            "nodes/0001/../00000001.journal".to_owned(),
            format!("log/{dir}/00000001/0000000000000001.pack"),
            format!("log/{dir}/00000000/0000000000000001.seal"),
            format!("log/{dir}/00000000/9223372036854775808.pack"),
            format!("log/{dir}/0000000000000001.pack"),
            format!("blob/ff/{}", "0".repeat(64)),
            "é".repeat(40),
        ] {
            assert!(wrong.parse::<Key>().is_err(), "{wrong}");
        }
    }
}
