use super::cursor::Cursor;
use super::path::check_component;
use super::{Error, Files, Result, SymbolText};

/// Bytes in front of the offsets in a `.o` file.
const HEADER: u64 = 64;
/// More symbols than a column can have keys.
const MAX_SYMBOLS: u64 = i32::MAX as u64;

/// Reads the first `count` symbols of a table's dictionary, in key order.
///
/// `suffix` is that of `_cv` for files whose capacity was rebuilt (`s.o.7`), if any. How many
/// symbols are valid only `_txn` says: see [`Applied`](super::Applied).
pub fn read_table_symbols(
    files: &dyn Files,
    table_dir: &str,
    column: &str,
    suffix: Option<i64>,
    count: u32,
) -> Result<Vec<SymbolText>> {
    check_component(table_dir, column)?;
    let suffix = suffix.filter(|txn| *txn >= 0).map(|txn| format!(".{txn}")).unwrap_or_default();
    read(files, &format!("{table_dir}/{column}.o{suffix}"), &format!("{table_dir}/{column}.c{suffix}"), count)
}

/// Reads the clean prefix of a column's dictionary through the links that writer `wal` keeps: the
/// symbols whose keys its commits use without carrying them.
///
/// The link keeps the name that the column had when the writer opened it, so `column` may be an
/// old name. [`Error::Absent`] once the column was dropped or the writer's directory purged.
pub fn read_clean_symbols(
    files: &dyn Files,
    table_dir: &str,
    wal: u32,
    column: &str,
    clean: u32,
) -> Result<Vec<SymbolText>> {
    check_component(table_dir, column)?;
    let stem = format!("{table_dir}/wal{wal}/{column}");
    read(files, &format!("{stem}.o"), &format!("{stem}.c"), clean)
}

fn read(files: &dyn Files, offsets_file: &str, values_file: &str, count: u32) -> Result<Vec<SymbolText>> {
    if count == 0 {
        return Ok(Vec::new());
    }
    let count = u64::from(count);
    if count > MAX_SYMBOLS {
        return Err(Error::damaged(offsets_file, 0, format_args!("at most {MAX_SYMBOLS} symbols"), count));
    }
    // One offset more than symbols: the end of the last.
    let bytes = files.read(offsets_file, HEADER, (count + 1) * 8)?;
    let mut offsets = Cursor::new(offsets_file, HEADER, &bytes);
    let mut starts = Vec::with_capacity(bytes.len() / 8);
    while offsets.remaining() > 0 {
        let start = offsets.u63("offset of a symbol")?;
        let least = starts.last().map_or(0, |last| last + 4);
        if start < least || (starts.is_empty() && start != 0) {
            return Err(offsets.damaged_back(8, format_args!("an offset of {least} or more"), start));
        }
        starts.push(start);
    }
    let end = starts.last().copied().unwrap_or(0);
    let values = files.read(values_file, 0, end)?;
    let mut cursor = Cursor::new(values_file, 0, &values);
    let mut out = Vec::with_capacity(starts.len().saturating_sub(1));
    for start in starts.windows(2).filter_map(|pair| pair.first()) {
        if cursor.offset() != *start {
            return Err(cursor.damaged(format_args!("a symbol to begin at {start}"), "it does not"));
        }
        out.push(cursor.symbol()?);
    }
    if cursor.remaining() != 0 {
        return Err(
            cursor.damaged("the end of the last symbol", format_args!("{} more bytes", cursor.remaining()))
        );
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wal::MemoryFiles;

    fn dictionary(symbols: &[&str]) -> (Vec<u8>, Vec<u8>) {
        let (mut offsets, mut values) = (vec![0; 64], Vec::new());
        for symbol in symbols {
            offsets.extend((values.len() as i64).to_le_bytes());
            let units: Vec<u16> = symbol.encode_utf16().collect();
            values.extend((units.len() as i32).to_le_bytes());
            units.iter().for_each(|unit| values.extend(unit.to_le_bytes()));
        }
        offsets.extend((values.len() as i64).to_le_bytes());
        (offsets, values)
    }

    #[test]
    fn reads_a_prefix_of_a_dictionary() {
        let (offsets, mut values) = dictionary(&["", "ab", "€"]);
        values.extend([9; 30]);
        let mut files = MemoryFiles::default();
        files.insert("t/s.o.4", offsets.clone());
        files.insert("t/s.c.4", values.clone());
        files.insert("t/wal2/s.o", offsets);
        files.insert("t/wal2/s.c", values);
        assert_eq!(
            read_table_symbols(&files, "t", "s", Some(4), 3).unwrap(),
            ["", "ab", "€"].map(SymbolText::from)
        );
        assert_eq!(read_clean_symbols(&files, "t", 2, "s", 2).unwrap(), ["", "ab"].map(SymbolText::from));
        assert_eq!(read_clean_symbols(&files, "t", 3, "s", 0).unwrap(), Vec::new());
        assert!(matches!(read_clean_symbols(&files, "t", 2, "s", 9), Err(Error::Short { .. })));
        assert!(matches!(read_table_symbols(&files, "t", "s", None, 1), Err(Error::Absent { .. })));
        assert!(read_table_symbols(&files, "t", "../s", None, 1).is_err());
    }

    #[test]
    fn refuses_offsets_that_contradict_the_values() {
        let (offsets, values) = dictionary(&["a", "b"]);
        let mut files = MemoryFiles::default();
        let mut gap = offsets;
        gap[72] = 8;
        files.insert("t/s.o", gap);
        files.insert("t/s.c", values);
        assert!(matches!(read_table_symbols(&files, "t", "s", None, 2), Err(Error::Damaged { .. })));
    }
}
