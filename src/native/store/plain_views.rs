//! Views: a definition and no rows. Their few files are taken over as the source has applied them.

use super::disk::{Disk, DiskReader};
use super::log::replace_file;
use crate::table::files::check_dir_name;
use crate::wal::{Applied, Error, Files, Result, SequencerLog, TableToken};
use bytes::Bytes;

/// The files of a view, below its folder, in the order in which they are written: `_txn` and the log, which have to agree,
/// one right after the other.
const FILES: [&str; 13] = [
    "_name",
    "_view",
    "_meta",
    "_cv",
    "_todo_",
    "txn_seq/_meta.0",
    "txn_seq/_meta",
    "txn_seq/_view",
    "txn_seq/_txnlog.meta.d",
    "txn_seq/_txnlog.meta.i",
    "txn_seq/_wal_index.d",
    "_txn",
    "txn_seq/_txnlog",
];
/// Longest of these files that is taken over.
const MAX_FILE: u64 = 16 << 20;

/// Takes a view over, unless the directory has it as it is; answers whether the directory has one now. Nothing is done while
/// the server is about to change it.
///
/// The records of its log point at events that are not there, and not needed: all of them are applied.
///
/// # Errors
/// What reading and writing answer.
pub(super) fn take_over(disk: &dyn Disk, source: &dyn Files, token: &TableToken, sync: bool) -> Result<bool> {
    let dir = &token.dir;
    check_dir_name(dir)?;
    let (theirs, ours) = (state(source, dir)?, state(&DiskReader(disk), dir));
    if ours.as_ref() == Ok(&theirs) {
        return Ok(true);
    }
    let Some((_, contents)) = view_files(source, dir)? else { return Ok(ours.is_ok()) };
    disk.create_dir(&format!("{dir}/txn_seq"))?;
    for (file, content) in contents {
        replace_file(disk, &format!("{dir}/{file}"), &content, sync)?;
    }
    if sync {
        disk.sync_dir("")?;
    }
    Ok(true)
}

/// A view's last transaction, and its files by name.
pub(crate) type ViewFiles = (u64, Vec<(&'static str, Bytes)>);

/// A view's last transaction, and its files by name; `None` while the server is about to change them.
///
/// # Errors
/// What reading answers.
pub(crate) fn view_files(source: &dyn Files, dir: &str) -> Result<Option<ViewFiles>> {
    let before = state(source, dir)?;
    let (applied, sequenced) = before;
    if applied != sequenced {
        return Ok(None);
    }
    let mut contents: Vec<(&str, Bytes)> = Vec::new();
    for file in FILES {
        match source.read_all(&format!("{dir}/{file}"), MAX_FILE) {
            Ok(content) => contents.push((file, content)),
            Err(Error::Absent { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok((state(source, dir)? == before).then_some((applied, contents)))
}

/// The last transaction that is applied, and the last one of the log.
fn state(files: &dyn Files, dir: &str) -> Result<(u64, u64)> {
    let log = SequencerLog::open(files, dir)?;
    Ok((Applied::read(files, dir)?.seq_txn, log.max_txn))
}
