//! Which packs nobody needs any more, and deleting them by the rules C.

use super::blobs::{get_blob, get_document};
use super::end::{head_at, newest_snapshot, size_of};
use super::survey::{NodeState, Survey};
use super::{Patience, get, log_failure, now_us, pause_after, put, trouble_failure};
use crate::ledger::{
    Action, Base, Boundary, Cleaner, Cluster, Document, GetAnswer, INDEX_NUMBERS, IndexBlock, Key, Manifest,
    Pause, Place, WINDOW,
};
use crate::native::bucket::{self, Bucket};
use crate::native::outcome::{Exit, Failure};
use std::time::Duration;

/// A request that failed so often in turn ends the round.
const TRIES: u32 = 8;

/// What stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// All that is younger than this.
    pub age: Duration,
    /// So many snapshots with all that follows the oldest of them, at least one.
    pub snapshots: u64,
    /// This number and all above it.
    pub before: Option<u64>,
    /// An instance that was not heard of for this long holds nothing back.
    pub gone_after: Duration,
}

/// What can go: the packs `from .. to`.
#[derive(Debug, Clone)]
pub struct Cleaning {
    manifest: Manifest,
    /// The lowest number to delete.
    pub from: u64,
    /// The first one that stays.
    pub to: u64,
    /// Packs to delete.
    pub packs: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Cleaning {
    /// The snapshot that stands for what goes: a new reader begins with it, or with a newer one.
    pub fn snapshot(&self) -> u64 {
        self.manifest.n
    }
}

/// Whether anything can go.
#[derive(Debug, Clone)]
pub enum Plan {
    /// It can.
    Clean(Box<Cleaning>),
    /// Why nothing can.
    Nothing(String),
}

/// Looks what can go: all before a snapshot that is old enough, is whole, and that no instance is behind of.
///
/// # Errors
/// What the store answers, and when the snapshot is not whole.
pub async fn plan_cleaning(
    bucket: &Bucket,
    cluster: &Cluster,
    retention: Retention,
) -> Result<Plan, Failure> {
    let survey = Survey::new(bucket.clone(), cluster.clone()).await?;
    let slowest = slowest(&survey, retention.gone_after);
    let limit =
        slowest.as_ref().map_or(u64::MAX, |(_, next)| *next).min(retention.before.unwrap_or(u64::MAX));
    let records = boundaries(bucket).await?;
    let known = records.last().map_or(0, |record| record.boundary);
    let mut next = match newest_snapshot(bucket, cluster).await {
        Some(manifest) => Some(manifest.n),
        None => records.last().map(|record| record.snapshot),
    };
    let mut why =
        "there is no snapshot: `understudy ship` makes one every understudy.snapshot.interval".to_owned();
    let mut seen = 0;
    while let Some(n) = next {
        let Some(manifest) = get_document::<Manifest>(bucket, Key::Snapshot(n)).await? else { break };
        let to = manifest.place().n;
        seen += 1;
        // What lies below a boundary of before may not have been deleted to its end.
        let from = deleted_up_to(bucket, &manifest, &records).await?;
        if to <= from {
            return Ok(Plan::Nothing(match seen {
                1 => "all before the newest snapshot is gone already".to_owned(),
                _ => why,
            }));
        }
        why = match &slowest {
            _ if seen < retention.snapshots => {
                format!("there are {seen} snapshots, and {} shall stay", retention.snapshots)
            }
            Some((node, at)) if *at < to && *at <= limit => {
                format!("{node} has not received number {at} yet, and the snapshots are of what follows it")
            }
            _ if to > limit => format!("there is no snapshot of what lies before number {limit}"),
            _ if to > known && age(bucket, &manifest).await? < retention.age => {
                "there is no snapshot that is old enough".to_owned()
            }
            _ => {
                check(bucket, &manifest).await?;
                let (packs, bytes) = count(bucket, &manifest, from, to).await?;
                return Ok(Plan::Clean(Box::new(Cleaning { manifest, from, to, packs, bytes })));
            }
        };
        next = snapshot_before(bucket, n).await?;
    }
    Ok(Plan::Nothing(why))
}

/// Raises the boundary and deletes what lies below it; `each` hears of every pack that is gone. Others may do the same.
///
/// # Errors
/// What the store answers, again and again. The next round takes up what is left.
pub async fn clean(bucket: &Bucket, cleaning: &Cleaning, mut each: impl FnMut()) -> Result<(), Failure> {
    let Cleaning { manifest, from, to, .. } = cleaning;
    let mut cleaner =
        Cleaner::new(manifest, *to, *from, WINDOW as u64).map_err(|error| log_failure(&error))?;
    let mut patience = Patience::default();
    while let Some(action) = cleaner.next() {
        let failed = match action {
            Action::Get { key } => {
                let (answer, why) = get(bucket, key).await;
                cleaner.got(&answer).map_err(|error| log_failure(&error))?;
                (answer == GetAnswer::Failed).then(|| (Pause::Retry, why.unwrap_or_default()))
            }
            Action::Put { key, bytes, .. } => {
                let (answer, why) = put(bucket, key, bytes).await;
                cleaner.put_answered(answer);
                pause_after(answer).map(|pause| (pause, why.unwrap_or_default()))
            }
            Action::Delete { key } => match bucket.delete(&key.to_string()).await {
                Ok(()) => {
                    cleaner.deleted();
                    each();
                    None
                }
                Err(trouble) => Some((Pause::Retry, trouble.to_string())),
            },
            Action::Later { pause, .. } => Some((pause, String::new())),
        };
        match failed {
            None => patience.reset(),
            Some((_, why)) if patience.tries >= TRIES => {
                return Err(Failure::failed(why).advise("run it again: it goes on where it stopped"));
            }
            Some((pause, _)) => patience.wait(pause).await,
        }
    }
    Ok(())
}

/// The instance that is the furthest behind of those that may come back, with the number that it needs next.
fn slowest(survey: &Survey, gone_after: Duration) -> Option<(String, u64)> {
    let now = now_us();
    let gone_after = i64::try_from(gone_after.as_micros()).unwrap_or(i64::MAX);
    let waits = |node: &&NodeState| {
        node.kind != "shipper" && !node.is_removed() && now.saturating_sub(node.heard_us) <= gone_after
    };
    let next = |node: &NodeState| if node.has_reached { node.reached.saturating_add(1) } else { 0 };
    let all = survey.nodes.iter().filter(waits).map(|node| (node.name.clone(), next(node)));
    all.min_by_key(|(_, next)| *next)
}

/// All boundary records, oldest first.
/// All boundary records.
pub(super) async fn boundaries(bucket: &Bucket) -> Result<Vec<Boundary>, Failure> {
    let mut records = Vec::new();
    while let Some(record) = get_document::<Boundary>(bucket, Key::Clean(records.len() as u64)).await? {
        records.push(record);
    }
    Ok(records)
}

/// The number up to which all packs are gone. A round deletes upwards: where its last number is still there, it was interrupted.
async fn deleted_up_to(bucket: &Bucket, manifest: &Manifest, records: &[Boundary]) -> Result<u64, Failure> {
    for record in records.iter().rev() {
        let last = (0..record.boundary).rev().find(|n| !is_seal(manifest, *n));
        let there = match last.and_then(|n| place_of(manifest, n)) {
            Some(place) => size_of(bucket, place).await?.is_some(),
            None => false,
        };
        if !there {
            return Ok(record.boundary);
        }
    }
    Ok(0)
}

fn is_seal(manifest: &Manifest, n: u64) -> bool {
    manifest.terms.iter().any(|span| span.seal == Some(n))
}

fn place_of(manifest: &Manifest, n: u64) -> Option<Place> {
    let span = manifest.terms.iter().rfind(|span| span.first <= n)?;
    Some(Place { dir: span.directory, n })
}

/// How long ago the last object was written that a snapshot contains.
async fn age(bucket: &Bucket, manifest: &Manifest) -> Result<Duration, Failure> {
    let last = Place { dir: manifest.directory, n: manifest.n };
    // One that is gone is older than what is kept.
    let Some((_, committed_us)) = head_at(bucket, last).await? else { return Ok(Duration::MAX) };
    let age = u64::try_from(now_us().saturating_sub(committed_us)).unwrap_or(0);
    Ok(Duration::from_micros(age))
}

/// The newest snapshot before this one that the index knows.
async fn snapshot_before(bucket: &Bucket, n: u64) -> Result<Option<u64>, Failure> {
    let Some(k) = (n / INDEX_NUMBERS).checked_sub(1) else { return Ok(None) };
    let block = get_document::<IndexBlock>(bucket, Key::Index(k)).await?;
    Ok(block.and_then(|block| block.snapshot).filter(|older| *older < n))
}

/// C1: all that a snapshot refers to is there.
async fn check(bucket: &Bucket, manifest: &Manifest) -> Result<(), Failure> {
    for part in &manifest.parts {
        let key = Key::Blob(part.sum);
        let base =
            Base::read(key, &get_blob(bucket, part.sum).await?).map_err(|error| log_failure(&error))?;
        for bundle in &base.bundles {
            let key = Key::Blob(bundle.sum).to_string();
            match bucket.head(&key).await {
                bucket::GetAnswer::Found(_) => {}
                bucket::GetAnswer::NotFound => {
                    let what = format!("snapshot {} is not whole: {key} is not in the bucket", manifest.n);
                    return Err(Failure::new(Exit::Damaged, what).advise(
                        "`understudy ship --snapshot-now` makes a new one; until then nothing is deleted",
                    ));
                }
                bucket::GetAnswer::Failed(trouble) => return Err(trouble_failure(&trouble)),
            }
        }
    }
    Ok(())
}

/// Packs with these numbers that are still there, and their bytes.
async fn count(bucket: &Bucket, manifest: &Manifest, from: u64, to: u64) -> Result<(u64, u64), Failure> {
    let (mut packs, mut bytes) = (0, 0);
    let (mut asked, mut block) = (None, None::<IndexBlock>);
    for n in (from..to).filter(|n| !is_seal(manifest, *n)) {
        let k = n / INDEX_NUMBERS;
        if asked.replace(k) != Some(k) {
            block = get_document(bucket, Key::Index(k)).await.unwrap_or(None);
        }
        let told = block.as_ref().and_then(|block| block.objects.get((n % INDEX_NUMBERS) as usize));
        let size = match (told, place_of(manifest, n)) {
            (Some(entry), _) if entry.bytes > 0 => Some(entry.bytes),
            (_, Some(place)) => size_of(bucket, place).await?,
            _ => None,
        };
        packs += u64::from(size.is_some());
        bytes += size.unwrap_or(0);
    }
    Ok((packs, bytes))
}
