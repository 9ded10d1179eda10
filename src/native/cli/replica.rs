//! `understudy replica`

use super::apply::{commit_mode, listen};
use super::args::Commit;
use super::out::Out;
use super::progress::{Following, Progress, grouped};
use crate::native::bucket::{self, Bucket, RequestLimits};
use crate::native::outcome::{Exit, Failure, Result};
use crate::native::replica::{Replica, ReplicaOptions, Report};
use clap::Args;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How often it is told how far it is.
const TELL_EVERY: Duration = Duration::from_millis(500);
/// How often what `understudy status` reads is written.
const STATUS_EVERY: Duration = Duration::from_secs(5);

/// Keep a directory level with the log in a bucket
///
/// DIR becomes, or is, a QuestDB root (`db`, `conf`) whose tables are those of the cluster in STORE. It goes on where it
/// stopped; a new one begins with the newest snapshot. Nothing is written there but by the log: stop this before you start
/// QuestDB on DIR. Each table that can't go on keeps the others from nothing; `understudy status DIR/db` tells which and why.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  understudy replica --dir /srv/replica --from 's3::bucket=b;root=cluster;region=eu-west-1;'
  understudy replica --dir copy --from 'fs::root=/mnt/bucket;' --until-caught-up
Exits 0 on SIGTERM; with --until-caught-up as `apply` does: 5 when a table diverged, 6 when one is suspended.")]
pub(super) struct ReplicaArgs {
    /// A QuestDB root directory; made where there is none
    #[arg(long, value_name = "DIR")]
    pub(super) dir: PathBuf,
    /// The bucket, as `replication.object.store` has it
    #[arg(long, value_name = "STORE", env = "QDB_REPLICATION_OBJECT_STORE", hide_env_values = true)]
    pub(super) from: String,
    /// Name of this instance in the cluster; the host's unless given
    #[arg(long, value_name = "NAME")]
    pub(super) name: Option<String>,
    /// Stop once all that is in the log is applied
    #[arg(long)]
    pub(super) until_caught_up: bool,
    /// How often the log is asked for more, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 1000)]
    pub(super) poll: u64,
    /// Threads that apply; as many as there are cores unless given
    #[arg(long, value_name = "N")]
    pub(super) threads: Option<usize>,
    /// Memory for packs that are not applied yet; rows on their way take as much again
    #[arg(long, value_name = "SIZE", default_value = "256MiB", value_parser = super::size::parse)]
    pub(super) memory_limit: u64,
    /// What survives a loss of power; `nosync` unless DIR's server.conf says otherwise
    #[arg(long, value_enum)]
    pub(super) commit_mode: Option<Commit>,
    /// Compare tables with the primary's digests
    #[arg(long, value_enum, default_value_t = Switch::On)]
    pub(super) digest: Switch,
    /// Public key (64 hex digits) of which one must have signed each pack, may be repeated
    #[arg(long, value_name = "KEY", value_parser = public_key)]
    pub(super) trusted_key: Vec<[u8; 32]>,
}

/// Whether something is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Switch {
    /// Done
    On,
    /// Not done
    Off,
}

pub(super) fn run(out: &Out, args: &ReplicaArgs) -> Result<Exit> {
    let bucket = open(&args.from)?;
    let db = args.dir.join("db");
    let options = ReplicaOptions {
        dir: args.dir.clone(),
        verb: "replica",
        name: args.name.clone().unwrap_or_else(host_name),
        threads: args.threads.unwrap_or_else(cores),
        memory: args.memory_limit.max(1 << 20),
        commit_mode: commit_mode(args.commit_mode, &db),
        poll: Duration::from_millis(args.poll.max(1)),
        digest: args.digest == Switch::On,
        trusted: args.trusted_key.clone(),
    };
    follow(out, bucket, options, args.until_caught_up)
}

/// Follows until it is told to stop, or is level with the log.
pub(super) fn follow(
    out: &Out,
    bucket: Bucket,
    options: ReplicaOptions,
    until_caught_up: bool,
) -> Result<Exit> {
    let db = options.dir.join("db");
    let begun = Instant::now();
    let mut replica = Replica::start(bucket, options)?;
    let stop = Arc::new(AtomicBool::new(false));
    let waker = replica.waker();
    listen(stop.clone(), move || waker.stop());
    let mut shown = Shown::new(*out);
    let mut saved = Instant::now();
    let mut done = 0;
    while !stop.load(Ordering::Relaxed) {
        replica.step(TELL_EVERY)?;
        replica.said().iter().for_each(|text| out.warn(text));
        shown.show(&replica);
        if until_caught_up && replica.is_level() {
            break;
        }
        if saved.elapsed() >= STATUS_EVERY && replica.progress().0 != done {
            (saved, done) = (Instant::now(), replica.progress().0);
            save_status(&db, &replica.report());
        }
    }
    drop(shown);
    let report = replica.report();
    save_status(&db, &report);
    let why = if stop.load(Ordering::Relaxed) { "told to stop" } else { "caught up" };
    replica.finish(why)?;
    tell(out, &report, begun.elapsed())?;
    Ok(if until_caught_up { report.result } else { Exit::Ok })
}

/// How far it is, on stderr.
struct Shown {
    out: Out,
    progress: Option<Progress>,
    following: Option<Following>,
}

impl Shown {
    fn new(out: Out) -> Self {
        Self { out, progress: None, following: None }
    }

    fn show(&mut self, replica: &Replica) {
        let (applied, known) = replica.progress();
        if self.following.is_none() {
            if !replica.is_level() {
                let out = self.out;
                let new = || Progress::new(out, "catching up", "transactions", known);
                let progress = self.progress.get_or_insert_with(new);
                progress.expect(known);
                return progress.set(applied);
            }
            self.progress = None;
            let many = grouped(applied);
            self.out.note(format!("level with the log, {many} transactions; following"));
        }
        let out = self.out;
        let following = self.following.get_or_insert_with(|| Following::new(out, applied));
        following.set(applied, known, Some(replica.lag()));
    }
}

fn tell(out: &Out, report: &Report, took: Duration) -> Result<()> {
    for table in &report.tables {
        if let Some(error) = &table.error {
            out.text(format!("{} ({}): {error}\n", table.table, table.directory))?;
        }
    }
    let applied: u64 = report.tables.iter().map(|table| table.applied).sum();
    let rows: u64 = report.tables.iter().map(|table| table.rows).sum();
    let seconds = took.as_secs_f64();
    out.text(format!(
        "{} tables, {} transactions, {} rows, all objects before number {} applied, {seconds:.1} s\n",
        report.tables.len(),
        grouped(applied),
        grouped(rows),
        report.next,
    ))?;
    out.json(report)
}

/// Writes what `understudy status` tells beside the tables' own state. It is a convenience: failing changes nothing.
fn save_status(db: &Path, report: &Report) {
    let name = super::apply::STATUS;
    let aside = db.join(format!("{name}.tmp"));
    let content = serde_json::json!({ "tables": report.tables }).to_string();
    let _ = std::fs::write(&aside, content).and_then(|()| std::fs::rename(&aside, db.join(name)));
}

fn open(text: &str) -> Result<Bucket> {
    let connection: bucket::Connection =
        text.parse().map_err(|error: bucket::Malformed| Failure::usage(format!("--from: {error}")))?;
    bucket::open(&connection, RequestLimits::default()).map_err(|error| Failure::failed(error.to_string()))
}

fn public_key(text: &str) -> std::result::Result<[u8; 32], String> {
    text.parse::<crate::ledger::Sum>()
        .map(|sum| sum.0)
        .map_err(|_not_hex| "expected a public key of 64 hex digits".to_owned())
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, Into::into)
}

/// What this machine is called.
fn host_name() -> String {
    let name = crate::native::store::lock::host();
    if name.is_empty() { "replica".to_owned() } else { name }
}
