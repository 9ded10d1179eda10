//! An operator's wish on its way: put at the first free number, answered in the log.

use crate::ledger::{Document, Key, Kind, Object, Place, Request, RequestAnswer};
use crate::native::bucket::{Bucket, GetAnswer, PutAnswer};
use crate::native::cluster::{LogEnd, first_missing};
use crate::native::outcome::{Exit, Failure, Result};
use bytes::Bytes;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How often the log is looked at for an answer.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// The pause before a put that settled nothing is sent again, and how often it is.
const PAUSE: Duration = Duration::from_secs(1);
const TRIES: u32 = 10;

/// Puts a request at the first free number, and answers the number.
///
/// # Errors
/// What the store answers.
pub async fn put_request(bucket: &Bucket, request: &Request) -> Result<u64> {
    let bytes = request.to_bytes().map_err(|error| Failure::usage(error.to_string()))?;
    let mut k = first_free(bucket).await?;
    let mut tries = 0;
    loop {
        let key = Key::Request(k).to_string();
        let why = match bucket.put_if_absent(&key, bytes.clone()).await {
            PutAnswer::Stored => return Ok(k),
            PutAnswer::Refused(trouble) if !trouble.may_land => {
                return Err(Failure::failed(trouble.to_string())
                    .advise("`understudy doctor --to STORE` says what is wrong"));
            }
            PutAnswer::Taken => None,
            PutAnswer::SlowDown(trouble) | PutAnswer::Unsettled(trouble) | PutAnswer::Refused(trouble) => {
                Some(trouble.to_string())
            }
        };
        // It may be this request's own: an earlier try may have landed.
        match found(bucket, &key).await? {
            Some(there) if there == bytes => return Ok(k),
            Some(_) => k += 1,
            None if tries >= TRIES => {
                return Err(Failure::failed(why.unwrap_or_else(|| format!("{key} can't be written"))));
            }
            None => {
                tries += 1;
                sleep(PAUSE).await;
            }
        }
    }
}

/// The first number at which there is no request.
async fn first_free(bucket: &Bucket) -> Result<u64> {
    let there = |k: u64| async move {
        match bucket.head(&Key::Request(k).to_string()).await {
            GetAnswer::Found(_) => Ok(true),
            GetAnswer::NotFound => Ok(false),
            GetAnswer::Failed(trouble) => Err(Failure::failed(trouble.to_string())),
        }
    };
    first_missing(0, there).await
}

/// The answer to request `k` in the log behind `end`, where the log ended before the request was put; `None` if there is none
/// in time.
///
/// # Errors
/// What the store answers, and an object that is none.
pub async fn answer(
    bucket: &Bucket,
    end: &LogEnd,
    k: u64,
    patience: Duration,
) -> Result<Option<RequestAnswer>> {
    let begun = Instant::now();
    let mut at = match end.last {
        Some(last) => last,
        None => match end.place(0) {
            Some(first) => first,
            None => return Ok(None),
        },
    };
    loop {
        match found(bucket, &at.to_string()).await? {
            Some(bytes) => {
                let object = read(at, bytes)?;
                if let Kind::Seal { next } = object.head().kind {
                    at = Place { dir: next, n: at.n.saturating_add(1) };
                    continue;
                }
                let answers = object.pack().map_err(damaged)?.answers;
                if let Some(answer) = answers.into_iter().find(|answer| answer.request == k) {
                    return Ok(Some(answer));
                }
                at = at.next();
            }
            None if begun.elapsed() >= patience => return Ok(None),
            None => sleep(LOOK_EVERY.min(patience.saturating_sub(begun.elapsed()))).await,
        }
    }
}

/// An object of the log, checked.
pub(super) fn read(at: Place, bytes: Bytes) -> Result<Object> {
    Object::read(at, bytes).map_err(damaged)
}

pub(super) fn damaged(error: crate::ledger::Error) -> Failure {
    Failure::new(Exit::Damaged, error.to_string())
}

/// The bytes of an object, if it is there.
pub(super) async fn found(bucket: &Bucket, key: &str) -> Result<Option<Bytes>> {
    match bucket.get(key).await {
        GetAnswer::Found(bytes) => Ok(Some(bytes)),
        GetAnswer::NotFound => Ok(None),
        GetAnswer::Failed(trouble) => Err(Failure::failed(trouble.to_string())),
    }
}
