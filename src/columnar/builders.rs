use super::batch::{Dictionary, Piece};
use super::fields::{data_type, item, precision_and_scale};
use crate::table::Value;
use crate::wal::{ColumnType, Tag};
use arrow::array::*;
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::*;
use arrow::error::ArrowError;
use std::sync::Arc;

/// The values of one column, by writer index, in the order of `pieces`.
pub(super) fn column(
    pieces: &[Piece<'_>],
    index: usize,
    ty: ColumnType,
    dictionary: Option<&Dictionary>,
) -> Result<ArrayRef, ArrowError> {
    let values = Values { pieces, index, ty };
    Ok(match ty.tag() {
        Tag::Boolean => Arc::new(
            values.cells().map(|v| matches!(v, Value::Boolean(true))).map(Some).collect::<BooleanArray>(),
        ),
        Tag::Byte => values.words::<Int8Type, 1>(|b| Some(i8::from_le_bytes(b)), Some(0)),
        Tag::Short => values.words::<Int16Type, 2>(|b| Some(i16::from_le_bytes(b)), Some(0)),
        Tag::Char => values.words::<UInt16Type, 2>(|b| Some(u16::from_le_bytes(b)).filter(|&c| c != 0), None),
        Tag::Int => values.words::<Int32Type, 4>(|b| known(i32::from_le_bytes(b), i32::MIN), None),
        Tag::Long => values.words::<Int64Type, 8>(long, None),
        Tag::Date => values.words::<TimestampMillisecondType, 8>(long, None),
        Tag::Timestamp if ty.is_nanos() => values.words::<TimestampNanosecondType, 8>(long, None),
        Tag::Timestamp => values.words::<TimestampMicrosecondType, 8>(long, None),
        Tag::Float => {
            values.words::<Float32Type, 4>(|b| Some(f32::from_le_bytes(b)).filter(|x| x.is_finite()), None)
        }
        Tag::Double => {
            values.words::<Float64Type, 8>(|b| Some(f64::from_le_bytes(b)).filter(|x| x.is_finite()), None)
        }
        Tag::Ipv4 => values.words::<UInt32Type, 4>(|b| known(u32::from_le_bytes(b), 0), None),
        Tag::GeoByte => values.words::<Int8Type, 1>(|b| known(i8::from_le_bytes(b), -1), None),
        Tag::GeoShort => values.words::<Int16Type, 2>(|b| known(i16::from_le_bytes(b), -1), None),
        Tag::GeoInt => values.words::<Int32Type, 4>(|b| known(i32::from_le_bytes(b), -1), None),
        Tag::GeoLong => values.words::<Int64Type, 8>(|b| known(i64::from_le_bytes(b), -1), None),
        Tag::String | Tag::Varchar => values.text()?,
        Tag::Binary => values.binary()?,
        Tag::Symbol => values.symbols(dictionary)?,
        Tag::Uuid | Tag::Long128 | Tag::Long256 => values.wide()?,
        Tag::Array => values.lists()?,
        Tag::Decimal8
        | Tag::Decimal16
        | Tag::Decimal32
        | Tag::Decimal64
        | Tag::Decimal128
        | Tag::Decimal256 => values.decimals()?,
    })
}

/// One column of some pieces.
struct Values<'p, 'a> {
    pieces: &'p [Piece<'a>],
    index: usize,
    ty: ColumnType,
}

impl<'p, 'a> Values<'p, 'a> {
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

    /// A fixed-size column as stored; `absent` stands for rows from before the column.
    fn words<T: ArrowPrimitiveType, const N: usize>(
        &self,
        read: impl Fn([u8; N]) -> Option<T::Native>,
        absent: Option<T::Native>,
    ) -> ArrayRef {
        let mut builder =
            PrimitiveBuilder::<T>::with_capacity(self.rows()).with_data_type(data_type(self.ty));
        for piece in self.pieces {
            let chunk = piece.block.chunk(self.index);
            for row in piece.rows.clone() {
                let stored = chunk.and_then(|chunk| chunk.fixed(row)).and_then(|bytes| bytes.try_into().ok());
                builder.append_option(stored.map_or(absent, &read));
            }
        }
        Arc::new(builder.finish())
    }

    fn text(&self) -> Result<ArrayRef, ArrowError> {
        let mut builder = StringBuilder::with_capacity(self.rows(), 0);
        let mut room = Room::default();
        for value in self.cells() {
            match value {
                Value::Utf8(bytes) => {
                    let text = String::from_utf8_lossy(bytes);
                    room.take(text.len())?;
                    builder.append_value(text);
                }
                Value::Utf16(units) => {
                    let text = utf16(units);
                    room.take(text.len())?;
                    builder.append_value(text);
                }
                _ => builder.append_null(),
            }
        }
        Ok(Arc::new(builder.finish()))
    }

    fn binary(&self) -> Result<ArrayRef, ArrowError> {
        let mut builder = BinaryBuilder::with_capacity(self.rows(), 0);
        let mut room = Room::default();
        for value in self.cells() {
            match value {
                Value::Binary(bytes) => {
                    room.take(bytes.len())?;
                    builder.append_value(bytes);
                }
                _ => builder.append_null(),
            }
        }
        Ok(Arc::new(builder.finish()))
    }

    fn symbols(&self, dictionary: Option<&Dictionary>) -> Result<ArrayRef, ArrowError> {
        let Some(dictionary) = dictionary else {
            return Err(ArrowError::InvalidArgumentError("a SYMBOL without its dictionary".to_owned()));
        };
        let mut positions = Int32Builder::with_capacity(self.rows());
        for piece in self.pieces {
            let chunk = piece.block.chunk(self.index);
            for row in piece.rows.clone() {
                let stored = chunk.and_then(|chunk| chunk.fixed(row)).and_then(|bytes| bytes.try_into().ok());
                positions.append_option(stored.and_then(|key| dictionary.position(i32::from_le_bytes(key))));
            }
        }
        Ok(Arc::new(DictionaryArray::<Int32Type>::try_new(positions.finish(), dictionary.strings())?))
    }

    /// UUID, LONG128, LONG256.
    fn wide(&self) -> Result<ArrayRef, ArrowError> {
        let width = if self.ty.tag() == Tag::Long256 { 32 } else { 16 };
        let mut builder = FixedSizeBinaryBuilder::with_capacity(self.rows(), width);
        for value in self.cells() {
            match value {
                Value::Uuid(number) => builder.append_value(number.to_be_bytes())?,
                Value::Long128(number) => builder.append_value(number.to_le_bytes())?,
                Value::Long256(words) => builder.append_value(words.map(u64::to_le_bytes).as_flattened())?,
                _ => builder.append_null(),
            }
        }
        Ok(Arc::new(builder.finish()))
    }

    fn decimals(&self) -> Result<ArrayRef, ArrowError> {
        let (precision, scale) = precision_and_scale(self.ty);
        let unscaled = self.cells().map(|value| match value {
            Value::Decimal { unscaled, .. } => Some(unscaled),
            _ => None,
        });
        if precision <= 38 {
            let array: Decimal128Array = unscaled.map(|value| value.map(|value| value.as_i128())).collect();
            return Ok(Arc::new(array.with_precision_and_scale(precision, scale)?));
        }
        let wide = |value: ethnum::I256| i256::from_le_bytes(value.to_le_bytes());
        let array: Decimal256Array = unscaled.map(|value| value.map(wide)).collect();
        Ok(Arc::new(array.with_precision_and_scale(precision, scale)?))
    }

    fn lists(&self) -> Result<ArrayRef, ArrowError> {
        let mut lists = Lists::new(self.ty.array_dims());
        for value in self.cells() {
            match value {
                Value::Array { dims, values } => lists.push(dims, values)?,
                _ => lists.push_null()?,
            }
        }
        lists.finish()
    }
}

/// Lists of lists of numbers in the making: the lengths of each level, outermost first.
struct Lists {
    lengths: Vec<Vec<usize>>,
    valid: Vec<bool>,
    leaves: Float64Builder,
    room: Room,
}

impl Lists {
    fn new(dims: usize) -> Self {
        Self {
            lengths: vec![Vec::new(); dims],
            valid: Vec::new(),
            leaves: Float64Builder::new(),
            room: Room::default(),
        }
    }

    fn push_null(&mut self) -> Result<(), ArrowError> {
        self.push_shape(&[], false)
    }

    /// Appends an array; one whose shape contradicts its values counts as null.
    fn push(&mut self, dims: &[u8], values: &[u8]) -> Result<(), ArrowError> {
        let shape: Vec<usize> = dims
            .chunks_exact(4)
            .map(|dim| dim.try_into().map_or(0, i32::from_le_bytes))
            .map(|dim| usize::try_from(dim).unwrap_or(0))
            .collect();
        let count = shape.iter().try_fold(1usize, |count, &dim| count.checked_mul(dim));
        match count {
            Some(0) => self.push_shape(&[], true),
            Some(count) if shape.len() == self.lengths.len() && count <= values.len() / 8 => {
                self.room.take(count)?;
                for leaf in values.chunks_exact(8).take(count) {
                    let leaf = leaf.try_into().map_or(f64::NAN, f64::from_le_bytes);
                    self.leaves.append_option(Some(leaf).filter(|leaf| leaf.is_finite()));
                }
                self.push_shape(&shape, true)
            }
            _ => self.push_null(),
        }
    }

    /// No shape: an outermost list without elements.
    fn push_shape(&mut self, shape: &[usize], valid: bool) -> Result<(), ArrowError> {
        self.valid.push(valid);
        let mut lists = 1;
        for (level, lengths) in self.lengths.iter_mut().enumerate() {
            let length = shape.get(level).copied().unwrap_or(0);
            lengths.extend(std::iter::repeat_n(length, lists));
            lists *= length;
        }
        Ok(())
    }

    fn finish(mut self) -> Result<ArrayRef, ArrowError> {
        let mut inner: ArrayRef = Arc::new(self.leaves.finish());
        for (level, lengths) in self.lengths.iter().enumerate().rev() {
            let field = Arc::new(item(inner.data_type().clone()));
            let nulls = (level == 0).then(|| NullBuffer::from(std::mem::take(&mut self.valid)));
            let offsets = OffsetBuffer::from_lengths(lengths.iter().copied());
            inner = Arc::new(ListArray::try_new(field, offsets, inner, nulls)?);
        }
        Ok(inner)
    }
}

/// What is left of the 2 GiB that 32-bit offsets reach.
#[derive(Default)]
struct Room {
    taken: usize,
}

impl Room {
    fn take(&mut self, len: usize) -> Result<(), ArrowError> {
        self.taken = self.taken.saturating_add(len);
        if self.taken > i32::MAX as usize {
            return Err(ArrowError::OffsetOverflowError(self.taken));
        }
        Ok(())
    }
}

fn known<T: PartialEq>(value: T, null: T) -> Option<T> {
    (value != null).then_some(value)
}

fn long(bytes: [u8; 8]) -> Option<i64> {
    known(i64::from_le_bytes(bytes), i64::MIN)
}

fn utf16(units: &[u8]) -> String {
    let units = units.chunks_exact(2).map(|unit| unit.try_into().map_or(0, u16::from_le_bytes));
    char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
}
