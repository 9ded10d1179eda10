use super::cursor::{Cursor, Gather};
use super::{Change, ColumnSpec, ColumnType, Error, Files, Result};
use bytes::Bytes;

const FLAG_INDEXED: i64 = 1;

/// The structural change that led to `structure_version` (of a [`TxnKind::Structure`] record).
///
/// [`TxnKind::Structure`]: super::TxnKind::Structure
pub fn read_change(files: &dyn Files, table_dir: &str, structure_version: i64) -> Result<Change> {
    let place = change_place(files, table_dir, structure_version)?;
    let bytes = files.read(&place.file, place.offset, place.len)?;
    decode_change(&place.file, place.offset, &bytes)
}

/// The bytes of the structural change that led to `structure_version`, its length included.
pub fn read_raw_change(files: &dyn Files, table_dir: &str, structure_version: i64) -> Result<Bytes> {
    let place = change_place(files, table_dir, structure_version)?;
    files.read(&place.file, place.offset, place.len)
}

/// Where a structural change is.
pub(super) struct ChangePlace {
    pub(super) file: String,
    pub(super) offset: u64,
    pub(super) len: u64,
    /// Its entry in `_txnlog.meta.i`.
    pub(super) index_file: String,
    pub(super) index_offset: u64,
}

pub(super) fn change_place(
    files: &dyn Files,
    table_dir: &str,
    structure_version: i64,
) -> Result<ChangePlace> {
    let index_file = format!("{table_dir}/txn_seq/_txnlog.meta.i");
    let file = format!("{table_dir}/txn_seq/_txnlog.meta.d");
    let number = u64::try_from(structure_version.saturating_sub(1))
        .ok()
        .filter(|number| *number < 1 << 56)
        .ok_or_else(|| {
        Error::damaged(&index_file, 0, "a structure version of 1 or more", structure_version)
    })?;
    let index_offset = number * 8;
    let bytes = files.read(&index_file, index_offset, 16)?;
    let mut index = Cursor::new(&index_file, index_offset, &bytes);
    let offset = index.u63("start of the change")?;
    let end = index.u63("end of the change")?;
    if end <= offset {
        return Err(index.damaged_back(8, format_args!("an end after {offset}"), end));
    }
    Ok(ChangePlace { file, offset, len: end - offset, index_file, index_offset })
}

/// The structural changes that led from structure version `from` to `to`, in order.
///
/// Asks for all that it can before it answers [`Error::Pending`].
pub fn read_changes(files: &dyn Files, table_dir: &str, from: i64, to: i64) -> Result<Vec<Change>> {
    let mut gather = Gather::default();
    let mut out = Vec::new();
    for version in from.saturating_add(1)..=to {
        if let Some(change) = gather.add(read_change(files, table_dir, version))? {
            out.push(change);
        }
        if gather.is_full() {
            break;
        }
    }
    gather.done()?;
    Ok(out)
}

/// Decodes one record of `_txnlog.meta.d`; `offset` is where `bytes` start.
pub fn decode_change(file: &str, offset: u64, bytes: &[u8]) -> Result<Change> {
    let mut cursor = Cursor::new(file, offset, bytes);
    let body = cursor.u31("length of the change")?;
    if body as usize != cursor.remaining() {
        return Err(cursor.damaged_back(4, format_args!("a length of {}", cursor.remaining()), body));
    }
    let command_offset = cursor.offset();
    let command = cursor.i16("ALTER command")?;
    cursor.i32("position of the table name")?;
    let count = cursor.count(8, "numbers")?;
    let numbers_offset = cursor.offset();
    let mut numbers = Vec::with_capacity(count);
    for _ in 0..count {
        numbers.push(cursor.i64("a number of the change")?);
    }
    let count = cursor.count(4, "names")?;
    let mut names = Vec::with_capacity(count);
    for _ in 0..count {
        names.push(cursor.name("a name of the change")?);
    }
    if cursor.remaining() != 0 {
        return Err(
            cursor.damaged("the end of the change", format_args!("{} more bytes", cursor.remaining()))
        );
    }
    let parts = Parts { file, command_offset, numbers_offset, numbers, names };
    parts.change(command)
}

struct Parts<'a> {
    file: &'a str,
    command_offset: u64,
    numbers_offset: u64,
    numbers: Vec<i64>,
    names: Vec<String>,
}

impl Parts<'_> {
    fn change(self, command: i16) -> Result<Change> {
        match command {
            1 => Ok(Change::AddColumns(self.columns()?)),
            8 => Ok(Change::DropColumns(self.names)),
            9 => Ok(Change::RenameColumns(self.pairs()?)),
            14 => match self.pairs()?.pop() {
                Some((from, to)) => Ok(Change::RenameTable { from, to }),
                None => Err(mismatch(self.file, self.command_offset, "an old and a new name", 0)),
            },
            15 => Ok(Change::DedupEnable(self.indexes()?)),
            16 => Ok(Change::DedupDisable),
            17 => {
                let (file, offset) = (self.file, self.command_offset);
                let mut columns = self.columns()?;
                match (columns.pop(), columns.len()) {
                    (Some(column), 0) => Ok(Change::ChangeType(column)),
                    (_, more) => Err(mismatch(file, offset, "one column", more)),
                }
            }
            _ => Err(Error::Unsupported {
                file: self.file.into(),
                offset: self.command_offset,
                what: format!("structural change {command} is not known").into(),
            }),
        }
    }

    fn columns(self) -> Result<Vec<ColumnSpec>> {
        if self.numbers.len() != self.names.len().saturating_mul(6) {
            return Err(mismatch(
                self.file,
                self.command_offset,
                "six numbers per column",
                format_args!("{} for {} columns", self.numbers.len(), self.names.len()),
            ));
        }
        let Self { file, numbers_offset, numbers, names, .. } = self;
        let mut out = Vec::with_capacity(names.len());
        for (i, (name, numbers)) in names.into_iter().zip(numbers.chunks_exact(6)).enumerate() {
            let &[code, capacity, cache, flags, block, _] = numbers else { continue };
            let ty = i32::try_from(code).ok().and_then(ColumnType::from_code).ok_or_else(|| {
                Error::Unsupported {
                    file: file.into(),
                    offset: numbers_offset + i as u64 * 48,
                    what: format!("column type code {code} of column {name:?} is not known").into(),
                }
            })?;
            out.push(ColumnSpec {
                name,
                ty,
                symbol_capacity: capacity as i32,
                symbol_cache: cache == 1,
                indexed: flags & FLAG_INDEXED != 0,
                index_block_capacity: block as i32,
            });
        }
        Ok(out)
    }

    fn pairs(&self) -> Result<Vec<(String, String)>> {
        if self.names.is_empty() || !self.names.len().is_multiple_of(2) {
            return Err(mismatch(
                self.file,
                self.command_offset,
                "pairs of an old and a new name",
                format_args!("{} names", self.names.len()),
            ));
        }
        let pairs = self.names.chunks_exact(2).filter_map(|pair| match pair {
            [from, to] => Some((from.clone(), to.clone())),
            _ => None,
        });
        Ok(pairs.collect())
    }

    fn indexes(&self) -> Result<Vec<usize>> {
        let index = |(i, n): (usize, &i64)| match u32::try_from(*n) {
            Ok(n) => Ok(n as usize),
            Err(_) => {
                let at = self.numbers_offset + i as u64 * 8;
                Err(Error::damaged(self.file, at, "a column's index", n))
            }
        };
        self.numbers.iter().enumerate().map(index).collect()
    }
}

fn mismatch(file: &str, offset: u64, expected: &str, found: impl std::fmt::Display) -> Error {
    Error::damaged(file, offset, expected, found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wal::MemoryFiles;

    pub(super) fn change(command: i16, numbers: &[i64], names: &[&str]) -> Vec<u8> {
        let mut body = command.to_le_bytes().to_vec();
        body.extend(12i32.to_le_bytes());
        body.extend((numbers.len() as i32).to_le_bytes());
        numbers.iter().for_each(|n| body.extend(n.to_le_bytes()));
        body.extend((names.len() as i32).to_le_bytes());
        for name in names {
            let units: Vec<u16> = name.encode_utf16().collect();
            body.extend((units.len() as i32).to_le_bytes());
            units.iter().for_each(|unit| body.extend(unit.to_le_bytes()));
        }
        let mut out = (body.len() as i32).to_le_bytes().to_vec();
        out.extend(body);
        out
    }

    fn decode(command: i16, numbers: &[i64], names: &[&str]) -> Result<Change> {
        decode_change("f", 0, &change(command, numbers, names))
    }

    #[test]
    fn decodes_every_change() {
        let spec = ColumnSpec {
            name: "s".into(),
            ty: ColumnType::SYMBOL,
            symbol_capacity: 128,
            symbol_cache: true,
            indexed: true,
            index_block_capacity: 256,
        };
        let numbers = [12, 128, 1, 1, 256, 0];
        assert_eq!(decode(1, &numbers, &["s"]), Ok(Change::AddColumns(vec![spec.clone()])));
        assert_eq!(decode(17, &numbers, &["s"]), Ok(Change::ChangeType(spec)));
        assert_eq!(decode(8, &[], &["a", "b"]), Ok(Change::DropColumns(vec!["a".into(), "b".into()])));
        assert_eq!(
            decode(9, &[], &["a", "b"]),
            Ok(Change::RenameColumns(vec![("a".to_owned(), "b".to_owned())]))
        );
        assert_eq!(
            decode(14, &[], &["t", "u"]),
            Ok(Change::RenameTable { from: "t".into(), to: "u".into() })
        );
        assert_eq!(decode(15, &[0, 1], &[]), Ok(Change::DedupEnable(vec![0, 1])));
        assert_eq!(decode(16, &[], &[]), Ok(Change::DedupDisable));
    }

    #[test]
    fn refuses_what_it_does_not_know_or_cannot_be() {
        assert!(matches!(decode(2, &[], &[]), Err(Error::Unsupported { offset: 4, .. })));
        assert!(matches!(decode(1, &[99, 0, 0, 0, 0, 0], &["x"]), Err(Error::Unsupported { .. })));
        assert!(matches!(decode(1, &[6], &["x"]), Err(Error::Damaged { .. })));
        assert!(matches!(decode(9, &[], &["x"]), Err(Error::Damaged { .. })));
        assert!(matches!(decode(17, &[], &[]), Err(Error::Damaged { .. })));
        assert!(matches!(decode(15, &[-1], &[]), Err(Error::Damaged { .. })));
    }

    #[test]
    fn finds_a_change_by_its_structure_version() {
        let mut files = MemoryFiles::default();
        let (a, b) = (change(16, &[], &[]), change(8, &[], &["x"]));
        let mut index = Vec::new();
        for n in [0, a.len(), a.len() + b.len()] {
            index.extend((n as i64).to_le_bytes());
        }
        files.insert("t/txn_seq/_txnlog.meta.i", index);
        files.insert("t/txn_seq/_txnlog.meta.d", [a, b].concat());
        assert_eq!(read_change(&files, "t", 2), Ok(Change::DropColumns(vec!["x".into()])));
        assert_eq!(read_changes(&files, "t", 0, 2).unwrap().len(), 2);
        assert!(matches!(read_change(&files, "t", 3), Err(Error::Short { .. })));
        assert!(read_change(&files, "t", 0).is_err());
    }
}
