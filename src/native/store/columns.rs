//! Building the columns of a block, as the plans of its parts say.

use super::block::Target;
use super::column_out::ColumnOut;
use super::parts::PartFiles;
use super::table::FileTable;
use crate::apply::backlog::{
    Batch, ColumnReader, Flow, Members, NewColumn, Rows, Sequence, SymbolMaps, slices,
};
use crate::table::files::Patch;
use crate::wal::{ColumnType, Files, Result};
use rayon::prelude::*;
use std::borrow::Cow;
use std::ops::Range;

/// Rows of the log that are read at a time: what is read stays in the processor's caches until it is written.
const WINDOW_ROWS: usize = 128 * 1024;

/// Bytes of a column that one thread may as well build alone.
const MUCH: u64 = 4 << 20;

/// What building a column found out.
struct Built {
    bytes: u64,
    /// Patches of bitmap indexes.
    index: Vec<Patch>,
}

/// A column that is being built.
struct Building<'a> {
    table: &'a FileTable,
    source: &'a (dyn Files + Sync),
    batch: &'a Batch,
    maps: &'a SymbolMaps,
    index: usize,
    ty: ColumnType,
}

/// A slice of a part whose new values are being gathered.
struct Gathering<'a> {
    target: usize,
    sequence: Cow<'a, Sequence>,
    /// Numbers of its new rows in the batch.
    members: Cow<'a, Members>,
}

/// Values that are there, of those that a slice needs.
struct Held {
    values: NewColumn,
    /// Position among the members of the first value.
    first: usize,
}

impl FileTable {
    /// Builds all columns, several at a time.
    pub(super) fn build(
        &self,
        source: &(dyn Files + Sync),
        batch: &Batch,
        maps: &SymbolMaps,
        targets: &[Target],
        column_bytes: u64,
    ) -> Result<()> {
        let mut jobs = self.column_jobs(batch, targets);
        // Long ones first, so that no thread is left with one at the end.
        jobs.sort_by_key(|job| std::cmp::Reverse(job.bytes));
        let built: Vec<Built> = jobs
            .par_iter()
            .with_max_len(1)
            .map(|job| {
                let targets = targets.get(job.targets.clone()).unwrap_or_default();
                let building = Building { table: self, source, batch, maps, index: job.index, ty: job.ty };
                building.build(targets, column_bytes)
            })
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
}

/// A column, or that of some of the parts, to be built by one thread.
struct Job {
    index: usize,
    ty: ColumnType,
    targets: Range<usize>,
    bytes: u64,
}

impl FileTable {
    /// A job for each column; a column that is much of the whole is cut, so that all threads have about as much to do.
    fn column_jobs(&self, batch: &Batch, targets: &[Target]) -> Vec<Job> {
        let threads = rayon::current_num_threads().max(1);
        let live: Vec<_> = self.table.schema.live().map(|(index, column)| (index, column.ty)).collect();
        let all: u64 = live.iter().map(|&(index, _)| batch.bytes(index)).sum();
        let mut jobs = Vec::new();
        for (index, ty) in live {
            let bytes = batch.bytes(index);
            let much = bytes > MUCH && bytes > all / (4 * threads as u64);
            let pieces = if much { threads.min(targets.len()).max(1) } else { 1 };
            let rows = (batch.rows() / pieces).max(1);
            let (mut first, mut held) = (0, 0);
            for (position, target) in targets.iter().enumerate() {
                held += target.share.rows.len();
                if held >= rows || position + 1 == targets.len() {
                    let bytes = bytes / batch.rows().max(1) as u64 * held as u64;
                    jobs.push(Job { index, ty, targets: first..position + 1, bytes });
                    (first, held) = (position + 1, 0);
                }
            }
        }
        jobs
    }
}

impl<'a> Building<'a> {
    fn build(&self, targets: &'a [Target], column_bytes: u64) -> Result<Built> {
        let mut bytes = self.stream(targets)?;
        bytes += self.gather(targets, column_bytes)?;
        let mut index = Vec::new();
        if self.table.table.schema.columns.get(self.index).is_some_and(|c| c.indexed && c.ty.is_symbol()) {
            for target in targets {
                index.extend(self.table.index_patches(target, self.files(target).as_ref(), self.index)?);
            }
        }
        Ok(Built { bytes, index })
    }

    /// Builds the parts that only get rows in the order in which they came: no value is held for longer than a window.
    fn stream(&self, targets: &[Target]) -> Result<u64> {
        let mut outs: Vec<(&Target, Option<ColumnOut>)> = Vec::new();
        outs.extend(targets.iter().filter(|target| target.plan.is_one_run()).map(|target| (target, None)));
        let mut reader = self.reader();
        let mut picked = NewColumn::empty(self.ty);
        let mut bytes = 0;
        for window in self.batch.windows(WINDOW_ROWS) {
            let touches = |target: &Target| {
                let span = target.share.rows.span();
                span.start < window.rows.end && window.rows.start < span.end
            };
            if !outs.iter().any(|(target, _)| touches(target)) {
                continue;
            }
            let new = reader.read(self.source, &window)?;
            for (target, place) in outs.iter_mut().filter(|(target, _)| touches(target)) {
                let members = &target.share.rows;
                let some = members.within(&window.rows);
                let (new, range) = match members {
                    Members::Range(rows) => {
                        let start = rows.start as usize + some.start - window.rows.start;
                        (new, start..start + some.len())
                    }
                    Members::List(_) => {
                        picked.clear();
                        picked.append(self.ty, new, members, some.clone(), window.rows.start);
                        (&picked, 0..some.len())
                    }
                };
                let out = match place {
                    Some(out) => out,
                    None => place.insert(self.open(target)?),
                };
                out.build(self.ty, Rows::Range(range), new, None)?;
                if some.end == members.len()
                    && let Some(out) = place.take()
                {
                    bytes += out.finish(self.table.syncs())?;
                }
            }
        }
        Ok(bytes)
    }

    /// Builds the other parts: values are gathered before they can be put in order, as many as fit.
    fn gather(&self, targets: &'a [Target], column_bytes: u64) -> Result<u64> {
        let per_row = (self.batch.bytes(self.index) / self.batch.rows().max(1) as u64).max(4);
        let most = usize::try_from(column_bytes / per_row).unwrap_or(usize::MAX);
        let mut outs: Vec<Option<ColumnOut>> = targets.iter().map(|_| None).collect();
        let mut bytes = 0;
        let mut pass: Vec<Gathering<'a>> = Vec::new();
        let mut held = 0;
        for (target, planned) in targets.iter().enumerate().filter(|(_, target)| !target.plan.is_one_run()) {
            for slice in slices(&planned.plan.sequence, planned.share.rows.len(), most) {
                let members = match &slice.members {
                    None => Cow::Borrowed(&planned.share.rows),
                    Some(positions) => Cow::Owned(planned.share.rows.at(positions)),
                };
                if held > 0 && held + members.len() > most {
                    bytes += self.build_pass(targets, &mut outs, &mut pass)?;
                    held = 0;
                }
                held += members.len();
                pass.push(Gathering { target, sequence: slice.sequence, members });
            }
        }
        Ok(bytes + self.build_pass(targets, &mut outs, &mut pass)?)
    }

    /// Builds all slices of a pass, going through the log once: each as far as its values are there.
    fn build_pass(
        &self,
        targets: &[Target],
        outs: &mut [Option<ColumnOut>],
        pass: &mut Vec<Gathering<'_>>,
    ) -> Result<u64> {
        let mut reader = self.reader();
        let mut flows: Vec<_> = pass.iter().map(|one| (one, Flow::new(&one.sequence), None)).collect();
        let mut spare: Vec<NewColumn> = Vec::new();
        let mut bytes = 0;
        for window in self.batch.windows(WINDOW_ROWS) {
            let some = |one: &Gathering<'_>| one.members.within(&window.rows);
            if flows.iter().all(|(one, ..)| some(one).is_empty()) {
                continue;
            }
            let new = reader.read(self.source, &window)?;
            for (one, flow, held) in &mut flows {
                let some = some(one);
                let Some(target) = targets.get(one.target).filter(|_| !some.is_empty()) else { continue };
                let held = held.get_or_insert_with(|| Held {
                    values: spare.pop().unwrap_or_else(|| NewColumn::empty(self.ty)),
                    first: 0,
                });
                held.values.append(self.ty, new, &one.members, some, window.rows.start);
                let Some(place) = outs.get_mut(one.target) else { continue };
                bytes += self.build_ready(target, place, flow, held)?;
            }
            for (_, flow, held) in &mut flows {
                if flow.is_done()
                    && let Some(Held { mut values, .. }) = held.take()
                {
                    values.clear();
                    spare.push(values);
                }
            }
        }
        drop(flows);
        pass.clear();
        Ok(bytes)
    }

    /// Writes the rows whose values are there; answers the bytes written if the file is complete.
    fn build_ready(
        &self,
        target: &Target,
        place: &mut Option<ColumnOut>,
        flow: &mut Flow<'_>,
        held: &mut Held,
    ) -> Result<u64> {
        let rows = flow.next(held.first + held.values.rows(), held.first);
        if !rows.is_empty() {
            let files = self.files(target);
            let old = match &files {
                Some(files) if !target.plan.append => files.column(self.index, self.ty)?,
                _ => None,
            };
            let old_top = files.as_ref().map_or(0, |files| files.top(self.index));
            let out = match place {
                Some(out) => out,
                None => place.insert(self.open(target)?),
            };
            out.build(self.ty, rows, &held.values, old.as_ref().map(|old| (old as _, old_top)))?;
        }
        // What comes late keeps little behind it.
        let done = flow.lowest().min(held.first + held.values.rows()) - held.first;
        if done > 0 && done >= held.values.rows() / 2 {
            held.values.drop_front(self.ty, done);
            held.first += done;
        }
        match place.take_if(|out| out.is_complete()) {
            Some(out) => out.finish(self.table.syncs()),
            None => Ok(0),
        }
    }

    fn reader(&self) -> ColumnReader<'a> {
        let designated = self.index == self.table.table.schema.timestamp;
        ColumnReader::new(self.batch, self.maps, self.index, self.ty, designated)
    }

    fn files(&self, target: &Target) -> Option<PartFiles<'_>> {
        target.share.part.and_then(|part| self.table.part_files(part))
    }

    fn open(&self, target: &Target) -> Result<ColumnOut> {
        ColumnOut::open(self.table, target, self.files(target).as_ref(), self.index, self.ty)
    }
}
