//! What packs carry, laid out as a database's directory: the files that a reader of QuestDB's log asks for.

use super::pack::{FilePiece, Run, Token, What};
use super::{Block, Error, Held, Key, Pack, Result, Sum};
use crate::table::Digest;
use crate::table::files::encode_registry;
use crate::wal::{LogVersion, Piece, PieceFiles, SequencerLog, TableToken};
use bytes::{BufMut, Bytes, BytesMut};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// The registry's file.
const REGISTRY: &str = "tables.d.0";
/// The records of both layouts of a sequencer's log.
const V1_RECORD: usize = 28;
const V2_RECORD: usize = 60;
/// A record that says "dropped".
const DROP: i32 = -2;

/// A database of which only what came in packs is there, and of that only what has not been applied yet.
///
/// The driver hands packs in by [`take`](Self::take), applies what [`files`](Self::files) hold as it would from a database's
/// directory, and lets go of what is applied by [`applied`](Self::applied).
#[derive(Debug, Clone, Default)]
pub struct Mirror {
    files: PieceFiles,
    tables: BTreeMap<String, Mirrored>,
}

/// What a pack brought for a table, beside the files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// There are transactions up to this one, or a table without one.
    Transactions {
        /// The table's directory.
        dir: String,
        /// The last one's `seqTxn`; 0 of a table that was made.
        last: u64,
    },
    /// The table is to be taken from this copy, in place of what there is. The mirror goes on behind it. The files of a view
    /// are handed in by [`Mirror::add_view`].
    Base {
        /// The table.
        token: Token,
        /// The last transaction in the copy.
        seq_txn: u64,
        /// The blob that lists the copy's files.
        manifest: Sum,
        /// Its length in bytes.
        manifest_len: u64,
        /// Why.
        why: String,
    },
    /// The table was dropped. A log that doesn't end with that has a record for it now.
    Dropped {
        /// The table's directory.
        dir: String,
    },
    /// The table has another name.
    Renamed {
        /// The table's directory.
        dir: String,
        /// The name.
        to: String,
    },
    /// Digests to compare with.
    Digests {
        /// The table's directory.
        dir: String,
        /// `seqTxn` and digest.
        digests: Vec<(u64, Digest)>,
    },
    /// The table's transactions don't follow on what came before: nothing more of it is taken until a base comes.
    Broken {
        /// The table's directory.
        dir: String,
        /// What is wrong.
        why: String,
    },
}

#[derive(Debug, Clone)]
struct Mirrored {
    token: Token,
    dropped: bool,
    broken: bool,
    part_size: u32,
    created_us: i64,
    /// The last transaction that came; `None` before the first, when any may be it.
    last: Option<u64>,
    /// All up to this one are applied.
    applied: u64,
    held: VecDeque<Part>,
}

/// What one pack brought.
#[derive(Debug, Clone)]
struct Part {
    first: u64,
    /// Kept until this transaction is applied.
    last: u64,
    records: Bytes,
    pieces: Vec<Piece>,
}

impl Mirror {
    /// Tells of a table that the driver has from before, with all transactions up to this one applied.
    pub fn know(&mut self, token: &Token, applied: u64) {
        self.know_all([(token.clone(), applied)]);
    }

    /// The same of many tables.
    pub fn know_all(&mut self, tables: impl IntoIterator<Item = (Token, u64)>) {
        for (token, applied) in tables {
            let table = self.tables.entry(token.dir.clone()).or_insert_with(|| Mirrored::new(token));
            table.applied = table.applied.max(applied);
            table.last = table.last.max(Some(applied));
            table.lay_log(&mut self.files);
        }
        self.lay_registry();
    }

    /// The files: a database's directory.
    pub fn files(&self) -> &PieceFiles {
        &self.files
    }

    /// Bytes held.
    pub fn held(&self) -> u64 {
        self.files.held()
    }

    /// Takes a pack, the object `key`. `blobs` are those that it [refers to](Pack::blobs).
    ///
    /// # Errors
    /// [`Error::Damaged`] of a block or record, or if a blob is missing: nothing of this pack is taken then.
    pub fn take(&mut self, key: Key, pack: &Pack, blobs: &BTreeMap<Sum, Bytes>) -> Result<Vec<News>> {
        let mut opened = Vec::with_capacity(pack.tables.len());
        for entry in &pack.tables {
            let files = match &entry.what {
                What::Transactions(run) => {
                    check_records(key, run)?;
                    open(key, &entry.token.dir, &run.files, blobs)?
                }
                What::Created { files } => open(key, &entry.token.dir, files, blobs)?,
                _ => Vec::new(),
            };
            opened.push(files);
        }
        let mut news = Vec::new();
        let mut tokens = false;
        for (entry, files) in pack.tables.iter().zip(opened) {
            tokens |= self.enter(&entry.token);
            let Some(table) = self.tables.get_mut(&entry.token.dir) else { continue };
            if let Some(what) = table.take(&entry.what, files, &mut self.files) {
                tokens |= matches!(what, News::Dropped { .. } | News::Renamed { .. });
                news.push(what);
            }
        }
        if tokens {
            self.lay_registry();
        }
        Ok(news)
    }

    /// Lets go of what a table no longer needs: all up to this transaction is applied.
    pub fn applied(&mut self, dir: &str, seq_txn: u64) {
        let Some(table) = self.tables.get_mut(dir) else { return };
        if seq_txn <= table.applied {
            return;
        }
        table.applied = seq_txn;
        table.release(&mut self.files);
    }

    /// Lets go of a table that was dropped and has been removed.
    pub fn forget(&mut self, dir: &str) {
        self.tables.remove(dir);
        self.files.remove_dir(dir);
        self.lay_registry();
    }

    /// Adds the files of a view, from its base.
    pub fn add_view(&mut self, dir: &str, pieces: Vec<Piece>) {
        self.files.remove_dir(dir);
        pieces.into_iter().for_each(|piece| self.files.add(piece));
    }

    /// The last transaction of a table that is applied, as far as the driver has said.
    pub fn applied_up_to(&self, dir: &str) -> u64 {
        self.tables.get(dir).map_or(0, |table| table.applied)
    }

    /// The last transaction that came for a table.
    pub fn last(&self, dir: &str) -> Option<u64> {
        self.tables.get(dir)?.last
    }

    fn enter(&mut self, token: &Token) -> bool {
        match self.tables.get_mut(&token.dir) {
            Some(table) if table.token == *token && !table.dropped => false,
            Some(table) => {
                table.token = token.clone();
                true
            }
            None => {
                self.tables.insert(token.dir.clone(), Mirrored::new(token.clone()));
                true
            }
        }
    }

    fn lay_registry(&mut self) {
        let tokens: Vec<TableToken> =
            self.tables.values().map(|table| table.token.as_registered(table.dropped)).collect();
        self.files.remove(REGISTRY);
        self.files.add(Piece { path: REGISTRY.into(), offset: 0, bytes: encode_registry(&tokens).into() });
    }
}

impl Token {
    /// As a registry has it.
    pub fn as_registered(&self, dropped: bool) -> TableToken {
        TableToken { name: self.name.clone(), dir: self.dir.clone(), id: self.id, kind: self.kind, dropped }
    }
}

impl Pack {
    /// The blobs that the pieces of files refer to: needed to take it.
    pub fn blobs(&self) -> BTreeSet<Sum> {
        let files = self.tables.iter().flat_map(|entry| match &entry.what {
            What::Transactions(Run { files, .. }) | What::Created { files } => files.as_slice(),
            _ => &[],
        });
        files
            .filter_map(|piece| match piece.block.held {
                Held::Blob(sum) => Some(sum),
                Held::Inline(_) => None,
            })
            .collect()
    }
}

impl Mirrored {
    fn new(token: Token) -> Self {
        Self {
            token,
            dropped: false,
            broken: false,
            part_size: 0,
            created_us: 0,
            last: None,
            applied: 0,
            held: VecDeque::new(),
        }
    }

    fn take(&mut self, what: &What, pieces: Vec<Piece>, files: &mut PieceFiles) -> Option<News> {
        let dir = self.token.dir.clone();
        match what {
            What::Transactions(run) => self.transactions(run, pieces, files),
            What::Created { .. } => {
                // One that was there before the driver stopped is known already.
                if self.last.is_none() {
                    self.created(pieces, files);
                }
                Some(News::Transactions { dir, last: 0 })
            }
            What::Renamed { to } => {
                self.token.name.clone_from(to);
                Some(News::Renamed { dir, to: to.clone() })
            }
            What::Dropped => {
                self.drop_log(files);
                self.dropped = true;
                Some(News::Dropped { dir })
            }
            What::Base { seq_txn, manifest, manifest_len, why } => {
                files.remove_dir(&dir);
                self.held.clear();
                (self.broken, self.dropped) = (false, false);
                (self.last, self.applied) = (Some(*seq_txn), *seq_txn);
                self.lay_log(files);
                let (manifest, manifest_len, why) = (*manifest, *manifest_len, why.clone());
                Some(News::Base { token: self.token.clone(), seq_txn: *seq_txn, manifest, manifest_len, why })
            }
            What::Digests { digests } => Some(News::Digests { dir, digests: digests.clone() }),
        }
    }

    fn created(&mut self, pieces: Vec<Piece>, files: &mut PieceFiles) {
        let dir = self.token.dir.clone();
        for piece in &pieces {
            files.add(piece.clone());
        }
        if let Ok(log) = SequencerLog::open(files, &dir) {
            self.created_us = log.created_us;
            self.part_size = match log.version {
                LogVersion::V1 => 0,
                LogVersion::V2 { part_size } => part_size,
            };
        }
        self.last = Some(0);
        // Needed until the table is made, which it is when its first transaction is applied.
        self.held.push_back(Part { first: 1, last: 1, records: Bytes::new(), pieces });
        self.lay_log(files);
    }

    fn transactions(&mut self, run: &Run, pieces: Vec<Piece>, files: &mut PieceFiles) -> Option<News> {
        if self.broken {
            return None;
        }
        let dir = self.token.dir.clone();
        let last = run.last_seq_txn();
        let expected = self.last.map(|last| last + 1);
        if expected.is_some_and(|expected| run.first_seq_txn > expected) {
            self.broken = true;
            let before = self.last.unwrap_or_default();
            let why = format!("transaction {} follows {before}: some are missing", run.first_seq_txn);
            return Some(News::Broken { dir, why });
        }
        // A reader that starts again gets what it had once more.
        if expected.is_some_and(|expected| last < expected) {
            return None;
        }
        self.part_size = run.part_size;
        self.last = Some(last);
        for piece in &pieces {
            files.add(piece.clone());
        }
        let records = concat_records(run);
        self.held.push_back(Part { first: run.first_seq_txn, last, records, pieces });
        self.lay_log(files);
        Some(News::Transactions { dir, last })
    }

    /// The server removes a dropped table's log sooner than anybody reads its last record.
    fn drop_log(&mut self, files: &mut PieceFiles) {
        let wal =
            |record: &[u8]| record.get(8..12).and_then(|wal| wal.try_into().ok()).map(i32::from_le_bytes);
        let len = self.record_len();
        let dropped = self.held.back().is_some_and(|part| {
            let at = part.records.len().checked_sub(len);
            at.and_then(|at| part.records.get(at..)).and_then(wal) == Some(DROP)
        });
        if dropped || self.token.kind == crate::wal::TableKind::View {
            return;
        }
        let next = self.last.unwrap_or_default().saturating_add(1);
        let mut record = BytesMut::new();
        record.put_i64_le(0);
        record.put_i32_le(DROP);
        record.resize(len, 0);
        self.last = Some(next);
        self.held.push_back(Part { first: next, last: next, records: record.freeze(), pieces: Vec::new() });
        self.lay_log(files);
    }

    fn record_len(&self) -> usize {
        if self.part_size == 0 { V1_RECORD } else { V2_RECORD }
    }

    /// Lets go of what is applied. Pieces stand alone within a pack, so what a later one needs is in that one.
    fn release(&mut self, files: &mut PieceFiles) {
        let mut paths = BTreeSet::new();
        while let Some(part) = self.held.pop_front_if(|part| part.last <= self.applied) {
            paths.extend(part.pieces.into_iter().map(|piece| piece.path));
        }
        paths.iter().for_each(|path| files.remove(path));
        for piece in self.held.iter().flat_map(|part| &part.pieces) {
            if paths.contains(&piece.path) {
                files.add(piece.clone());
            }
        }
        if self.held.is_empty() {
            self.held = VecDeque::new();
        }
        self.lay_log(files);
    }

    /// Writes the sequencer's log anew: its header, and the records that are held.
    fn lay_log(&self, files: &mut PieceFiles) {
        let log =
            SequencerLog::laid_out(&self.token.dir, self.part_size, self.last.unwrap_or(0), self.created_us);
        let (path, header) = log.header();
        files.remove(&path);
        files.add(Piece { path, offset: 0, bytes: header });
        files.remove_dir(&format!("{}/txn_seq/_txn_parts", self.token.dir));
        let len = self.record_len();
        for part in &self.held {
            let mut seq_txn = part.first;
            let mut rest = part.records.clone();
            while rest.len() >= len {
                // Records up to the end of a part of the log lie behind each other.
                let fits = match self.part_size {
                    0 => usize::MAX,
                    size => (u64::from(size) - (seq_txn.saturating_sub(1)) % u64::from(size)) as usize,
                };
                let count = fits.min(rest.len() / len);
                let (path, offset, _) = log.place(seq_txn);
                files.add(Piece { path, offset, bytes: rest.split_to(count * len) });
                seq_txn += count as u64;
            }
        }
    }
}

fn concat_records(run: &Run) -> Bytes {
    let mut all = BytesMut::with_capacity(run.records.iter().map(Bytes::len).sum());
    run.records.iter().for_each(|record| all.extend_from_slice(record));
    all.freeze()
}

fn check_records(key: Key, run: &Run) -> Result<()> {
    let len = if run.part_size == 0 { V1_RECORD } else { V2_RECORD };
    if let Some(wrong) = run.records.iter().find(|record| record.len() != len) {
        return Err(Error::damaged(key, 0, format_args!("records of {len} bytes"), wrong.len()));
    }
    if run.first_seq_txn == 0 || run.records.is_empty() {
        return Err(Error::damaged(key, 0, "transactions from 1 on", run.first_seq_txn));
    }
    Ok(())
}

fn open(key: Key, dir: &str, files: &[FilePiece], blobs: &BTreeMap<Sum, Bytes>) -> Result<Vec<Piece>> {
    let piece = |piece: &FilePiece| {
        let bytes = unpack(key, &piece.block, blobs)?;
        Ok(Piece { path: format!("{dir}/{}", piece.path), offset: piece.offset, bytes })
    };
    files.iter().map(piece).collect()
}

fn unpack(key: Key, block: &Block, blobs: &BTreeMap<Sum, Bytes>) -> Result<Bytes> {
    match &block.held {
        Held::Inline(_) => block.unpack(key),
        Held::Blob(sum) => match blobs.get(sum) {
            Some(blob) => block.unpack_blob(blob),
            None => Err(Error::damaged(key, block.offset, "a blob that is there", Key::Blob(*sum))),
        },
    }
}

#[cfg(test)]
#[path = "mirror_tests.rs"]
mod tests;
