use super::body::{Body, Runs};
use super::fields::arrow_schema;
use super::{columns, message};
use crate::table::{Block, Table, Value};
use crate::wal::ordered::gathered;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

/// Rows of a batch, at most.
pub const BATCH_ROWS: usize = 16 * 1024;
/// Bytes of variable-size values of a batch, at most, unless a single row is larger.
const BATCH_BYTES: usize = 64 << 20;

/// Rows of a table on their way to Arrow: one schema and one dictionary per SYMBOL for all batches.
pub struct Export<'a> {
    table: &'a Table,
    schema: SchemaRef,
    /// By writer index.
    dictionaries: BTreeMap<usize, Dictionary>,
    rows: Range<usize>,
}

/// The strings of a SYMBOL that the exported rows use, in order of QuestDB's key.
pub(super) struct Dictionary {
    /// QuestDB's key -> position in `strings`.
    keys: BTreeMap<i32, i32>,
    strings: Runs,
}

/// Neighbouring rows of one block.
pub(super) struct Piece<'a> {
    pub(super) block: &'a Block,
    pub(super) rows: Range<usize>,
}

impl<'a> Export<'a> {
    /// Prepares rows `rows` of a table, cut to those that exist.
    ///
    /// # Errors
    /// Symbols too large for Arrow's 32-bit offsets.
    pub fn new(table: &'a Table, rows: Range<usize>) -> Result<Self, ArrowError> {
        let end = rows.end.min(table.rows());
        let rows = rows.start.min(end)..end;
        let schema = Arc::new(arrow_schema(table));
        let symbols = table.schema.live().filter(|(_, column)| column.ty.is_symbol());
        let dictionaries = symbols
            .map(|(index, _)| Ok((index, dictionary(table, index, &rows)?)))
            .collect::<Result<_, ArrowError>>()?;
        Ok(Self { table, schema, dictionaries, rows })
    }

    /// The Arrow schema of all batches.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// What comes before the rows in Arrow's IPC format: the schema and the dictionaries.
    pub fn head(&self) -> Vec<u8> {
        let mut head = message::schema(&self.schema);
        if !self.rows.is_empty() {
            for (id, dictionary) in (0..).zip(self.dictionaries.values()) {
                let mut body = Body::default();
                dictionary.strings.write(&mut body);
                head.extend(message::dictionary(id, dictionary.keys.len(), &body));
            }
        }
        head
    }

    /// The rows as messages of Arrow's IPC format, each of bounded size with the number of its rows, in
    /// order; none where there are no rows.
    ///
    /// # Errors
    /// A message fails where a single value is too large for Arrow's 32-bit offsets.
    pub fn batches(&self) -> impl Iterator<Item = Result<(Vec<u8>, usize), ArrowError>> + '_ {
        let mut next = self.rows.start;
        std::iter::from_fn(move || {
            if next >= self.rows.end {
                return None;
            }
            let rows = next..self.batch_end(next);
            let batch = self.batch(&rows);
            // After an error there is no telling what the reader has: stop.
            next = if batch.is_ok() { rows.end } else { self.rows.end };
            Some(batch.map(|batch| (batch, rows.len())))
        })
    }

    fn batch(&self, rows: &Range<usize>) -> Result<Vec<u8>, ArrowError> {
        let pieces = pieces(self.table, rows);
        let mut body = Body::default();
        for (index, definition) in self.table.schema.live() {
            columns::write(&mut body, &pieces, index, definition.ty, self.dictionaries.get(&index))?;
        }
        Ok(message::rows(rows.len(), &body))
    }

    /// Where the batch that begins at row `first` ends.
    fn batch_end(&self, first: usize) -> usize {
        let end = self.rows.end.min(first.saturating_add(BATCH_ROWS));
        let mut bytes = 0usize;
        let mut row = first;
        for piece in pieces(self.table, &(first..end)) {
            // Of a block of usual values no row has to be looked at.
            let whole = piece.block.memory();
            if bytes.saturating_add(whole) <= BATCH_BYTES {
                bytes += whole;
                row += piece.rows.len();
                continue;
            }
            for at in piece.rows {
                bytes = bytes.saturating_add(row_bytes(self.table, piece.block, at));
                if bytes > BATCH_BYTES && row > first {
                    return row;
                }
                row += 1;
            }
        }
        end
    }
}

impl Dictionary {
    /// The position of QuestDB's key; `None` for null.
    pub(super) fn position(&self, key: i32) -> Option<i32> {
        self.keys.get(&key).copied()
    }
}

/// The parts of blocks that make up rows of a table.
fn pieces<'a>(table: &'a Table, rows: &Range<usize>) -> Vec<Piece<'a>> {
    let mut pieces = Vec::new();
    let mut first = 0;
    for partition in table.partitions.values() {
        if first >= rows.end {
            break;
        }
        let after = first + partition.rows;
        if after > rows.start {
            for block in &partition.blocks {
                let from = rows.start.max(first);
                let to = rows.end.min(first + block.rows);
                if from < to {
                    pieces.push(Piece { block, rows: from - first..to - first });
                }
                first += block.rows;
            }
        }
        first = after;
    }
    pieces
}

fn dictionary(table: &Table, column: usize, rows: &Range<usize>) -> Result<Dictionary, ArrowError> {
    let symbols = table.dictionary(column);
    let known = symbols.map_or(0, |symbols| symbols.len());
    let mut used = vec![false; known];
    for piece in pieces(table, rows) {
        let Some(chunk) = piece.block.chunk(column) else { continue };
        for bytes in piece.rows.filter_map(|row| chunk.fixed(row)) {
            let key = bytes.try_into().map_or(-1, i32::from_le_bytes);
            if let Some(flag) = usize::try_from(key).ok().and_then(|key| used.get_mut(key)) {
                *flag = true;
            }
        }
    }
    let used = (0..known).filter(|&key| used.get(key).is_some_and(|&flag| flag)).map(|key| key as i32);
    let keys: BTreeMap<i32, i32> = gathered(used.zip(0..));
    let mut strings = Runs::new(keys.len());
    for &key in keys.keys() {
        strings.push(symbols.and_then(|symbols| symbols.get(key)).map(str::as_bytes))?;
    }
    Ok(Dictionary { keys, strings })
}

/// Bytes of the variable-size values of a row.
fn row_bytes(table: &Table, block: &Block, row: usize) -> usize {
    let variable = table.schema.live().filter(|(_, column)| column.ty.fixed_size().is_none());
    let sizes = variable.map(|(index, _)| match block.value(row, index, &table.schema, None) {
        Value::Utf16(bytes) | Value::Utf8(bytes) | Value::Binary(bytes) => bytes.len(),
        Value::Array { values, .. } => values.len(),
        _ => 0,
    });
    sizes.sum()
}
