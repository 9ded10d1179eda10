//! Views: a definition and no rows. Their few files are taken over as the source has applied them.

use super::disk::Disk;
use super::log::replace_file;
use crate::table::files::check_dir_name;
use crate::wal::{Applied, Error, Files, Result, SequencerLog, TableToken};
use bytes::Bytes;

/// The files of a view, below its folder. The log that records are appended to goes last: until `_txn` is there, too,
/// the folder is no table's.
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

/// Takes a view over; answers the transaction that it is at, or `None` while the server is about to change it. `have` is
/// the one that the directory has: nothing is written where that is the same.
///
/// The records of its log point at events that are not there, and not needed: all of them are applied.
///
/// # Errors
/// What reading and writing answer.
pub(super) fn take_over(
    disk: &dyn Disk,
    source: &dyn Files,
    token: &TableToken,
    have: Option<u64>,
    sync: bool,
) -> Result<Option<u64>> {
    let dir = &token.dir;
    check_dir_name(dir)?;
    let state = || -> Result<(u64, u64)> {
        let log = SequencerLog::open(source, dir)?;
        Ok((Applied::read(source, dir)?.seq_txn, log.max_txn))
    };
    let (applied, sequenced) = state()?;
    if applied != sequenced || have == Some(applied) {
        return Ok(have);
    }
    let mut contents: Vec<(&str, Bytes)> = Vec::new();
    for file in FILES {
        match source.read_all(&format!("{dir}/{file}"), MAX_FILE) {
            Ok(content) => contents.push((file, content)),
            Err(Error::Absent { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    if state()? != (applied, sequenced) {
        return Ok(have);
    }
    disk.create_dir(&format!("{dir}/txn_seq"))?;
    for (file, content) in contents {
        replace_file(disk, &format!("{dir}/{file}"), &content, sync)?;
    }
    if sync {
        disk.sync_dir("")?;
    }
    Ok(Some(applied))
}
