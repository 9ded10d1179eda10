//! `server.conf`, with QuestDB's names and rules, and `QDB_*` variables over it.
//!
//! | file | what happens there |
//! |---|---|
//! | [`table`] | all settings: name, type, default, what becomes of it |
//! | [`setting`] | what a setting is |
//! | [`properties`] | the file's syntax, Java's |
//! | [`given`] | what was set, and where: file, environment, secrets' own files |
//! | [`value`] | times and sizes |
//! | [`mod@print`] | the file with every setting, commented out |
//!
//! A key that begins with `replication.`, `storage.policy.` or `understudy.` and is not known, or asks for what is not
//! done, is an error that names key, line and the nearest known one. Other keys belong to the QuestDB beside us; those
//! in the table are honoured, the rest is ignored.
//!
//! ```
//! use std::time::Duration;
//! use understudy::native::config::{Config, Role};
//! # let root = tempfile::tempdir()?;
//! std::fs::create_dir(root.path().join("conf"))?;
//! std::fs::write(root.path().join("conf/server.conf"), "replication.role=replica\nreplication.replica.poll.interval=50\n")?;
//! let config = Config::load_with(root.path(), &[("QDB_UNDERSTUDY_NODE_NAME".into(), "b".into())])?;
//! assert_eq!((config.role, config.replica.poll_interval), (Role::Replica, Duration::from_millis(50)));
//! assert_eq!(config.node.name, "b");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod given;
pub mod print;
pub mod properties;
mod read;
pub mod setting;
pub mod table;
#[cfg(test)]
mod tests;
pub mod value;

use super::bucket::{Connection, RequestLimits, connection::Secret};
use super::line_http::Limits;
use super::outcome::{Exit, Failure};
use super::store::CommitMode;
use crate::columnar::parquet::Options as ParquetOptions;
use crate::node::Failover;
use crate::node::write::Options as WriteOptions;
use crate::policy::Settings as PolicySettings;
use given::{Origin, Settings};
use std::fmt;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

/// All settings of a node. `Debug` shows no secret.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// `replication.role`.
    pub role: Role,
    /// `replication.object.store`.
    pub object_store: Option<Connection>,
    /// `replication.requests.*`.
    pub requests: RequestLimits,
    /// `replication.primary.*`.
    pub primary: Primary,
    /// `replication.replica.*`.
    pub replica: Replica,
    /// `understudy.node.*`.
    pub node: Node,
    /// `understudy.snapshot.*`.
    pub snapshot: Snapshot,
    /// `understudy.ship.*`.
    pub ship: Ship,
    /// `understudy.digest`: digests of tables are made and compared.
    pub digest: bool,
    /// `understudy.signing.key`: 32 bytes for a [`Signer`](crate::ledger::Signer), see [`Config::signing_key`].
    signing_key: Option<Secret>,
    /// `understudy.trusted.keys`: with any, only objects signed by one of them are taken.
    pub trusted_keys: Vec<[u8; 32]>,
    /// `understudy.on.fence`: run by `sh -c` when another primary has taken over.
    pub on_fence: Option<String>,
    /// `understudy.failover.*`, if it is `auto`: a replica takes over by itself.
    pub failover: Option<Failover>,
    /// `metrics.enabled`, `http.min.*`, `replication.metrics.per.table`.
    pub metrics: Metrics,
    /// `storage.policy.*`, and `cairo.ttl.use.wall.clock`.
    pub policy: PolicySettings,
    /// `cairo.partition.encoder.parquet.*`: how Parquet files are written.
    pub parquet: ParquetOptions,
    /// `cairo.commit.mode`.
    pub commit_mode: CommitMode,
    /// `cairo.wal.purge.interval` of the QuestDB that this directory belongs to.
    pub wal_purge_interval: Duration,
    /// `line.*`, `http.net.*`: a node that takes lines.
    pub lines: Lines,
    /// What may be wrong, to be told once at start.
    pub warnings: Vec<Warning>,
}

/// How lines are taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lines {
    /// `line.http.enabled`.
    pub enabled: bool,
    /// `http.net.bind.to`.
    pub bind: SocketAddr,
    /// `line.http.max.recv.buffer.size`, `http.net.connection.timeout`.
    pub limits: Limits,
    /// `line.default.partition.by` and the like, `cairo.wal.segment.rollover.*`.
    pub tables: WriteOptions,
}

/// `replication.role`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// `none`: stands alone.
    None,
    /// `primary`.
    Primary,
    /// `replica`.
    Replica,
    /// `primary-catchup-uploads`: uploads what is there and ends.
    CatchupUploads,
}

/// How a primary ships.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Primary {
    /// `replication.primary.throttle.window.duration`.
    pub window: Duration,
    /// `replication.primary.compression.level`: zstd's, 1 to 22.
    pub compression_level: i32,
    /// `replication.primary.compression.threads`, at least 1.
    pub compression_threads: usize,
    /// `replication.primary.cleaner.*`, if it is enabled.
    pub cleaning: Option<Cleaner>,
}

/// How a primary keeps the bucket small.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cleaner {
    /// `replication.primary.cleaner.interval`.
    pub interval: Duration,
    /// `replication.primary.cleaner.backup.window.count`: snapshots that stay, with all that follows the oldest of them.
    pub snapshots: u64,
}

/// How a replica follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replica {
    /// `replication.replica.poll.interval`.
    pub poll_interval: Duration,
    /// `understudy.replica.poll.interval.max`; one below the interval has no effect.
    pub poll_interval_max: Duration,
}

/// This node among the others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// `understudy.node.name`.
    pub name: String,
    /// `understudy.node.gone.after`.
    pub gone_after: Duration,
}

/// When snapshots are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Snapshot {
    /// `understudy.snapshot.interval`.
    pub interval: Duration,
    /// `understudy.snapshot.bytes`: of packs.
    pub bytes: u64,
}

/// The shipper beside a QuestDB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ship {
    /// `understudy.ship.disk.limit`, in bytes.
    pub disk_limit: u64,
    /// `understudy.ship.digest.rate`, in bytes a second.
    pub digest_rate: u64,
    /// `understudy.ship.http.bind.to`: QuestDB has the other address.
    pub bind: SocketAddr,
}

/// What is measured, and who may ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metrics {
    /// `http.min.enabled`: there is a server for health and metrics.
    pub server: bool,
    /// `http.min.net.bind.to`.
    pub bind: SocketAddr,
    /// `metrics.enabled`: it answers `/metrics`.
    pub enabled: bool,
    /// `replication.metrics.per.table`.
    pub per_table: bool,
}

impl Config {
    /// Reads `ROOT/conf/server.conf`, if it is there, and the environment of this process.
    ///
    /// # Errors
    /// A [`ConfigError`] with all that can't be taken.
    pub fn load(root: &Path) -> Result<Self, ConfigError> {
        Self::load_with(root, &environment())
    }

    /// Reads the environment of this process alone.
    ///
    /// # Errors
    /// A [`ConfigError`] with all that can't be taken.
    pub fn from_environment() -> Result<Self, ConfigError> {
        read::config(Settings::read(None, &environment()))
    }

    /// The same with these variables in place of the environment.
    ///
    /// # Errors
    /// A [`ConfigError`] with all that can't be taken.
    pub fn load_with(root: &Path, environment: &[(String, String)]) -> Result<Self, ConfigError> {
        let path = root.join("conf").join("server.conf");
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => Some(bytes),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => {
                let problem = Problem { origin: Origin::File(path, 0), what: error.to_string() };
                return Err(ConfigError { problems: vec![problem] });
            }
        };
        let file = bytes.as_deref().map(|bytes| (path.as_path(), bytes));
        read::config(Settings::read(file, environment))
    }

    /// The secret key that signs this node's objects.
    pub fn signing_key(&self) -> Option<[u8; 32]> {
        self.signing_key.as_ref().and_then(|text| value::key(text.reveal()))
    }

    /// The object store, or an error that says where to name one.
    ///
    /// # Errors
    /// A [`Failure`] if none is set.
    pub fn needed_store(&self) -> super::outcome::Result<&Connection> {
        self.object_store.as_ref().ok_or_else(|| {
            Failure::usage("replication.object.store is not set")
                .advise("set it in conf/server.conf, or in QDB_REPLICATION_OBJECT_STORE or QDB_REPLICATION_OBJECT_STORE_FILE; docs/stores.md has its form")
        })
    }
}

/// QuestDB's variables in the environment. Others than ours may hold what is not UTF-8.
fn environment() -> Vec<(String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.to_string_lossy().into_owned())))
        .filter(|(name, _)| name.starts_with("QDB_"))
        .collect()
}

/// All that can't be taken of a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// At least one, in the order in which they were found.
    pub problems: Vec<Problem>,
}

/// A setting that can't be taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where it stands.
    pub origin: Origin,
    /// What is wrong; never a secret.
    pub what: String,
}

/// A setting that may be wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// Where it stands.
    pub origin: Origin,
    /// What it is; never a secret.
    pub what: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.origin, self.what)
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.origin, self.what)
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, problem) in self.problems.iter().enumerate() {
            if at > 0 {
                f.write_str("\n")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::new(Exit::Usage, error.to_string())
            .advise("`understudy generate server-conf` prints every setting with its default")
    }
}
