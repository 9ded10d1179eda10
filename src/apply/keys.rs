//! Upsert keys as bytes that are equal exactly when QuestDB takes the keys for equal.

use super::source::{Prepared, Source};
use crate::table::{Chunk, Schema, Value, null_pattern};
use crate::wal::{ColumnType, Tag, WalColumn};

/// The extra key columns of one row: stored bytes of fixed-size types (symbols by the table's key),
/// length-prefixed values of the others.
#[derive(Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct KeyBytes(Vec<u8>);

impl KeyBytes {
    /// Reads the key of a row.
    pub(super) fn read(&mut self, schema: &Schema, keys: &[usize], source: Source<'_>, row: usize) {
        for &column in keys {
            let Some(ty) = schema.columns.get(column).map(|definition| definition.ty) else { continue };
            match source {
                Source::Block(block) => match block.chunk(column) {
                    Some(chunk) => self.push_stored(ty, chunk, row),
                    None => self.push_null(ty),
                },
                Source::Commit(prepared) => self.push_new(ty, prepared, column, row),
            }
        }
    }

    fn push_stored(&mut self, ty: ColumnType, chunk: &Chunk, row: usize) {
        match chunk.fixed(row) {
            Some(bytes) => self.push_fixed(ty, bytes),
            None => self.push_value(chunk.value(row, ty, None)),
        }
    }

    fn push_new(&mut self, ty: ColumnType, prepared: &Prepared<'_>, column: usize, row: usize) {
        match (prepared.commit.columns.get(column), ty.fixed_size()) {
            (Some(Some(WalColumn::Fixed { values, .. })), Some(width)) => {
                let bytes = values.get(row * width..(row + 1) * width).unwrap_or_default();
                match prepared.symbols.get(column) {
                    Some(Some(map)) => {
                        let key = bytes.try_into().map_or(i32::MIN, i32::from_le_bytes);
                        self.push_fixed(ty, &map.table_key(key).to_le_bytes());
                    }
                    _ => self.push_fixed(ty, bytes),
                }
            }
            (Some(Some(WalColumn::Var { .. })), None) => {
                let mut one = Chunk::new(ty);
                super::gather::append(&mut one, ty, column, Source::Commit(prepared), row, 1);
                self.push_value(one.value(0, ty, None));
            }
            _ => self.push_null(ty),
        }
    }

    fn push_null(&mut self, ty: ColumnType) {
        match ty.fixed_size() {
            Some(_) => self.push_fixed(ty, null_pattern(ty)),
            None => self.push_value(Value::Null),
        }
    }

    /// All NaN are one value; apart from that floats are equal by their bits (-0.0 is not 0.0).
    fn push_fixed(&mut self, ty: ColumnType, bytes: &[u8]) {
        let nan = match ty.tag() {
            Tag::Double => bytes.try_into().is_ok_and(|bytes| f64::from_le_bytes(bytes).is_nan()),
            Tag::Float => bytes.try_into().is_ok_and(|bytes| f32::from_le_bytes(bytes).is_nan()),
            _ => false,
        };
        self.0.extend_from_slice(if nan { null_pattern(ty) } else { bytes });
    }

    fn push_value(&mut self, value: Value<'_>) {
        let parts: [&[u8]; 2] = match value {
            Value::Utf8(bytes) | Value::Utf16(bytes) | Value::Binary(bytes) => [bytes, &[]],
            Value::Array { dims, values } => [dims, values],
            _ => {
                self.0.extend_from_slice(&u64::MAX.to_le_bytes());
                return;
            }
        };
        for part in parts {
            self.0.extend_from_slice(&(part.len() as u64).to_le_bytes());
            self.0.extend_from_slice(part);
        }
    }
}
