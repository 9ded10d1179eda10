//! `understudy divergent`

use super::bucket::{block_on, connect, connection};
use super::out::Out;
use super::progress::grouped;
use crate::ledger::{Divergent as Document, Key};
use crate::native::bucket::RequestLimits;
use crate::native::outcome::{Exit, Result};
use crate::native::ship::divergent;
use clap::Args;

/// List what writers had committed and the history does not contain
///
/// When another process takes over, what the old primary had not sent is in its own database only. It writes a report of
/// that into the bucket as soon as it learns that it was fenced.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  understudy divergent --to 's3::bucket=backups;root=questdb;region=eu-west-1;'
Exits 0 when there are none, 5 when there are some.")]
pub(super) struct Divergent {
    /// The bucket, as QuestDB's replication.object.store has it
    #[arg(long, value_name = "STORE", env = "QDB_REPLICATION_OBJECT_STORE", hide_env_values = true)]
    to: String,
}

pub(super) fn run(out: &Out, args: &Divergent) -> Result<Exit> {
    let bucket = connect(&connection("--to", &args.to)?, RequestLimits::default())?;
    let reports = block_on(divergent(&bucket))?;
    for (key, report) in &reports {
        tell(out, *key, report)?;
    }
    if reports.is_empty() {
        out.text("nothing is missing from the history\n")?;
    }
    let listed =
        reports.iter().map(|(key, report)| serde_json::json!({ "key": key.to_string(), "report": report }));
    out.json(&serde_json::json!({ "reports": listed.collect::<Vec<_>>() }))?;
    Ok(if reports.is_empty() { Exit::Ok } else { Exit::Diverged })
}

fn tell(out: &Out, key: Key, report: &Document) -> Result<()> {
    let (name, n) = (&report.name, report.n);
    out.text(format!("{name} was fenced at number {n}; its database is {} ({key})\n", report.database))?;
    for table in &report.tables {
        let rows = table.rows.map_or(String::new(), |rows| format!(", {} rows", grouped(rows)));
        let (first, last) = (grouped(table.first), grouped(table.last));
        out.text(format!("  {} ({}): transactions {first} to {last}{rows}\n", table.name, table.directory))?;
    }
    Ok(())
}
