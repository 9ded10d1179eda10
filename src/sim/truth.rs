//! The history as it is, read out of the bucket by somebody who sees every object the moment it lands.
//!
//! At each place of the log the object that lands first while the history stands there is its next object, for ever: puts
//! are conditional, and nothing above a missing number is ever read. So what follows needs no machine of the protocol, and
//! can be compared with what those machines do.

use super::applied::{Applied, Engine, Tables, longs};
use super::book::Book;
use super::invariant::{Check, Invariant, breach};
use crate::ledger::{Cluster, Dir, Document, Key, Kind, Object, Place, Point, Sum};
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// States of the tables that are remembered, by number.
const REMEMBERED: usize = 512;

/// The one history so far.
#[derive(Debug, Default)]
pub(super) struct Truth {
    /// Where it goes on; none before the cluster was founded.
    point: Option<Point>,
    /// The hash of each object, by number, and the directory in which it lies.
    objects: Vec<(Sum, Dir)>,
    engine: Engine,
    /// The tables after the object with this number.
    recent: VecDeque<(u64, Tables)>,
    /// Numbers that are seals.
    seals: Vec<u64>,
    /// What landed in a directory behind the seal that ended it, by directory.
    stragglers: BTreeMap<Dir, BTreeSet<u64>>,
    /// Rows of clients in each table's transactions, by directory.
    written: BTreeMap<String, u64>,
}

/// What an object that has landed did to the history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Grew {
    /// The cluster was founded.
    Founded,
    /// A pack, with this number.
    Pack(u64),
    /// A seal, with this number.
    Seal(u64),
}

impl Truth {
    /// Something landed at this key. `window` is the largest that any writer has had.
    pub(super) fn landed(
        &mut self,
        key: Key,
        objects: &BTreeMap<Key, Bytes>,
        book: &mut Book,
        window: u64,
    ) -> Check<Vec<Grew>> {
        match key {
            Key::Cluster => self.founded(objects),
            Key::Object(place) => {
                self.count_straggler(place, window)?;
                self.grow(objects, book)
            }
            _ => Ok(Vec::new()),
        }
    }

    /// The number of the next object.
    pub(super) fn len(&self) -> u64 {
        self.objects.len() as u64
    }

    pub(super) fn point(&self) -> Option<&Point> {
        self.point.as_ref()
    }

    /// The object with this number: its hash, and its directory.
    pub(super) fn object(&self, n: u64) -> Option<(Sum, Dir)> {
        self.objects.get(usize::try_from(n).ok()?).copied()
    }

    pub(super) fn is_seal(&self, n: u64) -> bool {
        self.seals.contains(&n)
    }

    /// The tables as they are now.
    pub(super) fn tables(&self) -> &Tables {
        self.engine.tables()
    }

    /// Rows of clients that the history has written to the table in this directory.
    pub(super) fn written(&self, dir: &str) -> u64 {
        self.written.get(dir).copied().unwrap_or(0)
    }

    /// The tables before the object with this number, if they are remembered.
    pub(super) fn tables_before(&self, n: u64) -> Option<&Tables> {
        if n == self.len() {
            return Some(self.engine.tables());
        }
        let last = n.checked_sub(1)?;
        let at = self.recent.partition_point(|(number, _)| *number < last);
        self.recent.get(at).filter(|(number, _)| *number == last).map(|(_, tables)| tables)
    }

    /// Somebody has read, applied or confirmed this object as the history's.
    pub(super) fn agrees(&self, who: impl std::fmt::Display, n: u64, sum: Sum) -> Check {
        match self.object(n) {
            Some((own, _)) if own == sum => Ok(()),
            Some(_) => {
                breach(Invariant::OneHistory, format_args!("{who}: object {n} is another one in the history"))
            }
            None => breach(Invariant::OneHistory, format_args!("{who}: object {n} is not in the history")),
        }
    }

    /// Somebody stands here, with all that came before.
    pub(super) fn holds(&self, who: impl std::fmt::Display, point: &Point) -> Check {
        let n = point.next.n;
        if let Some(last) = n.checked_sub(1) {
            self.agrees(&who, last, point.before)?;
        }
        let there = self.object(n).map(|(_, dir)| dir);
        let dir = there.or_else(|| self.point.as_ref().map(|point| point.next.dir));
        if n <= self.len() && dir == Some(point.next.dir) {
            return Ok(());
        }
        breach(
            Invariant::OneHistory,
            format_args!("{who}: goes on at {}, where the history does not", point.next),
        )
    }

    fn founded(&mut self, objects: &BTreeMap<Key, Bytes>) -> Check<Vec<Grew>> {
        if self.point.is_some() {
            return Ok(Vec::new());
        }
        let bytes = objects.get(&Key::Cluster).cloned().unwrap_or_default();
        match Cluster::read(Key::Cluster, &bytes) {
            Ok(cluster) => {
                self.point = Some(Point::start(&cluster));
                Ok(vec![Grew::Founded])
            }
            Err(error) => breach(Invariant::OneHistory, error),
        }
    }

    fn grow(&mut self, objects: &BTreeMap<Key, Bytes>, book: &mut Book) -> Check<Vec<Grew>> {
        let mut grown = Vec::new();
        while let Some(point) = &mut self.point {
            let place = point.next;
            let Some(bytes) = objects.get(&place.key()) else { break };
            let object = match Object::read(place, bytes.clone()) {
                Ok(object) => object,
                Err(error) => return breach(Invariant::OneHistory, error),
            };
            if object.head().before != point.before || object.head().cluster != point.cluster {
                let what = format_args!("{place} was cut for another history");
                return breach(Invariant::OneHistory, what);
            }
            self.objects.push((object.sum(), place.dir));
            match object.head().kind {
                Kind::Pack => {
                    point.pass(object.sum());
                    self.apply(&object, book)?;
                    grown.push(Grew::Pack(place.n));
                }
                Kind::Seal { next } => {
                    point.follow(next, object.sum());
                    self.seals.push(place.n);
                    grown.push(Grew::Seal(place.n));
                }
            }
            if self.recent.len() == REMEMBERED {
                self.recent.pop_front();
            }
            self.recent.push_back((place.n, self.engine.tables().clone()));
        }
        Ok(grown)
    }

    fn apply(&mut self, object: &Object, book: &mut Book) -> Check {
        let place = object.head().place;
        let pack = match object.pack() {
            Ok(pack) => pack,
            Err(error) => return breach(Invariant::OneHistory, error),
        };
        let written = &mut self.written;
        let mut told = |applied: &Applied<'_>| {
            let unique = is_unique(applied);
            let ids = longs(applied, book.row_id());
            let made = ids.into_iter().filter(|id| book.accepted(*id, unique)).count();
            *written.entry(applied.dir.to_owned()).or_default() += made as u64;
        };
        match self.engine.take(place.key(), &pack, &mut told) {
            Ok(()) => Ok(()),
            Err(why) => breach(Invariant::OneHistory, format_args!("{place} does not follow: {why}")),
        }
    }

    /// W2: behind the seal that ends a directory at most a window less one of its packs can land.
    fn count_straggler(&mut self, place: Place, window: u64) -> Check {
        let Some(point) = &self.point else { return Ok(()) };
        let span = point.terms.iter().find(|span| span.directory == place.dir);
        if span.and_then(|span| span.seal).is_none_or(|seal| place.n <= seal) {
            return Ok(());
        }
        let numbers = self.stragglers.entry(place.dir).or_default();
        // One that was cleaned away may be put once more, by whoever was not told that it landed.
        numbers.insert(place.n);
        let count = numbers.len() as u64;
        if count < window.max(1) {
            return Ok(());
        }
        let what =
            format_args!("{count} packs landed in {} behind its seal, the window is {window}", place.dir);
        breach(Invariant::NoZombie, what)
    }
}

/// Whether the table that a transaction changed has upsert keys.
fn is_unique(applied: &Applied<'_>) -> bool {
    applied.table.schema.columns.iter().any(|column| column.upsert_key && !column.dropped)
}
