//! The host walk: which host to try next, when to pause, when to give up.
//!
//! Hosts are ordered by `(state, zone tier)`, then by their place in `addr`; nothing is shuffled. A round tries every
//! host once, without pauses; a pause follows a round in which none was bound. Where QuestDB's pages leave a choice:
//! what was seen of the hosts is kept from round to round of one outage (so that a primary that catches up is asked
//! before a replica), and forgotten between outages, but for a healthy host of the same zone, which stays first, and
//! for the host whose connection just broke, which comes last.

use super::backoff::{Backoff, Dice, Jitter};
use super::host::{Host, HostState, Role, Target, ZoneTier};
use super::{MILLI, Micros};

/// What a walk is for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct WalkSettings {
    /// `host:port`, in the order of `addr`.
    pub addrs: Vec<Box<str>>,
    /// The client's `zone`; counts on egress only.
    pub zone: Option<Box<str>>,
    /// Writes or queries, with their limits.
    pub way: Way,
}

/// The two contexts of failover.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Way {
    /// Writes: follow the primary, retry an outage of any length.
    Ingress {
        /// `reconnect_initial_backoff_millis`.
        initial_backoff_ms: u64,
        /// `reconnect_max_backoff_millis`.
        max_backoff_ms: u64,
        /// `initial_connect_retry`.
        first: FirstConnect,
        /// `reconnect_max_duration_millis`: bounds the blocking first connect, and each outage of one who drains orphans.
        max_duration_ms: u64,
        /// A drainer of an orphan's slot: every outage has the budget of the first connect.
        drainer: bool,
    },
    /// Queries: a short budget for each.
    Egress {
        /// `target`.
        target: Target,
        /// `failover`: off tries one host once.
        failover: bool,
        /// `failover_max_attempts`.
        max_attempts: u32,
        /// `failover_max_duration_ms`; 0 for no limit.
        max_duration_ms: u64,
        /// `failover_backoff_initial_ms`.
        initial_backoff_ms: u64,
        /// `failover_backoff_max_ms`.
        max_backoff_ms: u64,
    },
}

/// What happens if the first connect fails (`initial_connect_retry`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FirstConnect {
    /// One round, then it is final.
    #[default]
    Off,
    /// Retried within `reconnect_max_duration_millis`.
    On,
    /// Retried without limit, beside the producer.
    Async,
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Connect to the host with this index, then tell [`Walk::found`].
    Try(usize),
    /// Nothing until then.
    Wait(Micros),
    /// The walk is over.
    GiveUp(GaveUp),
}

/// Why a walk is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum GaveUp {
    /// The first round failed and `initial_connect_retry` is off.
    #[error("no host could be connected to, and initial_connect_retry is off")]
    FirstConnect,
    /// Every host refused for its role.
    #[error("no host has the role that is needed")]
    RoleMismatch,
    /// The time or the number of attempts is used up.
    #[error("no host could be connected to within the limits")]
    Exhausted,
    /// 401 or 403: final for the whole list.
    #[error("the credentials were refused; they are the same for all hosts, so that no other one is asked")]
    Auth,
}

/// What came of an attempt to connect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// Connected. Role and zone as far as the server told them.
    Connected {
        /// Its role.
        role: Option<Role>,
        /// Its zone.
        zone: Option<Box<str>>,
    },
    /// The server answered with an error.
    Status {
        /// The HTTP status.
        status: u16,
        /// `X-QuestDB-Role`.
        role: Option<Role>,
        /// `X-QuestDB-Zone`.
        zone: Option<Box<str>>,
    },
    /// No connection, no TLS, no answer in time, an answer that can't be read, another version.
    Unreachable,
}

/// What that means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// This is the host to use.
    Yes,
    /// Go on with [`Walk::next`].
    No,
    /// A connection is there and of no use: close it, then go on.
    Unwanted,
}

/// How a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lost {
    /// It broke, or the server went silent.
    Broke,
    /// The server can't take this, for its role: 421, `NOT_WRITABLE`.
    Role(Role),
    /// The server is well and refused what was sent: ask it again.
    Recycled,
}

/// The walk. Give it time and what was found, ask it for the [`next`](Self::next) step.
///
/// ```
/// use understudy::client::{FirstConnect, Found, Next, Walk, WalkSettings, Way};
/// let way = Way::Ingress {
///     initial_backoff_ms: 100, max_backoff_ms: 5_000, first: FirstConnect::Async, max_duration_ms: 300_000, drainer: false,
/// };
/// let addrs = vec!["a:9000".into(), "b:9000".into()];
/// let mut walk = Walk::new(WalkSettings { addrs, zone: None, way }, 42);
/// assert_eq!(walk.next(0), Next::Try(0));
/// walk.found(0, &Found::Unreachable, 10);
/// assert_eq!(walk.next(10), Next::Try(1));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Walk {
    hosts: Vec<Host>,
    zone: Option<Box<str>>,
    way: Way,
    backoff: Backoff,
    dice: Dice,
    /// When the present outage began; the walk's beginning is one.
    began: Option<Micros>,
    first: bool,
    attempts: u32,
    /// All refusals of this round were for the host's role.
    only_roles: bool,
    wait: Micros,
    successes: u64,
    /// Connections lost one after the other without anything acknowledged in between.
    fruitless: u32,
    over: Option<GaveUp>,
}

impl Walk {
    /// A walk over these hosts whose pauses this seed decides.
    pub fn new(settings: WalkSettings, seed: u64) -> Self {
        let WalkSettings { addrs, zone, way } = settings;
        let (Way::Ingress { initial_backoff_ms, max_backoff_ms, .. }
        | Way::Egress { initial_backoff_ms, max_backoff_ms, .. }) = way;
        let backoff =
            Backoff::new(initial_backoff_ms.saturating_mul(MILLI), max_backoff_ms.saturating_mul(MILLI));
        let zone = zone.filter(|zone| !zone.trim().is_empty() && zones_count(&way));
        let tier = if zone.is_some() { ZoneTier::Unknown } else { ZoneTier::Same };
        let host =
            |addr| Host { addr, state: HostState::Unknown, tier, role: None, tried: false, success: 0 };
        Self {
            hosts: addrs.into_iter().map(host).collect(),
            zone,
            way,
            backoff,
            dice: Dice::new(seed),
            began: None,
            first: true,
            attempts: 0,
            only_roles: true,
            wait: 0,
            successes: 0,
            fruitless: 0,
            over: None,
        }
    }

    /// The next step. Asked again before anything was found, it may name another host: one attempt at a time.
    pub fn next(&mut self, now: Micros) -> Next {
        if let Some(why) = self.over {
            return Next::GiveUp(why);
        }
        let began = *self.began.get_or_insert(now);
        if self.wait > now {
            return Next::Wait(self.wait);
        }
        if self.attempts > 0 && self.used_up(began, now) {
            return self.give_up(GaveUp::Exhausted);
        }
        if let Some(at) = self.best() {
            self.attempts = self.attempts.saturating_add(1);
            if let Some(host) = self.hosts.get_mut(at) {
                host.tried = true;
            }
            return Next::Try(at);
        }
        self.exhausted(began, now)
    }

    /// Takes what came of the attempt at this host.
    pub fn found(&mut self, host: usize, found: &Found, now: Micros) -> Bound {
        match found {
            Found::Connected { role, zone } => {
                self.told(host, *role, zone.as_deref());
                let fits = match self.way {
                    Way::Ingress { .. } => true,
                    Way::Egress { target, .. } => role.is_none_or(|role| target.accepts(role)),
                };
                if !fits {
                    self.mark(host, HostState::TopologyReject);
                    return Bound::Unwanted;
                }
                self.connected(host);
                Bound::Yes
            }
            Found::Status { status: 401 | 403, .. } => {
                self.mark(host, HostState::TransportError);
                self.over = Some(GaveUp::Auth);
                Bound::No
            }
            Found::Status { status: 421, role: Some(role), zone } => {
                self.told(host, Some(*role), zone.as_deref());
                self.mark(host, rejected(*role));
                self.after_attempt(now)
            }
            // 421 without a role, 404, 426, 503, whatever else.
            Found::Status { zone, .. } => {
                self.told(host, None, zone.as_deref());
                self.unreachable(host, now)
            }
            Found::Unreachable => self.unreachable(host, now),
        }
    }

    /// A connection ended: an outage begins. `pace` is how often the server refused the same thing, for
    /// [`Lost::Recycled`]; 0 for the others.
    ///
    /// The first loss after an acknowledgement is followed by no pause; further ones are, ever longer.
    pub fn lost(&mut self, host: usize, lost: Lost, pace: u32, now: Micros) {
        let healthy = self.hosts.get(host).is_some_and(|host| host.state == HostState::Healthy);
        match lost {
            // Before the next host is picked: else the healthy one that just failed would be the first choice.
            Lost::Broke if healthy => self.mark(host, HostState::TransportError),
            Lost::Role(role) => {
                self.told(host, Some(role), None);
                self.mark(host, rejected(role));
            }
            Lost::Broke | Lost::Recycled => {}
        }
        self.begin_outage(host);
        let level = pace.max(self.fruitless);
        self.fruitless = self.fruitless.saturating_add(1);
        let pause = Jitter::Equal.spread(self.backoff.at_level(level), &mut self.dice);
        self.wait = now.saturating_add(pause);
        self.began = Some(now);
    }

    /// Something was acknowledged: the connection is worth something.
    pub fn progressed(&mut self) {
        self.fruitless = 0;
    }

    /// The hosts, in the order of `addr`.
    pub fn hosts(&self) -> &[Host] {
        &self.hosts
    }

    /// Attempts in this outage.
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// When the present outage began; `None` while connected.
    pub fn outage_since(&self) -> Option<Micros> {
        self.began
    }

    /// True as long as no host was ever bound.
    pub fn is_first(&self) -> bool {
        self.first
    }

    /// Highest priority first; within the same one the order of `addr`.
    fn best(&self) -> Option<usize> {
        let open = self.hosts.iter().enumerate().filter(|(_, host)| !host.tried);
        open.min_by_key(|(at, host)| (host.state, host.tier, *at)).map(|(at, _)| at)
    }

    /// Every host was tried.
    fn exhausted(&mut self, began: Micros, now: Micros) -> Next {
        let (jitter, limit) = match &self.way {
            Way::Egress { .. } if self.only_roles => return self.give_up(GaveUp::RoleMismatch),
            Way::Egress { failover: false, .. } => return self.give_up(GaveUp::Exhausted),
            Way::Egress { max_duration_ms: 0, .. } => (Jitter::Full, None),
            Way::Egress { max_duration_ms, .. } => (Jitter::Full, Some(*max_duration_ms)),
            Way::Ingress { first: FirstConnect::Off, drainer: false, .. } if self.first => {
                let role = self.only_roles && !self.hosts.is_empty();
                return self.give_up(if role { GaveUp::RoleMismatch } else { GaveUp::FirstConnect });
            }
            Way::Ingress { max_duration_ms, .. } => {
                (Jitter::Equal, self.is_bounded().then_some(*max_duration_ms))
            }
        };
        let pause = if self.only_roles {
            // One fixed pause, no doubling: a promotion is under way.
            self.backoff.reset();
            self.backoff.initial()
        } else {
            let base = self.backoff.advance();
            jitter.spread(base, &mut self.dice)
        };
        let end = limit.map_or(Micros::MAX, |limit| began.saturating_add(limit.saturating_mul(MILLI)));
        self.wait = now.saturating_add(pause).min(end.max(now.saturating_add(1)));
        self.begin_round();
        Next::Wait(self.wait)
    }

    /// The limits of time and attempts, as far as they count here.
    fn used_up(&self, began: Micros, now: Micros) -> bool {
        let longer_than = |ms: u64| now.saturating_sub(began) >= ms.saturating_mul(MILLI);
        match &self.way {
            Way::Ingress { max_duration_ms, .. } => self.is_bounded() && longer_than(*max_duration_ms),
            Way::Egress { failover, max_attempts, max_duration_ms, .. } => {
                !failover
                    || self.attempts >= *max_attempts
                    || *max_duration_ms > 0 && longer_than(*max_duration_ms)
            }
        }
    }

    /// The blocking first connect is, and each outage of a drainer.
    fn is_bounded(&self) -> bool {
        match &self.way {
            Way::Ingress { drainer: true, .. } => true,
            Way::Ingress { first, .. } => self.first && *first == FirstConnect::On,
            Way::Egress { .. } => true,
        }
    }

    fn connected(&mut self, host: usize) {
        self.mark(host, HostState::Healthy);
        self.successes += 1;
        let successes = self.successes;
        if let Some(host) = self.hosts.get_mut(host) {
            host.success = successes;
        }
        self.first = false;
        self.began = None;
        self.attempts = 0;
        self.only_roles = true;
        self.backoff.reset();
    }

    fn unreachable(&mut self, host: usize, now: Micros) -> Bound {
        self.mark(host, HostState::TransportError);
        self.only_roles = false;
        self.after_attempt(now)
    }

    fn after_attempt(&mut self, now: Micros) -> Bound {
        let one_only = matches!(self.way, Way::Egress { failover: false, .. });
        if one_only && self.over.is_none() {
            self.over = Some(if self.only_roles { GaveUp::RoleMismatch } else { GaveUp::Exhausted });
        }
        self.began.get_or_insert(now);
        Bound::No
    }

    fn begin_outage(&mut self, lost: usize) {
        let sticky = (self.hosts.iter().enumerate())
            .filter(|(_, host)| host.state == HostState::Healthy && host.tier == ZoneTier::Same)
            .max_by_key(|(_, host)| host.success)
            .map(|(at, _)| at);
        for (at, host) in self.hosts.iter_mut().enumerate() {
            // The host that was just lost keeps the mark that it got for it.
            let marked = at == lost && host.state != HostState::Healthy;
            if Some(at) != sticky && !marked {
                host.state = HostState::Unknown;
            }
        }
        self.attempts = 0;
        self.begin_round();
    }

    fn begin_round(&mut self) {
        self.only_roles = true;
        self.hosts.iter_mut().for_each(|host| host.tried = false);
    }

    fn mark(&mut self, host: usize, state: HostState) {
        if let Some(host) = self.hosts.get_mut(host) {
            host.state = state;
        }
    }

    /// What a server said of itself is kept until it says something else.
    fn told(&mut self, host: usize, role: Option<Role>, zone: Option<&str>) {
        let Some(host) = self.hosts.get_mut(host) else { return };
        host.role = role.or(host.role);
        let zone = zone.map(str::trim).filter(|zone| !zone.is_empty());
        if let (Some(mine), Some(zone)) = (&self.zone, zone) {
            let same = mine.trim().eq_ignore_ascii_case(zone);
            host.tier = if same { ZoneTier::Same } else { ZoneTier::Other };
        }
    }

    fn give_up(&mut self, why: GaveUp) -> Next {
        self.over = Some(why);
        Next::GiveUp(why)
    }
}

fn rejected(role: Role) -> HostState {
    if role == Role::PrimaryCatchup { HostState::TransientReject } else { HostState::TopologyReject }
}

/// Writers follow the primary wherever it is.
fn zones_count(way: &Way) -> bool {
    matches!(way, Way::Egress { target: Target::Any | Target::Replica, .. })
}
