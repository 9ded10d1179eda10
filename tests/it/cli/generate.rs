use super::run;
use serde_json::Value;
use std::path::Path;
use std::process::Command;

fn generated(arguments: &[&str]) -> String {
    run(&[&["generate"], arguments].concat()).ends(0).stdout
}

fn json(arguments: &[&str]) -> Value {
    serde_json::from_str(&generated(arguments)).expect("JSON")
}

fn in_the_house(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).expect(path)
}

#[test]
fn units_are_those_of_deploy() {
    for node in ["ship", "replica"] {
        let unit = generated(&["systemd", node]);
        assert_eq!(unit, in_the_house(&format!("deploy/understudy-{node}.service")), "{node}");
        assert!(
            unit.contains("RestartPreventExitStatus=2 4") && unit.contains("NoNewPrivileges=yes"),
            "{unit}"
        );
        assert!(!unit.contains('{') && !unit.contains('}'), "{unit}");
    }
    let unit =
        generated(&["systemd", "ship", "--dir", "/srv/q", "--user", "q", "--program", "/opt/understudy"]);
    assert!(
        unit.contains("\nExecStart=/opt/understudy ship --db /srv/q/db\n") && unit.contains("\nUser=q\n")
    );
    assert!(unit.contains("\nReadWritePaths=/srv/q\n"));
    for odd in ["/a b", "/a\nUser=root", "%h", "$HOME", ""] {
        run(&["generate", "systemd", "ship", "--dir", odd]).ends(2);
    }
}

/// With the program where it is, and a user that there is.
#[test]
fn systemd_takes_the_units() {
    let dir = tempfile::tempdir().unwrap();
    for node in ["ship", "replica"] {
        let program = env!("CARGO_BIN_EXE_understudy");
        let unit = generated(&["systemd", node, "--user", "root", "--program", program]);
        let path = dir.path().join(format!("understudy-{node}.service"));
        std::fs::write(&path, &unit).unwrap();
        let Ok(done) = Command::new("systemd-analyze").arg("verify").arg("--man=no").arg(&path).output()
        else {
            println!("skipped: no systemd-analyze here");
            return;
        };
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        let about_it: Vec<&str> = said.lines().filter(|line| line.contains("understudy-")).collect();
        assert!(about_it.is_empty(), "{about_it:?}");
        // Whether it sees what is wrong at all.
        std::fs::write(&path, unit.replace("Restart=on-failure", "Restart=perhaps")).unwrap();
        let done = Command::new("systemd-analyze").arg("verify").arg("--man=no").arg(&path).output().unwrap();
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        if !said.contains("perhaps") {
            println!("skipped: systemd-analyze sees nothing here: {said}");
        }
    }
}

#[test]
fn a_page_is_let_read_and_no_more() {
    let s3 = json(&["cors", "--store", "s3"]);
    let rule = &s3["CORSRules"][0];
    assert_eq!(rule["AllowedMethods"], serde_json::json!(["GET", "HEAD"]));
    assert!(rule["AllowedHeaders"].as_array().unwrap().contains(&"Range".into()));
    assert!(rule["ExposeHeaders"].as_array().unwrap().contains(&"Content-Range".into()));
    let gcs =
        json(&["cors", "--store", "gcs", "--origin", "https://a.example", "--origin", "https://b.example"]);
    assert_eq!(gcs[0]["origin"], serde_json::json!(["https://a.example", "https://b.example"]));
    let az = generated(&["cors", "--store", "azblob"]);
    assert!(az.contains("--origins '*'") && az.contains("Content-Range"), "{az}");
    let nginx = generated(&["cors", "--store", "nginx", "--origin", "https://a.example"]);
    assert!(nginx.contains("$http_origin = 'https://a.example'") && nginx.contains("return 204"), "{nginx}");
    for odd in ["example.org", "https://a/b", "https://a' ; rm", ""] {
        run(&["generate", "cors", "--store", "azblob", "--origin", odd]).ends(2);
    }
}

#[test]
fn nobody_may_change_the_log() {
    for role in ["ship", "replica", "page"] {
        let policy = json(&["iam", "--store", "s3", "--role", role, "--bucket", "b", "--root", "/a/b/"]);
        let statements = policy["Statement"].as_array().unwrap();
        assert_eq!(policy["Version"], "2012-10-17");
        for statement in statements {
            let text = statement.to_string();
            assert_eq!(statement.get("Principal").is_some(), role == "page", "{text}");
            if text.contains("DeleteObject") {
                assert_eq!(statement["Resource"], "arn:aws:s3:::b/a/b/probe/*");
            }
            if text.contains("/log/") || text.contains("/nodes/") {
                assert_eq!(statement["Action"], "s3:PutObject");
                assert_eq!(statement["Condition"]["Null"]["s3:if-none-match"], "false");
            }
        }
        let writes = statements.iter().filter(|one| one.to_string().contains("PutObject")).count();
        assert_eq!(
            writes,
            match role {
                "ship" => 3,
                "replica" => 2,
                _ => 0,
            }
        );
        assert_eq!(policy.to_string().contains("arn:aws:s3:::b/a/b/log/*"), role == "ship");

        let azure = json(&["iam", "--store", "azblob", "--role", role]);
        assert!(!azure.to_string().contains("delete") && !azure.to_string().contains('*'), "{azure}");
        assert_eq!(azure["DataActions"].as_array().unwrap().len(), if role == "page" { 1 } else { 3 });

        let gcs = generated(&["iam", "--store", "gcs", "--role", role, "--bucket", "b"]);
        assert_eq!(gcs.matches("objectCreator").count(), usize::from(role != "page"), "{gcs}");
        for line in gcs.lines().filter(|line| line.contains("/log/")) {
            assert!(!line.contains("objectUser"), "{line}");
        }
    }
    run(&["generate", "iam", "--store", "s3", "--role", "ship", "--bucket", "a\"b"]).ends(2);
}

#[test]
fn the_dashboard_and_the_settings_are_printed() {
    let dashboard = json(&["grafana"]);
    assert_eq!(dashboard["title"], "Understudy");
    let conf = generated(&["server-conf"]);
    assert!(
        conf.contains("\n#replication.role=none\n")
            && conf.lines().all(|line| line.is_empty() || line.starts_with('#'))
    );
}

#[test]
fn manual_pages_for_all_verbs() {
    let page = generated(&["man"]);
    assert!(page.starts_with(".ie") && page.contains(".TH understudy 1"), "{page}");
    let dir = tempfile::tempdir().unwrap();
    run(&["generate", "man", "--dir", dir.path().to_str().unwrap()]).ends(0);
    for verb in ["understudy.1", "understudy-replay.1", "understudy-doctor.1", "understudy-generate-iam.1"] {
        assert!(dir.path().join(verb).is_file(), "{verb}");
    }
    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    run(&["generate", "man", "--dir", file.to_str().unwrap()]).ends(1);
}

#[test]
fn notes_and_errors_are_lines_of_the_log_where_a_format_is_given() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().to_str().unwrap();
    let ran = run(&["generate", "man", "--dir", dir, "--log-format", "json"]).ends(0);
    let line: Value = serde_json::from_str(ran.stderr.trim()).expect("one document");
    assert_eq!((&line["level"], &line["target"]), (&"INFO".into(), &"understudy::native::cli::out".into()));
    // No database in it.
    let ran = run(&["verify", dir, "--log-format", "json"]).ends(1);
    let line: Value = serde_json::from_str(ran.stderr.trim()).expect("one document");
    assert!(line["level"] == "ERROR" && line["advice"].is_string(), "{line}");
    assert_eq!(run(&["generate", "man", "--dir", dir, "--log-format", "text", "--quiet"]).ends(0).stderr, "");
    run(&["generate", "man", "--log-level", "loud"]).ends(2);
}
