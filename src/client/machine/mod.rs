//! The client: a walk, a queue and one connection at a time.

mod react;

#[cfg(test)]
mod tests;

use super::events::{Action, Backpressure, CatchUp, Conn, Event, SendError, Sending};
use super::journal::{Journal, What};
use super::link::{Link, Up};
use super::queue::{Finding, Payload, Queue, Refused, SlotError, SlotFiles};
use super::rejection::{Category, Poison, SenderError};
use super::walk::{Next, Walk, Way};
use super::{Counters, Durability, MILLI, Micros, Rules, Settings};
use bytes::Bytes;
use std::collections::VecDeque;

/// Between two tries to write a slot that could not be written.
const DISK_PAUSE: Micros = 1000 * MILLI;

/// What a client is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Goal {
    /// A producer appends frames.
    Produce,
    /// To send what another sender left, and end. Each outage has the budget of `reconnect_max_duration_millis`.
    Drain,
}

/// A client.
///
/// After anything was told it, [`poll`](Self::poll) it until it answers `None`; then wait for an event, or until
/// [`wakes_at`](Self::wakes_at).
///
/// ```
/// use understudy::client::{Action, Client, Event, Found, Safe, Settings};
/// let mut client = Client::in_memory(Settings::new(["a:9000"]), 42, 0);
/// let Some(Action::Connect { conn, .. }) = client.poll(0) else { panic!() };
/// client.on(Event::Found { conn, found: Found::Connected { role: None, zone: None }, durable: false }, 5);
/// client.send("trades price=1 1\n".into(), 6)?;
/// let Some(Action::Send(sending)) = client.poll(6) else { panic!() };
/// client.on(Event::Ok { conn, seq: sending.seq, safe: Safe::Written }, 9);
/// assert_eq!(client.queue().depth(), 0);
/// # Ok::<(), understudy::client::SendError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Client {
    settings: Settings,
    rules: Rules,
    walk: Walk,
    queue: Queue,
    link: Link,
    poison: Poison,
    counters: Counters,
    journal: Journal,
    inbox: VecDeque<SenderError>,
    catch_up: CatchUp,
    closes: VecDeque<Conn>,
    next_conn: Conn,
    /// All frames below were sent at least once.
    sent: u64,
    /// The wall clock at 0 of the other one, in microseconds since 1970.
    epoch_us: i64,
    /// The driver has operations of the slot to do.
    filing: bool,
    file_at: Micros,
    checkpoint_at: Option<Micros>,
    wait: Option<Micros>,
    stalled: Option<Micros>,
    stopped: Option<SenderError>,
    /// It ends when everything is acknowledged.
    closing: bool,
    cleared: bool,
}

impl Client {
    /// A client whose queue is in memory. `seed` decides its pauses; `epoch_us` is the wall clock's time, in
    /// microseconds since 1970, when the clock of `now` showed 0.
    pub fn in_memory(settings: Settings, seed: u64, epoch_us: i64) -> Self {
        let queue = Queue::in_memory(settings.limits());
        Self::new(settings, Goal::Produce, queue, seed, epoch_us)
    }

    /// A client with a slot, which it has for itself: take its lock first. What an earlier process left there is sent
    /// before anything else.
    ///
    /// # Errors
    /// [`SlotError`], as [`Queue::open`].
    pub fn open(
        settings: Settings,
        goal: Goal,
        files: &dyn SlotFiles,
        seed: u64,
        epoch_us: i64,
    ) -> Result<(Self, Vec<Finding>), SlotError> {
        let (queue, findings) = Queue::open(settings.limits(), files)?;
        Ok((Self::new(settings, goal, queue, seed, epoch_us), findings))
    }

    fn new(settings: Settings, goal: Goal, queue: Queue, seed: u64, epoch_us: i64) -> Self {
        let mut walk = settings.ingress();
        if let (Goal::Drain, Way::Ingress { drainer, .. }) = (goal, &mut walk.way) {
            *drainer = true;
        }
        let poison = Poison::new(settings.max_frame_rejections, settings.poison_min_escalation_window_ms);
        Self {
            rules: Rules::ALL,
            walk: Walk::new(walk, seed),
            queue,
            link: Link::Down,
            poison,
            counters: Counters::default(),
            journal: Journal::default(),
            inbox: VecDeque::new(),
            catch_up: CatchUp::new(),
            closes: VecDeque::new(),
            next_conn: 0,
            sent: 0,
            epoch_us,
            filing: false,
            file_at: 0,
            checkpoint_at: None,
            wait: None,
            stalled: None,
            stopped: None,
            closing: goal == Goal::Drain,
            cleared: false,
            settings,
        }
    }

    /// The same client without one of its rules. For tests alone.
    #[doc(hidden)]
    #[must_use]
    pub fn with_rules(mut self, rules: Rules) -> Self {
        self.rules = rules;
        self
    }

    /// What every connection from now on begins with.
    pub fn catch_up_with(&mut self, frames: CatchUp) {
        self.catch_up = frames;
    }

    /// Takes a frame: lines of ILP, ended by line feeds. It is safe from the process's end once it is
    /// [`stored`](Queue::stored).
    ///
    /// # Errors
    /// [`SendError`]; the frame was not taken then.
    pub fn send(&mut self, frame: Bytes, now: Micros) -> Result<u64, SendError> {
        if let Some(why) = &self.stopped {
            return Err(SendError::Stopped(Box::new(why.clone())));
        }
        let made_us = self.epoch_us.saturating_add(i64::try_from(now).unwrap_or(i64::MAX));
        match self.queue.append(frame, made_us) {
            Ok(fsn) => {
                self.stalled = None;
                self.counters.frames_appended += 1;
                if self.settings.sf_durability == Durability::Periodic && self.queue.is_on_disk() {
                    let interval = self.settings.sf_sync_interval_ms.saturating_mul(MILLI);
                    self.checkpoint_at.get_or_insert(now.saturating_add(interval));
                }
                Ok(fsn)
            }
            Err(why @ (Refused::Full | Refused::Disk)) => Err(self.stall(why, now)),
            Err(why) => Err(SendError::Refused(why)),
        }
    }

    /// Takes what happened.
    pub fn on(&mut self, event: Event, now: Micros) {
        match event {
            Event::Filed { done, trouble } => self.filed(done, trouble, now),
            Event::Found { conn, found, durable } => self.found(conn, &found, durable, now),
            Event::Ok { conn, seq, safe } => self.ok(conn, seq, safe, now),
            Event::Durable { conn, tables } => {
                let Some(up) = self.up(conn) else { return };
                if let Some(below) = up.became_durable(tables) {
                    self.acknowledge(below, now);
                }
            }
            Event::Rejected { conn, seq, rejection } => self.rejected(conn, seq, rejection, now),
            Event::Broke { conn, by_server, why } => self.broke(conn, by_server, why, now),
            Event::Unreadable { fsn, why } => {
                let message = format!("frame {fsn} can't be read from the slot: {why}");
                self.stop(Category::ProtocolViolation, 0, Some(fsn), None, message, now);
            }
        }
    }

    /// What to do now; `None` if there is nothing until something happens or [`wakes_at`](Self::wakes_at).
    pub fn poll(&mut self, now: Micros) -> Option<Action> {
        self.expire(now);
        if let Some(conn) = self.closes.pop_front() {
            return Some(Action::Close { conn });
        }
        if let Some(files) = self.files(now) {
            return Some(files);
        }
        if self.stopped.is_some() || self.is_drained() {
            return self.closes.pop_front().map(|conn| Action::Close { conn });
        }
        match &self.link {
            Link::Down => self.connect(now),
            Link::Connecting { .. } => None,
            Link::Up(_) => self.transmit(now),
        }
    }

    /// When to ask again although nothing happened.
    pub fn wakes_at(&self) -> Option<Micros> {
        let link = match &self.link {
            _ if self.stopped.is_some() => None,
            Link::Down => self.wait,
            Link::Connecting { deadline, .. } => Some(*deadline),
            Link::Up(up) => up.deadline(),
        };
        let file = (!self.filing && self.queue.has_work()).then_some(self.file_at);
        [link, file, self.checkpoint_at].into_iter().flatten().min()
    }

    /// Ends when everything is acknowledged: no frame is taken from now on by a careful driver, and a slot is left
    /// empty. Whether it has ended is [`is_done`](Self::is_done).
    pub fn finish(&mut self) {
        self.closing = true;
    }

    /// True if it was told to end, everything is acknowledged, and the slot is as it should be.
    pub fn is_done(&self) -> bool {
        self.closing && self.cleared && self.queue.depth() == 0 && !self.queue.has_work() && !self.filing
    }

    /// Why the client stopped for good; `None` if it has not.
    pub fn stopped(&self) -> Option<&SenderError> {
        self.stopped.as_ref()
    }

    /// The next error to tell the user, oldest first (the error inbox).
    pub fn take_error(&mut self) -> Option<SenderError> {
        let error = self.inbox.pop_front()?;
        self.counters.total_error_notifications_delivered += 1;
        Some(error)
    }

    /// The host that it is connected to, by its place in `addr`.
    pub fn connected_to(&self) -> Option<usize> {
        if let Link::Up(up) = &self.link { Some(up.host) } else { None }
    }

    /// When a frame that has to wait for room is given up; `None` if none waits.
    pub fn send_deadline(&self) -> Option<Micros> {
        self.stalled
            .map(|since| since.saturating_add(self.settings.sf_append_deadline_ms.saturating_mul(MILLI)))
    }

    /// Its settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Its queue.
    pub fn queue(&self) -> &Queue {
        &self.queue
    }

    /// Its walk over the hosts.
    pub fn walk(&self) -> &Walk {
        &self.walk
    }

    /// What it counted.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// What happened to it.
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// The same, to take entries from.
    pub fn journal_mut(&mut self) -> &mut Journal {
        &mut self.journal
    }

    fn up(&mut self, conn: Conn) -> Option<&mut Up> {
        match &mut self.link {
            Link::Up(up) if up.conn == conn => Some(up),
            _ => None,
        }
    }

    fn stall(&mut self, why: Refused, now: Micros) -> SendError {
        if self.stalled.is_none() {
            self.counters.total_backpressure_stalls += 1;
            self.journal.note(now, None, What::Stalled);
        }
        let waited_us = now.saturating_sub(*self.stalled.get_or_insert(now));
        let why = match (why, self.walk.outage_since()) {
            (Refused::Disk, _) => Backpressure::Disk,
            (_, Some(since)) if self.connected_to().is_none() => Backpressure::Reconnecting {
                attempts: self.walk.attempts(),
                outage_us: now.saturating_sub(since),
            },
            _ => Backpressure::Publishing,
        };
        if waited_us >= self.settings.sf_append_deadline_ms.saturating_mul(MILLI) {
            self.stalled = None;
            return SendError::Deadline { waited_us, why };
        }
        SendError::Wait(why)
    }

    fn filed(&mut self, done: usize, trouble: Option<Box<str>>, now: Micros) {
        self.filing = false;
        self.queue.done(done);
        if let Some(why) = trouble {
            self.journal.note(now, None, What::Disk { why });
            self.file_at = now.saturating_add(DISK_PAUSE);
        }
    }

    fn files(&mut self, now: Micros) -> Option<Action> {
        if self.filing || self.file_at > now {
            return None;
        }
        let ops = self.queue.take_batch()?;
        self.filing = true;
        Some(Action::Files(ops))
    }

    /// True if there is nothing more to send, ever. The connection is closed and the slot cleared by then.
    fn is_drained(&mut self) -> bool {
        if !self.closing || self.queue.depth() > 0 {
            return false;
        }
        if !self.cleared {
            self.cleared = true;
            self.queue.clear();
            self.hang_up();
        }
        true
    }

    fn connect(&mut self, now: Micros) -> Option<Action> {
        self.wait = None;
        let is_first = self.walk.is_first();
        match self.walk.next(now) {
            Next::Try(host) => {
                let conn = self.next_conn;
                self.next_conn += 1;
                self.counters.total_reconnect_attempts += u64::from(!is_first);
                let connect_ms = self.settings.connect_timeout_ms.unwrap_or(0);
                let within_us =
                    self.settings.auth_timeout_ms.saturating_add(connect_ms).saturating_mul(MILLI);
                self.link = Link::Connecting { conn, host, deadline: now.saturating_add(within_us) };
                self.journal.note(now, Some(host), What::Connecting);
                Some(Action::Connect { conn, host, within_us })
            }
            Next::Wait(until_us) => {
                self.wait = Some(until_us);
                self.journal.note(now, None, What::Waiting { until_us });
                // What there is to do in the slot was asked for before.
                None
            }
            Next::GiveUp(why) => {
                self.gave_up(why, now);
                None
            }
        }
    }

    fn transmit(&mut self, now: Micros) -> Option<Action> {
        let most = self.settings.max_in_flight.max(1) as u64;
        let Link::Up(up) = &mut self.link else { return None };
        if up.in_flight() >= most {
            return None;
        }
        let seq = up.next_seq;
        let fsn = up.fsn(seq).map(|fsn| swapped(self.rules, up, fsn, self.sent));
        let payload = match fsn {
            None => Payload::Held(usize::try_from(seq).ok().and_then(|at| self.catch_up.get(at))?.clone()),
            Some(fsn) if fsn >= self.queue.stored() => return None,
            Some(fsn) => self.queue.payload(fsn)?,
        };
        let allowed = match self.settings.request_min_throughput {
            0 => 0,
            rate => payload.len().saturating_mul(1000 * MILLI) / rate,
        };
        let base = self.settings.request_timeout_ms.saturating_mul(MILLI);
        let within_us = (base > 0).then(|| base.saturating_add(allowed));
        up.sent(within_us.map(|within| now.saturating_add(within)));
        let replayed = fsn.is_some_and(|fsn| fsn < self.sent);
        self.sent = self.sent.max(fsn.map_or(0, |fsn| fsn + 1));
        self.counters.frames_sent += 1;
        self.counters.bytes_sent += payload.len();
        self.counters.total_frames_replayed += u64::from(replayed);
        let durable = self.settings.request_durable_ack;
        Some(Action::Send(Sending {
            conn: up.conn,
            host: up.host,
            seq,
            fsn,
            payload,
            durable,
            replayed,
            within_us,
        }))
    }
}

/// Frames in order. Without that rule, the first two that are sent again change places.
fn swapped(rules: Rules, up: &Up, fsn: u64, sent: u64) -> u64 {
    let first = up.fsn_at_zero;
    match fsn.checked_sub(first) {
        Some(place @ (0 | 1)) if !rules.replay_order && sent > first + 1 => first + 1 - place,
        _ => fsn,
    }
}
