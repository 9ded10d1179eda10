//! What a scripted run leaves of a table at any of its operations, collected as tables that the real server opens.
//!
//! `tests/it/crashes.rs` looks at each of these states with our own checker. Here a sample of them is written out, each as a
//! table's folder, and `crashed.py` has the server open, query and write to them.

use crate::common::{Recording, csv};
use crate::crashing::{reform, run, subjects};
use crate::sim_disk::State;
use serde::Serialize;
use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeSet, HashSet};
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use understudy::native::store::{CommitMode, DiskReader, Worker};
use understudy::replay::{History, Player};
use understudy::wal::{Applied, Files};

/// How an operation is interrupted.
#[derive(Debug, Clone, Copy)]
enum Crash {
    /// `kill -9` before it.
    Before,
    /// In the middle of its write.
    Torn,
    /// A loss of power; nothing survives that was not synced.
    NoPower,
    /// A loss of power; half of what was not synced survives.
    SomePower,
}

const CRASHES: [Crash; 4] = [Crash::Before, Crash::Torn, Crash::NoPower, Crash::SomePower];

/// What `crashed.py` reads.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Manifest {
    tables: Vec<Left>,
    /// Operations that states were taken from.
    pub(crate) operations: u64,
}

/// A table as a crash left it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Left {
    /// Which operation of which run: what is told of a failure.
    crash: String,
    name: String,
    directory: String,
    folder: PathBuf,
    /// Folder of the rows after each transaction, as `N.csv`.
    rows: PathBuf,
    /// The last transaction that was reported as applied.
    reported: u64,
}

/// Writes about `wanted` states, of all kinds and runs alike, below `out`.
pub(crate) fn leave(out: &Path, wanted: usize, seed: u64) -> Manifest {
    let subjects = subjects();
    let each = wanted.div_ceil(subjects.len() * CRASHES.len());
    let mut manifest = Manifest::default();
    for (recording, history, _) in &subjects {
        let rows = out.join("rows").join(&history.token.dir);
        write_rows(&rows, recording, history);
        for (index, crash) in CRASHES.into_iter().enumerate() {
            let seed = seed.wrapping_mul(31).wrapping_add(index as u64);
            let left = states(recording, history, crash, each, seed, &mut manifest.operations);
            for (operation, reported, state) in left {
                let number = manifest.tables.len();
                let folder = out.join("tables").join(number.to_string());
                write_state(&folder, &state);
                manifest.tables.push(Left {
                    crash: format!("{crash:?} at operation {operation} of {}", recording.about["name"]),
                    name: history.token.name.clone(),
                    directory: history.token.dir.clone(),
                    folder: folder.join(&history.token.dir),
                    rows: rows.clone(),
                    reported,
                });
            }
        }
    }
    manifest
}

/// Up to `each` different states of one run, with the operation and what was reported before it.
fn states(
    recording: &Recording,
    history: &History,
    crash: Crash,
    each: usize,
    seed: u64,
    operations: &mut u64,
) -> Vec<(u64, u64, State)> {
    let mode = match crash {
        Crash::Before | Crash::Torn => CommitMode::NoSync,
        Crash::NoPower | Crash::SomePower => CommitMode::Sync,
    };
    // Every other run gives partitions the form of Parquet files, too.
    let between = move |worker: &mut Worker, step: u64| {
        if seed.is_multiple_of(2) {
            reform(worker, step);
        }
    };
    let (count, _) = run(recording, history, mode, between, |_, _, _, _| Ok(()));
    *operations += count;
    let mut random = seed;
    let chosen: BTreeSet<u64> = (0..each * 2).map(|_| next(&mut random) % count).collect();
    let taken = Arc::new(Mutex::new((Vec::new(), HashSet::new())));
    let (into, dir) = (taken.clone(), history.token.dir.clone());
    run(recording, history, mode, between, move |state, change, operation, reported| {
        let mut into = into.lock().map_err(|_poisoned| "poisoned")?;
        // Before its first block is reported, a table is not in the registry.
        if reported == 0 || into.0.len() == each || !chosen.contains(&operation) {
            return Ok(());
        }
        let mut random = seed ^ operation;
        let left = match crash {
            Crash::Before => state.clone(),
            Crash::Torn => state.torn(change),
            Crash::NoPower => state.without_power(|| false),
            Crash::SomePower => state.torn(change).without_power(|| next(&mut random) & 1 == 1),
        };
        if into.1.insert(fingerprint(&left)) {
            assert_reported(&left, &dir, reported);
            into.0.push((operation, reported, left));
        }
        Ok(())
    });
    let mut taken = taken.lock().expect("nothing panicked");
    std::mem::take(&mut taken.0)
}

/// What was said to be applied is.
fn assert_reported(state: &State, dir: &str, reported: u64) {
    let disk = crate::sim_disk::SimDisk::new(state.clone());
    let applied = Applied::read(&DiskReader(&disk) as &dyn Files, dir).expect("there is a _txn");
    assert!(applied.seq_txn >= reported, "{dir} is at {}, {reported} was reported", applied.seq_txn);
}

fn fingerprint(state: &State) -> u64 {
    let mut hasher = DefaultHasher::new();
    state.entries().for_each(|entry| entry.hash(&mut hasher));
    hasher.finish()
}

fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

fn write_state(folder: &Path, state: &State) {
    std::fs::create_dir_all(folder).expect("a folder");
    for (name, content) in state.entries() {
        match content {
            None => std::fs::create_dir_all(folder.join(name)).expect("a folder"),
            Some(content) => std::fs::write(folder.join(name), content).expect("a file"),
        }
    }
}

/// The rows after each transaction, as the server exports them.
fn write_rows(folder: &Path, recording: &Recording, history: &History) {
    std::fs::create_dir_all(folder).expect("a folder");
    let mut player = Player::new(history.clone()).expect("a history that can be replayed");
    for seq_txn in 0..=history.txn_count() {
        player.seek(&recording.files, seq_txn).expect("it can be replayed");
        std::fs::write(folder.join(format!("{seq_txn}.csv")), csv(player.table())).expect("a file");
    }
}
