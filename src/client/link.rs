//! One connection: which frame has which number on it, what is answered, what is awaited.

use super::Micros;
use super::events::{Conn, Safe};
use std::collections::{BTreeMap, VecDeque};

/// Tables, each with a transaction.
type Tables = Vec<(Box<str>, i64)>;

/// Where the client stands with its server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Link {
    Down,
    Connecting { conn: Conn, host: usize, deadline: Micros },
    Up(Box<Up>),
}

/// A connection over which frames are sent.
///
/// Numbers on it count from 0: first the catch-up frames, then the queue's frames in order, so that
/// `fsn = fsn_at_zero + (seq - catch_ups)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Up {
    pub(super) conn: Conn,
    pub(super) host: usize,
    pub(super) fsn_at_zero: u64,
    pub(super) catch_ups: u64,
    /// Number of what is sent next.
    pub(super) next_seq: u64,
    /// All below are answered.
    pub(super) ok_seq: u64,
    /// Until when the oldest that is not answered has to be, and so on.
    deadlines: VecDeque<Option<Micros>>,
    /// Answered with OK and not durable yet: FSN behind it, and its tables' transactions.
    oks: VecDeque<(u64, Tables)>,
    /// Highest durable transaction of each table.
    durable: BTreeMap<Box<str>, i64>,
}

impl Up {
    pub(super) fn new(conn: Conn, host: usize, fsn_at_zero: u64, catch_ups: usize) -> Self {
        Self {
            conn,
            host,
            fsn_at_zero,
            catch_ups: catch_ups as u64,
            next_seq: 0,
            ok_seq: 0,
            deadlines: VecDeque::new(),
            oks: VecDeque::new(),
            durable: BTreeMap::new(),
        }
    }

    /// Sent and not answered.
    pub(super) fn in_flight(&self) -> u64 {
        self.next_seq - self.ok_seq
    }

    /// The queue's frame with this number; `None` for a catch-up frame.
    pub(super) fn fsn(&self, seq: u64) -> Option<u64> {
        seq.checked_sub(self.catch_ups).map(|place| self.fsn_at_zero + place)
    }

    pub(super) fn sent(&mut self, deadline: Option<Micros>) {
        self.next_seq += 1;
        self.deadlines.push_back(deadline);
    }

    /// When the server has to have answered.
    pub(super) fn deadline(&self) -> Option<Micros> {
        self.deadlines.front().copied().flatten()
    }

    /// All up to this number are answered. Returns the FSN behind the last of them; `None` if that is nothing new.
    /// A number that was not sent counts as the last one that was.
    pub(super) fn answered(&mut self, seq: u64) -> Option<u64> {
        let below = seq.saturating_add(1).min(self.next_seq);
        if below <= self.ok_seq {
            return None;
        }
        for _ in self.ok_seq..below {
            self.deadlines.pop_front();
        }
        self.ok_seq = below;
        Some(self.fsn_at_zero + below.saturating_sub(self.catch_ups))
    }

    /// Up to which FSN frames are durable after this answer; `None` if nothing is known about it.
    pub(super) fn durable_below(&mut self, below: u64, safe: Safe) -> Option<u64> {
        match safe {
            Safe::Durable => {
                self.oks.retain(|(waiting, _)| *waiting > below);
                Some(below)
            }
            Safe::Committed(tables) => {
                self.oks.push_back((below, tables));
                self.covered()
            }
            Safe::Written => None,
        }
    }

    /// Takes what became durable; as [`durable_below`](Self::durable_below).
    pub(super) fn became_durable(&mut self, tables: Tables) -> Option<u64> {
        for (table, seq_txn) in tables {
            let known = self.durable.entry(table).or_insert(seq_txn);
            *known = (*known).max(seq_txn);
        }
        self.covered()
    }

    /// The oldest answers whose tables are all durable, in order.
    fn covered(&mut self) -> Option<u64> {
        let mut below = None;
        while let Some((end, tables)) = self.oks.front() {
            let is_durable = |(table, seq_txn): &(Box<str>, i64)| {
                self.durable.get(table).is_some_and(|known| known >= seq_txn)
            };
            if !tables.iter().all(is_durable) {
                break;
            }
            below = Some(*end);
            self.oks.pop_front();
        }
        below
    }
}
