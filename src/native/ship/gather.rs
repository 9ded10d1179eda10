//! What goes into the next pack: of each table that has something, as much as fits.

use super::Shared;
use super::blocks::{Inside, Packing};
use super::files::BesideFiles;
use super::learned::Evidence;
use super::requests;
use super::run::{self, Begin, End};
use super::tables::{State, Tracked};
use crate::ledger::{Pack, Sum, TableEntry, Token, What};
use crate::native::outcome::Failure;
use crate::policy::PolicyStatement;
use crate::wal::{Applied, Error};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

/// Bytes of a pack before compression: what ends it.
const RAW_MAX: u64 = 48 << 20;
/// How long a table waits after something went wrong.
const LATER: Duration = Duration::from_secs(2);
/// Entries of a pack.
const ENTRIES_MAX: usize = 20_000;

/// A pack, and what goes with it.
#[derive(Default)]
pub(super) struct Gathered {
    /// The pack.
    pub(super) pack: Pack,
    /// What has to be in the bucket before it.
    pub(super) blobs: Vec<(Sum, Bytes)>,
    /// Directory and last transaction of tables in it.
    pub(super) reached: BTreeMap<String, u64>,
    /// Tables that end with it.
    pub(super) ended: Vec<String>,
    /// Bytes before compression.
    pub(super) raw: u64,
    /// Statements about tables' storage policies in it, with the tables' directories.
    pub(super) policies: Vec<(String, PolicyStatement)>,
    /// All requests before this one are answered, with this pack.
    pub(super) requests: u64,
    /// There is more than fitted.
    pub(super) more: bool,
}

/// Makes packs.
pub(super) struct Gatherer<'a> {
    shared: &'a Shared,
    packing: &'a Packing,
    files: BesideFiles,
    inside: Inside,
    gathered: Gathered,
}

/// Gathers the next pack, beginning with the table behind `after`, so that each gets its turn.
///
/// # Errors
/// When the database can't be read at all.
pub(super) fn gather(shared: &Shared, packing: &Packing, after: &mut String) -> Result<Gathered, Failure> {
    let files = BesideFiles::open(&shared.options.db, &shared.options.own)?;
    let (inside, gathered) = (Inside::default(), Gathered::default());
    let mut gatherer = Gatherer { shared, packing, files, inside, gathered };
    let now = Instant::now();
    let due: Vec<String> = {
        let tables = shared.tables.lock();
        let due = |(dir, table): (&String, &Tracked)| table.is_due(now).then(|| dir.clone());
        tables.iter().filter_map(due).collect()
    };
    let split = due.partition_point(|dir| dir <= after);
    let (before, behind) = due.split_at(split);
    for dir in behind.iter().chain(before) {
        if gatherer.is_full() {
            gatherer.gathered.more = true;
            break;
        }
        gatherer.table(dir);
        after.clone_from(dir);
    }
    let mut digests = shared.digests.lock().unwrap_or_else(PoisonError::into_inner);
    gatherer.gathered.pack.tables.append(&mut digests);
    let Gatherer { files, mut gathered, .. } = gatherer;
    requests::answer(shared, &files, &mut gathered);
    Ok(gathered)
}

impl Gatherer<'_> {
    fn is_full(&self) -> bool {
        self.files.read_bytes() >= RAW_MAX || self.gathered.pack.tables.len() >= ENTRIES_MAX
    }

    fn table(&mut self, dir: &str) {
        let Some(mut table) = self.shared.tables.lock().get(dir).cloned() else { return };
        table.later = None;
        let begun = (table.max_txn, table.registered.clone(), table.dropped);
        let result = self.advance(&mut table);
        match result {
            Ok(()) => {
                if table.trouble.take().is_some() {
                    self.shared.recovered(dir);
                }
            }
            Err(error) => {
                table.later = Some(Instant::now() + LATER);
                let text = error.to_string();
                if table.trouble.as_ref() != Some(&text) {
                    self.shared.trouble(dir, &text);
                }
                table.trouble = Some(text);
            }
        }
        // What was found out meanwhile stays.
        self.shared.tables.change(dir, |known| {
            let stopped = matches!(known.state, State::Stopped { .. });
            let state = if stopped { known.state.clone() } else { table.state };
            *known = Tracked {
                max_txn: known.max_txn,
                registered: known.registered.clone(),
                dropped: known.dropped,
                acknowledged: known.acknowledged,
                state,
                ..table
            };
            self.gathered.more |= begun.0 != known.max_txn;
        });
    }

    fn advance(&mut self, table: &mut Tracked) -> Result<(), Error> {
        if let State::Copied { copied, why } = &table.state {
            let (seq_txn, manifest, manifest_len) = (copied.seq_txn, copied.manifest, copied.manifest_len);
            let what = What::Base { seq_txn, manifest, manifest_len, why: clipped(why) };
            self.say(table, what);
            table.shipped = Some(seq_txn);
            table.evidence = Evidence::default();
            table.state = State::Following;
            self.reach(table);
        }
        if table.shipped.is_some() && table.registered != table.token.name {
            self.say(table, What::Renamed { to: table.registered.clone() });
        }
        table.token.name.clone_from(&table.registered);
        if matches!(table.state, State::Following) {
            if table.is_view() {
                self.want_view(table);
            } else {
                self.transactions(table)?;
            }
        }
        let nothing_comes = !matches!(table.state, State::Following)
            || table.shipped.is_none_or(|shipped| shipped >= table.max_txn);
        if table.dropped && nothing_comes {
            self.drop_table(table);
        }
        Ok(())
    }

    fn transactions(&mut self, table: &mut Tracked) -> Result<(), Error> {
        if table.shipped.is_none() && !self.begin(table)? {
            return Ok(());
        }
        while let Some(shipped) = table.shipped
            && shipped < table.max_txn
            && !self.is_full()
        {
            let budget = RAW_MAX.saturating_sub(self.files.read_bytes());
            let asked = (shipped + 1, table.max_txn);
            let taken = run::take(&self.files, self.packing, &table.token, asked, budget)?;
            let policies = taken.policies.into_iter().map(|statement| (table.token.dir.clone(), statement));
            self.gathered.policies.extend(policies);
            if let Some(mut run) = taken.run {
                table.shipped = Some(run.last_seq_txn());
                table.evidence = Evidence::of(run.first_seq_txn, run.records.clone());
                self.gathered.blobs.extend(self.inside.admit(&mut run.files));
                self.say(table, What::Transactions(run));
                self.reach(table);
            }
            match taken.end {
                None => {}
                Some(End::Statement { seq_txn, why }) => {
                    self.shared.note(format!("{}: {why}; its rows are copied instead", table.token.name));
                    table.state = State::Wanting { why, at_least: seq_txn };
                    return Ok(());
                }
                Some(End::Unreadable { seq_txn, error }) => return self.unreadable(table, seq_txn, error),
            }
        }
        self.gathered.more |= table.shipped.is_some_and(|shipped| shipped < table.max_txn);
        Ok(())
    }

    /// Begins a table with its definition; `false` if it has to be copied.
    fn begin(&mut self, table: &mut Tracked) -> Result<bool, Error> {
        match run::begin(&self.files, self.packing, &table.token) {
            Ok(Begin::Created(mut files)) => {
                self.gathered.blobs.extend(self.inside.admit(&mut files));
                table.shipped = Some(0);
                self.say(table, What::Created { files });
                self.reach(table);
                Ok(true)
            }
            Ok(Begin::Copy { why, at_least }) => {
                self.shared.note(format!("{}: {why}; it begins with a copy", table.token.name));
                table.state = State::Wanting { why, at_least };
                Ok(false)
            }
            // Gone before anything was sent of it.
            Err(Error::Absent { .. }) if table.dropped => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// A transaction whose files are gone: if the server has applied it, the rows are in the table.
    fn unreadable(&mut self, table: &mut Tracked, seq_txn: u64, error: Error) -> Result<(), Error> {
        let dir = &table.token.dir;
        if !matches!(error, Error::Absent { .. }) {
            return Err(error);
        }
        if table.dropped {
            // The server deletes all of a dropped table, applied or not.
            table.shipped = Some(table.max_txn);
            return Ok(());
        }
        let applied = Applied::read(&self.files, dir)?.seq_txn;
        if applied < seq_txn {
            return Err(error);
        }
        let why = format!("transaction {seq_txn} was purged before it could be read");
        self.shared.note(format!("{}: {why}; the table is copied anew", table.token.name));
        table.state = State::Wanting { why, at_least: seq_txn };
        Ok(())
    }

    fn want_view(&mut self, table: &mut Tracked) {
        if table.shipped.is_none_or(|shipped| shipped < table.max_txn) {
            let why = "a view's definition".to_owned();
            table.state = State::Wanting { why, at_least: table.max_txn };
        }
    }

    fn drop_table(&mut self, table: &mut Tracked) {
        if table.shipped.is_some() {
            self.say(table, What::Dropped);
        }
        table.state = State::Ended;
        self.gathered.ended.push(table.token.dir.clone());
    }

    fn say(&mut self, table: &Tracked, what: What) {
        let token: Token = table.token.clone();
        self.gathered.pack.tables.push(TableEntry { token, what });
        self.gathered.raw = self.files.read_bytes();
    }

    fn reach(&mut self, table: &Tracked) {
        if let Some(shipped) = table.shipped {
            self.gathered.reached.insert(table.token.dir.clone(), shipped);
        }
    }
}

/// As long as a reason may be.
fn clipped(why: &str) -> String {
    why.chars().take(250).collect()
}
