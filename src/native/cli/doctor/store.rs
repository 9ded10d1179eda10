//! The bucket: can it be reached, read, written, and does it keep what it has when it is told to.

use super::page;
use super::{Checks, State};
use crate::ledger::{Cluster, Document, Key};
use crate::native::bucket::{
    Bucket, Connection, GetAnswer, ProbeError, PutAnswer, RequestLimits, Trouble, TroubleKind, open, probe,
};
use crate::native::config::Config;
use crate::native::outcome::Result;
use bytes::Bytes;
use std::time::{Duration, Instant};

/// Asks for a latency.
const ROUNDS: usize = 5;

pub(super) async fn check(
    checks: &mut Checks,
    named: Option<&str>,
    config: Option<&Config>,
    read_only: bool,
) -> Result<()> {
    let Some(connection) = connection(checks, named, config)? else { return Ok(()) };
    let limits = config.map_or_else(RequestLimits::default, |config| config.requests.clone());
    let bucket = match open(&connection, limits) {
        Ok(bucket) => bucket,
        Err(error) => {
            return checks.say(
                "store",
                State::Fail,
                error.to_string(),
                "docs/stores.md has the keys and what they need",
            );
        }
    };
    checks.ok("store", format!("{connection}"))?;
    let Some(cluster) = reach(checks, &bucket).await? else {
        return checks.say("the rest", State::Skip, "not tried, since the store can't be read", "");
    };
    page::clock(checks, &connection).await?;
    if read_only {
        checks.say("writing", State::Skip, "not tried (--read-only)", "")?;
    } else {
        write(checks, &bucket).await?;
    }
    hold(checks, cluster)?;
    page::cors(checks, &connection).await
}

fn connection(
    checks: &mut Checks,
    named: Option<&str>,
    config: Option<&Config>,
) -> Result<Option<Connection>> {
    match (named, config.and_then(|config| config.object_store.clone())) {
        (Some(text), _) => match text.parse() {
            Ok(connection) => Ok(Some(connection)),
            Err(error) => {
                let advice = "it is written as QuestDB's replication.object.store, e.g. 's3::bucket=b;root=r;region=x;'";
                checks.say("store", State::Fail, format!("{error}"), advice)?;
                Ok(None)
            }
        },
        (None, Some(connection)) => Ok(Some(connection)),
        (None, None) => {
            checks.say(
                "store",
                State::Skip,
                "replication.object.store is not set, and there is no --to",
                "",
            )?;
            Ok(None)
        }
    }
}

/// What `cluster.json` holds, in time that is told; none if the store can't be read.
async fn reach(checks: &mut Checks, bucket: &Bucket) -> Result<Option<Option<Bytes>>> {
    let begun = Instant::now();
    let key = Key::Cluster.to_string();
    let answer = match bucket.get(&key).await {
        GetAnswer::Found(bytes) => Some(bytes),
        GetAnswer::NotFound => None,
        GetAnswer::Failed(trouble) => {
            checks.say("reading", State::Fail, trouble.to_string(), advice(&trouble))?;
            return Ok(None);
        }
    };
    let first = begun.elapsed();
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        let _ = bucket.get(&key).await;
        times.push(begun.elapsed());
    }
    let what =
        format!("credentials are taken; a get takes {} (the first {})", shown(median(times)), shown(first));
    checks.ok("reading", what)?;
    Ok(Some(answer))
}

async fn write(checks: &mut Checks, bucket: &Bucket) -> Result<()> {
    match probe(bucket).await {
        Ok(()) => {
            checks.ok("conditional put", "of writers that race for an object one wins, and it reads back")?
        }
        Err(ProbeError::Trouble(trouble)) => {
            let advice =
                format!("{}; a node that only reads needs none of it (--read-only)", advice(&trouble));
            return checks.say("conditional put", State::Fail, trouble.to_string(), &advice);
        }
        Err(error) => {
            let advice = "two primaries would destroy each other's log on it: take a store of docs/stores.md";
            return checks.say("conditional put", State::Fail, error.to_string(), advice);
        }
    }
    let mut times = Vec::new();
    let mut kept = None;
    for _ in 0..ROUNDS {
        let key = format!("probe/{:032x}", fastrand::u128(..));
        let begun = Instant::now();
        match bucket.put_if_absent(&key, Bytes::from_static(b"understudy doctor")).await {
            PutAnswer::Stored => times.push(begun.elapsed()),
            // An earlier try of this very put, or trouble after all went well: no figure.
            _ => continue,
        }
        if let Err(trouble) = bucket.delete(&key).await {
            kept = Some((key, trouble));
        }
    }
    match kept {
        None => checks.ok("deleting", "what a probe puts is removed again")?,
        Some((key, trouble)) => checks.say(
            "deleting",
            State::Note,
            format!("{trouble}; {key} and the like stay"),
            "nodes work without it; objects under probe/ can be removed by hand",
        )?,
    }
    if times.is_empty() {
        return checks.say(
            "writing",
            State::Warn,
            "no put was answered plainly; there is no figure",
            "run it again",
        );
    }
    let put = median(times);
    let what = format!("a put takes {}", shown(put));
    if put > SLOW {
        checks.say("writing", State::Warn, what, "packs wait for each other at this pace; is the store near?")
    } else {
        checks.ok("writing", what)
    }
}

/// Which cluster it is.
fn hold(checks: &mut Checks, found: Option<Bytes>) -> Result<()> {
    let Some(bytes) = found else {
        let advice = "`understudy ship` founds one; a replica needs one. If there should be one, look at bucket and root";
        return checks.say("cluster", State::Note, "there is none yet (no cluster.json)", advice);
    };
    match Cluster::read(Key::Cluster, &bytes) {
        Ok(cluster) => checks.ok("cluster", format!("{}, format {}", cluster.cluster, cluster.format)),
        Err(error) => checks.say(
            "cluster",
            State::Fail,
            error.to_string(),
            "another program's object, or a newer Understudy's, is at cluster.json",
        ),
    }
}

/// What to do about trouble.
fn advice(trouble: &Trouble) -> &'static str {
    let why = trouble.why.as_str();
    let has = |word: &str| why.contains(word);
    match trouble.kind {
        TroubleKind::SlowDown => "the store has too much to do; try again later",
        TroubleKind::Refused if has("403") || has("401") => {
            "look at the credentials and at what they allow: `understudy generate iam`. On S3, without s3:ListBucket a missing object is 403 too"
        }
        TroubleKind::Refused if has("404") => "look at the bucket's name and the region",
        TroubleKind::Refused if has("ermission denied") || has("ead-only") => {
            "the user that this runs as may not write there"
        }
        TroubleKind::Refused => "the store's own words say why; docs/stores.md lists what it has to allow",
        TroubleKind::Unsettled => "look at the endpoint, the network, proxies and certificates",
    }
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

fn shown(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1000.0)
}

/// A put that takes longer holds packs up.
const SLOW: Duration = Duration::from_secs(1);
