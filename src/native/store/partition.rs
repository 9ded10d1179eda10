//! Whole partitions between their files and memory: what is neither an append nor a merge goes this way.

use super::disk::{DiskReader, Open};
use super::table::{FileTable, Garbage};
use crate::columnar::parquet::ParquetForm;
use crate::table::files::read::AppliedTable;
use crate::table::files::{BitmapWriter, PartitionEntry, Patch, TxnState, column_file};
use crate::table::{Chunk, Partition, Table};
use crate::wal::{Result, Tag};
use std::sync::Arc;

impl FileTable {
    /// The table with all of its rows in memory.
    ///
    /// # Errors
    /// What reading answers.
    pub fn load(&self) -> Result<Table> {
        let mut table = self.table.clone();
        for (&floor, partition) in &mut table.partitions {
            *partition = Arc::new(self.load_partition(floor)?);
        }
        Ok(table)
    }

    /// Reads the partition that begins at `floor`, all of its parts. Blocks end where a column begins, so rows without
    /// values stay apart.
    pub(super) fn load_partition(&self, floor: i64) -> Result<Partition> {
        let calendar = self.table.calendar();
        let first = self.txn.partitions.partition_point(|part| part.ts < floor);
        let parts =
            self.txn.partitions.iter().skip(first).take_while(|part| calendar.floor(part.ts) == floor);
        let partitions: Vec<PartitionEntry> = parts.copied().collect();
        let count = partitions.len();
        let here = TxnState { symbol_counts: self.symbol_counts(), partitions, ..TxnState::empty(0) };
        let table = AppliedTable {
            token: self.token.clone(),
            applied: here.to_applied(),
            versions: self.versions.clone(),
            schema: self.table.schema.clone(),
            form: Some(&ParquetForm),
        };
        table.read_parts(&DiskReader(&*self.disk), floor, 0..count)
    }

    /// Writes a partition into a new folder and enters it in place of all the parts it has had.
    pub(super) fn store_partition(&mut self, partition: &Partition) -> Result<()> {
        let calendar = self.table.calendar();
        let floor = partition.floor;
        let name_txn = self.name_txn();
        let folder = self.folder(floor, name_txn);
        self.disk.remove_dir(&folder)?;
        self.disk.create_dir(&folder)?;
        let mut tops = vec![0; self.table.schema.columns.len()];
        let live: Vec<usize> = self.table.schema.live().map(|(index, _)| index).collect();
        for index in live {
            if self.table.schema.columns.get(index).is_some_and(|column| column.ty.is_symbol())
                && partition.blocks.iter().any(|block| has_null(block.chunk(index).map(|chunk| &**chunk)))
            {
                self.nulls.insert(index);
            }
            let top = self.store_column(partition, &folder, index)?;
            if let Some(place) = tops.get_mut(index) {
                *place = top;
            }
        }
        if self.syncs() {
            self.disk.sync_dir(&folder)?;
            self.disk.sync_dir(&self.token.dir)?;
        }
        let mut at = self.txn.partitions.partition_point(|entry| entry.ts < floor);
        while let Some(old) = self.txn.partitions.get(at).copied().filter(|e| calendar.floor(e.ts) == floor) {
            self.txn.partitions.remove(at);
            self.newest.remove(at);
            self.versions.remove_partition(old.ts);
            self.garbage.push(Garbage::Folder(self.folder(old.ts, old.name_txn)));
        }
        at = at.min(self.txn.partitions.len());
        let entry = PartitionEntry {
            ts: floor,
            rows: partition.rows as u64,
            name_txn,
            squash_count: 0,
            parquet: false,
            read_only: false,
            parquet_len: -1,
        };
        self.txn.partitions.insert(at, entry);
        self.newest.insert(at, Some(partition.max_ts()));
        self.txn.partition_table_version += 1;
        self.versions_changed = true;
        self.note_tops(floor, false, &tops);
        if at == 0 {
            self.txn.min_ts = partition.min_ts();
        }
        if at + 1 == self.txn.partitions.len() {
            self.txn.max_ts = partition.max_ts();
        }
        Ok(())
    }

    /// Writes a column of a partition; answers its top.
    fn store_column(&self, partition: &Partition, folder: &str, index: usize) -> Result<u64> {
        let Some(column) = self.table.schema.columns.get(index) else { return Ok(0) };
        let absent = partition.blocks.iter().take_while(|block| block.chunk(index).is_none());
        let top: usize = absent.map(|block| block.rows).sum();
        let mut whole = Chunk::new(column.ty);
        whole.reserve(partition.rows - top);
        let mut first = 0;
        for block in &partition.blocks {
            if first >= top {
                crate::apply::append_rows(
                    &mut whole,
                    column.ty,
                    block.chunk(index).map(|c| &**c),
                    0,
                    block.rows,
                );
            }
            first += block.rows;
        }
        let name_txn = self.versions.default_name_txn(index);
        self.store_chunk(folder, index, name_txn, &whole, top as u64)?;
        Ok(top as u64)
    }

    /// Writes a column's files with these values behind `top` rows, and its index.
    pub(super) fn store_chunk(
        &self,
        folder: &str,
        index: usize,
        name_txn: i64,
        chunk: &Chunk,
        top: u64,
    ) -> Result<()> {
        let Some(column) = self.table.schema.columns.get(index) else { return Ok(()) };
        let path = |extension| [folder, "/", &column_file(&column.name, extension, name_txn)].concat();
        let put = |extension, bytes: &[u8]| -> Result<()> {
            let file = self.disk.open(&path(extension), Open::New)?;
            file.write_at(0, bytes)?;
            if self.syncs() { file.sync() } else { Ok(()) }
        };
        match chunk {
            Chunk::Fixed { values, .. } => put("d", values)?,
            Chunk::Prefixed { aux, data } => {
                put("d", data)?;
                let offsets: Vec<u8> = aux.iter().flat_map(|offset| offset.to_le_bytes()).collect();
                put("i", &offsets)?;
            }
            Chunk::Varchar { aux, data } | Chunk::Array { aux, data } => {
                put("d", data)?;
                put("i", aux.as_flattened())?;
            }
        }
        if column.indexed && column.ty.tag() == Tag::Symbol {
            let keys: Vec<i32> = match chunk {
                Chunk::Fixed { values, .. } => {
                    values.as_chunks::<4>().0.iter().map(|key| i32::from_le_bytes(*key)).collect()
                }
                _ => Vec::new(),
            };
            let capacity =
                self.meta.columns.get(index).map_or(256, |column| column.index_block_capacity.max(2));
            let (k, v) = BitmapWriter::build(&keys, top, capacity as u32);
            put("v", &v)?;
            put("k", &k)?;
        }
        Ok(())
    }

    /// A patch of a file in one of the table's folders.
    pub(super) fn patch_in(&self, folder: &str, file: &str, bytes: Vec<u8>) -> Patch {
        let folder = folder.strip_prefix(&*self.token.dir).unwrap_or(folder).trim_start_matches('/');
        Patch { file: [folder, "/", file].concat(), offset: 0, bytes }
    }
}

/// Whether a SYMBOL column has nulls in a block.
pub(super) fn has_null(chunk: Option<&Chunk>) -> bool {
    match chunk {
        Some(Chunk::Fixed { values, .. }) => values.as_chunks::<4>().0.contains(&i32::MIN.to_le_bytes()),
        _ => true,
    }
}
