//! What is known of each table, in bounded room: as many series as are allowed, and the worst of all always.

use prometheus_client::encoding::{EncodeMetric, MetricEncoder};
use prometheus_client::metrics::MetricType;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Tables that have series of their own: as many as a scrape may cost.
pub const SERIES_MAX: usize = 1000;

/// The tables of a node. Clones are handles to the same values.
#[derive(Debug, Clone)]
pub struct Tables {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    per_table: bool,
    /// By directory, which stays when a table is renamed.
    tables: Mutex<BTreeMap<String, Table>>,
}

#[derive(Debug, Default)]
struct Table {
    name: String,
    lag_txns: u64,
    lag: Duration,
    sequenced: u64,
    applied: u64,
    suspended: bool,
}

/// What holds for all tables together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sums {
    /// Of the table that is the furthest behind.
    pub lag_txns_max: u64,
    /// Likewise.
    pub lag_max: Duration,
    /// How many are suspended.
    pub suspended: u64,
    /// Sum of their last known transactions.
    pub sequenced: u64,
    /// Sum of their last applied transactions.
    pub applied: u64,
}

impl Tables {
    pub(super) fn new(per_table: bool) -> Self {
        Self { inner: Arc::new(Inner { per_table, tables: Mutex::default() }) }
    }

    /// How far a table is behind: transactions that are known and not applied, and the age of the oldest of them.
    pub fn lag(&self, directory: &str, name: &str, txns: u64, age: Duration) {
        self.change(directory, |table| {
            if table.name != name {
                name.clone_into(&mut table.name);
            }
            (table.lag_txns, table.lag) = (txns, if txns == 0 { Duration::ZERO } else { age });
        });
    }

    /// A table's last known and last applied transaction.
    pub fn txns(&self, directory: &str, sequenced: u64, applied: u64) {
        self.change(directory, |table| (table.sequenced, table.applied) = (sequenced, applied));
    }

    /// A table is suspended, or not any more.
    pub fn suspended(&self, directory: &str, suspended: bool) {
        self.change(directory, |table| table.suspended = suspended);
    }

    /// A table was dropped: its series end.
    pub fn forget(&self, directory: &str) {
        self.lock().remove(directory);
    }

    /// What holds for all tables together.
    pub fn sums(&self) -> Sums {
        self.lock().values().fold(Sums::default(), |sums, table| Sums {
            lag_txns_max: sums.lag_txns_max.max(table.lag_txns),
            lag_max: sums.lag_max.max(table.lag),
            suspended: sums.suspended + u64::from(table.suspended),
            sequenced: sums.sequenced.saturating_add(table.sequenced),
            applied: sums.applied.saturating_add(table.applied),
        })
    }

    fn change(&self, directory: &str, change: impl FnOnce(&mut Table)) {
        let mut tables = self.lock();
        if let Some(table) = tables.get_mut(directory) {
            return change(table);
        }
        let mut table = Table { name: directory.to_owned(), ..Table::default() };
        change(&mut table);
        tables.insert(directory.to_owned(), table);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Table>> {
        // What a panic left half done is a number.
        self.inner.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `understudy_replica_lag_txns{table,directory}`: of the first tables by directory, if they are to be shown.
impl EncodeMetric for Tables {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> Result<(), fmt::Error> {
        if !self.inner.per_table {
            return Ok(());
        }
        for (directory, table) in self.lock().iter().take(SERIES_MAX) {
            let labels = [("table", table.name.as_str()), ("directory", directory)];
            encoder.encode_family(&labels)?.encode_gauge(&table.lag_txns)?;
        }
        Ok(())
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Gauge
    }

    fn is_empty(&self) -> bool {
        !self.inner.per_table || self.lock().is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::super::Metrics;
    use super::*;

    #[test]
    fn the_worst_is_told_and_a_dropped_table_forgotten() {
        let tables = Tables::new(true);
        tables.lag("a~1", "a", 5, Duration::from_secs(1));
        tables.lag("b~2", "b", 2, Duration::from_secs(9));
        tables.txns("a~1", 10, 5);
        tables.txns("b~2", 4, 2);
        tables.suspended("b~2", true);
        let sums = Sums {
            lag_txns_max: 5,
            lag_max: Duration::from_secs(9),
            suspended: 1,
            sequenced: 14,
            applied: 7,
        };
        assert_eq!(tables.sums(), sums);
        tables.forget("b~2");
        tables.lag("a~1", "a", 0, Duration::from_secs(1));
        assert_eq!(tables.sums(), Sums { sequenced: 10, applied: 5, ..Sums::default() });
    }

    #[test]
    fn names_are_escaped_and_follow_renames() {
        let metrics = Metrics::new(true);
        metrics.tables.lag("t~1", "former", 1, Duration::ZERO);
        metrics.tables.lag("t~1", "a \"quoted\\\ntable\"", 1, Duration::ZERO);
        let text = metrics.text();
        let line = r#"understudy_replica_lag_txns{table="a \"quoted\\\ntable\"",directory="t~1"} 1"#;
        assert!(text.lines().any(|found| found == line), "{text}");
        assert!(!text.contains("former"));
    }

    #[test]
    fn series_are_bounded_and_can_be_left_out() {
        for (per_table, wanted) in [(true, SERIES_MAX), (false, 0)] {
            let metrics = Metrics::new(per_table);
            for n in 0..1500 {
                metrics.tables.lag(&format!("t~{n}"), "t", n, Duration::ZERO);
            }
            let text = metrics.text();
            let shown = text.lines().filter(|line| line.starts_with("understudy_replica_lag_txns{")).count();
            assert_eq!(shown, wanted);
            assert!(text.lines().any(|line| line == "understudy_replica_lag_txns_max 1499"), "{text}");
        }
    }
}
