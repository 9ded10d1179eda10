//! A column's native files, written from chunks that come one after the other.

use super::super::disk::{Disk, DiskFile, Open};
use crate::table::Chunk;
use crate::table::chunk::{array_entry, array_span, varchar_offset, varchar_with_offset};
use crate::wal::{ColumnType, Result, Tag};

/// The files of one column in one part, being written.
pub(super) struct ColumnFiles {
    data: Box<dyn DiskFile>,
    aux: Option<Box<dyn DiskFile>>,
    data_at: u64,
    aux_at: u64,
}

impl ColumnFiles {
    /// Makes the files; `path` answers where the one of an extension is.
    pub(super) fn create(disk: &dyn Disk, ty: ColumnType, path: impl Fn(&str) -> String) -> Result<Self> {
        let data = disk.open(&path("d"), Open::New)?;
        let mut files = Self { data, aux: None, data_at: 0, aux_at: 0 };
        if ty.fixed_size().is_none() {
            files.aux = Some(disk.open(&path("i"), Open::New)?);
        }
        if matches!(ty.tag(), Tag::String | Tag::Binary) {
            files.put_aux(&[0; 8])?;
        }
        Ok(files)
    }

    /// Writes the values that come next.
    pub(super) fn append(&mut self, chunk: &Chunk) -> Result<()> {
        let shift = self.data_at;
        match chunk {
            Chunk::Fixed { values, .. } => self.put_data(values),
            Chunk::Prefixed { aux, data } => {
                self.put_data(data)?;
                let ends = aux.iter().skip(1);
                let ends: Vec<u8> = ends.flat_map(|end| end.wrapping_add(shift).to_le_bytes()).collect();
                self.put_aux(&ends)
            }
            Chunk::Varchar { aux, data } => {
                self.put_data(data)?;
                let moved =
                    aux.iter().map(|entry| varchar_with_offset(*entry, varchar_offset(entry) + shift));
                self.put_aux(moved.collect::<Vec<_>>().as_flattened())
            }
            Chunk::Array { aux, data } => {
                self.put_data(data)?;
                let moved = aux.iter().map(|entry| {
                    let (offset, size) = array_span(entry);
                    array_entry(offset + shift, size)
                });
                self.put_aux(moved.collect::<Vec<_>>().as_flattened())
            }
        }
    }

    /// Answers how many bytes were written.
    pub(super) fn finish(self, sync: bool) -> Result<u64> {
        if sync {
            self.data.sync()?;
            self.aux.as_ref().map_or(Ok(()), |aux| aux.sync())?;
        }
        Ok(self.data_at + self.aux_at)
    }

    fn put_data(&mut self, bytes: &[u8]) -> Result<()> {
        if !bytes.is_empty() {
            self.data.write_at(self.data_at, bytes)?;
            self.data_at += bytes.len() as u64;
        }
        Ok(())
    }

    fn put_aux(&mut self, bytes: &[u8]) -> Result<()> {
        if let Some(aux) = self.aux.as_ref().filter(|_| !bytes.is_empty()) {
            aux.write_at(self.aux_at, bytes)?;
            self.aux_at += bytes.len() as u64;
        }
        Ok(())
    }
}
