//! Looking for news: tables in the registry, transactions in their logs. Segments are linked as soon as a transaction is in
//! them, before anything else is done with it.

use super::Shared;
use super::files::BesideFiles;
use super::open_files::open_max;
use super::tables::{State, Tables, Tracked, not_replicated};
use super::tail::Look;
use super::tails::Tails;
use crate::ledger::Note;
use crate::native::outcome::Failure;
use crate::wal::{LogVersion, Registry, Result, SequencerLog, TableKind, TableToken};
use cap_std::ambient_authority;
use cap_std::fs::{Dir, Metadata};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// How often the registry is looked at, and how often it is read whether or not it says that it has changed.
const REGISTRY_EVERY: Duration = Duration::from_millis(500);
const REGISTRY_WHOLE_EVERY: Duration = Duration::from_secs(30);
/// The longest pause between two rounds.
const CALM: Duration = Duration::from_millis(100);
/// The shortest, where a round took longer than it should.
const SHORTEST: Duration = Duration::from_millis(1);
/// How often it is measured what only our links hold, and of how many tables it is seen whether their links are needed.
const MEASURE_EVERY: Duration = Duration::from_secs(10);
const TABLES_AT_ONCE: usize = 500;
/// Records that are looked at in one go.
const RECORDS: u64 = 64 * 1024;

/// Looks for news, on a thread of its own.
pub(super) struct Poll {
    shared: Arc<Shared>,
    db: Dir,
    tails: Tails,
    linked: BTreeMap<String, Reach>,
    registry: Option<RegistryHead>,
    registry_seen: Option<(Instant, Instant)>,
    measured: Instant,
    /// By directory, and whether it was told. A new table's directory is there before its log is.
    not_replicated: BTreeMap<String, (String, bool)>,
}

/// How far a table's log is linked.
#[derive(Debug, Clone, Copy, Default)]
struct Reach {
    /// The last transaction whose segment is.
    seq_txn: u64,
    /// Files of the sequencer's log.
    parts: u64,
    /// Behind which transaction linking began, and whether all that there was then is linked.
    begun: u64,
    complete: bool,
}

/// What tells that the registry has changed: the file, and where its records end.
#[derive(Debug, Clone, PartialEq, Eq)]
struct RegistryHead {
    file: RegistryFile,
    end: [u8; 8],
}

/// A server that starts writes the registry anew; a restored backup brings its own.
#[derive(Debug, Clone, PartialEq, Eq)]
struct RegistryFile {
    name: String,
    /// Device and inode, where there are such.
    id: (u64, u64),
}

impl Poll {
    /// Takes a first look at everything.
    ///
    /// # Errors
    /// When there is no database.
    pub(super) fn start(shared: Arc<Shared>) -> std::result::Result<Self, Failure> {
        let path = &shared.options.db;
        let db = Dir::open_ambient_dir(path, ambient_authority())
            .map_err(|error| Failure::failed(format!("{}: {error}", path.display())))?;
        let linked = shared
            .tables
            .lock()
            .iter()
            .map(|(dir, table)| {
                let seq_txn = table.acknowledged;
                (dir.clone(), Reach { seq_txn, begun: seq_txn, ..Reach::default() })
            })
            .collect();
        let mut poll = Self {
            shared,
            db,
            tails: Tails::new(open_max()),
            linked,
            registry: None,
            registry_seen: None,
            measured: Instant::now(),
            not_replicated: BTreeMap::new(),
        };
        poll.registry(Instant::now())?;
        poll.look(Instant::now(), true);
        Ok(poll)
    }

    /// Looks again and again, until the shipper stops; then once more at everything.
    pub(super) fn run(mut self) {
        while !self.shared.stop.load(Ordering::Relaxed) {
            let begun = Instant::now();
            if let Err(failure) = self.registry(begun) {
                self.shared.warn(failure.message);
            }
            let next = self.look(begun, false);
            self.keep_limit(begun);
            std::thread::sleep(next.saturating_duration_since(Instant::now()).max(SHORTEST));
        }
        let now = Instant::now();
        self.registry_seen = None;
        if let Err(failure) = self.registry(now) {
            self.shared.warn(failure.message);
        }
        self.look(now, true);
    }

    /// Keeps what only our links hold below its limit.
    fn keep_limit(&mut self, now: Instant) {
        if now.duration_since(self.measured) < MEASURE_EVERY {
            return;
        }
        self.measured = now;
        let gone = {
            let mut links = self.shared.links();
            links.release_some(TABLES_AT_ONCE).and_then(|()| links.let_go(self.shared.options.disk_limit))
        };
        match gone {
            Ok(tables) => {
                for dir in tables {
                    let text = "the segments that wait for the bucket take too much room: its oldest ones were let go, and \
                                it is copied anew when the bucket is there again";
                    self.shared.trouble(&dir, text);
                }
            }
            Err(error) => self.shared.warn(format!("links can't be measured: {error}")),
        }
    }

    /// Looks at the logs whose turn it is; answers when the next round is.
    fn look(&mut self, now: Instant, all: bool) -> Instant {
        let mut news = Vec::new();
        let next = self.tails.look(&self.db, now, all, |dir, look| news.push((dir.to_owned(), look)));
        let mut any = false;
        for (dir, look) in news {
            match look {
                Ok(look) => {
                    self.take(&dir, look);
                    any = true;
                }
                Err(error) => self.shared.trouble(&dir, &format!("its log can't be read: {error}")),
            }
        }
        if any {
            self.shared.news.notify_one();
        }
        next.map_or(now + CALM, |next| next.min(now + CALM))
    }

    fn take(&mut self, dir: &str, look: Look) {
        match look {
            Look::Moved(max_txn) => match self.link(dir, max_txn) {
                Ok(()) => self.shared.tables.change(dir, |table| table.max_txn = max_txn),
                // Told, and tried again with the next transaction or when it is read.
                Err(error) => {
                    self.shared.trouble(dir, &error);
                    self.shared.tables.change(dir, |table| table.max_txn = max_txn);
                }
            },
            Look::Back(max_txn) => {
                self.shared.links().went_back(dir);
                self.shared.went_back(dir, max_txn);
            }
            Look::Same | Look::Gone => {}
        }
    }

    /// Links the segments of transactions that are new.
    fn link(&mut self, dir: &str, max_txn: u64) -> std::result::Result<(), String> {
        let options = &self.shared.options;
        let files = BesideFiles::open(&options.db, &options.own).map_err(|failure| failure.message)?;
        let linked = self.linked.entry(dir.to_owned()).or_default();
        let mut links = self.shared.links();
        let log = SequencerLog::open(&files, dir).map_err(|error| error.to_string())?;
        let parts = match log.version {
            LogVersion::V1 => 1,
            LogVersion::V2 { part_size } => max_txn.div_ceil(u64::from(part_size)) + 1,
        };
        if linked.parts != parts {
            links.link_sequencer(dir).map_err(|error| link_failed(dir, &error))?;
            linked.parts = parts;
        }
        let mut first =
            (linked.seq_txn + 1).max(log.first_record(&files).map_err(|error| error.to_string())?);
        while first <= max_txn {
            let last = max_txn.min(first + RECORDS - 1);
            let records = log.records(&files, first..=last).map_err(|error| error.to_string())?;
            if records.is_empty() {
                break;
            }
            for record in &records {
                if let Some((segment, _)) = record.segment() {
                    links
                        .link(dir, segment, record.structure_version, record.seq_txn)
                        .map_err(|error| link_failed(dir, &error))?;
                }
            }
            first += records.len() as u64;
            linked.seq_txn = first - 1;
        }
        if first > max_txn && !linked.complete {
            links.linked_all(dir, linked.begun);
            linked.complete = true;
        }
        Ok(())
    }

    /// Reads the registry, if it has changed.
    fn registry(&mut self, now: Instant) -> std::result::Result<(), Failure> {
        if let Some((looked, read)) = self.registry_seen {
            if now.duration_since(looked) < REGISTRY_EVERY {
                return Ok(());
            }
            let head = self.registry_head();
            if head == self.registry && now.duration_since(read) < REGISTRY_WHOLE_EVERY {
                self.registry_seen = Some((now, read));
                return Ok(());
            }
        }
        let head = self.registry_head();
        let options = &self.shared.options;
        let files = BesideFiles::open(&options.db, &options.own)?;
        let registry = Registry::read(&files)?;
        let file = |head: &Option<RegistryHead>| head.as_ref().map(|head| head.file.clone());
        if file(&head) != file(&self.registry) {
            self.tails.distrust();
        }
        self.registry = head;
        self.enter(&registry, now, &files);
        self.registry_seen = Some((now, now));
        Ok(())
    }

    fn registry_head(&self) -> Option<RegistryHead> {
        let name = self.registry.as_ref().map(|head| head.file.name.clone());
        let name = match name.filter(|name| self.db.exists(name)) {
            Some(name) => name,
            None => {
                let names =
                    self.db.entries().ok()?.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
                let number = |name: &String| name.strip_prefix("tables.d.")?.parse::<u32>().ok();
                names.filter(|name| number(name).is_some()).max_by_key(number)?
            }
        };
        let file = self.db.open(&name).ok()?;
        let id = identity(&file.metadata().ok()?);
        let mut end = [0; 8];
        std::io::Read::read_exact(&mut &file, &mut end).ok()?;
        Some(RegistryHead { file: RegistryFile { name, id }, end })
    }

    fn enter(&mut self, registry: &Registry, now: Instant, files: &BesideFiles) {
        let mut there = BTreeMap::new();
        let mut left_out = BTreeMap::new();
        // A replica's directory that became a primary's has ours, which the log has anyway.
        for token in registry.tables.iter().filter(|token| !token.is_own()) {
            match not_replicated(token) {
                Some(why) if !token.dropped => {
                    left_out.insert(token.dir.clone(), why.to_owned());
                }
                Some(_) => {}
                None => {
                    there.insert(token.dir.clone(), token.clone());
                }
            }
        }
        self.name_left_out(registry, left_out);
        let tables = self.shared.tables.lock().keys().cloned().collect::<Vec<_>>();
        let gone = tables.into_iter().filter(|dir| there.get(dir).is_none_or(|token| token.dropped));
        let mut news = false;
        for dir in gone.collect::<Vec<_>>() {
            self.shared.tables.change(&dir, |table| {
                news |= !std::mem::replace(&mut table.dropped, true);
            });
        }
        for (dir, token) in there.into_iter().filter(|(_, token)| !token.dropped) {
            news |= enter_one(&self.shared.tables, &token);
            if token.kind == TableKind::View {
                news |= self.look_at_view(&token, files);
            } else {
                self.tails.add(&dir, now);
            }
        }
        if news {
            self.shared.news.notify_one();
        }
        let ended: Vec<String> = {
            let tables = self.shared.tables.lock();
            let ended =
                |dir: &&String| tables.get(*dir).is_none_or(|table| matches!(table.state, State::Ended));
            self.tails.dirs().filter(ended).cloned().collect()
        };
        self.tails.remove(&ended);
    }

    /// A view is sent whole when the server has applied a change of it.
    fn look_at_view(&self, token: &TableToken, files: &BesideFiles) -> bool {
        let state = || -> Result<(u64, u64)> {
            let log = SequencerLog::open(files, &token.dir)?;
            Ok((crate::wal::Applied::read(files, &token.dir)?.seq_txn, log.max_txn))
        };
        let Ok((applied, max_txn)) = state() else { return false };
        let mut news = false;
        self.shared.tables.change(&token.dir, |table| {
            news = applied == max_txn && table.max_txn != max_txn;
            if news {
                table.max_txn = max_txn;
            }
        });
        news
    }

    fn name_left_out(&mut self, registry: &Registry, left_out: BTreeMap<String, String>) {
        let first = self.registry_seen.is_none();
        let mut new = BTreeMap::new();
        let before = std::mem::take(&mut self.not_replicated);
        for (dir, why) in left_out {
            let known = before.get(&dir);
            let told = known.is_some_and(|(_, told)| *told);
            if !told && (first || known.is_some()) {
                new.insert(dir.clone(), why.clone());
            }
            self.not_replicated.insert(dir, (why, first || known.is_some()));
        }
        let count = self.not_replicated.values().filter(|(_, told)| *told).count();
        self.shared.counts.not_replicated.store(count as u64, Ordering::Relaxed);
        if new.is_empty() {
            return;
        }
        for (dir, why) in &new {
            let name =
                registry.tables.iter().find(|token| token.dir == *dir).map_or(dir, |token| &token.name);
            self.shared.note(format!("{name} is not replicated: {why}"));
        }
        let told = self.not_replicated.iter().filter(|(_, (_, told))| *told);
        let tables = told.map(|(dir, (why, _))| (dir.clone(), why.clone())).collect();
        self.shared.journal(Note::NotReplicated { tables });
    }
}

#[cfg(unix)]
fn identity(file: &Metadata) -> (u64, u64) {
    use cap_std::fs::MetadataExt;
    (file.dev(), file.ino())
}

#[cfg(not(unix))]
fn identity(_: &Metadata) -> (u64, u64) {
    (0, 0)
}

fn link_failed(dir: &str, error: &std::io::Error) -> String {
    format!("{dir}: no hard link of its segments can be made: {error}")
}

/// Takes up a table, or its new name; answers whether there is news.
fn enter_one(tables: &Tables, token: &TableToken) -> bool {
    let mut tables = tables.lock();
    match tables.get_mut(&token.dir) {
        Some(table) => {
            let renamed = table.registered != token.name;
            table.registered.clone_from(&token.name);
            renamed
        }
        None => {
            tables.insert(token.dir.clone(), Tracked::new(token));
            true
        }
    }
}
