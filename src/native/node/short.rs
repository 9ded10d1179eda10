//! Whether a former primary's own log still has all that it has uploaded. It may not: an older copy of the directory was put
//! back, or power failed without `cairo.commit.mode=sync`. Going on behind such a log would number other rows as the history
//! numbers those that are gone.

use crate::native::disk::DiskFiles;
use crate::native::outcome::{Failure, Result};
use crate::node::Held;
use crate::wal::{Applied, OWN_TABLE_IDS, Registry, SequencerLog};
use std::collections::BTreeMap;
use std::path::Path;

/// Fails if what a former primary's tables and logs hold does not fit together, or if it is less than what the history holds:
/// asked before it goes on.
///
/// # Errors
/// The first such table, with what to do.
pub(super) fn can_go_on(db: &Path, history: &Held) -> Result<()> {
    let files = open(db)?;
    let registry = registry(&files)?;
    reaches(&files, &registry, history)?;
    for token in registry.tables.iter().filter(|token| token.is_shared() && !token.dropped) {
        let (Ok(log), Ok(applied)) =
            (SequencerLog::open(&files, &token.dir), Applied::read(&files, &token.dir))
        else {
            continue;
        };
        if applied.seq_txn > log.max_txn {
            return Err(lost(format_args!(
                "{}: its log ends at transaction {}, and {} is applied",
                token.dir, log.max_txn, applied.seq_txn
            )));
        }
    }
    Ok(())
}

/// Fails if a table of this database ends before the transaction that the history holds of it, or is not there although
/// nobody dropped it.
///
/// # Errors
/// The first such table, with what to do.
pub(super) fn holds_all<'a>(
    db: &Path,
    history: impl IntoIterator<Item = (&'a String, &'a u64)>,
) -> Result<()> {
    let files = open(db)?;
    reaches(&files, &registry(&files)?, history)
}

fn reaches<'a>(
    files: &DiskFiles,
    registry: &Registry,
    history: impl IntoIterator<Item = (&'a String, &'a u64)>,
) -> Result<()> {
    let registered: BTreeMap<&str, bool> =
        registry.tables.iter().map(|token| (token.dir.as_str(), token.dropped)).collect();
    for (dir, last) in history {
        let dropped = registered.get(dir.as_str()).copied();
        if is_kept_elsewhere(dir) || dropped == Some(true) {
            continue;
        }
        // A new table of that name would begin another log in its place.
        if dropped.is_none() {
            return Err(lost(format_args!(
                "{dir}: the registry of tables does not have it, and this node has uploaded up to {last}"
            )));
        }
        let there = match SequencerLog::open(files, dir) {
            Ok(log) => log.max_txn,
            Err(crate::wal::Error::Absent { .. }) => 0,
            Err(error) => return Err(error.into()),
        };
        if there < *last {
            return Err(lost(format_args!(
                "{dir}: its log ends at transaction {there}, and this node has uploaded up to {last}"
            )));
        }
    }
    Ok(())
}

fn lost(what: std::fmt::Arguments<'_>) -> Failure {
    Failure::failed(format!("{what}: an older copy of the directory, or the disk lost what was written"))
        .advise("move the directory away and begin with an empty one, as a replica")
}

fn open(db: &Path) -> Result<DiskFiles> {
    DiskFiles::open(db).map_err(|error| Failure::failed(format!("{}: {error}", db.display())))
}

fn registry(files: &DiskFiles) -> Result<Registry> {
    match Registry::read(files) {
        Ok(registry) => Ok(registry),
        Err(crate::wal::Error::Absent { .. }) => Ok(Registry::default()),
        Err(error) => Err(error.into()),
    }
}

/// Tables of ours that a primary keeps outside of its database.
fn is_kept_elsewhere(dir: &str) -> bool {
    let id = dir.rsplit_once('~').and_then(|(_, id)| id.parse::<i32>().ok());
    id.is_some_and(|id| id >= OWN_TABLE_IDS)
}

#[cfg(test)]
mod tests {
    use super::holds_all;
    use crate::node::Held;
    use crate::table::files::{LogWriter, encode_registry};
    use crate::wal::{LogVersion, TableKind, TableToken};

    #[test]
    fn a_log_that_lost_its_end_is_not_gone_on_with() {
        let db = tempfile::tempdir().unwrap();
        let (_, header) = LogWriter::create(LogVersion::V1, 0);
        let path = db.path().join("t~1").join(&header.file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &header.bytes).unwrap();
        let held = |dir: &str, last| Held::from([(dir.to_owned(), last)]);
        // Its log is there, and nobody would find it.
        let unknown = holds_all(db.path(), &held("t~1", 0)).unwrap_err();
        assert!(unknown.message.starts_with("t~1: the registry"), "{}", unknown.message);
        let token =
            TableToken { name: "t".into(), dir: "t~1".into(), id: 1, kind: TableKind::Wal, dropped: false };
        std::fs::write(db.path().join("tables.d.0"), encode_registry(&[token])).unwrap();
        holds_all(db.path(), &held("t~1", 0)).unwrap();
        let short = holds_all(db.path(), &held("t~1", 3)).unwrap_err();
        assert!(
            short
                .message
                .starts_with("t~1: its log ends at transaction 0, and this node has uploaded up to 3")
        );
        assert!(short.advice.is_some_and(|advice| advice.contains("empty one")));
        let absent = holds_all(db.path(), &held("gone~2", 1)).unwrap_err();
        assert!(absent.message.starts_with("gone~2: "));
        holds_all(db.path(), &held("understudy_policies~1073741824", 9)).unwrap();
    }
}
