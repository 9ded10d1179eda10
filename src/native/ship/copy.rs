//! Copies of tables as the server has applied them: what [`FileTable::create_from`] reads, as blobs.
//!
//! A copy is of one commit. Rows that come meanwhile lie behind those that it counts; where files were rewritten before they
//! were read, only the partitions that changed are read again, so that the copy of a busy table ends, too.
//!
//! [`FileTable::create_from`]: crate::native::store::FileTable::create_from

use super::blocks::Packing;
use super::files::BesideFiles;
use crate::columnar::parquet::ParquetForm;
use crate::ledger::{BUNDLE_BYTES_MAX, Base, Bundle, Document, FilePiece, Sum, Token};
use crate::native::outcome::Failure;
use crate::native::store::view_files;
use crate::table::files::read::AppliedTable;
use crate::table::files::{DictionaryWriter, meta_of_txn};
use crate::wal::{
    Applied, AppliedPartition, Error, Files, Noted, Piece, PieceFiles, Result, SequencerLog, TableKind,
    TableToken, read_raw_change,
};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::path::Path;

/// How often a table that changes under the reader is read again.
const ATTEMPTS: u32 = 50;
/// Longest definition of a materialized view.
const VIEW_MAX: u64 = 16 << 20;
/// Records that are read in one go.
const RECORDS: u64 = 64 * 1024;
/// The number at the beginning of `_wal_index.d`.
const WAL_INDEX_LEN: u64 = 8;

/// A copy in the bucket.
#[derive(Debug, Clone)]
pub(super) struct Copied {
    /// The last transaction in it.
    pub(super) seq_txn: u64,
    /// The blob that lists it.
    pub(super) manifest: Sum,
    /// The blob's length.
    pub(super) manifest_len: u64,
    /// Rows in it.
    pub(super) rows: u64,
}

/// What is needed to copy tables.
pub(super) struct Copier<'a> {
    /// The database.
    pub(super) db: &'a Path,
    /// The shipper's own folder.
    pub(super) own: &'a Path,
    /// Compresses.
    pub(super) packing: &'a Packing,
    /// Puts a blob into the bucket.
    pub(super) put: &'a dyn Fn(Sum, Bytes) -> std::result::Result<(), Failure>,
}

/// Partitions of a table that are in the bucket, by floor.
pub(super) type Kept = BTreeMap<i64, (PartState, Vec<Bundle>)>;

/// What tells that a partition's files are the same: its parts, and for each live column of each part the rows above its
/// first value and the name of its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PartState {
    truncates: i64,
    parts: Vec<AppliedPartition>,
    columns: Vec<(usize, Option<u64>, i64)>,
}

/// Why there is no copy.
#[derive(Debug)]
pub(super) enum NotCopied {
    /// The table, or the way it is stored.
    Table(Error),
    /// The bucket.
    Bucket(Failure),
}

impl std::fmt::Display for NotCopied {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Table(error) => write!(f, "it can't be copied: {error}"),
            Self::Bucket(failure) => write!(f, "it can't be copied: {}", failure.message),
        }
    }
}

impl From<Error> for NotCopied {
    fn from(error: Error) -> Self {
        Self::Table(error)
    }
}

impl Copier<'_> {
    /// Copies a table; `kept` are partitions that are in the bucket already, and will be afterwards.
    ///
    /// # Errors
    /// What reading answers, [`Error::Io`] if the table changes faster than it can be read, and what the bucket answers.
    pub(super) fn copy(&self, token: &Token, kept: &mut Kept) -> std::result::Result<Copied, NotCopied> {
        let table = token.as_registered(false);
        for _ in 0..ATTEMPTS {
            // Opened anew: some files are replaced under their names.
            let files = BesideFiles::open(self.db, self.own).map_err(NotCopied::Bucket)?;
            let before = Applied::read(&files, &token.dir)?.txn;
            let read =
                definition(&files, &table).map_err(NotCopied::Table).and_then(|(applied, definitions)| {
                    self.partitions(&files, token, &applied, kept).map(|()| (applied, definitions))
                });
            let (applied, definitions) = match read {
                Ok(read) => read,
                // What an error says of files that moved meanwhile means nothing.
                Err(NotCopied::Table(_)) if Applied::read(&files, &token.dir)?.txn != before => continue,
                Err(error) => return Err(error),
            };
            if !holds(&files, &applied)? {
                continue;
            }
            return self.finish(token, &applied, definitions, kept);
        }
        let message = "changes faster than the table can be read".into();
        Err(Error::Io { file: format!("{}/_txn", token.dir).into(), message }.into())
    }

    /// Copies a view; `None` while the server is about to change it.
    ///
    /// # Errors
    /// As [`copy`](Self::copy).
    pub(super) fn view(&self, token: &Token) -> std::result::Result<Option<Copied>, NotCopied> {
        let files = BesideFiles::open(self.db, self.own).map_err(NotCopied::Bucket)?;
        let Some((seq_txn, contents)) = view_files(&files, &token.dir)? else { return Ok(None) };
        let piece = |(file, bytes)| Piece { path: format!("{}/{file}", token.dir), offset: 0, bytes };
        let pieces = contents.into_iter().map(piece).collect();
        let mut base = Base::new(token, seq_txn, 0);
        base.bundles = self.bundles(token, pieces)?;
        self.put_manifest(&base).map(Some)
    }

    fn partitions(
        &self,
        files: &dyn Files,
        token: &Token,
        applied: &AppliedTable,
        kept: &mut Kept,
    ) -> std::result::Result<(), NotCopied> {
        for (floor, parts) in applied.partitions() {
            let state =
                PartState::of(applied, applied.applied.partitions.get(parts.clone()).unwrap_or_default());
            if kept.get(&floor).is_some_and(|(known, _)| *known == state) {
                continue;
            }
            let noted = Noted::new(files);
            // A Parquet file travels as it is, whatever of it is read.
            let state_of = applied.applied.partitions.get(parts.clone()).unwrap_or_default();
            for part in state_of.iter().filter(|part| part.parquet) {
                noted.read(&applied.parquet_file(part), 0, part.parquet_len.max(0) as u64)?;
            }
            drop(applied.read_parts(&noted, floor, parts)?);
            let bundles = self.bundles(token, noted.pieces())?;
            kept.insert(floor, (state, bundles));
        }
        Ok(())
    }

    fn finish(
        &self,
        token: &Token,
        applied: &AppliedTable,
        definitions: Vec<Piece>,
        kept: &mut Kept,
    ) -> std::result::Result<Copied, NotCopied> {
        let mut base = Base::new(token, applied.applied.seq_txn, applied.applied.rows);
        base.bundles = self.bundles(token, definitions)?;
        let there: Vec<i64> = applied.partitions().into_iter().map(|(floor, _)| floor).collect();
        kept.retain(|floor, _| there.contains(floor));
        base.bundles.extend(kept.values().flat_map(|(_, bundles)| bundles.iter().cloned()));
        self.put_manifest(&base)
    }

    /// Puts pieces as bundles.
    fn bundles(&self, token: &Token, pieces: Vec<Piece>) -> std::result::Result<Vec<Bundle>, NotCopied> {
        let mut base = Base::new(token, 0, 0);
        let (mut next, mut bytes) = (Vec::new(), 0);
        for FilePiece { path, offset, block } in self.packing.pack(&token.dir, pieces) {
            if bytes > 0 && bytes + block.stored_len > BUNDLE_BYTES_MAX {
                self.put_bundle(base.bundle(std::mem::take(&mut next)))?;
                bytes = 0;
            }
            bytes += block.stored_len;
            next.push((path, offset, block));
        }
        if !next.is_empty() {
            self.put_bundle(base.bundle(next))?;
        }
        Ok(base.bundles)
    }

    fn put_bundle(&self, blob: Bytes) -> std::result::Result<(), NotCopied> {
        (self.put)(Sum::of(&blob), blob).map_err(NotCopied::Bucket)
    }

    fn put_manifest(&self, base: &Base) -> std::result::Result<Copied, NotCopied> {
        let bytes = base.to_bytes().map_err(|error| NotCopied::Bucket(Failure::failed(error.to_string())))?;
        let (manifest, manifest_len) = (Sum::of(&bytes), bytes.len() as u64);
        (self.put)(manifest, bytes).map_err(NotCopied::Bucket)?;
        Ok(Copied { seq_txn: base.seq_txn, manifest, manifest_len, rows: base.rows })
    }
}

impl PartState {
    pub(super) fn rows(&self) -> u64 {
        self.parts.iter().map(|part| part.rows).sum()
    }

    pub(super) fn is_parquet(&self) -> bool {
        self.parts.iter().any(|part| part.parquet)
    }

    pub(super) fn of(applied: &AppliedTable, parts: &[AppliedPartition]) -> Self {
        let live = |index: &usize| applied.schema.columns.get(*index).is_some_and(|column| !column.dropped);
        let of_part = |part: &AppliedPartition| {
            let (ts, rows) = (part.ts, part.rows);
            let columns = (0..applied.schema.columns.len()).filter(live);
            let state =
                |index| (index, applied.versions.top(ts, index, rows), applied.versions.name_txn(ts, index));
            columns.map(state).collect::<Vec<_>>()
        };
        let columns = parts.iter().flat_map(of_part).collect();
        Self { truncates: applied.applied.truncate_version, parts: parts.to_vec(), columns }
    }
}

/// What a table consists of beside its rows, and the files' pieces that tell it.
fn definition(files: &dyn Files, token: &TableToken) -> Result<(AppliedTable, Vec<Piece>)> {
    let dir = &token.dir;
    let noted = Noted::new(files);
    let applied = AppliedTable::read(&noted, token)?.with_form(&ParquetForm);
    let state = &applied.applied;
    let meta = meta_of_txn(&noted, dir, state.txn, state.metadata_version.into())?.ok_or_else(|| {
        Error::Io { file: format!("{dir}/_meta").into(), message: "changed while it was read".into() }
    })?;
    applied.symbols(&noted)?;
    for (index, column) in meta.columns.iter().enumerate() {
        if !column.dropped && column.ty.is_symbol() {
            let suffix = applied.versions.symbol_name_txn(index);
            DictionaryWriter::open(&noted, dir, &column.name, suffix, applied.symbol_count(index))?;
        }
    }
    if token.kind == TableKind::MatView {
        noted.read_all(&format!("{dir}/_mv"), VIEW_MAX)?;
    }
    // Which numbers of WALs are taken. A file that every table has, but nothing else is read from it.
    noted.read(&format!("{dir}/txn_seq/_wal_index.d"), 0, WAL_INDEX_LEN).or_else(|error| match error {
        Error::Absent { .. } => Ok(Bytes::new()),
        error => Err(error),
    })?;
    let log = SequencerLog::open(&noted, dir)?;
    for version in 1..=applied.schema.version {
        read_raw_change(&noted, dir, version)?;
    }
    let mut first = log.first_record(&noted)?.max(1);
    while first <= state.seq_txn {
        let records = log.records(&noted, first..=state.seq_txn.min(first + RECORDS - 1))?;
        if records.is_empty() {
            break;
        }
        first += records.len() as u64;
    }
    let pieces = noted.pieces();
    check(&pieces, token, &applied)?;
    Ok((applied, pieces))
}

/// What was noted while files changed may be of two states: it has to read back as the one.
fn check(pieces: &[Piece], token: &TableToken, applied: &AppliedTable) -> Result<()> {
    let mut files = PieceFiles::default();
    pieces.iter().for_each(|piece| files.add(piece.clone()));
    let again = AppliedTable::read(&files, token)?;
    if again.applied == applied.applied && again.schema == applied.schema {
        return Ok(());
    }
    Err(Error::Io { file: format!("{}/_txn", token.dir).into(), message: "changed while it was read".into() })
}

/// Whether all that was read is still what the newest commit counts, with more behind it.
fn holds(files: &dyn Files, applied: &AppliedTable) -> Result<bool> {
    let (before, now) = (&applied.applied, Applied::read(files, &applied.token.dir)?);
    let same = |part: &AppliedPartition| {
        let found = now.partitions.iter().find(|found| found.ts == part.ts);
        found.is_some_and(|found| found.name_txn == part.name_txn && found.rows >= part.rows)
    };
    let unpartitioned = now.partitions.is_empty();
    Ok(now.txn == before.txn
        || (before.partitions.iter().all(same) || unpartitioned)
            && now.column_version == before.column_version
            && now.truncate_version == before.truncate_version)
}
