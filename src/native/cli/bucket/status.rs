//! `understudy status STORE`: a cluster, from its bucket alone.

use super::{size, span, with_cluster};
use crate::ledger::PolicyNote;
use crate::native::cli::out::Out;
use crate::native::cli::progress::grouped;
use crate::native::cli::tables::clean;
use crate::native::cluster::{NodeState, Survey, now_us};
use crate::native::outcome::{Exit, Result};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How often `--watch` looks.
const WATCH: Duration = Duration::from_secs(2);

pub(in crate::native::cli) fn run(out: &Out, store: &str, watch: bool, gone_after: Duration) -> Result<Exit> {
    with_cluster(store, async |bucket, cluster| {
        let mut survey = Survey::new(bucket, cluster).await?;
        loop {
            let told = tell(&survey, gone_after).await?;
            if watch && !out.json {
                // The screen is cleared, the cursor put at its top.
                out.text("\x1b[2J\x1b[H")?;
            }
            out.text(text(&told))?;
            out.json(&told)?;
            if !watch {
                return Ok(told.result);
            }
            tokio::time::sleep(WATCH).await;
            survey.look().await?;
        }
    })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Told {
    cluster: String,
    result: Exit,
    /// The newest object's number.
    head: Option<u64>,
    directory: Option<String>,
    term: u64,
    /// Microseconds since the newest object was written, by this machine's clock.
    age_us: Option<i64>,
    nodes: Vec<ToldNode>,
    tables: Vec<ToldTable>,
    converged: bool,
    summary: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ToldNode {
    number: u32,
    name: String,
    kind: String,
    role: String,
    /// `up`, `stopped`, `fenced`, `gone`, `removed`.
    state: &'static str,
    heard_us: i64,
    reached: Option<u64>,
    lag_objects: u64,
    lag_bytes: Option<u64>,
    lag_us: i64,
    lag_transactions: u64,
    errors: BTreeMap<String, String>,
    not_replicated: BTreeMap<String, String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ToldTable {
    directory: String,
    /// What the writer has sent.
    seq_txn: u64,
    /// By instance.
    applied: BTreeMap<String, u64>,
    /// By instance: whether its digest is the writer's, where both are of one transaction.
    digests: BTreeMap<String, bool>,
    /// Its storage policy.
    policy: Option<PolicyNote>,
    /// By instance, of a table with a storage policy: what becomes of it there, and the forms of its partitions.
    stored: BTreeMap<String, Stored>,
    /// Partitions that replicas store in different forms, of a table with a storage policy.
    forms_differ: usize,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Stored {
    standing: Option<String>,
    /// Partitions by form.
    forms: BTreeMap<String, usize>,
    /// Tasks that were given up, by partition.
    given_up: BTreeMap<String, String>,
}

async fn tell(survey: &Survey, gone_after: Duration) -> Result<Told> {
    let now = now_us();
    let newest = newest_transactions(survey);
    let mut nodes = Vec::new();
    for node in &survey.nodes {
        let state = state_of(node, now, gone_after);
        let (lag_objects, lag_bytes, lag_us) = match state {
            "up" => survey.lag(node).await?,
            _ => (0, None, 0),
        };
        let lag_transactions =
            newest.iter().map(|(dir, newest)| newest - node.tables.get(dir).unwrap_or(&0).min(newest)).sum();
        nodes.push(ToldNode {
            number: node.number,
            name: node.name.clone(),
            kind: node.kind.clone(),
            role: node.role().to_owned(),
            state,
            heard_us: node.heard_us,
            reached: node.has_reached.then_some(node.reached),
            lag_objects,
            lag_bytes,
            lag_us,
            lag_transactions,
            errors: node
                .errors()
                .map(|(table, text)| (table.unwrap_or("").to_owned(), text.to_owned()))
                .collect(),
            not_replicated: node
                .not_replicated()
                .map(|(dir, why)| (dir.to_owned(), why.to_owned()))
                .collect(),
        });
    }
    let tables = tables(survey, &newest, now, gone_after);
    let (converged, summary) = sum_up(&nodes, &tables);
    let wrong = tables.iter().any(|table| table.digests.values().any(|equal| !equal));
    let stopped = nodes.iter().any(|node| node.state == "up" && !node.errors.is_empty());
    Ok(Told {
        cluster: survey.cluster.cluster.to_string(),
        result: if wrong || stopped { Exit::Diverged } else { Exit::Ok },
        head: survey.end.last.map(|last| last.n),
        directory: survey.end.last.map(|last| last.dir.to_string()),
        term: survey.end.terms.last().map_or(0, |span| span.directory.term.0),
        age_us: survey.end.last.map(|_| (now - survey.end.committed_us).max(0)),
        nodes,
        tables,
        converged,
        summary,
    })
}

/// The last transaction of each table that a writer has sent.
fn newest_transactions(survey: &Survey) -> BTreeMap<String, u64> {
    let mut newest: BTreeMap<String, u64> = BTreeMap::new();
    for (dir, seq_txn) in writer(survey).iter().flat_map(|node| &node.tables) {
        newest.insert(dir.clone(), *seq_txn);
    }
    newest
}

/// Of several writers the one that was heard of last counts: others were fenced.
fn writer(survey: &Survey) -> Option<&NodeState> {
    survey.nodes.iter().filter(|node| writes(node)).max_by_key(|node| node.heard_us)
}

fn writes(node: &NodeState) -> bool {
    node.kind == "shipper" || node.role() == "primary"
}

fn state_of(node: &NodeState, now: i64, gone_after: Duration) -> &'static str {
    let silent = now.saturating_sub(node.heard_us);
    if node.is_removed() {
        "removed"
    } else if silent > i64::try_from(gone_after.as_micros()).unwrap_or(i64::MAX) {
        "gone"
    } else if node.is_fenced() {
        "fenced"
    } else if node.is_stopped() {
        "stopped"
    } else {
        "up"
    }
}

fn tables(survey: &Survey, newest: &BTreeMap<String, u64>, now: i64, gone_after: Duration) -> Vec<ToldTable> {
    let policies: BTreeMap<&str, &PolicyNote> =
        writer(survey).iter().flat_map(|node| node.policies()).collect();
    let of_writer = |dir: &str| {
        survey.nodes.iter().filter(|node| writes(node)).find_map(|node| node.digests.get(dir).cloned())
    };
    let replicas: Vec<&NodeState> =
        survey.nodes.iter().filter(|node| !writes(node) && state_of(node, now, gone_after) == "up").collect();
    let table = |(dir, seq_txn): (&String, &u64)| {
        let writer = of_writer(dir);
        let mut told = ToldTable {
            directory: dir.clone(),
            seq_txn: *seq_txn,
            applied: BTreeMap::new(),
            digests: BTreeMap::new(),
            policy: policies.get(dir.as_str()).map(|policy| (*policy).clone()),
            stored: BTreeMap::new(),
            forms_differ: 0,
        };
        if told.policy.is_some() {
            told.stored = replicas.iter().map(|node| (node.name.clone(), stored(node, dir))).collect();
            told.forms_differ = forms_differ(&replicas, dir);
        }
        for node in &replicas {
            if let Some(applied) = node.tables.get(dir) {
                told.applied.insert(node.name.clone(), *applied);
            }
            if let (Some(one), Some(other)) = (node.digests.get(dir), &writer)
                && one.0 == other.0
            {
                told.digests.insert(node.name.clone(), one.1 == other.1);
            }
        }
        told
    };
    newest.iter().map(table).collect()
}

/// How an instance stores a table.
fn stored(node: &NodeState, dir: &str) -> Stored {
    let mut forms: BTreeMap<String, usize> = BTreeMap::new();
    for form in node.forms.get(dir).into_iter().flat_map(BTreeMap::values) {
        *forms.entry(form.to_string()).or_default() += 1;
    }
    let standing = node.standings().find(|(table, _)| *table == dir).map(|(_, text)| text.to_owned());
    let of_partition = |table: &str| Some(table.strip_prefix(dir)?.strip_prefix('/')?.to_owned());
    let errors = node.errors().filter_map(|(table, text)| Some((of_partition(table?)?, text.to_owned())));
    Stored { standing, forms, given_up: errors.collect() }
}

/// Partitions that not all of these store in the same form, as far as they have told.
fn forms_differ(nodes: &[&NodeState], dir: &str) -> usize {
    let tables: Vec<_> = nodes.iter().filter_map(|node| node.forms.get(dir)).collect();
    let names: BTreeSet<&String> = tables.iter().flat_map(|table| table.keys()).collect();
    let differs = |name: &&&String| {
        let forms: BTreeSet<_> =
            tables.iter().map(|table| table.get(**name).map(ToString::to_string)).collect();
        forms.len() > 1
    };
    names.iter().filter(differs).count()
}

fn sum_up(nodes: &[ToldNode], tables: &[ToldTable]) -> (bool, String) {
    let replicas = nodes.iter().filter(|node| node.state == "up" && node.kind == "replica").count();
    let differ = tables.iter().filter(|table| table.digests.values().any(|equal| !equal)).count();
    let behind =
        tables.iter().filter(|table| table.applied.values().any(|applied| *applied < table.seq_txn)).count();
    let stopped: usize = nodes.iter().filter(|node| node.state == "up").map(|node| node.errors.len()).sum();
    if replicas == 0 {
        return (false, "no replica is up".to_owned());
    }
    let forms: usize = tables.iter().map(|table| table.forms_differ).sum();
    if differ + behind + stopped + forms == 0 {
        return (true, format!("converged: {replicas} replicas are level with {} tables", tables.len()));
    }
    let mut parts = Vec::new();
    if differ > 0 {
        parts.push(format!("{differ} tables differ"));
    }
    if forms > 0 {
        parts.push(format!("{forms} partitions are stored in different forms"));
    }
    if behind > 0 {
        parts.push(format!("{behind} of {} tables are behind", tables.len()));
    }
    if stopped > 0 {
        parts.push(format!("{stopped} errors"));
    }
    (false, parts.join(", "))
}

/// A policy and whether it is acted upon.
pub(in crate::native::cli) fn policy_text(policy: &PolicyNote) -> String {
    let state = match (&policy.ttl, policy.status.as_str()) {
        (Some(ttl), _) => format!("suspended by the table's TTL of {ttl}"),
        (None, "A") => "active".to_owned(),
        (None, "D") => "disabled".to_owned(),
        (None, other) => format!("of status {other}"),
    };
    format!("storage policy {}, {state}", clean(&policy.policy))
}

fn text(told: &Told) -> String {
    let mut text = format!("cluster {}, term {}", told.cluster, told.term);
    match (told.head, told.age_us) {
        (Some(head), Some(age)) => {
            text.push_str(&format!(", log at {}, written {} ago\n", grouped(head), span(age)));
        }
        _ => text.push_str(", nothing in the log yet\n"),
    }
    let width = told.nodes.iter().map(|node| node.name.len()).max().unwrap_or(0).max(4);
    text.push_str(&format!(
        "{:width$}  {:8} {:8} {:>10}  {:>12}  LAG\n",
        "NODE", "KIND", "STATE", "HEARD", "AT"
    ));
    let now = now_us();
    for node in &told.nodes {
        let heard = if node.heard_us == 0 { "never".to_owned() } else { span(now - node.heard_us) };
        let at = node.reached.map_or("-".to_owned(), grouped);
        let lag = match node.lag_objects {
            _ if node.state != "up" => String::new(),
            0 => "level".to_owned(),
            objects => format!(
                "{} objects{}, {} transactions, {}",
                grouped(objects),
                node.lag_bytes.map_or(String::new(), |bytes| format!(", {}", size(bytes))),
                grouped(node.lag_transactions),
                span(node.lag_us)
            ),
        };
        text.push_str(&format!(
            "{:width$}  {:8} {:8} {heard:>10}  {at:>12}  {lag}\n",
            node.name, node.kind, node.state
        ));
        for (table, error) in &node.errors {
            text.push_str(&format!(
                "  {}{error}\n",
                if table.is_empty() { String::new() } else { format!("{table}: ") }
            ));
        }
        if !node.not_replicated.is_empty() {
            let tables: Vec<String> =
                node.not_replicated.iter().map(|(table, why)| format!("{table} ({why})")).collect();
            text.push_str(&format!("  not replicated: {}\n", tables.join(", ")));
        }
    }
    for table in &told.tables {
        if let Some(policy) = &table.policy {
            text.push_str(&format!("{}: {}\n", table.directory, policy_text(policy)));
            for (node, stored) in &table.stored {
                let forms: Vec<String> = stored
                    .forms
                    .iter()
                    .map(|(form, count)| format!("{} {form}", grouped(*count as u64)))
                    .collect();
                let standing = stored.standing.as_deref().unwrap_or("nothing told of the policy");
                text.push_str(&format!("  {node}: {}; {}\n", clean(standing), forms.join(", ")));
                for (partition, why) in &stored.given_up {
                    text.push_str(&format!("    partition {}: {}\n", clean(partition), clean(why)));
                }
            }
        }
    }
    text.push_str(&told.summary);
    text.push('\n');
    text
}
