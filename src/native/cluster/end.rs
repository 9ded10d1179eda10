//! Where the log ends, found with few requests and without reading it.

use super::blobs::get_document;
use super::clean::boundaries;
use super::gallop::first_missing;
use super::{log_failure, trouble_failure};
use crate::ledger::{Cluster, Head, HeadHint, Key, Kind, Manifest, Place, Span};
use crate::native::bucket::{Bucket, GetAnswer};
use crate::native::outcome::Failure;

/// Bytes at the beginning of an object that say what it is.
const HEAD_BYTES: u64 = 128;
/// How far above a seal its writer's late packs may lie: more than any window.
const STRAGGLERS: u64 = 16;

/// The log's terms, and its newest object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEnd {
    /// All terms, the last one open: which number lies where.
    pub terms: Vec<Span>,
    /// The newest object; `None` while there is none.
    pub last: Option<Place>,
    /// When it was written, by its writer's clock, microseconds since 1970.
    pub committed_us: i64,
    /// The newest snapshot that the search came by.
    pub snapshot: Option<u64>,
}

impl LogEnd {
    /// The place of a number.
    pub fn place(&self, n: u64) -> Option<Place> {
        let span = self.terms.iter().rfind(|span| span.first <= n)?;
        Some(Place { dir: span.directory, n })
    }
}

/// Looks where the log ends. What it answers is as good as what the store showed: for people, never a reason to act.
///
/// # Errors
/// What the store answers.
pub async fn log_end(bucket: &Bucket, cluster: &Cluster) -> Result<LogEnd, Failure> {
    let (mut terms, mut at, snapshot) = begin(bucket, cluster).await?;
    let mut last = at.n.checked_sub(1).and_then(|n| {
        let span = terms.iter().rfind(|span| span.first <= n)?;
        Some(Place { dir: span.directory, n })
    });
    let mut committed_us = 0;
    loop {
        let there = |n: u64| async move {
            size_of(bucket, Place { dir: at.dir, n }).await.map(|size| size.is_some())
        };
        let end = first_missing(at.n, there).await?;
        let Some(newest) = end.checked_sub(1).filter(|newest| *newest >= at.n) else { break };
        let from = at.n.max(newest.saturating_sub(STRAGGLERS));
        let mut sealed = None;
        for n in from..=newest {
            let place = Place { dir: at.dir, n };
            let Some(head) = head_at(bucket, place).await? else { continue };
            (last, committed_us) = (Some(place), head.1);
            if let Kind::Seal { next } = head.0 {
                sealed = Some((n, next));
                break;
            }
        }
        let Some((n, next)) = sealed else { break };
        if let Some(span) = terms.last_mut() {
            span.seal = Some(n);
        }
        at = Place { dir: next, n: n + 1 };
        terms.push(Span { directory: next, first: n + 1, seal: None });
    }
    if committed_us == 0
        && let Some(place) = last
        && let Some((_, committed)) = head_at(bucket, place).await?
    {
        committed_us = committed;
    }
    Ok(LogEnd { terms, last, committed_us, snapshot })
}

/// A place in the log to begin at, with the terms before it: behind the newest snapshot that a hint names, else at the start.
async fn begin(bucket: &Bucket, cluster: &Cluster) -> Result<(Vec<Span>, Place, Option<u64>), Failure> {
    let mut newest = newest_snapshot(bucket, cluster).await;
    if newest.is_none()
        && let Some(record) = boundaries(bucket).await?.pop()
    {
        newest = get_document::<Manifest>(bucket, Key::Snapshot(record.snapshot)).await?;
    }
    if let Some(manifest) = newest {
        return Ok((manifest.terms.clone(), manifest.place(), Some(manifest.n)));
    }
    let first = Span { directory: cluster.directory, first: 0, seal: None };
    Ok((vec![first], Place { dir: cluster.directory, n: 0 }, None))
}

/// The length of an object, if it is there.
///
/// # Errors
/// What the store answers.
pub async fn size_of(bucket: &Bucket, place: Place) -> Result<Option<u64>, Failure> {
    match bucket.head(&place.to_string()).await {
        GetAnswer::Found(bytes) => Ok(Some(bytes)),
        GetAnswer::NotFound => Ok(None),
        GetAnswer::Failed(trouble) => Err(trouble_failure(&trouble)),
    }
}

/// The newest snapshot that the hint names; who begins there has all that came before it.
pub async fn newest_snapshot(bucket: &Bucket, cluster: &Cluster) -> Option<Manifest> {
    // A hint that is wrong, or can't be read, costs the way through the log.
    let hint = get_document::<HeadHint>(bucket, Key::Head).await.ok()??;
    let key = Key::Snapshot(hint.snapshot.filter(|_| hint.cluster == cluster.cluster)?);
    let manifest = get_document::<Manifest>(bucket, key).await.ok()??;
    (manifest.cluster == cluster.cluster && Key::Snapshot(manifest.n) == key).then_some(manifest)
}

/// What an object is, and when it was written; `None` if it is not there.
///
/// # Errors
/// What the store answers, and an object that is none.
pub async fn head_at(bucket: &Bucket, place: Place) -> Result<Option<(Kind, i64)>, Failure> {
    match bucket.get_range(&place.to_string(), 0..HEAD_BYTES).await {
        GetAnswer::Found(bytes) => {
            let head = Head::peek(place, &bytes).map_err(|error| log_failure(&error))?;
            Ok(Some((head.kind, head.committed_us)))
        }
        GetAnswer::NotFound => Ok(None),
        GetAnswer::Failed(trouble) => Err(trouble_failure(&trouble)),
    }
}
