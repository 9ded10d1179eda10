//! A replica: a directory that QuestDB can open, kept level with the log in a bucket.
//!
//! | file | what happens there |
//! |---|---|
//! | `home` | the directory, its lock, and what is written down beside the tables |
//! | `kept` | what that is |
//! | `start` | joining the cluster; where in the log to begin |
//! | `stream` | the log, followed and unpacked in the background |
//! | `tables` | packs laid out, applied and settled |
//! | `fit` | what of a pack is still of use |
//! | `bases` | copies of whole tables, on threads of their own |
//! | `digests` | comparing with the primary's digests |
//! | `partitions` | how partitions are stored, told as they change |
//! | `policy`, `enforce` | storage policies, enforced on this instance's partitions |
//! | `drive` | all of it together |
//! | `policies` | the storage policies that its tables have |
//! | `observe` | metrics and health checks |
//! | `report` | how it stands, for people and programs |
//!
//! A place in the log is written down once all that packs before it brought is in the tables' files. A process that is killed
//! reads the packs behind that place again, and what a table has already is not applied twice.

mod bases;
mod digests;
mod drive;
mod enforce;
mod fit;
mod home;
mod kept;
mod observe;
mod partitions;
mod policies;
mod policy;
mod report;
mod start;
mod stream;
mod tables;

pub use drive::{Replica, ReplicaOptions, Waker};
pub use home::{remembered, take_over};
pub use kept::Stopped;
pub use policy::{PolicyCounts, PolicyReport};
pub use report::{Report, TableReport};
pub use stream::Feed;

use super::outcome::{Exit, Failure};
use crate::ledger;

/// A failure of the log itself.
fn log_failure(error: &ledger::Error) -> Failure {
    let exit = match error {
        ledger::Error::Unsupported { .. } => Exit::Unsupported,
        ledger::Error::Damaged { .. } | ledger::Error::TooLarge { .. } => Exit::Damaged,
        _ => Exit::Failed,
    };
    Failure::new(exit, error.to_string())
}
