//! What must hold at every step, and what is told when it does not.

use super::{Faults, Micros};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Something that must always hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Invariant {
    /// Everybody reads, acknowledges and continues the same history.
    OneHistory,
    /// A row whose client was told that it is durable is in the history.
    DurableIsKept,
    /// A client that waits for durable acknowledgements lets go of no row that the history does not hold.
    KeptUntilDurable,
    /// At the same place of the history all hold the same rows.
    EqualRows,
    /// A table with upsert keys holds no row twice.
    NoDuplicates,
    /// A process whose directory was sealed adds nothing to the history, and has no more packs out than its window.
    NoZombie,
    /// A snapshot holds what the history holds at its place, and nothing else.
    TrueSnapshots,
    /// Nothing is deleted that a newcomer needs.
    SafeCleaning,
    /// Whoever comes now reads all of the history, from the newest snapshot or from the start.
    NewcomersCan,
    /// Once nothing goes wrong any more, everybody gets level and all rows arrive.
    Converges,
    /// Nobody stops for something that is none of the faults.
    NobodyStops,
}

/// An invariant that does not hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Violation {
    /// Which one.
    pub invariant: Invariant,
    /// What was seen.
    pub what: String,
    /// At which step.
    pub step: u64,
    /// When, microseconds from the start.
    pub at_us: Micros,
}

/// What a check answers: nothing, or which invariant does not hold and why.
pub(super) type Check<T = ()> = Result<T, Breach>;

/// A violation that does not know its time yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Breach {
    pub invariant: Invariant,
    pub what: String,
}

pub(super) fn breach<T>(invariant: Invariant, what: impl fmt::Display) -> Check<T> {
    Err(Breach { invariant, what: what.to_string() })
}

/// The part of the page's address, behind `index.html`, that shows this step of this seed.
///
/// ```
/// use understudy::sim::{Fault, Faults, lab_link};
/// assert_eq!(lab_link(7, 120, Faults::all()), "#lab&seed=7&step=120");
/// assert_eq!(lab_link(7, 120, [Fault::Kill].into_iter().collect()), "#lab&seed=7&step=120&faults=kill");
/// ```
pub fn lab_link(seed: u64, step: u64, faults: Faults) -> String {
    let only = if faults == Faults::all() { String::new() } else { format!("&faults={faults}") };
    format!("#lab&seed={seed}&step={step}{only}")
}

impl Invariant {
    /// Its name, e.g. `one-history`.
    pub fn name(self) -> &'static str {
        match self {
            Self::OneHistory => "one-history",
            Self::DurableIsKept => "durable-is-kept",
            Self::KeptUntilDurable => "kept-until-durable",
            Self::EqualRows => "equal-rows",
            Self::NoDuplicates => "no-duplicates",
            Self::NoZombie => "no-zombie",
            Self::TrueSnapshots => "true-snapshots",
            Self::SafeCleaning => "safe-cleaning",
            Self::NewcomersCan => "newcomers-can",
            Self::Converges => "converges",
            Self::NobodyStops => "nobody-stops",
        }
    }
}

impl fmt::Display for Invariant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, micros) = (self.at_us / 1_000_000, self.at_us % 1_000_000);
        write!(f, "{} at step {}, {seconds}.{micros:06} s: {}", self.invariant, self.step, self.what)
    }
}
