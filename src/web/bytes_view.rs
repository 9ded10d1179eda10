//! One transaction down to its bytes, as plain data.

use super::dto;
use crate::replay::History;
use crate::table::raw_text;
use crate::wal::{Error, Files, Layout, LayoutOptions, Result};

/// Rows of each column and symbols of each dictionary that are laid out.
const ITEMS: usize = 64;

/// Where a transaction's bytes are and what each means.
///
/// # Errors
/// [`Error::Pending`] while bytes are on their way; [`Error::Absent`] for a transaction that the log
/// does not have.
pub(super) fn bytes_view(files: &dyn Files, history: &History, seq_txn: u64) -> Result<dto::BytesView> {
    let Some(record) = history.record(seq_txn) else {
        return Err(Error::Absent { file: history.log.place(seq_txn).0.into() });
    };
    let options = LayoutOptions { items: ITEMS, text: &raw_text };
    let layout = Layout::read(files, &history.log, record, &options)?;
    let field = |field: crate::wal::LayoutField| dto::ByteField {
        file: field.file,
        offset: field.offset as f64,
        length: field.len as f64,
        name: field.name,
        value: field.value,
        depth: field.depth,
    };
    Ok(dto::BytesView {
        seq_txn: seq_txn as f64,
        files: layout.files.into_iter().map(|f| dto::BytesFile { path: f.path, role: f.role }).collect(),
        fields: layout.fields.into_iter().map(field).collect(),
        truncated: layout.truncated,
    })
}
