//! All settings: the one list that is read, documented (`docs/configuration.md`) and printed
//! (`understudy generate server-conf`).

use super::setting::Origin::{QuestDb, QuestDbWith, Understudy};
use super::setting::Preset::{Computed, None, Value};
use super::setting::Support::{Honoured, NoEffect};
use super::setting::Takes::{
    Address, Command, Name, Number, OneOf, PublicKeys, Ratio, SecretKey, Size, Store, Time,
};
use super::setting::{Preset, Setting, Takes};

/// All settings, in the order in which they are documented.
pub const SETTINGS: &[Setting] = &[
    questdb("replication.role", OneOf(ROLES), Value("none"), "what `understudy run` is here"),
    questdb("replication.object.store", Store, None, "the cluster's bucket; docs/stores.md has the keys"),
    questdb("replication.summary.interval", Time, Value("1m"), "how often progress is told in the log")
        .idle("`understudy status` and /metrics tell it at any time"),
    // What ships.
    questdb(
        "replication.primary.throttle.window.duration",
        Time,
        Value("1000"),
        "after a pack, commits are collected this long; a commit after a quiet window goes at once",
    )
    .theirs("10000"),
    questdb("replication.primary.compression.level", Number(1, 22), Value("1"), "zstd's level"),
    questdb(
        "replication.primary.compression.threads",
        Number(1, 1024),
        Computed("half of the cores"),
        "threads that compress",
    ),
    questdb(
        "replication.primary.checksum",
        OneOf(&["never", "always"]),
        Value("always"),
        "checksums of objects",
    )
    .theirs("by the service")
    .idle("every object carries checksums of its own"),
    questdb(
        "replication.primary.sequencer.part.txn.count",
        Number(1, u64::MAX),
        Value("5000"),
        "transactions in a part of a table's log",
    )
    .idle("the log has no parts for each table"),
    questdb(
        "replication.primary.upload.truncated",
        OneOf(SWITCH),
        Value("true"),
        "leaves out what is empty at a column's end",
    )
    .idle("only the rows of transactions are uploaded"),
    // What follows.
    questdb(
        "replication.replica.poll.interval",
        Time,
        Value("1000"),
        "how often the next object is asked for",
    ),
    ours(
        "understudy.replica.poll.interval.max",
        Time,
        Value("10s"),
        "the same at most, when nothing has come for long",
    ),
    // Requests.
    questdb(
        "replication.requests.base.timeout",
        Time,
        Value("10s"),
        "what a request may take beside the time for its bytes",
    ),
    questdb("replication.requests.buffer.size", Size, Value("32768"), "a download's buffer")
        .idle("an object is read into one buffer of its size"),
    questdb(
        "replication.requests.max.batch.size.fast",
        Number(1, u32::MAX as u64),
        Value("64"),
        "requests at once",
    ),
    questdb(
        "replication.requests.max.batch.size.slow",
        Number(1, u32::MAX as u64),
        Value("2"),
        "repeated requests at once",
    ),
    questdb(
        "replication.requests.max.concurrent",
        Number(0, u32::MAX as u64),
        Value("0"),
        "requests at once, of all kinds; 0 sets no limit",
    ),
    questdb(
        "replication.requests.min.throughput",
        Number(1, u32::MAX as u64),
        Value("262144"),
        "bytes in a second at which a request's time for its bytes is reckoned",
    ),
    questdb(
        "replication.requests.retry.attempts",
        Number(0, u32::MAX as u64),
        Value("3"),
        "how often a request is repeated",
    ),
    questdb(
        "replication.requests.retry.interval",
        Time,
        Value("200"),
        "the pause before the first repetition",
    ),
    // Metrics.
    questdb(
        "replication.metrics.per.table",
        OneOf(SWITCH),
        Value("true"),
        "metrics of each table, at most 1,000 of them; else the worst of all",
    ),
    questdb(
        "replication.metrics.dropped.table.poll.count",
        Number(0, u64::MAX),
        Value("10"),
        "how many scrapes a dropped table is still shown for",
    )
    .idle("a dropped table's metrics end with it"),
    // The cleaner.
    questdb(
        "replication.primary.cleaner.enabled",
        OneOf(SWITCH),
        Value("false"),
        "`ship` deletes packs that nobody needs any more; `understudy clean` does it once",
    )
    .theirs("true"),
    questdb(
        "replication.primary.cleaner.backup.window.count",
        Number(1, u64::MAX),
        Value("5"),
        "snapshots that stay in the bucket, with all that follows the oldest of them",
    ),
    questdb(
        "replication.primary.cleaner.checkpoint.source",
        OneOf(SWITCH),
        Value("true"),
        "checkpoints count as backups",
    )
    .idle("snapshots of the bucket count, which `ship` makes"),
    questdb(
        "replication.primary.cleaner.delete.concurrency",
        Number(4, 32),
        Computed("4 to 12"),
        "deletions at once",
    )
    .idle("packs are deleted one by one"),
    questdb(
        "replication.primary.cleaner.dropped.table.cooloff",
        Time,
        Value("1h"),
        "how long a dropped table is kept",
    )
    .idle("a pack is of all tables, and goes by its number"),
    questdb("replication.primary.cleaner.interval", Time, Value("10m"), "pause between two cleanings"),
    questdb(
        "replication.primary.cleaner.max.requests.per.second",
        Number(0, 10_000),
        Computed("by the service"),
        "deletions in a second",
    )
    .idle("packs are deleted one by one"),
    questdb(
        "replication.primary.cleaner.progress.write.interval",
        Time,
        Value("5s"),
        "how often progress is kept",
    )
    .idle("the boundary is put down before anything is deleted"),
    questdb(
        "replication.primary.cleaner.retry.attempts",
        Number(0, 100),
        Value("20"),
        "repetitions of a deletion",
    )
    .idle("replication.requests.retry.attempts, and the next round takes up what is left"),
    questdb("replication.primary.cleaner.retry.interval", Time, Value("2s"), "pause between repetitions")
        .idle("replication.requests.retry.interval"),
    questdb(
        "checkpoint.history.enabled",
        OneOf(SWITCH),
        Value("true"),
        "keeps a list of checkpoints in the bucket",
    )
    .idle(NO_CHECKPOINTS),
    questdb("checkpoint.history.keep.count", Number(0, u64::MAX), Value("100"), "how many of them")
        .idle(NO_CHECKPOINTS),
    questdb("checkpoint.history.long.retry.interval", Time, Value("1m"), "pause after failures")
        .idle(NO_CHECKPOINTS),
    // Storage policies.
    questdb("storage.policy.check.interval", Time, Value("5m"), "how often partitions are looked at"),
    questdb(
        "storage.policy.max.reschedule.count",
        Number(0, 1_000_000),
        Value("20"),
        "how often a task that failed is tried again",
    ),
    questdb("storage.policy.retry.interval", Time, Value("1m"), "pause before a task is tried again"),
    questdb("storage.policy.worker.affinity", Name, Value("-1"), "cores of the threads")
        .idle("the threads run on any core"),
    questdb(
        "storage.policy.worker.count",
        Number(0, 1024),
        Value("4"),
        "threads, beside those that apply; 0 is no policies on this node",
    ),
    questdb("storage.policy.worker.haltOnError", OneOf(SWITCH), Value("false"), "a thread stops at an error")
        .idle("a thread whose task failed takes the next one"),
    questdb(
        "storage.policy.worker.nap.threshold",
        Number(0, u64::MAX),
        Value("100"),
        "idle rounds before a short pause",
    )
    .idle(NO_ROUNDS),
    questdb(
        "storage.policy.worker.sleep.threshold",
        Number(0, u64::MAX),
        Value("500"),
        "idle rounds before a long pause",
    )
    .idle(NO_ROUNDS),
    questdb("storage.policy.worker.sleep.timeout", Time, Value("100ms"), "the long pause").idle(NO_ROUNDS),
    questdb(
        "storage.policy.worker.yield.threshold",
        Number(0, u64::MAX),
        Value("10"),
        "idle rounds before others are let go first",
    )
    .idle(NO_ROUNDS),
    // Ours.
    ours(
        "understudy.node.name",
        Name,
        Computed("the machine's name"),
        "the name of this node in the cluster",
    ),
    ours(
        "understudy.node.gone.after",
        Time,
        Value("24h"),
        "a node that was not heard of for this long is told as gone",
    ),
    ours("understudy.snapshot.interval", Time, Value("24h"), "the longest time between two snapshots"),
    ours("understudy.snapshot.bytes", Size, Value("10 GiB"), "bytes of packs after which a snapshot is made"),
    ours(
        "understudy.ship.disk.limit",
        Size,
        Value("10 GiB"),
        "bytes of QuestDB's log that are kept on disk while the store can't be reached",
    ),
    ours(
        "understudy.ship.digest.rate",
        Size,
        Value("8 MiB"),
        "bytes in a second that are read of QuestDB's tables for digests",
    ),
    ours(
        "understudy.ship.http.bind.to",
        Address,
        Value("127.0.0.1:9013"),
        "where `understudy ship` answers /metrics and health checks; QuestDB beside it has 9003",
    ),
    ours("understudy.digest", OneOf(ON_OFF), Value("on"), "digests of tables are made and compared"),
    ours("understudy.signing.key", SecretKey, None, "Ed25519 secret key that signs this node's objects"),
    ours(
        "understudy.trusted.keys",
        PublicKeys,
        None,
        "Ed25519 public keys; with any, only objects signed by one of them are taken",
    ),
    ours("understudy.on.fence", Command, None, "run by sh when another primary has taken over"),
    ours(
        "understudy.failover",
        OneOf(FAILOVER),
        Value("off"),
        "`auto`: a replica takes over by itself when the primary falls silent; docs/failover.md",
    ),
    ours(
        "understudy.failover.beat",
        Time,
        Value("2s"),
        "with `auto`, a primary puts a pack at least this often",
    ),
    ours(
        "understudy.failover.patience",
        Time,
        Value("5s"),
        "with `auto`, how long a replica hears nothing before it takes over",
    ),
    ours(
        "understudy.failover.rank",
        Number(0, 100),
        Value("0"),
        "with `auto`, a replica of rank n waits half the patience n times longer",
    ),
    ours(
        "understudy.failover.self.stop",
        Time,
        Value("4s"),
        "with `auto`, a primary whose packs are not confirmed for this long takes no writes",
    ),
    // QuestDB's, that we share.
    questdb("http.min.enabled", OneOf(SWITCH), Value("true"), "a node answers /metrics and health checks"),
    questdb(
        "http.min.net.bind.to",
        Address,
        Value("0.0.0.0:9003"),
        "where; `understudy ship` has an address of its own",
    ),
    questdb(
        "http.min.bind.to",
        Address,
        Computed("the former"),
        "an older name of the former, which goes before it",
    ),
    questdb("metrics.enabled", OneOf(SWITCH), Value("true"), "/metrics is among it").theirs("false"),
    questdb(
        "cairo.commit.mode",
        OneOf(&["nosync", "async", "sync"]),
        Value("nosync"),
        "what of a replica's tables survives a loss of power",
    ),
    questdb(
        "cairo.wal.purge.interval",
        Time,
        Value("30000"),
        "how often QuestDB deletes what it has applied; `understudy doctor` looks at it",
    ),
    // A node that takes lines.
    questdb("line.http.enabled", OneOf(SWITCH), Value("true"), "a node of our own takes lines over HTTP"),
    questdb("http.net.bind.to", Address, Value("0.0.0.0:9000"), "where it takes them"),
    questdb(
        "http.bind.to",
        Address,
        Computed("the former"),
        "an older name of the former, which goes before it",
    ),
    questdb("http.net.connection.timeout", Time, Value("5m"), "how long a request may take to come in whole"),
    questdb(
        "line.http.max.recv.buffer.size",
        Size,
        Value("128 MiB"),
        "bytes of a request, unpacked; all requests at a time have four times as much",
    )
    .theirs("1 GiB for a line"),
    questdb(
        "line.default.partition.by",
        OneOf(&["DAY", "HOUR", "WEEK", "MONTH", "YEAR"]),
        Value("DAY"),
        "the partitions of tables that a line makes",
    ),
    questdb("line.auto.create.new.tables", OneOf(SWITCH), Value("true"), "lines make tables"),
    questdb("line.auto.create.new.columns", OneOf(SWITCH), Value("true"), "lines make columns"),
    questdb(
        "line.float.default.column.type",
        OneOf(&["DOUBLE", "FLOAT"]),
        Value("DOUBLE"),
        "the type of a column that a number makes",
    ),
    questdb(
        "line.integer.default.column.type",
        OneOf(&["LONG", "INT", "SHORT", "BYTE"]),
        Value("LONG"),
        "the type of a column that a whole number makes",
    ),
    questdb(
        "cairo.wal.segment.rollover.row.count",
        Number(1, u32::MAX as u64),
        Value("200000"),
        "rows after which a segment of the log is full",
    ),
    questdb("cairo.wal.segment.rollover.size", Size, Value("50 MiB"), "bytes after which it is"),
    questdb(
        "cairo.ttl.use.wall.clock",
        OneOf(SWITCH),
        Value("true"),
        "for storage policies, rows dated in the future make no others old; for a TTL that is always so here",
    ),
    questdb(
        "cairo.partition.encoder.parquet.compression.codec",
        OneOf(CODECS),
        Value("LZ4_RAW"),
        "of Parquet files, by a storage policy or `understudy convert`",
    ),
    questdb(
        "cairo.partition.encoder.parquet.compression.level",
        Number(0, 22),
        Computed("9 for ZSTD, else 0"),
        "the codec's level",
    ),
    questdb(
        "cairo.partition.encoder.parquet.row.group.size",
        Number(4, u64::MAX),
        Value("100000"),
        "rows of a row group",
    ),
    questdb(
        "cairo.partition.encoder.parquet.data.page.size",
        Size,
        Value("1048576"),
        "bytes of a page, about",
    ),
    questdb(
        "cairo.partition.encoder.parquet.min.compression.ratio",
        Ratio,
        Value("1.2"),
        "a column that shrinks by less is stored as it is",
    ),
    questdb(
        "cairo.partition.encoder.parquet.statistics.enabled",
        OneOf(SWITCH),
        Value("true"),
        "smallest and largest value of each row group",
    ),
    questdb(
        "cairo.partition.encoder.parquet.version",
        OneOf(&["1", "2"]),
        Value("1"),
        "version of data pages",
    ),
];

const ROLES: &[&str] = &["none", "primary", "replica", "primary-catchup-uploads"];
const CODECS: &[&str] = &["LZ4_RAW", "UNCOMPRESSED", "SNAPPY", "GZIP", "BROTLI", "ZSTD", "default"];
const SWITCH: &[&str] = &["true", "false"];
const FAILOVER: &[&str] = &["off", "auto"];
const ON_OFF: &[&str] = &["on", "off"];
const NO_CHECKPOINTS: &str = "the cleaner counts the snapshots of the bucket";
const NO_ROUNDS: &str = "a thread without a task sleeps until there is one";

/// A setting that QuestDB documents, with the same default.
const fn questdb(key: &'static str, takes: Takes, default: Preset, what: &'static str) -> Setting {
    Setting { key, takes, default, what, origin: QuestDb, support: Honoured }
}

/// A setting of our own.
const fn ours(key: &'static str, takes: Takes, default: Preset, what: &'static str) -> Setting {
    Setting { key, takes, default, what, origin: Understudy, support: Honoured }
}

impl Setting {
    /// QuestDB's default is another.
    const fn theirs(self, default: &'static str) -> Self {
        Self { origin: QuestDbWith(default), ..self }
    }

    const fn idle(self, why: &'static str) -> Self {
        Self { support: NoEffect(why), ..self }
    }
}
