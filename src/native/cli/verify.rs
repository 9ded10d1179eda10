//! `understudy verify`

use super::args::Verify;
use super::bucket;
use super::out::Out;
use super::progress::{Progress, grouped};
use super::tables::{self, clean, extend, pairs, ranges};
use crate::columnar::parquet::ParquetForm;
use crate::native::outcome::{Exit, Result, exit_of};
use crate::native::source::Source;
use crate::replay::History;
use crate::table::files::read::AppliedTable;
use crate::wal::{self, Applied, Cause, Error, Files, TableKind, TableToken, Transaction, read_transaction};
use serde::Serialize;
use std::ops::RangeInclusive;

pub(super) fn run(out: &Out, args: &Verify) -> Result<Exit> {
    if bucket::is_store(&args.source) {
        return bucket::verify::run(out, &args.source, args.deep);
    }
    let source = Source::open(&args.source)?;
    let all = tables::all(&source)?;
    let chosen: Vec<&TableToken> = if args.table.is_empty() {
        all.iter().filter(|table| table.kind != TableKind::Plain).collect()
    } else {
        args.table.iter().map(|name| tables::find(&all, name)).collect::<Result<_>>()?
    };
    let reports: Vec<Report> = chosen.into_iter().map(|token| check(*out, &source, token)).collect();
    let exit = reports.iter().map(Report::exit).max_by_key(|exit| severity(*exit)).unwrap_or(Exit::Ok);
    let purged = reports.iter().any(|report| !report.purged.is_empty());
    for report in &reports {
        out.text(report.text())?;
    }
    if purged {
        out.note(tables::PURGE_ADVICE);
    }
    let told: Vec<Told<'_>> = reports.iter().map(Report::told).collect();
    out.json(&serde_json::json!({ "source": source.shown(), "result": exit, "tables": told }))?;
    Ok(exit)
}

/// What reading all of a table's log showed.
struct Report {
    token: TableToken,
    transactions: u64,
    read: u64,
    rows: u64,
    purged: Vec<RangeInclusive<u64>>,
    purge_text: Option<String>,
    findings: Vec<Finding>,
}

/// One piece of damage and the transactions that can't be read for it.
struct Finding {
    error: Error,
    transactions: Vec<RangeInclusive<u64>>,
}

fn check(out: Out, source: &Source, token: &TableToken) -> Report {
    let mut report = Report {
        token: token.clone(),
        transactions: 0,
        read: 0,
        rows: 0,
        purged: Vec::new(),
        purge_text: None,
        findings: Vec::new(),
    };
    match tables::history(source, token) {
        Ok(history) => check_log(out, source, &history, &mut report),
        Err(error) => report.findings.push(Finding { error, transactions: Vec::new() }),
    }
    if !token.dropped
        && let Err(error) = source.drive(|files| applied(files, token))
        && !matches!(error, Error::Absent { .. })
    {
        report.findings.push(Finding { error, transactions: Vec::new() });
    }
    report
}

/// Reads what was applied, and what its Parquet files say of themselves.
fn applied(files: &dyn Files, token: &TableToken) -> wal::Result<()> {
    if Applied::read(files, &token.dir)?.partitions.iter().any(|part| part.parquet) {
        return AppliedTable::read(files, token)?.with_form(&ParquetForm).check_forms(files);
    }
    Ok(())
}

fn check_log(out: Out, source: &Source, history: &History, report: &mut Report) {
    report.transactions = history.txn_count();
    report.purged.clone_from(&history.survey.purged);
    report.purge_text = tables::purge_text(&history.survey);
    let mut progress =
        Progress::new(out, format!("reading {}", history.token.name), "transactions", report.transactions);
    let known_purged = |seq_txn| history.survey.purged.iter().any(|range| range.contains(&seq_txn));
    let mut purged_meanwhile = Vec::new();
    for record in history.records.iter() {
        progress.set(record.seq_txn);
        if record.segment().is_some() && known_purged(record.seq_txn) {
            continue;
        }
        match source.drive(|files| read_transaction(files, &history.token.dir, record)) {
            Ok(transaction) => {
                report.read += 1;
                if let Transaction::Rows(commit) = transaction {
                    report.rows += commit.rows as u64;
                }
            }
            Err(error) if history.survey.cause(record.seq_txn, &error) == Cause::Purged => {
                extend(&mut purged_meanwhile, record.seq_txn);
            }
            Err(error) => report.add(error, record.seq_txn),
        }
    }
    report.purged.extend(purged_meanwhile);
}

impl Report {
    fn add(&mut self, error: Error, seq_txn: u64) {
        match self.findings.iter_mut().find(|finding| finding.error == error) {
            Some(finding) => extend(&mut finding.transactions, seq_txn),
            None => self.findings.push(Finding { error, transactions: vec![seq_txn..=seq_txn] }),
        }
    }

    fn exit(&self) -> Exit {
        self.findings
            .iter()
            .map(|finding| exit_of(&finding.error))
            .max_by_key(|exit| severity(*exit))
            .unwrap_or(Exit::Ok)
    }

    fn text(&self) -> String {
        let Self { token, transactions, read, rows, .. } = self;
        let dropped = if token.dropped { " (dropped)" } else { "" };
        let state = if self.findings.is_empty() { "ok" } else { "DAMAGED" };
        let mut text = format!(
            "{}{dropped}: {state}, {} of {} transactions read, {} rows\n",
            clean(&token.name),
            grouped(*read),
            grouped(*transactions),
            grouped(*rows)
        );
        if let Some(purged) = &self.purge_text {
            text.push_str(&format!("  {purged}\n"));
        }
        for finding in &self.findings {
            text.push_str(&format!("  {}\n", clean(&finding.error.to_string())));
            text.push_str(&match finding.transactions.as_slice() {
                [] if *transactions == 0 => "    the table can't be read\n".to_owned(),
                [] => "    no transaction of the log is affected\n".to_owned(),
                affected => format!("    affected: transactions {}\n", ranges(affected)),
            });
        }
        text
    }

    fn told(&self) -> Told<'_> {
        let findings = self.findings.iter().map(|finding| ToldFinding {
            kind: exit_of(&finding.error),
            message: finding.error.to_string(),
            file: place(&finding.error).0,
            offset: place(&finding.error).1,
            transactions: pairs(&finding.transactions),
        });
        Told {
            table: &self.token.name,
            directory: &self.token.dir,
            dropped: self.token.dropped,
            transactions: self.transactions,
            read: self.read,
            rows: self.rows,
            purged: pairs(&self.purged),
            findings: findings.collect(),
        }
    }
}

/// What keeps from knowing is worse than what is known to be wrong.
pub(super) fn severity(exit: Exit) -> u8 {
    match exit {
        Exit::Ok => 0,
        Exit::Suspended => 1,
        Exit::Diverged => 2,
        Exit::Purged | Exit::Unanswered => 3,
        Exit::Unsupported => 4,
        Exit::Damaged | Exit::Fenced => 5,
        Exit::Failed => 6,
        Exit::Usage => 7,
    }
}

fn place(error: &Error) -> (Option<&str>, Option<u64>) {
    match error {
        Error::Damaged { file, offset, .. } | Error::Unsupported { file, offset, .. } => {
            (Some(file), Some(*offset))
        }
        Error::Short { file, len, .. } => (Some(file), Some(*len)),
        Error::Absent { file } | Error::Io { file, .. } => (Some(file), None),
        _ => (None, None),
    }
}

#[derive(Serialize)]
struct Told<'a> {
    table: &'a str,
    directory: &'a str,
    dropped: bool,
    transactions: u64,
    read: u64,
    rows: u64,
    purged: Vec<[u64; 2]>,
    findings: Vec<ToldFinding<'a>>,
}

#[derive(Serialize)]
struct ToldFinding<'a> {
    kind: Exit,
    message: String,
    file: Option<&'a str>,
    offset: Option<u64>,
    transactions: Vec<[u64; 2]>,
}
