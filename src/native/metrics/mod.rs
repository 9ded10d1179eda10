//! What a node measures, as Prometheus reads it, and the server that answers for it.
//!
//! | file | what happens there |
//! |---|---|
//! | `mod.rs` | the metrics: one value for each, cheap to clone, set by those who know |
//! | [`policy`] | what storage policies do |
//! | [`tables`] | what is known of each table; how many are shown is bounded |
//! | [`server`] | `/metrics` and health checks, on QuestDB's paths and port |
//!
//! Names are QuestDB's where QuestDB has such a metric, else they begin with `understudy_`. `docs/operations.md` lists
//! them.
//!
//! ```
//! use std::time::Duration;
//! use understudy::native::config::Role;
//! use understudy::native::metrics::Metrics;
//! let metrics = Metrics::new(true);
//! metrics.role(Role::Replica);
//! metrics.packs.set(42);
//! metrics.tables.lag("trades~7", "trades", 3, Duration::from_millis(1500));
//! let text = metrics.text();
//! assert!(text.contains("understudy_pack_number 42"), "{text}");
//! assert!(text.contains("understudy_replica_lag_txns{table=\"trades\",directory=\"trades~7\"} 3"), "{text}");
//! assert!(text.contains("understudy_replica_lag_seconds 1.5"), "{text}");
//! ```

pub mod policy;
pub mod server;
pub mod tables;

use super::bucket::observe::{Observe, Op, Outcome, Tried};
use super::config::Role;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder, prometheus_text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{SystemTime, UNIX_EPOCH};
use tables::Tables;

/// All metrics of a node. Clones are handles to the same values.
///
/// The fields are set by whoever knows: the shipper, the replica. What is not known stays 0.
#[derive(Debug, Clone)]
pub struct Metrics {
    /// `understudy_shipped_txns_total`: transactions of all tables that the bucket has.
    pub shipped_txns: Counter,
    /// `understudy_shipped_bytes_total`: bytes of packs and blobs that the bucket has.
    pub shipped_bytes: Counter,
    /// `understudy_applied_txns_total`: transactions of all tables that were applied here.
    pub applied_txns: Counter,
    /// `understudy_pack_number`: of a shipper the last object that it offered, of a replica the last that it has.
    pub packs: Gauge,
    /// `understudy_acknowledged_number`: all objects below it are in the bucket for good.
    pub acknowledged: Gauge,
    /// `understudy_upload_duration_seconds`: from sending an object to knowing that it is in the bucket.
    pub upload_seconds: Histogram,
    /// `understudy_tables`: tables that are replicated.
    pub tables_replicated: Gauge,
    /// `understudy_tables_not_replicated`: tables without a log, and those of the system.
    pub tables_not_replicated: Gauge,
    /// `understudy_tables_stopped`: tables that can't go on.
    pub tables_stopped: Gauge,
    /// `understudy_digest_mismatches_total`: tables that were found to differ from the primary's.
    pub digest_mismatches: Counter,
    /// `understudy_ship_disk_bytes`: bytes of QuestDB's log that are kept on disk until the bucket has them.
    pub ship_disk_bytes: Gauge,
    /// `understudy_term`: the term that the node reads or writes in.
    pub term: Gauge,
    /// `understudy_promotions_total`: how often it became the primary.
    pub promotions: Counter,
    /// `understudy_self_stops_total`: how often it took no writes because its packs were not confirmed.
    pub self_stops: Counter,
    /// What storage policies do.
    pub policy: policy::Policy,
    /// What is known of each table: how far behind it is.
    pub tables: Tables,
    snapshot: Gauge,
    fenced: Gauge,
    role: Family<RoleLabel, Gauge>,
    requests: Family<RequestLabels, Counter>,
    request_bytes: Family<OpLabel, Counter>,
    worst: Worst,
    registry: Arc<Registry>,
}

/// What is reckoned from [`Tables`] whenever somebody asks.
#[derive(Debug, Clone, Default)]
struct Worst {
    txns: Gauge,
    seconds: Gauge<f64, AtomicU64>,
    suspended: Gauge,
    sequenced: Gauge,
    applied: Gauge,
}

impl Metrics {
    /// Metrics of a node that has done nothing yet. `per_table` is `replication.metrics.per.table`.
    pub fn new(per_table: bool) -> Self {
        let mut registry = Registry::default();
        let worst = Worst::default();
        register_questdbs(&mut registry, &worst);
        let ours = registry.sub_registry_with_prefix("understudy");
        let mut metrics = Self {
            shipped_txns: counter(ours, "shipped_txns", "Transactions of all tables that the bucket has"),
            shipped_bytes: counter(ours, "shipped_bytes", "Bytes of packs and blobs that the bucket has"),
            applied_txns: counter(ours, "applied_txns", "Transactions of all tables that were applied here"),
            packs: gauge(
                ours,
                "pack_number",
                "Of a shipper the last object offered, of a replica the last it has",
            ),
            acknowledged: gauge(
                ours,
                "acknowledged_number",
                "All objects below it are in the bucket for good",
            ),
            upload_seconds: Histogram::new(UPLOAD_SECONDS),
            tables_replicated: gauge(ours, "tables", "Tables that are replicated"),
            tables_not_replicated: gauge(
                ours,
                "tables_not_replicated",
                "Tables without a log, and those of the system",
            ),
            tables_stopped: gauge(ours, "tables_stopped", "Tables that can't go on"),
            digest_mismatches: counter(
                ours,
                "digest_mismatches",
                "Tables that were found to differ from the primary's",
            ),
            ship_disk_bytes: gauge(
                ours,
                "ship_disk_bytes",
                "Bytes of QuestDB's log kept on disk until the bucket has them",
            ),
            term: gauge(ours, "term", "The term that the node reads or writes in"),
            promotions: counter(ours, "promotions", "How often the node became the primary"),
            self_stops: counter(
                ours,
                "self_stops",
                "How often the node took no writes because its packs were not confirmed",
            ),
            policy: policy::Policy::default(),
            tables: Tables::new(per_table),
            snapshot: gauge(
                ours,
                "snapshot_timestamp_seconds",
                "When the newest snapshot was made, in seconds since 1970",
            ),
            fenced: gauge(ours, "fenced", "1 if another primary has taken over"),
            role: Family::default(),
            requests: Family::default(),
            request_bytes: Family::default(),
            worst,
            registry: Arc::default(),
        };
        metrics.register(ours);
        metrics.registry = Arc::new(registry);
        metrics
    }

    /// Registers what has labels or values of its own kind.
    fn register(&self, ours: &mut Registry) {
        let help = "From sending an object to knowing that it is in the bucket";
        ours.register("upload_duration_seconds", help, self.upload_seconds.clone());
        self.policy.register(ours);
        ours.register("role", "1 for this node's role, 0 for the others", self.role.clone());
        ours.register(
            "object_requests",
            "Tries of requests to the store, by what came of them",
            self.requests.clone(),
        );
        ours.register("object_bytes", "Bytes of objects that were moved", self.request_bytes.clone());
        let help = "Transactions of the table that are known and not applied here";
        ours.register("replica_lag_txns", help, self.tables.clone());
        ours.register(
            "replica_lag_txns_max",
            "The same of the table that is the furthest behind",
            self.worst.txns.clone(),
        );
        let help = "Age of the oldest transaction that is known and not applied here";
        ours.register("replica_lag_seconds", help, self.worst.seconds.clone());
        let build = [
            ("version", env!("CARGO_PKG_VERSION")),
            ("os", std::env::consts::OS),
            ("arch", std::env::consts::ARCH),
        ];
        ours.register("build", "This program", Info::new(build.to_vec()));
    }

    /// `understudy_role{role}`.
    pub fn role(&self, role: Role) {
        for (name, one) in ROLES {
            self.role.get_or_create(&RoleLabel { role: name }).set(i64::from(*one == role));
        }
    }

    /// `understudy_fenced`: another primary has taken over, or not.
    pub fn fenced(&self, fenced: bool) {
        self.fenced.set(i64::from(fenced));
    }

    /// `understudy_snapshot_timestamp_seconds`: a snapshot was made at this time, in microseconds since 1970.
    pub fn snapshot_at(&self, micros: i64) {
        self.snapshot.set(micros.div_euclid(1_000_000));
    }

    /// The same, now.
    pub fn snapshot_now(&self) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.snapshot.set(now.as_secs() as i64);
    }

    /// All of them in Prometheus' text format, version 0.0.4.
    pub fn text(&self) -> String {
        let sums = self.tables.sums();
        self.worst.txns.set(sums.lag_txns_max as i64);
        self.worst.seconds.set(sums.lag_max.as_secs_f64());
        self.worst.suspended.set(sums.suspended as i64);
        self.worst.sequenced.set(sums.sequenced as i64);
        self.worst.applied.set(sums.applied as i64);
        let mut text = String::new();
        // A string takes everything.
        let _ = prometheus_text::encode(&mut text, &self.registry);
        text
    }
}

/// Given to [`Bucket::observed`](super::bucket::Bucket::observed), it counts all requests.
impl Observe for Metrics {
    fn answered(&self, tried: Tried) {
        let labels = RequestLabels { op: tried.op, outcome: tried.outcome };
        self.requests.get_or_create(&labels).inc();
        if (tried.op, tried.outcome) == (Op::PutIfAbsent, Outcome::Ok) {
            self.upload_seconds.observe(tried.took.as_secs_f64());
        }
        if tried.bytes > 0 {
            self.request_bytes.get_or_create(&OpLabel { op: tried.op }).inc_by(tried.bytes);
        }
    }
}

/// Metrics that QuestDB has too, so that what is built on its names shows a replica as well.
fn register_questdbs(registry: &mut Registry, worst: &Worst) {
    let theirs = registry.sub_registry_with_prefix("questdb");
    theirs.register("suspended_tables", "Tables that are suspended", worst.suspended.clone());
    let help = "Sum of the last transactions of all tables that are known";
    theirs.register("wal_apply_seq_txn", help, worst.sequenced.clone());
    let help = "Sum of the last transactions of all tables that are applied";
    theirs.register("wal_apply_writer_txn", help, worst.applied.clone());
}

fn counter(registry: &mut Registry, name: &str, help: &str) -> Counter {
    let counter = Counter::default();
    registry.register(name, help, counter.clone());
    counter
}

fn gauge(registry: &mut Registry, name: &str, help: &str) -> Gauge {
    let gauge = Gauge::default();
    registry.register(name, help, gauge.clone());
    gauge
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RoleLabel {
    role: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    op: Op,
    outcome: Outcome,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OpLabel {
    op: Op,
}

impl EncodeLabelValue for Op {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        EncodeLabelValue::encode(&self.name(), encoder)
    }
}

impl EncodeLabelValue for Outcome {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        EncodeLabelValue::encode(&self.name(), encoder)
    }
}

/// The roles' names in `understudy_role`.
const ROLES: &[(&str, Role)] = &[
    ("none", Role::None),
    ("primary", Role::Primary),
    ("replica", Role::Replica),
    ("primary-catchup-uploads", Role::CatchupUploads),
];

/// A local directory takes milliseconds, a store in trouble minutes.
const UPLOAD_SECONDS: [f64; 12] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0, 300.0];

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn every_metric_is_told_in_the_text_format() {
        let metrics = Metrics::new(true);
        metrics.role(Role::Primary);
        metrics.shipped_txns.inc_by(7);
        metrics.upload_seconds.observe(0.02);
        metrics.fenced(true);
        metrics.term.set(3);
        metrics.promotions.inc();
        metrics.snapshot_at(1_500_000);
        for _ in 0..3 {
            metrics.answered(Tried {
                op: Op::PutIfAbsent,
                outcome: Outcome::Taken,
                took: Duration::ZERO,
                bytes: 0,
            });
        }
        metrics.answered(Tried { op: Op::Get, outcome: Outcome::Ok, took: Duration::ZERO, bytes: 100 });
        let text = metrics.text();
        for line in [
            "understudy_role{role=\"primary\"} 1",
            "understudy_role{role=\"replica\"} 0",
            "understudy_shipped_txns_total 7",
            "understudy_upload_duration_seconds_bucket{le=\"0.025\"} 1",
            "understudy_upload_duration_seconds_count 1",
            "understudy_fenced 1",
            "understudy_term 3",
            "understudy_promotions_total 1",
            "understudy_self_stops_total 0",
            "understudy_snapshot_timestamp_seconds 1",
            "understudy_object_requests_total{op=\"put_if_absent\",outcome=\"taken\"} 3",
            "understudy_object_bytes_total{op=\"get\"} 100",
            "# TYPE understudy_pack_number gauge",
            "questdb_suspended_tables 0",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
        let build = format!("understudy_build_info{{version=\"{}\"", env!("CARGO_PKG_VERSION"));
        assert!(text.contains(&build), "{text}");
        assert!(!text.contains("# EOF"), "that is another format");
    }
}
