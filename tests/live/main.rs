//! Random scenarios against a QuestDB started for this run: our replay of its log must give its own
//! answers, and so must its applied tables as we read them.
//!
//! Needs Java 17, Maven and Python 3. `UNDERSTUDY_SEED` repeats a run, `UNDERSTUDY_SCENARIOS` sets how
//! many tables it has.
#![cfg(not(target_arch = "wasm32"))]
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::disallowed_macros,
    reason = "a test that runs a server"
)]

#[path = "../common/mod.rs"]
mod common;

use common::Recording;
use std::path::Path;
use std::process::Command;

/// Scenarios that have to replay exactly in each run.
const EXACT_AT_LEAST: usize = 30;

#[test]
fn random_scenarios_replay_to_a_live_servers_answers() {
    let seed =
        std::env::var("UNDERSTUDY_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(clock_seed);
    let scenarios = std::env::var("UNDERSTUDY_SCENARIOS").unwrap_or_else(|_| "40".to_owned());
    println!("repeat this run with UNDERSTUDY_SEED={seed} UNDERSTUDY_SCENARIOS={scenarios}");
    let folder = tempfile::tempdir().unwrap();
    let status = Command::new("python3")
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/record/random_db.py"))
        .args(["--seed", &seed.to_string(), "--scenarios", &scenarios, "--applied", "--out"])
        .arg(folder.path())
        .status()
        .expect("python3 runs");
    assert!(status.success(), "the server's side of the scenarios failed, seed {seed}");
    let recording = read(folder.path());
    let (compared, mut wrong) = recording.check();
    wrong.extend(check_applied(&recording));
    // A statement outside of what can be executed exactly makes a table diverge, and it says so: that is
    // right, but proves nothing. All others must be the server's, and there must be enough of them.
    let (diverged, wrong): (Vec<_>, Vec<_>) = wrong.into_iter().partition(|what| what.contains("Diverged {"));
    let exact = recording.tables().len() - diverged.len() - wrong.len();
    diverged.iter().for_each(|what| println!("{what}"));
    if !wrong.is_empty() {
        let kept = folder.keep();
        panic!(
            "seed {seed}: {} tables differ (kept in {}):\n{}",
            wrong.len(),
            kept.display(),
            wrong.join("\n")
        );
    }
    assert!(exact >= EXACT_AT_LEAST, "seed {seed}: only {exact} scenarios were compared to their end");
    println!("{exact} scenarios equal in {compared} answers, {} diverged, seed {seed}", diverged.len());
}

/// What differs between the server's applied tables and its answers.
fn check_applied(recording: &Recording) -> Vec<String> {
    let tokens = understudy::replay::tables(&recording.files).expect("a registry");
    let mut wrong = Vec::new();
    for token in tokens {
        let Some(answer) = recording.answers.get(&format!("{}.csv", token.dir)) else { continue };
        let read = understudy::table::files::read::read_table(&recording.files, &token);
        let same = read
            .map_err(|error| error.to_string())
            .and_then(|table| common::same_rows(&common::csv(&table), answer, true));
        if let Err(problem) = same {
            wrong.push(format!("{} as applied: {problem}", token.dir));
        }
    }
    wrong
}

fn clock_seed() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |now| now.as_secs() % 1_000_000)
}

/// The unpacked form of a recording.
fn read(folder: &Path) -> Recording {
    let about = std::fs::read(folder.join("recording.json")).expect("a recording.json");
    let mut recording = Recording {
        about: serde_json::from_slice(&about).expect("recording.json is JSON"),
        files: Default::default(),
        answers: Default::default(),
    };
    for (path, content) in files_below(&folder.join("db")) {
        recording.files.insert(path, content);
    }
    recording
        .answers
        .extend(files_below(&folder.join("answers")).into_iter().map(|(path, c)| (path, c.into())));
    recording
}

fn files_below(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(&next).expect("a readable folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name =
                    path.strip_prefix(folder).expect("below the folder").to_string_lossy().into_owned();
                found.push((name, std::fs::read(&path).expect("a readable file")));
            }
        }
    }
    found
}
