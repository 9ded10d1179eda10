//! The schema in an applied table's `_meta`.

use crate::table::{Column, Schema};
use crate::wal::ordered::sorted;
use crate::wal::{Applied, Error, PartitionBy, Result, TableMeta, Ttl};

/// The schema; `applied` counts the structural changes that led to it.
pub(crate) fn schema_of(dir: &str, meta: &TableMeta, applied: &Applied) -> Result<Schema> {
    let file = format!("{dir}/_meta");
    let columns: Vec<Column> = meta
        .columns
        .iter()
        .map(|column| Column {
            name: column.name.clone(),
            ty: column.ty,
            dropped: column.dropped,
            upsert_key: column.dedup_key && !column.dropped,
            indexed: column.indexed,
            replaces: column.replaces,
        })
        .collect();
    for column in columns.iter().filter(|column| !column.dropped) {
        crate::table::files::check_column_name(&column.name)?;
    }
    let timestamp = match meta.timestamp {
        Some(index) if columns.get(index).is_some_and(|column| !column.dropped) => index,
        None if matches!(meta.partition_by, PartitionBy::None | PartitionBy::NotApplicable) => usize::MAX,
        _ => return Err(Error::damaged(&file, 8, "a live column as designated timestamp", "another")),
    };
    let symbols = columns.iter().filter(|column| !column.dropped && column.ty.is_symbol()).count();
    if symbols != applied.symbol_counts.len() {
        let expected = format_args!("the counts of {symbols} SYMBOL columns");
        return Err(Error::damaged(&format!("{dir}/_txn"), 0, expected, applied.symbol_counts.len()));
    }
    Ok(Schema {
        order: order(&columns),
        columns,
        timestamp,
        partition_by: meta.partition_by,
        ttl: match meta.ttl {
            Ttl::None => 0,
            Ttl::Hours(hours) => hours as i32,
            Ttl::Months(months) => (months as i32).wrapping_neg(),
        },
        version: crate::table::files::column_structure_version(applied.structure_version),
    })
}

/// Live columns in the order of `SELECT *`: one that replaced another has that one's place.
fn order(columns: &[Column]) -> Vec<usize> {
    let place = |mut index: usize| {
        // A column replaces an earlier one: anything else ends the walk.
        while let Some(before) = columns.get(index).and_then(|c| c.replaces).filter(|before| *before < index)
        {
            index = before;
        }
        index
    };
    let order: Vec<usize> =
        (0..columns.len()).filter(|&i| columns.get(i).is_some_and(|column| !column.dropped)).collect();
    sorted(order, |&a, &b| place(a).cmp(&place(b)))
}
