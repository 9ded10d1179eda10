//! A materialized view's own files: its definition, and how far it is refreshed.

use super::log::replace_file;
use super::table::FileTable;
use crate::table::files::{MatViewState, Patch};
use crate::wal::{Error, Files, Result, SegmentId, TxnKind, TxnRecord, read_raw_event};

/// Longest definition that is copied.
const MAX_DEFINITION: u64 = 16 << 20;

/// The files of a view that nothing has been applied to.
///
/// The source's state is not copied: it would say that the view is refreshed to where its rows are not yet.
pub(super) fn definition(source: &dyn Files, dir: &str) -> Result<Vec<Patch>> {
    let definition = source.read_all(&format!("{dir}/_mv"), MAX_DEFINITION)?;
    let (_, state) = MatViewState::default().first();
    let patch = |file: &str, bytes: Vec<u8>| Patch { file: file.into(), offset: 0, bytes };
    Ok(vec![patch("_mv", definition.to_vec()), patch("_mv.s", state)])
}

impl FileTable {
    /// Takes over what a transaction of the view's log says of its state. Called after the transaction is published:
    /// a view that is refreshed once too often is right, one that is refreshed too seldom is not.
    ///
    /// # Errors
    /// What reading the log or writing the file answers.
    pub(super) fn note_view_state(&mut self, log: &dyn Files, record: &TxnRecord) -> Result<()> {
        let TxnKind::Wal { wal, segment, segment_txn } = record.kind else { return Ok(()) };
        let raw = read_raw_event(log, &self.token.dir, SegmentId { wal, segment }, segment_txn)?;
        let event = raw.decode(segment_txn)?;
        let path = format!("{}/_mv.s", self.token.dir);
        let reader = super::disk::DiskReader(&*self.disk);
        let mut state = match reader.read_all(&path, MAX_DEFINITION) {
            Ok(bytes) => MatViewState::decode(&path, &bytes)?.1,
            Err(Error::Absent { .. }) => MatViewState::default(),
            Err(error) => return Err(error),
        };
        if state.apply(&raw, &event)? {
            let (_, content) = state.first();
            replace_file(&*self.disk, &path, &content, self.syncs())?;
        }
        self.log.hide_last(&*self.disk, self.syncs())
    }
}
