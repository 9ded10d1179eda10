//! A table of a recording as entries of packs, as a shipper makes them.

use bytes::Bytes;
use understudy::ledger::*;
use understudy::wal::{
    Files, LogVersion, Noted, Piece, SequencerLog, TableKind, TableMeta, TableToken, ask_transaction,
};

/// How a block is stored.
pub type Storing = fn(Bytes) -> Block;

/// A table's name in packs.
pub fn of(token: &TableToken) -> Token {
    Token { dir: token.dir.clone(), id: token.id, name: token.name.clone(), kind: token.kind }
}

/// That a table was made.
pub fn created(files: &dyn Files, token: &TableToken, storing: Storing) -> What {
    let dir = &token.dir;
    let noted = Noted::new(files);
    let _ = SequencerLog::open(&noted, dir).unwrap();
    let _ = TableMeta::at_creation(&noted, dir).or_else(|_| TableMeta::applied(&noted, dir)).unwrap();
    if token.kind == TableKind::MatView {
        noted.read_all(&format!("{dir}/_mv"), 16 << 20).unwrap();
    }
    What::Created { files: pieces(dir, noted.pieces(), storing) }
}

/// Transactions of the table in this directory.
pub fn run(files: &dyn Files, dir: &str, first: u64, last: u64, storing: Storing) -> Run {
    let log = SequencerLog::open(files, dir).unwrap();
    let (part_size, record_len) = match log.version {
        LogVersion::V1 => (0, 28),
        LogVersion::V2 { part_size } => (part_size, 60),
    };
    let noted = Noted::new(files);
    for record in log.records(files, first..=last).unwrap() {
        ask_transaction(&noted, dir, &record, &mut Default::default()).unwrap();
    }
    let record = |seq_txn| {
        let (path, offset, len) = log.place(seq_txn);
        assert_eq!(len, record_len);
        files.read(&path, offset, len).unwrap()
    };
    let records = (first..=last).map(record).collect();
    Run { first_seq_txn: first, part_size, records, files: pieces(dir, noted.pieces(), storing) }
}

fn pieces(dir: &str, pieces: Vec<Piece>, storing: Storing) -> Vec<FilePiece> {
    let piece = |piece: Piece| {
        let path = piece.path.strip_prefix(&format!("{dir}/")).expect("it is the table's").to_owned();
        FilePiece { path, offset: piece.offset, block: storing(piece.bytes) }
    };
    pieces.into_iter().map(piece).collect()
}

/// By LZ4.
pub fn lz4(raw: Bytes) -> Block {
    Block::of(raw, Codec::Lz4).unwrap()
}
