use std::collections::BTreeMap;

/// What applying one or more transactions did to a table's rows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Effect {
    /// By partition floor.
    pub partitions: BTreeMap<i64, PartitionEffect>,
    /// Rows that came in and are in the table now.
    pub rows_added: usize,
    /// Rows, existing or new, that deduplication replaced.
    pub rows_replaced: usize,
    /// Rows removed by a replace range, TRUNCATE, DROP PARTITION, TTL.
    pub rows_removed: usize,
    /// Per writer index: size of the dictionary before, and after.
    pub symbols: Vec<(usize, usize, usize)>,
}

/// What happened to one partition.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PartitionEffect {
    /// The strongest thing that happened.
    pub touch: Touch,
    /// Rows written, as `(first row within the partition, count)`, in order; at most
    /// [`CHANGED_RANGES_MAX`].
    pub changed: Vec<(usize, usize)>,
}

/// How a partition was touched, weakest first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Touch {
    /// Not at all.
    #[default]
    None,
    /// Rows went behind all rows that were there.
    Appended,
    /// Rows went between existing ones, or replaced some.
    Merged,
    /// Values or columns of existing rows changed.
    Rewritten,
    /// The partition is new.
    Created,
    /// The partition is gone.
    Removed,
}

/// Ranges of changed rows that are kept per partition.
pub const CHANGED_RANGES_MAX: usize = 1_000;

impl Effect {
    /// Notes a touch; a stronger earlier one stays.
    pub(super) fn touch(&mut self, floor: i64, touch: Touch) -> &mut PartitionEffect {
        let partition = self.partitions.entry(floor).or_default();
        partition.touch = partition.touch.max(touch);
        partition
    }

    /// Adds what happened next. Ranges of changed rows are those of the later effect where both
    /// touched a partition, since the earlier rows have moved.
    pub fn then(&mut self, next: Effect) {
        for (floor, later) in next.partitions {
            let partition = self.touch(floor, later.touch);
            if !later.changed.is_empty() {
                partition.changed = later.changed;
            }
        }
        self.rows_added += next.rows_added;
        self.rows_replaced += next.rows_replaced;
        self.rows_removed += next.rows_removed;
        self.symbols.extend(next.symbols);
    }
}

impl PartitionEffect {
    /// Notes rows as written, joining neighbours.
    pub(super) fn change(&mut self, first: usize, count: usize) {
        if count == 0 {
            return;
        }
        let room = self.changed.len() < CHANGED_RANGES_MAX;
        match self.changed.last_mut() {
            Some((last, rows)) if *last + *rows == first => *rows += count,
            _ if room => self.changed.push((first, count)),
            _ => {}
        }
    }
}
