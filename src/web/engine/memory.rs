//! What is held of the tables' rows, and what is let go.

use super::super::slot::Slot;
use super::{Engine, Outcome, not_moved, unknown_table};
use std::ops::Range;

impl Engine {
    /// Values of these rows that were let go for want of memory come back, by applying the log again.
    pub(super) async fn bring_back(&self, dir: &str, rows: Range<usize>) -> Outcome<()> {
        let gone = {
            let mut slots = self.slots.borrow_mut();
            let slot = slots.get_mut(dir).ok_or_else(|| unknown_table(dir))?;
            let player = slot.player.as_mut().ok_or_else(|| not_moved(dir))?;
            let at = player.table().seq_txn;
            player.focus(rows).then_some(at)
        };
        let Some(at) = gone else { return Ok(()) };
        self.drive(|files| self.with_slot(dir, |slot| slot.player(self.memory / 2)?.seek(files, at))).await
    }

    /// What does not fit the budget, in words.
    pub(super) fn let_go(&self) -> Vec<String> {
        let mut told = self.let_go.borrow().clone();
        for slot in self.slots.borrow().values() {
            let Some(player) = &slot.player else { continue };
            let partitions = player.table().partitions.values().filter(|partition| partition.let_go).count();
            if partitions > 0 {
                let name = &player.table().name;
                told.push(format!(
                    "{partitions} partitions of {name}: they are applied again when looked at"
                ));
            }
        }
        told
    }

    pub(super) fn rows_held(&self) -> usize {
        self.slots.borrow().values().map(Slot::held).sum()
    }

    /// Lets the rows of other tables go, the one longest out of sight first, until they leave three
    /// quarters of the budget: half for this table's rows, a quarter for bytes as fetched.
    pub(super) fn make_room(&self, dir: &str) {
        self.clock.set(self.clock.get() + 1);
        if let Some(slot) = self.slots.borrow_mut().get_mut(dir) {
            slot.used = self.clock.get();
        }
        loop {
            let mut slots = self.slots.borrow_mut();
            let others = slots.iter_mut().filter(|(other, slot)| *other != dir && slot.player.is_some());
            let others: Vec<(&String, &mut Slot)> = others.collect();
            if others.iter().map(|(_, slot)| slot.held()).sum::<usize>() <= self.memory / 4 {
                return;
            }
            let Some((other, slot)) = others.into_iter().min_by_key(|(_, slot)| slot.used) else { return };
            slot.at = slot.seq_txn();
            slot.player = None;
            let note = format!("the rows of {other}: they are applied again when it is looked at");
            let mut let_go = self.let_go.borrow_mut();
            if !let_go.contains(&note) {
                let_go.push(note);
            }
        }
    }
}
