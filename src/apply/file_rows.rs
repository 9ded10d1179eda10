//! The rows of a partition's Parquet file, by the table's columns as they are now.

use super::convert::{Converter, converter, source};
use super::{append_rows, apply_commits};
use crate::columnar::parquet::ParquetFile;
use crate::table::{BLOCK_ROWS, Block, Chunk, Partition, Table};
use crate::wal::{ColumnType, Commit, Error, Files, Result, SymbolDiff, WalColumn};
use bytes::Bytes;
use std::ops::Range;
use std::sync::Arc;

/// One object as a file.
struct Object<'a> {
    path: &'a str,
    bytes: Bytes,
}

impl Files for Object<'_> {
    fn read(&self, _: &str, offset: u64, len: u64) -> Result<Bytes> {
        let have = self.bytes.len() as u64;
        let end = offset.checked_add(len).filter(|end| *end <= have);
        let short = || Error::Short { file: self.path.into(), len: have, wanted: offset.saturating_add(len) };
        let end = end.ok_or_else(short)?;
        Ok(self.bytes.slice(offset as usize..end as usize))
    }

    fn len(&self, _: &str) -> Result<u64> {
        Ok(self.bytes.len() as u64)
    }

    fn list(&self, _: &str) -> Result<Option<Vec<String>>> {
        Ok(None)
    }
}

/// Where the values of a column are in a file, and what becomes of them.
struct Way {
    /// The column's place in the file.
    place: usize,
    /// As it is read.
    from: ColumnType,
    /// Changes of type since, oldest first.
    then: Vec<(Converter, ColumnType)>,
}

/// The rows of the partition that begins at `floor`, from the bytes of its file; `path` is what errors call it. New symbols,
/// which only a change of type can bring, are entered into the table's dictionaries.
///
/// # Errors
/// [`Error::Damaged`] for what is no such file of so many `rows`.
pub fn file_rows(path: &str, bytes: Bytes, rows: u64, table: &mut Table, floor: i64) -> Result<Partition> {
    let object = Object { path, bytes };
    let file = ParquetFile::open(&object, path, object.bytes.len() as u64)?;
    if file.rows() != rows {
        return Err(Error::damaged(path, 0, format_args!("{rows} rows"), file.rows()));
    }
    let all = 0..rows;
    let rows = usize::try_from(rows).unwrap_or(usize::MAX);
    let cuts: Vec<Range<usize>> =
        (0..rows).step_by(BLOCK_ROWS).map(|from| from..rows.min(from + BLOCK_ROWS)).collect();
    let columns = table.schema.columns.len();
    let empty = |rows: &Range<usize>| {
        let mut block = Block::empty();
        block.rows = rows.len();
        block.columns.resize(columns, None);
        block
    };
    let mut blocks: Vec<Block> = cuts.iter().map(empty).collect();
    let live: Vec<(usize, ColumnType)> =
        table.schema.live().map(|(index, column)| (index, column.ty)).collect();
    for (index, ty) in live {
        let Some(way) = way(table, &file, index)? else { continue };
        let symbols = table.dictionary(index).map_or(0, |symbols| symbols.len() as u32);
        let mut reader = file.read(&object, way.place, way.from, symbols, all.clone())?;
        for (block, rows) in blocks.iter_mut().zip(&cuts) {
            let mut chunk = reader.next(rows.len())?;
            let mut from = way.from;
            for (converter, to) in &way.then {
                chunk = convert(path, table, index, (&chunk, rows.len()), (from, *to, converter))?;
                from = *to;
            }
            if from != ty {
                return Err(Error::damaged(path, 0, format_args!("column {index} as {ty}"), from));
            }
            if let Some(place) = block.columns.get_mut(index) {
                *place = Some(Arc::new(chunk));
            }
        }
    }
    let blocks: Vec<Block> = blocks.into_iter().map(|block| timed(table, block)).collect();
    check_times(path, table, &blocks, floor)?;
    Ok(Partition { floor, rows, blocks: blocks.into_iter().map(Arc::new).collect(), ..Partition::default() })
}

/// The way from a file to a column; `None` where the file is older than the column.
fn way(table: &Table, file: &ParquetFile, index: usize) -> Result<Option<Way>> {
    let ty_of = |index: usize| table.schema.columns.get(index).map(|column| column.ty);
    let mut chain = Vec::new();
    let mut at = index;
    loop {
        let Some(ty) = ty_of(at) else { return Ok(None) };
        // The dictionary of a column that is gone is in the file alone.
        chain.push(if at != index && ty.is_symbol() { ColumnType::VARCHAR } else { ty });
        // By its id alone: places are another file's.
        if let Some(place) = file.find(at, usize::MAX) {
            let mut then = Vec::new();
            let mut before = chain.last().copied().unwrap_or(ty);
            let from = before;
            for &to in chain.iter().rev().skip(1) {
                let refused = |refused: crate::apply::convert::Refused| Error::Unsupported {
                    file: file.path().into(),
                    offset: 0,
                    what: refused.to_string().into(),
                };
                if before != to {
                    then.push((converter(before, to).map_err(refused)?, to));
                }
                before = to;
            }
            return Ok(Some(Way { place, from, then }));
        }
        match table.schema.columns.get(at).and_then(|column| column.replaces) {
            Some(before) if before < at => at = before,
            _ => return Ok(None),
        }
    }
}

fn convert(
    path: &str,
    table: &mut Table,
    index: usize,
    (chunk, rows): (&Chunk, usize),
    (from, to, converter): (ColumnType, ColumnType, &Converter),
) -> Result<Chunk> {
    if let Some(new) = converter.convert_all(chunk) {
        return Ok(new);
    }
    let mut new = Chunk::new(to);
    new.reserve(rows);
    let mut scratch = Vec::new();
    let is_symbol = to.is_symbol();
    for row in 0..rows {
        scratch.clear();
        let value = converter.convert(source(chunk, row, from, None), &mut scratch);
        let value = value.map_err(|error| Error::Unsupported {
            file: path.into(),
            offset: 0,
            what: error.to_string().into(),
        })?;
        let into = table.symbols.get_mut(index).and_then(Option::as_mut).filter(|_| is_symbol);
        new.push(to, value, into);
    }
    Ok(new)
}

fn timed(table: &Table, mut block: Block) -> Block {
    let times = block.timestamps(table.schema.timestamp);
    let time = |word: Option<&[u8; 8]>| word.map_or(0, |word| i64::from_le_bytes(*word));
    (block.min_ts, block.max_ts) = (time(times.first()), time(times.last()));
    block
}

/// Timestamps don't decrease and belong into the partition: all that follows relies on it.
fn check_times(path: &str, table: &Table, blocks: &[Block], floor: i64) -> Result<()> {
    let (end, mut last) = (table.calendar().ceiling(floor), floor);
    for block in blocks {
        let times = block.timestamps(table.schema.timestamp);
        if times.len() != block.rows {
            return Err(Error::damaged(path, 0, "a designated timestamp in each row", times.len()));
        }
        for word in times {
            let ts = i64::from_le_bytes(*word);
            if ts < last || ts >= end {
                let expected = format_args!("timestamps that don't decrease, from {floor} to below {end}");
                return Err(Error::damaged(path, 0, expected, format_args!("{ts} after {last}")));
            }
            last = ts;
        }
    }
    Ok(())
}

/// The partition with rows that came later merged into it as a commit of them would be: by timestamp, upsert keys
/// respected.
pub fn merged(table: &Table, under: Partition, late: &Partition) -> Partition {
    if late.rows == 0 {
        return under;
    }
    let floor = under.floor;
    let mut work = Table::new(table.name.clone(), table.dir.clone(), (*table.schema).clone());
    Arc::make_mut(&mut work.schema).ttl = 0;
    work.symbols.clone_from(&table.symbols);
    work.seq_txn = table.seq_txn;
    if under.rows > 0 {
        work.partitions.insert(floor, Arc::new(under));
    }
    let commit = commit_of(table, late);
    apply_commits(&mut work, std::slice::from_ref(&commit));
    work.partitions.remove(&floor).map(Arc::unwrap_or_clone).unwrap_or_default()
}

/// The rows of a partition as a transaction brings them.
fn commit_of(table: &Table, late: &Partition) -> Commit {
    let mut symbols = Vec::new();
    let mut columns = Vec::new();
    for (index, column) in table.schema.columns.iter().enumerate() {
        if column.dropped {
            columns.push(None);
            continue;
        }
        let mut whole = Chunk::new(column.ty);
        whole.reserve(late.rows);
        for block in &late.blocks {
            append_rows(&mut whole, column.ty, block.chunk(index).map(|chunk| &**chunk), 0, block.rows);
        }
        if column.ty.is_symbol() {
            // The keys are the table's.
            let clean = table.dictionary(index).map_or(0, |symbols| symbols.len() as u32);
            symbols.push(SymbolDiff { column: index, has_null: true, clean, entries: Vec::new() });
        }
        columns.push(Some(if index == table.schema.timestamp {
            WalColumn::Designated(designated(&whole))
        } else {
            wal_column(column.ty, whole)
        }));
    }
    Commit {
        seq_txn: table.seq_txn,
        commit_ts: i64::MAX,
        rows: late.rows,
        min_ts: late.min_ts(),
        max_ts: late.max_ts(),
        out_of_order: false,
        replace: None,
        mat_view: None,
        symbols,
        columns,
    }
}

fn designated(times: &Chunk) -> Bytes {
    let Chunk::Fixed { values, .. } = times else { return Bytes::new() };
    let words = values.as_chunks::<8>().0.iter().zip(0u64..);
    words.flat_map(|(word, row)| [*word, row.to_le_bytes()]).flatten().collect()
}

fn wal_column(ty: ColumnType, chunk: Chunk) -> WalColumn {
    let (aux, data): (Vec<u8>, Vec<u8>) = match chunk {
        Chunk::Fixed { values, .. } => return WalColumn::Fixed { ty, values: values.into() },
        Chunk::Prefixed { aux, data } => (aux.iter().flat_map(|offset| offset.to_le_bytes()).collect(), data),
        Chunk::Varchar { aux, data } | Chunk::Array { aux, data } => (aux.as_flattened().to_vec(), data),
    };
    WalColumn::Var { ty, aux: aux.into(), data: data.into(), base: 0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::apply::apply_change;
    use crate::columnar::parquet::{Field, Options, PartitionRows, Plan, encode};
    use crate::table::{Column, Schema, SymbolTable, Value};
    use crate::wal::{Change, ColumnSpec, PartitionBy};

    const DAY: i64 = 86_400_000_000;

    /// `ts`, `sym`, `n`, `s`, deduplicated by `ts` and `sym`.
    fn table() -> Table {
        let column = |(name, code, upsert_key): (&str, i32, bool)| Column {
            name: name.into(),
            ty: ColumnType::from_code(code).unwrap(),
            dropped: false,
            upsert_key,
            indexed: false,
            replaces: None,
        };
        let columns = [("ts", 8, true), ("sym", 12, true), ("n", 6, false), ("s", 26, false)];
        let columns: Vec<Column> = columns.into_iter().map(column).collect();
        let (order, partition_by) = ((0..columns.len()).collect(), PartitionBy::Day);
        let schema = Schema { columns, order, timestamp: 0, partition_by, ttl: 0, version: 1 };
        let mut table = Table::new("t".into(), "t~1".into(), schema);
        table.symbols = vec![None, Some(SymbolTable::default()), None, None];
        table
    }

    /// Rows of the first day: moment, symbol, number.
    fn partition(table: &mut Table, rows: &[(i64, &str, i64)]) -> Partition {
        let types: Vec<ColumnType> = table.schema.columns.iter().map(|column| column.ty).collect();
        let mut chunks: Vec<Chunk> = types.iter().map(|ty| Chunk::new(*ty)).collect();
        for (ts, symbol, n) in rows {
            let text = format!("row {n} of a text that is not short");
            let values = [
                Value::Timestamp(*ts),
                Value::Utf8(symbol.as_bytes()),
                Value::Long(*n),
                Value::Utf8(text.as_bytes()),
            ];
            for (index, value) in values.into_iter().enumerate() {
                chunks[index].push(types[index], value, table.symbols[index].as_mut());
            }
        }
        let mut block = Block::empty();
        block.rows = rows.len();
        block.columns = chunks.into_iter().map(|chunk| Some(Arc::new(chunk))).collect();
        let block = timed(table, block);
        Partition { floor: 0, rows: rows.len(), blocks: vec![Arc::new(block)], ..Partition::default() }
    }

    fn file(table: &Table, partition: &Partition) -> (Bytes, u64) {
        let plan =
            Plan::new("t", Field::of_table(&table.schema), partition.rows, Options::default()).unwrap();
        let mut bytes = Vec::new();
        encode(&plan, &PartitionRows { partition, symbols: &table.symbols }, &mut bytes).unwrap();
        (bytes.into(), partition.rows as u64)
    }

    fn rows(n: i64) -> Vec<(i64, &'static str, i64)> {
        (0..n).map(|i| (i * 1000, ["a", "b", "c"][i as usize % 3], i)).collect()
    }

    #[test]
    fn a_file_is_read_by_the_columns_as_they_are_now() {
        let mut table = table();
        let day = partition(&mut table, &rows(40_000));
        let (bytes, count) = file(&table, &day);
        let read = file_rows("f", bytes.clone(), count, &mut table, 0).unwrap();
        assert_eq!(table.partition_digest(&read), table.partition_digest(&day));
        table.partitions.insert(0, Arc::new(day));
        let spec = |name: &str, code: i32| ColumnSpec {
            name: name.into(),
            ty: ColumnType::from_code(code).unwrap(),
            symbol_capacity: 64,
            symbol_cache: true,
            indexed: false,
            index_block_capacity: 2,
        };
        for change in [
            Change::ChangeType(spec("n", 10)),
            Change::ChangeType(spec("n", 26)),
            Change::ChangeType(spec("sym", 11)),
            Change::ChangeType(spec("s", 12)),
            Change::ChangeType(spec("s", 26)),
            Change::AddColumns(vec![spec("more", 5)]),
            Change::RenameColumns(vec![("s".into(), "t".into())]),
        ] {
            apply_change(&mut table, &change).unwrap();
            let whole = Arc::unwrap_or_clone(table.partitions[&0].clone());
            let mut now = table.clone();
            now.partitions.clear();
            // The dictionaries of columns that are gone are gone.
            for (column, symbols) in table.schema.columns.iter().zip(&mut now.symbols) {
                if column.dropped && column.ty.is_symbol() {
                    *symbols = Some(SymbolTable::default());
                }
            }
            let read = file_rows("f", bytes.clone(), count, &mut now, 0).unwrap();
            assert_eq!(now.partition_digest(&read), table.partition_digest(&whole), "{change:?}");
        }
    }

    #[test]
    fn late_rows_are_merged_as_a_commit_would() {
        let mut table = table();
        let under = partition(&mut table, &[(1, "a", 1), (2, "a", 2), (2, "b", 3), (5, "a", 4)]);
        let late = partition(&mut table, &[(2, "a", 12), (3, "c", 13), (5, "b", 14), (9, "a", 15)]);
        let all = merged(&table, under.clone(), &late);
        let want = partition(
            &mut table,
            &[(1, "a", 1), (2, "a", 12), (2, "b", 3), (3, "c", 13), (5, "a", 4), (5, "b", 14), (9, "a", 15)],
        );
        assert_eq!(table.partition_digest(&all), table.partition_digest(&want));
        for column in &mut Arc::make_mut(&mut table.schema).columns {
            column.upsert_key = false;
        }
        assert_eq!(merged(&table, under.clone(), &late).rows, 8);
        assert_eq!(merged(&table, under, &Partition::default()).rows, 4);
    }

    #[test]
    fn what_is_no_such_file_is_refused() {
        let mut table = table();
        let day = partition(&mut table, &rows(300));
        let (bytes, count) = file(&table, &day);
        let read =
            |bytes: Vec<u8>, count, floor| file_rows("f", bytes.into(), count, &mut table.clone(), floor);
        assert!(read(bytes.to_vec(), 299, 0).is_err());
        assert!(read(bytes.to_vec(), count, DAY).is_err(), "of another day");
        for len in (0..bytes.len()).step_by(17) {
            assert!(read(bytes[..len].to_vec(), count, 0).is_err(), "{len} bytes");
        }
        // Whatever a byte says, it is an error or some rows, and no panic.
        for at in 0..bytes.len() {
            let mut wrong = bytes.to_vec();
            wrong[at] ^= 0xff;
            let _ = read(wrong, count, 0);
        }
    }
}
