//! Values that are all as long.

use super::Run;
use super::levels::Levels;
use crate::table::Chunk;
use crate::wal::{ColumnType, Tag};

/// What to do with a type: `is_null` and `put` tell nulls, and a value's bytes in the file.
trait Visit {
    type Out;
    /// A value is in the file as it is in memory.
    fn visit_same<const W: usize>(self, is_null: impl Fn(&[u8; W]) -> bool + Copy) -> Self::Out
    where
        Self: Sized,
    {
        self.visit(is_null, |bytes: &[u8; W]| *bytes)
    }

    fn visit<const W: usize, const O: usize>(
        self,
        is_null: impl Fn(&[u8; W]) -> bool + Copy,
        put: impl Fn(&[u8; W]) -> [u8; O] + Copy,
    ) -> Self::Out;
}

/// Which rows have a value.
pub(super) fn levels(ty: ColumnType, runs: &[Run]) -> Option<Levels> {
    dispatch(ty, LevelsOf(runs))
}

/// Appends the values of those rows that have one, or of all rows.
pub(super) fn values(ty: ColumnType, runs: &[Run], all: bool, out: &mut Vec<u8>) {
    dispatch(ty, ValuesOf { runs, all, out });
}

/// A page of BOOLEAN.
pub(super) fn booleans(runs: &[Run], out: &mut Vec<u8>) {
    let mut bits = Levels::default();
    for run in runs {
        match run {
            Run::Absent(rows) => bits.push_all(false, *rows),
            Run::Values { chunk, rows } => {
                if let Chunk::Fixed { values, width: 1 } = &**chunk {
                    let values = values.get(rows.clone()).unwrap_or_default();
                    values.iter().for_each(|value| bits.push(*value != 0));
                }
            }
        }
    }
    bits.packed(out);
}

fn dispatch<V: Visit>(ty: ColumnType, visit: V) -> Option<V::Out> {
    const MIN4: [u8; 4] = i32::MIN.to_le_bytes();
    const MIN8: [u8; 8] = i64::MIN.to_le_bytes();
    const NONE: [u8; 32] = {
        let mut bytes = [0; 32];
        bytes[7] = 0x80;
        bytes
    };
    Some(match ty.tag() {
        Tag::Byte => visit.visit(|_| false, |[a]: &[u8; 1]| i32::from(*a as i8).to_le_bytes()),
        Tag::Short => {
            visit.visit(|_| false, |bytes: &[u8; 2]| i32::from(i16::from_le_bytes(*bytes)).to_le_bytes())
        }
        Tag::Char => visit.visit(|_| false, |[a, b]: &[u8; 2]| [*a, *b, 0, 0]),
        Tag::Int => visit.visit_same(|bytes| *bytes == MIN4),
        Tag::Float => visit.visit_same(|bytes| f32::from_le_bytes(*bytes).is_nan()),
        Tag::Ipv4 => visit.visit_same(|bytes| *bytes == [0; 4]),
        Tag::GeoByte => {
            visit.visit(|bytes| *bytes == [0xff], |[a]: &[u8; 1]| i32::from(*a as i8).to_le_bytes())
        }
        Tag::GeoShort => visit.visit(
            |bytes| *bytes == [0xff; 2],
            |bytes: &[u8; 2]| i32::from(i16::from_le_bytes(*bytes)).to_le_bytes(),
        ),
        Tag::GeoInt => visit.visit_same(|bytes| *bytes == [0xff; 4]),
        Tag::Long | Tag::Date | Tag::Timestamp => visit.visit_same(|bytes| *bytes == MIN8),
        Tag::Double => visit.visit_same(|bytes| f64::from_le_bytes(*bytes).is_nan()),
        Tag::GeoLong => visit.visit_same(|bytes| *bytes == [0xff; 8]),
        Tag::Uuid => visit.visit(no_wide, reversed::<16>),
        Tag::Long128 => visit.visit_same(no_wide::<16>),
        Tag::Long256 => visit.visit_same(no_wide::<32>),
        Tag::Decimal8 => visit.visit(|bytes| *bytes == [0x80], reversed::<1>),
        Tag::Decimal16 => visit.visit(|bytes| *bytes == [0, 0x80], reversed::<2>),
        Tag::Decimal32 => visit.visit(|bytes| *bytes == MIN4, reversed::<4>),
        Tag::Decimal64 => visit.visit(|bytes| *bytes == MIN8, reversed::<8>),
        Tag::Decimal128 => visit.visit(|bytes| NONE.starts_with(bytes), words_reversed::<16>),
        Tag::Decimal256 => visit.visit(|bytes| *bytes == NONE, words_reversed::<32>),
        _ => return None,
    })
}

/// Every word is the smallest one.
fn no_wide<const W: usize>(bytes: &[u8; W]) -> bool {
    bytes.as_chunks::<8>().0.iter().all(|word| *word == i64::MIN.to_le_bytes())
}

/// Little-endian to big-endian.
pub(in super::super) fn reversed<const W: usize>(bytes: &[u8; W]) -> [u8; W] {
    let mut out = *bytes;
    out.reverse();
    out
}

/// Words of 8 bytes, the highest first, each to big-endian, or back.
pub(in super::super) fn words_reversed<const W: usize>(bytes: &[u8; W]) -> [u8; W] {
    let mut out = *bytes;
    out.as_chunks_mut::<8>().0.iter_mut().for_each(|word| word.reverse());
    out
}

/// The values of a run of width `W`.
fn words<const W: usize>(run: &Run) -> &[[u8; W]] {
    match run {
        Run::Values { chunk, rows } => match &**chunk {
            Chunk::Fixed { values, width } if *width == W => {
                values.as_chunks().0.get(rows.clone()).unwrap_or_default()
            }
            _ => &[],
        },
        Run::Absent(_) => &[],
    }
}

struct LevelsOf<'a>(&'a [Run]);

impl Visit for LevelsOf<'_> {
    type Out = Levels;

    fn visit<const W: usize, const O: usize>(
        self,
        is_null: impl Fn(&[u8; W]) -> bool + Copy,
        _: impl Fn(&[u8; W]) -> [u8; O] + Copy,
    ) -> Levels {
        let mut levels = Levels::default();
        for run in self.0 {
            if let Run::Absent(rows) = run {
                levels.push_all(false, *rows);
                continue;
            }
            let words = words::<W>(run);
            let nulls: usize = words.iter().map(|word| usize::from(is_null(word))).sum();
            if nulls == 0 || nulls == words.len() {
                levels.push_all(nulls == 0, words.len());
            } else {
                levels.push_each(words, |word| !is_null(word));
            }
        }
        levels
    }
}

struct ValuesOf<'a> {
    runs: &'a [Run],
    all: bool,
    out: &'a mut Vec<u8>,
}

impl Visit for ValuesOf<'_> {
    type Out = ();

    fn visit_same<const W: usize>(self, is_null: impl Fn(&[u8; W]) -> bool + Copy) {
        if !self.all || self.runs.iter().any(|run| matches!(run, Run::Absent(_))) {
            return self.visit(is_null, |bytes: &[u8; W]| *bytes);
        }
        for run in self.runs {
            self.out.extend_from_slice(words::<W>(run).as_flattened());
        }
    }

    fn visit<const W: usize, const O: usize>(
        self,
        is_null: impl Fn(&[u8; W]) -> bool + Copy,
        put: impl Fn(&[u8; W]) -> [u8; O] + Copy,
    ) {
        let Self { runs, all, out } = self;
        for run in runs {
            if let Run::Absent(rows) = run {
                out.extend(std::iter::repeat_n(0, if all { rows * O } else { 0 }));
                continue;
            }
            let words = words::<W>(run);
            let start = out.len();
            out.resize(start + words.len() * O, 0);
            let places = out.get_mut(start..).unwrap_or_default().as_chunks_mut::<O>().0;
            let nulls = !all && words.iter().fold(false, |any, word| any | is_null(word));
            if !nulls {
                places.iter_mut().zip(words).for_each(|(place, word)| *place = put(word));
                continue;
            }
            let mut kept = 0;
            for word in words {
                // A null is overwritten by the next value.
                if let Some(place) = places.get_mut(kept) {
                    *place = put(word);
                }
                kept += usize::from(!is_null(word));
            }
            out.truncate(start + kept * O);
        }
    }
}
