//! Faults and commands, as they are carried out.

use super::ground::Due;
use super::invariant::Check;
use super::node::Node;
use super::run::{Sim, with};
use super::told::What;
use super::{CLIENTS_MAX, Command, End, Ends, Fault, Micros, NODES_MAX, Trouble};
use crate::node::{Event, Role};

/// Looks of the operator without a primary, before one is made.
const HEADLESS_MAX: u32 = 5;

impl Sim {
    /// Does something to the cluster, now.
    pub fn command(&mut self, command: Command) {
        let done = self.do_command(command);
        debug_assert!(done.is_ok(), "a command breaks nothing by itself: {done:?}");
    }

    pub(super) fn do_command(&mut self, command: Command) -> Check {
        let now = self.ground.now;
        let forever = Micros::MAX;
        let trouble =
            |fault, ends, strength| Trouble { fault, ends, from_us: now, until_us: forever, strength };
        match command {
            Command::Kill { node } => self.down(node, false),
            Command::PowerOff { node } => self.down(node, true),
            Command::Start { node } => self.up(node),
            Command::Pause { node } => self.begin(trouble(Fault::Pause, End::Node(node).into(), 0)),
            Command::Resume { node } => self.end(&trouble(Fault::Pause, End::Node(node).into(), 0)),
            Command::Slow { end, extra_us } => {
                self.clear(|trouble| trouble.fault == Fault::Delay && trouble.ends == Ends::from(end));
                match extra_us {
                    0 => Ok(()),
                    extra_us => self.begin(trouble(Fault::Delay, end.into(), extra_us)),
                }
            }
            Command::Partition { ends, silent } => {
                let fault = if silent { Fault::BlackHole } else { Fault::Partition };
                self.begin(trouble(fault, ends, 0))
            }
            Command::Heal => {
                self.clear(|trouble| {
                    matches!(trouble.fault, Fault::Delay | Fault::Partition | Fault::BlackHole)
                });
                Ok(())
            }
            Command::Promote { node, planned: false } => self.order(node, Event::Promote),
            Command::Promote { node, planned: true } => self.switch_to(node),
            Command::AddNode => self.add_node(),
            Command::AddClient => self.add_client(),
            Command::KillClient { client } => self.kill_client(client),
            Command::Durable { on } => self.set_clients(|settings| settings.durable = on),
            Command::StoreAndForward { on } => self.set_clients(|settings| settings.on_disk = on),
            Command::Window { packs } => {
                self.set_nodes(|settings| settings.window = packs.clamp(1, 64));
                Ok(())
            }
            Command::Intervals { poll_us, throttle_us } => {
                self.set_nodes(|settings| {
                    (settings.poll_us, settings.throttle_us) = (poll_us.max(1_000), throttle_us.max(1_000));
                });
                Ok(())
            }
        }
    }

    /// A trouble of the plan begins.
    pub(super) fn begins(&mut self, at: usize) -> Check {
        if self.quiet {
            return Ok(());
        }
        let primary = self.primary();
        let Some(trouble) = self.plan.get_mut(at) else { return Ok(()) };
        let anybody = matches!(trouble.fault, Fault::AddNode | Fault::AddClient);
        if trouble.ends.is_empty() && !anybody {
            trouble.ends = End::Node(primary.unwrap_or(0)).into();
        }
        let trouble = *trouble;
        self.begin(trouble)
    }

    /// It ends, unless everything was repaired before.
    pub(super) fn ends(&mut self, at: usize) -> Check {
        match self.plan.get(at).copied() {
            Some(trouble) if !self.quiet => self.end(&trouble),
            _ => Ok(()),
        }
    }

    fn begin(&mut self, trouble: Trouble) -> Check {
        let Trouble { fault, ends, strength, .. } = trouble;
        self.ground.seen = self.ground.seen.with(fault);
        self.ground.tell(End::Bucket, What::Trouble { fault });
        for node in self.among(ends) {
            self.hit(node, fault, strength)?;
        }
        match fault {
            Fault::ClientKill => {
                let hit = (0..self.clients.len() as u32).filter(|client| ends.has(End::Client(*client)));
                hit.collect::<Vec<_>>().into_iter().try_for_each(|client| self.kill_client(client))?;
            }
            Fault::AddNode => self.add_node()?,
            Fault::AddClient => self.add_client()?,
            _ => {}
        }
        if trouble.until_us > trouble.from_us {
            self.ground.weather.begins(trouble);
        }
        Ok(())
    }

    /// What a fault does to a node when it begins.
    fn hit(&mut self, at: u32, fault: Fault, strength: u64) -> Check {
        let now = self.ground.now;
        let signed =
            if strength.is_multiple_of(2) { (strength / 2) as i64 } else { -((strength / 2) as i64) };
        match fault {
            Fault::Rival => return self.order(at, Event::Promote),
            Fault::PlannedSwitch => return self.switch_to(at),
            Fault::WindowChange => {
                self.set_nodes(|settings| settings.window = strength.clamp(1, 64) as u32);
                return self.kill_and_restart(at, false);
            }
            Fault::Kill => return self.kill_and_restart(at, false),
            Fault::LostUnsynced => return self.kill_and_restart(at, true),
            _ => {}
        }
        let Some(node) = self.nodes.get_mut(at as usize) else { return Ok(()) };
        match fault {
            Fault::TornWrite => node.tear_next = true,
            Fault::DiskFull => node.disk.full = true,
            Fault::ReadError => node.disk.fails_reads = true,
            Fault::SlowDisk => node.slow_disk_us = strength,
            Fault::OldDisk => node.old_disk = Some(Box::new((node.disk.clone(), node.store.clone()))),
            Fault::ClockJump => node.clock.jump(signed),
            Fault::ClockDrift => node.clock.drift(now, signed),
            Fault::Pause => node.pause(),
            _ => {}
        }
        Ok(())
    }

    fn end(&mut self, trouble: &Trouble) -> Check {
        let same = |other: &&Trouble| {
            other.fault == trouble.fault && other.ends == trouble.ends && other.strength == trouble.strength
        };
        let Some(begun) = self.ground.weather.in_force().iter().find(same).copied() else { return Ok(()) };
        self.ground.weather.ends(&begun);
        self.ground.tell(End::Bucket, What::TroubleOver { fault: trouble.fault });
        let now = self.ground.now;
        self.back_in_touch(&begun);
        for at in self.among(trouble.ends) {
            let Some(node) = self.nodes.get_mut(at as usize) else { continue };
            match trouble.fault {
                Fault::DiskFull => node.disk.full = false,
                Fault::ReadError => node.disk.fails_reads = false,
                Fault::SlowDisk => node.slow_disk_us = 0,
                Fault::ClockDrift => node.clock.drift(now, 0),
                Fault::Pause => node.resume(&mut self.ground),
                Fault::OldDisk => {
                    node.put_back(&mut self.ground);
                    node.start_after(node.settings.restart_us, &mut self.ground);
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn clear(&mut self, wanted: impl Fn(&Trouble) -> bool) {
        let over: Vec<Trouble> =
            self.ground.weather.in_force().iter().copied().filter(|it| wanted(it)).collect();
        for trouble in over {
            self.ground.weather.ends(&trouble);
            self.ground.tell(End::Bucket, What::TroubleOver { fault: trouble.fault });
            self.back_in_touch(&trouble);
        }
    }

    /// Nodes that this kept from the bucket can ask it again.
    fn back_in_touch(&mut self, trouble: &Trouble) {
        let cuts = [Fault::Partition, Fault::BlackHole, Fault::OneWay, Fault::CutFromBucket];
        if !cuts.contains(&trouble.fault) {
            return;
        }
        let with_bucket = trouble.ends.has(End::Bucket);
        for node in self.nodes.iter_mut().filter(|node| trouble.ends.has(node.end()) != with_bucket) {
            node.comes_back(&self.ground);
        }
    }

    /// The nodes among these ends.
    fn among(&self, ends: Ends) -> Vec<u32> {
        (0..self.nodes.len() as u32).filter(|node| ends.has(End::Node(*node))).collect()
    }

    /// The node that takes writes, or did last; of several the one with the newest term.
    pub(super) fn primary(&self) -> Option<u32> {
        let term = |node: &&Node| {
            let process = node.process.as_ref();
            process.and_then(|process| process.machine.kept().point.as_ref().map(|point| point.next.dir.term))
        };
        self.nodes.iter().filter(|node| node.is_primary()).max_by_key(term).map(|node| node.id)
    }

    fn kill_and_restart(&mut self, at: u32, power: bool) -> Check {
        let ground = &mut self.ground;
        with(&mut self.nodes, at, |node| {
            if node.process.is_some() {
                node.kill(power, ground);
                let restart = node.settings.restart_us;
                let wait = ground.chance.between(restart / 4, 3 * restart);
                node.start_after(wait, ground);
            }
            Ok(())
        })
    }

    fn down(&mut self, at: u32, power: bool) -> Check {
        let ground = &mut self.ground;
        with(&mut self.nodes, at, |node| {
            node.held_down = true;
            node.kill(power, ground);
            Ok(())
        })
    }

    fn up(&mut self, at: u32) -> Check {
        let ground = &mut self.ground;
        with(&mut self.nodes, at, |node| {
            node.held_down = false;
            node.start(ground)
        })
    }

    fn order(&mut self, at: u32, event: Event) -> Check {
        let ground = &mut self.ground;
        with(&mut self.nodes, at, |node| node.order(event, ground))
    }

    /// L4: the primary is asked to hand over, and the other one to look often.
    fn switch_to(&mut self, to: u32) -> Check {
        let Some(from) = self.primary().filter(|from| *from != to) else { return Ok(()) };
        self.order(to, Event::Brisk)?;
        self.order(from, Event::HandOver { to: Node::name(to) })
    }

    fn add_node(&mut self) -> Check {
        let id = self.nodes.len() as u32;
        if id < NODES_MAX {
            self.new_node(Role::Replica);
            self.ground.after(0, Due::Start(End::Node(id)));
        }
        Ok(())
    }

    fn add_client(&mut self) -> Check {
        let id = self.clients.len() as u32;
        if id < CLIENTS_MAX {
            self.new_client();
            self.ground.after(0, Due::Start(End::Client(id)));
        }
        Ok(())
    }

    fn kill_client(&mut self, client: u32) -> Check {
        let ground = &mut self.ground;
        with(&mut self.clients, client, |client| {
            client.kill(ground);
            Ok(())
        })
    }

    fn set_nodes(&mut self, change: impl Fn(&mut super::scenario::NodeSettings)) {
        change(&mut self.node_settings);
        for node in &mut self.nodes {
            change(&mut node.settings);
            node.take_intervals();
        }
    }

    fn set_clients(&mut self, change: impl Fn(&mut super::scenario::ClientSettings)) -> Check {
        change(&mut self.client_settings);
        for client in &mut self.clients {
            client.set(self.client_settings.clone(), &mut self.ground);
        }
        Ok(())
    }

    /// Somebody looks after the cluster: who has no primary for long gets one.
    pub(super) fn operator(&mut self) -> Check {
        if !self.scenario.operator || self.ground.truth.point().is_none() || self.primary().is_some() {
            self.headless = 0;
            return Ok(());
        }
        self.headless += 1;
        if self.headless < HEADLESS_MAX {
            return Ok(());
        }
        self.headless = 0;
        let up = self.nodes.iter().filter(|node| node.process.is_some() && !node.paused);
        let best = up.max_by_key(|node| (node.applied(), std::cmp::Reverse(node.id))).map(|node| node.id);
        best.map_or(Ok(()), |node| self.order(node, Event::Promote))
    }
}
