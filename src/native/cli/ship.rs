//! `understudy ship`

use super::bucket::{block_on, connect, connection};
use super::interrupt::interrupted;
use super::out::Out;
use super::progress::grouped;
use crate::ledger::Signer;
use crate::native::bucket::probe;
use crate::native::config::{Cleaner, Config, Role};
use crate::native::metrics::Metrics;
use crate::native::metrics::server::{Ready, Server};
use crate::native::outcome::{Exit, Failure, Result};
use crate::native::ship::{self, Cleaning, Listen, Options, Progress, Report};
use clap::Args;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Send the log of a running QuestDB into a bucket, for replicas and recovery
///
/// Runs beside an open-source QuestDB and reads its files; nothing in DB is changed. Hard links keep segments that QuestDB
/// deletes before they are sent: they lie in `understudy-ship` beside DB, which has to be on the same file system. A shipper
/// that starts again goes on where the bucket's log ends. Exits 4 when another process continues the history.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  understudy ship --db /var/lib/questdb/db --to 's3::bucket=backups;root=questdb;region=eu-west-1;'
  understudy ship --db db --to 'fs::root=/mnt/log;atomic_write_dir=/mnt/scratch;' --once
  understudy ship --db db --to STORE --rebase trades")]
pub(super) struct Ship {
    /// A QuestDB `db` directory, or one that holds `db` and `conf`
    #[arg(long, value_name = "DB")]
    db: PathBuf,
    /// The bucket; `replication.object.store` unless given
    #[arg(long, value_name = "STORE")]
    to: Option<String>,
    /// Milliseconds between two packs, while there is not more than fits into one;
    /// `replication.primary.throttle.window.duration` unless given
    #[arg(long, value_name = "MS")]
    window: Option<u64>,
    /// What the instance is called; `understudy.node.name` unless given
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Of zstd, from 1 (fast) to 19 (short); `replication.primary.compression.level` unless given
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(1..=19))]
    compression_level: Option<i32>,
    /// Threads that compress; `replication.primary.compression.threads` unless given
    #[arg(long, value_name = "N")]
    compression_threads: Option<usize>,
    /// Have this table begin anew with a copy, may be repeated
    #[arg(long, value_name = "TABLE")]
    rebase: Vec<String>,
    /// Send all there is, wait until the bucket has it, and end
    #[arg(long)]
    once: bool,
    /// Seconds after which a pack is sent that says nothing, while nothing happens; 0 for never
    #[arg(long, value_name = "S", default_value_t = 0)]
    beat: u64,
    /// Seconds between two snapshots, from which a new replica begins; `understudy.snapshot.interval` unless given
    #[arg(long, value_name = "S")]
    snapshot_interval: Option<u64>,
    /// Take a snapshot at once
    #[arg(long)]
    snapshot_now: bool,
    /// Disk that may be held for a bucket that is away; beyond, the oldest is let go and its tables are copied later;
    /// `understudy.ship.disk.limit` unless given
    #[arg(long, value_name = "SIZE", value_parser = super::size::parse)]
    disk_limit: Option<u64>,
    /// Command that is run when another process continues the history; `understudy.on.fence` unless given
    #[arg(long, value_name = "COMMAND")]
    on_fence: Option<String>,
}

pub(super) fn run(out: &Out, args: Ship) -> Result<Exit> {
    let report = block_on(drive(*out, args))?;
    tell(out, &report)?;
    Ok(match (report.fenced, report.stopped.is_empty()) {
        (true, _) => Exit::Fenced,
        (false, true) => Exit::Ok,
        (false, false) => Exit::Failed,
    })
}

async fn drive(out: Out, args: Ship) -> Result<Report> {
    let db = super::apply::target(&args.db);
    let db = std::fs::canonicalize(&db).map_err(|error| {
        Failure::failed(format!("{}: {error}", db.display()))
            .advise("--db takes a QuestDB `db` directory, the one with tables.d.0 in it")
    })?;
    let root =
        db.parent().ok_or_else(|| Failure::usage(format!("{} has no folder above it", db.display())))?;
    let config = Config::load(root)?;
    config.warnings.iter().for_each(|warning| out.warn(warning.to_string()));
    let store = match &args.to {
        Some(store) => connection("--to", store)?,
        None => config.needed_store()?.clone(),
    };
    let bucket = connect(&store, config.requests.clone())?;
    probe(&bucket).await.map_err(|error| Failure::failed(error.to_string()))?;
    let metrics = Metrics::new(config.metrics.per_table);
    metrics.role(Role::Primary);
    let bucket = bucket.observed(Arc::new(metrics.clone()));
    let ready = Ready::default();
    let _server = match config.metrics.server && !args.once {
        true => {
            let shown = config.metrics.enabled.then(|| metrics.clone());
            let server = Server::start(config.ship.bind, shown, ready.clone()).await;
            server.inspect_err(|failure| out.warn(&failure.message)).ok()
        }
        false => None,
    };
    let options = options(args, &config, root.join("understudy-ship"), db.clone());
    let told = Told { at: Instant::now(), transactions: 0, last: Progress::default() };
    let listener = Listener { out, metrics, ready, told: Mutex::new(told) };
    ship::ship(options, bucket, Arc::new(listener), interrupted()).await
}

/// The command line's, else the configuration's.
fn options(args: Ship, config: &Config, own: PathBuf, db: PathBuf) -> Options {
    let primary = &config.primary;
    Options {
        db,
        own,
        name: args.name.unwrap_or_else(|| config.node.name.clone()),
        window: args.window.map_or(primary.window, Duration::from_millis),
        compression_level: args.compression_level.unwrap_or(primary.compression_level),
        compression_threads: args.compression_threads.unwrap_or(primary.compression_threads),
        rebase: args.rebase,
        once: args.once,
        beat: Duration::from_secs(args.beat),
        snapshot_interval: args.snapshot_interval.map_or(config.snapshot.interval, Duration::from_secs),
        snapshot_bytes: config.snapshot.bytes,
        snapshot_now: args.snapshot_now,
        cleaning: primary.cleaning.map(|Cleaner { interval, snapshots }| Cleaning {
            interval,
            snapshots,
            gone_after: config.node.gone_after,
        }),
        digest_rate: if config.digest { config.ship.digest_rate } else { 0 },
        disk_limit: args.disk_limit.unwrap_or(config.ship.disk_limit),
        on_fence: args.on_fence.or_else(|| config.on_fence.clone()),
        signer: config.signing_key().map(|key| Arc::new(Signer::new(&key))),
    }
}

fn tell(out: &Out, report: &Report) -> Result<()> {
    for (table, why) in &report.stopped {
        out.text(format!("{table}: {why}\n"))?;
    }
    let progress = &report.progress;
    out.text(format!(
        "{} tables, {} transactions in {} packs, {} behind\n",
        grouped(progress.tables),
        grouped(progress.transactions),
        grouped(progress.packs),
        grouped(progress.behind)
    ))?;
    out.json(report)
}

/// Tells people how it goes.
struct Listener {
    out: Out,
    metrics: Metrics,
    ready: Ready,
    told: Mutex<Told>,
}

struct Told {
    at: Instant,
    transactions: u64,
    /// As it was measured last.
    last: Progress,
}

impl Listener {
    fn measure(&self, last: &Progress, progress: &Progress) {
        measure(&self.metrics, last, progress);
        match &progress.trouble {
            None => self.ready.yes(),
            Some(why) => self.ready.no(why.clone()),
        }
    }
}

/// Sets what is measured of a shipper.
pub(super) fn measure(metrics: &Metrics, last: &Progress, progress: &Progress) {
    let gauge = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
    metrics.shipped_txns.inc_by(progress.transactions.saturating_sub(last.transactions));
    metrics.shipped_bytes.inc_by(progress.stored_bytes.saturating_sub(last.stored_bytes));
    metrics.packs.set(gauge(progress.next) - 1);
    metrics.acknowledged.set(gauge(progress.acknowledged));
    metrics.tables_replicated.set(gauge(progress.tables));
    metrics.tables_not_replicated.set(gauge(progress.not_replicated));
    metrics.tables_stopped.set(gauge(progress.stopped));
    metrics.ship_disk_bytes.set(gauge(progress.disk_bytes));
    if progress.snapshots > last.snapshots {
        metrics.snapshot_now();
    }
}

impl Listen for Listener {
    fn note(&self, text: &str) {
        self.out.note(text);
    }

    fn warn(&self, text: &str) {
        self.out.warn(text);
    }

    fn fenced(&self) {
        self.metrics.fenced(true);
        self.ready.no("fenced: another process continues the history");
    }

    fn progress(&self, progress: &Progress) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        self.measure(&told.last, progress);
        told.last = progress.clone();
        let every = Duration::from_secs(if std::io::stderr().is_terminal() { 5 } else { 30 });
        let passed = told.at.elapsed();
        if !self.out.progress || passed < every || progress.transactions == told.transactions {
            return;
        }
        let rate = (progress.transactions - told.transactions) as f64 / passed.as_secs_f64();
        (told.at, told.transactions) = (Instant::now(), progress.transactions);
        self.out.note(format!(
            "{} transactions in {} packs, {rate:.0} per second, {} behind",
            grouped(progress.transactions),
            grouped(progress.packs),
            grouped(progress.behind)
        ));
    }
}
