//! A replica's directory: a QuestDB root (`db`, `conf`), and what we remember in `understudy`.

use super::kept::{KeptNode, KeptPlace};
use crate::ledger::{ClusterId, Document, Point};
use crate::native::outcome::{Exit, Failure, Result};
use crate::native::store::lock::{DirectoryLock, Held};
use crate::native::whole_file;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

const NODE: &str = "node.json";
const PLACE: &str = "place.json";

/// The directory, locked.
#[derive(Debug)]
pub(super) struct Home {
    state: PathBuf,
    db: PathBuf,
    _lock: DirectoryLock,
}

impl Home {
    /// Takes a directory, made where there is none.
    pub(super) fn open(dir: &Path, verb: &str) -> Result<Self> {
        let failed = |path: &Path, error: std::io::Error| {
            Failure::failed(format!("{}: {error}", path.display()))
                .advise("the directory must be writable by the user who runs this")
        };
        let (db, conf, state) = (dir.join("db"), dir.join("conf"), dir.join("understudy"));
        for path in [&db, &conf, &state] {
            fs::create_dir_all(path).map_err(|error| failed(path, error))?;
        }
        let config = conf.join("server.conf");
        if !config.exists() {
            fs::write(&config, "").map_err(|error| failed(&config, error))?;
        }
        let lock = DirectoryLock::take_for(&db, verb).map_err(|held| refused(&held, dir))?;
        Ok(Self { state, db, _lock: lock })
    }

    /// The directory of the tables.
    pub(super) fn db(&self) -> &Path {
        &self.db
    }

    /// Which instance this is; `None` of a new directory.
    pub(super) fn node(&self) -> Result<Option<KeptNode>> {
        self.read(NODE)
    }

    /// How far it is; `None` of one that has never applied anything.
    pub(super) fn place(&self) -> Result<Option<KeptPlace>> {
        self.read(PLACE)
    }

    pub(super) fn write_node(&self, node: &KeptNode) -> Result<()> {
        self.write(NODE, node, true)
    }

    /// `sync`: before the next thing is done, this survives a loss of power.
    pub(super) fn write_place(&self, place: &KeptPlace, sync: bool) -> Result<()> {
        self.write(PLACE, place, sync)
    }

    fn read<T: Document>(&self, name: &str) -> Result<Option<T>> {
        let path = self.state.join(name);
        let failed = |text: String| {
            let advice =
                "what it remembers can't be read: move the directory away and begin with an empty one";
            Failure::new(Exit::Damaged, format!("{}: {text}", path.display())).advise(advice)
        };
        let len = match fs::metadata(&path) {
            Ok(metadata) => metadata.len(),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error.to_string())),
        };
        if len > T::BYTES_MAX {
            return Err(failed(format!("{len} bytes are more than it can have")));
        }
        let bytes = fs::read(&path).map_err(|error| failed(error.to_string()))?;
        T::read(name, &bytes).map(Some).map_err(|error| failed(error.to_string()))
    }

    /// Whole or not at all.
    fn write<T: Document>(&self, name: &str, value: &T, sync: bool) -> Result<()> {
        let path = self.state.join(name);
        let failed = |error: &dyn std::fmt::Display| {
            Failure::failed(format!("{}: {error}", path.display())).advise("is the disk full?")
        };
        let bytes = value.to_bytes().map_err(|error| failed(&error))?;
        whole_file::replace(&path, &bytes, sync).map_err(|error| failed(&error))
    }
}

/// Makes a directory that a primary wrote one that a replica goes on with: all before `point` is in its tables. Without a point
/// there are none.
///
/// # Errors
/// A directory that another program has open, and what writing answers.
pub fn take_over(
    dir: &Path,
    verb: &str,
    (cluster, node, name): (ClusterId, u32, &str),
    point: Option<&Point>,
) -> Result<()> {
    let home = Home::open(dir, verb)?;
    home.write_node(&KeptNode::new(cluster, node, name))?;
    match point {
        Some(point) => home.write_place(&KeptPlace::new(point, Default::default()), true),
        None => match fs::remove_file(home.state.join(PLACE)) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(Failure::failed(format!("{}: {error}", home.state.join(PLACE).display())))
            }
            _ => Ok(()),
        },
    }
}

/// What a directory remembers: the cluster, the instance's number, and behind which point all is applied.
///
/// # Errors
/// What can't be read.
pub fn remembered(dir: &Path, verb: &str) -> Result<Option<(ClusterId, u32, Option<Point>)>> {
    let home = Home::open(dir, verb)?;
    let place = home.place()?.map(|place| place.point());
    Ok(home.node()?.map(|node| (node.cluster, node.node, place)))
}

fn refused(held: &Held, dir: &Path) -> Failure {
    let failure = Failure::failed(held.to_string());
    match held {
        Held::Running { .. } => failure.advise(format!(
            "one program at a time writes to a directory: stop that one, or give another directory than {}",
            dir.display()
        )),
        Held::Unknown { .. } => failure,
    }
}
