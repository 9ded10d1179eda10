//! What a storage policy says, and how it changes.

use super::{PolicyError, Ttl};
use crate::wal::PartitionBy;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The stages of a table's partitions, each counted from the end of the partition.
///
/// ```
/// use understudy::policy::{StoragePolicy, TableFacts, parse_list};
/// use understudy::wal::PartitionBy;
///
/// let stages = parse_list("TO PARQUET 3d, DROP LOCAL 1M")?;
/// let table = TableFacts { partition_by: PartitionBy::Day, timestamp: true, ttl: 0 };
/// let policy = stages.policy(&table)?;
/// assert_eq!(policy.to_string(), "STORAGE POLICY(TO PARQUET 3 DAYS, DROP LOCAL 1 MONTH)");
/// assert_eq!(policy.view().to_parquet, "72h");
/// # Ok::<(), understudy::policy::PolicyError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct StoragePolicy {
    /// Convert to Parquet.
    pub to_parquet: Option<Ttl>,
    /// Put into the bucket.
    pub to_remote: Option<Ttl>,
    /// Remove from this instance.
    pub drop_local: Option<Ttl>,
    /// False while it is disabled.
    pub active: bool,
}

/// A row of the view `storage_policies`, but for the table's directory and the time of the change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ViewRow {
    /// `72h`, `1m`, or `0h` if the stage is not set; the others likewise.
    pub to_parquet: String,
    /// See `to_parquet`.
    pub to_remote: String,
    /// See `to_parquet`.
    pub drop_local: String,
    /// Always `0h`.
    pub drop_remote: String,
    /// `A` for active, `D` for disabled.
    pub status: char,
}

/// The stages as a statement gives them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stages {
    /// See [`StoragePolicy::to_parquet`].
    pub to_parquet: Option<Stage>,
    /// See [`StoragePolicy::to_remote`].
    pub to_remote: Option<Stage>,
    /// See [`StoragePolicy::drop_local`].
    pub drop_local: Option<Stage>,
    /// Where the stages begin, in UTF-16 units.
    pub position: usize,
}

/// A stage in a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stage {
    /// After how long.
    pub ttl: Ttl,
    /// Where that is said, in UTF-16 units from the start of the statement.
    pub position: usize,
}

/// What a statement does to a table's policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// SET, and CREATE: takes the place of the whole policy, and is active.
    Set(Stages),
    /// The table has no policy any more.
    Drop,
    /// The policy is in force again.
    Enable {
        /// Of the keyword, in UTF-16 units.
        position: usize,
    },
    /// The policy stays, and nothing is done.
    Disable {
        /// Of the keyword, in UTF-16 units.
        position: usize,
    },
}

/// What a policy must fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TableFacts {
    /// Unit of partitions.
    pub partition_by: PartitionBy,
    /// Whether there is a designated timestamp.
    pub timestamp: bool,
    /// The table's TTL as `_meta` stores it; 0 is none.
    pub ttl: i32,
}

impl StoragePolicy {
    /// As the view `storage_policies` shows it.
    pub fn view(&self) -> ViewRow {
        let text = |ttl: Option<Ttl>| ttl.map_or_else(|| "0h".to_owned(), Ttl::view);
        ViewRow {
            to_parquet: text(self.to_parquet),
            to_remote: text(self.to_remote),
            drop_local: text(self.drop_local),
            drop_remote: text(None),
            status: if self.active { 'A' } else { 'D' },
        }
    }

    /// Reads a row of the view; `None` if it is not of its format.
    pub fn from_view(row: &ViewRow) -> Option<Self> {
        let active = match row.status {
            'A' => true,
            'D' => false,
            _ => return None,
        };
        let unset = row.drop_remote == "0h";
        unset.then_some(Self {
            to_parquet: Ttl::from_view(&row.to_parquet)?,
            to_remote: Ttl::from_view(&row.to_remote)?,
            drop_local: Ttl::from_view(&row.drop_local)?,
            active,
        })
    }

    /// The stages as SQL, without the words around them: `TO PARQUET 3 DAYS, DROP LOCAL 1 MONTH`.
    pub fn list(&self) -> String {
        let stages =
            [("TO PARQUET", self.to_parquet), ("TO REMOTE", self.to_remote), ("DROP LOCAL", self.drop_local)];
        let texts: Vec<_> =
            stages.iter().filter_map(|(name, ttl)| ttl.map(|ttl| format!("{name} {ttl}"))).collect();
        texts.join(", ")
    }
}

/// As `SHOW CREATE TABLE` writes the clause.
impl fmt::Display for StoragePolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "STORAGE POLICY({})", self.list())
    }
}

impl Stages {
    /// The policy of a table with these stages, active.
    ///
    /// # Errors
    /// If the table can't have a policy, or a stage does not fit its partitions.
    pub fn policy(&self, table: &TableFacts) -> Result<StoragePolicy, PolicyError> {
        let refuse = |text: &str| Err(PolicyError::new(self.position, text));
        if !table.timestamp {
            return refuse("storage policy requires a designated timestamp");
        }
        if matches!(table.partition_by, PartitionBy::None | PartitionBy::NotApplicable) {
            return refuse("cannot set storage policy on a non-partitioned table");
        }
        if table.ttl != 0 {
            return refuse("Cannot set storage policy, please, remove TTL settings");
        }
        for stage in [self.to_parquet, self.to_remote, self.drop_local].into_iter().flatten() {
            if !fits(table.partition_by, stage.ttl.stored()) {
                let text = "TTL value must be an integer multiple of partition size";
                return Err(PolicyError::new(stage.position, text));
            }
        }
        let ttl = |stage: Option<Stage>| stage.map(|stage| stage.ttl);
        Ok(StoragePolicy {
            to_parquet: ttl(self.to_parquet),
            to_remote: ttl(self.to_remote),
            drop_local: ttl(self.drop_local),
            active: true,
        })
    }

    /// Checks that nothing is dropped before it was written.
    pub(super) fn check_order(&self) -> Result<(), PolicyError> {
        let Some(drop) = self.drop_local else { return Ok(()) };
        for (name, stage) in [("TO PARQUET", self.to_parquet), ("TO REMOTE", self.to_remote)] {
            let Some(stage) = stage.filter(|stage| !stage.ttl.is_within(drop.ttl)) else { continue };
            let mixed = (stage.ttl.stored() > 0) != (drop.ttl.stored() > 0);
            let hint = if mixed { " (a month counts as 730 hours here)" } else { "" };
            let text = format!(
                "{name} must not be later than DROP LOCAL: {} is longer than {}{hint}",
                stage.ttl, drop.ttl
            );
            return Err(PolicyError::new(stage.position.max(drop.position), text));
        }
        Ok(())
    }
}

impl Change {
    /// The table's policy after this change; `None` is no policy.
    ///
    /// # Errors
    /// If the policy does not fit the table, or there is none to change.
    pub fn applied(
        &self,
        current: Option<&StoragePolicy>,
        table: &TableFacts,
    ) -> Result<Option<StoragePolicy>, PolicyError> {
        let switched = |position: usize, active: bool| match current {
            Some(policy) => Ok(Some(StoragePolicy { active, ..*policy })),
            None => Err(PolicyError::new(position, "table does not have a storage policy")),
        };
        match *self {
            Self::Set(stages) => stages.policy(table).map(Some),
            Self::Drop => Ok(None),
            Self::Enable { position } => switched(position, true),
            Self::Disable { position } => switched(position, false),
        }
    }
}

/// Whether a TTL is whole partitions, by the rule that QuestDB has for its TTL.
fn fits(unit: PartitionBy, stored: i32) -> bool {
    match unit {
        PartitionBy::None | PartitionBy::NotApplicable => false,
        PartitionBy::Hour => true,
        PartitionBy::Day => stored < 0 || stored % 24 == 0,
        PartitionBy::Week => stored < 0 || stored % (24 * 7) == 0,
        PartitionBy::Month => stored < 0,
        PartitionBy::Year => stored < 0 && stored % 12 == 0,
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse_list;
    use super::*;

    const DAILY: TableFacts = TableFacts { partition_by: PartitionBy::Day, timestamp: true, ttl: 0 };

    fn refused(list: &str, table: &TableFacts) -> (usize, String) {
        let error = parse_list(list).unwrap().policy(table).unwrap_err();
        (error.position, error.message.into())
    }

    #[test]
    fn a_policy_must_fit_the_table() {
        let table = |partition_by| TableFacts { partition_by, ..DAILY };
        let multiple = "TTL value must be an integer multiple of partition size".to_owned();
        assert_eq!(refused("to parquet 1d, drop local 36h", &DAILY), (26, multiple.clone()));
        assert_eq!(refused("to parquet 8d", &table(PartitionBy::Week)), (11, multiple.clone()));
        assert_eq!(refused("to parquet 4W", &table(PartitionBy::Month)), (11, multiple.clone()));
        assert_eq!(refused("to parquet 18M", &table(PartitionBy::Year)), (11, multiple));
        assert!(parse_list("to parquet 1h").unwrap().policy(&table(PartitionBy::Hour)).is_ok());
        assert!(parse_list("to parquet 1M").unwrap().policy(&table(PartitionBy::Week)).is_ok());
        assert_eq!(
            refused("to parquet 1d", &TableFacts { ttl: -1, ..DAILY }).1,
            "Cannot set storage policy, please, remove TTL settings"
        );
        let whole = refused("to parquet 1d", &table(PartitionBy::None)).1;
        assert_eq!(whole, "cannot set storage policy on a non-partitioned table");
        let none = refused("to parquet 1d", &TableFacts { timestamp: false, ..DAILY }).1;
        assert_eq!(none, "storage policy requires a designated timestamp");
    }

    #[test]
    fn changes_replace_switch_and_remove() {
        let set = |list: &str| Change::Set(parse_list(list).unwrap());
        let first = set("to parquet 3d, drop local 1M").applied(None, &DAILY).unwrap();
        let second = set("to parquet 1d").applied(first.as_ref(), &DAILY).unwrap().unwrap();
        assert_eq!((second.drop_local, second.list()), (None, "TO PARQUET 1 DAY".to_owned()));
        let off = Change::Disable { position: 3 }.applied(Some(&second), &DAILY).unwrap().unwrap();
        assert_eq!((off.view().status, off.to_parquet), ('D', second.to_parquet));
        // A TTL that came meanwhile wins; to switch the policy is no error.
        let ttl = TableFacts { ttl: 24, ..DAILY };
        assert_eq!(Change::Enable { position: 0 }.applied(Some(&off), &ttl), Ok(Some(second)));
        assert!(set("to parquet 2d").applied(Some(&off), &DAILY).unwrap().unwrap().active);
        assert_eq!(Change::Drop.applied(Some(&second), &DAILY), Ok(None));
        let error = Change::Enable { position: 7 }.applied(None, &DAILY).unwrap_err();
        assert_eq!((error.position, &*error.message), (7, "table does not have a storage policy"));
    }

    #[test]
    fn a_row_of_the_view_can_be_read_back() {
        let policy =
            parse_list("to remote 1W, drop local 2Y").unwrap().policy(&DAILY).map(|p| p.view()).unwrap();
        assert_eq!(
            (&*policy.to_parquet, &*policy.to_remote, &*policy.drop_local, &*policy.drop_remote),
            ("0h", "168h", "24m", "0h")
        );
        assert_eq!(StoragePolicy::from_view(&policy).unwrap().view(), policy);
        for wrong in [ViewRow { status: 'X', ..policy.clone() }, ViewRow { to_remote: "7d".into(), ..policy }]
        {
            assert_eq!(StoragePolicy::from_view(&wrong), None);
        }
    }
}
