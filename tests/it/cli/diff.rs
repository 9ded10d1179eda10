use super::{Db, run};
use std::fs;
use std::path::Path;
use understudy::table::files::{PartitionEntry, TxnFile, TxnState};
use understudy::wal::{Applied, MemoryFiles};

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target)
        } else {
            let _ = fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn equal_databases_are_equal() {
    let (a, b) = (Db::unpack("files/indexes"), Db::unpack("files/indexes"));
    let ran = run(&["diff", &a.arg(), &b.arg()]).ends(0);
    assert!(ran.stdout.contains("ix: equal, 360 rows in 2 partitions"), "{}", ran.stdout);
    assert!(ran.stderr.contains("2 of 2 tables are equal"), "{}", ran.stderr);
    let told = run(&["diff", &a.arg(), &b.arg(), "--table", "late", "--json"]).ends(0).json();
    assert_eq!(told["tables"][0]["result"], "ok");
    assert_eq!(told["tables"][0]["rows"], serde_json::json!([360, 360]));
    let ran = run(&["diff", &a.arg(), &b.arg(), "--table", "none"]).ends(1);
    assert!(ran.stderr.contains("there are: ix, late"), "{}", ran.stderr);
}

/// QuestDB makes a partition without rows while rows wait for it, and leaves it where none come.
#[test]
fn a_partition_without_rows_is_no_difference() {
    let (a, b) = (Db::unpack("files/indexes"), Db::unpack("files/indexes"));
    let path = b.path().join("ix~6/_txn");
    let mut files = MemoryFiles::default();
    files.insert("ix~6/_txn", fs::read(&path).unwrap());
    let mut state = TxnState::from_applied(&Applied::read(&files, "ix~6").unwrap());
    let last = *state.partitions.last().unwrap();
    let waiting = PartitionEntry { ts: last.ts + 40 * 86_400_000_000, rows: 0, ..last };
    state.partitions.push(waiting);
    fs::write(&path, TxnFile::first(&state).1).unwrap();
    for (a, b) in [(&a, &b), (&b, &a), (&b, &b)] {
        let ran = run(&["diff", &a.arg(), &b.arg()]).ends(0);
        assert!(ran.stdout.contains("ix: equal, 360 rows in 2 partitions"), "{}", ran.stdout);
    }
}

#[test]
fn tells_rows_partitions_and_tables_that_differ() {
    let (a, b) = (Db::unpack("files/indexes"), Db::unpack("files/indexes"));
    // The third row of the first day: another number, another symbol.
    let patch = |file: &str, at: usize, bytes: &[u8]| {
        let path = b.path().join(file);
        let mut content = fs::read(&path).unwrap();
        content[at..at + bytes.len()].copy_from_slice(bytes);
        fs::write(path, content).unwrap();
    };
    patch("ix~6/2024-01-01/n.d", 8, &777i32.to_le_bytes());
    patch("ix~6/2024-01-01/g.d", 8, &0i32.to_le_bytes());
    let ran = run(&["diff", &a.arg(), &b.arg()]).ends(5);
    let at = "2024-01-01T00:13:20.000000Z in 2024-01-01";
    assert!(ran.stdout.contains(&format!("{at}: n: 2 in A, 777 in B")), "{}", ran.stdout);
    assert!(ran.stdout.contains(&format!("{at}: g: 'g2' in A, 'g0' in B")), "{}", ran.stdout);
    assert!(ran.stdout.contains("late: equal"), "{}", ran.stdout);
    let told = run(&["diff", &a.arg(), &b.arg(), "--table", "ix", "--json"]).ends(5).json();
    let table = &told["tables"][0];
    assert_eq!(table["result"], "diverged");
    assert_eq!(table["partitions"].as_array().unwrap().len(), 1);
    assert_eq!(table["partitions"][0]["rows"], serde_json::json!([216, 216]));
    let values = serde_json::json!([{ "column": "n", "a": "2", "b": "777" }, { "column": "g", "a": "'g2'", "b": "'g0'" }]);
    assert_eq!(
        table["differences"],
        serde_json::json!([
            { "partition": "2024-01-01", "timestamp": "2024-01-01T00:13:20.000000Z", "kind": "values", "values": values }
        ])
    );
    // All rows of a partition at another time: as many differences as asked for.
    patch(
        "ix~6/2024-01-01/ts.d",
        0,
        &(1_704_067_200_000_000i64..).take(216).flat_map(i64::to_le_bytes).collect::<Vec<u8>>(),
    );
    let ran = run(&["diff", &a.arg(), &b.arg(), "--limit", "3"]).ends(5);
    assert_eq!(ran.stdout.matches("only in").count(), 3, "{}", ran.stdout);
    assert!(ran.stdout.contains("... and more rows"), "{}", ran.stdout);
}

#[test]
fn tells_schemas_transactions_and_damage() {
    let a = Db::unpack("files/half_applied");
    let b = Db::unpack("files/indexes");
    let ran = run(&["diff", &a.arg(), &b.arg()]).ends(5);
    assert!(
        ran.stdout.contains("events: only in A") && ran.stdout.contains("ix: only in B"),
        "{}",
        ran.stdout
    );
    // A table under the other's name.
    let other = Db::unpack("files/half_applied");
    fs::remove_dir_all(other.path().join("whole~9")).unwrap();
    copy(&other.path().join("latest~7"), &other.path().join("whole~9"));
    let ran = run(&["diff", &a.arg(), &other.arg(), "--table", "whole"]).ends(5);
    for line in [
        "A is as of transaction 0, B as of transaction",
        "schema: partition by: MONTH in A, HOUR in B",
        "schema: column k: none in A, SYMBOL in B",
        "schema: column n: INT in A, LONG in B",
    ] {
        assert!(ran.stdout.contains(line), "{line}\n{}", ran.stdout);
    }
    fs::write(other.path().join("latest~7/_txn"), b"short").unwrap();
    let ran = run(&["diff", &a.arg(), &other.arg(), "--table", "latest"]).ends(4);
    assert!(ran.stdout.contains("latest: can't be compared: latest~7/_txn"), "{}", ran.stdout);
}
