//! In which order the server has the symbols that a changed type made.
//!
//! A column that becomes a SYMBOL gets its dictionary from its rows, in their order. Of rows of one timestamp, in a table with
//! upsert keys beyond the timestamp, that order isn't certain (`docs/architecture.md`); and later commits name symbols by
//! their keys. So before the first of them is taken by its word, its writer's link to the server's dictionary is read.

use crate::table::Table;
use crate::wal::{Files, Result, SequencerMeta, SymbolDiff, read_clean_symbols};

/// Before a commit is applied: looks at the dictionaries that its keys are of. `wal` is its writer, `meta` its segment's
/// columns, `symbols` the commit's new ones. A link that is gone, as it is once the column was renamed, is looked for again
/// with the next commit.
///
/// # Errors
/// [`Error::Pending`](crate::wal::Error::Pending).
pub fn learn_symbol_order(
    table: &mut Table,
    files: &dyn Files,
    wal: u32,
    meta: &SequencerMeta,
    symbols: &[SymbolDiff],
) -> Result<()> {
    let schema = table.schema.clone();
    for diff in symbols.iter().filter(|diff| diff.clean > 0) {
        let converted = schema.columns.get(diff.column).is_some_and(|column| column.replaces.is_some());
        let Some(Some(dictionary)) = table.symbols.get_mut(diff.column).filter(|_| converted) else {
            continue;
        };
        let Some(column) = meta.columns.get(diff.column).filter(|_| !dictionary.knows_order()) else {
            continue;
        };
        match read_clean_symbols(files, &table.dir, wal, &column.name, diff.clean) {
            Ok(symbols) => dictionary.learn_order(&symbols),
            Err(error) if error.is_pending() => return Err(error),
            Err(_) => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::{Column, Schema, SymbolTable};
    use crate::wal::{ColumnType, MemoryFiles, MetaColumn, PartitionBy};

    /// A table whose dictionary is in another order than the server's, to which writer 4 has a link.
    fn table_and_link(replaces: Option<usize>) -> (Table, MemoryFiles, SequencerMeta) {
        let column = |name: &str, ty, replaces| Column {
            name: name.to_owned(),
            ty,
            dropped: false,
            upsert_key: false,
            indexed: false,
            replaces,
        };
        let columns = vec![
            column("ts", ColumnType::TIMESTAMP, None),
            column("old", ColumnType::LONG, None),
            column("s", ColumnType::SYMBOL, replaces),
        ];
        let named = columns.iter().map(|c| MetaColumn { name: c.name.clone(), ty: c.ty, dropped: c.dropped });
        let meta = SequencerMeta {
            structure_version: 1,
            columns: named.collect(),
            timestamp: Some(0),
            table_id: 1,
            read_order: None,
        };
        let (order, partition_by) = (vec![0, 2], PartitionBy::Day);
        let schema = Schema { columns, order, timestamp: 0, partition_by, ttl: 0, version: 1 };
        let mut table = Table::new("t".into(), "t~1".into(), schema);
        let mut symbols = SymbolTable::default();
        for text in ["a", "b", "c"] {
            symbols.intern(text);
        }
        table.symbols[2] = Some(symbols);
        let (mut offsets, mut values) = (vec![0; 64], Vec::new());
        for text in ["b", "a", "c"] {
            offsets.extend((values.len() as i64).to_le_bytes());
            values.extend(1i32.to_le_bytes());
            values.extend([text.as_bytes()[0], 0]);
        }
        offsets.extend((values.len() as i64).to_le_bytes());
        let mut files = MemoryFiles::default();
        files.insert("t~1/wal4/s.o", offsets);
        files.insert("t~1/wal4/s.c", values);
        (table, files, meta)
    }

    #[test]
    fn keys_of_a_changed_type_are_the_servers() {
        let diff = |clean| [SymbolDiff { column: 2, has_null: false, clean, entries: Vec::new() }];
        let (mut table, files, meta) = table_and_link(Some(1));
        // Nothing is known to a writer of before, and of a link that isn't there nothing can be said.
        learn_symbol_order(&mut table, &files, 4, &meta, &diff(0)).unwrap();
        learn_symbol_order(&mut table, &files, 5, &meta, &diff(3)).unwrap();
        assert!(!table.dictionary(2).unwrap().knows_order());
        learn_symbol_order(&mut table, &files, 4, &meta, &diff(3)).unwrap();
        assert_eq!(table.dictionary(2).unwrap().reordered(3), Some(vec![1, 0, 2]));
        // A column that always was of symbols has the server's order.
        let (mut table, files, meta) = table_and_link(None);
        learn_symbol_order(&mut table, &files, 4, &meta, &diff(3)).unwrap();
        assert_eq!(table.dictionary(2).unwrap().reordered(3), None);
    }
}
