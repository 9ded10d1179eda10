//! Applying a block of commits: plan, build each column, publish.

use super::column_out::ColumnOut;
use super::parts::PartFiles;
use super::table::FileTable;
use crate::apply::backlog::{
    Batch, KeyColumn, Keys, NewColumn, NewRows, OldRows, Place, Plan, Run, SymbolMaps, Window, build,
    sort_rows, split,
};
use crate::table::files::{PartitionEntry, Patch};
use crate::wal::{ColumnType, Error, Files, Result, TxnRecord};
use rayon::prelude::*;

/// A part that a block changes.
pub(super) struct Target {
    pub(super) plan: Plan,
    /// Position among the existing parts; `None` for a new one.
    part: Option<usize>,
    /// The part's folder as it is to be.
    pub(super) folder: String,
    name_txn: i64,
    /// Rows without values in front, by writer index.
    pub(super) tops: Vec<u64>,
}

/// Rows that are read at a time where they are written in the order in which they came.
const WINDOW_ROWS: usize = 128 * 1024;

impl Target {
    /// Whether its rows are new and in the order in which they came.
    fn is_one_run(&self) -> bool {
        matches!(self.plan.runs.as_slice(), [run] if !run.is_old())
    }
}

/// What building a column found out.
struct Built {
    bytes: u64,
    /// Patches of bitmap indexes.
    index: Vec<Patch>,
}

impl FileTable {
    /// Applies a block of commits and publishes it: `records` are those of the batch's commits.
    ///
    /// # Errors
    /// What reading the log or writing files answers. Nothing is published then.
    pub fn apply_batch(
        &mut self,
        source: &(dyn Files + Sync),
        batch: &mut Batch,
        records: &[TxnRecord],
    ) -> Result<()> {
        batch.read_timestamps(source)?;
        let maps = batch.intern(&mut self.table.symbols);
        self.nulls.extend(maps.nulls());
        if batch.rows() > 0 {
            let targets = self.plan(source, batch, &maps)?;
            self.build(source, batch, &maps, &targets)?;
            self.take_over(targets);
        }
        self.extend_dictionaries()?;
        self.stub_partitions();
        self.evict(records)?;
        self.publish(records)
    }

    fn plan(&mut self, source: &(dyn Files + Sync), batch: &Batch, maps: &SymbolMaps) -> Result<Vec<Target>> {
        let schema = self.table.schema.clone();
        let order = sort_rows(batch.timestamps());
        let shares = split(batch.timestamps(), order.as_deref(), &self.old_parts(), self.table.calendar());
        for part in shares.iter().filter_map(|share| share.part) {
            let newest = self.newest_of(part)?;
            if let Some(place) = self.newest.get_mut(part) {
                *place = Some(newest);
            }
        }
        let parts = self.old_parts();
        let keys = if schema.dedup() { Some(self.new_keys(source, batch, maps)?) } else { None };
        let new = NewRows { timestamps: batch.timestamps(), order: order.as_deref(), upsert: keys.as_ref() };
        let this = &*self;
        let plans: Vec<Plan> = shares
            .par_iter()
            .map(|share| {
                let files = share.part.and_then(|part| this.part_files(part));
                let old = share.part.and_then(|part| parts.get(part)).copied();
                let old = old.zip(files.as_ref()).map(|(part, files)| (part, files as &dyn OldRows));
                Plan::new(&new, *share, old)
            })
            .collect::<Result<_>>()?;
        plans.into_iter().map(|plan| this.target(batch, plan)).collect()
    }

    /// The upsert keys of the new rows.
    fn new_keys(&self, source: &(dyn Files + Sync), batch: &Batch, maps: &SymbolMaps) -> Result<Keys> {
        let mut columns = Vec::new();
        for index in self.table.schema.extra_keys() {
            let Some(column) = self.table.schema.columns.get(index) else { continue };
            columns
                .push((column.ty, NewColumn::read(source, batch, &batch.whole(), maps, index, column.ty)?));
        }
        let columns: Vec<_> = columns.iter().map(|(ty, column)| (*ty, KeyColumn::New(column))).collect();
        Ok(Keys::of(&columns, batch.rows()))
    }

    /// Where a planned part goes.
    fn target(&self, batch: &Batch, plan: Plan) -> Result<Target> {
        let part = plan.share.part;
        let entry = part.and_then(|part| self.txn.partitions.get(part));
        if entry.is_some_and(|entry| entry.parquet || entry.read_only) {
            let what = "rows for a partition in Parquet form or one that takes no writes; not supported yet";
            let file = format!("{}/_txn", self.token.dir);
            return Err(Error::Unsupported { file: file.into(), offset: 0, what: what.into() });
        }
        let files = part.and_then(|part| self.part_files(part));
        let written = match &files {
            Some(files) => self.written(batch, &plan, files)?,
            None => Vec::new(),
        };
        let plan = if written.is_empty() { plan } else { plan.rewritten() };
        let next = self.name_txn();
        let (name_txn, fresh) = match entry {
            Some(entry) if plan.append => (entry.name_txn, false),
            Some(_) => (next, true),
            // A folder that is being removed, or that a crash left, may have the plain name.
            None if self.disk.list(&self.folder(plan.share.floor, -1))?.is_some() => (next, true),
            None => (-1, true),
        };
        let folder = self.folder(plan.share.floor, name_txn);
        if fresh {
            self.disk.remove_dir(&folder)?;
            self.disk.create_dir(&folder)?;
        }
        let tops = match &files {
            Some(files) => self.new_tops(&plan, files, &written),
            None => vec![0; self.table.schema.columns.len()],
        };
        Ok(Target { plan, part, folder, name_txn, tops })
    }

    /// Rows in front that stay without values: those above the old top, unless late rows come among them.
    fn new_tops(&self, plan: &Plan, files: &PartFiles<'_>, written: &[usize]) -> Vec<u64> {
        let leading = match plan.runs.first() {
            _ if plan.append => files.rows,
            Some(run) if run.is_old() && run.start() == 0 => run.len() as u64,
            _ => 0,
        };
        let top =
            |index: usize| Some(files.top(index)).filter(|top| !written.contains(&index) && leading >= *top);
        (0..self.table.schema.columns.len()).map(|index| top(index).unwrap_or(0)).collect()
    }

    /// Columns whose rows above the top get values, be they nulls.
    fn written(&self, batch: &Batch, plan: &Plan, files: &PartFiles<'_>) -> Result<Vec<usize>> {
        let mut found = Vec::new();
        for (index, _) in self.table.schema.live() {
            if files.top(index) > 0 && self.is_written(batch, plan, files, index)? {
                found.push(index);
            }
        }
        Ok(found)
    }

    /// Whether the rows above a column's top get values, which shows when its type changes.
    ///
    /// Commits count one after another: late rows that come among the rows without values, or right behind them,
    /// make QuestDB write these; rows behind all others don't.
    fn is_written(&self, batch: &Batch, plan: &Plan, files: &PartFiles<'_>, column: usize) -> Result<bool> {
        let dedup = self.table.schema.dedup();
        let mut newest =
            plan.share.part.and_then(|part| self.newest.get(part).copied().flatten()).unwrap_or(i64::MIN);
        let top = files.top(column);
        let mut behind = if top < files.rows { files.timestamp(top)? } else { None };
        let next =
            self.txn.partitions.get(plan.share.part.map_or(usize::MAX, |part| part + 1)).map(|next| next.ts);
        let ceiling = self.table.calendar().ceiling(plan.share.floor).min(next.unwrap_or(i64::MAX));
        let timestamps = batch.timestamps();
        for commit in batch.commits() {
            let rows = commit.first_row as usize..(commit.first_row + commit.rows) as usize;
            let here = timestamps.get(rows).unwrap_or_default().iter();
            let here = here.filter(|ts| (plan.share.floor..ceiling).contains(*ts));
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

    fn build(
        &self,
        source: &(dyn Files + Sync),
        batch: &Batch,
        maps: &SymbolMaps,
        targets: &[Target],
    ) -> Result<()> {
        let mut live: Vec<usize> = self.table.schema.live().map(|(index, _)| index).collect();
        // Long ones first, so that no thread is left with one at the end.
        live.sort_by_key(|&index| {
            let ty = self.table.schema.columns.get(index).map(|column| column.ty);
            std::cmp::Reverse(ty.and_then(ColumnType::fixed_size).unwrap_or(64))
        });
        let built: Vec<Built> = live
            .par_iter()
            .with_max_len(1)
            .map(|&index| self.build_column(source, batch, maps, targets, index))
            .collect::<Result<_>>()?;
        let bytes: u64 = built.iter().map(|built| built.bytes).sum();
        self.written.fetch_add(bytes, std::sync::atomic::Ordering::Relaxed);
        for built in built {
            self.write(&built.index, self.syncs())?;
        }
        if self.syncs() {
            for target in targets {
                self.disk.sync_dir(&target.folder)?;
            }
            self.disk.sync_dir(&self.token.dir)?;
        }
        Ok(())
    }

    fn build_column(
        &self,
        source: &(dyn Files + Sync),
        batch: &Batch,
        maps: &SymbolMaps,
        targets: &[Target],
        index: usize,
    ) -> Result<Built> {
        let schema = &self.table.schema;
        let mut built = Built { bytes: 0, index: Vec::new() };
        let Some(column) = schema.columns.get(index) else { return Ok(built) };
        let read = |window: &Window| match index == schema.timestamp {
            true => Ok(NewColumn::designated(batch, window)),
            false => NewColumn::read(source, batch, window, maps, index, column.ty),
        };
        let indexed = column.indexed && column.ty.is_symbol();
        if !indexed && targets.iter().all(|target| target.is_one_run()) {
            built.bytes = self.build_by_window(batch, targets, (index, column.ty), read)?;
            return Ok(built);
        }
        let new = read(&batch.whole())?;
        for target in targets {
            let files = target.part.and_then(|part| self.part_files(part));
            let old = match &files {
                Some(files) if !target.plan.append => files.column(index, column.ty)?,
                _ => None,
            };
            let mut out = ColumnOut::open(self, target, files.as_ref(), index, column.ty)?;
            let top = target.tops.get(index).copied().unwrap_or(0);
            let runs_top = if target.plan.append { 0 } else { top };
            let old_top = files.as_ref().map_or(0, |files| files.top(index));
            let place = Place {
                old: old.as_ref().map(|old| (old as _, old_top)),
                top: runs_top,
                data_end: out.data_end,
            };
            build(column.ty, &target.plan.runs, &new, place, &mut out)?;
            built.bytes += out.finish(self.syncs())?;
            if indexed {
                built.index.extend(self.index_patches(target, files.as_ref(), index, &new)?);
            }
        }
        Ok(built)
    }

    /// Builds a column of parts that only get rows in the order in which they came: what is read at a time stays in
    /// the processor's caches until it is written.
    fn build_by_window(
        &self,
        batch: &Batch,
        targets: &[Target],
        (index, ty): (usize, ColumnType),
        read: impl Fn(&Window) -> Result<NewColumn>,
    ) -> Result<u64> {
        let mut outs: Vec<Option<ColumnOut>> = targets.iter().map(|_| None).collect();
        let mut bytes = 0;
        for window in batch.windows(WINDOW_ROWS) {
            let new = read(&window)?;
            for (target, place) in targets.iter().zip(&mut outs) {
                let Some(run) = target.plan.runs.first() else { continue };
                let from = run.start().max(window.rows.start);
                let to = (run.start() + run.len()).min(window.rows.end);
                if from >= to {
                    continue;
                }
                let out = match place {
                    Some(out) => out,
                    None => {
                        let files = target.part.and_then(|part| self.part_files(part));
                        place.insert(ColumnOut::open(self, target, files.as_ref(), index, ty)?)
                    }
                };
                let run = Run::new_rows((from - window.rows.start) as u32, (to - from) as u32);
                build(ty, &[run], &new, Place { old: None, top: 0, data_end: out.data_end }, out)?;
                // From the second window on it is an append.
                out.data_end = Some(out.data_at);
                if to == target.plan.runs.first().map_or(0, |run| run.start() + run.len())
                    && let Some(out) = place.take()
                {
                    bytes += out.finish(self.syncs())?;
                }
            }
        }
        Ok(bytes)
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
            let Target { plan, part, name_txn, tops, .. } = target;
            let at = part
                .unwrap_or_else(|| self.txn.partitions.partition_point(|entry| entry.ts < plan.share.floor));
            let mut entry = PartitionEntry {
                ts: plan.share.floor,
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
            self.note_tops(plan.share.floor, part.is_some() && plan.append, &tops);
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
