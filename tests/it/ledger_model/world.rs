//! A cluster and its bucket. A put that was sent may land at any later time while its key is absent, again after a
//! deletion, answered or not. Everybody may stop between any two steps: it is never looked at again.

use super::check::get;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use understudy::ledger::{
    Action, Boundary, Claimant, Cleaner, Cluster, ClusterId, Dir, Document, Event, GetAnswer, Head, Key,
    Kind, Loaded, Manifest, Object, Point, Progress, PutAnswer, Reader, Rules, Status, Term, Unsettled,
    Writer, WriterId,
};

/// What is explored.
#[derive(Debug, Clone, Copy)]
pub struct Model {
    /// Attempts to be primary; the first one is it at the start.
    pub writers: usize,
    /// Numbers of the log, packs and seals together.
    pub numbers: u64,
    pub window: usize,
    pub readers: usize,
    /// Snapshots are taken, and what they hold is deleted.
    pub cleaner: bool,
    pub rules: Rules,
}

/// Bytes, told apart by a hash.
#[derive(Debug, Clone, PartialOrd, Ord)]
pub struct Bits {
    id: u64,
    pub bytes: bytes::Bytes,
}

impl Bits {
    fn new(bytes: bytes::Bytes) -> Self {
        let mut hasher = DefaultHasher::new();
        bytes.hash(&mut hasher);
        Self { id: hasher.finish(), bytes }
    }
}

impl PartialEq for Bits {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for Bits {}

impl Hash for Bits {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.id.hash(state);
    }
}

/// A put that was sent.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sent {
    pub key: Key,
    pub bits: Bits,
    by: usize,
}

/// One attempt to be primary. A history is the hashes of its objects, by number.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum Node {
    Claim(Box<Claimant>, Vec<u64>),
    Write(Box<Writer>, Vec<u64>),
    /// It gave up, stood down or was fenced.
    Over,
}

#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Follower {
    pub reader: Reader,
    pub history: Vec<u64>,
}

#[derive(Clone, PartialEq, Eq, Hash)]
pub struct World {
    pub cluster: Cluster,
    pub store: BTreeMap<Key, Bits>,
    pub sent: BTreeSet<Sent>,
    /// Whose put has landed where, as long as the answer to it matters.
    landed: BTreeSet<(usize, Key)>,
    pub nodes: Vec<Node>,
    pub readers: Vec<Follower>,
    cleaner: Option<Cleaner>,
    /// What the snapshots hold.
    pub snapshots: BTreeMap<u64, Vec<u64>>,
    /// Number and hash of all packs ever acknowledged.
    pub acknowledged: BTreeMap<u64, u64>,
    /// What went wrong on the way here.
    pub fault: Option<String>,
}

/// What happened, to be told.
#[derive(Debug, Clone)]
#[expect(dead_code, reason = "read when a violation is printed")]
pub enum Step {
    /// A put lands.
    Lands(Key),
    /// A writer cuts the pack of this number and sends it.
    Cuts(usize, u64),
    /// A sender gets an answer to its put.
    Answer(usize, Key, PutAnswer),
    /// Somebody gets the answer to a get.
    Gets(usize, Key),
    ReaderGets(usize),
    ReaderLooks(usize),
    /// A snapshot of the state after this number.
    Snapshot(u64),
    CleanerStarts(u64),
    CleanerGets,
    Deletes(Key),
}

/// The cleaner among those that send puts.
const CLEANER: usize = usize::MAX;
const ANSWERS: [PutAnswer; 3] =
    [PutAnswer::Stored, PutAnswer::Taken, PutAnswer::Unsettled(Unsettled::Unknown)];

type Next = Vec<(Step, World)>;

impl World {
    pub fn new(model: &Model) -> Self {
        let writer = |i: usize| WriterId(i as u128 + 1);
        let cluster = Cluster::new(ClusterId(1), Dir { term: Term(1), writer: writer(0) });
        let start = Point::start(&cluster);
        // They have begun: nothing was ever cleaned. Whoever begins later is the newcomer of `check.rs`.
        let reader = |rules| {
            let mut reader = Reader::with_rules(start.clone(), rules);
            reader.got(&GetAnswer::NotFound);
            reader.forget();
            reader
        };
        // Without R1 it is the readers that err: a claimant that passes over numbers is P2's matter.
        let claiming = Rules { r1: true, ..model.rules };
        let mut nodes = vec![Node::Write(
            Box::new(Writer::with_rules(start.clone(), model.window, model.rules)),
            Vec::new(),
        )];
        nodes.extend(
            (1..model.writers)
                .map(|i| Node::Claim(Box::new(Claimant::new(reader(claiming), writer(i), 0)), Vec::new())),
        );
        let readers = (0..model.readers)
            .map(|_| Follower { reader: reader(model.rules), history: Vec::new() })
            .collect();
        let mut world = Self {
            cluster,
            store: BTreeMap::new(),
            sent: BTreeSet::new(),
            landed: BTreeSet::new(),
            nodes,
            readers,
            cleaner: None,
            snapshots: BTreeMap::new(),
            acknowledged: BTreeMap::new(),
            fault: None,
        };
        world.tidy();
        world
    }

    /// All that can happen next.
    pub fn successors(&self, model: &Model) -> Next {
        let mut next = Vec::new();
        self.network(&mut next);
        for i in 0..self.nodes.len() {
            match &self.nodes[i] {
                Node::Claim(claimant, _) => self.claim(i, claimant, model, &mut next),
                Node::Write(writer, _) => self.write(i, writer, model, &mut next),
                Node::Over => {}
            }
        }
        for i in 0..self.readers.len() {
            self.read(i, &mut next);
        }
        if model.cleaner {
            self.snapshot(&mut next);
            self.clean(model, &mut next);
        }
        next.iter_mut().for_each(|(_, world)| world.tidy());
        next
    }

    fn network(&self, next: &mut Next) {
        for sent in &self.sent {
            if self.store.contains_key(&sent.key) {
                continue;
            }
            let mut world = self.clone();
            world.store.insert(sent.key, sent.bits.clone());
            world.landed.insert((sent.by, sent.key));
            next.push((Step::Lands(sent.key), world));
        }
    }

    /// Whether a sender can get this answer now.
    fn possible(&self, by: usize, key: Key, answer: PutAnswer) -> bool {
        match answer {
            PutAnswer::Stored => self.landed.contains(&(by, key)),
            PutAnswer::Taken => self.store.contains_key(&key),
            _ => true,
        }
    }

    fn send(&mut self, by: usize, key: Key, bytes: bytes::Bytes) {
        self.sent.insert(Sent { key, bits: Bits::new(bytes), by });
    }

    fn write(&self, i: usize, writer: &Writer, model: &Model, next: &mut Next) {
        let mut go = |step, change: &dyn Fn(&mut Writer, &mut Vec<u64>)| {
            let mut world = self.clone();
            let Node::Write(writer, history) = &mut world.nodes[i] else { unreachable!() };
            change(writer, history);
            if **writer != *self.writer(i) {
                world.drain(i);
                next.push((step, world));
            }
        };
        if let Some(head) = writer.slot().filter(|head| head.place.n < model.numbers) {
            go(Step::Cuts(i, head.place.n), &|writer, history| cut(head, writer, history));
        }
        for key in writer.unacknowledged().map(|object| object.head().place.key()) {
            for answer in ANSWERS.into_iter().filter(|answer| self.possible(i, key, *answer)) {
                let found = get(self, key);
                go(Step::Answer(i, key, answer), &|writer, _| {
                    writer.put_answered(key, answer);
                    // Taken, and the get that follows, are one step. A later get that finds something could as well
                    // have come after a later answer; one that finds nothing leads back to the same put.
                    if answer == PutAnswer::Taken {
                        while writer.poll().is_some() {}
                        writer.get_answered(key, &found);
                    }
                });
            }
        }
    }

    fn writer(&self, i: usize) -> &Writer {
        match &self.nodes[i] {
            Node::Write(writer, _) => writer,
            _ => unreachable!(),
        }
    }

    /// Sends what a writer wants to be sent. Pauses are over at once: time decides nothing.
    fn drain(&mut self, i: usize) {
        let Node::Write(writer, history) = &mut self.nodes[i] else { return };
        let mut puts = Vec::new();
        while let Some(action) = writer.poll() {
            match action {
                Action::Put { key, bytes, .. } => puts.push((key, bytes)),
                Action::Later { key, .. } => writer.waited(key),
                Action::Get { .. } | Action::Delete { .. } => unreachable!("asked and answered in one step"),
            }
        }
        for n in 0..history.len() as u64 {
            // What it has from others is acknowledged by them.
            if n >= writer.first() && writer.is_acknowledged(n) {
                self.acknowledged.insert(n, history[n as usize]);
            }
        }
        puts.into_iter().for_each(|(key, bytes)| self.send(i, key, bytes));
    }

    fn claim(&self, i: usize, claimant: &Claimant, model: &Model, next: &mut Next) {
        match claimant.next() {
            Some(Action::Put { key, .. }) => {
                for answer in ANSWERS.into_iter().filter(|answer| self.possible(i, key, *answer)) {
                    self.claimed(i, Step::Answer(i, key, answer), model, next, |claimant| {
                        claimant.put_answered(answer)
                    });
                }
            }
            Some(Action::Get { key }) => {
                let answer = get(self, key);
                self.claimed(i, Step::Gets(i, key), model, next, |claimant| claimant.got(&answer));
            }
            _ => {}
        }
    }

    fn claimed(
        &self,
        i: usize,
        step: Step,
        model: &Model,
        next: &mut Next,
        change: impl FnOnce(&mut Claimant) -> Option<Progress>,
    ) {
        let mut world = self.clone();
        let Node::Claim(claimant, _) = &mut world.nodes[i] else { unreachable!() };
        let mut progress = change(claimant);
        // A look at the boundary is one step: if it passes later, it would have passed earlier.
        loop {
            let over = world.progress(i, progress.take(), model);
            let Node::Claim(claimant, _) = &mut world.nodes[i] else { break };
            match claimant.next() {
                Some(Action::Get { key: key @ (Key::Clean(_) | Key::Snapshot(_)) })
                    if !over && !matches!(step, Step::Gets(_, Key::Object(_)) | Step::Answer(..)) =>
                {
                    progress = claimant.got(&get(self, key));
                }
                Some(Action::Put { key, bytes, .. }) => {
                    // A number beyond the model is not sealed.
                    if matches!(key, Key::Object(place) if place.n < model.numbers) {
                        world.send(i, key, bytes);
                    } else {
                        world.nodes[i] = Node::Over;
                    }
                    break;
                }
                _ => break,
            }
        }
        if let Node::Claim(claimant, _) = &mut world.nodes[i] {
            claimant.reader().forget();
        }
        next.push((step, world));
    }

    /// Takes what a claimant has to say.
    fn progress(&mut self, i: usize, progress: Option<Progress>, model: &Model) -> bool {
        let Node::Claim(claimant, history) = &mut self.nodes[i] else { return true };
        match progress {
            None => return false,
            Some(Progress::Read(event)) => {
                take(event, claimant.reader(), history, &self.snapshots);
                return false;
            }
            Some(Progress::Won(point)) => {
                history.push(short(point.before.0));
                if history.len() as u64 != point.next.n {
                    self.fault = Some(format!("serves from {history:x?}, first number {}", point.next.n));
                }
                let writer = Writer::with_rules(*point, model.window, model.rules);
                self.nodes[i] = Node::Write(Box::new(writer), std::mem::take(history));
            }
            Some(Progress::GaveUp | Progress::StoodDown) => self.nodes[i] = Node::Over,
            Some(Progress::Stopped(error)) => self.fault = Some(format!("a claimant stops: {error}")),
        }
        true
    }

    fn read(&self, i: usize, next: &mut Next) {
        for look in [false, true] {
            let mut follower = self.readers[i].clone();
            let step = if look { Step::ReaderLooks(i) } else { Step::ReaderGets(i) };
            let fault = follower.step(self, look).and_then(Result::err);
            if follower == self.readers[i] && fault.is_none() {
                continue;
            }
            let mut world = self.clone();
            world.readers[i] = follower;
            world.fault = fault.map(|error| format!("a reader stops: {error}"));
            next.push((step, world));
        }
    }

    fn snapshot(&self, next: &mut Next) {
        let primaries = self.nodes.iter().filter_map(|node| match node {
            Node::Write(writer, history) => Some((writer.point().ok()?, history)),
            _ => None,
        });
        let readers = self.readers.iter().map(|follower| (follower.reader.point(), &follower.history));
        for (point, history) in primaries.chain(readers) {
            let newest = self.snapshots.last_key_value().map(|(n, _)| *n);
            let Some(last) = point.last().filter(|last| newest.is_none_or(|newest| last.n > newest)) else {
                continue; // an older snapshot is of no use
            };
            let manifest = point.manifest(Vec::new(), None).expect("there is an object to take");
            let mut world = self.clone();
            let bits = Bits::new(manifest.to_bytes().expect("a small manifest"));
            world.store.insert(Key::Snapshot(last.n), bits);
            world.snapshots.insert(last.n, history.clone());
            next.push((Step::Snapshot(last.n), world));
        }
    }

    fn clean(&self, model: &Model, next: &mut Next) {
        let Some(cleaner) = &self.cleaner else { return self.start_cleaning(model, next) };
        match cleaner.next() {
            None => {}
            Some(Action::Get { .. }) => {
                let mut world = self.clone();
                self.look(world.cleaner.as_mut().expect("it is there"));
                next.push((Step::CleanerGets, world));
            }
            Some(Action::Put { key, .. }) => {
                for answer in ANSWERS.into_iter().filter(|answer| self.possible(CLEANER, key, *answer)) {
                    let mut world = self.clone();
                    world.cleaner.as_mut().expect("it is there").put_answered(answer);
                    next.push((Step::Answer(CLEANER, key, answer), world));
                }
            }
            Some(Action::Delete { key }) => {
                let mut world = self.clone();
                world.store.remove(&key);
                world.cleaner.as_mut().expect("it is there").deleted();
                next.push((Step::Deletes(key), world));
            }
            Some(Action::Later { .. }) => unreachable!("a cleaner leaves pauses to its driver"),
        }
    }

    fn start_cleaning(&self, model: &Model, next: &mut Next) {
        let Some((n, _)) = self.snapshots.last_key_value() else { return };
        let bytes = &self.store[&Key::Snapshot(*n)].bytes;
        let manifest = Manifest::read("snapshot", bytes).expect("the snapshot was written whole");
        let most = if model.rules.c1 { manifest.place().n } else { manifest.place().n + 1 };
        for to in manifest.place().n..=most {
            let stragglers = model.window as u64 - 1;
            let cleaner = Cleaner::with_rules(&manifest, to, 0, stragglers, model.rules);
            let mut cleaner = cleaner.expect("the snapshot reaches");
            // There is one cleaner, so nobody raises the boundary between its look and its put.
            self.look(&mut cleaner);
            let mut world = self.clone();
            world.cleaner = Some(cleaner);
            next.push((Step::CleanerStarts(to), world));
        }
    }

    fn look(&self, cleaner: &mut Cleaner) {
        while let Some(Action::Get { key: key @ Key::Clean(_) }) = cleaner.next() {
            cleaner.got(&get(self, key)).expect("the boundary records are sound");
        }
    }

    /// C4: the snapshot that the newest record names, and the newest one.
    fn let_go_of_snapshots(&mut self) {
        let record = self.store.iter().rfind(|(key, _)| matches!(key, Key::Clean(_)));
        let named = record.map(|(_, bits)| {
            Boundary::read("boundary", &bits.bytes).expect("the record was written whole").snapshot
        });
        let newest = self.snapshots.last_key_value().map(|(n, _)| *n);
        self.snapshots.retain(|n, _| Some(*n) == named || Some(*n) == newest);
        let snapshots = &self.snapshots;
        self.store.retain(|key, _| !matches!(key, Key::Snapshot(n) if !snapshots.contains_key(n)));
    }

    /// Forgets what makes no difference any more.
    fn tidy(&mut self) {
        if let Some(cleaner) = &mut self.cleaner {
            while matches!(cleaner.next(), Some(Action::Delete { key }) if !self.store.contains_key(&key)) {
                cleaner.deleted();
            }
            match cleaner.next() {
                Some(Action::Put { key, bytes, .. }) => self.send(CLEANER, key, bytes),
                None => self.cleaner = None,
                _ => {}
            }
        }
        if self.cleaner.is_none() {
            self.let_go_of_snapshots();
        }
        // Records stay, so no other put of the same one can land.
        let store = &self.store;
        self.sent.retain(|sent| !matches!(sent.key, Key::Clean(_)) || !store.contains_key(&sent.key));
        for node in &mut self.nodes {
            if matches!(node, Node::Write(writer, _) if matches!(writer.status(), Status::Fenced(_))) {
                *node = Node::Over;
            }
        }
        let (nodes, cleaner) = (&self.nodes, &self.cleaner);
        self.landed.retain(|(by, key)| match nodes.get(*by) {
            Some(Node::Write(writer, _)) => {
                writer.unacknowledged().any(|object| object.head().place.key() == *key)
            }
            Some(Node::Claim(claimant, _)) => {
                matches!(claimant.next(), Some(Action::Put { key: put, .. }) if put == *key)
            }
            Some(Node::Over) => false,
            None => cleaner.is_some(),
        });
        self.readers.sort_by_cached_key(|follower| {
            let mut hasher = DefaultHasher::new();
            follower.hash(&mut hasher);
            hasher.finish()
        });
    }
}

impl Follower {
    /// One request; with `look` the boundary is looked at if the next number is missing. `Ok(false)`: nothing new.
    pub fn step(&mut self, world: &World, look: bool) -> Option<Result<bool, String>> {
        let Some(Action::Get { key }) = self.reader.next() else { return None };
        if look && (matches!(key, Key::Clean(_)) || world.store.contains_key(&key)) {
            return None;
        }
        let mut event = self.reader.got(&get(world, key));
        let looking = matches!(key, Key::Clean(_)) || look;
        let mut missing = false;
        loop {
            match event.take() {
                Some(Event::Stopped(error)) => return Some(Err(error.to_string())),
                Some(Event::Missing) => {
                    missing = true;
                    if look { self.reader.look() } else { self.reader.waited() }
                }
                Some(event) => take(event, &mut self.reader, &mut self.history, &world.snapshots),
                None => {}
            }
            match self.reader.next() {
                Some(Action::Get { key: key @ (Key::Clean(_) | Key::Snapshot(_)) }) if looking => {
                    event = self.reader.got(&get(world, key));
                }
                next => {
                    self.reader.waited();
                    if !matches!(next, Some(Action::Get { key: Key::Clean(_) })) {
                        self.reader.forget();
                    }
                    return Some(Ok(!missing));
                }
            }
        }
    }
}

fn take(event: Event, reader: &mut Reader, history: &mut Vec<u64>, snapshots: &BTreeMap<u64, Vec<u64>>) {
    match event {
        Event::Pack(_) | Event::Followed(_) => history.push(short(reader.point().before.0)),
        Event::Load(manifest) => {
            reader.loaded(Loaded::Done);
            *history = snapshots[&manifest.n].clone();
        }
        Event::Missing | Event::Stopped(_) => {}
    }
}

/// A pack of nothing: its version is its commit time.
fn cut(head: Head, writer: &mut Writer, history: &mut Vec<u64>) {
    let again = (head.place.n as usize) < history.len();
    let head = Head { committed_us: if again { 2 } else { 1 }, kind: Kind::Pack, ..head };
    let object = Object::bare(head, None);
    let sum = short(object.sum().0);
    match history.get_mut(head.place.n as usize) {
        Some(old) => *old = sum,
        None => history.push(sum),
    }
    writer.offer(object).expect("the object is for the slot");
}

fn short(sum: [u8; 32]) -> u64 {
    u64::from_le_bytes(sum[..8].try_into().expect("eight bytes"))
}
