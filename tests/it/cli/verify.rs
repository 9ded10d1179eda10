use super::{Db, run};
use crate::common::recordings;
use std::fs;

#[test]
fn recordings_are_whole() {
    for name in ["alltypes", "evolution", "ns", "rollover", "v2log", "writers"] {
        let db = Db::unpack(name);
        let told = run(&["verify", &db.arg(), "--json"]).ends(0).json();
        assert_eq!(told["result"], "ok", "{name}");
        for table in told["tables"].as_array().unwrap() {
            assert_eq!(table["read"], table["transactions"], "{name}: {table}");
        }
    }
    assert!(recordings().len() > 6);
}

#[test]
fn names_exactly_the_transactions_that_damage_affects() {
    let db = Db::unpack("rollover");
    let segments = db.segments("ro~6");
    let broken = segments.iter().find(|path| path.ends_with("wal1/1")).unwrap();
    fs::write(broken.join("n.d"), [0; 8]).unwrap();
    let inspected = run(&["inspect", &db.arg(), "ro", "--json"]).ends(0).json();
    let segment = inspected["segments"]
        .as_array()
        .unwrap()
        .iter()
        .find(|segment| segment["wal"] == 1 && segment["segment"] == 1)
        .unwrap();

    let ran = run(&["verify", &db.arg()]).ends(4);
    assert!(ran.stdout.contains("ro: DAMAGED") && ran.stdout.contains("big: ok"), "{}", ran.stdout);
    assert!(ran.stdout.contains("ro~6/wal1/1/n.d"), "{}", ran.stdout);
    let told = run(&["verify", &db.arg(), "--table", "ro", "--json"]).ends(4).json();
    let mut affected: Vec<(u64, u64)> = Vec::new();
    for finding in told["tables"][0]["findings"].as_array().unwrap() {
        assert_eq!(finding["file"], "ro~6/wal1/1/n.d");
        let pairs = finding["transactions"].as_array().unwrap();
        affected.extend(pairs.iter().map(|pair| (pair[0].as_u64().unwrap(), pair[1].as_u64().unwrap())));
    }
    let count = |pairs: &[(u64, u64)]| pairs.iter().map(|(from, to)| to - from + 1).sum::<u64>();
    let pairs = segment["transactions"].as_array().unwrap();
    let of_segment: Vec<(u64, u64)> =
        pairs.iter().map(|pair| (pair[0].as_u64().unwrap(), pair[1].as_u64().unwrap())).collect();
    assert_eq!(count(&affected), count(&of_segment));
    // Replay stops before the first of them, and says which it is.
    let first = of_segment[0].0;
    let replay = run(&["replay", &db.arg(), "--table", "ro"]).ends(4);
    assert!(replay.stderr.contains(&format!("transaction {first}: ro~6/wal1/1/n.d")), "{}", replay.stderr);
    run(&["replay", &db.arg(), "--table", "ro", "--to", &(first - 1).to_string()]).ends(0);
}

#[test]
fn purged_rows_are_no_damage() {
    let db = Db::unpack("rollover");
    for segment in db.segments("ro~6").iter().take(3) {
        fs::remove_dir_all(segment).unwrap();
    }
    let ran = run(&["verify", &db.arg()]).ends(0);
    assert!(ran.stdout.contains("were purged after QuestDB applied them"), "{}", ran.stdout);
    assert!(ran.stderr.contains("cairo.wal.purge.interval"), "{}", ran.stderr);
    let inspected = run(&["inspect", &db.arg()]).ends(0);
    assert!(inspected.stderr.contains("cairo.wal.purge.interval"), "{}", inspected.stderr);
    let replay = run(&["replay", &db.arg(), "--table", "ro"]).ends(3);
    assert!(replay.stderr.contains("were purged") && replay.stderr.contains("cairo.wal.purge.interval"));
    assert_eq!(replay.stdout, "");
    // The other table goes on.
    run(&["replay", &db.arg(), "--table", "big"]).ends(0);
}
