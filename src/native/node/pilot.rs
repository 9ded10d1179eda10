//! The task that runs a node's machine: requests and timers, packs that the shipper hands in, and orders to the rest of the
//! node in the order in which the machine decides.

use super::gate::Gate;
use super::keeper::Keeper;
use super::orders::{self, NodeStatus, PromoteOrder};
use super::reading::{Answered, Food};
use super::wishes::{self, Wish};
use crate::ledger::{Action, ClusterId, Head, Key, Object, Pack, Place, Point, PutAnswer, Sign, Signer};
use crate::native::bucket::Bucket;
use crate::native::cluster::{Driven, HandedIn, Offer, WriterState, get, now_us, put};
use crate::native::disk::DiskFiles;
use crate::native::outcome::Failure;
use crate::node::{
    Answer, Config, Decision, Event, Held, Kept, Machine, Now, Reason, Refusal, Role, reached,
};
use crate::wal::SequencerLog;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

/// How often orders are looked for, and the status is told.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// How often a request in the bucket is looked for.
const WISHES_EVERY: Duration = Duration::from_secs(5);

/// What the machine is told by the rest of the node.
#[derive(Debug)]
pub(super) enum Command {
    /// What happened.
    Event(Event),
    /// The shipper of this term, with what ends it once all is handed in.
    Shipping(Driven, oneshot::Sender<()>),
}

/// What the rest of the node is told, in order.
#[derive(Debug)]
pub(super) enum Order {
    /// The directory is a replica's from here on. Without a point its tables, if there are any, are to be removed first.
    Replicate { cluster: ClusterId, point: Option<Box<Point>> },
    /// The directory is a primary's.
    Open { point: Box<Point>, held: Held, requests: u64 },
    /// Write down what the tables hold beyond this, and tell [`Event::Aside`].
    SetAside { sealed: Place, held: Held },
    /// Remove the tables, and tell [`Event::Rewound`].
    Rewind,
    /// The node has this role.
    Role { role: Role, why: Reason },
    /// It takes no writes, because of this.
    Refused(Refusal),
    /// A snapshot was loaded; tell what the tables hold.
    Loaded(crate::ledger::Loaded),
    /// It is over.
    Exit(Reason),
    /// It can't go on.
    Failed(Failure),
    /// For people.
    Note(String),
    /// The same of what may be wrong.
    Warn(String),
}

/// What the pilot needs.
pub(super) struct Means {
    pub(super) dir: PathBuf,
    pub(super) bucket: Bucket,
    pub(super) keeper: Keeper,
    pub(super) gate: Arc<Gate>,
    pub(super) signer: Option<Arc<Signer>>,
    pub(super) commands: mpsc::UnboundedReceiver<Command>,
    pub(super) orders: Sender<Order>,
    pub(super) asks: mpsc::UnboundedSender<(u64, Key)>,
    pub(super) read: mpsc::UnboundedReceiver<Answered>,
    pub(super) food: mpsc::UnboundedSender<Food>,
    pub(super) waiting: Arc<AtomicU64>,
}

pub(super) struct Pilot {
    name: String,
    means: Means,
    machine: Machine,
    begun: Instant,
    answers: JoinSet<Answered>,
    kept: Kept,
    requests: u64,
    /// The next request in the bucket that was not looked at.
    wish: Arc<AtomicU64>,
    wished: Option<Instant>,
    shipping: Option<Shipping>,
    /// Behind the last pack of this term.
    behind: Option<Point>,
    cutting: Option<(Head, bool, Option<String>)>,
    /// It takes no more writes, and the shipper hands in the rest.
    leaving: bool,
    told: NodeStatus,
    over: bool,
}

struct Shipping {
    driven: Driven,
    stop: Option<oneshot::Sender<()>>,
    offer: Option<Offer>,
    /// Nothing more will be handed in.
    done: bool,
}

impl Pilot {
    pub(super) fn new(config: Config, kept: Kept, requests: u64, begun: Instant, means: Means) -> Self {
        let name = config.name.clone();
        let machine = Machine::new(config, kept.clone(), now(begun));
        Self {
            name,
            means,
            machine,
            begun,
            answers: JoinSet::new(),
            kept,
            requests,
            wish: Arc::new(AtomicU64::new(requests)),
            wished: None,
            shipping: None,
            behind: None,
            cutting: None,
            leaving: false,
            told: NodeStatus::default(),
            over: false,
        }
    }

    /// Until the node ends.
    pub(super) async fn run(mut self) {
        let mut looking = tokio::time::interval(LOOK_EVERY);
        looking.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            self.decide().await;
            if self.over {
                self.tell();
                return;
            }
            let wake = self.machine.wakes_at().map(|at| self.begun + Duration::from_micros(at));
            let sleep = async {
                match wake {
                    Some(wake) => tokio::time::sleep_until(wake.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                Some(done) = self.answers.join_next(), if !self.answers.is_empty() => {
                    if let Ok(answered) = done { self.answered(answered) }
                }
                Some(answered) = self.means.read.recv() => self.answered(answered),
                command = self.means.commands.recv() => match command {
                    Some(Command::Event(event)) => self.on(event),
                    Some(Command::Shipping(driven, stop)) => self.ship(driven, stop),
                    None => return,
                },
                offer = next_offer(&mut self.shipping) => self.offered(offer),
                _ = looking.tick() => self.look(),
                () = sleep => {}
            }
        }
    }

    fn now(&self) -> Now {
        now(self.begun)
    }

    fn on(&mut self, event: Event) {
        let now = self.now();
        self.machine.on(event, now);
    }

    fn answered(&mut self, (id, answer, why): Answered) {
        let trouble = self.shipping.as_ref().filter(|_| why.is_some() || is_stored(&answer));
        if let Some(shipping) = trouble {
            shipping.driven.state(WriterState::Running { trouble: why.clone() });
        }
        if let Some(why) = why {
            tracing::warn!("{why}");
        }
        self.on(Event::Answered { id, answer });
    }

    /// Carries out what the machine decides, until it waits for something.
    async fn decide(&mut self) {
        while let Some(decision) = self.machine.poll(self.now()) {
            if let Err(failure) = self.carry_out(decision).await {
                self.order(Order::Failed(failure));
                self.over = true;
                return;
            }
        }
        match self.machine.accepts_until() {
            Some(until) => self.means.gate.open(until),
            None if self.means.gate.refusal().is_none() => {
                self.means.gate.shut(Refusal::SelfStop).await;
            }
            None => {}
        }
    }

    async fn carry_out(&mut self, decision: Decision) -> Result<(), Failure> {
        match decision {
            Decision::Ask { id, action } => self.ask(id, action),
            Decision::Apply { object, pack, point } => self.apply(object, pack, point)?,
            Decision::Term { point } if !self.kept.wrote => self.food(Food::Term(point)),
            Decision::Level if !self.kept.wrote => self.food(Food::Level),
            Decision::Term { .. } | Decision::Level => {}
            Decision::Load(manifest) => {
                self.requests = self.requests.max(manifest.requests);
                if self.kept.wrote {
                    // What was its own is set aside: the snapshot takes the place of all tables.
                    self.order(Order::Replicate { cluster: manifest.cluster, point: None });
                }
                self.food(Food::Load(manifest));
            }
            Decision::Cut { head, needed, handover } => {
                self.cutting = Some((head, needed, handover));
                self.cut();
            }
            Decision::Acknowledge { below } => {
                if let Some(shipping) = &self.shipping {
                    shipping.driven.acknowledged(below);
                }
                self.means.gate.durable(self.machine.acks().held());
            }
            Decision::Keep(kept) => self.keep(*kept)?,
            Decision::Role { role, why } => {
                self.means.gate.set_role(role);
                self.order(Order::Role { role, why });
            }
            Decision::Open { point, held, .. } => {
                self.leaving = false;
                self.behind = Some((*point).clone());
                self.means.gate.durable(&held);
                self.food(Food::Gone);
                let requests = self.requests;
                self.order(Order::Open { point, held, requests });
            }
            Decision::Refuse(why) => self.refuse(why).await,
            Decision::Resume => {}
            Decision::SetAside { sealed, held } => self.order(Order::SetAside { sealed, held }),
            Decision::Rewind { .. } => self.order(Order::Rewind),
            Decision::Exit(why) => {
                self.order(Order::Exit(why));
                self.over = true;
            }
        }
        Ok(())
    }

    fn ask(&mut self, id: u64, action: Action) {
        let bucket = self.means.bucket.clone();
        match action {
            Action::Get { key: key @ Key::Object(_) } => {
                // Who reads lives as long as this task.
                let _ = self.means.asks.send((id, key));
            }
            Action::Get { key } => {
                self.answers.spawn(async move {
                    let (answer, why) = get(&bucket, key).await;
                    (id, Answer::Got(answer), why)
                });
            }
            Action::Put { key, bytes, .. } => {
                self.answers.spawn(async move {
                    let (answer, why) = put(&bucket, key, bytes).await;
                    (id, Answer::Put(answer), why)
                });
            }
            Action::Delete { .. } | Action::Later { .. } => {}
        }
    }

    fn apply(&mut self, object: Object, pack: Box<Pack>, point: Box<Point>) -> Result<(), Failure> {
        for answer in &pack.answers {
            self.requests = self.requests.max(answer.request.saturating_add(1));
        }
        if !self.kept.wrote {
            self.means.waiting.fetch_add(1, Ordering::Relaxed);
            self.food(Food::Pack(object, pack, point));
            return Ok(());
        }
        // Its own, from before it was started again: its log has it.
        let next = point.next.n;
        let short = self.short_of(&pack)?;
        if let Some((dir, last)) = short {
            return Err(Failure::failed(format!(
                "{dir}: its log does not reach transaction {last}, which this node has uploaded: an older copy of the \
                 directory, or the disk lost what was written"
            ))
            .advise("move the directory away and begin with an empty one, as a replica"));
        }
        self.on(Event::Applied { next });
        Ok(())
    }

    /// A table of the pack whose own log ends before it.
    fn short_of(&self, pack: &Pack) -> Result<Option<(String, u64)>, Failure> {
        let db = self.means.dir.join("db");
        let files =
            DiskFiles::open(&db).map_err(|error| Failure::failed(format!("{}: {error}", db.display())))?;
        for (dir, last) in reached(pack) {
            // One that is not there was dropped here, or is kept elsewhere.
            let Ok(log) = SequencerLog::open(&files, &dir) else { continue };
            if log.max_txn < last {
                return Ok(Some((dir, last)));
            }
        }
        Ok(None)
    }

    fn keep(&mut self, kept: Kept) -> Result<(), Failure> {
        tokio::task::block_in_place(|| self.means.keeper.write(&kept, self.requests))?;
        let was = std::mem::replace(&mut self.kept, kept);
        if self.kept.wrote {
            orders::migrated(&self.means.dir);
        }
        if was.wrote
            && !self.kept.wrote
            && let Some(cluster) = self.kept.cluster
        {
            self.shipping = None;
            let point = self.kept.point.clone().map(Box::new);
            self.order(Order::Replicate { cluster, point });
        }
        Ok(())
    }

    async fn refuse(&mut self, why: Refusal) {
        self.means.gate.shut(why).await;
        match why {
            Refusal::Leaving => {
                self.leaving = true;
                if let Some(shipping) = &mut self.shipping {
                    shipping.end();
                }
            }
            Refusal::Fenced | Refusal::Over => {
                if let (Some(shipping), Some(behind)) = (self.shipping.take(), self.behind.take()) {
                    shipping.driven.state(WriterState::Fenced(behind.next));
                }
                self.cutting = None;
            }
            _ => {}
        }
        self.order(Order::Refused(why));
    }

    fn ship(&mut self, driven: Driven, stop: oneshot::Sender<()>) {
        // Packs may have gone before it was there.
        if let Some(behind) = &self.behind {
            driven.passed(behind.clone());
        }
        driven.acknowledged(self.machine.told(self.now()).confirmed);
        let mut shipping = Shipping { driven, stop: Some(stop), offer: None, done: false };
        if self.leaving {
            shipping.end();
        }
        self.shipping = Some(shipping);
    }

    fn offered(&mut self, offer: Option<Offer>) {
        let Some(shipping) = &mut self.shipping else { return };
        match offer {
            Some(offer) => {
                shipping.offer = Some(offer);
                self.on(Event::Commits);
            }
            None => shipping.done = true,
        }
        self.cut();
    }

    /// Makes the pack that is asked for, once it is known what goes into it.
    fn cut(&mut self) {
        let Some((head, needed, handover)) = self.cutting.take() else { return };
        let offer = self.shipping.as_mut().and_then(|shipping| shipping.offer.take());
        let done = self.shipping.as_ref().is_some_and(|shipping| shipping.done);
        if offer.is_none() && !needed {
            if self.leaving && !done {
                // The shipper is still at it.
                self.cutting = Some((head, needed, handover));
            } else {
                self.on(Event::Nothing);
            }
            return;
        }
        let head = Head { committed_us: now_us(), ..head };
        let mut pack = Pack { handover, ..Pack::default() };
        if let Some(offer) = &offer {
            pack.tables.clone_from(&offer.pack.tables);
            pack.answers.clone_from(&offer.pack.answers);
        }
        let signer = self.means.signer.as_deref().map(|signer| signer as &dyn Sign);
        let encoded = tokio::task::block_in_place(|| pack.encode(head, signer));
        let object = match encoded {
            Ok(object) => object,
            Err(error) => {
                let failure = crate::native::cluster::log_failure(&error);
                if let Some(offer) = offer {
                    offer.answer(Err(failure));
                }
                self.on(Event::Nothing);
                return;
            }
        };
        let (sum, bytes) = (object.sum(), object.bytes().len() as u64);
        let reached = reached(&pack);
        let more = self.leaving && !done;
        self.on(Event::Cut { object, reached, more });
        for answer in &pack.answers {
            self.requests = self.requests.max(answer.request.saturating_add(1));
        }
        let Some(behind) = &mut self.behind else { return };
        behind.pass(sum);
        let point = behind.clone();
        if let Some(shipping) = &self.shipping {
            shipping.driven.passed(point.clone());
        }
        if let Some(offer) = offer {
            let committed_us = head.committed_us;
            offer.answer(Ok(HandedIn { place: head.place, committed_us, bytes, point }));
        }
    }

    fn order(&self, order: Order) {
        // A node that has ended needs no orders.
        let _ = self.means.orders.send(order);
    }

    fn food(&self, food: Food) {
        let _ = self.means.food.send(food);
    }

    /// Now and then: what people want, and how it stands.
    fn look(&mut self) {
        if let Some(order) = orders::take_promote_order(self.means.keeper.folder()) {
            self.promote(order);
        }
        self.look_for_wishes();
        self.tell();
    }

    fn promote(&mut self, PromoteOrder { planned }: PromoteOrder) {
        if planned {
            // The primary is asked through the bucket; what it hands over is likely to come soon.
            self.on(Event::Brisk);
        } else {
            self.order(Order::Note("told to become the primary".into()));
            self.on(Event::Promote);
        }
    }

    /// A replica looks for wishes that concern it; a primary's shipper answers them.
    fn look_for_wishes(&mut self) {
        let due = self.wished.is_none_or(|wished| wished.elapsed() >= WISHES_EVERY);
        let Some(cluster) = self.kept.cluster.filter(|_| due && !self.kept.wrote) else { return };
        self.wished = Some(Instant::now());
        let (bucket, wish, name) = (self.means.bucket.clone(), self.wish.clone(), self.name.clone());
        let k = wish.fetch_max(self.requests, Ordering::Relaxed).max(self.requests);
        let orders = self.means.orders.clone();
        let folder = self.means.keeper.folder().to_owned();
        // What is found is passed on as if it had been left in the directory.
        tokio::spawn(async move {
            let found = wishes::look(&bucket, cluster, k, &name).await;
            if found.is_some() {
                wish.fetch_max(k + 1, Ordering::Relaxed);
            }
            match found {
                Some(Wish::Promote(order)) => {
                    let note = format!("request {k} in the bucket: this node is to be the primary");
                    let _ = orders.send(Order::Note(note));
                    wishes::pass_on(&folder, order);
                }
                Some(Wish::Late) => {
                    let note = format!("request {k} to promote this node is too old to be followed");
                    let _ = orders.send(Order::Warn(note));
                }
                Some(Wish::Other) | None => {}
            }
        });
    }

    fn tell(&mut self) {
        let told = self.machine.told(self.now());
        let status = NodeStatus {
            pid: std::process::id(),
            name: self.name.clone(),
            role: told.role.to_string(),
            term: told.term.map(|term| term.0),
            next: told.next.map(|next| next.n),
            confirmed: told.confirmed,
            refuses: told.refuses.map(|why| super::why_refused(why).to_owned()),
            level: told.level,
            promotions: told.promotions,
            fenced: told.fenced,
            self_stops: told.self_stops,
            written_us: self.told.written_us,
        };
        let old = now_us() - status.written_us > 1_000_000;
        if status != self.told || old {
            self.told = NodeStatus { written_us: now_us(), ..status };
            orders::tell(self.means.keeper.folder(), &self.told);
        }
    }
}

impl Shipping {
    /// Has it hand in the rest, and end.
    fn end(&mut self) {
        if let Some(stop) = self.stop.take() {
            // One that has ended needs no telling.
            let _ = stop.send(());
        }
    }
}

/// What the shipper hands in next, while nothing waits; `None` once it has ended.
async fn next_offer(shipping: &mut Option<Shipping>) -> Option<Offer> {
    match shipping {
        Some(shipping) if shipping.offer.is_none() && !shipping.done => shipping.driven.offers.recv().await,
        _ => std::future::pending().await,
    }
}

fn is_stored(answer: &Answer) -> bool {
    matches!(answer, Answer::Put(PutAnswer::Stored))
}

fn now(begun: Instant) -> Now {
    let mono_us = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
    Now { mono_us, wall_us: now_us() }
}
