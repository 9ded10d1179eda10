//! The keys of a connection string: what each takes, and where it goes.

use super::{Durability, Settings};
use crate::client::{FirstConnect, Policy, Target};

/// One key.
pub(super) struct Key {
    pub(super) name: &'static str,
    /// What a value has to be, in words.
    pub(super) expected: &'static str,
    pub(super) take: Take,
}

/// What becomes of a value.
pub(super) enum Take {
    /// Stored; `None` if it is not what the key takes.
    Value(fn(&mut Settings, &str) -> Option<()>),
    /// Of the other direction, or of a pool of connections: not looked at, as QuestDB's own clients do it.
    Ignored,
    /// Of official ILP clients, with a meaning that this client does not have: refused, with what to use.
    Useless(&'static str),
}

const MILLIS: &str = "milliseconds";
const SIZE: &str = "a size in bytes, or with k, m, g or t behind it";
const ON_OFF: &str = "on or off";
const TEXT: &str = "a text that is not empty";
const POLICY: &str = "auto, terminal, retriable or retriable_other";

const fn key(name: &'static str, expected: &'static str, set: fn(&mut Settings, &str) -> Option<()>) -> Key {
    Key { name, expected, take: Take::Value(set) }
}

const fn ignored(name: &'static str) -> Key {
    Key { name, expected: TEXT, take: Take::Ignored }
}

/// Stores a value that was read.
fn put<T>(place: &mut T, value: Option<T>) -> Option<()> {
    *place = value?;
    Some(())
}

/// All of them. Aliases (`user`, `pass`, `tls_ca`) are resolved before.
pub(super) const KEYS: &[Key] = &[
    key("addr", "host:port[,host:port...]", |_, _| Some(())),
    // login and network
    key("username", TEXT, |_, v| text(v).map(|_| ())),
    key("password", "a text", |_, _| Some(())),
    key("token", TEXT, |_, v| text(v).map(|_| ())),
    key("auth_timeout_ms", "milliseconds, more than 0", |s, v| put(&mut s.auth_timeout_ms, above_0(v))),
    key("connect_timeout", "milliseconds, more than 0", |s, v| {
        put(&mut s.connect_timeout_ms, above_0(v).map(Some))
    }),
    key("request_timeout", MILLIS, |s, v| put(&mut s.request_timeout_ms, v.parse().ok())),
    key("request_min_throughput", "bytes a second", |s, v| put(&mut s.request_min_throughput, size(v))),
    key("tls_verify", "on or unsafe_off", |s, v| {
        put(&mut s.tls_verify, one_of(v, &[("on", true), ("unsafe_off", false)]))
    }),
    key("tls_roots", "the path of a PEM file", |s, v| put(&mut s.tls_roots, text(v).map(Some))),
    Key {
        name: "tls_roots_password",
        expected: TEXT,
        take: Take::Useless("tls_roots takes a PEM file, which needs no password"),
    },
    Key {
        name: "retry_timeout",
        expected: MILLIS,
        take: Take::Useless("a running client retries for as long as it has room: see sf_max_total_bytes"),
    },
    key("protocol_version", "auto, 1, 2 or 3", |s, v| {
        let versions = [("auto", None), ("1", Some(1)), ("2", Some(2)), ("3", Some(3))];
        put(&mut s.protocol_version, one_of(v, &versions))
    }),
    // batches
    key("auto_flush", ON_OFF, |s, v| {
        if !on_off(v)? {
            (s.auto_flush_rows, s.auto_flush_bytes, s.auto_flush_interval_ms) = (None, None, None);
        }
        Some(())
    }),
    key("auto_flush_rows", "a number of rows, or off", |s, v| {
        put(&mut s.auto_flush_rows, or_off(v, above_0))
    }),
    key("auto_flush_bytes", "a size, or off", |s, v| {
        put(&mut s.auto_flush_bytes, or_off(v, size).map(|bytes| bytes.filter(|bytes| *bytes > 0)))
    }),
    key("auto_flush_interval", "milliseconds, or off", |s, v| {
        put(&mut s.auto_flush_interval_ms, or_off(v, above_0))
    }),
    key("init_buf_size", SIZE, |_, v| size(v).map(|_| ())),
    key("max_buf_size", SIZE, |s, v| put(&mut s.max_buf_size, size(v).filter(|size| *size > 0))),
    key("max_name_len", "a number", |_, v| v.parse::<u32>().ok().map(|_| ())),
    // failover
    key("zone", TEXT, |s, v| put(&mut s.zone, text(v).map(Some))),
    key("target", "any, primary or replica", |s, v| {
        let targets = [("any", Target::Any), ("primary", Target::Primary), ("replica", Target::Replica)];
        put(&mut s.target, one_of(v, &targets))
    }),
    key("initial_connect_retry", "off, on (or sync) or async", |s, v| {
        let (off, on) = (FirstConnect::Off, FirstConnect::On);
        let modes = [
            ("off", off),
            ("false", off),
            ("on", on),
            ("sync", on),
            ("true", on),
            ("async", FirstConnect::Async),
        ];
        put(&mut s.initial_connect_retry, one_of(v, &modes))
    }),
    key("reconnect_initial_backoff_millis", MILLIS, |s, v| {
        put(&mut s.reconnect_initial_backoff_ms, v.parse().ok())
    }),
    key("reconnect_max_backoff_millis", MILLIS, |s, v| put(&mut s.reconnect_max_backoff_ms, v.parse().ok())),
    key("reconnect_max_duration_millis", MILLIS, |s, v| {
        put(&mut s.reconnect_max_duration_ms, v.parse().ok())
    }),
    key("close_flush_timeout_millis", "milliseconds; 0 or -1 does not wait", |s, v| {
        put(&mut s.close_flush_timeout_ms, if v == "-1" { Some(0) } else { v.parse().ok() })
    }),
    key("failover", ON_OFF, |s, v| put(&mut s.failover.on, on_off(v))),
    key("failover_max_attempts", "a number above 0", |s, v| {
        put(&mut s.failover.max_attempts, v.parse().ok().filter(|count| *count > 0))
    }),
    key("failover_max_duration_ms", MILLIS, |s, v| put(&mut s.failover.max_duration_ms, v.parse().ok())),
    key("failover_backoff_initial_ms", MILLIS, |s, v| {
        put(&mut s.failover.backoff_initial_ms, v.parse().ok())
    }),
    key("failover_backoff_max_ms", MILLIS, |s, v| put(&mut s.failover.backoff_max_ms, v.parse().ok())),
    // store-and-forward
    key("sf_dir", "a directory", |s, v| put(&mut s.sf_dir, text(v).map(Some))),
    key("sender_id", "letters, digits, _ and -", |s, v| {
        let fits = v.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
        put(&mut s.sender_id, text(v).filter(|_| fits))
    }),
    key("sf_max_segment_bytes", "a size of at least 1k and at most 1g", |s, v| {
        put(&mut s.sf_max_segment_bytes, size(v).filter(|size| (1 << 10..=1 << 30).contains(size)))
    }),
    key("sf_max_total_bytes", SIZE, |s, v| put(&mut s.sf_max_total_bytes, size(v).map(Some))),
    key("sf_durability", "memory or periodic (flush and append are reserved, and refused)", |s, v| {
        let modes = [("memory", Durability::Memory), ("periodic", Durability::Periodic)];
        put(&mut s.sf_durability, one_of(v, &modes))
    }),
    key("sf_sync_interval_millis", "milliseconds, more than 0", |s, v| {
        put(&mut s.sf_sync_interval_ms, above_0(v))
    }),
    key("sf_append_deadline_millis", MILLIS, |s, v| put(&mut s.sf_append_deadline_ms, v.parse().ok())),
    key("drain_orphans", ON_OFF, |s, v| put(&mut s.drain_orphans, on_off(v))),
    key("max_background_drainers", "a number above 0", |s, v| {
        put(&mut s.max_background_drainers, v.parse().ok().filter(|count| *count > 0))
    }),
    // acknowledgements and errors
    key("request_durable_ack", ON_OFF, |s, v| put(&mut s.request_durable_ack, on_off(v))),
    key("durable_ack_keepalive_interval_millis", MILLIS, |_, v| v.parse::<i64>().ok().map(|_| ())),
    key("error_inbox_capacity", "a number, at least 16", |s, v| {
        put(&mut s.error_inbox_capacity, v.parse().ok().filter(|count| *count >= 16))
    }),
    key("max_frame_rejections", "a number above 0", |s, v| {
        put(&mut s.max_frame_rejections, v.parse().ok().filter(|count| *count > 0))
    }),
    key("poison_min_escalation_window_millis", MILLIS, |s, v| {
        put(&mut s.poison_min_escalation_window_ms, v.parse().ok())
    }),
    key("on_server_error", POLICY, |s, v| put(&mut s.policies.server, policy(v))),
    key("on_schema_error", POLICY, |s, v| put(&mut s.policies.schema, policy(v))),
    key("on_parse_error", POLICY, |s, v| put(&mut s.policies.parse, policy(v))),
    key("on_internal_error", POLICY, |s, v| put(&mut s.policies.internal, policy(v))),
    key("on_security_error", POLICY, |s, v| put(&mut s.policies.security, policy(v))),
    key("on_write_error", POLICY, |s, v| put(&mut s.policies.write, policy(v))),
    // of queries and pools
    ignored("acquire_timeout_ms"),
    ignored("buffer_pool_size"),
    ignored("client_id"),
    ignored("compression"),
    ignored("compression_level"),
    ignored("housekeeper_interval_ms"),
    ignored("idle_timeout_ms"),
    ignored("initial_credit"),
    ignored("lazy_connect"),
    ignored("max_batch_rows"),
    ignored("max_lifetime_ms"),
    ignored("query_close_timeout_ms"),
    ignored("query_pool_max"),
    ignored("query_pool_min"),
    ignored("sender_pool_max"),
    ignored("sender_pool_min"),
];

fn text(value: &str) -> Option<Box<str>> {
    (!value.is_empty()).then(|| value.into())
}

fn above_0(value: &str) -> Option<u64> {
    value.parse().ok().filter(|number| *number > 0)
}

fn one_of<T: Clone>(value: &str, known: &[(&str, T)]) -> Option<T> {
    known.iter().find(|(name, _)| *name == value).map(|(_, known)| known.clone())
}

fn on_off(value: &str) -> Option<bool> {
    one_of(value, &[("on", true), ("true", true), ("off", false), ("false", false)])
}

fn or_off(value: &str, read: fn(&str) -> Option<u64>) -> Option<Option<u64>> {
    if value == "off" { Some(None) } else { read(value).map(Some) }
}

fn policy(value: &str) -> Option<Option<Policy>> {
    if value == "auto" { Some(None) } else { Policy::parse(value).map(Some) }
}

/// `65536`, `64k`, `4mb`: units of 1,024, in any case.
fn size(value: &str) -> Option<u64> {
    let lower = value.to_ascii_lowercase();
    let digits = lower.trim_end_matches('b').trim_end_matches(['k', 'm', 'g', 't']);
    let shift = match lower.strip_prefix(digits)? {
        "" => 0,
        "k" | "kb" => 10,
        "m" | "mb" => 20,
        "g" | "gb" => 30,
        "t" | "tb" => 40,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(1 << shift)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn size_suffixes() {
        let sizes = ["65536", "64k", "64K", "4m", "4mb", "1g", "10GB", "1t"].map(size);
        let expected = [65_536, 65_536, 65_536, 4 << 20, 4 << 20, 1 << 30, 10 << 30, 1 << 40].map(Some);
        assert_eq!(sizes, expected);
        assert_eq!(["", "k", "4x", "-1", "4kk", "b", "99999999999t"].map(size), [None; 7]);
    }

    #[test]
    fn no_key_is_there_twice() {
        let mut names: Vec<_> = KEYS.iter().map(|key| key.name).collect();
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
