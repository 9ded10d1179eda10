//! A column's files in one part, while they are written, and the index that goes with them.

use super::block::Target;
use super::disk::{DiskFile, DiskReader, Open};
use super::parts::PartFiles;
use super::table::FileTable;
use crate::apply::backlog::{BuildTarget, NewColumn};
use crate::table::files::{BitmapWriter, Patch, column_file};
use crate::wal::{ColumnType, Result, Tag};

/// A column's files in one part, being written.
pub(super) struct ColumnOut {
    data: Box<dyn DiskFile>,
    aux: Option<Box<dyn DiskFile>>,
    pub(super) data_at: u64,
    aux_at: u64,
    begun: u64,
    pub(super) data_end: Option<u64>,
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
        Ok(Self { data, aux, data_at, aux_at, begun: data_at + aux_at, data_end })
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
    /// Brings a bitmap index up to a part's new rows.
    pub(super) fn index_patches(
        &self,
        target: &Target,
        files: Option<&PartFiles<'_>>,
        index: usize,
        new: &NewColumn,
    ) -> Result<Vec<Patch>> {
        let NewColumn::Fixed { values, .. } = new else { return Ok(Vec::new()) };
        let new = values.as_chunks::<4>().0;
        let top = target.tops.get(index).copied().unwrap_or(0);
        let name = self.column_name(index).to_owned();
        let folder = target.folder.strip_prefix(&*self.token.dir).unwrap_or_default().trim_start_matches('/');
        let capacity =
            self.meta.columns.get(index).map_or(256, |column| column.index_block_capacity.max(2) as u32);
        let mut keys = Vec::with_capacity(target.plan.rows as usize);
        let old = match files {
            Some(files) if !target.plan.append => files.chunk(index, 0..files.rows)?,
            _ => None,
        };
        for run in &target.plan.runs {
            match run.is_old() {
                true => keys.extend((run.start()..run.start() + run.len()).map(|row| {
                    let bytes = old.as_ref().and_then(|chunk| chunk.fixed(row));
                    bytes.and_then(|bytes| bytes.try_into().ok()).map_or(i32::MIN, i32::from_le_bytes)
                })),
                false => keys.extend(
                    new.get(run.start()..run.start() + run.len())
                        .unwrap_or_default()
                        .iter()
                        .map(|key| i32::from_le_bytes(*key)),
                ),
            }
        }
        if let (true, Some(files)) = (target.plan.append, files)
            && files.top(index) < files.rows
        {
            let name_txn = files.columns.get(index).map_or(-1, |place| place.name_txn);
            let reader = DiskReader(&*self.disk);
            let mut writer =
                BitmapWriter::open(&reader, &self.token.dir, folder, &name, name_txn, files.rows)?;
            return Ok(writer.append(&keys, files.rows));
        }
        let name_txn = self.name_txn_of(target, files, index);
        let first = if target.plan.append { files.map_or(0, |files| files.rows) } else { top };
        let keys = if target.plan.append { &keys[..] } else { keys.get(top as usize..).unwrap_or_default() };
        let (k, v) = BitmapWriter::build(keys, first, capacity);
        let patch = |extension: &str, bytes: Vec<u8>| Patch {
            file: [folder, "/", &column_file(&name, extension, name_txn)].concat(),
            offset: 0,
            bytes,
        };
        Ok(vec![patch("v", v), patch("k", k)])
    }
}
