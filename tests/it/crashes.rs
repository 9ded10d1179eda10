//! Whatever operation a process or a machine stops at: what is left keeps every rule that QuestDB relies on, holds
//! a prefix of the log with all that was reported, and goes on to the same rows.

use crate::common::{Recording, csv};
use crate::crashing::{LIMITS, Problems, reform, run, subjects, worker};
use crate::sim_disk::{Change, Fate, SimDisk, State};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use understudy::apply::backlog::BatchLimits;
use understudy::native::store::{CommitMode, Disk, DiskReader, Step, Worker};
use understudy::replay::History;
use understudy::table::Table;
use understudy::table::files::{Severity, check_table};
use understudy::wal::Applied;

/// What is wrong with a directory in the state in which a crash left it: `reported` was said to be applied.
fn look(state: State, history: &History, reported: u64) -> Result<(), String> {
    let dir = &history.token.dir;
    let disk = SimDisk::new(state);
    let files = DiskReader(&disk);
    if reported == 0 {
        // The table is being made: it is entered into the registry after its first block.
        return Ok(());
    }
    if disk.len(&format!("{dir}/_txn")).unwrap().is_none() {
        return Err("there is no table".to_owned());
    }
    keeps_the_rules(&disk, dir)?;
    let applied = Applied::read(&files, dir).map_err(|error| error.to_string())?;
    if applied.seq_txn < reported {
        return Err(format!("at transaction {}, after {reported} was reported", applied.seq_txn));
    }
    Ok(())
}

/// Goes on from a state to the end, and compares.
fn finish(state: State, recording: &Recording, history: &History, expected: &Table) -> Result<(), String> {
    let disk = SimDisk::new(state);
    let mut worker = worker(&disk, history, CommitMode::NoSync);
    while let Step::Applied(_) = worker.step(&recording.files, BatchLimits { commits: 1 << 20, ..LIMITS }) {}
    if let Some(failure) = worker.failure() {
        return Err(format!("does not go on: {failure}"));
    }
    let table = worker.table().ok_or("is not open")?.load().map_err(|error| error.to_string())?;
    if table.seq_txn != expected.seq_txn || csv(&table) != csv(expected) {
        return Err(format!("other rows at {} than at {}", table.seq_txn, expected.seq_txn));
    }
    keeps_the_rules(&disk, &history.token.dir).map_err(|broken| format!("afterwards: {broken}"))
}

fn keeps_the_rules(disk: &SimDisk, dir: &str) -> Result<(), String> {
    let findings = check_table(&DiskReader(disk), dir).into_iter();
    let errors = findings.filter(|finding| finding.severity == Severity::Error);
    let errors: Vec<String> = errors.map(|finding| finding.to_string()).collect();
    if errors.is_empty() { Ok(()) } else { Err(errors.join("; ")) }
}

/// All tables, in all ways.
fn each_way() -> impl Iterator<Item = ((Recording, History, Table), Way)> {
    subjects().into_iter().flat_map(|subject| WAYS.map(|way| (subject.clone(), way)))
}

fn tell(what: &str, history: &History, (operations, problems): (u64, Problems), wrong: &mut Vec<String>) {
    for (problem, at) in problems.lock().unwrap().iter() {
        let dir = &history.token.dir;
        wrong.push(format!(
            "{dir}, {what}: {problem} (at {} of {operations} operations, first {})",
            at.len(),
            at[0]
        ));
    }
}

type Way = (&'static str, fn(&mut Worker, u64));

/// What happens between blocks: nothing, or partitions become Parquet files and native again.
const WAYS: [Way; 2] = [
    ("", |_, _| ()),
    (" with Parquet", |worker, step| {
        reform(worker, step);
    }),
];

/// `kill -9` before every operation, and in the middle of every write.
#[test]
fn a_killed_process_leaves_a_table_that_questdb_opens() {
    let mut wrong = Vec::new();
    for ((recording, history, _), (way, between)) in each_way() {
        let told = history.clone();
        let examine = move |state: &State, change: &Change<'_>, _, reported| {
            look(state.clone(), &told, reported)?;
            look(state.torn(change), &told, reported)
        };
        let result = run(&recording, &history, CommitMode::NoSync, between, examine);
        assert!(result.0 > 100, "only {} operations", result.0);
        tell(&format!("killed{way}"), &history, result, &mut wrong);
    }
    assert!(wrong.is_empty(), "{} problems:\n{}", wrong.len(), wrong.join("\n"));
}

/// The next process goes on from what a killed one left.
#[test]
fn what_a_killed_process_left_is_finished_by_the_next() {
    let mut wrong = Vec::new();
    for ((recording, history, expected), (way, between)) in each_way() {
        let (files, told) = (recording.clone(), history.clone());
        let examine = move |state: &State, change: &Change<'_>, operation, _| {
            if operation % 7 != 0 {
                return Ok(());
            }
            finish(state.torn(change), &files, &told, &expected)
        };
        let result = run(&recording, &history, CommitMode::NoSync, between, examine);
        tell(&format!("went on{way}"), &history, result, &mut wrong);
    }
    assert!(wrong.is_empty(), "{} problems:\n{}", wrong.len(), wrong.join("\n"));
}

/// With `sync`, a loss of power loses nothing that was reported, whichever of the unsynced writes are lost.
#[test]
fn a_loss_of_power_loses_nothing_that_was_reported() {
    let mut wrong = Vec::new();
    for ((recording, history, _), (way, between)) in each_way() {
        let told = history.clone();
        let examine = move |state: &State, change: &Change<'_>, operation: u64, reported| {
            look(state.without_power(|| false), &told, reported)?;
            let mut seed = operation.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
            let lucky = || {
                seed ^= seed << 13;
                seed ^= seed >> 7;
                seed ^= seed << 17;
                seed & 1 == 1
            };
            look(state.torn(change).without_power(lucky), &told, reported)
        };
        let result = run(&recording, &history, CommitMode::Sync, between, examine);
        tell(&format!("without power{way}"), &history, result, &mut wrong);
    }
    assert!(wrong.is_empty(), "{} problems:\n{}", wrong.len(), wrong.join("\n"));
}

/// An operation that fails, of which the process hears, costs nothing but another attempt.
#[test]
fn an_operation_that_fails_stops_the_table_until_it_is_opened_again() {
    let mut wrong = Vec::new();
    for ((recording, history, expected), (way, between)) in each_way() {
        for failing in (0..300).step_by(3).chain((300..).step_by(101)) {
            let disk = SimDisk::new(State::default());
            let mut operation = 0;
            let hit = Arc::new(AtomicU64::new(0));
            let met = hit.clone();
            disk.watch(Box::new(move |_, _| {
                operation += 1;
                if operation == failing + 1 {
                    met.store(1, Ordering::Relaxed);
                    return Fate::Failed;
                }
                Fate::Done
            }));
            let mut first = worker(&disk, &history, CommitMode::NoSync);
            let mut steps = 0;
            while let Step::Applied(_) = first.step(&recording.files, LIMITS) {
                steps += 1;
                between(&mut first, steps);
            }
            if hit.load(Ordering::Relaxed) == 0 {
                break;
            }
            let mut second = worker(&disk, &history, CommitMode::NoSync);
            while let Step::Applied(_) = second.step(&recording.files, LIMITS) {}
            let table = second.table().map(|table| table.load().map(|table| csv(&table)));
            let same = matches!(&table, Some(Ok(rows)) if *rows == csv(&expected));
            if !same {
                let failure = second.failure().map(ToString::to_string).unwrap_or_default();
                wrong.push(format!("{}{way}, operation {failing} failed: {failure}", history.token.dir));
            }
        }
    }
    assert!(wrong.is_empty(), "{} problems:\n{}", wrong.len(), wrong.join("\n"));
}
