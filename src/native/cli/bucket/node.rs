//! `understudy node`: the instances of a cluster.

use super::{span, with_cluster};
use crate::ledger::{Document, Journal, JournalEntry, Key, Note};
use crate::native::bucket::PutAnswer;
use crate::native::cli::out::Out;
use crate::native::cluster::{Survey, journal_end, now_us};
use crate::native::outcome::{Exit, Failure, Result};
use serde_json::json;

pub(in crate::native::cli) fn list(out: &Out, store: &str) -> Result<Exit> {
    with_cluster(store, async |bucket, cluster| {
        let survey = Survey::new(bucket, cluster).await?;
        let now = now_us();
        for node in &survey.nodes {
            let heard = match node.heard_us {
                0 => "never heard of".to_owned(),
                heard => format!("heard of {} ago", span(now - heard)),
            };
            let removed = if node.is_removed() { ", removed" } else { "" };
            out.text(format!("{} {} ({}), {heard}{removed}\n", node.number, node.name, node.kind))?;
        }
        let nodes: Vec<_> = survey
            .nodes
            .iter()
            .map(|node| {
                json!({
                    "number": node.number, "name": node.name, "kind": node.kind, "heardUs": node.heard_us,
                    "removed": node.is_removed(),
                })
            })
            .collect();
        out.json(&json!({ "nodes": nodes }))?;
        Ok(Exit::Ok)
    })
}

/// Says in an instance's journal that it is retired: nobody waits for it from then on. One that still runs finds that and
/// registers anew.
pub(in crate::native::cli) fn remove(out: &Out, store: &str, name: &str) -> Result<Exit> {
    with_cluster(store, async |bucket, cluster| {
        let survey = Survey::new(bucket.clone(), cluster).await?;
        let mut named = survey.nodes.iter().filter(|node| node.name == name);
        let Some(node) = named.find(|node| !node.is_removed()) else {
            let names: Vec<&str> = survey.nodes.iter().map(|node| node.name.as_str()).collect();
            return Err(Failure::failed(format!("there is no instance {name}"))
                .advise(format!("there are: {}", names.join(", "))));
        };
        let mut k = journal_end(&bucket, node.number, 0).await?;
        loop {
            let mut journal = Journal::new(survey.cluster.cluster, node.number, name, k);
            journal.written_us = node.heard_us;
            journal.entries.push(JournalEntry { at_us: now_us(), what: Note::Removed });
            if Journal::is_full(k) {
                journal.state = Some(node.tables.clone());
                journal.holds.clone_from(&node.holds);
            }
            let bytes = journal.to_bytes().map_err(|error| Failure::failed(error.to_string()))?;
            let key = Key::Journal { node: node.number, k }.to_string();
            match bucket.put_if_absent(&key, bytes).await {
                PutAnswer::Stored => break,
                PutAnswer::Taken => k = journal_end(&bucket, node.number, k).await?,
                PutAnswer::SlowDown(trouble)
                | PutAnswer::Unsettled(trouble)
                | PutAnswer::Refused(trouble) => {
                    return Err(Failure::failed(trouble.to_string()).advise("run it again"));
                }
            }
        }
        out.text(format!("{name} is retired: it holds nothing back any more\n"))?;
        out.json(&json!({ "removed": name, "number": node.number }))?;
        Ok(Exit::Ok)
    })
}
