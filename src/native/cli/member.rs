//! `understudy run` of a node that belongs to a cluster.

use super::interrupt::listen;
use super::out::Out;
use super::replica::options as replica_options;
use crate::ledger::Signer;
use crate::native::bucket::Bucket;
use crate::native::config::{Config, Role as Configured};
use crate::native::metrics::Metrics;
use crate::native::metrics::server::{Ready, Server};
use crate::native::node::{Member, MemberOptions, NodeStatus, StandaloneOptions, Watch};
use crate::native::outcome::{Exit, Failure, Result};
use crate::native::replica::Replica;
use crate::native::ship::{self, Cleaning, Listen, Progress};
use crate::node::{Config as Machine, Refusal, Role};
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Memory for rows on their way into tables.
const MEMORY: u64 = 256 << 20;
/// How often is measured.
const MEASURE_EVERY: Duration = Duration::from_millis(500);

/// Runs it until it is told to stop, or can't go on.
pub(super) fn run(out: &Out, dir: &Path, bucket: Bucket, config: &Config) -> Result<Exit> {
    config.warnings.iter().for_each(|warning| out.warn(warning.to_string()));
    let metrics = Metrics::new(config.metrics.per_table);
    let bucket = bucket.observed(Arc::new(metrics.clone()));
    let ready = Ready::default();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.map_err(|error| Failure::failed(error.to_string()))?;
    let _server = match config.metrics.server {
        true => {
            let shown = config.metrics.enabled.then(|| metrics.clone());
            let server = runtime.block_on(Server::start(config.metrics.bind, shown, ready.clone()));
            // Others can do without; the tables can't.
            server.inspect_err(|failure| out.warn(&failure.message)).ok()
        }
        false => None,
    };
    let options = options(dir, config)?;
    let (measured, told) = (Mutex::default(), Mutex::default());
    let owner = Arc::new(Owner { out: *out, metrics, ready, measured, told });
    let member = Member::start(bucket, options, owner.clone(), owner)?;
    if let Some(address) = member.address() {
        out.note(format!("takes lines on http://{address} while it is the primary"));
    }
    let stopper = member.stopper();
    listen(Arc::new(AtomicBool::new(false)), move || stopper.stop());
    member.run()
}

fn options(dir: &Path, config: &Config) -> Result<MemberOptions> {
    let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    let role = match config.role {
        Configured::None => Role::None,
        Configured::Primary => Role::Primary,
        Configured::Replica => Role::Replica,
        Configured::CatchupUploads => Role::PrimaryCatchupUploads,
    };
    let signer = config.signing_key().map(|key| Arc::new(Signer::new(&key)));
    Ok(MemberOptions {
        machine: Machine {
            // What is handed in goes: the shipper keeps to the window.
            throttle_us: 0,
            poll_us: micros(config.replica.poll_interval),
            poll_max_us: micros(config.replica.poll_interval_max),
            failover: config.failover,
            ..Machine::new(&config.node.name, role, 0)
        },
        replica: replica_options("run", dir, config),
        lines: StandaloneOptions {
            dir: dir.to_owned(),
            commit_mode: config.commit_mode,
            memory: MEMORY,
            write: config.lines.tables.clone(),
        },
        bind: config.lines.enabled.then_some((config.lines.bind, config.lines.limits)),
        ship: ship_options(dir, config, signer.clone()),
        on_fence: config.on_fence.clone(),
        signer,
        purge: config.wal_purge_interval.max(Duration::from_secs(1)),
    })
}

fn ship_options(dir: &Path, config: &Config, signer: Option<Arc<Signer>>) -> ship::Options {
    ship::Options {
        db: dir.join("db"),
        own: dir.join("understudy/ship"),
        name: config.node.name.clone(),
        window: config.primary.window,
        compression_level: config.primary.compression_level.min(19),
        compression_threads: config.primary.compression_threads,
        rebase: Vec::new(),
        once: false,
        // The node's machine keeps the beat.
        beat: Duration::ZERO,
        snapshot_interval: config.snapshot.interval,
        snapshot_bytes: config.snapshot.bytes,
        snapshot_now: false,
        cleaning: config.primary.cleaning.map(|cleaner| Cleaning {
            interval: cleaner.interval,
            snapshots: cleaner.snapshots,
            gone_after: config.node.gone_after,
        }),
        digest_rate: if config.digest { config.ship.digest_rate } else { 0 },
        disk_limit: config.ship.disk_limit,
        on_fence: None,
        signer,
    }
}

/// What a node tells is told people, and measured.
struct Owner {
    out: Out,
    metrics: Metrics,
    ready: Ready,
    measured: Mutex<Option<Instant>>,
    told: Mutex<Progress>,
}

impl Listen for Owner {
    fn note(&self, text: &str) {
        self.out.note(text);
    }

    fn warn(&self, text: &str) {
        self.out.warn(text);
    }

    fn progress(&self, progress: &Progress) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let last = std::mem::replace(&mut *told, progress.clone());
        super::ship::measure(&self.metrics, &last, progress);
        if let Some(why) = &progress.trouble {
            self.ready.no(why.clone());
        }
    }

    fn fenced(&self) {
        self.metrics.fenced(true);
        self.ready.no("fenced: another process continues the history");
    }
}

impl Watch for Owner {
    fn role(&self, role: Role) {
        self.metrics.role(match role {
            Role::None => Configured::None,
            Role::Primary => Configured::Primary,
            Role::Replica => Configured::Replica,
            Role::PrimaryCatchupUploads => Configured::CatchupUploads,
        });
    }

    fn accepts(&self, refusal: Option<Refusal>) {
        match refusal {
            None => {
                self.metrics.fenced(false);
                self.ready.yes();
            }
            Some(Refusal::Replica) => {}
            Some(why) => self.ready.no(crate::native::node::why_refused(why)),
        }
    }

    fn status(&self, status: &NodeStatus) {
        let metrics = &self.metrics;
        metrics.term.set(status.term.and_then(|term| i64::try_from(term).ok()).unwrap_or(0));
        metrics.promotions.inc_by(status.promotions.saturating_sub(metrics.promotions.get()));
        metrics.self_stops.inc_by(status.self_stops.saturating_sub(metrics.self_stops.get()));
    }

    fn replica(&self, replica: &Replica) {
        let mut measured = self.measured.lock().unwrap_or_else(PoisonError::into_inner);
        if measured.is_none_or(|measured| measured.elapsed() >= MEASURE_EVERY) {
            *measured = Some(Instant::now());
            replica.measure(&self.metrics);
            if replica.is_level() {
                self.ready.yes();
            }
        }
    }
}
