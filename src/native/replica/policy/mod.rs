//! Storage policies enforced on this instance's own partitions, beside applying.
//!
//! | file | what happens there |
//! |---|---|
//! | `mod.rs` | feeds the machine, and does what it says |
//! | `tasks` | the halves of tasks that have the table, between two blocks of its log |
//! | `work` | the halves that take long, on threads of their own |
//! | `look` | what a table consists of here |
//! | `told` | what happens, for the journal and for people |
//!
//! The machine begins anew with every process: what is done shows in the tables' directories, and what was under way is
//! begun again.

mod look;
mod tasks;
mod told;
mod work;

pub(super) use told::Told;
pub(super) use work::Worked;

use self::look::{Carried, Watched};
use self::work::Hands;
use super::bases::Means;
use super::stream::Event as Heard;
use super::tables::Tables;
use crate::columnar::parquet::Options as ParquetOptions;
use crate::ledger::Note;
use crate::native::cluster::now_us;
use crate::native::store::{Away, Converted, Disk, DiskReader, Forms, away_of};
use crate::policy::{
    Action, Event, Form, Happening, Machine, Outcome, Settings, StoragePolicy, Task, TaskKind,
};
use crate::table::files::read::AppliedTable;
use crate::wal::TableToken;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

/// How soon after a table has moved it is looked at.
const AFTER: Duration = Duration::from_secs(1);
/// How soon a table is looked at again that could not be read.
const AGAIN: Duration = Duration::from_secs(5);
/// For how long applying waits for what is done with tables.
const AT_ONCE: Duration = Duration::from_millis(100);

/// A table's policy and where its partitions stand.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PolicyReport {
    /// As between the parentheses of `STORAGE POLICY(...)`; none: what is told comes of statements, or of a policy of before.
    pub policy: Option<String>,
    /// What becomes of it on this instance.
    pub standing: &'static str,
    /// Partitions that are here in column files.
    pub native: usize,
    /// Partitions that are here as Parquet files.
    pub parquet: usize,
    /// Partitions of which all that is known here is that the bucket has them.
    pub remote: usize,
    /// Partitions that were dropped here and are nowhere else, as far as is known here.
    pub dropped: usize,
    /// When something is due, in microseconds since 1970, if that is known.
    pub next_due_us: Option<i64>,
    /// What failed last and has not been done since.
    pub last_error: Option<String>,
}

/// Counts since the process began, by kind of task.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PolicyCounts {
    /// Done.
    pub done: u64,
    /// Failed, each try for itself.
    pub failed: u64,
    /// Given up.
    pub given_up: u64,
}

/// Drives the machine.
pub(super) struct Enforcer {
    machine: Machine,
    disk: Arc<dyn Disk>,
    hands: Hands,
    definitions: BTreeMap<String, StoragePolicy>,
    /// Tables that policies or statements have to do with.
    tables: BTreeMap<String, Watched>,
    /// Tables to look at.
    due: BTreeMap<String, Instant>,
    actions: VecDeque<Action>,
    running: BTreeMap<u64, Task>,
    /// Files that wait to be committed.
    ready: BTreeMap<(String, i64), Converted>,
    told: Vec<Told>,
    /// Tables whose partitions have other forms since they were told of.
    changed: BTreeSet<String>,
    /// By directory and first timestamp.
    errors: BTreeMap<(String, i64), String>,
    given_up: BTreeSet<(String, i64)>,
    counts: BTreeMap<TaskKind, PolicyCounts>,
    /// Partitions that were missing when a table was to be compared.
    missing: BTreeMap<String, usize>,
}

impl Enforcer {
    pub(super) fn new(
        settings: Settings,
        means: Means,
        options: ParquetOptions,
        sender: Sender<Heard>,
    ) -> Self {
        Self {
            machine: Machine::new(settings, now_us()),
            disk: means.disk.clone(),
            hands: Hands::new(settings.worker_count, means, options, sender),
            definitions: BTreeMap::new(),
            tables: BTreeMap::new(),
            due: BTreeMap::new(),
            actions: VecDeque::new(),
            running: BTreeMap::new(),
            ready: BTreeMap::new(),
            told: Vec::new(),
            changed: BTreeSet::new(),
            errors: BTreeMap::new(),
            given_up: BTreeSet::new(),
            counts: BTreeMap::new(),
            missing: BTreeMap::new(),
        }
    }

    /// The log defines these policies now, by tables' directories.
    pub(super) fn defined(&mut self, definitions: BTreeMap<String, StoragePolicy>) {
        let before = std::mem::replace(&mut self.definitions, definitions);
        for dir in before.keys().filter(|dir| !self.definitions.contains_key(*dir)) {
            let event = Event::Policy { table: dir.clone(), policy: None };
            self.actions.extend(self.machine.handle(now_us(), event));
        }
        for (dir, policy) in &self.definitions {
            if before.get(dir) != Some(policy) {
                let event = Event::Policy { table: dir.clone(), policy: Some(*policy) };
                self.actions.extend(self.machine.handle(now_us(), event));
                self.due.insert(dir.clone(), Instant::now());
            }
        }
    }

    /// A table was found at the start, and may have something to do.
    pub(super) fn found(&mut self, dir: &str) {
        self.due.insert(dir.to_owned(), Instant::now());
    }

    /// A table has moved, or was taken from a copy.
    pub(super) fn moved(&mut self, dir: &str) {
        self.due.entry(dir.to_owned()).or_insert_with(|| Instant::now() + AFTER);
    }

    /// Does what is due, for a while.
    pub(super) fn step(&mut self, tables: &mut Tables) {
        let begun = Instant::now();
        let due: Vec<String> =
            self.due.iter().filter(|(_, at)| **at <= begun).map(|(dir, _)| dir.clone()).collect();
        for dir in due {
            if begun.elapsed() >= AT_ONCE {
                break;
            }
            self.due.remove(&dir);
            self.look(tables, &dir, None);
        }
        if self.machine.next_due().is_some_and(|due| due <= now_us()) {
            let actions = self.machine.advance(now_us());
            self.actions.extend(actions);
        }
        // Looking may have taken all the time: one thing is done all the same.
        let begun = Instant::now();
        while begun.elapsed() < AT_ONCE
            && let Some(action) = self.actions.pop_front()
        {
            self.act(tables, action);
        }
    }

    /// When there is something to do, if nothing else happens.
    pub(super) fn patience(&self) -> Option<Duration> {
        if !self.actions.is_empty() {
            return Some(Duration::ZERO);
        }
        let now = Instant::now();
        let look = self.due.values().min().map(|at| at.saturating_duration_since(now));
        let step = self
            .machine
            .next_due()
            .map(|due| Duration::from_micros(u64::try_from(due.saturating_sub(now_us())).unwrap_or(0)));
        look.into_iter().chain(step).min()
    }

    /// What is to be told since the last time.
    pub(super) fn told(&mut self) -> Vec<Told> {
        std::mem::take(&mut self.told)
    }

    /// Tables whose partitions have other forms than when this was asked last.
    pub(super) fn changed(&mut self) -> BTreeSet<String> {
        std::mem::take(&mut self.changed)
    }

    /// Partitions of a table that are being converted.
    pub(super) fn converting(&self, dir: &str) -> BTreeSet<i64> {
        let converts = |task: &&Task| {
            task.table == dir && matches!(task.kind, TaskKind::ParquetConversion | TaskKind::ParquetCommit)
        };
        self.running.values().filter(converts).map(|task| task.floor).collect()
    }

    /// Partitions of which not all rows are here: with any, the table can't be compared with its primary's. The second value
    /// is whether there were as many when this was asked last.
    pub(super) fn missing(&mut self, token: &TableToken) -> (usize, bool) {
        let partial = |away: &BTreeMap<i64, Away>| away.values().filter(|away| away.is_partial()).count();
        let looked = self.tables.get(&token.dir).filter(|_| !self.due.contains_key(&token.dir));
        let missing = match looked {
            Some(watched) => partial(&watched.forms.away),
            None if self.is_left_alone(&token.dir) => 0,
            None => {
                let files = DiskReader(&*self.disk);
                let away = AppliedTable::read(&files, token)
                    .and_then(|table| away_of(&files, &token.dir, table.applied.txn));
                // Of a table that can't be read the comparison tells nothing.
                partial(&away.unwrap_or_default())
            }
        };
        let before = self.missing.insert(token.dir.clone(), missing).unwrap_or(0);
        (missing, before == missing)
    }

    /// Counts by kind of task, and tasks that are running.
    pub(super) fn counts(&self) -> (&BTreeMap<TaskKind, PolicyCounts>, usize) {
        (&self.counts, self.running.len())
    }

    /// How a table stands, if policies or statements have to do with it.
    pub(super) fn report(&self, dir: &str) -> Option<PolicyReport> {
        let watched = self.tables.get(dir)?;
        let now = now_us();
        let count = |form| self.machine.partitions(dir).filter(|partition| partition.form == form).count();
        let due = |floor: i64| self.machine.why(now, dir, floor)?.next?.at_us;
        let errors = self.errors.range((dir.to_owned(), i64::MIN)..=(dir.to_owned(), i64::MAX));
        Some(PolicyReport {
            policy: self.definitions.get(dir).map(StoragePolicy::list),
            standing: told::standing(self.machine.status(dir)),
            native: count(Form::Native),
            parquet: count(Form::Parquet),
            remote: count(Form::Remote),
            dropped: count(Form::Dropped),
            next_due_us: watched.seen.partitions.iter().filter_map(|partition| due(partition.floor)).min(),
            last_error: errors.map(|(_, text)| text.clone()).next_back(),
        })
    }

    /// Whether no partition of a table has another form than the log alone gives it, whatever commit it is at.
    fn is_left_alone(&self, dir: &str) -> bool {
        Forms::read(&*self.disk, dir, i64::MAX).is_ok_and(|forms| forms == Forms::default())
    }

    /// Looks at a table, and tells the machine.
    fn look(&mut self, tables: &Tables, dir: &str, carried: Option<Carried>) {
        let Some(token) = tables.token(dir) else {
            if self.tables.contains_key(dir) {
                self.begin_anew(dir);
                self.tables.remove(dir);
                let event = Event::TableGone { table: dir.to_owned() };
                self.actions.extend(self.machine.handle(now_us(), event));
            }
            return;
        };
        let before = self.tables.get(dir);
        if before.is_none() && !self.definitions.contains_key(dir) && self.is_left_alone(dir) {
            return;
        }
        let Ok(watched) = Watched::look(&*self.disk, &token, before, carried) else {
            // What is wrong with the table others tell.
            self.due.insert(dir.to_owned(), Instant::now() + AGAIN);
            return;
        };
        let policy = self.definitions.get(dir).copied();
        let forms = &watched.forms;
        let concerned = policy.is_some() || !forms.wished.is_empty() || !forms.away.is_empty();
        if !concerned && before.is_none() {
            return;
        }
        let now = now_us();
        let mut events = Vec::new();
        if before.is_none() {
            // A process that was killed has not told its last.
            self.changed.insert(dir.to_owned());
            events.push(Event::Policy { table: dir.to_owned(), policy });
        }
        events.push(Event::Table(watched.seen.clone()));
        let wish = |floor: i64, parquet| Event::Wish { table: dir.to_owned(), floor, parquet };
        match before {
            // What the process before has not come to.
            None => {
                let native = |floor: &&i64| watched.here.get(floor).is_some_and(|here| !here.parquet);
                events.extend(forms.wished.iter().filter(native).map(|floor| wish(*floor, true)));
            }
            Some(before) => {
                let before = &before.forms.wished;
                events.extend(forms.wished.difference(before).map(|floor| wish(*floor, true)));
                events.extend(before.difference(&forms.wished).map(|floor| wish(*floor, false)));
            }
        }
        self.tables.insert(dir.to_owned(), watched);
        for event in events {
            let actions = self.machine.handle(now, event);
            self.actions.extend(actions);
        }
    }

    fn act(&mut self, tables: &mut Tables, action: Action) {
        match action {
            Action::Run(task) => {
                self.running.insert(task.id, task.clone());
                self.run(tables, task);
            }
            // What a worker has at hand it finishes, and then it is thrown away.
            Action::Cancel { .. } => {}
            Action::GiveUp { table, floor, kind, reason } => {
                self.counts.entry(kind).or_default().given_up += 1;
                let name = self.name(&table, floor);
                let text = format!("{kind} was given up until the partition or the policy changes: {reason}");
                self.told.push(Told::Warning(format!("{table}: partition {name}: {text}")));
                self.told.push(Told::Note(Note::Error { table: Some(format!("{table}/{name}")), text }));
                self.given_up.insert((table, floor));
            }
            Action::Record(transition) => {
                if matches!(transition.what, Happening::Defined { .. }) {
                    self.begin_anew(&transition.table);
                }
                let partition = transition.floor.map(|floor| self.name(&transition.table, floor));
                self.told.push(Told::Note(told::note(&transition, partition)));
            }
        }
    }

    /// What was given up or failed counts no more: the policy is another one, or the table is gone.
    fn begin_anew(&mut self, dir: &str) {
        self.errors.retain(|(table, _), _| table != dir);
        let given_up: Vec<i64> =
            self.given_up.iter().filter(|(table, _)| table == dir).map(|(_, floor)| *floor).collect();
        for floor in given_up {
            self.given_up.remove(&(dir.to_owned(), floor));
            let table = Some(format!("{dir}/{}", self.name(dir, floor)));
            self.told.push(Told::Note(Note::Recovered { table }));
        }
    }

    /// Tells the machine that a task has ended.
    fn ended(&mut self, task: &Task, outcome: Outcome) {
        self.running.remove(&task.id);
        let (dir, floor, kind) = (&task.table, task.floor, task.kind);
        let place = (dir.clone(), floor);
        match &outcome {
            Outcome::Done => {
                self.counts.entry(kind).or_default().done += 1;
                self.errors.remove(&place);
                if self.given_up.remove(&place) {
                    let table = Some(format!("{dir}/{}", self.name(dir, floor)));
                    self.told.push(Told::Note(Note::Recovered { table }));
                }
                let done = match kind {
                    TaskKind::ParquetCommit => Some("is a Parquet file now"),
                    TaskKind::NativeConversion => Some("is in column files again"),
                    TaskKind::RemoteUpload => Some("is in the bucket"),
                    TaskKind::DropLocal => Some("is dropped here"),
                    TaskKind::ParquetConversion => None,
                };
                if let Some(done) = done {
                    let name = self.name(dir, floor);
                    self.told.push(Told::News(format!("{dir}: partition {name} {done}")));
                }
            }
            Outcome::Failed(reason) | Outcome::Refused(reason) => {
                self.counts.entry(kind).or_default().failed += 1;
                let name = self.name(dir, floor);
                let text = format!("partition {name}: {kind}: {reason}");
                // What is refused is given up, which is told by itself.
                if task.attempt <= 1 && matches!(outcome, Outcome::Failed(_)) {
                    self.told.push(Told::Warning(format!("{dir}: {text}; it is tried again")));
                }
                self.errors.insert(place, text);
            }
            Outcome::Stale | Outcome::Cancelled => {}
        }
        self.changed.insert(dir.clone());
        let event = Event::Ended { task: task.id, outcome };
        let actions = self.machine.handle(now_us(), event);
        self.actions.extend(actions);
    }

    fn name(&self, dir: &str, floor: i64) -> String {
        self.tables.get(dir).map_or_else(|| floor.to_string(), |table| table.name(floor))
    }
}
