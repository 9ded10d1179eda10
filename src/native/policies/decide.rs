//! Whether an operator's wish about a table's policy can be met.

use super::PolicyRow;
use crate::ledger::PolicyChange;
use crate::policy::{Change, PolicyError, StoragePolicy, TableFacts, ViewRow, parse_list};
use crate::wal::{TableMeta, TableToken, Ttl};

/// Names that are told where there is no such table.
const NEAR: usize = 3;

/// What is to be known of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Its directory.
    pub dir: String,
    /// Its name.
    pub name: String,
    /// What a policy must fit.
    pub table: TableFacts,
}

impl Facts {
    /// Of a table as it is defined.
    pub fn of(token: &TableToken, meta: &TableMeta) -> Self {
        let (partition_by, timestamp) = (meta.partition_by, meta.timestamp.is_some());
        let table = TableFacts { partition_by, timestamp, ttl: stored(meta.ttl) };
        Self { dir: token.dir.clone(), name: token.name.clone(), table }
    }
}

/// A TTL as `_meta` has it: hours above zero, months below.
pub fn stored(ttl: Ttl) -> i32 {
    match ttl {
        Ttl::None => 0,
        Ttl::Hours(hours) => i32::try_from(hours).unwrap_or(i32::MAX),
        Ttl::Months(months) => 0i32.saturating_sub_unsigned(months),
    }
}

impl PolicyRow {
    /// Of a table's policy.
    pub fn of(dir: &str, policy: &StoragePolicy, at_us: i64) -> Self {
        let ViewRow { to_parquet, to_remote, drop_local, drop_remote, status } = policy.view();
        let table_dir_name = dir.to_owned();
        Self { table_dir_name, to_parquet, to_remote, drop_local, drop_remote, status, last_updated: at_us }
    }

    /// The policy that it says; `None` of one that was removed, or in words of a later version.
    pub fn policy(&self) -> Option<StoragePolicy> {
        StoragePolicy::from_view(&ViewRow {
            to_parquet: self.to_parquet.clone(),
            to_remote: self.to_remote.clone(),
            drop_local: self.drop_local.clone(),
            drop_remote: self.drop_remote.clone(),
            status: self.status,
        })
    }
}

/// What an operator's wish comes to.
///
/// # Errors
/// What is wrong with a definition, with its position.
pub fn wished(change: &PolicyChange) -> Result<Change, PolicyError> {
    Ok(match change {
        PolicyChange::Set(list) => Change::Set(parse_list(list)?),
        PolicyChange::Drop => Change::Drop,
        PolicyChange::Enable => Change::Enable { position: 0 },
        PolicyChange::Disable => Change::Disable { position: 0 },
    })
}

/// What is to be done, and what is told of it. Nothing is done where there is nothing to remove.
///
/// # Errors
/// Why it is refused, in QuestDB's words where it has some; the position is that in the definition.
pub fn decide(
    change: &Change,
    facts: &Facts,
    current: Option<&StoragePolicy>,
) -> Result<(Option<PolicyRow>, String), PolicyError> {
    let name = &facts.name;
    let next = change.applied(current, &facts.table)?;
    let suspended = if facts.table.ttl != 0 { "; the table's TTL suspends it" } else { "" };
    Ok(match (&next, current) {
        (Some(policy), _) => {
            let disabled = if policy.active { "" } else { ", disabled" };
            (Some(PolicyRow::of(&facts.dir, policy, 0)), format!("{name}: {policy}{disabled}{suspended}"))
        }
        (None, Some(_)) => {
            (Some(PolicyRow::removed(&facts.dir, 0)), format!("{name}: its storage policy is removed"))
        }
        (None, None) => (None, format!("{name}: there is no storage policy to remove")),
    })
}

/// The table of this name, or in this directory, among those that can have a policy.
///
/// # Errors
/// Why there is none.
pub fn find<'a>(tables: &'a [TableToken], wanted: &str) -> Result<&'a TableToken, String> {
    let lower = wanted.to_lowercase();
    let mut live = tables.iter().filter(|token| !token.dropped && !token.is_own());
    let found = live.clone().find(|token| token.dir == wanted || token.name.to_lowercase() == lower);
    match found {
        Some(token) if token.is_shared() => Ok(token),
        Some(token) => Err(format!("{}: it is not replicated", token.name)),
        None => {
            let mut names: Vec<&str> =
                live.by_ref().filter(|token| token.is_shared()).map(|token| token.name.as_str()).collect();
            names.sort_by_key(|name| (strsim::levenshtein(&name.to_lowercase(), &lower), *name));
            names.truncate(NEAR);
            let near = if names.is_empty() {
                "there are none".to_owned()
            } else {
                format!("the nearest names are: {}", names.join(", "))
            };
            let wanted: String = wanted.chars().take(100).collect();
            Err(format!("there is no table {wanted:?}; {near}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wal::{PartitionBy, TableKind};

    fn facts(ttl: i32) -> Facts {
        let table = TableFacts { partition_by: PartitionBy::Day, timestamp: true, ttl };
        Facts { dir: "trades~1".into(), name: "trades".into(), table }
    }

    fn set(list: &str) -> PolicyChange {
        PolicyChange::Set(list.into())
    }

    fn decide(
        change: &PolicyChange,
        facts: &Facts,
        current: Option<&StoragePolicy>,
    ) -> Result<(Option<PolicyRow>, String), PolicyError> {
        super::decide(&wished(change)?, facts, current)
    }

    #[test]
    fn policies_are_set_switched_and_removed() {
        let (row, told) = decide(&set("TO PARQUET 3d, DROP LOCAL 1M"), &facts(0), None).unwrap();
        assert_eq!(told, "trades: STORAGE POLICY(TO PARQUET 3 DAYS, DROP LOCAL 1 MONTH)");
        let row = row.unwrap();
        assert_eq!(
            (&*row.to_parquet, &*row.to_remote, &*row.drop_local, row.status),
            ("72h", "0h", "1m", 'A')
        );
        let policy = row.policy().unwrap();
        let (off, _) = decide(&PolicyChange::Disable, &facts(0), Some(&policy)).unwrap();
        assert_eq!((off.as_ref().unwrap().status, &*off.unwrap().to_parquet), ('D', "72h"));
        let (gone, _) = decide(&PolicyChange::Drop, &facts(0), Some(&policy)).unwrap();
        assert_eq!((gone.as_ref().unwrap().status, gone.unwrap().policy()), (super::super::REMOVED, None));
        assert_eq!(decide(&PolicyChange::Drop, &facts(0), None).unwrap().0, None);
        let (_, told) = decide(&PolicyChange::Enable, &facts(24), Some(&policy)).unwrap();
        assert!(told.ends_with("the table's TTL suspends it"), "{told}");
    }

    #[test]
    fn refusals_are_questdbs() {
        let refused = |change: &PolicyChange, ttl| decide(change, &facts(ttl), None).unwrap_err().to_string();
        assert_eq!(
            refused(&set("TO PARQUET 1d"), 24),
            "Cannot set storage policy, please, remove TTL settings"
        );
        assert_eq!(refused(&set("DROP REMOTE 1d"), 0), "'DROP REMOTE' is not supported yet");
        assert!(!refused(&PolicyChange::Enable, 0).is_empty());
    }

    #[test]
    fn an_unknown_table_is_told_with_its_neighbours() {
        let token = |name: &str, id, kind| TableToken {
            name: name.into(),
            dir: format!("{name}~{id}"),
            id,
            kind,
            dropped: false,
        };
        let tables = [
            token("trades", 1, TableKind::Wal),
            token("quotes", 2, TableKind::Wal),
            token("old", 3, TableKind::Plain),
            super::super::token().as_registered(false),
        ];
        assert_eq!(find(&tables, "TRADES").unwrap().id, 1);
        assert_eq!(find(&tables, "quotes~2").unwrap().id, 2);
        let error = find(&tables, "trads").unwrap_err();
        assert_eq!(error, "there is no table \"trads\"; the nearest names are: trades, quotes");
        assert!(find(&tables, "old").unwrap_err().contains("not replicated"));
        assert!(find(&tables, super::super::TABLE).is_err());
    }
}
