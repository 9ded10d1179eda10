//! `understudy divergent`

use super::bucket::{block_on, connect, connection};
use super::out::Out;
use super::progress::grouped;
use crate::ledger::Divergent as Document;
use crate::native::bucket::RequestLimits;
use crate::native::node::divergent_in;
use crate::native::outcome::{Exit, Failure, Result};
use crate::native::ship::divergent;
use clap::Args;
use std::path::PathBuf;

/// List what writers had committed and the history does not contain
///
/// When another process takes over, what the old primary had not sent is in its own database only. It writes a report of
/// that into the bucket as soon as it learns that it was fenced.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  understudy divergent --to 's3::bucket=backups;root=questdb;region=eu-west-1;'
  understudy divergent --dir /srv/node
Exits 0 when there are none, 5 when there are some.")]
pub(super) struct Divergent {
    /// The bucket, as QuestDB's replication.object.store has it
    #[arg(long, value_name = "STORE", env = "QDB_REPLICATION_OBJECT_STORE", hide_env_values = true)]
    to: Option<String>,
    /// A node's directory: what it keeps of its own under `divergent`
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

pub(super) fn run(out: &Out, args: &Divergent) -> Result<Exit> {
    let reports: Vec<(String, Document)> = match (&args.dir, &args.to) {
        (Some(dir), _) => {
            let found = divergent_in(dir)?.into_iter();
            found.map(|(folder, report)| (folder.display().to_string(), report)).collect()
        }
        (None, Some(to)) => {
            let bucket = connect(&connection("--to", to)?, RequestLimits::default())?;
            let found = block_on(divergent(&bucket))?.into_iter();
            found.map(|(key, report)| (key.to_string(), report)).collect()
        }
        (None, None) => return Err(Failure::usage("give --to STORE or --dir DIR")),
    };
    for (key, report) in &reports {
        tell(out, key, report)?;
    }
    if reports.is_empty() {
        out.text("nothing is missing from the history\n")?;
    }
    let listed = reports.iter().map(|(key, report)| serde_json::json!({ "key": key, "report": report }));
    out.json(&serde_json::json!({ "reports": listed.collect::<Vec<_>>() }))?;
    Ok(if reports.is_empty() { Exit::Ok } else { Exit::Diverged })
}

fn tell(out: &Out, key: &str, report: &Document) -> Result<()> {
    let (name, n) = (&report.name, report.n);
    out.text(format!("{name} was fenced at number {n}; its database is {} ({key})\n", report.database))?;
    for table in &report.tables {
        let rows = table.rows.map_or(String::new(), |rows| format!(", {} rows", grouped(rows)));
        let (first, last) = (grouped(table.first), grouped(table.last));
        out.text(format!("  {} ({}): transactions {first} to {last}{rows}\n", table.name, table.directory))?;
    }
    Ok(())
}
