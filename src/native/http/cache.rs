//! Blocks of files that were fetched.

use super::fetch::Answer;
use crate::wal::{Error, Result};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

/// Files are fetched in multiples of this.
pub(super) const BLOCK: u64 = 64 << 10;
/// The longest range of one request.
pub(super) const REQUEST_MAX: u64 = 8 << 20;
/// The furthest that is fetched ahead of what was asked for.
const AHEAD_MAX: u64 = 2 << 20;
/// Blocks held in memory, in bytes, before the least recently used half is let go.
const HELD_MAX: u64 = 256 << 20;

/// What is known of the files of one database.
#[derive(Debug, Default)]
pub(super) struct Cache {
    files: BTreeMap<String, Entry>,
    /// Bytes of all blocks.
    held: u64,
    /// Counts reads: the age of blocks.
    now: u64,
}

/// What a look-up gives.
#[derive(Debug)]
pub(super) enum Found {
    All(Bytes),
    /// The next range to fetch.
    Missing {
        first: u64,
        end: u64,
    },
}

#[derive(Debug, Default)]
struct Entry {
    absent: bool,
    /// Length when first seen. What is committed lies below it: a reader learns how much that is before.
    len: Option<u64>,
    blocks: BTreeMap<u64, Block>,
    /// The file whole, from a server without ranges.
    whole: Option<File>,
    /// Where the last read ended, and how far to fetch ahead of the next one that begins there.
    next: u64,
    ahead: u64,
}

#[derive(Debug)]
struct Block {
    bytes: Bytes,
    used: u64,
}

impl Cache {
    /// Bytes `first .. end` of a file, or what to fetch for them.
    pub(super) fn look_up(&mut self, path: &str, first: u64, end: u64) -> Result<Found> {
        self.now += 1;
        let now = self.now;
        let Some(entry) = self.files.get_mut(path) else {
            return Ok(Entry::default().missing(first, first, end));
        };
        if entry.absent {
            return Err(Error::Absent { file: path.into() });
        }
        if let Some(whole) = &mut entry.whole {
            let len = entry.len.unwrap_or(0);
            return if end > len {
                Err(Error::Short { file: path.into(), len, wanted: end })
            } else {
                read_whole(whole, first, end - first)
                    .map(Found::All)
                    .map_err(|error| spool_error(path, &error))
            };
        }
        entry.look_up(path, first, end, now)
    }

    /// The length of a file, where known.
    pub(super) fn len(&self, path: &str) -> Option<Result<u64>> {
        let entry = self.files.get(path)?;
        if entry.absent {
            return Some(Err(Error::Absent { file: path.into() }));
        }
        entry.len.map(Ok)
    }

    pub(super) fn set_len(&mut self, path: &str, len: u64) {
        self.files.entry(path.to_owned()).or_default().len = Some(len);
    }

    pub(super) fn set_absent(&mut self, path: &str) {
        self.files.entry(path.to_owned()).or_default().absent = true;
    }

    /// Keeps what was fetched.
    pub(super) fn store(&mut self, path: &str, answer: Answer) -> Result<()> {
        let now = self.now;
        let entry = self.files.entry(path.to_owned()).or_default();
        match answer {
            Answer::Absent => entry.absent = true,
            Answer::Whole { file, len } => {
                entry.len = Some(len);
                entry.whole = Some(file);
            }
            Answer::Beyond { len } => entry.len = Some(len),
            Answer::Range { first, bytes, len } => {
                entry.len = Some(len);
                self.held += entry.insert(first, &bytes, len, now);
                if self.held > HELD_MAX {
                    self.let_go();
                }
            }
        }
        Ok(())
    }

    /// Lets the least recently used half of the blocks go.
    fn let_go(&mut self) {
        let mut ages: Vec<(u64, u64)> = Vec::new();
        for entry in self.files.values() {
            ages.extend(entry.blocks.values().map(|block| (block.used, block.bytes.len() as u64)));
        }
        ages.sort_unstable();
        let mut freed = 0;
        let limit = ages.iter().find(|(_, size)| {
            freed += size;
            freed > HELD_MAX / 2
        });
        let Some(&(limit, _)) = limit else { return };
        for entry in self.files.values_mut() {
            entry.blocks.retain(|_, block| block.used > limit);
        }
        let blocks = self.files.values().flat_map(|entry| entry.blocks.values());
        self.held = blocks.map(|block| block.bytes.len() as u64).sum();
    }
}

impl Entry {
    fn look_up(&mut self, path: &str, first: u64, end: u64, now: u64) -> Result<Found> {
        if let Some(len) = self.len.filter(|len| *len < end) {
            return Err(Error::Short { file: path.into(), len, wanted: end });
        }
        let mut parts = Vec::new();
        let mut at = first;
        while at < end {
            let start = floor(at);
            let piece = self.blocks.get_mut(&start).and_then(|block| {
                block.used = now;
                let (lo, hi) = (at - start, (end - start).min(block.bytes.len() as u64));
                (lo < hi).then(|| block.bytes.slice(lo as usize..hi as usize))
            });
            match piece {
                Some(piece) => {
                    at += piece.len() as u64;
                    parts.push(piece);
                }
                None => return Ok(self.missing(first, at, end)),
            }
        }
        if first == self.next {
            self.ahead = (self.ahead * 2).clamp(BLOCK, AHEAD_MAX);
        } else {
            self.ahead /= 2;
        }
        self.next = end;
        Ok(Found::All(join(parts, end - first)))
    }

    /// What to fetch when byte `at` of the read `first .. end` isn't here.
    fn missing(&self, first: u64, at: u64, end: u64) -> Found {
        let start = floor(at);
        let ahead = if first == self.next { self.ahead } else { 0 };
        let mut stop = ceil(end).saturating_add(ahead).min(start.saturating_add(REQUEST_MAX));
        if let Some((&held, _)) = self.blocks.range(start + 1..).next() {
            stop = stop.min(held);
        }
        Found::Missing { first: start, end: stop.max(start + BLOCK) }
    }

    /// Cuts an answer into blocks; returns how many bytes more are held.
    fn insert(&mut self, first: u64, bytes: &Bytes, len: u64, now: u64) -> u64 {
        let mut added = 0;
        let mut at = floor(first);
        // An answer that doesn't begin on a block's edge, or ends within one that isn't the last, is kept as far
        // as it has whole blocks.
        if at < first {
            at += BLOCK;
        }
        while at < first + bytes.len() as u64 {
            let lo = at - first;
            let hi = (lo + BLOCK).min(bytes.len() as u64);
            if hi - lo < BLOCK && first + hi < len {
                break;
            }
            // A copy: a slice would keep the whole answer alive as long as any of its blocks.
            let block = Bytes::copy_from_slice(bytes.get(lo as usize..hi as usize).unwrap_or_default());
            added += block.len() as u64;
            if let Some(old) = self.blocks.insert(at, Block { bytes: block, used: now }) {
                added = added.saturating_sub(old.bytes.len() as u64);
            }
            at += BLOCK;
        }
        added
    }
}

fn join(mut parts: Vec<Bytes>, len: u64) -> Bytes {
    if parts.len() == 1
        && let Some(part) = parts.pop()
    {
        return part;
    }
    let mut all = Vec::with_capacity(len as usize);
    for part in parts {
        all.extend_from_slice(&part);
    }
    all.into()
}

fn read_whole(file: &mut File, offset: u64, len: u64) -> io::Result<Bytes> {
    file.seek(SeekFrom::Start(offset))?;
    let mut bytes = Vec::new();
    file.take(len).read_to_end(&mut bytes)?;
    if bytes.len() as u64 == len { Ok(bytes.into()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

fn spool_error(path: &str, error: &io::Error) -> Error {
    Error::Io {
        file: path.into(),
        message: format!("can't read its copy in the temporary directory: {error}").into(),
    }
}

fn floor(offset: u64) -> u64 {
    offset / BLOCK * BLOCK
}

fn ceil(offset: u64) -> u64 {
    offset.div_ceil(BLOCK).saturating_mul(BLOCK)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "t~1/wal1/0/a.d";

    fn body(first: u64, end: u64) -> Bytes {
        (first..end).map(|i| (i % 251) as u8).collect::<Vec<_>>().into()
    }

    /// Plays the server for one read; returns the bytes and the ranges it was asked for.
    fn read(cache: &mut Cache, first: u64, end: u64, len: u64) -> (Result<Bytes>, Vec<(u64, u64)>) {
        let mut asked = Vec::new();
        loop {
            match cache.look_up(FILE, first, end) {
                Ok(Found::All(bytes)) => return (Ok(bytes), asked),
                Err(error) => return (Err(error), asked),
                Ok(Found::Missing { first, end }) => {
                    asked.push((first, end));
                    assert!(asked.len() < 100 && first < end && end - first <= REQUEST_MAX);
                    let answer = if first >= len {
                        Answer::Beyond { len }
                    } else {
                        Answer::Range { first, bytes: body(first, end.min(len)), len }
                    };
                    cache.store(FILE, answer).unwrap();
                }
            }
        }
    }

    #[test]
    fn any_read_gives_the_files_bytes() {
        let len = 5 * BLOCK + 100;
        let edges = [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK, 5 * BLOCK, len - 1, len];
        for first in edges {
            for end in edges.into_iter().filter(|end| first <= *end) {
                let mut cache = Cache::default();
                assert_eq!(read(&mut cache, first, end, len).0.unwrap(), body(first, end), "{first}..{end}");
                // Again, from what is held.
                assert_eq!(read(&mut cache, first, end, len), (Ok(body(first, end)), vec![]));
            }
        }
    }

    #[test]
    fn past_the_end_is_short_and_asked_once() {
        let mut cache = Cache::default();
        let short = Err(Error::Short { file: FILE.into(), len: 10, wanted: 11 });
        assert_eq!(read(&mut cache, 10, 11, 10), (short.clone(), vec![(0, BLOCK)]));
        assert_eq!(read(&mut cache, 10, 11, 10), (short, vec![]));
        let mut cache = Cache::default();
        assert!(matches!(read(&mut cache, 1 << 50, u64::MAX, 10).0, Err(Error::Short { len: 10, .. })));
    }

    #[test]
    fn reads_further_ahead_the_longer_it_goes_on() {
        let (mut cache, len) = (Cache::default(), 64 << 20);
        let mut requests = 0;
        for row in 0..len / 4096 {
            let (bytes, asked) = read(&mut cache, row * 4096, (row + 1) * 4096, len);
            assert_eq!(bytes.unwrap(), body(row * 4096, (row + 1) * 4096));
            requests += asked.len();
        }
        assert!(requests < 50, "{requests} requests");
    }

    #[test]
    fn holds_a_bounded_number_of_bytes() {
        let (mut cache, len) = (Cache::default(), 3 * HELD_MAX);
        let zeros = Bytes::from(vec![0; REQUEST_MAX as usize]);
        for first in (0..len).step_by(REQUEST_MAX as usize) {
            cache.store(FILE, Answer::Range { first, bytes: zeros.clone(), len }).unwrap();
            cache.look_up(FILE, first, first + 1).unwrap();
            assert!(cache.held <= HELD_MAX);
        }
        assert!(cache.held > HELD_MAX / 4);
    }
}
