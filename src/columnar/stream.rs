use super::{Export, message};
use crate::table::Table;
use arrow::error::ArrowError;
use std::io::Write;
use std::ops::Range;

/// Rows of a table as the bytes of an Arrow IPC stream (schema, dictionaries, batches, end).
///
/// # Errors
/// As [`Export::batches`].
pub fn stream(table: &Table, rows: Range<usize>) -> Result<Vec<u8>, ArrowError> {
    let mut bytes = Vec::new();
    write_stream(table, rows, &mut bytes)?;
    Ok(bytes)
}

/// Writes rows of a table as an Arrow IPC stream, batch by batch.
///
/// # Errors
/// As [`Export::batches`], and what `out` says.
pub fn write_stream(table: &Table, rows: Range<usize>, mut out: impl Write) -> Result<(), ArrowError> {
    let export = Export::new(table, rows)?;
    out.write_all(&export.head())?;
    for batch in export.batches() {
        out.write_all(&batch?.0)?;
    }
    out.write_all(&message::END)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::chunk::{array_entry, varchar_entry};
    use crate::table::{Block, Chunk, Column, Partition, Schema, SymbolTable};
    use crate::wal::{ColumnType, PartitionBy};
    use arrow::array::{Array, AsArray, RecordBatch};
    use arrow::datatypes::*;
    use arrow::ipc::reader::StreamReader;
    use arrow::util::display::array_value_to_string;
    use std::sync::Arc;

    /// A column of three rows: name, type code, chunk.
    type Given = (&'static str, i32, Option<Chunk>);

    fn fixed(rows: [&[u8]; 3]) -> Option<Chunk> {
        Some(Chunk::Fixed { width: rows[0].len(), values: rows.concat() })
    }

    fn table(columns: Vec<Given>) -> Table {
        let definition = |(name, code, _): &Given| Column {
            name: (*name).to_owned(),
            ty: ColumnType::from_code(*code).unwrap(),
            dropped: false,
            upsert_key: false,
            indexed: false,
            replaces: None,
        };
        let schema = Schema {
            columns: columns.iter().map(definition).collect(),
            order: (0..columns.len()).collect(),
            timestamp: 0,
            partition_by: PartitionBy::Day,
            ttl: 0,
            version: 0,
        };
        let mut table = Table::new("t".to_owned(), "t~1".to_owned(), schema);
        let mut block = Block::empty();
        (block.rows, block.min_ts, block.max_ts) = (3, 1, 3);
        block.columns = columns.into_iter().map(|(_, _, chunk)| chunk.map(Arc::new)).collect();
        // Two partitions of the same three rows.
        for floor in [0, 86_400_000_000] {
            let partition = Partition {
                floor,
                blocks: vec![Arc::new(block.clone())],
                rows: 3,
                parquet: false,
                let_go: false,
            };
            table.partitions.insert(floor, Arc::new(partition));
        }
        table
    }

    fn back(bytes: &[u8]) -> Vec<RecordBatch> {
        StreamReader::try_new(bytes, None).unwrap().map(Result::unwrap).collect()
    }

    fn texts(batch: &RecordBatch, column: &str) -> Vec<String> {
        let array = batch.column_by_name(column).unwrap();
        (0..array.len())
            .map(|row| match array.is_null(row) {
                true => "null".to_owned(),
                false => array_value_to_string(array, row).unwrap(),
            })
            .collect()
    }

    fn timestamps() -> Given {
        ("ts", 8, fixed([&1i64.to_le_bytes(), &2i64.to_le_bytes(), &3i64.to_le_bytes()]))
    }

    #[test]
    fn fixed_types_come_back_with_their_nulls() {
        let int = |x: i32| x.to_le_bytes();
        let wide = |x: u128| x.to_le_bytes();
        let decimal = 30 | 9 << 8 | 2 << 18;
        let table = table(vec![
            timestamps(),
            ("b", 1, fixed([&[0], &[1], &[1]])),
            ("i", 5, fixed([&int(7), &int(i32::MIN), &int(-7)])),
            ("c", 4, fixed([&[65, 0], &[0, 0], &[66, 0]])),
            ("d", 10, fixed([&1.5f64.to_le_bytes(), &f64::NAN.to_le_bytes(), &f64::INFINITY.to_le_bytes()])),
            ("ip", 25, fixed([&int(1), &int(0), &int(-1)])),
            ("g", 14 | 5 << 8 | 1 << 16, fixed([&[31], &[255], &[0]])),
            ("m", decimal, fixed([&int(12345), &int(i32::MIN), &int(-5)])),
            ("u", 19, fixed([&wide(1), &wide(1 << 63 | 1 << 127), &wide(2)])),
            ("late", 5, None),
            ("byte", 2, None),
        ]);
        let batches = back(&stream(&table, 0..100).unwrap());
        assert_eq!(batches.len(), 1);
        let batch = &batches[0];
        assert_eq!(batch.num_rows(), 6);
        assert_eq!(texts(batch, "b")[..3], ["false", "true", "true"]);
        assert_eq!(texts(batch, "i")[..4], ["7", "null", "-7", "7"]);
        assert_eq!(texts(batch, "c")[..3], ["65", "null", "66"]);
        assert_eq!(texts(batch, "d")[..3], ["1.5", "null", "null"]);
        assert_eq!(texts(batch, "ip")[..3], ["1", "null", "4294967295"]);
        assert_eq!(texts(batch, "g")[..3], ["31", "null", "0"]);
        assert_eq!(texts(batch, "m")[..3], ["123.45", "null", "-0.05"]);
        assert_eq!(texts(batch, "u")[1], "null");
        assert_eq!(batch.column_by_name("u").unwrap().as_fixed_size_binary().value(0)[15], 1);
        assert_eq!(texts(batch, "late"), ["null"; 6]);
        assert_eq!(texts(batch, "byte"), ["0"; 6]);
        let field = batch.schema().field_with_name("m").unwrap().clone();
        assert_eq!(field.metadata()[super::super::TYPE_KEY], "DECIMAL(9,2)");
        assert_eq!(batch.schema().metadata()[super::super::TIMESTAMP_KEY], "ts");
    }

    #[test]
    fn text_of_every_form_comes_back() {
        let long = "longer than what is inlined: ü";
        let prefixed = |values: [Option<&str>; 3]| {
            let (mut aux, mut data) = (vec![0], Vec::new());
            for value in values {
                let units: Vec<u8> = value.unwrap_or("").encode_utf16().flat_map(u16::to_le_bytes).collect();
                data.extend(value.map_or(-1, |_| units.len() as i32 / 2).to_le_bytes());
                data.extend(units);
                aux.push(data.len() as u64);
            }
            Chunk::Prefixed { aux, data }
        };
        let entries = [Some("short"), None, Some(long)].map(|v| varchar_entry(v.map(str::as_bytes), 0));
        let varchar = Chunk::Varchar { aux: entries.to_vec(), data: long.as_bytes().to_vec() };
        let key = |k: i32| k.to_le_bytes();
        let mut table = table(vec![
            timestamps(),
            ("s", 11, Some(prefixed([Some("a€😀"), None, Some("")]))),
            ("v", 26, Some(varchar)),
            ("sym", 12, fixed([&key(2), &key(i32::MIN), &key(0)])),
        ]);
        let mut symbols = SymbolTable::default();
        for text in ["zero", "unused", ""] {
            symbols.intern(text);
        }
        table.symbols[3] = Some(symbols);
        let batch = back(&stream(&table, 1..5).unwrap()).remove(0);
        assert_eq!(texts(&batch, "s"), ["null", "", "a€😀", "null"]);
        assert_eq!(texts(&batch, "v"), ["null", long, "short", "null"]);
        assert_eq!(texts(&batch, "sym"), ["null", "zero", "", "null"]);
        let dictionary = batch.column_by_name("sym").unwrap().as_dictionary::<Int32Type>().values().len();
        assert_eq!(dictionary, 2, "only the strings in use are sent");
    }

    #[test]
    fn arrays_keep_their_shape_and_hostile_ones_are_null() {
        let mut data = Vec::new();
        for dims in [[2i32, 1], [0, 7]] {
            data.extend(dims.iter().flat_map(|dim| dim.to_le_bytes()));
            data.extend([1.0f64, f64::NAN].iter().flat_map(|value| value.to_le_bytes()));
        }
        let mut hostile = data.clone();
        hostile[..8].copy_from_slice(&[0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff, 0x7f]);
        for (data, first) in [(data, "[[1.0], []]"), (hostile, "null")] {
            let aux = vec![array_entry(0, 24), array_entry(0, 0), array_entry(24, 24)];
            let ty = 27 | 10 << 8 | 1 << 14;
            let table = table(vec![timestamps(), ("a", ty, Some(Chunk::Array { aux, data }))]);
            let batch = back(&stream(&table, 0..3).unwrap()).remove(0);
            assert_eq!(texts(&batch, "a"), [first, "null", "[]"]);
        }
    }
}
