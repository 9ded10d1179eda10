//! Shipping of a node that is the primary itself. Its machine writes the packs; what goes into them is found as beside a
//! QuestDB, in the same directory.

use super::files::BesideFiles;
use super::hints;
use super::learned::{Known, Learned};
use super::requests::{Requests, policies_folder};
use super::send::Ended;
use super::start::{finish, share, work};
use super::{Listen, Options, Report};
use crate::ledger::{Cluster, ClusterId, Point};
use crate::native::bucket::Bucket;
use crate::native::cluster::{JournalWriter, PackWriter};
use crate::native::disk::DiskFiles;
use crate::native::outcome::Failure;
use crate::native::policies::{self, OwnLog, PolicyTable, own_log};
use crate::wal::{Error, Registry};
use std::collections::BTreeMap;
use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::mpsc;

/// How often it is looked whether there is a table.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Where a node begins to ship.
#[derive(Debug)]
pub struct Own {
    /// The cluster.
    pub cluster: ClusterId,
    /// Its first pack goes there.
    pub point: Point,
    /// The last transaction of each table that the history before holds.
    pub held: BTreeMap<String, u64>,
    /// All requests before this one are answered.
    pub requests: u64,
    /// Where its packs go.
    pub writer: PackWriter,
    /// Where it tells what it does.
    pub journal: JournalWriter,
}

/// Ships what the directory has and the history has not, until `stop` is ready: then the rest, and it ends.
///
/// # Errors
/// When it can't begin, or a person has to look.
pub async fn ship_own(
    options: Options,
    bucket: Bucket,
    own: Own,
    listen: Arc<dyn Listen>,
    stop: impl Future<Output = ()>,
) -> Result<Report, Failure> {
    let Own { cluster, point, held, requests, writer, journal } = own;
    // Links of a former term may be of segments that are no longer part of any log.
    begin_anew(&options.own)?;
    let mut learned = learned(&options.db, &held)?;
    learned.requests = requests;
    let log = match held.contains_key(policies::DIR) {
        true => own_log(&bucket, &Cluster::new(cluster, point.start_of().next.dir)).await?,
        false => OwnLog::default(),
    };
    let table = PolicyTable::load(&policies_folder(&options.own), &bucket, log).await?;
    let files = BesideFiles::open(&options.db, &options.own)?;
    let requests = Requests::new(cluster, table, learned.requests, &files)?;
    let (hints, told) = mpsc::unbounded_channel();
    let shared = Arc::new(share(options, listen, journal, &learned, requests, hints)?);
    shared.confirm(point.clone(), learned.requests);
    shared.handed_in.store(point.next.n, Ordering::Relaxed);
    let hinting = tokio::spawn(hints::run(bucket.clone(), cluster, learned.indexed, told));
    tokio::pin!(stop);
    // A directory without a table has nothing to look at.
    let stopped = tokio::select! {
        () = is_begun(&files) => false,
        () = &mut stop => true,
    };
    if stopped && is_empty(&files) {
        return finish(&shared, Ended::Done, point.next.n);
    }
    let stop = async move {
        if !stopped {
            stop.await;
        }
    };
    let ended = work(&shared, bucket, cluster, writer, stop).await;
    let report = match ended {
        // The node hears of it from its machine.
        Ok((Ended::Fenced(_), _, next)) => finish(&shared, Ended::Done, next),
        Ok((ended, _, next)) => finish(&shared, ended, next),
        Err(failure) => Err(failure),
    };
    drop(shared);
    // Hints that are not written cost requests, no more.
    hinting.abort();
    report
}

/// Ready once there is a registry.
async fn is_begun(files: &BesideFiles) {
    while is_empty(files) {
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

fn is_empty(files: &BesideFiles) -> bool {
    matches!(Registry::read(files), Err(Error::Absent { .. }))
}

fn begin_anew(own: &Path) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::failed(format!("{}: {error}", own.display()));
    match std::fs::remove_dir_all(own) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    std::fs::create_dir_all(super::links::folder(own)).map_err(failed)
}

/// What the log says of the tables that are there. Their records are not compared: a replica's log of a table is its own, and
/// holds the same transactions.
fn learned(db: &Path, held: &BTreeMap<String, u64>) -> Result<Learned, Failure> {
    let files = DiskFiles::open(db).map_err(|error| Failure::failed(format!("{}: {error}", db.display())))?;
    let registry = match Registry::read(&files) {
        Ok(registry) => registry,
        Err(Error::Absent { .. }) => Registry::default(),
        Err(error) => return Err(error.into()),
    };
    let mut learned = Learned::default();
    for table in registry.tables.iter().filter(|table| !table.dropped) {
        if let Some(last) = held.get(&table.dir) {
            learned.tables.insert(table.dir.clone(), Known::held(table, *last));
        }
    }
    Ok(learned)
}
