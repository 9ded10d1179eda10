//! Verbs over a cluster's bucket.

pub(super) mod clean;
pub(super) mod ls;
pub(super) mod node;
pub(super) mod object;
pub(super) mod status;
pub(super) mod verify;

use crate::ledger::Cluster;
use crate::native::bucket::{self, Bucket, Connection, RequestLimits};
use crate::native::cluster::join;
use crate::native::outcome::{Failure, Result};
use std::time::Duration;

/// Whether a SOURCE is a store's connection string and not a directory or URL.
pub(in crate::native::cli) fn is_store(source: &str) -> bool {
    let known = ["s3", "azblob", "gcs", "fs", "hdfs"];
    source.split_once("::").is_some_and(|(scheme, _)| known.contains(&scheme))
}

/// Opens a store that was given as STORE.
pub(in crate::native::cli) fn open(store: &str) -> Result<Bucket> {
    connect(&connection("STORE", store)?, RequestLimits::default())
}

/// Reads a store's connection string; `what` is where it was given.
pub(in crate::native::cli) fn connection(what: &str, store: &str) -> Result<Connection> {
    store.parse().map_err(|error: bucket::Malformed| {
        Failure::usage(format!("{what}: {error}"))
            .advise("a STORE is a connection string as in replication.object.store: docs/stores.md")
    })
}

/// Opens a store.
pub(in crate::native::cli) fn connect(connection: &Connection, limits: RequestLimits) -> Result<Bucket> {
    bucket::open(connection, limits).map_err(|error| Failure::failed(error.to_string()))
}

/// Opens a store and finds its cluster, then does the work.
pub(in crate::native::cli) fn with_cluster<T>(
    store: &str,
    work: impl AsyncFnOnce(Bucket, Cluster) -> Result<T>,
) -> Result<T> {
    let bucket = open(store)?;
    block_on(async {
        let cluster = join(&bucket, None).await?;
        work(bucket, cluster).await
    })
}

pub(in crate::native::cli) fn block_on<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Failure::failed(format!("no threads: {error}")))?;
    runtime.block_on(work)
}

/// Bytes for people.
fn size(bytes: u64) -> String {
    indicatif::BinaryBytes(bytes).to_string()
}

/// A stretch of time for people, of microseconds.
fn span(us: i64) -> String {
    let us = us.max(0) as u64;
    match us {
        0..1_000 => format!("{us} us"),
        1_000..1_000_000 => format!("{} ms", us / 1_000),
        1_000_000..120_000_000 => format!("{:.1} s", Duration::from_micros(us).as_secs_f64()),
        120_000_000..7_200_000_000 => format!("{} min", us / 60_000_000),
        7_200_000_000..172_800_000_000 => format!("{} h", us / 3_600_000_000),
        _ => format!("{} days", us / 86_400_000_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_are_no_stores() {
        assert!(is_store("fs::root=/x;") && is_store("s3::bucket=a;"));
        assert!(!is_store("/srv/a::b") && !is_store("db") && !is_store("https://a/db"));
    }

    #[test]
    fn stretches_of_time_are_short() {
        let all = [999, 1_500, 61_000_000, 180_000_000, 7_200_000_000, 900_000_000_000];
        assert_eq!(all.map(span), ["999 us", "1 ms", "61.0 s", "3 min", "2 h", "10 days"]);
    }
}
