//! The `understudy` command, run as its users run it.

mod apply;
mod diff;
mod doctor;
mod generate;
mod help;
mod inspect;
mod replay;
mod serve;
mod verify;

use crate::common::Recording;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// The command, without a terminal and without the environment's wishes.
fn understudy(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_understudy"));
    command.args(arguments).stdin(Stdio::null());
    for name in [
        "COLUMNS",
        "LINES",
        "NO_COLOR",
        "QDB_REPLICATION_OBJECT_STORE",
        "UNDERSTUDY_BIND",
        "UNDERSTUDY_LOG",
        "UNDERSTUDY_LOG_FORMAT",
    ] {
        command.env_remove(name);
    }
    command
}

/// What a run of the command gave.
struct Ran {
    code: i32,
    stdout: String,
    stderr: String,
}

fn run(arguments: &[&str]) -> Ran {
    ran(understudy(arguments).output().expect("the command starts"))
}

fn ran(output: Output) -> Ran {
    let text = |bytes| String::from_utf8(bytes).expect("output is UTF-8");
    let ran = Ran {
        code: output.status.code().unwrap_or(-1),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    };
    assert!(!ran.stderr.contains("panicked") && !ran.stderr.contains("internal error"), "{}", ran.stderr);
    ran
}

impl Ran {
    /// The JSON document on stdout, which must be the only thing there.
    fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error} in {:?}", self.stdout))
    }

    /// Fails with everything that was said unless the command ended with this code.
    #[track_caller]
    fn ends(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        self
    }
}

/// A recording on disk.
struct Db {
    root: tempfile::TempDir,
    recording: Recording,
}

impl Db {
    fn unpack(name: &str) -> Self {
        let archive = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/data/{name}.tar.gz"));
        let recording = Recording::unpack(&fs::read(archive).expect("the recording is there"));
        let root = tempfile::tempdir().expect("a temporary directory");
        for (path, content) in recording.files.iter() {
            let path = root.path().join("db").join(path);
            fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
            fs::write(path, content).expect("a file");
        }
        Self { root, recording }
    }

    fn path(&self) -> PathBuf {
        self.root.path().join("db")
    }

    fn arg(&self) -> String {
        self.path().to_str().expect("a plain path").to_owned()
    }

    /// A path beside the database.
    fn beside(&self, name: &str) -> String {
        self.root.path().join(name).to_str().expect("a plain path").to_owned()
    }

    /// The server's own CSV.
    fn answer(&self, name: &str) -> String {
        let bytes = self.recording.answers.get(name).unwrap_or_else(|| panic!("no answer {name}"));
        String::from_utf8(bytes.to_vec()).expect("CSV is UTF-8")
    }

    /// Directories of a table's segments.
    fn segments(&self, table: &str) -> Vec<PathBuf> {
        let mut found = Vec::new();
        for wal in fs::read_dir(self.path().join(table)).expect("the table").flatten() {
            if wal.file_name().to_string_lossy().starts_with("wal") {
                let inside = fs::read_dir(wal.path()).expect("the WAL").flatten();
                found.extend(inside.map(|entry| entry.path()).filter(|path| path.is_dir()));
            }
        }
        found.sort();
        found
    }
}
