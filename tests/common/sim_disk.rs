//! A directory in memory that knows what a crash or a loss of power would leave of it.
#![allow(dead_code, reason = "each test program uses its own part")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use understudy::native::store::{Disk, DiskFile, Open};
use understudy::wal::{Error, Result};

/// What a disk writes as one: no part of it is torn.
const SECTOR: u64 = 512;

/// What an operation is about to meet: called before each one that changes something, with what is there.
pub type Hook = Box<dyn FnMut(&State, &Change<'_>) -> Fate + Send>;

/// An operation that changes something.
#[derive(Debug)]
pub enum Change<'a> {
    Write(usize, u64, &'a [u8]),
    /// Anything else.
    Other,
}

/// What becomes of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Done,
    /// A part of a write may be done, nothing of anything else; the caller hears of an error.
    Failed,
}

/// Files and folders by path; the content of files by number, since a file may have several names.
#[derive(Debug, Clone, Default)]
pub struct State {
    names: BTreeMap<String, Node>,
    files: Vec<Content>,
    /// The names that a loss of power leaves.
    kept_names: BTreeMap<String, Node>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Node {
    Dir,
    File(usize),
}

#[derive(Debug, Clone, Default)]
struct Content {
    bytes: Vec<u8>,
    kept: Vec<u8>,
    /// Since it was synced.
    writes: Vec<Unsynced>,
}

#[derive(Debug, Clone)]
enum Unsynced {
    Write(u64, Vec<u8>),
    Len(u64),
}

impl State {
    /// What a killed process leaves, with a part of a write done.
    pub fn torn(&self, change: &Change<'_>) -> Self {
        let mut torn = self.clone();
        torn.tear(change);
        torn
    }

    /// A write stops between two sectors, somewhere in the middle.
    fn tear(&mut self, change: &Change<'_>) {
        if let Change::Write(file, offset, bytes) = change {
            let middle = (offset + bytes.len() as u64 / 2).next_multiple_of(SECTOR);
            let done = middle.saturating_sub(*offset) as usize;
            if let Some(half) = bytes.get(..done) {
                self.files[*file].write(*offset, half);
            }
        }
    }

    /// What a loss of power leaves: of what was not synced, each piece as `lucky` says.
    pub fn without_power(&self, mut lucky: impl FnMut() -> bool) -> Self {
        let mut names = self.kept_names.clone();
        let all: Vec<&String> = self.names.keys().chain(self.kept_names.keys()).collect();
        for name in all {
            if self.names.get(name) != self.kept_names.get(name) && lucky() {
                match self.names.get(name) {
                    Some(node) => names.insert(name.clone(), *node),
                    None => names.remove(name),
                };
            }
        }
        // A name below a folder that is gone is gone.
        let known = names.clone();
        names.retain(|name, _| {
            name.rmatch_indices('/').all(|(at, _)| known.get(&name[..at]) == Some(&Node::Dir))
        });
        let files = self.files.iter().map(|file| {
            let mut left = Content { bytes: file.kept.clone(), ..Content::default() };
            for write in &file.writes {
                if lucky() {
                    match write {
                        Unsynced::Write(offset, bytes) => left.write(*offset, bytes),
                        Unsynced::Len(len) => left.bytes.resize(*len as usize, 0),
                    }
                }
            }
            Content { kept: left.bytes.clone(), bytes: left.bytes, writes: Vec::new() }
        });
        let files = files.collect();
        Self { kept_names: names.clone(), names, files }
    }

    /// Paths of folders, and of files with their content; each folder before what is in it.
    pub fn entries(&self) -> impl Iterator<Item = (&str, Option<&[u8]>)> {
        self.names.iter().map(|(name, node)| match node {
            Node::Dir => (name.as_str(), None),
            Node::File(file) => (name.as_str(), Some(self.files[*file].bytes.as_slice())),
        })
    }

    fn parent_exists(&self, path: &str) -> bool {
        path.rsplit_once('/').is_none_or(|(dir, _)| self.names.get(dir) == Some(&Node::Dir))
    }
}

impl Content {
    fn write(&mut self, offset: u64, bytes: &[u8]) {
        let end = offset as usize + bytes.len();
        if self.bytes.len() < end {
            self.bytes.resize(end, 0);
        }
        self.bytes[offset as usize..end].copy_from_slice(bytes);
        self.writes.push(Unsynced::Write(offset, bytes.to_vec()));
    }
}

/// The directory.
#[derive(Clone)]
pub struct SimDisk(Arc<Mutex<Inner>>);

struct Inner {
    state: State,
    hook: Option<Hook>,
}

impl SimDisk {
    pub fn new(state: State) -> Self {
        Self(Arc::new(Mutex::new(Inner { state, hook: None })))
    }

    pub fn watch(&self, hook: Hook) {
        self.inner().hook = Some(hook);
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap()
    }

    fn change<T>(
        &self,
        path: &str,
        change: &Change<'_>,
        work: impl FnOnce(&mut State) -> Result<T>,
    ) -> Result<T> {
        let mut inner = self.inner();
        let Inner { state, hook } = &mut *inner;
        if hook.as_mut().is_some_and(|hook| hook(state, change) == Fate::Failed) {
            state.tear(change);
            return Err(Error::Io { file: path.into(), message: "failed on purpose".into() });
        }
        work(state)
    }
}

impl std::fmt::Debug for SimDisk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SimDisk")
    }
}

fn absent(path: &str) -> Error {
    Error::Absent { file: path.into() }
}

impl Disk for SimDisk {
    fn open(&self, path: &str, how: Open) -> Result<Box<dyn DiskFile>> {
        let there = match self.inner().state.names.get(path) {
            Some(Node::File(file)) => Some(*file),
            Some(Node::Dir) => return Err(absent(path)),
            None => None,
        };
        let file = match (there, how) {
            (Some(file), Open::Read | Open::Write) => file,
            (Some(file), Open::New) => self.change(path, &Change::Other, |state| {
                state.files[file].bytes.clear();
                state.files[file].writes.push(Unsynced::Len(0));
                Ok(file)
            })?,
            (None, Open::Read) => return Err(absent(path)),
            (None, _) => self.change(path, &Change::Other, |state| {
                if !state.parent_exists(path) {
                    return Err(absent(path));
                }
                state.files.push(Content::default());
                state.names.insert(path.to_owned(), Node::File(state.files.len() - 1));
                Ok(state.files.len() - 1)
            })?,
        };
        Ok(Box::new(SimFile { disk: self.clone(), path: path.to_owned(), file }))
    }

    fn len(&self, path: &str) -> Result<Option<u64>> {
        let inner = self.inner();
        Ok(inner.state.names.get(path).map(|node| match node {
            Node::File(file) => inner.state.files[*file].bytes.len() as u64,
            Node::Dir => 0,
        }))
    }

    fn list(&self, dir: &str) -> Result<Option<Vec<String>>> {
        let inner = self.inner();
        if !dir.is_empty() && inner.state.names.get(dir) != Some(&Node::Dir) {
            return Ok(None);
        }
        let prefix = if dir.is_empty() { String::new() } else { format!("{dir}/") };
        let below = inner.state.names.keys().filter_map(|name| name.strip_prefix(&prefix));
        Ok(Some(below.filter(|name| !name.contains('/')).map(str::to_owned).collect()))
    }

    fn create_dir(&self, dir: &str) -> Result<()> {
        let ends = dir.match_indices('/').map(|(at, _)| at).chain([dir.len()]);
        for dir in ends.map(|end| &dir[..end]) {
            if self.inner().state.names.contains_key(dir) {
                continue;
            }
            self.change(dir, &Change::Other, |state| {
                state.names.insert(dir.to_owned(), Node::Dir);
                Ok(())
            })?;
        }
        Ok(())
    }

    fn rename(&self, from: &str, to: &str) -> Result<()> {
        self.change(from, &Change::Other, |state| {
            let node = state.names.remove(from).ok_or_else(|| absent(from))?;
            state.names.insert(to.to_owned(), node);
            Ok(())
        })
    }

    /// In one step on the disk, too: a journal has both names or neither.
    fn exchange(&self, dir: &str, one: &str, other: &str) -> Result<()> {
        let (one, other) = (format!("{dir}/{one}"), format!("{dir}/{other}"));
        self.change(dir, &Change::Other, |state| {
            for names in [&mut state.names, &mut state.kept_names] {
                let moved = |name: &String| {
                    let below = |from: &str, to: &str| {
                        let rest = name.strip_prefix(from)?;
                        (rest.is_empty() || rest.starts_with('/')).then(|| format!("{to}{rest}"))
                    };
                    below(&one, &other).or_else(|| below(&other, &one)).unwrap_or_else(|| name.clone())
                };
                *names = names.iter().map(|(name, node)| (moved(name), *node)).collect();
            }
            Ok(())
        })
    }

    fn link(&self, from: &str, to: &str) -> Result<()> {
        self.remove(to)?;
        self.change(from, &Change::Other, |state| {
            let node = *state.names.get(from).ok_or_else(|| absent(from))?;
            state.names.insert(to.to_owned(), node);
            Ok(())
        })
    }

    fn remove(&self, path: &str) -> Result<()> {
        if !self.inner().state.names.contains_key(path) {
            return Ok(());
        }
        self.change(path, &Change::Other, |state| {
            state.names.remove(path);
            Ok(())
        })
    }

    /// One file after the other, as the system does.
    fn remove_dir(&self, dir: &str) -> Result<()> {
        let prefix = format!("{dir}/");
        let of = |name: &&String| name.as_str() == dir || name.starts_with(&prefix);
        let names: Vec<String> = self.inner().state.names.keys().filter(of).cloned().collect();
        for name in names.iter().rev() {
            self.remove(name)?;
        }
        Ok(())
    }

    fn sync_dir(&self, dir: &str) -> Result<()> {
        let prefix = if dir.is_empty() { String::new() } else { format!("{dir}/") };
        let direct = |name: &str| {
            name.strip_prefix(&prefix).is_some_and(|name| !name.is_empty() && !name.contains('/'))
        };
        self.change(dir, &Change::Other, |state| {
            state.kept_names.retain(|name, _| !direct(name));
            let now = state.names.iter().filter(|(name, _)| direct(name));
            state.kept_names.extend(now.map(|(name, node)| (name.clone(), *node)));
            Ok(())
        })
    }
}

#[derive(Debug)]
struct SimFile {
    disk: SimDisk,
    path: String,
    file: usize,
}

impl DiskFile for SimFile {
    fn read_at(&self, offset: u64, into: &mut [u8]) -> Result<usize> {
        let inner = self.disk.inner();
        let bytes = inner.state.files[self.file].bytes.get(offset as usize..).unwrap_or_default();
        let count = bytes.len().min(into.len());
        into[..count].copy_from_slice(&bytes[..count]);
        Ok(count)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<()> {
        self.disk.change(&self.path, &Change::Write(self.file, offset, bytes), |state| {
            state.files[self.file].write(offset, bytes);
            Ok(())
        })
    }

    fn sync(&self) -> Result<()> {
        self.disk.change(&self.path, &Change::Other, |state| {
            let file = &mut state.files[self.file];
            file.kept.clone_from(&file.bytes);
            file.writes.clear();
            Ok(())
        })
    }

    fn len(&self) -> Result<u64> {
        Ok(self.disk.inner().state.files[self.file].bytes.len() as u64)
    }

    fn set_len(&self, len: u64) -> Result<()> {
        self.disk.change(&self.path, &Change::Other, |state| {
            let file = &mut state.files[self.file];
            file.bytes.resize(len as usize, 0);
            file.writes.push(Unsynced::Len(len));
            Ok(())
        })
    }
}
