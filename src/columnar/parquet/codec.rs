//! Compresses pages and unpacks them.

use super::Codec;
#[cfg(any(feature = "parquet-codecs", feature = "web-parquet"))]
use std::io::Read;
#[cfg(feature = "parquet-codecs")]
use std::io::Write;

/// Longest page that is unpacked.
pub(super) const PAGE_MAX: usize = 1 << 30;
/// LZ4 and Snappy can't say more than this many bytes by one.
const BLOCK_RATIO: usize = 256;

/// What is wrong with a page.
pub(super) type Fault = String;

/// The bytes, compressed.
///
/// # Errors
/// A codec that this build doesn't have, or a level that it doesn't know.
pub(super) fn compress(codec: Codec, level: i32, bytes: &[u8]) -> Result<Vec<u8>, Fault> {
    Ok(match codec {
        Codec::Uncompressed => bytes.to_vec(),
        Codec::Lz4Raw => lz4_flex::block::compress(bytes),
        Codec::Snappy => snap::raw::Encoder::new().compress_vec(bytes).map_err(|error| error.to_string())?,
        #[cfg(feature = "parquet-codecs")]
        Codec::Zstd => zstd::bulk::compress(bytes, level).map_err(|error| error.to_string())?,
        #[cfg(feature = "parquet-codecs")]
        Codec::Gzip => {
            let level = flate2::Compression::new(level.clamp(0, 9) as u32);
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), level);
            encoder.write_all(bytes).map_err(|error| error.to_string())?;
            encoder.finish().map_err(|error| error.to_string())?
        }
        #[cfg(feature = "parquet-codecs")]
        Codec::Brotli => {
            let mut out = Vec::new();
            let mut encoder = brotli::CompressorWriter::new(&mut out, 1 << 16, level.clamp(0, 11) as u32, 22);
            encoder.write_all(bytes).map_err(|error| error.to_string())?;
            drop(encoder);
            out
        }
        _ => return Err(unknown(codec, level)),
    })
}

/// The bytes that a page holds: exactly `len` of them.
///
/// Memory is taken as it is filled where a few bytes may stand for any number.
///
/// # Errors
/// Damaged bytes, another length, or a codec that this build doesn't have.
pub(super) fn decompress(codec: Codec, bytes: &[u8], len: usize) -> Result<Vec<u8>, Fault> {
    if len > PAGE_MAX {
        return Err(format!("a page of {len} bytes, more than {PAGE_MAX}"));
    }
    let block = matches!(codec, Codec::Lz4Raw | Codec::Lz4 | Codec::Snappy);
    if block && len / BLOCK_RATIO > bytes.len() {
        return Err(format!("{} bytes that unpack to {len}", bytes.len()));
    }
    let unpacked = match codec {
        Codec::Uncompressed => bytes.to_vec(),
        Codec::Lz4Raw => {
            let mut out = vec![0; len];
            let written =
                lz4_flex::block::decompress_into(bytes, &mut out).map_err(|error| error.to_string())?;
            out.truncate(written);
            out
        }
        Codec::Lz4 => hadoop(bytes, len)?,
        Codec::Snappy => {
            let declared = snap::raw::decompress_len(bytes).map_err(|error| error.to_string())?;
            if declared != len {
                return Err(format!("{declared} bytes unpacked, {len} announced"));
            }
            snap::raw::Decoder::new().decompress_vec(bytes).map_err(|error| error.to_string())?
        }
        #[cfg(feature = "parquet-codecs")]
        Codec::Zstd => {
            streamed(zstd::stream::read::Decoder::new(bytes).map_err(|error| error.to_string())?, len)?
        }
        #[cfg(feature = "parquet-codecs")]
        Codec::Gzip => streamed(flate2::read::MultiGzDecoder::new(bytes), len)?,
        #[cfg(feature = "parquet-codecs")]
        Codec::Brotli => streamed(brotli::Decompressor::new(bytes, 1 << 16), len)?,
        // Read without C.
        #[cfg(all(feature = "web-parquet", not(feature = "parquet-codecs")))]
        Codec::Zstd => {
            streamed(ruzstd::decoding::StreamingDecoder::new(bytes).map_err(|error| error.to_string())?, len)?
        }
        #[cfg(all(feature = "web-parquet", not(feature = "parquet-codecs")))]
        Codec::Gzip => streamed(flate2::read::MultiGzDecoder::new(bytes), len)?,
        #[cfg(not(feature = "parquet-codecs"))]
        _ => return Err(unknown(codec, 0)),
    };
    if unpacked.len() != len {
        return Err(format!("{} bytes unpacked, {len} announced", unpacked.len()));
    }
    Ok(unpacked)
}

#[cfg(any(feature = "parquet-codecs", feature = "web-parquet"))]
fn streamed(reader: impl Read, len: usize) -> Result<Vec<u8>, Fault> {
    let mut out = Vec::new();
    reader.take(len as u64 + 1).read_to_end(&mut out).map_err(|error| error.to_string())?;
    Ok(out)
}

/// Hadoop's frames: the length unpacked and the length packed, big-endian, then the block.
fn hadoop(bytes: &[u8], len: usize) -> Result<Vec<u8>, Fault> {
    let mut out = Vec::new();
    let mut rest = bytes;
    while let Some((head, after)) = rest.split_first_chunk::<8>() {
        let [a, b, c, d, e, f, g, h] = *head;
        let unpacked = u32::from_be_bytes([a, b, c, d]) as usize;
        let packed = u32::from_be_bytes([e, f, g, h]) as usize;
        let (Some(block), true) = (after.get(..packed), unpacked <= len - out.len()) else {
            return Err("a frame that is longer than the page".into());
        };
        let mut part = vec![0; unpacked];
        let written =
            lz4_flex::block::decompress_into(block, &mut part).map_err(|error| error.to_string())?;
        if written != unpacked {
            return Err(format!("{written} bytes unpacked, {unpacked} announced"));
        }
        out.extend_from_slice(&part);
        rest = after.get(packed..).unwrap_or_default();
    }
    Ok(out)
}

fn unknown(codec: Codec, level: i32) -> Fault {
    format!("codec {} (level {level}) is not part of this build", codec.name())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Codec; 6] =
        [Codec::Uncompressed, Codec::Snappy, Codec::Gzip, Codec::Brotli, Codec::Zstd, Codec::Lz4Raw];

    #[test]
    fn what_is_packed_unpacks() {
        let bytes: Vec<u8> = (0..100_000u32).flat_map(|n| (n / 7).to_le_bytes()).collect();
        for codec in ALL {
            for bytes in [&bytes[..], &[]] {
                let packed = compress(codec, 3, bytes).unwrap();
                assert_eq!(decompress(codec, &packed, bytes.len()).unwrap(), bytes, "{codec:?}");
                assert!(decompress(codec, &packed, bytes.len() + 1).is_err(), "{codec:?}");
                assert!(
                    bytes.is_empty() || decompress(codec, &packed, bytes.len() - 1).is_err(),
                    "{codec:?}"
                );
            }
        }
    }

    #[test]
    fn a_few_bytes_are_not_given_gigabytes() {
        for codec in ALL {
            assert!(decompress(codec, &[1, 2, 3, 4], PAGE_MAX).is_err(), "{codec:?}");
            assert!(decompress(codec, &[], PAGE_MAX + 1).is_err(), "{codec:?}");
        }
    }
}
