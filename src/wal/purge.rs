use super::cursor::Gather;
use super::ordered::gathered;
use super::{
    Applied, Error, Files, REPLICA_MARK, Result, SegmentId, SequencerLog, TxnKind, TxnRecord, is_replicas_own,
};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

/// Which transactions of a table can still be read, and why the others can't.
///
/// QuestDB deletes a segment soon after all of its transactions are applied
/// (`cairo.wal.purge.interval`, 30 s unless set): that is the ordinary case. A segment that is
/// missing although the table still needs it is damage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Survey {
    /// Last transaction of the log.
    pub max_txn: u64,
    /// Last transaction that QuestDB had applied; `None` without a `_txn` file.
    pub applied: Option<u64>,
    /// First transaction whose record exists: above 1 when parts of a V2 log were deleted.
    pub first_record: u64,
    /// From here on nothing is purged; `max_txn + 1` if nothing can be read.
    pub first_readable: u64,
    /// Transactions whose rows or statements QuestDB deleted after applying them. Structural changes
    /// between them stay readable and don't cut a range.
    pub purged: Vec<RangeInclusive<u64>>,
    /// Transactions whose segment is gone although QuestDB had not applied them.
    pub missing: Vec<RangeInclusive<u64>>,
    /// The log ends with the drop of the table.
    pub dropped: bool,
}

/// Why a transaction could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// QuestDB deleted it after it was applied: ordinary.
    Purged,
    /// The files contradict the log.
    Damage,
}

impl Survey {
    /// Looks at which segments of the whole log exist.
    ///
    /// Asks for all that it can before it answers [`Error::Pending`].
    pub fn read(files: &dyn Files, log: &SequencerLog) -> Result<Self> {
        let first_record = log.first_record(files)?;
        let mut gather = Gather::default();
        let applied = gather.add(applied_txn(files, log.table_dir()))?;
        let records = gather.add(log.records(files, first_record..=log.max_txn))?;
        let (Some(applied), Some(records)) = (applied, records) else { return Err(Error::Pending) };
        Self::of_records(files, log, applied, first_record, &records)
    }

    /// As [`read`](Self::read), with the records from `first_record` on and the applied transaction
    /// at hand.
    pub fn of_records(
        files: &dyn Files,
        log: &SequencerLog,
        applied: Option<u64>,
        first_record: u64,
        records: &[TxnRecord],
    ) -> Result<Self> {
        let (present, own) = present_segments(files, log.table_dir(), records)?;
        let dropped = records.last().is_some_and(|record| record.kind == TxnKind::Drop);
        let absent = |record: &TxnRecord| {
            record.segment().is_some_and(|(id, _)| {
                // What a replica's own records stand for is in the table's files, as if the rest was purged.
                let stands_for_rows = own.contains(&id.wal) && applied >= Some(record.seq_txn);
                stands_for_rows || present.get(&id) == Some(&false)
            })
        };
        let is_gone: Vec<bool> = records.iter().map(absent).collect();
        // Without `_txn`, only what is gone from the beginning can be told to be purged.
        let leading =
            is_gone.iter().zip(records).take_while(|(gone, r)| **gone || r.segment().is_none()).count();
        let applied_or_leading = match applied {
            _ if dropped => log.max_txn,
            Some(applied) => applied,
            None => first_record + leading as u64 - 1,
        };
        let (mut purged, mut missing) = (Ranges::default(), Ranges::default());
        if first_record > 1 {
            purged.add_range(1, first_record - 1);
        }
        for (record, gone) in records.iter().zip(is_gone) {
            match record.segment() {
                None => {}
                Some(_) if !gone => (purged.open, missing.open) = (false, false),
                Some(_) if record.seq_txn <= applied_or_leading => {
                    purged.add_range(record.seq_txn, record.seq_txn)
                }
                Some(_) => missing.add_range(record.seq_txn, record.seq_txn),
            }
        }
        let last_gone =
            [&purged, &missing].iter().filter_map(|r| r.ranges.last().map(|last| *last.end())).max();
        Ok(Self {
            max_txn: log.max_txn,
            applied,
            first_record,
            first_readable: last_gone.map_or(1, |last| last + 1),
            purged: purged.ranges,
            missing: missing.ranges,
            dropped,
        })
    }

    /// True if the whole history can be read.
    pub fn is_complete(&self) -> bool {
        self.purged.is_empty() && self.missing.is_empty()
    }

    /// Number of transactions that were purged.
    pub fn purged_count(&self) -> u64 {
        self.purged.iter().map(|range| range.end() - range.start() + 1).sum()
    }

    /// Why reading this transaction failed with `error`.
    ///
    /// QuestDB deletes a segment's files one by one, so that any of them can be the missing one.
    pub fn cause(&self, seq_txn: u64, error: &Error) -> Cause {
        let applied = self.dropped || self.applied.is_some_and(|applied| seq_txn <= applied);
        let purged = self.purged.iter().any(|range| range.contains(&seq_txn));
        match error {
            Error::Absent { .. } if applied || purged => Cause::Purged,
            _ => Cause::Damage,
        }
    }
}

#[derive(Default)]
struct Ranges {
    ranges: Vec<RangeInclusive<u64>>,
    /// The last range can grow: nothing readable came after it.
    open: bool,
}

impl Ranges {
    fn add_range(&mut self, from: u64, to: u64) {
        match self.ranges.last_mut() {
            Some(last) if self.open => *last = *last.start()..=to,
            _ => self.ranges.push(from..=to),
        }
        self.open = true;
    }
}

fn applied_txn(files: &dyn Files, table_dir: &str) -> Result<Option<u64>> {
    match Applied::read(files, table_dir) {
        Ok(applied) => Ok(Some(applied.seq_txn)),
        Err(Error::Pending) => Err(Error::Pending),
        // A damaged `_txn` is not this function's finding: `verify` reports it.
        Err(_) => Ok(None),
    }
}

/// Whether each segment that the records name exists, and the WALs among them that a replica made; one listing per
/// table where the driver can list, one question per segment and WAL where it can't.
fn present_segments(
    files: &dyn Files,
    table_dir: &str,
    records: &[TxnRecord],
) -> Result<(BTreeMap<SegmentId, bool>, BTreeSet<u32>)> {
    let ids: BTreeSet<SegmentId> = gathered(records.iter().filter_map(|record| Some(record.segment()?.0)));
    let wals: BTreeSet<u32> = gathered(ids.iter().map(|id| id.wal));
    let mut gather = Gather::default();
    // `None`: can't list, so ask for each segment.
    let mut listed: BTreeMap<u32, Option<BTreeSet<String>>> = BTreeMap::new();
    if let Some(Some(names)) = gather.add(files.list(table_dir))? {
        for &wal in &wals {
            let dir = format!("wal{wal}");
            let segments = match names.contains(&dir) {
                true => gather.add(files.list(&format!("{table_dir}/{dir}")))?.flatten(),
                false => Some(Vec::new()),
            };
            listed.insert(wal, segments.map(gathered));
        }
    }
    let mut out = BTreeMap::new();
    for id in ids {
        let in_list = match listed.get(&id.wal) {
            Some(Some(segments)) => segments.contains(&id.segment.to_string()),
            _ => true,
        };
        let exists = if in_list { gather.add(id.exists(files, table_dir))? } else { Some(false) };
        out.insert(id, exists.unwrap_or(false));
    }
    let mut own = BTreeSet::new();
    for wal in wals {
        let is_own = match listed.get(&wal) {
            Some(Some(names)) => names.contains(REPLICA_MARK),
            _ => gather.add(is_replicas_own(files, table_dir, wal))? == Some(true),
        };
        if is_own {
            own.insert(wal);
        }
    }
    gather.done()?;
    Ok((out, own))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wal::MemoryFiles;

    /// A V1 log whose transactions are in these segments of wal1; `None` is a structural change.
    fn log(segments: &[Option<i32>], dropped: bool) -> Vec<u8> {
        let mut out = 0i32.to_le_bytes().to_vec();
        out.extend((segments.len() as i64 + i64::from(dropped)).to_le_bytes());
        out.resize(76, 0);
        for segment in segments {
            out.extend(1i64.to_le_bytes());
            for n in [segment.map_or(-1, |_| 1), segment.unwrap_or(-1), segment.map_or(-1, |_| 0)] {
                out.extend(n.to_le_bytes());
            }
            out.extend(0i64.to_le_bytes());
        }
        if dropped {
            out.extend(1i64.to_le_bytes());
            out.extend((-2i32).to_le_bytes());
            out.extend([0; 16]);
        }
        out
    }

    fn survey(segments: &[Option<i32>], dropped: bool, present: &[i32], applied: Option<i64>) -> Survey {
        let mut files = MemoryFiles::default();
        files.insert("t/txn_seq/_txnlog", log(segments, dropped));
        for segment in present {
            files.insert(format!("t/wal1/{segment}/_event"), vec![0; 8]);
        }
        if let Some(applied) = applied {
            let mut txn = vec![0; 64 + 136];
            txn[8] = 64;
            txn[64 + 80..64 + 88].copy_from_slice(&applied.to_le_bytes());
            files.insert("t/_txn", txn);
        }
        Survey::read(&files, &SequencerLog::open(&files, "t").unwrap()).unwrap()
    }

    #[test]
    fn a_purged_beginning_is_ordinary() {
        let segments = [Some(0), Some(0), None, Some(1), Some(2), None];
        let found = survey(&segments, false, &[2], Some(5));
        assert_eq!(found.purged, [1..=4]);
        assert_eq!(found.missing, []);
        assert_eq!((found.first_readable, found.purged_count()), (5, 4));
        let absent = Error::Absent { file: "x".into() };
        assert_eq!(found.cause(2, &absent), Cause::Purged);
        assert_eq!(found.cause(6, &absent), Cause::Damage);
        assert_eq!(found.cause(2, &Error::damaged("x", 0, "a", "b")), Cause::Damage);
    }

    #[test]
    fn what_is_not_applied_must_be_there() {
        let found = survey(&[Some(0), Some(1), Some(2)], false, &[2], Some(1));
        assert_eq!((found.purged, found.missing), (vec![1..=1], vec![2..=2]));
        assert_eq!(found.first_readable, 3);
        assert!(survey(&[Some(0), None], false, &[0], Some(0)).is_complete());
    }

    #[test]
    fn all_of_a_dropped_table_may_be_purged() {
        let found = survey(&[Some(0), Some(1)], true, &[], Some(0));
        assert_eq!((found.purged.clone(), found.missing.len()), (vec![1..=2], 0));
        assert!(found.dropped);
    }

    #[test]
    fn without_the_applied_table_only_a_beginning_counts_as_purged() {
        let found = survey(&[Some(0), None, Some(1), Some(2), Some(3)], false, &[2], None);
        assert_eq!((found.purged, found.missing), (vec![1..=3], vec![5..=5]));
    }

    #[test]
    fn ranges_are_cut_by_what_is_readable() {
        let found = survey(&[Some(0), Some(1), None, Some(2)], false, &[1], Some(4));
        assert_eq!(found.purged, [1..=1, 4..=4]);
    }
}
