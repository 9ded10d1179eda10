//! Slots of senders that are gone: each is sent by a client of its own, beside the producer's.

use super::drive::Driver;
use super::slot::Slot;
use super::wire::Net;
use crate::client::{Goal, Settings, failed_sentinel, orphans};
use crate::native::outcome::Result;
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// Background drainers, and how they fare.
#[derive(Debug, Default)]
pub(super) struct Drainers {
    tally: Arc<Tally>,
}

#[derive(Debug, Default)]
struct Tally {
    stop: AtomicBool,
    waiting: AtomicU64,
    active: AtomicU64,
    succeeded: AtomicU64,
    failed: AtomicU64,
    /// What went wrong, to be told.
    warnings: Mutex<Vec<String>>,
}

impl Drainers {
    /// Looks for orphans and begins to drain them, `max_background_drainers` at a time.
    pub(super) fn start(settings: &Settings, net: &Arc<Net>) -> std::io::Result<Self> {
        let drainers = Self::default();
        let Some(sf_dir) = settings.sf_dir.as_deref().filter(|_| settings.drain_orphans) else {
            return Ok(drainers);
        };
        let sf_dir = PathBuf::from(sf_dir);
        let siblings = Slot::siblings(&sf_dir)?;
        let found: VecDeque<PathBuf> =
            orphans(&settings.sender_id, &siblings).into_iter().map(|name| sf_dir.join(name)).collect();
        let count = found.len().min(settings.max_background_drainers);
        drainers.tally.waiting.store(found.len() as u64, Ordering::Relaxed);
        let queue = Arc::new(Mutex::new(found));
        for number in 0..count {
            let (queue, tally) = (queue.clone(), drainers.tally.clone());
            let (settings, net) = (settings.clone(), net.clone());
            let work = move || {
                while let Some(dir) = next(&queue) {
                    tally.drain(&dir, &settings, &net);
                    tally.waiting.fetch_sub(1, Ordering::Relaxed);
                }
            };
            thread::Builder::new().name(format!("drainer-{number}")).spawn(work)?;
        }
        Ok(drainers)
    }

    /// True if every orphan was drained or given up.
    pub(super) fn are_done(&self) -> bool {
        self.tally.waiting.load(Ordering::Relaxed) == 0
    }

    /// What went wrong since it was last asked.
    pub(super) fn take_warnings(&self) -> Vec<String> {
        std::mem::take(&mut *self.tally.warnings.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Running, succeeded, failed.
    pub(super) fn counts(&self) -> [u64; 3] {
        [&self.tally.active, &self.tally.succeeded, &self.tally.failed]
            .map(|count| count.load(Ordering::Relaxed))
    }
}

impl Drop for Drainers {
    fn drop(&mut self) {
        self.tally.stop.store(true, Ordering::Relaxed);
    }
}

impl Tally {
    fn drain(&self, dir: &std::path::Path, settings: &Settings, net: &Arc<Net>) {
        let slot = match Slot::lock(dir) {
            Ok(Some(slot)) => slot,
            // Its sender lives.
            Ok(None) => return,
            Err(error) => {
                self.warn(format!("{}: {error}", dir.display()));
                return;
            }
        };
        self.active.fetch_add(1, Ordering::Relaxed);
        let drained = self.send_all(slot, dir, settings, net);
        self.active.fetch_sub(1, Ordering::Relaxed);
        match drained {
            Ok(true) => _ = self.succeeded.fetch_add(1, Ordering::Relaxed),
            Ok(false) => {}
            Err(failure) => {
                self.failed.fetch_add(1, Ordering::Relaxed);
                self.warn(format!("{} is given up: {}", dir.display(), failure.message));
            }
        }
    }

    fn warn(&self, text: String) {
        self.warnings.lock().unwrap_or_else(PoisonError::into_inner).push(text);
    }

    /// True if all of the slot is acknowledged, false if there was no time.
    fn send_all(
        &self,
        slot: Slot,
        dir: &std::path::Path,
        settings: &Settings,
        net: &Arc<Net>,
    ) -> Result<bool> {
        let opened = Driver::new(settings, net.clone(), Some(slot), Goal::Drain);
        let mut driver = match opened {
            Ok((driver, _)) => driver,
            Err(failure) => {
                if let Ok(Some(mut slot)) = Slot::lock(dir) {
                    slot.perform(&failed_sentinel(&failure.message));
                }
                return Err(failure);
            }
        };
        loop {
            driver.act();
            if driver.client.is_done() {
                return Ok(true);
            }
            if let Some(error) = driver.client.stopped().map(ToString::to_string) {
                driver.perform(&failed_sentinel(&error));
                return Err(crate::native::outcome::Failure::failed(error));
            }
            if self.stop.load(Ordering::Relaxed) {
                return Ok(false);
            }
            let soon = driver.now().saturating_add(200_000);
            driver.wait(Some(soon));
        }
    }
}

fn next(queue: &Mutex<VecDeque<PathBuf>>) -> Option<PathBuf> {
    queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
}
