use super::Chars;
use super::number::int_range;

const DOT: Option<u16> = Some(b'.' as u16);

/// IPv4; `None` where QuestDB takes null, `0.0.0.0` and `null` included.
///
/// Dots at either end are skipped. An octet may have a sign: a negative one is or-ed in as it is.
pub fn ipv4(text: Chars<'_>) -> Option<u32> {
    let end = text.len();
    let mut at = 0;
    while text.get(at) == DOT {
        at += 1;
    }
    if !(u16::from(b'0')..=u16::from(b'9')).contains(&text.get(at)?) && at == 0 {
        return None;
    }
    let next_dot = |from: usize| (from..end).find(|&i| text.get(i) == DOT);
    let mut address = 0i32;
    for _ in 0..3 {
        let dot = next_dot(at)?;
        address = address << 8 | octet(text, at, dot)?;
        at = dot + 1;
    }
    let last = match next_dot(at) {
        Some(dot) => {
            if (dot..end).any(|i| text.get(i) != DOT) {
                return None;
            }
            octet(text, at, dot)?
        }
        None => octet(text, at, end)?,
    };
    Some((address << 8 | last) as u32).filter(|&v| v != 0)
}

fn octet(text: Chars<'_>, from: usize, to: usize) -> Option<i32> {
    int_range(text, from, to).filter(|&v| v <= 255)
}

/// UUID: 36 characters, hexadecimal in either case, dashes in their places.
pub fn uuid(text: Chars<'_>) -> Option<u128> {
    let mut buffer = [0; 36];
    let text = text.ascii(&mut buffer)?;
    if text.len() != 36 {
        return None;
    }
    let mut value = 0u128;
    for (at, &c) in text.iter().enumerate() {
        if matches!(at, 8 | 13 | 18 | 23) {
            if c != b'-' {
                return None;
            }
        } else {
            value = value << 4 | u128::from((c as char).to_digit(16)?);
        }
    }
    // Both words at their minimum are the null.
    Some(value).filter(|&v| v != (1 << 127 | 1 << 63))
}
