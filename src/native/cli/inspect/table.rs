//! One table: its columns, segments and transactions.

use super::super::args::Inspect;
use super::super::out::Out;
use super::super::progress::grouped;
use super::super::tables::{self, clean, extend, pairs, ranges};
use super::super::when;
use super::{history_facts, txn};
use crate::native::outcome::{Exit, Result};
use crate::native::source::Source;
use crate::replay::History;
use crate::wal::{LogVersion, SegmentId, SequencerMeta, TableToken};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::ops::RangeInclusive;

pub(super) fn show(out: &Out, source: &Source, token: &TableToken, args: &Inspect) -> Result<Exit> {
    let history = tables::history(source, token)?;
    let meta = source.drive(|files| SequencerMeta::of_table(files, &token.dir));
    let segments = segments(&history);
    let limit = if args.limit == 0 { u64::MAX } else { args.limit };
    let first = args.from.unwrap_or(1).max(1);
    let listed: Vec<txn::Brief> = history
        .records
        .iter()
        .filter(|record| record.seq_txn >= first)
        .take(usize::try_from(limit).unwrap_or(usize::MAX))
        .map(|record| txn::Brief::read(source, &history, record))
        .collect();

    let mut text = summary(&history);
    text.push_str(&columns_text(meta.as_ref().ok(), &history));
    text.push_str(&segments_text(&segments));
    text.push_str(&transactions_text(&listed));
    out.text(&text)?;
    if let Some(release) = history.definition.other_release() {
        out.warn(format!("{}: {release}", clean(&token.name)));
    }
    if let Err(error) = &meta {
        out.warn(clean(&error.to_string()));
    }
    let last = listed.last().map_or(0, |brief| brief.seq_txn);
    if last > 0 && last < history.txn_count() {
        let left = grouped(history.txn_count() - last);
        out.note(format!("{left} more transactions: --from {} shows the next, --limit 0 all", last + 1));
    }
    if let Some(purged) = tables::purge_text(&history.survey) {
        out.note(format!("{purged}\n{}", tables::PURGE_ADVICE));
    }
    let mut told = json!({
        "table": token.name, "directory": token.dir, "id": token.id, "dropped": token.dropped,
        "kind": tables::kind(token.kind),
        "columns": meta.as_ref().map(columns_told).unwrap_or_default(),
        "segments": segments.iter().map(Segment::told).collect::<Vec<_>>(),
        "listed": listed.iter().map(txn::Brief::told).collect::<Vec<_>>(),
    });
    if let Some(told) = told.as_object_mut() {
        told.extend(history_facts(&history));
    }
    out.json(&told)?;
    Ok(Exit::Ok)
}

fn summary(history: &History) -> String {
    let token = &history.token;
    let log = match history.log.version {
        LogVersion::V1 => "V1".to_owned(),
        LogVersion::V2 { part_size } => format!("V2, {} transactions a part", grouped(part_size.into())),
    };
    let applied = match history.survey.applied {
        Some(applied) => format!("{} of {}", grouped(applied), grouped(history.txn_count())),
        None => "not known (no _txn file)".to_owned(),
    };
    let mut facts = vec![
        ("table", format!("{}{}", clean(&token.name), if token.dropped { " (dropped)" } else { "" })),
        ("directory", clean(&token.dir)),
        ("kind", format!("{}, id {}", tables::kind(token.kind), token.id)),
        ("partition by", history.definition.partition_by.name().unwrap_or("-").to_owned()),
        ("created", when::show(history.log.created_us)),
        ("log", log),
        ("transactions", grouped(history.txn_count())),
        ("applied", applied),
    ];
    if !history.survey.missing.is_empty() {
        facts.push(("missing", format!("segments of transactions {}", ranges(&history.survey.missing))));
    }
    facts.iter().map(|(name, value)| format!("{name:<14}{value}\n")).collect()
}

fn columns_text(meta: Option<&SequencerMeta>, history: &History) -> String {
    let Some(meta) = meta else { return String::new() };
    let rows: Vec<Vec<String>> = meta
        .columns
        .iter()
        .enumerate()
        .map(|(index, column)| {
            let mut remarks = Vec::new();
            if meta.timestamp == Some(index) {
                remarks.push("designated timestamp");
            }
            if column.dropped {
                remarks.push("dropped");
            }
            let first = history.definition.columns.get(index);
            if first.is_some_and(|column| column.dedup_key) {
                remarks.push("upsert key at creation");
            }
            vec![index.to_string(), clean(&column.name), column.ty.to_string(), remarks.join(", ")]
        })
        .collect();
    format!("\n{}", tables::columns(&["#", "column", "type", ""], &[true, false, false, false], &rows))
}

fn columns_told(meta: &SequencerMeta) -> Vec<Value> {
    let column = |(index, column): (usize, &crate::wal::MetaColumn)| {
        json!({
            "index": index, "name": column.name, "type": column.ty.to_string(), "dropped": column.dropped,
            "designated": meta.timestamp == Some(index),
        })
    };
    meta.columns.iter().enumerate().map(column).collect()
}

/// A segment with the transactions that it holds.
struct Segment {
    id: SegmentId,
    transactions: Vec<RangeInclusive<u64>>,
    count: u64,
    /// Commit times of the first and last, microseconds UTC.
    committed: (i64, i64),
    state: &'static str,
}

fn segments(history: &History) -> Vec<Segment> {
    let mut segments: BTreeMap<SegmentId, Segment> = BTreeMap::new();
    let within =
        |ranges: &[RangeInclusive<u64>], seq_txn| ranges.iter().any(|range| range.contains(&seq_txn));
    for record in history.records.iter() {
        let Some((id, _)) = record.segment() else { continue };
        let segment = segments.entry(id).or_insert_with(|| Segment {
            id,
            transactions: Vec::new(),
            count: 0,
            committed: (record.commit_ts, record.commit_ts),
            state: "",
        });
        extend(&mut segment.transactions, record.seq_txn);
        segment.count += 1;
        segment.committed.1 = record.commit_ts;
        if within(&history.survey.purged, record.seq_txn) {
            segment.state = "purged";
        } else if within(&history.survey.missing, record.seq_txn) {
            segment.state = "missing";
        }
    }
    segments.into_values().collect()
}

impl Segment {
    fn told(&self) -> Value {
        json!({
            "wal": self.id.wal, "segment": self.id.segment, "transactions": pairs(&self.transactions),
            "state": if self.state.is_empty() { "readable" } else { self.state },
            "first_commit": when::show(self.committed.0), "last_commit": when::show(self.committed.1),
        })
    }
}

fn segments_text(segments: &[Segment]) -> String {
    let rows: Vec<Vec<String>> = segments
        .iter()
        .map(|segment| {
            vec![
                format!("wal{}/{}", segment.id.wal, segment.id.segment),
                grouped(segment.count),
                ranges(&segment.transactions),
                when::show(segment.committed.0),
                when::show(segment.committed.1),
                segment.state.to_owned(),
            ]
        })
        .collect();
    let head = ["segment", "txns", "transactions", "first commit", "last commit", ""];
    format!("\n{}", tables::columns(&head, &[false, true, false, false, false, false], &rows))
}

fn transactions_text(listed: &[txn::Brief]) -> String {
    let rows: Vec<Vec<String>> = listed.iter().map(txn::Brief::row).collect();
    let head = ["txn", "committed", "written by", "rows", "what"];
    format!("\n{}", tables::columns(&head, &[true, false, false, true, false], &rows))
}
