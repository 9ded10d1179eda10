use imbl::{GenericHashMap, Vector, shared_ptr::DefaultSharedPtr};
use std::hash::{BuildHasherDefault, DefaultHasher};
use std::sync::Arc;

/// A SYMBOL column's dictionary: strings in order of first use, the position is the key.
///
/// Cloning is cheap, so every checkpoint has its own.
#[derive(Debug, Clone, Default)]
pub struct SymbolTable {
    strings: Vector<Arc<str>>,
    keys: GenericHashMap<Arc<str>, i32, BuildHasherDefault<DefaultHasher>, DefaultSharedPtr>,
    bytes: usize,
}

impl SymbolTable {
    /// The key of `text`, added at the end if it is new.
    pub fn intern(&mut self, text: &str) -> i32 {
        if let Some(&key) = self.keys.get(text) {
            return key;
        }
        let key = self.strings.len() as i32;
        let shared: Arc<str> = text.into();
        self.strings.push_back(shared.clone());
        self.keys.insert(shared, key);
        self.bytes += text.len();
        key
    }

    /// The key of `text`, if it is in the dictionary.
    pub fn find(&self, text: &str) -> Option<i32> {
        self.keys.get(text).copied()
    }

    /// The string of a key; `None` for null and for keys that do not exist.
    pub fn get(&self, key: i32) -> Option<&str> {
        usize::try_from(key).ok().and_then(|key| self.strings.get(key)).map(|text| &**text)
    }

    /// Number of strings.
    pub fn len(&self) -> usize {
        self.strings.len()
    }

    /// True without any string.
    pub fn is_empty(&self) -> bool {
        self.strings.is_empty()
    }

    /// Memory held, in bytes, roughly.
    pub fn memory(&self) -> usize {
        self.bytes + self.strings.len() * 64
    }

    /// The strings from a key on, in order of key.
    pub fn iter_from(&self, key: usize) -> impl Iterator<Item = &str> + '_ {
        (key..self.strings.len()).filter_map(|key| self.strings.get(key)).map(|text| &**text)
    }

    /// All strings in order of key.
    pub fn iter(&self) -> impl Iterator<Item = &str> + '_ {
        self.strings.iter().map(|text| &**text)
    }
}
