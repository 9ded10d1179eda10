//! Where a replica begins: its cluster, its number in it, and its place in the log.

use super::home::Home;
use super::kept::{KeptNode, KeptPlace};
use crate::ledger::{Cluster, GetAnswer, Key, Object, Point, Reader};
use crate::native::bucket::{self, Bucket};
use crate::native::cluster::{get_document, join, register};
use crate::native::outcome::{Failure, Result};
use crate::native::store::{Database, RealDisk};
use std::sync::Arc;

/// What a replica kind's registration says.
const KIND: &str = "replica";

/// Who and where a replica is.
pub(super) struct Start {
    pub(super) cluster: Cluster,
    /// The instance's number.
    pub(super) node: u32,
    /// What is remembered.
    pub(super) place: KeptPlace,
    /// Told people at the start.
    pub(super) notices: Vec<String>,
}

/// Joins the cluster.
pub(super) async fn start(bucket: &Bucket, home: &Home, name: &str) -> Result<Start> {
    let (known, place) = (home.node()?, home.place()?);
    if known.is_none() {
        is_new(home)?;
    }
    let cluster = join(bucket, known.as_ref().map(|known| known.cluster)).await?;
    let place = place.unwrap_or_else(|| KeptPlace::new(&Point::start(&cluster), Default::default()));
    if place.point().cluster != cluster.cluster {
        let what = format!("place.json is of cluster {}, not of {}", place.point().cluster, cluster.cluster);
        return Err(Failure::failed(what).advise("begin with an empty directory"));
    }
    is_same_history(bucket, &place.point()).await?;
    let node = register(bucket, cluster.cluster, name, KIND).await?;
    let mut notices = Vec::new();
    if let Some(known) = known.as_ref().filter(|known| known.node != node) {
        notices.push(format!(
            "instance {} ({}) is no longer this one: registered anew, as number {node} ({name})",
            known.node, known.name
        ));
    }
    home.write_node(&KeptNode::new(cluster.cluster, node, name))?;
    Ok(Start { cluster, node, place, notices })
}

/// Tables that are there already are of nobody knows which history.
fn is_new(home: &Home) -> Result<()> {
    let disk = RealDisk::open(home.db())
        .map_err(|error| Failure::failed(format!("{}: {error}", home.db().display())))?;
    let database = Database::open(Arc::new(disk))?;
    match database.tables().iter().find(|token| token.is_shared()) {
        None => Ok(()),
        Some(token) => Err(Failure::failed(format!(
            "{}: has table {:?} already, and is no replica's directory",
            home.db().display(),
            token.name
        ))
        .advise("begin with an empty directory")),
    }
}

/// The bucket's history has to contain what this directory holds: a copied bucket that lived on does not.
async fn is_same_history(bucket: &Bucket, point: &Point) -> Result<()> {
    let Some(last) = point.last() else { return Ok(()) };
    let refuse = |what: String| {
        Err(Failure::failed(format!("{}: {what}", bucket.place())).advise(
            "is this the bucket that the directory was replicated from, and not a copy or a restored backup of it? Begin \
             with an empty directory to follow this one",
        ))
    };
    match bucket.get(&last.key().to_string()).await {
        bucket::GetAnswer::Found(bytes) => match Object::read(last, bytes) {
            Ok(object) if object.sum() == point.before => Ok(()),
            Ok(object) => refuse(format!(
                "object {} has the hash {}, and had {} when it was applied here",
                last.n,
                object.sum(),
                point.before
            )),
            Err(error) => refuse(error.to_string()),
        },
        bucket::GetAnswer::NotFound if is_cleaned(bucket, point).await? => Ok(()),
        bucket::GetAnswer::NotFound => {
            refuse(format!("object {}, which has been applied here, is not there", last.n))
        }
        bucket::GetAnswer::Failed(trouble) => Err(Failure::failed(trouble.to_string())
            .advise("`understudy doctor --to STORE` tries the store step by step")),
    }
}

/// Whether the boundary is at this point or above it: what lies before may be gone.
async fn is_cleaned(bucket: &Bucket, point: &Point) -> Result<bool> {
    let mut reader = Reader::new(point.clone());
    loop {
        let key = match reader.next() {
            Some(crate::ledger::Action::Get { key: key @ Key::Clean(_) }) => key,
            _ => break,
        };
        let answer = match bucket.get(&key.to_string()).await {
            bucket::GetAnswer::Found(bytes) => GetAnswer::Found(bytes),
            bucket::GetAnswer::NotFound => GetAnswer::NotFound,
            bucket::GetAnswer::Failed(trouble) => return Err(Failure::failed(trouble.to_string())),
        };
        if let Some(crate::ledger::Event::Stopped(error)) = reader.got(&answer) {
            return Err(super::log_failure(&error));
        }
    }
    let Some(newest) = reader.boundary() else { return Ok(false) };
    let record = get_document::<crate::ledger::Boundary>(bucket, Key::Clean(newest)).await?;
    Ok(record.is_some_and(|record| record.boundary >= point.next.n))
}
