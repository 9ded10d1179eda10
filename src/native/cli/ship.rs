//! `understudy ship`

use super::out::Out;
use super::progress::grouped;
use crate::native::bucket::{Connection, RequestLimits, open, probe};
use crate::native::outcome::{Exit, Failure, Result};
use crate::native::ship::{self, Listen, Options, Progress, Report};
use clap::Args;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
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
    /// The bucket, as QuestDB's replication.object.store has it
    #[arg(long, value_name = "STORE", env = "QDB_REPLICATION_OBJECT_STORE", hide_env_values = true)]
    to: String,
    /// Milliseconds between two packs, while there is not more than fits into one
    #[arg(long, value_name = "MS", default_value_t = 1000)]
    window: u64,
    /// What the instance is called; the machine's name unless given
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Of zstd, from 1 (fast) to 19 (short)
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(i32).range(1..=19))]
    compression_level: i32,
    /// Threads that compress; half of the cores unless given
    #[arg(long, value_name = "N")]
    compression_threads: Option<usize>,
    /// Have this table begin anew with a copy, may be repeated
    #[arg(long, value_name = "TABLE")]
    rebase: Vec<String>,
    /// Send all there is, wait until the bucket has it, and end
    #[arg(long)]
    once: bool,
    /// Command that is run when another process continues the history
    #[arg(long, value_name = "COMMAND")]
    on_fence: Option<String>,
}

pub(super) fn run(out: &Out, args: Ship) -> Result<Exit> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Failure::failed(format!("no threads: {error}")))?;
    let on_fence = args.on_fence.clone();
    let report = runtime.block_on(drive(*out, args))?;
    if report.fenced {
        fenced(out, on_fence.as_deref());
    }
    tell(out, &report)?;
    Ok(match (report.fenced, report.stopped.is_empty()) {
        (true, _) => Exit::Fenced,
        (false, true) => Exit::Ok,
        (false, false) => Exit::Failed,
    })
}

async fn drive(out: Out, args: Ship) -> Result<Report> {
    let connection: Connection = args.to.parse().map_err(|error| Failure::usage(format!("--to: {error}")))?;
    let bucket =
        open(&connection, RequestLimits::default()).map_err(|error| Failure::failed(error.to_string()))?;
    probe(&bucket).await.map_err(|error| Failure::failed(error.to_string()))?;
    let options = options(args)?;
    let listener = Listener { out, told: Mutex::new(Told { at: Instant::now(), transactions: 0 }) };
    ship::ship(options, bucket, Arc::new(listener), interrupted()).await
}

fn options(args: Ship) -> Result<Options> {
    let db = super::apply::target(&args.db);
    let db = std::fs::canonicalize(&db).map_err(|error| {
        Failure::failed(format!("{}: {error}", db.display()))
            .advise("--db takes a QuestDB `db` directory, the one with tables.d.0 in it")
    })?;
    let beside =
        db.parent().ok_or_else(|| Failure::usage(format!("{} has no folder above it", db.display())))?;
    let threads = || std::thread::available_parallelism().map_or(1, |cores| cores.get().div_ceil(2));
    Ok(Options {
        own: beside.join("understudy-ship"),
        name: args.name.unwrap_or_else(|| machine_name(&db)),
        window: Duration::from_millis(args.window),
        compression_level: args.compression_level,
        compression_threads: args.compression_threads.unwrap_or_else(threads),
        rebase: args.rebase,
        once: args.once,
        db,
    })
}

fn machine_name(db: &Path) -> String {
    let of_machine = std::fs::read_to_string("/etc/hostname").ok().or_else(|| std::env::var("HOSTNAME").ok());
    let name = of_machine.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty());
    name.unwrap_or_else(|| {
        db.file_name().map_or("shipper".into(), |name| name.to_string_lossy().into_owned())
    })
}

/// Ready on SIGTERM or Ctrl-C.
async fn interrupted() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let Ok(mut terminate) = signal(SignalKind::terminate()) else { return std::future::pending().await };
        tokio::select! {
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
    }
    #[cfg(not(unix))]
    let _ = tokio::signal::ctrl_c().await;
}

/// Said before anything else: clients have to be kept from this server.
fn fenced(out: &Out, command: Option<&str>) {
    out.warn("FENCED: another process continues the history. What this QuestDB commits from now on reaches no replica");
    if let Some(command) = command {
        let (shell, flag) = if cfg!(windows) { ("cmd", "/C") } else { ("sh", "-c") };
        match std::process::Command::new(shell).args([flag, command]).status() {
            Ok(status) => out.note(format!("--on-fence ended with {status}")),
            Err(error) => out.warn(format!("--on-fence can't be run: {error}")),
        }
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
    told: Mutex<Told>,
}

struct Told {
    at: Instant,
    transactions: u64,
}

impl Listen for Listener {
    fn note(&self, text: &str) {
        self.out.note(text);
    }

    fn warn(&self, text: &str) {
        self.out.warn(text);
    }

    fn progress(&self, progress: &Progress) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let every = Duration::from_secs(if std::io::stderr().is_terminal() { 5 } else { 30 });
        let passed = told.at.elapsed();
        if !self.out.progress || passed < every || progress.transactions == told.transactions {
            return;
        }
        let rate = (progress.transactions - told.transactions) as f64 / passed.as_secs_f64();
        *told = Told { at: Instant::now(), transactions: progress.transactions };
        self.out.note(format!(
            "{} transactions in {} packs, {rate:.0} per second, {} behind",
            grouped(progress.transactions),
            grouped(progress.packs),
            grouped(progress.behind)
        ));
    }
}
