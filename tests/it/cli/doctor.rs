use super::{Ran, run};
use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// State and words of a check.
fn found<'a>(told: &'a Value, name: &str) -> Vec<(&'a str, &'a str)> {
    let checks = told["checks"].as_array().expect("checks");
    let text = |value: &'a Value| value.as_str().expect("text");
    checks
        .iter()
        .filter(|one| one["name"] == name)
        .map(|one| (text(&one["state"]), text(&one["what"])))
        .collect()
}

fn doctor(arguments: &[&str]) -> Ran {
    run(&[&["doctor", "--json"], arguments].concat())
}

/// A port where nobody listens.
fn closed() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").port()
}

#[test]
fn a_directory_is_a_sound_store() {
    let root = tempfile::tempdir().unwrap();
    let store = format!("fs::root={};", root.path().display());
    let told = doctor(&["--to", &store]).ends(0).json();
    assert_eq!(told["result"], "ok");
    for name in ["store", "reading", "conditional put", "deleting", "writing"] {
        assert!(matches!(found(&told, name)[..], [("ok", _)]), "{name}: {told}");
    }
    assert!(matches!(found(&told, "cluster")[..], [("note", what)] if what.contains("none yet")), "{told}");
    assert!(
        matches!(found(&told, "clock")[..], [("skip", _)])
            && matches!(found(&told, "page")[..], [("skip", _)])
    );
    // Nothing stays but empty folders.
    assert_eq!(files(root.path()), Vec::<String>::new());

    fs::write(root.path().join("cluster.json"), CLUSTER).unwrap();
    let told = doctor(&["--to", &store, "--read-only"]).ends(0).json();
    assert_eq!(found(&told, "cluster"), [("ok", "00000000000000000000000000000001, format 1")]);
    assert!(matches!(found(&told, "writing")[..], [("skip", _)]), "{told}");

    fs::write(root.path().join("cluster.json"), "{}").unwrap();
    let told = doctor(&["--to", &store]).ends(1).json();
    assert!(matches!(found(&told, "cluster")[..], [("fail", _)]) && told["result"] == "failed", "{told}");
    let text = run(&["doctor", "--to", &store]).ends(1).stdout;
    assert!(text.contains("FAIL  cluster: ") && text.ends_with("1 check fails\n"), "{text}");
}

fn files(dir: &Path) -> Vec<String> {
    let mut names = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { names.extend(files(&path)) } else { names.push(path.display().to_string()) }
    }
    names
}

#[test]
fn a_store_that_is_not_there_is_told_with_what_to_do_and_without_secrets() {
    let store = format!(
        "s3::bucket=b;region=x;endpoint=http://127.0.0.1:{};access_key_id=i;secret_access_key=HUSH;",
        closed()
    );
    let conf = tempfile::tempdir().unwrap();
    fs::create_dir(conf.path().join("conf")).unwrap();
    fs::write(
        conf.path().join("conf/server.conf"),
        format!("replication.object.store={store}\nreplication.requests.retry.attempts=0\nreplication.role=replica\n"),
    )
    .unwrap();
    let ran = doctor(&["--dir", conf.path().to_str().unwrap()]).ends(1);
    assert!(!ran.stdout.contains("HUSH") && !ran.stderr.contains("HUSH"), "{}", ran.stdout);
    let told = ran.json();
    assert!(matches!(found(&told, "reading")[..], [("fail", _)]), "{told}");
    assert!(told.to_string().contains("look at the endpoint"), "{told}");
    assert_eq!(found(&told, "role"), [("ok", "replica")]);
    assert!(found(&told, "conditional put").is_empty());

    let told = doctor(&["--to", "s3::bucket=b;acces_key_id=i;"]).ends(1).json();
    assert!(
        matches!(found(&told, "store")[..], [("fail", what)] if what.contains("access_key_id")),
        "{told}"
    );
    let told = doctor(&["--to", "fs::root=/does/not/exist;"]).ends(1).json();
    assert!(matches!(found(&told, "store")[..], [("fail", _)]), "{told}");
    run(&["doctor"]).ends(2);
}

#[test]
fn a_directory_of_questdb_is_looked_at() {
    let root = tempfile::tempdir().unwrap();
    let db = root.path().join("db");
    fs::create_dir_all(&db).unwrap();
    fs::create_dir(root.path().join("conf")).unwrap();
    let conf = root.path().join("conf/server.conf");
    fs::write(&conf, "cairo.wal.purge.interval=10m\n").unwrap();
    // No registry of tables.
    let told = doctor(&["--dir", root.path().to_str().unwrap()]).ends(1).json();
    assert!(matches!(found(&told, "database")[..], [("fail", _)]), "{told}");

    fs::write(db.join("tables.d.0"), "").unwrap();
    for dir in [root.path(), &db] {
        let told = doctor(&["--dir", dir.to_str().unwrap()]).ends(0).json();
        for name in ["server.conf", "role", "database", "hard links", "purge"] {
            assert!(matches!(found(&told, name)[..], [("ok", _)]), "{name}: {told}");
        }
        assert!(matches!(found(&told, "store")[..], [("skip", _)]), "{told}");
    }
    assert_eq!(files(root.path()).len(), 2, "no link stays");

    if cfg!(target_os = "linux") {
        let lock = fs::File::create(db.join("tables.d.lock")).unwrap();
        lock.try_lock().unwrap();
        let told = doctor(&["--dir", root.path().to_str().unwrap()]).ends(0).json();
        let held = format!("held by process {}", std::process::id());
        let found = found(&told, "lock");
        assert!(found[0].1.starts_with(&held) || found[0].0 == "skip", "{told}");
    }

    fs::write(&conf, "replication.rolle=primary\n").unwrap();
    let told = doctor(&["--dir", root.path().to_str().unwrap()]).ends(1).json();
    assert!(matches!(found(&told, "server.conf")[..], [("fail", what)] if what.contains("line 1")), "{told}");
}

/// A server that gives a cluster to every request, by a clock that is this much behind, with these headers; its port.
fn bucket_behind(behind: Duration, headers: &'static str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("a port").port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            for line in BufReader::new(stream.try_clone().expect("a stream")).lines() {
                if line.expect("a line").is_empty() {
                    break;
                }
            }
            let date = httpdate::fmt_http_date(SystemTime::now() - behind);
            let head = format!(
                "HTTP/1.1 200 OK\r\nDate: {date}\r\nLast-Modified: {date}\r\nETag: \"x\"\r\nContent-Length: {}\r\n{headers}Connection: close\r\n\r\n",
                CLUSTER.len()
            );
            // Who asks may have heard enough.
            let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(CLUSTER.as_bytes()));
        }
    });
    port
}

const CLUSTER: &str = r#"{"format":1,"cluster":"00000000000000000000000000000001","directory":"1-00000000000000000000000000000002","first":0}"#;

#[test]
fn clocks_that_differ_and_pages_that_may_read_are_told() {
    const OPEN: &str =
        "Access-Control-Allow-Origin: *\r\nAccess-Control-Expose-Headers: ETag, Content-Range\r\n";
    for (behind, headers, code, clock, page) in [
        (0, OPEN, 0, "ok", "ok"),
        (120, "Access-Control-Allow-Origin: *\r\n", 0, "warn", "note"),
        (3600, "", 1, "fail", "note"),
    ] {
        let port = bucket_behind(Duration::from_secs(behind), headers);
        let store = format!("s3::bucket=b;region=x;endpoint=http://127.0.0.1:{port};allow_anonymous=true;");
        let told = doctor(&["--to", &store, "--read-only"]).ends(code).json();
        assert_eq!(found(&told, "clock")[0].0, clock, "{told}");
        assert_eq!(found(&told, "page")[0].0, page, "{told}");
        assert_eq!(found(&told, "cluster")[0].0, "ok", "{told}");
    }
}
