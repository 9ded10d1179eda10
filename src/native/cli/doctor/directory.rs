//! A directory with `db` and `conf`.

use super::{Checks, State};
use crate::native::config::{Config, Role};
use crate::native::outcome::Result;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The directory that holds `db` and `conf`, also of its `db`.
pub(super) fn root(dir: &Path) -> PathBuf {
    let is_db = registry(dir).is_some();
    match dir.parent() {
        Some(above) if is_db && !dir.join("db").is_dir() => above.to_owned(),
        _ => dir.to_owned(),
    }
}

/// Reads `server.conf`; none if it can't be taken.
pub(super) fn config(checks: &mut Checks, root: &Path) -> Result<Option<Config>> {
    let file = root.join("conf").join("server.conf");
    match Config::load(root) {
        Ok(config) => {
            if !file.exists() {
                let advice =
                    "defaults and the environment hold; `understudy generate server-conf` prints one";
                checks.say("server.conf", State::Note, format!("{} is not there", file.display()), advice)?;
            } else if config.warnings.is_empty() {
                checks.ok("server.conf", format!("{} is taken", file.display()))?;
            }
            for warning in &config.warnings {
                checks.say("server.conf", State::Warn, warning.to_string(), "")?;
            }
            Ok(Some(config))
        }
        Err(error) => {
            for problem in &error.problems {
                let advice = "docs/configuration.md lists all settings";
                checks.say("server.conf", State::Fail, problem.to_string(), advice)?;
            }
            Ok(None)
        }
    }
}

pub(super) fn check(checks: &mut Checks, root: &Path, config: &Config) -> Result<()> {
    let role = match config.role {
        Role::None => "none: `ship` and `replica` go by their arguments",
        Role::Primary => "primary",
        Role::Replica => "replica",
        Role::CatchupUploads => "primary-catchup-uploads",
    };
    checks.ok("role", role)?;
    let db = root.join("db");
    let Some(registry) = registry(&db) else {
        let what = format!("there is no database in {}", db.display());
        let advice = "`--dir` takes the directory that holds `db`; `understudy replica` makes a new one";
        let state = if config.role == Role::Replica { State::Note } else { State::Fail };
        return checks.say("database", state, what, advice);
    };
    checks.ok("database", db.display().to_string())?;
    lock(checks, &db)?;
    links(checks, &registry, root)?;
    purge(checks, config.wal_purge_interval)
}

/// The newest of QuestDB's lists of tables, `tables.d.N`.
fn registry(db: &Path) -> Option<PathBuf> {
    let number = |path: &Path| path.file_name()?.to_str()?.strip_prefix("tables.d.")?.parse::<u64>().ok();
    let entries = std::fs::read_dir(db).ok()?.filter_map(|entry| Some(entry.ok()?.path()));
    entries.filter_map(|path| Some((number(&path)?, path))).max().map(|(_, path)| path)
}

/// Who has the directory open. The lock itself isn't touched: a server that starts just then would give up.
fn lock(checks: &mut Checks, db: &Path) -> Result<()> {
    let file = db.join("tables.d.lock");
    match holder(&file) {
        Held::By(holder) => checks.ok("lock", format!("held by {holder}")),
        Held::Nobody => checks.ok("lock", "free: no program has the directory open"),
        Held::Unknown(why) => checks.say("lock", State::Skip, why, ""),
    }
}

enum Held {
    By(String),
    Nobody,
    Unknown(&'static str),
}

#[cfg(target_os = "linux")]
fn holder(file: &Path) -> Held {
    use std::os::unix::fs::MetadataExt;
    let Ok(metadata) = std::fs::metadata(file) else { return Held::Nobody };
    let Ok(locks) = std::fs::read_to_string("/proc/locks") else {
        return Held::Unknown("/proc/locks can't be read");
    };
    let Some(process) = process_of(&locks, metadata.ino()) else { return Held::Nobody };
    let name = std::fs::read_to_string(format!("/proc/{process}/comm")).unwrap_or_default();
    match name.trim() {
        "" => Held::By(format!("process {process}")),
        name => Held::By(format!("process {process} ({name})")),
    }
}

#[cfg(not(target_os = "linux"))]
fn holder(_: &Path) -> Held {
    Held::Unknown("this system doesn't tell who holds a lock")
}

/// The process that holds a lock on this file: `1: FLOCK  ADVISORY  WRITE 1234 08:01:5678 0 EOF`.
#[cfg(target_os = "linux")]
fn process_of(locks: &str, inode: u64) -> Option<i64> {
    locks.lines().find_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [_, "FLOCK", "ADVISORY", _, process, place, ..] = words.as_slice() else { return None };
        let found: u64 = place.rsplit(':').next()?.parse().ok()?;
        (found == inode).then(|| process.parse().ok()).flatten()
    })
}

/// Makes a hard link, as `ship` does of segments.
fn links(checks: &mut Checks, file: &Path, root: &Path) -> Result<()> {
    let link = root.join(format!(".understudy-doctor-{:016x}", fastrand::u64(..)));
    match std::fs::hard_link(file, &link) {
        Ok(()) => {
            // It was made just now, by this name that nobody else takes.
            let _ = std::fs::remove_file(&link);
            checks.ok("hard links", format!("files of the database can be linked into {}", root.display()))
        }
        Err(error) => {
            let what = format!("{} can't be linked into {}: {error}", file.display(), root.display());
            let advice = "`ship` keeps segments by links: run it as QuestDB's own user, with `db` and the directory above it on one file system. A replica needs none";
            checks.say("hard links", State::Warn, what, advice)
        }
    }
}

fn purge(checks: &mut Checks, interval: Duration) -> Result<()> {
    let what = format!("QuestDB deletes segments up to {} s after it applied them", interval.as_secs_f64());
    if interval < Duration::from_secs(300) {
        let advice = "`ship` links them first. A second belt while it isn't running: cairo.wal.purge.interval=10m in server.conf";
        checks.say("purge", State::Note, what, advice)
    } else {
        checks.ok("purge", what)
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_holder_of_a_lock_is_found() {
        let locks = "1: POSIX  ADVISORY  WRITE 7 08:01:55 0 EOF\n2: FLOCK  ADVISORY  WRITE 12 fd:00:55 0 EOF\nx\n3: FLOCK\n";
        assert_eq!(process_of(locks, 55), Some(12));
        assert_eq!(process_of(locks, 5), None);
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tables.d.lock");
        assert!(matches!(holder(&path), Held::Nobody));
        let file = std::fs::File::create(&path).unwrap();
        assert!(matches!(holder(&path), Held::Nobody));
        file.try_lock().unwrap();
        match holder(&path) {
            Held::By(who) => assert!(who.contains(&std::process::id().to_string()), "{who}"),
            Held::Nobody => panic!("this process holds it"),
            // Where processes may not look.
            Held::Unknown(why) => println!("{why}"),
        }
    }
}
