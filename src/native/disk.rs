//! A `db` directory on this machine.
//!
//! Another process writes these files while they are read here, so they are read by offset and never
//! mapped: a mapped file that its writer truncates would end this process.

use crate::wal::{Error, Files, Result};
use bytes::Bytes;
use cap_std::ambient_authority;
use cap_std::fs::{Dir, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// Files kept open at a time: a replay reads a few columns of a few segments in turn.
const OPEN_FILES_MAX: usize = 128;

/// [`Files`] over a directory. Nothing outside the directory is ever read: neither through `..` nor
/// through a symbolic link that leads out of it.
#[derive(Debug)]
pub struct DiskFiles {
    root: PathBuf,
    dir: Dir,
    open: Mutex<OpenFiles>,
}

impl DiskFiles {
    /// Opens the directory.
    ///
    /// # Errors
    /// Those of the operating system, e.g. when there is no such directory.
    pub fn open(root: impl AsRef<Path>) -> io::Result<Self> {
        let root = root.as_ref().to_path_buf();
        let dir = Dir::open_ambient_dir(&root, ambient_authority())?;
        Ok(Self { root, dir, open: Mutex::default() })
    }

    /// The directory as it was given.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The directory's handle, for callers that need more than [`Files`] offers.
    pub(crate) fn dir(&self) -> &Dir {
        &self.dir
    }

    /// An open handle of a regular file, from the few that are kept.
    fn file(&self, path: &str) -> Result<Arc<File>> {
        check(path)?;
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = open.get(path) {
            return Ok(file);
        }
        let file = open_file(&self.dir, path).map_err(|error| convert(path, &error))?;
        Ok(open.insert(path, file))
    }
}

impl Files for DiskFiles {
    fn read(&self, path: &str, offset: u64, len: u64) -> Result<Bytes> {
        let mut bytes = Vec::new();
        self.read_into(path, offset, len, &mut bytes)?;
        Ok(bytes.into())
    }

    fn read_into(&self, path: &str, offset: u64, len: u64, into: &mut Vec<u8>) -> Result<()> {
        let file = self.file(path)?;
        let have = file.metadata().map_err(|error| convert(path, &error))?.len();
        let wanted = offset.saturating_add(len);
        let short = |len| Error::Short { file: path.into(), len, wanted };
        if wanted > have {
            return Err(short(have));
        }
        let begun = into.len();
        let result = read_new(&file, usize::try_from(len).ok().ok_or_else(|| short(have))?, offset, into);
        result.map_err(|error| {
            into.truncate(begun);
            match error.kind() {
                // Cut between the two calls.
                ErrorKind::UnexpectedEof => self.len(path).map_or_else(|error| error, short),
                _ => convert(path, &error),
            }
        })
    }

    fn len(&self, path: &str) -> Result<u64> {
        let file = self.file(path)?;
        Ok(file.metadata().map_err(|error| convert(path, &error))?.len())
    }

    fn list(&self, dir: &str) -> Result<Option<Vec<String>>> {
        let entries = if dir.is_empty() {
            self.dir.entries()
        } else {
            check(dir)?;
            self.dir.read_dir(dir)
        };
        let mut names = Vec::new();
        for entry in entries.map_err(|error| convert(dir, &error))? {
            let entry = entry.map_err(|error| convert(dir, &error))?;
            // QuestDB writes UTF-8 names; any other can't be asked for by a path of this trait.
            if let Ok(name) = entry.file_name().into_string() {
                names.push(name);
            }
        }
        names.sort_unstable();
        Ok(Some(names))
    }
}

/// Opens a regular file. Its kind is asked for first: opening a pipe would wait for a writer.
pub(crate) fn open_file(dir: &Dir, path: &str) -> io::Result<File> {
    if dir.metadata(path)?.is_file() { dir.open(path) } else { Err(io::Error::other("not a regular file")) }
}

/// Refuses whatever is not a plain relative path.
pub(crate) fn check(path: &str) -> Result<()> {
    let plain = |part: &str| !(part.is_empty() || part == "." || part == "..");
    let forbidden = |c: char| c == '\0' || (cfg!(windows) && matches!(c, '\\' | ':'));
    if path.split('/').all(plain) && !path.contains(forbidden) {
        Ok(())
    } else {
        Err(io_error(path, "not a path inside the database directory"))
    }
}

/// The most recently used files, newest last.
#[derive(Debug, Default)]
struct OpenFiles(Vec<(Box<str>, Arc<File>)>);

impl OpenFiles {
    fn get(&mut self, path: &str) -> Option<Arc<File>> {
        let at = self.0.iter().rposition(|(name, _)| **name == *path)?;
        let entry = self.0.remove(at);
        let file = Arc::clone(&entry.1);
        self.0.push(entry);
        Some(file)
    }

    fn insert(&mut self, path: &str, file: File) -> Arc<File> {
        if self.0.len() >= OPEN_FILES_MAX {
            self.0.remove(0);
        }
        let file = Arc::new(file);
        self.0.push((path.into(), Arc::clone(&file)));
        file
    }
}

fn io_error(path: &str, message: impl std::fmt::Display) -> Error {
    Error::Io { file: path.into(), message: message.to_string().into() }
}

pub(crate) fn convert(path: &str, error: &io::Error) -> Error {
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => Error::Absent { file: path.into() },
        ErrorKind::PermissionDenied => {
            io_error(path, format_args!("{error}; it must be readable by this user and inside the database"))
        }
        _ => io_error(path, error),
    }
}

/// Reads into memory that nobody has cleared before, where that is just as long: clearing it would cost nearly as much
/// as reading into it.
#[cfg(unix)]
fn read_new(file: &File, len: usize, offset: u64, into: &mut Vec<u8>) -> io::Result<()> {
    let begun = into.len();
    into.reserve_exact(len);
    if into.capacity() - begun > len + len / 8 + 4096 {
        into.resize(begun + len, 0);
        use cap_std::fs::FileExt;
        return file.read_exact_at(into.get_mut(begun..).unwrap_or_default(), offset);
    }
    while into.len() < begun + len {
        let at = offset + (into.len() - begun) as u64;
        match rustix::io::pread(file, rustix::buffer::spare_capacity(into), at) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    into.truncate(begun + len);
    Ok(())
}

#[cfg(windows)]
fn read_new(file: &File, len: usize, offset: u64, into: &mut Vec<u8>) -> io::Result<()> {
    let begun = into.len();
    into.resize(begun + len, 0);
    read_exact_at(file, &mut into[begun..], offset)
}

#[cfg(windows)]
fn read_exact_at(file: &File, mut bytes: &mut [u8], mut offset: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match std::os::windows::fs::FileExt::seek_read(file, bytes, offset)? {
            0 => return Err(ErrorKind::UnexpectedEof.into()),
            n => (bytes, offset) = (&mut bytes[n..], offset + n as u64),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn sample() -> (tempfile::TempDir, DiskFiles) {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("db/trades~7/txn_seq")).unwrap();
        fs::write(root.path().join("db/trades~7/txn_seq/_txnlog"), b"0123456789").unwrap();
        fs::write(root.path().join("secret"), b"not yours").unwrap();
        let files = DiskFiles::open(root.path().join("db")).unwrap();
        (root, files)
    }

    #[test]
    fn reads_ranges_and_says_what_is_missing() {
        let (_root, files) = sample();
        let path = "trades~7/txn_seq/_txnlog";
        assert_eq!(files.read(path, 3, 4).unwrap(), &b"3456"[..]);
        assert_eq!(files.len(path).unwrap(), 10);
        assert_eq!(files.read(path, 8, 4), Err(Error::Short { file: path.into(), len: 10, wanted: 12 }));
        assert!(matches!(files.read(path, u64::MAX, u64::MAX), Err(Error::Short { .. })));
        assert_eq!(files.read("trades~7/_txn", 0, 1), Err(Error::Absent { file: "trades~7/_txn".into() }));
        assert!(matches!(files.read("trades~7", 0, 1), Err(Error::Io { .. })));
        assert_eq!(files.list("").unwrap().unwrap(), ["trades~7"]);
        assert_eq!(files.list("trades~7/txn_seq").unwrap().unwrap(), ["_txnlog"]);
        assert!(matches!(files.list("gone"), Err(Error::Absent { .. })));
    }

    #[test]
    fn sees_a_file_grow() {
        let (root, files) = sample();
        let path = "trades~7/txn_seq/_txnlog";
        assert!(files.read(path, 10, 1).is_err());
        fs::write(root.path().join("db").join(path), b"0123456789abc").unwrap();
        assert_eq!(files.read(path, 10, 3).unwrap(), &b"abc"[..]);
    }

    #[test]
    fn never_leaves_the_directory() {
        let (_root, files) = sample();
        for path in ["../secret", "trades~7/../../secret", "/etc/hostname", "", ".", "a//b", "a/./b", "a\0b"]
        {
            assert!(matches!(files.read(path, 0, 1), Err(Error::Io { .. })), "{path:?}");
            if !path.is_empty() {
                assert!(matches!(files.list(path), Err(Error::Io { .. })), "{path:?}");
            }
        }
    }

    #[cfg(unix)]
    #[test]
    fn follows_links_only_inside() {
        let (root, files) = sample();
        let db = root.path().join("db");
        std::os::unix::fs::symlink("../secret", db.join("out")).unwrap();
        std::os::unix::fs::symlink(root.path(), db.join("up")).unwrap();
        std::os::unix::fs::symlink("trades~7/txn_seq/_txnlog", db.join("in")).unwrap();
        assert!(matches!(files.read("out", 0, 1), Err(Error::Io { .. })));
        assert!(matches!(files.read("up/secret", 0, 1), Err(Error::Io { .. })));
        assert!(matches!(files.list("up"), Err(Error::Io { .. })));
        assert_eq!(files.read("in", 0, 1).unwrap(), &b"0"[..]);
    }

    #[test]
    fn keeps_a_bounded_number_of_files_open() {
        let (root, files) = sample();
        for i in 0..OPEN_FILES_MAX * 2 {
            fs::write(root.path().join(format!("db/{i}")), i.to_string()).unwrap();
            assert_eq!(files.read(&i.to_string(), 0, 1).unwrap()[0], i.to_string().as_bytes()[0]);
        }
        assert_eq!(files.open.lock().unwrap().0.len(), OPEN_FILES_MAX);
        assert!(files.read("0", 0, 1).is_ok());
    }
}
