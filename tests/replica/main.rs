//! A replica's directory is a QuestDB directory: the real server opens it, answers as from its own, goes on
//! writing to it, and does so after a crash of ours.
//!
//! Needs Java 17, Maven and Python 3. The work is done by the Python programs beside this file (README.md
//! says what they compare); the tests here start them and read their results.
//!
//! | variable | |
//! |---|---|
//! | `UNDERSTUDY_SEED` | another run than the usual one (82) |
//! | `UNDERSTUDY_REPLICA_SCENARIOS` | random tables (200) |
//! | `UNDERSTUDY_KILLS` | times that the command is ended (25) |
//! | `UNDERSTUDY_CRASHES` | tables as crashes of a simulated disk left them (300) |
//! | `UNDERSTUDY_REPLICA_CMD` | `copy`: a plain copy in the place of the command, which has to pass |
#![cfg(not(target_arch = "wasm32"))]
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::disallowed_macros,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "a test that runs a server, and modules that it shares"
)]

#[path = "../common/mod.rs"]
mod common;
mod crashed;
#[path = "../common/crashing.rs"]
mod crashing;
mod lock;
#[path = "../common/sim_disk.rs"]
mod sim_disk;

use serde::Deserialize;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

/// Of a hundred tables, how many have to be compared to their end: others diverge, or the server stops them.
const EXACT_PERCENT_AT_LEAST: usize = 70;
/// Files of tables whose rows came in order, all of which are compared byte for byte.
const ORDERLY_FILES_PER_TABLE: usize = 5;

/// What `drive.py` writes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Compared {
    tables: usize,
    exact: usize,
    diverged: Vec<String>,
    stopped: usize,
    queries: usize,
    statements: usize,
    files: std::collections::BTreeMap<String, usize>,
    layout: Vec<String>,
    orderly_files: usize,
    orderly_wrong: Vec<String>,
    wrong: Vec<String>,
    apply_seconds: f64,
    seconds: f64,
}

/// What `kills.py` writes.
#[derive(Debug, Deserialize)]
struct Killed {
    kills: usize,
    tables: usize,
    states: std::collections::BTreeMap<String, usize>,
    compared: usize,
    finished: usize,
    unlike: Vec<String>,
    wrong: Vec<String>,
    seconds: f64,
}

#[test]
fn the_server_answers_and_goes_on_as_from_its_own_directory() {
    let found = compared();
    assert!(found.wrong.is_empty(), "{} differ:\n{}", found.wrong.len(), found.wrong.join("\n"));
    let enough = found.exact * 100 >= found.tables * EXACT_PERCENT_AT_LEAST;
    assert!(enough && found.queries > 20 * found.exact, "too little was compared: {found:?}");
    println!(
        "{} tables equal to the end in {} queries and {} statements, {} diverged, {} stopped by the server, \
         {:.0} s ({:.1} s of apply)",
        found.exact,
        found.queries,
        found.statements,
        found.diverged.len(),
        found.stopped,
        found.seconds,
        found.apply_seconds
    );
}

/// The format fixes the bytes of what came in order. Elsewhere they may differ where the same rows can be
/// laid out in several ways: in how many parts a partition is, from which row on a column has data (its
/// top), and where in `.d` a text or an array stands. The content is compared there, and of symbols and
/// indexes always.
#[test]
fn bytes() {
    let found = compared();
    assert!(
        found.orderly_wrong.is_empty(),
        "{} files of tables in order differ:\n{}",
        found.orderly_wrong.len(),
        found.orderly_wrong.join("\n")
    );
    let random = scenarios();
    assert!(found.orderly_files >= random / 5 * ORDERLY_FILES_PER_TABLE, "too few files: {found:?}");
    println!("{} files of tables in order are equal; of all: {:?}", found.orderly_files, found.files);
    found.layout.iter().take(20).for_each(|line| println!("laid out otherwise: {line}"));
}

#[test]
fn killed_at_any_moment_it_leaves_tables_that_the_server_takes() {
    let _alone = one_at_a_time();
    let kills = number("UNDERSTUDY_KILLS", 25);
    let found: Killed = run("kills.py", "kills.json", &["--kills", &kills.to_string()]);
    assert!(found.wrong.is_empty(), "{} wrong:\n{}", found.wrong.len(), found.wrong.join("\n"));
    let opened: usize =
        ["created", "partial", "complete"].iter().filter_map(|state| found.states.get(*state)).sum();
    assert!(
        found.kills == kills
            && found.compared + found.unlike.len() >= opened
            && found.compared * 100 >= opened * EXACT_PERCENT_AT_LEAST
            && found.finished * 100 >= found.kills * EXACT_PERCENT_AT_LEAST,
        "too little was compared: {found:?}"
    );
    println!(
        "{} kills: {:?}; {} tables opened, {} held a prefix of the log, {} were finished by another run, {:.0} s",
        found.kills, found.states, found.tables, found.compared, found.finished, found.seconds
    );
}

/// What `crashed.py` writes.
#[derive(Debug, Deserialize)]
struct Opened {
    tables: usize,
    states: std::collections::BTreeMap<String, usize>,
    compared: usize,
    wrong: Vec<String>,
    seconds: f64,
}

#[test]
fn crashed_at_any_operation_it_leaves_tables_that_the_server_takes() {
    let _alone = one_at_a_time();
    let wanted = number("UNDERSTUDY_CRASHES", 160);
    let folder = results().join("crashed");
    let _ = std::fs::remove_dir_all(&folder);
    let seed = seed();
    println!("repeat this run with UNDERSTUDY_SEED={seed}");
    let manifest = crashed::leave(&folder, wanted, seed);
    std::fs::write(folder.join("crashed.json"), serde_json::to_vec(&manifest).expect("JSON"))
        .expect("a file");
    let out = results().join("crashed.json");
    python("crashed.py", &["--tables".as_ref(), folder.as_ref(), "--out".as_ref(), out.as_ref()]);
    let found: Opened = read(&out);
    assert!(found.wrong.is_empty(), "{} wrong:\n{}", found.wrong.len(), found.wrong.join("\n"));
    assert!(
        found.compared == found.tables && found.tables * 3 > wanted,
        "too little was compared: {found:?}"
    );
    println!(
        "{} tables of {} operations opened: {:?}; all held a prefix of the log, {:.0} s",
        found.tables, manifest.operations, found.states, found.seconds
    );
}

/// What `views.py` writes.
#[derive(Debug, Deserialize)]
struct Asked {
    asked: usize,
    wrong: Vec<String>,
}

#[test]
fn views_open_change_and_go_as_on_the_server() {
    let _alone = one_at_a_time();
    let found: Asked = run("views.py", "views.json", &[]);
    assert!(found.wrong.is_empty(), "{} differ:\n{}", found.wrong.len(), found.wrong.join("\n"));
    assert!(found.asked >= 24, "too little was asked: {found:?}");
}

/// What `parquet.py` writes.
#[derive(Debug, Deserialize)]
struct Formed {
    asked: usize,
    converted: usize,
    wrong: Vec<String>,
}

#[test]
fn partitions_in_parquet_form_are_as_the_servers_own() {
    let _alone = one_at_a_time();
    let found: Formed = run("parquet.py", "parquet.json", &[]);
    assert!(found.wrong.is_empty(), "{} differ:\n{}", found.wrong.len(), found.wrong.join("\n"));
    assert!(found.asked > 100 && found.converted >= 20, "too little was asked: {found:?}");
}

/// The result of comparing, made once for the tests that read it.
fn compared() -> &'static Compared {
    static RESULT: OnceLock<Compared> = OnceLock::new();
    RESULT.get_or_init(|| {
        let _alone = one_at_a_time();
        let scenarios = scenarios().to_string();
        run("drive.py", "replica.json", &["--scenarios", &scenarios, "--batch", "200", "--recorded"])
    })
}

fn scenarios() -> usize {
    number("UNDERSTUDY_REPLICA_SCENARIOS", 120)
}

/// Runs a program that has a command apply, and reads what it wrote.
fn run<T: serde::de::DeserializeOwned>(program: &str, result: &str, more: &[&str]) -> T {
    let seed = seed().to_string();
    println!("repeat this run with UNDERSTUDY_SEED={seed} {}", more.join(" "));
    let command = env!("CARGO_BIN_EXE_understudy");
    let apply = std::env::var("UNDERSTUDY_REPLICA_CMD").unwrap_or_else(|_| command.to_owned());
    let out = results().join(result);
    let mut arguments: Vec<&OsStr> =
        ["--seed", &seed, "--apply", &apply, "--replay", command, "--out"].map(OsStr::new).into();
    arguments.push(out.as_ref());
    arguments.extend(more.iter().map(OsStr::new));
    python(program, &arguments);
    read(&out)
}

/// Runs one of the programs beside this file.
fn python(program: &str, arguments: &[&OsStr]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/replica").join(program);
    let status = Command::new("python3").arg(path).args(arguments).status().expect("python3 runs");
    assert!(status.success(), "{program} failed");
}

fn read<T: serde::de::DeserializeOwned>(result: &Path) -> T {
    let text = std::fs::read(result).expect("a result");
    serde_json::from_slice(&text).expect("the result is as expected")
}

/// Where results, and directories that differ, are kept: beside the test's program.
fn results() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("replica")
}

fn number(name: &str, default: usize) -> usize {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}

/// The same in each run, unless another is asked for: the soak goes through thousands of others.
fn seed() -> u64 {
    number("UNDERSTUDY_SEED", 82) as u64
}

/// Each test starts servers of its own: together they would only wait for each other.
fn one_at_a_time() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}
