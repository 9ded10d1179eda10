//! A directory as a bucket: on this machine, or on NFS.
//!
//! An object is written under a random name in the scratch folder, synced, and given its own name with
//! `link`, which fails if the name is taken; `rename` would put it over what is there. Then the folder
//! is synced. So a name appears with all of its bytes or not at all, and what was answered `Stored`
//! survives a loss of power. On NFS `link` may fail with "exists" for its own success, when an answer
//! was lost: that is [`PutAnswer::Taken`](super::PutAnswer::Taken), and the caller looks.

use super::answer::Trouble;
use super::connection::Fs;
use super::limits::RequestLimits;
use super::store::{Mode, OBJECT_BYTES_MAX, Pending, Put, Store};
use bytes::Bytes;
use cap_std::ambient_authority;
use cap_std::fs::{Dir, File, OpenOptions};
use std::collections::HashSet;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The scratch folder if none is named. No key begins with a dot.
const SCRATCH: &str = ".scratch";
/// What a crash left in the scratch folder is removed after this time.
const LEFT_BEHIND: Duration = Duration::from_secs(24 * 3600);

/// A directory, as a [`Store`].
#[derive(Debug)]
pub(super) struct Directory(Arc<Folders>);

#[derive(Debug)]
struct Folders {
    root: Dir,
    scratch: Dir,
    /// Folders below the root that exist and whose names, and those of all above, have been synced.
    known: Mutex<HashSet<String>>,
}

impl Directory {
    /// Opens the two folders. The root has to be there; the scratch folder is made if need be.
    ///
    /// # Errors
    ///
    /// Which folder can't be used, and why.
    pub(super) fn open(fs: &Fs) -> Result<Self, String> {
        let told = |what: &str, path: &Path, error: &io::Error| format!("{what} {}: {error}", path.display());
        let root = Dir::open_ambient_dir(&fs.root, ambient_authority()).map_err(|error| {
            let why = told("can't open the root directory", &fs.root, &error);
            let absent = error.kind() == ErrorKind::NotFound;
            if absent { format!("{why}; make it first, or mount what should be there") } else { why }
        })?;
        let path = fs.atomic_write_dir.clone().unwrap_or_else(|| fs.root.join(SCRATCH));
        let scratch = std::fs::create_dir_all(&path)
            .and_then(|()| Dir::open_ambient_dir(&path, ambient_authority()))
            .map_err(|error| {
                told("can't open the directory for writing, atomic_write_dir,", &path, &error)
            })?;
        if !on_one_file_system(&root, &scratch) {
            return Err(format!(
                "atomic_write_dir {} is on another file system than the root {}",
                path.display(),
                fs.root.display()
            ));
        }
        remove_left_behind(&scratch);
        Ok(Self(Arc::new(Folders { root, scratch, known: Mutex::default() })))
    }

    /// Runs `work` on a thread that may wait for a disk.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Folders) -> Result<T, Trouble> + Send + 'static,
    ) -> Result<T, Trouble> {
        let folders = Arc::clone(&self.0);
        match tokio::task::spawn_blocking(move || work(&folders)).await {
            Ok(result) => result,
            Err(error) => Err(Trouble::unsettled(format!("the work on files was ended: {error}"))),
        }
    }
}

impl Store for Directory {
    fn put<'a>(&'a self, key: &'a str, bytes: Bytes, mode: Mode) -> Pending<'a, Result<Put, Trouble>> {
        let key = key.to_owned();
        Box::pin(self.blocking(move |folders| folders.put(&key, &bytes, mode)))
    }

    fn get<'a>(
        &'a self,
        key: &'a str,
        range: Option<Range<u64>>,
        limits: &'a RequestLimits,
    ) -> Pending<'a, Result<Option<Bytes>, Trouble>> {
        let key = key.to_owned();
        Box::pin(async move {
            let opening = self.blocking(move |folders| folders.find(&key, range));
            let Some((file, span)) = limits.within(0, opening).await? else { return Ok(None) };
            let size = span.end - span.start;
            let reading = self.blocking(move |_| read(file, span));
            limits.within(size, reading).await.map(Some)
        })
    }

    fn head<'a>(&'a self, key: &'a str) -> Pending<'a, Result<Option<u64>, Trouble>> {
        let key = key.to_owned();
        Box::pin(self.blocking(move |folders| Ok(folders.open(&key)?.map(|(_, size)| size))))
    }

    fn delete<'a>(&'a self, key: &'a str) -> Pending<'a, Result<(), Trouble>> {
        let key = key.to_owned();
        Box::pin(self.blocking(move |folders| folders.delete(&key)))
    }
}

impl Folders {
    fn put(&self, key: &str, bytes: &[u8], mode: Mode) -> Result<Put, Trouble> {
        let folder = folder_of(key);
        self.ensure(folder).map_err(|error| trouble("make the folder", &error))?;
        if mode == Mode::IfAbsent && self.root.symlink_metadata(key).is_ok() {
            return self.settled(folder, Put::Taken);
        }
        let name = format!("{:032x}.tmp", fastrand::u128(..));
        let named = self.write(&name, bytes).map_err(|error| trouble("write", &error)).and_then(|()| {
            let named = match mode {
                Mode::IfAbsent => self.scratch.hard_link(&name, &self.root, key),
                Mode::Overwrite => self.scratch.rename(&name, &self.root, key),
            };
            named.map(|()| Put::Stored).or_else(is_taken)
        });
        // Renamed away, or left behind; either way the object does not depend on it.
        let _ = self.scratch.remove_file(&name);
        match named {
            Ok(put) => self.settled(folder, put),
            Err(trouble) => {
                self.forget(folder);
                Err(trouble)
            }
        }
    }

    /// Has the name survive a loss of power. When the name was taken too: the caller will read what is
    /// there, and may find it to be its own.
    fn settled(&self, folder: &str, put: Put) -> Result<Put, Trouble> {
        match sync(&self.root, folder) {
            Ok(()) => Ok(put),
            Err(error) => Err(Trouble::unsettled(format!("can't sync the folder: {error}"))),
        }
    }

    fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let mut file = self.scratch.open_with(name, OpenOptions::new().write(true).create_new(true))?;
        file.write_all(bytes)?;
        file.sync_all()
    }

    /// Makes a folder and those above it, and has their names survive a loss of power: of folders that
    /// another process made nobody knows whether it came to that.
    fn ensure(&self, folder: &str) -> io::Result<()> {
        if folder.is_empty() || self.known.lock().unwrap_or_else(PoisonError::into_inner).contains(folder) {
            return Ok(());
        }
        self.ensure(folder_of(folder))?;
        match self.root.create_dir(folder) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        sync(&self.root, folder_of(folder))?;
        self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(folder.to_owned());
        Ok(())
    }

    /// Somebody may have removed the folder.
    fn forget(&self, folder: &str) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|other| !folder.starts_with(other.as_str()));
    }

    fn open(&self, key: &str) -> Result<Option<(File, u64)>, Trouble> {
        let found = self.root.open(key).and_then(|file| file.metadata().map(|metadata| (file, metadata)));
        match found {
            Ok((_, metadata)) if !metadata.is_file() => Err(Trouble::refused("this is not a file")),
            Ok((file, metadata)) => Ok(Some((file, metadata.len()))),
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(trouble("open", &error)),
        }
    }

    /// The file and which of its bytes are asked for.
    fn find(&self, key: &str, range: Option<Range<u64>>) -> Result<Option<(File, Range<u64>)>, Trouble> {
        let Some((file, size)) = self.open(key)? else { return Ok(None) };
        let range = range.unwrap_or(0..size);
        let span = range.start.min(size)..range.end.min(size);
        if span.end - span.start > OBJECT_BYTES_MAX {
            return Err(Trouble::refused(format!("{size} bytes are more than an object may have")));
        }
        Ok(Some((file, span)))
    }

    fn delete(&self, key: &str) -> Result<(), Trouble> {
        match self.root.remove_file(key) {
            Err(error) if is_absent(&error) => Ok(()),
            Err(error) => Err(trouble("remove", &error)),
            Ok(()) => sync(&self.root, folder_of(key)).map_err(|error| trouble("sync the folder", &error)),
        }
    }
}

fn read(mut file: File, span: Range<u64>) -> Result<Bytes, Trouble> {
    let size = usize::try_from(span.end - span.start).map_err(|_large| Trouble::refused("too large"))?;
    let mut bytes = Vec::with_capacity(size);
    file.seek(SeekFrom::Start(span.start))
        .and_then(|_| file.take(size as u64).read_to_end(&mut bytes))
        .map_err(|error| trouble("read", &error))?;
    if bytes.len() != size {
        return Err(Trouble::unsettled(format!("{} of {size} bytes could be read", bytes.len())));
    }
    Ok(bytes.into())
}

/// Has the names in a folder survive a loss of power.
fn sync(root: &Dir, folder: &str) -> io::Result<()> {
    // Only where a folder can be opened like a file.
    if cfg!(unix) { root.open(if folder.is_empty() { "." } else { folder })?.sync_all() } else { Ok(()) }
}

fn folder_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// What it means that an object did not get its name.
fn is_taken(error: io::Error) -> Result<Put, Trouble> {
    let why = || format!("can't give it its name: {error}");
    match error.kind() {
        ErrorKind::AlreadyExists => Ok(Put::Taken),
        // Somebody removed the folder in this moment; it is made again.
        ErrorKind::NotFound => Err(Trouble::unsettled(why())),
        ErrorKind::PermissionDenied | ErrorKind::Unsupported => {
            Err(Trouble::refused(why() + "; the file system has to have hard links"))
        }
        _ => Err(trouble("give it its name", &error)),
    }
}

fn is_absent(error: &io::Error) -> bool {
    // A part of the key that is a file has nothing below it.
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

/// An error of the file system, and whether it passes by itself.
fn trouble(doing: &str, error: &io::Error) -> Trouble {
    let why = format!("can't {doing}: {error}");
    match error.kind() {
        ErrorKind::PermissionDenied
        | ErrorKind::ReadOnlyFilesystem
        | ErrorKind::StorageFull
        | ErrorKind::QuotaExceeded
        | ErrorKind::FileTooLarge
        | ErrorKind::CrossesDevices
        | ErrorKind::NotFound
        | ErrorKind::NotADirectory
        | ErrorKind::IsADirectory
        | ErrorKind::Unsupported
        | ErrorKind::InvalidInput
        | ErrorKind::TooManyLinks => Trouble::refused(why),
        // EIO, ESTALE of NFS, EINTR, EMFILE ...
        _ => Trouble::unsettled(why),
    }
}

#[cfg(unix)]
fn on_one_file_system(one: &Dir, other: &Dir) -> bool {
    use cap_std::fs::MetadataExt;
    match (one.dir_metadata(), other.dir_metadata()) {
        (Ok(one), Ok(other)) => one.dev() == other.dev(),
        _ => true, // the first link will tell
    }
}

#[cfg(not(unix))]
fn on_one_file_system(_: &Dir, _: &Dir) -> bool {
    true
}

/// Best effort: what stays only takes room.
fn remove_left_behind(scratch: &Dir) {
    let Ok(entries) = scratch.entries() else { return };
    for entry in entries.flatten() {
        let age = entry.metadata().and_then(|metadata| metadata.modified());
        let age = age.ok().and_then(|modified| modified.into_std().elapsed().ok());
        let name = entry.file_name();
        if Path::new(&name).extension().is_some_and(|e| e == "tmp")
            && age.is_some_and(|age| age > LEFT_BEHIND)
        {
            let _ = scratch.remove_file(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folders(dir: &Path, scratch: Option<&Path>) -> Arc<Folders> {
        let fs = Fs { root: dir.into(), atomic_write_dir: scratch.map(Into::into) };
        Directory::open(&fs).expect("a directory").0
    }

    #[test]
    fn a_name_is_given_once_and_nothing_is_left_in_the_scratch_folder() {
        let dir = tempfile::tempdir().expect("a folder");
        let folders = folders(dir.path(), None);
        assert_eq!(folders.put("a/b/0.pack", b"one", Mode::IfAbsent), Ok(Put::Stored));
        assert_eq!(folders.put("a/b/0.pack", b"two", Mode::IfAbsent), Ok(Put::Taken));
        assert_eq!(std::fs::read(dir.path().join("a/b/0.pack")).expect("a file"), b"one");
        assert_eq!(folders.put("a/b/0.pack", b"two", Mode::Overwrite), Ok(Put::Stored));
        assert_eq!(std::fs::read(dir.path().join("a/b/0.pack")).expect("a file"), b"two");
        assert_eq!(std::fs::read_dir(dir.path().join(SCRATCH)).expect("a folder").count(), 0);
    }

    #[test]
    fn a_folder_that_was_removed_is_made_again() {
        let dir = tempfile::tempdir().expect("a folder");
        let folders = folders(dir.path(), None);
        assert_eq!(folders.put("a/b", b"", Mode::IfAbsent), Ok(Put::Stored));
        std::fs::remove_dir_all(dir.path().join("a")).expect("removed");
        let passing = folders.put("a/b", b"", Mode::IfAbsent).expect_err("the folder is gone");
        assert!(passing.is_passing(), "{passing}");
        assert_eq!(folders.put("a/b", b"", Mode::IfAbsent), Ok(Put::Stored));
    }

    #[test]
    fn a_root_that_is_missing_is_said() {
        let dir = tempfile::tempdir().expect("a folder");
        let fs = Fs { root: dir.path().join("none"), atomic_write_dir: None };
        let why = Directory::open(&fs).expect_err("there is none");
        assert!(why.contains("make it first, or mount"), "{why}");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_scratch_folder_elsewhere_is_refused_at_once() {
        let dir = tempfile::tempdir().expect("a folder");
        let Ok(other) = tempfile::tempdir_in("/dev/shm") else { return };
        use std::os::unix::fs::MetadataExt;
        let device = |path: &Path| std::fs::metadata(path).expect("a folder").dev();
        if device(dir.path()) == device(other.path()) {
            return;
        }
        let fs = Fs { root: dir.path().into(), atomic_write_dir: Some(other.path().into()) };
        let why = Directory::open(&fs).expect_err("another file system");
        assert!(why.contains("another file system"), "{why}");
    }

    #[test]
    fn what_is_no_object_is_not_read() {
        let dir = tempfile::tempdir().expect("a folder");
        let folders = folders(dir.path(), None);
        folders.put("a/b", b"x", Mode::IfAbsent).expect("stored");
        assert!(folders.open("a").is_err(), "a folder");
        assert!(folders.open("a/b/c").expect("no trouble").is_none(), "below a file");
        assert!(folders.put("a/b/c", b"", Mode::IfAbsent).is_err(), "below a file");
    }
}
