//! How people reach a node, and how it tells how it stands: files in its directory.
//!
//! `understudy promote --dir DIR` writes `understudy/promote.json`, which the node takes away and does. A file and not a
//! socket: who may write to the directory may promote its node, on every system, and the wish of somebody who typed too early
//! waits for a node that starts. `_migrate_primary`, QuestDB's own way, counts at the start.

use crate::native::outcome::{Failure, Result};
use crate::native::whole_file;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// The file by which QuestDB's replica is told to become the primary when it starts.
const MIGRATE: &str = "_migrate_primary";
const PROMOTE: &str = "promote.json";
const STATUS: &str = "node.status.json";

/// That the node shall become the primary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PromoteOrder {
    /// The primary hands over; else it is sealed, whatever it is doing.
    pub planned: bool,
}

/// How a node stands: what `understudy/node.status.json` has.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeStatus {
    /// The process.
    pub pid: u32,
    /// Its name in the cluster.
    pub name: String,
    /// As QuestDB names it.
    pub role: String,
    /// The term that it reads or writes in.
    pub term: Option<u64>,
    /// The number that it reads or writes next.
    pub next: Option<u64>,
    /// Of a primary: all objects before this one are durable. Of a replica: they are applied.
    pub confirmed: u64,
    /// Why it takes no writes; none if it takes them.
    pub refuses: Option<String>,
    /// It has all that was in the log.
    pub level: bool,
    /// How often it became primary since it runs.
    pub promotions: u64,
    /// How often another process continued its history.
    pub fenced: u64,
    /// How often it stopped taking writes by itself.
    pub self_stops: u64,
    /// When this was written, microseconds since 1970.
    pub written_us: i64,
}

/// Whether `_migrate_primary` is there.
pub(super) fn wants_migration(dir: &Path) -> bool {
    dir.join(MIGRATE).exists()
}

/// It is done.
pub(super) fn migrated(dir: &Path) {
    // That it is gone already is as good.
    let _ = fs::remove_file(dir.join(MIGRATE));
}

/// Leaves an order for the node of a directory.
///
/// # Errors
/// What writing answers.
pub fn put_promote_order(dir: &Path, order: PromoteOrder) -> Result<()> {
    write(&dir.join("understudy"), PROMOTE, &order)
}

/// Takes the order that was left, if one was.
pub(super) fn take_promote_order(folder: &Path) -> Option<PromoteOrder> {
    let path = folder.join(PROMOTE);
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return None,
        Err(error) => {
            tracing::warn!("{}: {error}", path.display());
            return None;
        }
    };
    let _ = fs::remove_file(&path);
    match serde_json::from_slice(&bytes) {
        Ok(order) => Some(order),
        Err(error) => {
            tracing::warn!("{}: {error}", path.display());
            None
        }
    }
}

/// How the node of a directory stands; `None` if it never ran.
///
/// # Errors
/// When it can't be read.
pub fn node_status(dir: &Path) -> Result<Option<NodeStatus>> {
    let path = status_file(dir);
    match fs::read(&path) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|error| Failure::failed(format!("{}: {error}", path.display()))),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Failure::failed(format!("{}: {error}", path.display()))),
    }
}

fn status_file(dir: &Path) -> PathBuf {
    dir.join("understudy").join(STATUS)
}

/// Tells how it stands. It is for people: failing changes nothing.
pub(super) fn tell(folder: &Path, status: &NodeStatus) {
    if let Err(failure) = write(folder, STATUS, status) {
        tracing::debug!("{}", failure.message);
    }
}

fn write(folder: &Path, name: &str, value: &impl Serialize) -> Result<()> {
    let path = folder.join(name);
    let failed = |error: &dyn std::fmt::Display| Failure::failed(format!("{}: {error}", path.display()));
    let bytes = serde_json::to_vec(value).map_err(|error| failed(&error))?;
    whole_file::replace(&path, &bytes, false).map_err(|error| failed(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_taken_once() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("understudy");
        fs::create_dir(&folder).unwrap();
        assert_eq!(take_promote_order(&folder), None);
        put_promote_order(dir.path(), PromoteOrder { planned: true }).unwrap();
        assert_eq!(take_promote_order(&folder), Some(PromoteOrder { planned: true }));
        assert_eq!(take_promote_order(&folder), None);
        fs::write(folder.join(PROMOTE), "?").unwrap();
        assert_eq!(take_promote_order(&folder), None);
        assert!(!folder.join(PROMOTE).exists());
    }

    #[test]
    fn a_status_is_read_back() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(node_status(dir.path()).unwrap(), None);
        fs::create_dir(dir.path().join("understudy")).unwrap();
        let status = NodeStatus { role: "replica".into(), term: Some(3), ..NodeStatus::default() };
        tell(&dir.path().join("understudy"), &status);
        assert_eq!(node_status(dir.path()).unwrap(), Some(status));
    }
}
