//! The gate that writes pass: open while the node's machine says so, and shut by the clock alone when it has not said so for
//! too long (rule L3).

use crate::node::{Held, Refusal, Role};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{OwnedRwLockReadGuard, RwLock, watch};

/// Shared by those who take writes and by the one who decides.
#[derive(Debug)]
pub(super) struct Gate {
    begun: Instant,
    /// By the clock since `begun`, in microseconds: 0 while it is shut.
    until_us: AtomicU64,
    state: Mutex<(Role, Refusal)>,
    /// Held by each write that is under way.
    passing: Arc<RwLock<()>>,
    /// What is durable.
    held: watch::Sender<Arc<Held>>,
    /// How often this node was found to decide no more about what it has taken.
    lost: watch::Sender<u32>,
}

/// Leave to write, until it is dropped.
pub(super) type Pass = OwnedRwLockReadGuard<()>;

impl Gate {
    /// Shut.
    pub(super) fn new(begun: Instant, role: Role) -> Self {
        Self {
            begun,
            until_us: AtomicU64::new(0),
            state: Mutex::new((role, Refusal::Opening)),
            passing: Arc::default(),
            held: watch::Sender::default(),
            lost: watch::Sender::default(),
        }
    }

    /// Leave to write now.
    ///
    /// # Errors
    /// Why not.
    pub(super) async fn enter(&self) -> Result<Pass, Refusal> {
        let pass = self.passing.clone().read_owned().await;
        self.refusal().map_or(Ok(pass), Err)
    }

    /// Why no write is taken now, if none is.
    pub(super) fn refusal(&self) -> Option<Refusal> {
        let until = self.until_us.load(Ordering::Acquire);
        if until == 0 {
            return Some(self.state().1);
        }
        let now = u64::try_from(self.begun.elapsed().as_micros()).unwrap_or(u64::MAX);
        // A process that was paused finds out here, before its timers have run.
        (now >= until).then_some(Refusal::SelfStop)
    }

    /// Opens it until this time.
    pub(super) fn open(&self, until_us: u64) {
        self.until_us.store(until_us.max(1), Ordering::Release);
    }

    /// Shuts it; over when no write is under way any more.
    pub(super) async fn shut(&self, why: Refusal) {
        self.state().1 = why;
        self.until_us.store(0, Ordering::Release);
        if matches!(why, Refusal::Fenced | Refusal::Over) {
            self.lost.send_modify(|count| *count += 1);
        }
        drop(self.passing.write().await);
    }

    pub(super) fn set_role(&self, role: Role) {
        self.state().0 = role;
    }

    pub(super) fn role(&self) -> Role {
        self.state().0
    }

    /// Tells what is durable.
    pub(super) fn durable(&self, held: &Held) {
        self.held.send_replace(Arc::new(held.clone()));
    }

    /// What is durable.
    pub(super) fn held(&self) -> Arc<Held> {
        self.held.borrow().clone()
    }

    /// How often this node was found to decide no more about what it has taken: to be asked before leave to write.
    pub(super) fn losses(&self) -> u32 {
        *self.lost.borrow()
    }

    /// Waits until these transactions are durable; `false` if they are not in time, or this node decides no more about that since
    /// there were so many losses: what it has taken may be set aside, and its numbers may be those of others.
    pub(super) async fn wait_durable(&self, commits: &[(String, u64)], losses: u32, most: Duration) -> bool {
        let mut held = self.held.subscribe();
        let there = |held: &Arc<Held>| {
            commits.iter().all(|(dir, seq_txn)| held.get(dir).is_some_and(|held| held >= seq_txn))
        };
        let mut lost = self.lost.subscribe();
        tokio::select! {
            biased;
            _ = lost.wait_for(|count| *count != losses) => false,
            waited = tokio::time::timeout(most, held.wait_for(there)) => matches!(waited, Ok(Ok(_))),
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, (Role, Refusal)> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_is_shut_by_the_clock_alone_and_waits_for_who_is_inside() {
        let gate = Arc::new(Gate::new(Instant::now(), Role::Primary));
        assert_eq!(gate.enter().await.unwrap_err(), Refusal::Opening);
        gate.open(u64::MAX);
        let pass = gate.enter().await.unwrap();
        let shutting = tokio::spawn({
            let gate = gate.clone();
            async move { gate.shut(Refusal::Leaving).await }
        });
        tokio::time::sleep(Duration::from_millis(30)).await;
        assert!(!shutting.is_finished());
        drop(pass);
        shutting.await.unwrap();
        assert_eq!(gate.refusal(), Some(Refusal::Leaving));
        gate.open(1);
        tokio::time::sleep(Duration::from_millis(1)).await;
        assert_eq!(gate.enter().await.unwrap_err(), Refusal::SelfStop);
    }

    #[tokio::test]
    async fn what_is_durable_is_told_when_the_history_holds_it() {
        let gate = Gate::new(Instant::now(), Role::Primary);
        let commits = [("t~1".to_owned(), 3)];
        let (losses, most) = (gate.losses(), Duration::from_millis(10));
        assert!(!gate.wait_durable(&commits, losses, most).await);
        gate.durable(&[("t~1".to_owned(), 3)].into());
        assert!(gate.wait_durable(&commits, losses, most).await);
        // Written before it was fenced: the history's transaction of that number is another one.
        gate.shut(Refusal::Fenced).await;
        assert!(!gate.wait_durable(&commits, losses, most).await);
        assert!(gate.wait_durable(&commits, gate.losses(), most).await);
    }
}
