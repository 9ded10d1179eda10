//! The log's JSON objects: small, versioned, bounded, with a checksum. Unknown fields are ignored, so that later versions may add some.

use super::check;
use super::error::at_most;
use super::{ClusterId, Dir, Error, Place, Result, Sum, WriterId};
use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The version of all JSON objects.
pub(super) const FORMAT: u32 = 1;

/// An object of the bucket in JSON.
pub trait Document: Serialize + DeserializeOwned {
    /// The longest that is read or written, in bytes.
    const BYTES_MAX: u64;

    /// The version that it says to have.
    fn format(&self) -> u32;

    /// What `serde` does not see: what is wrong with the values, if anything.
    fn fault(&self) -> Option<&'static str> {
        None
    }

    /// Its bytes. The same value always has the same ones: what is put again is the same object (rule W3).
    ///
    /// # Errors
    /// [`Error::TooLarge`] past the limit, [`Error::Damaged`] if the values contradict each other.
    fn to_bytes(&self) -> Result<Bytes> {
        let name = std::any::type_name::<Self>();
        let mut bytes =
            serde_json::to_vec(self).map_err(|error| Error::damaged(name, 0, "a value for JSON", error))?;
        check::add(&mut bytes);
        at_most(name, "its length", bytes.len() as u64, Self::BYTES_MAX)?;
        match self.fault() {
            None => Ok(bytes.into()),
            Some(fault) => Err(Error::damaged(name, 0, "values that fit together", fault)),
        }
    }

    /// Reads the object `key`.
    ///
    /// # Errors
    /// [`Error::Damaged`], [`Error::TooLarge`], or [`Error::Unsupported`] of a later version.
    fn read(key: impl std::fmt::Display, bytes: &[u8]) -> Result<Self> {
        at_most(&key, "its length", bytes.len() as u64, Self::BYTES_MAX)?;
        match serde_json::from_slice::<Self>(bytes) {
            Ok(value) if value.format() == FORMAT && !check::holds(bytes) => {
                Err(Error::damaged(key, 0, "the checksum of its bytes", "another one"))
            }
            Ok(value) if value.format() == FORMAT => match value.fault() {
                None => Ok(value),
                Some(fault) => Err(Error::damaged(key, 0, "values that fit together", fault)),
            },
            Ok(value) => Err(later(key, value.format())),
            Err(error) => match serde_json::from_slice::<Version>(bytes) {
                Ok(Version { format }) if format != FORMAT => Err(later(key, format)),
                _ => Err(Error::damaged(key, offset(bytes, &error), "the object's JSON", error)),
            },
        }
    }
}

fn later(key: impl std::fmt::Display, format: u32) -> Error {
    Error::unsupported(key, 0, format_args!("format {format}, only {FORMAT} is known"))
}

/// Where in the bytes the parser stopped.
fn offset(bytes: &[u8], error: &serde_json::Error) -> u64 {
    let before = bytes.split_inclusive(|byte| *byte == b'\n').take(error.line().saturating_sub(1));
    (before.map(<[u8]>::len).sum::<usize>() + error.column().saturating_sub(1)) as u64
}

#[derive(Deserialize)]
struct Version {
    format: u32,
}

macro_rules! as_text {
    ($($name:ident),*) => {$(
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}

as_text!(ClusterId, WriterId, Dir, Sum);

macro_rules! document {
    ($name:ident, $most:expr) => {
        impl Document for $name {
            const BYTES_MAX: u64 = $most;

            fn format(&self) -> u32 {
                self.format
            }
        }
    };
    ($name:ident, $most:expr, $fault:expr) => {
        impl Document for $name {
            const BYTES_MAX: u64 = $most;

            fn format(&self) -> u32 {
                self.format
            }

            fn fault(&self) -> Option<&'static str> {
                let fault: fn(&Self) -> Option<&'static str> = $fault;
                fault(self)
            }
        }
    };
}

/// `cluster.json`: put once, never changed. It acts as the seal before number 0.
///
/// ```
/// use understudy::ledger::{Cluster, ClusterId, Dir, Document, Key, Term, WriterId};
/// let cluster = Cluster::new(ClusterId(1), Dir { term: Term(1), writer: WriterId(2) });
/// let bytes = cluster.to_bytes()?;
/// assert_eq!(Cluster::read(Key::Cluster, &bytes)?, cluster);
/// # Ok::<(), understudy::ledger::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Cluster {
    /// The version, 1.
    pub format: u32,
    /// The cluster.
    pub cluster: ClusterId,
    /// The directory in which the history begins.
    pub directory: Dir,
    /// Its first number, 0.
    pub first: u64,
    /// The history that this one was restored from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<Parent>,
}

/// Where a restored cluster comes from.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Parent {
    /// The cluster of which this is a copy.
    pub cluster: ClusterId,
    /// The directory of the last object of it that counts.
    pub directory: Dir,
    /// That object's number.
    pub n: u64,
    /// That object's hash.
    pub sum: Sum,
    /// What the new history begins with: the blobs of a base snapshot, as in [`Manifest::parts`].
    pub parts: Vec<Part>,
}

impl Cluster {
    /// A new cluster whose history begins in this directory.
    pub fn new(cluster: ClusterId, directory: Dir) -> Self {
        Self { format: FORMAT, cluster, directory, first: 0, parent: None }
    }
}

document!(Cluster, 16 << 20, |this| (this.first != 0).then_some("a history that doesn't begin at 0"));

/// A boundary record, `clean/{k}.json`: what may be gone, and what stands for it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Boundary {
    /// The version, 1.
    pub format: u32,
    /// The cluster.
    pub cluster: ClusterId,
    /// All packs with lower numbers may be gone.
    pub boundary: u64,
    /// The snapshot that stands for them.
    pub snapshot: u64,
}

impl Boundary {
    /// A record that lets go of all numbers below `boundary`.
    pub fn new(cluster: ClusterId, boundary: u64, snapshot: u64) -> Self {
        Self { format: FORMAT, cluster, boundary, snapshot }
    }
}

document!(Boundary, 4096);

/// The time of one term in the history.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Span {
    /// The term's directory.
    pub directory: Dir,
    /// Its first number.
    pub first: u64,
    /// The number of its seal, if it has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seal: Option<u64>,
}

/// A table in a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Part {
    /// The directory of the table whose [`Base`](super::Base) it is.
    pub name: String,
    /// The blob.
    pub sum: Sum,
    /// Its length in bytes.
    pub bytes: u64,
}

/// A snapshot's manifest, `snapshots/{n}.json`: the state after the history's object `n` (rules S1, S2).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Manifest {
    /// The version, 1.
    pub format: u32,
    /// The cluster.
    pub cluster: ClusterId,
    /// The last object that the snapshot contains.
    pub n: u64,
    /// The directory of that object.
    pub directory: Dir,
    /// That object's hash.
    pub sum: Sum,
    /// The directory in which object `n + 1` is to be read.
    pub next: Dir,
    /// The newest boundary record seen when it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boundary: Option<u64>,
    /// All terms up to `next`, in order: which number lies where.
    pub terms: Vec<Span>,
    /// What it consists of.
    pub parts: Vec<Part>,
    /// All requests with lower numbers are answered by objects up to `n`.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub requests: u64,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Manifest {
    /// The version to write.
    pub(super) const FORMAT: u32 = FORMAT;

    /// Where a reader goes on that has loaded the snapshot.
    pub fn place(&self) -> Place {
        Place { dir: self.next, n: self.n.saturating_add(1) }
    }

    fn fault(&self) -> Option<&'static str> {
        if self.terms.last().map(|span| span.directory) != Some(self.next) {
            return Some("the last term is not the one to be read next");
        }
        let ordered = self.terms.windows(2).all(|pair| match pair {
            [this, next] => {
                this.seal.is_some_and(|seal| seal >= this.first && seal.checked_add(1) == Some(next.first))
                    && this.directory.term.next() == Some(next.directory.term)
            }
            _ => true,
        });
        let begins = self.terms.first().is_some_and(|span| span.first == 0);
        let open = self.terms.last().is_some_and(|span| span.seal.is_none() && span.first <= self.place().n);
        if !ordered || !begins || !open {
            return Some("terms that don't follow each other");
        }
        let holds_last = self.terms.iter().rfind(|span| span.first <= self.n);
        let lies_there = holds_last.is_some_and(|span| span.directory == self.directory);
        (!lies_there).then_some("the last object is not in the directory of its number")
    }
}

document!(Manifest, 64 << 20, Manifest::fault);

/// Numbers in one block of the index.
pub const INDEX_NUMBERS: u64 = 256;

/// A block of the index, `index/{k}.json`: where the objects `256 k` to `256 k + 255` lie. A hint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexBlock {
    /// The version, 1.
    pub format: u32,
    /// The cluster.
    pub cluster: ClusterId,
    /// Which block.
    pub k: u64,
    /// One for each number, in order, confirmed ones only.
    pub objects: Vec<IndexEntry>,
    /// The newest snapshot known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<u64>,
}

/// What the index says about an object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexEntry {
    /// The directory in which it lies.
    pub directory: Dir,
    /// Commit time by its writer's clock, in microseconds since 1970.
    pub committed_us: i64,
    /// Its length in bytes.
    pub bytes: u64,
    /// Directories of the tables in it.
    pub tables: Vec<String>,
}

document!(IndexBlock, 16 << 20, |this| {
    (this.objects.len() as u64 > INDEX_NUMBERS).then_some("more than 256 numbers in a block")
});

/// `head.json`: where the log ended lately. A hint, the one object that is written again and again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeadHint {
    /// The version, 1.
    pub format: u32,
    /// The cluster.
    pub cluster: ClusterId,
    /// The newest confirmed object's directory.
    pub directory: Dir,
    /// Its number.
    pub n: u64,
    /// The newest boundary record known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boundary: Option<u64>,
    /// The newest snapshot known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<u64>,
}

document!(HeadHint, 4096);

/// `nodes/{i}.json`: an instance says that it exists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// The version, 1.
    pub format: u32,
    /// The cluster.
    pub cluster: ClusterId,
    /// The instance's name.
    pub name: String,
    /// What it is, e.g. `shipper`, `replica`.
    pub kind: String,
}

impl Node {
    /// An instance.
    pub fn new(cluster: ClusterId, name: &str, kind: &str) -> Self {
        Self { format: FORMAT, cluster, name: name.to_owned(), kind: kind.to_owned() }
    }
}

document!(Node, 4096);

/// `divergent/{dir}/{k}.json`: what a writer had committed that the history does not contain, since another process
/// continued it. The rows are in the writer's own database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Divergent {
    /// The version, 1.
    pub format: u32,
    /// The cluster.
    pub cluster: ClusterId,
    /// The writer's directory.
    pub directory: Dir,
    /// The number at which it was sealed.
    pub n: u64,
    /// The instance's name.
    pub name: String,
    /// Where its database is.
    pub database: String,
    /// When this was written, by its clock, microseconds since 1970.
    pub written_us: i64,
    /// What is not in the history, by table.
    pub tables: Vec<DivergentTable>,
}

/// Transactions of a table that the history does not contain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DivergentTable {
    /// The table's directory.
    pub directory: String,
    /// Its name.
    pub name: String,
    /// The first one's `seqTxn`.
    pub first: u64,
    /// The last one's, when this was written.
    pub last: u64,
    /// Rows in them, if they could be counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    /// When the first and the last one were committed, microseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub committed_us: Option<(i64, i64)>,
}

impl Divergent {
    /// A report.
    pub fn new(
        cluster: ClusterId,
        sealed: Place,
        name: &str,
        database: &str,
        written_us: i64,
        tables: Vec<DivergentTable>,
    ) -> Self {
        let (name, database) = (name.to_owned(), database.to_owned());
        Self {
            format: FORMAT,
            cluster,
            directory: sealed.dir,
            n: sealed.n,
            name,
            database,
            written_us,
            tables,
        }
    }
}

document!(Divergent, 16 << 20);

#[cfg(test)]
#[path = "json_tests.rs"]
mod tests;
