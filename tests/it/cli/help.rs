use super::{ran, run, understudy};
use std::process::Stdio;

#[test]
fn help_texts() {
    for (name, arguments) in [
        ("help", &["--help"][..]),
        ("help_replay", &["replay", "--help"]),
        ("help_inspect", &["inspect", "--help"]),
        ("help_verify", &["verify", "--help"]),
        ("help_diff", &["diff", "--help"]),
        ("help_serve", &["serve", "--help"]),
        ("help_index", &["index", "--help"]),
    ] {
        let help = run(arguments).ends(0);
        assert_eq!(help.stderr, "");
        insta::assert_snapshot!(name, help.stdout);
    }
}

#[test]
fn wrong_usage_exits_2_on_stderr() {
    for arguments in [
        &[][..],
        &["replay"],
        &["repaly", "db"],
        &["replay", "s3://bucket/db"],
        &["replay", "db", "--to", "yesterday"],
        &["serve", "--bind", "nowhere"],
        &["serve", "--allow-origin", "example.org/path"],
    ] {
        let ran = run(arguments).ends(2);
        assert_eq!(ran.stdout, "", "{arguments:?}");
        assert!(!ran.stderr.is_empty(), "{arguments:?}");
    }
}

#[test]
fn completions_for_every_shell() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = run(&["generate", "completions", shell]).ends(0).stdout;
        assert!(script.contains("understudy") && script.contains("replay"), "{shell}");
    }
}

#[test]
fn says_what_to_do_when_there_is_no_database() {
    let empty = tempfile::tempdir().unwrap();
    let path = empty.path().to_str().unwrap();
    for verb in ["inspect", "verify", "replay", "index"] {
        let ran = run(&[verb, path]).ends(1);
        assert!(
            ran.stderr.contains("no QuestDB database") && ran.stderr.contains("`db` directory"),
            "{}",
            ran.stderr
        );
        let told = run(&[verb, path, "--json"]).ends(1).json();
        assert_eq!(told["error"]["kind"], "failed");
        assert!(told["error"]["advice"].is_string());
    }
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let db = super::Db::unpack("ooo");
    let table = db.recording.about["tables"][0]["name"].as_str().unwrap().to_owned();
    let mut child = understudy(&["replay", &db.arg(), "--table", &table, "--quiet"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let ran = ran(child.wait_with_output().unwrap()).ends(0);
    assert_eq!(ran.stderr, "");
}
