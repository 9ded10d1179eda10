//! Transactions applied in blocks of any size give the rows of one at a time, byte for byte.

use crate::common::{Recording, csv, recordings};
use bytes::Bytes;
use proptest::prelude::*;
use std::cell::Cell;
use std::sync::OnceLock;
use understudy::replay::{History, Player, PlayerOptions, tables};
use understudy::table::Table;
use understudy::wal::{Files, MemoryFiles, Result};

/// Every replayable table of the recordings, with its rows applied one transaction at a time.
fn references() -> &'static [(Recording, Vec<Reference>)] {
    static REFERENCES: OnceLock<Vec<(Recording, Vec<Reference>)>> = OnceLock::new();
    REFERENCES.get_or_init(|| {
        let with_references = |(_, recording): (String, Recording)| {
            let tokens = tables(&recording.files).unwrap();
            let references = tokens.iter().filter_map(|token| {
                let history = History::read(&recording.files, token).ok().filter(History::is_replayable)?;
                let one_by_one = PlayerOptions { block_txns: 1, ..PlayerOptions::default() };
                let table = replay(&recording, history.clone(), one_by_one, &[])?;
                let rows = table.partitions.values().map(|partition| partition.rows).collect();
                Some(Reference { csv: csv(&table), digest: table.digest().to_string(), rows, history })
            });
            let references = references.collect();
            (recording, references)
        };
        recordings().into_iter().map(with_references).collect()
    })
}

struct Reference {
    history: History,
    csv: Vec<u8>,
    digest: String,
    /// Of each partition.
    rows: Vec<usize>,
}

fn replay(recording: &Recording, history: History, options: PlayerOptions, stops: &[u64]) -> Option<Table> {
    let mut player = Player::with_options(history, options).ok()?;
    for &stop in stops {
        player.seek(&recording.files, stop % (player.history().txn_count() + 1)).ok()?;
    }
    player.seek(&recording.files, u64::MAX).ok()?;
    Some(player.table().clone())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn any_blocks_and_any_way_give_the_same_rows(
        block_txns in 1usize..300,
        block_rows in prop_oneof![1usize..100, 100usize..100_000],
        checkpoint_work in prop_oneof![500u64..5_000, Just(60_000)],
        memory in prop_oneof![Just(1usize << 16), Just(512 << 20)],
        stops in proptest::collection::vec(0u64..5_000, 0..6),
    ) {
        let options =
            PlayerOptions { block_txns, block_rows, checkpoint_work, memory, ..PlayerOptions::default() };
        for (recording, references) in references() {
            for reference in references {
                let dir = &reference.history.token.dir;
                let table = replay(recording, reference.history.clone(), options, &stops);
                let table = table.ok_or_else(|| TestCaseError::fail(format!("{dir} does not replay")))?;
                if !table.is_whole() {
                    // Values were let go for want of memory; what transactions do stays exact.
                    let rows: Vec<_> = table.partitions.values().map(|partition| partition.rows).collect();
                    prop_assert_eq!(rows, reference.rows.clone(), "partitions of {}", dir);
                    continue;
                }
                prop_assert!(csv(&table) == reference.csv, "rows of {} in {}", dir, recording.about["name"]);
                prop_assert_eq!(&table.digest().to_string(), &reference.digest, "digest of {}", dir);
            }
        }
    }
}

/// With less memory than the rows take, values of old partitions go; asked for, they come back.
#[test]
fn values_let_go_come_back_with_the_focus() {
    let mut seen = 0;
    for (recording, references) in references() {
        for reference in references.iter().filter(|reference| reference.rows.len() > 2) {
            let options = PlayerOptions { memory: 40_000, ..PlayerOptions::default() };
            let mut player = Player::with_options(reference.history.clone(), options).unwrap();
            player.seek(&recording.files, u64::MAX).unwrap();
            let last = player.table().seq_txn;
            let rows: Vec<_> = player.table().partitions.values().map(|partition| partition.rows).collect();
            assert_eq!(rows, reference.rows, "{}", reference.history.token.dir);
            let mut first = 0;
            let mut gone = player.table().partitions.iter().filter_map(|(&floor, partition)| {
                first += partition.rows;
                partition.let_go.then_some((floor, first - 1))
            });
            let Some((floor, row)) = gone.next() else { continue };
            assert!(player.focus(row..row + 1), "the partition was gone");
            player.seek(&recording.files, last).unwrap();
            let back = &player.table().partitions[&floor];
            assert!(!back.let_go);
            let whole = replay(recording, reference.history.clone(), PlayerOptions::default(), &[]).unwrap();
            let expected = whole.partition_digest(&whole.partitions[&floor]);
            assert_eq!(player.table().partition_digest(back), expected, "{}", reference.history.token.dir);
            seen += 1;
        }
    }
    assert!(seen > 0, "no table was large enough to let something go");
}

/// A player that knows the states ahead of it jumps there, rather than apply all that lies between.
#[test]
fn a_seek_takes_up_the_nearest_state_in_both_directions() {
    let (recording, references) =
        references().iter().find(|(recording, _)| recording.about["name"] == "ooo").expect("a recording");
    let reference = &references[0];
    let options = PlayerOptions { checkpoint_work: 2_000, ..PlayerOptions::default() };
    let files = Counted { files: &recording.files, reads: Cell::new(0) };
    let mut player = Player::with_options(reference.history.clone(), options).unwrap();
    player.seek(&files, u64::MAX).unwrap();
    let (last, whole) = (player.table().seq_txn, files.reads.take());
    for target in [1, last, 2, last - 1, last / 2, last] {
        player.seek(&files, target).unwrap();
        let reads = files.reads.take();
        assert!(reads * 3 < whole, "{reads} reads to get to {target} of {last}, {whole} for the whole log");
    }
    assert!(csv(player.table()) == reference.csv);
}

struct Counted<'a> {
    files: &'a MemoryFiles,
    reads: Cell<usize>,
}

impl Files for Counted<'_> {
    fn len(&self, path: &str) -> Result<u64> {
        self.files.len(path)
    }

    fn read(&self, path: &str, offset: u64, len: u64) -> Result<Bytes> {
        self.reads.set(self.reads.get() + 1);
        self.files.read(path, offset, len)
    }

    fn list(&self, path: &str) -> Result<Option<Vec<String>>> {
        self.files.list(path)
    }
}
