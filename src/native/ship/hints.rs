//! What readers may look at first: blocks of the index, and `head.json`. Nothing depends on them.

use crate::ledger::{
    ClusterId, Document, HeadHint, INDEX_NUMBERS, IndexBlock, IndexEntry, Key, Object, Place,
};
use crate::native::bucket::Bucket;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// How often `head.json` is written, at most.
const HEAD_EVERY: Duration = Duration::from_secs(10);

/// Something that the hints tell of.
#[derive(Debug)]
pub(super) enum Tell {
    /// An object is in the history for good.
    Confirmed(Place, IndexEntry),
    /// A snapshot's manifest is in the bucket.
    Snapshot(u64),
}

/// Objects of the log, as the index has them.
#[derive(Debug, Default)]
pub(super) struct Indexed {
    /// Of the newest block and the one before it.
    entries: BTreeMap<u64, IndexEntry>,
    snapshot: Option<u64>,
}

impl Indexed {
    /// Takes an object that was read.
    pub(super) fn object(&mut self, object: &Object, tables: Vec<String>) {
        let head = object.head();
        let entry = IndexEntry {
            directory: head.place.dir,
            committed_us: head.committed_us,
            bytes: object.bytes().len() as u64,
            tables,
        };
        self.entry(head.place, entry);
    }

    /// Takes the newest snapshot that is known.
    pub(super) fn snapshot(&mut self, n: u64) {
        self.snapshot = self.snapshot.max(Some(n));
    }

    fn entry(&mut self, place: Place, entry: IndexEntry) {
        // A number that was not told of is a seal: it lies where the one before it does.
        if let Some((&last, before)) = self.entries.last_key_value() {
            let seal = IndexEntry { bytes: 0, tables: Vec::new(), ..before.clone() };
            for n in last + 1..place.n.min(last + INDEX_NUMBERS) {
                self.entries.insert(n, seal.clone());
            }
        }
        self.entries.insert(place.n, entry);
        let kept = (place.n / INDEX_NUMBERS).saturating_sub(1) * INDEX_NUMBERS;
        self.entries = self.entries.split_off(&kept);
    }

    /// The block that ends before this number, if all of it is known.
    fn block_before(&self, cluster: ClusterId, n: u64) -> Option<IndexBlock> {
        let k = (n / INDEX_NUMBERS).checked_sub(1)?;
        let numbers = k * INDEX_NUMBERS..(k + 1) * INDEX_NUMBERS;
        let objects: Vec<IndexEntry> = self.entries.range(numbers).map(|(_, entry)| entry.clone()).collect();
        let whole = objects.len() as u64 == INDEX_NUMBERS;
        whole.then_some(IndexBlock { format: 1, cluster, k, objects, snapshot: self.snapshot })
    }
}

/// Writes the hints as objects are confirmed.
pub(super) async fn run(
    bucket: Bucket,
    cluster: ClusterId,
    mut indexed: Indexed,
    mut told: mpsc::UnboundedReceiver<Tell>,
) {
    let mut written: Option<Instant> = None;
    let mut newest: Option<Place> = None;
    let mut dirty = false;
    let mut block = indexed.entries.keys().last().map_or(0, |last| last / INDEX_NUMBERS);
    // The process before this one may have ended right before it wrote it.
    put_block(&bucket, indexed.block_before(cluster, block * INDEX_NUMBERS)).await;
    loop {
        let rest = written.map_or(Duration::ZERO, |at| HEAD_EVERY.saturating_sub(at.elapsed()));
        tokio::select! {
            tell = told.recv() => match tell {
                Some(Tell::Confirmed(place, entry)) => {
                    indexed.entry(place, entry);
                    (newest, dirty) = (Some(place), true);
                    // Also when the last number of a block was a seal.
                    let next = (place.n + 1) / INDEX_NUMBERS;
                    if next > block {
                        put_block(&bucket, indexed.block_before(cluster, next * INDEX_NUMBERS)).await;
                        block = next;
                    }
                }
                Some(Tell::Snapshot(n)) => {
                    indexed.snapshot(n);
                    dirty = true;
                }
                None => {
                    put_head(&bucket, cluster, newest, indexed.snapshot).await;
                    return;
                }
            },
            () = tokio::time::sleep(rest), if dirty => {
                put_head(&bucket, cluster, newest, indexed.snapshot).await;
                dirty = false;
                written = Some(Instant::now());
            }
        }
    }
}

async fn put_block(bucket: &Bucket, block: Option<IndexBlock>) {
    let Some(block) = block else { return };
    if let Ok(bytes) = block.to_bytes() {
        // That it is there already is as good, that it can't be written no harm.
        let _ = bucket.put_if_absent(&Key::Index(block.k).to_string(), bytes).await;
    }
}

async fn put_head(bucket: &Bucket, cluster: ClusterId, newest: Option<Place>, snapshot: Option<u64>) {
    let Some(Place { dir, n }) = newest else { return };
    let hint = HeadHint { format: 1, cluster, directory: dir, n, boundary: None, snapshot };
    if let Ok(bytes) = hint.to_bytes() {
        let _ = bucket.put(&Key::Head.to_string(), bytes).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::{Dir, Term, WriterId};

    #[test]
    fn a_block_is_written_when_all_of_it_is_known() {
        let mut indexed = Indexed::default();
        let entry = |n: u64| {
            let dir = Dir { term: Term(1), writer: WriterId(1) };
            let entry = IndexEntry { directory: dir, committed_us: n as i64, bytes: 5, tables: Vec::new() };
            (Place { dir, n }, entry)
        };
        // Number 7 was a seal.
        for n in (0..600).filter(|n| *n != 7) {
            let (place, entry) = entry(n);
            indexed.entry(place, entry);
            assert!(indexed.entries.len() as u64 <= 2 * INDEX_NUMBERS);
            if n == 255 {
                let block = indexed.block_before(ClusterId(1), 256).unwrap();
                assert_eq!((block.k, block.objects.len()), (0, 256));
                assert_eq!((block.objects[7].bytes, block.objects[8].committed_us), (0, 8));
            }
        }
        assert_eq!(indexed.block_before(ClusterId(1), 512).unwrap().k, 1);
        assert_eq!(indexed.block_before(ClusterId(1), 256), None);
        assert_eq!(indexed.block_before(ClusterId(1), 0), None);
    }
}
