//! `understudy replay`

mod outlet;

use super::args::Replay;
use super::out::Out;
use super::progress::{Progress, grouped};
use super::tables::{self, clean};
use super::verify::severity;
use super::when::{self, Moment};
use crate::native::export::Format;
use crate::native::outcome::{Exit, Failure, Result};
use crate::native::remote::complete;
use crate::native::source::Source;
use crate::replay::{History, Player, PlayerOptions, UNLOGGED_CAUSES, compare};
use crate::table::{Standing, Table};
use crate::wal::{self, Cause, TableKind, TableToken};
use outlet::Outlet;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Progress is told about this often.
const STEP: Duration = Duration::from_millis(200);

pub(super) fn run(out: &Out, args: &Replay) -> Result<Exit> {
    let to = args.to.as_deref().map(|text| Moment::parse(text, when::now_us())).transpose();
    let to = to.map_err(|message| Failure::usage(format!("--to: {message}")))?;
    let source = Source::open(&args.source)?;
    let all = tables::all(&source)?;
    let chosen = choose(&all, &args.table)?;
    let outlet = Outlet::new(args, out.json, &chosen)?;

    let (mut told, mut exit) = (Vec::new(), Exit::Ok);
    for token in &chosen {
        let done = replay_one(*out, &source, token, to, args.format, &outlet);
        let (reached, report) = match done {
            Ok(done) => (done.exit, done.told),
            // With one table it is the failure of the whole.
            Err(failure) if chosen.len() == 1 || failure.silent => return Err(failure),
            Err(failure) => {
                out.warn(&failure.message);
                if let Some(advice) = &failure.advice {
                    out.note(format!("  {advice}"));
                }
                let told = json!({ "table": token.name, "directory": token.dir, "error": failure.message });
                (failure.exit, told)
            }
        };
        exit = [exit, reached].into_iter().max_by_key(|exit| severity(*exit)).unwrap_or(exit);
        told.push(report);
    }
    out.json(
        &json!({ "source": source.shown(), "result": exit, "network": source.fetched(), "tables": told }),
    )?;
    Ok(exit)
}

/// The tables asked for, else all with rows that were not dropped, without QuestDB's own.
fn choose<'a>(all: &'a [TableToken], asked: &[String]) -> Result<Vec<&'a TableToken>> {
    if !asked.is_empty() {
        return asked.iter().map(|name| tables::find(all, name)).collect();
    }
    let holds_rows = |table: &&TableToken| matches!(table.kind, TableKind::Wal | TableKind::MatView);
    let chosen: Vec<_> = all.iter().filter(|t| !t.dropped && !t.is_system()).filter(holds_rows).collect();
    if chosen.is_empty() {
        return Err(Failure::failed("the database has no table with a write-ahead log")
            .advise("dropped tables and QuestDB's own are replayed when named by --table"));
    }
    Ok(chosen)
}

struct Done {
    exit: Exit,
    told: Value,
}

fn replay_one(
    out: Out,
    source: &Source,
    token: &TableToken,
    to: Option<Moment>,
    format: Format,
    outlet: &Outlet,
) -> Result<Done> {
    let history = tables::history(source, token)?;
    let target = target(out, &history, to);
    let begins = check_purged(&history, target)?;
    let started = Instant::now();
    // Only the end is asked for: no way back needs to be kept.
    let options = PlayerOptions { memory: usize::MAX, checkpoint_work: u64::MAX, ..PlayerOptions::default() };
    let mut player = Player::with_options(history, options)?;
    play(out, source, &mut player, target)?;
    let replayed = started.elapsed();
    let whole = complete(source, token, player.table())?;
    let path = outlet.write(out, token, whole.as_ref().unwrap_or(player.table()), format)?;

    let (exit, mut notes) = standing(player.table());
    notes.extend(begins);
    notes.extend(player.history().definition.other_release().map(str::to_owned));
    let differences = player.history().applied.as_ref().and_then(|applied| compare(player.table(), applied));
    for difference in differences.iter().flatten() {
        notes.push(format!(
            "partition {}: {} rows here, {} in the server's table",
            difference.partition,
            grouped(difference.replayed),
            grouped(difference.applied)
        ));
    }
    let differs = differences.as_ref().is_some_and(|differences| !differences.is_empty());
    if differs && exit == Exit::Ok {
        notes.push(format!("possible causes, none of which is in the log: {UNLOGGED_CAUSES}"));
    }
    let exit = if differs && exit == Exit::Ok { Exit::Diverged } else { exit };
    if !player.table().schema.extra_keys().is_empty() {
        notes.push(
            "among rows of the same timestamp the order may differ from the server's: with upsert keys besides the \
             timestamp the log does not fix it"
                .to_owned(),
        );
    }
    let table = whole.as_ref().unwrap_or(player.table());
    let without_text =
        |(_, column): &(usize, &crate::table::Column)| !crate::table::text::is_printable(column.ty);
    if matches!(format, Format::Csv | Format::Json) && table.schema.live().any(|c| without_text(&c)) {
        notes.push("LONG128 columns have no text in QuestDB and are left out".to_owned());
    }
    let name = clean(&table.name);
    out.note(format!(
        "{name}: {} rows as of transaction {}",
        grouped(table.rows() as u64),
        grouped(table.seq_txn)
    ));
    for note in &notes {
        out.note(format!("{name}: {note}"));
    }
    let told = if out.json { tell(token, &player, exit, &notes, path, replayed) } else { Value::Null };
    Ok(Done { exit, told })
}

/// The transaction to go to.
fn target(out: Out, history: &History, to: Option<Moment>) -> u64 {
    let last = history.txn_count();
    let name = clean(&history.token.name);
    let target = match to {
        None => last,
        Some(Moment::Txn(txn)) if txn > last => {
            out.warn(format!("{name} has {} transactions; going to the last", grouped(last)));
            last
        }
        Some(Moment::Txn(txn)) => txn,
        Some(Moment::Time(time)) => history.txn_at(time),
    };
    match history.dropped_at() {
        Some(dropped) if target >= dropped => {
            out.note(format!(
                "{name} was dropped by transaction {}; this is the table before",
                grouped(dropped)
            ));
            dropped - 1
        }
        _ => target,
    }
}

/// What is to be said of rows that were purged, where the server's own table makes up for them.
fn check_purged(history: &History, target: u64) -> Result<Option<String>> {
    let Some(purged) = tables::purge_text(&history.survey) else { return Ok(None) };
    if history.survey.purged.iter().all(|range| *range.start() > target) {
        return Ok(None);
    }
    match history.first_state() {
        Some(first) if first <= target => Ok(Some(format!(
            "{purged}: it begins with QuestDB's own table as of transaction {}",
            grouped(first)
        ))),
        first => {
            let name = clean(&history.token.name);
            let first = first.map(|first| format!("; the first state left is {}", grouped(first)));
            let message = format!("{name}: {purged}{}", first.unwrap_or_default());
            Err(Failure::new(Exit::Purged, message).advise(tables::PURGE_ADVICE))
        }
    }
}

/// The server's own table, with which a purged history begins, can't be read.
fn no_beginning(history: &History, error: wal::Error) -> Failure {
    let name = clean(&history.token.name);
    let purged = tables::purge_text(&history.survey).unwrap_or_default();
    match error {
        // Partitions were not copied along, or are gone.
        wal::Error::Absent { .. } => {
            let message = format!("{name}: {purged}, and QuestDB's own table is not whole: {error}");
            Failure::new(Exit::Purged, message).advise(tables::PURGE_ADVICE)
        }
        error => {
            let mut failure = Failure::from(error);
            failure.message = format!("{name}: {purged}; QuestDB's own table: {}", failure.message);
            failure
        }
    }
}

/// Moves to the target in steps that take about as long as the eye notices.
fn play(out: Out, source: &Source, player: &mut Player, target: u64) -> Result<()> {
    let mut progress =
        Progress::new(out, format!("replaying {}", player.history().token.name), "transactions", target);
    let mut step = 1024;
    while player.table().seq_txn < target {
        let from = player.table().seq_txn;
        let started = Instant::now();
        let done = source.drive(|files| player.seek(files, from.saturating_add(step).min(target)));
        if let Err(error) = done {
            if !player.is_begun() {
                return Err(no_beginning(player.history(), error));
            }
            let at = player.table().seq_txn + 1;
            return Err(match player.history().survey.cause(at, &error) {
                Cause::Purged => {
                    let message = format!("transaction {} was purged while it was read", grouped(at));
                    Failure::new(Exit::Purged, message).advise(tables::PURGE_ADVICE)
                }
                Cause::Damage => {
                    let mut failure = Failure::from(error);
                    let name = clean(&player.history().token.name);
                    failure.message = format!("{name}: transaction {}: {}", grouped(at), failure.message);
                    failure
                }
            });
        }
        let reached = player.table().seq_txn;
        if reached == from {
            // Suspended or dropped: nothing later can be applied.
            break;
        }
        progress.set(reached);
        step = if started.elapsed() < STEP { step.saturating_mul(2) } else { (step / 2).max(64) };
    }
    Ok(())
}

fn standing(table: &Table) -> (Exit, Vec<String>) {
    match &table.standing {
        Standing::Exact | Standing::Dropped { .. } => (Exit::Ok, Vec::new()),
        Standing::Diverged { seq_txn, statement, reason, position } => {
            let note = format!(
                "diverged at transaction {}: {} (at position {position}) in: {}",
                grouped(*seq_txn),
                clean(reason),
                clean(statement)
            );
            (Exit::Diverged, vec![note])
        }
        Standing::Suspended { seq_txn, reason } => {
            let note = format!(
                "suspended at transaction {}, as on the server: {}",
                grouped(*seq_txn),
                clean(reason)
            );
            (Exit::Suspended, vec![note])
        }
    }
}

fn tell(
    token: &TableToken,
    player: &Player,
    exit: Exit,
    notes: &[String],
    path: Option<std::path::PathBuf>,
    replayed: Duration,
) -> Value {
    let table = player.table();
    let commit = player.history().record(table.seq_txn).map(|record| when::show(record.commit_ts));
    let standing = match &table.standing {
        Standing::Exact => json!({ "state": "exact" }),
        Standing::Diverged { seq_txn, statement, reason, position } => json!({
            "state": "diverged", "txn": seq_txn, "statement": statement, "reason": reason, "position": position,
        }),
        Standing::Suspended { seq_txn, reason } => {
            json!({ "state": "suspended", "txn": seq_txn, "reason": reason })
        }
        Standing::Dropped { seq_txn } => json!({ "state": "dropped", "txn": seq_txn }),
    };
    json!({
        "table": table.name, "directory": token.dir, "txn": table.seq_txn,
        "transactions": player.history().txn_count(), "from": player.first(), "committed": commit, "rows": table.rows(),
        "result": exit, "standing": standing, "notes": notes,
        "digest": table.digest().to_string(), "order_fixed": table.schema.extra_keys().is_empty(),
        "path": path, "seconds": replayed.as_secs_f64(),
    })
}
