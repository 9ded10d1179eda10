//! Deduplication: which row of equal keys stays, and where.

use super::old_window::OldWindow;
use super::plan::{Sorted, Weaving};
use super::share::Members;
use crate::wal::Result;
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
struct Upsert<'a> {
    /// Of new rows, by position in the share.
    keys: &'a Keys,
    old: &'a OldWindow<'a>,
}

/// From this many rows of one timestamp on, keys are looked up by hash.
const MANY: usize = 16;

impl Weaving<'_> {
    /// Weaves new rows into existing ones; answers how many rows were replaced.
    pub(super) fn upsert(&mut self, new: &Sorted<'_>, keys: &Keys) -> Result<u64> {
        let mut replaced = 0;
        let mut position = 0;
        let mut slots = Vec::new();
        while position < new.len() {
            let ts = new.ts(position);
            self.old.reach(ts)?;
            let before = self.old.take(|old| old < ts);
            self.runs.push_old(before.start, before.len() as u32);
            let equal = self.old.take(|old| old == ts);
            let mut end = position + 1;
            while end < new.len() && new.ts(end) == ts {
                end += 1;
            }
            if equal.is_empty() && end == position + 1 {
                self.runs.push_new(new.row(position), 1);
            } else {
                slots.clear();
                slots.extend(equal.map(|row| Slot { old: true, row }));
                let before = slots.len() + end - position;
                let rows: Vec<u32> = (position..end).map(|position| new.row(position)).collect();
                Upsert { keys, old: &self.old }.upsert(&mut slots, &rows);
                replaced += (before - slots.len()) as u64;
                for slot in &slots {
                    match slot.old {
                        true => self.runs.push_old(slot.row, 1),
                        false => self.runs.push_new(slot.row, 1),
                    }
                }
            }
            position = end;
        }
        Ok(replaced)
    }
}

impl Upsert<'_> {
    /// New rows of one timestamp act one after the other: each replaces every row of its key, in their places; a
    /// new key goes to the end.
    fn upsert(&self, slots: &mut Vec<Slot>, rows: &[u32]) {
        if matches!(self.keys, Keys::None) {
            let winner = Slot { old: false, row: rows.last().copied().unwrap_or(u32::MAX) };
            slots.iter_mut().for_each(|slot| *slot = winner);
            if slots.is_empty() {
                slots.push(winner);
            }
            return;
        }
        if slots.len() + rows.len() >= MANY {
            return self.upsert_by_hash(slots, rows);
        }
        for &row in rows {
            let new = Slot { old: false, row };
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

    fn upsert_by_hash(&self, slots: &mut Vec<Slot>, rows: &[u32]) {
        let mut places: HashMap<Key<'_>, Vec<usize>, FixedState> = HashMap::default();
        for (place, slot) in slots.iter().enumerate() {
            places.entry(self.key(*slot)).or_default().push(place);
        }
        for &row in rows {
            let new = Slot { old: false, row };
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
            true => self.old.key(slot.row).map_or(Key::None, |(keys, at)| keys.at(at)),
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
    /// The keys of some rows.
    #[must_use]
    pub fn of_members(&self, members: &Members) -> Self {
        match self {
            Self::None => Self::None,
            Self::Words(words) => Self::Words(members.of(words).into_owned()),
            Self::Bytes(keys) => {
                let key = |at| keys.get(members.get(at)? as usize).cloned();
                Self::Bytes((0..members.len()).filter_map(key).collect())
            }
        }
    }

    fn at(&self, row: u32) -> Key<'_> {
        match self {
            Self::None => Key::None,
            Self::Words(words) => words.get(row as usize).map_or(Key::None, |&word| Key::Word(word)),
            Self::Bytes(keys) => keys.get(row as usize).map_or(Key::None, |bytes| Key::Bytes(bytes)),
        }
    }
}
