//! JSON in the shape of QuestDB's `/exec`: `columns`, `timestamp`, `dataset`, `count`; one row a line.

use super::Buffer;
use super::csv::{cells, printable};
use crate::table::{Table, Value, text};
use std::io::{self, Write};

pub(super) fn write(
    table: &Table,
    out: &mut (dyn Write + Send),
    progress: &mut dyn FnMut(usize),
) -> io::Result<()> {
    let mut buffer = Buffer::new(out);
    head(&mut buffer.bytes, table)?;
    let mut done = 0;
    for block in table.blocks() {
        let cells = cells(table, block);
        for row in 0..block.rows {
            buffer.bytes.extend_from_slice(if done + row == 0 { b"\n[" } else { b",\n[" });
            for (i, column) in cells.iter().enumerate() {
                if i > 0 {
                    buffer.bytes.push(b',');
                }
                match column.value(row) {
                    // QuestDB leaves these unescaped, which is not always JSON.
                    Value::Char(unit) => {
                        let text = char::from_u32(unit.into()).unwrap_or(char::REPLACEMENT_CHARACTER);
                        serde_json::to_writer(&mut buffer.bytes, &text)?;
                    }
                    value => text::write_json(&mut buffer.bytes, value, column.ty),
                }
            }
            buffer.bytes.push(b']');
            buffer.row_done()?;
        }
        done += block.rows;
        progress(done);
    }
    write!(buffer.bytes, "\n],\"count\":{done}}}\n")?;
    buffer.flush()
}

fn head(bytes: &mut Vec<u8>, table: &Table) -> io::Result<()> {
    bytes.extend_from_slice(b"{\"table\":");
    serde_json::to_writer(&mut *bytes, &table.name)?;
    write!(bytes, ",\"txn\":{},\"columns\":[", table.seq_txn)?;
    for (i, (_, column)) in printable(table).enumerate() {
        bytes.extend_from_slice(if i == 0 { b"{\"name\":" } else { b",{\"name\":" });
        serde_json::to_writer(&mut *bytes, &column.name)?;
        write!(bytes, ",\"type\":\"{}\"}}", column.ty)?;
    }
    let timestamp = printable(table).position(|(index, _)| index == table.schema.timestamp);
    bytes.extend_from_slice(b"],\"timestamp\":");
    serde_json::to_writer(&mut *bytes, &timestamp)?;
    bytes.extend_from_slice(b",\"dataset\":[");
    Ok(())
}
