//! One writer at a time: the lock that QuestDB itself holds while it runs.
//!
//! QuestDB takes `flock(LOCK_EX | LOCK_NB)` on `tables.d.lock` when it starts, gives up starting if it
//! can't, and holds it until its process ends. The file is left behind, so that finding it says nothing:
//! only the lock does. Locks on a table (`DIR.lock` beside the directory `DIR`) are another matter and never
//! taken by us: a running server suspends a table whose lock it doesn't get. See `docs/replica-directory.md`.

use cap_std::ambient_authority;
use cap_std::fs::{Dir, OpenOptions};
use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

/// The file, in the directory of the tables, that the lock is on.
const FILE: &str = "tables.d.lock";

/// The right to write below a directory of tables, until it is dropped or the process ends.
///
/// ```
/// # use understudy::native::store::lock::{DirectoryLock, Held};
/// # let db = tempfile::tempdir().unwrap();
/// let lock = DirectoryLock::take(db.path()).unwrap();
/// assert!(matches!(DirectoryLock::take(db.path()), Err(Held::Running { .. })));
/// drop(lock);
/// assert!(DirectoryLock::take(db.path()).is_ok());
/// ```
#[derive(Debug)]
pub struct DirectoryLock {
    /// Open as long as the lock is held. It isn't passed on to processes that we start.
    _file: File,
}

impl DirectoryLock {
    /// Takes the lock of `dir`, the directory that holds `tables.d.N` and the tables' directories. Never waits.
    ///
    /// # Errors
    /// [`Held`] if another process has it, or if this can't be found out.
    pub fn take(dir: &Path) -> Result<Self, Held> {
        let unknown = |error| Held::Unknown { dir: dir.to_owned(), error };
        let file = open(dir).map_err(unknown)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(Held::Running { dir: dir.to_owned() }),
            Err(TryLockError::Error(error)) => Err(unknown(error)),
        }
    }
}

/// Why a directory can't be written to.
#[derive(Debug, thiserror::Error)]
pub enum Held {
    /// Another process writes there.
    #[error("{} is open in a running QuestDB or Understudy", dir.display())]
    Running {
        /// The directory as it was given.
        dir: PathBuf,
    },
    /// The lock can't be tried: no such directory, not writable, a file system without locks.
    #[error("{}: can't lock {FILE}: {error}", dir.display())]
    Unknown {
        /// The directory as it was given.
        dir: PathBuf,
        /// What the operating system says.
        error: io::Error,
    },
}

/// The lock's file, created if it isn't there, its content left alone; never one outside of the directory.
fn open(dir: &Path) -> io::Result<File> {
    let dir = Dir::open_ambient_dir(dir, ambient_authority())?;
    let mut how = OpenOptions::new();
    how.read(true).write(true).create(true).truncate(false);
    Ok(dir.open_with(FILE, &how)?.into_std())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn is_held_until_dropped() {
        let db = tempfile::tempdir().unwrap();
        fs::write(db.path().join(FILE), b"left by another").unwrap();
        let lock = DirectoryLock::take(db.path()).unwrap();
        let refused = DirectoryLock::take(db.path()).unwrap_err();
        assert!(matches!(&refused, Held::Running { dir } if dir == db.path()));
        assert!(refused.to_string().ends_with("is open in a running QuestDB or Understudy"));
        drop(lock);
        assert!(DirectoryLock::take(db.path()).is_ok());
        assert_eq!(fs::read(db.path().join(FILE)).unwrap(), b"left by another");
    }

    #[test]
    fn names_what_stands_in_its_way() {
        let db = tempfile::tempdir().unwrap();
        let absent = DirectoryLock::take(&db.path().join("absent")).unwrap_err();
        assert!(matches!(absent, Held::Unknown { error, .. } if error.kind() == io::ErrorKind::NotFound));
        fs::create_dir(db.path().join(FILE)).unwrap();
        assert!(matches!(DirectoryLock::take(db.path()), Err(Held::Unknown { .. })));
    }

    #[cfg(unix)]
    #[test]
    fn never_leaves_the_directory() {
        let db = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::NamedTempFile::new().unwrap();
        std::os::unix::fs::symlink(elsewhere.path(), db.path().join(FILE)).unwrap();
        assert!(matches!(DirectoryLock::take(db.path()), Err(Held::Unknown { .. })));
    }
}
