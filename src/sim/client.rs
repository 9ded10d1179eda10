//! A client: the real machine with its queue, a disk, and rows that it makes.

use super::begin::Model;
use super::bugs::Bugs;
use super::call::{Answer, Asked, Call};
use super::disk::Disk;
use super::ground::{Due, Ground};
use super::invariant::{Check, Invariant, breach};
use super::scenario::ClientSettings;
use super::told::{ClientTold, What};
use super::workload::Workload;
use super::{Chance, End, Micros};
use crate::client::{
    Action, Client, Event, FileOp, FirstConnect, Found, Goal, Payload, Rejection, Role, Safe, Sending,
    Settings, SlotFiles,
};
use crate::wal::Files;
use bytes::Bytes;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// The folder of a client's queue on its disk.
const SLOT: &str = "slot";
/// How long a client's disk takes for what it is asked to do at once.
const FILE_US: Micros = 300;
const SEGMENT_BYTES: u64 = 32 << 10;
/// After that long a client that has stopped is started again.
const RESTART_US: Micros = 1_000_000;

#[derive(Debug)]
pub(super) struct ClientActor {
    pub id: u32,
    life: u32,
    disk: Disk,
    settings: ClientSettings,
    /// As this process was started.
    started: ClientSettings,
    workload: Workload,
    client: Option<Client>,
    /// Rows of the frames that are not acknowledged, by the queue's number.
    frames: BTreeMap<u64, Vec<i64>>,
    /// Frames for which the queue had no room.
    waiting: VecDeque<(Bytes, Vec<i64>)>,
    /// The same for the next process.
    taken_along: VecDeque<(Bytes, Vec<i64>)>,
    calls: BTreeMap<u64, (u64, Talk)>,
    next_call: u64,
    wake: Option<Micros>,
    seen_stored: u64,
    chance: Chance,
    bugs: Bugs,
}

/// What a call is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Talk {
    Connect,
    Send {
        seq: u64,
    },
    /// It was answered; the second answer is to come.
    Durable,
}

impl ClientActor {
    /// `models`: rows are like these, in their tables.
    pub(super) fn new(
        id: u32,
        seed: u64,
        settings: ClientSettings,
        models: Option<Arc<[Model]>>,
        bugs: Bugs,
    ) -> Self {
        Self {
            id,
            life: 0,
            disk: Disk::default(),
            started: settings.clone(),
            settings,
            workload: Workload::new(seed, id, models),
            client: None,
            frames: BTreeMap::new(),
            waiting: VecDeque::new(),
            taken_along: VecDeque::new(),
            calls: BTreeMap::new(),
            next_call: 0,
            wake: None,
            seen_stored: 0,
            chance: Chance::new(seed ^ u64::from(id) << 40, "client"),
            bugs,
        }
    }

    fn end(&self) -> End {
        End::Client(self.id)
    }

    /// Other settings. Whether it asks for durable answers, and where its queue is, counts from its next start on: it is
    /// started again for that, and in memory mode takes its frames along.
    pub(super) fn set(&mut self, settings: ClientSettings, ground: &mut Ground) {
        let restarts = settings.durable != self.started.durable;
        self.settings = settings;
        if !restarts || self.client.is_none() {
            return;
        }
        if !self.started.on_disk {
            let client = self.client.take();
            let queue = client.as_ref().map(Client::queue);
            let held = |fsn: u64| match queue.and_then(|queue| queue.payload(fsn)) {
                Some(Payload::Held(bytes)) => Some(bytes),
                _ => None,
            };
            let frames = std::mem::take(&mut self.frames);
            let kept = frames.into_iter().filter_map(|(fsn, ids)| Some((held(fsn)?, ids)));
            let mut waiting: VecDeque<_> = kept.collect();
            waiting.append(&mut self.waiting);
            self.taken_along = waiting;
            self.client = client;
        }
        self.kill(ground);
    }

    /// Starts a process that knows these nodes.
    pub(super) fn start(&mut self, nodes: u32, ground: &mut Ground) -> Check {
        if self.client.is_some() {
            return Ok(());
        }
        self.life += 1;
        self.started = self.settings.clone();
        let addrs: Vec<String> = (0..nodes).map(|node| format!("node{node}:9000")).collect();
        let mut settings = Settings::new(addrs.iter().map(String::as_str));
        settings.initial_connect_retry = FirstConnect::Async;
        settings.request_durable_ack = self.started.durable;
        settings.max_in_flight = self.started.in_flight as usize;
        settings.sf_max_segment_bytes = SEGMENT_BYTES;
        (settings.auth_timeout_ms, settings.request_timeout_ms) = (1_500, 4_000);
        settings.reconnect_max_backoff_ms = 1_000;
        // Broken connections are the network's fault here, not the frames'.
        settings.max_frame_rejections = 1_000;
        let seed = self.chance.draw();
        let epoch_us = super::clock::EPOCH_US;
        let client = if self.started.on_disk {
            settings.sf_dir = Some(SLOT.into());
            match Client::open(settings, Goal::Produce, &Slot(&self.disk), seed, epoch_us) {
                Ok((client, _)) => client,
                Err(error) => {
                    return breach(Invariant::NobodyStops, format_args!("{}: {error}", self.end()));
                }
            }
        } else {
            Client::in_memory(settings, seed, epoch_us)
        };
        let client = client.with_rules(self.bugs.client);
        self.forget_unstored(&client, ground)?;
        self.client = Some(client);
        ground.tell(self.end(), What::Started);
        self.run(ground)
    }

    /// What the queue does not have any more was not stored when the process was killed.
    fn forget_unstored(&mut self, client: &Client, ground: &mut Ground) -> Check {
        let next = if self.started.on_disk { client.queue().next() } else { 0 };
        if self.started.on_disk && next < self.seen_stored {
            let what =
                format_args!("{} had stored {} frames, its slot has {next}", self.end(), self.seen_stored);
            return breach(Invariant::KeptUntilDurable, what);
        }
        for ids in self.frames.split_off(&next).into_values() {
            ground.book.forgotten(&ids);
        }
        for (_, ids) in self.waiting.drain(..) {
            ground.book.forgotten(&ids);
        }
        self.waiting = std::mem::take(&mut self.taken_along);
        self.seen_stored = if self.started.on_disk { client.queue().stored() } else { 0 };
        Ok(())
    }

    /// The process is killed.
    pub(super) fn kill(&mut self, ground: &mut Ground) {
        if self.client.take().is_none() {
            return;
        }
        self.life += 1;
        self.disk.kill(ground.now, &mut self.chance);
        self.calls.clear();
        self.wake = None;
        ground.tell(self.end(), What::Stopped { why: "killed".into() });
        ground.after(RESTART_US / 2, Due::Start(self.end()));
    }

    /// Makes rows.
    pub(super) fn make(&mut self, ground: &mut Ground) -> Check {
        if self.client.is_none() {
            return Ok(());
        }
        let (lines, rows) = self.workload.frame(&self.settings, ground.now);
        ground.book.made(self.id, &rows);
        ground.tell(self.end(), What::RowsMade { rows: rows.len() as u64, frame: self.next_frame() });
        let ids = rows.iter().map(|row| row.id).collect();
        self.waiting.push_back((lines.into(), ids));
        self.run(ground)
    }

    fn next_frame(&self) -> u64 {
        self.client.as_ref().map_or(0, |client| client.queue().next()) + self.waiting.len() as u64
    }

    /// Something arrives for it.
    pub(super) fn take(&mut self, due: Due, ground: &mut Ground) -> Check {
        match due {
            Due::AtClient { life, call, answer, .. } if life == self.life => self.heard(call, answer, ground),
            Due::Filed { life, done, trouble, .. } if life == self.life => {
                self.on(Event::Filed { done, trouble }, ground);
            }
            Due::ClientWakes { life, .. } if life == self.life => {
                if self.wake.is_some_and(|at| at <= ground.now) {
                    self.wake = None;
                }
            }
            _ => return Ok(()),
        }
        self.run(ground)
    }

    fn on(&mut self, event: Event, ground: &Ground) {
        if let Some(client) = &mut self.client {
            client.on(event, ground.now);
        }
    }

    fn heard(&mut self, call: u64, answer: Answer, ground: &mut Ground) {
        let Some((conn, talk)) = self.calls.remove(&call) else { return };
        let role = |role: Option<crate::node::Role>| role.map(|role| Role::parse(role.header()));
        let event = match (talk, answer) {
            (Talk::Connect, Answer::Settings) => {
                let found = Found::Connected { role: Some(Role::Primary), zone: None };
                Event::Found { conn, found, durable: true }
            }
            (Talk::Connect, Answer::Status { status, role: of, .. }) => {
                let found = Found::Status { status, role: role(of), zone: None };
                Event::Found { conn, found, durable: true }
            }
            (Talk::Connect, _) => Event::Found { conn, found: Found::Unreachable, durable: false },
            (Talk::Send { seq }, Answer::Written { durable }) => {
                Event::Ok { conn, seq, safe: if durable { Safe::Durable } else { Safe::Written } }
            }
            (Talk::Send { seq }, Answer::Committed { tables }) => {
                self.calls.insert(call, (conn, Talk::Durable));
                Event::Ok { conn, seq, safe: Safe::Committed(named(tables)) }
            }
            (Talk::Durable, Answer::Durable { tables }) => Event::Durable { conn, tables: named(tables) },
            (Talk::Send { seq }, Answer::Status { status, role: of, message }) => {
                match Rejection::of_http(status, role(of), &message) {
                    Some(rejection) => Event::Rejected { conn, seq, rejection },
                    None => Event::Broke { conn, by_server: false, why: message.into() },
                }
            }
            (Talk::Send { .. } | Talk::Durable, _) => {
                Event::Broke { conn, by_server: true, why: "connection reset".into() }
            }
        };
        self.on(event, ground);
    }

    /// Does what the machine says until it has nothing more to say.
    fn run(&mut self, ground: &mut Ground) -> Check {
        self.hand_in(ground);
        let was = self.client.as_ref().and_then(Client::connected_to);
        while let Some(action) = self.client.as_mut().and_then(|client| client.poll(ground.now)) {
            self.act(action, ground);
        }
        self.let_go(ground)?;
        self.hand_in(ground);
        let Some(client) = &self.client else { return Ok(()) };
        let now_is = client.connected_to();
        if was != now_is {
            let what = match (was, now_is) {
                (_, Some(node)) => What::Connected { node: node as u32 },
                (Some(node), None) => What::Disconnected { node: node as u32 },
                (None, None) => return Ok(()),
            };
            ground.tell(End::Client(self.id), what);
        }
        if client.stopped().is_some() {
            // Somebody looks at it, and starts it again.
            self.kill(ground);
            return Ok(());
        }
        if let Some(at) = client.wakes_at().map(|at| at.max(ground.now + 1))
            && self.wake.is_none_or(|wake| wake > at || wake <= ground.now)
        {
            self.wake = Some(at);
            ground.agenda.enter(at, Due::ClientWakes { client: self.id, life: self.life });
        }
        Ok(())
    }

    fn hand_in(&mut self, ground: &Ground) {
        let Some(client) = &mut self.client else { return };
        while let Some((frame, ids)) = self.waiting.pop_front() {
            match client.send(frame.clone(), ground.now) {
                Ok(fsn) => drop(self.frames.insert(fsn, ids)),
                Err(_) => {
                    self.waiting.push_front((frame, ids));
                    return;
                }
            }
        }
    }

    fn act(&mut self, action: Action, ground: &mut Ground) {
        match action {
            Action::Files(ops) => self.file(ops, ground),
            Action::Connect { conn, host, .. } => {
                ground.connect(self.id, self.life, conn);
                self.call(conn, host, Talk::Connect, Asked::Settings, ground);
            }
            Action::Send(sending) => self.send(sending, ground),
            Action::Close { .. } => {}
        }
    }

    fn send(&mut self, sending: Sending, ground: &mut Ground) {
        let Sending { conn, host, seq, fsn, payload, durable, replayed, .. } = sending;
        let lines = match &payload {
            Payload::Held(bytes) => bytes.clone(),
            Payload::Stored { file, at, len, .. } => {
                let read = self.disk.read(&format!("{SLOT}/{file}"), *at, u64::from(*len));
                match read {
                    Ok(bytes) if payload.check(&bytes) => bytes,
                    _ => {
                        let fsn = fsn.unwrap_or_default();
                        return self.on(Event::Unreadable { fsn, why: "can't be read".into() }, ground);
                    }
                }
            }
        };
        let what = What::FrameSent { node: host as u32, frame: fsn.unwrap_or_default(), again: replayed };
        ground.tell(self.end(), what);
        let two_step = self.started.two_step;
        self.call(conn, host, Talk::Send { seq }, Asked::Write { lines, durable, two_step }, ground);
    }

    fn call(&mut self, conn: u64, host: usize, talk: Talk, what: Asked, ground: &mut Ground) {
        let id = self.next_call;
        self.next_call += 1;
        self.calls.insert(id, (conn, talk));
        let call = Call { client: self.id, life: self.life, conn, id, what };
        ground.call(host as u32, call);
    }

    fn file(&mut self, ops: Vec<FileOp>, ground: &mut Ground) {
        self.disk.begin_batch(ground.now + FILE_US);
        let (mut done, mut trouble) = (0, None);
        for op in ops {
            if let Err(error) = perform(&mut self.disk, ground.now, op) {
                trouble = Some(error.to_string().into());
                break;
            }
            done += 1;
        }
        ground.after(FILE_US, Due::Filed { client: self.id, life: self.life, done, trouble });
    }

    /// What the queue has let go of must be as safe as its owner asked for.
    fn let_go(&mut self, ground: &mut Ground) -> Check {
        let Some(client) = &self.client else { return Ok(()) };
        let (acked, durable) = (client.queue().acked(), self.started.durable);
        if self.started.on_disk {
            self.seen_stored = self.seen_stored.max(client.queue().stored());
        }
        while let Some(entry) = self.frames.first_entry().filter(|entry| *entry.key() < acked) {
            let (frame, ids) = entry.remove_entry();
            if let Some(id) = ids.iter().find(|id| durable && !ground.book.is_accepted(**id)) {
                let what =
                    format_args!("client{} lets go of frame {frame}, and row {id} is in no history", self.id);
                return breach(Invariant::KeptUntilDurable, what);
            }
            ground.book.acknowledged(&ids, durable);
            ground.tell(End::Client(self.id), What::FrameAcknowledged { frame, durable });
        }
        Ok(())
    }

    /// Nothing waits to be acknowledged.
    pub(super) fn is_level(&self) -> bool {
        self.client.is_some() && self.frames.is_empty() && self.waiting.is_empty()
    }

    pub(super) fn told(&self, now: Micros) -> ClientTold {
        let mut told = ClientTold {
            client: self.id,
            node: None,
            queue: self.frames.len() as u64 + self.waiting.len() as u64,
            durable: self.started.durable,
            outage_us: 0,
            longest_outage_us: 0,
            outages: 0,
            stopped: None,
        };
        let Some(client) = &self.client else { return told };
        told.node = client.connected_to().map(|node| node as u32);
        for window in client.journal().windows() {
            let took = window.until_us.unwrap_or(now).saturating_sub(window.from_us);
            told.outages += 1;
            told.longest_outage_us = told.longest_outage_us.max(took);
            told.outage_us = if window.until_us.is_none() { took } else { 0 };
        }
        told.stopped = client.stopped().map(ToString::to_string);
        told
    }
}

/// Tables and transactions as a client names them.
fn named(tables: Vec<(String, u64)>) -> Vec<(Box<str>, i64)> {
    tables
        .into_iter()
        .map(|(dir, seq_txn)| (dir.into(), i64::try_from(seq_txn).unwrap_or(i64::MAX)))
        .collect()
}

fn perform(disk: &mut Disk, now: Micros, op: FileOp) -> crate::wal::Result<()> {
    let path = |name: &str| format!("{SLOT}/{name}");
    match op {
        FileOp::Create { name, len } => {
            disk.remove(now, &path(&name));
            disk.write(now, &path(&name), 0, vec![0; usize::try_from(len).unwrap_or(0)].into())?;
        }
        FileOp::Write { name, at, bytes } => disk.write(now, &path(&name), at, bytes)?,
        FileOp::Zero { name, at, len } => {
            disk.write(now, &path(&name), at, vec![0; usize::try_from(len).unwrap_or(0)].into())?;
        }
        FileOp::Sync { name } => disk.sync(&path(&name)),
        FileOp::SyncDir => {}
        FileOp::Rename { from, to } => disk.rename(now, &path(&from), &path(&to)),
        FileOp::Remove { name } => disk.remove(now, &path(&name)),
    }
    Ok(())
}

/// The queue's folder on a disk.
struct Slot<'a>(&'a Disk);

impl SlotFiles for Slot<'_> {
    fn list(&self) -> Result<Vec<(Box<str>, u64)>, Box<str>> {
        let inside = |(path, len): (&str, u64)| {
            let name = path.strip_prefix(SLOT)?.strip_prefix('/')?;
            Some((name.into(), len))
        };
        Ok(self.0.lengths().filter_map(inside).collect())
    }

    fn read(&self, name: &str, at: u64, len: usize) -> Result<Bytes, Box<str>> {
        self.0.read(&format!("{SLOT}/{name}"), at, len as u64).map_err(|error| error.to_string().into())
    }
}
