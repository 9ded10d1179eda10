//! The whole machine against a small script of what servers do.

use super::super::queue::{FileOp, SlotFiles};
use super::super::rejection::{Category, Rejection};
use super::super::{Event, Found, Role, Safe};
use super::*;
use std::collections::BTreeMap;

const SECOND: Micros = 1000 * MILLI;

/// A driver without a network: what the client asks for, and a slot.
struct Driver {
    client: Client,
    shelf: BTreeMap<Box<str>, Vec<u8>>,
    now: Micros,
}

impl Driver {
    fn new(settings: Settings) -> Self {
        Self { client: Client::in_memory(settings, 42, 0), shelf: BTreeMap::new(), now: 0 }
    }

    /// The next thing to do, but for files, which are done at once.
    fn poll(&mut self) -> Option<Action> {
        loop {
            match self.client.poll(self.now)? {
                Action::Files(ops) => {
                    ops.iter().for_each(|op| self.perform(op));
                    self.client.on(Event::Filed { done: ops.len(), trouble: None }, self.now);
                }
                other => return Some(other),
            }
        }
    }

    fn perform(&mut self, op: &FileOp) {
        match op {
            FileOp::Create { name, len } => _ = self.shelf.insert(name.clone(), vec![0; *len as usize]),
            FileOp::Write { name, at, bytes } => {
                self.shelf.get_mut(name).expect("a file")[*at as usize..][..bytes.len()]
                    .copy_from_slice(bytes);
            }
            FileOp::Remove { name } => _ = self.shelf.remove(name),
            FileOp::Sync { .. } | FileOp::SyncDir => {}
            other => panic!("{other:?}"),
        }
    }

    fn on(&mut self, event: Event) {
        self.client.on(event, self.now);
    }

    fn send(&mut self, text: &'static str) -> u64 {
        self.client.send(Bytes::from_static(text.as_bytes()), self.now).expect("room")
    }

    fn send_all(&mut self, texts: &[&'static str]) {
        texts.iter().for_each(|text| _ = self.send(text));
    }

    /// Connects to whom the client wants to.
    fn connect(&mut self) -> (Conn, usize) {
        loop {
            match self.poll() {
                Some(Action::Connect { conn, host, .. }) => {
                    let found = Found::Connected { role: Some(Role::Primary), zone: None };
                    self.on(Event::Found { conn, found, durable: true });
                    return (conn, host);
                }
                Some(Action::Close { .. }) => {}
                None if self.client.wakes_at().is_some() => self.wake(),
                other => panic!("{other:?}"),
            }
        }
    }

    fn wake(&mut self) {
        self.now = self.client.wakes_at().expect("a reason to wake").max(self.now);
    }

    fn sending(&mut self) -> Sending {
        match self.poll() {
            Some(Action::Send(sending)) => sending,
            other => panic!("something to send, not {other:?}"),
        }
    }

    /// Everything that is sent without an answer: FSN and text.
    fn all_sent(&mut self) -> Vec<(Option<u64>, String)> {
        let mut sent = Vec::new();
        while let Some(action) = self.poll() {
            let Action::Send(sending) = action else { panic!("{action:?}") };
            let Payload::Held(bytes) = sending.payload else { panic!("held") };
            sent.push((sending.fsn, String::from_utf8(bytes.to_vec()).expect("text")));
        }
        sent
    }

    fn rejected(&mut self, sending: &Sending, category: Category, status: u16) {
        let rejection = Rejection { category, status, role: None, message: "no".into() };
        self.on(Event::Rejected { conn: sending.conn, seq: sending.seq, rejection });
    }
}

fn settings(hosts: &[&str]) -> Settings {
    let mut settings = Settings::new(hosts.iter().copied());
    settings.initial_connect_retry = crate::client::FirstConnect::Async;
    settings.max_in_flight = 128;
    settings
}

fn durable(hosts: &[&str]) -> Settings {
    Settings { request_durable_ack: true, ..settings(hosts) }
}

fn committed(tables: &[(&str, i64)]) -> Safe {
    Safe::Committed(tables.iter().map(|(table, txn)| ((*table).into(), *txn)).collect())
}

#[test]
fn ok_is_cumulative_and_trims() {
    let mut driver = Driver::new(settings(&["a"]));
    let (conn, _) = driver.connect();
    driver.send_all(&["1", "2", "3"]);
    assert_eq!(driver.all_sent().len(), 3);
    driver.on(Event::Ok { conn, seq: 1, safe: Safe::Written });
    assert_eq!(driver.client.queue().acked(), 2);
    driver.on(Event::Ok { conn, seq: 0, safe: Safe::Written });
    assert_eq!(driver.client.queue().acked(), 2, "a lower one is ignored");
    driver.on(Event::Ok { conn, seq: 99, safe: Safe::Written });
    assert_eq!(driver.client.queue().acked(), 3, "a higher one is cut to what was sent");
}

#[test]
fn replay_goes_on_with_the_first_frame_that_is_not_acknowledged_in_order() {
    let mut driver = Driver::new(settings(&["a", "b"]));
    let (conn, host) = driver.connect();
    assert_eq!(host, 0);
    driver.send_all(&["1", "2", "3"]);
    driver.all_sent();
    driver.on(Event::Ok { conn, seq: 0, safe: Safe::Written });
    driver.on(Event::Broke { conn, by_server: true, why: "reset".into() });
    driver.send("4");
    let (again, host) = driver.connect();
    assert_eq!(host, 1, "the other host, without a pause");
    let numbers: Vec<_> = driver.all_sent().into_iter().map(|(fsn, _)| fsn).collect();
    assert_eq!(numbers, [Some(1), Some(2), Some(3)]);
    assert_eq!(driver.client.counters().total_frames_replayed, 2);
    driver.on(Event::Ok { conn, seq: 2, safe: Safe::Written });
    assert_eq!(driver.client.queue().acked(), 1, "an answer on the old connection counts for nothing");
    driver.on(Event::Ok { conn: again, seq: 2, safe: Safe::Written });
    assert_eq!(driver.client.queue().acked(), 4, "fsn = fsnAtZero + wireSeq");
    let windows: Vec<_> = driver.client.journal().windows().cloned().collect();
    assert_eq!((windows.len(), windows[0].from_host, windows[0].to_host), (1, 0, Some(1)));
}

#[test]
fn request_durable_ack_trims_on_nothing_less() {
    let mut driver = Driver::new(durable(&["a"]));
    let (conn, _) = driver.connect();
    driver.send_all(&["1", "2", "3", "4"]);
    driver.all_sent();
    driver.on(Event::Ok { conn, seq: 0, safe: committed(&[("t", 1)]) });
    driver.on(Event::Ok { conn, seq: 1, safe: committed(&[("t", 2), ("u", 7)]) });
    driver.on(Event::Ok { conn, seq: 2, safe: committed(&[("t", 3)]) });
    assert_eq!((driver.client.queue().acked(), driver.client.counters().frames_ok), (0, 3));
    driver.on(Event::Durable { conn, tables: vec![("t".into(), 3)] });
    assert_eq!(driver.client.queue().acked(), 1, "the head of the queue waits for u");
    driver.on(Event::Durable { conn, tables: vec![("u".into(), 7), ("t".into(), 1)] });
    assert_eq!(driver.client.queue().acked(), 3, "watermarks never go back");
    driver.on(Event::Ok { conn, seq: 3, safe: Safe::Written });
    assert_eq!(driver.client.queue().acked(), 3);
}

#[test]
fn an_ok_without_tables_counts_as_durable() {
    let mut driver = Driver::new(durable(&["a"]));
    let (conn, _) = driver.connect();
    driver.send("1");
    driver.all_sent();
    driver.on(Event::Ok { conn, seq: 0, safe: committed(&[]) });
    assert_eq!(driver.client.queue().acked(), 1);
}

#[test]
fn without_the_rule_of_durable_trim_an_ok_lets_frames_go() {
    let mut driver = Driver::new(durable(&["a"]));
    driver.client = driver.client.with_rules(Rules::without("durable_trim").expect("a rule"));
    let (conn, _) = driver.connect();
    driver.send("1");
    driver.all_sent();
    driver.on(Event::Ok { conn, seq: 0, safe: committed(&[("t", 1)]) });
    assert_eq!(driver.client.queue().acked(), 1, "which is the bug that the simulator has to find");
}

#[test]
fn without_the_rule_of_replay_order_frames_change_places() {
    let mut driver = Driver::new(settings(&["a"]));
    driver.client = driver.client.with_rules(Rules::without("replay_order").expect("a rule"));
    let (conn, _) = driver.connect();
    driver.send_all(&["1", "2", "3"]);
    assert_eq!(driver.all_sent()[0].0, Some(0));
    driver.on(Event::Broke { conn, by_server: false, why: "gone".into() });
    driver.connect();
    let numbers: Vec<_> = driver.all_sent().into_iter().map(|(fsn, _)| fsn).collect();
    assert_eq!(numbers, [Some(1), Some(0), Some(2)]);
}

#[test]
fn a_server_without_durable_acknowledgement_fails_loudly() {
    let mut driver = Driver::new(durable(&["a", "b"]));
    let Some(Action::Connect { conn, .. }) = driver.poll() else { panic!("a connect") };
    driver.on(Event::Found { conn, found: Found::Connected { role: None, zone: None }, durable: false });
    assert!(driver.client.stopped().is_some());
    assert_eq!(driver.poll(), Some(Action::Close { conn }));
    assert_eq!(driver.poll(), None);
}

#[test]
fn catch_up_frames_begin_every_connection_and_take_numbers() {
    let mut driver = Driver::new(settings(&["a"]));
    driver.client.catch_up_with(vec!["dictionary".into()]);
    driver.send("1");
    let (conn, _) = driver.connect();
    assert_eq!(driver.all_sent(), [(None, "dictionary".into()), (Some(0), "1".into())]);
    driver.on(Event::Ok { conn, seq: 0, safe: Safe::Written });
    assert_eq!(driver.client.queue().acked(), 0);
    driver.on(Event::Broke { conn, by_server: false, why: "gone".into() });
    driver.client.catch_up_with(vec!["dictionary, longer".into()]);
    let (conn, _) = driver.connect();
    assert_eq!(driver.all_sent()[0], (None, "dictionary, longer".into()));
    driver.on(Event::Ok { conn, seq: 1, safe: Safe::Written });
    assert_eq!(driver.client.queue().acked(), 1);
}

#[test]
fn a_terminal_rejection_stops_the_sender_and_keeps_the_frame() {
    let mut driver = Driver::new(settings(&["a"]));
    driver.connect();
    driver.send("bad");
    let sending = driver.sending();
    driver.rejected(&sending, Category::ParseError, 400);
    let error = driver.client.take_error().expect("told");
    assert_eq!((error.category, error.fsn), (Category::ParseError, Some(0)));
    assert_eq!(driver.client.queue().depth(), 1);
    let again = driver.client.send(Bytes::from_static(b"x"), 0);
    assert!(matches!(again, Err(SendError::Stopped(_))));
    assert_eq!(driver.client.counters().last_terminal_error.as_ref(), driver.client.stopped());
}

#[test]
fn poison_ends_after_four_rejections_and_five_seconds() {
    let mut driver = Driver::new(settings(&["a"]));
    driver.send("poison");
    let mut rejections = 0;
    while driver.client.stopped().is_none() {
        driver.connect();
        let sending = driver.sending();
        driver.now += 100 * MILLI;
        driver.rejected(&sending, Category::InternalError, 500);
        rejections += 1;
    }
    assert!(rejections >= 4 && driver.now >= 5 * SECOND, "{rejections} rejections in {} us", driver.now);
    assert!(rejections < 20, "paced: {rejections}");
    assert_eq!(driver.client.queue().depth(), 1);
}

#[test]
fn an_acknowledgement_in_between_clears_the_count() {
    let mut driver = Driver::new(settings(&["a"]));
    for round in 0..20 {
        driver.send("1");
        let (conn, _) = driver.connect();
        let sending = driver.sending();
        driver.on(Event::Broke { conn, by_server: true, why: "reset".into() });
        driver.now += SECOND;
        let (conn, _) = driver.connect();
        let again = driver.sending();
        assert_eq!((again.fsn, again.replayed), (sending.fsn, true));
        driver.on(Event::Ok { conn, seq: 0, safe: Safe::Written });
        driver.on(Event::Broke { conn, by_server: true, why: "reset".into() });
        assert_eq!(driver.client.stopped(), None, "round {round}");
        driver.now += SECOND;
    }
}

#[test]
fn not_writable_goes_to_another_host_and_is_never_poison() {
    let mut driver = Driver::new(settings(&["a", "b"]));
    driver.send("1");
    for round in 0..40 {
        let (_, host) = driver.connect();
        if round < 2 {
            assert_eq!(host, round, "the other one at once");
        }
        let sending = driver.sending();
        let role = Some(Role::Replica);
        let rejection = Rejection { category: Category::NotWritable, status: 421, role, message: "".into() };
        driver.on(Event::Rejected { conn: sending.conn, seq: sending.seq, rejection });
        assert_eq!(driver.client.stopped(), None);
    }
    assert!(driver.now > 30 * SECOND, "paced: {}", driver.now);
}

#[test]
fn unauthorized_is_final() {
    for status in [401, 403] {
        let mut driver = Driver::new(settings(&["a", "b"]));
        let Some(Action::Connect { conn, .. }) = driver.poll() else { panic!("a connect") };
        driver.on(Event::Found {
            conn,
            found: Found::Status { status, role: None, zone: None },
            durable: false,
        });
        assert_eq!(driver.poll(), None, "the second host is never dialled");
        assert_eq!(driver.client.stopped().map(|error| error.category), Some(Category::SecurityError));
    }
}

#[test]
fn silence_ends_a_connect_and_a_request_and_is_no_poison() {
    let mut driver = Driver::new(settings(&["a", "b"]));
    driver.send("1");
    let Some(Action::Connect { host: 0, .. }) = driver.poll() else { panic!("the first") };
    driver.now = driver.client.wakes_at().expect("auth_timeout_ms");
    assert_eq!(driver.now, 15 * SECOND);
    let (_, host) = driver.connect();
    assert_eq!(host, 1);
    for _ in 0..10 {
        driver.sending();
        driver.wake();
        let (_, _) = driver.connect();
        assert_eq!(driver.client.stopped(), None);
    }
    assert!(driver.now > 100 * SECOND, "request_timeout each time");
}

#[test]
fn backpressure_tells_why_and_ends_after_the_append_deadline() {
    let mut small = settings(&["a"]);
    (small.sf_max_segment_bytes, small.sf_max_total_bytes) = (1024, Some(2048));
    let mut driver = Driver::new(small);
    let frame = Bytes::from(vec![b'x'; 900]);
    let (conn, _) = driver.connect();
    driver.client.send(frame.clone(), 0).expect("room");
    driver.client.send(frame.clone(), 0).expect("room");
    let full = driver.client.send(frame.clone(), 0);
    assert_eq!(full, Err(SendError::Wait(Backpressure::Publishing)));
    driver.all_sent();
    driver.on(Event::Broke { conn, by_server: false, why: "gone".into() });
    driver.now = 29 * SECOND;
    driver.poll();
    let full = driver.client.send(frame.clone(), driver.now);
    let attempts = 1;
    let outage_us = 29 * SECOND;
    assert_eq!(full, Err(SendError::Wait(Backpressure::Reconnecting { attempts, outage_us })));
    driver.now = driver.client.send_deadline().expect("something waits");
    assert!(matches!(driver.client.send(frame.clone(), driver.now), Err(SendError::Deadline { .. })));
    assert_eq!(driver.client.counters().total_backpressure_stalls, 1);
    driver.connect();
    driver.all_sent();
    let conn = driver.client.next_conn - 1;
    driver.on(Event::Ok { conn, seq: 0, safe: Safe::Written });
    assert_eq!(driver.client.send(frame, driver.now), Ok(2), "an acknowledgement makes room");
}

#[test]
fn the_error_inbox_drops_the_oldest() {
    let mut policies = settings(&["a"]);
    policies.error_inbox_capacity = 16;
    let mut driver = Driver::new(policies);
    driver.connect();
    for _ in 0..20 {
        driver.send("1");
        let sending = driver.sending();
        driver.rejected(&sending, Category::WriteError, 503);
        driver.connect();
        let again = driver.sending();
        driver.on(Event::Ok { conn: again.conn, seq: again.seq, safe: Safe::Written });
    }
    let counters = driver.client.counters();
    assert_eq!((counters.total_server_errors, counters.dropped_error_notifications), (20, 4));
    assert_eq!(std::iter::from_fn(|| driver.client.take_error()).count(), 16);
    assert_eq!(driver.client.counters().total_error_notifications_delivered, 16);
}

/// The slot of a driver.
struct Slot<'a>(&'a BTreeMap<Box<str>, Vec<u8>>);

impl SlotFiles for Slot<'_> {
    fn list(&self) -> Result<Vec<(Box<str>, u64)>, Box<str>> {
        Ok(self.0.iter().map(|(name, bytes)| (name.clone(), bytes.len() as u64)).collect())
    }

    fn read(&self, name: &str, at: u64, len: usize) -> Result<Bytes, Box<str>> {
        Ok(Bytes::copy_from_slice(&self.0[name][at as usize..at as usize + len]))
    }
}

#[test]
fn a_slot_is_sent_on_by_the_next_process_and_left_empty() {
    let mut first = Driver::new(settings(&["a"]));
    let open = |shelf: &BTreeMap<_, _>, goal| Client::open(settings(&["a"]), goal, &Slot(shelf), 1, 0);
    first.client = open(&first.shelf, Goal::Produce).expect("an empty slot").0;
    let (conn, _) = first.connect();
    first.send_all(&["1", "2", "3"]);
    assert_eq!(first.all_sent().len(), 3);
    first.on(Event::Ok { conn, seq: 0, safe: Safe::Written });
    first.poll();

    let client = open(&first.shelf, Goal::Drain).expect("a sound slot").0;
    let mut second = Driver { client, shelf: first.shelf, now: 0 };
    second.connect();
    let mut numbers = Vec::new();
    while let Some(action) = second.poll() {
        match action {
            Action::Send(sending) => {
                numbers.push(sending.fsn);
                second.on(Event::Ok { conn: sending.conn, seq: sending.seq, safe: Safe::Written });
            }
            Action::Close { .. } => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(numbers, [Some(1), Some(2)]);
    assert!(second.client.is_done());
    assert!(second.shelf.is_empty(), "{:?}", second.shelf.keys());
}

#[test]
fn a_frame_is_sent_once_it_is_stored_and_a_full_disk_is_waited_for() {
    let mut driver = Driver::new(settings(&["a"]));
    driver.client =
        Client::open(settings(&["a"]), Goal::Produce, &Slot(&driver.shelf), 1, 0).expect("empty").0;
    driver.connect();
    driver.send("1");
    let Some(Action::Files(ops)) = driver.client.poll(0) else { panic!("files first") };
    assert_eq!(driver.client.poll(0), None);
    driver.perform(&ops[0]);
    driver.on(Event::Filed { done: 1, trouble: Some("no space".into()) });
    assert_eq!(driver.client.poll(0), None, "not again at once");
    driver.wake();
    assert_eq!(driver.now, SECOND);
    let sending = driver.sending();
    assert_eq!(sending.fsn, Some(0));
    assert!(driver.shelf.keys().any(|name| name.ends_with(".sfa")));
}

#[test]
fn finish_waits_for_every_acknowledgement() {
    let mut driver = Driver::new(settings(&["a"]));
    let (conn, _) = driver.connect();
    driver.send("1");
    driver.client.finish();
    driver.all_sent();
    assert!(!driver.client.is_done());
    driver.on(Event::Ok { conn, seq: 0, safe: Safe::Written });
    assert_eq!(driver.poll(), Some(Action::Close { conn }));
    assert_eq!(driver.poll(), None);
    assert!(driver.client.is_done());
}
