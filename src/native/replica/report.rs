//! How a replica stands.

use super::kept::Stopped;
use super::policy::PolicyReport;
use super::tables::Tables;
use crate::ledger::Note;
use crate::native::outcome::Exit;
use crate::native::store::Worker;
use serde::Serialize;
use std::time::Duration;

/// How a replica stands, table by table.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The worst of all tables.
    pub result: Exit,
    /// The number of the next object of the log: all before are applied.
    pub next: u64,
    /// Whether all that is in the log is applied.
    pub level: bool,
    /// Bytes of packs that came and are not applied.
    #[serde(rename = "lagBytes")]
    pub lag_bytes: u64,
    /// Transactions that came and are not applied.
    #[serde(rename = "lagTransactions")]
    pub lag_txns: u64,
    /// How old the oldest pack is that is not applied; zero if the directory is level with the log.
    #[serde(rename = "lagMs", serialize_with = "as_ms")]
    pub lag: Duration,
    /// The tables, by directory.
    pub tables: Vec<TableReport>,
}

/// How a table stands.
#[derive(Debug, Clone, Serialize)]
pub struct TableReport {
    /// Its name.
    pub table: String,
    /// Its directory.
    pub directory: String,
    /// What it would end with.
    pub result: Exit,
    /// The last transaction applied.
    pub applied: u64,
    /// The last one that came.
    pub transactions: u64,
    /// Rows in it.
    pub rows: u64,
    /// What is wrong with it, and what to do.
    pub error: Option<String>,
    /// How long after its commit the newest transaction was applied.
    #[serde(rename = "lagMs")]
    pub lag_ms: Option<u64>,
    /// Its storage policy on this instance.
    #[serde(rename = "storagePolicy", skip_serializing_if = "Option::is_none")]
    pub policy: Option<PolicyReport>,
}

/// What people are told of a note.
pub(super) fn told(note: &Note) -> Option<String> {
    match note {
        Note::Error { table, text } => Some(match table {
            Some(table) => format!("{table}: {text}"),
            None => text.clone(),
        }),
        Note::Recovered { table: Some(table) } => Some(format!("{table}: goes on again")),
        Note::Base { table, seq_txn, why } => {
            Some(format!("{table}: taken from a copy as of transaction {seq_txn} ({why})"))
        }
        _ => None,
    }
}

fn as_ms<S: serde::Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}

impl Tables {
    /// Each table, and those that are not there for want of what came before.
    pub(super) fn report(&self) -> Vec<TableReport> {
        let mut tables: Vec<TableReport> = self.workers().iter().map(|worker| self.of(worker)).collect();
        for dir in self.troubled() {
            if tables.iter().any(|table| table.directory == dir) {
                continue;
            }
            let Some(Stopped { exit, text }) = self.trouble(&dir) else { continue };
            tables.push(TableReport {
                table: dir.clone(),
                directory: dir,
                result: exit,
                applied: 0,
                transactions: 0,
                rows: 0,
                error: Some(text),
                lag_ms: None,
                policy: None,
            });
        }
        tables.sort_by(|a, b| a.directory.cmp(&b.directory));
        tables
    }

    fn of(&self, worker: &Worker) -> TableReport {
        let token = worker.token();
        let trouble = self.trouble(&token.dir);
        let (applied, transactions) = worker.progress();
        TableReport {
            table: token.name.clone(),
            directory: token.dir.clone(),
            result: trouble.as_ref().map_or(Exit::Ok, |trouble| trouble.exit),
            applied,
            transactions: transactions.max(applied),
            rows: worker.rows(),
            error: trouble.map(|trouble| trouble.text),
            lag_ms: worker.delay().map(|delay| u64::try_from(delay.as_millis()).unwrap_or(u64::MAX)),
            policy: None,
        }
    }
}
