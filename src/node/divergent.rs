//! What a former primary has committed and the history does not contain (rule W6).

use super::Held;
use crate::ledger::DivergentTable;
use std::collections::BTreeMap;

/// A table as it is in the node's own directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Own {
    /// Its name.
    pub name: String,
    /// The last transaction in its log.
    pub last: u64,
    /// It has been dropped.
    pub dropped: bool,
}

/// Tables with their own transactions beyond what the history holds; rows and times are for the driver to count.
///
/// ```
/// use understudy::node::divergent::{Own, beyond};
/// let own = |last| Own { name: "t".into(), last, dropped: false };
/// let held = [("t~1".to_owned(), 4)].into();
/// assert!(beyond(&[("t~1".to_owned(), own(4))].into(), &held).is_empty());
/// let lost = beyond(&[("t~1".to_owned(), own(6)), ("new~2".to_owned(), own(1))].into(), &held);
/// assert_eq!(lost.iter().map(|table| (table.first, table.last)).collect::<Vec<_>>(), [(1, 1), (5, 6)]);
/// ```
pub fn beyond(own: &BTreeMap<String, Own>, held: &Held) -> Vec<DivergentTable> {
    let lost = own.iter().filter_map(|(dir, table)| {
        let first = held.get(dir).copied().unwrap_or(0) + 1;
        (table.last >= first).then(|| DivergentTable {
            directory: dir.clone(),
            name: table.name.clone(),
            first,
            last: table.last,
            rows: None,
            committed_us: None,
        })
    });
    lost.collect()
}

/// Tables that only this node has: made here, and never heard of in the history. They go, even if they are empty.
pub fn unknown(own: &BTreeMap<String, Own>, held: &Held) -> Vec<String> {
    own.keys().filter(|dir| !held.contains_key(*dir)).cloned().collect()
}
