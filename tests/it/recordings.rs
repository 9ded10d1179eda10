//! Every recording of a real QuestDB replays to that server's own answers.

use crate::common::{recording, recordings};

#[test]
fn every_recording_replays_to_the_servers_answers() {
    let only = std::env::var("RECORDING").ok();
    let mut compared = 0;
    let mut wrong = Vec::new();
    for (name, recording) in recordings() {
        if only.as_ref().is_some_and(|only| !name.contains(only.as_str())) {
            continue;
        }
        let (count, differences) = recording.check();
        compared += count;
        wrong.extend(differences);
    }
    assert!(wrong.is_empty(), "{} tables differ:\n{}", wrong.len(), wrong.join("\n"));
    assert!(compared > 0, "nothing was compared");
    println!("{compared} answers of the server compared");
}

#[test]
fn a_purged_log_is_told_from_a_damaged_one() {
    assert_eq!(recording("purged").check(), (3, Vec::new()));
}

/// Cargo can't list a folder for a test that runs in a browser.
#[test]
fn the_tests_in_webassembly_leave_no_recording_out() {
    let listed = include_str!("../wasm/recordings.rs");
    let (_, listed) = listed.split_once("recordings! {").expect("the list of recordings");
    for (name, _) in recordings() {
        assert!(listed.lines().any(|line| line.trim() == name), "tests/wasm/recordings.rs lacks {name}");
    }
}
