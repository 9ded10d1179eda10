//! What a former primary has and the history has not (rule W6): kept under `divergent/` in its directory with a report, then
//! the tables are taken back.
//!
//! The files are linked, not copied, so that it costs no room while the tables are still there, and a process that dies in
//! between does it again. Tables are taken back by removing them all: the node begins anew with the newest snapshot.

use crate::ledger::{ClusterId, Divergent, DivergentTable, Document, Place};
use crate::native::bucket::Bucket;
use crate::native::cluster::now_us;
use crate::native::disk::DiskFiles;
use crate::native::outcome::{Failure, Result};
use crate::native::ship::{count_rows, put_divergent};
use crate::node::Held;
use crate::node::divergent::{Own, beyond};
use crate::wal::{Registry, SequencerLog, TableKind};
use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// The folder in a node's directory.
const FOLDER: &str = "divergent";
const REPORT: &str = "report.json";
/// There while tables are being removed.
const REWINDING: &str = "rewinding";
/// What stays of a `db` folder whose tables go: the lock and who holds it.
const STAYS: &[&str] = &["tables.d.lock", "_understudy.holder.json"];

/// What a node has of its own.
#[derive(Debug)]
pub(super) struct Aside {
    /// The report.
    pub(super) report: Divergent,
    /// Where the files are.
    pub(super) folder: PathBuf,
}

/// The tables of a directory, with the last transaction in the log of each.
///
/// # Errors
/// When the directory can't be read.
pub(super) fn own_tables(db: &Path) -> Result<BTreeMap<String, Own>> {
    let failed = |error: std::io::Error| Failure::failed(format!("{}: {error}", db.display()));
    let files = DiskFiles::open(db).map_err(failed)?;
    let registry = match Registry::read(&files) {
        Ok(registry) => registry,
        Err(crate::wal::Error::Absent { .. }) => return Ok(BTreeMap::new()),
        Err(error) => return Err(error.into()),
    };
    let mut own = BTreeMap::new();
    for token in registry.tables.iter().filter(|token| !token.is_own() && !token.is_system()) {
        if token.dropped || !matches!(token.kind, TableKind::Wal | TableKind::MatView) {
            continue;
        }
        let log = SequencerLog::open(&files, &token.dir)?;
        own.insert(
            token.dir.clone(),
            Own { name: token.name.clone(), last: log.max_txn, dropped: token.dropped },
        );
    }
    Ok(own)
}

/// Keeps what the tables of `dir` hold beyond `held`; `None` if that is nothing.
///
/// # Errors
/// When it can't be kept: then nothing is removed.
pub(super) fn set_aside(
    dir: &Path,
    (cluster, name): (ClusterId, &str),
    sealed: Place,
    held: &Held,
) -> Result<Option<Aside>> {
    let db = dir.join("db");
    let mut lost = beyond(&own_tables(&db)?, held);
    if lost.is_empty() {
        return Ok(None);
    }
    count(&db, &mut lost)?;
    let folder = dir.join(FOLDER).join(format!("{}-{}", sealed.dir, sealed.n));
    let failed = |error: std::io::Error| Failure::failed(format!("{}: {error}", folder.display()));
    fs::create_dir_all(&folder).map_err(failed)?;
    for table in &lost {
        link_tree(&db.join(&table.directory), &folder.join(&table.directory)).map_err(failed)?;
    }
    // With the registry, any program that reads a QuestDB directory reads this one.
    for entry in fs::read_dir(&db).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name();
        if name.to_string_lossy().starts_with("tables.d.") && name != "tables.d.lock" {
            fs::copy(entry.path(), folder.join(&name)).map_err(failed)?;
        }
    }
    let database = folder.display().to_string();
    let report = Divergent::new(cluster, sealed, name, &database, now_us(), lost);
    let bytes = report.to_bytes().map_err(|error| Failure::failed(error.to_string()))?;
    fs::write(folder.join(REPORT), &bytes).map_err(failed)?;
    Ok(Some(Aside { report, folder }))
}

/// Tells of it in the bucket, too.
pub(super) async fn publish(bucket: &Bucket, aside: &Aside) -> Result<String> {
    put_divergent(bucket, aside.report.directory, &aside.report).await.map(|key| key.to_string())
}

/// The reports in a node's directory, by folder.
///
/// # Errors
/// When one can't be read.
pub fn divergent_in(dir: &Path) -> Result<Vec<(PathBuf, Divergent)>> {
    let folder = dir.join(FOLDER);
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Failure::failed(format!("{}: {error}", folder.display()))),
    };
    let mut reports = Vec::new();
    for entry in entries {
        let path = entry.map_err(|error| Failure::failed(format!("{}: {error}", folder.display())))?.path();
        let file = path.join(REPORT);
        // One without a report was never finished.
        let Ok(bytes) = fs::read(&file) else { continue };
        let report =
            Divergent::read(file.display(), &bytes).map_err(|error| Failure::failed(error.to_string()))?;
        reports.push((path, report));
    }
    reports.sort_by_key(|(_, report)| (report.directory.term, report.n));
    Ok(reports)
}

/// Removes all tables. What is begun is ended at the next start, if need be.
///
/// # Errors
/// What the disk answers.
pub(super) fn rewind(dir: &Path) -> Result<()> {
    let state = dir.join("understudy");
    let marker = state.join(REWINDING);
    let failed = |error: std::io::Error| Failure::failed(format!("{}: {error}", dir.display()));
    fs::File::create(&marker).and_then(|file| file.sync_all()).map_err(failed)?;
    finish_rewinding(dir)
}

/// Ends what [`rewind`] began; answers whether it had begun.
///
/// # Errors
/// What the disk answers.
pub(super) fn is_rewinding(dir: &Path) -> Result<bool> {
    let there = dir.join("understudy").join(REWINDING).exists();
    if there {
        finish_rewinding(dir)?;
    }
    Ok(there)
}

fn finish_rewinding(dir: &Path) -> Result<()> {
    let (db, state) = (dir.join("db"), dir.join("understudy"));
    let failed = |error: std::io::Error| Failure::failed(format!("{}: {error}", dir.display()));
    for entry in fs::read_dir(&db).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if STAYS.iter().any(|stays| entry.file_name() == *stays) {
            continue;
        }
        let removed = match entry.file_type().map_err(failed)?.is_dir() {
            true => fs::remove_dir_all(entry.path()),
            false => fs::remove_file(entry.path()),
        };
        removed.map_err(failed)?;
    }
    for gone in [state.join("place.json"), state.join(REWINDING)] {
        match fs::remove_file(&gone) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
    }
    Ok(())
}

/// Rows, and when they were committed, as far as the log still tells.
fn count(db: &Path, lost: &mut [DivergentTable]) -> Result<()> {
    let files = DiskFiles::open(db).map_err(|error| Failure::failed(format!("{}: {error}", db.display())))?;
    for table in lost {
        if let Some((rows, committed_us)) = count_rows(&files, &table.directory, table.first, table.last) {
            (table.rows, table.committed_us) = (rows, Some(committed_us));
        }
    }
    Ok(())
}

fn link_tree(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            link_tree(&entry.path(), &target)?;
            continue;
        }
        match fs::hard_link(entry.path(), &target) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            // Not every file system has links.
            Err(_) => drop(fs::copy(entry.path(), &target)?),
            Ok(()) => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_begun_is_ended_at_the_next_start() {
        let dir = tempfile::tempdir().unwrap();
        let (db, state) = (dir.path().join("db"), dir.path().join("understudy"));
        fs::create_dir_all(db.join("t~1/wal1")).unwrap();
        fs::create_dir_all(&state).unwrap();
        fs::write(db.join("tables.d.0"), "").unwrap();
        fs::write(db.join("tables.d.lock"), "").unwrap();
        fs::write(state.join("place.json"), "{}").unwrap();
        assert!(!is_rewinding(dir.path()).unwrap());
        assert!(db.join("t~1").exists());
        // A process that died right after it had begun.
        fs::write(state.join(REWINDING), "").unwrap();
        assert!(is_rewinding(dir.path()).unwrap());
        assert!(!db.join("t~1").exists() && !db.join("tables.d.0").exists());
        assert!(!state.join("place.json").exists() && db.join("tables.d.lock").exists());
        assert!(!is_rewinding(dir.path()).unwrap());
    }

    #[test]
    fn linked_files_outlive_those_they_came_from() {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("a"), dir.path().join("b"));
        fs::create_dir_all(from.join("x")).unwrap();
        fs::write(from.join("x/f"), "rows").unwrap();
        link_tree(&from, &to).unwrap();
        link_tree(&from, &to).unwrap();
        fs::remove_dir_all(&from).unwrap();
        assert_eq!(fs::read(to.join("x/f")).unwrap(), b"rows");
    }
}
