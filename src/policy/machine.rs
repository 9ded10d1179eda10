//! The state machine: events in, actions out.

use super::partition::{Partition, Step, Table};
use super::{
    Action, Event, Form, Happening, PartitionSeen, PartitionsSeen, PolicyStatus, Settings, StoragePolicy,
    TableSeen, Task, TaskKind, Transition,
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Of how many dropped partitions of a table it is remembered that they were there.
const DROPPED_REMEMBERED: usize = 1_024;

/// Enforces the policies of all tables on one instance.
///
/// It does nothing itself: [`handle`](Self::handle) and [`advance`](Self::advance) answer with [`Action`]s, and the driver
/// tells by events what came of them. It has no clock: `now_us` is the instance's own, microseconds since 1970, and may
/// jump. Call `advance` at [`next_due`](Self::next_due), and ask [`may_publish`](Self::may_publish) right before anything
/// that a task did becomes visible. All state can be serialised.
///
/// ```
/// use understudy::policy::{
///     Action, Event, Form, Machine, Outcome, PartitionSeen, Settings, TableFacts, TableSeen, TaskKind, parse_list,
/// };
/// use understudy::wal::PartitionBy;
///
/// const DAY: i64 = 86_400_000_000;
/// let facts = TableFacts { partition_by: PartitionBy::Day, timestamp: true, ttl: 0 };
/// let policy = parse_list("TO PARQUET 3d")?.policy(&facts)?;
/// let partition = |day: i64| PartitionSeen {
///     floor: day * DAY, rows: 10, bytes: 400, form: Form::Native, version: 1, remote: None, partial: false,
/// };
/// let mut now = 9 * DAY;
/// let mut machine = Machine::new(Settings::default(), now);
/// machine.handle(now, Event::Policy { table: "t~1".into(), policy: Some(policy) });
/// machine.handle(now, Event::Table(TableSeen {
///     table: "t~1".into(), partition_by: PartitionBy::Day, nanos: false, ttl: 0, newest: Some(5 * DAY + 7),
///     partitions: vec![partition(1), partition(2), partition(5)],
/// }));
/// let mut kinds = Vec::new();
/// while let Some(due) = machine.next_due().filter(|due| *due < 10 * DAY) {
///     now = now.max(due);
///     let mut actions = machine.advance(now);
///     while let Some(action) = actions.pop() {
///         let Action::Run(task) = action else { continue };
///         // Here a worker does the work.
///         if machine.may_publish(now, task.id) {
///             kinds.push((task.floor / DAY, task.kind));
///             actions.extend(machine.handle(now, Event::Ended { task: task.id, outcome: Outcome::Done }));
///         }
///     }
/// }
/// // The day that ended three days before the newest row.
/// assert_eq!(kinds, [(1, TaskKind::ParquetConversion), (1, TaskKind::ParquetCommit)]);
/// assert_eq!(machine.why(now, "t~1", DAY).unwrap().form, Form::Parquet);
/// # Ok::<(), understudy::policy::PolicyError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    pub(super) settings: Settings,
    pub(super) tables: BTreeMap<String, Table>,
    /// Partitions to be looked at, by when.
    pub(super) queue: BTreeSet<(i64, String, i64)>,
    pub(super) running: BTreeMap<u64, Running>,
    pub(super) next_check: i64,
    next_task: u64,
    /// The clock when it was last seen.
    last_now: i64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Running {
    pub task: Task,
    /// It may not publish any more.
    pub cancelled: bool,
}

impl Machine {
    /// Without tables; the first check is due at once.
    pub fn new(settings: Settings, now_us: i64) -> Self {
        Self {
            settings,
            tables: BTreeMap::new(),
            queue: BTreeSet::new(),
            running: BTreeMap::new(),
            next_check: now_us,
            next_task: 0,
            last_now: now_us,
        }
    }

    /// Other settings from now on, e.g. after a restart.
    pub fn set_settings(&mut self, settings: Settings) {
        self.settings = settings;
    }

    /// Takes an event.
    pub fn handle(&mut self, now_us: i64, event: Event) -> Vec<Action> {
        let mut out = Vec::new();
        self.look_at_clock(now_us);
        match event {
            Event::Table(seen) => self.table_seen(now_us, seen, &mut out),
            Event::Partitions(seen) => self.partitions_seen(now_us, seen, &mut out),
            Event::TableGone { table } => self.table_gone(now_us, &table, &mut out),
            Event::Policy { table, policy } => self.policy_set(now_us, table, policy, &mut out),
            Event::Wish { table, floor, parquet } => self.wished(now_us, table, floor, parquet, &mut out),
            Event::Ended { task, outcome } => self.ended(now_us, task, outcome, &mut out),
            Event::Restarted => self.restarted(now_us, &mut out),
        }
        self.dispatch(now_us, &mut out);
        out
    }

    /// Lets time pass: looks at all partitions if that is due, and gives workers what waits.
    pub fn advance(&mut self, now_us: i64) -> Vec<Action> {
        let mut out = Vec::new();
        self.look_at_clock(now_us);
        if now_us >= self.next_check {
            self.check(now_us, &mut out);
            self.next_check = now_us.saturating_add(self.settings.check_interval_us.max(1));
        }
        self.dispatch(now_us, &mut out);
        out
    }

    /// When [`advance`](Self::advance) is to be called next; `None` while nothing depends on time.
    pub fn next_due(&self) -> Option<i64> {
        let concerned = self.tables.values().any(|table| table.is_concerned(&self.settings));
        let check = concerned.then_some(self.next_check);
        let free = self.running.len() < self.settings.worker_count.max(1) as usize;
        let queued = self.queue.first().filter(|_| free).map(|(due, ..)| *due);
        check.into_iter().chain(queued).min()
    }

    /// Whether what a task did may become visible. To be asked right before, with nothing in between that changes the
    /// partition. After a no the driver throws the work away and ends the task as [`Outcome::Cancelled`](super::Outcome).
    pub fn may_publish(&mut self, now_us: i64, task: u64) -> bool {
        let Some(running) = self.running.get(&task) else { return false };
        if running.cancelled && self.settings.rules.wanted {
            return false;
        }
        let wanted = self.still_wanted(now_us, &running.task);
        if !wanted && let Some(running) = self.running.get_mut(&task) {
            running.cancelled = true;
        }
        wanted
    }

    /// What becomes of the table's policy here.
    pub fn status(&self, table: &str) -> PolicyStatus {
        self.tables.get(table).map_or(PolicyStatus::None, |table| table.status(&self.settings))
    }

    /// The table's policy.
    pub fn policy(&self, table: &str) -> Option<StoragePolicy> {
        self.tables.get(table)?.policy
    }

    /// The table's partitions as they are known, those dropped lately too, from the oldest.
    pub fn partitions(&self, table: &str) -> impl Iterator<Item = &PartitionSeen> {
        self.tables
            .get(table)
            .into_iter()
            .flat_map(|table| table.partitions.values())
            .map(|known| &known.seen)
    }

    fn table_seen(&mut self, now: i64, seen: TableSeen, out: &mut Vec<Action>) {
        let TableSeen { table: dir, partition_by, nanos, ttl, newest, partitions } = seen;
        let table = self.tables.entry(dir.clone()).or_insert_with(Table::unknown);
        (table.partition_by, table.nanos) = (partition_by, nanos);
        let listed: BTreeSet<i64> = partitions.iter().map(|partition| partition.floor).collect();
        let gone = table.partitions.keys().copied().filter(|floor| !listed.contains(floor)).collect();
        let changes = PartitionsSeen { table: dir, ttl, newest, changed: partitions, gone };
        self.partitions_seen(now, changes, out);
    }

    fn partitions_seen(&mut self, now: i64, seen: PartitionsSeen, out: &mut Vec<Action>) {
        let reset = self.settings.rules.reset;
        let settings = self.settings;
        let Some(table) = self.tables.get_mut(&seen.table) else { return };
        let before = table.status(&settings);
        (table.ttl, table.newest) = (seen.ttl, seen.newest);
        for floor in seen.gone {
            // Of what was dropped by this machine the memory stays.
            if table.partitions.get(&floor).is_some_and(|known| known.seen.form != Form::Dropped) {
                table.partitions.remove(&floor);
            }
        }
        for partition in seen.changed {
            let known = table.partitions.entry(partition.floor).or_insert_with(|| Partition {
                // It was gone, and is there again, before its task has ended.
                running: worked_on(&self.running, &seen.table, partition.floor),
                ..Partition::new(partition)
            });
            if known.seen.version != partition.version {
                known.converted = None;
                if reset {
                    known.tries.clear();
                }
            }
            known.seen = partition;
            known.wish = known.wish.filter(|parquet| *parquet || partition.form != Form::Native);
        }
        let status = table.status(&settings);
        if status != before {
            record(out, now, &seen.table, None, Happening::Status { status });
        }
        self.forget_dropped(&seen.table);
        self.cancel_unwanted(now, &seen.table, out);
    }

    fn table_gone(&mut self, now: i64, table: &str, out: &mut Vec<Action>) {
        self.tables.remove(table);
        self.queue.retain(|(_, dir, _)| dir != table);
        self.cancel_unwanted(now, table, out);
    }

    fn policy_set(&mut self, now: i64, dir: String, policy: Option<StoragePolicy>, out: &mut Vec<Action>) {
        let settings = self.settings;
        let table = self.tables.entry(dir.clone()).or_insert_with(Table::unknown);
        if table.policy == policy {
            return;
        }
        table.policy = policy;
        if settings.rules.reset {
            table.partitions.values_mut().for_each(|partition| partition.tries.clear());
        }
        let stages = policy.map(|policy| policy.list());
        let status = table.status(&settings);
        record(out, now, &dir, None, Happening::Defined { stages, status });
        self.cancel_unwanted(now, &dir, out);
    }

    fn wished(&mut self, now: i64, dir: String, floor: i64, parquet: bool, out: &mut Vec<Action>) {
        let Some(table) = self.tables.get_mut(&dir) else { return };
        let waits = table.is_last(floor);
        let Some(partition) = table.partitions.get_mut(&floor) else { return };
        // There is no such partition any more: what comes in its place was not meant.
        if partition.seen.form == Form::Dropped {
            return;
        }
        record(out, now, &dir, Some(floor), Happening::Wished { parquet, waits });
        table.wished = true;
        // What is native stays so, unless a task is about to change it.
        let to_do = parquet || partition.seen.form == Form::Parquet || partition.running.is_some();
        partition.wish = to_do.then_some(parquet);
        partition.tries.remove(&Step::Parquet);
        partition.tries.remove(&Step::Native);
        self.cancel_unwanted(now, &dir, out);
        self.enqueue(&dir, floor, now);
    }

    /// Queues every partition that wants a step and is neither waiting nor worked on.
    fn check(&mut self, now: i64, out: &mut Vec<Action>) {
        let mut due = Vec::new();
        for (dir, table) in &mut self.tables {
            if !table.is_concerned(&self.settings) {
                continue;
            }
            table.wished = table.partitions.values().any(|partition| partition.wish.is_some());
            for (floor, partition) in &table.partitions {
                if partition.due.is_some() || partition.running.is_some() {
                    continue;
                }
                if let Some(step) = table.next_step(*floor, now, &self.settings) {
                    due.push((dir.clone(), *floor, step.kind()));
                }
            }
        }
        for (dir, floor, kind) in due {
            record(out, now, &dir, Some(floor), Happening::Queued { kind });
            self.enqueue(&dir, floor, now);
        }
    }

    /// Has the partition looked at by `due`, unless a task is on it.
    pub(super) fn enqueue(&mut self, dir: &str, floor: i64, due: i64) {
        let Some(partition) = self.tables.get_mut(dir).and_then(|table| table.partitions.get_mut(&floor))
        else {
            return;
        };
        if partition.running.is_some() || partition.due.is_some_and(|before| before <= due) {
            return;
        }
        if let Some(before) = partition.due.replace(due) {
            self.queue.remove(&(before, dir.to_owned(), floor));
        }
        self.queue.insert((due, dir.to_owned(), floor));
    }

    /// Gives workers what is due.
    fn dispatch(&mut self, now: i64, out: &mut Vec<Action>) {
        // One worker at least, for what statements ask for: policies ask for nothing where there is none.
        let workers = self.settings.worker_count.max(1) as usize;
        while self.running.len() < workers {
            let Some((due, dir, floor)) = self.queue.first().filter(|(due, ..)| *due <= now).cloned() else {
                return;
            };
            self.queue.remove(&(due, dir.clone(), floor));
            let settings = self.settings;
            let Some(table) = self.tables.get_mut(&dir) else { continue };
            let step = table.next_step(floor, now, &settings);
            let Some(partition) = table.partitions.get_mut(&floor) else { continue };
            // Left over from a partition that is gone, and came again.
            if partition.due != Some(due) {
                continue;
            }
            partition.due = None;
            if let Some(step) = step {
                self.start(now, &dir, floor, step, out);
            }
        }
    }

    fn start(&mut self, now: i64, dir: &str, floor: i64, step: Step, out: &mut Vec<Action>) {
        let max = self.settings.tries_max();
        let bounded = self.settings.rules.give_up;
        let Some(partition) = self.tables.get_mut(dir).and_then(|table| table.partitions.get_mut(&floor))
        else {
            return;
        };
        let version = partition.seen.version;
        let commits = step == Step::Parquet && partition.converted == Some(version);
        let kind = if commits { TaskKind::ParquetCommit } else { step.kind() };
        let tries = partition.tries.entry(step).or_default();
        if !commits && tries.count >= max && bounded {
            // It was done, and is to be done again, although nothing changed.
            let reason =
                if tries.reason.is_empty() { "done again and again, to no effect" } else { &tries.reason };
            let reason = reason.to_owned();
            self.give_up(now, dir, floor, kind, reason, out);
            return;
        }
        tries.count += u32::from(!commits);
        let (id, attempt) = (self.next_task, tries.count);
        self.next_task += 1;
        partition.running = Some(id);
        let task = Task { id, kind, table: dir.to_owned(), floor, version, attempt };
        record(out, now, dir, Some(floor), Happening::Started { task: id, kind, version, attempt });
        out.push(Action::Run(task.clone()));
        self.running.insert(id, Running { task, cancelled: false });
    }

    pub(super) fn give_up(
        &mut self,
        now: i64,
        dir: &str,
        floor: i64,
        kind: TaskKind,
        reason: String,
        out: &mut Vec<Action>,
    ) {
        let Some(partition) = self.tables.get_mut(dir).and_then(|table| table.partitions.get_mut(&floor))
        else {
            return;
        };
        let tries = partition.tries.entry(Step::of(kind)).or_default();
        tries.given_up = true;
        tries.reason.clone_from(&reason);
        record(out, now, dir, Some(floor), Happening::GivenUp { kind, reason: reason.clone() });
        out.push(Action::GiveUp { table: dir.to_owned(), floor, kind, reason });
        // What else is wanted of it need not wait for the next check.
        self.enqueue(dir, floor, now);
    }

    /// Takes back tasks on a table that nobody wants any more.
    pub(super) fn cancel_unwanted(&mut self, now: i64, dir: &str, out: &mut Vec<Action>) {
        let unwanted: Vec<(u64, i64)> = self
            .running
            .values()
            .filter(|running| running.task.table == dir && !running.cancelled)
            .filter(|running| !self.still_wanted(now, &running.task))
            .map(|running| (running.task.id, running.task.floor))
            .collect();
        for (id, floor) in unwanted {
            let Some(running) = self.running.get_mut(&id) else { continue };
            running.cancelled = true;
            record(out, now, dir, Some(floor), Happening::Cancelled { task: id, kind: running.task.kind });
            out.push(Action::Cancel { task: id });
        }
    }

    fn still_wanted(&self, now: i64, task: &Task) -> bool {
        let rules = self.settings.rules;
        let Some(table) = self.tables.get(&task.table) else { return false };
        let Some(partition) = table.partitions.get(&task.floor) else { return false };
        let same = partition.seen.version == task.version || !rules.version;
        let wanted =
            !rules.wanted || table.steps(task.floor, now, &self.settings).contains(&Step::of(task.kind));
        same && wanted
    }

    /// The oldest memories of dropped partitions go first.
    fn forget_dropped(&mut self, dir: &str) {
        let Some(table) = self.tables.get_mut(dir) else { return };
        let dropped = |table: &Table| {
            let floors = table.partitions.iter().filter(|(_, known)| known.seen.form == Form::Dropped);
            floors.map(|(floor, _)| *floor).collect::<Vec<_>>()
        };
        let dropped = dropped(table);
        for floor in dropped.iter().take(dropped.len().saturating_sub(DROPPED_REMEMBERED)) {
            table.partitions.remove(floor);
        }
    }

    /// A clock that was put back brings back what had been planned by it.
    fn look_at_clock(&mut self, now: i64) {
        let back = now < self.last_now && self.settings.rules.clamp;
        self.last_now = now;
        if !back {
            return;
        }
        self.next_check = self.next_check.min(now.saturating_add(self.settings.check_interval_us));
        let latest = now.saturating_add(self.settings.retry_interval_us);
        let late: Vec<_> = self.queue.iter().filter(|(due, ..)| *due > latest).cloned().collect();
        for (_, dir, floor) in late {
            self.enqueue(&dir, floor, latest);
        }
    }
}

/// The task that works on a partition.
fn worked_on(running: &BTreeMap<u64, Running>, dir: &str, floor: i64) -> Option<u64> {
    let here = |running: &&Running| running.task.floor == floor && running.task.table == dir;
    running.values().find(here).map(|running| running.task.id)
}

/// Hands out a transition.
pub(super) fn record(out: &mut Vec<Action>, at_us: i64, table: &str, floor: Option<i64>, what: Happening) {
    out.push(Action::Record(Transition { at_us, table: table.to_owned(), floor, what }));
}
