//! Storage policies, between rounds of applying.

use super::drive::Replica;
use super::policy::{Told, Worked};
use super::tables::DigestJob;
use crate::native::policies::definitions;
use crate::native::store::DiskReader;
use std::time::Duration;

impl Replica {
    /// Enforces policies for a while, and tells what came of it.
    pub(super) fn enforce(&mut self) {
        // Tables that are being made anew are none yet.
        if self.is_loading() {
            return;
        }
        if std::mem::take(&mut self.unenforced) {
            match definitions(&DiskReader(&**self.tables.disk())) {
                Ok(definitions) => {
                    let policies = definitions.into_iter().map(|(dir, (policy, _))| (dir, policy));
                    self.enforcer.defined(policies.collect());
                }
                // Those of before go on, until they change.
                Err(failure) => self.said.push(format!("storage policies: {}", failure.message)),
            }
        }
        self.enforcer.step(&mut self.tables);
        self.tell_policies();
    }

    /// Steps that storage policies have taken since the process began.
    pub fn policy_steps(&self) -> u64 {
        self.policy_steps
    }

    /// A thread is done with a task.
    pub(super) fn policy_worked(&mut self, worked: Worked) {
        self.enforcer.worked(&mut self.tables, worked);
        self.tell_policies();
    }

    /// How long no policy has anything to do.
    pub(super) fn policy_patience(&self, wait: Duration) -> Duration {
        let patience = self.enforcer.patience().filter(|_| !self.is_loading());
        patience.map_or(wait, |patience| patience.min(wait))
    }

    /// Whether a table can be compared with its primary's; else that is told.
    pub(super) fn is_comparable(&mut self, job: &DigestJob) -> bool {
        let (missing, told) = self.enforcer.missing(&job.token);
        if missing > 0 && !told {
            let dir = &job.token.dir;
            self.noted.push(format!(
                "{dir}: not comparable with the primary's digest since {missing} partitions were dropped here"
            ));
        }
        missing == 0
    }

    fn tell_policies(&mut self) {
        for dir in self.enforcer.changed() {
            let converting = self.enforcer.converting(&dir);
            let Some(token) = self.tables.token(&dir) else { continue };
            self.partitions.converting(&dir, converting);
            let stored = self.partitions.look_at(&**self.tables.disk(), &token, None);
            stored.into_iter().for_each(|note| self.journal.note(note));
        }
        for told in self.enforcer.told() {
            self.policy_steps += 1;
            match told {
                Told::Note(note) => self.journal.note(note),
                Told::Warning(text) => self.said.push(text),
                Told::News(text) => self.noted.push(text),
            }
        }
    }
}
