//! What a driver tells a client, and what the client asks of it.

use super::queue::{FileOp, Payload, Refused};
use super::rejection::Rejection;
use super::walk::Found;
use super::{Micros, SenderError};
use bytes::Bytes;

/// Names a connection, or an attempt at one. What is told of an older one is not listened to.
pub type Conn = u64;

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Do these in the slot, in this order; then tell [`Event::Filed`].
    Files(Vec<FileOp>),
    /// Connect to the host with this place in `addr`, ask it whether it takes writes (`GET /settings`), then tell
    /// [`Event::Found`].
    Connect {
        /// The attempt's name.
        conn: Conn,
        /// The host's place.
        host: usize,
        /// Longest time for it, in microseconds.
        within_us: Micros,
    },
    /// Send this; then tell [`Event::Ok`], [`Event::Rejected`] or [`Event::Broke`].
    Send(Sending),
    /// End the connection; what was sent on it may arrive all the same.
    Close {
        /// Which.
        conn: Conn,
    },
}

/// Something to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sending {
    /// On which connection.
    pub conn: Conn,
    /// The host's place in `addr`.
    pub host: usize,
    /// Its number on this connection, from 0 (`wireSeq`).
    pub seq: u64,
    /// The frame; `None` for a catch-up frame, which is sent at the beginning of a connection and is in no queue.
    pub fsn: Option<u64>,
    /// Its bytes.
    pub payload: Payload,
    /// Ask for durable acknowledgement (`durable=1`).
    pub durable: bool,
    /// It was sent before on another connection.
    pub replayed: bool,
    /// Longest time for the answer, in microseconds; `None` waits for ever.
    pub within_us: Option<Micros>,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The first `done` operations of the last [`Action::Files`] are done; `trouble` says why the next one is not.
    Filed {
        /// How many.
        done: usize,
        /// The system's words.
        trouble: Option<Box<str>>,
    },
    /// What came of an attempt to connect.
    Found {
        /// Which.
        conn: Conn,
        /// What.
        found: Found,
        /// The server offers durable acknowledgement (`X-QWP-Durable-Ack: enabled`).
        durable: bool,
    },
    /// The server has this frame and all before it, as safe as `safe` says.
    Ok {
        /// On which connection.
        conn: Conn,
        /// The number on it.
        seq: u64,
        /// How safe.
        safe: Safe,
    },
    /// These tables' transactions are in the object store (`STATUS_DURABLE_ACK`).
    Durable {
        /// On which connection.
        conn: Conn,
        /// Table, and the highest durable transaction.
        tables: Vec<(Box<str>, i64)>,
    },
    /// The server refused a frame. Whatever was sent behind it counts as not sent.
    Rejected {
        /// On which connection.
        conn: Conn,
        /// The number on it.
        seq: u64,
        /// As what.
        rejection: Rejection,
    },
    /// The connection ended.
    Broke {
        /// Which.
        conn: Conn,
        /// By the server, after something was sent on it: it may be the frame's fault. Not so for a time-out.
        by_server: bool,
        /// In words.
        why: Box<str>,
    },
    /// A frame could not be read from the slot, or is not what it was.
    Unreadable {
        /// The frame.
        fsn: u64,
        /// In words.
        why: Box<str>,
    },
}

/// How safe a frame is that a server has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Safe {
    /// In its write-ahead log, as these transactions of these tables. A frame without any (`n = 0` in QWP's OK) has
    /// nothing that could be lost, and counts as durable.
    Committed(Vec<(Box<str>, i64)>),
    /// In its write-ahead log; it does not say as which transactions (ILP over HTTP).
    Written,
    /// In the object store: the answer to a request that asked for it.
    Durable,
}

/// Why a frame was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// There is no room yet: try again after [`Client::on`](super::Client::on) took something.
    #[error("no room yet: {0}")]
    Wait(Backpressure),
    /// There was no room for `sf_append_deadline_millis`.
    #[error("no room for {} ms: {why}", waited_us / 1000)]
    Deadline {
        /// How long, in microseconds.
        waited_us: Micros,
        /// Why.
        why: Backpressure,
    },
    /// It will never be taken.
    #[error("{0}")]
    Refused(Refused),
    /// The client stopped.
    #[error("the client has stopped: {0}")]
    Stopped(Box<SenderError>),
}

/// Why there is no room: QuestDB's pages distinguish the first two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Backpressure {
    /// The server acknowledges, and not as fast as frames come.
    #[error("the server is slower than the producer; raise sf_max_total_bytes or slow down")]
    Publishing,
    /// There is no connection.
    #[error("no server takes writes, after {attempts} attempts since {} ms; raise sf_max_total_bytes to bridge longer outages", outage_us / 1000)]
    Reconnecting {
        /// In this outage.
        attempts: u32,
        /// How long it is.
        outage_us: Micros,
    },
    /// The slot's disk does not keep up, or can't be written.
    #[error("the disk of sf_dir does not take what comes")]
    Disk,
}

/// Frames that a connection has to begin with, for protocols whose frames refer to what was said before (QWP's symbol
/// dictionary). ILP has none. They take numbers on the connection, are in no queue, and are sent at every connect.
pub type CatchUp = Vec<Bytes>;
