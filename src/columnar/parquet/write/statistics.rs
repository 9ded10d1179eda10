//! Smallest and largest values of a column of a row group.

use crate::columnar::parquet::kind::Physical;
use crate::wal::{ColumnType, Tag};
use parquet::data_type::{ByteArray, FixedLenByteArray};
use parquet::file::statistics::Statistics;

/// Longest text that is kept as a bound.
const TEXT_MAX: usize = 256;

/// Bounds in the making; of types whose order all readers agree on.
#[derive(Debug, Default)]
pub(super) struct Bounds {
    numbers: Option<(i64, i64)>,
    reals: Option<(f64, f64)>,
    texts: Option<(Vec<u8>, Vec<u8>)>,
}

impl Bounds {
    pub(super) fn texts(&mut self, values: &[&[u8]]) {
        let Some(first) = values.first() else { return };
        let (mut low, mut high) = (*first, *first);
        for value in values {
            if *value < low {
                low = value;
            } else if *value > high {
                high = value;
            }
        }
        let (below, above) = self.texts.get_or_insert_with(|| (low.to_vec(), high.to_vec()));
        if low < below.as_slice() {
            *below = low.to_vec();
        }
        if high > above.as_slice() {
            *above = high.to_vec();
        }
    }

    fn number(&mut self, low: i64, high: i64) {
        let (below, above) = self.numbers.unwrap_or((low, high));
        self.numbers = Some((below.min(low), above.max(high)));
    }

    fn real(&mut self, low: f64, high: f64) {
        let (below, above) = self.reals.unwrap_or((low, high));
        self.reals = Some((below.min(low), above.max(high)));
    }

    /// As the file has them.
    pub(super) fn finish(self, kind: Physical, nulls: u64) -> Statistics {
        let nulls = Some(nulls);
        let (low, high) = self.numbers.unzip();
        // Either zero may be meant by the other.
        let low_real = self.reals.map(|(low, _)| if low == 0.0 { -0.0 } else { low });
        let high_real = self.reals.map(|(_, high)| if high == 0.0 { 0.0 } else { high });
        match kind {
            Physical::Boolean => Statistics::boolean(None, None, None, nulls, false),
            Physical::Int32 => {
                let int = |number: Option<i64>| number.map(|number| number as i32);
                Statistics::int32(int(low), int(high), None, nulls, false)
            }
            Physical::Int64 => Statistics::int64(low, high, None, nulls, false),
            Physical::Float => {
                let float = |number: Option<f64>| number.map(|number| number as f32);
                Statistics::float(float(low_real), float(high_real), None, nulls, false)
            }
            Physical::Double => Statistics::double(low_real, high_real, None, nulls, false),
            Physical::Bytes => {
                let texts = self.texts.filter(|(low, high)| low.len().max(high.len()) <= TEXT_MAX);
                let (low, high) = texts.unzip();
                let bytes = |text: Option<Vec<u8>>| text.map(ByteArray::from);
                Statistics::byte_array(bytes(low), bytes(high), None, nulls, false)
            }
            Physical::Fixed(_) => {
                let none: Option<FixedLenByteArray> = None;
                Statistics::fixed_len_byte_array(none.clone(), none, None, nulls, false)
            }
        }
    }
}

/// Takes in values as they stand in a PLAIN page.
pub(super) fn fixed(ty: ColumnType, sorted: bool, values: &[u8], bounds: &mut Bounds) {
    match ty.tag() {
        // Not BYTE and SHORT: QuestDB 9.3.4 skips row groups with matches when these are compared with a DOUBLE.
        Tag::Int => {
            let words = values.as_chunks().0;
            let each = || words.iter().map(|word| i32::from_le_bytes(*word));
            let (low, high) = each().fold((i32::MAX, i32::MIN), |(low, high), n| (low.min(n), high.max(n)));
            if !words.is_empty() {
                bounds.number(low.into(), high.into());
            }
        }
        Tag::Long | Tag::Date | Tag::Timestamp => {
            let words = values.as_chunks().0;
            let long = |word: &[u8; 8]| i64::from_le_bytes(*word);
            if let (Some(first), Some(last)) = (words.first(), words.last()) {
                let (low, high) = if sorted {
                    (long(first), long(last))
                } else {
                    words
                        .iter()
                        .map(long)
                        .fold((i64::MAX, i64::MIN), |(low, high), n| (low.min(n), high.max(n)))
                };
                bounds.number(low, high);
            }
        }
        Tag::Float => {
            let words = values.as_chunks().0;
            let (low, high) = words.iter().fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), word| {
                let x = f32::from_le_bytes(*word);
                (if x < low { x } else { low }, if x > high { x } else { high })
            });
            if !words.is_empty() {
                bounds.real(low.into(), high.into());
            }
        }
        Tag::Double => {
            let (eights, _) = values.as_chunks::<64>();
            let tail = values.get(eights.len() * 64..).unwrap_or_default();
            // Side by side, so that none waits for the one before.
            let (mut lows, mut highs) = ([f64::INFINITY; 8], [f64::NEG_INFINITY; 8]);
            for eight in eights {
                let words = eight.as_chunks::<8>().0;
                for ((low, high), word) in lows.iter_mut().zip(&mut highs).zip(words) {
                    let x = f64::from_le_bytes(*word);
                    *low = if x < *low { x } else { *low };
                    *high = if x > *high { x } else { *high };
                }
            }
            let rest = tail.as_chunks().0.iter().map(|word| f64::from_le_bytes(*word));
            let low = rest.clone().chain(lows).fold(f64::INFINITY, f64::min);
            let high = rest.chain(highs).fold(f64::NEG_INFINITY, f64::max);
            if !values.is_empty() {
                bounds.real(low, high);
            }
        }
        _ => {}
    }
}
