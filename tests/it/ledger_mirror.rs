//! Recordings sent as packs: what a replica lays out of them replays as the recording itself.

use crate::common::recordings;
use crate::packed;
use crate::wal_pieces::compare;
use std::collections::BTreeMap;
use understudy::ledger::*;
use understudy::replay::History;
use understudy::wal::{Files, Registry, SequencerLog, TableToken};

#[test]
fn every_recording_replays_from_packs() {
    let mut tables = 0;
    for (name, recording) in recordings() {
        for token in Registry::read(&recording.files).unwrap().tables {
            let Ok(history) = History::read(&recording.files, &token) else { continue };
            if !history.is_replayable() {
                continue;
            }
            for size in [1, 7, 1000] {
                let mut mirror = Mirror::default();
                for pack in packs(&recording.files, &token, size) {
                    take(&mut mirror, &pack);
                }
                let token = Registry::read(mirror.files()).unwrap().tables.remove(0);
                compare(&name, &recording, mirror.files(), &token);
            }
            tables += 1;
        }
    }
    assert!(tables > 40, "{tables} tables");
}

/// The packs of a table: its definition, then runs of transactions.
fn packs(files: &dyn Files, token: &TableToken, size: u64) -> Vec<Pack> {
    let mut whats = vec![packed::created(files, token, packed::lz4)];
    let end = SequencerLog::open(files, &token.dir).unwrap().max_txn;
    for first in (1..=end).step_by(size as usize) {
        let last = end.min(first + size - 1);
        whats.push(What::Transactions(packed::run(files, &token.dir, first, last, packed::lz4)));
    }
    let token = packed::of(token);
    let pack = |what| Pack { tables: vec![TableEntry { token: token.clone(), what }], ..Pack::default() };
    whats.into_iter().map(pack).collect()
}

/// Through the bytes of an object, as over a bucket.
fn take(mirror: &mut Mirror, pack: &Pack) {
    let place = Place { dir: Dir { term: Term(1), writer: WriterId(1) }, n: 0 };
    let head = Head { cluster: ClusterId(1), place, committed_us: 0, before: Sum::ZERO, kind: Kind::Pack };
    let object = pack.encode(head, None).unwrap();
    let pack = Object::read(place, object.bytes().clone()).unwrap().pack().unwrap();
    mirror.take(place.key(), &pack, &BTreeMap::new()).unwrap();
}
