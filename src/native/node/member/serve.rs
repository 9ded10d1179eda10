//! A directory that is a primary's: lines are taken, and what they become is shipped.

use super::super::pilot::Command;
use super::super::standalone::Standalone;
use super::recall::remember_number;
use super::{KIND, Member, State};
use crate::ledger::{Note, Point};
use crate::native::cluster::{JournalWriter, PackWriter, register};
use crate::native::outcome::{Failure, Result};
use crate::native::ship::{self, Listen, Own, ship_own};
use crate::node::{Event, Held};
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};

impl Member {
    /// The directory is a primary's from here on.
    pub(super) fn open(&mut self, point: Point, held: Held, requests: u64) -> Result<()> {
        if let State::Replica(replica) = std::mem::replace(&mut self.state, State::None) {
            replica.leave()?;
        }
        self.held = held.clone();
        self.cluster = Some(point.cluster);
        let node = Arc::new(Standalone::start(self.options.lines.clone())?);
        self.lines.set(Some(node.clone()));
        let (writer, driven) = PackWriter::driven(point.clone());
        let (stop, stopped) = oneshot::channel();
        let (options, bucket, listen) = (self.options.ship.clone(), self.bucket.clone(), self.listen.clone());
        let (name, number, dir) = (options.name.clone(), self.number, self.dir.clone());
        let commands = self.commands.clone();
        let listen = Arc::new(Shipping { listen, commands: commands.clone() });
        let _inside = self.runtime.enter();
        let shipper = self.runtime.spawn(async move {
            let cluster = point.cluster;
            let number = match number {
                Some(number) => number,
                None => match register(&bucket, cluster, &name, KIND).await {
                    Ok(number) => number,
                    Err(failure) => return listen.warn(&failure.message),
                },
            };
            remember_number(&dir, number);
            let journal = JournalWriter::start(bucket.clone(), cluster, number, &name);
            journal.note(Note::Started { version: env!("CARGO_PKG_VERSION").into(), role: "primary".into() });
            let _ = commands.send(Command::Shipping(driven, stop));
            let own = Own { cluster, point, held, requests, writer, journal: journal.clone() };
            let stop = async {
                let _ = stopped.await;
            };
            let shipped = ship_own(options, bucket, own, listen.clone(), stop).await;
            if let Err(failure) = shipped {
                let message = format!("what is written is not sent: {}", failure.message);
                let _ = commands.send(Command::Failed(Failure { message, ..failure }));
            }
            journal.note(Note::Role { role: "replica".into() });
            journal.close().await;
        });
        self.state = State::Primary { node, shipper };
        Ok(())
    }
}

/// What the shipper says, and what it is asked.
struct Shipping {
    listen: Arc<dyn Listen>,
    commands: mpsc::UnboundedSender<Command>,
}

impl Listen for Shipping {
    fn note(&self, text: &str) {
        self.listen.note(text);
    }

    fn warn(&self, text: &str) {
        self.listen.warn(text);
    }

    fn progress(&self, progress: &ship::Progress) {
        self.listen.progress(progress);
    }

    fn hand_over(&self, to: &str) -> std::result::Result<(), String> {
        let event = Event::HandOver { to: to.to_owned() };
        self.commands.send(Command::Event(event)).map_err(|_closed| "the node is ending".to_owned())
    }
}
