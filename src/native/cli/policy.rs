//! `understudy policy`

use super::args::time;
use super::bucket::with_cluster;
use super::out::Out;
use super::tables::{clean, columns};
use crate::ledger::{Cluster, PolicyChange, PolicyRequest, Request};
use crate::native::bucket::Bucket;
use crate::native::cluster::{log_end, now_us};
use crate::native::outcome::{Exit, Failure, Result};
use crate::native::policies::{PolicyRow, answer, policies_of, put_request};
use crate::policy::parse_list;
use crate::table::Value;
use crate::table::text::write_text;
use clap::{Args, Subcommand};
use serde_json::json;
use std::time::Duration;

/// Set, remove and show storage policies: when partitions become Parquet, and when they are dropped
///
/// The log has one writer, so a change is put into the bucket as a request, which the primary (`understudy ship` beside it)
/// checks, writes into the log and answers. Each instance acts on the policies on its own partitions, on its own schedule.
/// Exits 1 when the request is refused, 3 when no primary answers in time; the request then stays queued.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  understudy policy set --to 's3::bucket=b;root=r;' trades 'TO PARQUET 3d, DROP LOCAL 1M'
  understudy policy disable --to STORE trades
  understudy policy drop --to STORE trades
  understudy policy show --to STORE --json
Units are h, d, W, M and Y, or HOURS, DAYS, WEEKS, MONTHS and YEARS. SET replaces the whole policy.")]
pub(super) struct Policy {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Replace the policy of a table
    Set {
        #[command(flatten)]
        asked: Asked,
        /// Stages: TO PARQUET, TO REMOTE and DROP LOCAL, each with a time
        policy: String,
    },
    /// Remove the policy of a table
    Drop(Asked),
    /// Have a disabled policy acted upon again
    Enable(Asked),
    /// Have a policy not acted upon, without removing it
    Disable(Asked),
    /// Show the view `storage_policies`, as the log has it
    Show {
        /// A store's connection string
        #[arg(long, value_name = "STORE")]
        to: String,
        /// This table alone, by name or directory
        table: Option<String>,
    },
}

#[derive(Debug, Args)]
struct Asked {
    /// A store's connection string
    #[arg(long, value_name = "STORE")]
    to: String,
    /// How long the primary's answer is waited for
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = time)]
    timeout: Duration,
    /// Table or materialized view, by name or directory
    table: String,
}

pub(super) fn run(out: &Out, args: Policy) -> Result<Exit> {
    let (asked, change) = match args.what {
        What::Show { to, table } => return show(out, &to, table.as_deref()),
        What::Set { asked, policy } => {
            if let Err(error) = parse_list(&policy) {
                return Err(Failure::usage(error.to_string()).advise(indented(&error.pointed(&policy))));
            }
            (asked, PolicyChange::Set(policy))
        }
        What::Drop(asked) => (asked, PolicyChange::Drop),
        What::Enable(asked) => (asked, PolicyChange::Enable),
        What::Disable(asked) => (asked, PolicyChange::Disable),
    };
    let wish = PolicyRequest { table: asked.table, change };
    with_cluster(&asked.to, async |bucket, cluster| ask(out, &bucket, &cluster, &wish, asked.timeout).await)
}

/// All lines behind the first one stand where a failure's advice does.
fn indented(text: &str) -> String {
    text.replace('\n', "\n  ")
}

async fn ask(
    out: &Out,
    bucket: &Bucket,
    cluster: &Cluster,
    wish: &PolicyRequest,
    timeout: Duration,
) -> Result<Exit> {
    let end = log_end(bucket, cluster).await?;
    let request = Request::policy(cluster.cluster, &asker(), now_us(), wish);
    let k = put_request(bucket, &request).await?;
    if out.progress {
        out.note(format!("request {k} is in the bucket; waiting for the primary"));
    }
    let Some(answer) = answer(bucket, &end, k, timeout).await? else {
        let what = format!("no primary answered; the request stays queued as number {k}");
        return Err(Failure::new(Exit::Unanswered, what).advise(
            "`understudy ship` beside the primary answers it when it runs; `understudy policy show` tells what came of it",
        ));
    };
    let text = clean(&answer.text);
    if !answer.done {
        return Err(Failure::failed(format!("refused: {text}")));
    }
    out.text(format!("accepted: {text}\n"))?;
    out.json(&json!({ "request": k, "done": true, "text": answer.text }))?;
    Ok(Exit::Ok)
}

/// Who asks, for people.
pub(super) fn asker() -> String {
    let user = std::env::var("USER").or_else(|_| std::env::var("USERNAME"));
    user.unwrap_or_else(|_| "somebody".to_owned()).chars().take(100).collect()
}

fn show(out: &Out, store: &str, table: Option<&str>) -> Result<Exit> {
    let mut rows = with_cluster(store, async |bucket, cluster| policies_of(&bucket, &cluster).await)?;
    if let Some(table) = table {
        rows.retain(|row| row.table_dir_name == table || name_of(&row.table_dir_name) == table);
        if rows.is_empty() {
            return Err(Failure::failed(format!("{table}: there is no storage policy")));
        }
    }
    let head =
        ["table_dir_name", "to_parquet", "to_remote", "drop_local", "drop_remote", "status", "last_updated"];
    let cells: Vec<Vec<String>> = rows.iter().map(cells).collect();
    out.text(columns(&head, &[false; 7], &cells))?;
    let values = cells.iter().map(|cells| {
        let pairs = head.iter().zip(cells).map(|(name, cell)| ((*name).to_owned(), cell.clone().into()));
        serde_json::Value::Object(pairs.collect())
    });
    out.json(&json!({ "storagePolicies": values.collect::<Vec<_>>() }))?;
    Ok(Exit::Ok)
}

fn name_of(dir: &str) -> &str {
    dir.rsplit_once('~').map_or(dir, |(name, _)| name)
}

fn cells(row: &PolicyRow) -> Vec<String> {
    let mut time = Vec::new();
    write_text(&mut time, Value::Timestamp(row.last_updated));
    let texts = [&row.table_dir_name, &row.to_parquet, &row.to_remote, &row.drop_local, &row.drop_remote];
    let mut cells: Vec<String> = texts.iter().map(|text| clean(text)).collect();
    cells.extend([row.status.to_string(), String::from_utf8_lossy(&time).into_owned()]);
    cells
}
