//! What must hold of snapshots, of cleaning, and of whoever comes now.

use super::applied::Tables;
use super::invariant::{Check, Invariant, breach};
use super::shelf::Shelf;
use super::told::What;
use super::truth::Truth;
use crate::ledger::{Action, Boundary, Cluster, Document, Event, GetAnswer, Key, Loaded, Manifest, Reader};
use bytes::Bytes;
use std::collections::BTreeMap;

/// Follows what is put and deleted beside the log.
#[derive(Debug, Default)]
pub(super) struct Watch {
    /// The largest window that any writer has had.
    window: u64,
    /// Packs below this number may be deleted, by the newest record that has landed.
    boundary: u64,
}

impl Watch {
    /// A writer has this window.
    pub(super) fn writes_with(&mut self, window: u64) {
        self.window = self.window.max(window);
    }

    pub(super) fn window(&self) -> u64 {
        self.window
    }

    /// Something landed that is no object of the log.
    pub(super) fn landed(
        &mut self,
        key: Key,
        objects: &BTreeMap<Key, Bytes>,
        truth: &Truth,
        shelf: &Shelf,
    ) -> Check<Option<What>> {
        let bytes = objects.get(&key).cloned().unwrap_or_default();
        match key {
            Key::Snapshot(n) => {
                true_snapshot(n, &bytes, objects, truth, shelf)?;
                Ok(Some(What::SnapshotTaken { n }))
            }
            Key::Clean(_) => self.raised(key, &bytes, objects).map(Some),
            _ => Ok(None),
        }
    }

    /// C1: the boundary is raised to what a whole snapshot holds, and never falls.
    fn raised(&mut self, key: Key, bytes: &[u8], objects: &BTreeMap<Key, Bytes>) -> Check<What> {
        let record = match Boundary::read(key, bytes) {
            Ok(record) => record,
            Err(error) => return breach(Invariant::SafeCleaning, error),
        };
        let snapshot = Key::Snapshot(record.snapshot);
        let manifest = objects.get(&snapshot).and_then(|bytes| Manifest::read(snapshot, bytes).ok());
        let reaches = manifest.is_some_and(|manifest| {
            let whole = manifest.parts.iter().all(|part| objects.contains_key(&Key::Blob(part.sum)));
            whole && record.boundary <= manifest.place().n
        });
        if !reaches || record.boundary < self.boundary {
            let what = format_args!("{key} says {}, and no whole snapshot reaches there", record.boundary);
            return breach(Invariant::SafeCleaning, what);
        }
        self.boundary = record.boundary;
        Ok(What::BoundaryRaised { boundary: record.boundary })
    }

    /// C2, C3: only packs below the boundary are deleted.
    pub(super) fn removed(&self, key: Key, truth: &Truth) -> Check {
        let Key::Object(place) = key else { return Ok(()) };
        let of_history = truth.object(place.n).is_some_and(|(_, dir)| dir == place.dir);
        if place.n < self.boundary && !(of_history && truth.is_seal(place.n)) {
            return Ok(());
        }
        let what = format_args!("{place} was deleted, packs from {} on are to stay", self.boundary);
        breach(Invariant::SafeCleaning, what)
    }
}

/// S1, S2: all that the history holds up to the snapshot's number, and nothing that it does not hold at all.
fn true_snapshot(
    n: u64,
    bytes: &[u8],
    objects: &BTreeMap<Key, Bytes>,
    truth: &Truth,
    shelf: &Shelf,
) -> Check {
    let wrong = |what: String| breach(Invariant::TrueSnapshots, format_args!("snapshot {n}: {what}"));
    let manifest = match Manifest::read(Key::Snapshot(n), bytes) {
        Ok(manifest) => manifest,
        Err(error) => return wrong(error.to_string()),
    };
    if truth.object(n) != Some((manifest.sum, manifest.directory)) {
        return wrong("it is of another history".into());
    }
    let mut copied = Tables::new();
    for part in &manifest.parts {
        match shelf.get(part.sum).filter(|_| objects.contains_key(&Key::Blob(part.sum))) {
            Some(state) => drop(copied.insert(part.name.clone(), state.clone())),
            None => return wrong(format!("the copy of {} is not there", part.name)),
        }
    }
    let Some(then) = truth.tables_before(n + 1) else { return Ok(()) };
    for (dir, state) in then {
        let Some(copy) = copied.get(dir) else { return wrong(format!("{dir} is not in it")) };
        let now = truth.tables().get(dir).map_or(0, |state| state.table.seq_txn);
        if copy.table.seq_txn < state.table.seq_txn || copy.table.seq_txn > now {
            return wrong(format!(
                "{dir} is copied at {}, the history has {} then and {now} now",
                copy.table.seq_txn, state.table.seq_txn
            ));
        }
        if copy.table.seq_txn == state.table.seq_txn && copy.table.digest() != state.table.digest() {
            return wrong(format!("{dir} has other rows at transaction {}", copy.table.seq_txn));
        }
    }
    match copied.keys().find(|dir| !truth.tables().contains_key(*dir)) {
        Some(dir) => wrong(format!("{dir} is in no history")),
        None => Ok(()),
    }
}

/// Somebody who comes now reads all of the history.
pub(super) fn newcomer(objects: &BTreeMap<Key, Bytes>, truth: &Truth, shelf: &Shelf) -> Check {
    let Some(end) = truth.point() else { return Ok(()) };
    let wrong = |what: String| breach(Invariant::NewcomersCan, what);
    let cluster = objects.get(&Key::Cluster).and_then(|bytes| Cluster::read(Key::Cluster, bytes).ok());
    let Some(cluster) = cluster else { return wrong("cluster.json is gone".into()) };
    let mut reader = Reader::of(&cluster);
    while let Some(Action::Get { key }) = reader.next() {
        let answer = objects.get(&key).cloned().map_or(GetAnswer::NotFound, GetAnswer::Found);
        match reader.got(&answer) {
            None | Some(Event::Followed(_)) => {}
            Some(Event::Pack(object)) => truth.agrees("a newcomer", object.head().place.n, object.sum())?,
            Some(Event::Missing) => break,
            Some(Event::Load(manifest)) => {
                let there = |part: &crate::ledger::Part| {
                    objects.contains_key(&Key::Blob(part.sum)) && shelf.get(part.sum).is_some()
                };
                let whole = manifest.parts.iter().all(there);
                if !whole {
                    return wrong(format!("snapshot {} is not whole", manifest.n));
                }
                reader.loaded(Loaded::Done);
            }
            Some(Event::Stopped(error)) => return wrong(error.to_string()),
        }
    }
    if reader.point().next == end.next && reader.point().before == end.before {
        return Ok(());
    }
    wrong(format!("a newcomer reads up to {}, the history goes on at {}", reader.point().next, end.next))
}
