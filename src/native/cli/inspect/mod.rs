//! `understudy inspect`: what is in a log, from the list of tables down to the bytes of one transaction.

mod table;
mod txn;

use super::args::Inspect;
use super::bucket;
use super::out::Out;
use super::progress::grouped;
use super::tables::{self, clean};
use super::verify::severity;
use super::when;
use crate::native::outcome::{Exit, Result, exit_of};
use crate::native::source::Source;
use crate::replay::History;
use crate::wal::{TableKind, TableToken};
use serde_json::{Value, json};

pub(super) fn run(out: &Out, args: &Inspect) -> Result<Exit> {
    if bucket::is_store(&args.source) {
        return bucket::object::run(out, &args.source, args.table.as_deref());
    }
    let source = Source::open(&args.source)?;
    let all = tables::all(&source)?;
    match (&args.table, args.txn) {
        (None, _) => overview(out, &source, &all, args.all),
        (Some(name), None) => table::show(out, &source, tables::find(&all, name)?, args),
        (Some(name), Some(seq_txn)) => {
            let items =
                if args.limit == 0 { usize::MAX } else { usize::try_from(args.limit).unwrap_or(usize::MAX) };
            txn::show(out, &source, tables::find(&all, name)?, seq_txn, items)
        }
    }
}

fn overview(out: &Out, source: &Source, all: &[TableToken], system_too: bool) -> Result<Exit> {
    let (mut rows, mut told, mut notes) = (Vec::new(), Vec::new(), Vec::new());
    let mut exit = Exit::Ok;
    let hidden = all.iter().filter(|table| table.is_system()).count();
    for token in all.iter().filter(|table| system_too || !table.is_system()) {
        let history = (token.kind != TableKind::Plain).then(|| tables::history(source, token)).transpose();
        match history {
            Ok(history) => {
                if let Some(purged) = history.as_ref().and_then(|history| tables::purge_text(&history.survey))
                {
                    notes.push(format!("{}: {purged}", clean(&token.name)));
                }
                rows.push(row(token, history.as_ref()));
                told.push(tell(token, history.as_ref()));
            }
            Err(error) => {
                exit = [exit, exit_of(&error)].into_iter().max_by_key(|exit| severity(*exit)).unwrap_or(exit);
                notes.push(format!("{}: {}", clean(&token.name), clean(&error.to_string())));
                rows.push(vec![clean(&token.name), token.dir.clone(), "can't be read".to_owned()]);
                told.push(json!({ "table": token.name, "directory": token.dir, "error": error.to_string() }));
            }
        }
    }
    let head = ["table", "directory", "kind", "partitions", "txns", "applied", "replay", "last commit"];
    out.text(tables::columns(&head, &[false, false, false, false, true, true, false, false], &rows))?;
    if hidden > 0 && !system_too {
        out.note(format!("{hidden} of QuestDB's own tables are not shown; --all shows them"));
    }
    let purged = notes.iter().any(|note| note.contains("were purged"));
    for note in notes {
        out.note(note);
    }
    if purged {
        out.note(tables::PURGE_ADVICE);
    }
    out.json(&json!({ "source": source.shown(), "tables": told }))?;
    Ok(exit)
}

fn row(token: &TableToken, history: Option<&History>) -> Vec<String> {
    let kind = format!("{}{}", tables::kind(token.kind), if token.dropped { ", dropped" } else { "" });
    let mut row = vec![clean(&token.name), clean(&token.dir), kind];
    if let Some(history) = history {
        let applied = history.survey.applied.map_or_else(|| "-".to_owned(), grouped);
        let last =
            history.records.last().map_or_else(|| "-".to_owned(), |record| when::show(record.commit_ts));
        row.extend([
            history.definition.partition_by.name().unwrap_or("-").to_owned(),
            grouped(history.txn_count()),
            applied,
            match history.first_state() {
                Some(0) => "yes".to_owned(),
                Some(first) => format!("from {}", grouped(first)),
                None => "purged".to_owned(),
            },
            last,
        ]);
    } else {
        row.push("- (no WAL)".to_owned());
    }
    row
}

fn tell(token: &TableToken, history: Option<&History>) -> Value {
    let mut told = json!({
        "table": token.name, "directory": token.dir, "id": token.id, "dropped": token.dropped,
        "kind": tables::kind(token.kind), "system": token.is_system(),
    });
    if let (Some(history), Some(told)) = (history, told.as_object_mut()) {
        told.extend(history_facts(history));
    }
    told
}

/// What is known of a log without reading its rows.
fn history_facts(history: &History) -> serde_json::Map<String, Value> {
    let Value::Object(facts) = json!({
        "partition_by": history.definition.partition_by.name().unwrap_or("-"),
        "transactions": history.txn_count(),
        "applied": history.survey.applied,
        "replayable": history.is_replayable(),
        "first_state": history.first_state(),
        "purged": tables::pairs(&history.survey.purged),
        "missing": tables::pairs(&history.survey.missing),
        "created": when::show(history.log.created_us),
        "first_commit": history.records.first().map(|record| when::show(record.commit_ts)),
        "last_commit": history.records.last().map(|record| when::show(record.commit_ts)),
    }) else {
        return serde_json::Map::new();
    };
    facts
}
