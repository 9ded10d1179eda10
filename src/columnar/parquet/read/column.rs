use super::native;
use super::page::{Page, Pages};
use crate::columnar::parquet::Codec;
use crate::columnar::parquet::kind::Physical;
use crate::table::Chunk;
use crate::wal::{ColumnType, Error, Result};
use bytes::Bytes;
use std::sync::Arc;

/// Rows that are skipped at a time.
const STEP: u64 = 16 * 1024;

/// The bytes of a column of a row group.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) bytes: Bytes,
    /// Where in the file they begin.
    pub(super) start: u64,
    pub(super) rows: u64,
    pub(super) codec: Codec,
}

/// The values of a column, from a row on.
pub struct ColumnReader {
    path: Arc<str>,
    ty: ColumnType,
    kind: Physical,
    optional: bool,
    symbols: u32,
    groups: std::vec::IntoIter<Group>,
    pages: Option<Pages>,
    page: Option<Page>,
}

impl ColumnReader {
    pub(super) fn new(
        path: Arc<str>,
        ty: ColumnType,
        kind: Physical,
        optional: bool,
        symbols: u32,
        groups: Vec<Group>,
    ) -> Self {
        Self { path, ty, kind, optional, symbols, groups: groups.into_iter(), pages: None, page: None }
    }

    /// The next `rows` values. Memory is theirs and that of a page.
    ///
    /// # Errors
    /// [`Error::Damaged`] for what is no page of such values, and if there are fewer; [`Error::Unsupported`] for an
    /// encoding or a codec that this build doesn't have.
    pub fn next(&mut self, rows: usize) -> Result<Chunk> {
        let mut chunk = Chunk::new(self.ty);
        let mut left = rows;
        while left > 0 {
            let Some(mut page) = self.take_page()? else {
                let expected = format_args!("{left} more rows");
                return Err(Error::damaged(&self.path, 0, expected, "the end of the column"));
            };
            let now = left.min(page.rows);
            if self.append(&mut page, now, &mut chunk).is_none() {
                let expected = format_args!("{now} values of {}", self.ty);
                return Err(Error::damaged(&self.path, page.offset, expected, "other bytes in this page"));
            }
            page.rows -= now;
            left -= now;
            self.page = Some(page).filter(|page| page.rows > 0);
        }
        Ok(chunk)
    }

    pub(super) fn skip(&mut self, rows: u64) -> Result<()> {
        let mut left = rows;
        while left > 0 {
            let now = left.min(STEP);
            self.next(now as usize)?;
            left -= now;
        }
        Ok(())
    }

    fn take_page(&mut self) -> Result<Option<Page>> {
        if let Some(page) = self.page.take() {
            return Ok(Some(page));
        }
        loop {
            if let Some(pages) = &mut self.pages
                && let Some(page) = pages.next()?
            {
                return Ok(Some(page));
            }
            let Some(group) = self.groups.next() else { return Ok(None) };
            self.pages = Some(Pages {
                file: self.path.clone(),
                start: group.start,
                bytes: group.bytes,
                at: 0,
                codec: group.codec,
                kind: self.kind,
                optional: self.optional,
                rows: group.rows,
                dictionary: None,
            });
        }
    }

    /// Appends rows of a page; `None` if they aren't there.
    fn append(&self, page: &mut Page, rows: usize, chunk: &mut Chunk) -> Option<()> {
        let mut levels = Vec::new();
        let count = match &mut page.levels {
            None => rows,
            Some(decoder) => match decoder.take_same(rows) {
                Some(0) => {
                    levels.resize(rows, 0);
                    0
                }
                Some(_) => rows,
                None => {
                    decoder.take(rows, &mut levels)?;
                    levels.iter().filter(|level| **level != 0).count()
                }
            },
        };
        let valid = (count < rows).then_some(&levels[..]);
        let dictionary = self.pages.as_ref().and_then(|pages| pages.dictionary.as_ref());
        let Chunk::Fixed { values, .. } = chunk else {
            let ty = self.ty;
            let all = std::iter::repeat_n(true, if valid.is_none() { rows } else { 0 });
            let valid = valid.unwrap_or_default().iter().map(|level| *level != 0).chain(all);
            return page
                .values
                .each(valid, count, dictionary, |value| native::append_bytes(ty, value, chunk));
        };
        let mut plain = Vec::new();
        if self.ty.is_symbol() {
            let mut keys = Vec::new();
            page.values.keys(count, &mut keys)?;
            let end = self.symbols.min(dictionary?.len() as u32);
            if keys.iter().fold(false, |any, key| any | (*key >= end)) {
                return None;
            }
            plain.extend(keys.iter().flat_map(|key| key.to_le_bytes()));
        } else {
            page.values.fixed(count, dictionary, &mut plain)?;
        }
        native::append_fixed(self.ty, &plain, valid, rows, values);
        Some(())
    }
}
