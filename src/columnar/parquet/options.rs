/// How pages are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codec {
    /// As they are.
    Uncompressed,
    /// Snappy.
    Snappy,
    /// Gzip; levels 0 to 9.
    Gzip,
    /// Brotli; levels 0 to 11.
    Brotli,
    /// Zstandard; levels 1 to 22.
    Zstd,
    /// LZ4's block format.
    Lz4Raw,
    /// LZ4 in the frames that Hadoop puts around it. Read, never written.
    Lz4,
}

/// How the values of a page are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnEncoding {
    /// What suits the type: see [`Options`].
    Default,
    /// One after the other.
    Plain,
    /// Keys into a dictionary of each row group.
    RleDictionary,
    /// All lengths, then all bytes; STRING, VARCHAR and BINARY.
    DeltaLengthByteArray,
    /// Differences in as many bits as they need; INT, LONG, DATE, TIMESTAMP.
    DeltaBinaryPacked,
}

/// How a partition is written; the defaults are QuestDB's `cairo.partition.encoder.parquet.*`.
///
/// By default BINARY is written as DELTA_LENGTH_BYTE_ARRAY, SYMBOL as RLE_DICTIONARY, VARCHAR as RLE_DICTIONARY where
/// values repeat and DELTA_LENGTH_BYTE_ARRAY where they don't, the others as PLAIN. QuestDB's own default for STRING is
/// DELTA_LENGTH_BYTE_ARRAY, of which its 9.3.4 answers other values when rows are read from the middle of a row group.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// `compression.codec`
    pub codec: Codec,
    /// `compression.level`; of codecs that have one.
    pub level: i32,
    /// `row.group.size`: rows of a row group.
    pub row_group_rows: usize,
    /// `data.page.size`: bytes of a page of values, about.
    pub page_bytes: usize,
    /// `min.compression.ratio`: a column that shrinks by less is stored as it is.
    pub min_ratio: f64,
    /// `statistics.enabled`: smallest and largest value of each row group.
    pub statistics: bool,
    /// `version`: 2 for data pages of version 2, else 1.
    pub version: u8,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            codec: Codec::Lz4Raw,
            level: 0,
            row_group_rows: 100_000,
            page_bytes: 1 << 20,
            min_ratio: 1.2,
            statistics: true,
            version: 1,
        }
    }
}

impl Codec {
    /// The codec with QuestDB's name, e.g. `LZ4_RAW`; `default` is LZ4_RAW.
    pub fn named(name: &str) -> Option<Self> {
        let named = [
            ("uncompressed", Self::Uncompressed),
            ("snappy", Self::Snappy),
            ("gzip", Self::Gzip),
            ("brotli", Self::Brotli),
            ("zstd", Self::Zstd),
            ("lz4_raw", Self::Lz4Raw),
            ("default", Self::Lz4Raw),
        ];
        named.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, codec)| *codec)
    }

    /// The level that QuestDB uses where none is set.
    pub fn default_level(self) -> i32 {
        if self == Self::Zstd { 9 } else { 0 }
    }

    /// The name as files and messages have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Uncompressed => "UNCOMPRESSED",
            Self::Snappy => "SNAPPY",
            Self::Gzip => "GZIP",
            Self::Brotli => "BROTLI",
            Self::Zstd => "ZSTD",
            Self::Lz4Raw => "LZ4_RAW",
            Self::Lz4 => "LZ4",
        }
    }
}

/// What a column asks for itself: encoding, and codec and level if any.
///
/// `config` is [`TableMetaColumn::parquet_encoding`](crate::wal::TableMetaColumn::parquet_encoding): the encoding
/// in the lowest byte, then codec and level, each plus one and 0 for the table's.
pub(super) fn of_column(config: i32, options: &Options) -> (ColumnEncoding, Codec, i32) {
    let byte = |at: u32| config >> at & 0xff;
    let encoding = match byte(0) {
        1 => ColumnEncoding::Plain,
        2 => ColumnEncoding::RleDictionary,
        3 => ColumnEncoding::DeltaLengthByteArray,
        4 => ColumnEncoding::DeltaBinaryPacked,
        _ => ColumnEncoding::Default,
    };
    let codec = match byte(8) {
        1 => Codec::Uncompressed,
        2 => Codec::Snappy,
        3 => Codec::Gzip,
        4 => Codec::Brotli,
        5 => Codec::Zstd,
        6 => Codec::Lz4Raw,
        _ => return (encoding, options.codec, options.level),
    };
    let level = if byte(16) > 0 { byte(16) - 1 } else { codec.default_level() };
    (encoding, codec, level)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_asks_for_what_its_config_says() {
        let options = Options::default();
        assert_eq!(of_column(0, &options), (ColumnEncoding::Default, Codec::Lz4Raw, 0));
        // PARQUET(rle_dictionary, zstd(3)), PARQUET(plain), PARQUET(default, zstd)
        let config = 2 | 5 << 8 | 4 << 16 | 1 << 24;
        assert_eq!(of_column(config, &options), (ColumnEncoding::RleDictionary, Codec::Zstd, 3));
        assert_eq!(of_column(1 | 1 << 24, &options), (ColumnEncoding::Plain, Codec::Lz4Raw, 0));
        assert_eq!(of_column(5 << 8 | 1 << 24, &options), (ColumnEncoding::Default, Codec::Zstd, 9));
    }

    #[test]
    fn codecs_have_questdbs_names() {
        assert_eq!(Codec::named("LZ4_RAW"), Some(Codec::Lz4Raw));
        assert_eq!(Codec::named("default"), Some(Codec::Lz4Raw));
        assert_eq!(Codec::named("lzo"), None);
    }
}
