//! A log in pieces: from what was read of each transaction alone, every recording replays as from all of its files.

use crate::common::{Recording, csv, recordings};
use understudy::replay::{History, Player};
use understudy::wal::{
    Files, Noted, Piece, PieceFiles, Registry, SequencerLog, TableMeta, TableToken, ask_transaction,
};

#[test]
fn every_recording_replays_from_its_pieces() {
    let mut tables = 0;
    for (name, recording) in recordings() {
        let mut pieces = PieceFiles::default();
        let (mut sent, mut all) = (0, 0);
        for token in Registry::read(&recording.files).unwrap().tables {
            let Ok(history) = History::read(&recording.files, &token) else { continue };
            if !history.is_replayable() {
                continue;
            }
            for piece in of_table(&recording.files, &token) {
                sent += piece.bytes.len();
                pieces.add(piece);
            }
            compare(&name, &recording, &pieces, &token);
            tables += 1;
        }
        all += recording.files.iter().map(|(_, content)| content.len()).sum::<usize>();
        println!("{name}: {sent} of {all} bytes, {} held", pieces.held());
    }
    assert!(tables > 40, "{tables} tables");
}

/// What a shipper sends of a table: its definition, then each transaction.
fn of_table(files: &dyn Files, token: &TableToken) -> Vec<Piece> {
    let dir = &token.dir;
    let noted = Noted::new(files);
    let log = SequencerLog::open(&noted, dir).unwrap();
    let _ = TableMeta::at_creation(&noted, dir).or_else(|_| TableMeta::applied(&noted, dir)).unwrap();
    let mut pieces = noted.pieces();
    for seq_txn in 1..=log.max_txn {
        let noted = Noted::new(files);
        let log = SequencerLog::open(&noted, dir).unwrap();
        let record = log.records(&noted, seq_txn..=seq_txn).unwrap().remove(0);
        ask_transaction(&noted, dir, &record, &mut Default::default()).unwrap();
        pieces.extend(noted.pieces());
    }
    pieces
}

/// What these files replay to is what the recording does.
pub fn compare(name: &str, recording: &Recording, pieces: &dyn Files, token: &TableToken) {
    let play = |files: &dyn Files| {
        let history =
            History::read(files, token).unwrap_or_else(|error| panic!("{name}: {}: {error}", token.dir));
        let count = history.txn_count();
        let mut player = Player::new(history).unwrap();
        player.seek(files, count).unwrap_or_else(|error| panic!("{name}: {}: {error}", token.dir));
        (player.table().standing.clone(), player.table().digest(), csv(player.table()))
    };
    assert_eq!(play(pieces), play(&recording.files), "{name}: {}", token.dir);
}
