//! A table in its directory, open to be changed by one writer.

use super::away::{Away, settled};
use super::disk::{Disk, DiskReader, Open};
use super::log::Log;
use super::parts::{ColumnPlace, PartFiles};
use super::seal::{Kept, Seal};
use super::update::ROWS;
use crate::apply::backlog::OldPart;
use crate::table::files::{
    ColumnVersions, DictionaryWriter, Patch, TxnFile, TxnState, meta_of_txn, partition_dir, read::schema_of,
};
use crate::table::text::write_text;
use crate::table::{Block, Partition, Standing, SymbolTable, Table, Value};
use crate::wal::{Applied, Error, Files, Result, TableMeta, TableToken, read_table_symbols};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// How much of what is reported as applied survives a loss of power: QuestDB's `cairo.commit.mode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CommitMode {
    /// What the system has written back by then; a killed process loses nothing.
    #[default]
    NoSync,
    /// As [`NoSync`](Self::NoSync), written back sooner.
    Async,
    /// All of it.
    Sync,
}

/// A table in its directory.
///
/// What is held in memory is its schema, dictionaries and list of parts; rows stay in their files. After an
/// error the files are as some transaction left them, and the value is to be opened anew.
#[derive(Debug)]
pub struct FileTable {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) token: TableToken,
    /// Schema, dictionaries, standing; partitions have their numbers of rows, not the rows.
    pub(super) table: Table,
    pub(super) meta: TableMeta,
    /// `meta` was changed and not written.
    pub(super) meta_changed: bool,
    pub(super) txn: TxnState,
    pub(super) txn_file: TxnFile,
    pub(super) versions: ColumnVersions,
    pub(super) versions_changed: bool,
    /// Largest timestamps of the parts, where known.
    pub(super) newest: Vec<Option<i64>>,
    /// By writer index.
    pub(super) dictionaries: Vec<Option<DictionaryWriter>>,
    pub(super) log: Log,
    pub(super) seal: Seal,
    pub(super) commit_mode: CommitMode,
    /// Partitions, by floor, that the server holds in Parquet form.
    pub(super) parquet: BTreeSet<i64>,
    /// Suspended by a change of structure.
    pub(super) structural: bool,
    /// What storage policies have dropped here, by first timestamp.
    pub(super) away: Arc<BTreeMap<i64, Away>>,
    /// SYMBOL columns that have nulls, as far as their dictionaries don't say so yet.
    pub(super) nulls: BTreeSet<usize>,
    /// Folders and files that no state names any more.
    pub(super) garbage: Vec<Garbage>,
    /// Rows that an UPDATE has in memory at a time.
    pub(super) portion: u64,
    /// Bytes written to the table's files since it was opened.
    pub(super) written: std::sync::atomic::AtomicU64,
}

/// What can be removed once no reader needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Garbage {
    Folder(String),
    File(String),
}

impl FileTable {
    /// Opens a table as it was left, by us or by QuestDB.
    ///
    /// # Errors
    /// What reading its files answers; [`Error::Unsupported`] for what this store can't write to.
    pub fn open(disk: Arc<dyn Disk>, token: &TableToken, commit_mode: CommitMode) -> Result<Self> {
        let files = DiskReader(&*disk);
        let dir = &token.dir;
        let applied = Applied::read(&files, dir)?;
        let head = files.read(&format!("{dir}/_txn"), 0, 64)?;
        let txn_file = TxnFile::decode(&format!("{dir}/_txn"), &head)?;
        let txn = TxnState::from_applied(&applied);
        let meta = read_meta(&files, dir, &txn)?;
        let versions = read_versions(&files, dir, &txn)?;
        refuse_unsupported(dir, &meta, &applied)?;
        let seal = Seal::read(&*disk, dir, &txn, &txn_file)?;
        let mut opened = Self {
            table: Table::new(token.name.clone(), dir.clone(), schema_of(dir, &meta, &applied)?),
            log: Log::open(&*disk, dir, &txn)?,
            disk: disk.clone(),
            token: token.clone(),
            newest: vec![None; txn.partitions.len()],
            dictionaries: Vec::new(),
            meta,
            meta_changed: false,
            txn,
            txn_file,
            versions,
            versions_changed: false,
            seal,
            commit_mode,
            parquet: BTreeSet::new(),
            structural: false,
            away: Arc::default(),
            portion: ROWS,
            nulls: BTreeSet::new(),
            garbage: Vec::new(),
            written: 0.into(),
        };
        opened.table.standing = opened.seal.kept().standing.clone();
        opened.parquet = opened.seal.kept().parquet.clone();
        opened.structural = opened.seal.kept().structural;
        opened.away = Arc::new(settled(&opened.seal.kept().away, opened.txn.txn));
        opened.read_dictionaries(&files)?;
        opened.stub_partitions();
        Ok(opened)
    }

    /// Takes the sequencer's log for that of the table's own writer: it is not written.
    pub(super) fn leave_log_to_writer(&mut self) {
        self.log.leave_to_writer();
    }

    /// The last transaction applied.
    pub fn seq_txn(&self) -> u64 {
        self.txn.seq_txn
    }

    /// Whether its state is one that we published: else another program has written here since.
    pub fn is_ours(&self) -> bool {
        self.seal.is_ours()
    }

    /// Whether the rows are what the server has.
    pub fn standing(&self) -> &Standing {
        &self.table.standing
    }

    /// Bounds the rows that an UPDATE has in memory at a time; a single partition of more is brought all the same.
    pub fn set_portion(&mut self, rows: u64) {
        self.portion = rows.min(ROWS);
    }

    /// Takes the table as another program left it: from now on its state counts as ours.
    ///
    /// # Errors
    /// What reading and writing answer.
    pub fn adopt(&mut self) -> Result<()> {
        if self.seal.is_foreign() {
            // A copy of the server's own directory: what is a Parquet file here is one there.
            let calendar = self.table.calendar();
            let parts = self.txn.partitions.iter().filter(|part| part.parquet);
            self.parquet = parts.map(|part| calendar.floor(part.ts)).collect();
            self.keep()?;
            self.stub_partitions();
        }
        self.seal.adopt(&*self.disk, self.txn.txn, &self.txn_file)
    }

    /// When another program wrote here, for people to read.
    pub fn written_elsewhere(&self) -> String {
        let modified = self.disk.modified(&format!("{}/_txn", self.token.dir)).ok().flatten();
        let Some(us) = modified else { return "written by QuestDB since".to_owned() };
        let mut time = Vec::new();
        write_text(&mut time, Value::Timestamp(us));
        format!("written by QuestDB at {}", String::from_utf8_lossy(&time))
    }

    /// Whether it is suspended by a change of structure, which can't be skipped: all that follows is written against it.
    pub fn is_stuck(&self) -> bool {
        self.structural && matches!(self.table.standing, Standing::Suspended { .. })
    }

    /// Number of rows.
    pub fn rows(&self) -> u64 {
        self.txn.rows()
    }

    /// Schema, dictionaries and partitions without their rows.
    pub fn table(&self) -> &Table {
        &self.table
    }

    /// Memory held, in bytes, roughly.
    pub fn memory(&self) -> usize {
        let dictionaries = self.dictionaries.iter().flatten().map(DictionaryWriter::memory).sum::<usize>();
        let symbols = self.table.symbols.iter().flatten().map(SymbolTable::memory).sum::<usize>();
        dictionaries + symbols + self.txn.partitions.len() * 256
    }

    fn read_dictionaries(&mut self, files: &dyn Files) -> Result<()> {
        let live =
            self.table.schema.columns.iter().enumerate().filter(|(_, c)| !c.dropped && c.ty.is_symbol());
        let mut counts = self.txn.symbol_counts.iter().copied();
        let mut dictionaries = Vec::new();
        for (index, column) in live {
            let count = counts.next().unwrap_or(0);
            let suffix = self.versions.symbol_name_txn(index);
            let strings = read_table_symbols(files, &self.token.dir, &column.name, Some(suffix), count)?;
            let writer = DictionaryWriter::open(files, &self.token.dir, &column.name, suffix, count)?;
            dictionaries.push((index, strings, writer));
        }
        self.dictionaries.resize_with(self.table.schema.columns.len(), || None);
        for (index, strings, writer) in dictionaries {
            let mut symbols = SymbolTable::default();
            for (key, text) in (0..).zip(&strings) {
                if symbols.intern_symbol(text.symbol()) != key {
                    let file = format!("{}/{}.c", self.token.dir, self.column_name(index));
                    return Err(Error::damaged(
                        &file,
                        0,
                        "symbols that differ",
                        format_args!("{text:?} twice"),
                    ));
                }
            }
            if let Some(place) = self.table.symbols.get_mut(index) {
                *place = Some(symbols);
            }
            if let Some(place) = self.dictionaries.get_mut(index) {
                *place = Some(writer);
            }
        }
        Ok(())
    }

    pub(super) fn column_name(&self, index: usize) -> &str {
        self.table.schema.columns.get(index).map_or("", |column| &column.name)
    }

    /// What new folders and files are called after: the count of commits so far, as QuestDB does. The next commit's
    /// count would be taken by the first one of a QuestDB that takes over.
    pub(super) fn name_txn(&self) -> i64 {
        self.txn.txn
    }

    /// Gives the table its partitions anew, from the list of parts.
    pub(super) fn stub_partitions(&mut self) {
        let calendar = self.table.calendar();
        let mut partitions: BTreeMap<i64, Arc<Partition>> = BTreeMap::new();
        let last = self.txn.partitions.len().saturating_sub(1);
        for (index, part) in self.txn.partitions.iter().enumerate() {
            let floor = calendar.floor(part.ts);
            let mut block = Block::empty();
            block.rows = part.rows as usize;
            block.min_ts = if index == 0 { self.txn.min_ts } else { part.ts };
            block.max_ts = if index == last { self.txn.max_ts } else { part.ts };
            let partition = Arc::make_mut(partitions.entry(floor).or_default());
            partition.floor = floor;
            partition.rows += block.rows;
            partition.let_go = true;
            partition.parquet = self.parquet.contains(&floor);
            partition.blocks.push(Arc::new(block));
        }
        self.table.partitions = partitions;
        self.table.seq_txn = self.txn.seq_txn;
    }

    /// The folder of a part, from the database on.
    pub(super) fn folder(&self, ts: i64, name_txn: i64) -> String {
        let schema = &self.table.schema;
        let name = partition_dir(schema.partition_by, schema.nanos(), ts, name_txn);
        [&*self.token.dir, "/", &name].concat()
    }

    /// The files of a part.
    pub(super) fn part_files(&self, part: usize) -> Option<PartFiles<'_>> {
        let entry = self.txn.partitions.get(part)?;
        let columns = (0..self.table.schema.columns.len())
            .map(|column| ColumnPlace {
                name_txn: self.versions.name_txn(entry.ts, column),
                top: self.versions.top(entry.ts, column, entry.rows),
            })
            .collect();
        Some(PartFiles {
            disk: &*self.disk,
            schema: &self.table.schema,
            folder: self.folder(entry.ts, entry.name_txn),
            rows: entry.rows,
            parquet: entry.parquet.then(|| u64::try_from(entry.parquet_len).unwrap_or(0)),
            columns,
        })
    }

    /// The largest timestamp of a part.
    pub(super) fn newest_of(&mut self, part: usize) -> Result<i64> {
        if part + 1 == self.txn.partitions.len() {
            return Ok(self.txn.max_ts);
        }
        if let Some(Some(newest)) = self.newest.get(part) {
            return Ok(*newest);
        }
        let Some(files) = self.part_files(part) else { return Ok(i64::MIN) };
        let newest = files.timestamp(files.rows.saturating_sub(1))?.unwrap_or(i64::MIN);
        if let Some(place) = self.newest.get_mut(part) {
            *place = Some(newest);
        }
        Ok(newest)
    }

    /// The parts as a plan sees them; largest timestamps are right for those that `wanted` names.
    pub(super) fn old_parts(&self) -> Vec<OldPart> {
        let part = |(entry, newest): (&crate::table::files::PartitionEntry, &Option<i64>)| OldPart {
            floor: entry.ts,
            rows: entry.rows,
            max_ts: newest.unwrap_or(i64::MAX),
        };
        self.txn.partitions.iter().zip(&self.newest).map(part).collect()
    }

    /// Writes patches to the table's files in order; with `sync`, each file is durable before the next one begins.
    pub(super) fn write(&self, patches: &[Patch], sync: bool) -> Result<()> {
        write_patches(&*self.disk, &self.token.dir, patches, sync)?;
        let bytes: usize = patches.iter().map(|patch| patch.bytes.len()).sum();
        self.written.fetch_add(bytes as u64, std::sync::atomic::Ordering::Relaxed);
        Ok(())
    }

    /// Writes what has no place in QuestDB's files.
    pub(super) fn keep(&mut self) -> Result<()> {
        let kept = Kept {
            standing: self.table.standing.clone(),
            parquet: self.parquet.clone(),
            structural: self.structural,
            away: self.away.clone(),
        };
        self.seal.keep(&*self.disk, kept)
    }

    pub(super) fn syncs(&self) -> bool {
        self.commit_mode == CommitMode::Sync
    }
}

/// Bytes that a file's header has at most.
const FRONT: u64 = 64;

/// Writes patches to files below `dir`, in order. With `sync` that is also the order in which they reach the disk,
/// as far as it matters: what is new in a file, its header, what points at what is new.
pub(super) fn write_patches(disk: &dyn Disk, dir: &str, patches: &[Patch], sync: bool) -> Result<()> {
    let mut rest = patches;
    while let Some(first) = rest.first() {
        let here = rest.iter().take_while(|patch| patch.file == first.file).count();
        let (now, later) = rest.split_at(here);
        rest = later;
        let file = disk.open(&[dir, "/", &first.file].concat(), Open::Write)?;
        if !sync {
            now.iter().try_for_each(|patch| file.write_at(patch.offset, &patch.bytes))?;
            continue;
        }
        let len = file.len()?;
        let mut headed = false;
        let mut phase = |patch: &Patch| {
            headed |= patch.offset < FRONT;
            (patch.offset < FRONT, headed || patch.offset < len)
        };
        let mut before = None;
        for patch in now {
            let phase = phase(patch);
            if before.is_some_and(|before| before != phase) {
                file.sync()?;
            }
            before = Some(phase);
            file.write_at(patch.offset, &patch.bytes)?;
        }
        file.sync()?;
    }
    Ok(())
}

/// `_meta`, or what it was before a change of structure that `_txn` does not know.
fn read_meta(files: &dyn Files, dir: &str, txn: &TxnState) -> Result<TableMeta> {
    let version = i64::from(txn.structure_version as i32);
    meta_of_txn(files, dir, txn.txn, version)?.ok_or_else(|| {
        let expected = format_args!("metadata version {version}, as in _txn");
        Error::damaged(&format!("{dir}/_meta"), 32, expected, "another")
    })
}

fn read_versions(files: &dyn Files, dir: &str, txn: &TxnState) -> Result<ColumnVersions> {
    let file = format!("{dir}/_cv");
    let content = files.read_all(&file, 256 << 20)?;
    ColumnVersions::decode_at(&file, &content, txn.column_version)
}

fn refuse_unsupported(dir: &str, meta: &TableMeta, applied: &Applied) -> Result<()> {
    let refuse = |what: &str| {
        Err(Error::Unsupported { file: format!("{dir}/_txn").into(), offset: 0, what: what.into() })
    };
    if !meta.wal_enabled {
        return refuse("the table has no WAL");
    }
    if meta.timestamp.is_none() {
        return refuse("the table has no designated timestamp");
    }
    if applied.lag_rows > 0 {
        return refuse(
            "rows of transactions that are not applied yet are among its files; let QuestDB apply them first",
        );
    }
    Ok(())
}
