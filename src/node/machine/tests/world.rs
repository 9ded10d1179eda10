//! Some machines and one bucket, on a clock of their own. Each node has one table; a transaction is a number.

use crate::ledger::{
    Action, Cluster, Document, Event as Read, GetAnswer, Key, Pack, PutAnswer, Reader, Rules, Run,
    TableEntry, Token, Unsettled, What,
};
use crate::node::{Answer, Config, Decision, Event, Held, Kept, Machine, Now, Reason, Refusal, Role};
use crate::wal::TableKind;
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};

pub(super) const MS: u64 = 1_000;
pub(super) const SECOND: u64 = 1_000_000;
const TABLE: &str = "t~1";

/// What is on its way.
#[derive(Debug)]
enum Happening {
    /// A put takes effect.
    Lands { node: usize, life: u32, id: u64, key: Key, bytes: Bytes, answered: bool },
    /// A get is answered from what is there.
    Reads { node: usize, life: u32, id: u64, key: Key },
    /// An event reaches a node.
    Event { node: usize, life: u32, event: Event },
    /// A node's timer.
    Wake { node: usize, life: u32 },
}

pub(super) struct Node {
    pub(super) config: Config,
    pub(super) machine: Option<Machine>,
    life: u32,
    /// On its disk.
    pub(super) kept: Kept,
    pub(super) local: Vec<u64>,
    pub(super) aside: Vec<u64>,
    /// Its own transactions that no pack has are those behind this many.
    cut: usize,
    pub(super) refused: Option<Refusal>,
    pub(super) exited: Option<Reason>,
    pub(super) roles: Vec<(Role, Reason)>,
    /// It neither runs nor hears until then.
    paused: Option<u64>,
    /// What came meanwhile.
    missed: Vec<Event>,
    /// Its requests get no answer.
    pub(super) cut_off: bool,
    wake: Option<u64>,
}

pub(super) struct World {
    pub(super) now_us: u64,
    seed: u64,
    order: u64,
    queue: BTreeMap<(u64, u64), Happening>,
    pub(super) bucket: BTreeMap<Key, Bytes>,
    pub(super) nodes: Vec<Node>,
    next_txn: u64,
    /// Transactions that clients were told are durable, and all that were made.
    pub(super) durable: BTreeSet<u64>,
    pub(super) made: BTreeSet<u64>,
    /// When the newest one was taken.
    pub(super) taken_us: u64,
    /// In a thousand: answers that are lost, puts that land late.
    pub(super) lossy: u64,
    pub(super) puts: u64,
    /// Who asked for a boundary record, and when.
    pub(super) looked: Vec<(usize, u64)>,
    /// What is left out, to see that it is missed.
    pub(super) rules: Rules,
}

impl World {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            now_us: 0,
            seed,
            order: 0,
            queue: BTreeMap::new(),
            bucket: BTreeMap::new(),
            nodes: Vec::new(),
            next_txn: 1,
            durable: BTreeSet::new(),
            made: BTreeSet::new(),
            taken_us: 0,
            lossy: 0,
            puts: 0,
            looked: Vec::new(),
            rules: Rules::ALL,
        }
    }

    pub(super) fn add(&mut self, config: Config) -> usize {
        self.nodes.push(Node {
            config,
            machine: None,
            life: 0,
            kept: Kept::default(),
            local: Vec::new(),
            aside: Vec::new(),
            cut: 0,
            refused: None,
            exited: None,
            roles: Vec::new(),
            paused: None,
            missed: Vec::new(),
            cut_off: false,
            wake: None,
        });
        self.start(self.nodes.len() - 1);
        self.nodes.len() - 1
    }

    pub(super) fn draw(&mut self, bound: u64) -> u64 {
        self.seed = self.seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.seed;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (x ^ (x >> 31)) % bound.max(1)
    }

    pub(super) fn now(&self) -> Now {
        Now { mono_us: self.now_us, wall_us: 1_700_000_000_000_000 + self.now_us as i64 }
    }

    pub(super) fn start(&mut self, node: usize) {
        let now = self.now();
        let seed = u128::from(self.draw(u64::MAX)) << 64 | u128::from(self.draw(u64::MAX));
        let it = &mut self.nodes[node];
        it.life += 1;
        it.config.seed = seed;
        it.exited = None;
        it.refused = Some(Refusal::Opening);
        it.missed.clear();
        it.paused = None;
        it.wake = None;
        let mut kept = it.kept.clone();
        if !kept.wrote {
            kept.held = held(&it.local);
        }
        it.machine = Some(Machine::with_rules(it.config.clone(), kept, now, self.rules));
        self.drive(node);
    }

    pub(super) fn kill(&mut self, node: usize) {
        self.nodes[node].machine = None;
        self.nodes[node].life += 1;
    }

    /// As `kill -STOP`, and `-CONT` after a while.
    pub(super) fn pause(&mut self, node: usize, us: u64) {
        self.nodes[node].paused = Some(self.now_us + us);
        let life = self.nodes[node].life;
        self.push(us, Happening::Wake { node, life });
    }

    pub(super) fn tell(&mut self, node: usize, event: Event) {
        let now = self.now();
        if let Some(machine) = &mut self.nodes[node].machine {
            machine.on(event, now);
        }
        self.drive(node);
    }

    /// A client tries to write; true if it was taken.
    pub(super) fn write(&mut self, node: usize) -> bool {
        let now = self.now();
        let it = &mut self.nodes[node];
        let accepts = |machine: &Machine| machine.accepts_writes(now).is_ok();
        if it.paused.is_some() || it.refused.is_some() || !it.machine.as_ref().is_some_and(accepts) {
            return false;
        }
        it.local.push(self.next_txn);
        self.made.insert(self.next_txn);
        self.next_txn += 1;
        self.taken_us = self.now_us;
        self.tell(node, Event::Commits);
        true
    }

    /// Goes on until this time; clients write to whoever takes it, every `every` microseconds.
    pub(super) fn run(&mut self, until_us: u64, every: u64) {
        let mut write_us = self.now_us + every;
        loop {
            let next = self.queue.first_key_value().map_or(u64::MAX, |((at, _), _)| *at);
            if write_us.min(next) > until_us {
                break;
            }
            if write_us <= next {
                self.now_us = write_us;
                write_us += every;
                for node in 0..self.nodes.len() {
                    self.write(node);
                }
                continue;
            }
            let Some(((at, _), what)) = self.queue.pop_first() else { break };
            self.now_us = at;
            self.happen(what);
        }
        self.now_us = until_us;
    }

    fn push(&mut self, after_us: u64, what: Happening) {
        self.order += 1;
        self.queue.insert((self.now_us + after_us, self.order), what);
    }

    fn happen(&mut self, what: Happening) {
        match what {
            Happening::Lands { node, life, id, key, bytes, answered } => {
                let stored = !self.bucket.contains_key(&key);
                self.bucket.entry(key).or_insert(bytes);
                if answered {
                    let answer = if stored { PutAnswer::Stored } else { PutAnswer::Taken };
                    self.answer(node, life, id, Answer::Put(answer), 5 * MS);
                }
            }
            Happening::Reads { node, life, id, key } => {
                let there = self.bucket.get(&key).cloned();
                let answer = there.map_or(GetAnswer::NotFound, GetAnswer::Found);
                self.answer(node, life, id, Answer::Got(answer), 5 * MS);
            }
            Happening::Event { node, life, event } => {
                let now_us = self.now_us;
                let it = &mut self.nodes[node];
                if it.life != life || it.machine.is_none() {
                    return;
                }
                if it.paused.is_some_and(|until| until > now_us) {
                    it.missed.push(event);
                    return;
                }
                self.tell(node, event);
            }
            Happening::Wake { node, life } => {
                let now_us = self.now_us;
                let it = &mut self.nodes[node];
                if it.life != life || it.paused.is_some_and(|until| until > now_us) {
                    return;
                }
                if it.paused.take().is_some() {
                    for event in std::mem::take(&mut it.missed) {
                        self.tell(node, event);
                    }
                }
                self.nodes[node].wake = None;
                self.drive(node);
            }
        }
    }

    fn answer(&mut self, node: usize, life: u32, id: u64, answer: Answer, after_us: u64) {
        self.push(after_us, Happening::Event { node, life, event: Event::Answered { id, answer } });
    }

    fn drive(&mut self, node: usize) {
        let now = self.now();
        if self.nodes[node].paused.is_some_and(|until| until > self.now_us) {
            return;
        }
        while let Some(decision) = self.nodes[node].machine.as_mut().and_then(|machine| machine.poll(now)) {
            self.carry_out(node, decision);
        }
        let it = &self.nodes[node];
        let Some(machine) = &it.machine else { return };
        if let Some(at) = machine.wakes_at()
            && it.wake.is_none_or(|wake| wake > at || wake <= self.now_us)
        {
            // Never at once: what is due was done.
            let at = at.max(self.now_us + 1);
            let life = it.life;
            self.nodes[node].wake = Some(at);
            self.push(at - self.now_us, Happening::Wake { node, life });
        }
    }

    fn carry_out(&mut self, node: usize, decision: Decision) {
        let life = self.nodes[node].life;
        match decision {
            Decision::Ask { id, action } => self.request(node, id, action),
            Decision::Apply { pack, point, .. } => {
                let it = &mut self.nodes[node];
                for run in runs(&pack) {
                    for (at, txn) in run {
                        assert!(at <= it.local.len() as u64 + 1, "a gap at {at}");
                        if at > it.local.len() as u64 {
                            it.local.push(txn);
                        }
                    }
                }
                if !it.kept.wrote {
                    it.kept.point = Some((*point).clone());
                }
                let event = Event::Applied { next: point.next.n };
                let after = self.draw(20 * MS);
                self.push(after, Happening::Event { node, life, event });
            }
            Decision::Load(manifest) => panic!("no snapshot was made: {manifest:?}"),
            Decision::Cut { head, needed, handover } => {
                let it = &mut self.nodes[node];
                let rest = it.local.get(it.cut..).unwrap_or_default();
                let take = rest.len().min(5);
                if take == 0 && !needed {
                    return self.tell(node, Event::Nothing);
                }
                let (pack, reached) = pack(&rest[..take], it.cut as u64 + 1, handover);
                it.cut += take;
                let more = it.cut < it.local.len();
                let head = crate::ledger::Head { committed_us: self.now_us as i64, ..head };
                let object = pack.encode(head, None).expect("it is small");
                let after = self.draw(3 * MS);
                let event = Event::Cut { object, reached, more };
                self.push(after, Happening::Event { node, life, event });
            }
            Decision::Acknowledge { .. } => {
                let it = &self.nodes[node];
                let durable = it.machine.as_ref().expect("it runs").acks().held().get(TABLE).copied();
                let durable = durable.unwrap_or(0) as usize;
                // What came before was told already.
                let told = it.local[..durable].iter().rposition(|txn| self.durable.contains(txn));
                let new = it.local[told.map_or(0, |told| told + 1)..durable].to_vec();
                self.durable.extend(new);
            }
            Decision::Keep(kept) => self.nodes[node].kept = *kept,
            Decision::Role { role, why } => self.nodes[node].roles.push((role, why)),
            Decision::Open { held, writes, .. } => {
                let it = &mut self.nodes[node];
                it.cut = held.get(TABLE).copied().unwrap_or(0) as usize;
                assert!(it.cut <= it.local.len(), "it serves without what the history has");
                it.refused = (!writes).then_some(Refusal::Leaving);
            }
            Decision::Refuse(why) => self.nodes[node].refused = Some(why),
            Decision::Resume => self.nodes[node].refused = None,
            Decision::SetAside { held, .. } => {
                let it = &mut self.nodes[node];
                let held = held.get(TABLE).copied().unwrap_or(0) as usize;
                let beyond = it.local.get(held..).unwrap_or_default();
                let any = !beyond.is_empty();
                it.aside.extend(beyond);
                self.push(10 * MS, Happening::Event { node, life, event: Event::Aside { any } });
            }
            Decision::Rewind { point, held } => {
                let it = &mut self.nodes[node];
                it.local.truncate(held.get(TABLE).copied().unwrap_or(0) as usize);
                self.push(
                    10 * MS,
                    Happening::Event { node, life, event: Event::Rewound { point: Some(point), held } },
                );
            }
            Decision::Exit(why) => {
                self.nodes[node].exited = Some(why);
                self.nodes[node].machine = None;
                self.nodes[node].life += 1;
            }
            Decision::Term { .. } | Decision::Level => {}
        }
    }

    fn request(&mut self, node: usize, id: u64, action: Action) {
        let life = self.nodes[node].life;
        let lost = self.nodes[node].cut_off;
        let late = self.draw(1000) < self.lossy;
        let latency = 5 * MS + self.draw(20 * MS);
        if let Action::Get { key: Key::Clean(_) } = action {
            self.looked.push((node, self.now_us));
        }
        match action {
            Action::Put { key, bytes, .. } => {
                self.puts += 1;
                if lost {
                    let answer = Answer::Put(PutAnswer::Unsettled(Unsettled::Unknown));
                    return self.answer(node, life, id, answer, SECOND);
                }
                if late {
                    // A time-out; it lands before it or long after it, or never.
                    let answer = Answer::Put(PutAnswer::Unsettled(Unsettled::Unknown));
                    self.answer(node, life, id, answer, SECOND);
                    if self.draw(3) > 0 {
                        let after = self.draw(20 * SECOND);
                        self.push(after, Happening::Lands { node, life, id, key, bytes, answered: false });
                    }
                    return;
                }
                self.push(latency, Happening::Lands { node, life, id, key, bytes, answered: true });
            }
            Action::Get { .. } if lost || late => {
                self.answer(node, life, id, Answer::Got(GetAnswer::Failed), SECOND);
            }
            Action::Get { key } => self.push(latency, Happening::Reads { node, life, id, key }),
            Action::Delete { .. } | Action::Later { .. } => panic!("the machine waits by itself"),
        }
    }

    /// What a newcomer reads: all transactions, in order.
    pub(super) fn history(&self) -> Vec<u64> {
        let Some(bytes) = self.bucket.get(&Key::Cluster) else { return Vec::new() };
        let cluster = Cluster::read(Key::Cluster, bytes).expect("it was written by a node");
        let mut reader = Reader::of(&cluster);
        let mut history = Vec::new();
        while let Some(Action::Get { key }) = reader.next() {
            let there = self.bucket.get(&key).cloned();
            match reader.got(&there.map_or(GetAnswer::NotFound, GetAnswer::Found)) {
                Some(Read::Pack(object)) => {
                    for run in runs(&object.pack().expect("it is whole")) {
                        for (at, txn) in run {
                            assert_eq!(at, history.len() as u64 + 1, "the history is without a gap");
                            history.push(txn);
                        }
                    }
                }
                Some(Read::Missing) => break,
                Some(Read::Stopped(error)) => panic!("{error}"),
                _ => {}
            }
        }
        history
    }

    /// The nodes that take writes now.
    pub(super) fn primaries(&self) -> Vec<usize> {
        let now = self.now();
        let takes = |node: &Node| {
            let machine = node.machine.as_ref();
            node.refused.is_none() && machine.is_some_and(|machine| machine.accepts_writes(now).is_ok())
        };
        (0..self.nodes.len()).filter(|at| takes(&self.nodes[*at])).collect()
    }
}

fn held(local: &[u64]) -> Held {
    if local.is_empty() { Held::new() } else { [(TABLE.to_owned(), local.len() as u64)].into() }
}

fn runs(pack: &Pack) -> Vec<Vec<(u64, u64)>> {
    let number = |bytes: &Bytes| u64::from_le_bytes(bytes[..].try_into().expect("eight bytes"));
    let run = |entry: &TableEntry| match &entry.what {
        What::Transactions(run) => {
            Some((run.first_seq_txn..).zip(run.records.iter().map(number)).collect::<Vec<_>>())
        }
        _ => None,
    };
    pack.tables.iter().filter_map(run).collect()
}

fn pack(txns: &[u64], first: u64, handover: Option<String>) -> (Pack, Vec<(String, u64)>) {
    let mut pack = Pack { handover, ..Pack::default() };
    if !txns.is_empty() {
        let records = txns.iter().map(|txn| Bytes::copy_from_slice(&txn.to_le_bytes())).collect();
        let run = Run { first_seq_txn: first, part_size: 0, records, files: Vec::new() };
        let token = Token { dir: TABLE.into(), id: 1, name: "t".into(), kind: TableKind::Wal };
        pack.tables.push(TableEntry { token, what: What::Transactions(run) });
    }
    let reached = crate::node::reached(&pack);
    (pack, reached)
}
