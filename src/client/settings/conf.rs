//! Reading a connection string.

use super::keys::{KEYS, Take};
use super::{Durability, Login, Scheme, Secret, Settings};
use crate::client::FirstConnect;
use std::collections::BTreeMap;

/// Why a connection string is refused.
#[derive(Debug, Clone, PartialEq, Eq, Hash, thiserror::Error)]
pub enum ConfError {
    /// No `scheme::`, or none of those that are known.
    #[error(
        "a connection string begins with http::, https::, ws:: or wss::, as in http::addr=localhost:9000;"
    )]
    Scheme,
    /// Not `key=value;`.
    #[error("expected `key=value;` at byte {at}")]
    Syntax {
        /// Where.
        at: usize,
    },
    /// A control character in a value.
    #[error("the value of {key} has a control character")]
    Control {
        /// The key.
        key: Box<str>,
    },
    /// A key that does not exist.
    #[error("unknown key {key}{}", nearest.map(|key| format!("; did you mean {key}?")).unwrap_or_default())]
    Unknown {
        /// The key.
        key: Box<str>,
        /// The one that it resembles.
        nearest: Option<&'static str>,
    },
    /// A key that means nothing to this client.
    #[error("{key} has no effect here: {instead}")]
    Useless {
        /// The key.
        key: &'static str,
        /// What to use.
        instead: &'static str,
    },
    /// The same key twice; only `addr` may be repeated.
    #[error("{key} is given twice")]
    Twice {
        /// The key.
        key: Box<str>,
    },
    /// A value that the key doesn't take. Not repeated: it may be a secret that stands in the wrong place.
    #[error("{key} takes {expected}")]
    Value {
        /// The key.
        key: Box<str>,
        /// What it takes.
        expected: &'static str,
    },
    /// `addr` is missing.
    #[error("addr is missing: name the servers, as in addr=a:9000,b:9000;")]
    NoAddr,
    /// The same server twice.
    #[error("duplicate addr entry: {addr}")]
    DuplicateAddr {
        /// `host:port`.
        addr: Box<str>,
    },
    /// Two keys that don't go together, or one that needs another.
    #[error("{0}")]
    Conflict(&'static str),
}

/// Port of an `addr` without one.
const PORT: u16 = 9000;

pub(super) fn parse(conf: &str) -> Result<Settings, ConfError> {
    let (scheme, rest) = conf.split_once("::").ok_or(ConfError::Scheme)?;
    let scheme = match scheme {
        "http" => Scheme::Http,
        "https" => Scheme::Https,
        "ws" => Scheme::Ws,
        "wss" => Scheme::Wss,
        _ => return Err(ConfError::Scheme),
    };
    let mut settings = Settings { scheme, ..Settings::new([]) };
    if matches!(scheme, Scheme::Ws | Scheme::Wss) {
        // The documented defaults of QWP are smaller.
        (settings.auto_flush_rows, settings.auto_flush_interval_ms) = (Some(1_000), Some(100));
    }
    let mut given: BTreeMap<&str, String> = BTreeMap::new();
    for (key, value) in pairs(rest, conf.len() - rest.len())? {
        let key = canonical(key);
        let known = KEYS.iter().find(|known| known.name == key).ok_or_else(|| unknown(key))?;
        if key == "addr" {
            add_addrs(&mut settings.addrs, &value)?;
            continue;
        }
        let expected = || ConfError::Value { key: key.into(), expected: known.expected };
        match &known.take {
            Take::Value(set) => set(&mut settings, &value).ok_or_else(expected)?,
            Take::Ignored => {}
            Take::Useless(instead) => return Err(ConfError::Useless { key: known.name, instead }),
        }
        if given.insert(known.name, value).is_some() {
            return Err(ConfError::Twice { key: key.into() });
        }
    }
    settle(settings, &given)
}

/// `key=value;` after `key=value;`, with `;;` as a semicolon.
fn pairs(text: &str, offset: usize) -> Result<Vec<(&str, String)>, ConfError> {
    let mut found = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let syntax = ConfError::Syntax { at: offset + text.len() - rest.len() };
        let (key, mut tail) = rest.split_once('=').ok_or_else(|| syntax.clone())?;
        if key.is_empty() || !key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            return Err(syntax);
        }
        let mut value = String::new();
        loop {
            let (part, behind) = tail.split_once(';').unwrap_or((tail, ""));
            value.push_str(part);
            tail = behind;
            match tail.strip_prefix(';') {
                Some(behind) => {
                    value.push(';');
                    tail = behind;
                }
                None => break,
            }
        }
        if value.chars().any(char::is_control) {
            return Err(ConfError::Control { key: key.into() });
        }
        found.push((key, value));
        rest = tail;
    }
    Ok(found)
}

fn canonical(key: &str) -> &str {
    match key {
        "user" => "username",
        "pass" => "password",
        "tls_ca" => "tls_roots",
        other => other,
    }
}

fn unknown(key: &str) -> ConfError {
    // As far away as a slip of the fingers is.
    let near = |known: &&str| strsim::damerau_levenshtein(key, known) <= 1 + key.len() / 4;
    let nearest = (KEYS.iter().map(|known| known.name))
        .filter(near)
        .min_by_key(|known| (strsim::damerau_levenshtein(key, known), *known));
    ConfError::Unknown { key: key.into(), nearest }
}

fn add_addrs(addrs: &mut Vec<Box<str>>, value: &str) -> Result<(), ConfError> {
    let wrong = || ConfError::Value {
        key: "addr".into(),
        expected: "host:port[,host:port...] without empty entries",
    };
    for entry in value.split(',').map(str::trim) {
        let (host, port) = match entry.rsplit_once(':') {
            // An IPv6 address without a port.
            Some(_) if entry.starts_with('[') && entry.ends_with(']') => (entry, PORT),
            Some((host, port)) => (host, port.parse().map_err(|_error| wrong())?),
            None => (entry, PORT),
        };
        let is_bare_v6 = host.contains(':') && !host.starts_with('[');
        if host.is_empty() || port == 0 || is_bare_v6 || host.contains(['/', '@', '?', '#', ' ', '\\']) {
            return Err(wrong());
        }
        let addr: Box<str> = format!("{host}:{port}").into();
        if addrs.contains(&addr) {
            return Err(ConfError::DuplicateAddr { addr });
        }
        addrs.push(addr);
    }
    Ok(())
}

/// What the keys mean together.
fn settle(mut settings: Settings, given: &BTreeMap<&str, String>) -> Result<Settings, ConfError> {
    let has = |key: &str| given.contains_key(key);
    let conflict = |when: bool, what| if when { Err(ConfError::Conflict(what)) } else { Ok(()) };
    if settings.addrs.is_empty() {
        return Err(ConfError::NoAddr);
    }
    let (username, password) = (given.get("username"), given.get("password"));
    let token = given.get("token").map(|token| Secret::from(token.as_str()));
    settings.login = match (username, password, token) {
        (None, None, None) => Login::None,
        (None, None, Some(token)) => Login::Bearer(token),
        (Some(username), Some(password), None) => {
            Login::Basic { username: username.as_str().into(), password: Secret::from(password.as_str()) }
        }
        (_, _, Some(_)) => return Err(ConfError::Conflict("give either token, or username and password")),
        _ => return Err(ConfError::Conflict("username and password go together")),
    };
    conflict(
        settings.tls_roots.is_some() && !settings.tls_verify,
        "tls_roots cannot be combined with tls_verify=unsafe_off; remove tls_verify to use custom roots, or remove \
         tls_roots to disable certificate validation",
    )?;
    let periodic = settings.sf_durability == Durability::Periodic;
    conflict(periodic && !has("sf_dir"), "sf_durability=periodic needs sf_dir")?;
    conflict(
        has("sf_sync_interval_millis") && !periodic,
        "sf_sync_interval_millis needs sf_durability=periodic",
    )?;
    conflict(settings.drain_orphans && !has("sf_dir"), "drain_orphans needs sf_dir")?;
    let limits = settings.limits();
    conflict(
        limits.total_bytes < limits.segment_bytes.saturating_mul(2),
        "sf_max_total_bytes has to be at least twice sf_max_segment_bytes",
    )?;
    // Any explicit reconnect_* key turns the retry of the first connect on.
    let tuned = given.keys().any(|key| key.starts_with("reconnect_"));
    if tuned && !has("initial_connect_retry") {
        settings.initial_connect_retry = FirstConnect::On;
    }
    Ok(settings)
}
