use crate::wal::{Symbol, SymbolText};
use imbl::{GenericHashMap, Vector, shared_ptr::DefaultSharedPtr};
use std::hash::{BuildHasherDefault, DefaultHasher};
use std::sync::Arc;

type Keys = GenericHashMap<Arc<str>, i32, BuildHasherDefault<DefaultHasher>, DefaultSharedPtr>;

/// A SYMBOL column's dictionary: strings in order of first use, the position is the key.
///
/// Cloning is cheap, so every checkpoint has its own.
#[derive(Debug, Clone, Default)]
pub struct SymbolTable {
    /// As they are printed.
    strings: Vector<Arc<str>>,
    /// Of those that are text.
    keys: Keys,
    /// The keys of those that are not, by their units in hexadecimal: a map of the same kind costs no code.
    odd: Keys,
    /// Their units, by ascending key.
    units: Arc<Vec<(i32, Vec<u8>)>>,
    /// For each key of the server's dictionary the key here, where they differ; once they were compared.
    order: Option<Arc<Vec<i32>>>,
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

    /// The key of a symbol, added at the end if it is new.
    pub fn intern_symbol(&mut self, symbol: Symbol<'_>) -> i32 {
        let units = match symbol {
            Symbol::Text(text) => return self.intern(text),
            Symbol::Units(units) => units,
        };
        let name: Arc<str> = hexadecimal(units).into();
        if let Some(&key) = self.odd.get(&name) {
            return key;
        }
        let key = self.strings.len() as i32;
        let printed: Arc<str> = (&*SymbolText::of_units(units)).into();
        self.bytes += printed.len() + units.len();
        self.strings.push_back(printed);
        self.odd.insert(name, key);
        Arc::make_mut(&mut self.units).push((key, units.to_vec()));
        key
    }

    /// Whether [`learn_order`](Self::learn_order) has compared the keys with the server's.
    pub fn knows_order(&self) -> bool {
        self.order.is_some()
    }

    /// Takes in which keys the server's dictionary has: `symbols` are its first ones. Those that came later have the
    /// same keys here.
    pub fn learn_order(&mut self, symbols: &[SymbolText]) {
        let known = symbols.get(..self.len()).unwrap_or(symbols);
        let keys: Option<Vec<i32>> = known.iter().map(|symbol| self.find_symbol(symbol.symbol())).collect();
        if let Some(mut keys) = keys {
            if (0..).zip(&keys).all(|(server, here)| server == *here) {
                keys.clear();
            }
            self.order = Some(Arc::new(keys));
        }
    }

    /// For the server's keys below `clean` those here; `None` where they are the same.
    pub fn reordered(&self, clean: u32) -> Option<Vec<i32>> {
        let order = self.order.as_deref().filter(|order| !order.is_empty())?;
        Some((0..clean as i32).map(|key| order.get(key as usize).copied().unwrap_or(key)).collect())
    }

    /// The key of `text`, if it is in the dictionary.
    pub fn find(&self, text: &str) -> Option<i32> {
        self.keys.get(text).copied()
    }

    fn find_symbol(&self, symbol: Symbol<'_>) -> Option<i32> {
        match symbol {
            Symbol::Text(text) => self.find(text),
            Symbol::Units(units) => self.odd.get(hexadecimal(units).as_str()).copied(),
        }
    }

    /// The symbol of a key; `None` for null and for keys that do not exist.
    pub fn symbol(&self, key: i32) -> Option<Symbol<'_>> {
        let text = self.get(key)?;
        let place = self.units.binary_search_by_key(&key, |(key, _)| *key).ok();
        let odd = place.and_then(|place| self.units.get(place));
        Some(odd.map_or(Symbol::Text(text), |(_, units)| Symbol::Units(units)))
    }

    /// The string of a key, as it is printed; `None` for null and for keys that do not exist.
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

    /// The symbols from a key on, in order of key.
    pub fn symbols_from(&self, key: usize) -> impl Iterator<Item = Symbol<'_>> + '_ {
        (key..self.strings.len()).filter_map(|key| self.symbol(key as i32))
    }

    /// All strings in order of key, as they are printed.
    pub fn iter(&self) -> impl Iterator<Item = &str> + '_ {
        self.strings.iter().map(|text| &**text)
    }
}

fn hexadecimal(units: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or('0');
    units.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_of_pairs_are_symbols_of_their_own() {
        let mut symbols = SymbolTable::default();
        let half = |lo| SymbolText::of_units(&[lo, 0xd8]);
        let (first, second) = (half(0x3d), half(0x3e));
        assert_eq!(symbols.intern("?"), 0);
        assert_eq!(symbols.intern_symbol(first.symbol()), 1);
        assert_eq!(symbols.intern_symbol(second.symbol()), 2);
        assert_eq!(symbols.intern_symbol(first.symbol()), 1);
        assert_eq!((symbols.intern("?"), symbols.find("?"), symbols.len()), (0, Some(0), 3));
        assert_eq!((symbols.get(1), symbols.symbol(2)), (Some("?"), Some(second.symbol())));
        symbols.learn_order(&[second, first.clone(), "?".into()]);
        assert_eq!(symbols.reordered(4), Some(vec![2, 1, 0, 3]));
        symbols.learn_order(&["?".into(), first.clone()]);
        assert_eq!((symbols.knows_order(), symbols.reordered(2)), (true, None));
        let second = half(0x3e);
        let all: Vec<Symbol<'_>> = symbols.symbols_from(0).collect();
        assert_eq!(all, [Symbol::Text("?"), first.symbol(), second.symbol()]);
    }
}
