//! How fast a partition in memory becomes a Parquet file, and rows again, on one core:
//! `cargo bench --no-default-features --features parquet-form --bench encode`, and `scripts/bench-wasm.sh` for the same in node.
//!
//! A day of trades of 40 bytes a row, with QuestDB's default codec and row groups. Prints one line per way: its name, rows per
//! second, megabytes of native columns per second, best of several runs, tab-separated.
#![allow(clippy::disallowed_methods, clippy::disallowed_types, clippy::disallowed_macros)]

use bytes::Bytes;
use std::hint::black_box;
use std::sync::Arc;
use understudy::apply::apply_commits;
use understudy::apply::file_rows;
use understudy::columnar::parquet::Options;
use understudy::lab::encode_partition;
use understudy::table::{Column, Partition, Schema, Table};
use understudy::wal::{ColumnType, Commit, PartitionBy, SymbolDiff, SymbolText, WalColumn};

const RUNS: usize = 7;
const ROWS: usize = 1_000_000;
/// Of the timestamp, two symbols, price, size and sequence number.
const ROW_BYTES: usize = 8 + 4 + 4 + 8 + 8 + 8;
const SYMBOLS: usize = 200;
/// 2026-01-05, microseconds.
const START: i64 = 1_767_571_200_000_000;

type Clock = fn(&mut dyn FnMut()) -> f64;

#[cfg(not(target_arch = "wasm32"))]
fn main() {
    fn seconds(work: &mut dyn FnMut()) -> f64 {
        let begun = std::time::Instant::now();
        work();
        begun.elapsed().as_secs_f64()
    }
    for line in measure(seconds) {
        println!("{line}");
    }
}

#[cfg(target_arch = "wasm32")]
fn main() {}

#[cfg(target_arch = "wasm32")]
#[wasm_bindgen_test::wasm_bindgen_test]
fn encode() {
    fn seconds(work: &mut dyn FnMut()) -> f64 {
        let begun = js_sys::Date::now();
        work();
        (js_sys::Date::now() - begun) / 1000.0
    }
    for line in measure(seconds) {
        wasm_bindgen_test::console_log!("{line}");
    }
}

fn measure(seconds: Clock) -> Vec<String> {
    let table = table();
    let Some(partition) = table.partitions.values().next() else { return Vec::new() };
    let file = Bytes::from(written(&table, partition));
    let writing = best(seconds, || drop(black_box(written(&table, partition))));
    let (floor, rows) = (partition.floor, partition.rows as u64);
    let read = || file_rows("f", file.clone(), rows, &mut table.clone(), floor);
    let reading = best(seconds, || drop(black_box(read())));
    let line = |name: &str, taken: f64| {
        let rows = partition.rows as f64 / taken;
        format!("{name}\t{rows:.0} rows/s\t{:.0} MB/s\t{} bytes", rows * ROW_BYTES as f64 / 1e6, file.len())
    };
    vec![line("to Parquet", writing), line("from Parquet", reading)]
}

fn written(table: &Table, partition: &Arc<Partition>) -> Vec<u8> {
    encode_partition(table, partition, Options::default()).unwrap_or_default()
}

fn best(seconds: Clock, work: impl Fn()) -> f64 {
    (0..RUNS).map(|_| seconds(&mut || work())).fold(f64::INFINITY, f64::min)
}

fn table() -> Table {
    let names = ["ts", "symbol", "side", "price", "size", "sequence"];
    let columns = names.iter().zip([8, 12, 12, 10, 6, 6]).map(|(&name, code)| Column {
        name: name.into(),
        ty: ty(code),
        dropped: false,
        upsert_key: false,
        indexed: false,
        replaces: None,
    });
    let schema = Schema {
        columns: columns.collect(),
        order: (0..names.len()).collect(),
        timestamp: 0,
        partition_by: PartitionBy::Day,
        ttl: 0,
        version: 0,
    };
    let mut table = Table::new("trades".into(), "trades~1".into(), schema);
    apply_commits(&mut table, &[commit()]);
    table
}

/// Prices that walk by cents, sizes by lots, times by some microseconds.
fn commit() -> Commit {
    let mut random = Random(7);
    let (mut ts, mut cents) = (START, vec![10_000i64; SYMBOLS]);
    let mut columns: [Vec<u8>; 6] = Default::default();
    for row in 0..ROWS {
        ts += random.below(80) as i64;
        let symbol = random.below(SYMBOLS as u64) as usize;
        cents[symbol] += random.below(7) as i64 - 3;
        let [designated, symbols, sides, prices, sizes, sequence] = &mut columns;
        designated.extend_from_slice(&ts.to_le_bytes());
        designated.extend_from_slice(&(row as i64).to_le_bytes());
        symbols.extend_from_slice(&(symbol as i32).to_le_bytes());
        sides.extend_from_slice(&(random.below(2) as i32).to_le_bytes());
        prices.extend_from_slice(&(cents[symbol] as f64 / 100.0).to_le_bytes());
        sizes.extend_from_slice(&(100 * (1 + random.below(20) as i64)).to_le_bytes());
        sequence.extend_from_slice(&(row as i64).to_le_bytes());
    }
    let [designated, symbols, sides, prices, sizes, sequence] = columns.map(Bytes::from);
    let names = |prefix: &str, count| (0..count).map(|i| SymbolText::Text(format!("{prefix}{i}"))).collect();
    let diff = |column, prefix, count| SymbolDiff {
        column,
        has_null: false,
        clean: 0,
        entries: names(prefix, count),
    };
    let fixed = |code, values| Some(WalColumn::Fixed { ty: ty(code), values });
    Commit {
        seq_txn: 1,
        commit_ts: START,
        rows: ROWS,
        min_ts: START,
        max_ts: ts,
        out_of_order: false,
        replace: None,
        mat_view: None,
        symbols: vec![diff(1, "SYM", SYMBOLS), diff(2, "SIDE", 2)],
        columns: vec![
            Some(WalColumn::Designated(designated)),
            fixed(12, symbols),
            fixed(12, sides),
            fixed(10, prices),
            fixed(6, sizes),
            fixed(6, sequence),
        ],
    }
}

fn ty(code: i32) -> ColumnType {
    ColumnType::from_code(code).unwrap_or(ColumnType::LONG)
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end
    }
}
