//! What is known of one host: its state, its zone, its role.

use std::fmt;

/// What the client saw at a host when it last tried it. A lower one is preferred.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub enum HostState {
    /// The last connect attempt succeeded.
    Healthy,
    /// Not tried in this outage, or forgotten between outages.
    Unknown,
    /// 421 with `X-QuestDB-Role: PRIMARY_CATCHUP`: a primary that still catches up after its promotion.
    TransientReject,
    /// No connection, a passing error, or a connection that broke.
    TransportError,
    /// 421 with any other role, or on egress a role that `target` does not want: needs a change of topology.
    TopologyReject,
}

/// Where a host is, seen from the client's `zone`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub enum ZoneTier {
    /// In the client's zone; or zones don't count: `zone` is unset, `target=primary`, or ingress.
    Same,
    /// It has not told its zone.
    Unknown,
    /// In another one.
    Other,
}

/// A server's role, as `X-QuestDB-Role` and `SERVER_INFO` name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Role {
    /// No replication.
    Standalone,
    /// Takes writes.
    Primary,
    /// Follows a primary.
    Replica,
    /// Was promoted, and has not caught up with what its predecessor wrote.
    PrimaryCatchup,
    /// A word that this client does not know.
    Other,
}

impl Role {
    /// The role of this name, in any case.
    pub fn parse(name: &str) -> Self {
        let known = [Self::Standalone, Self::Primary, Self::Replica, Self::PrimaryCatchup];
        known.into_iter().find(|role| role.name().eq_ignore_ascii_case(name.trim())).unwrap_or(Self::Other)
    }

    /// Its name in headers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Standalone => "STANDALONE",
            Self::Primary => "PRIMARY",
            Self::Replica => "REPLICA",
            Self::PrimaryCatchup => "PRIMARY_CATCHUP",
            Self::Other => "OTHER",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Which role a query client binds to (`target`). Ingress follows the primary, whatever this says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Target {
    /// Any.
    #[default]
    Any,
    /// One that takes writes, or is about to.
    Primary,
    /// One that follows.
    Replica,
}

impl Target {
    /// True if a server of this role is accepted.
    pub fn accepts(self, role: Role) -> bool {
        match self {
            Self::Any => true,
            Self::Primary => !matches!(role, Role::Replica | Role::Other),
            Self::Replica => role == Role::Replica,
        }
    }
}

/// One entry of `addr`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize)]
pub struct Host {
    /// `host:port`.
    pub addr: Box<str>,
    /// What was seen of it.
    pub state: HostState,
    /// Where it is.
    pub tier: ZoneTier,
    /// The role that it told last.
    pub role: Option<Role>,
    /// Tried in this round.
    pub tried: bool,
    /// The how-manieth success its last one was, over all hosts; 0 for none.
    #[serde(skip)]
    pub(super) success: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn role_filter() {
        let roles = [Role::Standalone, Role::Primary, Role::Replica, Role::PrimaryCatchup];
        let accepted = |target: Target| roles.map(|role| target.accepts(role));
        assert_eq!(accepted(Target::Any), [true, true, true, true]);
        assert_eq!(accepted(Target::Primary), [true, true, false, true]);
        assert_eq!(accepted(Target::Replica), [false, false, true, false]);
    }

    #[test]
    fn roles_are_read_in_any_case() {
        assert_eq!(Role::parse("primary_catchup"), Role::PrimaryCatchup);
        assert_eq!(Role::parse(" REPLICA "), Role::Replica);
        assert_eq!(Role::parse("LEADER"), Role::Other);
    }
}
