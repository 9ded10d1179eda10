//! What lies beside the tables: which there are, and which numbers are taken.

use super::disk::{Disk, DiskReader};
use super::log::replace_file;
use crate::table::files::{TabIndex, Upgrade, encode_registry};
use crate::wal::{Error, Files, Registry, Result, TableKind, TableToken};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The tables of a directory that we write.
#[derive(Debug)]
pub struct Database {
    disk: Arc<dyn Disk>,
    tables: Vec<TableToken>,
    /// Which table has a name or a directory, in lower case: no two may differ in case alone.
    taken: BTreeMap<String, usize>,
    changed: bool,
}

impl Database {
    /// Reads the registry, which an empty directory does not have yet.
    ///
    /// # Errors
    /// What reading it answers.
    pub fn open(disk: Arc<dyn Disk>) -> Result<Self> {
        let mut tables = match Registry::read(&DiskReader(&*disk)) {
            Ok(registry) => registry.tables,
            Err(Error::Absent { .. }) => Vec::new(),
            Err(error) => return Err(error),
        };
        tables.retain(|table| !table.dropped);
        let mut database = Self { disk, tables, taken: BTreeMap::new(), changed: false };
        database.count();
        Ok(database)
    }

    /// The tables, in order of registration.
    pub fn tables(&self) -> &[TableToken] {
        &self.tables
    }

    /// The table in this directory.
    pub fn find(&self, dir: &str) -> Option<&TableToken> {
        let place = self.taken.get(&dir_key(dir))?;
        self.tables.get(*place).filter(|table| table.dir == dir)
    }

    /// Notes anew which names are taken.
    fn count(&mut self) {
        let names = |(place, table): (usize, &TableToken)| keys(table).map(|key| (key, place));
        self.taken = self.tables.iter().enumerate().flat_map(names).collect();
    }

    /// Enters a table, or the new name of one.
    ///
    /// # Errors
    /// [`Error::Unsupported`] where another table has that name or directory apart from case.
    pub fn enter(&mut self, token: &TableToken) -> Result<()> {
        let other = self.other(token);
        if let Some(other) = other {
            let what = format!(
                "table {:?} has the name or directory of {:?} ({})",
                token.name, other.name, other.dir
            );
            return Err(Error::Unsupported { file: token.dir.as_str().into(), offset: 0, what: what.into() });
        }
        let place = self.taken.get(&dir_key(&token.dir)).copied().unwrap_or(self.tables.len());
        match self.tables.get_mut(place) {
            Some(table) if table == token => return Ok(()),
            Some(table) => {
                for key in keys(table) {
                    self.taken.remove(&key);
                }
                *table = token.clone();
            }
            None => self.tables.push(token.clone()),
        }
        self.taken.extend(keys(token).map(|key| (key, place)));
        self.changed = true;
        Ok(())
    }

    /// Whether another table that follows a log has this one's name or directory.
    pub(super) fn is_taken_for_now(&self, token: &TableToken) -> bool {
        self.other(token).is_some_and(|other| other.kind != TableKind::Plain)
    }

    fn other(&self, token: &TableToken) -> Option<&TableToken> {
        let taken = keys(token).into_iter().filter_map(|key| self.tables.get(*self.taken.get(&key)?));
        taken.into_iter().find(|table| table.dir != token.dir)
    }

    /// Takes a table out. Its directory is not touched.
    pub fn remove(&mut self, dir: &str) {
        let before = self.tables.len();
        self.tables.retain(|table| table.dir != dir);
        if self.tables.len() != before {
            self.changed = true;
            self.count();
        }
    }

    /// Writes what changed.
    ///
    /// # Errors
    /// What writing answers.
    pub fn save(&mut self) -> Result<()> {
        let disk = self.disk.clone();
        if disk.len("_upgrade.d")?.is_none() {
            replace_file(&*disk, "_upgrade.d", &Upgrade::CURRENT.encode(), true)?;
        }
        // Our own ids are none that QuestDB counts on from.
        let theirs = self.tables.iter().filter(|table| !table.is_own());
        let largest = theirs.map(|table| i64::from(table.id)).max().unwrap_or(0);
        let mut index = match DiskReader(&*disk).read_all("_tab_index.d", 1 << 20) {
            Ok(bytes) => TabIndex::decode("_tab_index.d", &bytes)?,
            Err(Error::Absent { .. }) => TabIndex { last_id: -1, ..TabIndex::default() },
            Err(error) => return Err(error),
        };
        // Never lower: QuestDB would give the id of a dropped table again.
        if index.last_id < largest {
            index.last_id = largest;
            replace_file(&*disk, "_tab_index.d", &index.encode(), true)?;
        }
        if !self.changed {
            return Ok(());
        }
        let names = disk.list("")?.unwrap_or_default();
        let newest =
            names.iter().filter_map(|name| name.strip_prefix("tables.d.")?.parse::<u64>().ok()).max();
        let file = format!("tables.d.{}", newest.unwrap_or(0));
        replace_file(&*disk, &file, &encode_registry(&self.tables), true)?;
        disk.sync_dir("")?;
        self.changed = false;
        Ok(())
    }
}

fn dir_key(dir: &str) -> String {
    // No name has such a character in it.
    format!("/{}", dir.to_lowercase())
}

fn keys(table: &TableToken) -> [String; 2] {
    [table.name.to_lowercase(), dir_key(&table.dir)]
}
