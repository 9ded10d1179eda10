//! An instance: what it has of the tables, its clock, and the driver of the machine, with all its faults.

use super::chance::Chance;
use super::history::{History, What};
use super::time::{bounds, old};
use std::collections::{BTreeMap, BTreeSet};
use understudy::policy::{
    Action, Event, Form, Machine, Outcome, PartitionSeen, PartitionsSeen, Settings, StoragePolicy, TableSeen,
    Task, TaskKind, Ttl,
};

type Rows = BTreeSet<usize>;

/// A partition as it is stored.
#[derive(Clone)]
pub struct Part {
    pub rows: Rows,
    pub form: Form,
    pub version: u64,
    pub remote: Option<(u64, Rows)>,
    pub partial: bool,
}

impl Part {
    /// What a query sees.
    pub fn readable(&self) -> Rows {
        let remote = self.remote.iter().filter(|_| self.partial || self.form == Form::Remote);
        remote.flat_map(|(_, rows)| rows).chain(&self.rows).copied().collect()
    }

    /// Whether a query sees just these rows.
    fn reads(&self, rows: &Rows) -> bool {
        match &self.remote {
            Some(_) if self.partial => self.readable() == *rows,
            Some((_, remote)) if self.form == Form::Remote => remote == rows,
            _ => self.rows == *rows,
        }
    }

    fn seen(&self, floor: i64, scale: i64) -> PartitionSeen {
        let remote = self.remote.as_ref().map(|(version, _)| *version);
        let (rows, bytes) = (self.rows.len() as u64, self.rows.len() as u64 * 40);
        let (form, version, partial) = (self.form, self.version, self.partial);
        PartitionSeen { floor: floor * scale, rows, bytes, form, version, remote, partial }
    }
}

#[derive(Clone, Default)]
pub struct TableHere {
    pub ttl: i32,
    pub policy: Option<StoragePolicy>,
    pub parts: BTreeMap<i64, Part>,
    /// What should be readable: all that came, but what was dropped for a reason.
    expected: BTreeMap<i64, Rows>,
    /// Forms that statements asked for.
    wishes: BTreeMap<i64, bool>,
    /// Counts changes of the policy and statements: after one, steps may be tried anew.
    changes: u32,
}

/// A task that a worker has.
struct Work {
    task: Task,
    /// The partition when the work began.
    then: Part,
    cancelled: bool,
    /// It has ended, and the machine has not been told yet.
    outcome: Option<Outcome>,
}

/// How often each step was begun: table, floor, first task, version, changes.
type Starts = BTreeMap<(String, i64, TaskKind, u64, u32), u32>;

pub struct Instance {
    pub machine: Machine,
    pub settings: Settings,
    pub skew: i64,
    pub cursor: usize,
    pub tables: Vec<TableHere>,
    saved: (Machine, Starts),
    running: Vec<Work>,
    /// Parquet files that nobody sees yet.
    files: BTreeMap<(usize, i64), Rows>,
    starts: Starts,
    pub began: u64,
}

type Checked = Result<(), String>;

impl Instance {
    pub fn new(history: &History, settings: Settings, now: i64) -> Self {
        let machine = Machine::new(settings, now);
        Self {
            saved: (machine.clone(), Starts::new()),
            machine,
            settings,
            skew: 0,
            cursor: 0,
            tables: vec![TableHere::default(); history.tables.len()],
            running: Vec::new(),
            files: BTreeMap::new(),
            starts: Starts::new(),
            began: 0,
        }
    }

    /// Applies the next entry of the history, if there is one.
    pub fn apply(&mut self, history: &History, chance: &mut Chance, now: i64) -> Checked {
        let Some(entry) = history.log.get(self.cursor) else { return Ok(()) };
        self.cursor += 1;
        let (table, version) = (entry.table, self.cursor as u64);
        let def = &history.tables[table];
        let here = &mut self.tables[table];
        let before: BTreeSet<i64> = here.parts.keys().copied().collect();
        let mut changed = BTreeSet::new();
        let (mut event, mut anew) = (None, 0);
        match &entry.what {
            What::Rows(rows) => {
                for row in rows {
                    let floor = bounds(def.unit, history.rows[*row]).0;
                    here.insert(floor, *row, version, chance.percent(50));
                    changed.insert(floor);
                }
            }
            What::Ttl(ttl) => here.ttl = *ttl,
            What::Policy(policy) => {
                here.policy = *policy;
                anew = 1;
                event = Some(Event::Policy { table: def.dir.clone(), policy: *policy });
            }
            What::Wish { floor, parquet } => {
                if here.parts.contains_key(floor) {
                    here.wishes.insert(*floor, *parquet);
                    anew = 1;
                }
                let floor = floor * scale(def.nanos);
                event = Some(Event::Wish { table: def.dir.clone(), floor, parquet: *parquet });
            }
            What::DropPartition(floor) => here.forget(*floor),
        }
        here.evict(history, table, entry.at);
        let gone = before.into_iter().filter(|floor| !here.parts.contains_key(floor)).collect();
        if chance.percent(10) || here.changes == 0 {
            self.tell_table(history, table, now)?;
        } else {
            self.tell_changes(history, table, changed, gone, now)?;
        }
        self.tables[table].changes += anew;
        if let Some(event) = event {
            let actions = self.machine.handle(now + self.skew, event);
            self.act(history, actions)?;
        }
        // With the place in the log; what tasks do later may be lost.
        self.saved = (self.machine.clone(), self.starts.clone());
        Ok(())
    }

    /// Lets the machine do what is due, and fails if it never rests.
    pub fn advance(&mut self, history: &History, now: i64) -> Checked {
        let clock = now + self.skew;
        for _ in 0..1_000 {
            if self.machine.next_due().is_none_or(|due| due > clock) {
                return Ok(());
            }
            let actions = self.machine.advance(clock);
            self.act(history, actions)?;
        }
        Err("the machine is never done".to_owned())
    }

    /// Goes on with one of the running tasks.
    pub fn work(&mut self, history: &History, chance: &mut Chance, now: i64, failing: u64) -> Checked {
        if self.running.is_empty() {
            return Ok(());
        }
        let at = chance.below(self.running.len() as u64) as usize;
        if self.running[at].outcome.is_none() {
            let outcome = if self.running[at].cancelled {
                Outcome::Cancelled
            } else if chance.percent(failing) {
                Outcome::Failed("no space left".to_owned())
            } else {
                self.effect(history, at, chance.percent(30), now)?
            };
            self.running[at].outcome = Some(outcome);
            if chance.percent(20) {
                return Ok(());
            }
        }
        if chance.percent(30) {
            let table = table_of(history, &self.running[at].task);
            self.tell_table(history, table, now)?;
        }
        let work = self.running.swap_remove(at);
        let outcome = work.outcome.unwrap_or(Outcome::Cancelled);
        let ended = Event::Ended { task: work.task.id, outcome };
        let actions = self.machine.handle(now + self.skew, ended);
        self.act(history, actions)
    }

    pub fn is_working(&self) -> bool {
        !self.running.is_empty()
    }

    /// The process dies, and starts again with what it had saved.
    pub fn restart(&mut self, history: &History, chance: &mut Chance, now: i64) -> Checked {
        self.running.clear();
        self.files.clear();
        (self.machine, self.starts) = self.saved.clone();
        if chance.percent(5) {
            let text = serde_json::to_string(&self.machine).map_err(|error| error.to_string())?;
            self.machine = serde_json::from_str(&text).map_err(|error| error.to_string())?;
        }
        self.machine.set_settings(self.settings);
        let actions = self.machine.handle(now + self.skew, Event::Restarted);
        self.act(history, actions)?;
        for table in 0..self.tables.len() {
            if !self.tables[table].parts.is_empty() {
                self.tell_table(history, table, now)?;
            }
        }
        Ok(())
    }

    /// Whether everything can be read that should be.
    pub fn nothing_is_lost(&self) -> Checked {
        for (table, here) in self.tables.iter().enumerate() {
            here.expected.keys().try_for_each(|floor| here.is_whole(*floor, table))?;
        }
        Ok(())
    }

    /// What ages are counted up to.
    pub fn reference(&self, history: &History, table: usize, now: i64) -> i64 {
        let newest = self.tables[table].newest(history);
        if self.settings.use_wall_clock { newest.min(now + self.skew) } else { newest }
    }

    fn act(&mut self, history: &History, actions: Vec<Action>) -> Checked {
        for action in actions {
            match action {
                Action::Run(task) => self.begin(history, task)?,
                Action::Cancel { task } => {
                    let found = self.running.iter_mut().find(|work| work.task.id == task);
                    let work = found.ok_or("a task was taken back that is not running")?;
                    work.cancelled = true;
                    let task = work.task.clone();
                    self.uncount(history, &task);
                }
                Action::GiveUp { .. } | Action::Record(_) => {}
            }
        }
        Ok(())
    }

    fn begin(&mut self, history: &History, task: Task) -> Checked {
        self.began += 1;
        let table = table_of(history, &task);
        let floor = task.floor / scale(history.tables[table].nanos);
        let here = &self.tables[table];
        let part = here.parts.get(&floor).ok_or_else(|| format!("{task:?}: there is no such partition"))?;
        if part.version != task.version {
            return Err(format!("{task:?}: its version is {}", part.version));
        }
        if here.last() == Some(floor) {
            return Err(format!("{task:?}: the partition is active"));
        }
        if self.running.iter().any(|work| work.task.floor == task.floor && work.task.table == task.table) {
            return Err(format!("{task:?}: another task works on the partition"));
        }
        if self.running.len() >= self.settings.worker_count.max(1) as usize {
            return Err(format!("{task:?}: all workers have something to do"));
        }
        if task.kind != TaskKind::ParquetCommit {
            let count = self.starts.entry(step(&task, here.changes)).or_default();
            *count += 1;
            if *count > self.settings.max_reschedule_count + 1 {
                return Err(format!("{task:?}: tried {count} times, and nothing has changed"));
            }
        }
        self.running.push(Work { then: part.clone(), task, cancelled: false, outcome: None });
        Ok(())
    }

    /// A task that the machine took back is not counted.
    fn uncount(&mut self, history: &History, task: &Task) {
        let changes = self.tables[table_of(history, task)].changes;
        if let Some(count) = self.starts.get_mut(&step(task, changes)) {
            *count = count.saturating_sub(1);
        }
    }

    /// What the task does to the partition.
    fn effect(&mut self, history: &History, at: usize, looks: bool, now: i64) -> Result<Outcome, String> {
        let (task, then) = (self.running[at].task.clone(), self.running[at].then.clone());
        let table = table_of(history, &task);
        let floor = task.floor / scale(history.tables[table].nanos);
        let Some(part) = self.tables[table].parts.get(&floor) else { return Ok(Outcome::Stale) };
        if looks && part.version != task.version {
            return Ok(Outcome::Stale);
        }
        match task.kind {
            TaskKind::ParquetConversion => {
                self.files.insert((table, floor), then.rows);
                return Ok(Outcome::Done);
            }
            TaskKind::RemoteUpload => {
                let rows = then.readable();
                let part = self.tables[table].parts.get_mut(&floor).expect("seen above");
                part.remote = Some((then.version, rows));
                return Ok(Outcome::Done);
            }
            _ => {}
        }
        if !self.machine.may_publish(now + self.skew, task.id) {
            self.uncount(history, &task);
            return Ok(Outcome::Cancelled);
        }
        self.check_publication(history, &task, table, floor, now)?;
        let file = self.files.remove(&(table, floor));
        let here = &mut self.tables[table];
        let part = here.parts.get_mut(&floor).expect("seen above");
        match task.kind {
            TaskKind::ParquetCommit => {
                let Some(rows) = file else { return Ok(Outcome::Failed("the file is not there".into())) };
                (part.form, part.rows) = (Form::Parquet, rows);
            }
            TaskKind::NativeConversion => (part.form, part.rows) = (Form::Native, then.rows),
            _ => {
                part.rows.clear();
                part.partial = false;
                if part.remote.as_ref().is_some_and(|(version, _)| *version == part.version) {
                    part.form = Form::Remote;
                } else {
                    here.forget(floor);
                }
            }
        }
        here.is_whole(floor, table).map_err(|error| format!("{task:?}: {error}"))?;
        Ok(Outcome::Done)
    }

    /// Whether there is a reason, by this instance's own clock, definitions and rows.
    fn check_publication(
        &self,
        history: &History,
        task: &Task,
        table: usize,
        floor: i64,
        now: i64,
    ) -> Checked {
        let here = &self.tables[table];
        let part = &here.parts[&floor];
        let reference = self.reference(history, table, now);
        let end = bounds(history.tables[table].unit, floor).1;
        let policy = here.policy.filter(|policy| policy.active && here.ttl == 0);
        let due = |ttl: fn(&StoragePolicy) -> Option<Ttl>| {
            end <= reference && policy.is_some_and(|policy| old(end, ttl(&policy), reference))
        };
        let reason = match task.kind {
            TaskKind::ParquetCommit => {
                due(|policy| policy.to_parquet) || here.wishes.get(&floor) == Some(&true)
            }
            TaskKind::NativeConversion => here.wishes.get(&floor) == Some(&false),
            _ => due(|policy| policy.drop_local),
        };
        if !reason {
            return Err(format!("{task:?}: published too early, or without a reason"));
        }
        if here.last() == Some(floor) {
            return Err(format!("{task:?}: published while the partition is active"));
        }
        let upload = policy.is_some_and(|policy| policy.to_remote.is_some());
        let there = part.remote.as_ref().is_some_and(|(_, rows)| part.reads(rows));
        if task.kind == TaskKind::DropLocal && upload && !there {
            return Err(format!("{task:?}: dropped before it was in the bucket"));
        }
        Ok(())
    }

    fn tell_table(&mut self, history: &History, table: usize, now: i64) -> Checked {
        let (def, here) = (&history.tables[table], &self.tables[table]);
        let scale = scale(def.nanos);
        let event = Event::Table(TableSeen {
            table: def.dir.clone(),
            partition_by: def.unit,
            nanos: def.nanos,
            ttl: here.ttl,
            newest: here.newest_here(history).map(|newest| newest * scale),
            partitions: here.parts.iter().map(|(floor, part)| part.seen(*floor, scale)).collect(),
        });
        let actions = self.machine.handle(now + self.skew, event);
        self.act(history, actions)
    }

    fn tell_changes(
        &mut self,
        history: &History,
        table: usize,
        changed: BTreeSet<i64>,
        gone: Vec<i64>,
        now: i64,
    ) -> Checked {
        let (def, here) = (&history.tables[table], &self.tables[table]);
        let scale = scale(def.nanos);
        let parts = changed.iter().filter_map(|floor| Some(here.parts.get(floor)?.seen(*floor, scale)));
        let event = Event::Partitions(PartitionsSeen {
            table: def.dir.clone(),
            ttl: here.ttl,
            newest: here.newest_here(history).map(|newest| newest * scale),
            changed: parts.collect(),
            gone: gone.iter().map(|floor| floor * scale).collect(),
        });
        let actions = self.machine.handle(now + self.skew, event);
        self.act(history, actions)
    }
}

impl TableHere {
    fn is_whole(&self, floor: i64, table: usize) -> Checked {
        let (part, expected) = (self.parts.get(&floor), self.expected.get(&floor));
        let whole = match (part, expected) {
            (Some(part), Some(expected)) => part.reads(expected),
            (part, expected) => part.is_none() && expected.is_none(),
        };
        if whole { Ok(()) } else { Err(format!("table {table}, partition {floor}: rows are lost")) }
    }

    pub fn last(&self) -> Option<i64> {
        self.parts.last_key_value().map(|(floor, _)| *floor)
    }

    fn newest_here(&self, history: &History) -> Option<i64> {
        let part = self.parts.last_key_value()?.1;
        let remote = part.remote.iter().flat_map(|(_, rows)| rows);
        part.rows.iter().chain(remote).map(|row| history.rows[*row]).max()
    }

    fn newest(&self, history: &History) -> i64 {
        self.newest_here(history).unwrap_or(0)
    }

    /// A row comes; `keeps`: rows that come to a Parquet partition leave it as Parquet.
    fn insert(&mut self, floor: i64, row: usize, version: u64, keeps: bool) {
        let new = Part { rows: Rows::new(), form: Form::Native, version, remote: None, partial: false };
        let part = self.parts.entry(floor).or_insert(new);
        match part.form {
            Form::Parquet if !keeps => part.form = Form::Native,
            Form::Remote => (part.form, part.partial) = (Form::Native, true),
            _ => {}
        }
        part.rows.insert(row);
        part.version = version;
        self.expected.entry(floor).or_default().insert(row);
    }

    fn forget(&mut self, floor: i64) {
        self.parts.remove(&floor);
        self.expected.remove(&floor);
        self.wishes.remove(&floor);
    }

    /// The TTL, as the log says it: the same everywhere.
    fn evict(&mut self, history: &History, table: usize, committed: i64) {
        let Some(ttl) = Ttl::from_stored(self.ttl) else { return };
        let reference = self.newest(history).min(committed);
        let unit = history.tables[table].unit;
        let last = self.last();
        let over = |floor: &&i64| {
            let end = bounds(unit, **floor).1;
            last != Some(**floor) && end <= reference && old(end, Some(ttl), reference)
        };
        for floor in self.parts.keys().filter(over).copied().collect::<Vec<_>>() {
            self.forget(floor);
        }
    }
}

fn table_of(history: &History, task: &Task) -> usize {
    history.tables.iter().position(|def| def.dir == task.table).expect("a table of this history")
}

fn step(task: &Task, changes: u32) -> (String, i64, TaskKind, u64, u32) {
    let kind = match task.kind {
        TaskKind::ParquetCommit => TaskKind::ParquetConversion,
        kind => kind,
    };
    (task.table.clone(), task.floor, kind, task.version, changes)
}

fn scale(nanos: bool) -> i64 {
    if nanos { 1_000 } else { 1 }
}
