//! What lies beside the tables in a database's directory: which tables there are, and which numbers are
//! taken.

use super::out::Out;
use crate::wal::{Cursor, Files, Result, TableKind, TableToken};

/// Reserved bytes behind each table that is added.
const RESERVED: usize = 64;
/// QuestDB maps files of a counter as one page.
const PAGE: usize = 4096;
/// The storage and migration version of QuestDB 9.3.4.
const VERSION: i32 = 426;

/// The whole content of a `tables.d.N` with these tables, in this order. Dropped ones are left out: the
/// file is a compacted one, which takes the place of the file with the next lower number.
pub fn encode_registry(tables: &[TableToken]) -> Vec<u8> {
    let mut out = Out::default();
    out.i64(0);
    tables.iter().filter(|table| !table.dropped).for_each(|table| record(&mut out, table));
    out.put_i64(0, out.len() as i64);
    out.0
}

/// What is put behind the last record of a `tables.d.N` when a table is added; the number of bytes in use, the file's first eight,
/// follows.
pub fn encode_registry_record(table: &TableToken) -> Vec<u8> {
    let mut out = Out::default();
    record(&mut out, table);
    out.0
}

fn record(out: &mut Out, table: &TableToken) {
    out.i32(0);
    out.text(&table.name);
    out.text(&table.dir);
    out.i32(table.id);
    out.i32(match table.kind {
        TableKind::Plain => 0,
        TableKind::Wal => 1,
        TableKind::MatView => 2,
        TableKind::View => 3,
    });
    out.pad_to(out.len() + RESERVED);
}

/// `_tab_index.d`: the last table id that was given, and the database's own number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TabIndex {
    /// No table has a larger id; the next one gets the id after it.
    pub last_id: i64,
    /// Chosen by QuestDB at its first start; zeros until then.
    pub instance: (i64, i64),
}

impl TabIndex {
    /// Decodes the content of `file`. One that ends behind the id is from before there was an instance.
    ///
    /// # Errors
    /// [`Damaged`](crate::wal::Error::Damaged) for a file of less than 8 bytes.
    pub fn decode(file: &str, bytes: &[u8]) -> Result<Self> {
        let mut cursor = Cursor::new(file, 0, bytes);
        let last_id = cursor.i64("last table id")?;
        let mut instance = (0, 0);
        if cursor.remaining() >= 16 {
            instance = (cursor.i64("instance")?, cursor.i64("instance")?);
        }
        Ok(Self { last_id, instance })
    }

    /// The whole content of the file, one page.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Out::with_capacity(PAGE);
        out.i64(self.last_id);
        out.i64(self.instance.0);
        out.i64(self.instance.1);
        out.pad_to(PAGE);
        out.0
    }
}

/// The counter of WALs, of which a page is written.
const WAL_INDEX_MAX: u64 = 1 << 20;

/// `txn_seq/_wal_index.d`: the content for a table whose last writer's directory is `wal{last}`.
pub fn encode_wal_index(last: u32) -> Vec<u8> {
    TabIndex { last_id: i64::from(last), instance: (0, 0) }.encode()
}

/// The number of the last writer in the content of `file`, a `txn_seq/_wal_index.d`.
///
/// # Errors
/// [`Damaged`](crate::wal::Error::Damaged) if it is not there, or not a number of a writer.
pub fn decode_wal_index(file: &str, bytes: &[u8]) -> Result<u32> {
    let mut cursor = Cursor::new(file, 0, bytes);
    let last = cursor.i64("last writer")?;
    u32::try_from(last).ok().ok_or_else(|| cursor.damaged_back(8, "a writer's number", last))
}

/// The number of the last writer of the table in `dir`.
///
/// # Errors
/// What reading `txn_seq/_wal_index.d` answers, and [`decode_wal_index`].
pub fn read_wal_index(files: &dyn Files, dir: &str) -> Result<u32> {
    let path = format!("{dir}/txn_seq/_wal_index.d");
    decode_wal_index(&path, &files.read_all(&path, WAL_INDEX_MAX)?)
}

/// `_upgrade.d`: how far the database's files have been migrated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Upgrade {
    /// Of the files; QuestDB refuses to start on a higher one than its own.
    pub storage: i32,
    /// Of the migrations that ran; another than its own makes QuestDB migrate.
    pub migration: i32,
}

impl Upgrade {
    /// The version of QuestDB 9.3.4, whose files this module writes.
    pub const CURRENT: Self = Self { storage: VERSION, migration: VERSION };

    /// Decodes the content of `file`.
    ///
    /// # Errors
    /// [`Damaged`](crate::wal::Error::Damaged) for a file of less than 8 bytes.
    pub fn decode(file: &str, bytes: &[u8]) -> Result<Self> {
        let mut cursor = Cursor::new(file, 0, bytes);
        Ok(Self { storage: cursor.i32("storage version")?, migration: cursor.i32("migration version")? })
    }

    /// The whole content of the file.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Out::default();
        out.i32(self.storage);
        out.i32(self.migration);
        out.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wal::Registry;

    fn token(name: &str, dir: &str, kind: TableKind) -> TableToken {
        TableToken { name: name.into(), dir: dir.into(), id: 6, kind, dropped: false }
    }

    #[test]
    fn a_registry_reads_as_it_was_written() {
        let tables = [
            token("t", "t~6", TableKind::Wal),
            token("€ v", "v~7", TableKind::MatView),
            token("p", "p~", TableKind::Plain),
            token("w", "w~9", TableKind::View),
        ];
        let gone = TableToken { dropped: true, ..token("x", "x~1", TableKind::Wal) };
        let mut all = tables.to_vec();
        all.push(gone);
        let bytes = encode_registry(&all);
        assert_eq!(Registry::decode("f", &bytes).unwrap().tables, tables);
        assert_eq!(encode_registry(&tables[..1]).len(), 100);
    }

    #[test]
    fn counters_are_pages() {
        let index = TabIndex { last_id: 12, instance: (-5, 6) };
        assert_eq!(index.encode().len(), PAGE);
        assert_eq!(TabIndex::decode("f", &index.encode()).unwrap(), index);
        assert_eq!(TabIndex::decode("f", &[3, 0, 0, 0, 0, 0, 0, 0]).unwrap().last_id, 3);
        assert_eq!(decode_wal_index("f", &encode_wal_index(7)).unwrap(), 7);
        assert!(decode_wal_index("f", &[255; 8]).is_err());
        assert_eq!(Upgrade::decode("f", &Upgrade::CURRENT.encode()).unwrap(), Upgrade::CURRENT);
        assert!(Upgrade::decode("f", &[1, 2, 3]).is_err());
    }
}
