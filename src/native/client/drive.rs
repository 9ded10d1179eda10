//! Does what a client asks for, and tells it what came of it.

use super::slot::Slot;
use super::wire::{Net, Wire};
use crate::client::{Action, Client, Event, Finding, Goal, Micros, Payload, Settings, SlotError};
use crate::native::outcome::{Exit, Failure, Result};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// What comes to the thread of a client.
#[derive(Debug)]
pub(super) enum Told {
    /// From a connection.
    Event(Event),
    /// From the reader of the input.
    Text(Vec<u8>),
    /// The input has ended, or could not be read.
    End(std::io::Result<()>),
}

/// A client with its connection, its slot and its clock.
pub(super) struct Driver {
    pub(super) client: Client,
    slot: Option<Slot>,
    net: Arc<Net>,
    wire: Option<Wire>,
    began: Instant,
    told: Receiver<Told>,
    pub(super) teller: Sender<Told>,
}

impl Driver {
    /// A client in memory, or in the slot. What was mended there is told.
    pub(super) fn new(
        settings: &Settings,
        net: Arc<Net>,
        slot: Option<Slot>,
        goal: Goal,
    ) -> Result<(Self, Vec<Finding>)> {
        let (began, seed) = (Instant::now(), fastrand::u64(..));
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let epoch_us = i64::try_from(wall.as_micros()).unwrap_or(i64::MAX);
        let (client, findings) = match &slot {
            Some(slot) => {
                Client::open(settings.clone(), goal, slot, seed, epoch_us).map_err(|e| unusable(&e))?
            }
            None => (Client::in_memory(settings.clone(), seed, epoch_us), Vec::new()),
        };
        let (teller, told) = channel();
        Ok((Self { client, slot, net, wire: None, began, told, teller }, findings))
    }

    /// Microseconds since it began.
    pub(super) fn now(&self) -> Micros {
        u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// Does everything that there is to do.
    pub(super) fn act(&mut self) {
        while let Some(action) = self.client.poll(self.now()) {
            match action {
                Action::Files(ops) => {
                    let (done, trouble) = match &mut self.slot {
                        Some(slot) => slot.perform(&ops),
                        None => (ops.len(), None),
                    };
                    let now = self.now();
                    self.client.on(Event::Filed { done, trouble }, now);
                }
                Action::Connect { conn, host, within_us } => {
                    let within = Duration::from_micros(within_us);
                    self.wire = Some(Wire::open(self.net.clone(), conn, host, within, self.teller.clone()));
                }
                Action::Send(sending) => {
                    let bytes = match (&sending.payload, &self.slot) {
                        (Payload::Held(bytes), _) => Ok(bytes.clone()),
                        (stored, Some(slot)) => slot.payload(stored),
                        (_, None) => Err("there is no slot".into()),
                    };
                    let within = sending.within_us.map(Duration::from_micros);
                    match (bytes, &self.wire) {
                        (Ok(bytes), Some(wire)) => wire.send(sending.seq, bytes, sending.durable, within),
                        (Err(why), _) => {
                            let (fsn, now) = (sending.fsn.unwrap_or(0), self.now());
                            self.client.on(Event::Unreadable { fsn, why }, now);
                        }
                        // Its time-out ends it.
                        (Ok(_), None) => {}
                    }
                }
                Action::Close { conn } => {
                    self.wire.take_if(|wire| wire.conn == conn);
                }
            }
        }
    }

    /// Waits for what comes next, until `until` or until the client wants to be asked. Events go to the client.
    pub(super) fn wait(&mut self, until: Option<Micros>) -> Option<Told> {
        let now = self.now();
        let at = [self.client.wakes_at(), until].into_iter().flatten().min();
        let patience = Duration::from_micros(at.map_or(1_000_000, |at| at.saturating_sub(now)));
        let first = match self.told.recv_timeout(patience) {
            Ok(told) => told,
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return None,
        };
        match first {
            Told::Event(event) => {
                let now = self.now();
                self.client.on(event, now);
                None
            }
            other => Some(other),
        }
    }

    /// Operations of the slot that are none of the queue's.
    pub(super) fn perform(&mut self, ops: &[crate::client::FileOp]) {
        if let Some(slot) = &mut self.slot
            && let (_, Some(why)) = slot.perform(ops)
        {
            tracing::warn!("{why}");
        }
    }
}

fn unusable(error: &SlotError) -> Failure {
    let advice = match error {
        SlotError::Unreadable { .. } => "look at the disk; nothing was changed",
        SlotError::Unsupported { .. } => "give this client an sf_dir of its own; nothing was changed",
        _ => {
            "frames are missing or damaged: move the slot's directory away to go on without them; nothing was changed"
        }
    };
    let exit = if matches!(error, SlotError::Unsupported { .. }) { Exit::Unsupported } else { Exit::Failed };
    Failure::new(exit, error.to_string()).advise(advice)
}
