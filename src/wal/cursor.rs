use super::{Error, Result, SymbolText};
use std::fmt;

/// A checked reader over bytes of one file: every step names what it expected and where.
///
/// `base` is the offset in the file of the first byte given, so that errors and field maps speak
/// in file offsets.
#[derive(Debug, Clone)]
pub struct Cursor<'a> {
    file: &'a str,
    bytes: &'a [u8],
    base: u64,
    pos: usize,
}

impl<'a> Cursor<'a> {
    /// A reader of `bytes`, which start at offset `base` of `file`.
    pub fn new(file: &'a str, base: u64, bytes: &'a [u8]) -> Self {
        Self { file, bytes, base, pos: 0 }
    }

    /// Offset in the file of the next byte.
    pub fn offset(&self) -> u64 {
        self.base.saturating_add(self.pos as u64)
    }

    /// Bytes not yet read.
    pub fn remaining(&self) -> usize {
        self.bytes.len() - self.pos
    }

    /// An error at the next byte.
    pub fn damaged(&self, expected: impl fmt::Display, found: impl fmt::Display) -> Error {
        Error::damaged(self.file, self.offset(), expected, found)
    }

    /// An error about a value of `size` bytes just read.
    pub fn damaged_back(&self, size: u64, expected: impl fmt::Display, found: impl fmt::Display) -> Error {
        Error::damaged(self.file, self.offset().saturating_sub(size), expected, found)
    }

    /// An [`Error::Unsupported`] about a value of `size` bytes just read.
    pub fn unsupported_back(&self, size: u64, what: impl fmt::Display) -> Error {
        Error::Unsupported {
            file: self.file.into(),
            offset: self.offset().saturating_sub(size),
            what: what.to_string().into(),
        }
    }

    /// The next `len` bytes.
    pub fn take(&mut self, len: usize, what: &str) -> Result<&'a [u8]> {
        let rest = self.bytes.get(self.pos..).unwrap_or_default();
        match rest.get(..len) {
            Some(taken) => {
                self.pos += len;
                Ok(taken)
            }
            None => Err(self.damaged(
                format_args!("{len} bytes of {what}"),
                format_args!("only {} bytes left", rest.len()),
            )),
        }
    }

    fn array<const N: usize>(&mut self, what: &str) -> Result<[u8; N]> {
        let mut out = [0; N];
        out.copy_from_slice(self.take(N, what)?);
        Ok(out)
    }

    /// The next byte, signed.
    pub fn i8(&mut self, what: &str) -> Result<i8> {
        Ok(i8::from_le_bytes(self.array(what)?))
    }

    /// The next byte as a flag: anything but 0 is true.
    pub fn flag(&mut self, what: &str) -> Result<bool> {
        Ok(self.i8(what)? != 0)
    }

    /// The next two bytes, signed.
    pub fn i16(&mut self, what: &str) -> Result<i16> {
        Ok(i16::from_le_bytes(self.array(what)?))
    }

    /// The next four bytes, signed.
    pub fn i32(&mut self, what: &str) -> Result<i32> {
        Ok(i32::from_le_bytes(self.array(what)?))
    }

    /// The next eight bytes, signed.
    pub fn i64(&mut self, what: &str) -> Result<i64> {
        Ok(i64::from_le_bytes(self.array(what)?))
    }

    /// A four-byte number that can't be negative.
    pub fn u31(&mut self, what: &str) -> Result<u32> {
        let n = self.i32(what)?;
        u32::try_from(n).ok().ok_or_else(|| self.damaged_back(4, format_args!("{what} of 0 or more"), n))
    }

    /// An eight-byte number that can't be negative.
    pub fn u63(&mut self, what: &str) -> Result<u64> {
        let n = self.i64(what)?;
        u64::try_from(n).ok().ok_or_else(|| self.damaged_back(8, format_args!("{what} of 0 or more"), n))
    }

    /// A four-byte count of items that take at least `item` bytes each, so it can't promise more
    /// than the bytes that are left: what is allocated for it stays a multiple of the input.
    pub fn count(&mut self, item: usize, what: &str) -> Result<usize> {
        let n = self.u31(what)? as usize;
        let most = self.remaining() / item.max(1);
        if n > most {
            return Err(self.damaged_back(4, format_args!("at most {most} {what} in the bytes left"), n));
        }
        Ok(n)
    }

    /// The UTF-16LE units of a QuestDB string; `None` is null.
    pub fn units(&mut self, what: &str) -> Result<Option<&'a [u8]>> {
        let n = self.i32(what)?;
        match n {
            -1 => Ok(None),
            0.. => Ok(Some(self.take((n as usize).saturating_mul(2), what)?)),
            _ => Err(self.damaged_back(4, format_args!("the length of {what}"), n)),
        }
    }

    /// A QuestDB string; `None` is null. A lone surrogate, which UTF-8 can't hold, becomes U+FFFD.
    pub fn text(&mut self, what: &str) -> Result<Option<String>> {
        Ok(self.units(what)?.map(utf16_lossy))
    }

    /// A symbol, which can't be null.
    pub(super) fn symbol(&mut self) -> Result<SymbolText> {
        let units = self.units("symbol")?;
        units.map(SymbolText::of_units).ok_or_else(|| self.damaged_back(4, "symbol", "null"))
    }

    /// A QuestDB string that can't be null.
    pub fn name(&mut self, what: &str) -> Result<String> {
        self.text(what)?.ok_or_else(|| self.damaged_back(4, what, "null"))
    }
}

/// Text of UTF-16LE bytes; a lone surrogate, which UTF-8 can't hold, becomes U+FFFD.
///
/// An odd last byte is ignored.
pub fn utf16_lossy(units: &[u8]) -> String {
    let mut out = String::with_capacity(units.len() / 2);
    let units = units.chunks_exact(2).map(|unit| match unit {
        [lo, hi] => u16::from_le_bytes([*lo, *hi]),
        _ => 0,
    });
    out.extend(char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)));
    out
}

/// Lets a reader ask for several things before it answers [`Error::Pending`], so that a driver can
/// fetch them at once.
#[derive(Debug, Default)]
pub(crate) struct Gather {
    pending: usize,
}

/// More questions than this are asked in another round: what is asked for can come from hostile bytes.
const WAITING_MAX: usize = 1024;

impl Gather {
    /// The value if it is here, `None` if it is on its way; other errors end the reading.
    pub(crate) fn add<T>(&mut self, result: Result<T>) -> Result<Option<T>> {
        match result {
            Ok(value) => Ok(Some(value)),
            Err(Error::Pending) => {
                self.pending += 1;
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// [`Error::Pending`] if anything is on its way.
    pub(crate) fn done(&self) -> Result<()> {
        if self.pending > 0 { Err(Error::Pending) } else { Ok(()) }
    }

    /// True if enough was asked for: the caller should go on to [`done`](Self::done).
    pub(crate) fn is_full(&self) -> bool {
        self.pending >= WAITING_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_numbers_and_strings_in_order() {
        let mut bytes = vec![7, 0, 0, 0];
        bytes.extend_from_slice(&(-2i64).to_le_bytes());
        bytes.extend_from_slice(&[2, 0, 0, 0, b'a', 0, 0xac, 0x20]);
        bytes.extend_from_slice(&(-1i32).to_le_bytes());
        let mut cursor = Cursor::new("f", 100, &bytes);
        assert_eq!(cursor.u31("n"), Ok(7));
        assert_eq!(cursor.i64("n"), Ok(-2));
        assert_eq!(cursor.name("s"), Ok("a€".to_owned()));
        assert_eq!(cursor.text("s"), Ok(None));
        assert_eq!(cursor.offset(), 124);
    }

    #[test]
    fn errors_say_where_and_what() {
        let mut cursor = Cursor::new("f", 10, &[1, 2]);
        let error = cursor.i32("the record length").unwrap_err();
        assert_eq!(
            error.to_string(),
            "f at offset 10: expected 4 bytes of the record length, found only 2 bytes left"
        );
        let bytes = 1_000_000i32.to_le_bytes();
        assert!(Cursor::new("f", 0, &bytes).count(8, "columns").is_err());
        assert!(Cursor::new("f", 0, &bytes).units("name").is_err());
        assert!(Cursor::new("f", 0, &(-5i32).to_le_bytes()).units("name").is_err());
    }

    #[test]
    fn lone_surrogates_become_the_replacement_character() {
        assert_eq!(utf16_lossy(&[0x3d, 0xd8, 0x00, 0xde]), "😀");
        assert_eq!(utf16_lossy(&[0x3d, 0xd8, b'x', 0]), "\u{fffd}x");
    }
}
