use super::{Db, Ran, ran, run, understudy};
use std::fs;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use understudy::native::disk::DiskFiles;
use understudy::replay::tables;
use understudy::table::files::TxnFile;
use understudy::table::files::TxnState;
use understudy::table::files::{decode_wal_index, encode_registry};
use understudy::wal::{Applied, Files, Registry, SequencerLog, TableKind, TableToken};

/// How long a test waits for what takes a moment.
const PATIENCE: Duration = Duration::from_secs(30);

/// What the directory at `db` has of a table, which no WAL is left of.
fn rows(db: &str, table: &str) -> String {
    run(&["replay", db, "--table", table, "--no-progress", "-q"]).ends(0).stdout
}

#[test]
fn a_replica_has_the_servers_rows_and_is_up_to_date_the_next_time() {
    let db = Db::unpack("ns");
    let to = db.beside("replica/db");
    let told = run(&["apply", &db.arg(), "--to", &to, "--json", "--no-progress"]).ends(0).json();
    let tables = told["tables"].as_array().expect("tables");
    assert!(tables.len() > 2 && tables.iter().all(|table| table["result"] == "ok"), "{told}");
    for table in tables {
        let dir = table["directory"].as_str().expect("a directory");
        assert!(table["applied"] == table["transactions"] && table["rows"].as_u64() > Some(0), "{table}");
        assert_eq!(rows(&to, dir), db.answer(&format!("{dir}.csv")), "{dir}");
    }
    let again = run(&["apply", &db.arg(), "--to", &to, "--no-progress"]).ends(0);
    assert!(again.stdout.contains("51 of 51 transactions"), "{}", again.stdout);
    let status = run(&["status", &to]).ends(0);
    assert!(status.stdout.contains("not open in any program"), "{}", status.stdout);
    // A replica of the replica begins with the tables as they are, and can't follow it: its records have no rows.
    let second = db.beside("second/db");
    run(&["apply", &to, "--to", &second, "--no-progress"]).ends(0);
    let difference = run(&["diff", &to, &second]).ends(0);
    assert!(difference.stderr.contains("4 of 4 tables are equal"), "{}", difference.stderr);
}

/// A primary that this directory becomes goes on with the history's files: its WALs need numbers that none of them had.
#[test]
fn a_replica_counts_the_wals_of_the_history() {
    let db = Db::unpack("writers");
    let to = db.beside("replica/db");
    run(&["apply", &db.arg(), "--to", &to, "--no-progress"]).ends(0);
    let second = db.beside("second/db");
    run(&["apply", &to, "--to", &second, "--no-progress"]).ends(0);
    let mut most = 0;
    for token in tables(&db.recording.files).unwrap() {
        let log = SequencerLog::open(&db.recording.files, &token.dir).unwrap();
        let records = log.records(&db.recording.files, 1..=log.max_txn).unwrap();
        let wals = records.iter().filter_map(|record| Some(record.segment()?.0.wal));
        let last = wals.max().unwrap_or(0);
        for db in [&to, &second] {
            let index = fs::read(format!("{db}/{}/txn_seq/_wal_index.d", token.dir)).unwrap();
            let counted = decode_wal_index("_wal_index.d", &index).unwrap();
            assert!(counted >= last, "{db}: {}: {counted} of {last}", token.dir);
        }
        most = most.max(last);
    }
    assert!(most > 2);
}

#[test]
fn only_the_tables_that_were_asked_for_are_applied() {
    let db = Db::unpack("dedup_keys");
    let to = db.beside("replica");
    let all = db.recording.tables().len();
    let told = run(&["apply", &db.arg(), "--to", &to, "--table", "kt", "--json", "--no-progress"]).json();
    assert_eq!(told["tables"].as_array().map(Vec::len), Some(1), "{told}");
    assert_eq!(told["tables"][0]["table"], "kt");
    assert!(all > 1 && Path::new(&to).join("tables.d.0").exists());
}

#[test]
fn a_directory_that_is_the_source_or_within_it_is_refused_and_not_made() {
    let db = Db::unpack("ns");
    let inside = format!("{}/replica", db.arg());
    for to in [db.arg(), inside.clone()] {
        let told = run(&["apply", &db.arg(), "--to", &to]).ends(2);
        assert!(told.stderr.contains("give a directory of its own to --to"), "{}", told.stderr);
    }
    assert!(!Path::new(&inside).exists());
    // The other way round: the source would be within the replica.
    let above = db.root.path().to_str().expect("a plain path").to_owned();
    fs::rename(db.path(), db.root.path().join("source")).unwrap();
    let told = run(&["apply", &format!("{above}/source"), "--to", &above]).ends(2);
    assert!(told.stderr.contains("are not apart"), "{}", told.stderr);
}

#[test]
fn one_bad_table_stops_no_other_and_status_names_its_repair() {
    let db = Db::unpack("suspended");
    let to = db.beside("replica/db");
    let told = run(&["apply", &db.arg(), "--to", &to, "--json", "--no-progress"]).ends(6).json();
    let result = |told: &serde_json::Value, name: &str| {
        let tables = told["tables"].as_array().expect("tables").clone();
        tables.into_iter().find(|table| table["table"] == name).expect("the table")
    };
    assert_eq!(result(&told, "stuck")["result"], "suspended");
    assert_eq!(result(&told, "fine")["applied"], result(&told, "fine")["transactions"]);
    let status = run(&["status", &to, "--json"]).ends(6).json();
    // A change of structure can't be skipped: there is nothing to do about it.
    let stuck = result(&status, "stuck");
    let reason = stuck["reason"].as_str().expect("a reason");
    assert!(
        reason.starts_with("column i: a value does not fit the DECIMAL; a change of structure"),
        "{reason}"
    );
    assert!(stuck["repair"].is_null(), "{stuck}");
    let refused = run(&["repair", &to, "stuck", "--skip", "2"]).ends(1);
    assert!(refused.stderr.contains("can't be skipped"), "{}", refused.stderr);
    let update = result(&status, "pq_update");
    let repair = update["repair"].as_str().expect("a command");
    assert_eq!(repair, format!("understudy repair {to} pq_update~10 --skip 6"));
    // Another transaction than the next one is not skipped.
    let refused = run(&["repair", &to, "pq_update", "--skip", "7"]).ends(2);
    assert!(refused.stderr.contains("not the next one of pq_update, which is 6"), "{}", refused.stderr);
    run(&repair.split(' ').skip(1).collect::<Vec<_>>()).ends(0);
    let arguments = ["apply", &db.arg(), "--to", &to, "--table", "pq_update", "--json", "--no-progress"];
    let told = run(&arguments).ends(5).json();
    let skipped = result(&told, "pq_update");
    assert_eq!(skipped["applied"], skipped["transactions"], "{told}");
    assert_eq!(skipped["standing"]["reason"], "it was skipped by a repair");
}

#[test]
fn a_directory_that_another_program_wrote_to_is_refused_unless_adopted() {
    let db = Db::unpack("ns");
    let to = db.beside("replica/db");
    run(&["apply", &db.arg(), "--to", &to, "--no-progress"]).ends(0);
    let disk = DiskFiles::open(Path::new(&to)).unwrap();
    let table = db.recording.tables()[0]["dir"].as_str().expect("a directory").to_owned();
    write_as_another_program(&disk, &to, &table);
    let refused = run(&["apply", &db.arg(), "--to", &to, "--no-progress"]);
    assert!(refused.code != 0, "{}", refused.stdout);
    let said = format!("{}{}", refused.stdout, refused.stderr);
    assert!(said.contains("written by QuestDB at") && said.contains("it has its own history now"), "{said}");
    assert!(said.contains("--adopt"), "{said}");
    run(&["apply", &db.arg(), "--to", &to, "--adopt", "--no-progress"]).ends(0);
    run(&["apply", &db.arg(), "--to", &to, "--no-progress"]).ends(0);
}

/// A commit of a table's `_txn`, as a program makes that has rows of its own.
fn write_as_another_program(files: &dyn Files, db: &str, dir: &str) {
    let applied = Applied::read(files, dir).unwrap();
    let head = files.read(&format!("{dir}/_txn"), 0, 64).unwrap();
    let mut state = TxnState::from_applied(&applied);
    state.txn += 1;
    let (_, patches) = TxnFile::decode("_txn", &head).unwrap().next(&state);
    let file = fs::File::options().write(true).open(Path::new(db).join(dir).join("_txn")).unwrap();
    patches.iter().for_each(|patch| file.write_all_at(&patch.bytes, patch.offset).unwrap());
}

/// Four times as many tables as files may be open.
#[test]
fn tables_are_not_bounded_by_open_files() {
    let db = Db::unpack("partitions_by");
    let mut tokens = Registry::read(&db.recording.files).unwrap().tables;
    tokens.retain(|token| token.kind == TableKind::Wal && !token.dropped);
    let originals = tokens.clone();
    for n in 0..1000usize.div_ceil(originals.len()) {
        for token in &originals {
            let dir = format!("{}{n}~{}", token.name, 1000 + tokens.len());
            for (path, content) in db.recording.files.iter() {
                let Some(rest) = path.strip_prefix(&format!("{}/", token.dir)) else { continue };
                let path = db.path().join(&dir).join(rest);
                fs::create_dir_all(path.parent().expect("a folder")).unwrap();
                fs::write(path, content).unwrap();
            }
            let (name, id) = (format!("{}{n}", token.name), 1000 + tokens.len() as i32);
            tokens.push(TableToken { name, dir, id, ..token.clone() });
        }
    }
    fs::write(db.path().join("tables.d.0"), encode_registry(&tokens)).unwrap();
    let to = db.beside("replica/db");
    let command = format!(
        "ulimit -n 256 && exec {} apply {} --to {to} --json --no-progress --threads 2",
        env!("CARGO_BIN_EXE_understudy"),
        db.arg()
    );
    let output = Command::new("sh").args(["-c", &command]).stdin(Stdio::null()).output().expect("sh runs");
    let told = ran(output).ends(0).json();
    let tables = told["tables"].as_array().expect("tables");
    assert!(tables.len() >= 1000, "{} tables", tables.len());
    assert!(tables.iter().all(|table| table["applied"] == table["transactions"] && table["result"] == "ok"));
}

#[test]
fn follows_the_log_locks_the_directory_and_stops_cleanly() {
    let db = Db::unpack("symbols");
    let to = db.beside("replica/db");
    let dir = db.recording.tables()[0]["dir"].as_str().expect("a directory").to_owned();
    // A server that has not sequenced the last ones yet.
    let path = db.path().join(&dir).join("txn_seq/_txnlog");
    let log = fs::File::options().read(true).write(true).open(path).unwrap();
    let mut all = [0; 8];
    log.read_exact_at(&mut all, 4).unwrap();
    let (first, all) = (2i64, i64::from_le_bytes(all));
    log.write_all_at(&first.to_le_bytes(), 4).unwrap();
    let mut following = follow(&db.arg(), &to, &dir);
    wait_for(&to, &dir, first);
    let second = run(&["apply", &db.arg(), "--to", &to]);
    assert!(
        second.code != 0 && second.stderr.contains("stop the program that has it open"),
        "{}",
        second.stderr
    );
    assert_eq!(run(&["status", &to, "--json"]).json()["running"], true);
    log.write_all_at(&all.to_le_bytes(), 4).unwrap();
    wait_for(&to, &dir, all);
    let told = stopped(&mut following);
    assert_eq!(told.code, 0, "{}{}", told.stdout, told.stderr);
    assert!(told.stdout.contains(&format!("{all} of {all} transactions")), "{}", told.stdout);
    assert_eq!(rows(&to, &dir), db.answer(&format!("{dir}.csv")));
    assert_eq!(run(&["status", &to, "--json"]).json()["running"], false);
}

fn follow(source: &str, to: &str, table: &str) -> Child {
    let mut command =
        understudy(&["apply", source, "--to", to, "--table", table, "--follow", "--no-progress"]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the command starts")
}

/// Waits until a table's `_txn` is at this transaction.
fn wait_for(db: &str, table: &str, seq_txn: i64) {
    let begun = Instant::now();
    loop {
        let applied = DiskFiles::open(Path::new(db)).ok().and_then(|files| Applied::read(&files, table).ok());
        let at = applied.map_or(-1, |applied| applied.seq_txn as i64);
        if at == seq_txn {
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "{table} is at {at}, not at {seq_txn}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn stopped(child: &mut Child) -> Ran {
    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().expect("kill runs").success());
    let begun = Instant::now();
    while child.try_wait().expect("the process is there").is_none() {
        assert!(begun.elapsed() < PATIENCE, "it does not stop");
        std::thread::sleep(Duration::from_millis(5));
    }
    let read = |stream: Option<Box<dyn std::io::Read>>| {
        let mut bytes = Vec::new();
        stream.expect("it is piped").read_to_end(&mut bytes).expect("it can be read");
        bytes
    };
    let stdout = read(child.stdout.take().map(|stream| Box::new(stream) as Box<dyn std::io::Read>));
    let stderr = read(child.stderr.take().map(|stream| Box::new(stream) as Box<dyn std::io::Read>));
    let status = child.wait().expect("it ended");
    ran(std::process::Output { status, stdout, stderr })
}
