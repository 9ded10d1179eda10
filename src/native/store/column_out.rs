//! A column's files in one part, while they are written, and the index that goes with them.

use super::block::Target;
use super::disk::{DiskFile, DiskReader, Open};
use super::parts::PartFiles;
use super::table::FileTable;
use crate::apply::backlog::{BuildTarget, NewColumn, OldColumn, Place, Rows, build};
use crate::table::files::{BitmapWriter, Patch, column_file};
use crate::wal::{ColumnType, Result, Tag};

/// A column's files in one part, being written.
pub(super) struct ColumnOut {
    data: Box<dyn DiskFile>,
    aux: Option<Box<dyn DiskFile>>,
    data_at: u64,
    aux_at: u64,
    begun: u64,
    data_end: Option<u64>,
    /// Rows in front that get no values, of those that are still to come.
    top: u64,
    /// Rows that are still to come.
    rows_left: u64,
}

impl ColumnOut {
    pub(super) fn open(
        table: &FileTable,
        target: &Target,
        files: Option<&PartFiles<'_>>,
        index: usize,
        ty: ColumnType,
    ) -> Result<Self> {
        let name_txn = table.name_txn_of(target, files, index);
        let path = |extension| {
            [&*target.folder, "/", &column_file(table.column_name(index), extension, name_txn)].concat()
        };
        let values = match files {
            Some(files) if target.plan.append => files.rows - files.top(index),
            _ => 0,
        };
        // Files without a value may not be there yet, or be left from before: they are begun anew.
        let how = if values > 0 { Open::Write } else { Open::New };
        let data = table.disk.open(&path("d"), how)?;
        let (mut data_at, mut aux_at, mut aux, mut data_end) = (0, 0, None, None);
        match ty.fixed_size() {
            Some(width) => data_at = values * width as u64,
            None => {
                aux = Some(table.disk.open(&path("i"), how)?);
                if let Some(files) = files.filter(|_| values > 0) {
                    let end = files.data_end(index, ty)?;
                    (data_at, data_end) = (end, Some(end));
                    aux_at = match ty.tag() {
                        Tag::String | Tag::Binary => (values + 1) * 8,
                        _ => values * 16,
                    };
                }
            }
        }
        let top = if target.plan.append { 0 } else { target.tops.get(index).copied().unwrap_or(0) };
        let rows_left = target.plan.sequence.len() as u64;
        Ok(Self { data, aux, data_at, aux_at, begun: data_at + aux_at, data_end, top, rows_left })
    }

    /// Writes the next rows: `old` is the existing column with its top.
    pub(super) fn build(
        &mut self,
        ty: ColumnType,
        rows: Rows<'_>,
        new: &NewColumn,
        old: Option<(&dyn OldColumn, u64)>,
    ) -> Result<()> {
        let now = rows.len() as u64;
        let place = Place { old, top: self.top.min(now), data_end: self.data_end };
        build(ty, rows, new, place, self)?;
        self.top -= place.top;
        self.rows_left = self.rows_left.saturating_sub(now);
        // What comes next is an append.
        self.data_end = Some(self.data_at);
        Ok(())
    }

    /// Whether all rows came.
    pub(super) fn is_complete(&self) -> bool {
        self.rows_left == 0
    }

    /// Answers how many bytes were written.
    pub(super) fn finish(self, sync: bool) -> Result<u64> {
        if sync {
            self.data.sync()?;
            self.aux.as_ref().map_or(Ok(()), |aux| aux.sync())?;
        }
        Ok(self.data_at + self.aux_at - self.begun)
    }
}

impl BuildTarget for ColumnOut {
    fn aux(&mut self, bytes: &[u8]) -> Result<()> {
        let Some(aux) = self.aux.as_ref().filter(|_| !bytes.is_empty()) else { return Ok(()) };
        aux.write_at(self.aux_at, bytes)?;
        self.aux_at += bytes.len() as u64;
        Ok(())
    }

    fn data(&mut self, bytes: &[u8]) -> Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        self.data.write_at(self.data_at, bytes)?;
        self.data_at += bytes.len() as u64;
        Ok(())
    }
}

impl FileTable {
    /// Brings a bitmap index up to a part's new rows, whose keys are written already.
    pub(super) fn index_patches(
        &self,
        target: &Target,
        files: Option<&PartFiles<'_>>,
        index: usize,
    ) -> Result<Vec<Patch>> {
        let top = target.tops.get(index).copied().unwrap_or(0);
        let name = self.column_name(index).to_owned();
        let folder = target.folder.strip_prefix(&*self.token.dir).unwrap_or_default().trim_start_matches('/');
        let capacity =
            self.meta.columns.get(index).map_or(256, |column| column.index_block_capacity.max(2) as u32);
        let name_txn = self.name_txn_of(target, files, index);
        let appended = files.filter(|files| target.plan.append && files.top(index) < files.rows);
        // The first row whose key is new to the index.
        let first = match files {
            Some(files) if target.plan.append => files.rows,
            _ => top,
        };
        // Keys in front of that one in the file.
        let before = appended.map_or(0, |files| files.rows - files.top(index));
        let keys =
            self.written_keys(target, index, name_txn, before, target.plan.rows.saturating_sub(first))?;
        if let Some(files) = appended {
            let reader = DiskReader(&*self.disk);
            let mut writer =
                BitmapWriter::open(&reader, &self.token.dir, folder, &name, name_txn, files.rows)?;
            return Ok(writer.append(&keys, files.rows));
        }
        let (k, v) = BitmapWriter::build(&keys, first, capacity);
        let patch = |extension: &str, bytes: Vec<u8>| Patch {
            file: [folder, "/", &column_file(&name, extension, name_txn)].concat(),
            offset: 0,
            bytes,
        };
        Ok(vec![patch("v", v), patch("k", k)])
    }

    /// Keys of a SYMBOL column as they are in its file.
    fn written_keys(
        &self,
        target: &Target,
        index: usize,
        name_txn: i64,
        from: u64,
        rows: u64,
    ) -> Result<Vec<i32>> {
        let path = [&*target.folder, "/", &column_file(self.column_name(index), "d", name_txn)].concat();
        let mut keys = vec![[0u8; 4]; rows as usize];
        if rows > 0 {
            self.disk.open(&path, Open::Read)?.read_exact_at(&path, from * 4, keys.as_flattened_mut())?;
        }
        Ok(keys.into_iter().map(i32::from_le_bytes).collect())
    }
}
