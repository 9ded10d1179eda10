//! The tables of the database, and how far each of them is on its way into the bucket.

use super::copy::Copied;
use super::learned::Evidence;
use crate::ledger::Token;
use crate::wal::{TableKind, TableToken};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// All tables, shared between who looks for news and who sends them.
#[derive(Debug, Default)]
pub(super) struct Tables(Mutex<BTreeMap<String, Tracked>>);

/// A table on its way.
#[derive(Debug, Clone)]
pub(super) struct Tracked {
    /// As the log has it once all that was handed in is there.
    pub(super) token: Token,
    /// Its name in the registry.
    pub(super) registered: String,
    /// The registry says that it was dropped.
    pub(super) dropped: bool,
    /// The last transaction of its log, and up to which one the segments are linked.
    pub(super) max_txn: u64,
    /// The last transaction handed in; `None` of a table that the log does not know.
    pub(super) shipped: Option<u64>,
    /// The last one that is in the bucket for good.
    pub(super) acknowledged: u64,
    /// What is to be done with it.
    pub(super) state: State,
    /// Nothing is tried before this time, after something went wrong.
    pub(super) later: Option<Instant>,
    /// What went wrong last.
    pub(super) trouble: Option<String>,
    /// The last records that were sent.
    pub(super) evidence: Evidence,
}

/// What is to be done with a table.
#[derive(Debug, Clone)]
pub(super) enum State {
    /// Its transactions are sent as they come.
    Following,
    /// It needs a copy, as of a transaction that is applied.
    Wanting {
        /// Why, for people.
        why: String,
        /// The copy must hold this transaction.
        at_least: u64,
    },
    /// A copy is in the bucket, to be told of.
    Copied {
        /// The copy.
        copied: Copied,
        /// Why.
        why: String,
    },
    /// It can't go on; a person has to look.
    Stopped {
        /// What is wrong and what to do.
        why: String,
    },
    /// It was told to be dropped.
    Ended,
}

impl Tables {
    /// All of them.
    pub(super) fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Tracked>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes one, if it is there.
    pub(super) fn change(&self, dir: &str, change: impl FnOnce(&mut Tracked)) {
        if let Some(table) = self.lock().get_mut(dir) {
            change(table);
        }
    }
}

impl Tracked {
    /// A table that the log does not know.
    pub(super) fn new(table: &TableToken) -> Self {
        Self {
            token: token_of(table),
            registered: table.name.clone(),
            dropped: false,
            max_txn: 0,
            shipped: None,
            acknowledged: 0,
            state: State::Following,
            later: None,
            trouble: None,
            evidence: Evidence::default(),
        }
    }

    /// Whether there is something to hand in now.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        if self.later.is_some_and(|later| later > now) {
            return false;
        }
        match &self.state {
            State::Copied { .. } => true,
            State::Following => {
                let behind = self.shipped.is_none_or(|shipped| shipped < self.max_txn);
                behind || self.dropped || self.registered != self.token.name
            }
            State::Wanting { .. } | State::Stopped { .. } => self.dropped,
            State::Ended => false,
        }
    }

    /// Whether all that can be sent was handed in.
    pub(super) fn is_done(&self) -> bool {
        match self.state {
            State::Stopped { .. } | State::Ended => true,
            State::Copied { .. } => false,
            _ if self.trouble.is_some() => true,
            State::Wanting { .. } => false,
            State::Following => !self.dropped && self.shipped.is_some_and(|shipped| shipped >= self.max_txn),
        }
    }

    /// What keeps it from going on, if anything does.
    pub(super) fn obstacle(&self) -> Option<&str> {
        match &self.state {
            State::Stopped { why } => Some(why),
            _ => self.trouble.as_deref(),
        }
    }

    /// Whether it has no log of its own that is sent.
    pub(super) fn is_view(&self) -> bool {
        self.token.kind == TableKind::View
    }
}

/// The token as the log has it.
pub(super) fn token_of(table: &TableToken) -> Token {
    Token { dir: table.dir.clone(), id: table.id, name: table.name.clone(), kind: table.kind }
}

/// Why a table is not replicated; `None` if it is.
pub(super) fn not_replicated(table: &TableToken) -> Option<&'static str> {
    if table.is_system() {
        return Some("a table that QuestDB keeps for itself");
    }
    (table.kind == TableKind::Plain)
        .then_some("it has no WAL; ALTER TABLE ... SET TYPE WAL and a restart give it one")
}
