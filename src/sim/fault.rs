//! The kinds of fault, each with its name and a sentence for people.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

macro_rules! faults {
    ($($(#[$doc:meta])* $variant:ident $name:literal $sentence:literal,)*) => {
        /// Something that goes wrong, or is done to a cluster at a bad moment.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Fault {
            $(#[doc = $sentence] #[serde(rename = $name)] $variant,)*
        }

        impl Fault {
            /// All kinds.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// Its name, e.g. `black-hole`.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// What it is, in a sentence.
            pub fn sentence(self) -> &'static str {
                match self {
                    $(Self::$variant => $sentence,)*
                }
            }
        }
    };
}

faults! {
    Delay "delay" "Messages of some of the machines take longer.",
    Reorder "reorder" "Messages overtake each other.",
    Loss "loss" "Some messages are lost without a word.",
    Duplicate "duplicate" "Some requests arrive twice.",
    Partition "partition" "Some of the machines are cut off from the others, whose connections are refused.",
    BlackHole "black-hole" "What some of the machines send to the others vanishes, and nobody is told.",
    OneWay "one-way" "Requests arrive, and the answers to them vanish.",
    CutFromBucket "cut-from-bucket" "A node can't reach the bucket, while clients still reach the node.",
    Reset "reset" "Some connections break while a request is under way, before or after it has arrived.",
    SlowBucket "slow-bucket" "The bucket answers slowly.",
    SlowDown "slow-down" "The bucket asks for fewer requests: 429, 503 SlowDown.",
    ServerError "server-error" "The bucket answers 500, and has done nothing.",
    ErrorAfterSuccess "error-after-success" "The bucket answers 500, and has done what was asked.",
    TimeoutBefore "timeout-before" "Requests to the bucket time out and were never carried out.",
    TimeoutAfter "timeout-after" "Requests to the bucket time out and were carried out.",
    LatePut "late-put" "A put takes effect long after its sender has given it up.",
    Conflict "conflict" "A conditional put is answered 409, as S3 does in a race: nothing is settled, nothing stored.",
    OwnTaken "own-taken" "A put that got in is answered as if the key had been taken: an earlier try of the same call did it.",
    CutBody "cut-body" "The body of an object that is read ends early, and says so.",
    DamagedBody "damaged-body" "The body of an object that is read has a changed byte.",
    SlowBody "slow-body" "The body of an object trickles in until the reader gives up.",
    Denied "denied" "The bucket refuses: 403.",
    BucketFull "bucket-full" "The bucket takes no more bytes: a quota is used up.",
    StaleHint "stale-hint" "The hint where the log ends (head.json) is answered as it was long ago.",
    IgnoredCondition "ignored-condition" "The store takes a put-if-absent and ignores the condition.",
    TornWrite "torn-write" "A process is killed in the middle of a write, of which a part is done.",
    LostUnsynced "lost-unsynced" "A machine loses power, and with it some of what was not synced.",
    DiskFull "disk-full" "A disk is full: writes fail.",
    ReadError "read-error" "Reading from a disk fails.",
    SlowDisk "slow-disk" "Writes to a disk take long.",
    OldDisk "old-disk" "A machine starts again with a disk as it was some time ago: a backup was put back.",
    ClockJump "clock-jump" "A machine's wall clock jumps, forward or back.",
    ClockDrift "clock-drift" "A machine's clocks run fast or slow.",
    Pause "pause" "A process stands still for a while and goes on as if nothing had been: a suspended machine.",
    Kill "kill" "A process is killed, and started again with its old disk.",
    ClientKill "client-kill" "A client is killed, and started again with what its disk holds.",
    Rival "rival" "An operator makes another node primary while the old one may well live.",
    PlannedSwitch "planned-switch" "An operator asks for a planned switch of the primary, at a bad time.",
    AddNode "add-node" "A new node joins.",
    AddClient "add-client" "A new client begins to send.",
    WindowChange "window-change" "The primary restarts with another upload window.",
}

/// Which kinds of fault may occur.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Vec<Fault>", from = "Vec<Fault>")]
pub struct Faults(u64);

impl Faults {
    /// None.
    pub const NONE: Self = Self(0);

    /// All kinds.
    pub fn all() -> Self {
        Fault::ALL.iter().copied().collect()
    }

    /// Whether this kind may occur.
    pub fn has(self, fault: Fault) -> bool {
        self.0 & 1 << fault as u64 != 0
    }

    /// These and one more.
    #[must_use]
    pub fn with(self, fault: Fault) -> Self {
        Self(self.0 | 1 << fault as u64)
    }

    /// Those that may occur.
    pub fn iter(self) -> impl Iterator<Item = Fault> {
        Fault::ALL.iter().copied().filter(move |fault| self.has(*fault))
    }
}

impl FromIterator<Fault> for Faults {
    fn from_iter<T: IntoIterator<Item = Fault>>(faults: T) -> Self {
        Self(faults.into_iter().fold(0, |bits, fault| bits | 1 << fault as u64))
    }
}

impl From<Vec<Fault>> for Faults {
    fn from(faults: Vec<Fault>) -> Self {
        faults.into_iter().collect()
    }
}

impl From<Faults> for Vec<Fault> {
    fn from(faults: Faults) -> Self {
        faults.iter().collect()
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Fault {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = Fault::ALL.iter().find(|fault| fault.name() == text);
        known.copied().ok_or_else(|| format!("there is no fault {text:?}"))
    }
}

impl fmt::Display for Faults {
    /// As it is read: `all`, `none`, or names with commas between them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::all() {
            return f.write_str("all");
        }
        if *self == Self::NONE {
            return f.write_str("none");
        }
        for (at, fault) in self.iter().enumerate() {
            write!(f, "{}{fault}", if at == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

impl FromStr for Faults {
    type Err = String;

    /// `all`, `none`, or names with commas between them.
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "all" => Ok(Self::all()),
            "none" | "" => Ok(Self::NONE),
            names => names.split(',').map(|name| name.trim().parse::<Fault>()).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_name_of_its_own_and_a_sentence() {
        assert!(Fault::ALL.len() >= 25);
        for fault in Fault::ALL {
            assert_eq!(fault.name().parse(), Ok(*fault));
            assert!(fault.name().bytes().all(|c| c.is_ascii_lowercase() || c == b'-'));
            assert!(fault.sentence().ends_with('.'));
            assert_eq!(serde_json::to_string(fault).unwrap(), format!("{:?}", fault.name()));
        }
    }

    #[test]
    fn lists_read_back() {
        for text in ["all", "none", "delay,kill", "pause"] {
            assert_eq!(text.parse::<Faults>().unwrap().to_string(), text);
        }
        assert!("delay,nonsense".parse::<Faults>().is_err());
        assert_eq!(Faults::all().iter().count(), Fault::ALL.len());
    }
}
