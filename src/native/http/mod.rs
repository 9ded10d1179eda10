//! A `db` directory behind a web server.
//!
//! Where the server honours ranges only the blocks that are asked for are fetched, further ahead the longer
//! a file is read in one go; where it doesn't, files are fetched whole. What was fetched stays valid: bytes
//! of committed transactions never change, and a reader learns first how many there are.

mod cache;
mod fetch;

use super::disk;
use super::index::{self, Index};
use super::outcome::{Failure, Result};
use crate::wal::{self, Error, Files};
use bytes::Bytes;
use cache::{Cache, Found};
use fetch::{Answer, Fetcher};
use reqwest::Url;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Requests under way at a time.
const PARALLEL: usize = 8;
/// An index of a million files takes about this much.
const INDEX_MAX: u64 = 128 << 20;
/// A read may need this many requests more than its blocks, should the file change meanwhile.
const ROUNDS_SPARE: u64 = 4;

/// [`Files`] over an http(s) URL.
///
/// By itself a read waits for the network. While [deferring](HttpFiles::defer), reads answer
/// [`Error::Pending`] instead, and [`HttpFiles::settle`] fetches all that was asked for at once.
#[derive(Debug)]
pub struct HttpFiles {
    fetcher: Fetcher,
    index: Option<Index>,
    /// What to say about an index that is there and can't be used.
    index_problem: Option<String>,
    state: Mutex<State>,
}

/// What was really read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Fetched {
    /// Requests made.
    pub requests: u64,
    /// Bytes received.
    pub bytes: u64,
    /// Requests that were made again.
    pub retries: u64,
    /// `None` until a range was asked for.
    pub ranges_honoured: Option<bool>,
}

#[derive(Debug, Default)]
struct State {
    cache: Cache,
    deferring: bool,
    /// Byte ranges that deferred reads asked for, by path.
    wanted: Vec<Want>,
    /// What came instead of them, to be told at the next read.
    failed: HashMap<String, Error>,
    fetched: Fetched,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Want {
    path: String,
    first: u64,
    end: u64,
}

impl HttpFiles {
    /// Connects to a database's URL and reads its index where there is one.
    ///
    /// # Errors
    /// When the URL is none, or the server can't be reached.
    pub fn open(url: &str) -> Result<Self> {
        let mut files = Self {
            fetcher: Fetcher::new(parse(url)?)?,
            index: None,
            index_problem: None,
            state: Mutex::default(),
        };
        match files.read_all(index::NAME, INDEX_MAX) {
            Ok(text) => match Index::parse(&text) {
                Ok(index) => files.index = Some(index),
                Err(problem) => files.index_problem = Some(format!("{}: {problem}", index::NAME)),
            },
            Err(Error::Absent { .. } | Error::Short { .. }) => {}
            Err(Error::Io { message, .. }) => {
                return Err(Failure::failed(message).advise(unreachable_advice(url)));
            }
            Err(error) => files.index_problem = Some(error.to_string()),
        }
        Ok(files)
    }

    /// The URL, without credentials.
    pub fn url(&self) -> String {
        self.fetcher.shown()
    }

    /// True if the server gave a usable index.
    pub fn has_index(&self) -> bool {
        self.index.is_some()
    }

    /// Why an index that is there is not used.
    pub fn index_problem(&self) -> Option<&str> {
        self.index_problem.as_deref()
    }

    /// What was read from the network so far.
    pub fn fetched(&self) -> Fetched {
        self.state().fetched
    }

    /// From now on reads wait for the network, or don't.
    pub fn defer(&self, deferring: bool) {
        self.state().deferring = deferring;
    }

    /// Fetches what reads asked for since the last call, several files at a time. False if that is nothing.
    pub fn settle(&self) -> bool {
        let wanted = merge(std::mem::take(&mut self.state().wanted));
        if wanted.is_empty() {
            return false;
        }
        let queue = Mutex::new(wanted.into_iter());
        let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
        std::thread::scope(|scope| {
            for _ in 0..PARALLEL {
                scope.spawn(|| {
                    while let Some(want) = next() {
                        if let Err(error) = self.fetch(&want) {
                            self.state().failed.insert(want.path, error);
                        }
                    }
                });
            }
        });
        true
    }

    /// Fetches one range and keeps it.
    fn fetch(&self, want: &Want) -> wal::Result<()> {
        let mut spent = Fetched::default();
        let answer = self.fetcher.get(&want.path, want.first, want.end, &mut spent);
        let mut state = self.state();
        state.fetched.requests += spent.requests;
        state.fetched.bytes += spent.bytes;
        state.fetched.retries += spent.retries;
        if let Ok(Answer::Range { .. } | Answer::Whole { .. }) = answer {
            // Files that are shorter than the range come whole from servers that could do better.
            let honoured = matches!(answer, Ok(Answer::Range { .. }));
            state.fetched.ranges_honoured = Some(honoured || state.fetched.ranges_honoured == Some(true));
        }
        state.cache.store(&want.path, answer?)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn indexed(&self, path: &str) -> Option<u64> {
        self.index.as_ref()?.files.get(path).copied()
    }
}

impl Files for HttpFiles {
    fn read(&self, path: &str, offset: u64, len: u64) -> wal::Result<Bytes> {
        disk::check(path)?;
        let end = offset.saturating_add(len);
        let rounds = len / cache::REQUEST_MAX + ROUNDS_SPARE;
        for _ in 0..=rounds {
            let mut state = self.state();
            if let Some(error) = state.failed.remove(path) {
                return Err(error);
            }
            let (first, end) = match state.cache.look_up(path, offset, end)? {
                Found::All(bytes) => return Ok(bytes),
                Found::Missing { first, end } => (first, end),
            };
            let want = Want { path: path.to_owned(), first, end };
            if state.deferring {
                state.wanted.push(want);
                return Err(Error::Pending);
            }
            drop(state);
            self.fetch(&want)?;
        }
        Err(Error::Io { file: path.into(), message: "the file keeps changing while it is read".into() })
    }

    fn len(&self, path: &str) -> wal::Result<u64> {
        disk::check(path)?;
        if let Some(len) = self.indexed(path) {
            return Ok(len);
        }
        let mut state = self.state();
        if let Some(error) = state.failed.remove(path) {
            return Err(error);
        }
        if let Some(len) = state.cache.len(path) {
            return len;
        }
        // Many are asked for at once, and the first block tells the length too.
        if state.deferring && state.fetched.ranges_honoured != Some(false) {
            state.wanted.push(Want { path: path.to_owned(), first: 0, end: cache::BLOCK });
            return Err(Error::Pending);
        }
        drop(state);
        let mut spent = Fetched::default();
        let answer = self.fetcher.head(path, &mut spent);
        let mut state = self.state();
        state.fetched.requests += spent.requests;
        state.fetched.retries += spent.retries;
        match answer {
            Ok(Some(len)) => {
                state.cache.set_len(path, len);
                Ok(len)
            }
            Err(error) => {
                if matches!(error, Error::Absent { .. }) {
                    state.cache.set_absent(path);
                }
                Err(error)
            }
            // The server doesn't tell lengths: a first block does.
            Ok(None) => {
                drop(state);
                self.fetch(&Want { path: path.to_owned(), first: 0, end: cache::BLOCK })?;
                self.state().cache.len(path).unwrap_or_else(|| Err(Error::Absent { file: path.into() }))
            }
        }
    }

    fn list(&self, dir: &str) -> wal::Result<Option<Vec<String>>> {
        match &self.index {
            None => Ok(None),
            Some(index) => index.list(dir).map(Some).ok_or_else(|| Error::Absent { file: dir.into() }),
        }
    }
}

/// Joins ranges of a file that overlap or touch.
fn merge(mut wanted: Vec<Want>) -> Vec<Want> {
    wanted.sort_by(|a, b| (&a.path, a.first).cmp(&(&b.path, b.first)));
    let mut merged: Vec<Want> = Vec::new();
    for want in wanted {
        match merged.last_mut() {
            Some(last) if last.path == want.path && want.first <= last.end => {
                last.end = last.end.max(want.end)
            }
            _ => merged.push(want),
        }
    }
    merged
}

fn parse(url: &str) -> Result<Url> {
    let parsed = Url::parse(url).map_err(|error| Failure::usage(format!("{url:?} is no URL: {error}")))?;
    if matches!(parsed.scheme(), "http" | "https") && parsed.has_host() {
        Ok(parsed)
    } else {
        Err(Failure::usage(format!("{url:?} is not an http or https URL")))
    }
}

fn unreachable_advice(url: &str) -> String {
    let local = ["localhost", "127.0.0.1"].iter().any(|host| url.contains(host));
    let start = if local { "; `understudy serve DIR` serves a db directory" } else { "" };
    format!("give the URL of a `db` directory, reachable from here{start}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wants_of_one_file_are_joined() {
        let want = |path: &str, first, end| Want { path: path.to_owned(), first, end };
        let wanted =
            vec![want("b", 0, 5), want("a", 8, 9), want("a", 0, 4), want("a", 2, 6), want("a", 6, 7)];
        assert_eq!(merge(wanted), [want("a", 0, 7), want("a", 8, 9), want("b", 0, 5)]);
    }

    #[test]
    fn only_web_addresses() {
        for url in ["ftp://example.org/db", "not a url", "file:///db", "http://"] {
            assert_eq!(parse(url).unwrap_err().exit as u8, 2, "{url}");
        }
        assert!(parse("https://example.org/db?sig=x").is_ok());
    }
}
