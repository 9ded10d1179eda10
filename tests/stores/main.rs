//! One contract for every object store, and faults between us and them.
//!
//! `scripts/stores.sh start` writes which servers it started; `UNDERSTUDY_STORES` is that file. Without
//! it only the local directory and the faults that need no server are tested. `make test PARTS=stores`
//! does it all.
#![cfg(all(feature = "native", not(target_arch = "wasm32")))]
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::disallowed_macros,
    clippy::unwrap_used,
    reason = "tests that talk to servers"
)]

mod contract;
mod faults;
mod http;
mod identities;
mod proxy;
mod stand_in;

use serde::Deserialize;
use std::time::{Duration, Instant};
use understudy::native::bucket::{self, Bucket, RequestLimits, TroubleKind};

/// A server that was started, as `servers.py` writes it.
#[derive(Debug, Clone, Deserialize)]
struct Started {
    name: String,
    connection: String,
    /// The same with a key that is not right.
    wrong: Option<String>,
    /// The same with a bucket that is not there.
    nowhere: Option<String>,
    port: u16,
}

#[test]
fn directory() {
    let dir = tempfile::tempdir().expect("a folder");
    let root = dir.path().join("root");
    std::fs::create_dir(&root).expect("a folder");
    let scratch = dir.path().join("scratch");
    let connection = format!("fs::root={};atomic_write_dir={};", root.display(), scratch.display());
    run("directory", contract::all(&open(&connection)));
    assert_eq!(std::fs::read_dir(&scratch).expect("a folder").count(), 0, "left in the scratch folder");
    // Without the second folder.
    run("directory alone", contract::puts(&open(&format!("fs::root={};", root.display()))));
}

#[test]
fn seaweedfs() {
    server("seaweedfs");
}

#[test]
fn azurite() {
    server("azurite");
}

#[test]
fn gcs() {
    server("gcs");
}

#[cfg(feature = "hdfs")]
#[test]
fn hdfs() {
    server("hdfs");
}

/// The contract, and what needs wrong credentials or a wrong bucket.
fn server(name: &str) {
    let Some(started) = started(name) else { return };
    run(name, contract::all(&open(&started.connection)));
    if let Some(wrong) = &started.wrong {
        run(name, refused(wrong, &["401", "403"]));
    }
    if let Some(nowhere) = &started.nowhere {
        run(name, refused(nowhere, &["404"]));
    }
}

/// Puts and gets are refused, and the words say with what and name no secret.
async fn refused(connection: &str, statuses: &[&str]) {
    let bucket = open(connection);
    let put = bucket.put_if_absent("contract/refused", "x".into()).await;
    let get = bucket.get("contract/refused").await.into_result().expect_err("it is not to be had");
    for trouble in [put.trouble().expect("it can't be put"), &get] {
        println!("  {trouble}");
        assert_eq!(trouble.kind, TroubleKind::Refused, "{trouble}");
        assert_eq!((trouble.tries, trouble.may_land), (1, false), "{trouble}");
        assert!(statuses.iter().any(|status| trouble.why.contains(status)), "{trouble}");
        assert!(!trouble.why.contains("secret") && !trouble.why.contains("YW5vdGhlciBrZXk"), "{trouble}");
    }
}

/// The servers that were started; all usual ones have to be, where any is.
fn started(name: &str) -> Option<Started> {
    let Some(file) = std::env::var_os("UNDERSTUDY_STORES") else {
        println!("skipped: {name} was not started; see scripts/stores.sh");
        return None;
    };
    let text = std::fs::read(file).expect("what scripts/stores.sh wrote");
    let all: Vec<Started> = serde_json::from_slice(&text).expect("what scripts/stores.sh wrote");
    let found = all.into_iter().find(|started| started.name == name);
    assert!(found.is_some() || name == "hdfs", "{name} was not started");
    found
}

fn open(connection: &str) -> Bucket {
    open_with(connection, RequestLimits { base_timeout: Duration::from_secs(60), ..RequestLimits::default() })
}

fn open_with(connection: &str, limits: RequestLimits) -> Bucket {
    let connection = connection.parse().expect("a connection string");
    bucket::open(&connection, limits).expect("a bucket")
}

/// Runs on a runtime of its own, and says how long it took.
fn run<T>(name: &str, work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build();
    let begun = Instant::now();
    let result = runtime.expect("a runtime").block_on(work);
    println!("{name}: {:.1} s", begun.elapsed().as_secs_f64());
    result
}
