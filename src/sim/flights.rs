//! What is on its way from one end to another, for a stage.

use super::bucket::{Ask, Reply};
use super::call::{Answer, Asked};
use super::ground::{Due, Ground};
use super::told::{Cargo, FlightTold};
use super::{End, Micros};
use crate::ledger::{GetAnswer, Key, PutAnswer};

impl Ground {
    /// All that is on its way, in an order that is the same each time.
    pub(super) fn flights(&self) -> Vec<FlightTold> {
        let due = self.agenda.iter().filter_map(|(sent, arrives, due)| flight(sent, arrives, due));
        let mut flights: Vec<FlightTold> = due.collect();
        flights.sort_by(|a, b| {
            (a.sent_us, a.arrives_us, a.from, a.to, &a.name).cmp(&(
                b.sent_us,
                b.arrives_us,
                b.from,
                b.to,
                &b.name,
            ))
        });
        flights
    }
}

fn flight(sent_us: Micros, arrives_us: Micros, due: &Due) -> Option<FlightTold> {
    let (from, to, what, name) = match due {
        Due::AtBucket { ticket, ask } => {
            (End::Node(ticket.node), End::Bucket, asked(ask), key(ask).to_string())
        }
        Due::FromBucket { ticket, reply } if arrives_us < ticket.until => {
            (End::Bucket, End::Node(ticket.node), replied(reply), String::new())
        }
        Due::AtNode { node, call } => {
            let what = match call.what {
                Asked::Settings => Cargo::Settings,
                Asked::Write { .. } => Cargo::Write,
            };
            (End::Client(call.client), End::Node(*node), what, String::new())
        }
        Due::AtClient { client, node: Some(node), answer, .. } => {
            let what = match answer {
                Answer::Settings
                | Answer::Written { .. }
                | Answer::Committed { .. }
                | Answer::Durable { .. } => Cargo::Answer,
                Answer::Status { .. } | Answer::Broken => Cargo::Refused,
            };
            (End::Node(*node), End::Client(*client), what, String::new())
        }
        _ => return None,
    };
    Some(FlightTold { from, to, what, name, sent_us, arrives_us })
}

fn asked(ask: &Ask) -> Cargo {
    match ask {
        Ask::Put { .. } => Cargo::Put,
        Ask::Get { .. } => Cargo::Get,
        Ask::Delete { .. } => Cargo::Delete,
    }
}

fn key(ask: &Ask) -> Key {
    match ask {
        Ask::Put { key, .. } | Ask::Get { key } | Ask::Delete { key } => *key,
    }
}

fn replied(reply: &Reply) -> Cargo {
    match reply {
        Reply::Put(PutAnswer::Stored) | Reply::Deleted(true) => Cargo::Stored,
        Reply::Get(GetAnswer::Found(_)) => Cargo::Read,
        _ => Cargo::Refused,
    }
}
