//! From what was set to typed values.

use super::given::{Given, Settings};
use super::setting::{Preset, Setting, Support, Takes};
use super::table::SETTINGS;
use super::{
    Cleaner, Config, ConfigError, Lines, Metrics, Node, Primary, Problem, Replica, Role, Ship, Snapshot,
    Warning, value,
};
use crate::columnar::parquet::{Codec, Options as ParquetOptions};
use crate::native::bucket::connection::Secret;
use crate::native::bucket::{Connection, RequestLimits};
use crate::native::line_http::Limits;
use crate::native::store::CommitMode;
use crate::node::Failover;
use crate::node::write::Options as WriteOptions;
use crate::policy::Settings as PolicySettings;
use crate::wal::{ColumnType, PartitionBy, Tag};
use std::net::SocketAddr;
use std::time::Duration;

/// The configuration, or all that is wrong with it.
pub(super) fn config(settings: Settings) -> Result<Config, ConfigError> {
    let mut reader = Reader { settings, problems: Vec::new(), warnings: Vec::new() };
    reader.check_support();
    let config = reader.config();
    let Reader { mut settings, problems, warnings } = reader;
    settings.problems.extend(problems);
    settings.warnings.extend(warnings);
    if settings.problems.is_empty() {
        Ok(Config { warnings: settings.warnings, ..config })
    } else {
        Err(ConfigError { problems: settings.problems })
    }
}

struct Reader {
    settings: Settings,
    problems: Vec<Problem>,
    warnings: Vec<Warning>,
}

impl Reader {
    fn config(&mut self) -> Config {
        Config {
            role: match self.word("replication.role") {
                "primary" => Role::Primary,
                "replica" => Role::Replica,
                "primary-catchup-uploads" => Role::CatchupUploads,
                _ => Role::None,
            },
            object_store: self.store("replication.object.store"),
            requests: self.requests(),
            primary: Primary {
                window: self.time("replication.primary.throttle.window.duration"),
                compression_level: self.number("replication.primary.compression.level").unwrap_or(1) as i32,
                compression_threads: self
                    .number("replication.primary.compression.threads")
                    .map_or_else(half_of_the_cores, |threads| threads as usize),
                cleaning: self.cleaner(),
            },
            replica: Replica {
                poll_interval: self.time("replication.replica.poll.interval"),
                poll_interval_max: self.time("understudy.replica.poll.interval.max"),
            },
            node: Node {
                name: self.text("understudy.node.name").unwrap_or_else(machine),
                gone_after: self.time("understudy.node.gone.after"),
            },
            snapshot: Snapshot {
                interval: self.time("understudy.snapshot.interval"),
                bytes: self.size("understudy.snapshot.bytes"),
            },
            ship: Ship {
                disk_limit: self.size("understudy.ship.disk.limit"),
                digest_rate: self.size("understudy.ship.digest.rate"),
                bind: self.address("understudy.ship.http.bind.to"),
            },
            digest: self.word("understudy.digest") == "on",
            signing_key: self.signing_key(),
            trusted_keys: self.public_keys("understudy.trusted.keys"),
            on_fence: self.text("understudy.on.fence"),
            failover: self.failover(),
            metrics: self.metrics(),
            policy: self.policy(),
            parquet: self.parquet(),
            commit_mode: match self.word("cairo.commit.mode") {
                "sync" => CommitMode::Sync,
                "async" => CommitMode::Async,
                _ => CommitMode::NoSync,
            },
            wal_purge_interval: self.time("cairo.wal.purge.interval"),
            lines: self.lines(),
            warnings: Vec::new(),
        }
    }

    fn failover(&mut self) -> Option<Failover> {
        let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let failover = Failover {
            beat_us: micros(self.time("understudy.failover.beat")),
            patience_us: micros(self.time("understudy.failover.patience")),
            self_stop_us: micros(self.time("understudy.failover.self.stop")),
            rank: u32::try_from(self.number("understudy.failover.rank").unwrap_or(0)).unwrap_or(0),
        };
        let wanted = self.word("understudy.failover") == "auto";
        if let Some(fault) = failover.fault().filter(|_| wanted)
            && let Some(given) = self.settings.get("understudy.failover")
        {
            let what = format!("understudy.failover=auto can't go by these timers: {fault}");
            self.problems.push(Problem { origin: given.origin.clone(), what });
        }
        wanted.then_some(failover)
    }

    fn policy(&mut self) -> PolicySettings {
        let micros = |time: Duration| i64::try_from(time.as_micros()).unwrap_or(i64::MAX);
        let count = |number: Option<u64>| u32::try_from(number.unwrap_or(0)).unwrap_or(u32::MAX);
        PolicySettings {
            check_interval_us: micros(self.time("storage.policy.check.interval")),
            retry_interval_us: micros(self.time("storage.policy.retry.interval")),
            max_reschedule_count: count(self.number("storage.policy.max.reschedule.count")),
            worker_count: count(self.number("storage.policy.worker.count")),
            use_wall_clock: self.word("cairo.ttl.use.wall.clock") == "true",
            ..PolicySettings::default()
        }
    }

    fn parquet(&mut self) -> ParquetOptions {
        let codec = self.word("cairo.partition.encoder.parquet.compression.codec");
        let codec = Codec::named(codec).unwrap_or(Codec::Lz4Raw);
        let count = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        let level = self.number("cairo.partition.encoder.parquet.compression.level");
        let ratio = |text: &str| text.parse().ok().filter(|ratio: &f64| ratio.is_finite() && *ratio >= 0.0);
        let preset = ParquetOptions::default();
        ParquetOptions {
            codec,
            level: level.and_then(|level| level.try_into().ok()).unwrap_or_else(|| codec.default_level()),
            row_group_rows: self
                .number("cairo.partition.encoder.parquet.row.group.size")
                .map_or(preset.row_group_rows, count),
            page_bytes: count(self.size("cairo.partition.encoder.parquet.data.page.size")),
            min_ratio: self
                .parsed("cairo.partition.encoder.parquet.min.compression.ratio", ratio)
                .unwrap_or(preset.min_ratio),
            statistics: self.word("cairo.partition.encoder.parquet.statistics.enabled") == "true",
            version: if self.word("cairo.partition.encoder.parquet.version") == "2" { 2 } else { 1 },
        }
    }

    /// What is set and does nothing, or asks for what is not done.
    fn check_support(&mut self) {
        for (setting, given) in self.settings.iter() {
            let origin = given.origin.clone();
            match setting.support {
                Support::Honoured => {}
                Support::NoEffect(why) => {
                    let what = format!("{} has no effect: {why}", setting.key);
                    self.warnings.push(Warning { origin, what });
                }
            }
        }
    }

    fn metrics(&mut self) -> Metrics {
        let older = self.settings.get("http.min.bind.to").is_some();
        let newer = self.settings.get("http.min.net.bind.to").is_some();
        let key = if older && !newer { "http.min.bind.to" } else { "http.min.net.bind.to" };
        Metrics {
            server: self.word("http.min.enabled") == "true",
            bind: self.address(key),
            enabled: self.word("metrics.enabled") == "true",
            per_table: self.word("replication.metrics.per.table") == "true",
        }
    }

    fn lines(&mut self) -> Lines {
        let older = self.settings.get("http.bind.to").is_some();
        let newer = self.settings.get("http.net.bind.to").is_some();
        let key = if older && !newer { "http.bind.to" } else { "http.net.bind.to" };
        let body = self.size("line.http.max.recv.buffer.size").min(u64::from(u32::MAX) - 1);
        let preset = WriteOptions::default();
        let tables = WriteOptions {
            partition_by: match self.word("line.default.partition.by") {
                "HOUR" => PartitionBy::Hour,
                "WEEK" => PartitionBy::Week,
                "MONTH" => PartitionBy::Month,
                "YEAR" => PartitionBy::Year,
                _ => PartitionBy::Day,
            },
            create_tables: self.word("line.auto.create.new.tables") == "true",
            create_columns: self.word("line.auto.create.new.columns") == "true",
            float: of_tag(if self.word("line.float.default.column.type") == "FLOAT" {
                Tag::Float
            } else {
                Tag::Double
            }),
            integer: of_tag(match self.word("line.integer.default.column.type") {
                "INT" => Tag::Int,
                "SHORT" => Tag::Short,
                "BYTE" => Tag::Byte,
                _ => Tag::Long,
            }),
            segment_rows: self.number("cairo.wal.segment.rollover.row.count").unwrap_or(preset.segment_rows),
            segment_bytes: self.size("cairo.wal.segment.rollover.size"),
            ..preset
        };
        Lines {
            enabled: self.word("line.http.enabled") == "true",
            bind: self.address(key),
            limits: Limits {
                body,
                bodies: body.saturating_mul(4),
                patience: self.time("http.net.connection.timeout"),
                name: tables.max_name,
            },
            tables,
        }
    }

    fn cleaner(&mut self) -> Option<Cleaner> {
        let cleaner = Cleaner {
            interval: self.time("replication.primary.cleaner.interval"),
            snapshots: self.number("replication.primary.cleaner.backup.window.count").unwrap_or(5),
        };
        (self.word("replication.primary.cleaner.enabled") == "true").then_some(cleaner)
    }

    fn requests(&mut self) -> RequestLimits {
        const PREFIX: &str = "replication.requests.";
        let mut limits = RequestLimits::default();
        for setting in SETTINGS {
            let Some(name) = setting.key.strip_prefix(PREFIX) else { continue };
            let Some(given) = self.settings.get(setting.key) else { continue };
            if let Err(error) = limits.set(name, &given.value) {
                let origin = given.origin.clone();
                self.problems.push(Problem { origin, what: error.to_string() });
            }
        }
        limits
    }

    /// One of the words that the key takes, in its own spelling.
    fn word(&mut self, key: &'static str) -> &'static str {
        let Some(Setting { takes: Takes::OneOf(words), default, .. }) = Setting::find(key) else { return "" };
        let preset = if let Preset::Value(word) = default { word } else { "" };
        let found = |text: &str| words.iter().copied().find(|word| word.eq_ignore_ascii_case(text));
        self.parsed(key, found).unwrap_or(preset)
    }

    fn time(&mut self, key: &'static str) -> Duration {
        let above_zero = |text: &str| value::time(text).filter(|time| !time.is_zero());
        self.parsed(key, above_zero).or_else(|| above_zero(preset(key))).unwrap_or(Duration::MAX)
    }

    fn size(&mut self, key: &'static str) -> u64 {
        let above_zero = |text: &str| value::size(text).ok().filter(|size| *size > 0);
        self.parsed(key, above_zero).or_else(|| above_zero(preset(key))).unwrap_or(u64::MAX)
    }

    fn number(&mut self, key: &'static str) -> Option<u64> {
        let Some(Setting { takes: Takes::Number(from, to), .. }) = Setting::find(key) else { return None };
        // As QuestDB reads numbers.
        let number =
            |text: &str| text.replace('_', "").parse().ok().filter(|number| (*from..=*to).contains(number));
        self.parsed(key, number).or_else(|| number(preset(key)))
    }

    fn address(&mut self, key: &'static str) -> SocketAddr {
        let address = |text: &str| text.parse().ok();
        let fallback = || address(preset(key)).unwrap_or(SocketAddr::from(([127, 0, 0, 1], 0)));
        self.parsed(key, address).unwrap_or_else(fallback)
    }

    /// A name or a command.
    fn text(&mut self, key: &'static str) -> Option<String> {
        let max = if Setting::find(key).is_some_and(|one| one.takes == Takes::Name) { 128 } else { 4096 };
        self.parsed(key, |text| {
            let fits = !text.is_empty() && text.chars().count() <= max && !text.chars().any(char::is_control);
            fits.then(|| text.to_owned())
        })
    }

    fn store(&mut self, key: &'static str) -> Option<Connection> {
        let given = self.settings.get(key)?;
        match given.value.parse() {
            Ok(store) => Some(store),
            Err(error) => {
                let origin = given.origin.clone();
                self.problems.push(Problem { origin, what: format!("{key}: {error}") });
                None
            }
        }
    }

    fn signing_key(&mut self) -> Option<Secret> {
        self.parsed("understudy.signing.key", |text| value::key(text).map(|_| Secret::from(text)))
    }

    fn public_keys(&mut self, key: &'static str) -> Vec<[u8; 32]> {
        let keys = |text: &str| text.split(',').map(|one| value::key(one.trim())).collect::<Option<Vec<_>>>();
        self.parsed(key, keys).unwrap_or_default()
    }

    /// The value of a key that is set, or a note of what it takes. A secret is not repeated.
    fn parsed<T>(&mut self, key: &'static str, parse: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        let setting = Setting::find(key)?;
        let Given { value, origin } = self.settings.get(key)?;
        let parsed = parse(value);
        if parsed.is_none() {
            let mut what = format!("{key} takes {}", setting.takes);
            if !setting.is_secret() {
                what.push_str(&format!(", not '{value}'"));
            }
            if value.contains(" #") {
                what.push_str("; a comment needs a line of its own");
            }
            self.problems.push(Problem { origin: origin.clone(), what });
        }
        parsed
    }
}

/// The default of a key, as it would be written.
fn preset(key: &str) -> &'static str {
    match Setting::find(key).map(|setting| setting.default) {
        Some(Preset::Value(text)) => text,
        _ => "",
    }
}

fn half_of_the_cores() -> usize {
    std::thread::available_parallelism().map_or(1, |cores| (cores.get() / 2).max(1))
}

/// The name of this machine.
fn machine() -> String {
    #[cfg(unix)]
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    #[cfg(not(unix))]
    let name = std::env::var("COMPUTERNAME").unwrap_or_default();
    if name.is_empty() { "localhost".into() } else { name.chars().take(128).collect() }
}

/// A type without parameters.
fn of_tag(tag: Tag) -> ColumnType {
    ColumnType::from_code(tag as i32).unwrap_or(ColumnType::LONG)
}
