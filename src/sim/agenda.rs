//! What happens next: events by time, and at the same time in the order in which they were entered.

use super::Micros;
use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeSet, BinaryHeap};

/// Events to come.
#[derive(Debug)]
pub(super) struct Agenda<E> {
    entries: BinaryHeap<Reverse<Entry<E>>>,
    entered: u64,
    /// When the last one that was taken was due.
    now: Micros,
}

#[derive(Debug)]
struct Entry<E> {
    at: Micros,
    /// When it was entered.
    since: Micros,
    order: u64,
    event: E,
}

impl<E> Agenda<E> {
    pub(super) fn new() -> Self {
        Self { entries: BinaryHeap::new(), entered: 0, now: 0 }
    }

    /// Enters an event.
    pub(super) fn enter(&mut self, at: Micros, event: E) {
        let order = self.entered;
        self.entered += 1;
        self.entries.push(Reverse(Entry { at, since: self.now, order, event }));
    }

    /// When the next event is due.
    pub(super) fn due(&self) -> Option<Micros> {
        self.entries.peek().map(|Reverse(entry)| entry.at)
    }

    /// Takes the next event.
    pub(super) fn take(&mut self) -> Option<(Micros, E)> {
        let Reverse(entry) = self.entries.pop()?;
        self.now = entry.at;
        Some((entry.at, entry.event))
    }

    /// What is entered, with the times since when and until when, in no order that means anything.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Micros, Micros, &E)> {
        self.entries.iter().map(|Reverse(entry)| (entry.since, entry.at, &entry.event))
    }

    /// The first moment from this one on at which nothing is due.
    pub(super) fn free_from(&self, at: Micros) -> Micros {
        let taken: BTreeSet<Micros> = self.entries.iter().map(|Reverse(entry)| entry.at).collect();
        (at..=Micros::MAX).find(|at| !taken.contains(at)).unwrap_or(at)
    }
}

impl<E> Ord for Entry<E> {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}

impl<E> PartialOrd for Entry<E> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<E> PartialEq for Entry<E> {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.order) == (other.at, other.order)
    }
}

impl<E> Eq for Entry<E> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earliest_comes_first_and_of_equals_the_one_entered_first() {
        let mut agenda = Agenda::new();
        for (at, event) in [(5, 'a'), (3, 'b'), (5, 'c'), (3, 'd')] {
            agenda.enter(at, event);
        }
        assert_eq!(agenda.due(), Some(3));
        assert_eq!((agenda.free_from(2), agenda.free_from(3), agenda.free_from(5)), (2, 4, 6));
        let order: String = std::iter::from_fn(|| agenda.take()).map(|(_, event)| event).collect();
        assert_eq!(order, "bdac");
    }
}
