//! Structural changes: columns come, go, change their name or type.

use super::disk::DiskReader;
use super::table::{FileTable, Garbage};
use crate::apply::convert::{converter, source};
use crate::apply::{ChangeError, apply_change};
use crate::table::files::{
    BitmapWriter, DictionaryWriter, check_column_name, check_distinct, column_file, encode_name,
};
use crate::table::{Chunk, Standing, SymbolTable};
use crate::wal::{
    Change, ColumnSpec, Error, Files, Result, TableMetaColumn, Tag, TxnRecord, read_change, read_raw_change,
};

impl FileTable {
    /// Applies and publishes the structural change of a record.
    ///
    /// # Errors
    /// What reading the log or writing files answers. What would suspend the table on the server is no error: the
    /// table's [`standing`](Self::standing) says so.
    pub fn apply_structure(&mut self, log: &dyn Files, log_dir: &str, record: &TxnRecord) -> Result<()> {
        let change = read_change(log, log_dir, record.structure_version)?;
        let raw = read_raw_change(log, log_dir, record.structure_version)?;
        check_names(&self.table.schema, &change)?;
        if changes_columns(&change) {
            // A file that lacks a column, or has one of another name or type, has QuestDB end, or suspend the table.
            self.all_to_native()?;
        }
        match &change {
            Change::AddColumns(specs) => specs.iter().try_for_each(|spec| self.add_column(spec))?,
            Change::DropColumns(names) => names.iter().for_each(|name| self.drop_column(name)),
            Change::RenameColumns(pairs) => {
                pairs.iter().try_for_each(|(from, to)| self.rename_column(from, to))?
            }
            Change::ChangeType(spec) => {
                if let Err(reason) = self.change_type(spec)? {
                    return self.suspend(record, reason);
                }
            }
            Change::RenameTable { .. } | Change::DedupEnable(_) | Change::DedupDisable => {}
        }
        let dictionaries = std::mem::take(&mut self.table.symbols);
        self.table.symbols =
            dictionaries.iter().map(|symbols| symbols.as_ref().map(|_| SymbolTable::default())).collect();
        let applied = apply_change(&mut self.table, &change);
        // What the change did to dictionaries was done above, with the rows at hand.
        let columns = self.table.schema.columns.len();
        self.table.symbols = dictionaries;
        self.table.symbols.resize_with(columns, || None);
        if let Err(error) = applied {
            return self.suspend(record, error.to_string());
        }
        for (index, place) in self.table.symbols.iter_mut().enumerate() {
            let live = self.table.schema.columns.get(index).is_some_and(|c| !c.dropped && c.ty.is_symbol());
            if live {
                place.get_or_insert_default();
            } else {
                *place = None;
            }
        }
        self.dictionaries.resize_with(columns, || None);
        for (place, column) in self.dictionaries.iter_mut().zip(&self.table.schema.columns) {
            if column.dropped {
                *place = None;
            }
        }
        self.refresh_meta(&change);
        if let Change::RenameTable { to, .. } = &change {
            let path = format!("{}/_name", self.token.dir);
            super::log::replace_file(&*self.disk, &path, &encode_name(to), self.syncs())?;
            self.token.name.clone_from(to);
        }
        self.extend_dictionaries()?;
        self.publish_change(record, &raw)
    }

    /// Stops the table at a change of structure.
    fn suspend(&mut self, record: &TxnRecord, reason: String) -> Result<()> {
        self.table.standing = Standing::Suspended { seq_txn: record.seq_txn, reason };
        self.structural = true;
        self.keep()
    }

    /// Brings `_meta` in line with the schema.
    fn refresh_meta(&mut self, change: &Change) {
        let specs: &[ColumnSpec] = match change {
            Change::AddColumns(specs) => specs,
            Change::ChangeType(spec) => std::slice::from_ref(spec),
            _ => &[],
        };
        let mut specs = specs.iter();
        for (index, column) in self.table.schema.columns.iter().enumerate() {
            if self.meta.columns.len() <= index {
                let Some(spec) = specs.next() else { break };
                self.meta.columns.push(TableMetaColumn {
                    name: column.name.clone(),
                    ty: column.ty,
                    dropped: false,
                    indexed: spec.indexed,
                    symbol_cache: spec.symbol_cache,
                    dedup_key: column.upsert_key,
                    index_block_capacity: spec.index_block_capacity,
                    symbol_capacity: spec.symbol_capacity,
                    parquet_encoding: 0,
                    replaces: self.replaced(column.replaces),
                });
            }
            if let Some(meta) = self.meta.columns.get_mut(index) {
                meta.name.clone_from(&column.name);
                meta.dropped = column.dropped;
                meta.dedup_key = column.upsert_key;
            }
        }
        self.meta_changed = true;
    }

    /// The first of the columns that replaced one another: QuestDB names that one for all of them.
    fn replaced(&self, mut replaces: Option<usize>) -> Option<usize> {
        while let Some(before) = replaces.and_then(|index| self.table.schema.columns.get(index)?.replaces) {
            replaces = Some(before);
        }
        replaces
    }

    fn add_column(&mut self, spec: &ColumnSpec) -> Result<()> {
        let index = self.next_column();
        let name_txn = self.name_txn();
        let last = self.txn.partitions.last().copied();
        self.versions.set_default(index, name_txn, last.map_or(i64::MIN, |part| part.ts));
        self.versions_changed = true;
        self.create_dictionary(index, spec, name_txn)?;
        let Some(part) = last else { return Ok(()) };
        if spec.ty.is_symbol() {
            self.nulls.insert(index);
        }
        self.versions.set(part.ts, index, name_txn, part.rows);
        let folder = self.folder(part.ts, part.name_txn);
        let mut patches = vec![self.patch_in(&folder, &column_file(&spec.name, "d", name_txn), Vec::new())];
        match spec.ty.tag() {
            Tag::String | Tag::Binary => {
                patches.push(self.patch_in(&folder, &column_file(&spec.name, "i", name_txn), vec![0; 8]));
            }
            Tag::Varchar | Tag::Array => {
                patches.push(self.patch_in(&folder, &column_file(&spec.name, "i", name_txn), Vec::new()));
            }
            Tag::Symbol if spec.indexed => {
                let (k, v) = BitmapWriter::build(&[], part.rows, spec.index_block_capacity.max(2) as u32);
                patches.push(self.patch_in(&folder, &column_file(&spec.name, "v", name_txn), v));
                patches.push(self.patch_in(&folder, &column_file(&spec.name, "k", name_txn), k));
            }
            _ => {}
        }
        self.write(&patches, self.syncs())
    }

    /// The writer index of the next column. Several may come in one change, before the schema has them.
    fn next_column(&self) -> usize {
        self.table.schema.columns.len().max(self.versions.columns().max().map_or(0, |last| last + 1))
    }

    fn create_dictionary(&mut self, index: usize, spec: &ColumnSpec, name_txn: i64) -> Result<()> {
        if !spec.ty.is_symbol() {
            return Ok(());
        }
        let capacity = spec.symbol_capacity.max(1) as u32;
        let (writer, patches) = DictionaryWriter::create(&spec.name, name_txn, capacity, spec.symbol_cache);
        self.write(&patches, self.syncs())?;
        self.dictionaries.resize_with(self.dictionaries.len().max(index + 1), || None);
        if let Some(place) = self.dictionaries.get_mut(index) {
            *place = Some(writer);
        }
        self.table.symbols.resize_with(self.table.symbols.len().max(index + 1), || None);
        if let Some(place) = self.table.symbols.get_mut(index) {
            place.get_or_insert_default();
        }
        Ok(())
    }

    fn drop_column(&mut self, name: &str) {
        let Some((index, name)) =
            self.table.schema.find(name).map(|(index, column)| (index, column.name.clone()))
        else {
            return;
        };
        self.discard_column(index, &name);
    }

    /// Has a column's files removed, and forgets what they are called.
    fn discard_column(&mut self, index: usize, name: &str) {
        for part in 0..self.txn.partitions.len() {
            let Some(files) = self.part_files(part) else { continue };
            let paths: Vec<String> = ["d", "i", "k", "v"].iter().map(|ext| files.path(index, ext)).collect();
            self.garbage.extend(paths.into_iter().map(Garbage::File));
        }
        if let Some(Some(writer)) = self.dictionaries.get(index) {
            self.discard_dictionary(name, writer.name_txn());
        }
        self.versions.remove_column(index);
        self.versions_changed = true;
    }

    /// Gives a column's files a second name; the first one goes once the change is published.
    fn rename_column(&mut self, from: &str, to: &str) -> Result<()> {
        let Some((index, column)) =
            self.table.schema.find(from).map(|(index, column)| (index, column.clone()))
        else {
            return Ok(());
        };
        let name_txn = self.name_txn();
        let mut tops = Vec::new();
        let mut garbage = Vec::new();
        for (part, entry) in self.txn.partitions.iter().enumerate() {
            let Some(files) = self.part_files(part) else { continue };
            let Some(place) = files.columns.get(index).filter(|place| place.top.is_some()) else { continue };
            for extension in ["d", "i", "k", "v"] {
                let path = files.path(index, extension);
                if self.disk.len(&path)?.is_some() {
                    let new = [&*files.folder, "/", &column_file(to, extension, name_txn)].concat();
                    self.disk.link(&path, &new)?;
                    garbage.push(Garbage::File(path));
                }
            }
            if self.syncs() {
                self.disk.sync_dir(&files.folder)?;
            }
            if self.versions.has_record(entry.ts, index) {
                tops.push((entry.ts, place.top.unwrap_or(0)));
            }
        }
        self.garbage.extend(garbage);
        let added = self.versions.added_at(index).unwrap_or(i64::MIN);
        let symbols = self.versions.symbol_name_txn(index);
        self.versions.set_default(index, name_txn, added);
        for (ts, top) in tops {
            self.versions.set(ts, index, name_txn, top);
        }
        self.versions_changed = true;
        if column.ty.is_symbol() {
            for extension in ["o", "c", "k", "v"] {
                let path =
                    |name: &str, txn| [&*self.token.dir, "/", &column_file(name, extension, txn)].concat();
                self.disk.link(&path(&column.name, symbols), &path(to, name_txn))?;
            }
            self.discard_dictionary(&column.name, symbols);
            self.versions.set_symbol(index, name_txn);
            let count =
                self.dictionaries.get(index).and_then(Option::as_ref).map_or(0, DictionaryWriter::count);
            let reader = DiskReader(&*self.disk);
            let writer = DictionaryWriter::open(&reader, &self.token.dir, to, name_txn, count)?;
            if let Some(place) = self.dictionaries.get_mut(index) {
                *place = Some(writer);
            }
        }
        Ok(())
    }

    /// Writes a column's values as another type beside the old ones; answers why the server could not.
    fn change_type(&mut self, spec: &ColumnSpec) -> Result<std::result::Result<(), String>> {
        let Some((old, column)) =
            self.table.schema.find(&spec.name).map(|(index, column)| (index, column.clone()))
        else {
            return Ok(Err(format!("the table has no column {}", spec.name)));
        };
        let converter = match converter(column.ty, spec.ty) {
            Ok(converter) => converter,
            Err(refused) => return Ok(Err(refused.to_string())),
        };
        let calendar = self.table.calendar();
        let held = |part: usize, ts: i64| {
            let here = self.part_files(part).and_then(|files| files.columns.get(old)?.top);
            self.parquet.contains(&calendar.floor(ts)) && here.is_some()
        };
        if self.txn.partitions.iter().enumerate().any(|(part, entry)| held(part, entry.ts)) {
            return Ok(Err(ChangeError::Parquet { column: column.name }.to_string()));
        }
        let index = self.next_column();
        let name_txn = self.name_txn();
        let from = self.table.dictionary(old).cloned();
        let mut into = spec.ty.is_symbol().then(SymbolTable::default);
        let mut tops = Vec::new();
        for (part, entry) in self.txn.partitions.clone().into_iter().enumerate() {
            let Some(files) = self.part_files(part) else { continue };
            let Some(top) = files.columns.get(old).and_then(|place| place.top) else {
                // Its rows have no value of the column; the server does not count them as nulls of the new one.
                continue;
            };
            let mut new = Chunk::new(spec.ty);
            if let Some(chunk) = files.chunk(old, top.min(entry.rows)..entry.rows)? {
                match converter.convert_all(&chunk) {
                    Some(converted) => new = converted,
                    None => {
                        let mut scratch = Vec::new();
                        for row in 0..chunk.rows() {
                            scratch.clear();
                            let value = source(&chunk, row, column.ty, from.as_ref());
                            match converter.convert(value, &mut scratch) {
                                Ok(value) => new.push(spec.ty, value, into.as_mut()),
                                Err(cause) => return Ok(Err(format!("column {}: {cause}", column.name))),
                            }
                        }
                    }
                }
            }
            let folder = files.folder.clone();
            self.store_converted(&folder, spec, name_txn, &new, top.min(entry.rows))?;
            if spec.ty.is_symbol() && entry.rows > top && super::partition::has_null(Some(&new)) {
                self.nulls.insert(index);
            }
            if top > 0 || self.versions.added_at(old).is_some_and(|added| added > entry.ts) {
                tops.push((entry.ts, top));
            }
        }
        let added = self.versions.added_at(old).unwrap_or(i64::MIN);
        self.versions.set_default(index, name_txn, added);
        for (ts, top) in tops {
            self.versions.set(ts, index, name_txn, top);
        }
        self.versions_changed = true;
        self.create_dictionary(index, spec, name_txn)?;
        if let (Some(into), Some(place)) = (into, self.table.symbols.get_mut(index)) {
            *place = Some(into);
        }
        self.discard_column(old, &column.name);
        Ok(Ok(()))
    }

    fn store_converted(
        &self,
        folder: &str,
        spec: &ColumnSpec,
        name_txn: i64,
        chunk: &Chunk,
        top: u64,
    ) -> Result<()> {
        let mut patches = Vec::new();
        match chunk {
            Chunk::Fixed { values, .. } => {
                patches.push(self.patch_in(folder, &column_file(&spec.name, "d", name_txn), values.clone()));
            }
            Chunk::Prefixed { aux, data } => {
                patches.push(self.patch_in(folder, &column_file(&spec.name, "d", name_txn), data.clone()));
                let offsets = aux.iter().flat_map(|offset| offset.to_le_bytes()).collect();
                patches.push(self.patch_in(folder, &column_file(&spec.name, "i", name_txn), offsets));
            }
            Chunk::Varchar { aux, data } | Chunk::Array { aux, data } => {
                patches.push(self.patch_in(folder, &column_file(&spec.name, "d", name_txn), data.clone()));
                let aux = aux.as_flattened().to_vec();
                patches.push(self.patch_in(folder, &column_file(&spec.name, "i", name_txn), aux));
            }
        }
        if let (true, Chunk::Fixed { values, .. }) = (spec.indexed && spec.ty.is_symbol(), chunk) {
            let keys: Vec<i32> =
                values.as_chunks::<4>().0.iter().map(|key| i32::from_le_bytes(*key)).collect();
            let (k, v) = BitmapWriter::build(&keys, top, spec.index_block_capacity.max(2) as u32);
            patches.push(self.patch_in(folder, &column_file(&spec.name, "v", name_txn), v));
            patches.push(self.patch_in(folder, &column_file(&spec.name, "k", name_txn), k));
        }
        self.write(&patches, self.syncs())
    }
}

/// Whether files of the columns as they were would be wrong ones afterwards.
fn changes_columns(change: &Change) -> bool {
    match change {
        Change::AddColumns(_) | Change::DropColumns(_) | Change::RenameColumns(_) | Change::ChangeType(_) => {
            true
        }
        Change::RenameTable { .. } | Change::DedupEnable(_) | Change::DedupDisable => false,
    }
}

/// Names of columns become names of files.
fn check_names(schema: &crate::table::Schema, change: &Change) -> Result<()> {
    let names: Vec<&str> = match change {
        Change::AddColumns(specs) => specs.iter().map(|spec| &*spec.name).collect(),
        Change::RenameColumns(pairs) => pairs.iter().map(|(_, to)| &**to).collect(),
        Change::ChangeType(spec) => return check_column_name(&spec.name),
        Change::RenameTable { to, .. } if to.is_empty() => {
            return Err(Error::damaged("_txnlog.meta.d", 0, "a table name", "an empty one"));
        }
        _ => return Ok(()),
    };
    names.iter().try_for_each(|name| check_column_name(name))?;
    if matches!(change, Change::AddColumns(_)) {
        let live = schema.live().map(|(_, column)| &*column.name);
        check_distinct(live.chain(names))?;
    }
    Ok(())
}
