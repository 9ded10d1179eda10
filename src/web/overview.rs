//! All tables of a directory, and what is wrong with any of them.

use super::dto;
use super::failure::Failure;
use crate::replay::History;
use crate::wal::{Error, Result, TableKind, TableToken};
use std::collections::BTreeMap;
use std::ops::RangeInclusive;

/// What QuestDB does by default, and how to keep it from doing so.
const PURGE_ADVICE: &str = "QuestDB deletes segments soon after applying them. To keep a history, raise \
    cairo.wal.purge.interval (in milliseconds) in server.conf before the data is written";

/// The tables as first read, and problems as they are found.
#[derive(Debug, Default)]
pub(super) struct Listed {
    tables: Vec<dto::TableInfo>,
    problems: Vec<dto::Problem>,
}

impl Listed {
    /// As JavaScript gets it.
    pub(super) fn overview(&self, title: &str) -> dto::Overview {
        let smallest = |a: f64, b: f64| a.min(b);
        dto::Overview {
            title: title.to_owned(),
            tables: self.tables.clone(),
            first_us: self.tables.iter().filter_map(|table| table.first_us).reduce(smallest),
            last_us: self.tables.iter().filter_map(|table| table.last_us).reduce(f64::max),
            problems: self.problems.clone(),
        }
    }

    /// Notes a problem once.
    pub(super) fn add(&mut self, problem: dto::Problem) {
        if !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }
}

/// Tables with what was read of each log, and the histories to play. QuestDB's own tables are left out.
pub(super) fn list(
    tokens: Vec<TableToken>,
    mut read: BTreeMap<String, Result<History>>,
    has_listing: bool,
) -> (Listed, BTreeMap<String, History>) {
    let mut listed = Listed::default();
    let mut histories = BTreeMap::new();
    for token in tokens.into_iter().filter(|token| !token.is_system()) {
        match read.remove(&token.dir) {
            Some(Ok(history)) => {
                listed.tables.push(table_info(&history));
                listed.problems.extend(survey_problems(&history));
                histories.insert(token.dir, history);
            }
            answer => {
                if let Some(Err(error)) = answer {
                    listed.problems.push(unreadable(&token, error, has_listing));
                }
                listed.tables.push(without_log(token));
            }
        }
    }
    (listed, histories)
}

fn table_info(history: &History) -> dto::TableInfo {
    let definition = &history.definition;
    let timestamp = definition.timestamp.and_then(|index| definition.columns.get(index));
    let commit_us = |record: Option<&crate::wal::TxnRecord>| record.map(|record| record.commit_ts as f64);
    let commits = history.records.iter().map(|record| record.commit_ts as f64);
    dto::TableInfo {
        partition_by: definition.partition_by.name().unwrap_or("N/A"),
        timestamp_column: timestamp.map_or_else(String::new, |column| column.name.clone()),
        timestamp_type: match timestamp {
            Some(column) if column.ty.is_nanos() => "TIMESTAMP_NS",
            _ => "TIMESTAMP",
        },
        created_us: history.log.created_us as f64,
        txn_count: history.txn_count() as f64,
        purged: history
            .survey
            .purged
            .iter()
            .map(|range| (*range.start() as f64, *range.end() as f64))
            .collect(),
        replayable: history.first_state().is_some(),
        first_txn: history.first_state().map(|first| first as f64),
        dropped_at_txn: history.dropped_at().map(|txn| txn as f64),
        applied_txn: history.applied.as_ref().map(|applied| applied.seq_txn as f64),
        first_us: commit_us(history.records.first()),
        // Commit times are a server's wall clock; the last record need not be the latest.
        last_us: commits.reduce(f64::max),
        ..without_log(history.token.clone())
    }
}

fn without_log(token: TableToken) -> dto::TableInfo {
    dto::TableInfo {
        dir: token.dir,
        name: token.name,
        id: token.id,
        kind: match token.kind {
            TableKind::Plain => "plain",
            TableKind::Wal => "table",
            TableKind::MatView => "materialized view",
            TableKind::View => "view",
        },
        partition_by: "NONE",
        timestamp_column: String::new(),
        timestamp_type: "TIMESTAMP",
        created_us: 0.0,
        txn_count: 0.0,
        purged: Vec::new(),
        replayable: false,
        first_txn: None,
        dropped_at_txn: None,
        applied_txn: None,
        first_us: None,
        last_us: None,
    }
}

fn survey_problems(history: &History) -> Vec<dto::Problem> {
    let problem = |severity, message: String, advice: &str| dto::Problem {
        severity,
        table: Some(history.token.dir.clone()),
        file: None,
        offset: None,
        message,
        advice: Some(advice.to_owned()),
    };
    let mut problems = Vec::new();
    if let Some(release) = history.definition.other_release() {
        problems.push(problem(
            dto::Severity::Warning,
            release.to_owned(),
            "compare with what that server answers",
        ));
    }
    if !history.survey.purged.is_empty() {
        let ranges = ranges_text(&history.survey.purged);
        let mut message = format!("rows of transactions {ranges} were purged after QuestDB applied them");
        if let Some(first) = history.first_state() {
            message.push_str(&format!("; the first state is QuestDB's own table as of transaction {first}"));
        }
        problems.push(problem(dto::Severity::Note, message, PURGE_ADVICE));
    }
    if !history.survey.missing.is_empty() {
        let ranges = ranges_text(&history.survey.missing);
        let message =
            format!("segments of transactions {ranges} are missing although QuestDB has not applied them");
        problems.push(problem(
            dto::Severity::Error,
            message,
            "copy the whole `db` directory; if it is whole, these transactions are lost",
        ));
    }
    problems
}

fn unreadable(token: &TableToken, error: Error, has_listing: bool) -> dto::Problem {
    let is_plain = token.kind == TableKind::Plain;
    let is_absent = matches!(error, Error::Absent { .. });
    let failure = Failure::from(error);
    dto::Problem {
        severity: if is_plain { dto::Severity::Note } else { dto::Severity::Error },
        table: Some(token.dir.clone()),
        file: failure.file,
        offset: failure.offset,
        message: failure.message,
        advice: (is_absent && !has_listing).then(|| {
            "if the file is there under another name, run `understudy index DIR`: a static server can't list"
                .to_owned()
        }),
    }
}

fn ranges_text(ranges: &[RangeInclusive<u64>]) -> String {
    let texts = ranges.iter().take(3).map(|range| {
        if range.start() == range.end() {
            format!("{}", range.start())
        } else {
            format!("{} to {}", range.start(), range.end())
        }
    });
    let mut text = texts.collect::<Vec<_>>().join(", ");
    if ranges.len() > 3 {
        text.push_str(&format!(" and {} more ranges", ranges.len() - 3));
    }
    text
}
