use super::cursor::{Cursor, Gather};
use super::path::check_component;
use super::table_meta::read_name_file;
use super::{Error, Files, Result, TableMeta};
use std::collections::{BTreeMap, HashSet};

/// Longest registry that is read.
const MAX_REGISTRY: u64 = 64 << 20;
/// How many `tables.d.N` are tried where the driver can't list.
const PROBED: u32 = 64;
/// How often a registry that vanishes between listing and reading is looked for again.
const ATTEMPTS: u32 = 4;

/// A table of the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableToken {
    /// The logical name as the registry has it now; of a dropped table the last one known.
    pub name: String,
    /// Directory under the database root; stays the same when the table is renamed.
    pub dir: String,
    /// The table's id in this database, never used again.
    pub id: i32,
    /// What it is.
    pub kind: TableKind,
    /// The registry says that it was dropped, or does not know its directory, while its log still
    /// exists.
    pub dropped: bool,
}

/// What a table is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TableKind {
    /// Without WAL: nothing to replay.
    Plain,
    /// With a write-ahead log.
    Wal,
    /// A materialized view: a table whose log its refreshes write.
    MatView,
    /// A view: a definition without rows.
    View,
}

/// Ids from this one on are not QuestDB's: tables that Understudy keeps for itself have them, in the log and on replicas.
pub const OWN_TABLE_IDS: i32 = 1 << 30;

impl TableToken {
    /// True for tables that Understudy keeps for itself.
    pub fn is_own(&self) -> bool {
        self.id >= OWN_TABLE_IDS
    }

    /// True for tables that a cluster has in common: those with a log, without the server's own, and with ours.
    pub fn is_shared(&self) -> bool {
        self.kind != TableKind::Plain && (!self.is_system() || self.is_own())
    }

    /// True for the tables that QuestDB makes for itself.
    pub fn is_system(&self) -> bool {
        self.name.starts_with("sys.")
            || matches!(self.name.as_str(), "telemetry" | "telemetry_config" | "_query_trace")
    }
}

/// The tables that the registry (`tables.d.N`) and the directories show, in order of registration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Registry {
    /// In order of registration; directories without a record last.
    pub tables: Vec<TableToken>,
}

impl Registry {
    /// Reads the newest `tables.d.N`, then adds what only the directories tell, where the driver
    /// can list: tables without a record. Dropped tables count for as long as their log is there.
    ///
    /// # Errors
    /// [`Error::Absent`] of `tables.d.0` if there is neither a registry nor a table.
    pub fn read(files: &dyn Files) -> Result<Self> {
        let names = files.list("")?;
        let mut registry = match newest(files, names.as_deref())? {
            Some((file, bytes)) => Self::decode(&file, &bytes)?,
            None => Self::default(),
        };
        if let Some(names) = &names {
            registry.add_unlisted(files, names)?;
        }
        registry.drop_gone(files, names.as_deref())?;
        if registry.tables.is_empty() && newest(files, names.as_deref())?.is_none() {
            return Err(Error::Absent { file: "tables.d.0".into() });
        }
        Ok(registry)
    }

    /// The live table of this name; names compare without case, as in QuestDB.
    pub fn find(&self, name: &str) -> Option<&TableToken> {
        let name = name.to_lowercase();
        self.tables.iter().find(|table| !table.dropped && table.name.to_lowercase() == name)
    }

    /// Decodes the content of `file` and replays its records.
    pub fn decode(file: &str, bytes: &[u8]) -> Result<Self> {
        let mut cursor = Cursor::new(file, 0, bytes);
        let end = cursor.u63("end of the registry")?;
        let used = usize::try_from(end).ok().and_then(|end| bytes.get(8..end));
        let Some(used) = used else {
            return Err(cursor.damaged_back(8, format_args!("an end of 8 to {}", bytes.len()), end));
        };
        let mut cursor = Cursor::new(file, 8, used);
        let mut tables: Vec<TableToken> = Vec::new();
        let mut places: BTreeMap<String, usize> = BTreeMap::new();
        while cursor.remaining() > 0 {
            let (token, added) = decode_record(file, &mut cursor)?;
            let place = *places.entry(token.dir.clone()).or_insert(tables.len());
            let known = tables.get_mut(place);
            match (known, added) {
                (Some(table), true) => *table = token,
                (Some(table), false) => table.dropped = true,
                (None, true) => tables.push(token),
                (None, false) => tables.push(TableToken { dropped: true, ..token }),
            }
        }
        Ok(Self { tables })
    }

    fn add_unlisted(&mut self, files: &dyn Files, names: &[String]) -> Result<()> {
        let known: HashSet<String> = self.tables.iter().map(|table| table.dir.clone()).collect();
        let mut gather = Gather::default();
        for dir in names {
            if known.contains(dir) || dir.ends_with(".lock") || dir.starts_with("tables.d.") {
                continue;
            }
            if let Some(Some(token)) = gather.add(unlisted(files, dir))? {
                self.tables.push(token);
            }
        }
        gather.done()
    }

    /// Forgets dropped tables of which nothing is left.
    fn drop_gone(&mut self, files: &dyn Files, names: Option<&[String]>) -> Result<()> {
        if !self.tables.iter().any(|table| table.dropped) {
            return Ok(());
        }
        let mut gather = Gather::default();
        let mut kept = Vec::with_capacity(self.tables.len());
        for table in std::mem::take(&mut self.tables) {
            let log = format!("{}/txn_seq/_txnlog", table.dir);
            let may_exist = names.is_none_or(|names| names.contains(&table.dir));
            let keep = !table.dropped || (may_exist && gather.add(exists(files, &log))?.unwrap_or_default());
            if keep {
                kept.push(table);
            }
        }
        self.tables = kept;
        gather.done()
    }
}

/// The newest registry file and its content.
fn newest(files: &dyn Files, names: Option<&[String]>) -> Result<Option<(String, bytes::Bytes)>> {
    let mut names: Option<Vec<String>> = names.map(<[String]>::to_vec);
    for _ in 0..ATTEMPTS {
        let number = match &names {
            Some(names) => {
                names.iter().filter_map(|name| name.strip_prefix("tables.d.")?.parse::<u32>().ok()).max()
            }
            None => probe(files)?,
        };
        let Some(number) = number else { return Ok(None) };
        let file = format!("tables.d.{number}");
        match files.read_all(&file, MAX_REGISTRY) {
            Ok(bytes) => return Ok(Some((file, bytes))),
            // Compacted to the next number since it was listed.
            Err(Error::Absent { .. }) => names = files.list("")?,
            Err(error) => return Err(error),
        }
    }
    Err(Error::Io { file: "tables.d".into(), message: "replaced again and again while it was read".into() })
}

fn probe(files: &dyn Files) -> Result<Option<u32>> {
    let mut gather = Gather::default();
    let mut found = None;
    for number in 0..PROBED {
        if gather.add(exists(files, &format!("tables.d.{number}")))? == Some(true) {
            found = Some(number);
        }
    }
    gather.done()?;
    Ok(found)
}

fn exists(files: &dyn Files, path: &str) -> Result<bool> {
    match files.len(path) {
        Ok(_) => Ok(true),
        Err(Error::Absent { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

fn decode_record(file: &str, cursor: &mut Cursor<'_>) -> Result<(TableToken, bool)> {
    let op = cursor.i32("operation")?;
    let added = match op {
        0 => true,
        -1 => false,
        _ => return Err(cursor.damaged_back(4, "operation 0 (add) or -1 (remove)", op)),
    };
    let name = cursor.name("table name")?;
    let dir = cursor.name("directory name")?;
    check_component(file, &dir)?;
    let id = cursor.i32("table id")?;
    let kind = cursor.i32("table type")?;
    let kind = match kind {
        0 => TableKind::Plain,
        1 => TableKind::Wal,
        2 => TableKind::MatView,
        3 => TableKind::View,
        _ => return Err(cursor.unsupported_back(4, format_args!("table type {kind} is not known"))),
    };
    if added {
        cursor.take(64, "reserved bytes")?;
    }
    Ok((TableToken { name, dir, id, kind, dropped: false }, added))
}

/// What a directory without a record is, if it is a table.
fn unlisted(files: &dyn Files, dir: &str) -> Result<Option<TableToken>> {
    if check_component(dir, dir).is_err() {
        return Ok(None);
    }
    let mut gather = Gather::default();
    let mut ask = |result| match gather.add(result) {
        // Anything else than a table: a plain file, a foreign directory.
        Err(_) => Ok(None),
        Ok(found) => Ok::<_, Error>(found),
    };
    let wal = ask(files.len(&format!("{dir}/txn_seq/_txnlog")).map(|_| ()))?.is_some();
    let name = match read_name_file(files, dir) {
        Err(Error::Pending) => return Err(Error::Pending),
        other => other.ok(),
    };
    let meta = match TableMeta::applied(files, dir) {
        Err(Error::Absent { .. }) if wal => TableMeta::at_creation(files, dir),
        other => other,
    };
    let meta = match meta {
        Err(Error::Pending) => return Err(Error::Pending),
        other => other.ok(),
    };
    gather.done()?;
    let Some(meta) = meta else { return Ok(None) };
    let of_dir = || dir.rsplit_once('~').map_or(dir, |(name, _)| name).to_owned();
    let kind = match (wal, meta.partition_by) {
        (_, super::PartitionBy::NotApplicable) => TableKind::View,
        (true, _) => TableKind::Wal,
        (false, _) => TableKind::Plain,
    };
    // The server deletes `_txn` of a dropped table before the log.
    let dropped = wal && matches!(files.len(&format!("{dir}/_txn")), Err(Error::Absent { .. }));
    Ok(Some(TableToken {
        name: name.unwrap_or_else(of_dir),
        dir: dir.into(),
        id: meta.table_id,
        kind,
        dropped,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wal::{MemoryFiles, table_meta::tests::encode as encode_meta};

    fn text(out: &mut Vec<u8>, text: &str) {
        let units: Vec<u16> = text.encode_utf16().collect();
        out.extend((units.len() as i32).to_le_bytes());
        units.iter().for_each(|unit| out.extend(unit.to_le_bytes()));
    }

    fn registry(records: &[(i32, &str, &str, i32, i32)]) -> Vec<u8> {
        let mut out = vec![0; 8];
        for (op, name, dir, id, kind) in records {
            out.extend(op.to_le_bytes());
            text(&mut out, name);
            text(&mut out, dir);
            out.extend(id.to_le_bytes());
            out.extend(kind.to_le_bytes());
            if *op == 0 {
                out.extend([0; 64]);
            }
        }
        let end = (out.len() as i64).to_le_bytes();
        out[..8].copy_from_slice(&end);
        out.resize(4096, 0);
        out
    }

    /// Hides the listing, as a static web server does.
    struct NoList(MemoryFiles);

    impl Files for NoList {
        fn read(&self, path: &str, offset: u64, len: u64) -> Result<bytes::Bytes> {
            self.0.read(path, offset, len)
        }
        fn len(&self, path: &str) -> Result<u64> {
            self.0.len(path)
        }
        fn list(&self, _: &str) -> Result<Option<Vec<String>>> {
            Ok(None)
        }
    }

    #[test]
    fn replays_renames_and_drops_of_the_newest_file() {
        let mut files = MemoryFiles::default();
        files.insert("tables.d.2", registry(&[(0, "old", "old~1", 1, 1)]));
        let records = [
            (0, "a", "a~7", 7, 1),
            (0, "v", "v~8", 8, 2),
            (-1, "a", "a~7", 7, 1),
            (0, "b", "a~7", 7, 1),
            (0, "x", "x~9", 9, 1),
            (-1, "x", "x~9", 9, 1),
        ];
        files.insert("tables.d.10", registry(&records));
        files.insert("x~9/txn_seq/_txnlog", vec![0; 76]);
        for registry in [Registry::read(&files).unwrap(), Registry::read(&NoList(files.clone())).unwrap()] {
            let shown: Vec<_> =
                registry.tables.iter().map(|t| (t.name.as_str(), t.kind, t.dropped)).collect();
            let expected =
                [("b", TableKind::Wal, false), ("v", TableKind::MatView, false), ("x", TableKind::Wal, true)];
            assert_eq!(shown, expected);
            assert_eq!(registry.find("B").map(|t| t.dir.as_str()), Some("a~7"));
            assert_eq!(registry.find("x"), None);
        }
        files.remove("x~9/txn_seq/_txnlog");
        for registry in [Registry::read(&files).unwrap(), Registry::read(&NoList(files.clone())).unwrap()] {
            assert_eq!(registry.tables.len(), 2, "nothing is left of the dropped table");
        }
    }

    #[test]
    fn takes_tables_without_a_record_from_their_directory() {
        let mut files = MemoryFiles::default();
        let mut name = Vec::new();
        text(&mut name, "Ünlisted");
        name.push(0);
        files.insert("u~3/_name", name);
        files.insert("u~3/_meta", encode_meta(&[(8, 0, "ts")], 0));
        files.insert("u~3/_txn", vec![0; 200]);
        files.insert("u~3/txn_seq/_txnlog", vec![0; 76]);
        files.insert("plain~/_meta", encode_meta(&[(8, 0, "ts")], 0));
        files.insert("junk/readme", vec![1]);
        let tables = Registry::read(&files).unwrap().tables;
        let shown: Vec<_> = tables.iter().map(|t| (t.name.as_str(), t.kind, t.id)).collect();
        assert_eq!(shown, [("plain", TableKind::Plain, 9), ("Ünlisted", TableKind::Wal, 9)]);
        assert!(matches!(Registry::read(&MemoryFiles::default()), Err(Error::Absent { .. })));
    }

    #[test]
    fn refuses_hostile_directories_and_damage() {
        let hostile = registry(&[(0, "a", "../a", 1, 1)]);
        assert!(matches!(Registry::decode("f", &hostile), Err(Error::Damaged { .. })));
        let mut op = registry(&[(0, "a", "a~1", 1, 1)]);
        op[8] = 5;
        assert!(matches!(Registry::decode("f", &op), Err(Error::Damaged { offset: 8, .. })));
        let mut end = registry(&[]);
        end[2] = 1;
        assert!(matches!(Registry::decode("f", &end), Err(Error::Damaged { offset: 0, .. })));
        assert!(matches!(
            Registry::decode("f", &registry(&[(0, "a", "a", 1, 8)])),
            Err(Error::Unsupported { .. })
        ));
    }
}
