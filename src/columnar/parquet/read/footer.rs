//! What a Parquet file says of itself at its end.

use super::thrift::{Kind, Thrift};
use crate::columnar::parquet::Codec;
use crate::columnar::parquet::kind::Physical;
use crate::wal::{Error, Files, Result};
use serde::Deserialize;

/// Longest footer that is read.
const FOOTER_MAX: u64 = 256 << 20;
/// Rows that a file may have for each of its bytes, and beside that.
const ROWS_PER_BYTE: u64 = 8192;
const ROWS_FREE: u64 = 1 << 20;
const MAGIC: &[u8] = b"PAR1";

/// The footer.
#[derive(Debug, Clone, Default)]
pub(super) struct Footer {
    pub(super) rows: u64,
    pub(super) columns: Vec<FileColumn>,
    pub(super) groups: Vec<Group>,
    /// QuestDB's own metadata by position, if it is there.
    pub(super) questdb: Option<Vec<Described>>,
}

/// A column of the file.
#[derive(Debug, Clone)]
pub(super) struct FileColumn {
    pub(super) name: String,
    pub(super) id: Option<i64>,
    pub(super) layout: Layout,
    /// Place of its first leaf in a row group.
    pub(super) leaf: usize,
}

/// How a column is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    /// One value per row, or none where that is allowed.
    Flat { kind: Physical, optional: bool },
    /// A group, a list, INT96: nothing that a partition has.
    Other,
}

/// Neighbouring rows.
#[derive(Debug, Clone, Default)]
pub(super) struct Group {
    pub(super) rows: u64,
    /// By leaf.
    pub(super) chunks: Vec<Place>,
}

/// Where the values of a column of a row group are.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Place {
    pub(super) offset: u64,
    pub(super) len: u64,
    pub(super) codec: i64,
}

/// A column in QuestDB's own metadata.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Described {
    pub(super) column_type: i32,
    /// 1 for keys of a SYMBOL that are the table's.
    #[serde(default)]
    pub(super) format: Option<u32>,
}

#[derive(Deserialize)]
struct Metadata {
    version: u32,
    schema: Vec<Described>,
}

impl Footer {
    /// Reads it from the end of a file of `len` bytes.
    pub(super) fn read(files: &dyn Files, file: &str, len: u64) -> Result<Self> {
        // The shortest: magic, a footer of one byte, its length, magic.
        let Some(tail_at) = len.checked_sub(8).filter(|at| *at > 4) else {
            return Err(Error::damaged(file, 0, "a Parquet file", format_args!("{len} bytes")));
        };
        let tail = files.read(file, tail_at, 8)?;
        let (size, magic) = tail.split_first_chunk::<4>().unwrap_or((&[0; 4], &[]));
        if magic != MAGIC {
            return Err(Error::damaged(file, tail_at + 4, "PAR1", format_args!("{magic:?}")));
        }
        let size = u64::from(u32::from_le_bytes(*size));
        let start = tail_at.checked_sub(size).filter(|start| *start >= 4 && size <= FOOTER_MAX);
        let Some(start) = start else {
            return Err(Error::damaged(file, tail_at, "the footer's length", size));
        };
        let bytes = files.read(file, start, size)?;
        let footer = Self::decode(file, start, &bytes)?;
        footer.check(file, start)?;
        Ok(footer)
    }

    fn decode(file: &str, start: u64, bytes: &[u8]) -> Result<Self> {
        let mut footer = Self::default();
        let mut elements = Vec::new();
        Thrift::new(file, start, bytes).fields(&mut |thrift, id, kind| match id {
            2 => thrift.list(&mut |thrift, _| {
                elements.push(Element::decode(thrift)?);
                Ok(())
            }),
            3 => {
                footer.rows = thrift.size(kind)?;
                Ok(())
            }
            4 => thrift.list(&mut |thrift, _| {
                footer.groups.push(Group::decode(thrift)?);
                Ok(())
            }),
            5 => thrift.list(&mut |thrift, _| {
                if let Some(value) = questdb_value(thrift)? {
                    footer.questdb = Some(described(file, start, value)?);
                }
                Ok(())
            }),
            _ => thrift.skip(kind),
        })?;
        footer.columns = columns(&elements).ok_or_else(|| {
            Error::damaged(file, start, "a schema: a root and its columns", "groups without their parts")
        })?;
        Ok(footer)
    }

    /// Numbers that have to agree do.
    fn check(&self, file: &str, end: u64) -> Result<()> {
        let most = end.saturating_mul(ROWS_PER_BYTE).saturating_add(ROWS_FREE);
        let rows = self.groups.iter().try_fold(0u64, |rows, group| rows.checked_add(group.rows));
        if rows != Some(self.rows) || self.rows > most {
            let expected = format_args!("row groups of {} rows, at most {most}", self.rows);
            return Err(Error::damaged(file, end, expected, format_args!("{rows:?}")));
        }
        let last = self.columns.last().map_or(0, |column| column.leaf + 1);
        for group in &self.groups {
            if group.chunks.len() < last {
                let expected = format_args!("{last} columns in each row group");
                return Err(Error::damaged(file, end, expected, group.chunks.len()));
            }
            for chunk in &group.chunks {
                let inside = chunk.offset.checked_add(chunk.len).is_some_and(|to| to <= end);
                if !inside || chunk.offset < 4 {
                    let found = format_args!("{} bytes at {}", chunk.len, chunk.offset);
                    return Err(Error::damaged(file, end, "columns before the footer", found));
                }
            }
        }
        Ok(())
    }
}

/// A node of the schema.
#[derive(Default)]
struct Element {
    name: String,
    kind: Option<i64>,
    length: usize,
    repetition: i64,
    children: usize,
    id: Option<i64>,
}

impl Element {
    fn decode(thrift: &mut Thrift<'_>) -> Result<Self> {
        let mut element = Self::default();
        thrift.fields(&mut |thrift, id, kind| {
            match id {
                1 => element.kind = Some(thrift.number(kind)?),
                2 => element.length = thrift.size(kind)? as usize,
                3 => element.repetition = thrift.number(kind)?,
                4 => element.name = String::from_utf8_lossy(thrift.bytes(kind)?).into_owned(),
                5 => element.children = thrift.size(kind)? as usize,
                9 => element.id = Some(thrift.number(kind)?),
                _ => thrift.skip(kind)?,
            }
            Ok(())
        })?;
        Ok(element)
    }

    fn layout(&self) -> Layout {
        let kind = match self.kind {
            Some(0) => Physical::Boolean,
            Some(1) => Physical::Int32,
            Some(2) => Physical::Int64,
            Some(4) => Physical::Float,
            Some(5) => Physical::Double,
            Some(6) => Physical::Bytes,
            Some(7) => Physical::Fixed(self.length),
            _ => return Layout::Other,
        };
        match self.repetition {
            0 | 1 if self.children == 0 => Layout::Flat { kind, optional: self.repetition == 1 },
            _ => Layout::Other,
        }
    }
}

impl Group {
    fn decode(thrift: &mut Thrift<'_>) -> Result<Self> {
        let mut group = Self::default();
        thrift.fields(&mut |thrift, id, kind| match id {
            1 => thrift.list(&mut |thrift, _| {
                group.chunks.push(Place::decode(thrift)?);
                Ok(())
            }),
            3 => {
                group.rows = thrift.size(kind)?;
                Ok(())
            }
            _ => thrift.skip(kind),
        })?;
        Ok(group)
    }
}

impl Place {
    fn decode(thrift: &mut Thrift<'_>) -> Result<Self> {
        let mut place = Self { codec: -1, ..Self::default() };
        let mut dictionary = 0;
        thrift.fields(&mut |thrift, id, kind| match (id, kind) {
            (3, Kind::Struct) => thrift.fields(&mut |thrift, id, kind| {
                match id {
                    4 => place.codec = thrift.number(kind)?,
                    7 => place.len = thrift.size(kind)?,
                    9 => place.offset = thrift.size(kind)?,
                    11 => dictionary = thrift.size(kind)?,
                    _ => thrift.skip(kind)?,
                }
                Ok(())
            }),
            _ => thrift.skip(kind),
        })?;
        // The dictionary is first; some writers say 0 where there is none.
        if dictionary >= 4 {
            place.offset = place.offset.min(dictionary);
        }
        Ok(place)
    }
}

/// The codec with Parquet's number.
pub(super) fn codec(file: &str, place: &Place) -> Result<Codec> {
    Ok(match place.codec {
        0 => Codec::Uncompressed,
        1 => Codec::Snappy,
        2 => Codec::Gzip,
        4 => Codec::Brotli,
        5 => Codec::Lz4,
        6 => Codec::Zstd,
        7 => Codec::Lz4Raw,
        other => {
            return Err(Error::Unsupported {
                file: file.into(),
                offset: place.offset,
                what: format!("Parquet's codec {other} is not known").into(),
            });
        }
    })
}

/// The value of the key `questdb`, if this is it.
fn questdb_value<'a>(thrift: &mut Thrift<'a>) -> Result<Option<&'a [u8]>> {
    let (mut key, mut value) = (&[][..], None);
    thrift.fields(&mut |thrift, id, kind| {
        match id {
            1 => key = thrift.bytes(kind)?,
            2 => value = Some(thrift.bytes(kind)?),
            _ => thrift.skip(kind)?,
        }
        Ok(())
    })?;
    Ok(value.filter(|_| key == b"questdb"))
}

fn described(file: &str, offset: u64, value: &[u8]) -> Result<Vec<Described>> {
    let metadata: Metadata = serde_json::from_slice(value)
        .map_err(|error| Error::damaged(file, offset, "QuestDB's metadata as JSON", error))?;
    if metadata.version != 1 {
        let what = format!("version {} of QuestDB's metadata; 1 is known", metadata.version);
        return Err(Error::Unsupported { file: file.into(), offset, what: what.into() });
    }
    Ok(metadata.schema)
}

/// The columns below the root.
fn columns(elements: &[Element]) -> Option<Vec<FileColumn>> {
    let (root, mut rest) = elements.split_first()?;
    let mut columns = Vec::new();
    let mut leaf = 0;
    for _ in 0..root.children {
        let (element, below) = rest.split_first()?;
        let layout = element.layout();
        let column = FileColumn { name: element.name.clone(), id: element.id, layout, leaf };
        rest = below;
        let mut open = element.children;
        leaf += usize::from(open == 0);
        while open > 0 {
            let (inner, below) = rest.split_first()?;
            rest = below;
            leaf += usize::from(inner.children == 0);
            open = (open - 1).checked_add(inner.children)?;
        }
        columns.push(column);
    }
    rest.is_empty().then_some(columns)
}
