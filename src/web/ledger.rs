//! A replicated log in a bucket, for JavaScript that makes the requests: `www/worker/bucket.ts` is its driver.
//!
//! A module of its own beside the engine's, which is loaded for buckets only. What is more than numbers and bytes goes
//! over as JSON.

use crate::ledger::{
    Catalog, Cluster, Document, Error, GetAnswer, Happened, HeadHint, IndexBlock, Journal, Key, Kind,
    Manifest, Node, Passed, Step, Watch,
};
use crate::wal;
use bytes::Bytes;
use serde::Serialize;
use serde_json::{Value, json};
use wasm_bindgen::prelude::*;

type JsOutcome<T> = Result<T, JsValue>;

/// A cluster's history, and where its tables' bytes lie.
#[wasm_bindgen]
pub struct Ledger {
    cluster: Cluster,
    watch: Watch,
    memory: u64,
}

#[wasm_bindgen]
impl Ledger {
    /// Reads `cluster.json`. About `memory` bytes of objects are kept.
    ///
    /// # Errors
    /// Bytes that are no `cluster.json`, or a later version's.
    #[wasm_bindgen(constructor)]
    pub fn new(cluster: &[u8], memory: f64) -> JsOutcome<Ledger> {
        let cluster = Cluster::read(Key::Cluster, cluster).map_err(thrown)?;
        let memory = memory as u64;
        Ok(Self { watch: Watch::of(&cluster, memory), cluster, memory })
    }

    /// The cluster's identity, 32 hex digits.
    pub fn cluster(&self) -> String {
        self.cluster.cluster.to_string()
    }

    /// Begins behind a snapshot in place of the beginning: `bytes` are those of its manifest.
    ///
    /// # Errors
    /// Bytes that are no manifest of this snapshot.
    #[wasm_bindgen(js_name = beginBehind)]
    pub fn begin_behind(&mut self, n: f64, bytes: &[u8]) -> JsOutcome<()> {
        let manifest = Manifest::read(Key::Snapshot(n as u64), bytes).map_err(thrown)?;
        self.watch = Watch::behind(&self.cluster, &manifest, self.memory).map_err(thrown)?;
        Ok(())
    }

    /// What is needed next: `{get: key}`, `{idle: true}`, or `{stopped: message, kind}`.
    pub fn next(&self) -> String {
        let step = match self.watch.next() {
            Step::Get(key) => json!({ "get": key.to_string() }),
            Step::Idle => json!({ "idle": true }),
            Step::Stopped(error) => json!({ "stopped": told(&error), "kind": kind(&error) }),
        };
        step.to_string()
    }

    /// The object that [`next`](Self::next) asked for; nothing if it is not there.
    pub fn give(&mut self, bytes: Option<Vec<u8>>) {
        let answer = bytes.map_or(GetAnswer::NotFound, |bytes| GetAnswer::Found(bytes.into()));
        self.watch.give(&answer);
    }

    /// Looks again for what has come since the log was read to its end; at the boundary too.
    pub fn again(&mut self, boundary: bool) {
        self.watch.again(boundary);
    }

    /// Key of the object behind the one to be read next, by which a driver may fetch ahead; empty if none is known.
    pub fn ahead(&self, by: f64) -> String {
        let mut place = self.watch.point().next;
        place.n = place.n.saturating_add(by as u64);
        place.key().to_string()
    }

    /// Where the history stands, and which tables don't go on.
    pub fn state(&self) -> String {
        let point = self.watch.point();
        let terms = point.terms.iter().map(|span| {
            let (term, writer) = (span.directory.term.0, span.directory.writer.to_string());
            json!({ "term": term, "writer": writer, "first": span.first, "seal": span.seal })
        });
        let broken = self.catalog().broken().map(|(dir, why)| json!([dir, why]));
        let (held, let_go) = self.catalog().held();
        json!({
            "beginsAt": self.watch.begins_at(),
            "next": point.next.n,
            "terms": terms.collect::<Value>(),
            "broken": broken.collect::<Value>(),
            "held": held,
            "letGo": let_go,
        })
        .to_string()
    }

    /// What the log's objects did, from the `from`th known one on.
    pub fn passed(&self, from: f64) -> String {
        let passed = self.catalog().passed().get(from as usize..).unwrap_or_default();
        passed.iter().map(object).collect::<Value>().to_string()
    }

    /// Files that came (true) or went (false) since this was asked last: `[path, there]`.
    pub fn changes(&mut self) -> String {
        json!(self.watch.catalog_mut().changes()).to_string()
    }

    /// A file's length in bytes, as far as it is known; -1 if there is none.
    pub fn size(&self, path: &str) -> f64 {
        self.catalog().len(path).map_or(-1.0, |len| len as f64)
    }

    /// Bytes of a file from `from` on, at least one, at most up to `to`; nothing if an object has to be fetched first.
    ///
    /// # Errors
    /// Bytes that nobody has sent, blocks that don't unpack.
    pub fn read(&mut self, path: &str, from: f64, to: f64) -> JsOutcome<Option<Vec<u8>>> {
        match self.watch.catalog_mut().read(path, from as u64, to as u64) {
            Ok(bytes) => Ok(Some(bytes.to_vec())),
            Err(wal::Error::Pending) => Ok(None),
            Err(error) => Err(error_of("damaged", &error.to_string())),
        }
    }

    /// Keys of the objects that readings wait for.
    pub fn wanted(&mut self) -> String {
        let keys = self.watch.catalog_mut().wanted();
        keys.into_iter().map(|key| json!(key.to_string())).collect::<Value>().to_string()
    }

    /// Takes an object that was [wanted](Self::wanted).
    ///
    /// # Errors
    /// If it is not the one that the history names.
    pub fn put(&mut self, key: &str, bytes: Vec<u8>) -> JsOutcome<()> {
        let key = key_of(key)?;
        self.watch.catalog_mut().put(key, Bytes::from(bytes)).map_err(thrown)
    }

    /// Reads `head.json`, `index/{k}.json`, `nodes/{i}.json` or a journal, and answers it as JSON.
    ///
    /// # Errors
    /// Bytes that are no such object, or another cluster's.
    pub fn document(&self, key: &str, bytes: &[u8]) -> JsOutcome<String> {
        let read = match key_of(key)? {
            Key::Head => HeadHint::read(key, bytes).map(|hint| (hint.cluster, text(&hint))),
            Key::Index(_) => IndexBlock::read(key, bytes).map(|block| (block.cluster, text(&block))),
            Key::Node(_) => Node::read(key, bytes).map(|node| (node.cluster, text(&node))),
            Key::Journal { .. } => Journal::read(key, bytes).map(|journal| (journal.cluster, text(&journal))),
            _ => return Err(error_of("usage", "not a document that the page reads")),
        };
        let (cluster, text) = read.map_err(thrown)?;
        if cluster != self.cluster.cluster {
            return Err(error_of("damaged", &format!("{key} is another cluster's, {cluster}")));
        }
        Ok(text)
    }
}

impl Ledger {
    fn catalog(&self) -> &Catalog {
        self.watch.catalog()
    }
}

fn key_of(text: &str) -> JsOutcome<Key> {
    text.parse::<Key>().map_err(|error| error_of("usage", &error.to_string()))
}

fn text(document: &impl Serialize) -> String {
    serde_json::to_string(document).unwrap_or_default()
}

fn object(passed: &Passed) -> Value {
    let next = match passed.kind {
        Kind::Pack => None,
        Kind::Seal { next } => Some(next.writer.to_string()),
    };
    let tables = passed.tables.iter().map(|(dir, what)| happened(dir, what));
    json!({
        "n": passed.place.n,
        "term": passed.place.dir.term.0,
        "seal": next,
        "committedUs": passed.committed_us,
        "bytes": passed.bytes,
        "blobs": passed.blobs,
        "blobBytes": passed.blob_bytes,
        "handover": passed.handover,
        "tables": tables.collect::<Value>(),
    })
}

fn happened(dir: &str, what: &Happened) -> Value {
    match what {
        Happened::Transactions(first, last) => {
            json!({ "dir": dir, "what": "transactions", "first": first, "last": last })
        }
        Happened::Created => json!({ "dir": dir, "what": "created" }),
        Happened::Renamed(to) => json!({ "dir": dir, "what": "renamed", "to": to }),
        Happened::Dropped => json!({ "dir": dir, "what": "dropped" }),
        Happened::Base(seq_txn, why) => json!({ "dir": dir, "what": "base", "last": seq_txn, "why": why }),
        Happened::Digests(digests) => {
            let digests = digests.iter().map(|(seq_txn, digest)| json!([seq_txn, digest.to_string()]));
            json!({ "dir": dir, "what": "digests", "digests": digests.collect::<Value>() })
        }
    }
}

/// What it is, and what to do.
fn told(error: &Error) -> String {
    let advice = match error {
        Error::Foreign { .. } => {
            "; another cluster's object lies there, or a copy of the bucket was written to: look which of the two is yours"
        }
        Error::Unsupported { .. } => "; a later Understudy wrote it: open it with the page of that version",
        _ => "; the object is damaged: compare it with another copy of the bucket",
    };
    format!("{error}{advice}")
}

fn kind(error: &Error) -> &'static str {
    if matches!(error, Error::Unsupported { .. }) { "usage" } else { "damaged" }
}

fn thrown(error: Error) -> JsValue {
    error_of(kind(&error), &told(&error))
}

fn error_of(kind: &str, message: &str) -> JsValue {
    let error: JsValue = js_sys::Error::new(message).into();
    // Setting a property of a new object does not fail.
    let _ = js_sys::Reflect::set(&error, &"kind".into(), &kind.into());
    error
}
