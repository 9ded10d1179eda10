//! Carrying out what the machine decides, and telling it what came of it.

use super::local::{held_of, holds_all, lay_out, left_over, remove_tables, rows_beyond};
use super::{APPLY_US, Asker, EARLIER_MAX, Job, Node};
use crate::ledger::{
    Action, ClusterId, Divergent, Head, Key, Kind, Object, Pack, Place, Point, PutAnswer, What as Entry,
};
use crate::node::divergent::{Own, beyond, unknown};
use crate::node::{Answer, Decision, Event, Held, Refusal, Role, reached, write};
use crate::sim::End;
use crate::sim::applied::{Applied, Engine, Tables};
use crate::sim::bucket::{Ask, Reply};
use crate::sim::ground::{Due, Ground};
use crate::sim::invariant::{Check, Invariant, breach};
use crate::sim::told::What;
use std::collections::BTreeMap;

/// Entries in a pack, at most.
const ENTRIES_MAX: usize = 64;
/// How long writing down what is set aside, and taking tables back, takes.
const ASIDE_US: u64 = 20_000;

impl Node {
    /// Does what the machine says until it has nothing more to say.
    pub(super) fn run(&mut self, ground: &mut Ground) -> Check {
        if self.paused || self.is_probing(ground) {
            return Ok(());
        }
        let now = self.now(ground);
        while let Some(process) = &mut self.process {
            let Some(decision) = process.machine.poll(now) else { break };
            self.decide(decision, ground)?;
        }
        self.wake(ground);
        Ok(())
    }

    fn wake(&mut self, ground: &mut Ground) {
        let Some(process) = &mut self.process else { return };
        let Some(at) = process.machine.wakes_at() else { return };
        let at = self.clock.when(ground.now, at).max(ground.now + 1);
        if process.wake.is_none_or(|wake| wake > at || wake <= ground.now) {
            process.wake = Some(at);
            ground.agenda.enter(at, Due::Wake { node: self.id, life: self.life });
        }
    }

    /// Tells the machine something.
    pub(super) fn tell(&mut self, event: Event, ground: &Ground) {
        let now = self.now(ground);
        if let Some(process) = &mut self.process {
            process.machine.on(event, now);
        }
    }

    fn decide(&mut self, decision: Decision, ground: &mut Ground) -> Check {
        match decision {
            Decision::Ask { id, action } => self.ask(id, action, ground),
            Decision::Apply { object, pack, point } => self.apply(&object, &pack, point, ground),
            Decision::Term { .. } | Decision::Level | Decision::Resume => Ok(()),
            Decision::Load(manifest) => self.load(*manifest, ground),
            Decision::Cut { head, needed, handover } => self.cut(head, needed, handover, ground),
            Decision::Acknowledge { below } => self.acknowledged(below, ground),
            Decision::Keep(kept) => {
                self.store.kept = *kept;
                self.keep_published();
                Ok(())
            }
            Decision::Role { role, why } => {
                if let Some(process) = self.process.as_mut().filter(|_| role != Role::Primary) {
                    process.writes = false;
                }
                let (role, why) = (role.as_str().to_owned(), format!("{why:?}"));
                ground.tell(self.end(), What::Role { role, why });
                Ok(())
            }
            Decision::Open { point, held, writes } => self.open(&point, &held, writes, ground),
            Decision::Refuse(why) => {
                self.refuse(why, ground);
                Ok(())
            }
            Decision::SetAside { sealed, held } => {
                self.set_aside(sealed, &held, ground);
                Ok(())
            }
            Decision::Rewind { .. } => {
                self.later(ground, ASIDE_US, Job::Rewound);
                Ok(())
            }
            Decision::Exit(reason) => self.exits(&reason, ground),
        }
    }

    fn ask(&mut self, id: u64, action: Action, ground: &mut Ground) -> Check {
        let number = match &action {
            Action::Put { key: Key::Object(place), .. } => Some(place.n),
            _ => None,
        };
        let ask = match action {
            Action::Put { key, bytes, condition } => {
                if self.bugs.no_fence && is_seal(key, &bytes) {
                    // The bug: nothing is sealed, and the claimant is told that it is.
                    let answer = Answer::Put(PutAnswer::Stored);
                    self.tell(Event::Answered { id, answer }, ground);
                    return Ok(());
                }
                Ask::Put { key, bytes, condition }
            }
            Action::Get { key } => Ask::Get { key },
            Action::Delete { key } => Ask::Delete { key },
            // The machine keeps pauses itself.
            Action::Later { .. } => return Ok(()),
        };
        let ticket = ground.ask(self.id, self.life, self.settings.timeout_us, ask);
        if let Some(process) = &mut self.process {
            process.asked.insert(ticket, Asker::Machine { id, number });
        }
        Ok(())
    }

    /// An answer of the bucket, or none in time.
    pub(super) fn answered(&mut self, ticket: u64, reply: Reply, ground: &mut Ground) -> Check {
        let Some(asker) = self.process.as_mut().and_then(|process| process.asked.remove(&ticket)) else {
            return Ok(());
        };
        match asker {
            Asker::Machine { id, number } => {
                if self.bugs.gap_ack && reply == Reply::Put(PutAnswer::Stored) {
                    self.answer_pack(number, ground)?;
                }
                let answer = match reply {
                    Reply::Put(answer) => Answer::Put(answer),
                    Reply::Get(answer) => Answer::Got(answer),
                    Reply::Deleted(_) => return Ok(()),
                };
                self.tell(Event::Answered { id, answer }, ground);
                Ok(())
            }
            Asker::Probe => self.probed(&reply, ground),
            Asker::Loading => self.loaded(&reply, ground),
            Asker::Upkeep => self.upkept(&reply, ground),
        }
    }

    /// Own work is done.
    pub(super) fn done(&mut self, job: Job, ground: &mut Ground) -> Check {
        match job {
            Job::Applied { point, rewound } => {
                // What was applied to tables that are gone is nobody's.
                if self.rewound() != rewound {
                    return Ok(());
                }
                self.publish(Some(&point));
                ground.tell(self.end(), What::Applied { next: point.next.n });
                self.compare(&point, ground)?;
                self.tell(Event::Applied { next: point.next.n }, ground);
                Ok(())
            }
            Job::Committed => self.committed(ground),
            Job::Aside { any } => {
                self.tell(Event::Aside { any: any && !self.bugs.no_rewind }, ground);
                Ok(())
            }
            Job::Rewound => {
                self.rewind(ground);
                Ok(())
            }
            Job::Upkeep => self.upkeep(ground),
            Job::Policies => self.look_after_policies(ground),
            Job::Again => {
                self.probe_again();
                self.load_again(ground)?;
                self.upkeep_again(ground)
            }
        }
    }

    fn apply(&mut self, object: &Object, pack: &Pack, point: Box<Point>, ground: &mut Ground) -> Check {
        let place = object.head().place;
        ground.truth.agrees(self.end(), place.n, object.sum())?;
        if self.store.kept.wrote
            && let Err(why) = holds_all(&self.disk, &reached(pack).into_iter().collect())
        {
            // A disk that can't be read is tried again; one that is older than what was uploaded is given up.
            if !self.disk.fails_reads {
                self.begin_anew(ground.now);
            }
            return self.ends(why, ground);
        }
        let lost = self.bugs.drops_a_pack && place.n % 7 == 3;
        let Some(process) = self.process.as_mut().filter(|_| !lost) else {
            let rewound = self.rewound();
            self.later(ground, APPLY_US.0, Job::Applied { point, rewound });
            return Ok(());
        };
        let mut rows = 0;
        let taken = process.engine.take(place.key(), pack, &mut |applied| rows += rows_of(applied));
        if let Err(why) = taken {
            return breach(Invariant::NobodyStops, format_args!("{} can't apply {place}: {why}", self.end()));
        }
        let takes = APPLY_US.0 + APPLY_US.1 * rows + self.slow_disk_us;
        let rewound = process.rewound;
        self.later(ground, takes, Job::Applied { point, rewound });
        Ok(())
    }

    /// The applied tables are on the disk; of a replica with the place where it stands.
    pub(super) fn publish(&mut self, point: Option<&Point>) {
        let Some(process) = &self.process else { return };
        self.store.tables = process.engine.tables().clone();
        if !self.settings.sync {
            self.store.earlier.push_back(self.store.tables.clone());
            if self.store.earlier.len() > EARLIER_MAX {
                self.store.earlier.pop_front();
            }
        }
        if let Some(point) = point.filter(|_| !process.machine.kept().wrote) {
            self.store.published = Some((point.clone(), held_of(&self.store.tables)));
            self.keep_published();
        }
    }

    fn keep_published(&mut self) {
        if self.store.kept.wrote {
            self.store.published = None;
        } else if let Some((point, held)) = &self.store.published {
            self.store.kept.point = Some(point.clone());
            self.store.kept.held = held.clone();
        }
    }

    /// Whoever has applied the history up to here has the rows that it has there. Looked at now and then.
    fn compare(&self, point: &Point, ground: &Ground) -> Check {
        if point.next.n % 16 == u64::from(self.id) { self.compare_now(point, ground) } else { Ok(()) }
    }

    pub(in crate::sim) fn compare_now(&self, point: &Point, ground: &Ground) -> Check {
        let Some(process) = &self.process else { return Ok(()) };
        let Some(then) = ground.truth.tables_before(point.next.n) else { return Ok(()) };
        for (dir, state) in then {
            let Some(own) = process.engine.tables().get(dir) else {
                let what = format_args!("{}: {dir} is not there before {}", self.end(), point.next);
                return breach(Invariant::EqualRows, what);
            };
            let (there, here) = (&state.table, &own.table);
            if here.seq_txn < there.seq_txn
                || here.seq_txn == there.seq_txn && here.digest() != there.digest()
            {
                let what = format_args!(
                    "{}: {dir} at transaction {} has {} rows, the history has {} at {} before {}",
                    self.end(),
                    here.seq_txn,
                    here.rows(),
                    there.rows(),
                    there.seq_txn,
                    point.next
                );
                return breach(Invariant::EqualRows, what);
            }
        }
        Ok(())
    }

    pub(super) fn cut(
        &mut self,
        head: Head,
        needed: bool,
        handover: Option<String>,
        ground: &mut Ground,
    ) -> Check {
        let now = self.now(ground);
        let Some(process) = &mut self.process else { return Ok(()) };
        if process.busy.is_some() {
            process.cut = Some((head, needed, handover));
            return Ok(());
        }
        let count = process.outgoing.len().min(ENTRIES_MAX);
        let tables: Vec<_> = process.outgoing.drain(..count).collect();
        let pack = Pack { tables, handover, answers: Vec::new() };
        if pack.is_empty() && !needed {
            self.tell(Event::Nothing, ground);
            return Ok(());
        }
        let (n, transactions) = (head.place.n, transactions_of(&pack));
        let rows =
            transactions.iter().filter_map(|key| process.own.get(key)).map(|ids| ids.len() as u64).sum();
        let object = match pack.encode(Head { committed_us: now.wall_us, ..head }, None) {
            Ok(object) => object,
            Err(error) => return breach(Invariant::NobodyStops, error),
        };
        process.offered.insert(n, (object.sum(), transactions.clone()));
        let more = !process.outgoing.is_empty();
        ground.tell(self.end(), What::PackSent { n, rows });
        self.tell(Event::Cut { object, reached: reached(&pack), more }, ground);
        if self.bugs.early_ack {
            let early = transactions.into_iter().collect();
            self.answer_durable(|key| std::collections::BTreeSet::contains(&early, key), ground)?;
        }
        Ok(())
    }

    /// The bug: what is in one pack is told to be durable.
    fn answer_pack(&mut self, number: Option<u64>, ground: &mut Ground) -> Check {
        let offered = self.process.as_ref().and_then(|process| process.offered.get(&number?));
        let Some((_, transactions)) = offered.cloned() else { return Ok(()) };
        self.answer_durable(|key| transactions.contains(key), ground)
    }

    /// W5: what is acknowledged is in the history, and these very bytes.
    fn acknowledged(&mut self, below: u64, ground: &mut Ground) -> Check {
        let end = self.end();
        let Some(process) = &mut self.process else { return Ok(()) };
        while let Some(entry) = process.offered.first_entry().filter(|entry| *entry.key() < below) {
            let (n, (sum, _)) = entry.remove_entry();
            ground.truth.agrees(format_args!("{end} acknowledges"), n, sum)?;
        }
        process.confirmed = below;
        ground.tell(end, What::Confirmed { below });
        let held = process.machine.acks().held().clone();
        process.own.retain(|(dir, seq_txn), _| held.get(dir).is_none_or(|held| held < seq_txn));
        self.answer_durable(|(dir, seq_txn)| held.get(dir).is_some_and(|held| held >= seq_txn), ground)
    }

    fn open(&mut self, point: &Point, held: &Held, writes: bool, ground: &mut Ground) -> Check {
        ground.truth.holds(format_args!("{} opens", self.end()), point)?;
        let now = self.now(ground);
        let Some(process) = &mut self.process else { return Ok(()) };
        if let Err(error) = lay_out(&mut self.disk, ground.now, now.wall_us, process.engine.tables()) {
            return self.ends(error, ground);
        }
        let opened = left_over(&self.disk, held).and_then(|entries| {
            let tables = write::Tables::open(&self.disk, write::Options::default());
            tables.map(|tables| (entries, tables)).map_err(|error| error.to_string())
        });
        let (entries, tables) = match opened {
            Ok(opened) => opened,
            // The disk can't be read: the next process tries again.
            Err(why) if self.disk.fails_reads => return self.ends(why, ground),
            Err(why) => {
                return breach(Invariant::NobodyStops, format_args!("{} can't open: {why}", self.end()));
            }
        };
        process.outgoing = entries.into();
        process.writer = Some(tables);
        process.writes = writes;
        process.offered.clear();
        process.confirmed = point.next.n;
        self.compare_now(point, ground)?;
        ground.tell(self.end(), What::Opened { term: point.next.dir.term.0 });
        self.tell(Event::Commits, ground);
        Ok(())
    }

    fn refuse(&mut self, why: Refusal, ground: &mut Ground) {
        let Some(process) = &mut self.process else { return };
        ground.tell(End::Node(self.id), What::Refuses { why: format!("{why:?}") });
        if why == Refusal::SelfStop || why == Refusal::Leaving {
            return;
        }
        process.writes = false;
        let durable = std::mem::take(&mut process.durable);
        for (call, _) in durable {
            ground.turn_away(self.id, &call, Role::Replica);
        }
    }

    fn set_aside(&mut self, sealed: Place, held: &Held, ground: &mut Ground) {
        let now = self.now(ground);
        let Some(process) = &mut self.process else { return };
        process.writer = None;
        process.outgoing.clear();
        process.cut = None;
        // What is being written is its own, too, and nobody has been told of it.
        let unfinished = process.busy.take();
        if let Some(batch) = &unfinished {
            ground.hang_up(self.id, &batch.call);
        }
        let own: BTreeMap<String, Own> = process
            .engine
            .tables()
            .iter()
            .map(|(dir, state)| {
                let (name, last) = (state.token.name.clone(), state.table.seq_txn);
                (dir.clone(), Own { name, last, dropped: false })
            })
            .collect();
        let (lost, strange) = (beyond(&own, held), unknown(&own, held));
        let ids = rows_beyond(&self.disk, process.engine.tables(), held, ground.book.row_id());
        let any = !lost.is_empty() || !strange.is_empty() || unfinished.is_some();
        if any {
            let cluster = process.machine.kept().cluster.unwrap_or(ClusterId(0));
            let name = Self::name(self.id);
            self.store.reports.push(Divergent::new(cluster, sealed, &name, "db", now.wall_us, lost));
            self.aside_rows += ids.len() as u64;
            ground.tell(End::Node(self.id), What::SetAside { rows: ids.len() as u64 });
            ground.book.set_aside(ids);
        }
        self.later(ground, ASIDE_US, Job::Aside { any });
    }

    /// The tables are empty: it begins as a new replica does.
    fn rewind(&mut self, ground: &mut Ground) {
        self.forget_tables(ground);
        if let Some(process) = &mut self.process {
            process.rewound += 1;
        }
        ground.tell(self.end(), What::Rewound);
        self.tell(Event::Rewound { point: None, held: Held::new() }, ground);
    }

    fn rewound(&self) -> u32 {
        self.process.as_ref().map_or(0, |process| process.rewound)
    }

    pub(super) fn forget_tables(&mut self, ground: &Ground) {
        remove_tables(&mut self.disk, ground.now);
        self.store.published = None;
        self.store.tables.clear();
        self.store.earlier.clear();
        if let Some(process) = &mut self.process {
            process.engine = Engine::new(Tables::new(), self.bugs.without_dedup);
            process.own.clear();
            process.outgoing.clear();
            process.writer = None;
        }
    }
}

fn rows_of(applied: &Applied<'_>) -> u64 {
    match applied.transaction {
        crate::wal::Transaction::Rows(commit) => commit.rows as u64,
        _ => 0,
    }
}

fn transactions_of(pack: &Pack) -> Vec<(String, u64)> {
    let mut all = Vec::new();
    for entry in &pack.tables {
        if let Entry::Transactions(run) = &entry.what {
            all.extend(
                (run.first_seq_txn..=run.last_seq_txn()).map(|seq_txn| (entry.token.dir.clone(), seq_txn)),
            );
        }
    }
    all
}

fn is_seal(key: Key, bytes: &bytes::Bytes) -> bool {
    let Key::Object(place) = key else { return false };
    Object::read(place, bytes.clone()).is_ok_and(|object| matches!(object.head().kind, Kind::Seal { .. }))
}
