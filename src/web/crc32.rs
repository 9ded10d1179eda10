//! The checksum that everybody can compare with: `crc32`, `gzip`, `zip -v` print it.

const TABLE: [u32; 256] = table();

/// CRC-32 as in gzip and zip.
pub fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, &byte| {
        let entry = TABLE.get((crc as u8 ^ byte) as usize).copied().unwrap_or_default();
        (crc >> 8) ^ entry
    })
}

#[expect(clippy::indexing_slicing, reason = "computed when compiling")]
const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let (mut crc, mut bit) = (byte as u32, 0);
        while bit < 8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 };
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
}
