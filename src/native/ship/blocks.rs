//! Bytes of files, packed for the bucket: compressed side by side, and long ones moved out into blobs.

use crate::ledger::{Block, Codec, FilePiece, Held, Sum};
use crate::native::outcome::Failure;
use crate::wal::Piece;
use bytes::Bytes;
use rayon::prelude::*;
use zstd::bulk::Compressor;

/// Shorter runs of bytes are stored as they are.
const SHORTEST: usize = 64;
/// A piece of a file is cut into runs of at most so many bytes.
const RAW_MAX: usize = 32 << 20;
/// What the blocks inside a pack come to at most: the object's limit, less its table of contents.
const INLINE_MAX: u64 = 22 << 20;
/// Blocks that stay inside a pack however many they are.
const SMALL: u64 = 4 << 10;

/// Compresses with zstd, on threads of its own.
pub(super) struct Packing {
    level: i32,
    pool: rayon::ThreadPool,
}

impl Packing {
    /// `level` from 1 (fast) to 19 (short).
    ///
    /// # Errors
    /// When there are no threads.
    pub(super) fn new(level: i32, threads: usize) -> Result<Self, Failure> {
        let named = |at| format!("ship-zstd-{at}");
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads.max(1)).thread_name(named).build();
        let pool = pool.map_err(|error| Failure::failed(format!("no threads to compress on: {error}")))?;
        Ok(Self { level: level.clamp(1, 19), pool })
    }

    /// Pieces of files below `dir`, relative to it: path, offset and block. The order stays.
    pub(super) fn pack(&self, dir: &str, pieces: Vec<Piece>) -> Vec<FilePiece> {
        let mut runs = Vec::with_capacity(pieces.len());
        for Piece { path, offset, bytes } in pieces {
            let Some(path) = path.strip_prefix(dir).and_then(|path| path.strip_prefix('/')) else { continue };
            let (mut offset, mut rest) = (offset, bytes);
            loop {
                let run = rest.split_to(rest.len().min(RAW_MAX));
                let len = run.len() as u64;
                runs.push((path.to_owned(), offset, run));
                offset += len;
                if rest.is_empty() {
                    break;
                }
            }
        }
        let level = self.level;
        self.pool.install(|| {
            runs.into_par_iter()
                .map_init(
                    || Compressor::new(level).ok(),
                    |compressor, (path, offset, raw)| FilePiece {
                        path,
                        offset,
                        block: block(compressor.as_mut(), raw),
                    },
                )
                .collect()
        })
    }
}

fn block(compressor: Option<&mut Compressor<'_>>, raw: Bytes) -> Block {
    let raw_len = raw.len() as u64;
    let shorter = match compressor {
        Some(compressor) if raw.len() >= SHORTEST => compressor.compress(&raw).ok(),
        _ => None,
    };
    match shorter.filter(|shorter| shorter.len() < raw.len()) {
        Some(shorter) => Block::compressed(Codec::Zstd, raw_len, shorter.into()),
        None => Block::compressed(Codec::Stored, raw_len, raw),
    }
}

/// Blocks that go beside the pack, and what a pack has inside.
#[derive(Default)]
pub(super) struct Inside {
    bytes: u64,
}

impl Inside {
    /// Moves blocks out that are long, or for which the pack has no room; answers the blobs.
    pub(super) fn admit(&mut self, files: &mut [FilePiece]) -> Vec<(Sum, Bytes)> {
        let mut blobs = Vec::new();
        for piece in files {
            let moved = match piece.block.moved_out() {
                None if self.bytes + piece.block.stored_len > INLINE_MAX
                    && piece.block.stored_len > SMALL =>
                {
                    move_out(&piece.block)
                }
                other => other.map(|(block, _, bytes)| (block, bytes)),
            };
            match moved {
                Some((block, bytes)) => {
                    if let Held::Blob(sum) = block.held {
                        blobs.push((sum, bytes));
                    }
                    piece.block = block;
                }
                None => self.bytes += piece.block.stored_len,
            }
        }
        blobs
    }
}

fn move_out(block: &Block) -> Option<(Block, Bytes)> {
    let Held::Inline(bytes) = &block.held else { return None };
    Some((Block { held: Held::Blob(Sum::of(bytes)), ..block.clone() }, bytes.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::Key;

    fn piece(path: &str, bytes: Vec<u8>) -> Piece {
        Piece { path: path.into(), offset: 7, bytes: bytes.into() }
    }

    #[test]
    fn pieces_unpack_to_what_they_were() {
        let packing = Packing::new(1, 2).unwrap();
        let long: Vec<u8> = (0..RAW_MAX as u32 / 4 + 5).flat_map(|n| (n / 50).to_le_bytes()).collect();
        let pieces =
            vec![piece("t~1/a", b"abc".to_vec()), piece("t~1/b.d", long.clone()), piece("t~1/c", vec![])];
        let files = packing.pack("t~1", pieces);
        let all: Vec<_> =
            files.iter().map(|file| (file.path.as_str(), file.offset, file.block.raw_len)).collect();
        assert_eq!(
            all,
            [("a", 7, 3), ("b.d", 7, RAW_MAX as u64), ("b.d", 7 + RAW_MAX as u64, 20), ("c", 7, 0)]
        );
        assert_eq!(files[0].block.codec, Codec::Stored);
        assert_eq!(files[1].block.codec, Codec::Zstd);
        assert_eq!(files[1].block.unpack(Key::Head).unwrap(), long[..RAW_MAX]);
    }

    #[test]
    fn a_pack_never_gets_longer_than_it_may() {
        let mut inside = Inside::default();
        let block = |n: u32| {
            let raw: Vec<u8> =
                (0..n).flat_map(|at| blake3::hash(&at.to_le_bytes()).as_bytes().to_vec()).collect();
            Block::compressed(Codec::Stored, raw.len() as u64, raw.into())
        };
        let file = |n| FilePiece { path: "x".into(), offset: 0, block: block(n) };
        let mut files: Vec<FilePiece> = (0..60).map(|_| file(16 << 10)).collect();
        files.push(file(40 << 10));
        files.push(file(1));
        let blobs = inside.admit(&mut files);
        assert!(inside.bytes <= INLINE_MAX + SMALL, "{}", inside.bytes);
        assert_eq!(blobs.len(), 60 - 44 + 1);
        assert!(matches!(files[61].block.held, Held::Inline(_)));
        assert_eq!(files[60].block.unpack_blob(&blobs.last().unwrap().1).unwrap().len(), 40 << 15);
    }
}
