use super::{Db, run};

/// The path of the temporary directory is another one each time.
fn stable(db: &Db, text: &str) -> String {
    text.replace(&db.arg(), "DB")
}

#[test]
fn from_the_tables_down_to_the_bytes() {
    let db = Db::unpack("v2log");
    let tables = run(&["inspect", &db.arg()]).ends(0);
    insta::assert_snapshot!("inspect_tables", stable(&db, &tables.stdout));
    let first = &db.recording.about["tables"][0];
    let (name, dir) = (first["name"].as_str().unwrap(), first["dir"].as_str().unwrap());
    let table = run(&["inspect", &db.arg(), name, "--limit", "8"]).ends(0);
    insta::assert_snapshot!("inspect_table", table.stdout);
    assert!(table.stderr.contains("--from 9 shows the next"), "{}", table.stderr);
    let txn = run(&["inspect", &db.arg(), dir, "1", "--limit", "3"]).ends(0);
    insta::assert_snapshot!("inspect_txn", txn.stdout);
}

#[test]
fn json_has_every_transaction() {
    let db = Db::unpack("evolution");
    let told = run(&["inspect", &db.arg(), "--json"]).ends(0).json();
    for table in db.recording.tables() {
        let dir = &table["dir"];
        let found =
            told["tables"].as_array().unwrap().iter().find(|found| found["directory"] == *dir).unwrap();
        assert_eq!(found["transactions"], table["sequencerTxn"], "{dir}");
        assert_eq!(found["replayable"], true);
        let one =
            run(&["inspect", &db.arg(), dir.as_str().unwrap(), "--limit", "0", "--json"]).ends(0).json();
        let listed = one["listed"].as_array().unwrap();
        assert_eq!(listed.len() as u64, table["sequencerTxn"].as_u64().unwrap());
        assert!(listed.iter().all(|txn| !txn["what"].as_str().unwrap().is_empty()));
    }
}

#[test]
fn unknown_tables_and_transactions() {
    let db = Db::unpack("v2log");
    let ran = run(&["inspect", &db.arg(), "nothing"]).ends(1);
    assert!(ran.stderr.contains("there is no table \"nothing\""), "{}", ran.stderr);
    let name = db.recording.about["tables"][0]["name"].as_str().unwrap().to_owned();
    run(&["inspect", &db.arg(), &name, "0"]).ends(1);
    run(&["inspect", &db.arg(), &name, "999999"]).ends(1);
}

#[test]
fn a_table_that_cant_be_read_ends_with_the_code_of_its_reason() {
    let db = Db::unpack("v2log");
    let log = db.path().join(db.recording.tables()[0]["dir"].as_str().unwrap()).join("txn_seq/_txnlog");
    let bytes = std::fs::read(&log).unwrap();
    // A version of the log that nobody knows.
    std::fs::write(&log, [&9i32.to_le_bytes()[..], &bytes[4..]].concat()).unwrap();
    run(&["inspect", &db.arg()]).ends(7);
    std::fs::write(&log, &bytes[..8]).unwrap();
    let ran = run(&["inspect", &db.arg()]).ends(4);
    assert!(ran.stdout.contains("can't be read"), "{}", ran.stdout);
}
