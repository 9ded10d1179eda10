//! `understudy status`

use super::apply::{STATUS, target};
use super::args::Status;
use super::bucket::status::policy_text;
use super::bucket::{self, is_store};
use super::out::Out;
use super::progress::grouped;
use crate::ledger::PolicyNote;
use crate::native::outcome::{Exit, Failure, Result, exit_of};
use crate::native::policies::{definitions, stored};
use crate::native::remote::AwayReader;
use crate::native::store::lock::DirectoryLock;
use crate::native::store::{CommitMode, Database, Disk, DiskReader, FileTable, RealDisk, STUCK};
use crate::table::files::read::AppliedTable;
use crate::table::text::write_text;
use crate::table::{Standing, Value as Datum, ttl_text};
use crate::wal::{TableKind, TableMeta, TableToken};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

pub(super) fn run(out: &Out, args: &Status) -> Result<Exit> {
    let named = args.target.as_deref().or(args.to.as_deref()).unwrap_or_default();
    if is_store(named) || args.to.is_some() {
        let gone_after = Duration::from_secs(args.gone_after.saturating_mul(3600));
        return bucket::status::run(out, named, args.watch, gone_after);
    }
    loop {
        let exit = of_directory(out, Path::new(named))?;
        if !args.watch {
            return Ok(exit);
        }
        std::thread::sleep(Duration::from_secs(2));
    }
}

fn of_directory(out: &Out, named: &Path) -> Result<Exit> {
    let dir = target(named);
    let disk =
        RealDisk::open(&dir).map_err(|error| Failure::failed(format!("{}: {error}", dir.display())))?;
    let disk: Arc<dyn Disk> = Arc::new(disk);
    let database = Database::open(disk.clone())?;
    let last = last_run(&dir);
    let mut exit = Exit::Ok;
    let mut tables = Vec::new();
    let policies = definitions(&DiskReader(&*disk))?;
    // Views have no rows, and tables without a log are not ours.
    let with_log = |token: &&TableToken| matches!(token.kind, TableKind::Wal | TableKind::MatView);
    for token in database.tables().iter().filter(with_log) {
        let (mut told, ended, mut text) = of(&disk, token, &last, named);
        exit = exit.worse(ended);
        if let Some((policy, _)) = policies.get(&token.dir) {
            let status = policy.view().status.to_string();
            let policy = PolicyNote { policy: policy.list(), status, ttl: ttl_of(&disk, token) };
            text.push_str(&format!("  {}\n", policy_text(&policy)));
            told["policy"] = json!(policy);
        }
        let lines = kept_here(last_of(&last, &token.dir), &disk, token);
        if let Some((lines, away)) = lines {
            text.push_str(&lines);
            told["stored"] = away;
        }
        out.text(text)?;
        tables.push(told);
    }
    // The lock is only tried, for as long as it takes to tell.
    let running = DirectoryLock::take(&dir).is_err();
    out.text(format!(
        "{} tables; {}\n",
        tables.len(),
        if running { "open in a running QuestDB or Understudy" } else { "not open in any program" }
    ))?;
    out.json(&json!({ "dir": named, "result": exit, "running": running, "tables": tables }))?;
    Ok(exit)
}

/// How far a policy has come here: what the replica told last, and what was dropped.
fn kept_here(last: Option<&Value>, disk: &Arc<dyn Disk>, token: &TableToken) -> Option<(String, Value)> {
    let files = DiskReader(&**disk);
    let table = AppliedTable::read(&files, token).ok()?;
    let away = AwayReader::of(&files, &table).ok()?;
    let (remote, rows) = (away.remote().count(), away.rows());
    let lost: Vec<(i64, u64)> = away.lost().collect();
    let parquet = table.applied.partitions.iter().filter(|part| part.parquet).count();
    let told = last.and_then(|last| last.get("storagePolicy"));
    if told.is_none() && remote == 0 && lost.is_empty() && parquet == 0 {
        return None;
    }
    let here = table.partitions().len();
    let mut text =
        format!("  {here} partitions here, {parquet} of them Parquet files; {remote} in the bucket alone");
    if remote > 0 {
        text.push_str(&format!(", with {} rows", grouped(rows)));
    }
    if !lost.is_empty() {
        let rows: u64 = lost.iter().map(|(_, rows)| rows).sum();
        text.push_str(&format!("; {} dropped here, with {} rows", lost.len(), grouped(rows)));
    }
    let missed: Vec<(i64, u64)> = away.missed().collect();
    if let Some(last) = missed.iter().map(|(_, seq_txn)| *seq_txn).max() {
        text.push_str(&format!(
            "; {} of those in the bucket were not reached by statements up to transaction {}",
            missed.len(),
            grouped(last)
        ));
    }
    text.push('\n');
    let said = |key: &str| told.and_then(|told| told[key].as_str()).map(str::to_owned);
    let due = told.and_then(|told| told["nextDueUs"].as_i64());
    if let Some(standing) = said("standing") {
        let due = due.map_or(String::new(), |due| format!("; next due at {}", time_text(due)));
        text.push_str(&format!("  on this instance: {standing}{due}\n"));
    }
    if let Some(error) = said("lastError") {
        text.push_str(&format!("  failed last: {error}\n"));
    }
    let away = json!({
        "here": here, "parquet": parquet, "remote": remote, "remoteRows": rows, "dropped": lost.len(), "missed": missed.len(),
        "standing": said("standing"), "nextDueUs": due, "lastError": said("lastError"),
    });
    Some((text, away))
}

fn time_text(us: i64) -> String {
    let mut text = Vec::new();
    write_text(&mut text, Datum::Timestamp(us));
    String::from_utf8_lossy(&text).into_owned()
}

/// What the last run said of a table.
fn last_of<'a>(last: &'a Value, dir: &str) -> Option<&'a Value> {
    last["tables"].as_array()?.iter().find(|table| table["directory"].as_str() == Some(dir))
}

/// A table's TTL, which wins over its policy.
fn ttl_of(disk: &Arc<dyn Disk>, token: &TableToken) -> Option<String> {
    let meta = TableMeta::applied(&DiskReader(&**disk), &token.dir).ok()?;
    ttl_text(stored(meta.ttl))
}

/// What the last `apply` said of each table, by directory.
fn last_run(dir: &Path) -> Value {
    let text = std::fs::read(dir.join(STATUS)).unwrap_or_default();
    serde_json::from_slice(&text).unwrap_or(Value::Null)
}

fn of(disk: &Arc<dyn Disk>, token: &TableToken, last: &Value, dir: &Path) -> (Value, Exit, String) {
    let before = last_of(last, &token.dir);
    let known = before.and_then(|table| table["transactions"].as_u64());
    let error = before.and_then(|table| table["error"].as_str());
    let at = dir.display();
    let table = match FileTable::open(disk.clone(), token, CommitMode::NoSync) {
        Ok(table) => table,
        Err(error) => {
            let text = format!("{} ({}): can't be read: {error}\n", token.name, token.dir);
            let told = json!({ "table": token.name, "directory": token.dir, "state": "unreadable",
                "reason": error.to_string(), "repair": null });
            return (told, exit_of(&error), text);
        }
    };
    let next = table.seq_txn() + 1;
    let skip = format!("understudy repair {at} {} --skip {next}", token.dir);
    let (state, reason, repair, exit) = match table.standing() {
        Standing::Suspended { reason, .. } if table.is_stuck() => {
            ("suspended", Some(format!("{reason}; {STUCK}")), None, Exit::Suspended)
        }
        Standing::Suspended { reason, .. } => {
            ("suspended", Some(reason.clone()), Some(skip), Exit::Suspended)
        }
        Standing::Diverged { seq_txn, reason, .. } => (
            "diverged",
            Some(format!("at transaction {}: {reason}", grouped(*seq_txn))),
            Some(format!("understudy repair {at} {} --partition NAME --from DIR", token.dir)),
            Exit::Diverged,
        ),
        _ if !table.is_ours() => (
            "foreign",
            Some(table.written_elsewhere()),
            Some("understudy apply ... --adopt".to_owned()),
            Exit::Ok,
        ),
        _ => match error {
            Some(error) => ("stopped", Some(error.to_owned()), Some(skip), Exit::Failed),
            None => ("ok", None, None, Exit::Ok),
        },
    };
    let lag = known.map_or(0, |known| known.saturating_sub(table.seq_txn()));
    let mut text = format!(
        "{} ({}): {state}, transaction {}{}, {} rows in {} partitions\n",
        token.name,
        token.dir,
        grouped(table.seq_txn()),
        known.map_or(String::new(), |known| format!(" of {}", grouped(known))),
        grouped(table.rows()),
        table.table().partitions.len()
    );
    if let Some(reason) = &reason {
        text.push_str(&format!("  {reason}\n"));
    }
    if let Some(repair) = &repair {
        text.push_str(&format!("  to repair: {repair}\n"));
    }
    let told = json!({
        "table": token.name, "directory": token.dir, "state": state, "reason": reason, "repair": repair,
        "applied": table.seq_txn(), "transactions": known, "lag": lag, "rows": table.rows(),
        "partitions": table.table().partitions.len(),
    });
    (told, exit, text)
}
