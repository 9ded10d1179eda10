//! Cleaning: now and then packs that nobody needs any more are deleted.

use super::Shared;
use crate::ledger::ClusterId;
use crate::native::bucket::Bucket;
use crate::native::cluster::{Plan, Retention, clean, join, plan_cleaning};
use crate::native::outcome::Failure;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How the bucket is kept small.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cleaning {
    /// Between two rounds.
    pub interval: Duration,
    /// Snapshots that stay, with all that follows the oldest of them.
    pub snapshots: u64,
    /// An instance that was not heard of for this long holds nothing back.
    pub gone_after: Duration,
}

/// Cleans for as long as the shipper runs.
pub(super) async fn run(shared: Arc<Shared>, bucket: Bucket, cluster: ClusterId, cleaning: Cleaning) {
    while !shared.stop.load(Ordering::Relaxed) {
        tokio::time::sleep(cleaning.interval).await;
        if let Err(failure) = round(&shared, &bucket, cluster, cleaning).await {
            shared.warn(format!("the bucket can't be cleaned: {}", failure.message));
        }
    }
}

async fn round(
    shared: &Shared,
    bucket: &Bucket,
    cluster: ClusterId,
    cleaning: Cleaning,
) -> Result<(), Failure> {
    let cluster = join(bucket, Some(cluster)).await?;
    let Cleaning { snapshots, gone_after, .. } = cleaning;
    let retention = Retention { age: Duration::ZERO, snapshots, before: None, gone_after };
    match plan_cleaning(bucket, &cluster, retention).await? {
        Plan::Clean(plan) => {
            clean(bucket, &plan, || {}).await?;
            shared.note(format!(
                "deleted {} packs below number {}, {} bytes; snapshot {} stands for them",
                plan.packs,
                plan.to,
                plan.bytes,
                plan.snapshot()
            ));
        }
        Plan::Nothing(why) => tracing::debug!("nothing to clean: {why}"),
    }
    Ok(())
}
