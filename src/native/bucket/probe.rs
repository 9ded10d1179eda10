//! Proves, before anything is written, that a store keeps what it has when it is told to.
//!
//! Some stores that speak S3 take a conditional put and ignore the condition. On such a store two
//! primaries would overwrite each other's history, so it is refused for writing.

use super::answer::{GetAnswer, PutAnswer, Trouble};
use super::store::Bucket;
use bytes::Bytes;
use thiserror::Error;
use tokio::task::JoinSet;

/// Writers that race for one key.
const RACERS: usize = 8;

/// Why a store is refused for writing.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ProbeError {
    /// The store wrote over an object that it was told to keep.
    #[error(
        "{place} ignores put-if-absent: {how}. Two writers would destroy each other's log, \
         so Understudy does not write to this store"
    )]
    Ignores {
        /// The bucket, without credentials.
        place: String,
        /// What was seen.
        how: String,
    },
    /// What was stored could not be read back.
    #[error("{place} does not give back what it stored: {how}")]
    Forgets {
        /// The bucket, without credentials.
        place: String,
        /// What was seen.
        how: String,
    },
    /// The proof could not be made.
    #[error("can't prove that the store honours put-if-absent: {0}")]
    Trouble(#[from] Trouble),
}

/// Puts an object under `probe/`, puts others over it, one after another and all at once, and looks at
/// what is there. Takes about 13 requests, and removes what it put if it may.
///
/// # Errors
///
/// [`ProbeError::Ignores`] and [`ProbeError::Forgets`] are final: the store is not fit to be written
/// to. [`ProbeError::Trouble`] is the store's answer; ask again once it is cured.
pub async fn probe(bucket: &Bucket) -> Result<(), ProbeError> {
    let key = format!("probe/{:032x}", fastrand::u128(..));
    let result = match in_turn(bucket, &key).await {
        Ok(()) => at_once(bucket, &format!("{key}.race")).await,
        failed => failed,
    };
    // A node that may not delete can replicate all the same.
    let _ = bucket.delete(&key).await;
    let _ = bucket.delete(&format!("{key}.race")).await;
    result
}

async fn in_turn(bucket: &Bucket, key: &str) -> Result<(), ProbeError> {
    let (first, second) = (Bytes::from_static(b"the first"), Bytes::from_static(b"the second, longer"));
    // The key is random: `Taken` can only be an earlier try of this very call.
    if let Some(trouble) = bucket.put_if_absent(key, first.clone()).await.trouble() {
        return Err(trouble.clone().into());
    }
    let there = read(bucket, key).await?;
    if there != first {
        return Err(forgets(bucket, "other bytes were read than were put"));
    }
    match bucket.put_if_absent(key, second).await {
        PutAnswer::Taken => {}
        PutAnswer::Stored => return Err(ignores(bucket, "a second put to the same key was taken")),
        other => {
            return Err(other.trouble().cloned().unwrap_or_else(|| Trouble::unsettled("no answer")).into());
        }
    }
    if read(bucket, key).await? != first {
        return Err(ignores(bucket, "a second put was answered as refused, but its bytes are there"));
    }
    Ok(())
}

async fn at_once(bucket: &Bucket, key: &str) -> Result<(), ProbeError> {
    let mut racers = JoinSet::new();
    for racer in 0..RACERS {
        let (bucket, key) = (bucket.clone(), key.to_owned());
        racers.spawn(async move { (racer, bucket.put_if_absent(&key, body(racer)).await) });
    }
    let mut winners = Vec::new();
    while let Some(ended) = racers.join_next().await {
        match ended {
            Ok((racer, PutAnswer::Stored)) => winners.push(racer),
            Ok((_, PutAnswer::Taken)) => {}
            Ok((_, other)) => {
                return Err(other
                    .trouble()
                    .cloned()
                    .unwrap_or_else(|| Trouble::unsettled("no answer"))
                    .into());
            }
            Err(error) => return Err(Trouble::unsettled(error.to_string()).into()),
        }
    }
    let there = read(bucket, key).await?;
    // None, if the winner's first try landed unanswered.
    match winners.as_slice() {
        [] => Ok(()),
        [winner] if there == body(*winner) => Ok(()),
        [_] => Err(ignores(bucket, "the bytes of the one put that was taken are not there")),
        many => Err(ignores(bucket, &format!("{} of {RACERS} puts at the same time were taken", many.len()))),
    }
}

fn body(racer: usize) -> Bytes {
    format!("racer {racer}").into()
}

async fn read(bucket: &Bucket, key: &str) -> Result<Bytes, ProbeError> {
    match bucket.get(key).await {
        GetAnswer::Found(bytes) => Ok(bytes),
        GetAnswer::NotFound => Err(forgets(bucket, "it is not there")),
        GetAnswer::Failed(trouble) => Err(trouble.into()),
    }
}

fn ignores(bucket: &Bucket, how: &str) -> ProbeError {
    ProbeError::Ignores { place: bucket.place().into(), how: how.into() }
}

fn forgets(bucket: &Bucket, how: &str) -> ProbeError {
    ProbeError::Forgets { place: bucket.place().into(), how: how.into() }
}
