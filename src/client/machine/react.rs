//! What a client does about what happens to it.

use super::super::events::{Conn, Safe};
use super::super::host::Role;
use super::super::journal::What;
use super::super::link::{Link, Up};
use super::super::rejection::{Category, Policy, Rejection, SenderError};
use super::super::walk::{Bound, Found, GaveUp, Lost};
use super::{Client, Micros};

impl Client {
    pub(super) fn found(&mut self, conn: Conn, found: &Found, durable: bool, now: Micros) {
        let Link::Connecting { conn: current, host, .. } = self.link else { return };
        if current != conn {
            return;
        }
        self.link = Link::Down;
        let is_first = self.walk.is_first();
        let bound = self.walk.found(host, found, now);
        if bound != Bound::Yes {
            let state = self.walk.hosts().get(host).map(|host| host.state);
            let status = if let Found::Status { status, .. } = found { *status } else { 0 };
            if let Some(state) = state {
                self.journal.note(now, Some(host), What::Refused { state, status });
            }
            if bound == Bound::Unwanted {
                self.closes.push_back(conn);
            }
            return;
        }
        self.link = Link::Up(Box::new(Up::new(conn, host, self.queue.acked(), self.catch_up.len())));
        self.counters.total_reconnects_succeeded += u64::from(!is_first);
        let role = if let Found::Connected { role, .. } = found { *role } else { None };
        let replays = self.sent.saturating_sub(self.queue.acked());
        self.journal.note(now, Some(host), What::Connected { role, replays });
        if self.settings.request_durable_ack && !durable {
            let message = "the server does not offer durable acknowledgement, and request_durable_ack is on; \
                           without it nothing would ever be let go";
            self.stop(Category::ProtocolViolation, 0, None, Some(host), message, now);
        }
    }

    pub(super) fn ok(&mut self, conn: Conn, seq: u64, safe: Safe, now: Micros) {
        let wants_durable = self.settings.request_durable_ack && self.rules.durable_trim;
        let Some(up) = self.up(conn) else { return };
        let before = up.fsn_at_zero + up.ok_seq.saturating_sub(up.catch_ups);
        let Some(below) = up.answered(seq) else { return };
        let acknowledged = if wants_durable { up.durable_below(below, safe) } else { Some(below) };
        self.counters.frames_ok += below - before;
        if let Some(below) = acknowledged {
            self.acknowledge(below, now);
        }
    }

    pub(super) fn acknowledge(&mut self, below: u64, now: Micros) {
        let before = self.queue.acked();
        self.queue.ack(below);
        let count = self.queue.acked() - before;
        if count == 0 {
            return;
        }
        self.counters.frames_acknowledged += count;
        self.poison.clear();
        self.walk.progressed();
        if let Some(host) = self.connected_to() {
            self.journal.acknowledged(now, host);
        }
    }

    pub(super) fn rejected(&mut self, conn: Conn, seq: u64, rejection: Rejection, now: Micros) {
        let Some(up) = self.up(conn) else { return };
        let (host, fsn) = (up.host, up.fsn(seq));
        let Rejection { category, status, role, message } = rejection;
        self.counters.total_server_errors += 1;
        self.journal.note(now, Some(host), What::Rejected { fsn: fsn.unwrap_or(0), category });
        let policy = match status {
            401 | 403 => Policy::Terminal,
            _ => self.settings.policies.of(category),
        };
        if policy == Policy::Terminal {
            return self.stop(category, status, fsn, Some(host), message, now);
        }
        let error = self.error(category, policy, status, fsn, Some(host), message.clone(), now);
        self.tell(error);
        let lost = match (policy, role) {
            (Policy::RetriableOther, role) if category == Category::NotWritable => {
                Lost::Role(role.unwrap_or(Role::Other))
            }
            (Policy::RetriableOther, _) => Lost::Broke,
            _ => Lost::Recycled,
        };
        if lost == Lost::Recycled && self.poison.strike(now) {
            let message = poisoned(self.poison.strikes(), &message);
            return self.stop(category, status, fsn, Some(host), message, now);
        }
        self.closes.push_back(conn);
        let pace = if lost == Lost::Recycled { self.poison.strikes() } else { 0 };
        self.lose(host, lost, pace, message, now);
    }

    pub(super) fn broke(&mut self, conn: Conn, by_server: bool, why: Box<str>, now: Micros) {
        if matches!(self.link, Link::Connecting { conn: current, .. } if current == conn) {
            return self.found(conn, &Found::Unreachable, false, now);
        }
        let Some(up) = self.up(conn) else { return };
        let (host, in_flight, fsn) = (up.host, up.in_flight(), up.fsn(up.ok_seq));
        if by_server && in_flight > 0 && self.poison.strike(now) {
            let message = poisoned(self.poison.strikes(), &why);
            return self.stop(Category::ProtocolViolation, 0, fsn, Some(host), message, now);
        }
        self.lose(host, Lost::Broke, 0, why, now);
    }

    fn lose(&mut self, host: usize, lost: Lost, pace: u32, why: Box<str>, now: Micros) {
        self.link = Link::Down;
        self.walk.lost(host, lost, pace, now);
        self.journal.lost(now, host);
        self.journal.note(now, Some(host), What::Lost { why });
    }

    /// What took too long.
    pub(super) fn expire(&mut self, now: Micros) {
        if self.checkpoint_at.is_some_and(|at| at <= now) {
            self.checkpoint_at = None;
            self.queue.checkpoint();
        }
        match &self.link {
            Link::Connecting { conn, deadline, .. } if *deadline <= now => {
                let conn = *conn;
                self.closes.push_back(conn);
                self.found(conn, &Found::Unreachable, false, now);
            }
            Link::Up(up) if up.deadline().is_some_and(|deadline| deadline <= now) => {
                let (conn, host) = (up.conn, up.host);
                self.closes.push_back(conn);
                self.lose(host, Lost::Broke, 0, "no answer in time".into(), now);
            }
            _ => {}
        }
    }

    pub(super) fn gave_up(&mut self, why: GaveUp, now: Micros) {
        self.journal.note(now, None, What::GaveUp { why });
        let category = if why == GaveUp::Auth { Category::SecurityError } else { Category::Connect };
        self.stop(category, 0, None, None, why.to_string(), now);
    }

    /// Stops for good; what is in the queue stays.
    pub(super) fn stop(
        &mut self,
        category: Category,
        status: u16,
        fsn: Option<u64>,
        host: Option<usize>,
        message: impl Into<Box<str>>,
        now: Micros,
    ) {
        let error = self.error(category, Policy::Terminal, status, fsn, host, message.into(), now);
        self.journal.note(now, host, What::Stopped { why: error.message.clone() });
        self.counters.last_terminal_error = Some(error.clone());
        self.tell(error.clone());
        self.stopped = Some(error);
        self.hang_up();
    }

    pub(super) fn hang_up(&mut self) {
        match std::mem::replace(&mut self.link, Link::Down) {
            Link::Down => {}
            Link::Connecting { conn, .. } => self.closes.push_back(conn),
            Link::Up(up) => self.closes.push_back(up.conn),
        }
    }

    fn error(
        &self,
        category: Category,
        policy: Policy,
        status: u16,
        fsn: Option<u64>,
        host: Option<usize>,
        message: Box<str>,
        at_us: Micros,
    ) -> SenderError {
        let host = host.and_then(|host| self.walk.hosts().get(host)).map(|host| host.addr.clone());
        SenderError { category, policy, status, fsn, host, at_us, message }
    }

    /// Puts an error into the inbox. The oldest one goes where there is no room: the newest says most.
    fn tell(&mut self, error: SenderError) {
        if self.inbox.len() >= self.settings.error_inbox_capacity.max(1) {
            self.inbox.pop_front();
            self.counters.dropped_error_notifications += 1;
        }
        self.inbox.push_back(error);
    }
}

fn poisoned(strikes: u32, message: &str) -> Box<str> {
    format!("refused {strikes} times without anything acknowledged in between: {message}").into()
}
