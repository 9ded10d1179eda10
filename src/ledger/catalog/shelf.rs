//! Objects of the bucket that are at hand, as far as memory allows.

use super::extents::Spot;
use crate::ledger::{Block, Error, Key, Result};
use bytes::Bytes;
use std::collections::BTreeMap;

/// Objects as stored, and blocks of them unpacked; what was used longest ago goes first.
#[derive(Debug)]
pub(super) struct Shelf {
    objects: BTreeMap<Key, Held>,
    blocks: BTreeMap<(Key, u64), Held>,
    clock: u64,
    held: u64,
    limit: u64,
    let_go: u64,
}

#[derive(Debug)]
struct Held {
    bytes: Bytes,
    used: u64,
}

impl Shelf {
    pub(super) fn new(limit: u64) -> Self {
        Self { objects: BTreeMap::new(), blocks: BTreeMap::new(), clock: 0, held: 0, limit, let_go: 0 }
    }

    /// Bytes held.
    pub(super) fn held(&self) -> u64 {
        self.held
    }

    /// Objects that were let go for want of memory, those that came again counted again.
    pub(super) fn let_go(&self) -> u64 {
        self.let_go
    }

    pub(super) fn has(&self, key: Key) -> bool {
        self.objects.contains_key(&key)
    }

    /// Keeps an object. The caller has checked that it is the one.
    pub(super) fn put(&mut self, key: Key, bytes: Bytes) {
        self.clock += 1;
        self.held += bytes.len() as u64;
        if let Some(old) = self.objects.insert(key, Held { bytes, used: self.clock }) {
            self.held -= old.bytes.len() as u64;
        }
        self.make_room();
    }

    /// The unpacked bytes of a block; `None` if its object is not at hand.
    pub(super) fn unpack(&mut self, spot: &Spot) -> Result<Option<Bytes>> {
        self.clock += 1;
        if let Some(held) = self.blocks.get_mut(&(spot.key, spot.at)) {
            held.used = self.clock;
            return Ok(Some(held.bytes.clone()));
        }
        let Some(object) = self.objects.get_mut(&spot.key) else { return Ok(None) };
        object.used = self.clock;
        let raw = unpack(spot, &object.bytes)?;
        self.held += raw.len() as u64;
        let held = Held { bytes: raw.clone(), used: self.clock };
        if let Some(old) = self.blocks.insert((spot.key, spot.at), held) {
            self.held -= old.bytes.len() as u64;
        }
        self.make_room();
        Ok(Some(raw))
    }

    /// Unpacked blocks cost no request to have again, so they go before objects. The newest of all stays in any case:
    /// whoever asked for it reads it next.
    fn make_room(&mut self) {
        while self.held > self.limit {
            let block =
                self.blocks.iter().min_by_key(|(_, held)| held.used).map(|(key, held)| (*key, held.used));
            let Some((key, used)) = block.filter(|(_, used)| *used < self.clock) else { break };
            debug_assert!(used < self.clock, "the newest stays");
            let Some(gone) = self.blocks.remove(&key) else { break };
            self.held -= gone.bytes.len() as u64;
        }
        while self.held > self.limit {
            let object =
                self.objects.iter().min_by_key(|(_, held)| held.used).map(|(key, held)| (*key, held.used));
            let Some((key, _)) = object.filter(|(_, used)| *used < self.clock) else { break };
            let Some(gone) = self.objects.remove(&key) else { break };
            self.held -= gone.bytes.len() as u64;
            self.let_go += 1;
        }
    }
}

/// A block's bytes before compression, from its object.
pub(super) fn unpack(spot: &Spot, object: &Bytes) -> Result<Bytes> {
    let end = spot.at.checked_add(spot.stored).filter(|end| *end <= object.len() as u64);
    let Some(end) = end else {
        return Err(Error::damaged(spot.key, spot.at, format_args!("{} bytes", spot.stored), object.len()));
    };
    let block = Block::compressed(spot.codec, spot.raw, object.slice(spot.at as usize..end as usize));
    if block.crc != spot.crc {
        let (expected, found) = (format!("CRC {:08x}", spot.crc), format!("CRC {:08x}", block.crc));
        return Err(Error::damaged(spot.key, spot.at, expected, found));
    }
    block.unpack(spot.key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::{Codec, Sum};

    fn spot(n: u64) -> (Spot, Bytes) {
        let raw = Bytes::from(vec![n as u8; 1000]);
        let block = Block::of(raw.clone(), Codec::Stored).unwrap();
        let key = Key::Blob(Sum::of(&raw));
        let spot =
            Spot { key, at: 0, stored: block.stored_len, raw: 1000, codec: block.codec, crc: block.crc };
        (spot, raw)
    }

    #[test]
    fn what_was_used_longest_ago_goes_and_the_newest_stays() {
        let mut shelf = Shelf::new(2500);
        for n in 0..3 {
            let (spot, raw) = spot(n);
            shelf.put(spot.key, raw);
        }
        assert_eq!((shelf.held(), shelf.let_go()), (2000, 1));
        assert!(!shelf.has(spot(0).0.key) && shelf.has(spot(2).0.key));
        assert_eq!(shelf.unpack(&spot(0).0).unwrap(), None);
        assert_eq!(shelf.unpack(&spot(1).0).unwrap().unwrap(), spot(1).1);
        let mut tiny = Shelf::new(1);
        tiny.put(spot(7).0.key, spot(7).1);
        assert_eq!(tiny.unpack(&spot(7).0).unwrap().unwrap(), spot(7).1);
    }

    #[test]
    fn a_block_that_lies_is_an_error() {
        let mut shelf = Shelf::new(1 << 20);
        let (mut spot, raw) = spot(1);
        shelf.put(spot.key, raw);
        spot.crc ^= 1;
        assert!(matches!(shelf.unpack(&spot), Err(Error::Damaged { .. })));
        spot.crc ^= 1;
        spot.stored = u64::MAX;
        assert!(shelf.unpack(&spot).is_err());
        spot.stored = 1001;
        assert!(shelf.unpack(&spot).is_err());
    }
}
