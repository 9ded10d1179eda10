//! `understudy apply`

use super::args::{Apply, Commit};
use super::interrupt::listen;
use super::out::Out;
use super::progress::{Following, Progress, grouped};
use crate::native::config::properties;
use crate::native::disk::DiskFiles;
use crate::native::outcome::{Exit, Failure, Result, exit_of};
use crate::native::store::lock::{DirectoryLock, Held};
use crate::native::store::{CommitMode, RealDisk, Replication, ReplicationOptions, Worker};
use crate::native::whole_file;
use crate::table::Standing;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// What the last run said, in the directory of the tables: `understudy status` reads it.
pub(super) const STATUS: &str = "_understudy.status.json";

pub(super) fn run(out: &Out, args: &Apply) -> Result<Exit> {
    let source = DiskFiles::open(&args.source).map_err(|error| {
        Failure::failed(format!("{}: {error}", args.source.display()))
            .advise("SOURCE is a QuestDB `db` directory, the one with tables.d.0 in it")
    })?;
    let dir = target(&args.to);
    refuse_inside(&args.source, &dir)?;
    std::fs::create_dir_all(&dir).map_err(|error| Failure::failed(format!("{}: {error}", dir.display())))?;
    let _lock = DirectoryLock::take(&dir).map_err(held)?;
    let disk =
        RealDisk::open(&dir).map_err(|error| Failure::failed(format!("{}: {error}", dir.display())))?;
    let options = ReplicationOptions {
        tables: args.table.clone(),
        threads: args
            .threads
            .or_else(|| std::thread::available_parallelism().ok().map(Into::into))
            .unwrap_or(1),
        memory: args.memory_limit,
        commit_mode: args.commit_mode.map(commit_mode).or_else(|| configured(&dir)).unwrap_or_default(),
        adopt: args.adopt,
    };
    let mut replication = Replication::new(Arc::new(disk), &source, options)?;
    let stop = Arc::new(AtomicBool::new(false));
    listen(stop.clone(), || {});
    let begun = Instant::now();
    let applied = apply(out, args, &source, &mut replication, &stop, &dir);
    save_status(&dir, &replication);
    applied?;
    let exit = report(out, args, &replication, begun.elapsed())?;
    Ok(exit)
}

/// Applies what there is, and with `--follow` what comes.
fn apply(
    out: &Out,
    args: &Apply,
    source: &DiskFiles,
    replication: &mut Replication,
    stop: &AtomicBool,
    dir: &Path,
) -> Result<()> {
    let (_, all) = replication.progress();
    let mut progress = Some(Progress::new(*out, "applying", "transactions", all));
    let mut following: Option<Following> = None;
    let mut idle = Duration::ZERO;
    let mut caught_up = false;
    let mut saved = Instant::now();
    while !stop.load(Ordering::Relaxed) {
        let any = replication.round(source, stop)?;
        if let Some(progress) = &mut progress {
            progress.set(replication.progress().0);
        }
        if saved.elapsed() >= Duration::from_secs(2) {
            save_status(dir, replication);
            saved = Instant::now();
        }
        if let Some(following) = &mut following {
            let (done, known) = replication.progress();
            following.set(done, known, lag(replication));
        }
        if any {
            idle = Duration::ZERO;
            continue;
        }
        if !args.follow {
            return Ok(());
        }
        if !std::mem::replace(&mut caught_up, true) {
            progress = None;
            following = Some(Following::new(*out, replication.progress().0));
            out.note(format!("caught up with {} transactions; following", grouped(replication.progress().0)));
        }
        // Quick while there is traffic, cheap when there is none.
        idle = (idle + Duration::from_micros(500)).min(Duration::from_millis(5));
        std::thread::sleep(idle);
    }
    Ok(())
}

/// How long after their commits the latest transactions were applied: of the table that is the latest.
fn lag(replication: &Replication) -> Option<Duration> {
    replication.workers().iter().filter_map(Worker::delay).max()
}

/// The directory of the tables.
pub(super) fn target(to: &Path) -> PathBuf {
    if to.join("db").is_dir() && (to.join("conf").is_dir() || !to.join("tables.d.0").exists()) {
        return to.join("db");
    }
    to.to_owned()
}

/// A directory that is the source, or lies in it, would be its own replica.
fn refuse_inside(source: &Path, dir: &Path) -> Result<()> {
    let real = |path: &Path| {
        std::path::absolute(path)
            .and_then(|path| {
                // Of a path that isn't there yet, as much as there is.
                let there = path.ancestors().find(|above| above.exists()).unwrap_or(&path).to_owned();
                let rest = path.strip_prefix(&there).unwrap_or(Path::new("")).to_owned();
                Ok(std::fs::canonicalize(there)?.join(rest))
            })
            .map_err(|error| Failure::failed(format!("{}: {error}", path.display())))
    };
    let (source, dir) = (real(source)?, real(dir)?);
    if dir.starts_with(&source) || source.starts_with(&dir) {
        return Err(Failure::new(Exit::Usage, format!("{} and SOURCE are not apart", dir.display()))
            .advise("give a directory of its own to --to"));
    }
    Ok(())
}

pub(super) fn held(held: Held) -> Failure {
    let failure = Failure::failed(held.to_string());
    match held {
        Held::Running { .. } => {
            failure.advise("stop the program that has it open, or give another directory to --to")
        }
        Held::Unknown { .. } => failure,
    }
}

pub(super) fn commit_mode(asked: Commit) -> CommitMode {
    match asked {
        Commit::Nosync => CommitMode::NoSync,
        Commit::Async => CommitMode::Async,
        Commit::Sync => CommitMode::Sync,
    }
}

/// As `server.conf` beside the directory says.
fn configured(dir: &Path) -> Option<CommitMode> {
    let bytes = std::fs::read(dir.parent()?.join("conf/server.conf")).ok()?;
    let (properties, _) = properties::parse(&bytes);
    let last = properties.into_iter().rfind(|property| property.key == "cairo.commit.mode")?;
    match last.value.trim() {
        "sync" => Some(CommitMode::Sync),
        "async" => Some(CommitMode::Async),
        _ => Some(CommitMode::NoSync),
    }
}

/// Tells how each table ended.
fn report(out: &Out, args: &Apply, replication: &Replication, took: Duration) -> Result<Exit> {
    let mut exit = Exit::Ok;
    let mut rows = 0;
    for worker in replication.workers() {
        exit = exit.worse(ended(worker));
        rows += worker.rows();
        let token = worker.token();
        if let Some(text) = trouble(worker) {
            out.text(format!("{} ({}): {text}\n", token.name, token.dir))?;
        }
    }
    let tables = told(replication);
    let (applied, known) = replication.progress();
    let seconds = took.as_secs_f64();
    out.text(format!(
        "{} tables, {} of {} transactions, {} rows in {seconds:.1} s\n",
        replication.workers().len(),
        grouped(applied),
        grouped(known),
        grouped(rows)
    ))?;
    out.json(&serde_json::json!({
        "source": args.source, "to": args.to, "result": exit, "seconds": seconds, "tables": tables,
    }))?;
    Ok(exit)
}

/// Writes what `understudy status` tells beside the tables' own state. It is a convenience: failing changes nothing.
fn save_status(dir: &Path, replication: &Replication) {
    let content = serde_json::json!({ "tables": told(replication) }).to_string();
    let _ = whole_file::replace(&dir.join(STATUS), content.as_bytes(), false);
}

/// Each table for programs.
fn told(replication: &Replication) -> Vec<serde_json::Value> {
    let one = |worker: &Worker| {
        let (applied, known) = worker.progress();
        let token = worker.token();
        serde_json::json!({
            "table": token.name, "directory": token.dir, "result": ended(worker), "applied": applied,
            "lagMs": worker.delay().map(|delay| delay.as_millis() as u64), "transactions": known, "rows": worker.rows(), "written": worker.written(),
            "error": worker.failure().map(ToString::to_string), "standing": standing(worker.standing()),
        })
    };
    replication.workers().iter().map(one).collect()
}

fn ended(worker: &Worker) -> Exit {
    match (worker.failure(), worker.standing()) {
        (Some(error), _) => exit_of(error),
        (None, Standing::Diverged { .. }) => Exit::Diverged,
        (None, Standing::Suspended { .. }) => Exit::Suspended,
        _ => Exit::Ok,
    }
}

fn trouble(worker: &Worker) -> Option<String> {
    let (applied, _) = worker.progress();
    match (worker.failure(), worker.standing()) {
        (Some(error), _) => Some(format!("stopped after transaction {}: {error}", grouped(applied))),
        (None, Standing::Diverged { seq_txn, reason, .. }) => {
            Some(format!("diverged at transaction {}: {reason}", grouped(*seq_txn)))
        }
        (None, Standing::Suspended { seq_txn, reason }) => {
            Some(format!("suspended at transaction {}: {reason}", grouped(*seq_txn)))
        }
        _ => None,
    }
}

fn standing(standing: &Standing) -> serde_json::Value {
    match standing {
        Standing::Exact => serde_json::json!({ "state": "exact" }),
        Standing::Diverged { seq_txn, statement, reason, position } => serde_json::json!({
            "state": "diverged", "txn": seq_txn, "statement": statement, "reason": reason, "position": position,
        }),
        Standing::Suspended { seq_txn, reason } => {
            serde_json::json!({ "state": "suspended", "txn": seq_txn, "reason": reason })
        }
        Standing::Dropped { seq_txn } => serde_json::json!({ "state": "dropped", "txn": seq_txn }),
    }
}
