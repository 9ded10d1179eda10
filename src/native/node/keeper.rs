//! What a node remembers of its role over a restart: `understudy/role.json` in its directory.

use crate::ledger::{ClusterId, Dir, Document, Place, Point, Span, Sum, WriterId};
use crate::native::outcome::{Exit, Failure, Result};
use crate::native::whole_file;
use crate::node::{Held, Kept, Role};
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

const FORMAT: u32 = 1;
const FILE: &str = "role.json";

/// Writes it down, whole or not at all.
#[derive(Debug)]
pub(super) struct Keeper {
    folder: PathBuf,
}

/// The file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Remembered {
    format: u32,
    cluster: Option<ClusterId>,
    #[serde(default)]
    founding: bool,
    #[serde(default)]
    wrote: bool,
    #[serde(default)]
    own: Vec<WriterId>,
    /// The role given while it ran, and the configured one at that time.
    given: Option<(Role, Role)>,
    /// Of a primary: what of its log is in the history.
    place: Option<RememberedPlace>,
    #[serde(default)]
    held: Held,
    /// All requests before this one are answered.
    #[serde(default)]
    requests: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct RememberedPlace {
    n: u64,
    directory: Dir,
    before: Sum,
    terms: Vec<Span>,
}

impl Document for Remembered {
    const BYTES_MAX: u64 = 256 << 20;

    fn format(&self) -> u32 {
        self.format
    }
}

impl Keeper {
    /// Of the node in this directory.
    ///
    /// # Errors
    /// When the folder can't be made.
    pub(super) fn open(dir: &Path) -> Result<Self> {
        let folder = dir.join("understudy");
        fs::create_dir_all(&folder)
            .map_err(|error| Failure::failed(format!("{}: {error}", folder.display())))?;
        Ok(Self { folder })
    }

    /// What was written last, with the first request that is not answered; nothing of a new node.
    ///
    /// # Errors
    /// When it can't be read.
    pub(super) fn read(&self) -> Result<(Kept, u64)> {
        let path = self.folder.join(FILE);
        let failed = |text: String| {
            Failure::new(Exit::Damaged, format!("{}: {text}", path.display())).advise(
                "what it remembers can't be read: move the directory away and begin with an empty one",
            )
        };
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok((Kept::default(), 0)),
            Err(error) => return Err(failed(error.to_string())),
        };
        let read = Remembered::read(FILE, &bytes).map_err(|error| failed(error.to_string()))?;
        let point = read.place.zip(read.cluster).map(|(place, cluster)| Point {
            cluster,
            next: Place { dir: place.directory, n: place.n },
            before: place.before,
            terms: place.terms,
        });
        let Remembered { cluster, founding, wrote, own, given, held, requests, .. } = read;
        Ok((Kept { cluster, founding, point, held, wrote, own, given }, requests))
    }

    /// Writes it down; it survives a loss of power.
    ///
    /// # Errors
    /// What the disk answers.
    pub(super) fn write(&self, kept: &Kept, requests: u64) -> Result<()> {
        // Of a replica its own tables tell where it is.
        let point = kept.point.as_ref().filter(|_| kept.wrote);
        let place = point.map(|point| RememberedPlace {
            n: point.next.n,
            directory: point.next.dir,
            before: point.before,
            terms: point.terms.clone(),
        });
        let remembered = Remembered {
            format: FORMAT,
            cluster: kept.cluster,
            founding: kept.founding,
            wrote: kept.wrote,
            own: kept.own.clone(),
            given: kept.given,
            place,
            held: if kept.wrote { kept.held.clone() } else { Held::new() },
            requests,
        };
        write_whole(&self.folder, FILE, &remembered)
    }

    /// Where it is.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }
}

fn write_whole(folder: &Path, name: &str, value: &Remembered) -> Result<()> {
    let path = folder.join(name);
    let failed = |error: &dyn std::fmt::Display| {
        Failure::failed(format!("{}: {error}", path.display())).advise("is the disk full?")
    };
    let bytes = value.to_bytes().map_err(|error| failed(&error))?;
    whole_file::replace(&path, &bytes, true).map_err(|error| failed(&error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::{Cluster, Term};

    #[test]
    fn what_is_written_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let keeper = Keeper::open(dir.path()).unwrap();
        assert_eq!(keeper.read().unwrap(), (Kept::default(), 0));
        let directory = Dir { term: Term(1), writer: WriterId(5) };
        let cluster = Cluster::new(ClusterId(7), directory);
        let mut kept = Kept {
            cluster: Some(ClusterId(7)),
            wrote: true,
            own: vec![WriterId(5)],
            point: Some(Point::start(&cluster)),
            held: [("t~1".into(), 4)].into(),
            given: Some((Role::Primary, Role::Replica)),
            ..Kept::default()
        };
        keeper.write(&kept, 3).unwrap();
        assert_eq!(keeper.read().unwrap(), (kept.clone(), 3));
        kept.wrote = false;
        keeper.write(&kept, 3).unwrap();
        let (read, _) = keeper.read().unwrap();
        assert_eq!((read.point, read.held), (None, Held::new()), "a replica's tables tell that");
        fs::write(dir.path().join("understudy/role.json"), "{").unwrap();
        assert_eq!(keeper.read().unwrap_err().exit, Exit::Damaged);
    }
}
