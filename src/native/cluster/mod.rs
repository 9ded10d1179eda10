//! A cluster's bucket, driven: requests, pauses and clocks for the machines of [`crate::ledger`].
//!
//! | file | what happens there |
//! |---|---|
//! | `join` | finding the cluster of a bucket, or founding one |
//! | `claim` | becoming the writer: reading the log to its end, then sealing it |
//! | `clean` | which packs nobody needs any more, and deleting them |
//! | `writer` | packs on their way into the bucket, in order, several at a time |
//! | `follow` | the log as a stream of packs, fetched ahead |
//! | `pace` | how often the next object is asked for |
//! | `blobs` | bytes that are named by their hash |
//! | `nodes` | instances: which there are, and their numbers |
//! | `end` | where the log ends, for people |
//! | `survey` | how the instances are, from their journals |
//! | `journal` | what this instance did, written down for the others |

mod ahead;
mod blobs;
mod claim;
mod clean;
mod end;
mod follow;
mod gallop;
mod join;
mod journal;
mod nodes;
mod pace;
mod survey;
mod writer;

pub(in crate::native) use ahead::Ahead;
pub use blobs::{get_blob, get_document, put_blob};
pub use claim::{Claimed, Heard, claim};
pub use clean::{Cleaning, Plan, Retention, clean, plan_cleaning};
pub use end::{LogEnd, head_at, log_end, newest_snapshot, size_of};
pub use follow::{Arrived, FollowOptions, Followed, Follower, blobs_of, check_signature};
pub use gallop::first_missing;
pub use join::{found, join};
pub use journal::JournalWriter;
pub use nodes::{journal_end, nodes, register};
pub use pace::Pace;
pub use survey::{NodeState, Survey};
pub use writer::{Driven, HandedIn, Offer, PackWriter, WriterState};

use super::bucket::{self, Bucket, TroubleKind};
use super::outcome::Failure;
use crate::ledger::{self, Key, Pause, PutAnswer, Refused, Unsettled};
use bytes::Bytes;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The shortest and the longest pause before a request that settled nothing is sent again.
const PAUSE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(10));

/// This machine's clock, microseconds since 1970.
pub fn now_us() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

/// 128 random bits, never used before.
///
/// # Errors
/// When the operating system has none.
pub fn random_id() -> Result<u128, Failure> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| Failure::failed(format!("no random numbers: {error}")))?;
    Ok(u128::from_be_bytes(bytes))
}

/// Pauses that grow while nothing gets better.
#[derive(Debug, Default)]
struct Patience {
    tries: u32,
}

impl Patience {
    /// The next pause; longer where the store asks for less or says no.
    fn pause(&mut self, why: Pause) -> Duration {
        let least = match why {
            Pause::Retry | Pause::Poll => PAUSE.0,
            Pause::SlowDown | Pause::Refused => PAUSE.0 * 10,
        };
        let pause = (least * 2u32.saturating_pow(self.tries.min(10))).min(PAUSE.1);
        self.tries += 1;
        pause.mul_f64(0.5 + fastrand::f64() / 2.0)
    }

    async fn wait(&mut self, why: Pause) {
        tokio::time::sleep(self.pause(why)).await;
    }

    fn reset(&mut self) {
        self.tries = 0;
    }
}

/// A get as the machines take it, with what was wrong for people.
pub(in crate::native) async fn get(bucket: &Bucket, key: Key) -> (ledger::GetAnswer, Option<String>) {
    match bucket.get(&key.to_string()).await {
        bucket::GetAnswer::Found(bytes) => (ledger::GetAnswer::Found(bytes), None),
        bucket::GetAnswer::NotFound => (ledger::GetAnswer::NotFound, None),
        bucket::GetAnswer::Failed(trouble) => (ledger::GetAnswer::Failed, Some(trouble.to_string())),
    }
}

/// A put-if-absent as the machines take it, with what was wrong for people.
pub(in crate::native) async fn put(bucket: &Bucket, key: Key, bytes: Bytes) -> (PutAnswer, Option<String>) {
    let answer = bucket.put_if_absent(&key.to_string(), bytes).await;
    let why = answer.trouble().map(ToString::to_string);
    let answer = match answer {
        bucket::PutAnswer::Stored => PutAnswer::Stored,
        bucket::PutAnswer::Taken => PutAnswer::Taken,
        bucket::PutAnswer::SlowDown(_) => PutAnswer::Unsettled(Unsettled::SlowDown),
        bucket::PutAnswer::Unsettled(_) => PutAnswer::Unsettled(Unsettled::Unknown),
        // Refused at last, but an earlier try may still land.
        bucket::PutAnswer::Refused(trouble) if trouble.may_land => PutAnswer::Unsettled(Unsettled::Unknown),
        bucket::PutAnswer::Refused(_) => PutAnswer::Refused(Refused::Other),
    };
    (answer, why)
}

/// The pause after a put that was not stored.
fn pause_after(answer: PutAnswer) -> Option<Pause> {
    match answer {
        PutAnswer::Stored | PutAnswer::Taken => None,
        PutAnswer::Unsettled(Unsettled::SlowDown) => Some(Pause::SlowDown),
        PutAnswer::Unsettled(Unsettled::Unknown) => Some(Pause::Retry),
        PutAnswer::Refused(_) => Some(Pause::Refused),
    }
}

/// A failure of the log itself: what it says, and that a person has to look.
pub(in crate::native) fn log_failure(error: &ledger::Error) -> Failure {
    use super::outcome::Exit;
    let exit = match error {
        ledger::Error::Unsupported { .. } => Exit::Unsupported,
        ledger::Error::Damaged { .. } | ledger::Error::TooLarge { .. } => Exit::Damaged,
        _ => Exit::Failed,
    };
    Failure::new(exit, error.to_string())
}

/// A trouble that did not pass.
fn trouble_failure(trouble: &bucket::Trouble) -> Failure {
    let failure = Failure::failed(trouble.to_string());
    match trouble.kind {
        TroubleKind::Refused => failure.advise("`understudy doctor --to STORE` says what is wrong"),
        TroubleKind::SlowDown | TroubleKind::Unsettled => {
            failure.advise("is the store reachable? `understudy doctor --to STORE` tries it step by step")
        }
    }
}
