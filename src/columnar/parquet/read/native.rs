//! Values as QuestDB's own column files have them.

use crate::columnar::parquet::write::fixed::{reversed, words_reversed};
use crate::table::chunk::{VARCHAR_INLINE_MAX, array_entry, varchar_entry};
use crate::table::{Chunk, null_pattern};
use crate::wal::{ColumnType, Tag};

/// Bytes of values of any length in one chunk, at most.
const DATA_MAX: usize = 1 << 30;
/// The longest VARCHAR has one byte less.
const VARCHAR_MAX: usize = 1 << 28;

/// Appends values of one length, given as they stand in the file, for every row that has one, nulls for the others.
pub(super) fn append_fixed(
    ty: ColumnType,
    plain: &[u8],
    valid: Option<&[u32]>,
    rows: usize,
    out: &mut Vec<u8>,
) {
    let mut to = Rows { plain, valid, rows, null: null_pattern(ty), out };
    match ty.tag() {
        Tag::Boolean => to.put(|[a]: &[u8; 1]| [*a]),
        Tag::Byte | Tag::GeoByte => to.put(|[a, ..]: &[u8; 4]| [*a]),
        Tag::Short | Tag::Char | Tag::GeoShort => to.put(|[a, b, ..]: &[u8; 4]| [*a, *b]),
        Tag::Int | Tag::Float | Tag::Ipv4 | Tag::GeoInt | Tag::Symbol => to.put(|bytes: &[u8; 4]| *bytes),
        Tag::Long | Tag::Date | Tag::Timestamp | Tag::Double | Tag::GeoLong => {
            to.put(|bytes: &[u8; 8]| *bytes)
        }
        Tag::Uuid => to.put(reversed::<16>),
        Tag::Long128 => to.put(|bytes: &[u8; 16]| *bytes),
        Tag::Long256 => to.put(|bytes: &[u8; 32]| *bytes),
        Tag::Decimal8 => to.put(reversed::<1>),
        Tag::Decimal16 => to.put(reversed::<2>),
        Tag::Decimal32 => to.put(reversed::<4>),
        Tag::Decimal64 => to.put(reversed::<8>),
        Tag::Decimal128 => to.put(words_reversed::<16>),
        Tag::Decimal256 => to.put(words_reversed::<32>),
        Tag::String | Tag::Varchar | Tag::Binary | Tag::Array => {}
    }
}

struct Rows<'a> {
    plain: &'a [u8],
    valid: Option<&'a [u32]>,
    rows: usize,
    null: &'static [u8],
    out: &'a mut Vec<u8>,
}

impl Rows<'_> {
    fn put<const O: usize, const W: usize>(&mut self, get: impl Fn(&[u8; O]) -> [u8; W]) {
        let values = self.plain.as_chunks::<O>().0;
        let start = self.out.len();
        self.out.resize(start + self.rows * W, 0);
        let places = self.out.get_mut(start..).unwrap_or_default().as_chunks_mut::<W>().0;
        let Some(valid) = self.valid else {
            places.iter_mut().zip(values).for_each(|(place, value)| *place = get(value));
            return;
        };
        let null: [u8; W] = self.null.try_into().unwrap_or([0; W]);
        let mut values = values.iter();
        for (place, valid) in places.iter_mut().zip(valid) {
            *place = match *valid {
                0 => null,
                _ => values.next().map_or(null, &get),
            };
        }
    }
}

/// Appends a value of any length, or a null. `None` if it isn't one of this type, or too much.
pub(super) fn append_bytes(ty: ColumnType, value: Option<&[u8]>, chunk: &mut Chunk) -> Option<()> {
    match chunk {
        Chunk::Prefixed { aux, data } => {
            match (ty.tag(), value) {
                (Tag::String, None) => data.extend_from_slice(&(-1i32).to_le_bytes()),
                (Tag::String, Some(value)) => append_text(std::str::from_utf8(value).ok()?, data),
                (_, None) => data.extend_from_slice(&(-1i64).to_le_bytes()),
                (_, Some(value)) => {
                    data.extend_from_slice(&(value.len() as u64).to_le_bytes());
                    data.extend_from_slice(value);
                }
            }
            aux.push(data.len() as u64);
            (data.len() <= DATA_MAX).then_some(())
        }
        Chunk::Varchar { aux, data } => {
            aux.push(varchar_entry(value, data.len() as u64));
            let value = value.unwrap_or_default();
            if value.len() > VARCHAR_INLINE_MAX {
                data.extend_from_slice(value);
            }
            (value.len() < VARCHAR_MAX && data.len() <= DATA_MAX).then_some(())
        }
        Chunk::Array { aux, data } => {
            let value = value.unwrap_or_default();
            if !value.is_empty() && array_len(ty.array_dims(), value) != Some(value.len()) {
                return None;
            }
            aux.push(array_entry(data.len() as u64, value.len() as u32));
            data.extend_from_slice(value);
            (data.len() <= DATA_MAX).then_some(())
        }
        Chunk::Fixed { .. } => None,
    }
}

/// The number of units, then the units.
fn append_text(text: &str, data: &mut Vec<u8>) {
    let at = data.len();
    data.extend_from_slice(&[0; 4]);
    if text.is_ascii() {
        data.extend(text.bytes().flat_map(|byte| [byte, 0]));
    } else {
        text.encode_utf16().for_each(|unit| data.extend_from_slice(&unit.to_le_bytes()));
    }
    let units = ((data.len() - at - 4) / 2) as u32;
    if let Some(place) = data.get_mut(at..at + 4) {
        place.copy_from_slice(&units.to_le_bytes());
    }
}

/// Bytes of an array with the shape that stands at its beginning.
fn array_len(dims: usize, value: &[u8]) -> Option<usize> {
    let shape = value.get(..dims * 4)?.as_chunks::<4>().0;
    let mut elements = 1usize;
    for dim in shape {
        elements = elements.checked_mul(usize::try_from(i32::from_le_bytes(*dim)).ok()?)?;
    }
    elements.checked_mul(8)?.checked_add((dims * 4).next_multiple_of(8))
}
