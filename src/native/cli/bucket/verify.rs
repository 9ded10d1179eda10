//! `understudy verify STORE`: reads the whole log of a bucket, and with `--deep` all that it refers to.

use super::{size, with_cluster};
use crate::ledger::{Base, Document, HeadHint, Key, Loaded, Manifest, Mirror, News, Reader, Sum};
use crate::native::bucket::Bucket;
use crate::native::cli::out::Out;
use crate::native::cli::progress::grouped;
use crate::native::cluster::{Arrived, FollowOptions, Followed, Follower, Pace, get_blob, get_document};
use crate::native::outcome::{Exit, Result};
use serde_json::json;
use std::collections::BTreeSet;
use std::time::Duration;

/// About how much is fetched ahead.
const AHEAD_BYTES: u64 = 128 << 20;

pub(in crate::native::cli) fn run(out: &Out, store: &str, deep: bool) -> Result<Exit> {
    with_cluster(store, async |bucket, cluster| {
        let options = FollowOptions {
            pace: Pace::steady(Duration::from_secs(1)),
            ahead_bytes: AHEAD_BYTES,
            trusted: Vec::new(),
        };
        let mut follower = Follower::start(bucket.clone(), Reader::of(&cluster), options);
        let mut check = Check::new(bucket, deep);
        loop {
            match follower.next().await {
                Followed::Pack(arrived) => check.pack(&arrived).await,
                Followed::Term(_) => check.terms += 1,
                Followed::CaughtUp => break,
                Followed::Load(manifest) => {
                    check.snapshot(&manifest).await;
                    follower.loaded(Loaded::Done).await;
                }
                Followed::Trouble(why) => out.warn(why),
                Followed::Stopped(failure) => {
                    check.findings.push(failure.message);
                    break;
                }
            }
        }
        check.newest_snapshot().await?;
        check.report(out)
    })
}

/// What reading the log showed.
struct Check {
    bucket: Bucket,
    deep: bool,
    mirror: Mirror,
    terms: u64,
    packs: u64,
    bytes: u64,
    transactions: u64,
    /// Blobs that were read, so that shared ones are read once.
    blobs: BTreeSet<Sum>,
    snapshots: BTreeSet<u64>,
    findings: Vec<String>,
}

impl Check {
    fn new(bucket: Bucket, deep: bool) -> Self {
        Self {
            bucket,
            deep,
            mirror: Mirror::default(),
            terms: 1,
            packs: 0,
            bytes: 0,
            transactions: 0,
            blobs: BTreeSet::new(),
            snapshots: BTreeSet::new(),
            findings: Vec::new(),
        }
    }

    /// The object's hash, its link to the one before, and its blocks' checksums were checked when it was read. Here all is unpacked,
    /// and laid out as a replica does.
    async fn pack(&mut self, arrived: &Arrived) {
        self.packs += 1;
        self.bytes += arrived.object.bytes().len() as u64;
        self.blobs.extend(arrived.blobs.keys());
        let key = arrived.object.head().place.key();
        let news = match self.mirror.take(key, &arrived.pack, &arrived.blobs) {
            Ok(news) => news,
            Err(error) => return self.findings.push(error.to_string()),
        };
        for news in news {
            match news {
                News::Transactions { dir, last } => {
                    self.transactions += last.saturating_sub(self.mirror.applied_up_to(&dir));
                    self.mirror.applied(&dir, last);
                }
                News::Base { manifest, .. } if self.deep => self.base(manifest).await,
                News::Broken { dir, why } => self.findings.push(format!("{key}: {dir}: {why}")),
                _ => {}
            }
        }
    }

    /// Reads the copy of a table, to its last byte.
    async fn base(&mut self, manifest: Sum) {
        if let Err(failure) = self.try_base(manifest).await {
            self.findings.push(failure);
        }
    }

    async fn try_base(&mut self, manifest: Sum) -> std::result::Result<(), String> {
        if !self.blobs.insert(manifest) {
            return Ok(());
        }
        let key = Key::Blob(manifest);
        let listed = get_blob(&self.bucket, manifest).await.map_err(|failure| failure.message)?;
        self.bytes += listed.len() as u64;
        let base = Base::read(key, &listed).map_err(|error| error.to_string())?;
        for bundle in &base.bundles {
            if self.blobs.insert(bundle.sum) {
                let blob = get_blob(&self.bucket, bundle.sum).await.map_err(|failure| failure.message)?;
                self.bytes += blob.len() as u64;
                bundle.check(&blob).map_err(|error| error.to_string())?;
            }
        }
        Ok(())
    }

    async fn snapshot(&mut self, manifest: &Manifest) {
        self.snapshots.insert(manifest.n);
        self.mirror = Mirror::default();
        for part in &manifest.parts {
            if self.deep {
                self.base(part.sum).await;
            }
        }
    }

    /// The newest snapshot is what a new replica begins with.
    async fn newest_snapshot(&mut self) -> Result<()> {
        let hint = get_document::<HeadHint>(&self.bucket, Key::Head).await?;
        let Some(n) = hint.and_then(|hint| hint.snapshot) else { return Ok(()) };
        if self.snapshots.contains(&n) {
            return Ok(());
        }
        match get_document::<Manifest>(&self.bucket, Key::Snapshot(n)).await {
            Ok(Some(manifest)) => self.snapshot(&manifest).await,
            Ok(None) => self.findings.push(format!("{} is not in the bucket", Key::Snapshot(n))),
            Err(failure) => self.findings.push(failure.message),
        }
        Ok(())
    }

    fn report(&self, out: &Out) -> Result<Exit> {
        let exit = if self.findings.is_empty() { Exit::Ok } else { Exit::Damaged };
        for finding in &self.findings {
            out.text(format!("{finding}\n"))?;
        }
        out.text(format!(
            "{} packs in {} terms, {} transactions, {} blobs, {} read{}: {}\n",
            grouped(self.packs),
            self.terms,
            grouped(self.transactions),
            grouped(self.blobs.len() as u64),
            size(self.bytes),
            if self.deep { "" } else { " (bases and snapshots only with --deep)" },
            if self.findings.is_empty() { "nothing is wrong" } else { "damaged" },
        ))?;
        out.json(&json!({
            "result": exit, "deep": self.deep, "packs": self.packs, "terms": self.terms,
            "transactions": self.transactions, "blobs": self.blobs.len(), "bytes": self.bytes,
            "snapshots": self.snapshots, "findings": self.findings,
        }))?;
        Ok(exit)
    }
}
