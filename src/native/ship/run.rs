//! What is read of a table's log: its definition, runs of transactions, a view's files.

use super::blocks::Packing;
use super::correct::obstacle;
use super::files::BesideFiles;
use crate::ledger::{FilePiece, Run, Token};
use crate::policy::{PolicyStatement, parse_statement};
use crate::wal::{
    Error, Event, Files, LogVersion, Noted, Result, SegmentMetas, SequencerLog, Survey, TableKind, TableMeta,
    TxnRecord, ask_transaction,
};
use bytes::Bytes;

/// Records that are read in one go.
const RECORDS: u64 = 8 * 1024;
/// Longest definition of a materialized view.
const VIEW_MAX: u64 = 16 << 20;

/// How a table that was never sent begins.
pub(super) enum Begin {
    /// With its definition: its log is there from the first transaction on.
    Created(Vec<FilePiece>),
    /// With a copy that holds this transaction.
    Copy {
        /// Why, for people.
        why: String,
        /// The transaction.
        at_least: u64,
    },
}

/// How the table's log begins in the bucket.
///
/// # Errors
/// What reading answers.
pub(super) fn begin(files: &BesideFiles, packing: &Packing, token: &Token) -> Result<Begin> {
    let dir = &token.dir;
    let noted = Noted::new(files);
    let log = SequencerLog::open(&noted, dir)?;
    match TableMeta::at_creation(&noted, dir) {
        Err(Error::Absent { .. }) => {
            let why = "its definition at creation is not there: a QuestDB before 8.2.2 made it".to_owned();
            return Ok(Begin::Copy { why, at_least: 0 });
        }
        other => drop(other?),
    }
    if token.kind == TableKind::MatView {
        noted.read_all(&format!("{dir}/_mv"), VIEW_MAX)?;
    }
    let survey = Survey::read(files, &log)?;
    if survey.is_complete() && survey.first_record <= 1 {
        return Ok(Begin::Created(packing.pack(dir, noted.pieces())));
    }
    let last = survey.purged.last().map_or(0, |range| *range.end());
    let why = format!("transactions up to {last} were purged before anything was sent");
    Ok(Begin::Copy { why, at_least: last })
}

/// Transactions that were read.
#[derive(Default)]
pub(super) struct Taken {
    /// They, if there are any.
    pub(super) run: Option<Run>,
    /// Why there are no more of them.
    pub(super) end: Option<End>,
    /// Statements among them about the table's storage policy, which a server that knows these may log.
    pub(super) policies: Vec<PolicyStatement>,
}

/// Why reading transactions ended before the last one.
#[derive(Debug)]
pub(super) enum End {
    /// A replica can't execute this one exactly.
    Statement {
        /// The transaction.
        seq_txn: u64,
        /// Why.
        why: String,
    },
    /// This one can't be read.
    Unreadable {
        /// The transaction.
        seq_txn: u64,
        /// Why.
        error: Error,
    },
}

/// Reads transactions `first ..= last` until they have `budget` bytes.
///
/// # Errors
/// What reading the sequencer's log answers.
pub(super) fn take(
    files: &BesideFiles,
    packing: &Packing,
    token: &Token,
    (first, last): (u64, u64),
    budget: u64,
) -> Result<Taken> {
    let dir = &token.dir;
    let log = SequencerLog::open(files, dir)?;
    let last = last.min(log.max_txn).min(first.saturating_add(RECORDS - 1));
    let records = log.records(files, first..=last)?;
    let noted = Noted::new(files);
    let begun = files.read_bytes();
    let mut metas = SegmentMetas::default();
    let (mut count, mut end) = (0u64, None);
    let mut policies = Vec::new();
    for record in &records {
        if count > 0 && files.read_bytes() - begun >= budget {
            break;
        }
        if let Some(found) = ask(&noted, token, record, &mut metas, &mut policies) {
            end = Some(found);
            break;
        }
        count += 1;
    }
    if count == 0 {
        return Ok(Taken { run: None, end, policies });
    }
    let records = raw_records(files, &log, first, first + count - 1)?;
    let part_size = match log.version {
        LogVersion::V1 => 0,
        LogVersion::V2 { part_size } => part_size,
    };
    let files = packing.pack(dir, noted.pieces());
    Ok(Taken { run: Some(Run { first_seq_txn: first, part_size, records, files }), end, policies })
}

fn ask(
    noted: &Noted<'_>,
    token: &Token,
    record: &TxnRecord,
    metas: &mut SegmentMetas,
    policies: &mut Vec<PolicyStatement>,
) -> Option<End> {
    let seq_txn = record.seq_txn;
    let asked = ask_transaction(noted, &token.dir, record, metas).and_then(|event| match event {
        // Not through what is noted: a replica has the table's definition.
        Some(Event::Sql(event)) => match parse_statement(&event.sql) {
            Ok(Some(statement)) => {
                policies.push(statement);
                Ok(None)
            }
            _ => obstacle(noted.inner(), &token.as_registered(false), record, &event)
                .map(|obstacle| obstacle.map(|why| (event.sql.clone(), why))),
        },
        _ => Ok(None),
    });
    match asked {
        Ok(None) => None,
        Ok(Some((sql, why))) => {
            let sql: String = sql.chars().take(200).collect();
            let why = format!("transaction {seq_txn} can't be reproduced from the log: {why} ({sql})");
            Some(End::Statement { seq_txn, why })
        }
        Err(error) => Some(End::Unreadable { seq_txn, error }),
    }
}

/// The records as they stand in the log.
///
/// # Errors
/// What reading answers.
pub(super) fn raw_records(
    files: &dyn Files,
    log: &SequencerLog,
    first: u64,
    last: u64,
) -> Result<Vec<Bytes>> {
    let mut records = Vec::new();
    let mut next = first;
    while next <= last {
        let (path, offset, len) = log.place(next);
        let mut end = next;
        while end < last && log.place(end + 1) == (path.clone(), offset + (end + 1 - next) * len, len) {
            end += 1;
        }
        let mut bytes = files.read(&path, offset, (end + 1 - next) * len)?;
        while !bytes.is_empty() {
            records.push(bytes.split_to(bytes.len().min(len as usize)));
        }
        next = end + 1;
    }
    Ok(records)
}
