//! The directory of a queue: its lock, and the operations that the queue asks for.

use crate::client::{FileOp, Payload, Sibling, SlotFiles};
use crate::native::outcome::{Failure, Result};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Held by the sender that has the slot; left behind, since only the lock on it counts.
const LOCK: &str = ".lock";
/// Who that is, for people.
const HOLDER: &str = ".lock.pid";
/// Files that are kept open for writing.
const OPEN_MAX: usize = 8;

/// A slot that this process has for itself, until it is dropped or the process ends.
#[derive(Debug)]
pub struct Slot {
    dir: PathBuf,
    _lock: File,
    open: BTreeMap<Box<str>, File>,
}

impl Slot {
    /// Takes `<sf_dir>/<sender_id>`; makes both directories, not what is above them.
    ///
    /// # Errors
    /// A [`Failure`] if another sender has it, naming its process, or if the disk says no.
    pub fn take(sf_dir: &Path, sender_id: &str) -> Result<Self> {
        let dir = sf_dir.join(sender_id);
        for path in [sf_dir, &dir] {
            match fs::create_dir(path) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                    return Err(Failure::failed(format!("can't make {}: {error}", path.display()))
                        .advise("the directory above sf_dir has to be there, and writable"));
                }
                _ => {}
            }
        }
        Self::lock(&dir).map_err(|error| Failure::failed(format!("{}: {error}", dir.display())))?.ok_or_else(
            || {
                let holder = fs::read_to_string(dir.join(HOLDER)).unwrap_or_default();
                let holder = holder.trim().parse::<u32>().map_or("unknown".into(), |pid| pid.to_string());
                Failure::failed(format!("sf slot already in use: {} is held by PID {holder}", dir.display()))
                    .advise("give each sender a sender_id of its own, or stop the other one")
            },
        )
    }

    /// The slot of another sender; `None` if that one still has it.
    ///
    /// # Errors
    /// If the disk says no.
    pub fn lock(dir: &Path) -> io::Result<Option<Self>> {
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(dir.join(LOCK))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        // Without it, the next one is refused all the same.
        let _ = fs::write(dir.join(HOLDER), format!("{}\n", std::process::id()));
        Ok(Some(Self { dir: dir.to_owned(), _lock: file, open: BTreeMap::new() }))
    }

    /// The directories below `sf_dir`, with their files.
    ///
    /// # Errors
    /// If they can't be listed.
    pub fn siblings(sf_dir: &Path) -> io::Result<Vec<Sibling>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(sf_dir)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            if entry.file_type()?.is_dir() {
                // One that goes away meanwhile holds nothing.
                let files = names(&entry.path()).unwrap_or_default();
                found.push(Sibling { name: name.into(), files });
            }
        }
        Ok(found)
    }

    /// Does these, in order. Returns how many are done, and why the next one is not.
    pub fn perform(&mut self, ops: &[FileOp]) -> (usize, Option<Box<str>>) {
        for (at, op) in ops.iter().enumerate() {
            if let Err(error) = self.perform_one(op) {
                return (at, Some(format!("{}: {error}", self.dir.display()).into()));
            }
        }
        (ops.len(), None)
    }

    /// A frame's bytes.
    ///
    /// # Errors
    /// In words, if they can't be read or are not what they were.
    pub fn payload(&self, payload: &Payload) -> std::result::Result<Bytes, Box<str>> {
        let Payload::Stored { file, at, len, .. } = payload else {
            return if let Payload::Held(bytes) = payload {
                Ok(bytes.clone())
            } else {
                Err("no bytes".into())
            };
        };
        let bytes = self.read(file, *at, usize::try_from(*len).unwrap_or(usize::MAX))?;
        if payload.check(&bytes) {
            Ok(bytes)
        } else {
            Err(format!("{file} at {at}: its checksum is another one").into())
        }
    }

    fn perform_one(&mut self, op: &FileOp) -> io::Result<()> {
        match op {
            FileOp::Create { name, len } => {
                self.open.remove(name);
                let file = File::create(self.dir.join(&**name))?;
                file.set_len(*len)
            }
            FileOp::Write { name, at, bytes } => {
                let mut file = self.file(name)?;
                file.seek(SeekFrom::Start(*at))?;
                file.write_all(bytes)
            }
            FileOp::Zero { name, at, len } => {
                let mut file = self.file(name)?;
                file.seek(SeekFrom::Start(*at))?;
                io::copy(&mut io::repeat(0).take(*len), &mut file).map(|_| ())
            }
            FileOp::Sync { name } => self.file(name)?.sync_data(),
            FileOp::SyncDir => sync_dir(&self.dir),
            FileOp::Rename { from, to } => {
                self.open.remove(from);
                fs::rename(self.dir.join(&**from), self.dir.join(&**to))
            }
            FileOp::Remove { name } => {
                self.open.remove(name);
                match fs::remove_file(self.dir.join(&**name)) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                    _ => Ok(()),
                }
            }
        }
    }

    /// Open for writing; never made by it.
    fn file(&mut self, name: &str) -> io::Result<&File> {
        if !self.open.contains_key(name) {
            if self.open.len() >= OPEN_MAX {
                self.open.clear();
            }
            let file = OpenOptions::new().write(true).open(self.dir.join(name))?;
            self.open.insert(name.into(), file);
        }
        self.open.get(name).ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    }
}

impl SlotFiles for Slot {
    fn list(&self) -> std::result::Result<Vec<(Box<str>, u64)>, Box<str>> {
        let list = || -> io::Result<Vec<(Box<str>, u64)>> {
            let named = |name: Box<str>| {
                let len = fs::metadata(self.dir.join(&*name))?.len();
                Ok((name, len))
            };
            names(&self.dir)?.into_iter().map(named).collect()
        };
        list().map_err(|error| error.to_string().into())
    }

    fn read(&self, name: &str, at: u64, len: usize) -> std::result::Result<Bytes, Box<str>> {
        let read = || {
            let mut file = File::open(self.dir.join(name))?;
            file.seek(SeekFrom::Start(at))?;
            let mut bytes = vec![0; len];
            file.read_exact(&mut bytes)?;
            Ok::<_, io::Error>(Bytes::from(bytes))
        };
        read().map_err(|error| error.to_string().into())
    }
}

fn names(dir: &Path) -> io::Result<Vec<Box<str>>> {
    let entries = fs::read_dir(dir)?.collect::<io::Result<Vec<_>>>()?;
    Ok(entries.into_iter().filter_map(|entry| entry.file_name().into_string().ok()).map(Into::into).collect())
}

#[cfg(unix)]
fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

#[cfg(not(unix))]
fn sync_dir(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::{Limits, Queue};

    #[test]
    fn a_slot_has_one_sender_and_the_second_one_is_told_who() {
        let root = tempfile::tempdir().unwrap();
        let sf_dir = root.path().join("sf");
        let slot = Slot::take(&sf_dir, "default").unwrap();
        let refused = Slot::take(&sf_dir, "default").unwrap_err();
        assert!(
            refused.message.contains(&format!("held by PID {}", std::process::id())),
            "{}",
            refused.message
        );
        assert!(Slot::take(&sf_dir, "other").is_ok());
        drop(slot);
        assert!(Slot::take(&sf_dir, "default").is_ok());
        assert!(Slot::take(&root.path().join("no/sf"), "default").is_err(), "not what is above sf_dir");
    }

    #[test]
    fn a_queue_is_on_the_disk_as_it_says() {
        let root = tempfile::tempdir().unwrap();
        let mut slot = Slot::take(root.path(), "default").unwrap();
        let limits = Limits { segment_bytes: 1024, total_bytes: 8192 };
        let mut queue = Queue::open(limits, &slot).unwrap().0;
        for number in 0..20_u8 {
            queue.append(vec![number + 1; 200].into(), 7).unwrap();
        }
        let ops = queue.take_batch().unwrap();
        assert_eq!(slot.perform(&ops), (ops.len(), None));
        queue.done(ops.len());
        queue.ack(9);
        let ops = queue.take_batch().unwrap();
        assert_eq!(slot.perform(&ops), (ops.len(), None));
        drop(slot);
        let slot = Slot::take(root.path(), "default").unwrap();
        let (queue, findings) = Queue::open(limits, &slot).unwrap();
        assert_eq!((queue.acked(), queue.next(), findings), (9, 20, vec![]));
        let payload = queue.payload(12).unwrap();
        assert!(matches!(payload, Payload::Stored { .. }));
        assert_eq!(slot.payload(&payload), Ok(vec![13; 200].into()));
    }
}
