//! Thrift's compact protocol, as far as Parquet's footers and page headers need it.

use crate::columnar::parquet::hybrid::read_varint;
use crate::wal::{Error, Result};

/// Structures within each other that are skipped, at most.
const DEPTH_MAX: u32 = 16;

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    True,
    False,
    Byte,
    Number,
    Double,
    Bytes,
    List,
    Map,
    Struct,
}

/// Bytes being read. No number of things that they announce is believed before the things are there.
pub(super) struct Thrift<'a> {
    file: &'a str,
    /// Where in the file the bytes begin.
    start: u64,
    len: usize,
    rest: &'a [u8],
}

impl<'a> Thrift<'a> {
    pub(super) fn new(file: &'a str, start: u64, bytes: &'a [u8]) -> Self {
        Self { file, start, len: bytes.len(), rest: bytes }
    }

    /// Bytes read so far.
    pub(super) fn taken(&self) -> usize {
        self.len - self.rest.len()
    }

    /// Reads a structure: calls `each` with the id of every field, which it reads or skips.
    pub(super) fn fields(&mut self, each: &mut dyn FnMut(&mut Self, i64, Kind) -> Result<()>) -> Result<()> {
        let mut last = 0i64;
        loop {
            let head = self.byte()?;
            if head == 0 {
                return Ok(());
            }
            let kind = self.kind(head & 0xf)?;
            last = match head >> 4 {
                0 => self.zigzag()?,
                delta => last.saturating_add(delta.into()),
            };
            each(self, last, kind)?;
        }
    }

    /// Reads a list: calls `each` for every item.
    pub(super) fn list(&mut self, each: &mut dyn FnMut(&mut Self, Kind) -> Result<()>) -> Result<()> {
        let head = self.byte()?;
        let count = match head >> 4 {
            15 => self.varint()?,
            few => few.into(),
        };
        let kind = self.kind(head & 0xf)?;
        for _ in 0..count {
            // Every item takes a byte at least, so the bytes end before a wrong number does.
            if self.rest.is_empty() {
                return Err(self.bad("an item of a list"));
            }
            let kind = match kind {
                Kind::True | Kind::False if self.byte()? == 1 => Kind::True,
                Kind::True | Kind::False => Kind::False,
                kind => kind,
            };
            each(self, kind)?;
        }
        Ok(())
    }

    /// A number of any width.
    pub(super) fn number(&mut self, kind: Kind) -> Result<i64> {
        match kind {
            Kind::Number => self.zigzag(),
            Kind::Byte => Ok((self.byte()? as i8).into()),
            _ => Err(self.bad("a number")),
        }
    }

    /// A number that isn't negative.
    pub(super) fn size(&mut self, kind: Kind) -> Result<u64> {
        let number = self.number(kind)?;
        u64::try_from(number).ok().ok_or_else(|| self.bad("a number that is not negative"))
    }

    pub(super) fn bytes(&mut self, kind: Kind) -> Result<&'a [u8]> {
        if kind != Kind::Bytes {
            return Err(self.bad("bytes"));
        }
        let len = usize::try_from(self.varint()?).unwrap_or(usize::MAX);
        let (bytes, rest) = self.rest.split_at_checked(len).ok_or_else(|| self.bad("so many bytes"))?;
        self.rest = rest;
        Ok(bytes)
    }

    pub(super) fn skip(&mut self, kind: Kind) -> Result<()> {
        self.skip_within(kind, DEPTH_MAX)
    }

    fn skip_within(&mut self, kind: Kind, depth: u32) -> Result<()> {
        let Some(depth) = depth.checked_sub(1) else {
            return Err(self.bad("fewer structures within each other"));
        };
        match kind {
            Kind::True | Kind::False => Ok(()),
            Kind::Byte => self.byte().map(drop),
            Kind::Number => self.varint().map(drop),
            Kind::Double => (0..8).try_for_each(|_| self.byte().map(drop)),
            Kind::Bytes => self.bytes(kind).map(drop),
            Kind::List => self.list(&mut |thrift, kind| thrift.skip_within(kind, depth)),
            Kind::Struct => self.fields(&mut |thrift, _, kind| thrift.skip_within(kind, depth)),
            Kind::Map => Err(self.bad("no map: Parquet has none")),
        }
    }

    pub(super) fn bad(&self, expected: &str) -> Error {
        let found = match self.rest.first() {
            Some(byte) => format!("byte {byte:#04x}"),
            None => "the end".into(),
        };
        Error::damaged(self.file, self.start + self.taken() as u64, expected, found)
    }

    fn kind(&self, code: u8) -> Result<Kind> {
        Ok(match code {
            1 => Kind::True,
            2 => Kind::False,
            3 => Kind::Byte,
            4..=6 => Kind::Number,
            7 => Kind::Double,
            8 => Kind::Bytes,
            9 | 10 => Kind::List,
            11 => Kind::Map,
            12 => Kind::Struct,
            _ => return Err(self.bad("a type of Thrift")),
        })
    }

    fn byte(&mut self) -> Result<u8> {
        let (byte, rest) = self.rest.split_first().ok_or_else(|| self.bad("a byte"))?;
        self.rest = rest;
        Ok(*byte)
    }

    fn varint(&mut self) -> Result<u64> {
        read_varint(&mut self.rest).ok_or_else(|| self.bad("a number"))
    }

    fn zigzag(&mut self) -> Result<i64> {
        let value = self.varint()?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }
}
