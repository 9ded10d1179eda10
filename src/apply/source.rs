use crate::table::{Block, SymbolTable};
use crate::wal::{Commit, SymbolDiff, WalColumn};
use std::sync::Arc;

/// Where the rows of a new block come from: blocks that the partition has, and commits.
pub(super) struct Sources<'a> {
    /// Existing blocks; source `i` is block `i`.
    pub(super) blocks: &'a [Arc<Block>],
    /// Commits; source `blocks.len() + i` is commit `i`.
    pub(super) commits: &'a [Prepared<'a>],
}

/// A commit with the way from its symbol keys to the table's.
pub(super) struct Prepared<'a> {
    pub(super) commit: &'a Commit,
    /// By writer index; absent where keys need no mapping.
    pub(super) symbols: Vec<Option<SymbolMap>>,
}

/// Keys below `clean` are the table's; key `clean + i` is `keys[i]` of the table.
#[derive(Debug)]
pub(super) struct SymbolMap {
    pub(super) clean: i32,
    pub(super) keys: Vec<i32>,
}

/// One side of a run.
#[derive(Clone, Copy)]
pub(super) enum Source<'a> {
    Block(&'a Block),
    Commit(&'a Prepared<'a>),
}

impl<'a> Sources<'a> {
    /// The source of this number.
    pub(super) fn get(&self, source: u32) -> Option<Source<'a>> {
        let source = source as usize;
        match self.blocks.get(source) {
            Some(block) => Some(Source::Block(block)),
            None => self.commits.get(source - self.blocks.len()).map(Source::Commit),
        }
    }
}

impl SymbolMap {
    /// Enters a commit's new symbols into the column's dictionary; `None` where its keys are the table's.
    pub(super) fn of(dictionary: &mut SymbolTable, diff: &SymbolDiff) -> Option<Self> {
        let reordered = dictionary.reordered(diff.clean);
        let new = diff.entries.iter().map(|entry| dictionary.intern_symbol(entry.symbol()));
        if let Some(mut keys) = reordered {
            keys.extend(new);
            return Some(Self { clean: 0, keys });
        }
        let (keys, clean): (Vec<i32>, i32) = (new.collect(), diff.clean as i32);
        // Often the new keys are just the next ones.
        keys.iter().zip(clean..).any(|(&key, next)| key != next).then_some(Self { clean, keys })
    }

    /// The table's key of a commit's key; null stays null.
    pub(super) fn table_key(&self, key: i32) -> i32 {
        if key < self.clean {
            return key;
        }
        self.keys.get((key - self.clean) as usize).copied().unwrap_or(i32::MIN)
    }
}

impl Prepared<'_> {
    /// The designated timestamp of a row.
    pub(super) fn timestamp(&self, row: usize, timestamp: usize) -> i64 {
        self.timestamps(timestamp).get(row).map_or(i64::MIN, designated)
    }

    /// The designated timestamps, each with its row id: [`designated`] reads one.
    pub(super) fn timestamps(&self, timestamp: usize) -> &[[u8; 16]] {
        match self.commit.columns.get(timestamp) {
            Some(Some(WalColumn::Designated(bytes))) => bytes.as_chunks().0,
            _ => &[],
        }
    }
}

/// The timestamp of an entry of the designated column.
pub(super) fn designated(entry: &[u8; 16]) -> i64 {
    entry.first_chunk().map_or(i64::MIN, |ts| i64::from_le_bytes(*ts))
}
