//! The task that runs a node's machine: requests and timers, packs that the shipper hands in, and orders to the rest of the
//! node in the order in which the machine decides.

mod look;
mod packs;

use self::packs::{Shipping, next_offer};
use super::gate::Gate;
use super::keeper::Keeper;
use super::orders::{self, NodeStatus};
use super::reading::{Answered, Food};
use super::short::holds_all;
use crate::ledger::{Action, ClusterId, Head, Key, Object, Pack, Place, Point, PutAnswer, Signer};
use crate::native::bucket::Bucket;
use crate::native::cluster::{Driven, WriterState, get, now_us, put};
use crate::native::outcome::Failure;
use crate::node::{
    Answer, Config, Decision, Event, Held, Kept, Machine, Now, Reason, Refusal, Role, reached,
};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

/// How often orders are looked for, and the status is told.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// What the machine is told by the rest of the node.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "few at a time, and handed on at once")]
pub(super) enum Command {
    /// What happened.
    Event(Event),
    /// The shipper of this term, with what ends it once all is handed in.
    Shipping(Driven, oneshot::Sender<()>),
    /// What is written can't be shipped.
    Failed(Failure),
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
    /// How it stands has changed.
    Status(Box<NodeStatus>),
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
    /// It was told to stop.
    stopping: Option<Instant>,
    over: bool,
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
            stopping: None,
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
                    Some(Command::Event(event)) => {
                        if event == Event::Stop {
                            self.stopping = Some(Instant::now());
                        }
                        self.on(event);
                    }
                    Some(Command::Failed(failure)) => {
                        self.order(Order::Failed(failure));
                        return;
                    }
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
        holds_all(&self.means.dir.join("db"), reached(&pack).iter().map(|(dir, last)| (dir, last)))?;
        self.on(Event::Applied { next });
        Ok(())
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

    fn order(&self, order: Order) {
        // A node that has ended needs no orders.
        let _ = self.means.orders.send(order);
    }

    fn food(&self, food: Food) {
        let _ = self.means.food.send(food);
    }
}

fn is_stored(answer: &Answer) -> bool {
    matches!(answer, Answer::Put(PutAnswer::Stored))
}

fn now(begun: Instant) -> Now {
    let mono_us = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
    Now { mono_us, wall_us: now_us() }
}
