//! Scripted runs of a worker on a disk that is looked at before each of its operations.

use crate::common::{Recording, recordings};
use crate::sim_disk::{Change, Fate, SimDisk, State};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use understudy::apply::backlog::BatchLimits;
use understudy::columnar::parquet::Options as ParquetOptions;
use understudy::native::store::{CommitMode, Committed, Disk, Step, Worker};
use understudy::replay::{History, Player, tables};
use understudy::table::{Standing, Table};
use understudy::wal::{Error, TableKind};

/// Operations of which each one is looked at.
const EACH: u64 = 700;
/// Small blocks: many states are published.
pub const LIMITS: BatchLimits = BatchLimits { rows: 1 << 20, bytes: 1 << 30, commits: 3, column: 4 << 10 };
/// Rows and transactions of a table that is taken.
const ROWS: usize = 3_000;
const TXNS: u64 = 60;

/// One table of the kinds that differ in what is written.
pub fn subjects() -> Vec<(Recording, History, Table)> {
    let wanted = [
        "evolution",
        "dedup_keys",
        "drop_partition",
        "truncate",
        "column_tops",
        "update",
        "ns",
        "conversions",
        "capacity",
    ];
    let mut found = Vec::new();
    for (_, recording) in recordings() {
        let name = recording.about["name"].as_str().unwrap_or_default().to_owned();
        if !wanted.contains(&name.as_str()) {
            continue;
        }
        let tables = tables(&recording.files).unwrap();
        let small = tables.iter().filter(|token| token.kind == TableKind::Wal).find_map(|token| {
            let history = History::read(&recording.files, token).ok()?;
            let mut player = Player::new(history.clone()).ok()?;
            player.seek(&recording.files, u64::MAX).ok()?;
            let table = player.table().clone();
            let fits = table.rows() <= ROWS && (4..=TXNS).contains(&history.txn_count());
            (fits && table.standing == Standing::Exact).then_some((history, table))
        });
        found.extend(small.map(|(history, table)| (recording, history, table)));
    }
    found
}

pub fn worker(disk: &SimDisk, history: &History, mode: CommitMode) -> Worker {
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    Worker::new(disk, history.token.clone(), mode, false)
}

/// Gives partitions another form between two blocks, as a storage policy does; answers how many have become Parquet files. What fails
/// is as with blocks: the table is opened anew.
pub fn reform(worker: &mut Worker, step: u64) -> usize {
    let Some(table) = worker.table_mut() else { return 0 };
    let floors: Vec<i64> = table.table().partitions.keys().copied().collect();
    let (_, old) = floors.split_last().unwrap_or((&0, &[]));
    let mut published = 0;
    let done = (step..).zip(old).try_for_each(|(turn, &floor)| {
        if turn % 4 == 3 {
            return table.to_native(floor).map(drop);
        }
        let committed = table.to_parquet(floor, &ParquetOptions::default())?;
        published += usize::from(committed == Some(Committed::Published));
        Ok::<(), Error>(())
    });
    if done.is_err() {
        worker.close();
    }
    published
}

/// Problems, and the operations after which they were seen.
pub type Problems = Arc<Mutex<BTreeMap<String, Vec<u64>>>>;

/// Applies a log while `examine` looks at what would be left at each operation; `between` is called after each block, with its number.
pub fn run(
    recording: &Recording,
    history: &History,
    mode: CommitMode,
    between: impl Fn(&mut Worker, u64),
    examine: impl Fn(&State, &Change<'_>, u64, u64) -> Result<(), String> + Send + 'static,
) -> (u64, Problems) {
    let disk = SimDisk::new(State::default());
    let problems = Problems::default();
    let reported = Arc::new(AtomicU64::new(0));
    let count = Arc::new(AtomicU64::new(0));
    let (seen, said, counted) = (problems.clone(), reported.clone(), count.clone());
    disk.watch(Box::new(move |state, change| {
        let operation = counted.fetch_add(1, Ordering::Relaxed);
        // All of them, until what is written repeats itself.
        if (operation < EACH || operation.is_multiple_of(11))
            && let Err(problem) = examine(state, change, operation, said.load(Ordering::Relaxed))
        {
            seen.lock().unwrap().entry(problem).or_default().push(operation);
        }
        Fate::Done
    }));
    let mut worker = worker(&disk, history, mode);
    let mut steps = 0;
    while let Step::Applied(seq_txn) = worker.step(&recording.files, LIMITS) {
        reported.store(seq_txn, Ordering::Relaxed);
        steps += 1;
        between(&mut worker, steps);
    }
    assert!(worker.failure().is_none(), "{}", worker.failure().unwrap());
    (count.load(Ordering::Relaxed), problems)
}
