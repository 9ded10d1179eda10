use super::bitmap::suffix;
use super::index::Index;
use super::{Patch, column_file};
use crate::wal::{Cursor, Error, Files, Result, Symbol};

/// In front of the offsets in `.o`.
const HEADER: u64 = 64;
/// Values per block of the index over hashes.
const BLOCK: u32 = 2;
/// The most symbols that QuestDB plans for.
const CAPACITY_MAX: u32 = 1 << 30;

/// The dictionary of a SYMBOL column: its files `.o`, `.c`, `.k` and `.v` in the table's directory.
///
/// Holds what is needed to append without reading them again: about 28 bytes per hash bucket, of which there is
/// one for every two symbols of the capacity. How many symbols are valid only `_txn` says.
#[derive(Debug, Clone)]
pub struct DictionaryWriter {
    column: String,
    name_txn: i64,
    capacity: u32,
    cache: bool,
    has_null: bool,
    count: u32,
    /// Bytes of `.c` in use.
    values_len: u64,
    index: Index,
}

impl DictionaryWriter {
    /// An empty dictionary, and the patches that create its files.
    ///
    /// `capacity` is the number of symbols that lookups are to be quick for (from `_meta`), `cache` whether
    /// the server keeps strings in memory, `name_txn` -1 for files without a suffix.
    pub fn create(column: &str, name_txn: i64, capacity: u32, cache: bool) -> (Self, Vec<Patch>) {
        // The server opens a dictionary as soon as it has created it, and rolls it back to no symbols.
        let none = slot(0) as i64 - 8;
        let (index, mut patches) = Index::create_opened(column, &suffix(name_txn), BLOCK, none);
        let writer = Self::new(column, name_txn, capacity, cache, index);
        patches.extend(writer.created());
        (writer, patches)
    }

    /// The same dictionary in new files with another capacity: `symbols` are all of it, in order of key.
    ///
    /// The new files are to be noted in `_cv` (as the symbol table's), the capacity in `_meta`.
    pub fn rebuild(&self, name_txn: i64, capacity: u32, symbols: &[&str]) -> (Self, Vec<Patch>) {
        let (index, mut patches) = Index::create(&self.column, &suffix(name_txn), BLOCK);
        let mut writer = Self::new(&self.column, name_txn, capacity, self.cache, index);
        writer.has_null = self.has_null;
        patches.extend(writer.created());
        patches.extend(writer.append(symbols, self.has_null));
        (writer, patches)
    }

    fn new(column: &str, name_txn: i64, capacity: u32, cache: bool, index: Index) -> Self {
        Self {
            column: column.to_owned(),
            name_txn,
            capacity: capacity.clamp(1, CAPACITY_MAX),
            cache,
            has_null: false,
            count: 0,
            values_len: 0,
            index,
        }
    }

    fn created(&self) -> [Patch; 2] {
        let mut offsets = self.header().to_vec();
        offsets.extend_from_slice(&[0; 8]);
        [Patch::new(self.file("c"), 0, Vec::new()), Patch::new(self.file("o"), 0, offsets)]
    }

    /// Takes up existing files, ours or the server's, with the first `count` symbols; what is behind them is
    /// overwritten, and rolled back in `.k` by the next [`append`](Self::append).
    ///
    /// # Errors
    /// Files that contradict themselves or hold fewer symbols. If only the hashes are wrong, the dictionary can
    /// be written anew from its strings, under another `name_txn`.
    pub fn open(files: &dyn Files, table_dir: &str, column: &str, name_txn: i64, count: u32) -> Result<Self> {
        let index = Index::open(files, table_dir, column, &suffix(name_txn))?;
        let mut writer = Self::new(column, name_txn, 1, false, index);
        writer.count = count;
        writer.read_header(files, table_dir)?;
        writer.index.roll_back(files, table_dir, slot(count))?;
        let listed = writer.index.values();
        if listed != u64::from(count) {
            let file = format!("{table_dir}/{}", writer.file("k"));
            return Err(Error::damaged(&file, HEADER, format_args!("{count} symbols"), listed));
        }
        Ok(writer)
    }

    fn read_header(&mut self, files: &dyn Files, table_dir: &str) -> Result<()> {
        let file = format!("{table_dir}/{}", self.file("o"));
        let bytes = files.read(&file, 0, HEADER)?;
        let mut cursor = Cursor::new(&file, 0, &bytes);
        self.capacity = cursor.u31("capacity")?;
        if !(1..=CAPACITY_MAX).contains(&self.capacity) {
            let expected = format_args!("a capacity from 1 to {CAPACITY_MAX}");
            return Err(cursor.damaged_back(4, expected, self.capacity));
        }
        self.cache = cursor.flag("cache flag")?;
        cursor.take(3, "reserved bytes")?;
        self.has_null = cursor.flag("null flag")?;
        if self.count == 0 {
            return Ok(());
        }
        let at = slot(self.count);
        self.values_len = Cursor::new(&file, at, &files.read(&file, at, 8)?).u63("end of the symbols")?;
        let values = format!("{table_dir}/{}", self.file("c"));
        let len = files.len(&values)?;
        if len < self.values_len {
            return Err(Error::Short { file: values.into(), len, wanted: self.values_len });
        }
        Ok(())
    }

    /// Adds symbols with the next keys; none may be in the dictionary yet. `has_null`: rows may be null.
    ///
    /// Patches are in crash-safe order: a reader or writer that goes by the old count in `_txn` finds the
    /// dictionary as it was after any of them. Nothing before the first patch of `.k` changes what a reader of
    /// any count sees; where power may fail, it must be durable before that is written.
    pub fn append(&mut self, new: &[&str], has_null: bool) -> Vec<Patch> {
        let new: Vec<Symbol<'_>> = new.iter().map(|text| Symbol::Text(text)).collect();
        self.append_symbols(&new, has_null)
    }

    /// As [`append`](Self::append), of symbols that may be no text.
    pub fn append_symbols(&mut self, new: &[Symbol<'_>], has_null: bool) -> Vec<Patch> {
        let mut patches = Vec::new();
        if has_null && !self.has_null {
            self.has_null = true;
            patches.push(Patch::new(self.file("o"), 8, vec![1]));
        }
        if new.is_empty() {
            return patches;
        }
        let first = self.count;
        let mask = self.mask();
        let mut values = Vec::new();
        let mut ends = Vec::with_capacity(new.len() * 8);
        let mut pairs = Vec::with_capacity(new.len());
        for (symbol, key) in new.iter().zip(first..) {
            let hash = push_symbol(&mut values, *symbol);
            ends.extend_from_slice(&(self.values_len + values.len() as u64).to_le_bytes());
            pairs.push(((hash & 0x0fff_ffff & mask) as usize, slot(key)));
        }
        let values_at = self.values_len;
        self.values_len += values.len() as u64;
        self.count += new.len() as u32;
        patches.push(Patch::new(self.file("c"), values_at, values));
        patches.push(Patch::new(self.file("o"), slot(first + 1), ends));
        // QuestDB keeps no largest value here.
        patches.extend(self.index.append(pairs.into_iter(), self.index.max_value));
        patches
    }

    /// The capacity under which the server would write the dictionary anew, once there are more symbols than
    /// four fifths of the present one.
    ///
    /// More symbols than the capacity are valid, but every lookup walks through all of the same hash:
    /// [`rebuild`](Self::rebuild) it.
    pub fn wanted_capacity(&self) -> Option<u32> {
        if self.capacity >= CAPACITY_MAX || u64::from(self.count) * 5 <= u64::from(self.capacity) * 4 {
            return None;
        }
        let floor = 1u32 << self.count.max(1).ilog2();
        Some((self.capacity * 2).max(floor).min(CAPACITY_MAX))
    }

    /// The write that notes whether the symbols are to be cached.
    pub fn set_cached(&self, cached: bool) -> Patch {
        Patch::new(self.file("o"), 4, vec![u8::from(cached)])
    }

    /// Number of symbols.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Number of symbols that lookups are quick for.
    pub fn capacity(&self) -> u32 {
        self.capacity
    }

    /// Suffix of the files, -1 for none.
    pub fn name_txn(&self) -> i64 {
        self.name_txn
    }

    /// Whether rows may be null.
    pub fn has_null(&self) -> bool {
        self.has_null
    }

    /// Memory held, in bytes.
    pub fn memory(&self) -> usize {
        self.column.capacity() + self.index.memory()
    }

    fn file(&self, extension: &str) -> String {
        column_file(&self.column, extension, self.name_txn)
    }

    fn header(&self) -> [u8; HEADER as usize] {
        let mut out = [0; HEADER as usize];
        out[..4].copy_from_slice(&self.capacity.to_le_bytes());
        out[4] = u8::from(self.cache);
        out[8] = u8::from(self.has_null);
        out
    }

    /// The hash bits that choose a bucket.
    fn mask(&self) -> u32 {
        ((self.capacity / 2).next_power_of_two() - 1).max(1)
    }
}

/// Offset in `.o` of a key's slot, which is also its number in the index.
fn slot(key: u32) -> u64 {
    HEADER + u64::from(key) * 8
}

/// Appends a length-prefixed string; its hash as Java computes it.
fn push_symbol(out: &mut Vec<u8>, symbol: Symbol<'_>) -> u32 {
    let at = out.len();
    out.extend_from_slice(&[0; 4]);
    let mut hash = 0u32;
    let mut units = 0u32;
    symbol.units(|unit| {
        out.extend_from_slice(&unit.to_le_bytes());
        hash = hash.wrapping_mul(31).wrapping_add(u32::from(unit));
        units += 1;
    });
    if let Some(place) = out.get_mut(at..at + 4) {
        place.copy_from_slice(&units.to_le_bytes());
    }
    hash
}
