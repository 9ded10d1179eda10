//! Writing little-endian numbers and QuestDB's strings: the other direction of `wal::Cursor`.

/// Bytes of a file that is being written.
#[derive(Debug, Default)]
pub(super) struct Out(pub(super) Vec<u8>);

impl Out {
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self(Vec::with_capacity(bytes))
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn byte(&mut self, value: u8) {
        self.0.push(value);
    }

    pub(super) fn flag(&mut self, value: bool) {
        self.0.push(u8::from(value));
    }

    pub(super) fn i16(&mut self, value: i16) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    pub(super) fn i32(&mut self, value: i32) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    pub(super) fn i64(&mut self, value: i64) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    /// A number that the format holds in a signed field; values beyond it can't be stored and saturate.
    pub(super) fn count32(&mut self, value: usize) {
        self.i32(i32::try_from(value).unwrap_or(i32::MAX));
    }

    /// As [`count32`](Self::count32), in eight bytes.
    pub(super) fn u63(&mut self, value: u64) {
        self.i64(i64::try_from(value).unwrap_or(i64::MAX));
    }

    /// A string: its length in UTF-16 units, then these.
    pub(super) fn text(&mut self, value: &str) {
        let at = self.len();
        self.i32(0);
        let mut units = 0;
        for unit in value.encode_utf16() {
            self.0.extend_from_slice(&unit.to_le_bytes());
            units += 1;
        }
        self.put_i32(at, units);
    }

    /// A string that may be null.
    pub(super) fn text_or_null(&mut self, value: Option<&str>) {
        match value {
            Some(value) => self.text(value),
            None => self.i32(-1),
        }
    }

    /// Zeros up to a length.
    pub(super) fn pad_to(&mut self, len: usize) {
        if self.0.len() < len {
            self.0.resize(len, 0);
        }
    }

    /// Overwrites four bytes that were written before.
    pub(super) fn put_i32(&mut self, at: usize, value: i32) {
        if let Some(place) = self.0.get_mut(at..at + 4) {
            place.copy_from_slice(&value.to_le_bytes());
        }
    }

    /// Overwrites eight bytes that were written before.
    pub(super) fn put_i64(&mut self, at: usize, value: i64) {
        if let Some(place) = self.0.get_mut(at..at + 8) {
            place.copy_from_slice(&value.to_le_bytes());
        }
    }
}

/// `String.hashCode` of Java, which is over UTF-16 units.
pub(super) fn java_hash(text: &str) -> i32 {
    text.encode_utf16().fold(0, |hash: i32, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wal::Cursor;

    #[test]
    fn writes_what_a_cursor_reads() {
        let mut out = Out::default();
        out.text("a€😀");
        out.text_or_null(None);
        out.u63(u64::MAX);
        let mut cursor = Cursor::new("f", 0, &out.0);
        assert_eq!(cursor.name("s").unwrap(), "a€😀");
        assert_eq!(cursor.text("s").unwrap(), None);
        assert_eq!(cursor.i64("n").unwrap(), i64::MAX);
    }

    #[test]
    fn hashes_as_java_does() {
        assert_eq!(java_hash(""), 0);
        assert_eq!(java_hash("hello"), 99_162_322);
        assert_eq!(java_hash("polygenelubricants"), i32::MIN);
    }
}
