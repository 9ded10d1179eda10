//! Pages of a column of a row group.

use super::thrift::Thrift;
use super::values::{Dictionary, Values};
use crate::columnar::parquet::Codec;
use crate::columnar::parquet::codec;
use crate::columnar::parquet::hybrid::Decoder;
use crate::columnar::parquet::kind::Physical;
use crate::wal::{Error, Result};
use bytes::Bytes;
use std::sync::Arc;

/// Longest header of a page that is believed; statistics of long texts are in it.
const HEADER_MAX: usize = 1 << 20;

/// The pages of a column of a row group, one after the other.
pub(super) struct Pages {
    pub(super) file: Arc<str>,
    /// Where in the file the bytes begin.
    pub(super) start: u64,
    pub(super) bytes: Bytes,
    pub(super) at: usize,
    pub(super) codec: Codec,
    pub(super) kind: Physical,
    pub(super) optional: bool,
    /// Rows in pages to come.
    pub(super) rows: u64,
    pub(super) dictionary: Option<Dictionary>,
}

/// A page being read.
pub(super) struct Page {
    /// Where in the file it begins.
    pub(super) offset: u64,
    /// Rows that were not taken yet.
    pub(super) rows: usize,
    /// Which have a value; all, where there are no levels.
    pub(super) levels: Option<Decoder>,
    pub(super) values: Values,
}

#[derive(Default)]
struct Header {
    kind: i64,
    unpacked: usize,
    packed: usize,
    rows: u64,
    encoding: i64,
    levels_encoding: i64,
    levels_len: usize,
    repetition_len: usize,
    is_packed: bool,
}

impl Pages {
    /// The next page of values; `None` behind the last.
    pub(super) fn next(&mut self) -> Result<Option<Page>> {
        loop {
            if self.rows == 0 {
                return Ok(None);
            }
            let offset = self.start + self.at as u64;
            let header = self.header()?;
            let bytes = self.bytes.get(self.at..).and_then(|rest| rest.get(..header.packed));
            let Some(bytes) = bytes.map(|bytes| self.bytes.slice_ref(bytes)) else {
                return Err(self.bad(offset, "a page within its column", format!("{} bytes", header.packed)));
            };
            self.at += header.packed;
            match header.kind {
                0 | 3 => return self.data(offset, &header, bytes).map(Some),
                2 => {
                    let plain = self.unpack(offset, &bytes, header.unpacked)?;
                    let dictionary = Dictionary::new(self.kind, plain, header.rows);
                    let Some(dictionary) = dictionary.filter(|_| self.dictionary.is_none()) else {
                        return Err(self.bad(offset, "one dictionary", format!("{} values", header.rows)));
                    };
                    self.dictionary = Some(dictionary);
                }
                _ => {}
            }
        }
    }

    fn data(&mut self, offset: u64, header: &Header, bytes: Bytes) -> Result<Page> {
        if header.rows == 0 || header.rows > self.rows || header.repetition_len != 0 {
            return Err(self.bad(offset, &format!("at most {} rows", self.rows), header.rows.to_string()));
        }
        let rows = header.rows as usize;
        let (levels, values) = if header.kind == 3 {
            let len = header.levels_len;
            if len > bytes.len() || len > header.unpacked {
                return Err(self.bad(offset, "levels within the page", format!("{len} bytes")));
            }
            let packed = bytes.slice(len..);
            let values = match header.is_packed && self.codec != Codec::Uncompressed {
                true if packed.is_empty() => packed,
                true => self.unpack(offset, &packed, header.unpacked - len)?,
                false => packed,
            };
            (self.optional.then(|| bytes.slice(..len)), values)
        } else {
            let plain = self.unpack(offset, &bytes, header.unpacked)?;
            if self.optional {
                let (levels, values) = split_levels(&plain)
                    .filter(|_| header.levels_encoding == 3)
                    .ok_or_else(|| self.bad(offset, "levels in run-length encoding", "other bytes".into()))?;
                (Some(levels), values)
            } else {
                (None, plain)
            }
        };
        let keyed = matches!(header.encoding, 2 | 8);
        let values = Values::new(self.kind, header.encoding, values, rows);
        let Some(values) = values.filter(|_| !keyed || self.dictionary.is_some()) else {
            return Err(Error::Unsupported {
                file: (*self.file).into(),
                offset,
                what: format!("values of {:?} in encoding {} can't be read", self.kind, header.encoding)
                    .into(),
            });
        };
        self.rows -= header.rows;
        Ok(Page { offset, rows, levels: levels.map(|levels| Decoder::new(levels, 1)), values })
    }

    fn unpack(&self, offset: u64, bytes: &Bytes, len: usize) -> Result<Bytes> {
        if self.codec == Codec::Uncompressed && bytes.len() == len {
            return Ok(bytes.clone());
        }
        let plain = codec::decompress(self.codec, bytes, len);
        let expected = format!("a page of {len} bytes in {}", self.codec.name());
        plain.map(Bytes::from).map_err(|fault| self.bad(offset, &expected, fault))
    }

    fn header(&mut self) -> Result<Header> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let rest = rest.get(..HEADER_MAX).unwrap_or(rest);
        let mut thrift = Thrift::new(&self.file, self.start + self.at as u64, rest);
        let mut header = Header { kind: -1, is_packed: true, ..Header::default() };
        thrift.fields(&mut |thrift, id, kind| {
            match id {
                1 => header.kind = thrift.number(kind)?,
                2 => header.unpacked = thrift.size(kind)? as usize,
                3 => header.packed = thrift.size(kind)? as usize,
                5 | 7 => thrift.fields(&mut |thrift, id, kind| {
                    match id {
                        1 => header.rows = thrift.size(kind)?,
                        2 => header.encoding = thrift.number(kind)?,
                        3 => header.levels_encoding = thrift.number(kind).unwrap_or(0),
                        _ => thrift.skip(kind)?,
                    }
                    Ok(())
                })?,
                8 => thrift.fields(&mut |thrift, id, kind| {
                    match id {
                        1 => header.rows = thrift.size(kind)?,
                        4 => header.encoding = thrift.number(kind)?,
                        5 => header.levels_len = thrift.size(kind)? as usize,
                        6 => header.repetition_len = thrift.size(kind)? as usize,
                        7 => header.is_packed = kind == super::thrift::Kind::True,
                        _ => thrift.skip(kind)?,
                    }
                    Ok(())
                })?,
                _ => thrift.skip(kind)?,
            }
            Ok(())
        })?;
        self.at += thrift.taken();
        Ok(header)
    }

    pub(super) fn bad(&self, offset: u64, expected: &str, found: String) -> Error {
        Error::damaged(&self.file, offset, expected, found)
    }
}

/// The levels, behind their length, and what follows them.
fn split_levels(plain: &Bytes) -> Option<(Bytes, Bytes)> {
    let len = u32::from_le_bytes(*plain.first_chunk()?) as usize;
    let end = len.checked_add(4)?;
    (end <= plain.len()).then(|| (plain.slice(4..end), plain.slice(end..)))
}
