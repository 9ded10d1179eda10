//! `understudy diff`

mod half;
mod report;
mod schema;
mod table;

use super::args::Diff;
use super::out::Out;
use super::tables::{self, clean, names};
use super::verify::severity;
use crate::native::outcome::{Exit, Failure, Result};
use crate::native::source::Source;
use crate::wal::{TableKind, TableToken};
use report::Report;
use serde_json::json;
use std::collections::BTreeMap;

pub(super) fn run(out: &Out, args: &Diff) -> Result<Exit> {
    let (a, b) = (Source::open(&args.a)?, Source::open(&args.b)?);
    let (in_a, in_b) = (tables::all(&a)?, tables::all(&b)?);
    let mut exit = Exit::Ok;
    let mut told = Vec::new();
    let mut equal = 0;
    for pair in choose(&in_a, &in_b, &args.table)? {
        let report = match (pair.a, pair.b) {
            (Some(left), Some(right)) => table::compare(*out, (&a, left), (&b, right), args.limit),
            _ => Report::of_one(pair.name.clone(), pair.a, pair.b),
        };
        out.text(report.text(args.limit))?;
        equal += usize::from(report.exit() == Exit::Ok);
        exit = [exit, report.exit()].into_iter().max_by_key(|exit| severity(*exit)).unwrap_or(exit);
        told.push(report.told());
    }
    if told.len() > 1 {
        out.note(format!("{equal} of {} tables are equal", told.len()));
    }
    out.json(&json!({ "a": a.shown(), "b": b.shown(), "result": exit, "tables": told }))?;
    Ok(exit)
}

/// Tables of the same name.
struct Pair<'a> {
    name: String,
    a: Option<&'a TableToken>,
    b: Option<&'a TableToken>,
}

/// The tables asked for, else all with rows that were not dropped, without QuestDB's own.
fn choose<'a>(a: &'a [TableToken], b: &'a [TableToken], asked: &[String]) -> Result<Vec<Pair<'a>>> {
    let mut pairs: BTreeMap<String, Pair<'a>> = BTreeMap::new();
    for (tables, left) in [(a, true), (b, false)] {
        let there = |table: &&TableToken| !table.dropped && table.kind != TableKind::View;
        for table in tables.iter().filter(there) {
            let new = || Pair { name: table.name.clone(), a: None, b: None };
            let pair = pairs.entry(table.name.to_lowercase()).or_insert_with(new);
            *(if left { &mut pair.a } else { &mut pair.b }) = Some(table);
        }
    }
    if asked.is_empty() {
        let system = |pair: &Pair<'_>| pair.a.or(pair.b).is_some_and(TableToken::is_system);
        return Ok(pairs.into_values().filter(|pair| !system(pair)).collect());
    }
    let mut chosen = Vec::new();
    for name in asked {
        match pairs.remove(&name.to_lowercase()) {
            Some(pair) => chosen.push(pair),
            None => {
                let there = names(a.iter().chain(b).filter(|table| !table.dropped && !table.is_system()));
                return Err(Failure::failed(format!("there is no table {:?} in either", clean(name)))
                    .advise(format!("there are: {there}")));
            }
        }
    }
    Ok(chosen)
}
