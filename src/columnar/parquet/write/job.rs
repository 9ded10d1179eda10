use super::column::{self, Column};
use super::{EncodeError, Field, Run};
use crate::columnar::parquet::codec;
use crate::columnar::parquet::options::{self, Codec, Options};
use crate::table::SymbolTable;
use bytes::Bytes;
use parquet::basic::{CompressionCodec, Encoding};
use parquet::column::page::{CompressedPage, Page, PageWriter};
use parquet::column::writer::ColumnCloseResult;
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::writer::{SerializedPageWriter, TrackedWrite};
use parquet::schema::types::ColumnDescPtr;
use std::sync::Arc;

/// Bytes of a column above which a part of them is tried before all are compressed.
const TRIED: usize = 256 << 10;
const TRIAL: usize = 16 << 10;

/// One column of one row group, to be encoded: holds what it needs, shared with nobody who changes it.
#[derive(Debug)]
pub struct Job {
    pub(super) field: Arc<Field>,
    pub(super) descriptor: ColumnDescPtr,
    pub(super) options: Arc<Options>,
    pub(super) runs: Vec<Run>,
    pub(super) symbols: Option<SymbolTable>,
}

/// A column of a row group as the file will have it.
#[derive(Debug)]
pub struct Encoded {
    pub(super) bytes: Bytes,
    pub(super) close: ColumnCloseResult,
    pub(super) ascii: bool,
}

impl Encoded {
    /// Bytes in the file.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Never true of a column with rows.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
}

impl Job {
    /// Encodes and compresses.
    ///
    /// # Errors
    /// [`EncodeError::Column`] for a value or a codec that can't be written.
    pub fn run(self) -> Result<Encoded, EncodeError> {
        self.encode()
            .map_err(|error| EncodeError::Column { column: self.field.name.clone(), error: Box::new(error) })
    }

    fn encode(&self) -> Result<Encoded, EncodeError> {
        let options = &self.options;
        let (encoding, codec, level) = options::of_column(self.field.config, options);
        let mut column = column::lay_out(&self.field, options, encoding, &self.runs, self.symbols.as_ref())?;
        let longest = column.pages.iter().map(|page| page.bytes.len()).max().unwrap_or(0);
        let dictionary = column.dictionary.as_ref().map_or(0, |(bytes, _)| bytes.len());
        if longest.max(dictionary) >= i32::MAX as usize {
            return Err(EncodeError::PageTooLong(longest.max(dictionary)));
        }
        let packed = Packed::of(&mut column, codec, level, options)?;
        self.write(column, packed)
    }

    fn write(&self, column: Column, packed: Packed) -> Result<Encoded, EncodeError> {
        let mut sink = TrackedWrite::new(Vec::with_capacity(packed.len() + 256));
        let mut writer = SerializedPageWriter::new(&mut sink);
        let (mut uncompressed, mut written, mut dictionary_at, mut data_at) = (0, 0, None, None);
        let plain = packed.codec == Codec::Uncompressed;
        let mut add = |page: Page, len: usize| -> Result<u64, EncodeError> {
            let len = if plain { page.buffer().len() } else { len };
            let spec = writer.write_page(CompressedPage::new(page, len))?;
            uncompressed += spec.uncompressed_size as i64;
            written += spec.compressed_size as i64;
            Ok(spec.offset)
        };
        if let (Some((plain, count)), Some(buf)) = (&column.dictionary, packed.dictionary) {
            let (num_values, encoding, is_sorted) = (*count as u32, Encoding::PLAIN, false);
            let page = Page::DictionaryPage { buf, num_values, encoding, is_sorted };
            dictionary_at = Some(add(page, plain.len())? as i64);
        }
        let mut rows = 0;
        for (page, buf) in column.pages.iter().zip(packed.pages) {
            let offset = add(self.page(page, buf, column.encoding, packed.codec), page.bytes.len())?;
            data_at.get_or_insert(offset as i64);
            rows += page.rows as u64;
        }
        writer.close()?;
        let mut encodings = vec![Encoding::RLE, column.encoding];
        encodings.extend(column.dictionary.as_ref().map(|_| Encoding::PLAIN));
        let mut metadata = ColumnChunkMetaData::builder(self.descriptor.clone())
            .set_compression_codec(packed.codec.stored())
            .set_encodings(encodings)
            .set_num_values(rows as i64)
            .set_total_compressed_size(written)
            .set_total_uncompressed_size(uncompressed)
            .set_data_page_offset(data_at.unwrap_or(0))
            .set_dictionary_page_offset(dictionary_at);
        if let Some(statistics) = column.statistics {
            metadata = metadata.set_statistics(statistics);
        }
        let bytes = Bytes::from(sink.into_inner()?);
        let close = ColumnCloseResult {
            bytes_written: bytes.len() as u64,
            rows_written: rows,
            metadata: metadata.build()?,
            bloom_filter: None,
            column_index: None,
            offset_index: None,
        };
        Ok(Encoded { bytes, close, ascii: column.ascii })
    }

    fn page(&self, page: &column::Page, buf: Bytes, encoding: Encoding, codec: Codec) -> Page {
        let num_values = page.rows as u32;
        if self.options.version == 2 {
            return Page::DataPageV2 {
                buf,
                num_values,
                encoding,
                num_nulls: page.nulls as u32,
                num_rows: num_values,
                def_levels_byte_len: page.levels_len as u32,
                rep_levels_byte_len: 0,
                is_compressed: codec != Codec::Uncompressed,
                statistics: None,
            };
        }
        let (def_level_encoding, rep_level_encoding) = (Encoding::RLE, Encoding::RLE);
        Page::DataPage { buf, num_values, encoding, def_level_encoding, rep_level_encoding, statistics: None }
    }
}

/// Pages as they will be stored.
struct Packed {
    codec: Codec,
    dictionary: Option<Bytes>,
    pages: Vec<Bytes>,
}

impl Packed {
    /// Compressed, or as they are where that gains too little.
    fn of(column: &mut Column, codec: Codec, level: i32, options: &Options) -> Result<Self, EncodeError> {
        if codec == Codec::Uncompressed || !worth_it(column, codec, level, options)? {
            return Ok(Self::plain(column));
        }
        // The levels of a page of version 2 stay as they are.
        let open = |page: &column::Page| if options.version == 2 { page.levels_len } else { 0 };
        let dictionary = column.dictionary.as_ref();
        let dictionary = dictionary
            .map(|(bytes, _)| codec::compress(codec, level, bytes))
            .transpose()
            .map_err(EncodeError::Codec)?;
        let pack = |page: &column::Page| {
            let (levels, values) = page.bytes.split_at_checked(open(page)).unwrap_or_default();
            let packed = codec::compress(codec, level, values)?;
            Ok(Bytes::from(if levels.is_empty() { packed } else { [levels, &packed].concat() }))
        };
        let pages = column.pages.iter().map(pack).collect::<Result<_, _>>().map_err(EncodeError::Codec)?;
        let packed = Self { codec, dictionary: dictionary.map(Bytes::from), pages };
        let before = len(column) as f64;
        if options.min_ratio > 1.0 && before < packed.len() as f64 * options.min_ratio {
            return Ok(Self::plain(column));
        }
        Ok(packed)
    }

    /// The column's bytes themselves.
    fn plain(column: &mut Column) -> Self {
        let take = |bytes: &mut Vec<u8>| Bytes::from(std::mem::take(bytes));
        Self {
            codec: Codec::Uncompressed,
            dictionary: column.dictionary.as_mut().map(|(bytes, _)| take(bytes)),
            pages: column.pages.iter_mut().map(|page| take(&mut page.bytes)).collect(),
        }
    }

    fn len(&self) -> usize {
        self.dictionary.iter().chain(&self.pages).map(Bytes::len).sum()
    }
}

fn len(column: &Column) -> usize {
    let pages: usize = column.pages.iter().map(|page| page.bytes.len()).sum();
    pages + column.dictionary.as_ref().map_or(0, |(bytes, _)| bytes.len())
}

/// False if parts of a long column hardly shrink, so that all of it needn't be tried.
fn worth_it(column: &Column, codec: Codec, level: i32, options: &Options) -> Result<bool, EncodeError> {
    if options.min_ratio <= 1.0 || len(column) < TRIED {
        return Ok(true);
    }
    let dictionary = column.dictionary.iter().map(|(bytes, _)| bytes);
    let parts = column.pages.iter().map(|page| &page.bytes).chain(dictionary);
    let Some(longest) = parts.max_by_key(|bytes| bytes.len()) else { return Ok(true) };
    let (mut before, mut after) = (0, 0);
    // Less than what is asked for: a longer text finds more repetition.
    let least = 1.0 + (options.min_ratio - 1.0) / 4.0;
    for sixth in [1, 3, 5] {
        let from = longest.len() / 6 * sixth;
        let part = longest.get(from..(from + TRIAL).min(longest.len())).unwrap_or_default();
        before += part.len();
        after += codec::compress(codec, level.min(3), part).map_err(EncodeError::Codec)?.len();
        // Beyond doubt: the others needn't be tried.
        if before as f64 > after as f64 * options.min_ratio {
            return Ok(true);
        }
    }
    Ok(before as f64 > after as f64 * least)
}

impl Codec {
    fn stored(self) -> CompressionCodec {
        match self {
            Self::Uncompressed => CompressionCodec::UNCOMPRESSED,
            Self::Snappy => CompressionCodec::SNAPPY,
            Self::Gzip => CompressionCodec::GZIP,
            Self::Brotli => CompressionCodec::BROTLI,
            Self::Zstd => CompressionCodec::ZSTD,
            Self::Lz4Raw => CompressionCodec::LZ4_RAW,
            Self::Lz4 => CompressionCodec::LZ4,
        }
    }
}
