//! What happens next: events by time, and at the same time in the order in which they were entered.

use super::Micros;
use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

/// Events to come.
#[derive(Debug)]
pub(super) struct Agenda<E> {
    entries: BinaryHeap<Reverse<Entry<E>>>,
    entered: u64,
}

#[derive(Debug)]
struct Entry<E> {
    at: Micros,
    order: u64,
    event: E,
}

impl<E> Agenda<E> {
    pub(super) fn new() -> Self {
        Self { entries: BinaryHeap::new(), entered: 0 }
    }

    /// Enters an event.
    pub(super) fn enter(&mut self, at: Micros, event: E) {
        let order = self.entered;
        self.entered += 1;
        self.entries.push(Reverse(Entry { at, order, event }));
    }

    /// When the next event is due.
    pub(super) fn due(&self) -> Option<Micros> {
        self.entries.peek().map(|Reverse(entry)| entry.at)
    }

    /// Takes the next event.
    pub(super) fn take(&mut self) -> Option<(Micros, E)> {
        self.entries.pop().map(|Reverse(entry)| (entry.at, entry.event))
    }

    /// What is entered, in no order that means anything.
    pub(super) fn iter(&self) -> impl Iterator<Item = &E> {
        self.entries.iter().map(|Reverse(entry)| &entry.event)
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
        let order: String = std::iter::from_fn(|| agenda.take()).map(|(_, event)| event).collect();
        assert_eq!(order, "bdac");
    }
}
