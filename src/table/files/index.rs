//! The pair of files behind every index: lists of ascending numbers by key.
//!
//! `.k` holds a header and one entry per key, `.v` the lists, in blocks that are chained both ways. Whatever a
//! key's entry doesn't count is never read, so a list grows in this order: what nobody sees yet (blocks, links
//! in full blocks, zeroed entries of new keys), the header, the entries. A crash in between leaves numbers that
//! are too large for the rows or symbols which `_txn` counts: readers skip them, and who opens the files next
//! rolls them back. An entry that was seen while it lists too much is never re-used for less: blocks that a
//! roll-back freed stay unused.

use super::Patch;
use crate::wal::{Cursor, Error, Files, Result};
use bytes::Bytes;
use std::ops::Range;

const SIGNATURE: i8 = 0xfau8 as i8;
const HEADER: u64 = 64;
const ENTRY: usize = 32;
/// The offsets of a block's neighbours, behind its values.
const LINKS: u64 = 16;
/// Entries between two that changed which are written again to have one write instead of two.
const GAP: usize = 8;
/// A value file up to this size is read whole to find what must be rolled back.
const WHOLE: u64 = 32 << 20;
/// Values per block, at most: more than QuestDB takes.
const BLOCK_MAX: u64 = 1 << 24;

/// The state of a pair of index files: what is needed to append without reading them again.
#[derive(Debug, Clone)]
pub(super) struct Index {
    keys_file: String,
    values_file: String,
    /// Values per block, a power of two.
    block: u64,
    sequence: i64,
    /// Bytes of `.v` that are in use.
    values_len: u64,
    /// The largest number listed, as far as the file says so.
    pub(super) max_value: i64,
    keys: Vec<Key>,
    /// By key: the number of the append that changed it last.
    changed: Vec<u32>,
    append: u32,
    /// Keys whose entries in the file list more than this state does.
    rolled_back: Vec<usize>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Key {
    count: u64,
    first: u64,
    last: u64,
}

/// What an append adds to `.v`.
#[derive(Default)]
struct Draft {
    /// Length of `.v` before.
    base: u64,
    /// What comes behind.
    tail: Vec<u8>,
    /// Words in front of it, by offset.
    words: Vec<(u64, u64)>,
    changed: Vec<usize>,
}

impl Index {
    /// The state of an empty index, and the files' first content.
    ///
    /// `stem` is the path of both files without their extensions; `suffix` follows these.
    pub(super) fn create(stem: &str, suffix: &str, block: u32) -> (Self, Vec<Patch>) {
        Self::empty(stem, suffix, block).created()
    }

    /// The same, as it is after the server opened it once: it then skips the first block.
    pub(super) fn create_opened(stem: &str, suffix: &str, block: u32, max_value: i64) -> (Self, Vec<Patch>) {
        let mut index = Self::empty(stem, suffix, block);
        index.sequence += 1;
        index.values_len = index.block_size();
        index.max_value = max_value;
        index.created()
    }

    fn created(self) -> (Self, Vec<Patch>) {
        let index = self;
        let values = Patch::new(&index.values_file, 0, vec![0; index.values_len as usize]);
        let keys = Patch::new(&index.keys_file, 0, index.header().to_vec());
        (index, vec![values, keys])
    }

    pub(super) fn empty(stem: &str, suffix: &str, block: u32) -> Self {
        Self {
            keys_file: format!("{stem}.k{suffix}"),
            values_file: format!("{stem}.v{suffix}"),
            block: u64::from(block).next_power_of_two().clamp(2, BLOCK_MAX),
            sequence: 1,
            values_len: 0,
            max_value: -1,
            keys: Vec::new(),
            changed: Vec::new(),
            append: 0,
            rolled_back: Vec::new(),
        }
    }

    /// Reads the state of existing files, which lie below `table_dir`.
    pub(super) fn open(files: &dyn Files, table_dir: &str, stem: &str, suffix: &str) -> Result<Self> {
        let mut index = Self::empty(stem, suffix, 2);
        let file = format!("{table_dir}/{}", index.keys_file);
        let bytes = files.read(&file, 0, HEADER)?;
        let mut cursor = Cursor::new(&file, 0, &bytes);
        let signature = cursor.i8("signature")?;
        if signature != SIGNATURE {
            return Err(cursor.damaged_back(1, format_args!("the signature {SIGNATURE}"), signature));
        }
        index.sequence = cursor.i64("sequence")?;
        index.values_len = cursor.u63("size of the values")?;
        let block = cursor.u31("values per block")?;
        index.block = u64::from(block);
        if !block.is_power_of_two() || !(2..=BLOCK_MAX).contains(&index.block) {
            return Err(cursor.damaged_back(4, format_args!("a power of two from 2 to {BLOCK_MAX}"), block));
        }
        let keys = u64::from(cursor.u31("number of keys")?);
        cursor.take(4, "reserved bytes")?;
        let check = cursor.i64("sequence")?;
        if check != index.sequence {
            return Err(cursor.damaged_back(8, format_args!("the sequence {}", index.sequence), check));
        }
        index.max_value = cursor.i64("largest value")?;
        let bytes = files.read(&file, HEADER, keys * ENTRY as u64)?;
        index.read_entries(&file, &bytes)?;
        Ok(index)
    }

    fn read_entries(&mut self, file: &str, bytes: &[u8]) -> Result<()> {
        let (size, len) = (self.block_size(), self.values_len);
        let mut cursor = Cursor::new(file, HEADER, bytes);
        self.keys.reserve_exact(bytes.len() / ENTRY);
        while cursor.remaining() > 0 {
            let key = Key {
                count: cursor.u63("number of values")?,
                first: cursor.u63("offset of the first block")?,
                last: cursor.u63("offset of the last block")?,
            };
            let check = cursor.u63("number of values")?;
            if check != key.count {
                return Err(cursor.damaged_back(8, format_args!("{} values", key.count), check));
            }
            let valid = |at: u64| at.is_multiple_of(size) && at < len;
            if key.count > 0 && !(valid(key.first) && valid(key.last) && key.first <= key.last) {
                let expected = format_args!("blocks of {size} bytes below {len}");
                return Err(cursor.damaged_back(24, expected, format_args!("{}, {}", key.first, key.last)));
            }
            self.keys.push(key);
        }
        self.changed = vec![0; self.keys.len()];
        Ok(())
    }

    /// Number of values in all lists.
    pub(super) fn values(&self) -> u64 {
        self.keys.iter().fold(0, |sum, key| sum.saturating_add(key.count))
    }

    /// Memory held, in bytes.
    pub(super) fn memory(&self) -> usize {
        self.keys.capacity() * size_of::<Key>() + self.changed.capacity() * size_of::<u32>()
    }

    /// Drops all values of `limit` and more. The files follow with the next append.
    pub(super) fn roll_back(&mut self, files: &dyn Files, table_dir: &str, limit: u64) -> Result<()> {
        let blocks = Blocks::open(files, format!("{table_dir}/{}", self.values_file), self)?;
        for (number, key) in self.keys.iter_mut().enumerate() {
            let before = key.count;
            while key.count > 0 {
                let cells = ((key.count - 1) & (self.block - 1)) + 1;
                let block = blocks.read(key.last)?;
                let (words, _) = block.as_chunks::<8>();
                let values = words.get(..cells as usize).unwrap_or_default();
                let kept = values.partition_point(|value| u64::from_le_bytes(*value) < limit) as u64;
                key.count -= cells - kept;
                if kept > 0 || key.count == 0 {
                    break;
                }
                let prev = words.get(self.block as usize).map_or(0, |word| u64::from_le_bytes(*word));
                if prev >= key.last || !prev.is_multiple_of(self.block * 8 + LINKS) {
                    let at = key.last + self.block * 8;
                    let expected = format_args!("the offset of a block below {}", key.last);
                    return Err(Error::damaged(&blocks.file, at, expected, prev));
                }
                key.last = prev;
            }
            if key.count < before {
                self.rolled_back.push(number);
            }
        }
        Ok(())
    }

    /// Appends `(key, value)` pairs; the values of a key ascend. `max_value` goes into the header.
    pub(super) fn append(&mut self, pairs: impl Iterator<Item = (usize, u64)>, max_value: i64) -> Vec<Patch> {
        let known = self.keys.len();
        let mut draft = self.draft(pairs);
        self.max_value = max_value;
        let mut changed = std::mem::take(&mut self.rolled_back);
        changed.append(&mut draft.changed);
        let mut patches = draft.patches(&self.values_file);
        if let Some(new) = self.keys.len().checked_sub(known).filter(|new| *new > 0) {
            let offset = HEADER + (known * ENTRY) as u64;
            patches.push(Patch::new(&self.keys_file, offset, vec![0; new * ENTRY]));
        }
        if !changed.is_empty() {
            patches.push(Patch::new(&self.keys_file, 0, self.header().to_vec()));
            patches.extend(self.entries(changed));
        }
        patches
    }

    /// Content of both files for an index that is built in one go.
    pub(super) fn build(
        mut self,
        pairs: impl Iterator<Item = (usize, u64)>,
        max_value: i64,
    ) -> (Vec<u8>, Vec<u8>) {
        let draft = self.draft(pairs);
        self.max_value = max_value;
        let mut keys = self.header().to_vec();
        keys.reserve_exact(self.keys.len() * ENTRY);
        self.write_entries(0..self.keys.len(), &mut keys);
        (keys, draft.tail)
    }

    fn draft(&mut self, pairs: impl Iterator<Item = (usize, u64)>) -> Draft {
        // After 2^32 appends a key could look changed: start over.
        self.append = self.append.wrapping_add(1);
        if self.append == 0 {
            self.changed.fill(0);
            self.append = 1;
        }
        let mut draft = Draft { base: self.values_len, ..Draft::default() };
        for (key, value) in pairs {
            self.add(key, value, &mut draft);
        }
        draft
    }

    fn add(&mut self, number: usize, value: u64, draft: &mut Draft) {
        if number >= self.keys.len() {
            self.keys.resize(number + 1, Key::default());
            self.changed.resize(number + 1, 0);
            self.sequence += 1;
        }
        let size = self.block_size();
        let (Some(key), Some(changed)) = (self.keys.get_mut(number), self.changed.get_mut(number)) else {
            return;
        };
        if *changed != self.append {
            *changed = self.append;
            draft.changed.push(number);
        }
        let cell = key.count & (self.block - 1);
        if cell > 0 {
            draft.put(key.last + cell * 8, value);
        } else {
            let at = self.values_len;
            self.values_len += size;
            self.sequence += 1;
            draft.tail.resize((self.values_len - draft.base) as usize, 0);
            draft.put(at, value);
            if key.count == 0 {
                key.first = at;
            } else {
                draft.put(at + self.block * 8, key.last);
                draft.put(key.last + self.block * 8 + 8, at);
            }
            key.last = at;
        }
        key.count += 1;
    }

    fn block_size(&self) -> u64 {
        self.block * 8 + LINKS
    }

    fn header(&self) -> [u8; HEADER as usize] {
        let mut out = [0; HEADER as usize];
        out[0] = SIGNATURE as u8;
        out[1..9].copy_from_slice(&self.sequence.to_le_bytes());
        out[9..17].copy_from_slice(&self.values_len.to_le_bytes());
        out[17..21].copy_from_slice(&(self.block as u32).to_le_bytes());
        out[21..25].copy_from_slice(&(self.keys.len() as u32).to_le_bytes());
        out[29..37].copy_from_slice(&self.sequence.to_le_bytes());
        out[37..45].copy_from_slice(&self.max_value.to_le_bytes());
        out
    }

    /// Writes of the entries of these keys, neighbours in one.
    fn entries(&self, mut numbers: Vec<usize>) -> Vec<Patch> {
        numbers.sort_unstable();
        let mut runs: Vec<Range<usize>> = Vec::new();
        for number in numbers {
            match runs.last_mut() {
                Some(run) if number <= run.end + GAP => run.end = number + 1,
                _ => runs.push(number..number + 1),
            }
        }
        let patch = |run: Range<usize>| {
            let offset = HEADER + (run.start * ENTRY) as u64;
            let mut bytes = Vec::with_capacity(run.len() * ENTRY);
            self.write_entries(run, &mut bytes);
            Patch::new(&self.keys_file, offset, bytes)
        };
        runs.into_iter().map(patch).collect()
    }

    fn write_entries(&self, numbers: Range<usize>, out: &mut Vec<u8>) {
        for key in self.keys.get(numbers).unwrap_or_default() {
            for word in [key.count, key.first, key.last, key.count] {
                out.extend_from_slice(&word.to_le_bytes());
            }
        }
    }
}

impl Draft {
    fn put(&mut self, offset: u64, word: u64) {
        let Some(at) = offset.checked_sub(self.base) else {
            self.words.push((offset, word));
            return;
        };
        if let Some(place) = self.tail.get_mut(at as usize..at as usize + 8) {
            place.copy_from_slice(&word.to_le_bytes());
        }
    }

    fn patches(self, file: &str) -> Vec<Patch> {
        let mut words = self.words;
        // Stable: of two writes of a word the second counts, and no word is written twice in one append.
        words.sort_by_key(|(offset, _)| *offset);
        let mut patches: Vec<Patch> = Vec::new();
        for (offset, word) in words {
            match patches.last_mut() {
                Some(patch) if patch.end() == offset => patch.bytes.extend_from_slice(&word.to_le_bytes()),
                _ => patches.push(Patch::new(file, offset, word.to_le_bytes().to_vec())),
            }
        }
        if !self.tail.is_empty() {
            patches.push(Patch::new(file, self.base, self.tail));
        }
        patches
    }
}

/// Blocks of a value file, read whole where that is little.
struct Blocks<'a> {
    files: &'a dyn Files,
    file: String,
    size: u64,
    whole: Option<Bytes>,
}

impl<'a> Blocks<'a> {
    fn open(files: &'a dyn Files, file: String, index: &Index) -> Result<Self> {
        let whole =
            (index.values_len <= WHOLE).then(|| files.read(&file, 0, index.values_len)).transpose()?;
        Ok(Self { files, file, size: index.block_size(), whole })
    }

    fn read(&self, at: u64) -> Result<Bytes> {
        match &self.whole {
            // Offsets were checked against the size in use; it need not be a multiple of blocks.
            Some(whole) if at + self.size <= whole.len() as u64 => {
                Ok(whole.slice(at as usize..(at + self.size) as usize))
            }
            _ => self.files.read(&self.file, at, self.size),
        }
    }
}
