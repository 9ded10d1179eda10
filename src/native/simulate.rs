//! Many seeds of the simulator, on all cores, in a run that can be gone on with.

use super::outcome::{Failure, Result};
use super::whole_file;
use crate::sim::{Micros, Scenario, Sim, Violation};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ops::Range;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// Between two writes of the file with which a run goes on.
const SAVE_EVERY: Duration = Duration::from_secs(10);
/// Violations that end a run: more of them say no more.
const VIOLATIONS_MAX: usize = 20;

/// What is to be run.
#[derive(Debug, Clone)]
pub struct Batch {
    /// The scenario that each seed varies.
    pub scenario: Scenario,
    /// The seeds.
    pub seeds: Range<u64>,
    /// Steps of each seed, at most.
    pub steps: Option<u64>,
    /// Threads.
    pub threads: usize,
}

/// What came of one seed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// The seed.
    pub seed: u64,
    /// Its steps.
    pub steps: u64,
    /// Its virtual time, microseconds.
    pub simulated_us: Micros,
    /// The hash over all that happened.
    pub trace: u64,
    /// What did not hold.
    pub violation: Option<Violation>,
    /// The program itself failed, with these words.
    pub panic: Option<String>,
}

/// What came of all seeds so far: nothing in it depends on the machine, or on how many threads there were.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Seeds that are done, all from the first one on.
    pub done: u64,
    /// Their steps.
    pub steps: u64,
    /// Their virtual time, microseconds.
    pub simulated_us: Micros,
    /// Their traces, each bit the sum of the same bit of all.
    pub trace: u64,
    /// Those that did not end well.
    pub bad: Vec<Ended>,
}

/// The file with which a run goes on.
#[derive(Debug, Serialize, Deserialize)]
struct Saved {
    scenario: Scenario,
    seeds: (u64, u64),
    steps: Option<u64>,
    version: String,
    tally: Tally,
}

impl Tally {
    fn add(&mut self, ended: Ended) {
        self.done += 1;
        self.steps += ended.steps;
        self.simulated_us += ended.simulated_us;
        self.trace ^= ended.trace;
        if ended.violation.is_some() || ended.panic.is_some() {
            self.bad.push(ended);
        }
    }
}

impl Batch {
    /// Runs one seed.
    pub fn one(&self, seed: u64) -> Ended {
        let mut sim = Sim::new(&self.scenario, seed);
        let most = self.steps.unwrap_or(u64::MAX);
        let run = AssertUnwindSafe(|| while sim.steps() < most && sim.step() {});
        let failed = panic::catch_unwind(run).err();
        let words = |what: Box<dyn std::any::Any + Send>| {
            let text = what
                .downcast_ref::<String>()
                .map(String::as_str)
                .or(what.downcast_ref::<&'static str>().copied());
            text.unwrap_or("it panicked").to_owned()
        };
        Ended {
            seed,
            steps: sim.steps(),
            simulated_us: sim.now_us(),
            trace: sim.trace(),
            violation: sim.violation().cloned(),
            panic: failed.map(words),
        }
    }

    /// Runs all seeds, and tells after each how many are done. `file` is where the run is written down now and then, and
    /// gone on with if it is there. `stop` ends it before its time.
    ///
    /// # Errors
    /// A file that can't be read or written, or is of another run.
    pub fn run(
        &self,
        file: Option<&Path>,
        stop: &AtomicBool,
        mut each: impl FnMut(&Tally, Option<&Ended>),
    ) -> Result<Tally> {
        let mut tally = file.map_or(Ok(Tally::default()), |file| self.read(file))?;
        let next = AtomicU64::new(self.seeds.start.saturating_add(tally.done));
        let over = AtomicBool::new(false);
        let (tell, told) = mpsc::sync_channel::<Ended>(self.threads.max(1));
        std::thread::scope(|scope| {
            for _ in 0..self.threads.max(1) {
                let (tell, next, over) = (tell.clone(), &next, &over);
                scope.spawn(move || {
                    while !stop.load(Ordering::Relaxed) && !over.load(Ordering::Relaxed) {
                        let seed = next.fetch_add(1, Ordering::Relaxed);
                        if seed >= self.seeds.end || tell.send(self.one(seed)).is_err() {
                            break;
                        }
                    }
                });
            }
            drop(tell);
            let (mut waiting, mut saved) = (BTreeMap::new(), Instant::now());
            for ended in told {
                waiting.insert(ended.seed, ended);
                // In order, so that what is written down is all from the first one on.
                while let Some(ended) = waiting.remove(&self.seeds.start.saturating_add(tally.done)) {
                    let bad = ended.violation.is_some() || ended.panic.is_some();
                    let shown = bad.then(|| ended.clone());
                    tally.add(ended);
                    each(&tally, shown.as_ref());
                }
                over.fetch_or(tally.bad.len() >= VIOLATIONS_MAX, Ordering::Relaxed);
                if let Some(file) = file.filter(|_| saved.elapsed() > SAVE_EVERY) {
                    self.write(file, &tally)?;
                    saved = Instant::now();
                }
            }
            file.map_or(Ok(()), |file| self.write(file, &tally))
        })?;
        Ok(tally)
    }

    fn read(&self, file: &Path) -> Result<Tally> {
        let failed = |why: String| Failure::failed(format!("{}: {why}", file.display()));
        let bytes = match std::fs::read(file) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Tally::default()),
            Err(error) => return Err(failed(error.to_string())),
        };
        let saved: Saved = serde_json::from_slice(&bytes).map_err(|error| failed(error.to_string()))?;
        let version = env!("CARGO_PKG_VERSION");
        let same = saved.scenario == self.scenario
            && saved.seeds == (self.seeds.start, self.seeds.end)
            && saved.steps == self.steps
            && saved.version == version;
        if same {
            return Ok(saved.tally);
        }
        Err(failed("it is of another run: other seeds, steps, faults, or another version".into())
            .advise("remove it to begin anew, or name another file"))
    }

    fn write(&self, file: &Path, tally: &Tally) -> Result<()> {
        let failed = |error: std::io::Error| Failure::output(file.display(), &error);
        let saved = Saved {
            scenario: self.scenario.clone(),
            seeds: (self.seeds.start, self.seeds.end),
            steps: self.steps,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            tally: tally.clone(),
        };
        let bytes = serde_json::to_vec(&saved).map_err(|error| Failure::failed(error.to_string()))?;
        whole_file::replace(file, &bytes, false).map_err(failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(threads: usize) -> Batch {
        let scenario = Scenario { quiet_from_us: 2_000_000, until_us: 3_000_000, ..Scenario::chaos() };
        Batch { scenario, seeds: 5..13, steps: Some(400), threads }
    }

    #[test]
    fn threads_and_interruptions_change_nothing() {
        let never = AtomicBool::new(false);
        let whole = batch(1).run(None, &never, |_, _| {}).unwrap();
        assert_eq!(whole.done, 8);
        assert_eq!(batch(3).run(None, &never, |_, _| {}).unwrap(), whole);
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("run.json");
        let stop = AtomicBool::new(false);
        let half = batch(1)
            .run(Some(file.as_path()), &stop, |tally, _| stop.store(tally.done >= 3, Ordering::Relaxed));
        assert!((3..8).contains(&half.unwrap().done));
        assert_eq!(batch(2).run(Some(file.as_path()), &never, |_, _| {}).unwrap(), whole);
        let other = Batch { steps: None, ..batch(1) };
        assert!(other.run(Some(file.as_path()), &never, |_, _| {}).is_err());
    }
}
