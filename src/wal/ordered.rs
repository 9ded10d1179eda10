//! Small things in order, in little code.
//!
//! The standard library's sort is 5 KB of WebAssembly for each type that it is used with, and collecting into a
//! map or set sorts first. Where little is sorted, and seldom, this takes their place.

use std::cmp::Ordering;

/// A map or set of what comes, put in one after the other.
///
/// ```
/// let set: std::collections::BTreeSet<u32> = understudy::wal::ordered::gathered([3, 1, 3]);
/// assert_eq!(set.into_iter().collect::<Vec<_>>(), [1, 3]);
/// ```
pub fn gathered<C: Default + Extend<T>, T>(items: impl IntoIterator<Item = T>) -> C {
    let mut all = C::default();
    for item in items {
        all.extend([item]);
    }
    all
}

/// The items in the order that `compare` says; of equal ones the first comes first.
///
/// ```
/// let words = vec!["ccc", "a", "bb", "d"];
/// let sorted = understudy::wal::ordered::sorted(words, |a, b| a.len().cmp(&b.len()));
/// assert_eq!(sorted, ["a", "d", "bb", "ccc"]);
/// ```
pub fn sorted<T>(items: Vec<T>, compare: impl Fn(&T, &T) -> Ordering) -> Vec<T> {
    let order = order(items.len(), &|a, b| match (items.get(a), items.get(b)) {
        (Some(a), Some(b)) => compare(a, b),
        _ => Ordering::Equal,
    });
    let mut items: Vec<Option<T>> = items.into_iter().map(Some).collect();
    order.into_iter().filter_map(|index| items.get_mut(index)?.take()).collect()
}

fn order(count: usize, compare: &dyn Fn(usize, usize) -> Ordering) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).collect();
    order.sort_by(|&a, &b| compare(a, b));
    order
}
