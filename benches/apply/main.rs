//! How fast transactions become rows of a table in memory, on one core: `cargo bench --bench apply`, and
//! `make bench-wasm` for the same in node.
//!
//! Prints one line per workload: its name, rows per second, megabytes of stored rows per second, best of
//! several runs, tab-separated.
#![allow(clippy::disallowed_methods, clippy::disallowed_types, clippy::disallowed_macros)]

mod workload;

use std::hint::black_box;
use understudy::apply::{apply_commits, ends_block};
use understudy::wal::Commit;
use workload::{ROW_BYTES, WORKLOADS, Workload};

const RUNS: usize = 5;

#[cfg(not(target_arch = "wasm32"))]
fn main() {
    /// Seconds that `work` takes.
    fn seconds(work: &mut dyn FnMut()) -> f64 {
        let begun = std::time::Instant::now();
        work();
        begun.elapsed().as_secs_f64()
    }
    // Words on the command line choose workloads by part of the name; cargo adds `--bench`.
    let wanted: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    for workload in WORKLOADS {
        if wanted.is_empty() || wanted.iter().any(|word| workload.name.contains(word)) {
            println!("{}", measure(workload, seconds));
        }
    }
}

#[cfg(target_arch = "wasm32")]
fn main() {}

#[cfg(target_arch = "wasm32")]
#[wasm_bindgen_test::wasm_bindgen_test]
fn apply() {
    fn seconds(work: &mut dyn FnMut()) -> f64 {
        let begun = js_sys::Date::now();
        work();
        (js_sys::Date::now() - begun) / 1000.0
    }
    for workload in WORKLOADS {
        wasm_bindgen_test::console_log!("{}", measure(workload, seconds));
    }
}

fn measure(workload: &Workload, seconds: fn(&mut dyn FnMut()) -> f64) -> String {
    let commits = workload.commits();
    let best = (0..RUNS)
        .map(|_| {
            let mut table = workload.table();
            let taken = seconds(&mut || apply_all(&mut table, &commits, workload.commits_per_block));
            assert_eq!(table.seq_txn, commits.len() as u64);
            black_box(table.rows());
            taken
        })
        .fold(f64::INFINITY, f64::min);
    let rows_per_second = workload.rows as f64 / best;
    let megabytes_per_second = rows_per_second * ROW_BYTES as f64 / 1e6;
    format!("{}\t{rows_per_second:.0} rows/s\t{megabytes_per_second:.0} MB/s", workload.name)
}

fn apply_all(table: &mut understudy::table::Table, commits: &[Commit], commits_per_block: usize) {
    for block in commits.chunks(commits_per_block) {
        debug_assert!(block.windows(2).all(|pair| !ends_block(
            table,
            table.max_ts(),
            &(&pair[0]).into(),
            &(&pair[1]).into()
        )));
        black_box(apply_commits(table, block));
    }
}
