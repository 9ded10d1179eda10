use super::given::Settings;
use super::setting::{Origin as By, Preset, Support};
use super::table::SETTINGS;
use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::path::PathBuf;

fn read(text: &str, environment: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let environment: Vec<_> = environment.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
    read::config(Settings::read(Some((Path::new("server.conf"), text.as_bytes())), &environment))
}

fn problems(text: &str, environment: &[(&str, &str)]) -> Vec<String> {
    let error = read(text, environment).expect_err("something is wrong");
    error.problems.iter().map(ToString::to_string).collect()
}

#[test]
fn without_a_file_the_defaults_hold() {
    let config = Config::load_with(Path::new("/does/not/exist"), &[]).expect("defaults");
    assert_eq!(config, read("", &[]).expect("defaults"));
    assert_eq!((config.role, config.object_store.clone()), (Role::None, None));
    assert_eq!(config.requests, RequestLimits::default());
    assert_eq!((config.primary.window, config.primary.compression_level), (Duration::from_secs(1), 1));
    assert!(config.primary.compression_threads >= 1);
    assert_eq!(config.replica.poll_interval, Duration::from_secs(1));
    assert_eq!(config.replica.poll_interval_max, Duration::from_secs(10));
    assert_eq!(config.primary.cleaning, None);
    assert_eq!(config.node.gone_after, Duration::from_secs(86_400));
    assert!(!config.node.name.is_empty());
    assert_eq!((config.snapshot.interval, config.snapshot.bytes), (Duration::from_secs(86_400), 10 << 30));
    assert_eq!((config.ship.disk_limit, config.ship.digest_rate), (10 << 30, 8 << 20));
    assert_eq!(config.ship.bind.to_string(), "127.0.0.1:9013");
    assert!(config.digest && config.failover.is_none());
    assert_eq!((config.signing_key(), config.trusted_keys.len(), config.on_fence.clone()), (None, 0, None));
    let Metrics { server, bind, enabled, per_table } = config.metrics;
    assert!(server && enabled && per_table);
    assert_eq!(bind.to_string(), "0.0.0.0:9003");
    assert_eq!(
        (config.commit_mode, config.wal_purge_interval),
        (CommitMode::NoSync, Duration::from_secs(30))
    );
    assert_eq!(config.warnings, []);
    assert!(config.needed_store().is_err());
}

/// Writing every default changes nothing: the table, the types and `RequestLimits` agree.
#[test]
fn defaults_written_out_are_the_defaults() {
    let mut text = String::new();
    for setting in SETTINGS {
        if let (Preset::Value(value), Support::Honoured | Support::NoEffect(_)) =
            (setting.default, setting.support)
        {
            text.push_str(&format!("{}={value}\n", setting.key));
        }
    }
    let written = read(&text, &[]).expect("defaults are taken");
    let idle: Vec<_> = written.warnings.iter().filter(|one| !one.what.contains("has no effect")).collect();
    assert!(idle.is_empty(), "{idle:?}");
    assert_eq!(Config { warnings: Vec::new(), ..written }, read("", &[]).expect("defaults"));
}

#[test]
fn every_setting_is_read() {
    let text = "\
replication.role=primary-catchup-uploads
replication.object.store: s3::bucket=b;root=r;access_key_id=i;secret_access_key=HUSH;
replication.primary.throttle.window.duration = 50
replication.primary.compression.level=19
replication.primary.compression.threads=3
replication.replica.poll.interval=50ms
understudy.replica.poll.interval.max=2s
replication.requests.retry.attempts=7
replication.requests.base.timeout=30s
replication.metrics.per.table=false
replication.primary.cleaner.enabled=true
replication.primary.cleaner.interval=1h
replication.primary.cleaner.backup.window.count=3
understudy.node.name=node \\
    one
understudy.node.gone.after=2d
understudy.snapshot.interval=1h
understudy.snapshot.bytes=1g
understudy.ship.disk.limit=512m
understudy.ship.digest.rate=64 KiB
understudy.ship.http.bind.to=127.0.0.1:1
understudy.digest=off
understudy.signing.key=0707070707070707070707070707070707070707070707070707070707070707
understudy.trusted.keys=0101010101010101010101010101010101010101010101010101010101010101, 02020202020202020202020202020202020202020202020202020202020202FF
understudy.on.fence=systemctl stop questdb
http.min.enabled=FALSE
http.min.net.bind.to=127.0.0.1:2
metrics.enabled=false
cairo.commit.mode=sync
cairo.wal.purge.interval=10m
cairo.unknown=1
pg.user=admin
";
    let config = read(text, &[]).expect("all is well");
    assert_eq!(config.role, Role::CatchupUploads);
    assert_eq!(config.needed_store().expect("a store").to_string(), "s3://b/r");
    assert_eq!(
        config.primary,
        Primary {
            window: Duration::from_millis(50),
            compression_level: 19,
            compression_threads: 3,
            cleaning: Some(Cleaner { interval: Duration::from_secs(3600), snapshots: 3 }),
        }
    );
    assert_eq!(config.replica.poll_interval, Duration::from_millis(50));
    assert_eq!(config.replica.poll_interval_max, Duration::from_secs(2));

    assert_eq!((config.requests.retry_attempts, config.requests.base_timeout), (7, Duration::from_secs(30)));
    assert_eq!(config.node, Node { name: "node one".into(), gone_after: Duration::from_secs(172_800) });
    assert_eq!(config.snapshot, Snapshot { interval: Duration::from_secs(3600), bytes: 1 << 30 });
    assert_eq!(
        (config.ship.disk_limit, config.ship.digest_rate, config.ship.bind.port()),
        (512 << 20, 64 << 10, 1)
    );
    assert!(!config.digest);
    assert_eq!(config.signing_key(), Some([7; 32]));
    assert_eq!(
        config.trusted_keys.iter().map(|key| (key[0], key[31])).collect::<Vec<_>>(),
        [(1, 1), (2, 255)]
    );
    assert_eq!(config.on_fence.as_deref(), Some("systemctl stop questdb"));
    let Metrics { server, bind, enabled, per_table } = config.metrics;
    assert_eq!((server, bind.port(), enabled, per_table), (false, 2, false, false));
    assert_eq!((config.commit_mode, config.wal_purge_interval), (CommitMode::Sync, Duration::from_secs(600)));
    assert_eq!(config.warnings, []);
    let shown = format!("{config:?} {config:#?}");
    assert!(!shown.contains("HUSH") && !shown.contains("0707"), "{shown}");
}

#[test]
fn the_environment_goes_before_the_file() {
    let config = read(
        "replication.role=primary\nunderstudy.digest=off\n",
        &[
            ("QDB_REPLICATION_ROLE", " replica "),
            ("QDB_HTTP_MIN_BIND_TO", "127.0.0.1:7"),
            ("QDB_PG_USER", "x"),
        ],
    )
    .expect("all is well");
    assert_eq!((config.role, config.digest, config.metrics.bind.port()), (Role::Replica, false, 7));
}

#[test]
fn a_secret_in_a_file_goes_before_all() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    std::fs::write(&path, "\n s3::bucket=from-file;\n").unwrap();
    let shown = path.display().to_string();
    let inline = "replication.object.store=s3::bucket=inline;";
    let config = read(inline, &[("QDB_REPLICATION_OBJECT_STORE_FILE", &shown)]).expect("all is well");
    assert_eq!(config.object_store.map(|store| store.to_string()).as_deref(), Some("s3://from-file/"));
    let config = read(&format!("replication.object.store.file={shown}"), &[]).expect("all is well");
    assert!(config.object_store.is_some());
    // Only secrets have one.
    assert!(problems("replication.role.file=/x", &[])[0].contains("replication.role.file is not known"));
    for (path, said) in [
        ("/does/not/exist", "/does/not/exist"),
        ("/dev/zero", "/dev"),
        ("/proc/self/environ", "/proc"),
        ("/a/../b", "'..'"),
        ("/tmp", "directory"),
    ] {
        let told = problems("", &[("QDB_UNDERSTUDY_SIGNING_KEY_FILE", path)]);
        assert!(told[0].contains(said) && told[0].contains("understudy.signing.key"), "{told:?}");
    }
    std::fs::write(&path, vec![b'a'; 65_537]).unwrap();
    assert!(problems("", &[("QDB_REPLICATION_OBJECT_STORE_FILE", &shown)])[0].contains("64 KiB"));
    std::fs::write(&path, [0xff, 0xfe]).unwrap();
    assert!(problems("", &[("QDB_REPLICATION_OBJECT_STORE_FILE", &shown)])[0].contains("not UTF-8"));
}

#[test]
fn what_is_not_known_is_named_with_its_line_and_the_nearest() {
    let text = "# a comment\nreplication.rolle=primary\ncairo.whatever=1\nunderstudy.nodename=x\nstorage.policy.x=1\n";
    assert_eq!(
        problems(text, &[("QDB_REPLICATION_OBJECT_STOR", "x")]),
        [
            "server.conf, line 2: replication.rolle is not known; the nearest is replication.role",
            "server.conf, line 4: understudy.nodename is not known; the nearest is understudy.node.name",
            "server.conf, line 5: storage.policy.x is not known; the nearest is storage.policy.worker.count",
            "environment variable QDB_REPLICATION_OBJECT_STOR: QDB_REPLICATION_OBJECT_STOR is not known; \
             the nearest is QDB_REPLICATION_OBJECT_STORE",
        ]
    );
}

#[test]
fn what_is_not_done_is_refused_and_what_does_nothing_is_told() {
    let told = problems("understudy.failover=on", &[]);
    assert!(told.len() == 1 && told[0].contains("off, auto") && told[0].contains("line 1"), "{told:?}");
    let told = problems("understudy.failover=auto\nunderstudy.failover.patience=3s", &[]);
    assert!(told.len() == 1 && told[0].contains("self-stop time must be shorter"), "{told:?}");
    let config = read("understudy.failover.patience=3s", &[]).expect("it is off");
    assert_eq!(config.failover, None);
    let config = read("understudy.failover=auto\nunderstudy.failover.rank=2", &[]).expect("the timers fit");
    assert_eq!(config.failover, Some(Failover { rank: 2, ..Failover::default() }));
    let config = read(
        "replication.primary.upload.truncated=true\nreplication.role=none\nreplication.role=replica",
        &[],
    );
    let config = config.expect("only warnings");
    let told: Vec<_> = config.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(config.role, Role::Replica);
    assert!(told[0].starts_with("server.conf, line 3: replication.role is set before"), "{told:?}");
    assert!(told[1].contains("replication.primary.upload.truncated has no effect"), "{told:?}");
}

#[test]
fn wrong_values_are_told_with_what_is_taken_and_no_secret() {
    for (line, said) in [
        ("replication.role=leader", "takes none, primary, replica, primary-catchup-uploads, not 'leader'"),
        ("replication.replica.poll.interval=0", "a time above 0"),
        ("replication.replica.poll.interval=50  # fast", "a comment needs a line of its own"),
        ("replication.primary.compression.level=23", "from 1 to 22"),
        ("replication.requests.retry.attempts=-1", "retry.attempts takes a whole number"),
        ("understudy.snapshot.bytes=0", "bytes above 0"),
        ("understudy.trusted.keys=abc", "64 hex digits"),
        ("http.min.net.bind.to=9003", "an address and a port"),
        ("metrics.enabled=yes", "true, false"),
        ("understudy.on.fence=", "a command"),
        ("understudy.node.name=\\u0007", "a name"),
        ("understudy.signing.key=\\u00zz", "malformed"),
    ] {
        let told = problems(line, &[]);
        assert!(told.len() == 1 && told[0].contains(said) && told[0].contains("line 1"), "{told:?}");
    }
    for line in ["understudy.signing.key=HUSH", "replication.object.store=s3::bucket=b;HUSH"] {
        let told = problems(line, &[]);
        assert!(told.len() == 1 && !told[0].contains("HUSH"), "{told:?}");
    }
}

#[test]
fn a_file_that_can_not_be_read_is_told() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(dir.path().join("conf/server.conf")).unwrap();
    let error = Config::load_with(dir.path(), &[]).expect_err("it is a directory");
    assert!(error.to_string().contains("server.conf"), "{error}");
    assert_eq!(Failure::from(error).exit, Exit::Usage);
}

/// Each setting stands in docs/configuration.md with what it takes, and no other.
#[test]
fn the_documentation_has_every_setting_and_no_other() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/configuration.md");
    let text = std::fs::read_to_string(path).expect("docs/configuration.md");
    let rows: BTreeMap<&str, Vec<&str>> = text
        .lines()
        .filter_map(|line| {
            let cells: Vec<&str> = line.strip_prefix("| `")?.strip_suffix(" |")?.split(" | ").collect();
            Some((cells.first()?.strip_suffix('`')?, cells))
        })
        .collect();
    let known: Vec<&str> = SETTINGS.iter().map(|setting| setting.key).collect();
    for key in rows.keys() {
        assert!(known.contains(key), "{key} is documented, and not known");
    }
    for setting in SETTINGS {
        let row = rows.get(setting.key).unwrap_or_else(|| panic!("{} is not documented", setting.key));
        assert_eq!(row[1..], documented(setting), "{}: {}", setting.key, documented(setting).join(" | "));
    }
}

/// The cells of a setting's row after its name.
fn documented(setting: &setting::Setting) -> [String; 3] {
    let default = match setting.default {
        Preset::Value(value) => format!("`{value}`"),
        other => other.to_string(),
    };
    let origin = match setting.origin {
        By::QuestDb => "Q".into(),
        By::QuestDbWith(theirs) => format!("Q: {theirs}"),
        By::Understudy => String::new(),
    };
    let what = match setting.support {
        Support::Honoured => setting.what.to_owned(),
        Support::NoEffect(why) => format!("{}. No effect: {why}", setting.what),
    };
    [default, origin, what]
}

#[test]
fn the_printed_file_is_read_and_changes_nothing() {
    let text = print::server_conf();
    assert_eq!(read(&text, &[]), read("", &[]));
    // With the comments taken off as well, where there is a value.
    let set: String = text
        .lines()
        .filter_map(|line| {
            line.strip_prefix('#').filter(|line| !line.starts_with(' ') && !line.ends_with('='))
        })
        .map(|line| format!("{line}\n"))
        .collect();
    assert!(set.contains("replication.role=none"));
    assert_eq!(read(&set, &[]), read("", &[]));
}

fn line() -> impl Strategy<Value = String> {
    let keys: Vec<&str> = SETTINGS.iter().map(|setting| setting.key).collect();
    (proptest::sample::select(keys), "[ =:]{1,2}", "\\PC{0,40}")
        .prop_map(|(key, sign, value)| format!("{key}{sign}{value}\n"))
}

proptest! {
    #[test]
    fn any_bytes_give_an_answer(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        let _ = read::config(Settings::read(Some((Path::new("f"), &bytes)), &[]));
    }

    #[test]
    fn any_values_give_an_answer(lines in proptest::collection::vec(line(), 0..6), name in "QDB_[A-Z_]{0,40}", value in "\\PC{0,40}") {
        let text: String = lines.concat();
        match read(&text, &[(&name, &value)]) {
            Ok(config) => prop_assert!(config.primary.compression_threads > 0 && !config.primary.window.is_zero()),
            Err(error) => prop_assert!(!error.problems.is_empty()),
        }
    }
}

#[test]
fn the_name_of_a_problem_is_its_place() {
    let origin = Origin::File(PathBuf::from("a/conf/server.conf"), 3);
    assert_eq!(Problem { origin, what: "x".into() }.to_string(), "a/conf/server.conf, line 3: x");
}
