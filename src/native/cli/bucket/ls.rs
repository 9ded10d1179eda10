//! `understudy ls STORE`: what is in a bucket.

use super::{size, span, with_cluster};
use crate::ledger::{Kind, Object, Pack, What};
use crate::native::bucket::{Bucket, GetAnswer};
use crate::native::cli::out::Out;
use crate::native::cli::progress::grouped;
use crate::native::cluster::{log_end, nodes, now_us};
use crate::native::outcome::{Exit, Failure, Result};
use serde::Serialize;
use std::collections::BTreeMap;

pub(in crate::native::cli) fn run(out: &Out, store: &str, from: Option<u64>, limit: u64) -> Result<Exit> {
    with_cluster(store, async |bucket, cluster| {
        let end = log_end(&bucket, &cluster).await?;
        let last = end.last.map_or(0, |last| last.n + 1);
        let limit = if limit == 0 { u64::MAX } else { limit };
        let first = from.unwrap_or(last.saturating_sub(limit)).min(last);
        out.text(format!("cluster {}\n", cluster.cluster))?;
        for span in &end.terms {
            let to = span.seal.map_or("open".to_owned(), |seal| format!("sealed at {}", grouped(seal)));
            out.text(format!(
                "term {} {} from {}, {to}\n",
                span.directory.term.0,
                span.directory,
                grouped(span.first)
            ))?;
        }
        for node in nodes(&bucket).await? {
            out.text(format!("node {} ({})\n", node.name, node.kind))?;
        }
        let mut objects = Vec::new();
        for place in (first..last.min(first.saturating_add(limit))).filter_map(|n| end.place(n)) {
            let told = match object(&bucket, place).await? {
                Some(object) => tell(&object)?,
                None => continue,
            };
            out.text(text(&told))?;
            objects.push(told);
        }
        let names: Vec<String> = nodes(&bucket).await?.into_iter().map(|node| node.name).collect();
        let terms: Vec<_> = end
            .terms
            .iter()
            .map(|span| serde_json::json!({ "directory": span.directory, "first": span.first, "seal": span.seal }))
            .collect();
        out.json(&serde_json::json!({
            "cluster": cluster.cluster, "end": last, "terms": terms, "nodes": names, "objects": objects,
        }))?;
        Ok(Exit::Ok)
    })
}

/// An object of the log; `None` if it is not there (any more).
async fn object(bucket: &Bucket, place: crate::ledger::Place) -> Result<Option<Object>> {
    match bucket.get(&place.to_string()).await {
        GetAnswer::Found(bytes) => Object::read(place, bytes)
            .map(Some)
            .map_err(|error| Failure::new(Exit::Damaged, error.to_string())),
        GetAnswer::NotFound => Ok(None),
        GetAnswer::Failed(trouble) => Err(Failure::failed(trouble.to_string())),
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Told {
    n: u64,
    key: String,
    kind: &'static str,
    committed_us: i64,
    bytes: u64,
    transactions: u64,
    tables: BTreeMap<String, Vec<String>>,
}

fn tell(object: &Object) -> Result<Told> {
    let head = object.head();
    let mut told = Told {
        n: head.place.n,
        key: head.place.to_string(),
        kind: if head.kind == Kind::Pack { "pack" } else { "seal" },
        committed_us: head.committed_us,
        bytes: object.bytes().len() as u64,
        transactions: 0,
        tables: BTreeMap::new(),
    };
    if head.kind == Kind::Pack {
        let pack: Pack = object.pack().map_err(|error| Failure::new(Exit::Damaged, error.to_string()))?;
        for entry in &pack.tables {
            if let What::Transactions(run) = &entry.what {
                told.transactions += run.records.len() as u64;
            }
            told.tables.entry(entry.token.dir.clone()).or_default().push(what(&entry.what));
        }
    }
    Ok(told)
}

/// What happened to a table, in a few words.
pub(super) fn what(what: &What) -> String {
    match what {
        What::Transactions(run) if run.records.len() == 1 => format!("transaction {}", run.first_seq_txn),
        What::Transactions(run) => format!("transactions {} to {}", run.first_seq_txn, run.last_seq_txn()),
        What::Created { .. } => "created".to_owned(),
        What::Renamed { to } => format!("renamed to {to}"),
        What::Dropped => "dropped".to_owned(),
        What::Base { seq_txn, why, .. } => format!("base at transaction {seq_txn}: {why}"),
        What::Digests { digests } => {
            let last = digests.last().map_or(0, |(seq_txn, _)| *seq_txn);
            format!("digest of transaction {last}")
        }
    }
}

fn text(told: &Told) -> String {
    let age = span(now_us() - told.committed_us);
    let mut text = format!("{:>12}  {:5} {:>10}  {age} ago", grouped(told.n), told.kind, size(told.bytes));
    for (dir, entries) in &told.tables {
        text.push_str(&format!("\n              {dir}: {}", entries.join(", ")));
    }
    text.push('\n');
    text
}
