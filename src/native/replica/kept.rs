//! What a replica remembers between two runs, beside the tables themselves.

use crate::ledger::{ClusterId, Dir, Document, Place, Point, Span, Sum};
use crate::native::outcome::Exit;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The version of both documents.
const FORMAT: u32 = 1;

/// Which instance of which cluster the directory is: `understudy/node.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct KeptNode {
    format: u32,
    /// The cluster.
    pub(super) cluster: ClusterId,
    /// The instance's number.
    pub(super) node: u32,
    /// Its name.
    pub(super) name: String,
}

/// How far the directory is: `understudy/place.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct KeptPlace {
    format: u32,
    cluster: ClusterId,
    /// All objects before this number are applied, or not needed any more.
    n: u64,
    /// The directory of the log in which it is read.
    directory: Dir,
    /// The hash of the object before.
    before: Sum,
    terms: Vec<Span>,
    /// Tables of which there is something to remember, by directory.
    pub(super) tables: BTreeMap<String, KeptTable>,
}

/// What is to be remembered of a table.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct KeptTable {
    /// The copy that it was last taken from, or is being taken from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) base: Option<KeptBase>,
    /// It was dropped by the object of this number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) dropped: Option<u64>,
    /// Why nothing more of it is taken until a copy comes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) stopped: Option<Stopped>,
}

/// A copy of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct KeptBase {
    /// The object that named it, or the snapshot's number.
    pub(super) n: u64,
    /// The blob that lists its files.
    pub(super) sum: Sum,
    /// Whether all of it is there.
    pub(super) done: bool,
}

/// Why a table doesn't go on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stopped {
    /// What the command exits with because of it.
    pub exit: Exit,
    /// What is wrong, and what to do.
    pub text: String,
}

impl KeptNode {
    pub(super) fn new(cluster: ClusterId, node: u32, name: &str) -> Self {
        Self { format: FORMAT, cluster, node, name: name.to_owned() }
    }
}

impl KeptPlace {
    pub(super) fn new(point: &Point, tables: BTreeMap<String, KeptTable>) -> Self {
        Self {
            format: FORMAT,
            cluster: point.cluster,
            n: point.next.n,
            directory: point.next.dir,
            before: point.before,
            terms: point.terms.clone(),
            tables,
        }
    }

    /// Where the log goes on.
    pub(super) fn point(&self) -> Point {
        Point {
            cluster: self.cluster,
            next: Place { dir: self.directory, n: self.n },
            before: self.before,
            terms: self.terms.clone(),
        }
    }
}

impl KeptTable {
    /// Whether there is nothing to remember.
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Document for KeptNode {
    const BYTES_MAX: u64 = 64 << 10;

    fn format(&self) -> u32 {
        self.format
    }
}

impl Document for KeptPlace {
    const BYTES_MAX: u64 = 256 << 20;

    fn format(&self) -> u32 {
        self.format
    }
}
