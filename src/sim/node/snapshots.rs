//! Snapshots: taking them, cleaning up behind them, and beginning with one.

use super::local::held_of;
use super::{Asker, Job, Node};
use crate::ledger::{
    Action, Cleaner, Condition, Document, GetAnswer, HeadHint, Key, Loaded, Manifest, Part, Point, PutAnswer,
    Sum,
};
use crate::node::{Event, Held};
use crate::sim::applied::{Engine, Tables};
use crate::sim::bucket::{Ask, Reply};
use crate::sim::ground::Ground;
use crate::sim::invariant::{Check, Invariant, breach};
use crate::sim::told::What;
use bytes::Bytes;
use std::collections::VecDeque;

/// A pause before what came to nothing is tried again.
const PAUSE_US: u64 = 250_000;
/// Tries of one step before a round is given up: the next one begins anew.
const TRIES_MAX: u32 = 20;
/// Packs that stay below a snapshot, for those who are a little behind.
const KEEP: u64 = 8;

/// What a node does for the bucket.
#[derive(Debug, Default)]
pub(super) struct Upkeep {
    /// Blobs, then the manifest.
    puts: VecDeque<(Key, Bytes)>,
    manifest: Option<Manifest>,
    cleaner: Option<Cleaner>,
    /// The first of them is taken, it is said: to be read, as that proves nothing.
    doubt: bool,
    /// A request is out, or a pause is on.
    waits: bool,
    tries: u32,
    cleaned: u64,
}

/// A snapshot that is being loaded.
#[derive(Debug)]
pub(super) struct Loading {
    manifest: Manifest,
    parts: VecDeque<Part>,
    tables: Tables,
    waits: bool,
}

impl Node {
    /// Takes this snapshot in place of the tables.
    pub(super) fn load(&mut self, manifest: Manifest, ground: &mut Ground) -> Check {
        ground.truth.agrees(format_args!("{} loads", self.end()), manifest.n, manifest.sum)?;
        let parts = manifest.parts.clone().into();
        if let Some(process) = &mut self.process {
            process.loading = Some(Loading { manifest, parts, tables: Tables::new(), waits: false });
        }
        self.load_next(ground)
    }

    fn load_next(&mut self, ground: &mut Ground) -> Check {
        let Some(process) = &mut self.process else { return Ok(()) };
        let Some(loading) = process.loading.as_mut().filter(|loading| !loading.waits) else { return Ok(()) };
        if let Some(part) = loading.parts.front() {
            loading.waits = true;
            let ask = Ask::Get { key: Key::Blob(part.sum) };
            let id = ground.ask(self.id, self.life, self.settings.timeout_us, ask);
            process.asked.insert(id, Asker::Loading);
            return Ok(());
        }
        let Some(Loading { manifest, tables, .. }) = process.loading.take() else { return Ok(()) };
        self.forget_tables(ground);
        let held = held_of(&tables);
        if let Some(process) = &mut self.process {
            process.engine = Engine::new(tables, self.bugs.without_dedup);
        }
        let point = Point::behind(&manifest);
        self.tell(Event::Loaded { loaded: Loaded::Done, held }, ground);
        self.publish(Some(&point));
        ground.tell(self.end(), What::SnapshotLoaded { n: manifest.n });
        self.compare_now(&point, ground)
    }

    pub(super) fn loaded(&mut self, reply: &Reply, ground: &mut Ground) -> Check {
        let Some(process) = &mut self.process else { return Ok(()) };
        let Some(loading) = &mut process.loading else { return Ok(()) };
        let Some(part) = loading.parts.front().cloned() else { return Ok(()) };
        match reply {
            Reply::Get(GetAnswer::Found(bytes)) if Sum::of(bytes) == part.sum => {
                let Some(state) = ground.shelf.get(part.sum) else {
                    return breach(Invariant::TrueSnapshots, format_args!("{} was never copied", part.name));
                };
                loading.tables.insert(part.name, state.clone());
                loading.parts.pop_front();
                loading.waits = false;
                self.load_next(ground)
            }
            Reply::Get(GetAnswer::NotFound) => {
                process.loading = None;
                self.tell(Event::Loaded { loaded: Loaded::Missing, held: Held::new() }, ground);
                Ok(())
            }
            // Not read, or damaged on the way.
            _ => {
                self.later(ground, PAUSE_US, Job::Again);
                Ok(())
            }
        }
    }

    pub(super) fn load_again(&mut self, ground: &mut Ground) -> Check {
        // Only one that pauses: a request that is out is waited for.
        let Some(process) = &mut self.process else { return Ok(()) };
        if process.asked.values().any(|asker| *asker == Asker::Loading) {
            return Ok(());
        }
        if let Some(loading) = &mut process.loading {
            loading.waits = false;
        }
        self.load_next(ground)
    }

    /// Begins a round, unless one is going on.
    pub(super) fn upkeep(&mut self, ground: &mut Ground) -> Check {
        let every = self.settings.snapshot_every_us;
        let wait = self.chance.between(every / 2, every + every / 2);
        self.later(ground, wait, Job::Upkeep);
        let Some(process) = self.process.as_ref().filter(|process| process.probe.is_none()) else {
            return Ok(());
        };
        if !process.upkeep.puts.is_empty() || process.upkeep.manifest.is_some() {
            return Ok(());
        }
        let Some(point) = self.snapshot_point() else { return Ok(()) };
        self.take_snapshot(&point, ground)?;
        self.upkeep_next(ground)
    }

    /// S1: where the tables are exactly the history: those of a replica, that is.
    fn snapshot_point(&self) -> Option<Point> {
        let process = self.process.as_ref()?;
        if self.bugs.unconfirmed_snapshot && process.writes {
            return process.machine.kept().point.clone().filter(|point| point.next.n > 0);
        }
        let (point, _) = self.store.published.as_ref()?;
        let settled = process.loading.is_none() && !process.machine.kept().wrote;
        (settled && point.next.n > 0).then(|| point.clone())
    }

    fn take_snapshot(&mut self, point: &Point, ground: &mut Ground) -> Check {
        let Some(process) = &mut self.process else { return Ok(()) };
        let (mut parts, mut puts) = (Vec::new(), VecDeque::new());
        for (dir, state) in process.engine.tables() {
            let (sum, blob) = ground.shelf.put(state);
            parts.push(Part { name: dir.clone(), sum, bytes: blob.len() as u64 });
            puts.push_back((Key::Blob(sum), blob));
        }
        let manifest = point.manifest(parts, None);
        let made = manifest.and_then(|manifest| manifest.to_bytes().map(|bytes| (manifest, bytes)));
        match made {
            Ok((manifest, bytes)) => {
                puts.push_back((Key::Snapshot(manifest.n), bytes));
                process.upkeep.puts = puts;
                process.upkeep.manifest = Some(manifest);
                Ok(())
            }
            Err(error) => breach(Invariant::NobodyStops, error),
        }
    }

    fn upkeep_next(&mut self, ground: &mut Ground) -> Check {
        let Some(process) = &mut self.process else { return Ok(()) };
        let upkeep = &mut process.upkeep;
        if upkeep.waits {
            return Ok(());
        }
        let put = |key, bytes| Ask::Put { key, bytes, condition: Condition::IfAbsent };
        let ask = if let Some((key, bytes)) = upkeep.puts.front() {
            if upkeep.doubt { Ask::Get { key: *key } } else { put(*key, bytes.clone()) }
        } else if let Some(cleaner) = &upkeep.cleaner {
            match cleaner.next() {
                Some(Action::Put { key, bytes, condition }) => Ask::Put { key, bytes, condition },
                Some(Action::Get { key }) => Ask::Get { key },
                Some(Action::Delete { key }) => Ask::Delete { key },
                Some(Action::Later { .. }) | None => {
                    (upkeep.cleaner, upkeep.manifest) = (None, None);
                    return Ok(());
                }
            }
        } else {
            return Ok(());
        };
        upkeep.waits = true;
        let id = ground.ask(self.id, self.life, self.settings.timeout_us, ask);
        process.asked.insert(id, Asker::Upkeep);
        Ok(())
    }

    pub(super) fn upkept(&mut self, reply: &Reply, ground: &mut Ground) -> Check {
        let Some(process) = &mut self.process else { return Ok(()) };
        let upkeep = &mut process.upkeep;
        let settled = if upkeep.puts.is_empty() { clean(upkeep, reply) } else { upkeep.put(reply) };
        upkeep.tries = if settled { 0 } else { upkeep.tries + 1 };
        if upkeep.tries > TRIES_MAX {
            process.upkeep = Upkeep { cleaned: upkeep.cleaned, ..Upkeep::default() };
            return Ok(());
        }
        if !settled {
            self.later(ground, PAUSE_US, Job::Again);
            return Ok(());
        }
        upkeep.waits = false;
        if upkeep.puts.is_empty() && upkeep.cleaner.is_none() {
            self.begin_cleaning(ground);
        }
        self.upkeep_next(ground)
    }

    /// The manifest is in, so far as is known: what it holds may be deleted, and the hint says where it is.
    fn begin_cleaning(&mut self, ground: &mut Ground) {
        let (rules, window) = (self.bugs.rules, u64::from(self.settings.window));
        let Some(process) = &mut self.process else { return };
        let Some(manifest) = &process.upkeep.manifest else { return };
        let to = manifest.place().n.saturating_sub(KEEP);
        let hint = HeadHint {
            format: 1,
            cluster: manifest.cluster,
            directory: manifest.directory,
            n: manifest.n,
            boundary: None,
            snapshot: Some(manifest.n),
        };
        if let Ok(bytes) = hint.to_bytes() {
            let ask = Ask::Put { key: Key::Head, bytes, condition: Condition::Always };
            ground.ask(self.id, self.life, self.settings.timeout_us, ask);
        }
        // C4: from the beginning now and then, for what a late duplicate may have put back.
        let from = if self.chance.per_mille(250) { 0 } else { process.upkeep.cleaned };
        process.upkeep.cleaned = to;
        process.upkeep.cleaner = Cleaner::with_rules(manifest, to, from.min(to), window, rules).ok();
        if to == 0 {
            process.upkeep.cleaner = None;
        }
        if process.upkeep.cleaner.is_none() {
            process.upkeep.manifest = None;
        }
    }

    pub(super) fn upkeep_again(&mut self, ground: &mut Ground) -> Check {
        let Some(process) = &mut self.process else { return Ok(()) };
        if process.asked.values().any(|asker| *asker == Asker::Upkeep) {
            return Ok(());
        }
        process.upkeep.waits = false;
        self.upkeep_next(ground)
    }
}

impl Upkeep {
    /// Takes the answer about the first put; false if it is to be asked again after a pause.
    fn put(&mut self, reply: &Reply) -> bool {
        match reply {
            // What is there is a blob of the same bytes, or another one's snapshot at the same place: as good, and whole.
            Reply::Put(PutAnswer::Stored) | Reply::Get(GetAnswer::Found(_)) => {
                self.puts.pop_front();
                self.doubt = false;
                true
            }
            Reply::Put(PutAnswer::Taken) => {
                self.doubt = true;
                true
            }
            Reply::Get(GetAnswer::NotFound) => {
                self.doubt = false;
                false
            }
            _ => false,
        }
    }
}

/// Hands an answer to the cleaner; false if the same is to be asked again after a pause.
fn clean(upkeep: &mut Upkeep, reply: &Reply) -> bool {
    let Some(cleaner) = &mut upkeep.cleaner else { return true };
    match reply {
        Reply::Put(answer) => {
            cleaner.put_answered(*answer);
            matches!(answer, PutAnswer::Stored | PutAnswer::Taken)
        }
        Reply::Get(answer) => {
            if cleaner.got(answer).is_err() {
                upkeep.cleaner = None;
                upkeep.manifest = None;
            }
            *answer != GetAnswer::Failed
        }
        Reply::Deleted(done) => {
            if *done {
                cleaner.deleted();
            }
            *done
        }
    }
}
