//! `understudy replica`

use super::apply::commit_mode;
use super::args::Commit;
use super::bucket::{connect, connection};
use super::interrupt::listen;
use super::out::Out;
use super::progress::{Following, Progress, grouped};
use crate::native::bucket::Bucket;
use crate::native::cluster::Pace;
use crate::native::config::{Config, Role};
use crate::native::metrics::Metrics;
use crate::native::metrics::server::Ready;
use crate::native::outcome::{Exit, Result};
use crate::native::replica::{Replica, ReplicaOptions, Report};
use crate::native::whole_file;
use clap::Args;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Memory for packs unless something else is asked for, and the least.
const MEMORY: u64 = 256 << 20;
const MEMORY_MIN: u64 = 1 << 20;
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
    /// The bucket, in place of `replication.object.store`
    #[arg(long, value_name = "STORE")]
    pub(super) from: Option<String>,
    /// Name of this instance in the cluster, in place of `understudy.node.name`
    #[arg(long, value_name = "NAME")]
    pub(super) name: Option<String>,
    /// Stop once all that is in the log is applied
    #[arg(long)]
    pub(super) until_caught_up: bool,
    /// How often the log is asked for more, in milliseconds, in place of `replication.replica.poll.interval`
    #[arg(long, value_name = "MS")]
    pub(super) poll: Option<u64>,
    /// Threads that apply; as many as there are cores unless given
    #[arg(long, value_name = "N")]
    pub(super) threads: Option<usize>,
    /// Memory for packs that are not applied yet; rows on their way take as much again
    #[arg(long, value_name = "SIZE", default_value = "256MiB", value_parser = super::size::parse)]
    pub(super) memory_limit: u64,
    /// What survives a loss of power, in place of `cairo.commit.mode`
    #[arg(long, value_enum)]
    pub(super) commit_mode: Option<Commit>,
    /// Compare tables with the primary's digests, in place of `understudy.digest`
    #[arg(long, value_enum)]
    pub(super) digest: Option<Switch>,
    /// Public key (64 hex digits) of which one must have signed each pack, beside `understudy.trusted.keys`; may be repeated
    #[arg(long, value_name = "KEY", value_parser = public_key)]
    pub(super) trusted_key: Vec<[u8; 32]>,
}

/// Run what the directory's configuration says
///
/// `replication.role` in DIR/conf/server.conf says what: with `none`, the default, a database of its own, which takes InfluxDB's
/// line protocol over HTTP (docs/ilp.md). A `primary` does the same, and sends what it takes to the bucket of
/// `replication.object.store`; a `replica` follows that bucket, and may become the primary; `primary-catchup-uploads` uploads
/// what a primary had not, and ends (docs/failover.md).
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  understudy run --dir /srv/replica
  understudy run --dir /srv/node --from 'fs::root=/mnt/bucket;'
Exits 4 when it is `primary-catchup-uploads` and another node is the primary already.")]
pub(super) struct RunArgs {
    /// A QuestDB root directory
    #[arg(long, value_name = "DIR")]
    pub(super) dir: PathBuf,
    /// The bucket, in place of `replication.object.store`
    #[arg(long, value_name = "STORE")]
    pub(super) from: Option<String>,
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
    let config = Config::load(&args.dir)?;
    let mut options = options("replica", &args.dir, &config);
    if let Some(name) = &args.name {
        options.name.clone_from(name);
    }
    options.threads = args.threads.unwrap_or(options.threads);
    options.memory = args.memory_limit.max(MEMORY_MIN);
    if let Some(mode) = args.commit_mode {
        options.commit_mode = commit_mode(mode);
    }
    if let Some(poll) = args.poll {
        options.pace.least = Duration::from_millis(poll.max(1));
    }
    options.digest = args.digest.map_or(options.digest, |digest| digest == Switch::On);
    options.trusted.extend(&args.trusted_key);
    let bucket = match &args.from {
        Some(from) => connect(&connection("--from", from)?, config.requests.clone())?,
        None => connect(config.needed_store()?, config.requests.clone())?,
    };
    follow(out, bucket, options, &config, args.until_caught_up)
}

/// `understudy run`
pub(super) fn run_role(out: &Out, args: &RunArgs) -> Result<Exit> {
    let config = Config::load(&args.dir)?;
    match config.role {
        Role::Replica | Role::Primary | Role::CatchupUploads => {
            let bucket = match &args.from {
                Some(from) => connect(&connection("--from", from)?, config.requests.clone())?,
                None => connect(config.needed_store()?, config.requests.clone())?,
            };
            super::member::run(out, &args.dir, bucket, &config)
        }
        Role::None => super::run::standalone(out, &args.dir, &config),
    }
}

/// As `server.conf` and the environment say.
pub(super) fn options(verb: &'static str, dir: &Path, config: &Config) -> ReplicaOptions {
    ReplicaOptions {
        dir: dir.to_owned(),
        verb,
        name: config.node.name.clone(),
        threads: std::thread::available_parallelism().map_or(1, Into::into),
        memory: MEMORY,
        commit_mode: config.commit_mode,
        pace: Pace {
            least: config.replica.poll_interval.max(Duration::from_millis(1)),
            most: config.replica.poll_interval_max,
        },
        digest: config.digest,
        trusted: config.trusted_keys.clone(),
        policy: config.policy,
        parquet: config.parquet.clone(),
    }
}

/// Follows until it is told to stop, or is level with the log.
pub(super) fn follow(
    out: &Out,
    bucket: Bucket,
    options: ReplicaOptions,
    config: &Config,
    until_caught_up: bool,
) -> Result<Exit> {
    let db = options.dir.join("db");
    let begun = Instant::now();
    config.warnings.iter().for_each(|warning| out.warn(warning.to_string()));
    let metrics = Metrics::new(config.metrics.per_table);
    let bucket = bucket.observed(Arc::new(metrics.clone()));
    let mut replica = Replica::start(bucket, options)?;
    let ready = Ready::default();
    let _server = match config.metrics.server && !until_caught_up {
        true => {
            let shown = config.metrics.enabled.then(|| metrics.clone());
            let server = replica.serve(config.metrics.bind, shown, ready.clone());
            // Others can do without; the tables can't.
            server.inspect_err(|failure| out.warn(&failure.message)).ok()
        }
        false => None,
    };
    let stop = Arc::new(AtomicBool::new(false));
    let waker = replica.waker();
    listen(stop.clone(), move || waker.stop());
    let mut shown = Shown::new(*out);
    let (mut saved, mut told) = (Instant::now(), Instant::now());
    let (mut done, mut measured) = ((0, 0), None);
    while !stop.load(Ordering::Relaxed) {
        replica.step(TELL_EVERY)?;
        replica.said().iter().for_each(|text| out.warn(text));
        replica.noted().iter().for_each(|text| out.note(text));
        shown.show(&replica);
        let now = (replica.progress(), replica.is_level(), replica.policy_steps());
        if measured.is_none_or(|measured| measured != now) && told.elapsed() >= TELL_EVERY {
            (told, measured) = (Instant::now(), Some(now));
            replica.measure(&metrics);
            if now.1 {
                ready.yes();
            }
        }
        if until_caught_up && replica.is_level() {
            break;
        }
        let far = (replica.progress().0, replica.policy_steps());
        if saved.elapsed() >= STATUS_EVERY && far != done {
            (saved, done) = (Instant::now(), far);
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
    let content = serde_json::json!({ "tables": report.tables }).to_string();
    let _ = whole_file::replace(&db.join(super::apply::STATUS), content.as_bytes(), false);
}

fn public_key(text: &str) -> std::result::Result<[u8; 32], String> {
    text.parse::<crate::ledger::Sum>()
        .map(|sum| sum.0)
        .map_err(|_not_hex| "expected a public key of 64 hex digits".to_owned())
}
