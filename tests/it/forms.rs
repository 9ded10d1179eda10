//! Partitions of a table in its files, in Parquet form and native: whatever form each has, the rows are those of the log.

use crate::common::{Recording, csv, recordings};
use crate::crashing::reform;
use crate::sim_disk::{Change, Fate, SimDisk, State};
use std::sync::Arc;
use understudy::apply::backlog::BatchLimits;
use understudy::columnar::parquet::Options as ParquetOptions;
use understudy::native::store::{
    CommitMode, Committed, Disk, DiskReader, Dropped, FileTable, Open, RealDisk, Step, Worker,
};
use understudy::replay::{History, Player, tables};
use understudy::table::files::{Severity, check_table};
use understudy::table::{Standing, Table};
use understudy::wal::{Error, TableKind};

const WHOLE: BatchLimits = BatchLimits { rows: 1 << 30, bytes: 1 << 30, commits: 1 << 20, column: 1 << 30 };

/// Rows of a table at its end, from the log alone.
fn replayed(recording: &Recording, history: &History) -> Option<Table> {
    let mut player = Player::new(history.clone()).ok()?;
    player.seek(&recording.files, u64::MAX).ok()?;
    Some(player.table().clone())
}

fn histories(recording: &Recording) -> Vec<History> {
    let tokens = tables(&recording.files).unwrap();
    let tokens = tokens.iter().filter(|token| token.kind == TableKind::Wal);
    tokens.filter_map(|t| History::read(&recording.files, t).ok().filter(History::is_replayable)).collect()
}

/// A table of several partitions that may become Parquet files, applied to its end.
fn applied(disk: Arc<dyn Disk>) -> (Recording, History, Worker) {
    for (_, recording) in recordings() {
        for history in histories(&recording) {
            let mut worker = Worker::new(disk.clone(), history.token.clone(), CommitMode::NoSync, false);
            while let Step::Applied(_) = worker.step(&recording.files, WHOLE) {}
            let Some(table) = worker.table().filter(|table| table.table().schema.stays_native().is_none())
            else {
                continue;
            };
            let exact = *table.standing() == Standing::Exact;
            if exact && table.table().partitions.len() >= 3 && table.rows() > 100 {
                return (recording, history, worker);
            }
        }
    }
    panic!("no recording has such a table");
}

fn floors(table: &FileTable) -> Vec<i64> {
    table.table().partitions.keys().copied().collect()
}

fn sound(disk: &dyn Disk, dir: &str) -> Result<(), String> {
    let findings = check_table(&DiskReader(disk), dir).into_iter();
    let errors = findings.filter(|finding| finding.severity == Severity::Error);
    let errors: Vec<String> = errors.map(|finding| finding.to_string()).collect();
    if errors.is_empty() { Ok(()) } else { Err(errors.join("; ")) }
}

#[test]
fn files_hold_the_rows_that_memory_holds_in_any_form() {
    let limits = BatchLimits { rows: 700, bytes: 1 << 30, commits: 5, column: 1 << 20 };
    let (mut compared, mut converted, mut wrong) = (0, 0, Vec::new());
    for (name, recording) in recordings() {
        for history in histories(&recording) {
            let Some(expected) = replayed(&recording, &history) else { continue };
            if expected.standing != Standing::Exact {
                continue;
            }
            let folder = tempfile::tempdir().unwrap();
            let disk: Arc<dyn Disk> = Arc::new(RealDisk::open(folder.path()).unwrap());
            let mut worker = Worker::new(disk.clone(), history.token.clone(), CommitMode::NoSync, false);
            let mut steps = 0u64;
            while let Step::Applied(_) = worker.step(&recording.files, limits) {
                steps += 1;
                converted += reform(&mut worker, steps);
                if steps.is_multiple_of(9) {
                    worker.close();
                }
            }
            let dir = &history.token.dir;
            let got = match (worker.failure(), worker.table()) {
                (Some(failure), _) => Err(failure.to_string()),
                (None, Some(table)) => table.load().map_err(|error| error.to_string()),
                (None, None) => continue,
            };
            compared += 1;
            let same = got.and_then(|table| match table.digest() == expected.digest() {
                true if csv(&table) == csv(&expected) => sound(&*disk, dir),
                _ => Err("other rows".to_owned()),
            });
            if let Err(difference) = same {
                wrong.push(format!("{name}: {dir}: {difference}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {compared} differ:\n{}", wrong.len(), wrong.join("\n"));
    assert!(compared > 50 && converted > 100, "only {compared} tables compared, {converted} conversions");
}

#[test]
fn a_file_whose_partition_has_gone_on_is_stale() {
    let folder = tempfile::tempdir().unwrap();
    let disk: Arc<dyn Disk> = Arc::new(RealDisk::open(folder.path()).unwrap());
    let (_, history, mut worker) = applied(disk.clone());
    let dir = &history.token.dir;
    let table = worker.table_mut().unwrap();
    let floor = floors(table)[0];
    let one = table.begin_conversion(floor, &ParquetOptions::default()).unwrap().run(&|_| ()).unwrap();
    let other = table.begin_conversion(floor, &ParquetOptions::default()).unwrap();
    assert_eq!((one.floor(), one.rows()), (floor, other.rows()));
    assert_eq!(table.commit_conversion(one).unwrap(), Committed::Published);
    assert!(table.begin_conversion(floor, &ParquetOptions::default()).is_none(), "it is converted already");
    // The other one reads files that are gone.
    assert!(matches!(other.run(&|_| ()), Err(Error::Absent { .. })));

    let floor = floors(table)[1];
    let one = table.begin_conversion(floor, &ParquetOptions::default()).unwrap().run(&|_| ()).unwrap();
    assert_eq!(table.drop_partition(floor).unwrap(), Dropped::Gone(one.rows()));
    assert!(matches!(table.commit_conversion(one).unwrap(), Committed::Stale(_)));
    let left = disk.list(dir).unwrap().unwrap();
    assert!(!left.iter().any(|name| name.starts_with("_understudy.parquet")), "{left:?}");
    sound(&*disk, dir).unwrap();
}

#[test]
fn a_partition_is_dropped_here_and_its_neighbours_stay() {
    let folder = tempfile::tempdir().unwrap();
    let disk: Arc<dyn Disk> = Arc::new(RealDisk::open(folder.path()).unwrap());
    let (recording, history, mut worker) = applied(disk.clone());
    let mut expected = replayed(&recording, &history).unwrap();
    let table = worker.table_mut().unwrap();
    let all = floors(table);
    // The next one is a Parquet file: the table's smallest timestamp is read from it.
    table.to_parquet(all[1], &ParquetOptions::default()).unwrap();
    let rows = expected.partitions[&all[0]].rows as u64;
    assert_eq!(table.drop_partition(all[0]).unwrap(), Dropped::Gone(rows));
    assert_eq!(table.drop_partition(all[0]).unwrap(), Dropped::Absent);
    assert_eq!(table.drop_partition(*all.last().unwrap()).unwrap(), Dropped::Active);
    expected.partitions.remove(&all[0]);
    assert_eq!(csv(&table.load().unwrap()), csv(&expected));
    sound(&*disk, &history.token.dir).unwrap();
    let reopened = FileTable::open(disk, &history.token, CommitMode::NoSync).unwrap();
    assert_eq!(csv(&reopened.load().unwrap()), csv(&expected));
}

#[test]
fn what_was_never_committed_is_removed_at_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let disk: Arc<dyn Disk> = Arc::new(RealDisk::open(folder.path()).unwrap());
    let (recording, history, mut worker) = applied(disk.clone());
    let dir = &history.token.dir;
    let table = worker.table_mut().unwrap();
    let converted =
        table.begin_conversion(floors(table)[0], &ParquetOptions::default()).unwrap().run(&|_| ()).unwrap();
    assert!(converted.bytes() > 0);
    drop(converted);
    let beside = |disk: &dyn Disk| {
        let names = disk.list(dir).unwrap().unwrap();
        names.into_iter().filter(|name| name.starts_with("_understudy.parquet")).count()
    };
    assert_eq!(beside(&*disk), 1);
    // The same process may open the table again while a conversion is under way.
    worker.close();
    let _ = worker.step(&recording.files, WHOLE);
    assert_eq!(beside(&*disk), 1);
    let mut next = Worker::new(disk.clone(), history.token.clone(), CommitMode::NoSync, false);
    let _ = next.step(&recording.files, WHOLE);
    assert_eq!(beside(&*disk), 0);
}

#[test]
fn a_damaged_or_lost_file_is_named_and_nothing_else_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let disk: Arc<dyn Disk> = Arc::new(RealDisk::open(folder.path()).unwrap());
    let (_, history, mut worker) = applied(disk.clone());
    let dir = &history.token.dir;
    let table = worker.table_mut().unwrap();
    let floor = floors(table)[0];
    let before = csv(&table.load().unwrap());
    assert_eq!(table.to_parquet(floor, &ParquetOptions::default()).unwrap(), Some(Committed::Published));
    let named = |names: Vec<String>| {
        let found = names.iter().find_map(|name| {
            let path = format!("{dir}/{name}/data.parquet");
            disk.len(&path).unwrap().map(|len| (path, len))
        });
        found.unwrap()
    };
    let (path, len) = named(disk.list(dir).unwrap().unwrap());
    let file = disk.open(&path, Open::Write).unwrap();
    let mut whole = vec![0; len as usize];
    file.read_exact_at(&path, 0, &mut whole).unwrap();
    // The footer, and the pages before it.
    for at in [len - 9, len / 3] {
        let mut torn = whole.clone();
        torn[at as usize..][..8].iter_mut().for_each(|byte| *byte ^= 0xa5);
        file.write_at(0, &torn).unwrap();
        let broken = table.to_native(floor);
        let told = broken.as_ref().map_err(ToString::to_string);
        assert!(told.as_ref().is_err_and(|told| told.contains(&path)), "{at}: {told:?}");
        *table = FileTable::open(disk.clone(), &history.token, CommitMode::NoSync).unwrap();
        table.recover().unwrap();
    }
    disk.rename(&path, "aside").unwrap();
    assert!(matches!(table.to_native(floor), Err(Error::Absent { file }) if *file == *path));
    disk.rename("aside", &path).unwrap();
    disk.open(&path, Open::Write).unwrap().write_at(0, &whole).unwrap();
    *table = FileTable::open(disk.clone(), &history.token, CommitMode::NoSync).unwrap();
    assert!(table.to_native(floor).unwrap());
    assert_eq!(csv(&table.load().unwrap()), before);
    sound(&*disk, dir).unwrap();
}

#[test]
fn a_full_disk_leaves_the_partition_as_it_was() {
    let sim = SimDisk::new(State::default());
    let (_, history, mut worker) = applied(Arc::new(sim.clone()));
    let table = worker.table_mut().unwrap();
    let (floor, before) = (floors(table)[0], csv(&table.load().unwrap()));
    for form in ["parquet", "native"] {
        sim.watch(Box::new(|_, change| match change {
            Change::Write(..) => Fate::Failed,
            Change::Other => Fate::Done,
        }));
        let failed = match form {
            "parquet" => table.to_parquet(floor, &ParquetOptions::default()).map(drop),
            _ => table.to_native(floor).map(drop),
        };
        assert!(matches!(failed, Err(Error::Io { .. })), "{form}: {failed:?}");
        sim.watch(Box::new(|_, _| Fate::Done));
        *table = FileTable::open(Arc::new(sim.clone()), &history.token, CommitMode::NoSync).unwrap();
        table.recover().unwrap();
        assert_eq!(csv(&table.load().unwrap()), before);
        sound(&sim, &history.token.dir).unwrap();
        assert_eq!(table.to_parquet(floor, &ParquetOptions::default()).unwrap().is_some(), form == "parquet");
    }
}
