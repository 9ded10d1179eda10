//! An object of the log, as bytes: the head that every pack and seal has, and the hash that makes it whole.

use super::encode::Out;
use super::error::at_most;
use super::{ClusterId, Dir, Error, Place, Result, Sum, Term, WriterId};
use crate::wal::Cursor;
use bytes::Bytes;
use std::hash::{Hash, Hasher};

/// The largest object, 32 MiB: a put with a condition goes in one request everywhere.
pub const OBJECT_BYTES_MAX: u64 = 32 << 20;
/// Bytes of the head.
pub(super) const HEAD_BYTES: usize = 128;
/// Version of the objects' format.
const VERSION: u16 = 1;
const MAGIC: &[u8; 8] = b"USTLOG\r\n";
const SUM_BYTES: usize = 32;
const SIGNATURE_BYTES: usize = 64;
const SIGNED: u8 = 1;
/// What a pack has in the place of a seal's next directory.
const NOWHERE: Dir = Dir { term: Term(0), writer: WriterId(0) };

/// What an object is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Transactions of tables; the history goes on in the same directory.
    Pack,
    /// The end of a directory.
    Seal {
        /// Where the history goes on, at the next number.
        next: Dir,
    },
}

/// What every object says about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Head {
    /// The cluster whose history it is part of.
    pub cluster: ClusterId,
    /// Where it lies.
    pub place: Place,
    /// When it was made by its writer's clock, in microseconds since 1970. Nothing is decided by it.
    pub committed_us: i64,
    /// The hash of the history's object before it; [`Sum::ZERO`] at number 0.
    pub before: Sum,
    /// Pack or seal.
    pub kind: Kind,
}

/// Signs objects; the driver keeps the key.
pub trait Sign {
    /// The Ed25519 signature of an object's hash.
    fn sign(&self, sum: Sum) -> [u8; SIGNATURE_BYTES];
}

/// An object of the log that is whole: head and hash have been checked. Two are equal if their hashes are.
#[derive(Debug, Clone)]
pub struct Object {
    bytes: Bytes,
    head: Head,
    sum: Sum,
    /// Bytes of the table of contents.
    contents: usize,
    signed: bool,
}

impl Head {
    /// What an object says about itself in its first 128 bytes. Nothing has checked them: for people only.
    ///
    /// # Errors
    /// As [`Object::read`].
    pub fn peek(place: Place, bytes: &[u8]) -> Result<Self> {
        let key = place.to_string();
        Ok(read_front(&key, &mut Cursor::new(&key, 0, bytes))?.2)
    }
}

impl Object {
    /// The seal that ends a directory at `head.place`.
    ///
    /// ```
    /// use understudy::ledger::{ClusterId, Dir, Head, Kind, Object, Place, Sum, Term, WriterId};
    /// let dir = |n| Dir { term: Term(n), writer: WriterId(n.into()) };
    /// let place = Place { dir: dir(1), n: 0 };
    /// let kind = Kind::Seal { next: dir(2) };
    /// let head = Head { cluster: ClusterId(9), place, committed_us: 0, before: Sum::ZERO, kind };
    /// let seal = Object::bare(head, None);
    /// assert_eq!(Object::read(place, seal.bytes().clone())?.head(), &head);
    /// # Ok::<(), understudy::ledger::Error>(())
    /// ```
    pub fn bare(head: Head, signer: Option<&dyn Sign>) -> Self {
        Self::assemble(head, &[], &[], signer)
    }

    /// An object of a head, a table of contents and blocks; the callers have checked their sizes.
    pub(super) fn assemble(head: Head, contents: &[u8], blocks: &[Bytes], signer: Option<&dyn Sign>) -> Self {
        let mut out = Out(Vec::with_capacity(encoded_len(contents, blocks)));
        let (kind, next) = match head.kind {
            Kind::Pack => (1, NOWHERE),
            Kind::Seal { next } => (2, next),
        };
        out.0.extend_from_slice(MAGIC);
        out.u16(VERSION);
        out.u8(kind);
        out.u8(if signer.is_some() { SIGNED } else { 0 });
        out.count(contents.len());
        out.id(head.cluster.0);
        out.dir(head.place.dir);
        out.u64(head.place.n);
        out.i64(head.committed_us);
        out.sum(head.before);
        out.dir(next);
        out.0.extend_from_slice(contents);
        blocks.iter().for_each(|block| out.0.extend_from_slice(block));
        let sum = Sum::of(&out.0);
        out.sum(sum);
        if let Some(signer) = signer {
            out.0.extend_from_slice(&signer.sign(sum));
        }
        Self { bytes: out.0.into(), head, sum, contents: contents.len(), signed: signer.is_some() }
    }

    /// Reads the object at a place and checks all but its contents: [`pack`](Self::pack) does that.
    ///
    /// # Errors
    /// [`Error::Damaged`] or [`Error::TooLarge`] if the bytes aren't an object, [`Error::Unsupported`] of a later
    /// version, [`Error::Foreign`] if it is whole and says that it belongs to another place.
    pub fn read(place: Place, bytes: Bytes) -> Result<Self> {
        let key = place.to_string();
        at_most(&key, "the object's length", bytes.len() as u64, OBJECT_BYTES_MAX)?;
        let mut cursor = Cursor::new(&key, 0, &bytes);
        let (flags, contents, head) = read_front(&key, &mut cursor)?;
        let signed = flags & SIGNED != 0;
        let trailer = trailer_bytes(signed);
        let room = cursor.remaining().saturating_sub(trailer);
        if cursor.remaining() < trailer
            || contents > room
            || matches!(head.kind, Kind::Seal { .. }) && room > 0
        {
            return Err(Error::damaged(&key, 12, "contents that fit the object", contents));
        }
        let sum = check_sum(&key, &bytes, trailer)?;
        if head.place != place {
            return Err(Error::Foreign { place, what: "the object says that it belongs to another place" });
        }
        Ok(Self { head, sum, contents, signed, bytes })
    }

    /// All its bytes, as they lie in the bucket.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// What it says about itself.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// Its hash, which the next object names.
    pub fn sum(&self) -> Sum {
        self.sum
    }

    /// The Ed25519 signature of its hash, not checked here.
    pub fn signature(&self) -> Option<&[u8; SIGNATURE_BYTES]> {
        if self.signed { self.bytes.last_chunk() } else { None }
    }

    /// Table of contents and blocks, with the offset of the latter.
    pub(super) fn parts(&self) -> (&[u8], Bytes, u64) {
        let from = HEAD_BYTES + self.contents;
        let to = self.bytes.len().saturating_sub(trailer_bytes(self.signed)).max(from);
        let contents = self.bytes.get(HEAD_BYTES..from).unwrap_or_default();
        (contents, self.bytes.slice(from..to), from as u64)
    }
}

impl PartialEq for Object {
    fn eq(&self, other: &Self) -> bool {
        self.sum == other.sum
    }
}

impl Eq for Object {}

impl Hash for Object {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.sum.hash(state);
    }
}

/// How long an object of these parts is, without a signature.
pub(super) fn encoded_len(contents: &[u8], blocks: &[Bytes]) -> usize {
    HEAD_BYTES + contents.len() + blocks.iter().map(Bytes::len).sum::<usize>() + SUM_BYTES
}

/// The next bytes as an array.
pub(super) fn array<const N: usize>(cursor: &mut Cursor<'_>, what: &str) -> Result<[u8; N]> {
    let mut out = [0; N];
    out.copy_from_slice(cursor.take(N, what)?);
    Ok(out)
}

pub(super) fn sum(cursor: &mut Cursor<'_>, what: &str) -> Result<Sum> {
    Ok(Sum(array(cursor, what)?))
}

fn dir(cursor: &mut Cursor<'_>, what: &str) -> Result<Dir> {
    let term = Term(cursor.u63(what)?);
    Ok(Dir { term, writer: WriterId(u128::from_be_bytes(array(cursor, what)?)) })
}

/// What all objects begin with: flags, the length of the contents, and the head.
fn read_front(key: &str, cursor: &mut Cursor<'_>) -> Result<(u8, usize, Head)> {
    if cursor.take(MAGIC.len(), "the mark of a log object")? != MAGIC {
        return Err(Error::damaged(key, 0, "the mark of a log object", "other bytes"));
    }
    let version = u16::from_le_bytes(array(cursor, "the version")?);
    if version != VERSION {
        return Err(Error::unsupported(key, 8, format_args!("version {version} of the log")));
    }
    let [kind, flags] = array(cursor, "kind and flags")?;
    if flags & !SIGNED != 0 {
        return Err(Error::unsupported(key, 11, format_args!("flags {flags:#x}")));
    }
    let contents = cursor.u31("the length of the contents")? as usize;
    Ok((flags, contents, read_head(key, kind, cursor)?))
}

fn read_head(key: &str, kind: u8, cursor: &mut Cursor<'_>) -> Result<Head> {
    let cluster = ClusterId(u128::from_be_bytes(array(cursor, "the cluster")?));
    let place = Place { dir: dir(cursor, "the directory")?, n: cursor.u63("the number")? };
    let committed_us = cursor.i64("the commit time")?;
    let before = sum(cursor, "the hash of the object before")?;
    let next = dir(cursor, "the next directory")?;
    let kind = match (kind, next.term.0) {
        (1, 0) if next == NOWHERE => Kind::Pack,
        (2, _) if Some(next.term) == place.dir.term.next() => Kind::Seal { next },
        (1 | 2, term) => return Err(Error::damaged(key, 104, "the next directory of a seal", term)),
        (kind, _) => return Err(Error::unsupported(key, 10, format_args!("an object of kind {kind}"))),
    };
    Ok(Head { cluster, place, committed_us, before, kind })
}

fn trailer_bytes(signed: bool) -> usize {
    SUM_BYTES + if signed { SIGNATURE_BYTES } else { 0 }
}

fn check_sum(key: &str, bytes: &Bytes, trailer: usize) -> Result<Sum> {
    let at = bytes.len().saturating_sub(trailer);
    let (hashed, rest) = bytes.split_at_checked(at).unwrap_or((bytes, &[]));
    let found = sum(&mut Cursor::new(key, at as u64, rest), "the object's hash")?;
    let computed = Sum::of(hashed);
    if found != computed {
        return Err(Error::damaged(key, at as u64, format_args!("the object's hash {computed}"), found));
    }
    Ok(computed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dir(term: u64) -> Dir {
        Dir { term: Term(term), writer: WriterId(u128::from(term) << 64) }
    }

    fn head(kind: Kind) -> Head {
        let place = Place { dir: dir(1), n: 5 };
        Head { cluster: ClusterId(1), place, committed_us: -1, before: Sum::of(b"before"), kind }
    }

    struct Ones;

    impl Sign for Ones {
        fn sign(&self, _: Sum) -> [u8; 64] {
            [1; 64]
        }
    }

    #[test]
    fn packs_and_seals_read_back_signed_or_not() {
        for kind in [Kind::Pack, Kind::Seal { next: dir(2) }] {
            for signer in [None, Some(&Ones as &dyn Sign)] {
                let made = Object::bare(head(kind), signer);
                let read = Object::read(made.head.place, made.bytes.clone()).unwrap();
                assert_eq!((read.head, read.sum, read.signature()), (made.head, made.sum, made.signature()));
            }
        }
    }

    #[test]
    fn every_changed_byte_before_the_signature_is_seen() {
        let made = Object::bare(head(Kind::Seal { next: dir(2) }), Some(&Ones));
        for at in 0..made.bytes.len() - 64 {
            let mut bytes = made.bytes.to_vec();
            bytes[at] ^= 0x10;
            let error = Object::read(made.head.place, bytes.into()).unwrap_err();
            assert!(error.to_string().contains("log/1-"), "{error}");
        }
        for len in 0..made.bytes.len() {
            assert!(Object::read(made.head.place, made.bytes.slice(..len)).is_err(), "{len}");
        }
    }

    #[test]
    fn a_seal_leads_to_the_next_term_only() {
        for next in [dir(1), dir(3)] {
            let made = Object::bare(head(Kind::Seal { next }), None);
            let error = Object::read(made.head.place, made.bytes).unwrap_err();
            assert!(matches!(error, Error::Damaged { offset: 104, .. }), "{error}");
        }
    }

    #[test]
    fn an_object_at_another_place_is_foreign() {
        let made = Object::bare(head(Kind::Pack), None);
        let error = Object::read(made.head.place.next(), made.bytes).unwrap_err();
        assert!(matches!(error, Error::Foreign { .. }), "{error}");
    }
}
