//! The directory's lock against the real server, in both directions.

use super::one_at_a_time;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use understudy::native::store::lock::{DirectoryLock, Held};

/// `serve.py`: starts a server on a directory, says how that went, and stops it when its input ends.
struct Server {
    process: Child,
    said: String,
}

impl Server {
    fn start(root: &Path) -> Self {
        let mut process = Command::new("python3")
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/replica/serve.py"))
            .arg(root)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3 runs");
        let mut said = String::new();
        let out = process.stdout.take().expect("it is piped");
        BufReader::new(out).read_line(&mut said).expect("it says how that went");
        Self { process, said }
    }

    fn stop(mut self) {
        let mut input = self.process.stdin.take().expect("it is piped");
        input.write_all(b"stop\n").ok();
        drop(input);
        self.process.wait().expect("it ends");
    }
}

#[test]
fn only_one_of_us_and_the_server_has_a_directory() {
    let _alone = one_at_a_time();
    let root = tempfile::tempdir().unwrap();
    let db = root.path().join("db");

    let server = Server::start(root.path());
    assert_eq!(server.said.trim(), "started");
    assert!(matches!(DirectoryLock::take(&db), Err(Held::Running { .. })), "a running server is not noticed");
    server.stop();
    let lock = DirectoryLock::take(&db).expect("a stopped server holds nothing");

    let refused = Server::start(root.path());
    assert!(refused.said.contains("cannot lock table name registry"), "{}", refused.said);
    refused.stop();
    drop(lock);
    let server = Server::start(root.path());
    assert_eq!(server.said.trim(), "started", "a lock that was let go stands in the way");
    server.stop();
}
