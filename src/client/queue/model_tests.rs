//! Any sequence of appends, acknowledgements and crashes, at any operation, with a disk that forgets what was not synced.

use super::tests::{SMALL, Shelf, waiting};
use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

/// What a crash takes along.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Crash {
    /// The process: what it had written stays, the write that it was at may be cut.
    Process,
    /// The machine: what was not synced may be there, or not, or in part.
    Power,
}

#[derive(Debug, Clone)]
enum Step {
    Append(usize),
    Ack(u64),
    Checkpoint,
    Clear,
    /// Does this many operations.
    Disk(usize),
    /// Has the disk fail after this many.
    Trouble(usize),
    Crash(Crash, usize),
}

/// A disk: what programs see, and what is on the platters.
#[derive(Debug, Clone, Default)]
struct Machine {
    seen: Shelf,
    /// What a loss of power leaves in any case.
    stable: BTreeMap<Box<str>, Vec<u8>>,
    /// Bytes that were synced, whether or not the name is safe.
    synced: BTreeMap<Box<str>, Vec<u8>>,
    /// Not synced yet, in order.
    loose: Vec<FileOp>,
}

impl Machine {
    fn perform(&mut self, op: &FileOp) {
        self.seen.perform(op);
        match op {
            FileOp::Sync { name } => {
                // The bytes are safe; they can be found once the name is safe, too.
                let bytes = self.seen.0[name].clone();
                if let Some(stable) = self.stable.get_mut(name) {
                    stable.clone_from(&bytes);
                }
                self.synced.insert(name.clone(), bytes);
                self.forget_writes(name);
            }
            FileOp::SyncDir => {
                self.stable.retain(|name, _| self.seen.0.contains_key(name));
                for (name, bytes) in &self.seen.0 {
                    let synced = self.synced.get(name).cloned().unwrap_or_else(|| vec![0; bytes.len()]);
                    self.stable.entry(name.clone()).or_insert(synced);
                }
                self.loose.retain(|op| matches!(op, FileOp::Write { .. } | FileOp::Zero { .. }));
            }
            other => {
                if let FileOp::Create { name, .. } | FileOp::Remove { name } = other {
                    // Another file has the name from now on, or none.
                    self.synced.remove(name);
                    self.forget_writes(name);
                }
                self.loose.push(other.clone());
            }
        }
    }

    fn forget_writes(&mut self, of: &str) {
        self.loose.retain(|op| match op {
            FileOp::Write { name, .. } | FileOp::Zero { name, .. } => &**name != of,
            _ => true,
        });
    }

    /// What the next process finds. `fate` decides, operation by operation.
    fn crash(&mut self, kind: Crash, at: Option<&FileOp>, fate: &mut dyn FnMut() -> u8) {
        if let (Some(FileOp::Write { name, at, bytes }), Crash::Process) = (at, kind) {
            let part = bytes.slice(..bytes.len() * usize::from(fate()) / 256);
            self.seen.perform(&FileOp::Write { name: name.clone(), at: *at, bytes: part });
        }
        if kind == Crash::Power {
            let mut left = Shelf(std::mem::take(&mut self.stable));
            for op in std::mem::take(&mut self.loose) {
                if fate() < 96 {
                    continue;
                }
                match op {
                    FileOp::Write { name, at, bytes } if left.0.contains_key(&name) => {
                        let part = if fate() < 64 { bytes.len() / 2 } else { bytes.len() };
                        left.perform(&FileOp::Write { name, at, bytes: bytes.slice(..part) });
                    }
                    FileOp::Create { name, len } => {
                        let synced = self.synced.get(&name).cloned();
                        left.0.insert(name, synced.unwrap_or_else(|| vec![0; len as usize]));
                    }
                    FileOp::Remove { .. } => left.perform(&op),
                    _ => {}
                }
            }
            self.seen = left;
        }
        self.stable = self.seen.0.clone();
        self.synced = self.seen.0.clone();
        self.loose.clear();
    }
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => (1_usize..=32).prop_map(Step::Append),
        4 => (1_u64..4).prop_map(Step::Ack),
        1 => Just(Step::Checkpoint),
        1 => Just(Step::Clear),
        6 => (0_usize..40).prop_map(Step::Disk),
        1 => (0_usize..12).prop_map(Step::Trouble),
        1 => (prop_oneof![Just(Crash::Process), Just(Crash::Power)], 0_usize..16)
            .prop_map(|(kind, after)| Step::Crash(kind, after)),
    ];
    proptest::collection::vec(step, 1..60)
}

/// A producer, its queue and its disk.
struct World {
    machine: Machine,
    queue: Queue,
    /// Every frame ever appended in this slot's present numbering, by FSN.
    frames: BTreeMap<u64, Vec<u8>>,
    /// Frames below were told to be acknowledged, by the server.
    acked: u64,
    serial: u32,
}

impl World {
    fn new() -> Self {
        let queue = Queue::open(SMALL, &Shelf::default()).expect("an empty slot").0;
        Self { machine: Machine::default(), queue, frames: BTreeMap::new(), acked: 0, serial: 0 }
    }

    fn step(&mut self, step: &Step, fate: &mut dyn FnMut() -> u8) {
        match step {
            Step::Append(len) => {
                self.serial += 1;
                let word = self.serial.to_le_bytes();
                let bytes: Vec<u8> = word.iter().cycle().take(*len).copied().collect();
                if let Ok(fsn) = self.queue.append(Bytes::from(bytes.clone()), 0) {
                    self.frames.insert(fsn, bytes);
                }
            }
            Step::Ack(count) => {
                // A server acknowledges what was sent, and only what is stored is sent.
                self.acked = (self.queue.acked() + count).min(self.queue.stored()).max(self.acked);
                self.queue.ack(self.acked);
            }
            Step::Checkpoint => self.queue.checkpoint(),
            Step::Clear => self.queue.clear(),
            Step::Disk(count) => self.disk(*count, true),
            Step::Trouble(count) => self.disk(*count, false),
            Step::Crash(kind, after) => self.crash(*kind, *after, fate),
        }
    }

    fn disk(&mut self, count: usize, well: bool) {
        let Some(ops) = self.queue.take_batch() else { return };
        let count = if well { ops.len() } else { count.min(ops.len()) };
        ops.iter().take(count).for_each(|op| self.machine.perform(op));
        self.queue.done(count);
    }

    fn crash(&mut self, kind: Crash, after: usize, fate: &mut dyn FnMut() -> u8) {
        let (stored, synced) = (self.queue.stored(), self.queue.synced());
        let ops = self.queue.take_batch().unwrap_or_default();
        ops.iter().take(after).for_each(|op| self.machine.perform(op));
        self.machine.crash(kind, ops.get(after), fate);
        let (queue, _) = Queue::open(SMALL, &self.machine.seen).unwrap_or_else(|error| {
            panic!("{kind:?}: {error}\n{:?}", self.machine.seen.0.keys().collect::<Vec<_>>())
        });
        let safe = if kind == Crash::Process { stored } else { synced };
        if queue.next() == 0 && safe <= self.acked {
            // A cleared slot: numbers begin anew.
            (self.frames, self.acked) = (BTreeMap::new(), 0);
        }
        assert!(queue.acked() <= self.acked, "nothing is taken for acknowledged");
        assert!(
            queue.next() >= safe || self.frames.is_empty(),
            "{kind:?}: {} of {safe} frames",
            queue.next()
        );
        let found = waiting(&queue, &self.machine.seen);
        for (fsn, bytes) in (queue.acked()..).zip(&found) {
            assert_eq!(self.frames.get(&fsn), Some(bytes), "frame {fsn}");
        }
        self.frames.retain(|fsn, _| *fsn < queue.next());
        self.acked = self.acked.min(queue.next());
        self.queue = queue;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn nothing_that_was_stored_is_lost_by_a_crash_at_any_point(
        steps in steps(),
        fates in proptest::collection::vec(any::<u8>(), 1..64),
    ) {
        let mut world = World::new();
        let mut fates = fates.iter().cycle().copied();
        let mut fate = || fates.next().unwrap_or(0);
        for step in &steps {
            world.step(step, &mut fate);
        }
        world.step(&Step::Crash(Crash::Process, 99), &mut fate);
        // And in the end everything can be sent, and the slot left empty.
        world.disk(0, true);
        world.step(&Step::Ack(u64::MAX / 2), &mut fate);
        world.queue.clear();
        world.disk(0, true);
        world.disk(0, true);
        prop_assert!(world.machine.seen.0.keys().all(|name| name.ends_with(".corrupt")));
    }
}
