//! How long replaying a recording takes natively, on one core, with reading files, decoding and applying
//! apart: `cargo bench --bench replay [-- DB...]`. `make bench-wasm` sets it beside the same in node.
//!
//! Prints one line per directory: its path, rows, milliseconds of each, best of several runs, and the
//! digests of its tables, tab-separated.
#![allow(clippy::disallowed_methods, clippy::disallowed_types, clippy::disallowed_macros)]

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Instant;
use understudy::replay::{History, Player, PlayerOptions, Spent, tables};
use understudy::wal::MemoryFiles;

const RUNS: usize = 5;
const BUNDLED: &str = "www/public/recordings/trading-day/db";

fn main() {
    let named: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let dirs = if named.is_empty() { vec![BUNDLED.to_owned()] } else { named };
    for dir in dirs {
        let runs: Vec<Run> = (0..RUNS).map(|_| run(Path::new(&dir))).collect();
        let best = |part: fn(&Run) -> f64| runs.iter().map(part).fold(f64::INFINITY, f64::min);
        println!(
            "{dir}\t{}\t{:.2}\t{:.2}\t{:.2}\t{}",
            runs[0].rows,
            best(|run| run.fetch),
            best(|run| run.spent.decode),
            best(|run| run.spent.apply),
            runs[0].digests.join(",")
        );
    }
}

struct Run {
    rows: usize,
    fetch: f64,
    spent: Spent,
    digests: Vec<String>,
}

fn run(dir: &Path) -> Run {
    let begun = now();
    let mut files = MemoryFiles::default();
    read(dir, dir, &mut files);
    let mut run = Run { rows: 0, fetch: now() - begun, spent: Spent::default(), digests: Vec::new() };
    for token in tables(&files).expect("a db directory").iter().filter(|token| !token.is_system()) {
        let Ok(history) = History::read(&files, token) else { continue };
        // As in the tab: half of its budget is for rows, checkpoints are close together (src/web/).
        let options = PlayerOptions {
            memory: 256 << 20,
            checkpoint_work: 50_000,
            clock: now,
            ..PlayerOptions::default()
        };
        let mut player = Player::with_options(history, options).expect("a table");
        player.seek(&files, u64::MAX).expect("it plays to the end");
        run.rows += player.table().rows();
        run.spent.decode += player.spent().decode;
        run.spent.apply += player.spent().apply;
        run.digests.push(format!("{}={}", token.dir, player.table().digest()));
    }
    run
}

fn read(root: &Path, dir: &Path, files: &mut MemoryFiles) {
    let entries = std::fs::read_dir(dir).expect("a readable directory");
    let paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    for path in paths {
        if path.is_dir() {
            read(root, &path, files);
        } else {
            let name = path.strip_prefix(root).expect("below the root").to_string_lossy().into_owned();
            files.insert(name, std::fs::read(&path).expect("a readable file"));
        }
    }
}

/// Milliseconds since the first call.
fn now() -> f64 {
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed().as_secs_f64() * 1_000.0
}
