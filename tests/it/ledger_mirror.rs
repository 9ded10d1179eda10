//! Recordings sent as packs: what a replica lays out of them replays as the recording itself.

use crate::common::recordings;
use crate::wal_pieces::compare;
use std::collections::BTreeMap;
use understudy::ledger::*;
use understudy::replay::History;
use understudy::wal::{
    Files, LogVersion, Noted, Piece, Registry, SequencerLog, TableMeta, TableToken, ask_transaction,
};

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
    let dir = &token.dir;
    let noted = Noted::new(files);
    let log = SequencerLog::open(&noted, dir).unwrap();
    let _ = TableMeta::at_creation(&noted, dir).or_else(|_| TableMeta::applied(&noted, dir)).unwrap();
    let mut packs = vec![What::Created { files: pieces(dir, noted.pieces()) }];
    let (part_size, len) = match log.version {
        LogVersion::V1 => (0, 28),
        LogVersion::V2 { part_size } => (part_size, 60),
    };
    for first in (1..=log.max_txn).step_by(size as usize) {
        let last = log.max_txn.min(first + size - 1);
        let noted = Noted::new(files);
        for record in log.records(files, first..=last).unwrap() {
            ask_transaction(&noted, dir, &record, &mut Default::default()).unwrap();
        }
        let record = |seq_txn| {
            let (path, offset, of) = log.place(seq_txn);
            assert_eq!(of, len);
            files.read(&path, offset, of).unwrap()
        };
        let records = (first..=last).map(record).collect();
        let files = pieces(dir, noted.pieces());
        packs.push(What::Transactions(Run { first_seq_txn: first, part_size, records, files }));
    }
    let token = Token { dir: dir.clone(), id: token.id, name: token.name.clone(), kind: token.kind };
    packs
        .into_iter()
        .map(|what| Pack { tables: vec![TableEntry { token: token.clone(), what }], ..Pack::default() })
        .collect()
}

fn pieces(dir: &str, pieces: Vec<Piece>) -> Vec<FilePiece> {
    let piece = |piece: Piece| {
        let path = piece.path.strip_prefix(&format!("{dir}/")).expect("it is the table's").to_owned();
        FilePiece { path, offset: piece.offset, block: Block::of(piece.bytes, Codec::Lz4).unwrap() }
    };
    pieces.into_iter().map(piece).collect()
}

/// Through the bytes of an object, as over a bucket.
fn take(mirror: &mut Mirror, pack: &Pack) {
    let place = Place { dir: Dir { term: Term(1), writer: WriterId(1) }, n: 0 };
    let head = Head { cluster: ClusterId(1), place, committed_us: 0, before: Sum::ZERO, kind: Kind::Pack };
    let object = pack.encode(head, None).unwrap();
    let pack = Object::read(place, object.bytes().clone()).unwrap().pack().unwrap();
    mirror.take(place.key(), &pack, &BTreeMap::new()).unwrap();
}
