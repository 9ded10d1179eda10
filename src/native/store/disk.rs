//! All that the store asks of a file system, so that tests can see, fail or tear every operation.

use crate::native::disk::{check, convert};
use crate::wal::{Error, Files, Result};
use bytes::Bytes;
use cap_std::ambient_authority;
use cap_std::fs::{Dir, File, FileExt, OpenOptions};
use std::fmt::Debug;
use std::io;
use std::path::{Path, PathBuf};

/// A directory in which the store keeps a database. Paths are relative to it, `/` between components.
///
/// Nothing goes through a memory map, and nothing is written outside of the directory.
pub trait Disk: Debug + Send + Sync {
    /// Opens a file.
    ///
    /// # Errors
    /// [`Error::Absent`] when it must exist and doesn't; otherwise [`Error::Io`].
    fn open(&self, path: &str, how: Open) -> Result<Box<dyn DiskFile>>;
    /// The length of a file; `None` where there is none.
    ///
    /// # Errors
    /// [`Error::Io`].
    fn len(&self, path: &str) -> Result<Option<u64>>;
    /// When a file's content last changed, in microseconds UTC; `None` where that is not known.
    ///
    /// # Errors
    /// [`Error::Io`].
    fn modified(&self, path: &str) -> Result<Option<i64>> {
        let _ = path;
        Ok(None)
    }
    /// The names in a folder, sorted; `None` where there is none.
    ///
    /// # Errors
    /// [`Error::Io`].
    fn list(&self, dir: &str) -> Result<Option<Vec<String>>>;
    /// Makes a folder and those above it.
    ///
    /// # Errors
    /// [`Error::Io`].
    fn create_dir(&self, dir: &str) -> Result<()>;
    /// Moves a file in one step, over another one if there is one.
    ///
    /// # Errors
    /// [`Error::Io`].
    fn rename(&self, from: &str, to: &str) -> Result<()>;
    /// Has two folders side by side change their names, in one step.
    ///
    /// # Errors
    /// [`Error::Unsupported`] where the system can't; [`Error::Io`].
    fn exchange(&self, dir: &str, one: &str, other: &str) -> Result<()>;
    /// Gives a file a second name; one that exists already is replaced.
    ///
    /// # Errors
    /// [`Error::Io`].
    fn link(&self, from: &str, to: &str) -> Result<()>;
    /// Removes a file; nothing happens where there is none.
    ///
    /// # Errors
    /// [`Error::Io`].
    fn remove(&self, path: &str) -> Result<()>;
    /// Removes a folder with all that is in it; nothing happens where there is none.
    ///
    /// # Errors
    /// [`Error::Io`].
    fn remove_dir(&self, dir: &str) -> Result<()>;
    /// Has a folder's names survive a loss of power.
    ///
    /// # Errors
    /// [`Error::Io`].
    fn sync_dir(&self, dir: &str) -> Result<()>;
}

/// An open file of a [`Disk`].
#[expect(clippy::len_without_is_empty, reason = "nobody asks whether a file is empty")]
pub trait DiskFile: Debug + Send + Sync {
    /// Fills as much of `into` as the file has from `offset` on; answers how much that is.
    ///
    /// # Errors
    /// [`Error::Io`].
    fn read_at(&self, offset: u64, into: &mut [u8]) -> Result<usize>;
    /// Writes all bytes; the file grows as needed.
    ///
    /// # Errors
    /// [`Error::Io`].
    fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<()>;
    /// Has the content survive a loss of power.
    ///
    /// # Errors
    /// [`Error::Io`].
    fn sync(&self) -> Result<()>;
    /// Length now.
    ///
    /// # Errors
    /// [`Error::Io`].
    fn len(&self) -> Result<u64>;
    /// Cuts or extends the file.
    ///
    /// # Errors
    /// [`Error::Io`].
    fn set_len(&self, len: u64) -> Result<()>;
}

/// How a file is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Open {
    /// To read; it must exist.
    Read,
    /// To read and write; made where there is none.
    Write,
    /// To write; emptied where there is one.
    New,
}

impl dyn DiskFile + '_ {
    /// Fills `into`.
    ///
    /// # Errors
    /// [`Error::Short`] where the file ends before; what reading answers.
    pub fn read_exact_at(&self, path: &str, offset: u64, into: &mut [u8]) -> Result<()> {
        let got = self.read_at(offset, into)?;
        if got < into.len() {
            let wanted = offset.saturating_add(into.len() as u64);
            return Err(Error::Short { file: path.into(), len: offset + got as u64, wanted });
        }
        Ok(())
    }
}

/// A directory of this machine.
#[derive(Debug)]
pub struct RealDisk {
    root: PathBuf,
    dir: Dir,
}

impl RealDisk {
    /// Opens the directory, which must exist.
    ///
    /// # Errors
    /// Those of the operating system.
    pub fn open(root: impl AsRef<Path>) -> io::Result<Self> {
        let root = root.as_ref().to_path_buf();
        let dir = Dir::open_ambient_dir(&root, ambient_authority())?;
        Ok(Self { root, dir })
    }

    /// The directory as it was given.
    pub fn root(&self) -> &Path {
        &self.root
    }

    fn run<T>(&self, path: &str, work: impl FnOnce(&Dir) -> io::Result<T>) -> Result<T> {
        check(path)?;
        work(&self.dir).map_err(|error| convert(path, &error))
    }
}

fn cannot_exchange(dir: &str) -> Error {
    Error::Unsupported { file: dir.into(), offset: 0, what: "exchanging two folders in one step".into() }
}

/// Nothing there is no failure.
fn or_absent<T>(result: Result<T>) -> Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(Error::Absent { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

impl Disk for RealDisk {
    fn open(&self, path: &str, how: Open) -> Result<Box<dyn DiskFile>> {
        let mut options = OpenOptions::new();
        options.read(true);
        match how {
            Open::Read => {}
            Open::Write => {
                options.write(true).create(true);
            }
            Open::New => {
                options.write(true).create(true).truncate(true);
            }
        }
        let file = self.run(path, |dir| dir.open_with(path, &options))?;
        Ok(Box::new(RealFile { file, path: path.into() }))
    }

    fn len(&self, path: &str) -> Result<Option<u64>> {
        or_absent(self.run(path, |dir| Ok(dir.metadata(path)?.len())))
    }

    fn modified(&self, path: &str) -> Result<Option<i64>> {
        let modified = or_absent(self.run(path, |dir| dir.metadata(path)?.modified()))?;
        let since = modified.and_then(|at| at.into_std().duration_since(std::time::UNIX_EPOCH).ok());
        Ok(since.and_then(|since| i64::try_from(since.as_micros()).ok()))
    }

    fn list(&self, dir: &str) -> Result<Option<Vec<String>>> {
        let list = |entries: io::Result<cap_std::fs::ReadDir>| -> io::Result<Vec<String>> {
            let mut names = Vec::new();
            for entry in entries? {
                // A name that is not UTF-8 is none of ours.
                names.extend(entry?.file_name().into_string());
            }
            names.sort_unstable();
            Ok(names)
        };
        if dir.is_empty() {
            return list(self.dir.entries()).map(Some).map_err(|error| convert(dir, &error));
        }
        or_absent(self.run(dir, |root| list(root.read_dir(dir))))
    }

    fn create_dir(&self, dir: &str) -> Result<()> {
        self.run(dir, |root| root.create_dir_all(dir))
    }

    fn rename(&self, from: &str, to: &str) -> Result<()> {
        check(to)?;
        self.run(from, |dir| dir.rename(from, dir, to))
    }

    #[cfg(target_os = "linux")]
    fn exchange(&self, dir: &str, one: &str, other: &str) -> Result<()> {
        use rustix::fs::{RenameFlags, renameat_with};
        check(one)?;
        check(other)?;
        let parent = self.run(dir, |root| root.open_dir(dir))?;
        match renameat_with(&parent, one, &parent, other, RenameFlags::EXCHANGE) {
            Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => Err(cannot_exchange(dir)),
            other => other.map_err(|error| convert(dir, &error.into())),
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn exchange(&self, dir: &str, _: &str, _: &str) -> Result<()> {
        Err(cannot_exchange(dir))
    }

    fn link(&self, from: &str, to: &str) -> Result<()> {
        self.remove(to)?;
        self.run(from, |dir| dir.hard_link(from, dir, to))
    }

    fn remove(&self, path: &str) -> Result<()> {
        or_absent(self.run(path, |dir| dir.remove_file(path))).map(drop)
    }

    fn remove_dir(&self, dir: &str) -> Result<()> {
        or_absent(self.run(dir, |root| root.remove_dir_all(dir))).map(drop)
    }

    fn sync_dir(&self, dir: &str) -> Result<()> {
        // Handles of folders are for finding files only: to be synced it is opened as a file.
        if dir.is_empty() {
            return self.dir.open(".").and_then(|dir| dir.sync_all()).map_err(|error| convert(dir, &error));
        }
        self.run(dir, |root| root.open(dir)?.sync_all())
    }
}

#[derive(Debug)]
struct RealFile {
    file: File,
    path: Box<str>,
}

impl RealFile {
    fn failed(&self, error: &io::Error) -> Error {
        convert(&self.path, error)
    }
}

impl DiskFile for RealFile {
    fn read_at(&self, offset: u64, into: &mut [u8]) -> Result<usize> {
        let mut done = 0;
        while let Some(rest) = into.get_mut(done..).filter(|rest| !rest.is_empty()) {
            match self.file.read_at(rest, offset + done as u64) {
                Ok(0) => break,
                Ok(n) => done += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.failed(&error)),
            }
        }
        Ok(done)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<()> {
        self.file.write_all_at(bytes, offset).map_err(|error| self.failed(&error))
    }

    fn sync(&self) -> Result<()> {
        self.file.sync_data().map_err(|error| self.failed(&error))
    }

    fn len(&self) -> Result<u64> {
        Ok(self.file.metadata().map_err(|error| self.failed(&error))?.len())
    }

    fn set_len(&self, len: u64) -> Result<()> {
        self.file.set_len(len).map_err(|error| self.failed(&error))
    }
}

/// Reads a [`Disk`] as the decoders do.
#[derive(Debug, Clone, Copy)]
pub struct DiskReader<'a>(pub &'a dyn Disk);

impl Files for DiskReader<'_> {
    fn read(&self, path: &str, offset: u64, len: u64) -> Result<Bytes> {
        let file = self.0.open(path, Open::Read)?;
        let wanted = offset.saturating_add(len);
        let have = file.len()?;
        if wanted > have {
            return Err(Error::Short { file: path.into(), len: have, wanted });
        }
        let mut bytes = vec![0; len as usize];
        file.read_exact_at(path, offset, &mut bytes)?;
        Ok(bytes.into())
    }

    fn len(&self, path: &str) -> Result<u64> {
        self.0.len(path)?.ok_or_else(|| Error::Absent { file: path.into() })
    }

    fn list(&self, dir: &str) -> Result<Option<Vec<String>>> {
        match self.0.list(dir)? {
            Some(names) => Ok(Some(names)),
            None => Err(Error::Absent { file: dir.into() }),
        }
    }
}
