//! The rules of the house that the compiler does not check: which room may use which, what a pure
//! room may not name, how long a file may get, and that the pure rooms compile for wasm32.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Each room with those that it may use. `lib.rs` says what happens in each.
const ROOMS: &[(&str, &[&str])] = &[
    ("wal", &[]),
    ("table", &["wal"]),
    ("columnar", &["wal", "table"]),
    ("apply", &["wal", "table", "columnar"]),
    ("policy", &["wal", "table", "apply"]),
    ("replay", &["wal", "table", "columnar", "apply"]),
    ("lab", &["wal", "table", "columnar", "apply", "policy", "replay"]),
    ("ilp", &["table"]),
    ("ledger", &["wal", "table"]),
    ("node", &["wal", "table", "ilp", "ledger"]),
    ("client", &[]),
    ("sim", &["wal", "table", "apply", "policy", "replay", "ilp", "ledger", "node", "client"]),
    (
        "native",
        &["wal", "table", "columnar", "apply", "policy", "replay", "ilp", "ledger", "node", "client", "sim"],
    ),
    ("web", &["wal", "table", "columnar", "apply", "policy", "replay", "lab", "ledger", "sim"]),
];

/// Rooms that drive the others, and may name what the pure ones may not.
const DRIVERS: &[&str] = &["native", "web"];

/// What no pure room names outside its tests.
const IMPURE: &[&str] = &[
    "std::fs",
    "std::net",
    "std::thread",
    "std::env",
    "std::process",
    "std::time::Instant",
    "SystemTime",
    "std::sync::Mutex",
    "tokio::",
    "reqwest::",
    "axum::",
    "web_sys::",
    "js_sys::",
    "wasm_bindgen::",
    "rand::",
    "getrandom::",
    "chrono::Utc::now",
    "println!",
    "include_bytes!",
];

/// Lines of a file up to its tests; beyond this nobody finds their way.
const CODE_LINES_MAX: usize = 500;
/// Lines of a file with its tests.
const FILE_LINES_MAX: usize = 800;

#[test]
fn every_folder_of_the_source_is_a_known_room() {
    let mut found: Vec<String> = fs::read_dir(source())
        .expect("the source is there")
        .map(|entry| entry.expect("the source can be listed"))
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().into_string().expect("a room's name is plain text"))
        .collect();
    found.sort();
    let mut known: Vec<_> = ROOMS.iter().map(|(room, _)| room.to_string()).collect();
    known.sort();
    assert_eq!(found, known);
}

#[test]
fn dependencies_point_one_way() {
    let mut wrong = Vec::new();
    for (room, allowed) in ROOMS {
        for file in files_of(room) {
            let text = read(&file);
            for used in rooms_used(&text) {
                let known = ROOMS.iter().any(|(name, _)| *name == used);
                if known && used != *room && !allowed.contains(&used.as_str()) {
                    wrong.push(format!("{}: {room} uses {used}", shown(&file)));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn pure_rooms_name_no_clock_thread_file_or_socket() {
    let mut wrong = Vec::new();
    for (room, _) in ROOMS.iter().filter(|(room, _)| !DRIVERS.contains(room)) {
        for file in files_of(room).into_iter().filter(|file| !is_test_file(file)) {
            let text = read(&file);
            for (number, line) in code_lines(&text) {
                for name in IMPURE.iter().filter(|name| names(line, name)) {
                    wrong.push(format!("{}:{number}: names {name}", shown(&file)));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn only_the_drivers_allow_what_clippy_bans() {
    let mut wrong = Vec::new();
    for (room, _) in ROOMS.iter().filter(|(room, _)| !DRIVERS.contains(room)) {
        for file in files_of(room) {
            if read(&file).contains("clippy::disallowed") {
                wrong.push(shown(&file));
            }
        }
    }
    assert!(wrong.is_empty(), "these allow clocks, threads, files or sockets: {wrong:?}");
}

#[test]
fn files_are_short_enough_to_read() {
    let mut wrong = Vec::new();
    for file in rust_files(&source()) {
        let text = read(&file);
        let (code, all) = (code_part(&text).lines().count(), text.lines().count());
        if code > CODE_LINES_MAX && !is_test_file(&file) || all > FILE_LINES_MAX {
            wrong.push(format!("{}: {code} lines of code, {all} in all", shown(&file)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_module_is_a_drawer_for_everything() {
    let drawers = ["util", "utils", "helper", "helpers", "misc", "common"];
    let wrong: Vec<_> = rust_files(&source())
        .iter()
        .filter(|file| file.file_stem().is_some_and(|stem| drawers.iter().any(|drawer| stem == *drawer)))
        .map(|file| shown(file))
        .collect();
    assert!(wrong.is_empty(), "name these after what they do: {wrong:?}");
}

#[test]
fn pure_rooms_compile_for_wasm32() {
    /// With what the script ends where no compiler for wasm32 has been set up.
    const NOT_SET_UP: i32 = 75;
    let all = ["columnar", "ledger", "parquet-form", "sim"];
    for features in std::iter::once(vec![]).chain(all.map(|feature| vec!["--features", feature])) {
        let checked = Command::new("bash")
            .arg("scripts/wasm.sh")
            .arg("check")
            .args(features)
            .env("UNDERSTUDY_NO_SETUP", "1")
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output();
        match checked {
            Ok(done) if done.status.code() == Some(NOT_SET_UP) => {
                eprintln!("skipped: no compiler for wasm32, scripts/setup.sh wasm");
            }
            Ok(done) => assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr)),
            Err(error) => eprintln!("skipped: no bash here ({error})"),
        }
    }
}

#[test]
fn the_scan_sees_what_it_should() {
    let text = "use crate::wal::{Files, Error};\n// use crate::native;\nuse crate::{apply, table::Value};\n";
    assert_eq!(rooms_used(text), ["apply", "table", "wal"]);
    assert!(names("let x = std::fs::read(p);", "std::fs"));
    assert!(!names("operand::value", "rand::"));
    assert_eq!(code_part("a\n#[cfg(test)]\nmod tests {}\n"), "a\n");
}

/// The rooms that a file uses, sorted: the words after `crate::`, braces included.
fn rooms_used(text: &str) -> Vec<String> {
    let code: String = text.lines().filter(|line| !is_comment(line)).collect::<Vec<_>>().join("\n");
    let mut used = BTreeMap::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        if let Some(group) = rest.strip_prefix('{') {
            for item in top_level_items(group) {
                used.insert(word(item.trim_start()).to_owned(), ());
            }
        } else {
            used.insert(word(rest).to_owned(), ());
        }
    }
    used.into_keys().filter(|name| !name.is_empty()).collect()
}

/// The comma-separated items of a brace group, whose opening brace has been taken off.
fn top_level_items(group: &str) -> Vec<&str> {
    let (mut depth, mut from, mut items) = (0, 0, Vec::new());
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => {
                items.push(&group[from..at]);
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                items.push(&group[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    items
}

fn word(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    &text[..end]
}

/// True if the line has this name, not as the tail of a longer word.
fn names(line: &str, name: &str) -> bool {
    line.match_indices(name).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || c == '_')
    })
}

fn code_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    code_part(text).lines().enumerate().map(|(at, line)| (at + 1, line)).filter(|(_, line)| !is_comment(line))
}

/// What stands before a file's tests, which are at its end.
fn code_part(text: &str) -> &str {
    &text[..text.find("#[cfg(test)]\nmod ").unwrap_or(text.len())]
}

fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with("//")
}

/// A file that holds nothing but tests.
fn is_test_file(file: &Path) -> bool {
    file.file_stem().is_some_and(|stem| stem == "tests" || stem.to_string_lossy().ends_with("_tests"))
        || file.parent().is_some_and(|dir| dir.ends_with("tests"))
}

fn files_of(room: &str) -> Vec<PathBuf> {
    rust_files(&source().join(room))
}

fn rust_files(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).expect("the folder is there") {
        let path = entry.expect("the folder can be listed").path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn shown(file: &Path) -> String {
    file.strip_prefix(source()).unwrap_or(file).display().to_string()
}

fn read(file: &Path) -> String {
    fs::read_to_string(file).expect("a source file is text")
}
