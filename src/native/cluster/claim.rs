//! Becoming the writer of the log.

use super::ahead::Ahead;
use super::{Patience, log_failure, now_us, pause_after, put, random_id};
use crate::ledger::{
    Action, Claimant, Event, GetAnswer, Loaded, Manifest, Object, Pause, Point, Progress, Reader, WriterId,
};
use crate::native::bucket::Bucket;
use crate::native::outcome::Failure;

/// Bytes of objects that are fetched ahead.
const AHEAD_BYTES: u64 = 128 << 20;

/// How an attempt ended.
#[derive(Debug)]
pub enum Claimed {
    /// This process writes from here on; it has heard of all that is in the log before.
    Won(Box<Point>),
    /// Another process became the writer meanwhile: go on as a reader.
    StoodDown(Box<Reader>),
}

/// What is heard while the log is read.
#[derive(Debug)]
pub enum Heard<'a> {
    /// The next pack.
    Pack(&'a Object),
    /// What came before is gone: this snapshot stands for it.
    Snapshot(&'a Manifest),
}

/// Reads the log from where `reader` stands to its end, hands all of it to `each`, and seals it (rules P1 to P6).
///
/// # Errors
/// What `each` answers, and what a person has to look at.
pub async fn claim(
    bucket: &Bucket,
    reader: Reader,
    mut each: impl AsyncFnMut(Heard<'_>) -> Result<(), Failure>,
) -> Result<Claimed, Failure> {
    let mut reader = reader;
    let mut patience = Patience::default();
    loop {
        // P1: new for each attempt.
        let mut claimant = Claimant::new(reader, WriterId(random_id()?), now_us());
        let ended = attempt(bucket, &mut claimant, &mut each).await?;
        match ended {
            Progress::Won(point) => return Ok(Claimed::Won(point)),
            Progress::StoodDown => return Ok(Claimed::StoodDown(Box::new(claimant.into_reader()))),
            Progress::Stopped(error) => return Err(log_failure(&error)),
            Progress::GaveUp | Progress::Read(_) => {
                reader = claimant.into_reader();
                patience.wait(Pause::Retry).await;
            }
        }
    }
}

async fn attempt(
    bucket: &Bucket,
    claimant: &mut Claimant,
    each: &mut impl AsyncFnMut(Heard<'_>) -> Result<(), Failure>,
) -> Result<Progress, Failure> {
    let mut ahead = Ahead::new(bucket.clone(), AHEAD_BYTES);
    let mut patience = Patience::default();
    while let Some(action) = claimant.next() {
        let (progress, pause) = match action {
            Action::Put { key, bytes, .. } => {
                let (answer, why) = put(bucket, key, bytes).await;
                complain(why);
                (claimant.put_answered(answer), pause_after(answer))
            }
            Action::Get { key } => {
                let (answer, why) = ahead.get(key).await;
                complain(why);
                let pause = (answer == GetAnswer::Failed).then_some(Pause::Retry);
                (claimant.got(&answer), pause)
            }
            Action::Later { pause, .. } => {
                claimant.reader().waited();
                (None, Some(pause))
            }
            Action::Delete { .. } => (None, None),
        };
        match progress {
            Some(Progress::Read(Event::Pack(object))) => each(Heard::Pack(&object)).await?,
            Some(Progress::Read(Event::Load(manifest))) => {
                each(Heard::Snapshot(&manifest)).await?;
                claimant.reader().loaded(Loaded::Done);
            }
            Some(Progress::Read(Event::Stopped(error))) => return Ok(Progress::Stopped(error)),
            Some(Progress::Read(_)) | None => {}
            Some(ended) => return Ok(ended),
        }
        match pause {
            Some(pause) => patience.wait(pause).await,
            None => patience.reset(),
        }
    }
    Ok(Progress::GaveUp)
}

fn complain(why: Option<String>) {
    if let Some(why) = why {
        tracing::warn!("{why}");
    }
}
