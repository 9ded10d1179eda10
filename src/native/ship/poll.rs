//! Looking for news: tables in the registry, transactions in their logs. Segments are linked as soon as a transaction is in
//! them, before anything else is done with it.

use super::Shared;
use super::files::BesideFiles;
use super::tables::{State, Tables, Tracked, not_replicated};
use super::tail::{Look, Tail};
use crate::ledger::Note;
use crate::native::outcome::Failure;
use crate::wal::{LogVersion, Registry, Result, SequencerLog, TableKind, TableToken};
use cap_std::ambient_authority;
use cap_std::fs::Dir;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// How often the registry is looked at, and how often it is read whether or not it says that it has changed.
const REGISTRY_EVERY: Duration = Duration::from_millis(500);
const REGISTRY_WHOLE_EVERY: Duration = Duration::from_secs(30);
/// The shortest pause between two rounds, with and without tables that something came for lately.
const QUICK: Duration = Duration::from_millis(5);
pub(super) const CALM: Duration = Duration::from_millis(100);
/// How long a registry that can't be read is waited for at the start.
pub(super) const BEGINNING: Duration = Duration::from_secs(10);
/// How often it is measured what only our links hold.
const MEASURE_EVERY: Duration = Duration::from_secs(10);
/// Logs that are kept open where the system's limit is not known, and otherwise at most.
const OPEN_MIN: usize = 512;
const OPEN_MAX: usize = 32 * 1024;
/// Records that are looked at in one go.
const RECORDS: u64 = 64 * 1024;

/// Looks for news, on a thread of its own.
pub(super) struct Poll {
    shared: Arc<Shared>,
    db: Dir,
    tails: BTreeMap<String, (Tail, Instant)>,
    linked: BTreeMap<String, Reach>,
    registry: Option<RegistryHead>,
    registry_seen: Option<(Instant, Instant)>,
    measured: Instant,
    open_max: usize,
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
}

/// What tells that the registry has changed: the file, and where its records end.
#[derive(Debug, Clone, PartialEq, Eq)]
struct RegistryHead {
    names: Vec<String>,
    end: Vec<u8>,
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
            .map(|(dir, table)| (dir.clone(), Reach { seq_txn: table.acknowledged, parts: 0 }))
            .collect();
        let mut poll = Self {
            shared,
            db,
            tails: BTreeMap::new(),
            linked,
            registry: None,
            registry_seen: None,
            measured: Instant::now(),
            open_max: open_max(),
            not_replicated: BTreeMap::new(),
        };
        // A server that has just begun has not written its registry yet.
        let begun = Instant::now();
        while let Err(failure) = poll.registry(Instant::now()) {
            if begun.elapsed() >= BEGINNING {
                return Err(failure);
            }
            std::thread::sleep(CALM);
        }
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
            let pause = self.look(begun, false);
            self.keep_limit(begun);
            std::thread::sleep(pause);
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
        let gone = self.shared.links().let_go(self.shared.options.disk_limit);
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

    /// Looks at the logs whose turn it is; answers how long to wait until the next round.
    fn look(&mut self, now: Instant, all: bool) -> Duration {
        let mut pause = CALM;
        let mut news = Vec::new();
        let mut open = self.tails.len();
        for (dir, (tail, due)) in &mut self.tails {
            if *due <= now || all {
                match tail.look(&self.db, now) {
                    Ok(Look::Same | Look::Gone) => {}
                    Ok(look) => news.push((dir.clone(), look)),
                    Err(error) => {
                        self.shared.trouble(dir, &format!("its log can't be read: {error}"));
                        tail.close();
                    }
                }
                if open > self.open_max {
                    tail.close();
                    open -= 1;
                }
                *due = now + tail.pause(now);
            }
            if !tail.is_quiet(now) {
                pause = pause.min(due.saturating_duration_since(now)).max(QUICK);
            }
        }
        let any = !news.is_empty();
        for (dir, look) in news {
            self.take(&dir, look);
        }
        if any {
            self.shared.news.notify_one();
        }
        pause
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
            Look::Back(max_txn) => self.shared.went_back(dir, max_txn),
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
        self.registry = head;
        self.enter(&registry, now, &files);
        self.registry_seen = Some((now, now));
        Ok(())
    }

    fn registry_head(&self) -> Option<RegistryHead> {
        let path = self.registry.as_ref().and_then(|head| head.names.last()).cloned();
        let newest = match path.filter(|path| self.db.exists(path)) {
            Some(path) => path,
            None => {
                let names =
                    self.db.entries().ok()?.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
                let number = |name: &String| name.strip_prefix("tables.d.")?.parse::<u32>().ok();
                names.filter(|name| number(name).is_some()).max_by_key(number)?
            }
        };
        let file = self.db.open(&newest).ok()?;
        let mut end = vec![0; 8];
        std::io::Read::read_exact(&mut &file, &mut end).ok()?;
        Some(RegistryHead { names: vec![newest], end })
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
            } else if !self.tails.contains_key(&dir) {
                self.tails.insert(dir.clone(), (Tail::new(&dir, now), now));
            }
        }
        if news {
            self.shared.news.notify_one();
        }
        let ended =
            |dir: &String| self.shared.tables.lock().get(dir).is_none_or(|t| matches!(t.state, State::Ended));
        let ended: Vec<String> = self.tails.keys().filter(|dir| ended(dir)).cloned().collect();
        for dir in ended {
            self.tails.remove(&dir);
        }
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

/// Half of the files that this process may open.
fn open_max() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    let soft = line.and_then(|line| line.split_whitespace().next()?.parse::<usize>().ok());
    soft.map_or(OPEN_MIN, |soft| soft / 2).min(OPEN_MAX)
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
