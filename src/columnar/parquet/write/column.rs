//! One column of one row group.

use super::bytes::{self, Dictionary, Values};
use super::fixed;
use super::levels::Levels;
use super::statistics::{self, Bounds};
use super::{EncodeError, Field, Run};
use crate::columnar::parquet::kind::{Physical, never_null, physical};
use crate::columnar::parquet::options::{ColumnEncoding, Options};
use crate::columnar::parquet::{delta, hybrid};
use crate::table::{Chunk, SymbolTable};
use crate::wal::{Symbol, Tag};
use parquet::basic::Encoding;
use parquet::file::statistics::Statistics;
use std::borrow::Cow;

/// Bytes of values of any length in a page, at most, unless a single one is longer.
const PAGE_BYTES_MAX: usize = 64 << 20;

/// A page of values before it is compressed.
pub(super) struct Page {
    pub(super) rows: usize,
    pub(super) nulls: usize,
    /// Bytes of the levels before the values, with their length where the page's version has it.
    pub(super) levels_len: usize,
    pub(super) bytes: Vec<u8>,
}

/// A column of a row group before it is compressed.
pub(super) struct Column {
    pub(super) pages: Vec<Page>,
    pub(super) encoding: Encoding,
    /// Bytes and number of values.
    pub(super) dictionary: Option<(Vec<u8>, usize)>,
    pub(super) statistics: Option<Statistics>,
    /// False once a VARCHAR was seen that has other than ASCII.
    pub(super) ascii: bool,
}

/// Lays out what the runs hold.
pub(super) fn lay_out(
    field: &Field,
    options: &Options,
    encoding: ColumnEncoding,
    runs: &[Run],
    symbols: Option<&SymbolTable>,
) -> Result<Column, EncodeError> {
    let kind = physical(field.ty);
    let pages = pages(runs, options.page_bytes / kind.page_width());
    let page = |levels: Option<Levels>, rows: usize| begin(levels, rows, options.version);
    let writer = Writer { field, options, pages: &pages, begin: &page };
    match (kind, field.ty.tag()) {
        (Physical::Boolean, _) => Ok(writer.booleans()),
        (_, Tag::Symbol) => writer.symbols(symbols),
        (Physical::Bytes, _) => writer.bytes(encoding),
        _ => writer.fixed(kind, encoding),
    }
}

struct Writer<'a> {
    field: &'a Field,
    options: &'a Options,
    pages: &'a [Vec<Run>],
    begin: &'a dyn Fn(Option<Levels>, usize) -> Page,
}

impl Writer<'_> {
    fn column(&self, pages: Vec<Page>, encoding: Encoding, bounds: Bounds) -> Column {
        let nulls = pages.iter().map(|page| page.nulls as u64).sum();
        let statistics = self.options.statistics.then(|| bounds.finish(physical(self.field.ty), nulls));
        Column { pages, encoding, dictionary: None, statistics, ascii: true }
    }

    fn booleans(&self) -> Column {
        let page = |runs: &Vec<Run>| {
            let mut page = (self.begin)(None, rows(runs));
            fixed::booleans(runs, &mut page.bytes);
            page
        };
        self.column(self.pages.iter().map(page).collect(), Encoding::PLAIN, Bounds::default())
    }

    fn fixed(&self, kind: Physical, encoding: ColumnEncoding) -> Result<Column, EncodeError> {
        let ty = self.field.ty;
        let required = self.field.designated || never_null(ty);
        let mut bounds = Bounds::default();
        let mut gather = |runs: &Vec<Run>| {
            let levels = if required { None } else { fixed::levels(ty, runs) };
            let all = levels.as_ref().is_none_or(|levels| levels.nulls == 0);
            let mut page = (self.begin)(levels, rows(runs));
            let start = page.bytes.len();
            fixed::values(ty, runs, all, &mut page.bytes);
            if self.options.statistics {
                let values = page.bytes.get(start..).unwrap_or_default();
                statistics::fixed(ty, self.field.designated, values, &mut bounds);
            }
            page
        };
        let mut pages: Vec<Page> = self.pages.iter().map(&mut gather).collect();
        let width = kind.width().unwrap_or(1);
        match encoding {
            ColumnEncoding::DeltaBinaryPacked if matches!(kind, Physical::Int32 | Physical::Int64) => {
                for page in &mut pages {
                    let values = page.bytes.split_off(page.levels_len);
                    let numbers: Vec<i64> = values.chunks_exact(width).map(number).collect();
                    delta::encode(&numbers, width == 4, &mut page.bytes);
                }
                Ok(self.column(pages, Encoding::DELTA_BINARY_PACKED, bounds))
            }
            ColumnEncoding::RleDictionary => {
                let values: Vec<Vec<u8>> =
                    pages.iter_mut().map(|page| page.bytes.split_off(page.levels_len)).collect();
                let values: Vec<Vec<&[u8]>> =
                    values.iter().map(|page| page.chunks_exact(width).collect()).collect();
                let dictionary = dictionary(&mut pages, &values).concat();
                let count = dictionary.len() / width;
                let mut column = self.column(pages, Encoding::RLE_DICTIONARY, bounds);
                column.dictionary = Some((dictionary, count));
                Ok(column)
            }
            _ => Ok(self.column(pages, Encoding::PLAIN, bounds)),
        }
    }

    fn bytes(&self, encoding: ColumnEncoding) -> Result<Column, EncodeError> {
        let ty = self.field.ty;
        let mut values: Vec<Values<'_>> =
            self.pages.iter().map(|runs| Values::gather(ty, runs)).collect::<Result<_, _>>()?;
        let page = |values: &mut Values<'_>| {
            let levels = std::mem::take(&mut values.levels);
            let rows = levels.rows;
            (self.begin)(Some(levels), rows)
        };
        let mut pages: Vec<Page> = values.iter_mut().map(page).collect();
        let slices: Vec<Cow<'_, [&[u8]]>> = values.iter().map(Values::slices).collect();
        let all: usize = slices.iter().map(|slices| slices.len()).sum();
        let text = matches!(ty.tag(), Tag::String | Tag::Varchar);
        let ascii = ty.tag() != Tag::Varchar
            || slices.iter().flat_map(|slices| slices.iter()).all(|value| value.is_ascii());
        let encoding = match (encoding, ty.tag()) {
            (ColumnEncoding::Plain, _) | (_, Tag::Array) => Encoding::PLAIN,
            // QuestDB 9.3.4 reads others wrongly from the middle of a row group on, its own included.
            (ColumnEncoding::Default, Tag::String) => Encoding::PLAIN,
            (ColumnEncoding::DeltaLengthByteArray, _) => Encoding::DELTA_LENGTH_BYTE_ARRAY,
            (ColumnEncoding::RleDictionary, Tag::Varchar | Tag::Binary) => Encoding::RLE_DICTIONARY,
            (_, Tag::Varchar) if slices.first().is_some_and(|first| bytes::repeat(first, all)) => {
                Encoding::RLE_DICTIONARY
            }
            _ => Encoding::DELTA_LENGTH_BYTE_ARRAY,
        };
        let mut bounds = Bounds::default();
        let mut kept = None;
        match encoding {
            Encoding::RLE_DICTIONARY => {
                let different = dictionary(&mut pages, &slices);
                let mut dictionary = Vec::new();
                bytes::plain(&different, &mut dictionary);
                if text {
                    bounds.texts(&different);
                }
                kept = Some((dictionary, different.len()));
            }
            _ => {
                for (page, slices) in pages.iter_mut().zip(&slices) {
                    match encoding {
                        Encoding::PLAIN => bytes::plain(slices, &mut page.bytes),
                        _ => bytes::delta_length(slices, &mut page.bytes),
                    }
                    if text && self.options.statistics {
                        bounds.texts(slices);
                    }
                }
            }
        }
        let mut column = self.column(pages, encoding, bounds);
        (column.dictionary, column.ascii) = (kept, ascii);
        Ok(column)
    }

    /// Keys are the table's: the dictionary has every symbol up to the last one used, those that aren't as empty text.
    fn symbols(&self, symbols: Option<&SymbolTable>) -> Result<Column, EncodeError> {
        let known = symbols.map_or(0, SymbolTable::len);
        let mut used: Vec<bool> = Vec::new();
        let mut pages = Vec::new();
        let mut keys_of_pages = Vec::new();
        for runs in self.pages {
            let mut levels = Levels::default();
            let mut keys = Vec::with_capacity(rows(runs));
            for run in runs {
                match run {
                    Run::Absent(rows) => levels.push_all(false, *rows),
                    Run::Values { chunk, rows } => {
                        let Chunk::Fixed { values, width: 4 } = &**chunk else { continue };
                        let values = values.as_chunks::<4>().0.get(rows.clone()).unwrap_or_default();
                        levels.push_each(values, |key| i32::from_le_bytes(*key) >= 0);
                        let values = values.iter().map(|key| i32::from_le_bytes(*key));
                        keys.extend(values.filter(|key| *key >= 0).map(|key| key as u32));
                    }
                }
            }
            let end = keys.iter().max().map_or(0, |key| *key as usize + 1);
            if end > known {
                return Err(EncodeError::UnknownSymbol { key: end as u32 - 1, known });
            }
            used.resize(used.len().max(end), false);
            for key in &keys {
                if let Some(used) = used.get_mut(*key as usize) {
                    *used = true;
                }
            }
            let rows = levels.rows;
            pages.push((self.begin)(Some(levels), rows));
            keys_of_pages.push(keys);
        }
        for (page, keys) in pages.iter_mut().zip(&keys_of_pages) {
            hybrid::encode_keys(keys, used.len(), &mut page.bytes);
        }
        let (dictionary, bounds) = symbol_dictionary(&used, symbols)?;
        let mut column = self.column(pages, Encoding::RLE_DICTIONARY, bounds);
        column.dictionary = Some((dictionary, used.len()));
        Ok(column)
    }
}

fn symbol_dictionary(used: &[bool], symbols: Option<&SymbolTable>) -> Result<(Vec<u8>, Bounds), EncodeError> {
    let mut dictionary = Vec::new();
    let mut bounds = Bounds::default();
    for (key, used) in used.iter().enumerate() {
        let symbol = symbols.filter(|_| *used).and_then(|symbols| symbols.symbol(key as i32));
        match symbol {
            Some(Symbol::Text(text)) => {
                bytes::plain(&[text.as_bytes()], &mut dictionary);
                bounds.texts(&[text.as_bytes()]);
            }
            Some(Symbol::Units(_)) => return Err(EncodeError::NotText),
            None => bytes::plain(&[&[]], &mut dictionary),
        }
    }
    Ok((dictionary, bounds))
}

/// Appends keys to pages; answers the different values.
fn dictionary<'v>(pages: &mut [Page], values: &[impl AsRef<[&'v [u8]]>]) -> Vec<&'v [u8]> {
    let mut dictionary = Dictionary::default();
    let keys: Vec<Vec<u32>> =
        values.iter().map(|page| page.as_ref().iter().map(|value| dictionary.key(value)).collect()).collect();
    for (page, keys) in pages.iter_mut().zip(&keys) {
        hybrid::encode_keys(keys, dictionary.values.len(), &mut page.bytes);
    }
    dictionary.values
}

/// A page with its levels in it.
fn begin(levels: Option<Levels>, rows: usize, version: u8) -> Page {
    let Some(levels) = levels else { return Page { rows, nulls: 0, levels_len: 0, bytes: Vec::new() } };
    let nulls = levels.nulls;
    let mut bytes = if version == 2 { Vec::new() } else { vec![0; 4] };
    let prefix = bytes.len();
    levels.encode(&mut bytes);
    let len = (bytes.len() - prefix) as u32;
    if let Some(place) = bytes.get_mut(..prefix)
        && prefix == 4
    {
        place.copy_from_slice(&len.to_le_bytes());
    }
    Page { rows, nulls, levels_len: bytes.len(), bytes }
}

fn rows(runs: &[Run]) -> usize {
    runs.iter().map(Run::rows).sum()
}

fn number(bytes: &[u8]) -> i64 {
    match bytes {
        [a, b, c, d] => i32::from_le_bytes([*a, *b, *c, *d]).into(),
        _ => bytes.first_chunk().map_or(0, |bytes| i64::from_le_bytes(*bytes)),
    }
}

/// The runs cut into pages of so many rows, and earlier where values are long.
fn pages(runs: &[Run], rows_max: usize) -> Vec<Vec<Run>> {
    let rows_max = rows_max.max(1);
    let mut pages = vec![Vec::new()];
    let (mut rows, mut bytes) = (0, 0);
    for run in runs {
        let mut rest = run.clone();
        while rest.rows() > 0 {
            let fitting = rest.rows_within(PAGE_BYTES_MAX.saturating_sub(bytes)).min(rows_max - rows);
            if fitting == 0 && rows > 0 {
                pages.push(Vec::new());
                (rows, bytes) = (0, 0);
                continue;
            }
            let (now, later) = rest.split(fitting.max(1));
            rows += now.rows();
            bytes += now.data_len();
            if let Some(page) = pages.last_mut() {
                page.push(now);
            }
            rest = later;
            if rows >= rows_max {
                pages.push(Vec::new());
                (rows, bytes) = (0, 0);
            }
        }
    }
    if pages.len() > 1 && pages.last().is_some_and(Vec::is_empty) {
        pages.pop();
    }
    pages
}
