//! What happened to a client, and how long each outage was for it.

use super::Micros;
use super::host::{HostState, Role};
use super::rejection::Category;
use super::walk::GaveUp;
use std::collections::VecDeque;

/// Entries that are kept; older ones go.
const ENTRIES_MAX: usize = 1024;
/// Windows that are kept.
const WINDOWS_MAX: usize = 256;

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Happening {
    /// When, in the driver's microseconds.
    pub at_us: Micros,
    /// At which host, by its place in `addr`.
    pub host: Option<usize>,
    /// What.
    pub what: What,
}

/// What can happen.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum What {
    /// An attempt to connect began.
    Connecting,
    /// It was successful.
    Connected {
        /// The server's role, if it told it.
        role: Option<Role>,
        /// Frames that will be sent again.
        replays: u64,
    },
    /// It was not.
    Refused {
        /// What that makes of the host.
        state: HostState,
        /// The status; 0 without an answer.
        status: u16,
    },
    /// A connection ended.
    Lost {
        /// Why.
        why: Box<str>,
    },
    /// A pause.
    Waiting {
        /// Until when.
        until_us: Micros,
    },
    /// The first acknowledgement after an outage.
    Resumed {
        /// How long nothing was acknowledged.
        after_us: Micros,
    },
    /// A server refused a frame.
    Rejected {
        /// The frame.
        fsn: u64,
        /// As what.
        category: Category,
    },
    /// A producer had to wait for room.
    Stalled,
    /// The slot could not be written.
    Disk {
        /// The system's words.
        why: Box<str>,
    },
    /// The walk is over.
    GaveUp {
        /// Why.
        why: GaveUp,
    },
    /// The client stopped.
    Stopped {
        /// Why.
        why: Box<str>,
    },
}

/// An outage as this client saw it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Window {
    /// When the connection was lost.
    pub from_us: Micros,
    /// When something was acknowledged again; `None` as long as nothing is.
    pub until_us: Option<Micros>,
    /// Attempts to connect.
    pub attempts: u64,
    /// The host that was lost.
    pub from_host: usize,
    /// The host that acknowledged.
    pub to_host: Option<usize>,
}

/// The newest happenings, and the newest outages.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Journal {
    entries: VecDeque<Happening>,
    windows: VecDeque<Window>,
}

impl Journal {
    /// The happenings, oldest first.
    pub fn entries(&self) -> impl ExactSizeIterator<Item = &Happening> {
        self.entries.iter()
    }

    /// The outages, oldest first; the last one may go on.
    pub fn windows(&self) -> impl ExactSizeIterator<Item = &Window> {
        self.windows.iter()
    }

    /// Takes the happenings since it was last asked.
    pub fn take(&mut self) -> Vec<Happening> {
        self.entries.drain(..).collect()
    }

    pub(super) fn note(&mut self, at_us: Micros, host: Option<usize>, what: What) {
        if what == What::Connecting
            && let Some(window) = self.open()
        {
            window.attempts += 1;
        }
        if self.entries.len() >= ENTRIES_MAX {
            self.entries.pop_front();
        }
        self.entries.push_back(Happening { at_us, host, what });
    }

    pub(super) fn lost(&mut self, at_us: Micros, host: usize) {
        if self.open().is_some() {
            return;
        }
        if self.windows.len() >= WINDOWS_MAX {
            self.windows.pop_front();
        }
        let window = Window { from_us: at_us, until_us: None, attempts: 0, from_host: host, to_host: None };
        self.windows.push_back(window);
    }

    pub(super) fn acknowledged(&mut self, at_us: Micros, host: usize) {
        let Some(window) = self.open() else { return };
        (window.until_us, window.to_host) = (Some(at_us), Some(host));
        let after_us = at_us.saturating_sub(window.from_us);
        self.note(at_us, Some(host), What::Resumed { after_us });
    }

    fn open(&mut self) -> Option<&mut Window> {
        self.windows.back_mut().filter(|window| window.until_us.is_none())
    }
}
