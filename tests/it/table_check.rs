//! The checker of database directories: silent about those that a real QuestDB wrote, and loud about each
//! rule that is broken in a copy.

use std::path::Path;
use understudy::table::files::{Finding, check_database};
use understudy::wal::MemoryFiles;

/// A directory of the disk, in memory.
fn load(root: &Path) -> MemoryFiles {
    fn walk(root: &Path, dir: &Path, files: &mut MemoryFiles) {
        for entry in std::fs::read_dir(dir).expect("a directory") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                walk(root, &path, files);
            } else {
                let name = path.strip_prefix(root).expect("below").to_string_lossy().into_owned();
                files.insert(name, std::fs::read(&path).expect("a readable file"));
            }
        }
    }
    let mut files = MemoryFiles::default();
    walk(root, root, &mut files);
    files
}

fn shown(findings: &[Finding]) -> String {
    findings.iter().map(|finding| format!("{finding}\n")).collect()
}

/// Checks directories given by `UNDERSTUDY_DB`, separated by `:`, e.g. whole `db` folders of random tables.
#[test]
#[ignore = "needs directories: UNDERSTUDY_DB=dir:dir cargo test --test it -- --ignored given_directories"]
fn given_directories_break_no_rule() {
    let given = std::env::var("UNDERSTUDY_DB").expect("UNDERSTUDY_DB names directories");
    let mut wrong = String::new();
    for dir in given.split(':') {
        let findings = check_database(&load(Path::new(dir)));
        if !findings.is_empty() {
            wrong += &format!("{dir}\n{}", shown(&findings));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}
