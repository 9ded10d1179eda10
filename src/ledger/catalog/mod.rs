//! A replicated database as a directory of QuestDB's files whose bytes stay in the bucket until somebody reads them.
//!
//! [`Mirror`](super::Mirror) keeps what came until it is applied. This one keeps where everything lies, for a reader that
//! moves back and forth: what memory has no room for is let go and asked for again.

mod extents;
mod listed;
mod passed;
mod shelf;

use super::pack::{FilePiece, What};
use super::{Base, Block, Codec, Error, Held, Key, Object, Pack, Place, Result, Sum, Token};
use crate::table::files::encode_registry;
use crate::wal::{self, Piece, TableKind, TableToken};
use bytes::Bytes;
use extents::{Extents, Lies, Spot};
use listed::Listed;
pub use passed::{Happened, Passed};
use shelf::Shelf;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The registry's file.
const REGISTRY: &str = "tables.d.0";
/// The sequencer's log, in a table's directory.
const LOG: &str = "txn_seq/";
/// Blocks up to this size are kept unpacked: headers, definitions.
const HERE_MAX: u64 = 512;
/// Objects that one reading asks for ahead.
const AHEAD: usize = 8;

/// Where each byte of a replicated database's files lies.
#[derive(Debug)]
pub struct Catalog {
    files: Extents,
    tables: BTreeMap<String, Listed>,
    passed: Vec<Passed>,
    /// The log's objects by place: what they must be when they come again.
    sums: BTreeMap<Place, Sum>,
    /// Tables of which nothing could be had, with the reason.
    lost: BTreeMap<String, String>,
    shelf: Shelf,
    wanted: Vec<Key>,
}

/// A copy of a table that is to be handed in by [`Catalog::base`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copied {
    /// The blob that lists its files.
    pub sum: Sum,
    /// The table's directory.
    pub of: String,
    /// The directory under which its files are listed.
    pub dir: String,
}

impl Catalog {
    /// An empty one, which keeps about so many bytes of objects at hand.
    pub fn new(memory: u64) -> Self {
        Self {
            files: Extents::default(),
            tables: BTreeMap::new(),
            passed: Vec::new(),
            sums: BTreeMap::new(),
            lost: BTreeMap::new(),
            shelf: Shelf::new(memory),
            wanted: Vec::new(),
        }
    }

    /// Forgets all, as what a snapshot stands for takes its place.
    pub fn clear(&mut self) {
        self.files.clear();
        self.tables.clear();
        self.passed.clear();
        self.sums.clear();
        self.lost.clear();
        self.wanted.clear();
    }

    /// Takes the next pack of the history. Answers the copies that are to be handed in by [`base`](Self::base) before
    /// the next one.
    ///
    /// # Errors
    /// [`Error::Damaged`], [`Error::TooLarge`] or [`Error::Unsupported`]: nothing of it is taken then.
    pub fn take(&mut self, object: &Object) -> Result<Vec<Copied>> {
        let pack = object.pack()?;
        let (key, committed_us) = (object.head().place.key(), object.head().committed_us);
        for entry in &pack.tables {
            if let What::Transactions(run) = &entry.what {
                listed::check(key, run)?;
            }
        }
        self.pass(object, Some(&pack));
        self.shelf.put(key, object.bytes().clone());
        let mut copies: Vec<Copied> = Vec::new();
        for entry in &pack.tables {
            let dir = entry.token.dir.clone();
            let table = self.tables.entry(dir.clone()).or_insert_with(|| Listed::new(entry.token.clone()));
            table.token = entry.token.clone();
            match &entry.what {
                What::Transactions(run) if table.follows(run) => {
                    table.add(run, &mut self.files);
                    self.lay(key, &dir, &run.files)?;
                }
                What::Created { files } if table.last.is_none() => {
                    let pieces = self.lay(key, &dir, files)?;
                    if let Some(table) = self.tables.get_mut(&dir) {
                        table.created(&pieces, &mut self.files);
                    }
                }
                What::Renamed { to } => table.token.name.clone_from(to),
                What::Dropped => table.end(committed_us, &mut self.files),
                What::Base { seq_txn, manifest, .. } => {
                    let until = self.begin_at(&dir, *seq_txn, committed_us);
                    // A copy that another one follows in the same pack is where its table's log went.
                    for copy in copies.iter_mut().filter(|copy| copy.dir == dir) {
                        copy.dir = until.clone().unwrap_or_default();
                    }
                    copies.retain(|copy| !copy.dir.is_empty());
                    copies.push(Copied { sum: *manifest, of: dir.clone(), dir });
                }
                What::Transactions(_) | What::Created { .. } | What::Digests { .. } => {}
            }
        }
        self.lay_registry();
        Ok(copies)
    }

    /// Notes a seal of the history.
    pub fn seal(&mut self, object: &Object) {
        self.pass(object, None);
    }

    /// Adds the files of a table's copy. One that no pack has named is the table's beginning, as in a snapshot.
    ///
    /// # Errors
    /// [`Error::Damaged`] of another table's copy, [`Error::Unsupported`] of an unknown codec.
    pub fn base(&mut self, copied: &Copied, base: &Base) -> Result<()> {
        if base.directory != copied.of {
            let key = Key::Blob(copied.sum);
            return Err(Error::damaged(key, 0, format_args!("the table {}", copied.of), &base.directory));
        }
        let token = Token {
            dir: base.directory.clone(),
            id: base.id,
            name: base.name.clone(),
            kind: base.token().kind,
        };
        let dir = copied.dir.clone();
        let has_log = token.kind != TableKind::View;
        if !self.tables.contains_key(&dir) {
            self.tables.insert(dir.clone(), Listed::new(token));
            self.begin_at(&dir, base.seq_txn, 0);
            self.lay_registry();
        }
        for bundle in &base.bundles {
            let key = Key::Blob(bundle.sum);
            // The log is laid out by what the packs bring of it.
            for piece in bundle.pieces.iter().filter(|piece| !(has_log && piece.path.starts_with(LOG))) {
                let codec = Codec::of(piece.codec).ok_or_else(|| {
                    Error::unsupported(key, piece.at, format_args!("codec {}", piece.codec))
                })?;
                let (at, stored, raw, crc) = (piece.at, piece.stored, piece.raw, piece.crc);
                let spot = Arc::new(Spot { key, at, stored, raw, codec, crc });
                self.files.add(format!("{dir}/{}", piece.path), piece.offset, raw, Lies::There(spot));
            }
        }
        Ok(())
    }

    /// The table can't go on: its copy could not be had.
    pub fn break_off(&mut self, dir: &str, why: String) {
        match self.tables.get_mut(dir) {
            Some(table) => table.broken = Some(why),
            None => drop(self.lost.insert(dir.to_owned(), why)),
        }
    }

    /// What the log's objects did, in order.
    pub fn passed(&self) -> &[Passed] {
        &self.passed
    }

    /// Tables that don't go on, by directory, with the reason.
    pub fn broken(&self) -> impl Iterator<Item = (&str, &str)> {
        let broken =
            self.tables.iter().filter_map(|(dir, table)| Some((dir.as_str(), table.broken.as_deref()?)));
        broken.chain(self.lost.iter().map(|(dir, why)| (dir.as_str(), why.as_str())))
    }

    /// Paths of files that came (true) or went (false) since this was asked last.
    pub fn changes(&mut self) -> Vec<(String, bool)> {
        self.files.changes()
    }

    /// A file's length in bytes: as far as anything of it is known.
    pub fn len(&self, path: &str) -> Option<u64> {
        self.files.len(path)
    }

    /// The names in a directory, sorted.
    pub fn names(&self, dir: &str) -> Vec<String> {
        self.files.names(dir)
    }

    /// Bytes of a file from `from` on: as many as are at hand, at least one of those asked for and at most all.
    ///
    /// # Errors
    /// [`wal::Error::Pending`] if none is at hand: [`wanted`](Self::wanted) names the objects to hand in by
    /// [`put`](Self::put). [`wal::Error::Short`] of bytes that nobody has sent. [`wal::Error::Damaged`] of a block that
    /// does not unpack.
    pub fn read(&mut self, path: &str, from: u64, to: u64) -> wal::Result<Bytes> {
        let Some(len) = self.files.len(path) else { return Err(wal::Error::Absent { file: path.into() }) };
        let short = || wal::Error::Short { file: path.into(), len, wanted: to };
        if from >= to {
            return Ok(Bytes::new());
        }
        let (start, extent) = self.files.at(path, from).ok_or_else(short)?;
        let skip = extent.skip + (from - start);
        let count = (to - from).min(extent.len - (from - start));
        let bytes = match &extent.lies {
            Lies::Here(bytes) => Some(bytes.clone()),
            Lies::There(spot) => self.shelf.unpack(spot).map_err(of_ledger)?,
        };
        match bytes {
            Some(bytes) => slice(&bytes, skip, count).ok_or_else(short),
            None => {
                self.want(path, start, to);
                Err(wal::Error::Pending)
            }
        }
    }

    /// The objects that readings asked for since this was asked last, the one that is needed first before those that
    /// come ahead.
    pub fn wanted(&mut self) -> Vec<Key> {
        std::mem::take(&mut self.wanted)
    }

    /// Hands in an object of the log or a blob.
    ///
    /// # Errors
    /// [`Error::Damaged`] or [`Error::Foreign`] if it isn't the one that the history names.
    pub fn put(&mut self, key: Key, bytes: Bytes) -> Result<()> {
        let (named, found) = match key {
            Key::Blob(sum) => (Some(sum), Sum::of(&bytes)),
            Key::Object(place) => (self.sums.get(&place).copied(), Object::read(place, bytes.clone())?.sum()),
            _ => (None, Sum::of(&bytes)),
        };
        if named != Some(found) {
            return Err(Error::damaged(key, 0, "the bytes that the history names", found));
        }
        self.shelf.put(key, bytes);
        Ok(())
    }

    /// Bytes of objects at hand, and how many objects were let go for want of memory.
    pub fn held(&self) -> (u64, u64) {
        (self.shelf.held(), self.shelf.let_go())
    }

    fn pass(&mut self, object: &Object, pack: Option<&Pack>) {
        self.sums.insert(object.head().place, object.sum());
        self.passed.push(Passed::of(object, pack));
    }

    /// A table starts anew from a copy. What its log told before stays to be looked at, under another name.
    /// Answers where that is.
    fn begin_at(&mut self, dir: &str, seq_txn: u64, time_us: i64) -> Option<String> {
        let table = self.tables.get_mut(dir)?;
        let before = self.files.take_dir(dir);
        let mut kept = table.clone();
        table.begin_at(seq_txn, time_us, &mut self.files);
        let last = kept.last.filter(|last| *last > kept.base)?;
        let until = format!("{dir}.until-{last}");
        self.files.put_dir(&until, before);
        kept.token.dir.clone_from(&until);
        kept.token.name = format!("{} until txn {last}", kept.token.name);
        self.tables.insert(until.clone(), kept);
        Some(until)
    }

    /// Lists the files of an entry; answers those that are at hand.
    fn lay(&mut self, key: Key, dir: &str, files: &[FilePiece]) -> Result<Vec<Piece>> {
        let mut here = Vec::new();
        for piece in files {
            let path = format!("{dir}/{}", piece.path);
            let block = &piece.block;
            let lies = match &block.held {
                Held::Inline(_) if block.raw_len <= HERE_MAX => {
                    let bytes = block.unpack(key)?;
                    here.push(Piece { path: path.clone(), offset: piece.offset, bytes: bytes.clone() });
                    Lies::Here(bytes)
                }
                _ => Lies::There(Arc::new(spot_of(key, block))),
            };
            self.files.add(path, piece.offset, block.raw_len, lies);
        }
        Ok(here)
    }

    fn lay_registry(&mut self) {
        let tokens: Vec<TableToken> =
            self.tables.values().map(|table| table.token.as_registered(false)).collect();
        let bytes = Bytes::from(encode_registry(&tokens));
        self.files.remove(REGISTRY);
        self.files.add(REGISTRY.into(), 0, bytes.len() as u64, Lies::Here(bytes));
    }

    /// Asks for the objects of this range, and for some that follow on it in the file.
    fn want(&mut self, path: &str, from: u64, to: u64) {
        let mut ahead = 0;
        for (at, extent) in self.files.from(path, from) {
            let Lies::There(spot) = &extent.lies else { continue };
            if at >= to {
                ahead += 1;
            }
            if ahead >= AHEAD || self.wanted.len() >= AHEAD {
                break;
            }
            if !self.shelf.has(spot.key) && !self.wanted.contains(&spot.key) {
                self.wanted.push(spot.key);
            }
        }
    }
}

fn spot_of(key: Key, block: &Block) -> Spot {
    let (key, at) = match &block.held {
        Held::Inline(_) => (key, block.offset),
        Held::Blob(sum) => (Key::Blob(*sum), 0),
    };
    Spot { key, at, stored: block.stored_len, raw: block.raw_len, codec: block.codec, crc: block.crc }
}

fn slice(bytes: &Bytes, from: u64, count: u64) -> Option<Bytes> {
    let from = usize::try_from(from).ok()?;
    let to = from.checked_add(usize::try_from(count).ok()?)?;
    (to <= bytes.len()).then(|| bytes.slice(from..to))
}

fn of_ledger(error: Error) -> wal::Error {
    match error {
        Error::Damaged { key, offset, expected, found } => {
            wal::Error::Damaged { file: key, offset, expected, found }
        }
        other => wal::Error::Damaged {
            file: "a block".into(),
            offset: 0,
            expected: "a block that unpacks".into(),
            found: other.to_string().into(),
        },
    }
}
