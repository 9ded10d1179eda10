//! A client's settings, by the names of QuestDB's connection strings.

mod conf;
mod keys;

pub use crate::secret::Secret;
pub use conf::ConfError;

use super::host::Target;
use super::rejection::Policies;
use super::walk::{FirstConnect, WalkSettings, Way};
use super::{Limits, queue};

/// How to reach the servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Scheme {
    /// ILP over HTTP.
    #[default]
    Http,
    /// ILP over HTTP with TLS.
    Https,
    /// QWP over WebSocket.
    Ws,
    /// QWP over WebSocket with TLS.
    Wss,
}

/// How a client proves who it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub enum Login {
    /// Not at all.
    #[default]
    None,
    /// HTTP Basic.
    Basic {
        /// `username`.
        username: Box<str>,
        /// `password`.
        password: Secret,
    },
    /// `token`.
    Bearer(Secret),
}

/// When stored frames are put on stable storage (`sf_durability`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Durability {
    /// When the system likes to: they outlive the process, not a loss of power.
    #[default]
    Memory,
    /// Each `sf_sync_interval_millis`.
    Periodic,
}

/// All settings. [`Settings::new`] has the documented defaults, [`Settings::parse`] reads a connection string.
///
/// ```
/// use understudy::client::Settings;
/// let settings = Settings::parse("http::addr=a:9000,b:9000;request_durable_ack=on;")?;
/// assert_eq!(settings.addrs.len(), 2);
/// # Ok::<(), understudy::client::ConfError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Settings {
    /// What stands before `::`.
    pub scheme: Scheme,
    /// `addr`: `host:port`, in order.
    pub addrs: Vec<Box<str>>,
    /// `username` and `password`, or `token`.
    pub login: Login,
    /// `auth_timeout_ms`: how long a server may take to say that it takes writes.
    pub auth_timeout_ms: u64,
    /// `connect_timeout`, in milliseconds; `None` leaves it to the system.
    pub connect_timeout_ms: Option<u64>,
    /// `request_timeout`, in milliseconds: how long the answer to a frame may take; 0 for ever.
    pub request_timeout_ms: u64,
    /// `request_min_throughput`, in bytes a second: larger frames may take longer; 0 for no allowance.
    pub request_min_throughput: u64,
    /// `tls_verify`: false for `unsafe_off`.
    pub tls_verify: bool,
    /// `tls_roots` or `tls_ca`: a PEM file with the authorities to trust.
    pub tls_roots: Option<Box<str>>,
    /// `protocol_version` of ILP; `None` is `auto`.
    pub protocol_version: Option<u8>,
    /// `auto_flush_rows`.
    pub auto_flush_rows: Option<u64>,
    /// `auto_flush_bytes`.
    pub auto_flush_bytes: Option<u64>,
    /// `auto_flush_interval`, in milliseconds.
    pub auto_flush_interval_ms: Option<u64>,
    /// `max_buf_size`: a batch's largest size, in bytes.
    pub max_buf_size: u64,
    /// `target`. Of egress; ingress follows the primary.
    pub target: Target,
    /// `zone`. Of egress.
    pub zone: Option<Box<str>>,
    /// `initial_connect_retry`.
    pub initial_connect_retry: FirstConnect,
    /// `reconnect_initial_backoff_millis`.
    pub reconnect_initial_backoff_ms: u64,
    /// `reconnect_max_backoff_millis`.
    pub reconnect_max_backoff_ms: u64,
    /// `reconnect_max_duration_millis`.
    pub reconnect_max_duration_ms: u64,
    /// `close_flush_timeout_millis`; 0 does not wait.
    pub close_flush_timeout_ms: u64,
    /// `failover` and its kin, of egress.
    pub failover: Failover,
    /// `sf_dir`; `None` is memory mode.
    pub sf_dir: Option<Box<str>>,
    /// `sender_id`.
    pub sender_id: Box<str>,
    /// `sf_max_segment_bytes`.
    pub sf_max_segment_bytes: u64,
    /// `sf_max_total_bytes`; `None` is 128 MiB in memory mode, else 10 GiB.
    pub sf_max_total_bytes: Option<u64>,
    /// `sf_durability`.
    pub sf_durability: Durability,
    /// `sf_sync_interval_millis`.
    pub sf_sync_interval_ms: u64,
    /// `sf_append_deadline_millis`.
    pub sf_append_deadline_ms: u64,
    /// `drain_orphans`.
    pub drain_orphans: bool,
    /// `max_background_drainers`.
    pub max_background_drainers: usize,
    /// `request_durable_ack`.
    pub request_durable_ack: bool,
    /// `on_server_error` and its kin.
    pub policies: Policies,
    /// `error_inbox_capacity`.
    pub error_inbox_capacity: usize,
    /// `max_frame_rejections`.
    pub max_frame_rejections: u32,
    /// `poison_min_escalation_window_millis`.
    pub poison_min_escalation_window_ms: u64,
    /// Frames that may be sent before the first of them is answered; no key has it. ILP over HTTP answers each request
    /// before the next: 1.
    pub max_in_flight: usize,
}

/// The limits of failover on egress.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Failover {
    /// `failover`.
    pub on: bool,
    /// `failover_max_attempts`.
    pub max_attempts: u32,
    /// `failover_max_duration_ms`.
    pub max_duration_ms: u64,
    /// `failover_backoff_initial_ms`.
    pub backoff_initial_ms: u64,
    /// `failover_backoff_max_ms`.
    pub backoff_max_ms: u64,
}

const MIB: u64 = 1 << 20;

impl Settings {
    /// The documented defaults for these hosts over ILP/HTTP.
    pub fn new<'a>(addrs: impl IntoIterator<Item = &'a str>) -> Self {
        Self {
            scheme: Scheme::Http,
            addrs: addrs.into_iter().map(Into::into).collect(),
            login: Login::None,
            auth_timeout_ms: 15_000,
            connect_timeout_ms: None,
            request_timeout_ms: 10_000,
            request_min_throughput: 100 << 10,
            tls_verify: true,
            tls_roots: None,
            protocol_version: None,
            auto_flush_rows: Some(75_000),
            auto_flush_bytes: None,
            auto_flush_interval_ms: Some(1_000),
            max_buf_size: 100 * MIB,
            target: Target::Any,
            zone: None,
            initial_connect_retry: FirstConnect::Off,
            reconnect_initial_backoff_ms: 100,
            reconnect_max_backoff_ms: 5_000,
            reconnect_max_duration_ms: 300_000,
            close_flush_timeout_ms: 60_000,
            failover: Failover {
                on: true,
                max_attempts: 8,
                max_duration_ms: 30_000,
                backoff_initial_ms: 50,
                backoff_max_ms: 1_000,
            },
            sf_dir: None,
            sender_id: "default".into(),
            sf_max_segment_bytes: 4 * MIB,
            sf_max_total_bytes: None,
            sf_durability: Durability::Memory,
            sf_sync_interval_ms: 5_000,
            sf_append_deadline_ms: 30_000,
            drain_orphans: false,
            max_background_drainers: 4,
            request_durable_ack: false,
            policies: Policies::default(),
            error_inbox_capacity: 256,
            max_frame_rejections: 4,
            poison_min_escalation_window_ms: 5_000,
            max_in_flight: 1,
        }
    }

    /// Reads a connection string: `scheme::key=value;...`, `;;` for a semicolon in a value.
    ///
    /// # Errors
    /// [`ConfError`], which never repeats a password or token.
    pub fn parse(conf: &str) -> Result<Self, ConfError> {
        conf::parse(conf)
    }

    /// The queue's capacity.
    pub fn limits(&self) -> Limits {
        let default = if self.sf_dir.is_some() { 10 << 30 } else { 128 * MIB };
        let total_bytes = self.sf_max_total_bytes.unwrap_or(default);
        queue::Limits { segment_bytes: self.sf_max_segment_bytes, total_bytes }
    }

    /// A walk for writes.
    pub fn ingress(&self) -> WalkSettings {
        let way = Way::Ingress {
            initial_backoff_ms: self.reconnect_initial_backoff_ms,
            max_backoff_ms: self.reconnect_max_backoff_ms,
            first: self.initial_connect_retry,
            max_duration_ms: self.reconnect_max_duration_ms,
            drainer: false,
        };
        WalkSettings { addrs: self.addrs.clone(), zone: None, way }
    }

    /// A walk for queries.
    pub fn egress(&self) -> WalkSettings {
        let way = Way::Egress {
            target: self.target,
            failover: self.failover.on,
            max_attempts: self.failover.max_attempts,
            max_duration_ms: self.failover.max_duration_ms,
            initial_backoff_ms: self.failover.backoff_initial_ms,
            max_backoff_ms: self.failover.backoff_max_ms,
        };
        WalkSettings { addrs: self.addrs.clone(), zone: self.zone.clone(), way }
    }
}
