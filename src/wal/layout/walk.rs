use super::{Layout, LayoutField, LayoutFile, LayoutOptions, RawValue};
use crate::wal::{ColumnType, Cursor, Result};

/// Collects the fields of a layout.
pub(super) struct Fields<'o> {
    pub(super) options: &'o LayoutOptions<'o>,
    files: Vec<LayoutFile>,
    fields: Vec<LayoutField>,
    pub(super) truncated: bool,
}

impl<'o> Fields<'o> {
    pub(super) fn new(options: &'o LayoutOptions<'o>) -> Self {
        Self { options, files: Vec::new(), fields: Vec::new(), truncated: false }
    }

    /// The index of a file; an empty role keeps the one that is known.
    pub(super) fn file(&mut self, path: &str, role: &str) -> usize {
        if let Some(index) = self.files.iter().position(|file| file.path == path) {
            return index;
        }
        self.files.push(LayoutFile { path: path.to_owned(), role: role.to_owned() });
        self.files.len() - 1
    }

    pub(super) fn say(
        &mut self,
        file: usize,
        offset: u64,
        len: u64,
        name: impl Into<String>,
        value: impl Into<String>,
        depth: usize,
    ) {
        self.fields.push(LayoutField { file, offset, len, name: name.into(), value: value.into(), depth });
    }

    pub(super) fn text(&self, ty: ColumnType, value: RawValue<'_>) -> String {
        (self.options.text)(ty, value)
    }

    /// A timestamp of this type as text.
    pub(super) fn time(&self, ty: ColumnType, ts: i64) -> String {
        self.text(ty, RawValue::Fixed(&ts.to_le_bytes()))
    }

    pub(super) fn finish(self, seq_txn: u64) -> Layout {
        let Self { files, fields, truncated, .. } = self;
        Layout { seq_txn, files, fields, truncated }
    }
}

/// Reads a record and says what each step found.
pub(super) struct Walk<'a, 'f, 'o> {
    pub(super) cursor: Cursor<'a>,
    pub(super) fields: &'f mut Fields<'o>,
    file: usize,
    pub(super) depth: usize,
}

impl<'a, 'f, 'o> Walk<'a, 'f, 'o> {
    /// Walks `bytes`, which start at `offset` of the file.
    pub(super) fn new(
        fields: &'f mut Fields<'o>,
        path: &'a str,
        role: &str,
        offset: u64,
        bytes: &'a [u8],
    ) -> Self {
        let file = fields.file(path, role);
        Self { cursor: Cursor::new(path, offset, bytes), fields, file, depth: 1 }
    }

    /// Says something about bytes from `offset` up to where the walk is.
    pub(super) fn since(&mut self, offset: u64, name: impl Into<String>, value: impl Into<String>) {
        let len = self.cursor.offset() - offset;
        self.fields.say(self.file, offset, len, name, value, self.depth);
    }

    /// Heads what follows: a field over all bytes that are left, one level up.
    pub(super) fn head(&mut self, name: impl Into<String>, value: impl Into<String>) {
        let (offset, len) = (self.cursor.offset(), self.cursor.remaining() as u64);
        self.fields.say(self.file, offset, len, name, value, self.depth.saturating_sub(1));
    }

    pub(super) fn i8(&mut self, name: &str, text: impl Fn(i8) -> String) -> Result<i8> {
        let offset = self.cursor.offset();
        let n = self.cursor.i8(name)?;
        self.since(offset, name, text(n));
        Ok(n)
    }

    pub(super) fn i16(&mut self, name: &str, text: impl Fn(i16) -> String) -> Result<i16> {
        let offset = self.cursor.offset();
        let n = self.cursor.i16(name)?;
        self.since(offset, name, text(n));
        Ok(n)
    }

    pub(super) fn i32(&mut self, name: &str) -> Result<i32> {
        let offset = self.cursor.offset();
        let n = self.cursor.i32(name)?;
        self.since(offset, name, n.to_string());
        Ok(n)
    }

    pub(super) fn i64(&mut self, name: &str) -> Result<i64> {
        let offset = self.cursor.offset();
        let n = self.cursor.i64(name)?;
        self.since(offset, name, n.to_string());
        Ok(n)
    }

    /// A timestamp, also as text.
    pub(super) fn time(&mut self, name: &str, ty: ColumnType) -> Result<i64> {
        let offset = self.cursor.offset();
        let n = self.cursor.i64(name)?;
        let value = match n {
            i64::MIN => "null".to_owned(),
            // What QuestDB writes where there is no timestamp.
            i64::MAX | -1 => n.to_string(),
            _ => format!("{n} = {}", self.fields.time(ty, n)),
        };
        self.since(offset, name, value);
        Ok(n)
    }

    /// A string with its length.
    pub(super) fn string(&mut self, name: &str) -> Result<Option<String>> {
        let offset = self.cursor.offset();
        let text = self.cursor.text(name)?;
        self.since(offset, name, text.as_ref().map_or_else(|| "null".to_owned(), |text| format!("{text:?}")));
        Ok(text)
    }

    /// Bytes that mean nothing.
    pub(super) fn skip(&mut self, len: usize, name: &str) -> Result<()> {
        let offset = self.cursor.offset();
        self.cursor.take(len, name)?;
        self.since(offset, name, "");
        Ok(())
    }

    /// `count` items, of which the first few are shown with `shown` and the rest only read.
    pub(super) fn items(
        &mut self,
        count: usize,
        name: &str,
        mut item: impl FnMut(&mut Self, usize) -> Result<()>,
    ) -> Result<()> {
        let shown = count.min(self.fields.options.items);
        for i in 0..shown {
            item(self, i)?;
        }
        if shown < count {
            self.fields.truncated = true;
            let offset = self.cursor.offset();
            let mut kept = std::mem::take(&mut self.fields.fields);
            for i in shown..count {
                let read = item(self, i);
                self.fields.fields.clear();
                read?;
            }
            std::mem::swap(&mut self.fields.fields, &mut kept);
            self.since(offset, format!("{} more {name}", count - shown), "");
        }
        Ok(())
    }
}
