//! Which partitions a DROP PARTITION removes.

use super::compile::{Compiler, Scope};
use super::{Context, Expr, NotUnderstood, PartitionChoice, PartitionName};
use crate::table::{Calendar, Value, calendar};
use crate::wal::ordered::gathered;
use crate::wal::{ColumnType, PartitionBy};

/// How the table is cut, as far as choosing partitions needs it.
#[derive(Debug, Clone, Copy)]
pub struct Partitioning<'a> {
    /// The designated timestamp.
    pub timestamp: &'a str,
    /// Its type.
    pub ty: ColumnType,
    /// The unit of partitions.
    pub unit: PartitionBy,
}

impl PartitionChoice {
    /// The starts of the partitions to remove, in the order in which QuestDB removes them.
    ///
    /// `floors` are the starts of the table's partitions, ascending, in the unit of the designated
    /// timestamp; parts into which the server split a partition are one with it. QuestDB tries a
    /// condition on each start, the active partition's included. Of a list it stops at the first name
    /// without a partition: what stands before it is removed, what follows is not.
    ///
    /// # Errors
    /// [`NotUnderstood`] if the choice is not certain to be QuestDB's.
    pub fn select(
        &self,
        table: &Partitioning<'_>,
        floors: &[i64],
        context: Context<'_>,
    ) -> Result<Vec<i64>, NotUnderstood> {
        match self {
            Self::List(names) => listed(names, table, floors),
            Self::Where(filter) => matching(filter, table, floors, context),
        }
    }

    /// The starts of the partitions to convert to another form; in place of them the first name of a
    /// list that has no partition, for which the server suspends the table.
    ///
    /// # Errors
    /// [`NotUnderstood`] if the choice is not certain to be QuestDB's.
    pub fn select_existing(
        &self,
        table: &Partitioning<'_>,
        floors: &[i64],
        context: Context<'_>,
    ) -> Result<Result<Vec<i64>, String>, NotUnderstood> {
        let names = match self {
            Self::List(names) => names,
            Self::Where(filter) => return matching(filter, table, floors, context).map(Ok),
        };
        let calendar = Calendar::new(table.unit, table.ty.is_nanos());
        let mut starts = Vec::new();
        for name in names {
            let floor = calendar.floor(named(name, table)?);
            if floors.binary_search(&floor).is_err() {
                return Ok(Err(name.text.clone()));
            }
            starts.push(floor);
        }
        Ok(Ok(starts))
    }
}

fn matching(
    filter: &Expr,
    table: &Partitioning<'_>,
    floors: &[i64],
    context: Context<'_>,
) -> Result<Vec<i64>, NotUnderstood> {
    let lookup = |name: &str| same_name(name, table.timestamp).then_some((0, table.ty));
    let compiler = Compiler { lookup: &lookup, context, scope: Scope::Partitions };
    let filter = compiler.filter(filter)?;
    let holds = |floor: &i64| {
        let start = if table.ty.is_nanos() { Value::TimestampNs(*floor) } else { Value::Timestamp(*floor) };
        filter.matches(&|_| start).is_ok_and(|holds| holds)
    };
    Ok(floors.iter().copied().filter(holds).collect())
}

fn same_name(a: &str, b: &str) -> bool {
    a == b || a.to_lowercase() == b.to_lowercase()
}

fn listed(
    names: &[PartitionName],
    table: &Partitioning<'_>,
    floors: &[i64],
) -> Result<Vec<i64>, NotUnderstood> {
    let calendar = Calendar::new(table.unit, table.ty.is_nanos());
    let mut left: std::collections::BTreeSet<i64> = gathered(floors.iter().copied());
    let mut chosen = Vec::new();
    // A name that can't be read refuses the whole statement, so all are read before any counts.
    let starts: Vec<i64> = names.iter().map(|name| named(name, table)).collect::<Result<_, _>>()?;
    for start in starts {
        let floor = calendar.floor(start);
        if !left.remove(&floor) {
            break;
        }
        chosen.push(floor);
    }
    Ok(chosen)
}

/// The start of the partition that a name means: what follows the unit's own digits is not looked at.
fn named(name: &PartitionName, table: &Partitioning<'_>) -> Result<i64, NotUnderstood> {
    let length = match table.unit {
        PartitionBy::Year => 4,
        PartitionBy::Month => 7,
        PartitionBy::Day => 10,
        PartitionBy::Hour => 13,
        PartitionBy::Week => 8,
        PartitionBy::None | PartitionBy::NotApplicable => 0,
    };
    let refuse = || NotUnderstood {
        position: name.position,
        word: name.text.chars().take(60).collect::<String>().into(),
        reason: "not a partition's name".into(),
    };
    let text = name.text.get(..length).filter(|_| length > 0);
    let day = match table.unit {
        PartitionBy::Week => text.and_then(week).or_else(|| date(name.text.get(..10)?)),
        _ => text.and_then(date),
    };
    let day = day.ok_or_else(refuse)?;
    let hour: i64 = match table.unit {
        PartitionBy::Hour => {
            let hour = text.and_then(|t| t.get(10..)?.strip_prefix('T')).and_then(|h| digits(h, 2));
            hour.filter(|h| *h < 24).ok_or_else(refuse)?
        }
        _ => 0,
    };
    let per_second: i64 = if table.ty.is_nanos() { 1_000_000_000 } else { 1_000_000 };
    (day * 24 + hour).checked_mul(3_600).and_then(|s| s.checked_mul(per_second)).ok_or_else(refuse)
}

/// The first day of `yyyy`, `yyyy-MM` or `yyyy-MM-dd`, from 1970-01-01.
fn date(text: &str) -> Option<i64> {
    let year = digits(text, 4)?;
    let month = match text.get(4..7) {
        Some(part) => digits(part.strip_prefix('-')?, 2)?,
        None => 1,
    };
    let dom = match text.get(7..10) {
        Some(part) => digits(part.strip_prefix('-')?, 2)?,
        None => 1,
    };
    let (month, dom) = (u32::try_from(month).ok()?, u32::try_from(dom).ok()?);
    let valid = (1..=12).contains(&month) && (1..=31).contains(&dom);
    let day = valid.then(|| calendar::days(year, month, dom))?;
    (calendar::civil(day) == (year, month, dom)).then_some(day)
}

/// The Monday of `YYYY-Www`.
fn week(text: &str) -> Option<i64> {
    let year = digits(text, 4)?;
    let week = digits(text.get(4..)?.strip_prefix("-W")?, 2)?;
    let fourth = calendar::days(year, 1, 4);
    let monday = fourth - (fourth + 3).rem_euclid(7) + (week - 1) * 7;
    (calendar::iso_week(monday) == (year, week)).then_some(monday)
}

fn digits(text: &str, len: usize) -> Option<i64> {
    let head = text.get(..len)?;
    head.bytes().all(|b| b.is_ascii_digit()).then(|| head.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::super::{Alter, Statement, parse};
    use super::*;
    use crate::wal::SqlEvent;

    const DAY: i64 = 86_400_000_000;

    fn select(
        choice: &str,
        unit: PartitionBy,
        days: &[i64],
        now_days: i64,
    ) -> Result<Vec<i64>, NotUnderstood> {
        let sql = format!("alter table t drop partition {choice}");
        let Ok(Statement::Alter(Alter::DropPartitions(choice))) = parse(&sql) else { panic!("{sql}") };
        let event = SqlEvent { command: 2, sql, seeds: (0, 0), indexed: Vec::new(), named: Vec::new() };
        let table = Partitioning { timestamp: "ts", ty: ColumnType::TIMESTAMP, unit };
        let floors: Vec<i64> = days.iter().map(|d| d * DAY).collect();
        let context = Context { event: &event, now_us: now_days * DAY, nanos: false };
        Ok(choice.select(&table, &floors, context)?.into_iter().map(|ts| ts / DAY).collect())
    }

    #[test]
    fn a_list_ends_at_the_first_missing_name() {
        let days = [0, 1, 5];
        let day = |choice| select(choice, PartitionBy::Day, &days, 0).unwrap();
        assert_eq!(day("list '1970-01-02'"), [1]);
        assert_eq!(day("list '1970-01-06T12', '1970-01-03', '1970-01-01'"), [5]);
        assert_eq!(day("list '1970-01-01','1970-01-01','1970-01-02'"), [0]);
        assert!(select("list '1970-01-01', '1970'", PartitionBy::Day, &days, 0).is_err());
        assert_eq!(select("list '1970-W02'", PartitionBy::Week, &[-3, 4], 0).unwrap(), [4]);
        assert_eq!(select("list '1970-01-06'", PartitionBy::Week, &[-3, 4], 0).unwrap(), [4]);
    }

    #[test]
    fn a_condition_is_tried_on_the_start_of_each_partition() {
        let days = [0, 31, 59, 365];
        let day = |choice| select(choice, PartitionBy::Day, &days, 62).unwrap();
        assert_eq!(day("where ts < '1970-02'"), [0]);
        assert_eq!(day("where ts in '1970-02' or ts > '1970-12'"), [31, 365]);
        assert_eq!(day("where not (ts <= dateadd('d', -3, now()))"), [365]);
        assert_eq!(day("where ts between '1970-03-01' and '1970-01-02'"), [31, 59]);
        assert!(select("where ts > price", PartitionBy::Day, &days, 0).is_err());
        // Not the same at every replay.
        assert!(parse("alter table t drop partition where ts < systimestamp()").is_err());
    }
}
