//! Which statements of the log a replica can't execute exactly. The same compiler is asked that executes them there, on the
//! table without rows.

use crate::apply::apply_other;
use crate::apply::sql::{CompiledUpdate, Context, Statement, parse};
use crate::replay::History;
use crate::table::{Standing, Table};
use crate::wal::{
    Error, Event, Files, Result, SequencerLog, SqlEvent, Survey, TableMeta, TableToken, Transaction,
    TxnRecord, read_changes,
};
use std::sync::Arc;

/// Why a replica can't execute this statement exactly; `None` if it can.
///
/// # Errors
/// What reading the table's definition and its changes answers.
pub(super) fn obstacle(
    files: &dyn Files,
    token: &TableToken,
    record: &TxnRecord,
    event: &SqlEvent,
) -> Result<Option<String>> {
    let mut table = schema_at(files, token, record.structure_version)?;
    if let Some(doubt) = doubt(&table, record, event) {
        return Ok(Some(doubt));
    }
    apply_other(&mut table, &Transaction::Event(Event::Sql(event.clone())), record);
    Ok(match table.standing {
        Standing::Diverged { reason, .. } => Some(reason),
        _ => None,
    })
}

/// What depends on the values of rows, and may not be certain for all of them.
fn doubt(table: &Table, record: &TxnRecord, event: &SqlEvent) -> Option<String> {
    let Ok(Statement::Update(update)) = parse(&event.sql) else { return None };
    let schema = &table.schema;
    let timestamp = schema.columns.get(schema.timestamp)?;
    let lookup = |name: &str| schema.find(name).map(|(index, column)| (index, column.ty));
    let context = Context { event, now_us: record.commit_ts, nanos: schema.nanos() };
    let compiled = CompiledUpdate::compile(&update, &lookup, &timestamp.name, context).ok()?;
    let doubts = compiled.filter.is_some_and(|filter| filter.may_doubt());
    doubts.then(|| "a comparison of floating-point numbers depends on how the server compiled it".to_owned())
}

/// The table without rows, as its structure was.
fn schema_at(files: &dyn Files, token: &TableToken, version: i64) -> Result<Table> {
    let dir = &token.dir;
    let definition = match TableMeta::at_creation(files, dir) {
        Err(Error::Absent { .. }) => TableMeta::applied(files, dir)?,
        other => other?,
    };
    let log = SequencerLog::open(files, dir)?;
    let survey = Survey {
        max_txn: log.max_txn,
        applied: None,
        first_record: 1,
        first_readable: 1,
        purged: Vec::new(),
        missing: Vec::new(),
        dropped: false,
    };
    let history =
        History { token: token.clone(), log, records: Arc::default(), survey, definition, applied: None };
    let mut table = history.genesis()?;
    for change in read_changes(files, dir, 0, version)? {
        // What the server can't do suspends the table there; the names and types are all that counts here.
        let _ = crate::apply::apply_change(&mut table, &change);
    }
    Ok(table)
}
