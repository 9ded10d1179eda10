//! Operators' wishes, `requests/{k}.json`: numbered, written once, answered by the primary in the log.

use super::error::at_most;
use super::json::FORMAT;
use super::pack::NAME_BYTES_MAX;
use super::{ClusterId, Document, Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The longest definition of a policy, in bytes of UTF-8.
pub const POLICY_BYTES_MAX: u64 = 4096;
/// What a wish about a storage policy is called.
const POLICY: &str = "policy";
/// What a wish about who is the primary is called.
const PROMOTE: &str = "promote";

/// `requests/{k}.json`: an operator's wish, which the primary answers in the log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// The version, 1.
    pub format: u32,
    /// The cluster.
    pub cluster: ClusterId,
    /// What is wished, e.g. `handover`, `policy`.
    pub kind: String,
    /// Who wishes it, for people.
    pub by: String,
    /// When, by that one's clock, microseconds since 1970.
    #[serde(default)]
    pub at_us: i64,
    /// The wish's particulars.
    #[serde(default)]
    pub arguments: Map<String, Value>,
}

impl Document for Request {
    const BYTES_MAX: u64 = 64 << 10;

    fn format(&self) -> u32 {
        self.format
    }
}

/// A wish about the storage policy of a table.
///
/// ```
/// use understudy::ledger::{ClusterId, PolicyChange, PolicyRequest, Request};
/// let change = PolicyChange::Set("TO PARQUET 3d".into());
/// let wish = PolicyRequest { table: "trades".into(), change };
/// let request = Request::policy(ClusterId(1), "ops", 5, &wish);
/// assert_eq!(PolicyRequest::of(&request)?, wish);
/// # Ok::<(), understudy::ledger::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyRequest {
    /// The table by name, or by directory.
    pub table: String,
    /// What is to become of its policy.
    pub change: PolicyChange,
}

/// What is to become of a table's storage policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PolicyChange {
    /// It is replaced by this definition, as between the parentheses of `STORAGE POLICY(...)`.
    Set(String),
    /// It is removed.
    Drop,
    /// It is active again.
    Enable,
    /// It is not acted upon until it is enabled.
    Disable,
}

/// A wish that an instance be the primary.
///
/// ```
/// use understudy::ledger::{ClusterId, PromoteRequest, Request};
/// let wish = PromoteRequest { node: "b".into(), planned: true };
/// assert_eq!(PromoteRequest::of(&Request::promote(ClusterId(1), "ops", 5, &wish))?, Some(wish));
/// # Ok::<(), understudy::ledger::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PromoteRequest {
    /// The instance's name.
    pub node: String,
    /// The primary hands over (rule L4); else the instance claims, whatever the primary does.
    pub planned: bool,
}

impl PromoteRequest {
    /// The wish in a request; `None` of another kind of wish.
    ///
    /// # Errors
    /// [`Error::Damaged`] or [`Error::TooLarge`] of particulars that no such wish has.
    pub fn of(request: &Request) -> Result<Option<Self>> {
        if request.kind != PROMOTE {
            return Ok(None);
        }
        match (request.arguments.get("node"), request.arguments.get("planned")) {
            (Some(Value::String(node)), Some(Value::Bool(planned))) => {
                at_most("request", "node", node.len() as u64, NAME_BYTES_MAX)?;
                Ok(Some(Self { node: node.clone(), planned: *planned }))
            }
            _ => Err(Error::damaged("request", 0, "a text \"node\" and a flag \"planned\"", "others")),
        }
    }
}

impl PolicyChange {
    /// As the command's verbs are called.
    pub fn verb(&self) -> &'static str {
        match self {
            Self::Set(_) => "set",
            Self::Drop => "drop",
            Self::Enable => "enable",
            Self::Disable => "disable",
        }
    }
}

impl Request {
    /// A wish that an instance be the primary.
    pub fn promote(cluster: ClusterId, by: &str, at_us: i64, wish: &PromoteRequest) -> Self {
        let mut arguments = Map::new();
        arguments.insert("node".into(), wish.node.clone().into());
        arguments.insert("planned".into(), wish.planned.into());
        Self { format: FORMAT, cluster, kind: PROMOTE.into(), by: by.to_owned(), at_us, arguments }
    }

    /// A wish about a table's storage policy.
    pub fn policy(cluster: ClusterId, by: &str, at_us: i64, wish: &PolicyRequest) -> Self {
        let mut arguments = Map::new();
        arguments.insert("table".into(), wish.table.clone().into());
        arguments.insert("change".into(), wish.change.verb().into());
        if let PolicyChange::Set(policy) = &wish.change {
            arguments.insert("policy".into(), policy.clone().into());
        }
        Self { format: FORMAT, cluster, kind: POLICY.into(), by: by.to_owned(), at_us, arguments }
    }
}

impl PolicyRequest {
    /// The wish in a request.
    ///
    /// # Errors
    /// [`Error::Unsupported`] of another kind of wish, [`Error::Damaged`] or [`Error::TooLarge`] of particulars that no wish
    /// about a policy has.
    pub fn of(request: &Request) -> Result<Self> {
        if request.kind != POLICY {
            let kind: String = request.kind.chars().take(40).collect();
            return Err(Error::unsupported("request", 0, format_args!("wishes of kind {kind:?}")));
        }
        let text = |name: &'static str, most: u64| match request.arguments.get(name) {
            Some(Value::String(text)) => {
                at_most("request", name, text.len() as u64, most)?;
                Ok(text.clone())
            }
            _ => Err(Error::damaged("request", 0, format_args!("a text {name:?}"), "none")),
        };
        let change = match text("change", 16)?.as_str() {
            "set" => PolicyChange::Set(text("policy", POLICY_BYTES_MAX)?),
            "drop" => PolicyChange::Drop,
            "enable" => PolicyChange::Enable,
            "disable" => PolicyChange::Disable,
            other => return Err(Error::unsupported("request", 0, format_args!("the change {other:?}"))),
        };
        Ok(Self { table: text("table", NAME_BYTES_MAX)?, change })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wishes_read_back() {
        for change in [
            PolicyChange::Set("TO PARQUET 1d".into()),
            PolicyChange::Drop,
            PolicyChange::Enable,
            PolicyChange::Disable,
        ] {
            let wish = PolicyRequest { table: "t".into(), change };
            let bytes = Request::policy(ClusterId(1), "ops", 7, &wish).to_bytes().unwrap();
            let request = Request::read("k", &bytes).unwrap();
            assert_eq!((request.at_us, PolicyRequest::of(&request).unwrap()), (7, wish));
        }
    }

    #[test]
    fn wishes_to_promote_read_back_and_others_are_none() {
        for planned in [true, false] {
            let wish = PromoteRequest { node: "b".into(), planned };
            let bytes = Request::promote(ClusterId(1), "ops", 7, &wish).to_bytes().unwrap();
            let mut request = Request::read("k", &bytes).unwrap();
            assert_eq!(PromoteRequest::of(&request).unwrap(), Some(wish));
            assert!(matches!(PolicyRequest::of(&request), Err(Error::Unsupported { .. })));
            request.arguments.insert("planned".into(), "yes".into());
            assert!(matches!(PromoteRequest::of(&request), Err(Error::Damaged { .. })));
            request.arguments.insert("planned".into(), planned.into());
            request.arguments.insert("node".into(), "n".repeat(2000).into());
            assert!(matches!(PromoteRequest::of(&request), Err(Error::TooLarge { .. })));
            request.kind = "policy".into();
            assert_eq!(PromoteRequest::of(&request).unwrap(), None);
        }
    }

    #[test]
    fn what_no_command_writes_is_refused() {
        let wish = PolicyRequest { table: "t".into(), change: PolicyChange::Set("TO PARQUET 1d".into()) };
        let good = Request::policy(ClusterId(1), "ops", 7, &wish);
        let with = |name: &str, value: Value| {
            let mut request = good.clone();
            request.arguments.insert(name.into(), value);
            PolicyRequest::of(&request)
        };
        assert!(with("more", 1.into()).is_ok());
        assert!(matches!(with("table", 5.into()), Err(Error::Damaged { .. })));
        assert!(matches!(with("table", "t".repeat(2000).into()), Err(Error::TooLarge { .. })));
        assert!(matches!(with("policy", "p".repeat(5000).into()), Err(Error::TooLarge { .. })));
        assert!(matches!(with("change", "sell".into()), Err(Error::Unsupported { .. })));
        let other = Request { kind: "dance".into(), ..good.clone() };
        assert!(matches!(PolicyRequest::of(&other), Err(Error::Unsupported { .. })));
    }
}
