//! Blocks: runs of bytes as they are stored, in the object itself or beside it.

use super::codec::{Codec, decompress};
use super::error::at_most;
use super::{Error, Key, Result, Sum};
use bytes::Bytes;

/// The longest block inside an object, as stored and as it was before: 32 MiB and 64 MiB.
pub const BLOCK_STORED_MAX: u64 = 32 << 20;
/// See [`BLOCK_STORED_MAX`].
pub const BLOCK_RAW_MAX: u64 = 64 << 20;
/// The longest blob, as stored and as it was before: 1 GiB.
pub const BLOB_BYTES_MAX: u64 = 1 << 30;
/// What is longer as stored goes by reference: 1 MiB. The writer's choice, readers take either.
pub const BLOCK_INLINE_MAX: u64 = 1 << 20;

/// Where a block's stored bytes are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Held {
    /// In the object.
    Inline(Bytes),
    /// Beside the log, under [`Key::Blob`].
    Blob(Sum),
}

/// A run of bytes, compressed or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// How it is compressed.
    pub codec: Codec,
    /// Its length before compression, in bytes.
    pub raw_len: u64,
    /// Its length as stored, in bytes.
    pub stored_len: u64,
    /// CRC32C of the stored bytes.
    pub crc: u32,
    /// Where the stored bytes are.
    pub held: Held,
    /// Where they begin in the object that it was read from; 0 of others.
    pub offset: u64,
}

impl Block {
    /// A block of these bytes, compressed with `lz4` if that makes them shorter.
    ///
    /// ```
    /// use understudy::ledger::{Block, Codec, Key};
    /// let block = Block::of(vec![7; 1000].into(), Codec::Lz4)?;
    /// assert!(block.stored_len < 100);
    /// assert_eq!(block.unpack(Key::Head)?, vec![7; 1000]);
    /// # Ok::<(), understudy::ledger::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Unsupported`] of zstd: its compressor is the driver's, see [`Block::compressed`].
    pub fn of(raw: Bytes, codec: Codec) -> Result<Self> {
        let raw_len = raw.len() as u64;
        match codec {
            Codec::Stored => Ok(Self::compressed(Codec::Stored, raw_len, raw)),
            Codec::Lz4 => {
                let stored = lz4_flex::block::compress(&raw);
                if stored.len() >= raw.len() {
                    return Ok(Self::compressed(Codec::Stored, raw_len, raw));
                }
                Ok(Self::compressed(Codec::Lz4, raw_len, stored.into()))
            }
            Codec::Zstd => Err(Error::unsupported("block", 0, "compressing with zstd in a pure room")),
        }
    }

    /// A block of bytes that the caller has compressed.
    pub fn compressed(codec: Codec, raw_len: u64, stored: Bytes) -> Self {
        let (stored_len, crc) = (stored.len() as u64, crc32c::crc32c(&stored));
        Self { codec, raw_len, stored_len, crc, held: Held::Inline(stored), offset: 0 }
    }

    /// The block by reference, and the blob to be put before the object that names it. `None` if it is one already,
    /// or short enough to stay.
    pub fn moved_out(&self) -> Option<(Self, Key, Bytes)> {
        match &self.held {
            Held::Inline(bytes) if self.stored_len > BLOCK_INLINE_MAX => {
                let sum = Sum::of(bytes);
                Some((Self { held: Held::Blob(sum), ..self.clone() }, Key::Blob(sum), bytes.clone()))
            }
            _ => None,
        }
    }

    /// The bytes as they were before compression; of a block in the object `key`.
    ///
    /// # Errors
    /// [`Error::Damaged`] if they don't unpack to what is declared, or if the block is by reference.
    pub fn unpack(&self, key: Key) -> Result<Bytes> {
        match &self.held {
            Held::Inline(stored) => self.open(key, stored),
            Held::Blob(sum) => {
                Err(Error::damaged(key, self.offset, "a block in the object", Key::Blob(*sum)))
            }
        }
    }

    /// The same of a block by reference, given the blob.
    ///
    /// # Errors
    /// [`Error::Damaged`] if the blob isn't what the block names.
    pub fn unpack_blob(&self, stored: &Bytes) -> Result<Bytes> {
        let sum = Sum::of(stored);
        match self.held {
            Held::Blob(named) if named == sum && stored.len() as u64 == self.stored_len => {
                self.open(Key::Blob(sum), stored)
            }
            Held::Blob(named) => Err(Error::damaged(Key::Blob(named), 0, "the blob's own bytes", sum)),
            Held::Inline(_) => {
                Err(Error::damaged(Key::Blob(sum), 0, "a block by reference", "one in the object"))
            }
        }
    }

    /// The limits, of what is written and of what is read.
    pub(super) fn check(&self, key: &str) -> Result<()> {
        let (stored, raw) = match self.held {
            Held::Inline(_) => (BLOCK_STORED_MAX, BLOCK_RAW_MAX),
            Held::Blob(_) => (BLOB_BYTES_MAX, BLOB_BYTES_MAX),
        };
        at_most(key, "a block's stored length", self.stored_len, stored)?;
        at_most(key, "a block's length", self.raw_len, raw)
    }

    fn open(&self, key: Key, stored: &Bytes) -> Result<Bytes> {
        self.check(&key.to_string())?;
        if self.codec == Codec::Stored && self.raw_len == stored.len() as u64 {
            return Ok(stored.clone());
        }
        decompress(self.codec, stored, self.raw_len)
            .map(Bytes::from)
            .map_err(|found| Error::damaged(key, self.offset, format_args!("{} bytes", self.raw_len), found))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_blocks_go_by_reference() {
        let raw: Vec<u8> = (0..3u32 << 18).flat_map(u32::to_le_bytes).collect();
        let block = Block::of(raw.clone().into(), Codec::Stored).unwrap();
        let (moved, key, bytes) = block.moved_out().unwrap();
        assert_eq!(key, Key::Blob(Sum::of(&raw)));
        assert_eq!(moved.unpack_blob(&bytes).unwrap(), raw);
        assert!(moved.moved_out().is_none());
        assert!(moved.unpack(Key::Head).is_err());
        assert!(moved.unpack_blob(&bytes.slice(1..)).is_err());
        assert!(block.unpack_blob(&bytes).is_err());
    }

    #[test]
    fn what_does_not_shrink_is_stored() {
        let block = Block::of(Bytes::from_static(b"abc"), Codec::Lz4).unwrap();
        assert_eq!(block.codec, Codec::Stored);
        assert_eq!(block.unpack(Key::Head).unwrap(), "abc");
    }

    #[test]
    fn lengths_that_lie_are_errors() {
        for codec in [Codec::Stored, Codec::Lz4, Codec::Zstd] {
            for raw_len in [0, 1, 2, 4, 1 << 20, 65 << 20, u64::MAX] {
                let block = Block::compressed(codec, raw_len, Bytes::from_static(b"abc"));
                assert!(block.unpack(Key::Head).is_err(), "{codec:?} {raw_len}");
            }
        }
    }
}
