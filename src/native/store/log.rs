//! The sequencer's side of a table that we write: its log always reaches at least as far as `_txn`.
//!
//! A log that is behind `_txn` would make QuestDB lose the next writes without a word. So records are published
//! first, and until `_txn` follows each of them is one that QuestDB can apply: a structural change with its entry, or
//! a commit without rows in a segment of our own.

use super::disk::{Disk, DiskReader, Open};
use super::table::write_patches;
use crate::table::files::{
    ChangeLog, LogRecord, LogWriter, Patch, TxnState, column_structure_version, empty_segment,
    encode_sequencer_meta, encode_wal_index, read_wal_index,
};
use crate::wal::{
    Error, Files, LogVersion, MetaColumn, REPLICA_MARK, Result, SegmentId, SequencerLog, SequencerMeta,
    TableMeta, TxnKind, TxnRecord, is_replicas_own, read_raw_change,
};

/// The sequencer's folder.
const SEQUENCER: &str = "txn_seq";
/// Where the sequencer's folder is made anew, to take the place of the present one in one step.
const NEXT: &str = "_understudy.seq";

/// Appends to `txn_seq`.
#[derive(Debug)]
pub(super) struct Log {
    dir: String,
    writer: LogWriter,
    changes: ChangeLog,
    /// Where records point at; made when first needed.
    segment: Option<OwnSegment>,
    /// Another writer's: the transactions that are applied come from it, and nothing is written to it.
    given: bool,
    /// What `_wal_index.d` says, once it was read.
    last_wal: Option<u32>,
}

/// A segment of events without rows.
#[derive(Debug, Clone, Copy)]
struct OwnSegment {
    id: SegmentId,
    /// The structure version that it is for.
    version: i64,
    /// Its events: no more records can be ahead of `_txn` than there are.
    events: u32,
}

/// Events that a segment has at least.
const EVENTS: u32 = 8;

impl Log {
    /// The files of a new table's log, written.
    pub(super) fn create(
        disk: &dyn Disk,
        dir: &str,
        meta: &TableMeta,
        version: LogVersion,
        created_us: i64,
        sync: bool,
    ) -> Result<Self> {
        disk.create_dir(&format!("{dir}/txn_seq"))?;
        if version != LogVersion::V1 {
            disk.create_dir(&format!("{dir}/txn_seq/_txn_parts"))?;
        }
        let (writer, head) = LogWriter::create(version, created_us);
        let (changes, files) = ChangeLog::create(0);
        let meta = sequencer_meta(meta, 0);
        let mut patches =
            vec![Patch { file: "txn_seq/_meta".into(), offset: 0, bytes: encode_sequencer_meta(&meta) }];
        patches.push(Patch { file: "txn_seq/_wal_index.d".into(), offset: 0, bytes: encode_wal_index(0) });
        patches.extend(files);
        patches.push(head);
        write_patches(disk, dir, &patches, sync)?;
        if sync {
            disk.sync_dir(&format!("{dir}/txn_seq"))?;
        }
        Ok(Self { dir: dir.to_owned(), writer, changes, segment: None, given: false, last_wal: Some(0) })
    }

    /// A log as another directory has it, up to transaction `seq_txn`, written.
    ///
    /// What its records point at is not there, and not needed: all of them are applied.
    pub(super) fn copy(
        disk: &dyn Disk,
        source: &dyn Files,
        dir: &str,
        meta: &TableMeta,
        (structure_version, seq_txn): (i64, u64),
        sync: bool,
    ) -> Result<Self> {
        let of = SequencerLog::open(source, dir)?;
        let mut log = Self::create(disk, dir, meta, of.version, of.created_us, sync)?;
        for version in 1..=structure_version {
            let raw = read_raw_change(source, dir, version)?;
            let (changes, patches) = log.changes.append(&raw);
            write_patches(disk, dir, &patches, sync)?;
            log.changes = changes;
        }
        log.write_meta(disk, SEQUENCER, meta, structure_version, sync)?;
        let mut first = of.first_record(source)?.max(1);
        log.writer = log.writer.at(first - 1);
        // Its writers may have had more than its records still tell of.
        let mut last_wal = read_wal_index(source, dir).unwrap_or(0);
        while first <= seq_txn {
            let records = of.records(source, first..=seq_txn.min(first + 65_535))?;
            if records.is_empty() {
                break;
            }
            last_wal = records.iter().filter_map(|r| Some(r.segment()?.0.wal)).fold(last_wal, u32::max);
            first += records.len() as u64;
            let records: Vec<LogRecord> = records.iter().map(LogRecord::copy_of).collect();
            log.publish(disk, &records, sync)?;
        }
        log.count_wal(disk, last_wal, sync)?;
        Ok(log)
    }

    /// Takes up what is there, as of the state that `_txn` has.
    pub(super) fn open(disk: &dyn Disk, dir: &str, txn: &TxnState) -> Result<Self> {
        let files = DiskReader(disk);
        let log = SequencerLog::open(&files, dir)?;
        if log.max_txn < txn.seq_txn {
            let expected = format_args!("{} transactions or more, as in _txn", txn.seq_txn);
            return Err(Error::damaged(&format!("{dir}/txn_seq/_txnlog"), 4, expected, log.max_txn));
        }
        let version = column_structure_version(txn.structure_version);
        let changes = ChangeLog::open(&files, dir, u64::try_from(version).unwrap_or(0))?;
        let (dir, writer) = (dir.to_owned(), LogWriter::of(&log));
        Ok(Self { dir, writer, changes, segment: None, given: false, last_wal: None })
    }

    /// Takes the log for that of the table's own writer, which has rows: it is read, and never written.
    ///
    /// What a replica's own records say behind `_txn` is still set back by [`set_back`](Self::set_back).
    pub(super) fn leave_to_writer(&mut self) {
        self.given = true;
    }

    /// Whether the records behind `_txn` are those of a replica, which have no rows.
    fn is_ahead_of_rows(&self, disk: &dyn Disk, txn: &TxnState) -> Result<bool> {
        if self.writer.max_txn() <= txn.seq_txn {
            return Ok(false);
        }
        let files = DiskReader(disk);
        let next = txn.seq_txn + 1;
        let records = SequencerLog::open(&files, &self.dir)?.records(&files, next..=next)?;
        match records.first().and_then(TxnRecord::segment) {
            Some((segment, _)) => is_replicas_own(&files, &self.dir, segment.wal),
            None => Ok(false),
        }
    }

    /// Sets a log that is ahead of `_txn` back to it: its last transactions were never applied.
    pub(super) fn set_back(
        &mut self,
        disk: &dyn Disk,
        meta: &TableMeta,
        txn: &TxnState,
        sync: bool,
    ) -> Result<()> {
        if self.given && !self.is_ahead_of_rows(disk, txn)? {
            return disk.remove_dir(&format!("{}/{NEXT}", self.dir));
        }
        let version = column_structure_version(txn.structure_version);
        let file = format!("{}/txn_seq/_meta", self.dir);
        let writer = self.writer.at(txn.seq_txn);
        if SequencerMeta::read(&DiskReader(disk), &file).is_ok_and(|meta| meta.structure_version != version) {
            self.change_both(disk, meta, version, &[writer.publish()], sync)?;
        } else if self.writer.max_txn() != txn.seq_txn {
            write_patches(disk, &self.dir, &[writer.publish()], sync)?;
        }
        self.writer = writer;
        disk.remove_dir(&format!("{}/{NEXT}", self.dir))
    }

    /// Publishes transactions of `records`, none of them a structural change: whatever they are, they point at our
    /// commits without rows, each at another one.
    pub(super) fn append(
        &mut self,
        disk: &dyn Disk,
        meta: &TableMeta,
        records: &[TxnRecord],
        sync: bool,
    ) -> Result<()> {
        if self.given {
            return Ok(());
        }
        let Some(version) = records.first().map(|record| record.structure_version) else { return Ok(()) };
        let wals = records.iter().filter_map(|record| Some(record.segment()?.0.wal));
        self.count_wal(disk, wals.max().unwrap_or(0), sync)?;
        let count = u32::try_from(records.len()).unwrap_or(u32::MAX);
        let segment = self.segment(disk, meta, (version, count), sync)?;
        let empty = |(event, record): (u32, &TxnRecord)| match record.kind {
            TxnKind::Drop => LogRecord::copy_of(record),
            _ => LogRecord::empty(record.structure_version, segment, event, record.commit_ts),
        };
        let records: Vec<LogRecord> = (0..).zip(records).map(empty).collect();
        self.publish(disk, &records, sync)
    }

    /// Publishes a commit without rows that no transaction stands behind, for as long as a state without one is published:
    /// [`set_back`](Self::set_back) takes it away again.
    pub(super) fn stand_in(
        &mut self,
        disk: &dyn Disk,
        meta: &TableMeta,
        txn: &TxnState,
        sync: bool,
    ) -> Result<()> {
        if self.given {
            return Ok(());
        }
        let version = column_structure_version(txn.structure_version);
        let segment = self.segment(disk, meta, (version, 1), sync)?;
        self.publish(disk, &[LogRecord::empty(version, segment, 0, 0)], sync)
    }

    /// Has the last record, a commit that is applied, point at what isn't there.
    ///
    /// The server looks for a materialized view's state in the log, from its end on, and takes the view's own file once
    /// an event can't be read. Where all events can be read and none of them is of the kind, it takes defaults.
    pub(super) fn hide_last(&self, disk: &dyn Disk, sync: bool) -> Result<()> {
        if self.given {
            return Ok(());
        }
        let (files, last) = (DiskReader(disk), self.writer.max_txn());
        let records = SequencerLog::open(&files, &self.dir)?.records(&files, last..=last)?;
        let Some((record, (segment, _))) = records.first().and_then(|r| Some((r, r.segment()?))) else {
            return Ok(());
        };
        let nowhere = SegmentId { segment: i32::MAX as u32, ..segment };
        let record = LogRecord::empty(record.structure_version, nowhere, 0, record.commit_ts);
        write_patches(disk, &self.dir, &self.writer.replace_last(record), sync)
    }

    /// Publishes a structural change: `meta` is what the table is then, `raw` the change as the log has it.
    pub(super) fn change(
        &mut self,
        disk: &dyn Disk,
        meta: &TableMeta,
        record: &TxnRecord,
        raw: &[u8],
        sync: bool,
    ) -> Result<()> {
        if self.given {
            return Ok(());
        }
        let (changes, patches) = self.changes.append(raw);
        write_patches(disk, &self.dir, &patches, sync)?;
        let version = record.structure_version;
        let (writer, patches) = self.writer.append(&[LogRecord::structure(version, record.commit_ts, raw)]);
        self.change_both(disk, meta, version, &patches, sync)?;
        self.writer = writer;
        self.changes = changes;
        Ok(())
    }

    /// Changes `_meta` and the log in one step: between the two a server would give new rows a version that the table
    /// never gets to. Where folders can't be exchanged it is two steps, as with the server itself.
    fn change_both(
        &self,
        disk: &dyn Disk,
        meta: &TableMeta,
        version: i64,
        patches: &[Patch],
        sync: bool,
    ) -> Result<()> {
        let (log, parts): (Vec<Patch>, Vec<Patch>) =
            patches.iter().cloned().partition(|patch| patch.file == "txn_seq/_txnlog");
        // Behind the number of transactions, so they don't count yet.
        write_patches(disk, &self.dir, &parts, sync)?;
        let next = format!("{}/{NEXT}", self.dir);
        self.copy_folder(disk, "", sync)?;
        let aside = log.iter().map(|patch| Patch { file: format!("{NEXT}/_txnlog"), ..patch.clone() });
        write_patches(disk, &self.dir, &aside.collect::<Vec<_>>(), sync)?;
        self.write_meta(disk, NEXT, meta, version, sync)?;
        if sync {
            disk.sync_dir(&self.dir)?;
        }
        match disk.exchange(&self.dir, SEQUENCER, NEXT) {
            Err(Error::Unsupported { .. }) => {
                self.write_meta(disk, SEQUENCER, meta, version, sync)?;
                write_patches(disk, &self.dir, &log, sync)?;
            }
            other => other?,
        }
        if sync {
            disk.sync_dir(&self.dir)?;
        }
        disk.remove_dir(&next)
    }

    /// Makes `NEXT` of what `txn_seq` has: links, and a copy of what is about to change.
    fn copy_folder(&self, disk: &dyn Disk, below: &str, sync: bool) -> Result<()> {
        let from = format!("{}/txn_seq{below}", self.dir);
        let to = format!("{}/{NEXT}{below}", self.dir);
        disk.remove_dir(&to)?;
        disk.create_dir(&to)?;
        for name in disk.list(&from)?.unwrap_or_default() {
            let (old, new) = (format!("{from}/{name}"), format!("{to}/{name}"));
            match name.as_str() {
                "_txn_parts" => self.copy_folder(disk, "/_txn_parts", sync)?,
                "_txnlog" if below.is_empty() => copy_file(disk, &old, &new, sync)?,
                _ => disk.link(&old, &new)?,
            }
        }
        if sync { disk.sync_dir(&to) } else { Ok(()) }
    }

    fn publish(&mut self, disk: &dyn Disk, records: &[LogRecord], sync: bool) -> Result<()> {
        let (writer, patches) = self.writer.append(records);
        let Some((publish, records)) = patches.split_last() else { return Ok(()) };
        // The records must be there before the number that makes them count.
        write_patches(disk, &self.dir, records, sync)?;
        let parts = records.iter().any(|patch| patch.file.starts_with("txn_seq/_txn_parts/"));
        if sync && parts {
            disk.sync_dir(&format!("{}/txn_seq/_txn_parts", self.dir))?;
        }
        write_patches(disk, &self.dir, std::slice::from_ref(publish), sync)?;
        self.writer = writer;
        Ok(())
    }

    fn write_meta(
        &self,
        disk: &dyn Disk,
        folder: &str,
        meta: &TableMeta,
        version: i64,
        sync: bool,
    ) -> Result<()> {
        let path = format!("{}/{folder}/_meta", self.dir);
        replace_file(disk, &path, &encode_sequencer_meta(&sequencer_meta(meta, version)), sync)
    }

    /// The segment that as many records of a structure version point at.
    fn segment(
        &mut self,
        disk: &dyn Disk,
        meta: &TableMeta,
        (version, count): (i64, u32),
        sync: bool,
    ) -> Result<SegmentId> {
        if let Some(own) = self.segment.filter(|own| own.version == version && own.events >= count) {
            return Ok(own.id);
        }
        let id = match self.segment {
            Some(OwnSegment { id, .. }) => SegmentId { segment: id.segment + 1, ..id },
            None => self.find_segment(disk)?,
        };
        let events = count.max(EVENTS).checked_next_power_of_two().unwrap_or(count);
        let files = empty_segment(&sequencer_meta(meta, version), id, events);
        disk.create_dir(&id.dir(&self.dir))?;
        let mark = Patch { file: format!("wal{}/{REPLICA_MARK}", id.wal), offset: 0, bytes: Vec::new() };
        write_patches(disk, &self.dir, &files, sync)?;
        write_patches(disk, &self.dir, &[mark], sync)?;
        if sync {
            disk.sync_dir(&id.dir(&self.dir))?;
            disk.sync_dir(&format!("{}/wal{}", self.dir, id.wal))?;
            disk.sync_dir(&self.dir)?;
        }
        self.count_wal(disk, id.wal, sync)?;
        self.segment = Some(OwnSegment { id, version, events });
        Ok(id)
    }

    /// Takes care that `_wal_index.d` counts this WAL. All that the history has are counted, although they are not here: once this
    /// directory has a writer of its own, it takes a number that none of them had, since the history goes on with its files.
    fn count_wal(&mut self, disk: &dyn Disk, wal: u32, sync: bool) -> Result<()> {
        let last = match self.last_wal {
            Some(last) => last,
            None => read_wal_index(&DiskReader(disk), &self.dir)?,
        };
        if wal > last {
            let index =
                Patch { file: "txn_seq/_wal_index.d".into(), offset: 0, bytes: encode_wal_index(wal) };
            write_patches(disk, &self.dir, &[index], sync)?;
        }
        self.last_wal = Some(last.max(wal));
        Ok(())
    }

    /// The next segment of our own WAL, or the first one of a new WAL.
    fn find_segment(&self, disk: &dyn Disk) -> Result<SegmentId> {
        let names = disk.list(&self.dir)?.unwrap_or_default();
        let mut there: Vec<u32> =
            names.iter().filter_map(|name| name.strip_prefix("wal")?.parse().ok()).collect();
        there.sort_unstable();
        for wal in there.iter().rev() {
            if disk.len(&format!("{}/wal{wal}/{REPLICA_MARK}", self.dir))?.is_some() {
                let names = disk.list(&format!("{}/wal{wal}", self.dir))?.unwrap_or_default();
                let newest = names.iter().filter_map(|name| name.parse::<u32>().ok()).max();
                return Ok(SegmentId { wal: *wal, segment: newest.map_or(0, |newest| newest + 1) });
            }
        }
        let last = read_wal_index(&DiskReader(disk), &self.dir)?;
        Ok(SegmentId { wal: last.max(there.last().copied().unwrap_or(0)) + 1, segment: 0 })
    }
}

fn copy_file(disk: &dyn Disk, from: &str, to: &str, sync: bool) -> Result<()> {
    let (old, new) = (disk.open(from, Open::Read)?, disk.open(to, Open::New)?);
    let mut buffer = vec![0; 256 * 1024];
    let mut at = 0;
    loop {
        let got = old.read_at(at, &mut buffer)?;
        let Some(bytes) = buffer.get(..got).filter(|bytes| !bytes.is_empty()) else { break };
        new.write_at(at, bytes)?;
        at += got as u64;
    }
    if sync { new.sync() } else { Ok(()) }
}

/// Writes a file aside and puts it in place in one step.
pub(super) fn replace_file(disk: &dyn Disk, path: &str, content: &[u8], sync: bool) -> Result<()> {
    let aside = format!("{path}.tmp");
    let file = disk.open(&aside, Open::New)?;
    file.write_at(0, content)?;
    if sync {
        file.sync()?;
    }
    disk.rename(&aside, path)?;
    if sync && let Some((folder, _)) = path.rsplit_once('/') {
        disk.sync_dir(folder)?;
    }
    Ok(())
}

/// A table's columns as the sequencer knows them.
fn sequencer_meta(meta: &TableMeta, version: i64) -> SequencerMeta {
    let columns = meta.columns.iter();
    SequencerMeta {
        structure_version: version,
        columns: columns
            .map(|column| MetaColumn { name: column.name.clone(), ty: column.ty, dropped: column.dropped })
            .collect(),
        timestamp: meta.timestamp,
        table_id: meta.table_id,
        read_order: None,
    }
}
