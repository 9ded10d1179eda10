//! What goes wrong, when, and for whom: drawn from the seed before anything happens.

use super::scenario::Scenario;
use super::{Chance, End, Ends, Fault, Faults, Micros, Trouble};

const MILLI: Micros = 1_000;
const SECOND: Micros = 1_000 * MILLI;
/// Before this the cluster is left alone, so that there is one.
const BEGINS_US: Micros = 1_500 * MILLI;

/// The troubles of a run, in order of time. Those whose `ends` are none hit whoever is primary when they begin.
pub(super) fn troubles(scenario: &Scenario, seed: u64) -> Vec<Trouble> {
    let mut chance = Chance::new(seed, "plan");
    let mut kinds: Vec<Fault> = scenario.faults.iter().collect();
    if let Some(at) = kinds.iter().position(|fault| *fault == Fault::IgnoredCondition) {
        // A store like that is so from the first moment on, and nothing else is to be seen there.
        let alone = scenario.faults == Faults::from_iter([Fault::IgnoredCondition]);
        if alone || chance.per_mille(60) {
            return vec![ignored_condition(scenario)];
        }
        kinds.remove(at);
    }
    let count = chance.between(2, 10);
    let mut drawn: Vec<Trouble> = (0..count)
        .filter_map(|_| chance.pick(&kinds).copied())
        .collect::<Vec<_>>()
        .into_iter()
        .map(|fault| trouble(scenario, &mut chance, fault))
        .collect();
    drawn.sort_by_key(|trouble| trouble.from_us);
    drawn
}

fn ignored_condition(scenario: &Scenario) -> Trouble {
    let (fault, ends) = (Fault::IgnoredCondition, End::Bucket.into());
    Trouble { fault, ends, from_us: 0, until_us: scenario.until_us, strength: 1_000 }
}

fn trouble(scenario: &Scenario, chance: &mut Chance, fault: Fault) -> Trouble {
    let last = scenario.quiet_from_us.max(BEGINS_US + SECOND);
    let from_us = chance.between(BEGINS_US, last - SECOND / 2);
    let (least, most) = lasts(fault);
    let until_us = (from_us + chance.between(least, most)).min(last);
    let strength = strength(chance, fault);
    Trouble { fault, ends: ends(scenario, chance, fault), from_us, until_us, strength }
}

/// The shortest and the longest time; 0 of what happens at one moment.
fn lasts(fault: Fault) -> (Micros, Micros) {
    match fault {
        Fault::TornWrite
        | Fault::LostUnsynced
        | Fault::ClockJump
        | Fault::Kill
        | Fault::ClientKill
        | Fault::Rival
        | Fault::PlannedSwitch
        | Fault::AddNode
        | Fault::AddClient
        | Fault::WindowChange => (0, 0),
        Fault::Pause | Fault::CutFromBucket | Fault::BlackHole | Fault::Partition => {
            (200 * MILLI, 12 * SECOND)
        }
        Fault::OldDisk => (500 * MILLI, 10 * SECOND),
        _ => (200 * MILLI, 6 * SECOND),
    }
}

fn strength(chance: &mut Chance, fault: Fault) -> u64 {
    match fault {
        Fault::Delay => chance.between(20 * MILLI, 600 * MILLI),
        Fault::Reorder => chance.between(5 * MILLI, 400 * MILLI),
        Fault::SlowBucket => chance.between(100 * MILLI, 1_500 * MILLI),
        Fault::LatePut => chance.between(500 * MILLI, 15 * SECOND),
        Fault::SlowDisk => chance.between(5 * MILLI, 400 * MILLI),
        // Twice the jump, and its direction in the lowest bit.
        Fault::ClockJump => chance.between(SECOND, 86_400 * SECOND) * 2 + chance.below(2),
        Fault::ClockDrift => chance.between(100, 50_000) * 2 + chance.below(2),
        Fault::WindowChange => chance.between(1, 8),
        _ => chance.between(50, 700),
    }
}

fn ends(scenario: &Scenario, chance: &mut Chance, fault: Fault) -> Ends {
    match fault {
        Fault::Delay | Fault::Reorder | Fault::Loss | Fault::Duplicate | Fault::Reset => {
            match chance.below(3) {
                0 => Ends::ALL,
                1 => End::Bucket.into(),
                _ => node_or_primary(scenario, chance),
            }
        }
        Fault::Partition | Fault::BlackHole => group(scenario, chance),
        Fault::OneWay if chance.per_mille(300) => client(scenario, chance),
        Fault::ClientKill => client(scenario, chance),
        Fault::Rival | Fault::PlannedSwitch => node(scenario, chance),
        Fault::AddNode | Fault::AddClient => Ends::NONE,
        Fault::OneWay
        | Fault::CutFromBucket
        | Fault::TornWrite
        | Fault::LostUnsynced
        | Fault::DiskFull
        | Fault::ReadError
        | Fault::SlowDisk
        | Fault::OldDisk
        | Fault::ClockJump
        | Fault::ClockDrift
        | Fault::Pause
        | Fault::Kill
        | Fault::WindowChange => node_or_primary(scenario, chance),
        _ => End::Bucket.into(),
    }
}

fn node(scenario: &Scenario, chance: &mut Chance) -> Ends {
    End::Node(chance.below(scenario.nodes.into()) as u32).into()
}

fn node_or_primary(scenario: &Scenario, chance: &mut Chance) -> Ends {
    if chance.per_mille(500) { Ends::NONE } else { node(scenario, chance) }
}

fn client(scenario: &Scenario, chance: &mut Chance) -> Ends {
    End::Client(chance.below(scenario.clients.into()) as u32).into()
}

/// At least one node; anybody else may be with it.
fn group(scenario: &Scenario, chance: &mut Chance) -> Ends {
    let first = chance.below(scenario.nodes.into()) as u32;
    let nodes = (0..scenario.nodes).map(End::Node);
    let clients = (0..scenario.clients).map(End::Client);
    let others = nodes.chain(clients).chain([End::Bucket]);
    others.filter(|end| *end == End::Node(first) || chance.per_mille(400)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_drawn_and_ends_before_all_is_quiet() {
        for fault in Fault::ALL {
            let scenario = Scenario { faults: Faults::from_iter([*fault]), ..Scenario::default() };
            let drawn: Vec<Trouble> = (0..20).flat_map(|seed| troubles(&scenario, seed)).collect();
            assert!(drawn.len() >= 20 && drawn.iter().all(|trouble| trouble.fault == *fault), "{fault}");
            assert!(drawn.iter().all(|trouble| trouble.from_us <= trouble.until_us));
            let quiet =
                if *fault == Fault::IgnoredCondition { scenario.until_us } else { scenario.quiet_from_us };
            assert!(drawn.iter().all(|trouble| trouble.until_us <= quiet), "{fault}");
        }
    }

    #[test]
    fn without_kinds_nothing_goes_wrong() {
        assert!(troubles(&Scenario::default(), 1).is_empty());
    }
}
