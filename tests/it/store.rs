//! A log applied to files gives the rows that it gives in memory, whatever the blocks, and whenever the files are
//! opened anew.

use crate::common::{Recording, csv, recordings};
use std::sync::{Arc, OnceLock};
use understudy::apply::backlog::BatchLimits;
use understudy::native::store::{CommitMode, Disk, DiskReader, FileTable, RealDisk, Step, Worker};
use understudy::replay::{History, Player, tables};
use understudy::table::files::MatViewState;
use understudy::table::{Standing, Table};
use understudy::wal::{Error, Files, SequencerLog, TableKind, TxnRecord, read_raw_event};

/// A recording with its replayable tables as they are in memory.
type Reference = (Recording, Vec<(History, Table)>);

/// All recordings.
fn references() -> &'static [Reference] {
    static REFERENCES: OnceLock<Vec<Reference>> = OnceLock::new();
    REFERENCES.get_or_init(|| {
        let with_tables = |(_, recording): (String, Recording)| {
            let tokens = tables(&recording.files).unwrap();
            let wanted = |kind| matches!(kind, TableKind::Wal | TableKind::MatView);
            let tables = tokens.iter().filter(|token| wanted(token.kind)).filter_map(|token| {
                let history = History::read(&recording.files, token).ok().filter(History::is_replayable)?;
                let mut player = Player::new(history.clone()).ok()?;
                player.seek(&recording.files, u64::MAX).ok()?;
                Some((history, player.table().clone()))
            });
            let tables = tables.collect();
            (recording, tables)
        };
        recordings().into_iter().map(with_tables).collect()
    })
}

#[test]
fn files_hold_the_rows_that_memory_holds() {
    // Rows and commits in a block, at most, blocks after which the files are opened anew, and bytes of a column at a time.
    let ways = [
        (1 << 30, 1 << 20, usize::MAX, 1 << 30),
        (700, 5, 9, 1 << 30),
        (40, 1 << 20, usize::MAX, 1 << 30),
        (1 << 30, 1 << 20, usize::MAX, 500),
    ];
    let mut compared = 0;
    let mut wrong = Vec::new();
    for (rows, commits, reopen, column) in ways {
        let limits = BatchLimits { rows, bytes: 1 << 30, commits, column };
        for (recording, tables) in references() {
            for (history, expected) in tables {
                compared += 1;
                if let Err(difference) = compare(recording, history, expected, limits, reopen) {
                    let (dir, name) = (&history.token.dir, &recording.about["name"]);
                    wrong.push(format!(
                        "{dir} in {name}, {rows} rows {commits} commits {column} bytes: {difference}"
                    ));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {compared} differ:\n{}", wrong.len(), wrong.join("\n"));
    assert!(compared > 250, "only {compared} tables compared");
}

#[test]
fn the_server_finds_a_views_state_in_its_file() {
    let mut views = 0;
    for (recording, tables) in references() {
        for (history, _) in tables.iter().filter(|(history, _)| history.token.kind == TableKind::MatView) {
            let folder = tempfile::tempdir().unwrap();
            let disk: Arc<dyn Disk> = Arc::new(RealDisk::open(folder.path()).unwrap());
            let mut worker = Worker::new(disk.clone(), history.token.clone(), CommitMode::NoSync, false);
            let limits = BatchLimits { rows: 1 << 30, bytes: 1 << 30, commits: 1 << 20, column: 1 << 30 };
            while let Step::Applied(_) = worker.step(&recording.files, limits) {}
            let (dir, files) = (&history.token.dir, DiskReader(&*disk));
            let log = SequencerLog::open(&files, dir).unwrap();
            let last = log.records(&files, log.max_txn..=log.max_txn).unwrap();
            let (id, txn) =
                last.first().and_then(TxnRecord::segment).expect("a view has no structural changes");
            let event = read_raw_event(&files, dir, id, txn);
            assert!(matches!(event, Err(Error::Absent { .. })), "{dir}: the server would take {event:?}");
            let state = |files: &dyn Files| {
                let bytes = files.read_all(&format!("{dir}/_mv.s"), 1 << 20).unwrap();
                MatViewState::decode("_mv.s", &bytes).unwrap().1
            };
            assert_eq!(state(&files), state(&recording.files), "{dir}");
            views += 1;
        }
    }
    assert!(views > 3, "only {views} views");
}

fn compare(
    recording: &Recording,
    history: &History,
    expected: &Table,
    limits: BatchLimits,
    reopen: usize,
) -> Result<(), String> {
    let folder = tempfile::tempdir().unwrap();
    let disk: Arc<dyn Disk> = Arc::new(RealDisk::open(folder.path()).unwrap());
    let mut worker = Worker::new(disk.clone(), history.token.clone(), CommitMode::NoSync, false);
    let mut steps = 0usize;
    while let Step::Applied(_) = worker.step(&recording.files, limits) {
        steps += 1;
        if steps.is_multiple_of(reopen) {
            worker.close();
        }
    }
    if let Some(failure) = worker.failure() {
        return Err(failure.to_string());
    }
    if *worker.standing() != expected.standing {
        return Err(format!("{:?} instead of {:?}", worker.standing(), expected.standing));
    }
    if let Standing::Dropped { .. } = expected.standing {
        return Ok(());
    }
    // One that was closed is opened for news only.
    let table = match worker.table() {
        Some(table) => table.load(),
        None if expected.seq_txn == 0 => return Ok(()),
        None => FileTable::open(disk, worker.token(), CommitMode::NoSync).and_then(|table| table.load()),
    };
    let table = table.map_err(|error| error.to_string())?;
    if table.seq_txn != expected.seq_txn || *table.name != *expected.name {
        return Err(format!("{} at {} instead of {}", table.name, table.seq_txn, expected.seq_txn));
    }
    if csv(&table) != csv(expected) {
        let (ours, theirs) = (csv(&table), csv(expected));
        let (ours, theirs) = (String::from_utf8_lossy(&ours), String::from_utf8_lossy(&theirs));
        let line = ours.lines().zip(theirs.lines()).position(|(a, b)| a != b);
        let shown =
            line.map(|line| format!("\n{:?}\n{:?}", ours.lines().nth(line), theirs.lines().nth(line)));
        return Err(format!(
            "rows differ: {} lines instead of {}, first at {line:?}{}",
            ours.lines().count(),
            theirs.lines().count(),
            shown.unwrap_or_default()
        ));
    }
    if table.digest() != expected.digest() {
        return Err("digests differ".to_owned());
    }
    Ok(())
}
