//! The transactions that the benchmarks apply: trades of 68 bytes a row as the table stores them.

use bytes::Bytes;
use understudy::table::{Column, Schema, Table};
use understudy::wal::{ColumnType, Commit, PartitionBy, SymbolDiff, SymbolText, WalColumn};

/// Bytes per row in the table: the timestamp, two symbols, and what [`fixed`] writes.
pub(crate) const ROW_BYTES: usize = 8 + 4 + 4 + 8 + 8 + 8 + 16 + 4 + 8;

const DAY: i64 = 86_400_000_000;
const HOUR: i64 = 3_600_000_000;
/// 2026-01-05, microseconds.
const START: i64 = 1_767_571_200_000_000;

const INT: i32 = 5;
const LONG: i32 = 6;
const DOUBLE: i32 = 10;
const UUID: i32 = 19;

/// How the rows of a workload arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// Each row newer than the one before.
    InOrder,
    /// One row in ten up to an hour late.
    TenPercentLate,
    /// Anywhere in two days.
    Shuffled,
    /// In order, one row in ten sent again, upsert keys timestamp and symbol.
    Dedup,
}

/// A named sequence of transactions and the number of them that one block takes.
pub(crate) struct Workload {
    pub name: &'static str,
    pub arrival: Arrival,
    pub rows: usize,
    pub rows_per_commit: usize,
    pub commits_per_block: usize,
}

/// What is measured.
pub(crate) const WORKLOADS: &[Workload] = &[
    workload("in order", Arrival::InOrder, 2_000_000, 10_000, 50),
    workload("10 % late", Arrival::TenPercentLate, 2_000_000, 10_000, 50),
    workload("shuffled", Arrival::Shuffled, 2_000_000, 10_000, 50),
    workload("dedup", Arrival::Dedup, 2_000_000, 10_000, 50),
    workload("in order, each commit by itself", Arrival::InOrder, 2_000_000, 10_000, 1),
    workload("one-row commits", Arrival::InOrder, 100_000, 1, 1_000),
    workload("one-row commits, each by itself", Arrival::InOrder, 100_000, 1, 1),
];

const fn workload(
    name: &'static str,
    arrival: Arrival,
    rows: usize,
    rows_per_commit: usize,
    commits_per_block: usize,
) -> Workload {
    Workload { name, arrival, rows, rows_per_commit, commits_per_block }
}

impl Workload {
    /// The empty table that the transactions apply to.
    pub(crate) fn table(&self) -> Table {
        let names = ["ts", "symbol", "side", "price", "amount", "order_id", "trade", "venue", "sequence"];
        let types = [8, 12, 12, DOUBLE, DOUBLE, LONG, UUID, INT, LONG];
        let key = |name: &str| self.arrival == Arrival::Dedup && (name == "ts" || name == "symbol");
        let columns = names.iter().zip(types).map(|(&name, code)| Column {
            name: name.into(),
            ty: ty(code),
            dropped: false,
            upsert_key: key(name),
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
        Table::new("trades".into(), "trades~1".into(), schema)
    }

    /// All transactions, the same ones each time.
    pub(crate) fn commits(&self) -> Vec<Commit> {
        let mut random = Random(7);
        let mut clock = Clock { now: START, step: 2 * DAY / self.rows as i64 };
        (0..self.rows / self.rows_per_commit)
            .map(|at| {
                let rows: Vec<Row> =
                    (0..self.rows_per_commit).map(|_| clock.row(self.arrival, &mut random)).collect();
                commit(at as u64 + 1, &rows, &mut random)
            })
            .collect()
    }
}

struct Row {
    ts: i64,
    symbol: i32,
}

struct Clock {
    now: i64,
    step: i64,
}

impl Clock {
    fn row(&mut self, arrival: Arrival, random: &mut Random) -> Row {
        let symbol = random.below(SYMBOLS as u64) as i32;
        let one_in_ten = random.below(10) == 0;
        let ts = match arrival {
            Arrival::Shuffled => START + random.below(2 * DAY as u64) as i64,
            Arrival::TenPercentLate if one_in_ten => self.now - random.below(HOUR as u64) as i64,
            Arrival::Dedup if one_in_ten => self.now,
            _ => {
                self.now += self.step.max(1);
                self.now
            }
        };
        Row { ts, symbol }
    }
}

const SYMBOLS: usize = 40;

fn commit(seq_txn: u64, rows: &[Row], random: &mut Random) -> Commit {
    let stamps = rows.iter().map(|row| row.ts);
    let first = seq_txn == 1;
    let names = |prefix: &str, count| (0..count).map(|i| SymbolText::Text(format!("{prefix}{i}"))).collect();
    let diff = |column, prefix, count: usize| SymbolDiff {
        column,
        has_null: false,
        clean: if first { 0 } else { count as u32 },
        entries: if first { names(prefix, count) } else { Vec::new() },
    };
    let designated =
        rows.iter().enumerate().flat_map(|(i, row)| [row.ts.to_le_bytes(), (i as i64).to_le_bytes()]);
    let symbol = rows.iter().flat_map(|row| row.symbol.to_le_bytes());
    let side = rows.iter().flat_map(|row| (row.symbol & 1).to_le_bytes());
    Commit {
        seq_txn,
        commit_ts: START,
        rows: rows.len(),
        min_ts: stamps.clone().min().unwrap_or_default(),
        max_ts: stamps.clone().max().unwrap_or_default(),
        out_of_order: !stamps.is_sorted(),
        replace: None,
        mat_view: None,
        symbols: vec![diff(1, "SYM", SYMBOLS), diff(2, "SIDE", 2)],
        columns: vec![
            Some(WalColumn::Designated(designated.flatten().collect())),
            Some(WalColumn::Fixed { ty: ColumnType::SYMBOL, values: symbol.collect() }),
            Some(WalColumn::Fixed { ty: ColumnType::SYMBOL, values: side.collect() }),
            fixed(DOUBLE, rows.len(), random),
            fixed(DOUBLE, rows.len(), random),
            fixed(LONG, rows.len(), random),
            fixed(UUID, rows.len(), random),
            fixed(INT, rows.len(), random),
            fixed(LONG, rows.len(), random),
        ],
    }
}

fn fixed(code: i32, rows: usize, random: &mut Random) -> Option<WalColumn> {
    let ty = ty(code);
    let len = rows * ty.fixed_size().unwrap_or_default();
    let mut values: Vec<u8> = (0..len.div_ceil(8)).flat_map(|_| random.next().to_le_bytes()).collect();
    values.truncate(len);
    Some(WalColumn::Fixed { ty, values: Bytes::from(values) })
}

fn ty(code: i32) -> ColumnType {
    ColumnType::from_code(code).unwrap_or(ColumnType::LONG)
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
}
