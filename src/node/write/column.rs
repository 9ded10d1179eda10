//! A column's values in a request, until they are committed.

use crate::table::text::valid;
use crate::table::{Chunk, Value};
use crate::wal::ColumnType;
use foldhash::fast::FixedState;
use std::collections::HashMap;

/// What a null is as a symbol's key.
const NULL_KEY: [u8; 4] = i32::MIN.to_le_bytes();

/// Values of the rows so far; the last ones may be missing, and are null.
#[derive(Debug)]
pub(super) struct Pending {
    ty: ColumnType,
    chunk: Chunk,
    rows: u64,
    symbols: Option<Box<Symbols>>,
}

/// A commit's own dictionary.
#[derive(Debug, Default)]
struct Symbols {
    keys: HashMap<Box<str>, i32, FixedState>,
    texts: Vec<Box<str>>,
    has_null: bool,
}

/// A column's rows in the form of a segment.
pub(super) struct Filled {
    pub(super) chunk: Chunk,
    /// Symbols in order of key, and whether there are nulls.
    pub(super) symbols: Option<(Vec<Box<str>>, bool)>,
}

impl Pending {
    pub(super) fn new(ty: ColumnType) -> Self {
        let symbols = ty.is_symbol().then(Box::default);
        Self { ty, chunk: Chunk::new(ty), rows: 0, symbols }
    }

    /// Puts a value into row `row`, counted from 0; those before it that have none are null.
    pub(super) fn put(&mut self, row: u64, value: Value<'_>) {
        self.fill(row);
        self.chunk.push(self.ty, value, None);
        self.rows += 1;
    }

    /// The same of a SYMBOL.
    ///
    /// # Errors
    /// Text that is no UTF-8.
    pub(super) fn put_symbol(&mut self, row: u64, text: &[u8]) -> Result<(), ()> {
        let text = std::str::from_utf8(text).map_err(drop)?;
        self.fill(row);
        let Some(symbols) = &mut self.symbols else { return Ok(()) };
        let key = symbols.key(text);
        if let Chunk::Fixed { values, .. } = &mut self.chunk {
            values.extend_from_slice(&key.to_le_bytes());
        }
        self.rows += 1;
        Ok(())
    }

    /// Puts text into a STRING: up to the first bytes that are no UTF-8.
    pub(super) fn put_string(&mut self, row: u64, text: &[u8]) {
        self.fill(row);
        if let Chunk::Prefixed { aux, data } = &mut self.chunk {
            let at = data.len();
            data.extend_from_slice(&[0; 4]);
            let mut units = 0i32;
            for unit in valid(text).encode_utf16() {
                data.extend_from_slice(&unit.to_le_bytes());
                units += 1;
            }
            if let Some(place) = data.get_mut(at..at + 4) {
                place.copy_from_slice(&units.to_le_bytes());
            }
            aux.push(data.len() as u64);
        }
        self.rows += 1;
    }

    fn fill(&mut self, rows: u64) {
        if self.rows >= rows {
            return;
        }
        let missing = rows - self.rows;
        self.rows = rows;
        match (&mut self.symbols, &mut self.chunk) {
            (Some(symbols), Chunk::Fixed { values, .. }) => {
                symbols.has_null = true;
                (0..missing).for_each(|_| values.extend_from_slice(&NULL_KEY));
            }
            (_, chunk) => {
                let absent = Value::absent(self.ty);
                (0..missing).for_each(|_| chunk.push(self.ty, absent, None));
            }
        }
    }

    /// All of `rows` rows, and nothing is left.
    pub(super) fn take(&mut self, rows: u64) -> Filled {
        self.fill(rows);
        let done = std::mem::replace(self, Self::new(self.ty));
        Filled { chunk: done.chunk, symbols: done.symbols.map(|symbols| (symbols.texts, symbols.has_null)) }
    }

    /// Lets go of all values.
    pub(super) fn clear(&mut self) {
        if self.rows > 0 {
            *self = Self::new(self.ty);
        }
    }
}

impl Symbols {
    fn key(&mut self, text: &str) -> i32 {
        if let Some(key) = self.keys.get(text) {
            return *key;
        }
        let key = i32::try_from(self.texts.len()).unwrap_or(i32::MAX);
        self.texts.push(text.into());
        self.keys.insert(text.into(), key);
        key
    }
}
