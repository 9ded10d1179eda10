//! Binary fields that come in steps: arrays and decimals.

use super::Decimal;
use super::raw::{Code, RawValue, Span};

const DOUBLE: u8 = 10;
/// The element type of a null array, as clients before 9.0.1 sent it.
const NULL: u8 = 41;
const DIMS_MAX: u8 = 32;
const SCALE_MAX: u8 = 76;

/// What comes of reading at a place: a value that ends before `end`, that more bytes are needed, or an error.
pub(super) enum Taken {
    Value { value: RawValue, end: usize },
    More,
    Refused(Code),
}

/// An array that begins at `at`: element type, number of dimensions, their lengths, the elements.
pub(super) fn array(bytes: &[u8], at: usize) -> Taken {
    let null = |end| Taken::Value { value: RawValue::Array { dims: None, values: Span::default() }, end };
    match bytes.get(at) {
        None => return Taken::More,
        Some(&NULL) => return null(at + 1),
        Some(&DOUBLE) => {}
        Some(_) => return Taken::Refused(Code::ArrayInvalidType),
    }
    let Some(&count) = bytes.get(at + 1) else { return Taken::More };
    match count {
        0 => return null(at + 2),
        count if count > DIMS_MAX => return Taken::Refused(Code::ArrayTooManyDimensions),
        _ => {}
    }
    let dims = Span::new(at + 2, at + 2 + usize::from(count) * 4);
    let Some(lengths) = bytes.get(dims.start()..dims.end()) else { return Taken::More };
    let lengths = || lengths.as_chunks::<4>().0.iter().map(|length| i32::from_le_bytes(*length));
    let mut size = 8i32;
    if lengths().any(|length| length == 0) {
        size = 0;
    } else {
        for length in lengths() {
            match size.checked_mul(length) {
                Some(product) => size = product,
                None => return Taken::Refused(Code::ArrayTooLarge),
            }
        }
    }
    // The server waits for ever for a negative number of bytes.
    let Ok(size) = usize::try_from(size) else { return Taken::More };
    let values = Span::new(dims.end(), dims.end().saturating_add(size));
    if values.end() > bytes.len() {
        return Taken::More;
    }
    Taken::Value { value: RawValue::Array { dims: Some(dims), values }, end: values.end() }
}

/// A decimal that begins at `at`: scale, length, digits as a big-endian number.
pub(super) fn decimal(bytes: &[u8], at: usize) -> Taken {
    let Some(&scale) = bytes.get(at) else { return Taken::More };
    if scale > SCALE_MAX {
        return Taken::Refused(Code::DecimalInvalidScale);
    }
    let Some(&len) = bytes.get(at + 1) else { return Taken::More };
    let end = at + 2 + usize::from(len);
    if len == 0 {
        return Taken::Value { value: RawValue::Decimal(None), end };
    }
    let Some(digits) = bytes.get(at + 2..end) else { return Taken::More };
    match Decimal::of_binary(scale, digits) {
        Some(decimal) => Taken::Value { value: RawValue::Decimal(Some(decimal)), end },
        None => Taken::Refused(Code::DecimalOverflow),
    }
}
