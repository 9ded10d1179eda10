//! Applying a block of commits: plan, build each column, publish.

use super::parts::PartFiles;
use super::table::FileTable;
use crate::apply::backlog::{
    Batch, ColumnReader, KeyColumn, Keys, NewRows, OldRows, Plan, Sequence, Share, SymbolMaps, join, split,
};
use crate::apply::learn_symbol_order;
use crate::table::files::PartitionEntry;
use crate::wal::{ColumnBytes, Error, Files, Result, TxnRecord};
use rayon::prelude::*;

/// A part that a block changes.
pub(super) struct Target {
    /// Its new rows, and which part it is.
    pub(super) share: Share,
    pub(super) plan: Plan,
    /// The part's folder as it is to be.
    pub(super) folder: String,
    name_txn: i64,
    /// Rows without values in front, by writer index.
    pub(super) tops: Vec<u64>,
}

/// Rows that a thread gives to the parts of the table at a time.
const SPLIT_ROWS: usize = 256 * 1024;
/// Rows of a part that a plan can count.
const MOST_ROWS: u64 = (1 << 31) - 1;

impl FileTable {
    /// Applies a block of commits and publishes it: `records` are those of the batch's commits. Of a column that needs
    /// sorting about `column_bytes` are held at a time, in each of the pool's threads.
    ///
    /// # Errors
    /// What reading the log or writing files answers. Nothing is published then.
    pub fn apply_batch(
        &mut self,
        source: &(dyn Files + Sync),
        batch: &mut Batch,
        records: &[TxnRecord],
        column_bytes: u64,
    ) -> Result<()> {
        let readers = batch.timestamp_readers();
        readers
            .into_par_iter()
            .try_for_each_init(ColumnBytes::default, |bytes, reader| reader.read(source, bytes))?;
        self.rows_to_native(batch.timestamps())?;
        for (wal, meta, symbols) in batch.symbols() {
            learn_symbol_order(&mut self.table, source, wal, meta, symbols)?;
        }
        let maps = batch.intern(&mut self.table.symbols);
        self.nulls.extend(maps.nulls());
        if batch.rows() > 0 {
            let targets = self.plan(source, batch, &maps)?;
            self.build(source, batch, &maps, &targets, column_bytes)?;
            self.take_over(targets);
        }
        self.extend_dictionaries()?;
        self.scale_dictionaries()?;
        self.stub_partitions();
        self.evict(records)?;
        self.publish(records)
    }

    fn plan(&mut self, source: &(dyn Files + Sync), batch: &Batch, maps: &SymbolMaps) -> Result<Vec<Target>> {
        let schema = self.table.schema.clone();
        let (parts, calendar) = (self.old_parts(), self.table.calendar());
        let pieces = batch.timestamps().par_chunks(SPLIT_ROWS).enumerate();
        let pieces = pieces.map(|(piece, some)| split(some, (piece * SPLIT_ROWS) as u32, &parts, calendar));
        let shares = join(pieces.collect());
        for part in shares.iter().filter_map(|share| share.part) {
            let newest = self.newest_of(part)?;
            if let Some(place) = self.newest.get_mut(part) {
                *place = Some(newest);
            }
        }
        let parts = self.old_parts();
        let keys = if schema.dedup() { Some(self.new_keys(source, batch, maps)?) } else { None };
        let this = &*self;
        let plan = |share: Share| {
            let timestamps = share.rows.of(batch.timestamps());
            let keys = keys.as_ref().map(|keys| keys.of_members(&share.rows));
            let new = NewRows { timestamps: &timestamps, upsert: keys.as_ref() };
            let files = share.part.and_then(|part| this.part_files(part));
            let old = share.part.and_then(|part| parts.get(part)).copied();
            let old = old.zip(files.as_ref()).map(|(part, files)| (part, files as &dyn OldRows));
            Ok((Plan::new(&new, old)?, share))
        };
        let plans: Vec<(Plan, Share)> =
            shares.into_par_iter().with_max_len(1).map(plan).collect::<Result<_>>()?;
        plans.into_iter().map(|(plan, share)| this.target(batch, plan, share)).collect()
    }

    /// The upsert keys of the new rows.
    fn new_keys(&self, source: &(dyn Files + Sync), batch: &Batch, maps: &SymbolMaps) -> Result<Keys> {
        let mut columns = Vec::new();
        for index in self.table.schema.extra_keys() {
            let Some(column) = self.table.schema.columns.get(index) else { continue };
            let reader = ColumnReader::new(batch, maps, index, column.ty, false);
            columns.push((column.ty, reader.read_whole(source)?));
        }
        let columns: Vec<_> = columns.iter().map(|(ty, column)| (*ty, KeyColumn::New(column))).collect();
        Ok(Keys::of(&columns, batch.rows()))
    }

    /// Where a planned part goes.
    fn target(&self, batch: &Batch, plan: Plan, share: Share) -> Result<Target> {
        let part = share.part;
        if plan.rows > MOST_ROWS {
            let what = format!("a part of {} rows; {MOST_ROWS} at most can be written to", plan.rows);
            let file = format!("{}/_txn", self.token.dir);
            return Err(Error::Unsupported { file: file.into(), offset: 0, what: what.into() });
        }
        let entry = part.and_then(|part| self.txn.partitions.get(part));
        if entry.is_some_and(|entry| entry.read_only) {
            let what = "rows for a partition that takes no writes";
            let file = format!("{}/_txn", self.token.dir);
            return Err(Error::Unsupported { file: file.into(), offset: 0, what: what.into() });
        }
        let files = part.and_then(|part| self.part_files(part));
        let written = match &files {
            Some(files) => self.written(batch, &share, files)?,
            None => Vec::new(),
        };
        let plan = if written.is_empty() { plan } else { plan.rewritten() };
        let next = self.name_txn();
        let (name_txn, fresh) = match entry {
            Some(entry) if plan.append => (entry.name_txn, false),
            Some(_) => (next, true),
            // A folder that is being removed, or that a crash left, may have the plain name.
            None if self.disk.list(&self.folder(share.floor, -1))?.is_some() => (next, true),
            None => (-1, true),
        };
        let folder = self.folder(share.floor, name_txn);
        if fresh {
            self.disk.remove_dir(&folder)?;
            self.disk.create_dir(&folder)?;
        }
        let tops = match &files {
            Some(files) => self.new_tops(&plan, files, &written),
            None => vec![0; self.table.schema.columns.len()],
        };
        Ok(Target { share, plan, folder, name_txn, tops })
    }

    /// Rows in front that stay without values: those above the old top, unless late rows come among them.
    fn new_tops(&self, plan: &Plan, files: &PartFiles<'_>, written: &[usize]) -> Vec<u64> {
        let leading = match &plan.sequence {
            _ if plan.append => files.rows,
            Sequence::Woven(runs) => {
                runs.first().filter(|run| run.is_old() && run.start() == 0).map_or(0, |run| run.len() as u64)
            }
            _ => 0,
        };
        let top =
            |index: usize| Some(files.top(index)).filter(|top| !written.contains(&index) && leading >= *top);
        (0..self.table.schema.columns.len()).map(|index| top(index).unwrap_or(0)).collect()
    }

    /// Columns whose rows above the top get values, be they nulls.
    fn written(&self, batch: &Batch, share: &Share, files: &PartFiles<'_>) -> Result<Vec<usize>> {
        let mut found = Vec::new();
        for (index, _) in self.table.schema.live() {
            if files.top(index) > 0 && self.is_written(batch, share, files, index)? {
                found.push(index);
            }
        }
        Ok(found)
    }

    /// Whether the rows above a column's top get values, which shows when its type changes.
    ///
    /// Commits count one after another: late rows that come among the rows without values, or right behind them,
    /// make QuestDB write these; rows behind all others don't.
    fn is_written(&self, batch: &Batch, share: &Share, files: &PartFiles<'_>, column: usize) -> Result<bool> {
        let dedup = self.table.schema.dedup();
        let mut newest =
            share.part.and_then(|part| self.newest.get(part).copied().flatten()).unwrap_or(i64::MIN);
        let top = files.top(column);
        let mut behind = if top < files.rows { files.timestamp(top)? } else { None };
        let next =
            self.txn.partitions.get(share.part.map_or(usize::MAX, |part| part + 1)).map(|next| next.ts);
        let ceiling = self.table.calendar().ceiling(share.floor).min(next.unwrap_or(i64::MAX));
        let timestamps = batch.timestamps();
        for commit in batch.commits() {
            let rows = commit.first_row as usize..(commit.first_row + commit.rows) as usize;
            let here = timestamps.get(rows).unwrap_or_default().iter();
            let here = here.filter(|ts| (share.floor..ceiling).contains(*ts));
            let ends = here.fold(None, |ends: Option<(i64, i64)>, &ts| {
                Some(ends.map_or((ts, ts), |(low, high)| (low.min(ts), high.max(ts))))
            });
            let Some((low, high)) = ends else { continue };
            let before = |ts: i64| low < ts || dedup && low == ts;
            if before(newest) && behind.is_none_or(before) {
                return Ok(true);
            }
            behind = behind.or(Some(low));
            newest = newest.max(high);
        }
        Ok(false)
    }

    /// The suffix of a column's files in a target.
    pub(super) fn name_txn_of(&self, target: &Target, files: Option<&PartFiles<'_>>, index: usize) -> i64 {
        match files.filter(|_| target.plan.append).and_then(|files| files.columns.get(index)) {
            Some(place) if place.top.is_some() => place.name_txn,
            _ => self.versions.default_name_txn(index),
        }
    }

    /// Enters the parts as they are now into the state that is published next.
    fn take_over(&mut self, targets: Vec<Target>) {
        // From the back, so that positions stay right.
        for target in targets.into_iter().rev() {
            let Target { share, plan, name_txn, tops, .. } = target;
            let part = share.part;
            let at =
                part.unwrap_or_else(|| self.txn.partitions.partition_point(|entry| entry.ts < share.floor));
            let mut entry = PartitionEntry {
                ts: share.floor,
                rows: plan.rows,
                name_txn,
                squash_count: 0,
                parquet: false,
                read_only: false,
                parquet_len: -1,
            };
            match part.and_then(|part| self.txn.partitions.get_mut(part)) {
                Some(old) => {
                    entry.squash_count = old.squash_count;
                    if old.name_txn != name_txn {
                        let folder = (old.ts, old.name_txn);
                        *old = entry;
                        let folder = self.folder(folder.0, folder.1);
                        self.garbage.push(super::table::Garbage::Folder(folder));
                    } else {
                        *old = entry;
                    }
                }
                None => {
                    self.txn.partitions.insert(at, entry);
                    self.newest.insert(at, None);
                }
            }
            if let Some(newest) = self.newest.get_mut(at) {
                *newest = Some(plan.max_ts);
            }
            self.note_tops(share.floor, part.is_some() && plan.append, &tops);
            self.txn.max_ts = self.txn.max_ts.max(plan.max_ts);
            self.txn.min_ts = self.txn.min_ts.min(plan.min_ts);
            self.txn.partition_table_version += i64::from(!plan.append);
        }
    }

    /// Notes a part's tops, and the names of files that it has beside the usual.
    pub(super) fn note_tops(&mut self, ts: i64, append: bool, tops: &[u64]) {
        let live: Vec<usize> = self.table.schema.live().map(|(index, _)| index).collect();
        if !append {
            let had = live.iter().any(|&index| self.versions.has_record(ts, index));
            if had {
                self.versions.remove_partition(ts);
                self.versions_changed = true;
            }
        }
        for (index, &top) in live.iter().filter_map(|&index| Some((index, tops.get(index)?))) {
            let known = self.versions.top(ts, index, u64::MAX);
            if known != Some(top) {
                let name_txn = self.versions.default_name_txn(index);
                self.versions.set(ts, index, name_txn, top);
                self.versions_changed = true;
            }
        }
    }
}
