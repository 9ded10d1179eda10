//! The object store: what it holds, what it answers, and what stores do when something is wrong with them.

use super::weather::Weather;
use super::{Chance, End, Fault, Micros};
use crate::ledger::{Condition, GetAnswer, Key, PutAnswer, Refused, Unsettled};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Versions of `head.json` that are remembered, to be answered when hints are stale.
const HINTS: usize = 32;

/// Which store it is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StoreKind {
    /// Amazon S3: 412, and 409 in a race, which settles nothing.
    S3,
    /// Azure Blob Storage: 409 `BlobAlreadyExists`.
    Azure,
    /// Google Cloud Storage: 412.
    Gcs,
    /// HDFS: "file exists"; each small file takes its time.
    Hdfs,
    /// A directory, perhaps on NFS, where a link's own success may be answered EEXIST.
    Directory,
}

/// A request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ask {
    Put { key: Key, bytes: Bytes, condition: Condition },
    Get { key: Key },
    Delete { key: Key },
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reply {
    Put(PutAnswer),
    Get(GetAnswer),
    /// Whether it is gone for certain.
    Deleted(bool),
}

/// What comes of a request that has arrived.
#[derive(Debug, Default)]
pub(super) struct Served {
    /// It wrote here.
    pub landed: Option<Key>,
    /// It removed what was here.
    pub removed: Option<Key>,
    /// The answer, and how long the store takes over it; none if the sender never gets one.
    pub reply: Option<(Micros, Reply)>,
    /// It takes effect after this time, whatever was answered.
    pub later: Option<(Micros, Ask)>,
}

/// Requests so far, as stores bill them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requests {
    /// Puts that wrote, or were refused because the key was taken.
    pub puts: u64,
    /// Gets, of objects that are there and that are not.
    pub gets: u64,
    /// Deletes, which most stores don't bill.
    pub deletes: u64,
    /// Bytes written.
    pub bytes_in: u64,
    /// Bytes read.
    pub bytes_out: u64,
}

#[derive(Debug)]
pub(super) struct Bucket {
    kind: StoreKind,
    objects: BTreeMap<Key, Bytes>,
    /// Older bytes of `head.json`.
    hints: Vec<Bytes>,
    requests: Requests,
    chance: Chance,
}

impl StoreKind {
    /// All of them.
    pub const ALL: &[Self] = &[Self::S3, Self::Azure, Self::Gcs, Self::Hdfs, Self::Directory];

    /// How long a put and a get usually take there, microseconds.
    fn typical_us(self) -> (Micros, Micros) {
        match self {
            Self::S3 => (28_000, 14_000),
            Self::Azure => (18_000, 9_000),
            Self::Gcs => (45_000, 20_000),
            Self::Hdfs => (25_000, 6_000),
            Self::Directory => (1_500, 300),
        }
    }
}

impl Ask {
    /// What the sender is left with if no answer comes.
    pub(super) fn unanswered(&self) -> Reply {
        match self {
            Self::Put { .. } => Reply::Put(PutAnswer::Unsettled(Unsettled::Unknown)),
            Self::Get { .. } => Reply::Get(GetAnswer::Failed),
            Self::Delete { .. } => Reply::Deleted(false),
        }
    }

    fn throttled(&self) -> Reply {
        match self {
            Self::Put { .. } => Reply::Put(PutAnswer::Unsettled(Unsettled::SlowDown)),
            _ => self.unanswered(),
        }
    }

    fn refused(&self, why: Refused) -> Reply {
        match self {
            Self::Put { .. } => Reply::Put(PutAnswer::Refused(why)),
            _ => self.unanswered(),
        }
    }
}

impl Bucket {
    pub(super) fn new(seed: u64, kind: StoreKind) -> Self {
        let (objects, hints) = (BTreeMap::new(), Vec::new());
        Self { kind, objects, hints, requests: Requests::default(), chance: Chance::new(seed, "bucket") }
    }

    pub(super) fn kind(&self) -> StoreKind {
        self.kind
    }

    pub(super) fn objects(&self) -> &BTreeMap<Key, Bytes> {
        &self.objects
    }

    pub(super) fn requests(&self) -> Requests {
        self.requests
    }

    /// A request has arrived.
    pub(super) fn serve(&mut self, weather: &Weather, ask: Ask) -> Served {
        let took = self.takes(weather, &ask);
        if let Some(reply) = self.turned_away(weather, &ask) {
            return Served { reply: reply.map(|reply| (took, reply)), ..Served::default() };
        }
        if let (Ask::Put { .. }, Some(after)) = (&ask, weather.at(Fault::LatePut, End::Bucket))
            && self.chance.per_mille(300)
        {
            let later = Some((self.chance.between(after / 4, after), ask));
            return Served { later, ..Served::default() };
        }
        let unanswered = ask.unanswered();
        let mut served = self.carry_out(weather, ask, took);
        if self.hits(weather, Fault::TimeoutAfter) {
            served.reply = None;
        } else if self.hits(weather, Fault::ErrorAfterSuccess) {
            served.reply = Some((took, unanswered));
        } else if let Some((_, Reply::Put(answer @ PutAnswer::Stored))) = &mut served.reply
            && weather.strikes(Fault::OwnTaken, End::Bucket, &mut self.chance)
        {
            *answer = PutAnswer::Taken;
        }
        served
    }

    /// What was to take effect later does so now: nobody waits for an answer any more.
    pub(super) fn take_late(&mut self, weather: &Weather, ask: Ask) -> Served {
        Served { reply: None, ..self.carry_out(weather, ask, 0) }
    }

    fn takes(&mut self, weather: &Weather, ask: &Ask) -> Micros {
        let (put, get) = self.kind.typical_us();
        let usual = self.chance.latency(if matches!(ask, Ask::Get { .. }) { get } else { put });
        let slow = weather.at(Fault::SlowBucket, End::Bucket).unwrap_or(0);
        let body = match ask {
            Ask::Get { .. } if self.hits(weather, Fault::SlowBody) => 10_000_000,
            _ => 0,
        };
        usual + slow + body
    }

    /// The answer to a request that is not carried out: `Some(None)` if there is none at all.
    fn turned_away(&mut self, weather: &Weather, ask: &Ask) -> Option<Option<Reply>> {
        if weather.in_force().is_empty() {
            return None;
        }
        if weather.at(Fault::Denied, End::Bucket).is_some() {
            return Some(Some(ask.refused(Refused::Denied)));
        }
        if self.hits(weather, Fault::TimeoutBefore) {
            return Some(None);
        }
        if self.hits(weather, Fault::SlowDown) {
            return Some(Some(ask.throttled()));
        }
        if self.hits(weather, Fault::ServerError) {
            return Some(Some(ask.unanswered()));
        }
        if !matches!(ask, Ask::Put { .. }) {
            return None;
        }
        if weather.at(Fault::BucketFull, End::Bucket).is_some() {
            return Some(Some(ask.refused(Refused::Full)));
        }
        let conflict = self.kind == StoreKind::S3 && self.hits(weather, Fault::Conflict);
        conflict.then_some(Some(Reply::Put(PutAnswer::Taken)))
    }

    fn carry_out(&mut self, weather: &Weather, ask: Ask, took: Micros) -> Served {
        let mut served = Served::default();
        let reply = match ask {
            Ask::Put { key, bytes, condition } => {
                self.requests.puts += 1;
                self.requests.bytes_in += bytes.len() as u64;
                let ignored = weather.at(Fault::IgnoredCondition, End::Bucket).is_some();
                if condition == Condition::IfAbsent && self.objects.contains_key(&key) && !ignored {
                    Reply::Put(PutAnswer::Taken)
                } else {
                    let before = self.objects.insert(key, bytes);
                    if let (Key::Head, Some(before)) = (key, before) {
                        self.hints.push(before);
                        self.hints.drain(..self.hints.len().saturating_sub(HINTS));
                    }
                    served.landed = Some(key);
                    Reply::Put(PutAnswer::Stored)
                }
            }
            Ask::Get { key } => {
                self.requests.gets += 1;
                Reply::Get(self.read(weather, key))
            }
            Ask::Delete { key } => {
                self.requests.deletes += 1;
                served.removed = self.objects.remove(&key).map(|_| key);
                Reply::Deleted(true)
            }
        };
        served.reply = Some((took, reply));
        served
    }

    fn read(&mut self, weather: &Weather, key: Key) -> GetAnswer {
        let stale = (key == Key::Head && self.hits(weather, Fault::StaleHint)).then(|| self.hints.first());
        let Some(bytes) = stale.flatten().or_else(|| self.objects.get(&key)).cloned() else {
            return GetAnswer::NotFound;
        };
        self.requests.bytes_out += bytes.len() as u64;
        if self.hits(weather, Fault::CutBody) {
            return GetAnswer::Failed;
        }
        if self.hits(weather, Fault::DamagedBody) {
            let mut bytes = bytes.to_vec();
            let at = self.chance.below(bytes.len() as u64) as usize;
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << self.chance.below(8);
            }
            return GetAnswer::Found(bytes.into());
        }
        GetAnswer::Found(bytes)
    }

    fn hits(&mut self, weather: &Weather, fault: Fault) -> bool {
        weather.strikes(fault, End::Bucket, &mut self.chance)
    }
}

#[cfg(test)]
#[path = "bucket_tests.rs"]
mod tests;
