//! `sf-<n>.sfa`: frames one behind the other, as QuestDB's own clients lay them out.
//!
//! Little-endian. The file has its full length from the beginning; what is not written yet is zero.
//!
//! ```text
//! header  0  4  magic "SF01"          frame  0  4  CRC-32C of length and payload
//!         4  1  version, 1                   4  4  length of the payload, 1 ..= 2^31 - 1
//!         5  1  flags: 1 = needs the         8  n  payload
//!               manifest
//!         6  2  zero
//!         8  8  FSN of its first frame
//!        16  8  made at, microseconds since 1970
//! ```
//!
//! The first frame that is not whole is the end. `<n>`, 16 hexadecimal digits, counts files, not frames.

use super::ops::{SlotError, SlotFiles};
use bytes::{BufMut, Bytes, BytesMut};

pub(super) const HEADER_LEN: u64 = 24;
pub(super) const FRAME_HEADER_LEN: u64 = 8;
/// Longest payload.
pub(super) const PAYLOAD_MAX: usize = i32::MAX as usize;
const MAGIC: &[u8] = b"SF01";
const VERSION: u8 = 1;
pub(super) const NEEDS_MANIFEST: u8 = 1;
/// Where the flags are.
pub(super) const FLAGS_AT: u64 = 5;
/// Bytes read at once.
const CHUNK: u64 = 256 << 10;

/// Where a frame's payload lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct FrameAt {
    /// From the file's beginning.
    pub(super) at: u64,
    pub(super) len: u32,
    pub(super) crc: u32,
}

impl FrameAt {
    pub(super) fn end(&self) -> u64 {
        self.at + u64::from(self.len)
    }
}

/// What is in a segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Scan {
    pub(super) base: u64,
    pub(super) needs_manifest: bool,
    pub(super) frames: Vec<FrameAt>,
    /// Where the last whole frame ends.
    pub(super) end: u64,
    /// Bytes behind that up to the last one that is not zero.
    pub(super) torn: u64,
    /// A frame begins as QWP's messages do.
    pub(super) qwp: bool,
}

/// Why a file is no segment that can be used.
#[derive(Debug)]
pub(super) enum NoSegment {
    /// Made, and nothing written to it.
    Blank,
    /// It can be set aside.
    Corrupt(Box<str>),
    /// It may hold frames: nobody touches it.
    Fatal(SlotError),
}

pub(super) fn file_name(number: u64) -> Box<str> {
    format!("sf-{number:016x}.sfa").into()
}

/// The number in a segment's name; 0 for a name of another kind.
pub(super) fn number(name: &str) -> u64 {
    let digits = name.strip_prefix("sf-").and_then(|rest| rest.strip_suffix(".sfa"));
    digits.and_then(|digits| u64::from_str_radix(digits, 16).ok()).unwrap_or(0)
}

pub(super) fn header(base: u64, made_us: i64, flags: u8) -> Bytes {
    let mut bytes = BytesMut::with_capacity(HEADER_LEN as usize);
    bytes.put_slice(MAGIC);
    bytes.put_slice(&[VERSION, flags, 0, 0]);
    bytes.put_u64_le(base);
    bytes.put_i64_le(made_us);
    bytes.freeze()
}

/// A frame with its header, and the checksum in it.
pub(super) fn frame(payload: &[u8]) -> (Bytes, u32) {
    let len = u32::try_from(payload.len()).unwrap_or(u32::MAX).to_le_bytes();
    let crc = checksum(len, payload);
    let mut bytes = BytesMut::with_capacity(FRAME_HEADER_LEN as usize + payload.len());
    bytes.put_u32_le(crc);
    bytes.put_slice(&len);
    bytes.put_slice(payload);
    (bytes.freeze(), crc)
}

pub(super) fn checksum(len: [u8; 4], payload: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&len), payload)
}

/// Reads a segment, chunk by chunk, up to the first frame that is not whole.
pub(super) fn scan(files: &dyn SlotFiles, name: &str, len: u64) -> Result<Scan, NoSegment> {
    let unreadable = |what| NoSegment::Fatal(SlotError::Unreadable { file: name.into(), what });
    let read = |at, len| files.read(name, at, len).map_err(unreadable);
    let head = match usize::try_from(HEADER_LEN) {
        Ok(head_len) if len >= HEADER_LEN => read(0, head_len)?,
        _ => return Err(NoSegment::Corrupt(format!("{len} bytes are less than a header").into())),
    };
    if head.iter().all(|byte| *byte == 0) && last_byte(&read, HEADER_LEN, len)? == 0 {
        return Err(NoSegment::Blank);
    }
    let (base, needs_manifest) = parse_header(name, &head)?;
    let mut found = Scan { base, needs_manifest, frames: Vec::new(), end: HEADER_LEN, torn: 0, qwp: false };
    while let Some(at) = whole_frame(&read, found.end, len, &mut found.qwp)? {
        if at.len == 0 {
            let what = "an empty frame".into();
            return Err(NoSegment::Fatal(SlotError::Damaged { file: name.into(), offset: found.end, what }));
        }
        found.end = at.end();
        found.frames.push(at);
    }
    if base.checked_add(found.frames.len() as u64).is_none_or(|next| next > i64::MAX as u64) {
        return Err(NoSegment::Corrupt("frame numbers beyond the last possible one".into()));
    }
    found.torn = last_byte(&read, found.end, len)?;
    Ok(found)
}

fn parse_header(name: &str, head: &[u8]) -> Result<(u64, bool), NoSegment> {
    let corrupt = |what: &str| NoSegment::Corrupt(what.into());
    let [m0, m1, m2, m3, version, flags, r0, r1, rest @ ..] = head else {
        return Err(corrupt("no header"));
    };
    if [*m0, *m1, *m2, *m3] != MAGIC {
        return Err(corrupt("does not begin with SF01"));
    }
    if *version == 0 {
        return Err(corrupt("a header that is not whole"));
    }
    if *version != VERSION {
        let what = format!("version {version} of segments").into();
        return Err(NoSegment::Fatal(SlotError::Unsupported { file: name.into(), what }));
    }
    if flags & !NEEDS_MANIFEST != 0 || [*r0, *r1] != [0, 0] {
        return Err(corrupt("unknown flags"));
    }
    let base = rest.get(..8).and_then(|raw| raw.try_into().ok()).map(i64::from_le_bytes);
    let base = base.and_then(|base| u64::try_from(base).ok()).ok_or_else(|| corrupt("a negative FSN"))?;
    Ok((base, flags & NEEDS_MANIFEST != 0))
}

/// The frame that begins here, if it is whole. Its payload is read in chunks and not kept.
fn whole_frame(
    read: &dyn Fn(u64, usize) -> Result<Bytes, NoSegment>,
    from: u64,
    file_len: u64,
    qwp: &mut bool,
) -> Result<Option<FrameAt>, NoSegment> {
    let at = from + FRAME_HEADER_LEN;
    if at > file_len {
        return Ok(None);
    }
    let head = read(from, FRAME_HEADER_LEN as usize)?;
    let word = |at: usize| head.get(at..at + 4).and_then(|raw| <[u8; 4]>::try_from(raw).ok());
    let (Some(crc), Some(raw_len)) = (word(0), word(4)) else { return Ok(None) };
    let (crc, len) = (u32::from_le_bytes(crc), u32::from_le_bytes(raw_len));
    let end = at + u64::from(len);
    if len as usize > PAYLOAD_MAX || end > file_len {
        return Ok(None);
    }
    let (mut sum, mut done, mut is_qwp) = (crc32c::crc32c(&raw_len), at, false);
    while done < end {
        let chunk = read(done, (end - done).min(CHUNK) as usize)?;
        is_qwp |= done == at && chunk.starts_with(b"QWP1");
        sum = crc32c::crc32c_append(sum, &chunk);
        done += (chunk.len() as u64).max(1);
    }
    if sum != crc {
        return Ok(None);
    }
    *qwp |= is_qwp;
    Ok(Some(FrameAt { at, len, crc }))
}

/// How many bytes behind `from` there are up to the last one that is not zero.
fn last_byte(
    read: &dyn Fn(u64, usize) -> Result<Bytes, NoSegment>,
    from: u64,
    file_len: u64,
) -> Result<u64, NoSegment> {
    let (mut at, mut last) = (from, 0);
    while at < file_len {
        let chunk = read(at, (file_len - at).min(CHUNK) as usize)?;
        if let Some(place) = chunk.iter().rposition(|byte| *byte != 0) {
            last = at + place as u64 + 1 - from;
        }
        at += (chunk.len() as u64).max(1);
    }
    Ok(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One file.
    struct One(Vec<u8>);

    impl SlotFiles for One {
        fn list(&self) -> Result<Vec<(Box<str>, u64)>, Box<str>> {
            Ok(vec![("s".into(), self.0.len() as u64)])
        }

        fn read(&self, _: &str, at: u64, len: usize) -> Result<Bytes, Box<str>> {
            self.0.get(at as usize..at as usize + len).map(Bytes::copy_from_slice).ok_or_else(|| "end".into())
        }
    }

    fn hex(text: &str) -> Vec<u8> {
        let digits: String = text.split_whitespace().collect();
        (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect()
    }

    /// Written by QuestDB's Java client: FSN 42 and 43, "one" and "two-two". From the tests of its Rust client 7.2.1
    /// (Apache-2.0), `qwp-ws-sfa/java-two-frame.sfa.hex`.
    const BY_THE_JAVA_CLIENT: &str = "
        53463031010000002a00000000000000cb04fb711f010000
        a60ecb49030000006f6e653af600070700000074776f2d74
        776f0000000000000000000000000000";

    #[test]
    fn a_segment_of_the_java_client_is_read() {
        let bytes = hex(BY_THE_JAVA_CLIENT);
        let found = scan(&One(bytes.clone()), "s", 64).expect("a sound segment");
        assert_eq!((found.base, found.needs_manifest, found.end, found.torn), (42, false, 50, 0));
        let texts: Vec<_> = found.frames.iter().map(|f| &bytes[f.at as usize..f.end() as usize]).collect();
        assert_eq!(texts, [&b"one"[..], b"two-two"]);
    }

    #[test]
    fn a_segment_is_written_as_the_java_client_writes_it() {
        let mut bytes = header(42, 1_234_567_890_123, 0).to_vec();
        bytes.extend_from_slice(&frame(b"one").0);
        bytes.extend_from_slice(&frame(b"two-two").0);
        bytes.resize(64, 0);
        assert_eq!(bytes, hex(BY_THE_JAVA_CLIENT));
    }

    #[test]
    fn a_torn_frame_is_the_end_as_the_java_client_has_it() {
        let mut bytes = hex(BY_THE_JAVA_CLIENT);
        bytes[44] ^= 2;
        let found = scan(&One(bytes), "s", 64).expect("the first frame is whole");
        assert_eq!((found.frames.len(), found.end), (1, 35));
        assert_eq!(found.torn, 15, "up to the last byte that is not zero");
    }

    #[test]
    fn no_bytes_make_it_panic() {
        let whole = hex(BY_THE_JAVA_CLIENT);
        for len in 0..whole.len() {
            for at in 0..len {
                let mut bytes = whole[..len].to_vec();
                bytes[at] ^= 0xff;
                let _ = scan(&One(bytes), "s", len as u64);
            }
        }
    }

    #[test]
    fn names_count_files() {
        assert_eq!(&*file_name(26), "sf-000000000000001a.sfa");
        assert_eq!([number("sf-000000000000001a.sfa"), number("sf-initial.sfa")], [26, 0]);
    }
}
