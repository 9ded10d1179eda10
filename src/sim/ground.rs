//! What all have in common: time, the agenda, the network, the bucket, the weather, and whoever keeps the books.

use super::agenda::Agenda;
use super::book::Book;
use super::bucket::{Ask, Bucket, Reply};
use super::call::{Answer, Call, Line};
use super::invariant::Check;
use super::network::{Network, Passage, Way};
use super::shelf::Shelf;
use super::told::{Happening, What};
use super::trace::TraceHash;
use super::truth::Truth;
use super::watch::Watch;
use super::weather::Weather;
use super::{Chance, End, Fault, Faults, Micros};
use crate::ledger::Key;
use std::collections::BTreeMap;

/// Happenings that are kept, at most; older ones are let go of.
const HAPPENINGS_MAX: usize = 20_000;

#[derive(Debug)]
pub(super) struct Ground {
    pub now: Micros,
    pub step: u64,
    pub agenda: Agenda<Due>,
    pub network: Network,
    pub bucket: Bucket,
    pub shelf: Shelf,
    pub weather: Weather,
    pub truth: Truth,
    pub watch: Watch,
    pub book: Book,
    pub trace: TraceHash,
    pub happenings: Vec<Happening>,
    pub chance: Chance,
    /// Nobody listens: happenings are traced and not kept.
    pub silent: bool,
    /// The connection of each client.
    pub lines: BTreeMap<u32, Line>,
    /// Kinds of fault that have been in force.
    pub seen: Faults,
    next_ticket: u64,
}

/// What is due at some time.
#[derive(Debug, Clone)]
pub(super) enum Due {
    /// A request arrives at the bucket.
    AtBucket { ticket: Ticket, ask: Ask },
    /// A put takes effect that nobody waits for any more.
    Late(Ask),
    /// An answer of the bucket, or the end of waiting for it.
    FromBucket { ticket: Ticket, reply: Reply },
    /// A node's clock shows the time that it waited for.
    Wake { node: u32, life: u32 },
    /// A node's own work is done.
    Done { node: u32, life: u32, job: super::node::Job },
    /// A client's request arrives at a node.
    AtNode { node: u32, call: Call },
    /// An answer arrives at a client.
    AtClient { client: u32, life: u32, node: Option<u32>, call: u64, answer: Answer },
    /// A client's disk has done what it was asked to, or as much of that.
    Filed { client: u32, life: u32, done: usize, trouble: Option<Box<str>> },
    /// A process is killed in the middle of a write.
    Torn { node: u32, life: u32 },
    /// A client's clock shows the time that it waited for.
    ClientWakes { client: u32, life: u32 },
    /// A client makes rows.
    Rows { client: u32 },
    /// A trouble of the plan begins.
    Begins(usize),
    /// It ends.
    Ends(usize),
    /// A process is started, if it is down.
    Start(End),
    /// A command of the script.
    Scripted(usize),
    /// Faults are over.
    Quiet,
    /// The operator looks whether anybody is primary.
    Operator,
    /// All is compared.
    Look,
}

/// A request of a node to the bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ticket {
    pub node: u32,
    pub life: u32,
    pub id: u64,
    /// When it was sent, and when it is given up.
    pub sent: Micros,
    pub until: Micros,
    /// It arrives for the second time: nobody waits for the answer.
    pub echo: bool,
}

impl Due {
    /// A number for its kind, for traces.
    pub(super) fn kind(&self) -> u64 {
        match self {
            Self::AtBucket { .. } => 1,
            Self::Late(_) => 2,
            Self::FromBucket { .. } => 3,
            Self::Wake { .. } => 4,
            Self::Done { .. } => 5,
            Self::AtNode { .. } => 6,
            Self::AtClient { .. } => 7,
            Self::Filed { .. } => 8,
            Self::Torn { .. } => 9,
            Self::ClientWakes { .. } => 10,
            Self::Rows { .. } => 11,
            Self::Begins(_) => 12,
            Self::Ends(_) => 13,
            Self::Start(_) => 14,
            Self::Scripted(_) => 15,
            Self::Quiet => 16,
            Self::Operator => 17,
            Self::Look => 18,
        }
    }
}

impl Ground {
    pub(super) fn new(seed: u64, bucket: Bucket, typical_us: Micros) -> Self {
        Self {
            now: 0,
            step: 0,
            agenda: Agenda::new(),
            network: Network::new(seed, typical_us),
            bucket,
            shelf: Shelf::default(),
            weather: Weather::default(),
            truth: Truth::default(),
            watch: Watch::default(),
            book: Book::default(),
            trace: TraceHash::new(seed),
            happenings: Vec::new(),
            chance: Chance::new(seed, "world"),
            silent: true,
            lines: BTreeMap::new(),
            seen: Faults::NONE,
            next_ticket: 0,
        }
    }

    /// Whether this kind of fault has been in force.
    pub(super) fn has_seen(&self, fault: Fault) -> bool {
        self.seen.has(fault)
    }

    /// Enters something that is due in a while.
    pub(super) fn after(&mut self, wait: Micros, due: Due) {
        self.agenda.enter(self.now.saturating_add(wait), due);
    }

    /// Sends a request to the bucket; answers its ticket's number.
    pub(super) fn ask(&mut self, node: u32, life: u32, timeout: Micros, ask: Ask) -> u64 {
        let id = self.next_ticket;
        self.next_ticket += 1;
        let ticket = Ticket { node, life, id, sent: self.now, until: self.now + timeout, echo: false };
        self.trace.word(id);
        let unanswered = ask.unanswered();
        match self.network.send(&self.weather, self.now, End::Node(node), End::Bucket, Way::Request) {
            Passage::Arrives(at, again) => {
                if let Some(again) = again {
                    let ticket = Ticket { echo: true, ..ticket };
                    self.agenda.enter(again, Due::AtBucket { ticket, ask: ask.clone() });
                }
                self.agenda.enter(at, Due::AtBucket { ticket, ask });
            }
            Passage::Breaks { heard, arrives } => {
                if let Some(at) = arrives {
                    let ticket = Ticket { echo: true, ..ticket };
                    self.agenda.enter(at, Due::AtBucket { ticket, ask });
                }
                self.answer(ticket, heard, unanswered);
            }
            Passage::Vanishes => self.answer(ticket, ticket.until, unanswered),
        }
        id
    }

    /// A request arrives at the bucket.
    pub(super) fn at_bucket(&mut self, ticket: Ticket, ask: Ask) -> Check {
        let unanswered = ask.unanswered();
        let served = self.bucket.serve(&self.weather, ask);
        self.changed(served.landed, served.removed)?;
        if let Some((after, ask)) = served.later {
            self.after(after, Due::Late(ask));
        }
        if ticket.echo {
            return Ok(());
        }
        let Some((took, reply)) = served.reply else {
            self.answer(ticket, ticket.until, unanswered);
            return Ok(());
        };
        let leaves = self.now + took;
        let to = End::Node(ticket.node);
        match self.network.send(&self.weather, leaves, End::Bucket, to, Way::Answer) {
            Passage::Arrives(at, _) if at < ticket.until => self.answer(ticket, at, reply),
            Passage::Breaks { heard, .. } if heard < ticket.until => self.answer(ticket, heard, unanswered),
            _ => self.answer(ticket, ticket.until, unanswered),
        }
        Ok(())
    }

    /// A put takes effect long after it was given up.
    pub(super) fn late(&mut self, ask: Ask) -> Check {
        let served = self.bucket.take_late(&self.weather, ask);
        self.changed(served.landed, served.removed)
    }

    fn answer(&mut self, ticket: Ticket, at: Micros, reply: Reply) {
        self.agenda.enter(at.max(self.now), Due::FromBucket { ticket, reply });
    }

    /// The bucket's content has changed: the history may have grown.
    fn changed(&mut self, landed: Option<Key>, removed: Option<Key>) -> Check {
        if let Some(key) = removed {
            self.watch.removed(key, &self.truth)?;
        }
        let Some(key) = landed else { return Ok(()) };
        let window = self.watch.window();
        let grown = self.truth.landed(key, self.bucket.objects(), &mut self.book, window)?;
        for grew in grown {
            self.tell_growth(grew);
        }
        let told = self.watch.landed(key, self.bucket.objects(), &self.truth, &self.shelf)?;
        if let Some(what) = told {
            self.tell(End::Bucket, what);
        }
        Ok(())
    }

    fn tell_growth(&mut self, grew: super::truth::Grew) {
        use super::truth::Grew;
        let what = match grew {
            Grew::Founded => return,
            Grew::Pack(n) => What::PackLanded { n },
            Grew::Seal(n) => {
                let term = self.truth.point().map_or(0, |point| point.next.dir.term.0);
                What::Sealed { n, term }
            }
        };
        self.tell(End::Bucket, what);
    }

    /// Something has happened.
    pub(super) fn tell(&mut self, who: End, what: What) {
        self.trace.word(who.word());
        what.trace(&mut self.trace);
        if self.silent {
            return;
        }
        if self.happenings.len() >= HAPPENINGS_MAX {
            self.happenings.drain(..HAPPENINGS_MAX / 2);
        }
        self.happenings.push(Happening { step: self.step, at_us: self.now, who, what });
    }
}
