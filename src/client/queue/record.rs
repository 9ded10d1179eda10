//! `sf-manifest.bin` and `.ack-watermark`: two records in one file, of which an update writes one.
//!
//! As QuestDB's own clients write them, little-endian; 8,192 bytes, a record at 0 and one at 4,096, of which the valid
//! one with the higher generation counts (the second of two equal ones). Generation `g` goes to `(g & 1) * 4096`, so
//! that a torn write leaves the record before it.
//!
//! ```text
//!  0  4  magic: "SFM1" manifest, "AKW1" watermark
//!  4  4  version, 1
//!  8  8  generation, from 1
//! 16  8  manifest: base of the oldest segment that is still needed; watermark: highest acknowledged FSN, -1 for none
//! 24  8  manifest: base of the segment that is appended to;         watermark: 0
//! 32 28  zero
//! 60  4  CRC-32C of the 60 bytes before it
//! ```

use super::ops::FileOp;
use bytes::Bytes;

/// Of both files.
pub(super) const FILE_LEN: u64 = 8192;
/// Where the second record begins.
const SECOND: usize = 4096;
const RECORD_LEN: usize = 64;
const CRC_AT: usize = 60;
const VERSION: u32 = 1;

/// Which of the two files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    Manifest,
    Watermark,
}

impl Kind {
    pub(super) fn file(self) -> &'static str {
        match self {
            Self::Manifest => "sf-manifest.bin",
            Self::Watermark => ".ack-watermark",
        }
    }

    fn magic(self) -> u32 {
        match self {
            Self::Manifest => u32::from_le_bytes(*b"SFM1"),
            Self::Watermark => u32::from_le_bytes(*b"AKW1"),
        }
    }

    fn allows(self, first: i64, second: i64) -> bool {
        match self {
            Self::Manifest => first >= 0 && second >= first,
            Self::Watermark => first >= -1,
        }
    }
}

/// The newest record of a file, and how it is replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Record {
    kind: Kind,
    generation: u64,
    pub(super) first: i64,
    pub(super) second: i64,
}

impl Record {
    /// A file without a record yet.
    pub(super) fn none(kind: Kind) -> Self {
        Self { kind, generation: 0, first: -1, second: 0 }
    }

    /// The newest valid record in a file's bytes.
    pub(super) fn read(kind: Kind, bytes: &[u8]) -> Option<Self> {
        if bytes.len() as u64 != FILE_LEN {
            return None;
        }
        let records = [0, SECOND].map(|at| bytes.get(at..at + RECORD_LEN).and_then(|raw| parse(kind, raw)));
        match records {
            [Some(one), Some(two)] => Some(if one.generation > two.generation { one } else { two }),
            [one, two] => one.or(two),
        }
    }

    /// The file, new and without a record.
    pub(super) fn create(kind: Kind) -> FileOp {
        FileOp::Create { name: kind.file().into(), len: FILE_LEN }
    }

    /// Replaces the record by one with these values.
    pub(super) fn update(&mut self, first: i64, second: i64) -> FileOp {
        self.generation = self.generation.saturating_add(1);
        (self.first, self.second) = (first, second);
        let mut raw = [0; RECORD_LEN];
        let (head, crc) = raw.split_at_mut(CRC_AT);
        let fields = [
            &self.kind.magic().to_le_bytes()[..],
            &VERSION.to_le_bytes(),
            &self.generation.to_le_bytes(),
            &first.to_le_bytes(),
            &second.to_le_bytes(),
        ];
        head.iter_mut().zip(fields.concat()).for_each(|(to, from)| *to = from);
        crc.copy_from_slice(&crc32c::crc32c(head).to_le_bytes());
        let at = if self.generation & 1 == 1 { SECOND as u64 } else { 0 };
        FileOp::Write { name: self.kind.file().into(), at, bytes: Bytes::copy_from_slice(&raw) }
    }
}

fn parse(kind: Kind, raw: &[u8]) -> Option<Record> {
    let word = |at: usize| Some(u32::from_le_bytes(raw.get(at..at + 4)?.try_into().ok()?));
    let long = |at: usize| Some(i64::from_le_bytes(raw.get(at..at + 8)?.try_into().ok()?));
    let sound = word(0)? == kind.magic()
        && word(4)? == VERSION
        && word(CRC_AT)? == crc32c::crc32c(raw.get(..CRC_AT)?);
    let generation = u64::try_from(long(8)?).ok().filter(|generation| *generation > 0)?;
    let (first, second) = (long(16)?, long(24)?);
    (sound && kind.allows(first, second)).then_some(Record { kind, generation, first, second })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(file: &mut [u8], op: &FileOp) {
        let FileOp::Write { at, bytes, .. } = op else { panic!("an update is a write") };
        file[*at as usize..][..bytes.len()].copy_from_slice(bytes);
    }

    #[test]
    fn an_update_writes_the_older_of_two_records() {
        let mut file = vec![0; FILE_LEN as usize];
        assert_eq!(Record::read(Kind::Manifest, &file), None);
        let mut record = Record::none(Kind::Manifest);
        written(&mut file, &record.update(10, 20));
        assert_eq!(file[4096..4100], *b"SFM1", "the first one goes to the second place");
        written(&mut file, &record.update(12, 25));
        assert_eq!(Record::read(Kind::Manifest, &file), Some(record));
        file[3] ^= 1;
        let older = Record::read(Kind::Manifest, &file).expect("the record before a torn one is left");
        assert_eq!((older.generation, older.first, older.second), (1, 10, 20));
        assert_eq!(Record::read(Kind::Watermark, &file), None, "another kind of file");
    }

    #[test]
    fn a_record_that_makes_no_sense_is_none() {
        for (kind, first, second) in
            [(Kind::Manifest, 5, 4), (Kind::Manifest, -1, 4), (Kind::Watermark, -2, 0)]
        {
            let mut file = vec![0; FILE_LEN as usize];
            written(&mut file, &Record::none(kind).update(first, second));
            assert_eq!(Record::read(kind, &file), None);
        }
        assert_eq!(Record::read(Kind::Manifest, &[0xa5; 17]), None);
    }
}
