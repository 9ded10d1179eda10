//! The instances of a cluster.

use super::blobs::get_document;
use super::gallop::first_missing;
use super::{Patience, get, log_failure, pause_after, put};
use crate::ledger::{ClusterId, Document, GetAnswer, Key, Node, Pause, PutAnswer};
use crate::native::bucket::{self, Bucket};
use crate::native::outcome::{Exit, Failure};

/// Instances that a cluster can have.
const NODES_MAX: u32 = 100_000;

/// All instances that were ever registered, by number.
///
/// # Errors
/// What reading them answers.
pub async fn nodes(bucket: &Bucket) -> Result<Vec<Node>, Failure> {
    let mut nodes = Vec::new();
    while let Some(node) = get_document::<Node>(bucket, Key::Node(nodes.len() as u32)).await? {
        nodes.push(node);
        if nodes.len() >= NODES_MAX as usize {
            break;
        }
    }
    Ok(nodes)
}

/// The number of the instance of this name and kind; it gets the first free one if it has none.
///
/// # Errors
/// What the store answers, and when the name belongs to an instance of another kind.
pub async fn register(bucket: &Bucket, cluster: ClusterId, name: &str, kind: &str) -> Result<u32, Failure> {
    let own = Node::new(cluster, name, kind);
    let bytes = own.to_bytes().map_err(|error| log_failure(&error))?;
    let mut patience = Patience::default();
    let mut number = 0;
    while number < NODES_MAX {
        let key = Key::Node(number);
        match get(bucket, key).await {
            (GetAnswer::Found(there), _) => {
                let there = Node::read(key, &there).map_err(|error| log_failure(&error))?;
                if there.name == name && there.kind == kind && there.cluster == cluster {
                    return Ok(number);
                }
                number += 1;
            }
            (GetAnswer::NotFound, _) => {
                let (answer, why) = put(bucket, key, bytes.clone()).await;
                match pause_after(answer) {
                    None if answer == PutAnswer::Stored => return Ok(number),
                    // Perhaps our own: it is read next.
                    None => {}
                    Some(pause) => wait(&mut patience, pause, why).await?,
                }
            }
            (GetAnswer::Failed, why) => wait(&mut patience, Pause::Retry, why).await?,
        }
    }
    Err(Failure::new(Exit::Failed, format!("there are {NODES_MAX} instances already")))
}

async fn wait(patience: &mut Patience, pause: Pause, why: Option<String>) -> Result<(), Failure> {
    if patience.tries >= 5 {
        return Err(Failure::failed(why.unwrap_or_default()));
    }
    patience.wait(pause).await;
    Ok(())
}

/// The number of the first journal object of an instance that is not there: from `known`, which is, or 0.
///
/// # Errors
/// What the store answers.
pub async fn journal_end(bucket: &Bucket, node: u32, known: u64) -> Result<u64, Failure> {
    first_missing(known, |k| is_there(bucket, node, k)).await
}

async fn is_there(bucket: &Bucket, node: u32, k: u64) -> Result<bool, Failure> {
    match bucket.head(&Key::Journal { node, k }.to_string()).await {
        bucket::GetAnswer::Found(_) => Ok(true),
        bucket::GetAnswer::NotFound => Ok(false),
        bucket::GetAnswer::Failed(trouble) => Err(super::trouble_failure(&trouble)),
    }
}
