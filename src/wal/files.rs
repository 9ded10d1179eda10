use super::ordered::sorted;
use super::{Error, Result};
use bytes::Bytes;
use std::collections::BTreeMap;

/// Where a reader gets its bytes from: the driver's side of the contract.
///
/// Paths are relative to the database root, with `/` between components, e.g.
/// `trades~7/txn_seq/_txnlog`. An implementation that has to wait (a browser's fetch) notes
/// what was asked for, answers [`Error::Pending`], and has the caller run again; readers
/// therefore ask for everything that they know they need before they give up.
///
/// No implementation may allocate what was asked for before it knows that the file is that long.
pub trait Files {
    /// Exactly `len` bytes from `offset`, or [`Error::Short`] / [`Error::Absent`] / [`Error::Pending`].
    fn read(&self, path: &str, offset: u64, len: u64) -> Result<Bytes>;
    /// The file's length now. Files still open for writing are longer than their content.
    fn len(&self, path: &str) -> Result<u64>;
    /// The names in a directory, sorted, where the driver can list; `None` where it can't
    /// (a static web server has no LIST).
    fn list(&self, dir: &str) -> Result<Option<Vec<String>>>;

    /// As [`read`](Self::read), behind what is in `into`; after an error that is as before.
    ///
    /// # Errors
    /// Those of [`read`](Self::read).
    fn read_into(&self, path: &str, offset: u64, len: u64, into: &mut Vec<u8>) -> Result<()> {
        into.extend_from_slice(&self.read(path, offset, len)?);
        Ok(())
    }

    /// The whole file, refused when longer than `limit`.
    fn read_all(&self, path: &str, limit: u64) -> Result<Bytes> {
        let len = self.len(path)?;
        if len > limit {
            return Err(Error::damaged(
                path,
                0,
                format_args!("at most {limit} bytes"),
                format_args!("{len} bytes"),
            ));
        }
        self.read(path, 0, len)
    }
}

/// Files held in memory: tests, dropped folders, the simulator.
#[derive(Debug, Clone, Default)]
pub struct MemoryFiles {
    files: BTreeMap<String, Bytes>,
}

impl MemoryFiles {
    /// Adds or replaces a file.
    pub fn insert(&mut self, path: impl Into<String>, content: impl Into<Bytes>) {
        self.files.insert(path.into(), content.into());
    }

    /// Removes a file and returns its content.
    pub fn remove(&mut self, path: &str) -> Option<Bytes> {
        self.files.remove(path)
    }

    /// All paths with their content, in order of path.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Bytes)> {
        self.files.iter().map(|(path, content)| (path.as_str(), content))
    }

    fn get(&self, path: &str) -> Result<&Bytes> {
        self.files.get(path).ok_or_else(|| Error::Absent { file: path.into() })
    }
}

impl Files for MemoryFiles {
    fn read(&self, path: &str, offset: u64, len: u64) -> Result<Bytes> {
        let content = self.get(path)?;
        let end = offset.saturating_add(len);
        if end > content.len() as u64 {
            return Err(Error::Short { file: path.into(), len: content.len() as u64, wanted: end });
        }
        Ok(content.slice(offset as usize..end as usize))
    }

    fn len(&self, path: &str) -> Result<u64> {
        Ok(self.get(path)?.len() as u64)
    }

    fn list(&self, dir: &str) -> Result<Option<Vec<String>>> {
        Ok(Some(names_in(&self.files, dir)))
    }
}

/// The names in a directory of files by path, sorted.
pub(crate) fn names_in<T>(files: &BTreeMap<String, T>, dir: &str) -> Vec<String> {
    let prefix = if dir.is_empty() { String::new() } else { format!("{dir}/") };
    let mut names: Vec<String> = Vec::new();
    for path in files.range(prefix.clone()..).map(|(path, _)| path) {
        let Some(rest) = path.strip_prefix(&prefix) else { break };
        let name = rest.split('/').next().unwrap_or(rest);
        if names.last().is_none_or(|last| last != name) {
            names.push(name.to_owned());
        }
    }
    names = sorted(names, Ord::cmp);
    names.dedup();
    names
}
