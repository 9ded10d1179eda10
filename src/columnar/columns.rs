use super::batch::{Dictionary, Piece};
use super::body::{Bits, Body, Runs, offset};
use super::fields::precision_and_scale;
use crate::table::{Value, null_pattern};
use crate::wal::{ColumnType, Tag};
use arrow::error::ArrowError;

/// Appends the values of one column, by writer index, in the order of `pieces`.
///
/// # Errors
/// Values too large for Arrow's 32-bit offsets.
pub(super) fn write(
    body: &mut Body,
    pieces: &[Piece<'_>],
    index: usize,
    ty: ColumnType,
    dictionary: Option<&Dictionary>,
) -> Result<(), ArrowError> {
    let column = Column { pieces, index, ty };
    match ty.tag() {
        Tag::Boolean => column.bits(body),
        Tag::Byte | Tag::Short => column.stored(body, |_| true),
        Tag::Float => {
            column.stored(body, |bytes| number(bytes).is_some_and(|x| f32::from_le_bytes(x).is_finite()))
        }
        Tag::Double => {
            column.stored(body, |bytes| number(bytes).is_some_and(|x| f64::from_le_bytes(x).is_finite()))
        }
        Tag::Char
        | Tag::Int
        | Tag::Long
        | Tag::Date
        | Tag::Timestamp
        | Tag::Ipv4
        | Tag::GeoByte
        | Tag::GeoShort
        | Tag::GeoInt
        | Tag::GeoLong
        | Tag::Long128
        | Tag::Long256 => column.stored(body, |bytes| bytes != null_pattern(ty)),
        Tag::Uuid => column.uuids(body),
        Tag::String | Tag::Varchar | Tag::Binary => column.runs(body)?,
        Tag::Symbol => column.symbols(body, dictionary),
        Tag::Array => column.lists(body)?,
        Tag::Decimal8
        | Tag::Decimal16
        | Tag::Decimal32
        | Tag::Decimal64
        | Tag::Decimal128
        | Tag::Decimal256 => column.decimals(body),
    }
    Ok(())
}

/// One column of some pieces.
struct Column<'p, 'a> {
    pieces: &'p [Piece<'a>],
    index: usize,
    ty: ColumnType,
}

impl<'a> Column<'_, 'a> {
    fn rows(&self) -> usize {
        self.pieces.iter().map(|piece| piece.rows.len()).sum()
    }

    /// Every value; SYMBOL is null here.
    fn cells(&self) -> impl Iterator<Item = Value<'a>> + '_ {
        self.pieces.iter().flat_map(move |piece| {
            let chunk = piece.block.chunk(self.index);
            piece.rows.clone().map(move |row| match chunk {
                Some(chunk) => chunk.value(row, self.ty, None),
                None => Value::absent(self.ty),
            })
        })
    }

    /// The stored bytes of every value of a fixed-size column; nulls for rows from before it.
    fn fixed(&self) -> impl Iterator<Item = &'a [u8]> + '_ {
        let null = null_pattern(self.ty);
        self.pieces.iter().flat_map(move |piece| {
            let chunk = piece.block.chunk(self.index);
            piece.rows.clone().map(move |row| chunk.and_then(|chunk| chunk.fixed(row)).unwrap_or(null))
        })
    }

    fn bits(&self, body: &mut Body) {
        let mut bits = Bits::default();
        self.cells().for_each(|value| bits.push(value == Value::Boolean(true)));
        body.array(self.rows(), &Bits::ones(self.rows()));
        body.buffer(&bits.bytes);
    }

    /// A type whose layout is Arrow's own.
    fn stored(&self, body: &mut Body, is_valid: impl Fn(&[u8]) -> bool) {
        let mut valid = Bits::default();
        let mut values = Vec::with_capacity(self.rows() * null_pattern(self.ty).len());
        for bytes in self.fixed() {
            valid.push(is_valid(bytes));
            values.extend_from_slice(bytes);
        }
        body.array(self.rows(), &valid);
        body.buffer(&values);
    }

    /// UUIDs in the order of their text.
    fn uuids(&self, body: &mut Body) {
        let mut valid = Bits::default();
        let mut values = Vec::with_capacity(self.rows() * 16);
        for bytes in self.fixed() {
            valid.push(bytes != null_pattern(self.ty));
            values.extend(bytes.iter().rev());
        }
        body.array(self.rows(), &valid);
        body.buffer(&values);
    }

    fn runs(&self, body: &mut Body) -> Result<(), ArrowError> {
        let mut runs = Runs::new(self.rows());
        for value in self.cells() {
            match value {
                Value::Utf8(bytes) => runs.push(Some(String::from_utf8_lossy(bytes).as_bytes()))?,
                Value::Utf16(units) => runs.push(Some(utf16(units).as_bytes()))?,
                Value::Binary(bytes) => runs.push(Some(bytes))?,
                _ => runs.push(None)?,
            }
        }
        runs.write(body);
        Ok(())
    }

    /// Positions in the dictionary.
    fn symbols(&self, body: &mut Body, dictionary: Option<&Dictionary>) {
        let mut valid = Bits::default();
        let mut positions = Vec::with_capacity(self.rows() * 4);
        for key in self.fixed() {
            let key = number(key).map(i32::from_le_bytes);
            let position = key.and_then(|key| dictionary?.position(key));
            valid.push(position.is_some());
            positions.extend_from_slice(&position.unwrap_or(0).to_le_bytes());
        }
        body.array(self.rows(), &valid);
        body.buffer(&positions);
    }

    fn decimals(&self, body: &mut Body) {
        let (precision, _) = precision_and_scale(self.ty);
        let width = if precision <= 38 { 16 } else { 32 };
        let mut valid = Bits::default();
        let mut values = Vec::with_capacity(self.rows() * width);
        for value in self.cells() {
            let unscaled = match value {
                Value::Decimal { unscaled, .. } => Some(unscaled),
                _ => None,
            };
            valid.push(unscaled.is_some());
            values.extend(unscaled.unwrap_or_default().to_le_bytes().iter().take(width));
        }
        body.array(self.rows(), &valid);
        body.buffer(&values);
    }

    fn lists(&self, body: &mut Body) -> Result<(), ArrowError> {
        let mut lists = Lists { levels: vec![Vec::new(); self.ty.array_dims()], ..Lists::default() };
        for value in self.cells() {
            match value {
                Value::Array { dims, values } => lists.push(dims, values),
                _ => lists.push_shape(&[], false),
            }
        }
        lists.write(body)
    }
}

/// Lists of lists of numbers in the making: the lengths of each level, outermost first.
#[derive(Default)]
struct Lists {
    levels: Vec<Vec<usize>>,
    valid: Bits,
    leaves: Vec<u8>,
    leaves_valid: Bits,
}

impl Lists {
    /// Appends an array; one whose shape contradicts its values counts as null.
    fn push(&mut self, dims: &[u8], values: &[u8]) {
        let shape: Vec<usize> = dims
            .as_chunks()
            .0
            .iter()
            .map(|dim| usize::try_from(i32::from_le_bytes(*dim)).unwrap_or(0))
            .collect();
        let count = shape.iter().try_fold(1usize, |count, &dim| count.checked_mul(dim));
        match count {
            Some(0) => self.push_shape(&[], true),
            Some(count) if shape.len() == self.levels.len() && count <= values.len() / 8 => {
                for leaf in values.as_chunks().0.iter().take(count) {
                    self.leaves_valid.push(f64::from_le_bytes(*leaf).is_finite());
                    self.leaves.extend_from_slice(leaf);
                }
                self.push_shape(&shape, true);
            }
            _ => self.push_shape(&[], false),
        }
    }

    /// No shape: an outermost list without elements.
    fn push_shape(&mut self, shape: &[usize], valid: bool) {
        self.valid.push(valid);
        let mut lists = 1;
        for (level, lengths) in self.levels.iter_mut().enumerate() {
            let length = shape.get(level).copied().unwrap_or(0);
            lengths.extend(std::iter::repeat_n(length, lists));
            lists *= length;
        }
    }

    fn write(&self, body: &mut Body) -> Result<(), ArrowError> {
        for (level, lengths) in self.levels.iter().enumerate() {
            let all = Bits::ones(lengths.len());
            body.array(lengths.len(), if level == 0 { &self.valid } else { &all });
            let mut end = 0;
            let mut offsets = 0i32.to_le_bytes().to_vec();
            for length in lengths {
                end += length;
                offsets.extend_from_slice(&offset(end)?);
            }
            body.buffer(&offsets);
        }
        body.array(self.leaves.len() / 8, &self.leaves_valid);
        body.buffer(&self.leaves);
        Ok(())
    }
}

fn number<const N: usize>(bytes: &[u8]) -> Option<[u8; N]> {
    bytes.try_into().ok()
}

fn utf16(units: &[u8]) -> String {
    let units = units.as_chunks().0.iter().map(|unit| u16::from_le_bytes(*unit));
    char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
}
