use super::base::Base;
use super::checkpoints::Checkpoints;
use super::{History, budget, fits};
use crate::apply::{self, Effect};
use crate::table::{Standing, Table};
use crate::wal::{
    Change, Commit, Error, Files, Result, SegmentMetas, Transaction, ask_transaction, read_transaction_with,
};
use std::collections::BTreeSet;
use std::ops::{Range, RangeInclusive};
use std::sync::Arc;

/// One table's history, and a place in it: moves forward by applying, back by checkpoints.
///
/// It begins with the empty table as it was created; where the log's beginning was purged, with the table as
/// the server applied it ([`History::first_state`]), which the first [`seek`](Self::seek) reads.
///
/// ```
/// use understudy::replay::{History, Player, tables};
/// use understudy::wal::{Files, Result};
///
/// fn last_row_count(files: &dyn Files) -> Result<Option<usize>> {
///     let Some(token) = tables(files)?.into_iter().next() else { return Ok(None) };
///     let mut player = Player::new(History::read(files, &token)?)?;
///     player.seek(files, u64::MAX)?;
///     Ok(Some(player.table().rows()))
/// }
/// ```
#[derive(Debug)]
pub struct Player {
    history: Arc<History>,
    /// Where the history begins, if that is not an empty table.
    base: Option<Base>,
    table: Table,
    /// What the transaction `table.seq_txn` did; absent right after a checkpoint was taken up.
    effect: Option<Effect>,
    checkpoints: Checkpoints,
    work: u64,
    work_at_checkpoint: u64,
    /// Columns that are or were upsert keys, or will be as far as is known: their values stay.
    keys: BTreeSet<usize>,
    /// Floors of the partitions whose values stay.
    focus: Option<RangeInclusive<i64>>,
    options: PlayerOptions,
    spent: Spent,
    metas: SegmentMetas,
}

/// How a [`Player`] spends memory and time.
#[derive(Debug, Clone, Copy)]
pub struct PlayerOptions {
    /// Bytes for rows, checkpoints included.
    pub memory: usize,
    /// Work between checkpoints, see [`WORK_PER_TXN`].
    pub checkpoint_work: u64,
    /// Rows that one block of transactions may hold.
    pub block_rows: usize,
    /// Transactions in one block, at most.
    pub block_txns: usize,
    /// Transactions to ask for ahead when bytes have to be waited for.
    pub ahead: u64,
    /// Milliseconds on the driver's clock, for [`Player::spent`]; without one everything takes no time.
    pub clock: fn() -> f64,
}

/// Milliseconds spent since the player was made.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Spent {
    /// Finding out which bytes later transactions need, while some have to be waited for anyway.
    pub ask: f64,
    /// Reading and validating transactions.
    pub decode: f64,
    /// Changing the table.
    pub apply: f64,
}

/// Work is counted in rows written; reading and planning a transaction costs about as much as this
/// many.
pub const WORK_PER_TXN: u64 = 50;

impl Default for PlayerOptions {
    fn default() -> Self {
        Self {
            memory: 512 << 20,
            checkpoint_work: 60_000,
            block_rows: 1 << 20,
            block_txns: 4_096,
            ahead: 256,
            clock: || 0.0,
        }
    }
}

impl Player {
    /// At the beginning of a table's history, before its first transaction.
    ///
    /// # Errors
    /// A definition that no WAL table has.
    pub fn new(history: History) -> Result<Self> {
        Self::with_options(history, PlayerOptions::default())
    }

    /// As [`new`](Self::new), with limits of one's own.
    ///
    /// # Errors
    /// A definition that no WAL table has.
    pub fn with_options(history: History, options: PlayerOptions) -> Result<Self> {
        let table = history.genesis()?;
        let mut checkpoints = Checkpoints::default();
        checkpoints.keep(&table, 0);
        let first = history.first_state().filter(|first| *first > 0 || !history.is_replayable());
        Ok(Self {
            base: first.map(|first| Base::new(history.token.clone(), first)),
            history: Arc::new(history),
            table,
            effect: None,
            checkpoints,
            work: 0,
            work_at_checkpoint: 0,
            keys: BTreeSet::new(),
            focus: None,
            options,
            spent: Spent::default(),
            metas: SegmentMetas::default(),
        })
    }

    /// Moves to just after transaction `target` (beyond the end: to the end; before the beginning: to the
    /// beginning).
    ///
    /// Goes on where it was when called again after [`Error::Pending`].
    ///
    /// # Errors
    /// What reading a transaction answers. The table then stands before that transaction. What reading the
    /// server's table answers, where the history begins with that: [`is_begun`](Self::is_begun) is false then.
    pub fn seek(&mut self, files: &dyn Files, target: u64) -> Result<()> {
        let first = self.begin(files)?;
        let target = target.min(self.history.txn_count()).max(first);
        // One short of the target where the transaction's own effect isn't known.
        let from = target.saturating_sub(1).max(first);
        let behind = self.table.seq_txn > target
            || self.table.seq_txn == target && self.effect.is_none() && target > first;
        self.jump(from, behind);
        while self.table.seq_txn < target && self.moves() {
            let limit = if self.table.seq_txn < from { from } else { target };
            self.advance(files, limit)?;
            self.begin(files)?;
        }
        if target == first {
            self.effect = None;
        }
        Ok(())
    }

    /// The transaction of the first state: 0, or that of the server's table with which the history begins.
    pub fn first(&self) -> u64 {
        self.base.as_ref().map_or(0, |base| base.seq_txn)
    }

    /// False while the history's first state is the server's table and that is not read yet: the table has
    /// no rows then.
    pub fn is_begun(&self) -> bool {
        self.base.as_ref().is_none_or(Base::is_ready)
    }

    /// Takes up the first state where that has to be read; answers its transaction.
    fn begin(&mut self, files: &dyn Files) -> Result<u64> {
        let Some(base) = &mut self.base else { return Ok(0) };
        // Half for the first state, half for what comes after.
        if let Some(table) = base.load(files, self.options.memory / 2, self.focus.as_ref())? {
            self.checkpoints = Checkpoints::default();
            self.checkpoints.keep(&table, 0);
            self.checkpoints.built(table.memory());
            self.table = table;
            (self.work, self.work_at_checkpoint, self.effect) = (0, 0, None);
        }
        Ok(base.seq_txn)
    }

    /// Keeps the values of the partitions that these rows are in from being let go for want of memory, and
    /// brings them back by applying the log again if they were: the table then stands at the beginning
    /// until the next [`seek`](Self::seek).
    ///
    /// Answers whether that is needed.
    pub fn focus(&mut self, rows: Range<usize>) -> bool {
        let mut first = 0;
        let mut floors: Option<RangeInclusive<i64>> = None;
        let mut gone = false;
        for (&floor, partition) in &self.table.partitions {
            if first < rows.end && first + partition.rows > rows.start {
                floors = Some(floors.map_or(floor, |floors| *floors.start())..=floor);
                gone |= partition.let_go;
            }
            first += partition.rows;
        }
        self.focus = floors;
        if gone {
            self.start_again();
            if let Some(base) = &mut self.base {
                base.forget();
            }
        }
        gone
    }

    /// The table where it stands.
    pub fn table(&self) -> &Table {
        &self.table
    }

    /// What the transaction at which the table stands did.
    pub fn effect(&self) -> Option<&Effect> {
        self.effect.as_ref()
    }

    /// The transaction behind the one at which the table stands, read and checked; `None` behind the last, and where nothing
    /// later can be applied. The table stays where it is.
    ///
    /// # Errors
    /// What reading a transaction answers.
    pub fn peek(&mut self, files: &dyn Files) -> Result<Option<Transaction>> {
        let next = self.table.seq_txn + 1;
        if next > self.history.txn_count() || !self.moves() || !self.is_begun() {
            return Ok(None);
        }
        let transaction = self.read(files, next);
        if transaction.as_ref().is_err_and(Error::is_pending) {
            self.ask_ahead(files, next + 1);
        }
        transaction.map(Some)
    }

    /// The log that is played.
    pub fn history(&self) -> &History {
        &self.history
    }

    /// Goes on with a longer log of the same table: what was applied stays.
    pub fn go_on_with(&mut self, history: History) {
        self.history = Arc::new(history);
        self.metas = SegmentMetas::default();
    }

    /// Bytes of rows held, checkpoints included, as last counted.
    pub fn memory(&self) -> usize {
        self.checkpoints.memory()
    }

    /// Time spent so far, by the clock of the options.
    pub fn spent(&self) -> Spent {
        self.spent
    }

    /// Number of checkpoints held.
    pub fn checkpoints(&self) -> usize {
        self.checkpoints.len()
    }

    fn start_again(&mut self) {
        self.checkpoints.clear_after_beginning();
        self.jump(self.first(), true);
    }

    /// Before columns become upsert keys: if values of theirs were let go, the log is applied again from the
    /// beginning, and keeps them. Answers whether that is so.
    fn misses_keys(&mut self, transaction: &Transaction) -> bool {
        let Transaction::Change(Change::DedupEnable(columns)) = transaction else { return false };
        let known = self.keys.len();
        for &column in columns {
            let mut column = Some(column);
            // What it was before its type was changed, too.
            while let Some(index) = column.filter(|index| self.keys.insert(*index)) {
                column = self.table.schema.columns.get(index).and_then(|column| column.replaces);
            }
        }
        let gone = self.table.partitions.values().any(|partition| partition.let_go);
        if self.keys.len() == known || !gone {
            return false;
        }
        self.start_again();
        if let Some(base) = &mut self.base {
            base.keep(&self.keys);
        }
        true
    }

    /// False once nothing later can be applied.
    fn moves(&self) -> bool {
        !matches!(self.table.standing, Standing::Suspended { .. } | Standing::Dropped { .. })
    }

    /// Takes up the last state at `seq_txn` or before, if that is on the way: `behind` says that the table
    /// stands too far ahead.
    fn jump(&mut self, seq_txn: u64, behind: bool) {
        if let Some((table, work)) = self.checkpoints.before(seq_txn)
            && (behind || table.seq_txn > self.table.seq_txn)
        {
            self.table = table.clone();
            self.work = work;
            self.work_at_checkpoint = work;
            self.effect = None;
        }
    }

    /// Applies the next block of transactions, none beyond `limit`.
    fn advance(&mut self, files: &dyn Files, limit: u64) -> Result<()> {
        let first = self.table.seq_txn + 1;
        let clock = self.options.clock;
        let begun = clock();
        let transaction = self.read(files, first);
        let mut decoded = clock();
        if transaction.as_ref().is_err_and(Error::is_pending) {
            self.ask_ahead(files, first + 1);
            self.spent.ask += clock() - begun;
        } else {
            self.spent.decode += decoded - begun;
        }
        let transaction = transaction?;
        if self.misses_keys(&transaction) {
            return Ok(());
        }
        let mut waiting = None;
        let effect = match transaction {
            Transaction::Rows(commit) => {
                let commits = self.gather(files, commit, limit, &mut waiting);
                let gathered = clock();
                self.spent.decode += gathered - decoded;
                decoded = gathered;
                if waiting.is_some() {
                    self.ask_ahead(files, first + commits.len() as u64 + 1);
                    decoded = clock();
                    self.spent.ask += decoded - gathered;
                }
                let rows: usize = commits.iter().map(|commit| commit.rows).sum();
                self.work += work_of(rows, commits.len());
                self.checkpoints.built(commits.iter().map(Commit::bytes).sum());
                apply::apply_commits(&mut self.table, &commits)
            }
            other => {
                self.work += WORK_PER_TXN;
                let Some(record) = self.history.record(first) else { return Ok(()) };
                let rewrites = apply::apply_other(&mut self.table, &other, record);
                self.work += rewrites.work as u64;
                self.checkpoints.built(rewrites.work * 8);
                rewrites.effect
            }
        };
        // Of a block of several transactions nobody asks what each one did.
        self.effect = (self.table.seq_txn == first).then_some(effect);
        if self.work - self.work_at_checkpoint >= self.options.checkpoint_work {
            self.checkpoints.keep(&self.table, self.work);
            self.work_at_checkpoint = self.work;
        }
        self.stay_within_budget();
        self.spent.apply += clock() - decoded;
        waiting.map_or(Ok(()), Err)
    }

    /// Checkpoints go first, then the values of partitions out of sight.
    fn stay_within_budget(&mut self) {
        self.keys.extend(self.table.schema.extra_keys());
        budget::strip_again(&mut self.table, &self.keys);
        while !self.checkpoints.fit(&self.table, self.work, self.options.memory) {
            if budget::let_one_go(&mut self.table, self.focus.as_ref(), &self.keys).is_none() {
                return;
            }
        }
    }

    /// Reads on for as long as transactions can go into one block with `first`.
    ///
    /// What stops it other than the block's end (bytes to wait for, damage) is left to the next call,
    /// but for waiting, which the driver must hear of.
    fn gather(
        &mut self,
        files: &dyn Files,
        first: Commit,
        limit: u64,
        waiting: &mut Option<Error>,
    ) -> Vec<Commit> {
        let newest_of = |commit: &Commit| (commit.rows > 0).then_some(commit.max_ts);
        let mut newest = self.table.max_ts().max(newest_of(&first));
        let mut rows = first.rows;
        let mut next = first.seq_txn + 1;
        let mut commits = vec![first];
        // A block ends where a checkpoint is due: in between there is nothing to come back to.
        let due = self.options.checkpoint_work.saturating_sub(self.work - self.work_at_checkpoint);
        while next <= limit
            && rows < self.options.block_rows
            && commits.len() < self.options.block_txns
            && work_of(rows, commits.len()) < due
        {
            match self.read(files, next) {
                Ok(Transaction::Rows(commit)) => {
                    let ends = |last: &Commit| {
                        apply::ends_block(&self.table, newest, &last.into(), &(&commit).into())
                    };
                    if commits.last().is_some_and(ends) {
                        break;
                    }
                    newest = newest.max(newest_of(&commit));
                    rows += commit.rows;
                    commits.push(commit);
                }
                Err(Error::Pending) => {
                    *waiting = Some(Error::Pending);
                    break;
                }
                Ok(_) | Err(_) => break,
            }
            next += 1;
        }
        commits
    }

    fn read(&mut self, files: &dyn Files, seq_txn: u64) -> Result<Transaction> {
        let dir = &self.history.token.dir;
        let Some(record) = self.history.record(seq_txn) else {
            return Err(Error::Absent { file: format!("{dir}/txn_seq/_txn_parts").into() });
        };
        let transaction = read_transaction_with(files, dir, record, &mut self.metas)?;
        if let (Transaction::Rows(commit), Some((segment, _))) = (&transaction, record.segment())
            && let Some(meta) = self.metas.get(segment, record.structure_version)
        {
            fits::check(&self.table.schema, meta, || format!("{}/_meta", segment.dir(dir)))?;
            apply::learn_symbol_order(&mut self.table, files, segment.wal, meta, &commit.symbols)?;
        }
        Ok(transaction)
    }

    /// Lets the driver hear of later needs, so that it fetches once for many transactions.
    fn ask_ahead(&mut self, files: &dyn Files, from: u64) {
        for seq_txn in from..from.saturating_add(self.options.ahead).min(self.history.txn_count() + 1) {
            let Some(record) = self.history.record(seq_txn) else { return };
            let asked = ask_transaction(files, &self.history.token.dir, record, &mut self.metas);
            if asked.is_err_and(|error| !error.is_pending()) {
                return;
            }
        }
    }
}

fn work_of(rows: usize, txns: usize) -> u64 {
    rows as u64 + WORK_PER_TXN * txns as u64
}
