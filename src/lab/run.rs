//! The loop: what happens next, and what comes of it.

use super::convert::Converter;
use super::feed::Feed;
use super::instance::{Frozen, Instance};
use super::settings::LabSettings;
use super::tasks::Bucket;
use super::told::{Happened, words};
use crate::policy::{Action, Event, PolicyError, StoragePolicy, TableFacts, Transition};
use crate::replay::{History, PlayerOptions};
use crate::wal::{Files, Result};
use std::collections::VecDeque;

/// Transitions that are remembered.
const HAPPENED_MAX: usize = 2_000;

/// Instances of one table on a clock.
#[derive(Debug)]
pub struct Lab {
    pub(super) feed: Feed,
    settings: LabSettings,
    /// False until the first state is there.
    begun: bool,
    pub(super) start_us: i64,
    pub(super) now_us: i64,
    pub(super) policy: Option<StoragePolicy>,
    /// Why the last statement about the policy was refused.
    pub(super) refused: Option<PolicyError>,
    next_step: usize,
    pub(super) instances: Vec<Instance>,
    pub(super) converter: Converter,
    pub(super) bucket: Bucket,
    pub(super) happened: VecDeque<Happened>,
    pub(super) happened_count: usize,
}

/// Something that happens at a moment; what comes first goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    Policy,
    Edge(usize),
    Arrival,
    Ends(usize, usize),
    Look(usize),
}

impl Lab {
    /// Of the table of this history, from after transaction `from` on. Nothing is read yet.
    ///
    /// # Errors
    /// A definition that no WAL table has.
    pub fn new(history: History, from: u64, options: PlayerOptions) -> Result<Self> {
        let clock = options.clock;
        Ok(Self {
            feed: Feed::new(history, from, options)?,
            settings: LabSettings::default(),
            begun: false,
            start_us: 0,
            now_us: 0,
            policy: None,
            refused: None,
            next_step: 0,
            instances: Vec::new(),
            converter: Converter::new(clock),
            bucket: Bucket::default(),
            happened: VecDeque::new(),
            happened_count: 0,
        })
    }

    /// Takes other settings, and goes back to the beginning.
    pub fn set(&mut self, settings: LabSettings) {
        self.settings = settings.bounded();
        self.begun = false;
    }

    /// What a policy must fit, at the moment on show.
    pub fn facts(&self) -> TableFacts {
        let schema = &self.feed.table().schema;
        TableFacts { partition_by: schema.partition_by, timestamp: true, ttl: schema.ttl }
    }

    /// Lets time pass up to `until_us`, or at most so many things happen; answers whether that time is reached. A time
    /// that has passed is reached by beginning again; one before the beginning is the beginning.
    ///
    /// Goes on where it was when called again after [`Error::Pending`](crate::wal::Error::Pending).
    ///
    /// # Errors
    /// What reading the first state answers. A log that can't be read on ends there, which [`told`](Self::told) says.
    pub fn run(&mut self, files: &dyn Files, until_us: i64, steps: usize) -> Result<bool> {
        if !self.begun || until_us.max(self.start_us) < self.now_us {
            self.begin(files)?;
        }
        let until_us = until_us.max(self.start_us);
        for _ in 0..steps {
            let arrival = self.feed.peek(files)?;
            let Some((at, due)) = self.next(arrival).filter(|(at, _)| *at <= until_us) else {
                self.now_us = self.now_us.max(until_us);
                return Ok(true);
            };
            // Before anything is changed, as it may have to wait.
            let arrived = if due == Due::Arrival { Some(self.feed.take(files)?) } else { None };
            self.now_us = self.now_us.max(at);
            match due {
                Due::Policy => self.define(),
                Due::Edge(index) => self.edge(index),
                Due::Arrival => {
                    if let Some(arrived) = arrived.flatten() {
                        (0..self.instances.len()).for_each(|index| self.arrive(index, &arrived));
                    }
                }
                Due::Ends(index, task) => self.end(index, task),
                Due::Look(index) => self.look(index),
            }
        }
        Ok(false)
    }

    /// When something happens next.
    pub(super) fn next_due(&self) -> Option<i64> {
        self.next(self.feed.next_at()).map(|(at, _)| at)
    }

    fn begin(&mut self, files: &dyn Files) -> Result<()> {
        self.begun = false;
        self.start_us = self.feed.begin(files)?;
        self.now_us = self.start_us;
        (self.policy, self.refused, self.next_step) = (None, None, 0);
        (self.bucket, self.happened_count) = (Bucket::default(), 0);
        self.happened.clear();
        let made = self.settings.instances.iter();
        self.instances =
            made.map(|settings| Instance::new(settings.clone(), self.start_us, &self.feed)).collect();
        for index in 0..self.instances.len() {
            let Some(instance) = self.instances.get_mut(index) else { continue };
            let seen = Event::Table(instance.table_seen(self.feed.table()));
            self.tell(index, seen);
        }
        self.begun = true;
        Ok(())
    }

    fn next(&self, arrival: Option<i64>) -> Option<(i64, Due)> {
        let policy = self.settings.policy.get(self.next_step).map(|step| (step.at_us, Due::Policy));
        let arrival = arrival.map(|at| (at, Due::Arrival));
        let instances = self.instances.iter().enumerate().flat_map(|(index, instance)| {
            let edge = instance.settings.edge(instance.next_edge).map(|at| (at, Due::Edge(index)));
            let runs = instance.frozen.is_none();
            let tasks = instance.tasks.iter().enumerate();
            let ends = tasks.map(move |(task, doing)| (doing.ends_us, Due::Ends(index, task)));
            let looks = instance.machine.next_due().map(|due| {
                let at = due.saturating_sub(instance.settings.skew_us);
                (at.max(instance.looked_us.saturating_add(1)), Due::Look(index))
            });
            edge.into_iter().chain(ends.chain(looks).filter(move |_| runs))
        });
        let all = policy.into_iter().chain(arrival).chain(instances);
        all.map(|(at, due)| (at.max(self.now_us), due)).min()
    }

    fn define(&mut self) {
        let Some(step) = self.settings.policy.get(self.next_step).cloned() else { return };
        self.next_step += 1;
        match step.change.applied(self.policy.as_ref(), &self.facts()) {
            Ok(policy) => (self.policy, self.refused) = (policy, None),
            Err(error) => {
                self.note(None, None, format!("refused: {error}"));
                self.refused = Some(error);
                return;
            }
        }
        for index in 0..self.instances.len() {
            // Who stands still hears of it when it goes on.
            if self.instances.get(index).is_some_and(|instance| instance.frozen.is_none()) {
                self.tell_policy(index);
            }
        }
    }

    fn tell_policy(&mut self, index: usize) {
        let table = self.feed.table().dir.clone();
        self.tell(index, Event::Policy { table, policy: self.policy });
    }

    fn edge(&mut self, index: usize) {
        let (now_us, seq_txn) = (self.now_us, self.feed.table().seq_txn);
        let Some(instance) = self.instances.get_mut(index) else { return };
        let stops = instance.next_edge.is_multiple_of(2);
        instance.next_edge += 1;
        if stops {
            instance.frozen = Some(Frozen { since_us: now_us, held: instance.held.clone(), seq_txn });
            self.note(Some(index), None, "stops".to_owned());
            return;
        }
        if let Some(frozen) = instance.frozen.take() {
            let stood = now_us.saturating_sub(frozen.since_us);
            for doing in &mut instance.tasks {
                doing.ends_us = doing.ends_us.saturating_add(stood);
            }
        }
        let news = instance.news(self.feed.table());
        self.note(Some(index), None, "goes on".to_owned());
        self.tell(index, Event::Partitions(news));
        self.tell_policy(index);
    }

    fn arrive(&mut self, index: usize, arrived: &super::feed::Arrived) {
        let Some(instance) = self.instances.get_mut(index) else { return };
        instance.apply(&self.feed, arrived);
        if instance.frozen.is_none() {
            let news = instance.news(self.feed.table());
            self.tell(index, Event::Partitions(news));
        }
    }

    fn end(&mut self, index: usize, task: usize) {
        let Some(instance) = self.instances.get_mut(index) else { return };
        let doing = instance.tasks.remove(task);
        let id = doing.task.id;
        let outcome = instance.outcome(&mut self.bucket, self.now_us, doing);
        self.tell(index, Event::Ended { task: id, outcome });
    }

    fn look(&mut self, index: usize) {
        let Some(instance) = self.instances.get_mut(index) else { return };
        instance.looked_us = self.now_us;
        let actions = instance.machine.advance(instance.local(self.now_us));
        self.act(index, actions);
    }

    fn tell(&mut self, index: usize, event: Event) {
        let Some(instance) = self.instances.get_mut(index) else { return };
        let actions = instance.machine.handle(instance.local(self.now_us), event);
        self.act(index, actions);
    }

    fn act(&mut self, index: usize, actions: Vec<Action>) {
        for action in actions {
            let Some(instance) = self.instances.get_mut(index) else { return };
            match action {
                Action::Run(task) => {
                    instance.begin(&self.feed, &mut self.converter, &self.bucket, self.now_us, task);
                }
                Action::Cancel { task } => {
                    // It stops at once, and that is told in its turn.
                    let taken_back = instance.tasks.iter_mut().find(|doing| doing.task.id == task);
                    if let Some(doing) = taken_back {
                        doing.ends_us = self.now_us;
                    }
                }
                // Recorded as well.
                Action::GiveUp { .. } => {}
                Action::Record(Transition { floor, what, .. }) => self.note(Some(index), floor, words(&what)),
            }
        }
    }

    fn note(&mut self, instance: Option<usize>, floor: Option<i64>, text: String) {
        self.happened_count += 1;
        let partition = floor.map(|floor| self.feed.table().calendar().name(floor));
        self.happened.push_back(Happened { at_us: self.now_us, instance, partition, text });
        while self.happened.len() > HAPPENED_MAX {
            self.happened.pop_front();
        }
    }
}
