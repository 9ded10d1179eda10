//! Buckets made of recordings, as a shipper and two replicas would have left them: real transactions, in real objects.

use crate::common::Recording;
use crate::packed;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::Arc;
use understudy::apply::backlog::BatchLimits;
use understudy::ledger::*;
use understudy::native::store::{CommitMode, Disk, DiskReader, RealDisk, Step, Worker};
use understudy::replay::{History, Player};
use understudy::wal::{Files, Registry, TableKind, TableToken};

/// Microseconds from a commit to its pack, and what each replica is behind that.
const SHIPPED_AFTER_US: i64 = 40_000;
const NEAR_AFTER_US: i64 = 60_000;
const FAR_AFTER_US: i64 = 900_000;

/// What kind of history to leave.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Transactions in a pack, of all tables together.
    pub pack: usize,
    /// Starts a second term after this many packs.
    pub seal_after: usize,
    /// Of this table the log begins with a copy, as of this transaction.
    pub copied: Option<(&'static str, u64)>,
    /// Ends with a snapshot, and the packs before it are gone.
    pub cleaned: bool,
    /// Takes a snapshot after this many packs, and keeps everything.
    pub snapshot_after: usize,
}

/// A bucket in memory.
pub struct Bucket {
    /// By key.
    pub objects: BTreeMap<String, Bytes>,
    /// Behind all that was written.
    pub point: Point,
    index: Vec<IndexEntry>,
    snapshot: Option<u64>,
}

/// One transaction of one table.
struct Txn {
    table: usize,
    seq_txn: u64,
    commit_us: i64,
}

struct Source {
    token: TableToken,
    history: History,
    from: u64,
}

impl Bucket {
    /// The history of a recording's tables under this plan.
    pub fn of(recording: &Recording, plan: Plan) -> Self {
        let mut bucket = Self::new();
        let files = &recording.files;
        let mut sources: Vec<Source> = Registry::read(files)
            .unwrap()
            .tables
            .into_iter()
            .filter_map(|token| {
                let history = History::read(files, &token).ok().filter(History::is_replayable)?;
                Some(Source { token, history, from: 1 })
            })
            .collect();
        let first_us =
            sources.iter().filter_map(|s| Some(s.history.records.first()?.commit_ts)).min().unwrap();
        let mut tables = Vec::new();
        for source in &mut sources {
            let what = match plan.copied {
                Some((name, seq_txn)) if name == source.token.name => {
                    source.from = seq_txn + 1;
                    bucket.copy_of(files, &source.token, seq_txn)
                }
                _ => packed::created(files, &source.token, compressed),
            };
            tables.push(TableEntry { token: packed::of(&source.token), what });
        }
        bucket.pack(Pack { tables, ..Pack::default() }, first_us);
        let txns = by_time(&sources);
        let mut applied = BTreeMap::new();
        for (at, chunk) in txns.chunks(plan.pack).enumerate() {
            if at == plan.seal_after {
                bucket.seal(2, chunk[0].commit_us);
            }
            let tables = entries(files, &sources, chunk);
            bucket
                .pack(Pack { tables, ..Pack::default() }, chunk.last().unwrap().commit_us + SHIPPED_AFTER_US);
            for txn in chunk {
                applied.insert(sources[txn.table].token.dir.clone(), txn.seq_txn);
            }
            if at + 1 == plan.snapshot_after {
                bucket.snapshot(files, &sources, &applied);
            }
        }
        let last_us = txns.last().unwrap().commit_us;
        bucket.journals(files, &sources, &txns, last_us);
        if plan.cleaned {
            bucket.clean(files, &sources);
        }
        bucket.hints();
        bucket
    }

    fn new() -> Self {
        let cluster = Cluster::new(ClusterId(0xc1), dir_of(1));
        let objects = BTreeMap::from([(Key::Cluster.to_string(), cluster.to_bytes().unwrap())]);
        Self { objects, point: Point::start(&cluster), index: Vec::new(), snapshot: None }
    }

    /// Puts the next pack, with blobs for what is too long to stand in it.
    pub fn pack(&mut self, mut pack: Pack, committed_us: i64) {
        for entry in &mut pack.tables {
            if let What::Transactions(Run { files, .. }) | What::Created { files } = &mut entry.what {
                for file in files {
                    if let Some((block, key, bytes)) = file.block.moved_out() {
                        self.put(key, bytes);
                        file.block = block;
                    }
                }
            }
        }
        let object = pack.encode(self.head(committed_us, Kind::Pack), None).unwrap();
        self.log(&object, pack.tables.iter().map(|entry| entry.token.dir.clone()).collect());
        self.point.next = self.point.next.next();
    }

    /// Ends the term.
    pub fn seal(&mut self, term: u64, committed_us: i64) {
        let next = dir_of(term);
        let object = Object::bare(self.head(committed_us, Kind::Seal { next }), None);
        self.log(&object, Vec::new());
        let n = self.point.next.n;
        self.point.terms.last_mut().unwrap().seal = Some(n);
        self.point.terms.push(Span { directory: next, first: n + 1, seal: None });
        self.point.next = Place { dir: next, n: n + 1 };
    }

    fn head(&self, committed_us: i64, kind: Kind) -> Head {
        let Point { cluster, next: place, before, .. } = self.point.clone();
        Head { cluster, place, committed_us, before, kind }
    }

    fn log(&mut self, object: &Object, tables: Vec<String>) {
        let Head { place, committed_us, .. } = *object.head();
        let bytes = object.bytes().len() as u64;
        self.index.push(IndexEntry { directory: place.dir, committed_us, bytes, tables });
        self.put(place.key(), object.bytes().clone());
        self.point.before = object.sum();
    }

    fn put(&mut self, key: Key, bytes: Bytes) {
        self.objects.insert(key.to_string(), bytes);
    }

    fn document(&mut self, key: Key, document: &impl Document) {
        self.put(key, document.to_bytes().unwrap());
    }

    /// The blobs of a copy of the table after this transaction, and the news of it.
    pub fn copy_of(&mut self, files: &(dyn Files + Sync), token: &TableToken, seq_txn: u64) -> What {
        let (sum, bytes) = self.put_copy(files, token, seq_txn);
        What::Base { seq_txn, manifest: sum, manifest_len: bytes, why: "older than the log".into() }
    }

    fn put_copy(&mut self, files: &(dyn Files + Sync), token: &TableToken, seq_txn: u64) -> (Sum, u64) {
        let folder = tempfile::tempdir().unwrap();
        let disk: Arc<dyn Disk> = Arc::new(RealDisk::open(folder.path()).unwrap());
        let mut worker = Worker::new(disk.clone(), token.clone(), CommitMode::NoSync, false);
        let limits = BatchLimits { rows: 1 << 30, bytes: 1 << 30, commits: 1, column: 1 << 30 };
        let reader = DiskReader(&*disk);
        let applied = |reader: &DiskReader<'_>| {
            understudy::wal::Applied::read(reader, &token.dir).map_or(0, |applied| applied.seq_txn)
        };
        while applied(&reader) < seq_txn {
            let Step::Applied(_) = worker.step(files, limits) else { panic!("{} stands still", token.dir) };
        }
        assert_eq!(applied(&reader), seq_txn);
        let mut base = Base::new(&packed::of(token), seq_txn, 0);
        let mut pieces = Vec::new();
        // With the log's files, which a reader must not take for the log.
        walk(&folder.path().join(&token.dir), "", &mut |path, content| {
            if !path.starts_with("wal") {
                pieces.push((path, 0, compressed(content)));
            }
        });
        let blob = base.bundle(pieces);
        self.put(Key::Blob(Sum::of(&blob)), blob);
        let bytes = base.to_bytes().unwrap();
        let sum = Sum::of(&bytes);
        let len = bytes.len() as u64;
        self.put(Key::Blob(sum), bytes);
        (sum, len)
    }

    /// A snapshot of all tables as they are at the end, and all packs before it gone.
    fn clean(&mut self, files: &(dyn Files + Sync), sources: &[Source]) {
        let ends = sources
            .iter()
            .filter(|source| source.token.kind != TableKind::View && source.history.dropped_at().is_none())
            .map(|source| (source.token.dir.clone(), source.history.txn_count()))
            .collect();
        let n = self.snapshot(files, sources, &ends);
        self.snapshot = None;
        self.document(Key::Clean(0), &Boundary::new(self.point.cluster, n + 1, n));
        let seals: Vec<u64> = self.point.terms.iter().filter_map(|span| span.seal).collect();
        for (number, entry) in self.index.iter().enumerate() {
            if !seals.contains(&(number as u64)) {
                let place = Place { dir: entry.directory, n: number as u64 };
                self.objects.remove(&place.key().to_string());
            }
        }
    }

    /// A snapshot of these tables as of these transactions, behind what was put so far.
    fn snapshot(
        &mut self,
        files: &(dyn Files + Sync),
        sources: &[Source],
        applied: &BTreeMap<String, u64>,
    ) -> u64 {
        let mut parts = Vec::new();
        for Source { token, .. } in sources {
            if let Some(&seq_txn) = applied.get(&token.dir) {
                let (sum, bytes) = self.put_copy(files, token, seq_txn);
                parts.push(Part { name: token.dir.clone(), sum, bytes });
            }
        }
        let manifest = self.point.manifest(parts, None).unwrap();
        self.document(Key::Snapshot(manifest.n), &manifest);
        self.snapshot = Some(manifest.n);
        manifest.n
    }

    fn hints(&mut self) {
        let cluster = self.point.cluster;
        for (k, objects) in self.index.clone().chunks(INDEX_NUMBERS as usize).enumerate() {
            let (k, objects) = (k as u64, objects.to_vec());
            let snapshot = self.snapshot.filter(|n| n / INDEX_NUMBERS == k);
            let block = IndexBlock { format: 1, cluster, k, objects, snapshot };
            self.document(Key::Index(k), &block);
        }
        let last = self.point.last().unwrap();
        let hint =
            HeadHint { format: 1, cluster, directory: last.dir, n: last.n, boundary: None, snapshot: None };
        self.document(Key::Head, &hint);
    }

    /// A shipper, a replica that keeps up, and one that lags.
    fn journals(&mut self, files: &(dyn Files + Sync), sources: &[Source], txns: &[Txn], last_us: i64) {
        let cluster = self.point.cluster;
        let instances = [
            ("primary", "primary", SHIPPED_AFTER_US),
            ("near", "replica", NEAR_AFTER_US),
            ("far", "replica", FAR_AFTER_US),
        ];
        for (node, (name, role, after_us)) in instances.into_iter().enumerate() {
            let node = node as u32;
            let (kind, name) = (role.to_owned(), name.to_owned());
            self.document(Key::Node(node), &Node { format: 1, cluster, name: name.clone(), kind });
            let started = Note::Started { version: "0.1.0".into(), role: role.into() };
            let mut entries = vec![JournalEntry { at_us: txns[0].commit_us, what: started }];
            let mut applied = BTreeMap::new();
            // The far one has not come to the end.
            let until = if name == "far" { txns.len() - txns.len() / 50 } else { txns.len() };
            for chunk in txns[..until].chunks(7) {
                chunk.iter().for_each(|txn| {
                    applied.insert(sources[txn.table].token.dir.clone(), txn.seq_txn);
                });
                let at_us = chunk.last().unwrap().commit_us + after_us;
                entries.push(JournalEntry { at_us, what: Note::Applied { tables: applied.clone() } });
            }
            let at_us = last_us + after_us;
            if role == "replica" {
                let tables = digests(files, sources, &applied);
                entries.push(JournalEntry { at_us, what: Note::Digests { tables } });
            }
            let each = entries.len().div_ceil(3);
            for (k, entries) in entries.chunks(each).enumerate() {
                let mut journal = Journal::new(cluster, node, &name, k as u64);
                journal.written_us = entries.last().unwrap().at_us;
                journal.entries = entries.to_vec();
                self.document(Key::Journal { node, k: k as u64 }, &journal);
            }
        }
    }
}

fn dir_of(term: u64) -> Dir {
    Dir { term: Term(term), writer: WriterId(0x77 + u128::from(term)) }
}

fn by_time(sources: &[Source]) -> Vec<Txn> {
    let mut txns: Vec<Txn> = Vec::new();
    for (table, source) in sources.iter().enumerate() {
        let records = source.history.records.iter().filter(|record| record.seq_txn >= source.from);
        txns.extend(records.map(|record| Txn {
            table,
            seq_txn: record.seq_txn,
            commit_us: record.commit_ts,
        }));
    }
    txns.sort_by_key(|txn| (txn.commit_us, txn.table, txn.seq_txn));
    txns
}

/// The runs of a pack: neighbouring transactions of a table in one.
fn entries(files: &(dyn Files + Sync), sources: &[Source], chunk: &[Txn]) -> Vec<TableEntry> {
    let mut runs: BTreeMap<usize, (u64, u64)> = BTreeMap::new();
    for txn in chunk {
        runs.entry(txn.table).or_insert((txn.seq_txn, txn.seq_txn)).1 = txn.seq_txn;
    }
    let entry = |(table, (first, last)): (usize, (u64, u64))| {
        let source = &sources[table];
        TableEntry {
            token: packed::of(&source.token),
            what: What::Transactions(run(files, &source.token.dir, first, last)),
        }
    };
    runs.into_iter().map(entry).collect()
}

pub fn run(files: &(dyn Files + Sync), dir: &str, first: u64, last: u64) -> Run {
    packed::run(files, dir, first, last, compressed)
}

/// By zstd, as a shipper does, where that makes it shorter.
fn compressed(raw: Bytes) -> Block {
    let stored = ruzstd::encoding::compress_to_vec(&raw[..], ruzstd::encoding::CompressionLevel::Fastest);
    if raw.len() < 64 || stored.len() >= raw.len() {
        return Block::of(raw, Codec::Stored).unwrap();
    }
    Block::compressed(Codec::Zstd, raw.len() as u64, stored.into())
}

fn digests(
    files: &(dyn Files + Sync),
    sources: &[Source],
    applied: &BTreeMap<String, u64>,
) -> BTreeMap<String, (u64, String)> {
    let mut out = BTreeMap::new();
    for source in sources {
        let Some(&seq_txn) = applied.get(&source.token.dir) else { continue };
        let mut player = Player::new(source.history.clone()).unwrap();
        player.seek(files, seq_txn).unwrap();
        out.insert(source.token.dir.clone(), (seq_txn, player.table().digest().to_string()));
    }
    out
}

#[expect(clippy::disallowed_methods, reason = "a native test reads files")]
fn walk(dir: &std::path::Path, below: &str, each: &mut dyn FnMut(String, Bytes)) {
    let mut entries: Vec<_> = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap()).collect();
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let path = format!("{below}{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            walk(&entry.path(), &format!("{path}/"), each);
        } else {
            each(path, std::fs::read(entry.path()).unwrap().into());
        }
    }
}
