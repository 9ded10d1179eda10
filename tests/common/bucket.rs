//! A bucket in a directory, written as a shipper would: packs of a recording's tables, copies, snapshots.
#![allow(dead_code, unreachable_pub, reason = "each test uses its own part")]
#![allow(clippy::disallowed_methods, clippy::unwrap_used, reason = "a native test writes files")]

use crate::packed;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use understudy::ledger::*;
use understudy::native::bucket::{self, Bucket};
use understudy::native::store::{CommitMode, Disk, FileTable, RealDisk, Worker};
use understudy::table::files::read::AppliedTable;
use understudy::wal::{Files, Noted, Piece, TableKind, TableToken};

/// A cluster's bucket with one writer.
pub struct TestBucket {
    root: tempfile::TempDir,
    writer: Writer,
    cluster: Cluster,
}

impl TestBucket {
    /// An empty log of this cluster.
    pub fn new(id: u128) -> Self {
        let dir = Dir { term: Term(1), writer: WriterId(id) };
        let cluster = Cluster::new(ClusterId(id), dir);
        let root = tempfile::tempdir().unwrap();
        let writer = Writer::new(Point::start(&cluster), 1);
        let this = Self { root, writer, cluster };
        this.write(Key::Cluster, &this.cluster.to_bytes().unwrap());
        this
    }

    pub fn path(&self) -> &Path {
        self.root.path()
    }

    pub fn open(&self) -> Bucket {
        let connection = format!("fs::root={};", self.root.path().display()).parse().unwrap();
        bucket::open(&connection, bucket::RequestLimits::default()).unwrap()
    }

    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// Behind all that was put.
    pub fn point(&self) -> Point {
        self.writer.point().unwrap().clone()
    }

    /// Puts a pack of these entries; answers its number.
    pub fn put(&mut self, tables: Vec<TableEntry>) -> u64 {
        let mut pack = Pack { tables, ..Pack::default() };
        let files = pack.tables.iter_mut().flat_map(|entry| match &mut entry.what {
            What::Transactions(Run { files, .. }) | What::Created { files } => files.as_mut_slice(),
            _ => &mut [],
        });
        let mut blobs = Vec::new();
        for piece in files {
            if let Some((moved, _, bytes)) = piece.block.moved_out() {
                blobs.push(bytes);
                piece.block = moved;
            }
        }
        blobs.iter().for_each(|bytes| self.blob(bytes));
        let head = Head { committed_us: 1_700_000_000_000_000, ..self.writer.slot().unwrap() };
        let object = pack.encode(head, None).unwrap();
        self.writer.offer(object.clone()).unwrap();
        let Some(Action::Put { key, .. }) = self.writer.poll() else { panic!("it is to be put") };
        self.write(key, object.bytes());
        self.writer.put_answered(key, PutAnswer::Stored);
        object.head().place.n
    }

    pub fn blob(&self, bytes: &[u8]) {
        self.write(Key::Blob(Sum::of(bytes)), bytes);
    }

    /// Ends the term; another writer goes on.
    pub fn seal(&mut self) {
        let point = self.point();
        let term = point.next.dir.term.next().unwrap();
        let next = Dir { term, writer: WriterId(u128::from(term.0) << 64) };
        let head = Head { kind: Kind::Seal { next }, committed_us: 0, ..self.writer.slot().unwrap() };
        let seal = Object::bare(head, None);
        self.write(head.place.key(), seal.bytes());
        let mut reader = Reader::new(point);
        while let Some(Action::Get { key }) = reader.next() {
            let answer = match fs::read(self.root.path().join(key.to_string())) {
                Ok(bytes) => GetAnswer::Found(bytes.into()),
                Err(_) => GetAnswer::NotFound,
            };
            if let Some(Event::Missing) = reader.got(&answer) {
                break;
            }
        }
        self.writer = Writer::new(reader.point().clone(), 1);
    }

    /// Puts a snapshot of these copies as of now, and has the hint name it.
    pub fn snapshot(&self, parts: Vec<Part>) -> u64 {
        let manifest = self.point().manifest(parts, None).unwrap();
        self.write(Key::Snapshot(manifest.n), &manifest.to_bytes().unwrap());
        manifest.n
    }

    pub fn hint(&self, snapshot: u64) {
        let Place { dir, n } = self.point().last().unwrap();
        let cluster = self.cluster.cluster;
        let hint =
            HeadHint { format: 1, cluster, directory: dir, n, boundary: None, snapshot: Some(snapshot) };
        self.write(Key::Head, &hint.to_bytes().unwrap());
    }

    /// Deletes all packs up to a snapshot, as a cleaner would.
    pub fn clean(&self, k: u64, snapshot: u64) {
        let boundary = Boundary::new(self.cluster.cluster, snapshot + 1, snapshot);
        self.write(Key::Clean(k), &boundary.to_bytes().unwrap());
        let dir = self.point().next.dir;
        for n in 0..=snapshot {
            let _ = fs::remove_file(self.root.path().join(Place { dir, n }.key().to_string()));
        }
    }

    /// Puts the blobs of a table's copy as `files` have it applied; answers the blob that lists them, its length, and the
    /// last transaction in it.
    pub fn copy(&self, files: &dyn Files, token: &TableToken) -> (Sum, u64, u64) {
        let noted = Noted::new(files);
        let scratch = tempfile::tempdir().unwrap();
        let (seq_txn, rows) = if token.kind == TableKind::View {
            for file in files.list(&token.dir).unwrap().unwrap() {
                let _ = noted.read_all(&format!("{}/{file}", token.dir), 1 << 20);
            }
            for file in files.list(&format!("{}/txn_seq", token.dir)).unwrap().unwrap() {
                let _ = noted.read_all(&format!("{}/txn_seq/{file}", token.dir), 1 << 20);
            }
            (understudy::wal::Applied::read(files, &token.dir).unwrap().seq_txn, 0)
        } else {
            let disk: Arc<dyn Disk> = Arc::new(RealDisk::open(scratch.path()).unwrap());
            FileTable::create_from(disk, &noted, token, CommitMode::NoSync).unwrap();
            let applied = AppliedTable::read(files, token).unwrap().applied;
            (applied.seq_txn, applied.rows)
        };
        let mut base = Base::new(&packed::of(token), seq_txn, rows);
        let mut bundles: Vec<Vec<(String, u64, Block)>> = vec![Vec::new(), Vec::new(), Vec::new()];
        for Piece { path, offset, bytes } in noted.pieces() {
            let path = path.strip_prefix(&format!("{}/", token.dir)).unwrap().to_owned();
            let bundle =
                if !path.contains('/') || path.starts_with("txn_seq") { 0 } else { 1 + path.len() % 2 };
            bundles[bundle].push((path, offset, Block::of(bytes, Codec::Lz4).unwrap()));
        }
        for pieces in bundles {
            let blob = base.bundle(pieces);
            self.blob(&blob);
        }
        let manifest = base.to_bytes().unwrap();
        self.blob(&manifest);
        (Sum::of(&manifest), manifest.len() as u64, seq_txn)
    }

    fn write(&self, key: Key, bytes: &[u8]) {
        let path = self.root.path().join(key.to_string());
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
}

pub fn entry(token: &TableToken, what: What) -> TableEntry {
    TableEntry { token: packed::of(token), what }
}

/// That a table was made.
pub fn created(files: &dyn Files, token: &TableToken) -> TableEntry {
    entry(token, packed::created(files, token, packed::lz4))
}

/// Transactions of a table.
pub fn run(files: &dyn Files, token: &TableToken, first: u64, last: u64) -> TableEntry {
    entry(token, What::Transactions(packed::run(files, &token.dir, first, last, packed::lz4)))
}

/// A table's directory with the log applied up to a transaction.
pub fn applied(files: &(dyn Files + Sync), token: &TableToken, last: u64) -> tempfile::TempDir {
    use understudy::apply::backlog::BatchLimits;
    use understudy::native::store::Step;
    let folder = tempfile::tempdir().unwrap();
    let disk: Arc<dyn Disk> = Arc::new(RealDisk::open(folder.path()).unwrap());
    let mut worker = Worker::new(disk, token.clone(), CommitMode::NoSync, false);
    let limits = BatchLimits { rows: 1 << 30, bytes: 1 << 30, commits: 1, column: 1 << 30 };
    while worker.progress().0 < last {
        let Step::Applied(_) = worker.step(files, limits) else { panic!("{:?}", worker.failure()) };
    }
    folder
}
