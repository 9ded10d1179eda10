//! Taking up tables that are there.

use super::Write;
use super::table::{Place, TableWriter};
use crate::ledger::Token;
use crate::table::files::{ChangeLog, LogWriter, encode_sequencer_meta, read_wal_index};
use crate::wal::{Error, Files, Result, SequencerLog, SequencerMeta, TableToken};

/// The writer of a table as its log has it, and what is to be written before anything else.
///
/// # Errors
/// What reading its log answers.
pub(super) fn take_up(files: &dyn Files, token: &TableToken) -> Result<(TableWriter, Option<Write>)> {
    let dir = &token.dir;
    let log = SequencerLog::open(files, dir)?;
    let mut meta = SequencerMeta::of_table(files, dir)?;
    let newest = match log.max_txn {
        0 => None,
        last => log.records(files, last..=last)?.pop(),
    };
    let last = newest.as_ref().map_or(0, |record| record.structure_version);
    // A counter that a loss of power took back still is behind no WAL of which there is a record.
    let newest_wal = newest.and_then(|record| record.segment()).map_or(0, |(segment, _)| segment.wal);
    let mut repair = None;
    if meta.structure_version == last + 1 {
        // A column that a writer was about to add when it was ended: the log does not know of it.
        meta.columns.pop();
        meta.structure_version = last;
        if let Some(order) = &mut meta.read_order {
            order.pop();
        }
        let bytes = encode_sequencer_meta(&meta).into();
        repair = Some(Write { dir: dir.as_str().into(), file: "txn_seq/_meta".into(), offset: 0, bytes });
    } else if meta.structure_version != last && log.max_txn > 0 {
        let file = format!("{dir}/txn_seq/_meta");
        return Err(Error::damaged(
            &file,
            8,
            format_args!("structure version {last}"),
            meta.structure_version,
        ));
    }
    let version = u64::try_from(meta.structure_version).unwrap_or(0);
    let place = Place {
        log: LogWriter::of(&log),
        version: log.version,
        changes: ChangeLog::open(files, dir, version)?,
        last_wal: last_wal(files, dir)?.max(newest_wal),
    };
    let token = Token { dir: dir.clone(), id: token.id, name: token.name.clone(), kind: token.kind };
    Ok((TableWriter::new(token, meta, place), repair))
}

/// The largest number that a WAL of the table has, or had.
fn last_wal(files: &dyn Files, dir: &str) -> Result<u32> {
    let counted = read_wal_index(files, dir)?;
    let names = files.list(dir)?.unwrap_or_default();
    let there = names.iter().filter_map(|name| name.strip_prefix("wal")?.parse::<u32>().ok()).max();
    Ok(counted.max(there.unwrap_or(0)))
}
