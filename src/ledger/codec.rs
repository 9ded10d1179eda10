//! Compression: how a block's bytes are stored.

#[cfg(not(feature = "native"))]
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

/// The largest window of a zstd frame: 8 MiB, what every decoder must have.
pub const ZSTD_WINDOW_MAX: u64 = 8 << 20;
/// What one byte of lz4 can stand for at most.
const LZ4_RATIO_MAX: u64 = 255;
/// How far zstd is decoded before its output is looked at.
#[cfg(not(feature = "native"))]
const ZSTD_STEP: usize = 1 << 20;

/// How a block is compressed; the number is the byte in the format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Codec {
    /// Not at all.
    Stored = 0,
    /// LZ4, one block without a frame.
    Lz4 = 1,
    /// Zstandard, one frame.
    Zstd = 2,
}

impl Codec {
    /// The codec of a format's byte.
    pub fn of(byte: u8) -> Option<Self> {
        match byte {
            0 => Some(Self::Stored),
            1 => Some(Self::Lz4),
            2 => Some(Self::Zstd),
            _ => None,
        }
    }
}

/// Decompresses to exactly `raw_len` bytes, or says what was found instead. The caller has bounded `raw_len`; memory
/// is bounded by that too.
pub(super) fn decompress(codec: Codec, stored: &[u8], raw_len: u64) -> Result<Vec<u8>, String> {
    let len = usize::try_from(raw_len).map_err(|error| error.to_string())?;
    match codec {
        Codec::Stored if stored.len() == len => Ok(stored.to_vec()),
        Codec::Stored => Err(format!("{} bytes stored", stored.len())),
        Codec::Lz4 => {
            if raw_len > (stored.len() as u64).saturating_mul(LZ4_RATIO_MAX) {
                return Err(format!("only {} bytes of lz4", stored.len()));
            }
            let mut raw = vec![0; len];
            match lz4_flex::block::decompress_into(stored, &mut raw) {
                Ok(found) if found == len => Ok(raw),
                Ok(found) => Err(format!("{found} bytes of lz4")),
                Err(error) => Err(format!("lz4: {error}")),
            }
        }
        Codec::Zstd => unzstd(stored, len),
    }
}

/// The frame's own checksum is not looked at: the block's CRC and the object's hash have been.
fn unzstd(stored: &[u8], len: usize) -> Result<Vec<u8>, String> {
    let window = zstd_window(stored).ok_or("no zstd frame")?;
    // A frame of one segment has its content as its window.
    if window > ZSTD_WINDOW_MAX.max(len as u64) {
        return Err(format!("a zstd window of {window} bytes"));
    }
    decode_frame(stored, len)
}

/// By the C library, which is several times as fast and there anyway.
#[cfg(feature = "native")]
fn decode_frame(stored: &[u8], len: usize) -> Result<Vec<u8>, String> {
    let frame = zstd::zstd_safe::find_frame_compressed_size(stored)
        .map_err(|code| format!("zstd: {}", zstd::zstd_safe::get_error_name(code)))?;
    if frame != stored.len() {
        return Err(format!("{} bytes behind a zstd frame", stored.len().saturating_sub(frame)));
    }
    let raw = zstd::bulk::decompress(stored, len).map_err(|error| format!("zstd: {error}"))?;
    if raw.len() == len { Ok(raw) } else { Err(format!("{} bytes of zstd", raw.len())) }
}

#[cfg(not(feature = "native"))]
fn decode_frame(stored: &[u8], len: usize) -> Result<Vec<u8>, String> {
    let mut source = stored;
    let mut decoder = FrameDecoder::new();
    decoder.init(&mut source).map_err(|error| format!("zstd: {error}"))?;
    let mut raw = Vec::new();
    loop {
        let step = BlockDecodingStrategy::UptoBytes(ZSTD_STEP);
        let last = decoder.decode_blocks(&mut source, step).map_err(|error| format!("zstd: {error}"))?;
        decoder.collect_to_writer(&mut raw).map_err(|error| format!("zstd: {error}"))?;
        if raw.len() > len {
            return Err(format!("more than {len} bytes of zstd"));
        }
        if last {
            break;
        }
    }
    if raw.len() == len && source.is_empty() {
        return Ok(raw);
    }
    Err(format!("{} bytes of zstd, {} bytes behind them", raw.len(), source.len()))
}

/// The window that a frame asks for, in bytes (RFC 8878, 3.1.1.1), before a decoder makes room for it.
fn zstd_window(frame: &[u8]) -> Option<u64> {
    let descriptor = *frame.strip_prefix(&[0x28, 0xb5, 0x2f, 0xfd])?.first()?;
    let rest = frame.get(5..)?;
    if descriptor & 0x20 == 0 {
        let byte = *rest.first()?;
        let base = 1u64 << (10 + (byte >> 3));
        return Some(base + base / 8 * u64::from(byte & 7));
    }
    let dictionary = [0, 1, 2, 4].get(usize::from(descriptor & 3)).copied()?;
    let size = rest.get(dictionary..)?;
    let field = |len: usize| {
        let bytes = size.get(..len)?;
        Some(bytes.iter().rev().fold(0u64, |n, byte| n << 8 | u64::from(*byte)))
    };
    match descriptor >> 6 {
        0 => field(1),
        1 => field(2).map(|n| n + 256),
        2 => field(4),
        _ => field(8),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ruzstd::encoding::{CompressionLevel, compress_to_vec};

    #[test]
    fn zstd_frames_are_read_and_bounded() {
        let raw: Vec<u8> = (0..300_000u32).map(|n| (n / 1000) as u8).collect();
        let stored = compress_to_vec(raw.as_slice(), CompressionLevel::Fastest);
        assert_eq!(decompress(Codec::Zstd, &stored, raw.len() as u64).as_ref(), Ok(&raw));
        for wrong in [0, 1, raw.len() as u64 - 1, raw.len() as u64 + 1] {
            assert!(decompress(Codec::Zstd, &stored, wrong).is_err(), "{wrong}");
        }
        let twice = [stored.as_slice(), &stored].concat();
        assert!(decompress(Codec::Zstd, &twice, 2 * raw.len() as u64).is_err());
    }

    #[test]
    fn a_large_window_is_refused_before_room_is_made() {
        // Window descriptor 0xff: 3.75 TiB.
        let frame = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xff, 0x01, 0x00, 0x00];
        let error = decompress(Codec::Zstd, &frame, 10).unwrap_err();
        assert!(error.contains("window"), "{error}");
        // One segment that says to have 2^62 bytes.
        let frame = [0x28, 0xb5, 0x2f, 0xfd, 0xe0, 0, 0, 0, 0, 0, 0, 0, 0x40, 0x01, 0x00, 0x00];
        assert!(decompress(Codec::Zstd, &frame, 10).unwrap_err().contains("window"));
    }

    #[test]
    fn lz4_can_not_ask_for_more_than_it_may_hold() {
        assert!(decompress(Codec::Lz4, &[0; 4], 1 << 30).is_err());
    }
}
