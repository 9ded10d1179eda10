//! `understudy repair`

use super::apply::{held, target};
use super::args::Repair;
use super::out::Out;
use super::progress::grouped;
use super::tables;
use crate::native::outcome::{Exit, Failure, Result};
use crate::native::source::Source;
use crate::native::store::lock::DirectoryLock;
use crate::native::store::{CommitMode, Database, FileTable, RealDisk, STUCK};
use crate::table::text::parse::{self, Chars};
use std::sync::Arc;

pub(super) fn run(out: &Out, args: &Repair) -> Result<Exit> {
    let dir = target(&args.dir);
    let _lock = DirectoryLock::take(&dir).map_err(held)?;
    let disk =
        RealDisk::open(&dir).map_err(|error| Failure::failed(format!("{}: {error}", dir.display())))?;
    let disk: Arc<dyn crate::native::store::Disk> = Arc::new(disk);
    let database = Database::open(disk.clone())?;
    let token = tables::find(database.tables(), &args.table)?;
    // What is repaired by hand is to survive.
    let mut table = FileTable::open(disk, token, CommitMode::Sync)?;
    table.recover()?;
    let said = match (args.skip, &args.partition, &args.from) {
        (Some(txn), None, None) => {
            let next = table.seq_txn() + 1;
            if txn != next {
                let what =
                    format!("transaction {txn} is not the next one of {}, which is {next}", token.name);
                return Err(Failure::new(Exit::Usage, what)
                    .advise(format!("`understudy status {}` names the command that fits", dir.display())));
            }
            if table.is_stuck() {
                return Err(Failure::failed(format!("{}: {STUCK}", token.name)));
            }
            table.skip(txn, super::when::now_us())?;
            format!(
                "{}: transaction {} is skipped; the table counts as diverged from it on",
                token.name,
                grouped(txn)
            )
        }
        (None, Some(partition), Some(from)) => {
            let source = Source::open(from)?;
            let other = tables::all(&source)?;
            let other = tables::find(&other, &args.table)?;
            let calendar = table.table().calendar();
            let floor = floor_of(&table, partition, calendar).ok_or_else(|| {
                Failure::new(Exit::Usage, format!("{partition} names no partition of {}", token.name))
                    .advise("partitions are named as in SHOW PARTITIONS, e.g. 2024-01-31")
            })?;
            let rows = table.refill(&source, other, floor)?;
            format!("{}: partition {partition} has {} rows now", token.name, grouped(rows))
        }
        _ => return Err(Failure::new(Exit::Usage, "give --skip TXN, or --partition NAME with --from DIR")),
    };
    out.text(format!("{said}\n"))?;
    out.json(&serde_json::json!({
        "table": token.name, "directory": token.dir, "applied": table.seq_txn(), "rows": table.rows(), "done": said,
    }))?;
    Ok(Exit::Ok)
}

/// The first timestamp of the partition of this name.
pub(super) fn floor_of(table: &FileTable, name: &str, calendar: crate::table::Calendar) -> Option<i64> {
    let there = table.table().partitions.keys().copied();
    if let Some(floor) = there.clone().find(|&floor| calendar.name(floor) == name) {
        return Some(floor);
    }
    // One that is missing here: by the moment that its name stands for.
    let moment = parse::timestamp(Chars::Bytes(name.as_bytes()), table.table().schema.nanos())?;
    let floor = calendar.floor(moment);
    (calendar.name(floor) == name).then_some(floor)
}
