//! One table of the directory: its log, and what of it is held.

use super::failure::Failure;
use super::{dto, js, state};
use crate::replay::{self, Difference, History, Mark, Player, PlayerOptions};
use crate::wal::Error;

/// Work between checkpoints: a step back is applied again from the last one, and has to fit a frame.
const CHECKPOINT_WORK: u64 = 50_000;

/// One table that was looked at.
pub(super) struct Slot {
    pub(super) player: Option<Player>,
    pub(super) history: History,
    pub(super) marks: Vec<Mark>,
    /// Where the table stood when its rows were let go.
    pub(super) at: u64,
    /// Tells which table was looked at last.
    pub(super) used: u64,
    pub(super) spent: dto::Spent,
}

impl Slot {
    /// A table whose log was read.
    pub(super) fn new(history: History) -> Self {
        Self { player: None, history, marks: Vec::new(), at: 0, used: 0, spent: dto::Spent::default() }
    }

    /// Takes up the log as it is read now; what was applied of it stays. False if it is no continuation of the
    /// one before: another table has come in its place.
    pub(super) fn renew(&mut self, history: &History) -> bool {
        let (before, now) = (&self.history, history);
        let continues = before.log.created_us == now.log.created_us
            && before.token.id == now.token.id
            && before.txn_count() <= now.txn_count();
        if continues {
            self.history = history.clone();
            if let Some(player) = &mut self.player {
                player.go_on_with(history.clone());
            }
        }
        continues
    }

    pub(super) fn player(&mut self, memory: usize) -> crate::wal::Result<&mut Player> {
        if self.player.is_none() {
            let checkpoint_work = CHECKPOINT_WORK;
            let options =
                PlayerOptions { memory, checkpoint_work, clock: js::now, ..PlayerOptions::default() };
            self.player = Some(Player::with_options(self.history.clone(), options)?);
        }
        self.player.as_mut().ok_or(Error::Pending)
    }

    pub(super) fn seq_txn(&self) -> u64 {
        self.player.as_ref().map_or(self.at, |player| player.table().seq_txn)
    }

    /// Bytes of rows.
    pub(super) fn held(&self) -> usize {
        self.player.as_ref().map_or(0, Player::memory)
    }

    pub(super) fn told(&self) -> Option<dto::TableState> {
        let player = self.player.as_ref()?;
        let mut state = state::table_state(player.table(), self.history.txn_count(), player.effect());
        state.spent = self.spent;
        Some(state)
    }

    /// A transaction that can't be applied, as a problem of the table.
    pub(super) fn stopped(&self, failure: Option<Failure>) -> Option<dto::Problem> {
        let failure = failure?;
        let at = self.seq_txn();
        Some(dto::Problem {
            severity: dto::Severity::Error,
            table: Some(self.history.token.dir.clone()),
            message: format!("nothing after transaction {at} can be applied: {}", failure.message),
            file: failure.file,
            offset: failure.offset,
            advice: None,
        })
    }

    /// Where the table stands at the transaction that the server had applied too, its files must have
    /// the same partitions: those that differ.
    pub(super) fn differences(&self) -> Vec<dto::Problem> {
        let (Some(player), Some(applied)) = (&self.player, &self.history.applied) else { return Vec::new() };
        let at = applied.seq_txn;
        let differences = replay::compare(player.table(), applied).unwrap_or_default();
        let problem = |difference: Difference| dto::Problem {
            severity: dto::Severity::Warning,
            table: Some(self.history.token.dir.clone()),
            file: None,
            offset: None,
            message: format!(
                "at transaction {at} partition {} has {} rows by the log, and {} in the server's own files",
                difference.partition, difference.replayed, difference.applied
            ),
            advice: Some(format!("possible causes: {}", replay::UNLOGGED_CAUSES)),
        };
        differences.into_iter().map(problem).collect()
    }
}
