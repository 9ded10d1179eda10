//! Watching a cluster's history without taking part in it: the reader's rules, with a [`Catalog`] as what is kept.

use super::{
    Action, Base, Catalog, Cluster, Copied, Document, Error, Event, GetAnswer, Key, Kind, Loaded, Manifest,
    Object, Part, Point, Reader, Result, Sum,
};
use std::collections::VecDeque;

/// Follows the log and lists what it brings.
///
/// [`next`](Self::next) says what is to be asked for, [`give`](Self::give) takes the answer.
#[derive(Debug)]
pub struct Watch {
    reader: Reader,
    catalog: Catalog,
    /// Copies to be read before the log goes on.
    copies: VecDeque<Copied>,
    /// The reader waits for a snapshot, which consists of these copies.
    loading: bool,
    /// The number behind which the history is known.
    begins_at: u64,
    /// A seal that was read and is not followed yet.
    seal: Option<Object>,
    stopped: Option<Error>,
    idle: bool,
}

/// What a watcher needs next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// This object, from the bucket itself and not from a cache that keeps "not found".
    Get(Key),
    /// Nothing: the log has no more for now.
    Idle,
    /// Nothing any more: the log is not what it should be.
    Stopped(Error),
}

impl Watch {
    /// Watches from the cluster's beginning. About `memory` bytes of objects are kept at hand.
    pub fn of(cluster: &Cluster, memory: u64) -> Self {
        let mut watch = Self::at(Point::start(cluster), memory);
        if let Some(parent) = &cluster.parent {
            watch.copies = copies_of(&parent.parts);
        }
        watch
    }

    /// Watches from a snapshot on.
    ///
    /// # Errors
    /// [`Error::OtherCluster`] if it is another cluster's.
    pub fn behind(cluster: &Cluster, manifest: &Manifest, memory: u64) -> Result<Self> {
        if manifest.cluster != cluster.cluster {
            let (expected, found) = (cluster.cluster, manifest.cluster);
            return Err(Error::damaged(
                Key::Snapshot(manifest.n),
                0,
                format_args!("cluster {expected}"),
                found,
            ));
        }
        let mut watch = Self::at(Point::behind(manifest), memory);
        watch.copies = copies_of(&manifest.parts);
        Ok(watch)
    }

    fn at(point: Point, memory: u64) -> Self {
        let begins_at = point.next.n;
        Self {
            reader: Reader::new(point),
            catalog: Catalog::new(memory),
            copies: VecDeque::new(),
            loading: false,
            begins_at,
            seal: None,
            stopped: None,
            idle: false,
        }
    }

    /// What is needed next.
    pub fn next(&self) -> Step {
        if let Some(error) = &self.stopped {
            return Step::Stopped(error.clone());
        }
        if let Some(copied) = self.copies.front() {
            return Step::Get(Key::Blob(copied.sum));
        }
        match self.reader.next() {
            Some(Action::Get { key }) if !self.idle => Step::Get(key),
            _ => Step::Idle,
        }
    }

    /// Takes the answer to what [`next`](Self::next) asked for.
    pub fn give(&mut self, answer: &GetAnswer) {
        if let Some(copied) = self.copies.front().cloned() {
            self.give_copy(&copied, answer);
            return;
        }
        if let (Some(Action::Get { key: Key::Object(place) }), GetAnswer::Found(bytes)) =
            (self.reader.next(), answer)
        {
            // The reader tells of a seal only once it follows it.
            let object = Object::read(place, bytes.clone()).ok();
            self.seal = object.filter(|object| object.head().kind != Kind::Pack);
        }
        match self.reader.got(answer) {
            Some(Event::Pack(object)) => match self.catalog.take(&object) {
                Ok(copies) => self.copies = copies.into(),
                Err(error) => self.stopped = Some(error),
            },
            Some(Event::Followed(_)) => {
                if let Some(seal) = self.seal.take() {
                    self.catalog.seal(&seal);
                }
            }
            None => {}
            Some(Event::Missing) => self.idle = true,
            Some(Event::Load(manifest)) => {
                // What was known so far may not be what the snapshot stands for.
                self.catalog.clear();
                self.copies = copies_of(&manifest.parts);
                (self.loading, self.begins_at) = (true, manifest.place().n);
                self.loaded();
            }
            Some(Event::Stopped(error)) => self.stopped = Some(error),
        }
    }

    /// After [`Step::Idle`]: look again; every minute or so at the boundary too (rule R2).
    pub fn again(&mut self, boundary: bool) {
        self.idle = false;
        if boundary {
            self.reader.look();
        } else {
            self.reader.waited();
        }
    }

    /// What is known.
    pub fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// What is known, to read from.
    pub fn catalog_mut(&mut self) -> &mut Catalog {
        &mut self.catalog
    }

    /// Where the log is read next.
    pub fn point(&self) -> &Point {
        self.reader.point()
    }

    /// The first number of which the object is known; those before it are in the snapshot.
    pub fn begins_at(&self) -> u64 {
        self.begins_at
    }

    fn give_copy(&mut self, copied: &Copied, answer: &GetAnswer) {
        let (sum, dir) = (copied.sum, copied.dir.as_str());
        let GetAnswer::Found(bytes) = answer else {
            if self.loading {
                self.loading = false;
                self.copies.clear();
                self.reader.loaded(Loaded::Missing);
            } else {
                let key = Key::Blob(sum);
                let why = format!(
                    "its copy is not in the bucket ({key}): restore that object from another copy of the bucket"
                );
                self.copies.pop_front();
                self.catalog.break_off(dir, why);
            }
            return;
        };
        self.copies.pop_front();
        let key = Key::Blob(sum);
        let read = if Sum::of(bytes) == sum {
            Base::read(key, bytes).and_then(|base| self.catalog.base(copied, &base))
        } else {
            Err(Error::damaged(key, 0, "the blob's own bytes", Sum::of(bytes)))
        };
        if let Err(error) = read {
            self.catalog.break_off(dir, error.to_string());
        }
        self.loaded();
    }

    fn loaded(&mut self) {
        if self.loading && self.copies.is_empty() {
            self.loading = false;
            self.reader.loaded(Loaded::Done);
        }
    }
}

fn copies_of(parts: &[Part]) -> VecDeque<Copied> {
    let copied = |part: &Part| Copied { sum: part.sum, of: part.name.clone(), dir: part.name.clone() };
    parts.iter().map(copied).collect()
}
