//! All tables of a directory.

use super::begin::take_up;
use super::create::{New, create};
use super::table::TableWriter;
use super::{Options, Refused, Write, Written};
use crate::ilp::{LineError, Parser, Unit};
use crate::ledger::Token;
use crate::table::files::{TabIndex, Upgrade, encode_registry_record};
use crate::table::text::valid;
use crate::wal::{Cursor, Error, Files, Registry, Result, TableKind, TableToken};
use foldhash::fast::FixedState;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Spellings of tables that are remembered.
const SPELLINGS_MAX: usize = 10_000;
const SMALL_FILE_MAX: u64 = 1 << 20;

/// The tables that a node writes.
///
/// ```
/// use understudy::ilp::Unit;
/// use understudy::node::write::{Options, Tables};
/// let mut tables = Tables::new(Options::default());
/// let written = tables.commit(b"trades,sym=A price=1.5 1000\n".to_vec(), Unit::Nanos, 7).unwrap();
/// assert_eq!((written.commits[0].seq_txn, written.commits[0].rows), (1, 1));
/// assert!(written.writes.iter().any(|write| write.path() == "trades~1/wal1/0/price.d"));
/// ```
#[derive(Debug)]
pub struct Tables {
    options: Options,
    writers: Vec<TableWriter>,
    /// By names in lower case: a writer's place, or a table that can't be written.
    names: BTreeMap<String, Known>,
    /// By names as they are sent.
    spellings: HashMap<Box<[u8]>, usize, FixedState>,
    last: Option<(Box<[u8]>, usize)>,
    last_id: i64,
    registry: RegistryFile,
    /// `_tab_index.d` and `_upgrade.d` are there.
    founded: bool,
    /// What is to be written before anything else.
    repairs: Vec<Write>,
}

#[derive(Debug, Clone)]
enum Known {
    Writer(usize),
    Other(TableToken),
}

#[derive(Debug)]
struct RegistryFile {
    name: String,
    end: u64,
}

impl Tables {
    /// Of an empty directory.
    pub fn new(options: Options) -> Self {
        Self {
            options,
            writers: Vec::new(),
            names: BTreeMap::new(),
            spellings: HashMap::default(),
            last: None,
            last_id: 0,
            registry: RegistryFile { name: "tables.d.0".into(), end: 0 },
            founded: false,
            repairs: Vec::new(),
        }
    }

    /// Of a directory as it is: QuestDB's, a replica's or ours. Each table goes on behind the last transaction of its log, all of
    /// which must be applied or be there to be applied, in a WAL of its own.
    ///
    /// # Errors
    /// What reading answers.
    pub fn open(files: &dyn Files, options: Options) -> Result<Self> {
        let mut tables = Self::new(options);
        let registry = match Registry::read(files) {
            Ok(registry) => registry,
            Err(Error::Absent { .. }) => Registry::default(),
            Err(error) => return Err(error),
        };
        let listed = tables.read_registry(files)?;
        match files.read_all("_tab_index.d", SMALL_FILE_MAX) {
            Ok(bytes) => {
                tables.last_id = TabIndex::decode("_tab_index.d", &bytes)?.last_id;
                tables.founded = true;
            }
            Err(Error::Absent { .. }) => {}
            Err(error) => return Err(error),
        }
        for token in registry.tables {
            if !token.is_own() {
                tables.last_id = tables.last_id.max(i64::from(token.id));
            }
            if token.dropped {
                continue;
            }
            if !listed.contains(&token.dir) {
                // Its making was ended: before it was a table, or before it was entered.
                if !matches!(files.len(&format!("{}/_txn", token.dir)), Ok(1..)) {
                    continue;
                }
                let entered = tables.enter(&token);
                tables.repairs.extend(entered);
            }
            let known = if token.kind == TableKind::Wal && !token.is_own() && !token.is_system() {
                let (writer, repair) = take_up(files, &token)?;
                tables.repairs.extend(repair);
                tables.writers.push(writer);
                Known::Writer(tables.writers.len() - 1)
            } else {
                Known::Other(token.clone())
            };
            tables.names.insert(token.name.to_lowercase(), known);
        }
        Ok(tables)
    }

    /// The settings.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// The tables that can be written, with the last transaction of each.
    pub fn tables(&self) -> impl Iterator<Item = (&Token, u64)> {
        self.writers.iter().map(|writer| (&writer.token, writer.seq_txn()))
    }

    /// Takes a request's body: all of its rows become one transaction per table, or none does.
    ///
    /// `precision` is what timestamps without a unit count, `now_us` the time in microseconds, which lines without a timestamp get.
    ///
    /// # Errors
    /// The first line that is refused. Tables and columns that were made before are there all the same.
    pub fn commit(
        &mut self,
        body: Vec<u8>,
        precision: Unit,
        now_us: i64,
    ) -> std::result::Result<Written, Refused> {
        let mut out = Written { writes: std::mem::take(&mut self.repairs), ..Written::default() };
        let mut touched = Vec::new();
        let lines = self.lines(body, precision, now_us, &mut touched, &mut out);
        for index in touched {
            let Some(writer) = self.writers.get_mut(index) else { continue };
            match &lines {
                Ok(()) => writer.commit(&self.options, now_us, &mut out),
                Err(_) => writer.roll_back(),
            }
            writer.hand_over(&mut out);
        }
        match lines {
            Ok(()) => Ok(out),
            Err(error) => Err(Refused { error, made: Box::new(out) }),
        }
    }

    fn lines(
        &mut self,
        body: Vec<u8>,
        precision: Unit,
        now_us: i64,
        touched: &mut Vec<usize>,
        out: &mut Written,
    ) -> std::result::Result<(), LineError> {
        let mut parser = Parser::new(body);
        while let Some(line) = parser.next() {
            let line = line?;
            let index = match self.find(line.table()) {
                Some(index) => index,
                None => self.find_or_create(&line, now_us, out)?,
            };
            if !touched.contains(&index) {
                touched.push(index);
            }
            if let Some(writer) = self.writers.get_mut(index) {
                writer.append(&line, precision, now_us, &self.options, out)?;
            }
        }
        Ok(())
    }

    fn find(&mut self, name: &[u8]) -> Option<usize> {
        if let Some((last, index)) = &self.last
            && **last == *name
        {
            return Some(*index);
        }
        let index = *self.spellings.get(name)?;
        self.last = Some((name.into(), index));
        Some(index)
    }

    fn find_or_create(
        &mut self,
        line: &crate::ilp::Line<'_>,
        now_us: i64,
        out: &mut Written,
    ) -> std::result::Result<usize, LineError> {
        let name = valid(line.table());
        let index = match self.names.get(&name.to_lowercase()) {
            Some(Known::Writer(index)) => *index,
            Some(Known::Other(token)) => return Err(super::line::not_writable(line, token)),
            None => {
                let new = super::line::new_table(line, &self.options)?;
                self.create(new, now_us, out)
            }
        };
        if self.spellings.len() >= SPELLINGS_MAX {
            self.spellings.clear();
        }
        self.spellings.insert(line.table().into(), index);
        Ok(index)
    }

    /// The writes that enter a table into the registry: the record, then the length that makes it count.
    fn enter(&mut self, token: &TableToken) -> Vec<Write> {
        let record = encode_registry_record(token);
        let begin = self.registry.end.max(8);
        let first = self.registry.end == 0;
        self.registry.end = begin + record.len() as u64;
        let (name, end) = (&self.registry.name, self.registry.end.to_le_bytes().to_vec());
        if first {
            // A file that begins with no length can't be read.
            return vec![root(name, 0, [end, record].concat())];
        }
        vec![root(name, begin, record), root(name, 0, end)]
    }

    /// Finds the newest `tables.d.N`, and where its next record goes; answers the directories that it names.
    fn read_registry(&mut self, files: &dyn Files) -> Result<BTreeSet<String>> {
        let names = files.list("")?.unwrap_or_default();
        let newest =
            names.iter().filter_map(|name| name.strip_prefix("tables.d.")?.parse::<u64>().ok()).max();
        let Some(newest) = newest else { return Ok(BTreeSet::new()) };
        let name = format!("tables.d.{newest}");
        let end = Cursor::new(&name, 0, &files.read(&name, 0, 8)?).u63("end of the registry")?;
        let decoded = Registry::decode(&name, &files.read(&name, 0, end)?)?;
        self.registry = RegistryFile { name, end };
        Ok(decoded.tables.into_iter().map(|token| token.dir).collect())
    }

    fn create(&mut self, new: New, now_us: i64, out: &mut Written) -> usize {
        self.last_id += 1;
        let new = New { id: i32::try_from(self.last_id).unwrap_or(i32::MAX), ..new };
        // The number is taken before anything has it.
        if self.founded {
            out.writes.push(root("_tab_index.d", 0, self.last_id.to_le_bytes().to_vec()));
        } else {
            let index = TabIndex { last_id: self.last_id, instance: (0, 0) };
            out.writes.push(root("_tab_index.d", 0, index.encode()));
            out.writes.push(root("_upgrade.d", 0, Upgrade::CURRENT.encode()));
            self.founded = true;
        }
        let writer = create(new, &self.options, now_us, out);
        out.writes.extend(self.enter(&writer.token.as_registered(false)));
        let index = self.writers.len();
        self.names.insert(writer.token.name.to_lowercase(), Known::Writer(index));
        self.writers.push(writer);
        index
    }
}

/// A file of the database itself.
fn root(file: &str, offset: u64, bytes: Vec<u8>) -> Write {
    Write { dir: "".into(), file: file.into(), offset, bytes: bytes.into() }
}
