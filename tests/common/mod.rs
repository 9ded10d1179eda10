//! Recordings of a real QuestDB, unpacked in memory: works natively and in WebAssembly.
//! The format is described in `tests/record/README.md`.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses its own part")]

mod check;
#[cfg(feature = "parquet-form")]
mod files_made;

#[allow(unused_imports, reason = "each test binary uses its own part")]
pub use check::{csv, same_rows};
#[cfg(feature = "parquet-form")]
#[allow(unused_imports, reason = "each test binary uses its own part")]
pub use files_made::{BY_CODEC, files_made, partition_by_codec, read_by_codec};

use bytes::Bytes;
use std::collections::BTreeMap;
use std::io::Read;
use understudy::wal::MemoryFiles;

/// A recording: the database's files, and what the server answered.
#[derive(Clone)]
pub struct Recording {
    /// `recording.json`.
    pub about: serde_json::Value,
    /// Paths relative to the `db` directory.
    pub files: MemoryFiles,
    /// By name: `DIR.csv`, or `DIR@N.csv` as of transaction N.
    pub answers: BTreeMap<String, Bytes>,
}

impl Recording {
    /// Unpacks the content of a `.tar.gz`.
    pub fn unpack(archive: &[u8]) -> Self {
        let mut tar = tar::Archive::new(flate2::read::GzDecoder::new(archive));
        let mut about = serde_json::Value::Null;
        let mut files = MemoryFiles::default();
        let mut answers = BTreeMap::new();
        for entry in tar.entries().expect("a recording is a tar archive") {
            let mut entry = entry.expect("a recording is a tar archive");
            if !entry.header().entry_type().is_file() {
                continue;
            }
            let path = entry.path().expect("a path").to_string_lossy().into_owned();
            let mut content = Vec::new();
            entry.read_to_end(&mut content).expect("the archive is whole");
            if let Some(path) = path.strip_prefix("db/") {
                files.insert(path, content);
            } else if let Some(name) = path.strip_prefix("answers/") {
                answers.insert(name.to_owned(), content.into());
            } else if path == "recording.json" {
                about = serde_json::from_slice(&content).expect("recording.json is JSON");
            }
        }
        assert!(about.is_object(), "a recording has a recording.json");
        Self { about, files, answers }
    }

    /// What `recording.json` says of each table.
    pub fn tables(&self) -> &[serde_json::Value] {
        self.about["tables"].as_array().map_or(&[], Vec::as_slice)
    }
}

/// All recordings in `tests/data` whose log is whole, by name.
#[cfg(not(target_arch = "wasm32"))]
#[expect(clippy::disallowed_methods, reason = "a native test reads files")]
pub fn recordings() -> Vec<(String, Recording)> {
    let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let mut paths: Vec<_> = std::fs::read_dir(&dir)
        .expect("tests/data exists")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    paths.sort();
    let archives = paths.into_iter().filter(|path| path.to_string_lossy().ends_with(".tar.gz"));
    let named = archives.map(|path| {
        let name =
            path.file_name().unwrap_or_default().to_string_lossy().trim_end_matches(".tar.gz").to_owned();
        (name, Recording::unpack(&std::fs::read(&path).expect("a readable file")))
    });
    // Its segments were deleted by the server: there is nothing to replay.
    let named: Vec<_> = named.filter(|(name, _)| name != "purged").collect();
    assert!(!named.is_empty(), "no recording in {}", dir.display());
    named
}

/// The recording of this name.
#[cfg(not(target_arch = "wasm32"))]
#[expect(clippy::disallowed_methods, reason = "a native test reads files")]
pub fn recording(name: &str) -> Recording {
    let path = format!("{}/tests/data/{name}.tar.gz", env!("CARGO_MANIFEST_DIR"));
    Recording::unpack(&std::fs::read(&path).expect("the recording exists"))
}
