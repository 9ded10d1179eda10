//! A node of a cluster: its directory is a replica's or a primary's, as its machine decides.

mod recall;
mod serve;

use self::recall::recall;
use super::gate::Gate;
use super::keeper::Keeper;
use super::lines::Lines;
use super::orders::NodeStatus;
use super::pilot::{Command, Means, Order, Pilot};
use super::reading::{Food, feed, read};
use super::standalone::{Standalone, StandaloneOptions};
use super::{aside, orders};
use crate::ledger::{ClusterId, Loaded, Place, Point, Signer};
use crate::native::bucket::Bucket;
use crate::native::cluster::register;
use crate::native::line_http::{Limits, Server};
use crate::native::outcome::{Exit, Failure, Result};
use crate::native::primary::purge;
use crate::native::replica::{Replica, ReplicaOptions, take_over};
use crate::native::ship::{self, Listen};
use crate::native::store::RealDisk;
use crate::node::{Config, Event, Held, Reason, Refusal, Role};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;

/// What an instance's registration says that it is.
const KIND: &str = "replica";
/// How long a step of the replica waits for news.
const STEP: Duration = Duration::from_millis(100);
/// How long tables have to come level with their log before the directory is somebody else's.
const SETTLE: Duration = Duration::from_secs(60);

/// How a [`Member`] runs.
#[derive(Debug, Clone)]
pub struct MemberOptions {
    /// How its machine behaves; the seed is drawn when it starts.
    pub machine: Config,
    /// How it follows.
    pub replica: ReplicaOptions,
    /// How it takes lines.
    pub lines: StandaloneOptions,
    /// Where it takes lines, if it does.
    pub bind: Option<(SocketAddr, Limits)>,
    /// How it ships what it takes; `db` and `own` are set when it starts.
    pub ship: ship::Options,
    /// Run when another process continues its history.
    pub on_fence: Option<String>,
    /// Signs packs.
    pub signer: Option<Arc<Signer>>,
    /// How often what is applied and durable is removed from the log.
    pub purge: Duration,
}

/// What happened to a node that its owner may want to know.
pub trait Watch: Send + Sync {
    /// It has this role.
    fn role(&self, _role: Role) {}
    /// It takes writes, or why not.
    fn accepts(&self, _refusal: Option<Refusal>) {}
    /// How it stands has changed.
    fn status(&self, _status: &NodeStatus) {}
    /// A replica has done something.
    fn replica(&self, _replica: &Replica) {}
}

/// A node of a cluster.
pub struct Member {
    options: MemberOptions,
    dir: PathBuf,
    bucket: Bucket,
    listen: Arc<dyn Listen>,
    watch: Arc<dyn Watch>,
    runtime: Runtime,
    commands: mpsc::UnboundedSender<Command>,
    orders: Receiver<Order>,
    food: mpsc::UnboundedSender<Food>,
    lines: Arc<Lines>,
    server: Option<Server>,
    state: State,
    cluster: Option<ClusterId>,
    /// Its number in the cluster.
    number: Option<u32>,
    /// What it told the machine last that is applied.
    applied: u64,
    purged: Instant,
    held: Held,
    gate: Arc<Gate>,
}

enum State {
    /// Between two roles.
    None,
    Replica(Box<Replica>),
    Primary {
        node: Arc<Standalone>,
        shipper: tokio::task::JoinHandle<()>,
    },
}

/// Ends a [`Member`] from another thread.
#[derive(Debug, Clone)]
pub struct Stopper(mpsc::UnboundedSender<Command>);

impl Stopper {
    /// Has it end: a primary uploads what it has first.
    pub fn stop(&self) {
        // One that has ended needs no telling.
        let _ = self.0.send(Command::Event(Event::Stop));
    }
}

impl Member {
    /// Takes the directory up where it was left.
    ///
    /// # Errors
    /// What can't be read, an address that can't be had.
    pub fn start(
        bucket: Bucket,
        mut options: MemberOptions,
        listen: Arc<dyn Listen>,
        watch: Arc<dyn Watch>,
    ) -> Result<Self> {
        let dir = options.replica.dir.clone();
        options.ship.db = dir.join("db");
        options.ship.own = dir.join("understudy/ship");
        options.machine.migrate = orders::wants_migration(&dir);
        options.machine.seed = crate::native::cluster::random_id()?;
        let keeper = Keeper::open(&dir)?;
        let (kept, requests, number) = recall(&dir, &keeper)?;
        let runtime = Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .map_err(|error| Failure::failed(format!("no threads: {error}")))?;
        let begun = Instant::now();
        let gate = Arc::new(Gate::new(begun, kept.role(options.machine.role)));
        let lines = Arc::new(Lines::new(gate.clone()));
        let server = match options.bind {
            Some((address, limits)) => {
                Some(runtime.block_on(Server::start(address, lines.clone(), limits))?)
            }
            None => None,
        };
        let (commands, commanded) = mpsc::unbounded_channel();
        let (orders_to, orders) = channel();
        let (asks, asked) = mpsc::unbounded_channel();
        let (answers, answered) = mpsc::unbounded_channel();
        let (food, fed) = mpsc::unbounded_channel();
        let waiting: Arc<AtomicU64> = Arc::default();
        let means = Means {
            dir: dir.clone(),
            bucket: bucket.clone(),
            keeper,
            gate: gate.clone(),
            signer: options.signer.clone(),
            commands: commanded,
            orders: orders_to.clone(),
            asks,
            read: answered,
            food: food.clone(),
            waiting: waiting.clone(),
        };
        let cluster = kept.cluster.filter(|_| !kept.founding);
        let joins = cluster.is_some() || options.machine.role != Role::Primary || options.machine.migrate;
        let replicates = joins && !kept.wrote;
        {
            let _inside = runtime.enter();
            runtime.spawn(read(bucket.clone(), asked, answers, waiting.clone()));
            let loaded = {
                let orders = orders_to.clone();
                move |what| drop(orders.send(Order::Loaded(what)))
            };
            let failed = move |failure| drop(orders_to.send(Order::Failed(failure)));
            let trusted = options.replica.trusted.clone();
            runtime.spawn(feed(bucket.clone(), trusted, fed, waiting, loaded, failed));
        }
        let mut member = Self {
            dir,
            bucket,
            listen,
            watch,
            commands,
            orders,
            food,
            lines,
            server,
            state: State::None,
            cluster,
            number,
            applied: kept.point.as_ref().map_or(0, |point| point.next.n),
            purged: Instant::now(),
            held: kept.held.clone(),
            gate,
            options,
            runtime,
        };
        if replicates {
            member.replicate()?;
        }
        let pilot = Pilot::new(member.options.machine.clone(), kept, requests, begun, means);
        member.runtime.spawn(pilot.run());
        Ok(member)
    }

    /// Where it takes lines.
    pub fn address(&self) -> Option<SocketAddr> {
        self.server.as_ref().map(|server| server.address)
    }

    /// Ends it from another thread.
    pub fn stopper(&self) -> Stopper {
        Stopper(self.commands.clone())
    }

    /// Runs until it ends.
    ///
    /// # Errors
    /// When it can't go on.
    pub fn run(mut self) -> Result<Exit> {
        loop {
            let order = match &mut self.state {
                State::Replica(replica) => {
                    replica.step(STEP)?;
                    replica.said().iter().for_each(|text| self.listen.warn(text));
                    replica.noted().iter().for_each(|text| self.listen.note(text));
                    self.watch.replica(replica);
                    let next = replica.next().next.n;
                    if next != self.applied {
                        self.applied = next;
                        self.tell(Event::Applied { next });
                    }
                    self.orders.try_recv().ok()
                }
                _ => match self.orders.recv_timeout(STEP) {
                    Ok(order) => Some(order),
                    Err(RecvTimeoutError::Timeout) => None,
                    Err(RecvTimeoutError::Disconnected) => {
                        return Err(Failure::failed("the node's machine has ended"));
                    }
                },
            };
            if let Some(order) = order
                && let Some(exit) = self.carry_out(order)?
            {
                return self.finish(exit);
            }
            self.watch.accepts(self.gate.refusal());
            self.purge();
        }
    }

    fn tell(&self, event: Event) {
        // A machine that has ended says so itself.
        let _ = self.commands.send(Command::Event(event));
    }

    fn carry_out(&mut self, order: Order) -> Result<Option<Reason>> {
        match order {
            Order::Replicate { cluster, point } => self.demote(cluster, point.as_deref())?,
            Order::Open { point, held, requests } => self.open(*point, held, requests)?,
            Order::SetAside { sealed, held } => self.set_aside(sealed, &held)?,
            Order::Rewind => {
                self.close_primary();
                aside::rewind(&self.dir)?;
                self.listen.note("the tables are taken back: they begin anew with what the history holds");
                self.tell(Event::Rewound { point: None, held: Held::new() });
            }
            Order::Loaded(loaded) => {
                let held = match &self.state {
                    State::Replica(replica) => replica.applied(),
                    _ => Held::new(),
                };
                if let (Loaded::Done, State::Replica(replica)) = (loaded, &self.state) {
                    self.applied = replica.next().next.n;
                }
                self.tell(Event::Loaded { loaded, held });
            }
            Order::Role { role, why } => {
                self.listen.note(&format!("{role}: {}", super::why(&why)));
                self.watch.role(role);
            }
            Order::Refused(why) => {
                let text = super::why_refused(why);
                match why {
                    Refusal::SelfStop | Refusal::Fenced => self.listen.warn(text),
                    _ => self.listen.note(text),
                }
                if why == Refusal::Fenced {
                    self.fenced();
                }
            }
            Order::Status(status) => self.watch.status(&status),
            Order::Note(text) => self.listen.note(&text),
            Order::Warn(text) => self.listen.warn(&text),
            Order::Failed(failure) => return Err(failure),
            Order::Exit(why) => return Ok(Some(why)),
        }
        Ok(None)
    }

    /// A replica of the log from where the directory stands.
    fn replicate(&mut self) -> Result<()> {
        let (replica, feed) = Replica::fed(self.bucket.clone(), self.options.replica.clone())?;
        (self.cluster, self.number) = (Some(replica.cluster()), Some(replica.number()));
        self.applied = replica.next().next.n;
        // The feeder lives as long as this node.
        let _ = self.food.send(Food::Replica(feed, replica.waker()));
        self.state = State::Replica(Box::new(replica));
        Ok(())
    }

    /// The tables are those of the history before the point; without one there are none.
    fn demote(&mut self, cluster: ClusterId, point: Option<&Point>) -> Result<()> {
        if matches!(self.state, State::Replica(_)) {
            return Ok(());
        }
        self.close_primary();
        self.cluster = Some(cluster);
        let name = self.options.machine.name.clone();
        let number = match self.number {
            Some(number) => number,
            None => self.runtime.block_on(register(&self.bucket, cluster, &name, KIND))?,
        };
        self.number = Some(number);
        let verb = self.options.replica.verb;
        if point.is_none() {
            aside::rewind(&self.dir)?;
        }
        take_over(&self.dir, verb, (cluster, number, &name), point)?;
        self.replicate()
    }

    /// No longer a primary: what it took is applied, and the directory let go.
    fn close_primary(&mut self) {
        self.lines.set(None);
        if let State::Primary { node, shipper } = std::mem::replace(&mut self.state, State::None) {
            // Its journal is written to the end, as far as that goes.
            let _ =
                self.runtime.block_on(async { tokio::time::timeout(Duration::from_secs(5), shipper).await });
            if !node.settle(SETTLE) {
                self.listen.warn("not all that was written is in the tables yet");
            }
        }
    }

    fn set_aside(&mut self, sealed: Place, held: &Held) -> Result<()> {
        if matches!(self.state, State::None) {
            // It was started again: what it took last may not be in its tables yet.
            let node = Standalone::start(self.options.lines.clone())?;
            if !node.settle(SETTLE) {
                self.listen.warn("not all that was written is in the tables that are set aside");
            }
        }
        self.close_primary();
        let Some(cluster) = self.cluster else { return Ok(()) };
        let name = self.options.machine.name.clone();
        let aside = aside::set_aside(&self.dir, (cluster, &name), sealed, held)?;
        if let Some(aside) = &aside {
            for table in &aside.report.tables {
                let rows = table.rows.map_or(String::new(), |rows| format!(", {rows} rows"));
                let (first, last) = (table.first, table.last);
                self.listen.warn(&format!(
                    "{}: transactions {first} to {last}{rows} are not in the history; they are kept in {}",
                    table.name,
                    aside.folder.display()
                ));
            }
            match self.runtime.block_on(aside::publish(&self.bucket, aside)) {
                Ok(key) => self.listen.note(&format!("{key} tells of it; `understudy divergent` shows it")),
                Err(failure) => {
                    self.listen.warn(&format!("no report of it can be put: {}", failure.message));
                }
            }
        }
        self.tell(Event::Aside { any: aside.is_some() });
        Ok(())
    }

    fn fenced(&self) {
        self.listen.fenced();
        if let Some(command) = &self.options.on_fence {
            let (shell, flag) = if cfg!(windows) { ("cmd", "/C") } else { ("sh", "-c") };
            if let Err(error) = std::process::Command::new(shell).args([flag, command]).spawn() {
                self.listen.warn(&format!("the command for being fenced can't be run: {error}"));
            }
        }
    }

    /// Removes what of the log is applied and durable (rule W7).
    fn purge(&mut self) {
        let State::Primary { node, .. } = &self.state else { return };
        if self.purged.elapsed() < self.options.purge {
            return;
        }
        self.purged = Instant::now();
        let held = self.gate.held();
        let Ok(disk) = RealDisk::open(self.dir.join("db")) else { return };
        for (dir, applied) in node.applied() {
            let durable = held.get(&dir).copied().unwrap_or(0);
            if let Err(error) = purge(&disk, &dir, applied.seq_txn.min(durable)) {
                self.listen.warn(&format!("{dir}: what is applied can't be purged: {error}"));
            }
        }
    }

    fn finish(mut self, why: Reason) -> Result<Exit> {
        if let Some(server) = self.server.take() {
            self.runtime.block_on(server.stop(Duration::from_secs(5)));
        }
        let text = super::why(&why);
        if let State::Replica(replica) = std::mem::replace(&mut self.state, State::None) {
            replica.finish(&text)?;
        }
        self.close_primary();
        self.runtime.shutdown_timeout(Duration::from_secs(1));
        match why {
            Reason::Failed(error) => Err(crate::native::cluster::log_failure(&error)),
            Reason::Refused(what) => Err(Failure::failed(what)),
            Reason::Fenced => {
                Err(Failure::new(Exit::Fenced, "another node is the primary: what was not uploaded is kept"))
            }
            _ => Ok(Exit::Ok),
        }
    }
}
