//! Starting: the cluster, what its log says, the writer's place; and ending.

use super::blocks::Packing;
use super::files::BesideFiles;
use super::hints::Tell;
use super::learned::{Known, Learned};
use super::links::Links;
use super::poll::Poll;
use super::requests::{self, Requests, policies_folder};
use super::send::{Ended, Sender};
use super::tables::{State, Tables, Tracked};
use super::{
    Counts, Listen, Options, Report, Shared, cleaning, copying, digests, divergent, hints, run, snapshot,
};
use crate::ledger::{Base, Cluster, ClusterId, Document, Key, Manifest, Note, Place, Point, Reader, WINDOW};
use crate::native::bucket::Bucket;
use crate::native::cluster::{
    Claimed, Heard, JournalWriter, PackWriter, claim, found, get_blob, join, newest_snapshot, register,
};
use crate::native::outcome::{Exit, Failure};
use crate::native::policies::{self, PolicyTable};
use crate::native::store::lock::DirectoryLock;
use crate::native::whole_file;
use crate::wal::{Registry, SequencerLog};
use std::collections::BTreeMap;
use std::future::Future;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;

/// The file in the shipper's own folder that says which cluster it belongs to.
const CLUSTER: &str = "cluster";
/// How often progress is told.
const TELL_EVERY: Duration = Duration::from_secs(1);
/// How long the last hints may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a registry that can't be read is waited for at the start.
const BEGINNING: Duration = Duration::from_secs(10);

/// Ships until `stop` is ready, or the shipper can't go on.
///
/// # Errors
/// When it can't begin, or a person has to look.
pub async fn ship(
    options: Options,
    bucket: Bucket,
    listen: Arc<dyn Listen>,
    stop: impl Future<Output = ()>,
) -> Result<Report, Failure> {
    let own = options.own.clone();
    let links = super::links::folder(&own);
    std::fs::create_dir_all(&links)
        .map_err(|error| Failure::failed(format!("{}: {error}", links.display())))?;
    let _lock = DirectoryLock::take(&own).map_err(|_held| {
        Failure::failed(format!("{} is in use by another shipper", own.display()))
            .advise("one `understudy ship` for a database is enough; stop the other one first")
    })?;
    let known = known_cluster(&own)?;
    let (cluster, mine) = match known {
        Some(_) => (join(&bucket, known).await?, false),
        None => found(&bucket).await?,
    };
    let mut learned = Learned::default();
    let point = if mine {
        Point::start(&cluster)
    } else {
        listen.note(&format!("reading the log of cluster {}", cluster.cluster));
        claim_place(&bucket, &cluster, &mut learned).await?
    };
    if known.is_none() {
        check_database(&options, &learned)?;
    }
    keep_cluster(&own, cluster.cluster)?;
    let node = register(&bucket, cluster.cluster, &options.name, "shipper").await?;
    let journal = JournalWriter::start(bucket.clone(), cluster.cluster, node, &options.name);
    let version = env!("CARGO_PKG_VERSION").to_owned();
    journal.note(Note::Started { version, role: "primary".into() });
    let begun =
        format!("shipping {} to {} from number {}", options.db.display(), bucket.place(), point.next.n);
    listen.note(&begun);
    let (hints, told) = mpsc::unbounded_channel();
    let log = std::mem::take(&mut learned.policies);
    let table = PolicyTable::load(&policies_folder(&own), &bucket, log).await?;
    let files = BesideFiles::open(&options.db, &own)?;
    wait_for_registry(&files).await;
    let requests = Requests::new(cluster.cluster, table, learned.requests, &files)?;
    let shared = Arc::new(share(options, listen, journal.clone(), &learned, requests, hints)?);
    let policies = shared.requests().acknowledged;
    if policies > 0 {
        shared.journal.applied(policies::DIR, policies);
    }
    if !mine {
        shared.confirm(point.clone(), learned.requests);
    }
    shared.handed_in.store(point.next.n, Ordering::Relaxed);
    // What another writer has sent counts as this one's from here on.
    for (dir, known) in learned.tables.iter().filter(|(_, known)| !known.dropped) {
        shared.journal.applied(dir, known.last);
    }
    let hinting = tokio::spawn(hints::run(bucket.clone(), cluster.cluster, learned.indexed, told));
    check_learned(&shared);
    let writer = PackWriter::start(bucket.clone(), point, WINDOW, shared.options.signer.clone());
    let report = match work(&shared, bucket.clone(), cluster.cluster, writer, stop).await {
        Ok((Ended::Fenced(place), reached, next)) => {
            fenced(&shared, &bucket, cluster.cluster, place, &reached).await;
            finish(&shared, Ended::Fenced(place), next)
        }
        Ok((ended, _, next)) => finish(&shared, ended, next),
        Err(failure) => Err(failure),
    };
    let why = match &report {
        Ok(report) if report.fenced => "fenced: another process continues the history".to_owned(),
        Ok(_) => "asked to".to_owned(),
        Err(failure) => failure.message.clone(),
    };
    journal.note(Note::Stopped { why });
    journal.close().await;
    drop(shared);
    let _ = tokio::time::timeout(PATIENCE, hinting).await;
    report
}

/// Sends until `stop` is ready, or it can't go on; answers how it ended, what of each table is in packs below the place at
/// which it was fenced, and the first number that was not used.
pub(super) async fn work(
    shared: &Arc<Shared>,
    bucket: Bucket,
    cluster: ClusterId,
    writer: PackWriter,
    stop: impl Future<Output = ()>,
) -> Result<(Ended, BTreeMap<String, u64>, u64), Failure> {
    shared.rebase()?;
    let packing =
        Arc::new(Packing::new(shared.options.compression_level, shared.options.compression_threads)?);
    let starting = shared.clone();
    let poll = tokio::task::spawn_blocking(move || Poll::start(starting));
    let poll = poll.await.map_err(|error| Failure::failed(error.to_string()))??;
    if shared.options.once {
        shared.stop.store(true, Ordering::Relaxed);
    }
    let (looking, polled) = (shared.clone(), Arc::new(Notify::new()));
    let told = polled.clone();
    let thread = std::thread::Builder::new().name("ship-poll".into()).spawn(move || {
        poll.run();
        looking.polled.store(true, Ordering::Release);
        looking.stopping.notify_one();
        told.notify_one();
    });
    thread.map_err(|error| Failure::failed(format!("no thread to look for news on: {error}")))?;
    let mut beside = JoinSet::new();
    beside.spawn(requests::run(shared.clone(), bucket.clone()));
    beside.spawn(copying::run(shared.clone(), packing.clone(), bucket.clone()));
    if !shared.options.once || shared.options.snapshot_now {
        beside.spawn(snapshot::run(shared.clone(), packing.clone(), bucket.clone()));
    }
    if let Some(cleaning) = shared.options.cleaning
        && !shared.options.once
    {
        beside.spawn(cleaning::run(shared.clone(), bucket.clone(), cluster, cleaning));
    }
    if !shared.options.once && shared.options.digest_rate > 0 {
        beside.spawn(digests::run(shared.clone()));
    }
    let acknowledged = writer.acknowledged();
    let sending = Sender::new(shared.clone(), packing, bucket.clone(), writer).run();
    tokio::pin!(sending, stop);
    let mut telling = tokio::time::interval(TELL_EVERY);
    let mut stopped = false;
    let (ended, reached) = loop {
        tokio::select! {
            ended = &mut sending => break ended,
            () = &mut stop, if !stopped => {
                stopped = true;
                shared.stop.store(true, Ordering::Relaxed);
            }
            _ = telling.tick() => shared.listen.progress(&shared.progress()),
        }
    };
    shared.stop.store(true, Ordering::Relaxed);
    polled.notified().await;
    beside.shutdown().await;
    let next = *acknowledged.borrow();
    Ok((ended, reached, next))
}

/// Said before anything else: clients have to be kept from this server. Then what is lost is written down.
async fn fenced(
    shared: &Shared,
    bucket: &Bucket,
    cluster: ClusterId,
    place: Place,
    reached: &BTreeMap<String, u64>,
) {
    shared.listen.fenced();
    shared.warn(format!(
        "FENCED: another process continues the history behind {place}. What this QuestDB commits reaches no replica"
    ));
    if let Some(command) = &shared.options.on_fence {
        let (shell, flag) = if cfg!(windows) { ("cmd", "/C") } else { ("sh", "-c") };
        match std::process::Command::new(shell).args([flag, command]).status() {
            Ok(status) => shared.note(format!("the command for being fenced ended with {status}")),
            Err(error) => shared.warn(format!("the command for being fenced can't be run: {error}")),
        }
    }
    let report = divergent::report(shared, cluster, place, reached);
    let lost =
        report.tables.iter().map(|table| (table.directory.clone(), (table.first, table.last))).collect();
    shared.journal(Note::Fenced { n: place.n, lost });
    for table in &report.tables {
        let (name, first, last) = (&table.name, table.first, table.last);
        shared.warn(format!("{name}: transactions {first} to {last} are not in the history"));
    }
    if report.tables.is_empty() {
        return;
    }
    match divergent::put(bucket, place.dir, &report).await {
        Ok(key) => {
            shared.note(format!("{key} has what is not in the history; `understudy divergent` shows it"))
        }
        Err(failure) => shared.warn(format!("no report of it can be written: {}", failure.message)),
    }
}

pub(super) fn finish(shared: &Shared, ended: Ended, next: u64) -> Result<Report, Failure> {
    let stopped_of = |table: &Tracked| Some((table.token.name.clone(), table.obstacle()?.to_owned()));
    let stopped = shared.tables.lock().values().filter_map(stopped_of).collect();
    let report = Report { progress: shared.progress(), next, fenced: false, stopped };
    match ended {
        Ended::Done => Ok(report),
        Ended::Unsettled => {
            shared.warn("the bucket did not take all in time; the rest is sent at the next start");
            Ok(report)
        }
        Ended::Fenced(_) => Ok(Report { fenced: true, ..report }),
        Ended::Failed(failure) => Err(failure),
    }
}

/// Reads the log to its end and becomes its writer.
async fn claim_place(bucket: &Bucket, cluster: &Cluster, learned: &mut Learned) -> Result<Point, Failure> {
    let mut reader = match newest_snapshot(bucket, cluster).await {
        Some(manifest) => {
            learned.snapshot(&manifest, bases(bucket, &manifest).await?);
            learned.indexed.snapshot(manifest.n);
            Reader::new(Point::behind(&manifest))
        }
        None => Reader::of(cluster),
    };
    loop {
        let each = async |heard: Heard<'_>| match heard {
            Heard::Pack(object) => learned.pack(object),
            Heard::Snapshot(manifest) => {
                learned.snapshot(manifest, bases(bucket, manifest).await?);
                learned.indexed.snapshot(manifest.n);
                Ok(())
            }
        };
        match claim(bucket, reader, each).await? {
            Claimed::Won(point) => return Ok(*point),
            // Another one was quicker: what it wrote meanwhile is read, then it is its turn to stop.
            Claimed::StoodDown(followed) => reader = *followed,
        }
    }
}

async fn bases(bucket: &Bucket, manifest: &Manifest) -> Result<Vec<Base>, Failure> {
    let mut bases = Vec::with_capacity(manifest.parts.len());
    for part in &manifest.parts {
        let bytes = get_blob(bucket, part.sum).await?;
        let base = Base::read(Key::Blob(part.sum), &bytes);
        bases.push(base.map_err(|error| Failure::new(Exit::Damaged, error.to_string()))?);
    }
    Ok(bases)
}

pub(super) fn share(
    options: Options,
    listen: Arc<dyn Listen>,
    journal: JournalWriter,
    learned: &Learned,
    requests: Requests,
    hints: mpsc::UnboundedSender<Tell>,
) -> Result<Shared, Failure> {
    let tables = Tables::default();
    for (dir, known) in &learned.tables {
        if !known.dropped {
            tables.lock().insert(dir.clone(), Tracked::known(known));
        }
    }
    let mut links = Links::open(&options.db, &options.own)?;
    for dir in links.tables().unwrap_or_default() {
        if learned.tables.get(&dir).is_some_and(|known| known.dropped) {
            // Nobody needs them; what stays is no harm.
            let _ = links.forget(&dir);
        }
    }
    Ok(Shared {
        options,
        tables,
        links: Mutex::new(links),
        listen,
        journal,
        stop: AtomicBool::new(false),
        stopping: Notify::new(),
        polled: AtomicBool::new(false),
        news: Notify::new(),
        copies: Notify::new(),
        counts: Counts::default(),
        trouble: Mutex::default(),
        handed_in: AtomicU64::new(0),
        confirmed: Mutex::default(),
        hints,
        digests: Mutex::default(),
        snapshots: AtomicU64::new(0),
        requests: Mutex::new(requests),
    })
}

impl Tracked {
    /// A table that the log has.
    fn known(known: &Known) -> Self {
        let table = known.token.as_registered(false);
        Self {
            shipped: Some(known.last),
            acknowledged: known.last,
            evidence: known.evidence.clone(),
            ..Self::new(&table)
        }
    }
}

impl Shared {
    /// Has the tables that an operator named begin anew.
    fn rebase(&self) -> Result<(), Failure> {
        if self.options.rebase.is_empty() {
            return Ok(());
        }
        let files = BesideFiles::open(&self.options.db, &self.options.own)?;
        let registry = Registry::read(&files)?;
        for name in &self.options.rebase {
            let token =
                registry.find(name).or_else(|| registry.tables.iter().find(|token| token.dir == *name));
            let Some(token) = token.filter(|token| !token.dropped) else {
                return Err(Failure::failed(format!("--rebase {name}: there is no such table")));
            };
            let why = "an operator asked for it".to_owned();
            let mut tables = self.tables.lock();
            let table = tables.entry(token.dir.clone()).or_insert_with(|| Tracked::new(token));
            table.state = State::Wanting { why, at_least: 0 };
        }
        Ok(())
    }
}

/// Compares the logs with what the bucket has of them.
fn check_learned(shared: &Shared) {
    let tables: Vec<String> = shared.tables.lock().keys().cloned().collect();
    for dir in tables {
        if let Some(why) = compare(shared, &dir) {
            shared.stop_table(&dir, why);
        }
    }
}

/// How the log of a table contradicts what was sent of it.
pub(super) fn compare(shared: &Shared, dir: &str) -> Option<String> {
    let table = shared.tables.lock().get(dir).cloned()?;
    let shipped = table.shipped.filter(|_| !table.is_view())?;
    let files = BesideFiles::open(&shared.options.db, &shared.options.own).ok()?;
    // One that is gone was dropped.
    let log = SequencerLog::open(&files, dir).ok()?;
    if log.max_txn < shipped {
        return Some(rewritten(dir, log.max_txn + 1, &format!("its log ends at {}", log.max_txn)));
    }
    let now = |seq_txn| run::raw_records(&files, &log, seq_txn, seq_txn).ok()?.pop();
    // Parts of a log that are deleted tell nothing.
    let kept = log.first_record(&files).ok()?;
    let known = |seq_txn| if seq_txn < kept { table.evidence.record(seq_txn) } else { now(seq_txn) };
    let differs = table.evidence.differs(known)?;
    let text = |record: Option<bytes::Bytes>| record.map_or("none".into(), |bytes| hex(&bytes));
    let (sent, there) = (text(table.evidence.record(differs)), text(now(differs)));
    Some(rewritten(dir, differs, &format!("it was sent as {sent}, and is {there} now")))
}

/// That a log was rewritten, and what to do.
pub(super) fn rewritten(dir: &str, seq_txn: u64, how: &str) -> String {
    format!(
        "from transaction {seq_txn} on its log is not the one that was sent: {how}. Was the database restored? \
         `understudy ship --rebase {dir}` sends the table anew"
    )
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Waits while a server that has just begun writes its registry; one that stays unreadable is told by whoever needs it.
async fn wait_for_registry(files: &BesideFiles) {
    let begun = Instant::now();
    while begun.elapsed() < BEGINNING && Registry::read(files).is_err() {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Refuses a bucket that holds the history of another database.
fn check_database(options: &Options, learned: &Learned) -> Result<(), Failure> {
    if learned.live().next().is_none() {
        return Ok(());
    }
    let files = BesideFiles::open(&options.db, &options.own)?;
    let registry = Registry::read(&files)?;
    let is_there = |known: &Known| registry.tables.iter().any(|token| token.dir == known.token.dir);
    if learned.live().any(is_there) {
        return Ok(());
    }
    let failure =
        format!("the bucket holds the history of a database without any table of {}", options.db.display());
    Err(Failure::failed(failure).advise("give --to an empty place, or --db the database that it belongs to"))
}

fn known_cluster(own: &Path) -> Result<Option<ClusterId>, Failure> {
    let path = own.join(CLUSTER);
    let failed = |error: &dyn std::fmt::Display| Failure::failed(format!("{}: {error}", path.display()));
    match std::fs::read_to_string(&path) {
        Ok(text) => text.trim().parse().map(Some).map_err(|error| failed(&error)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(&error)),
    }
}

fn keep_cluster(own: &Path, cluster: ClusterId) -> Result<(), Failure> {
    let path = own.join(CLUSTER);
    whole_file::replace(&path, format!("{cluster}\n").as_bytes(), false)
        .map_err(|error| Failure::failed(format!("{}: {error}", path.display())))
}
