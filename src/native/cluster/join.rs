//! Which cluster a bucket holds.

use super::{Patience, get, log_failure, pause_after, put, random_id};
use crate::ledger::{
    Action, Cluster, ClusterId, Dir, Error, Expected, Founded, Founder, GetAnswer, Pause, Term, WriterId,
};
use crate::native::bucket::Bucket;
use crate::native::outcome::Failure;

/// How often a request that fails is tried, beyond what the bucket does by itself, before a person is told.
const TRIES: u32 = 3;

/// The cluster of this bucket, founded if there is none; answers whether this process founded it, and so is its writer. For
/// nodes without data of a cluster.
///
/// # Errors
/// When the bucket can't be used, or holds something else.
pub async fn found(bucket: &Bucket) -> Result<(Cluster, bool), Failure> {
    let dir = Dir { term: Term(1), writer: WriterId(random_id()?) };
    let cluster = Cluster::new(ClusterId(random_id()?), dir);
    let founder = Founder::found(cluster).map_err(|error| log_failure(&error))?;
    drive(bucket, founder).await
}

/// The cluster of this bucket: `known` if the node has its data, else any.
///
/// # Errors
/// When there is none, or another one.
pub async fn join(bucket: &Bucket, known: Option<ClusterId>) -> Result<Cluster, Failure> {
    Ok(drive(bucket, Founder::join(known)).await?.0)
}

async fn drive(bucket: &Bucket, mut founder: Founder) -> Result<(Cluster, bool), Failure> {
    let mut patience = Patience::default();
    while let Some(action) = founder.next() {
        let (founded, pause, why) = match action {
            Action::Put { key, bytes, .. } => {
                let (answer, why) = put(bucket, key, bytes).await;
                (founder.put_answered(answer), pause_after(answer), why)
            }
            Action::Get { key } => {
                let (answer, why) = get(bucket, key).await;
                let pause = (answer == GetAnswer::Failed).then_some(Pause::Retry);
                (founder.got(&answer), pause, why)
            }
            Action::Delete { .. } | Action::Later { .. } => (None, Some(Pause::Retry), None),
        };
        match founded {
            Some(Founded::Mine(cluster)) => return Ok((cluster, true)),
            Some(Founded::Exists(cluster)) => return Ok((cluster, false)),
            Some(Founded::Refused(error)) => return Err(refused(bucket, &error)),
            None => {}
        }
        if let (Some(_), Some(why)) = (pause, &why)
            && patience.tries >= TRIES
        {
            return Err(Failure::failed(why.clone())
                .advise("`understudy doctor --to STORE` tries the store step by step"));
        }
        if let Some(pause) = pause {
            patience.wait(pause).await;
        }
    }
    Err(Failure::failed(format!("{}: no answer whether there is a cluster", bucket.place())))
}

fn refused(bucket: &Bucket, error: &Error) -> Failure {
    let failure = log_failure(error);
    let place = bucket.place();
    match error {
        Error::OtherCluster { expected: Expected::Any, found: Expected::None } => {
            Failure::failed(format!("{place}: there is no cluster in this bucket (no cluster.json)"))
                .advise("start `understudy ship --db DB --to STORE` first, or look whether `root` is right")
        }
        Error::OtherCluster { expected, found: Expected::None } => {
            Failure::failed(format!("{place}: expected {expected}, but there is none (no cluster.json)"))
                .advise("is this the right bucket and `root`? It is never founded anew by a node that has a cluster's data")
        }
        Error::OtherCluster { expected, found } => {
            Failure::failed(format!("{place} holds {found}; this node has data of {expected}"))
                .advise("give the bucket of its own cluster, or an empty directory")
        }
        _ => failure,
    }
}
