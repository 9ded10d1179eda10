//! Structural changes: columns come, go, change their name or type.

use super::convert::{Converter, Suspends, converter, source};
use super::effect::{Effect, Touch};
use crate::table::{Block, Chunk, Column, Partition, Schema, SymbolTable, Table};
use crate::wal::{Change, ColumnSpec};
use std::sync::Arc;

/// Why a structural change could not be applied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChangeError {
    /// A value cannot be converted: the server suspends the table here.
    #[error("column {column}: {cause}")]
    Conversion {
        /// The column's name.
        column: String,
        /// What is wrong.
        cause: Suspends,
    },
    /// The column has rows in Parquet form, which QuestDB doesn't convert: it suspends the table here.
    #[error("column {column}: QuestDB can't change the type of a column in Parquet form")]
    Parquet {
        /// The column's name.
        column: String,
    },
    /// The change contradicts the table: no server writes such a log.
    #[error("{0}")]
    Contradiction(String),
}

/// Applies a structural change and moves the table to its version.
///
/// # Errors
/// The table is then as before, apart from its dictionaries.
pub fn apply_change(table: &mut Table, change: &Change) -> Result<Effect, ChangeError> {
    let mut effect = Effect::default();
    match change {
        Change::AddColumns(specs) => specs.iter().try_for_each(|spec| add_column(table, spec))?,
        Change::DropColumns(names) => names.iter().try_for_each(|name| drop_column(table, name))?,
        Change::RenameColumns(pairs) => pairs.iter().try_for_each(|(from, to)| {
            let index = find(&table.schema, from)?;
            free_name(&table.schema, to, Some(index))?;
            with_column(table, index, |column| column.name.clone_from(to));
            Ok(())
        })?,
        Change::RenameTable { to, .. } => table.name.clone_from(to),
        Change::DedupEnable(keys) => set_keys(table, keys)?,
        Change::DedupDisable => set_keys(table, &[])?,
        Change::ChangeType(spec) => effect = change_type(table, spec)?,
    }
    Arc::make_mut(&mut table.schema).version += 1;
    Ok(effect)
}

fn find(schema: &Schema, name: &str) -> Result<usize, ChangeError> {
    let missing = || ChangeError::Contradiction(format!("the table has no column {name}"));
    schema.find(name).map(|(index, _)| index).ok_or_else(missing)
}

fn free_name(schema: &Schema, name: &str, except: Option<usize>) -> Result<(), ChangeError> {
    match schema.find(name) {
        Some((index, _)) if Some(index) != except => {
            Err(ChangeError::Contradiction(format!("the table already has a column {name}")))
        }
        _ => Ok(()),
    }
}

fn with_column(table: &mut Table, index: usize, edit: impl FnOnce(&mut Column)) {
    if let Some(column) = Arc::make_mut(&mut table.schema).columns.get_mut(index) {
        edit(column);
    }
}

fn add_column(table: &mut Table, spec: &ColumnSpec) -> Result<(), ChangeError> {
    free_name(&table.schema, &spec.name, None)?;
    let index = push_column(table, spec, None);
    Arc::make_mut(&mut table.schema).order.push(index);
    edit_blocks(table, |_| {});
    Ok(())
}

/// Appends the slot; the caller gives it its place in `order`.
fn push_column(table: &mut Table, spec: &ColumnSpec, replaces: Option<usize>) -> usize {
    let schema = Arc::make_mut(&mut table.schema);
    schema.columns.push(Column {
        name: spec.name.clone(),
        ty: spec.ty,
        dropped: false,
        upsert_key: false,
        indexed: spec.indexed,
        replaces,
    });
    table.symbols.push(spec.ty.is_symbol().then(SymbolTable::default));
    schema.columns.len() - 1
}

fn drop_column(table: &mut Table, name: &str) -> Result<(), ChangeError> {
    let index = find(&table.schema, name)?;
    if index == table.schema.timestamp {
        return Err(ChangeError::Contradiction(format!("{name} is the designated timestamp")));
    }
    let schema = Arc::make_mut(&mut table.schema);
    schema.order.retain(|&live| live != index);
    retire(table, index);
    Ok(())
}

/// Marks a slot as dropped and lets its values go.
fn retire(table: &mut Table, index: usize) {
    with_column(table, index, |column| {
        column.dropped = true;
        column.upsert_key = false;
    });
    edit_blocks(table, |block| {
        if let Some(chunk) = block.columns.get_mut(index) {
            *chunk = None;
        }
    });
}

fn set_keys(table: &mut Table, keys: &[usize]) -> Result<(), ChangeError> {
    if let Some(missing) = keys.iter().find(|&&key| table.schema.columns.get(key).is_none_or(|c| c.dropped)) {
        return Err(ChangeError::Contradiction(format!("upsert key {missing} is no live column")));
    }
    for (index, column) in Arc::make_mut(&mut table.schema).columns.iter_mut().enumerate() {
        column.upsert_key = keys.contains(&index);
    }
    Ok(())
}

/// The old slot is dropped, a new one takes its name, its place in `SELECT *` and its part in the
/// upsert key. Rows from before the old column stay null.
fn change_type(table: &mut Table, spec: &ColumnSpec) -> Result<Effect, ChangeError> {
    let old = find(&table.schema, &spec.name)?;
    let Some(before) = table.schema.columns.get(old).cloned() else { return Ok(Effect::default()) };
    let refused = |cause: super::convert::Refused| ChangeError::Contradiction(cause.to_string());
    let conversion = Conversion {
        old,
        column: &before,
        spec,
        converter: converter(before.ty, spec.ty).map_err(refused)?,
        from: table.dictionary(old).cloned(),
    };
    let parquet = |partition: &Partition| {
        partition.parquet && partition.blocks.iter().any(|block| block.chunk(old).is_some())
    };
    if table.partitions.values().any(|partition| parquet(partition)) {
        return Err(ChangeError::Parquet { column: before.name });
    }
    let mut into = spec.ty.is_symbol().then(SymbolTable::default);
    let mut converted: Vec<Vec<Option<Arc<Chunk>>>> = Vec::new();
    for partition in table.partitions.values() {
        let chunks = partition.blocks.iter().map(|block| conversion.convert(block, into.as_mut()));
        converted.push(chunks.collect::<Result<_, _>>()?);
    }
    let new = push_column(table, spec, Some(old));
    if let (Some(place), Some(into)) = (table.symbols.get_mut(new), into) {
        *place = Some(into);
    }
    for index in &mut Arc::make_mut(&mut table.schema).order {
        if *index == old {
            *index = new;
        }
    }
    let mut effect = Effect::default();
    for ((&floor, partition), chunks) in table.partitions.iter_mut().zip(converted) {
        effect.touch(floor, Touch::Rewritten);
        for (block, chunk) in Arc::make_mut(partition).blocks.iter_mut().zip(chunks) {
            let block = Arc::make_mut(block);
            block.columns.resize(new + 1, None);
            if let Some(place) = block.columns.get_mut(new) {
                *place = chunk;
            }
        }
    }
    with_column(table, new, |column| {
        column.upsert_key = before.upsert_key;
        column.name.clone_from(&before.name);
    });
    retire(table, old);
    Ok(effect)
}

struct Conversion<'a> {
    old: usize,
    column: &'a Column,
    spec: &'a ColumnSpec,
    converter: Converter,
    from: Option<SymbolTable>,
}

impl Conversion<'_> {
    fn convert(
        &self,
        block: &Block,
        mut into: Option<&mut SymbolTable>,
    ) -> Result<Option<Arc<Chunk>>, ChangeError> {
        let Some(chunk) = block.chunk(self.old) else { return Ok(None) };
        if let Some(new) = self.converter.convert_all(chunk) {
            return Ok(Some(Arc::new(new)));
        }
        let failed = |cause| ChangeError::Conversion { column: self.column.name.clone(), cause };
        let mut new = Chunk::new(self.spec.ty);
        new.reserve(block.rows);
        let mut scratch = Vec::new();
        for row in 0..block.rows {
            scratch.clear();
            let value = source(chunk, row, self.column.ty, self.from.as_ref());
            let value = self.converter.convert(value, &mut scratch).map_err(failed)?;
            new.push(self.spec.ty, value, into.as_deref_mut());
        }
        Ok(Some(Arc::new(new)))
    }
}

/// Edits every block; their digests are computed anew when next asked for.
pub(super) fn edit_blocks(table: &mut Table, mut edit: impl FnMut(&mut Block)) {
    for partition in table.partitions.values_mut() {
        for block in &mut Arc::make_mut(partition).blocks {
            let block = Arc::make_mut(block);
            edit(block);
            block.forget_digest();
        }
    }
}
