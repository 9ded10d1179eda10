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
/// Beside it: which of our processes holds it.
const HOLDER: &str = "_understudy.holder.json";
/// Longest such file that is read.
const HOLDER_BYTES_MAX: u64 = 4096;

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
    /// The file that says who we are.
    holder: Option<PathBuf>,
}

/// A process of ours that holds a lock.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Holder {
    /// Its number on its machine.
    pub pid: u32,
    /// The machine.
    pub host: String,
    /// What it does: the command's verb.
    pub verb: String,
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
            Ok(()) => Ok(Self { _file: file, holder: None }),
            Err(TryLockError::WouldBlock) => {
                Err(Held::Running { dir: dir.to_owned(), holder: Holder::read(dir) })
            }
            Err(TryLockError::Error(error)) => Err(unknown(error)),
        }
    }

    /// The same, and tells others who are refused that this process has it, to do `verb`.
    ///
    /// # Errors
    /// As [`take`](Self::take).
    pub fn take_for(dir: &Path, verb: &str) -> Result<Self, Held> {
        let mut lock = Self::take(dir)?;
        let holder = Holder { pid: std::process::id(), host: host(), verb: verb.to_owned() };
        let path = dir.join(HOLDER);
        // Without it, others are refused all the same.
        if serde_json::to_vec(&holder).is_ok_and(|text| std::fs::write(&path, text).is_ok()) {
            lock.holder = Some(path);
        }
        Ok(lock)
    }
}

impl Drop for DirectoryLock {
    fn drop(&mut self) {
        if let Some(path) = &self.holder {
            let _ = std::fs::remove_file(path);
        }
    }
}

impl Holder {
    /// Who said last that it holds the lock of `dir`, unless that process is known to be gone: a killed one leaves its file.
    fn read(dir: &Path) -> Option<Self> {
        let path = dir.join(HOLDER);
        let short = std::fs::metadata(&path).is_ok_and(|file| file.len() <= HOLDER_BYTES_MAX);
        let text = short.then(|| std::fs::read(&path).ok())??;
        let holder: Self = serde_json::from_slice(&text).ok()?;
        let processes = Path::new("/proc/self");
        let gone = holder.host == host()
            && processes.exists()
            && !Path::new("/proc").join(holder.pid.to_string()).exists();
        (!gone).then_some(holder)
    }
}

/// This machine's name; empty where it isn't known.
pub(crate) fn host() -> String {
    #[cfg(unix)]
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    #[cfg(not(unix))]
    let name = std::env::var("COMPUTERNAME").unwrap_or_default();
    name
}

fn shown(holder: &Option<Holder>) -> String {
    match holder {
        None => "a running QuestDB or Understudy".to_owned(),
        Some(Holder { pid, host, verb }) => format!("`understudy {verb}`, process {pid} on {host:?}"),
    }
}

/// Why a directory can't be written to.
#[derive(Debug, thiserror::Error)]
pub enum Held {
    /// Another process writes there.
    #[error("{} is open in {}", dir.display(), shown(holder))]
    Running {
        /// The directory as it was given.
        dir: PathBuf,
        /// Which process it is, if it has said so.
        holder: Option<Holder>,
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
        assert!(matches!(&refused, Held::Running { dir, holder: None } if dir == db.path()));
        assert!(refused.to_string().ends_with("is open in a running QuestDB or Understudy"));
        drop(lock);
        assert!(DirectoryLock::take(db.path()).is_ok());
        assert_eq!(fs::read(db.path().join(FILE)).unwrap(), b"left by another");
    }

    #[test]
    fn names_the_process_that_holds_it() {
        let db = tempfile::tempdir().unwrap();
        let lock = DirectoryLock::take_for(db.path(), "replica").unwrap();
        let refused = DirectoryLock::take(db.path()).unwrap_err().to_string();
        let expected = format!("`understudy replica`, process {} on", std::process::id());
        assert!(refused.contains(&expected), "{refused}");
        drop(lock);
        assert!(!db.path().join(HOLDER).exists());
        // What a killed one left is not believed.
        let gone = Holder { pid: u32::MAX, host: host(), verb: "replica".into() };
        fs::write(db.path().join(HOLDER), serde_json::to_vec(&gone).unwrap()).unwrap();
        let _lock = DirectoryLock::take(db.path()).unwrap();
        let refused = DirectoryLock::take(db.path()).unwrap_err().to_string();
        assert!(refused.ends_with("is open in a running QuestDB or Understudy"), "{refused}");
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
