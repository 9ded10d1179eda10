//! What a SOURCE argument means.

use super::disk::DiskFiles;
use super::http::{Fetched, HttpFiles};
use super::outcome::{Exit, Failure, Result};
use crate::wal::{self, Error, Files};
use bytes::Bytes;
use std::path::Path;

/// A database to read.
#[derive(Debug)]
pub enum Source {
    /// A directory.
    Disk(DiskFiles),
    /// A directory behind a web server.
    Http(Box<HttpFiles>),
}

impl Source {
    /// Opens a `db` directory or an http(s) URL of one.
    ///
    /// # Errors
    /// When there is no such directory, no connection, or the kind of source isn't known.
    pub fn open(source: &str) -> Result<Self> {
        match source.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase()) {
            Some(scheme) if scheme == "http" || scheme == "https" => {
                HttpFiles::open(source).map(Box::new).map(Self::Http)
            }
            Some(scheme) if scheme == "file" => open_directory(source.get(7..).unwrap_or_default()),
            Some(scheme) if is_scheme(&scheme) && !Path::new(source).exists() => {
                Err(Failure::new(Exit::Usage, format!("{scheme} sources are not supported yet"))
                    .advise("give a `db` directory, or an http(s) URL of one"))
            }
            _ => open_directory(source),
        }
    }

    /// The source for people.
    pub fn shown(&self) -> String {
        match self {
            Self::Disk(files) => files.root().display().to_string(),
            Self::Http(files) => files.url(),
        }
    }

    /// The directory, if it is one of this machine.
    pub fn directory(&self) -> Option<&Path> {
        match self {
            Self::Disk(files) => Some(files.root()),
            Self::Http(_) => None,
        }
    }

    /// What was read over the network; `None` for a directory.
    pub fn fetched(&self) -> Option<Fetched> {
        match self {
            Self::Disk(_) => None,
            Self::Http(files) => Some(files.fetched()),
        }
    }

    /// Runs `work` until it no longer waits for bytes: what one round asked for is fetched at once, several
    /// files at a time.
    ///
    /// # Errors
    /// Those of `work`, except [`Error::Pending`].
    pub fn drive<T>(&self, mut work: impl FnMut(&Self) -> wal::Result<T>) -> wal::Result<T> {
        let Self::Http(files) = self else { return work(self) };
        files.defer(true);
        let done = loop {
            match work(self) {
                Err(Error::Pending) if files.settle() => {}
                done => break done,
            }
        };
        files.defer(false);
        done
    }
}

impl Files for Source {
    fn read(&self, path: &str, offset: u64, len: u64) -> wal::Result<Bytes> {
        match self {
            Self::Disk(files) => files.read(path, offset, len),
            Self::Http(files) => files.read(path, offset, len),
        }
    }

    fn len(&self, path: &str) -> wal::Result<u64> {
        match self {
            Self::Disk(files) => files.len(path),
            Self::Http(files) => files.len(path),
        }
    }

    fn list(&self, dir: &str) -> wal::Result<Option<Vec<String>>> {
        match self {
            Self::Disk(files) => files.list(dir),
            Self::Http(files) => files.list(dir),
        }
    }
}

fn open_directory(path: &str) -> Result<Source> {
    let files = DiskFiles::open(path).map_err(|error| Failure::failed(format!("{path}: {error}")))?;
    let names = files.list("")?.unwrap_or_default();
    let has_registry = |names: &[String]| names.iter().any(|name| name.starts_with("tables.d."));
    if has_registry(&names) {
        return Ok(Source::Disk(files));
    }
    let below = files.list("db").ok().flatten().unwrap_or_default();
    let advice = if has_registry(&below) {
        format!("its `db` directory is one: {}", Path::new(path).join("db").display())
    } else {
        "give the `db` directory below QuestDB's root directory".to_owned()
    };
    Err(Failure::failed(format!("{path} has no tables.d.N, so it is no QuestDB database")).advise(advice))
}

fn is_scheme(text: &str) -> bool {
    text.len() > 1 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn names_the_directory_that_was_meant() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("db")).unwrap();
        fs::write(root.path().join("db/tables.d.0"), [0; 8]).unwrap();
        let open = |path: &Path| Source::open(path.to_str().unwrap());
        assert!(open(&root.path().join("db")).is_ok());
        let advice = open(root.path()).unwrap_err().advice.unwrap();
        assert!(advice.ends_with(&root.path().join("db").display().to_string()), "{advice}");
        assert_eq!(open(&root.path().join("gone")).unwrap_err().exit, Exit::Failed);
        assert_eq!(Source::open("s3://bucket/db").unwrap_err().exit, Exit::Usage);
    }
}
