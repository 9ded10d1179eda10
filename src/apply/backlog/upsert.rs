//! Deduplication: which row of equal keys stays, and where.

use super::order::Share;
use super::plan::{NewRows, Runs, gallop};
use foldhash::fast::FixedState;
use std::collections::HashMap;

/// Upsert keys besides the timestamp, one per row: equal exactly where QuestDB takes the keys for equal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Keys {
    /// The timestamp is the only key.
    None,
    /// Keys of up to 8 bytes.
    Words(Vec<u64>),
    /// Others.
    Bytes(Vec<Box<[u8]>>),
}

/// A row of one timestamp: existing, or new.
#[derive(Debug, Clone, Copy)]
struct Slot {
    old: bool,
    row: u32,
}

/// One part's deduplication.
pub(super) struct Upsert<'a> {
    pub(super) new: &'a NewRows<'a>,
    /// Of new rows, by number.
    pub(super) keys: &'a Keys,
    /// Existing rows from `old_first` on.
    pub(super) old_ts: &'a [i64],
    pub(super) old_keys: Option<&'a Keys>,
    pub(super) old_first: u32,
}

/// From this many rows of one timestamp on, keys are looked up by hash.
const MANY: usize = 16;

impl Upsert<'_> {
    /// Weaves the new rows of a share into the existing ones; answers how many rows were replaced.
    pub(super) fn weave(&self, runs: &mut Runs, share: Share) -> u64 {
        let mut at = 0;
        let mut replaced = 0;
        let mut position = share.from;
        let mut slots = Vec::new();
        while position < share.to {
            let ts = self.new.ts(self.new.row(position));
            let until = gallop(at, self.old_ts, |old| old < ts);
            runs.push_old(self.old_first + at as u32, (until - at) as u32);
            let equal = gallop(until, self.old_ts, |old| old == ts);
            let mut end = position + 1;
            while end < share.to && self.new.ts(self.new.row(end)) == ts {
                end += 1;
            }
            if equal == until && end == position + 1 {
                runs.push_new(self.new.row(position), 1);
            } else {
                slots.clear();
                slots.extend((until..equal).map(|at| Slot { old: true, row: at as u32 }));
                let before = slots.len() + end - position;
                self.upsert(&mut slots, position..end);
                replaced += (before - slots.len()) as u64;
                for slot in &slots {
                    match slot.old {
                        true => runs.push_old(self.old_first + slot.row, 1),
                        false => runs.push_new(slot.row, 1),
                    }
                }
            }
            at = equal;
            position = end;
        }
        runs.push_old(self.old_first + at as u32, (self.old_ts.len() - at) as u32);
        replaced
    }

    /// New rows of one timestamp act one after the other: each replaces every row of its key, in their places; a
    /// new key goes to the end.
    fn upsert(&self, slots: &mut Vec<Slot>, positions: std::ops::Range<usize>) {
        if matches!(self.keys, Keys::None) {
            let winner = Slot { old: false, row: self.new.row(positions.end.saturating_sub(1)) };
            slots.iter_mut().for_each(|slot| *slot = winner);
            if slots.is_empty() {
                slots.push(winner);
            }
            return;
        }
        if slots.len() + positions.len() >= MANY {
            return self.upsert_by_hash(slots, positions);
        }
        for position in positions {
            let new = Slot { old: false, row: self.new.row(position) };
            let mut found = false;
            for slot in slots.iter_mut() {
                if self.key(*slot) == self.key(new) {
                    *slot = new;
                    found = true;
                }
            }
            if !found {
                slots.push(new);
            }
        }
    }

    fn upsert_by_hash(&self, slots: &mut Vec<Slot>, positions: std::ops::Range<usize>) {
        let mut places: HashMap<Key<'_>, Vec<usize>, FixedState> = HashMap::default();
        for (place, slot) in slots.iter().enumerate() {
            places.entry(self.key(*slot)).or_default().push(place);
        }
        for position in positions {
            let new = Slot { old: false, row: self.new.row(position) };
            let found = places.entry(self.key(new)).or_default();
            if found.is_empty() {
                found.push(slots.len());
                slots.push(new);
                continue;
            }
            for &place in found.iter() {
                if let Some(slot) = slots.get_mut(place) {
                    *slot = new;
                }
            }
        }
    }

    fn key(&self, slot: Slot) -> Key<'_> {
        match slot.old {
            true => self.old_keys.map_or(Key::None, |keys| keys.at(slot.row)),
            false => self.keys.at(slot.row),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Key<'a> {
    None,
    Word(u64),
    Bytes(&'a [u8]),
}

impl Keys {
    fn at(&self, row: u32) -> Key<'_> {
        match self {
            Self::None => Key::None,
            Self::Words(words) => words.get(row as usize).map_or(Key::None, |&word| Key::Word(word)),
            Self::Bytes(keys) => keys.get(row as usize).map_or(Key::None, |bytes| Key::Bytes(bytes)),
        }
    }
}
