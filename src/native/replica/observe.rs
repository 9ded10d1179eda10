//! What others can ask of a replica: metrics, and whether it is well.

use super::Replica;
use crate::native::config::Role;
use crate::native::metrics::Metrics;
use crate::native::metrics::server::{Ready, Server};
use crate::native::outcome::{Exit, Failure, Result};
use std::net::SocketAddr;

impl Replica {
    /// Answers for metrics and health checks at an address, until what is returned is dropped.
    ///
    /// # Errors
    /// If the address can't be had.
    pub fn serve(&self, address: SocketAddr, metrics: Option<Metrics>, ready: Ready) -> Result<Server> {
        match self.runtime() {
            Some(runtime) => runtime.block_on(Server::start(address, metrics, ready)),
            None => Err(Failure::failed("it has ended")),
        }
    }

    /// Sets what is measured of a replica.
    pub fn measure(&self, metrics: &Metrics) {
        let report = self.report();
        metrics.role(Role::Replica);
        metrics.packs.set(i64::try_from(report.next).unwrap_or(i64::MAX) - 1);
        let count = |tables: usize| i64::try_from(tables).unwrap_or(i64::MAX);
        metrics.tables_replicated.set(count(report.tables.len()));
        let stopped = report.tables.iter().filter(|table| table.error.is_some()).count();
        metrics.tables_stopped.set(count(stopped));
        let applied: u64 = report.tables.iter().map(|table| table.applied).sum();
        let applied = applied.saturating_sub(self.begun_with);
        metrics.applied_txns.inc_by(applied.saturating_sub(metrics.applied_txns.get()));
        metrics.digest_mismatches.inc_by(self.mismatches.saturating_sub(metrics.digest_mismatches.get()));
        let (counts, running) = self.enforcer.counts();
        metrics.policy.set(counts.iter().map(|(kind, counts)| (*kind, *counts)), running);
        let policies = report.tables.iter().filter_map(|table| table.policy.as_ref());
        let mut forms = [0; 4];
        for policy in policies {
            let all = [policy.native, policy.parquet, policy.remote, policy.dropped];
            forms.iter_mut().zip(all).for_each(|(sum, count)| *sum += count);
        }
        metrics.policy.forms(forms);
        for table in &report.tables {
            let (dir, lag) = (&table.directory, table.transactions.saturating_sub(table.applied));
            metrics.tables.lag(dir, &table.table, lag, report.lag);
            metrics.tables.txns(dir, table.transactions, table.applied);
            metrics.tables.suspended(dir, table.result == Exit::Suspended);
        }
    }
}
