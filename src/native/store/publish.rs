//! Making a new state the table's: everything that it names is in its files before `_txn` names it.

use super::disk::DiskReader;
use super::log::replace_file;
use super::table::{FileTable, Garbage, write_patches};
use crate::apply::evict;
use crate::table::Standing;
use crate::table::files::{
    DictionaryWriter, Patch, clear_todo, column_file, encode_meta, pack_structure_version, restore_meta_todo,
};
use crate::wal::{Files, Result, Symbol, TableKind, TxnRecord};
use std::collections::BTreeSet;

/// Symbols that are written at a time.
const SYMBOLS: usize = 64 * 1024;

impl FileTable {
    /// Publishes what was built for `records`, none of which is a structural change.
    ///
    /// # Errors
    /// What writing answers; the table is then as before, or as after.
    pub(super) fn publish(&mut self, records: &[TxnRecord]) -> Result<()> {
        if records.is_empty() { Ok(()) } else { self.publish_with(records, None) }
    }

    /// Publishes the structural change of `record`, `raw` being its bytes in the log.
    pub(super) fn publish_change(&mut self, record: &TxnRecord, raw: &[u8]) -> Result<()> {
        self.publish_with(std::slice::from_ref(record), Some(raw))
    }

    /// Publishes what was built, at the transaction that the table is at.
    pub(super) fn republish(&mut self) -> Result<()> {
        self.publish_with(&[], None)
    }

    fn publish_with(&mut self, records: &[TxnRecord], raw: Option<&[u8]>) -> Result<()> {
        let seq_txn = records.last().map_or(self.txn.seq_txn, |last| last.seq_txn);
        let sync = self.syncs();
        let disk = self.disk.clone();
        // The version of the metadata stays: a server that starts between the writing of `_meta` and that of `_txn` must
        // be able to read both, to get to put the old `_meta` back. What a statement sets may count a moment too early.
        let mut next = self.txn.clone();
        next.txn += 1;
        next.seq_txn = seq_txn;
        next.column_version = self.versions.version() + i64::from(self.versions_changed);
        next.symbol_counts = self.symbol_counts();
        next.structure_version =
            pack_structure_version(self.meta.metadata_version as i32, self.table.schema.version as i32);
        if next.partitions.is_empty() {
            (next.min_ts, next.max_ts) = (i64::MAX, i64::MIN);
        }
        self.keep()?;
        self.seal.announce(&*disk, &next, sync)?;
        if sync {
            // Dictionaries, folders and the seal may have new names here.
            disk.sync_dir(&self.token.dir)?;
            if raw.is_some() || self.meta_changed {
                for part in &self.txn.partitions {
                    disk.sync_dir(&self.folder(part.ts, part.name_txn))?;
                }
            }
        }
        // The log goes first: it is what makes the server open the table at start and roll back what is ahead. A `_cv`
        // that is ahead of `_txn` alone would have its readers spin for ever.
        let stands_in = records.is_empty() && self.versions_changed;
        match (raw, records) {
            _ if stands_in => self.log.stand_in(&*disk, &self.meta, &next, sync)?,
            (Some(raw), [record]) => {
                self.prepare_meta()?;
                self.log.change(&*disk, &self.meta, record, raw, sync)?;
            }
            _ => self.log.append(&*disk, &self.meta, records, sync)?,
        }
        self.write_versions()?;
        if self.meta_changed {
            self.put_meta()?;
        }
        let (file, patches) = self.txn_file.next(&next);
        self.write_each(&patches)?;
        self.txn_file = file;
        self.txn = next;
        self.table.seq_txn = seq_txn;
        if stands_in {
            self.log.set_back(&*disk, &self.meta, &self.txn, sync)?;
        }
        self.meta_changed = false;
        if raw.is_some() {
            self.write(&[clear_todo()], sync)?;
        }
        self.collect_garbage()
    }

    /// Sees to it that QuestDB, should it open the table before `_txn` follows, puts the old `_meta` back.
    fn prepare_meta(&self) -> Result<()> {
        let dir = &self.token.dir;
        let before = DiskReader(&*self.disk).read_all(&format!("{dir}/_meta"), 16 << 20)?;
        replace_file(&*self.disk, &format!("{dir}/_meta.prev"), &before, self.syncs())?;
        self.write_each(&restore_meta_todo(self.txn.txn))
    }

    fn put_meta(&self) -> Result<()> {
        let path = format!("{}/_meta", self.token.dir);
        replace_file(&*self.disk, &path, &encode_meta(&self.meta), self.syncs())
    }

    fn write_versions(&mut self) -> Result<()> {
        if !self.versions_changed {
            return Ok(());
        }
        let (next, patches) = self.versions.next();
        self.write_each(&patches)?;
        self.versions = next;
        self.versions_changed = false;
        Ok(())
    }

    /// Writes patches that must reach the disk in this order.
    fn write_each(&self, patches: &[Patch]) -> Result<()> {
        if !self.syncs() {
            return self.write(patches, false);
        }
        patches.iter().try_for_each(|patch| self.write(std::slice::from_ref(patch), true))
    }

    pub(super) fn symbol_counts(&self) -> Vec<u32> {
        let live =
            self.table.schema.columns.iter().enumerate().filter(|(_, c)| !c.dropped && c.ty.is_symbol());
        live.map(|(index, _)| {
            self.dictionaries.get(index).and_then(Option::as_ref).map_or(0, DictionaryWriter::count)
        })
        .collect()
    }

    /// Writes symbols that the table's dictionaries have and their files don't.
    pub(super) fn extend_dictionaries(&mut self) -> Result<()> {
        let sync = self.syncs();
        let live: Vec<usize> = self.table.schema.live().map(|(index, _)| index).collect();
        for index in live {
            let has_null = self.nulls.contains(&index);
            let Some(Some(symbols)) = self.table.symbols.get(index) else { continue };
            let Some(Some(writer)) = self.dictionaries.get_mut(index) else { continue };
            if symbols.len() <= writer.count() as usize && (!has_null || writer.has_null()) {
                continue;
            }
            let mut patches = writer.append(&[], has_null);
            let new: Vec<Symbol<'_>> = symbols.symbols_from(writer.count() as usize).collect();
            for some in new.chunks(SYMBOLS) {
                patches.extend(writer.append_symbols(some, has_null));
            }
            write_patches(&*self.disk, &self.token.dir, &patches, sync)?;
        }
        self.nulls.clear();
        Ok(())
    }

    /// Makes dictionaries larger that have become full. The server does so after commits of rows and UPDATE, and then with
    /// all columns; a change of structure may leave a full one behind.
    pub(super) fn scale_dictionaries(&mut self) -> Result<()> {
        let live: Vec<usize> = self.table.schema.live().map(|(index, _)| index).collect();
        for index in live {
            let writer = self.dictionaries.get(index).and_then(Option::as_ref);
            if let Some(capacity) = writer.and_then(DictionaryWriter::wanted_capacity) {
                self.rebuild_dictionary(index, capacity)?;
            }
        }
        Ok(())
    }

    /// Writes a dictionary anew for more symbols, under another name.
    pub(super) fn rebuild_dictionary(&mut self, index: usize, capacity: u32) -> Result<()> {
        let name = self.column_name(index).to_owned();
        let next = self.name_txn();
        let cache = self.meta.columns.get(index).is_some_and(|column| column.symbol_cache);
        let old = self.dictionaries.get(index).and_then(Option::as_ref);
        let has_null = old.is_some_and(DictionaryWriter::has_null);
        let (mut writer, mut patches) = DictionaryWriter::create(&name, next, capacity, cache);
        patches.extend(writer.append(&[], has_null));
        if let Some(Some(symbols)) = self.table.symbols.get(index) {
            let all: Vec<Symbol<'_>> = symbols.symbols_from(0).collect();
            for some in all.chunks(SYMBOLS) {
                patches.extend(writer.append_symbols(some, has_null));
            }
        }
        // One that was written anew since the last publication has the same name, and no state names it yet.
        let again = old.is_some_and(|old| old.name_txn() == next);
        if again {
            self.dictionary_files(&name, next).iter().try_for_each(|path| self.disk.remove(path))?;
        }
        self.write(&patches, self.syncs())?;
        let old = self.dictionaries.get_mut(index).and_then(|place| place.replace(writer));
        if let Some(old) = old.filter(|_| !again) {
            self.discard_dictionary(&name, old.name_txn());
        }
        self.versions.set_symbol(index, next);
        self.versions_changed = true;
        if let Some(column) = self.meta.columns.get_mut(index) {
            column.symbol_capacity = capacity as i32;
            self.meta_changed = true;
        }
        Ok(())
    }

    pub(super) fn discard_dictionary(&mut self, name: &str, name_txn: i64) {
        let files = self.dictionary_files(name, name_txn);
        self.garbage.extend(files.map(Garbage::File));
    }

    fn dictionary_files(&self, name: &str, name_txn: i64) -> [String; 4] {
        ["o", "c", "k", "v"]
            .map(|extension| [&*self.token.dir, "/", &column_file(name, extension, name_txn)].concat())
    }

    /// Lets partitions go that have outlived the table's TTL by the last of these transactions.
    pub(super) fn evict(&mut self, records: &[TxnRecord]) -> Result<()> {
        if self.table.schema.ttl == 0 {
            return Ok(());
        }
        if let Some(last) = records.last() {
            let shown = self.show_away();
            evict(&mut self.table, last.commit_ts);
            self.hide_away(shown);
            self.drop_missing()?;
        }
        Ok(())
    }

    /// Takes over that partitions are gone from the table.
    pub(super) fn drop_missing(&mut self) -> Result<()> {
        let calendar = self.table.calendar();
        let kept: BTreeSet<i64> = self.table.partitions.keys().copied().collect();
        let gone = |ts: i64| !kept.contains(&calendar.floor(ts));
        let first_gone = self.txn.partitions.first().is_some_and(|part| gone(part.ts));
        let last_gone = self.txn.partitions.last().is_some_and(|part| gone(part.ts));
        let mut index = 0;
        while let Some(part) = self.txn.partitions.get(index).copied() {
            if !gone(part.ts) {
                index += 1;
                continue;
            }
            self.txn.partitions.remove(index);
            self.newest.remove(index);
            let folder = self.folder(part.ts, part.name_txn);
            self.garbage.push(Garbage::Folder(folder));
            self.parquet.remove(&calendar.floor(part.ts));
            self.forget_away(calendar.floor(part.ts));
            self.versions.remove_partition(part.ts);
            self.versions_changed = true;
            self.txn.partition_table_version += 1;
        }
        self.refresh_ends(first_gone, last_gone)
    }

    /// Finds the table's smallest and largest timestamps anew after parts at its ends went.
    pub(super) fn refresh_ends(&mut self, first: bool, last: bool) -> Result<()> {
        let count = self.txn.partitions.len();
        if count == 0 {
            (self.txn.min_ts, self.txn.max_ts) = (i64::MAX, i64::MIN);
            return Ok(());
        }
        if last && let Some(files) = self.part_files(count - 1) {
            self.txn.max_ts = files.timestamp(files.rows.saturating_sub(1))?.unwrap_or(i64::MIN);
            if let Some(part) = self.txn.partitions.last().copied() {
                self.versions.move_added(part.ts, part.rows);
            }
        }
        if first && let Some(files) = self.part_files(0) {
            self.txn.min_ts = files.timestamp(0)?.unwrap_or(i64::MAX);
        }
        Ok(())
    }

    /// Removes what no state names any more. What can't be removed now is found when the table is opened next.
    pub(super) fn collect_garbage(&mut self) -> Result<()> {
        for garbage in std::mem::take(&mut self.garbage) {
            match garbage {
                Garbage::Folder(folder) => self.disk.remove_dir(&folder)?,
                Garbage::File(path) => self.disk.remove(&path)?,
            }
        }
        Ok(())
    }

    /// Puts the log, which may be ahead after a crash, and what it left behind in order. To be called once, before
    /// the first transaction is applied.
    ///
    /// # Errors
    /// What writing answers.
    pub fn recover(&mut self) -> Result<()> {
        let disk = self.disk.clone();
        let there = crate::wal::TableMeta::applied(&DiskReader(&*disk), &self.token.dir);
        if there.is_ok_and(|meta| meta != self.meta) {
            self.put_meta()?;
        }
        let path = format!("{}/_cv", self.token.dir);
        let version = self.txn.column_version.to_le_bytes();
        if *DiskReader(&*disk).read(&path, 0, 8)? != version {
            // The area of the version before is still whole.
            self.write(&[Patch { file: "_cv".into(), offset: 0, bytes: version.to_vec() }], self.syncs())?;
        }
        // Last: a log that is ahead is what would have the server put the others back.
        self.log.set_back(&*disk, &self.meta, &self.txn, self.syncs())?;
        if self.token.kind == TableKind::MatView {
            self.log.hide_last(&*disk, self.syncs())?;
        }
        self.write(&[clear_todo()], self.syncs())?;
        self.sweep()
    }

    /// Removes folders of partitions that no state names.
    fn sweep(&self) -> Result<()> {
        let named: BTreeSet<String> =
            self.txn.partitions.iter().map(|part| self.folder(part.ts, part.name_txn)).collect();
        for name in self.disk.list(&self.token.dir)?.unwrap_or_default() {
            let folder = [&*self.token.dir, "/", &name].concat();
            if is_partition_folder(&name) && !named.contains(&folder) {
                self.disk.remove_dir(&folder)?;
            }
        }
        Ok(())
    }

    /// Whether the standing forbids to go on.
    pub fn is_stopped(&self) -> bool {
        matches!(self.table.standing, Standing::Suspended { .. } | Standing::Dropped { .. })
    }
}

/// True for names like `2024-02-01`, `2024-W05.7` and `2024-02-01T113000.6`, with nothing behind.
fn is_partition_folder(name: &str) -> bool {
    let (stem, suffix) = name.split_once('.').unwrap_or((name, "0"));
    let year = stem.len() >= 4 && stem.bytes().take(4).all(|byte| byte.is_ascii_digit());
    let plain = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'-' | b'T' | b'W');
    year && stem.bytes().all(plain) && !suffix.is_empty() && suffix.bytes().all(|byte| byte.is_ascii_digit())
}
