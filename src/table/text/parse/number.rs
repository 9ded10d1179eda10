use super::Chars;

/// INT: an optional sign, digits, `_` between digits.
pub fn int(text: Chars<'_>) -> Option<i32> {
    int_range(text, 0, text.len())
}

/// An INT out of the characters `from..to`.
pub(super) fn int_range(text: Chars<'_>, from: usize, to: usize) -> Option<i32> {
    let sign = text.get(from).filter(|_| from < to)?;
    let negative = sign == u16::from(b'-');
    let start = from + usize::from(negative || sign == u16::from(b'+'));
    let value = digits(text, start, to, false)?;
    i32::try_from(if negative { value } else { value.checked_neg()? }).ok().filter(|&v| v != i32::MIN)
}

/// LONG: an optional `-`, digits, `_` between digits, an optional `L` at the end.
pub fn long(text: Chars<'_>) -> Option<i64> {
    let negative = text.get(0)? == u16::from(b'-');
    let value = digits(text, usize::from(negative), text.len(), true)?;
    Some(if negative { value } else { value.checked_neg()? }).filter(|&v| v != i64::MIN)
}

/// Digits as a negative number, so that the minimum fits.
fn digits(text: Chars<'_>, from: usize, to: usize, suffix: bool) -> Option<i64> {
    let mut value = 0i64;
    let mut run = 0;
    for at in from..to {
        let c = text.get(at)?;
        match u8::try_from(c).ok()? {
            b'_' if run > 0 => run = 0,
            b'l' | b'L' if suffix && at > 0 && at + 1 == to => {}
            c @ b'0'..=b'9' => {
                value = value.checked_mul(10)?.checked_sub(i64::from(c - b'0'))?;
                run += 1;
            }
            _ => return None,
        }
    }
    (run > 0).then_some(value)
}
