//! A copy of a table's files in the bucket: what a base or a snapshot begins with.
//!
//! The files' bytes lie in *bundles*, blobs of many pieces one behind the other: one partition's columns, say. A bundle that
//! has not changed since an earlier copy has the same hash, and so is there already.

use super::contents::check_path;
use super::json::{Document, FORMAT};
use super::pack::Token;
use super::{BLOB_BYTES_MAX, Block, Codec, Error, Held, Key, Result, Sum};
use crate::wal::{self, Files, TableKind, TableToken, concat, names_in};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::cell::RefCell;
use std::collections::BTreeMap;

/// What a writer puts into one bundle at most, as stored, unless a single piece is longer: 64 MiB.
pub const BUNDLE_BYTES_MAX: u64 = 64 << 20;
/// Bundles that a reader keeps: one with the definitions, one with the partition at hand.
const KEPT: usize = 2;

/// The blob that lists a copy's files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Base {
    /// The version, 1.
    pub format: u32,
    /// The table's directory.
    pub directory: String,
    /// Its id.
    pub id: i32,
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: BaseKind,
    /// The last transaction that the copy holds.
    pub seq_txn: u64,
    /// Rows in it.
    pub rows: u64,
    /// The files' bytes.
    pub bundles: Vec<Bundle>,
}

/// What a copied table is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BaseKind {
    /// A table with a log.
    Wal,
    /// A materialized view.
    MatView,
    /// A view: files, and no rows.
    View,
}

/// A blob of pieces, one behind the other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bundle {
    /// The blob.
    pub sum: Sum,
    /// Its length in bytes.
    pub bytes: u64,
    /// What is in it.
    pub pieces: Vec<BundlePiece>,
}

/// A range of a file in a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BundlePiece {
    /// The file, relative to the table's directory.
    pub path: String,
    /// Where the range begins in the file, in bytes.
    pub offset: u64,
    /// Where its stored bytes begin in the bundle.
    pub at: u64,
    /// Its length in the file.
    pub raw: u64,
    /// Its length as stored.
    pub stored: u64,
    /// The number of the [`Codec`].
    pub codec: u8,
    /// CRC32C of the stored bytes.
    pub crc: u32,
}

impl Document for Base {
    const BYTES_MAX: u64 = 256 << 20;

    fn format(&self) -> u32 {
        self.format
    }

    fn fault(&self) -> Option<&'static str> {
        let inside = |bundle: &Bundle| {
            bundle.bytes <= BLOB_BYTES_MAX
                && bundle.pieces.iter().all(|piece| {
                    piece.at.checked_add(piece.stored).is_some_and(|end| end <= bundle.bytes)
                        && piece.offset.checked_add(piece.raw).is_some()
                        && Codec::of(piece.codec).is_some()
                        && check_path("", 0, &piece.path, usize::MAX).is_ok()
                })
        };
        if !self.bundles.iter().all(inside) {
            return Some("a piece that is not in its bundle, or has a path that leads elsewhere");
        }
        check_path("", 0, &self.directory, 1).is_err().then_some("a directory that no table can have")
    }
}

impl Base {
    /// The copy of a table as of a transaction, without files yet.
    ///
    /// ```
    /// use understudy::ledger::{Base, Block, Codec, Document, Token};
    /// use understudy::wal::TableKind;
    /// let token = Token { dir: "t~1".into(), id: 1, name: "t".into(), kind: TableKind::Wal };
    /// let mut base = Base::new(&token, 5, 0);
    /// let block = Block::of("abc".into(), Codec::Stored)?;
    /// let blob = base.bundle(vec![("_meta".into(), 0, block)]);
    /// assert_eq!(blob, "abc");
    /// assert_eq!(base.files("t~1", |_| Ok(blob.clone()))?.len("t~1/_meta")?, 3);
    /// # use understudy::wal::Files;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn new(token: &Token, seq_txn: u64, rows: u64) -> Self {
        let kind = match token.kind {
            TableKind::MatView => BaseKind::MatView,
            TableKind::View => BaseKind::View,
            TableKind::Plain | TableKind::Wal => BaseKind::Wal,
        };
        Self {
            format: FORMAT,
            directory: token.dir.clone(),
            id: token.id,
            name: token.name.clone(),
            kind,
            seq_txn,
            rows,
            bundles: Vec::new(),
        }
    }

    /// Adds a bundle of these pieces (path, offset, the bytes in a block) and answers the blob that it is.
    pub fn bundle(&mut self, pieces: Vec<(String, u64, Block)>) -> Bytes {
        let mut parts = Vec::new();
        let mut listed = Vec::new();
        let mut at = 0;
        for (path, offset, block) in pieces {
            let Held::Inline(bytes) = block.held else { continue };
            let (codec, raw, stored, crc) = (block.codec as u8, block.raw_len, block.stored_len, block.crc);
            listed.push(BundlePiece { path, offset, at, raw, stored, codec, crc });
            at += stored;
            parts.push(bytes);
        }
        let blob = concat(parts);
        self.bundles.push(Bundle { sum: Sum::of(&blob), bytes: at, pieces: listed });
        blob
    }

    /// The table as a registry has it.
    pub fn token(&self) -> TableToken {
        let kind = match self.kind {
            BaseKind::Wal => TableKind::Wal,
            BaseKind::MatView => TableKind::MatView,
            BaseKind::View => TableKind::View,
        };
        TableToken { name: self.name.clone(), dir: self.directory.clone(), id: self.id, kind, dropped: false }
    }

    /// The copy's files below `dir`, whose bundles `fetch` gets when they are needed.
    ///
    /// # Errors
    /// [`Error::Damaged`] of pieces of one file that overlap.
    pub fn files<F>(self, dir: &str, fetch: F) -> Result<BaseFiles<F>>
    where
        F: Fn(Sum) -> wal::Result<Bytes>,
    {
        let mut files: BTreeMap<String, BTreeMap<u64, (usize, usize)>> = BTreeMap::new();
        for (bundle, listed) in self.bundles.iter().enumerate() {
            for (index, piece) in listed.pieces.iter().enumerate() {
                let extents = files.entry(format!("{dir}/{}", piece.path)).or_default();
                if extents.insert(piece.offset, (bundle, index)).is_some_and(|_| piece.raw > 0) {
                    let found = format_args!("{} twice at {}", piece.path, piece.offset);
                    return Err(Error::damaged("a base", 0, "pieces that don't overlap", found));
                }
            }
        }
        Ok(BaseFiles { bundles: self.bundles, files, fetch, held: RefCell::default() })
    }
}

impl Bundle {
    /// Whether these bytes are the bundle, to the last byte of each piece.
    ///
    /// # Errors
    /// [`wal::Error::Damaged`] where they are not.
    pub fn check(&self, blob: &Bytes) -> wal::Result<()> {
        self.check_blob(blob)?;
        self.pieces.iter().try_for_each(|piece| unpack(self.sum, piece, blob).map(drop))
    }

    fn check_blob(&self, blob: &Bytes) -> wal::Result<()> {
        let found = Sum::of(blob);
        if blob.len() as u64 == self.bytes && found == self.sum {
            return Ok(());
        }
        Err(wal::Error::damaged(&Key::Blob(self.sum).to_string(), 0, "the bundle's own bytes", found))
    }
}

/// The files of a [`Base`], read from its bundles.
pub struct BaseFiles<F> {
    bundles: Vec<Bundle>,
    files: BTreeMap<String, BTreeMap<u64, (usize, usize)>>,
    fetch: F,
    /// The bundles used last, with what was unpacked of them; the newest is the last one.
    held: RefCell<Vec<HeldBundle>>,
}

struct HeldBundle {
    bundle: usize,
    blob: Bytes,
    pieces: BTreeMap<usize, Bytes>,
}

impl<F: Fn(Sum) -> wal::Result<Bytes>> BaseFiles<F> {
    fn piece(&self, bundle: usize, index: usize) -> wal::Result<Bytes> {
        let absent = || wal::Error::Absent { file: "a bundle".into() };
        let listed = self.bundles.get(bundle).ok_or_else(absent)?;
        let piece = listed.pieces.get(index).ok_or_else(absent)?;
        let mut held = self.held.borrow_mut();
        match held.iter().position(|held| held.bundle == bundle) {
            Some(at) => {
                let used = held.remove(at);
                held.push(used);
            }
            None => {
                let blob = (self.fetch)(listed.sum)?;
                listed.check_blob(&blob)?;
                if held.len() >= KEPT {
                    held.remove(0);
                }
                held.push(HeldBundle { bundle, blob, pieces: BTreeMap::new() });
            }
        }
        let Some(held) = held.last_mut() else { return Err(absent()) };
        if let Some(bytes) = held.pieces.get(&index) {
            return Ok(bytes.clone());
        }
        let bytes = unpack(listed.sum, piece, &held.blob)?;
        held.pieces.insert(index, bytes.clone());
        Ok(bytes)
    }

    fn extents(&self, path: &str) -> wal::Result<&BTreeMap<u64, (usize, usize)>> {
        self.files.get(path).ok_or_else(|| wal::Error::Absent { file: path.into() })
    }

    fn raw_len(&self, (bundle, index): (usize, usize)) -> u64 {
        self.bundles.get(bundle).and_then(|bundle| bundle.pieces.get(index)).map_or(0, |piece| piece.raw)
    }
}

fn unpack(sum: Sum, piece: &BundlePiece, blob: &Bytes) -> wal::Result<Bytes> {
    let key = Key::Blob(sum);
    let damaged = |found: &dyn std::fmt::Display| {
        wal::Error::damaged(
            &key.to_string(),
            piece.at,
            format_args!("{} of {} bytes", piece.path, piece.raw),
            found,
        )
    };
    let range = usize::try_from(piece.at).ok().zip(usize::try_from(piece.at + piece.stored).ok());
    let Some((from, to)) = range.filter(|(_, to)| *to <= blob.len()) else {
        return Err(damaged(&"a bundle that is shorter"));
    };
    let Some(codec) = Codec::of(piece.codec) else { return Err(damaged(&"an unknown codec")) };
    let block = Block::compressed(codec, piece.raw, blob.slice(from..to));
    if block.crc != piece.crc {
        return Err(damaged(&format_args!("CRC {:08x}", block.crc)));
    }
    block.unpack(key).map_err(|error| damaged(&error))
}

impl<F: Fn(Sum) -> wal::Result<Bytes>> Files for BaseFiles<F> {
    fn read(&self, path: &str, offset: u64, len: u64) -> wal::Result<Bytes> {
        let extents = self.extents(path)?;
        let end = offset.saturating_add(len);
        let (mut at, mut parts) = (offset, Vec::new());
        while at < end {
            let found = extents.range(..=at).next_back();
            let found = found.filter(|(start, place)| start.saturating_add(self.raw_len(**place)) > at);
            let Some((start, (bundle, index))) = found else {
                return Err(wal::Error::Short { file: path.into(), len: at, wanted: end });
            };
            let bytes = self.piece(*bundle, *index)?;
            let to = end.min(start + bytes.len() as u64);
            parts.push(bytes.slice((at - start) as usize..(to - start) as usize));
            at = to;
        }
        Ok(concat(parts))
    }

    fn len(&self, path: &str) -> wal::Result<u64> {
        let last = self.extents(path)?.iter().next_back();
        Ok(last.map_or(0, |(start, place)| start + self.raw_len(*place)))
    }

    fn list(&self, dir: &str) -> wal::Result<Option<Vec<String>>> {
        Ok(Some(names_in(&self.files, dir)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base() -> (Base, Vec<Bytes>) {
        let token = Token { dir: "t~1".into(), id: 1, name: "t".into(), kind: TableKind::Wal };
        let mut base = Base::new(&token, 7, 3);
        let block = |text: &str| Block::of(Bytes::from(text.to_owned()), Codec::Lz4).unwrap();
        let blobs = vec![
            base.bundle(vec![
                ("_meta".into(), 0, block("meta")),
                ("2024/x.d".into(), 0, block(&"a".repeat(100))),
            ]),
            base.bundle(vec![("2024/x.d".into(), 100, block("bcd")), ("empty".into(), 0, block(""))]),
        ];
        (base, blobs)
    }

    #[test]
    fn files_read_over_the_bundles_bounds() {
        let (base, blobs) = base();
        let again = Base::read("x", &base.to_bytes().unwrap()).unwrap();
        assert_eq!(again, base);
        let fetched = RefCell::new(0);
        let files = base
            .files("t~2", |sum| {
                *fetched.borrow_mut() += 1;
                Ok(blobs.iter().find(|blob| Sum::of(blob) == sum).unwrap().clone())
            })
            .unwrap();
        assert_eq!(files.read("t~2/2024/x.d", 98, 4).unwrap(), "aabc");
        assert_eq!(files.read("t~2/2024/x.d", 0, 3).unwrap(), "aaa");
        assert_eq!((files.len("t~2/2024/x.d").unwrap(), files.len("t~2/empty").unwrap()), (103, 0));
        assert!(matches!(files.read("t~2/2024/x.d", 100, 4), Err(wal::Error::Short { .. })));
        assert!(matches!(files.read("t~2/none", 0, 0), Err(wal::Error::Absent { .. })));
        assert_eq!(files.list("t~2").unwrap().unwrap(), ["2024", "_meta", "empty"]);
        assert_eq!(*fetched.borrow(), 2);
    }

    #[test]
    fn what_is_not_the_bundle_is_damage() {
        let (base, blobs) = base();
        let mut wrong = blobs[0].to_vec();
        wrong[0] ^= 1;
        let files = base.clone().files("t", |_| Ok(wrong.clone().into())).unwrap();
        assert!(matches!(files.read("t/_meta", 0, 4), Err(wal::Error::Damaged { .. })));
        let mut lying = base;
        lying.bundles[0].pieces[0].crc ^= 1;
        let files = lying.files("t", |_| Ok(blobs[0].clone())).unwrap();
        assert!(matches!(files.read("t/_meta", 0, 4), Err(wal::Error::Damaged { .. })));
    }

    #[test]
    fn documents_that_lead_elsewhere_are_refused() {
        let change: [fn(&mut Base); 5] = [
            |base| base.directory = "..".into(),
            |base| base.bundles[0].pieces[0].path = "../x".into(),
            |base| base.bundles[0].pieces[0].at = 1 << 40,
            |base| base.bundles[0].pieces[0].offset = u64::MAX,
            |base| base.bundles[0].pieces[0].codec = 77,
        ];
        for change in change {
            let (mut base, _) = base();
            change(&mut base);
            let bytes = serde_json::to_vec(&base).unwrap();
            assert!(matches!(Base::read("x", &bytes), Err(Error::Damaged { .. })));
        }
    }
}
