//! The history that all instances share: rows, definitions, statements, in one order.

use super::chance::Chance;
use super::time::{DAY, HOUR, MINUTE, bounds};
use std::collections::{BTreeMap, BTreeSet};
use understudy::policy::{StoragePolicy, TableFacts, parse_list};
use understudy::wal::PartitionBy;

pub struct TableDef {
    pub dir: String,
    pub unit: PartitionBy,
    pub nanos: bool,
    /// The stages stay the same from the start, no TTL comes, the newest timestamp never goes back.
    pub calm: bool,
    ttl: i32,
    policy: Option<StoragePolicy>,
    newest: i64,
}

pub struct Entry {
    pub at: i64,
    pub table: usize,
    pub what: What,
}

pub enum What {
    Rows(Vec<usize>),
    Ttl(i32),
    Policy(Option<StoragePolicy>),
    Wish { floor: i64, parquet: bool },
    DropPartition(i64),
}

pub struct History {
    pub tables: Vec<TableDef>,
    /// Timestamps of all rows.
    pub rows: Vec<i64>,
    pub log: Vec<Entry>,
}

const UNITS: [PartitionBy; 3] = [PartitionBy::Hour, PartitionBy::Day, PartitionBy::Month];

impl History {
    pub fn new(chance: &mut Chance, now: i64) -> Self {
        let tables = (0..chance.between(1, 2)).map(|number| TableDef {
            dir: format!("t~{number}"),
            unit: chance.pick(&UNITS),
            nanos: chance.percent(30),
            calm: chance.percent(50),
            ttl: 0,
            policy: None,
            newest: i64::MIN,
        });
        let mut history = Self { tables: tables.collect(), rows: Vec::new(), log: Vec::new() };
        for table in 0..history.tables.len() {
            let policy = history.some_policy(chance, table);
            history.set_policy(now, table, Some(policy));
        }
        history
    }

    /// Adds something, mostly rows.
    pub fn go_on(&mut self, chance: &mut Chance, now: i64) {
        let table = chance.below(self.tables.len() as u64) as usize;
        let calm = self.tables[table].calm;
        match chance.below(100) {
            0..70 => self.add_rows(chance, now, table),
            70..78 => {
                let floor = self.some_floor(chance, now, table);
                let parquet = chance.percent(60);
                self.push(now, table, What::Wish { floor, parquet });
            }
            78..86 => {
                if let Some(policy) = self.tables[table].policy {
                    let policy = StoragePolicy { active: !policy.active, ..policy };
                    self.set_policy(now, table, Some(policy));
                }
            }
            86..90 if !calm => self.set_ttl(chance, now, table),
            90..96 if !calm && self.tables[table].ttl == 0 => {
                let policy = chance.percent(80).then(|| self.some_policy(chance, table));
                self.set_policy(now, table, policy);
            }
            96..100 => {
                let floor = self.some_floor(chance, now, table);
                let last = bounds(self.tables[table].unit, self.tables[table].newest.max(0)).0;
                // That takes the newest timestamp back, and with it what was old enough.
                if floor < last || !calm {
                    self.push(now, table, What::DropPartition(floor));
                }
            }
            _ => {}
        }
    }

    /// So that everything that was given up or left off is taken up: every table has an active policy, changed just now.
    pub fn settle(&mut self, chance: &mut Chance, now: i64) {
        for table in 0..self.tables.len() {
            self.add_rows(chance, now, table);
            if self.tables[table].ttl != 0 {
                self.tables[table].ttl = 0;
                self.push(now, table, What::Ttl(0));
            }
            let policy = self.tables[table].policy.unwrap_or_else(|| self.some_policy(chance, table));
            self.set_policy(now, table, Some(StoragePolicy { active: false, ..policy }));
            self.set_policy(now, table, Some(StoragePolicy { active: true, ..policy }));
        }
    }

    /// Of a calm table: the rows that should be there by partition, and whether a statement wants it as Parquet.
    pub fn partitions(&self, table: usize) -> BTreeMap<i64, (BTreeSet<usize>, bool)> {
        let unit = self.tables[table].unit;
        let mut out: BTreeMap<i64, (BTreeSet<usize>, bool)> = BTreeMap::new();
        for entry in self.log.iter().filter(|entry| entry.table == table) {
            match &entry.what {
                What::Rows(rows) => {
                    for row in rows {
                        out.entry(bounds(unit, self.rows[*row]).0).or_default().0.insert(*row);
                    }
                }
                What::Wish { floor, parquet } => {
                    if let Some((_, wish)) = out.get_mut(floor) {
                        *wish = *parquet;
                    }
                }
                What::DropPartition(floor) => {
                    out.remove(floor);
                }
                What::Ttl(_) | What::Policy(_) => {}
            }
        }
        out
    }

    pub fn newest(&self) -> i64 {
        self.rows.iter().copied().max().unwrap_or(0)
    }

    pub fn newest_of(&self, table: usize) -> i64 {
        self.tables[table].newest
    }

    fn add_rows(&mut self, chance: &mut Chance, now: i64, table: usize) {
        let span = span(self.tables[table].unit);
        let count = chance.between(1, 4);
        let first = self.rows.len();
        for _ in 0..count {
            let ts = match chance.below(100) {
                0..60 => now - chance.between(0, span / 4),
                60..96 => now - chance.between(0, 40 * span),
                // Clocks of clients are wrong, too.
                96..99 => now + chance.between(0, 3 * span),
                _ => now + chance.between(30 * DAY, 90 * DAY),
            };
            self.tables[table].newest = self.tables[table].newest.max(ts);
            self.rows.push(ts);
        }
        self.push(now, table, What::Rows((first..self.rows.len()).collect()));
    }

    fn set_policy(&mut self, now: i64, table: usize, policy: Option<StoragePolicy>) {
        self.tables[table].policy = policy;
        self.push(now, table, What::Policy(policy));
    }

    fn set_ttl(&mut self, chance: &mut Chance, now: i64, table: usize) {
        let ttl = match self.tables[table].unit {
            _ if chance.percent(50) => 0,
            PartitionBy::Month => -6,
            _ => 24 * chance.between(20, 60) as i32,
        };
        self.tables[table].ttl = ttl;
        self.push(now, table, What::Ttl(ttl));
    }

    fn some_policy(&self, chance: &mut Chance, table: usize) -> StoragePolicy {
        let unit = self.tables[table].unit;
        let spans: &[&str] = match unit {
            PartitionBy::Hour => &["1h", "2 HOURS", "6h", "1d", "3d", "1M"],
            PartitionBy::Day => &["1 DAY", "2d", "1W", "3 WEEKS", "1M", "2M"],
            _ => &["1M", "2 MONTHS", "3M", "1Y"],
        };
        let drop = chance.percent(70).then(|| chance.below(spans.len() as u64) as usize);
        let last = drop.unwrap_or(spans.len() - 1) as u64 + 1;
        let mut stages = Vec::new();
        for name in ["TO PARQUET", "TO REMOTE"] {
            if chance.percent(60) {
                stages.push(format!("{name} {}", spans[chance.below(last) as usize]));
            }
        }
        stages.extend(drop.map(|drop| format!("DROP LOCAL {}", spans[drop])));
        if stages.is_empty() {
            stages.push(format!("TO PARQUET {}", spans[0]));
        }
        let facts = TableFacts { partition_by: unit, timestamp: true, ttl: 0 };
        parse_list(&stages.join(", ")).and_then(|stages| stages.policy(&facts)).expect("a good policy")
    }

    fn some_floor(&self, chance: &mut Chance, now: i64, table: usize) -> i64 {
        let unit = self.tables[table].unit;
        let rows: Vec<i64> = self
            .log
            .iter()
            .filter(|entry| entry.table == table)
            .filter_map(|entry| match &entry.what {
                What::Rows(rows) => rows.first().map(|row| self.rows[*row]),
                _ => None,
            })
            .collect();
        let ts = if rows.is_empty() { now } else { chance.pick(&rows) };
        bounds(unit, ts).0
    }

    fn push(&mut self, at: i64, table: usize, what: What) {
        self.log.push(Entry { at, table, what });
    }
}

/// About how long a partition is.
fn span(unit: PartitionBy) -> i64 {
    match unit {
        PartitionBy::Hour => HOUR,
        PartitionBy::Day => DAY,
        _ => 30 * DAY,
    }
}

/// A piece of time: mostly short ones.
pub fn pause(chance: &mut Chance) -> i64 {
    match chance.below(10) {
        0..4 => chance.between(1, 20) * MINUTE / 2,
        4..7 => chance.between(1, 6) * HOUR,
        7..9 => chance.between(1, 4) * DAY,
        _ => chance.between(5, 40) * DAY,
    }
}
