//! A point of the history: where somebody stands who holds the state after all objects before it.

use super::{Cluster, ClusterId, Dir, Manifest, Part, Place, Result, Span, Sum};

/// Where to read or write next, and what led there.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Point {
    /// The cluster.
    pub cluster: ClusterId,
    /// The next object's place.
    pub next: Place,
    /// The hash of the object before it.
    pub before: Sum,
    /// All terms so far, the one of `next` last. Grows by one for each new primary.
    pub terms: Vec<Span>,
}

impl Point {
    /// The beginning of a cluster's history.
    pub fn start(cluster: &Cluster) -> Self {
        let first = Span { directory: cluster.directory, first: 0, seal: None };
        Self {
            cluster: cluster.cluster,
            next: Place { dir: cluster.directory, n: 0 },
            before: Sum::ZERO,
            terms: vec![first],
        }
    }

    /// The point behind a snapshot.
    pub fn behind(manifest: &Manifest) -> Self {
        Self {
            cluster: manifest.cluster,
            next: manifest.place(),
            before: manifest.sum,
            terms: manifest.terms.clone(),
        }
    }

    /// The beginning of the same history.
    pub fn start_of(&self) -> Self {
        let directory = self.terms.first().map_or(self.next.dir, |span| span.directory);
        Self::start(&Cluster::new(self.cluster, directory))
    }

    /// The place of the object before; `None` at the beginning.
    pub fn last(&self) -> Option<Place> {
        let n = self.next.n.checked_sub(1)?;
        let span = self.terms.iter().rev().find(|span| span.first <= n)?;
        Some(Place { dir: span.directory, n })
    }

    /// The manifest of a snapshot taken here. All its parts must be in the bucket before it is put (rule S2).
    ///
    /// # Errors
    /// [`Error::Rule`](super::Error::Rule) S1 at the beginning, where there is nothing to take.
    pub fn manifest(&self, parts: Vec<Part>, boundary: Option<u64>) -> Result<Manifest> {
        let what = "there is no object before the first number";
        let last = self.last().ok_or(super::Error::Rule { rule: "S1", what })?;
        Ok(Manifest {
            format: Manifest::FORMAT,
            cluster: self.cluster,
            n: last.n,
            directory: last.dir,
            sum: self.before,
            next: self.next.dir,
            boundary,
            terms: self.terms.clone(),
            parts,
            requests: 0,
        })
    }

    /// Goes past a pack at `next`.
    pub(crate) fn pass(&mut self, sum: Sum) {
        self.next = self.next.next();
        self.before = sum;
    }

    /// Goes past a seal at `next`.
    pub(crate) fn follow(&mut self, dir: Dir, seal: Sum) {
        if let Some(span) = self.terms.last_mut() {
            span.seal = Some(self.next.n);
        }
        self.next = Place { dir, n: self.next.n.saturating_add(1) };
        self.before = seal;
        self.terms.push(Span { directory: dir, first: self.next.n, seal: None });
    }
}
