use super::serve::{Serving, StaticServer};
use super::{Db, run};
use std::fs;

#[test]
fn csv_is_the_servers() {
    for (name, tables) in
        [("rollover", &["ro~6", "big~7"][..]), ("ns", &[]), ("alltypes", &[]), ("evolution", &[])]
    {
        let db = Db::unpack(name);
        let all: Vec<String> =
            db.recording.tables().iter().map(|table| table["dir"].as_str().unwrap().to_owned()).collect();
        let tables: Vec<&str> =
            if tables.is_empty() { all.iter().map(String::as_str).collect() } else { tables.to_vec() };
        for dir in tables {
            let about = db.recording.tables().iter().find(|table| table["dir"] == dir).unwrap();
            if about["order"] == "multiset" || !db.recording.answers.contains_key(&format!("{dir}.csv")) {
                continue;
            }
            let ran = run(&["replay", &db.arg(), "--table", dir]).ends(0);
            assert!(ran.stdout == db.answer(&format!("{dir}.csv")), "{name}/{dir} differs");
            assert!(ran.stderr.contains("rows as of transaction"), "{}", ran.stderr);
        }
    }
}

#[test]
fn stops_where_asked() {
    let db = Db::unpack("rollover");
    for (txn, answer) in [("10", "ro~6@10.csv"), ("32", "ro~6@32.csv")] {
        let ran = run(&["replay", &db.arg(), "--table", "ro", "--to", txn, "--quiet"]).ends(0);
        assert!(ran.stdout == db.answer(answer), "at {txn}");
        assert_eq!(ran.stderr, "");
    }
    // By the commit time of transaction 10.
    let told = run(&["inspect", &db.arg(), "ro", "--from", "10", "--limit", "1", "--json"]).ends(0).json();
    let committed = told["listed"][0]["committed"].as_str().unwrap();
    let ran = run(&["replay", &db.arg(), "--table", "ro", "--to", committed]).ends(0);
    assert!(ran.stdout == db.answer("ro~6@10.csv"), "at {committed}");
    let ran = run(&["replay", &db.arg(), "--table", "ro", "--to", "1000 weeks ago", "--json"]).ends(0);
    assert_eq!(ran.json()["tables"][0]["rows"], 0);
}

#[test]
fn every_format_and_outlet() {
    let db = Db::unpack("rollover");
    let csv = db.answer("big~7.csv");
    let rows = csv.matches("\r\n").count() - 1;

    let ran = run(&["replay", &db.arg()]).ends(2);
    assert!(ran.stderr.contains("--table") && ran.stderr.contains("-o DIR"), "{}", ran.stderr);

    let json = run(&["replay", &db.arg(), "--table", "big", "--format", "json"]).ends(0).json();
    assert_eq!(json["count"], rows);
    assert_eq!(json["dataset"].as_array().unwrap().len(), rows);

    let out = db.beside("out");
    let told = run(&["replay", &db.arg(), "-o", &out, "--json"]).ends(0).json();
    assert_eq!(told["tables"].as_array().unwrap().len(), db.recording.tables().len());
    assert!(fs::read_to_string(format!("{out}/big.csv")).unwrap() == csv);
    let again = run(&["replay", &db.arg(), "-o", &out]).ends(1);
    assert!(again.stderr.contains("--force"), "{}", again.stderr);
    run(&["replay", &db.arg(), "-o", &out, "--force"]).ends(0);

    for (format, magic) in [("parquet", &b"PAR1"[..]), ("arrow", b"ARROW1")] {
        let file = db.beside(&format!("big.{format}"));
        run(&["replay", &db.arg(), "--table", "big", "--format", format, "-o", &file]).ends(0);
        let bytes = fs::read(&file).unwrap();
        assert!(bytes.starts_with(magic) && bytes.ends_with(magic), "{format}");
    }
    // Nothing but the results is left behind.
    let left: Vec<_> =
        fs::read_dir(db.root.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 4, "{left:?}");
}

#[test]
fn a_statement_that_cant_be_executed_exits_5() {
    let db = Db::unpack("update");
    let diverging = db.recording.tables().iter().find(|table| !table["expect"]["diverged"].is_null());
    let Some(diverging) = diverging else { panic!("the recording has no table that diverges") };
    let ran = run(&["replay", &db.arg(), "--table", diverging["dir"].as_str().unwrap()]).ends(5);
    assert!(ran.stderr.contains("diverged at transaction"), "{}", ran.stderr);
    assert!(!ran.stdout.is_empty());
}

#[test]
fn a_table_that_lost_rows_without_a_record_exits_5_and_says_which() {
    let db = Db::unpack("unlogged");
    let ran = run(&["replay", &db.arg(), "--table", "forced"]).ends(5);
    let said = "partition 2024-04-02: 24 rows here, 0 in the server's table";
    assert!(ran.stderr.contains(said) && ran.stderr.contains("FORCE DROP PARTITION"), "{}", ran.stderr);
    // Before that transaction there is nothing to compare with.
    run(&["replay", &db.arg(), "--table", "forced", "--to", "1"]).ends(0);
    let told = run(&["replay", &db.arg(), "--table", "untouched", "--json"]).ends(0).json();
    assert_eq!(told["tables"][0]["result"], "ok");
}

#[test]
fn a_table_of_another_release_is_replayed_with_a_warning() {
    for (name, warned) in [("questdb_8_2_0", true), ("questdb_9_0_3", false), ("rollover", false)] {
        let db = Db::unpack(name);
        let table = db.recording.tables()[0]["dir"].as_str().unwrap().to_owned();
        let ran = run(&["replay", &db.arg(), "--table", &table]).ends(0);
        assert_eq!(ran.stderr.contains("before 9"), warned, "{}", ran.stderr);
    }
}

#[test]
fn over_http_the_same_rows() {
    let db = Db::unpack("rollover");
    let csv = db.answer("ro~6.csv");

    // With ranges and an index as of now.
    let serving = Serving::start(&["serve", &db.arg(), "--bind", "127.0.0.1:0"]);
    let url = format!("http://{}/db", serving.address);
    let ran = run(&["replay", &url, "--table", "ro"]).ends(0);
    assert!(ran.stdout == csv);
    let told = run(&["replay", &url, "--table", "ro", "--json"]).ends(0).json();
    assert_eq!(told["network"]["ranges_honoured"], true);
    drop(serving);

    // A server that knows neither ranges nor listings, first without, then with an index.
    let server = StaticServer::start(db.path());
    let ran = run(&["replay", &server.url(), "--table", "ro"]).ends(0);
    assert!(ran.stdout == csv);
    run(&["index", &db.arg()]).ends(0);
    let before = server.requests();
    let told = run(&["replay", &server.url(), "--table", "ro", "--json"]).ends(0).json();
    assert_eq!(told["network"]["ranges_honoured"], false);
    assert!(server.requests() > before);

    let nothing = run(&["inspect", &format!("{}/nothing/here", server.url())]).ends(1);
    assert!(nothing.stderr.contains("no QuestDB database is there"), "{}", nothing.stderr);
}

#[test]
fn a_server_that_stumbles_is_asked_again() {
    let db = Db::unpack("v2log");
    let server = StaticServer::stumbling(db.path());
    let table = db.recording.about["tables"][0]["dir"].as_str().unwrap().to_owned();
    let told = run(&["replay", &server.url(), "--table", &table, "--json"]).ends(0).json();
    assert!(told["network"]["retries"].as_u64().unwrap() > 0);
}

#[test]
fn an_unreachable_server_says_what_to_do() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let ran = run(&["inspect", &format!("http://user:secret@{free}/db?token=hidden")]).ends(1);
    assert!(ran.stderr.contains("understudy serve"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("secret") && !ran.stderr.contains("hidden"), "{}", ran.stderr);
}

#[test]
fn a_purged_log_is_replayed_from_the_servers_table() {
    let db = Db::unpack("files/half_applied");
    let ran = run(&["replay", &db.arg(), "--table", "events"]).ends(0);
    assert!(ran.stdout == db.answer("events~6.csv"));
    assert!(
        ran.stderr.contains("were purged after QuestDB applied them: it begins with QuestDB's own table")
    );
    let told = run(&["inspect", &db.arg(), "--json"]).ends(0).json();
    let events = told["tables"].as_array().unwrap().iter().find(|table| table["table"] == "events").unwrap();
    let (first, last) = (events["first_state"].as_u64().unwrap(), events["transactions"].as_u64().unwrap());
    assert!(first > 10 && last > first && events["replayable"] == false);
    let told =
        run(&["replay", &db.arg(), "--table", "events", "--to", &first.to_string(), "--json"]).ends(0).json();
    assert_eq!((&told["tables"][0]["from"], &told["tables"][0]["txn"]), (&first.into(), &first.into()));
    // What was before is gone.
    let ran = run(&["replay", &db.arg(), "--table", "events", "--to", &(first - 1).to_string()]).ends(3);
    assert!(ran.stderr.contains("the first state left is"), "{}", ran.stderr);
    // Nor is there a beginning without the server's partitions.
    let folder = fs::read_dir(db.path().join("events~6")).unwrap().map(|entry| entry.unwrap());
    let partition = folder.map(|entry| entry.path()).find(|path| path.join("n.d").exists()).unwrap();
    fs::remove_dir_all(partition).unwrap();
    let ran = run(&["replay", &db.arg(), "--table", "events"]).ends(3);
    assert!(ran.stderr.contains("QuestDB's own table is not whole"), "{}", ran.stderr);
}
