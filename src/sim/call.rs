//! What clients and nodes say to each other: ILP over HTTP, as far as it decides anything.
//!
//! A client has one connection at a time. What goes over it arrives in order, or the connection is over: after a message that
//! was lost, none comes through.

use super::ground::{Due, Ground};
use super::network::{Passage, Way};
use super::{End, Micros};
use crate::node::Role;
use bytes::Bytes;

/// A request of a client.
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub client: u32,
    pub life: u32,
    /// The connection.
    pub conn: u64,
    /// Names it; the answer names it again.
    pub id: u64,
    pub what: Asked,
}

impl Call {
    /// It is answered twice.
    pub(super) fn is_two_step(&self) -> bool {
        matches!(self.what, Asked::Write { two_step: true, .. })
    }
}

#[derive(Debug, Clone)]
pub(super) enum Asked {
    /// `GET /settings`: whether the node takes writes.
    Settings,
    /// Rows. `durable`: it is to be told when they are; with `two_step` after a first answer.
    Write { lines: Bytes, durable: bool, two_step: bool },
}

/// What a client hears.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// The node takes writes.
    Settings,
    /// 204.
    Written { durable: bool },
    /// The rows are in the log, as these transactions; it will be told when they are durable.
    Committed { tables: Vec<(String, u64)> },
    /// These are durable.
    Durable { tables: Vec<(String, u64)> },
    /// An error status, with the node's role.
    Status { status: u16, role: Option<Role>, message: String },
    /// The connection was refused or broke.
    Broken,
}

/// A client's connection.
#[derive(Debug, Clone, Default)]
pub(super) struct Line {
    life: u32,
    conn: u64,
    /// When the newest message arrives, there and back.
    there: Micros,
    back: Micros,
    dead: bool,
}

impl Ground {
    /// A client has another connection from now on.
    pub(super) fn connect(&mut self, client: u32, life: u32, conn: u64) {
        self.lines.insert(client, Line { life, conn, ..Line::default() });
    }

    /// A request leaves a client.
    pub(super) fn call(&mut self, node: u32, call: Call) {
        let (from, to) = (End::Client(call.client), End::Node(node));
        let passage = self.network.send(&self.weather, self.now, from, to, Way::Request);
        let Some(line) = self.line(&call) else { return };
        match passage {
            Passage::Arrives(at, _) => {
                line.there = at.max(line.there + 1);
                let at = line.there;
                self.agenda.enter(at, Due::AtNode { node, call });
            }
            Passage::Breaks { heard, arrives } => {
                line.dead = true;
                let (client, life, id) = (call.client, call.life, call.id);
                let at = arrives.map(|at| at.max(line.there + 1));
                if let Some(at) = at {
                    self.agenda.enter(at, Due::AtNode { node, call });
                }
                self.agenda.enter(
                    heard,
                    Due::AtClient { client, life, node: None, call: id, answer: Answer::Broken },
                );
            }
            Passage::Vanishes => line.dead = true,
        }
    }

    /// An answer leaves a node.
    pub(super) fn send_answer(&mut self, node: u32, call: &Call, leaves: Micros, answer: Answer) {
        let (from, to) = (End::Node(node), End::Client(call.client));
        let passage = self.network.send(&self.weather, leaves, from, to, Way::Answer);
        let Some(line) = self.line(call) else { return };
        let (client, life, id) = (call.client, call.life, call.id);
        let (at, answer) = match passage {
            Passage::Arrives(at, _) => (at.max(line.back + 1), answer),
            Passage::Breaks { heard, .. } => (heard.max(line.back + 1), Answer::Broken),
            Passage::Vanishes => {
                line.dead = true;
                return;
            }
        };
        line.back = at;
        line.dead |= answer == Answer::Broken;
        self.agenda.enter(at, Due::AtClient { client, life, node: Some(node), call: id, answer });
    }

    /// The connection of a call, if it still stands.
    fn line(&mut self, call: &Call) -> Option<&mut Line> {
        let line = self.lines.get_mut(&call.client)?;
        (line.life == call.life && line.conn == call.conn && !line.dead).then_some(line)
    }
}
