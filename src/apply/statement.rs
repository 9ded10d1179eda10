//! Executing the statements of the log.

use super::effect::{Effect, PartitionEffect, Touch};
use super::other::Rewrite;
use super::remove::remove_partitions;
use super::sql::{
    Alter, CompiledUpdate, Context, NotUnderstood, PartitionChoice, Partitioning, Statement, Update, parse,
};
use super::ttl;
use crate::table::{Block, Chunk, Schema, Standing, SymbolTable, Table, Value};
use crate::wal::{ColumnType, SqlEvent, TxnRecord};
use std::sync::Arc;

/// Executes a statement exactly, or marks the table as diverged.
///
/// # Errors
/// Why the server suspends the table at this statement; nothing has changed then.
pub(super) fn execute(table: &mut Table, event: &SqlEvent, record: &TxnRecord) -> Result<Rewrite, Box<str>> {
    let cause = match parse(&event.sql) {
        Ok(statement) => match run(table, &statement, event, record) {
            Ok(rewrite) => return Ok(rewrite),
            Err(Stop::Suspends(reason)) => return Err(reason),
            Err(Stop::NotUnderstood(cause)) => cause,
        },
        Err(cause) => cause,
    };
    diverge(table, event, record, &cause);
    Ok(Rewrite::default())
}

/// Why a statement is not executed.
enum Stop {
    NotUnderstood(NotUnderstood),
    Suspends(Box<str>),
}

impl From<NotUnderstood> for Stop {
    fn from(cause: NotUnderstood) -> Self {
        Self::NotUnderstood(cause)
    }
}

fn run(
    table: &mut Table,
    statement: &Statement,
    event: &SqlEvent,
    record: &TxnRecord,
) -> Result<Rewrite, Stop> {
    // The server freezes now() at the record's commit time.
    let context = Context { event, now_us: record.commit_ts, nanos: table.schema.nanos() };
    match statement {
        Statement::Alter(Alter::SetTtl(ttl)) => {
            Arc::make_mut(&mut table.schema).ttl = *ttl;
            return Ok(Rewrite { effect: ttl::evict(table, record.commit_ts), work: 0 });
        }
        Statement::Alter(Alter::DropPartitions(choice)) => {
            return Ok(Rewrite { effect: drop_partitions(table, choice, context)?, work: 0 });
        }
        Statement::Alter(Alter::ConvertPartitions { parquet, choice: Some(choice) }) => {
            convert_partitions(table, *parquet, choice, context)?;
        }
        Statement::Alter(Alter::ConvertPartitions { choice: None, .. } | Alter::RowsUnchanged(_)) => {}
        Statement::Update(update) => {
            let mut rewrite = run_update(table, update, context)?;
            // The server looks for outlived partitions after whatever it commits as rows, and only then:
            // not after DROP PARTITION, a change of the schema, or an UPDATE that found nothing.
            if !rewrite.effect.partitions.is_empty() {
                rewrite.effect.then(ttl::evict(table, record.commit_ts));
            }
            return Ok(rewrite);
        }
    }
    Ok(Rewrite::default())
}

/// The first divergence is the one that counts: later ones may follow from it.
fn diverge(table: &mut Table, event: &SqlEvent, record: &TxnRecord, cause: &NotUnderstood) {
    if table.standing == Standing::Exact {
        table.standing = Standing::Diverged {
            seq_txn: record.seq_txn,
            statement: event.sql.clone(),
            reason: cause.reason.to_string(),
            position: cause.position,
        };
    }
}

fn drop_partitions(
    table: &mut Table,
    choice: &PartitionChoice,
    context: Context<'_>,
) -> Result<Effect, NotUnderstood> {
    let schema = table.schema.clone();
    let Some(partitioning) = partitioning(&schema) else { return Ok(Effect::default()) };
    let floors: Vec<i64> = table.partitions.keys().copied().collect();
    Ok(remove_partitions(table, choice.select(&partitioning, &floors, context)?))
}

fn partitioning(schema: &Schema) -> Option<Partitioning<'_>> {
    let timestamp = schema.columns.get(schema.timestamp)?;
    Some(Partitioning { timestamp: &timestamp.name, ty: timestamp.ty, unit: schema.partition_by })
}

/// Notes which partitions the server holds as Parquet.
fn convert_partitions(
    table: &mut Table,
    parquet: bool,
    choice: &PartitionChoice,
    context: Context<'_>,
) -> Result<(), Stop> {
    let schema = table.schema.clone();
    let Some(partitioning) = partitioning(&schema) else { return Ok(()) };
    let floors: Vec<i64> = table.partitions.keys().copied().collect();
    // No row depends on a choice that isn't understood.
    let Ok(chosen) = choice.select_existing(&partitioning, &floors, context) else { return Ok(()) };
    let missing = |name: String| Stop::Suspends(format!("there is no partition {name} to convert").into());
    for floor in chosen.map_err(missing)? {
        if let Some(partition) = table.partitions.get_mut(&floor) {
            Arc::make_mut(partition).parquet = parquet;
        }
    }
    Ok(())
}

fn run_update(table: &mut Table, update: &Update, context: Context<'_>) -> Result<Rewrite, Stop> {
    let schema = table.schema.clone();
    let Some(timestamp) = schema.columns.get(schema.timestamp) else { return Ok(Rewrite::default()) };
    let lookup = |name: &str| schema.find(name).map(|(index, column)| (index, column.ty));
    let compiled = CompiledUpdate::compile(update, &lookup, &timestamp.name, context)?;
    // All rows are looked at before the first one changes: a doubt leaves them as they are.
    let mut found = Vec::new();
    let mut in_parquet = false;
    for (&floor, partition) in &table.partitions {
        let matching = |block: &Arc<Block>| matching(&compiled, &schema, block, &table.symbols);
        let rows = partition.blocks.iter().map(matching).collect::<Result<Vec<_>, _>>()?;
        if rows.iter().any(|rows| !rows.is_empty()) {
            in_parquet |= partition.parquet;
            found.push((floor, rows));
        }
    }
    if found.is_empty() {
        return Ok(Rewrite::default());
    }
    if let Some(reason) = compiled.unwritable {
        return Err(Stop::Suspends(reason));
    }
    if in_parquet {
        return Err(Stop::Suspends("QuestDB can't update a partition in Parquet form".into()));
    }
    Ok(rewrite(table, &schema, &compiled, found))
}

/// Writes the assigned values into these rows: by partition and block.
fn rewrite(
    table: &mut Table,
    schema: &Schema,
    update: &CompiledUpdate,
    found: Vec<(i64, Vec<Vec<usize>>)>,
) -> Rewrite {
    let mut rewrite = Rewrite::default();
    for (floor, blocks) in found {
        let Some(partition) = table.partitions.get_mut(&floor) else { continue };
        let mut changed = PartitionEffect::default();
        let mut first = 0;
        for (block, rows) in Arc::make_mut(partition).blocks.iter_mut().zip(blocks) {
            for &row in &rows {
                changed.change(first + row, 1);
            }
            if !rows.is_empty() {
                rewrite.work += block.rows;
                set(update, schema, Arc::make_mut(block), &rows, &mut table.symbols);
            }
            first += block.rows;
        }
        rewrite.effect.touch(floor, Touch::Rewritten).changed = changed.changed;
    }
    rewrite
}

/// The rows of a block that an UPDATE changes.
fn matching(
    update: &CompiledUpdate,
    schema: &Schema,
    block: &Block,
    symbols: &[Option<SymbolTable>],
) -> Result<Vec<usize>, NotUnderstood> {
    let Some(filter) = &update.filter else { return Ok((0..block.rows).collect()) };
    let dictionary = |column: usize| symbols.get(column).and_then(Option::as_ref);
    let mut found = Vec::new();
    for row in 0..block.rows {
        if filter
            .matches(&|column| block.value(row, column, schema, dictionary(column)))
            .map_err(Clone::clone)?
        {
            found.push(row);
        }
    }
    Ok(found)
}

/// Writes the assigned values into the rows; a new symbol enters the dictionary at its first row, as
/// on the server.
fn set(
    update: &CompiledUpdate,
    schema: &Schema,
    block: &mut Block,
    rows: &[usize],
    symbols: &mut [Option<SymbolTable>],
) {
    for (column, literal) in &update.assignments {
        let Some(ty) = schema.columns.get(*column).map(|definition| definition.ty) else { continue };
        if block.columns.len() <= *column {
            block.columns.resize(column + 1, None);
        }
        let Some(place) = block.columns.get_mut(*column) else { continue };
        let dictionary = symbols.get_mut(*column).and_then(Option::as_mut);
        let chunk = overwrite(place.as_deref(), ty, block.rows, rows, literal.value(), dictionary);
        *place = Some(Arc::new(chunk));
    }
    block.forget_digest();
}

fn overwrite(
    old: Option<&Chunk>,
    ty: ColumnType,
    total: usize,
    rows: &[usize],
    value: Value<'_>,
    mut symbols: Option<&mut SymbolTable>,
) -> Chunk {
    let mut chunk = Chunk::new(ty);
    chunk.reserve(total);
    let mut copied = 0;
    for &row in rows {
        super::gather::append_rows(&mut chunk, ty, old, copied, row - copied);
        chunk.push(ty, value, symbols.as_deref_mut());
        copied = row + 1;
    }
    super::gather::append_rows(&mut chunk, ty, old, copied, total - copied);
    chunk
}
