//! CSV, byte for byte as QuestDB's `/exp` prints a table.

use super::Buffer;
use crate::table::{Block, Chunk, Column, SymbolTable, Table, Value, text};
use crate::wal::ColumnType;
use std::io::{self, Write};

/// A live column of one block.
pub(super) struct Cells<'a> {
    pub(super) ty: ColumnType,
    /// `None` where all values of the block are null.
    chunk: Option<&'a Chunk>,
    symbols: Option<&'a SymbolTable>,
}

impl Cells<'_> {
    pub(super) fn value(&self, row: usize) -> Value<'_> {
        match self.chunk {
            Some(chunk) => chunk.value(row, self.ty, self.symbols),
            None => Value::absent(self.ty),
        }
    }
}

/// The live columns that have a text, in the order of `SELECT *`.
pub(super) fn printable(table: &Table) -> impl Iterator<Item = (usize, &Column)> {
    table.schema.live().filter(|(_, column)| text::is_printable(column.ty))
}

/// The columns of a block in the order of `SELECT *`.
pub(super) fn cells<'a>(table: &'a Table, block: &'a Block) -> Vec<Cells<'a>> {
    let cells = |(index, column): (usize, &Column)| Cells {
        ty: column.ty,
        chunk: block.chunk(index).map(|chunk| &**chunk),
        symbols: table.dictionary(index),
    };
    printable(table).map(cells).collect()
}

pub(super) fn write(
    table: &Table,
    out: &mut (dyn Write + Send),
    progress: &mut dyn FnMut(usize),
) -> io::Result<()> {
    let mut buffer = Buffer::new(out);
    text::write_csv_header(&mut buffer.bytes, printable(table).map(|(_, column)| column.name.as_str()));
    let mut done = 0;
    for block in table.blocks() {
        let cells = cells(table, block);
        for row in 0..block.rows {
            for (i, column) in cells.iter().enumerate() {
                if i > 0 {
                    buffer.bytes.push(b',');
                }
                text::write_csv(&mut buffer.bytes, column.value(row), column.ty);
            }
            buffer.bytes.extend_from_slice(text::CSV_LINE_END);
            buffer.row_done()?;
        }
        done += block.rows;
        progress(done);
    }
    buffer.flush()
}
