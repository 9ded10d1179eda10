//! Merging new rows into a partition's blocks, with and without deduplication.

use super::keys::KeyBytes;
use super::plan::{Entry, Piece, Run, lower_bound};
use super::source::{Source, Sources};
use crate::table::Schema;
use foldhash::fast::FixedState;
use std::collections::HashMap;

/// Rows of one timestamp whose keys are compared one by one: a map would cost more.
const FEW: usize = 8;

/// One partition's merge.
pub(super) struct Merge<'a> {
    pub(super) sources: Sources<'a>,
    pub(super) schema: &'a Schema,
    /// Upsert keys besides the timestamp; `None` without deduplication.
    pub(super) dedup: Option<&'a [usize]>,
}

/// The partition's pieces after the new rows went in, and the number of rows replaced.
///
/// Existing rows come before new ones of the same timestamp; new ones keep their order. `entries` is
/// sorted.
pub(super) fn merge(merge: &Merge<'_>, entries: &[Entry]) -> (Vec<Piece>, usize) {
    let mut pieces = Vec::new();
    let mut replaced = 0;
    let mut rest = entries;
    let mut block = 0;
    let blocks = merge.sources.blocks;
    while let Some(current) = blocks.get(block) {
        let (before, inside) = rest.split_at(rest.partition_point(|entry| entry.ts < current.min_ts));
        if !before.is_empty() {
            let mut runs = Runs::default();
            replaced += merge.weave(&mut runs, block..block, before);
            pieces.push(Piece::Build(runs.0));
        }
        // Without deduplication a row that is as new as the block's newest goes behind the block.
        let last =
            |entry: &Entry, max_ts: i64| entry.ts < max_ts || merge.dedup.is_some() && entry.ts == max_ts;
        let mut here = inside.partition_point(|entry| last(entry, current.max_ts));
        if here == 0 {
            pieces.push(Piece::Keep(block));
            rest = inside;
            block += 1;
            continue;
        }
        // One timestamp may cross from block to block: deduplication must see all of it.
        let mut end = block + 1;
        while let (Some(previous), Some(next)) = (blocks.get(end - 1), blocks.get(end)) {
            let newest = inside.get(here - 1).map_or(i64::MIN, |entry| entry.ts);
            if merge.dedup.is_none() || next.min_ts != previous.max_ts || newest != previous.max_ts {
                break;
            }
            here = inside.partition_point(|entry| last(entry, next.max_ts));
            end += 1;
        }
        let mut runs = Runs::default();
        let (now, later) = inside.split_at(here);
        replaced += merge.weave(&mut runs, block..end, now);
        pieces.push(Piece::Build(runs.0));
        rest = later;
        block = end;
    }
    if !rest.is_empty() {
        let mut runs = Runs::default();
        replaced += merge.weave(&mut runs, block..block, rest);
        pieces.push(Piece::Build(runs.0));
    }
    (pieces, replaced)
}

/// Runs under construction: a row behind the last one of the same source makes that run longer.
#[derive(Default)]
struct Runs(Vec<Run>);

/// A position in neighbouring blocks.
struct Cursor {
    block: usize,
    row: usize,
    end: usize,
}

/// A row of one timestamp: existing, or new.
#[derive(Clone, Copy)]
struct Slot {
    source: u32,
    row: u32,
}

impl Runs {
    fn push(&mut self, source: u32, start: u32, len: u32) {
        if len == 0 {
            return;
        }
        match self.0.last_mut() {
            Some(run) if run.source == source && run.start + run.len == start => run.len += len,
            _ => self.0.push(Run { source, start, len }),
        }
    }
}

impl Merge<'_> {
    /// Weaves existing blocks and new rows into runs; answers how many rows were replaced.
    fn weave(&self, runs: &mut Runs, blocks: std::ops::Range<usize>, entries: &[Entry]) -> usize {
        let mut cursor = Cursor { block: blocks.start, row: 0, end: blocks.end };
        let mut replaced = 0;
        let mut rest = entries;
        while let Some(first) = rest.first() {
            match self.dedup {
                None => {
                    self.copy_existing(runs, &mut cursor, |ts| ts <= first.ts);
                    self.push_entry(runs, first);
                    rest = rest.get(1..).unwrap_or_default();
                }
                Some(keys) => {
                    self.copy_existing(runs, &mut cursor, |ts| ts < first.ts);
                    let group = rest.iter().take_while(|entry| entry.ts == first.ts).count();
                    let (now, later) = rest.split_at(group);
                    rest = later;
                    replaced += self.upsert(runs, &mut cursor, now, keys);
                }
            }
        }
        self.copy_existing(runs, &mut cursor, |_| true);
        replaced
    }

    fn push_entry(&self, runs: &mut Runs, entry: &Entry) {
        runs.push(self.commit_source(entry), entry.row, 1);
    }

    fn commit_source(&self, entry: &Entry) -> u32 {
        self.sources.blocks.len() as u32 + entry.commit
    }

    /// Copies existing rows for as long as `wanted` holds for their timestamp.
    fn copy_existing(&self, runs: &mut Runs, cursor: &mut Cursor, wanted: impl Fn(i64) -> bool) {
        while cursor.block < cursor.end
            && let Some(block) = self.sources.blocks.get(cursor.block)
        {
            let timestamps = block.timestamps(self.schema.timestamp);
            let ts = |row: usize| timestamps.get(row).map_or(i64::MIN, |ts| i64::from_le_bytes(*ts));
            let until = gallop(cursor.row, block.rows, |row| wanted(ts(row)));
            runs.push(cursor.block as u32, cursor.row as u32, (until - cursor.row) as u32);
            cursor.row = until;
            if until < block.rows {
                return;
            }
            cursor.block += 1;
            cursor.row = 0;
        }
    }

    /// All rows of one timestamp under deduplication: existing ones at the cursor, then `group`.
    ///
    /// Transactions act one after the other. A row replaces every row of its key, in their places; a
    /// new key goes to the end.
    fn upsert(&self, runs: &mut Runs, cursor: &mut Cursor, group: &[Entry], keys: &[usize]) -> usize {
        let Some(first) = group.first() else { return 0 };
        let mut slots = self.existing_slots(cursor, first.ts);
        let before = slots.len() + group.len();
        if keys.is_empty() {
            if let Some(last) = group.last() {
                let winner = Slot { source: self.commit_source(last), row: last.row };
                slots.iter_mut().for_each(|slot| *slot = winner);
                if slots.is_empty() {
                    slots.push(winner);
                }
            }
        } else if slots.is_empty() && group.len() == 1 {
            self.push_entry(runs, first);
            return 0;
        } else {
            self.upsert_by_key(&mut slots, group, keys);
        }
        for slot in &slots {
            runs.push(slot.source, slot.row, 1);
        }
        before - slots.len()
    }

    fn existing_slots(&self, cursor: &mut Cursor, ts: i64) -> Vec<Slot> {
        let mut existing = Runs::default();
        self.copy_existing(&mut existing, cursor, |other| other == ts);
        let rows =
            |run: Run| (run.start..run.start + run.len).map(move |row| Slot { source: run.source, row });
        existing.0.into_iter().flat_map(rows).collect()
    }

    fn upsert_by_key(&self, slots: &mut Vec<Slot>, group: &[Entry], keys: &[usize]) {
        let key_of = |slot: Slot| {
            let mut key = KeyBytes::default();
            if let Some(source) = self.sources.get(slot.source) {
                key.read(self.schema, keys, source, slot.row as usize);
            }
            key
        };
        if slots.len() + group.len() <= FEW {
            let mut known: Vec<KeyBytes> = slots.iter().map(|slot| key_of(*slot)).collect();
            for entry in group {
                let slot = Slot { source: self.commit_source(entry), row: entry.row };
                let key = key_of(slot);
                let same = slots.iter_mut().zip(&known).filter(|(_, known)| **known == key);
                if same.map(|(old, _)| *old = slot).count() == 0 {
                    slots.push(slot);
                    known.push(key);
                }
            }
            return;
        }
        let mut places: HashMap<KeyBytes, Vec<usize>, FixedState> = HashMap::default();
        for (place, slot) in slots.iter().enumerate() {
            places.entry(key_of(*slot)).or_default().push(place);
        }
        for entry in group {
            let slot = Slot { source: self.commit_source(entry), row: entry.row };
            let found = places.entry(key_of(slot)).or_default();
            if found.is_empty() {
                found.push(slots.len());
                slots.push(slot);
                continue;
            }
            for &place in found.iter() {
                if let Some(old) = slots.get_mut(place) {
                    *old = slot;
                }
            }
        }
    }
}

/// First row from `start` on for which `wanted` is false: steps that double, then halving, since the
/// answer is mostly near.
fn gallop(start: usize, end: usize, wanted: impl Fn(usize) -> bool) -> usize {
    let mut step = 1;
    let mut lo = start;
    while lo + step < end && wanted(lo + step) {
        lo += step;
        step *= 2;
    }
    lower_bound(lo, (lo + step).min(end), wanted)
}

impl Source<'_> {
    /// True for rows that the partition already had.
    pub(super) fn is_block(self) -> bool {
        matches!(self, Self::Block(_))
    }
}
