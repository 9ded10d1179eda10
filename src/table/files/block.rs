//! The container of `_mv`, `_mv.s` and `_view`: a region of blocks, replaced as a whole.

use super::Patch;
use super::out::Out;
use crate::wal::{Cursor, Error, Result};
use bytes::Bytes;

const HEADER: u64 = 40;
/// Descriptors of the regions that odd and even versions select: the first write makes version 1.
const REGION_ODD: u64 = 8;
const REGION_EVEN: u64 = 24;
/// Length and type in front of a block's content.
const BLOCK_HEAD: usize = 8;
/// What of a region the checksum leaves out: itself, the number of blocks, and the first block's length.
const UNCHECKED: usize = 12;
/// Longest file that is read.
const MAX_FILE: usize = 64 << 20;

/// A decoded block file: the blocks of its current version, and where they are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BlockFile {
    version: i64,
    offset: u64,
    len: u64,
    blocks: Vec<(i32, Bytes)>,
}

impl BlockFile {
    /// Decodes the whole content of `file`.
    ///
    /// # Errors
    /// [`Error::Damaged`] for a file that was never written, a region that is not in the file, a wrong
    /// checksum, or blocks that don't fit.
    pub fn decode(file: &str, bytes: &Bytes) -> Result<Self> {
        let mut cursor = Cursor::new(file, 0, bytes);
        let version = cursor.i64("version")?;
        if version <= 0 || bytes.len() > MAX_FILE {
            return Err(cursor.damaged_back(8, "a version of 1 or more", version));
        }
        cursor.take(descriptor(version) as usize - 8, "the other region")?;
        let (offset, len) = (cursor.u63("offset of the region")?, cursor.u63("size of the region")?);
        let start = offset.saturating_add(HEADER);
        let place = usize::try_from(start).ok().zip(usize::try_from(start.saturating_add(len)).ok());
        let place = place.filter(|(_, to)| *to <= bytes.len() && len >= (UNCHECKED + 4) as u64);
        let Some((from, to)) = place else {
            let expected = format_args!("a region inside the {} bytes of the file", bytes.len());
            return Err(cursor.damaged_back(16, expected, format_args!("{len} bytes at {start}")));
        };
        let region = bytes.slice(from..to);
        let mut cursor = Cursor::new(file, start, &region);
        let stored = cursor.i32("checksum")?;
        let found = crc32(region.get(UNCHECKED..).unwrap_or_default()) as i32;
        if stored != found {
            return Err(cursor.damaged_back(4, format_args!("checksum {found}"), stored));
        }
        let blocks = decode_blocks(&mut cursor, &region)?;
        Ok(Self { version, offset, len, blocks })
    }

    /// The content of the block of a type.
    pub fn block(&self, ty: i32) -> Option<&Bytes> {
        self.blocks.iter().find(|(known, _)| *known == ty).map(|(_, content)| content)
    }

    /// Counts writes; 1 after the first.
    pub fn version(&self) -> i64 {
        self.version
    }

    /// A whole new file of these blocks: type and content, in order.
    pub fn first(blocks: Vec<(i32, Bytes)>) -> (Self, Vec<u8>) {
        let mut content = vec![0; HEADER as usize];
        let (file, patches) = Self::default().next("", blocks);
        patches.iter().for_each(|patch| patch.apply(&mut content));
        (file, content)
    }

    /// The writes into `file` that replace the blocks: the new region, where it is, the version. They must
    /// reach the file in this order, and none touches what the current region occupies.
    pub fn next(&self, file: &str, blocks: Vec<(i32, Bytes)>) -> (Self, [Patch; 3]) {
        let region = encode_region(&blocks);
        let len = region.len() as u64;
        let offset = if len <= self.offset { 0 } else { self.offset.saturating_add(self.len) };
        let next = Self { version: self.version.wrapping_add(1), offset, len, blocks };
        let mut place = Out::default();
        place.u63(offset);
        place.u63(len);
        let patches = [
            Patch::new(file, HEADER.saturating_add(offset), region),
            Patch::new(file, descriptor(next.version), place.0),
            Patch::new(file, 0, next.version.to_le_bytes().to_vec()),
        ];
        (next, patches)
    }
}

/// Where the descriptor is of the region that a version selects.
fn descriptor(version: i64) -> u64 {
    if version & 1 != 0 { REGION_ODD } else { REGION_EVEN }
}

fn decode_blocks(cursor: &mut Cursor<'_>, region: &Bytes) -> Result<Vec<(i32, Bytes)>> {
    let count = cursor.count(BLOCK_HEAD, "blocks")?;
    let mut blocks = Vec::with_capacity(count);
    for _ in 0..count {
        let len = cursor.u31("length of the block")? as usize;
        if len < BLOCK_HEAD {
            return Err(cursor.damaged_back(4, format_args!("a length of {BLOCK_HEAD} or more"), len));
        }
        let ty = cursor.i32("type of the block")?;
        blocks.push((ty, region.slice_ref(cursor.take(len - BLOCK_HEAD, "the block")?)));
    }
    Ok(blocks)
}

fn encode_region(blocks: &[(i32, Bytes)]) -> Vec<u8> {
    let mut out = Out::default();
    out.i32(0);
    out.count32(blocks.len());
    for (ty, content) in blocks {
        out.count32(content.len() + BLOCK_HEAD);
        out.i32(*ty);
        out.0.extend_from_slice(content);
    }
    let checksum = crc32(out.0.get(UNCHECKED..).unwrap_or_default());
    out.put_i32(0, checksum as i32);
    out.0
}

/// CRC-32 as in zip files.
fn crc32(bytes: &[u8]) -> u32 {
    let crc = bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 & 0u32.wrapping_sub(crc & 1)))
    });
    !crc
}

/// An error about a block that a file should have.
pub(super) fn no_block(file: &str, what: &str) -> Error {
    Error::damaged(file, 0, what, "no such block")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crc_is_that_of_zip() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn each_write_leaves_the_one_before_alone() {
        let blocks = |n: u8| vec![(0, Bytes::from(vec![n; 10 + usize::from(n % 7) * 9])), (3, Bytes::new())];
        let (mut file, mut content) = BlockFile::first(blocks(0));
        for n in 1..60 {
            let (next, patches) = file.next("_mv.s", blocks(n));
            for patch in &patches {
                assert_eq!(BlockFile::decode("f", &content.clone().into()).unwrap(), file);
                patch.apply(&mut content);
            }
            file = next;
            assert_eq!(BlockFile::decode("f", &content.clone().into()).unwrap(), file);
            assert_eq!((file.version(), file.block(0).unwrap()[0]), (i64::from(n) + 1, n));
        }
        assert!(content.len() < 1000, "the space of older regions is used again");
    }

    #[test]
    fn every_flipped_bit_that_counts_is_found() {
        let (_, content) = BlockFile::first(vec![(1, Bytes::from_static(b"abc"))]);
        let good = BlockFile::decode("f", &content.clone().into()).unwrap();
        for at in 0..content.len() * 8 {
            let mut bytes = content.clone();
            bytes[at / 8] ^= 1 << (at % 8);
            // The other region's descriptor does not count.
            if !(24..40).contains(&(at / 8)) {
                assert_ne!(BlockFile::decode("f", &bytes.into()).as_ref(), Ok(&good), "bit {at}");
            }
        }
    }
}
