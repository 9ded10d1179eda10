//! What a server's refusal of a frame means: its category, the policy, and when a frame counts as poison.

use super::host::Role;
use super::{MILLI, Micros};
use std::fmt;

/// QuestDB's categories of errors that a server answers with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Category {
    /// The frame does not fit the table.
    SchemaMismatch,
    /// The frame can't be read, or holds a value that can't be.
    ParseError,
    /// A fault of the server.
    InternalError,
    /// Not allowed.
    SecurityError,
    /// The table can't be written to at the moment.
    WriteError,
    /// The server does not speak this protocol, or not with frames this large.
    ProtocolViolation,
    /// This node can't take writes.
    NotWritable,
    /// A code from a newer server.
    Unknown,
    /// No server was found that takes writes.
    Connect,
}

/// What a client does about a category. There is none that drops: nothing is ever discarded without being told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Policy {
    /// Stop, and keep the frames.
    Terminal,
    /// Reconnect, and send again from the oldest frame that is not acknowledged.
    Retriable,
    /// The same, at another host.
    RetriableOther,
}

impl Policy {
    /// `terminal`, `retriable`, `retriable_other`.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "terminal" => Some(Self::Terminal),
            "retriable" => Some(Self::Retriable),
            "retriable_other" => Some(Self::RetriableOther),
            _ => None,
        }
    }
}

/// The policies in force: `on_schema_error` and its kin over `on_server_error` over the defaults.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Policies {
    /// `on_server_error`; `None` is `auto`.
    pub server: Option<Policy>,
    /// `on_schema_error`.
    pub schema: Option<Policy>,
    /// `on_parse_error`.
    pub parse: Option<Policy>,
    /// `on_internal_error`.
    pub internal: Option<Policy>,
    /// `on_security_error`.
    pub security: Option<Policy>,
    /// `on_write_error`.
    pub write: Option<Policy>,
}

impl Policies {
    /// What to do about this category. A violation of the protocol is always terminal, an unknown code always
    /// retriable, and a node that can't take writes sends the client to another one.
    pub fn of(&self, category: Category) -> Policy {
        let (own, default) = match category {
            Category::SchemaMismatch => (self.schema, Policy::Terminal),
            Category::ParseError => (self.parse, Policy::Terminal),
            Category::InternalError => (self.internal, Policy::Retriable),
            Category::SecurityError => (self.security, Policy::Terminal),
            Category::WriteError => (self.write, Policy::Retriable),
            Category::ProtocolViolation | Category::Connect => return Policy::Terminal,
            Category::Unknown => return Policy::Retriable,
            Category::NotWritable => return Policy::RetriableOther,
        };
        own.or(self.server).unwrap_or(default)
    }
}

/// A server's answer that is none of success.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// What kind.
    pub category: Category,
    /// The HTTP status, or the status byte of QWP.
    pub status: u16,
    /// The server's role, if it said one.
    pub role: Option<Role>,
    /// The server's words, cut to 1,024 bytes.
    pub message: Box<str>,
}

/// Longest text of a server's error that is kept, in bytes: what QWP allows.
pub const MESSAGE_BYTES_MAX: usize = 1024;

impl Rejection {
    /// What an ILP/HTTP server means by an error status of a write. `None` for the statuses that say nothing about
    /// the frame: a gateway that could not reach the server, and the like.
    ///
    /// HTTP has one code for a line that can't be parsed and a value that its column doesn't take (400): both are
    /// [`Category::ParseError`].
    pub fn of_http(status: u16, role: Option<Role>, message: &str) -> Option<Self> {
        let category = match status {
            401 | 403 => Category::SecurityError,
            400 => Category::ParseError,
            413 | 415 => Category::ProtocolViolation,
            421 if role.is_some() => Category::NotWritable,
            429 | 503 | 507 => Category::WriteError,
            500 => Category::InternalError,
            404 | 421 | 426 | 502 | 504 | 509 | 520..=529 | 599 => return None,
            _ => Category::Unknown,
        };
        Some(Self { category, status, role, message: cut(message).into() })
    }
}

/// The text up to the limit, at a character's end.
fn cut(message: &str) -> &str {
    let mut end = message.len().min(MESSAGE_BYTES_MAX);
    while !message.is_char_boundary(end) {
        end -= 1;
    }
    message.get(..end).unwrap_or_default()
}

/// An error that the sender tells its user.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct SenderError {
    /// What kind.
    pub category: Category,
    /// What is done about it.
    pub policy: Policy,
    /// The status of the answer; 0 if there was none.
    pub status: u16,
    /// The frame, by its FSN.
    pub fsn: Option<u64>,
    /// `host:port`.
    pub host: Option<Box<str>>,
    /// When, in the driver's microseconds.
    pub at_us: Micros,
    /// In words.
    pub message: Box<str>,
}

impl fmt::Display for SenderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(host) = &self.host {
            write!(f, "{host}: ")?;
        }
        f.write_str(&self.message)?;
        if self.status > 0 {
            write!(f, " (status {})", self.status)?;
        }
        self.fsn.map_or(Ok(()), |fsn| write!(f, ", frame {fsn}"))
    }
}

/// Counts how often the same frame was refused without anything acknowledged in between.
///
/// A frame is poison after `max_frame_rejections` refusals (a retriable answer, or a connection that the server closed
/// after something was sent) *and* `poison_min_escalation_window_millis` since the first of them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Poison {
    limit: u32,
    window: Micros,
    strikes: u32,
    first: Micros,
}

impl Poison {
    /// A tracker with these limits.
    pub fn new(max_frame_rejections: u32, min_escalation_window_ms: u64) -> Self {
        let window = min_escalation_window_ms.saturating_mul(MILLI);
        Self { limit: max_frame_rejections.max(1), window, strikes: 0, first: 0 }
    }

    /// One more refusal. True if the frame is poison.
    pub fn strike(&mut self, now: Micros) -> bool {
        if self.strikes == 0 {
            self.first = now;
        }
        self.strikes = self.strikes.saturating_add(1);
        self.strikes >= self.limit && now.saturating_sub(self.first) >= self.window
    }

    /// Something was acknowledged.
    pub fn clear(&mut self) {
        self.strikes = 0;
    }

    /// Refusals in a row.
    pub fn strikes(&self) -> u32 {
        self.strikes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn poison_needs_four_tries_and_five_seconds() {
        let mut poison = Poison::new(4, 5_000);
        let second = 1_000 * MILLI;
        assert!([0, 1, 2, 3, 4].iter().all(|at| !poison.strike(at * second)), "five tries, four seconds");
        assert!(poison.strike(5 * second));
        poison.clear();
        assert!(!poison.strike(100 * second));
        assert!(!poison.strike(200 * second), "two tries, 100 seconds");
    }

    #[test]
    fn default_policies_are_the_documented_ones() {
        let policies = Policies::default();
        let of = |category| policies.of(category);
        assert_eq!(of(Category::SchemaMismatch), Policy::Terminal);
        assert_eq!(of(Category::ParseError), Policy::Terminal);
        assert_eq!(of(Category::InternalError), Policy::Retriable);
        assert_eq!(of(Category::SecurityError), Policy::Terminal);
        assert_eq!(of(Category::WriteError), Policy::Retriable);
        assert_eq!(of(Category::NotWritable), Policy::RetriableOther);
    }

    #[test]
    fn resolution_precedence() {
        let policies = Policies {
            server: Some(Policy::Terminal),
            write: Some(Policy::RetriableOther),
            ..Policies::default()
        };
        assert_eq!(policies.of(Category::WriteError), Policy::RetriableOther, "the category's own key");
        assert_eq!(policies.of(Category::InternalError), Policy::Terminal, "on_server_error");
        let lenient = Policies { server: Some(Policy::Retriable), ..Policies::default() };
        assert_eq!(lenient.of(Category::ProtocolViolation), Policy::Terminal, "can't be overridden");
        assert_eq!(policies.of(Category::Unknown), Policy::Retriable, "can't be overridden");
    }

    #[test]
    fn statuses_of_http() {
        let of = |status, role| Rejection::of_http(status, role, "").map(|rejection| rejection.category);
        assert_eq!(of(400, None), Some(Category::ParseError));
        assert_eq!(of(500, None), Some(Category::InternalError));
        assert_eq!(of(421, Some(Role::Replica)), Some(Category::NotWritable));
        assert_eq!(of(421, None), None, "a generic transport error");
        assert_eq!([404, 426, 502].map(|status| of(status, None)), [None; 3]);
        assert_eq!(of(418, None), Some(Category::Unknown));
    }

    #[test]
    fn long_messages_are_cut_at_a_character() {
        let rejection = Rejection::of_http(400, None, &"\u{20ac}".repeat(600)).map(|found| found.message);
        assert_eq!(rejection.map(|text| text.len()), Some(1023));
    }
}
