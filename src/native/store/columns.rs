//! Building the columns of a block, as the plans of its parts say.

use super::block::Target;
use super::column_out::ColumnOut;
use super::parts::PartFiles;
use super::table::FileTable;
use crate::apply::backlog::{
    Batch, ColumnReader, Members, NewColumn, Rows, Sequence, Slice, SymbolMaps, slices,
};
use crate::table::files::Patch;
use crate::wal::{ColumnType, Files, Result};
use rayon::prelude::*;
use std::borrow::Cow;

/// Rows of the log that are read at a time: what is read stays in the processor's caches until it is written.
const WINDOW_ROWS: usize = 128 * 1024;

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
    slice: Slice<'a>,
    /// Numbers of its new rows in the batch.
    members: Cow<'a, Members>,
    new: NewColumn,
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
        let mut live: Vec<(usize, ColumnType)> =
            self.table.schema.live().map(|(index, column)| (index, column.ty)).collect();
        // Long ones first, so that no thread is left with one at the end.
        live.sort_by_key(|&(index, _)| std::cmp::Reverse(batch.bytes(index)));
        let built: Vec<Built> = live
            .par_iter()
            .with_max_len(1)
            .map(|&(index, ty)| {
                Building { table: self, source, batch, maps, index, ty }.build(targets, column_bytes)
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
                out.build(self.ty, Rows::Range(&range), new, None)?;
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
                let new = NewColumn::with_room(self.ty, members.len(), per_row);
                pass.push(Gathering { target, slice, members, new });
            }
        }
        Ok(bytes + self.build_pass(targets, &mut outs, &mut pass)?)
    }

    /// Builds all slices of a pass, going through the log once.
    fn build_pass(
        &self,
        targets: &[Target],
        outs: &mut [Option<ColumnOut>],
        pass: &mut Vec<Gathering<'_>>,
    ) -> Result<u64> {
        let mut reader = self.reader();
        for window in self.batch.windows(WINDOW_ROWS) {
            let some = |gathering: &Gathering<'_>| gathering.members.within(&window.rows);
            if pass.iter().all(|gathering| some(gathering).is_empty()) {
                continue;
            }
            let new = reader.read(self.source, &window)?;
            for gathering in pass.iter_mut() {
                let some = some(gathering);
                gathering.new.append(self.ty, new, &gathering.members, some, window.rows.start);
            }
        }
        let mut bytes = 0;
        for gathered in pass.drain(..) {
            let places = targets.get(gathered.target).zip(outs.get_mut(gathered.target));
            let Some((target, place)) = places else { continue };
            let out = match place {
                Some(out) => out,
                None => place.insert(self.open(target)?),
            };
            self.build_slice(target, out, &gathered)?;
            if out.is_complete()
                && let Some(out) = place.take()
            {
                bytes += out.finish(self.table.syncs())?;
            }
        }
        Ok(bytes)
    }

    fn build_slice(&self, target: &Target, out: &mut ColumnOut, slice: &Gathering<'_>) -> Result<()> {
        let files = self.files(target);
        let old = match &files {
            Some(files) if !target.plan.append => files.column(self.index, self.ty)?,
            _ => None,
        };
        let old_top = files.as_ref().map_or(0, |files| files.top(self.index));
        let old = old.as_ref().map(|old| (old as _, old_top));
        match &*slice.slice.sequence {
            Sequence::AsTheyCame(rows) => {
                out.build(self.ty, Rows::Range(&(0..*rows as usize)), &slice.new, old)
            }
            Sequence::Sorted(order) => out.build(self.ty, Rows::Sorted(order), &slice.new, old),
            Sequence::Woven(runs) => out.build(self.ty, Rows::Woven(runs), &slice.new, old),
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
