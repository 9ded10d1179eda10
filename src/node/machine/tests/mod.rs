//! Clusters of machines: roles, failover, and what becomes of rows.

mod world;

use self::world::{MS, SECOND, World};
use super::super::{Config, Event, Failover, Reason, Refusal, Role};
use crate::ledger::Rules;
use std::collections::BTreeSet;

fn config(name: &str, role: Role) -> Config {
    Config { throttle_us: 100 * MS, ..Config::new(name, role, 0) }
}

fn automatic(name: &str, role: Role) -> Config {
    Config { failover: Some(Failover::default()), ..config(name, role) }
}

/// A primary `a` with standbys `b` and `c`, in full swing.
fn cluster(seed: u64, config: impl Fn(&str, Role) -> Config) -> World {
    let mut world = World::new(seed);
    world.add(config("a", Role::Primary));
    world.run(SECOND, 50 * MS);
    world.add(config("b", Role::Replica));
    world.add(config("c", Role::Replica));
    world.run(6 * SECOND, 50 * MS);
    assert_eq!(world.primaries(), [0]);
    world
}

/// After the faults: one history, one primary, all level, nothing durable lost, nothing dropped in silence.
fn settled(world: &World) {
    let history = world.history();
    let set: BTreeSet<u64> = history.iter().copied().collect();
    assert_eq!(set.len(), history.len(), "a transaction is there twice");
    let holds = |txn: &u64| set.contains(txn);
    let kept = world.nodes.iter().flat_map(|node| node.aside.iter().chain(&node.local));
    let kept: BTreeSet<u64> = kept.copied().collect();
    assert!(world.durable.iter().all(holds), "an acknowledged transaction is lost");
    for (at, node) in world.nodes.iter().enumerate() {
        assert_eq!(node.local.get(..history.len()), Some(&history[..]), "node {at}");
        assert!(node.kept.wrote || node.local.len() == history.len(), "node {at} holds more");
    }
    for txn in &world.made {
        assert!(holds(txn) || kept.contains(txn), "transaction {txn} is neither in the history nor told of");
    }
}

#[test]
fn a_primary_founds_and_replicas_follow() {
    let mut world = cluster(1, config);
    world.run(20 * SECOND, u64::MAX / 2);
    settled(&world);
    assert!(world.durable.len() > 50);
    assert_eq!(world.durable.len(), world.made.len());
    assert_eq!(world.nodes[0].roles, [(Role::Primary, Reason::Founded)]);
}

#[test]
fn a_primary_that_starts_again_goes_on_in_a_new_directory() {
    let mut world = cluster(2, config);
    world.kill(0);
    world.run(8 * SECOND, 50 * MS);
    let before = world.nodes[0].local.len();
    world.start(0);
    world.run(12 * SECOND, 50 * MS);
    assert_eq!(world.primaries(), [0]);
    world.run(40 * SECOND, u64::MAX / 2);
    settled(&world);
    assert!(world.nodes[0].local.len() > before);
    assert!(world.nodes[0].aside.is_empty());
    assert_eq!(world.durable.len(), world.made.len(), "what was not uploaded is the first of the new term");
}

#[test]
fn killed_the_cluster_heals_within_seven_seconds() {
    for seed in 0..50 {
        let mut world = cluster(seed, automatic);
        let wait = world.draw(3 * SECOND);
        world.run(6 * SECOND + wait, 50 * MS);
        world.kill(0);
        let killed = world.now_us;
        while world.primaries().is_empty() {
            world.run(world.now_us + 10 * MS, 10 * MS);
            assert!(world.now_us < killed + 6_500 * MS, "seed {seed}");
        }
        // The old one comes back, and finds what happened.
        world.start(0);
        world.run(killed + 30 * SECOND, 50 * MS);
        world.run(killed + 40 * SECOND, u64::MAX / 2);
        assert_eq!(world.primaries().len(), 1);
        assert_eq!(world.nodes[0].machine.as_ref().unwrap().told(world.now()).role, Role::Replica);
        settled(&world);
    }
}

#[test]
fn an_operator_promotes_and_the_lost_tail_is_told() {
    let mut world = cluster(3, config);
    // The primary takes writes that nobody will see.
    world.nodes[0].cut_off = true;
    world.run(8 * SECOND, 50 * MS);
    world.kill(0);
    world.tell(1, Event::Promote);
    world.run(10 * SECOND, 50 * MS);
    assert_eq!(world.primaries(), [1]);
    world.nodes[0].cut_off = false;
    world.start(0);
    world.run(20 * SECOND, 50 * MS);
    world.run(40 * SECOND, u64::MAX / 2);
    settled(&world);
    assert!(world.nodes[0].aside.len() > 20, "{:?}", world.nodes[0].aside);
    assert_eq!(world.nodes[1].roles.last(), Some(&(Role::Primary, Reason::Ordered)));
}

#[test]
fn l4_a_planned_switch_takes_less_than_a_second_and_loses_nothing() {
    for seed in 0..50 {
        let mut world = cluster(seed, automatic);
        world.tell(0, Event::HandOver { to: "c".into() });
        let told = world.now_us;
        while world.primaries() != [2] {
            world.run(world.now_us + 10 * MS, 10 * MS);
            assert!(world.now_us < told + SECOND, "seed {seed}");
        }
        world.run(told + 10 * SECOND, 50 * MS);
        world.run(told + 30 * SECOND, u64::MAX / 2);
        settled(&world);
        assert_eq!(world.durable.len(), world.made.len());
        assert!(world.nodes.iter().all(|node| node.aside.is_empty()));
        assert_eq!(world.nodes[2].roles.last(), Some(&(Role::Primary, Reason::HandedOver)));
        assert_eq!(world.primaries(), [2]);
    }
}

#[test]
fn l4_a_successor_that_is_dead_leaves_the_term_where_it_was() {
    let mut world = cluster(4, config);
    world.kill(2);
    world.tell(0, Event::HandOver { to: "c".into() });
    world.run(30 * SECOND, 50 * MS);
    assert_eq!(world.primaries(), [0]);
    world.start(2);
    world.run(60 * SECOND, u64::MAX / 2);
    settled(&world);
    assert_eq!(world.primaries(), [0], "an old hand-over is no order");
}

#[test]
fn whoever_is_told_to_end_ends_whatever_it_is_doing() {
    let mut world = cluster(9, config);
    world.tell(0, Event::HandOver { to: "b".into() });
    world.tell(0, Event::Stop);
    world.tell(2, Event::Stop);
    world.run(10 * SECOND, 50 * MS);
    assert_eq!(world.nodes[0].exited, Some(Reason::Stopped));
    assert_eq!(world.nodes[2].exited, Some(Reason::Stopped));
    assert_eq!(world.primaries(), [1]);
    world.tell(1, Event::Stop);
    world.run(20 * SECOND, 50 * MS);
    assert_eq!(world.nodes[1].exited, Some(Reason::Stopped));
    assert_eq!(world.history().len(), world.made.len(), "what was taken is uploaded first");
}

#[test]
fn l3_a_zombie_takes_no_writes_when_it_wakes() {
    let mut world = cluster(5, automatic);
    let frozen = world.now_us;
    world.pause(0, 10 * SECOND);
    world.run(frozen + 9 * SECOND, 50 * MS);
    assert_eq!(world.primaries().iter().filter(|at| **at != 0).count(), 1);
    let before = world.nodes[0].local.len();
    world.run(frozen + 30 * SECOND, 50 * MS);
    assert_eq!(world.nodes[0].local.len().min(before), before);
    world.run(frozen + 60 * SECOND, u64::MAX / 2);
    settled(&world);
    let now = world.now();
    let told = world.nodes[0].machine.as_ref().unwrap().told(now);
    assert_eq!((told.role, told.fenced, told.refuses), (Role::Replica, 1, Some(Refusal::Replica)));
    assert!(world.nodes[0].aside.is_empty() || world.nodes[0].aside.len() < 5);
}

#[test]
fn a_primary_that_catches_up_uploads_all_and_ends() {
    let mut world = cluster(6, config);
    world.nodes[0].cut_off = true;
    world.run(8 * SECOND, 50 * MS);
    world.kill(0);
    world.nodes[0].cut_off = false;
    world.nodes[0].config.role = Role::PrimaryCatchupUploads;
    world.start(0);
    world.run(20 * SECOND, 50 * MS);
    assert_eq!(world.nodes[0].exited, Some(Reason::CaughtUp));
    assert_eq!(world.history().len(), world.nodes[0].local.len());
    assert_eq!(world.history().len(), world.made.len());
    // Once more: there is nothing left to do. It is a replica's promotion that follows.
    world.tell(1, Event::Promote);
    world.run(30 * SECOND, 50 * MS);
    assert_eq!(world.primaries(), [1]);
}

#[test]
fn what_one_pack_has_no_room_for_goes_into_the_next_at_once() {
    let slow = |name: &str, role| Config { throttle_us: SECOND, ..Config::new(name, role, 0) };
    let mut world = cluster(13, slow);
    let before = world.durable.len();
    // Ten packs' worth.
    (0..50).for_each(|_| assert!(world.write(0)));
    world.run(8 * SECOND, u64::MAX / 2);
    assert!(world.durable.len() >= before + 50, "{} of 50", world.durable.len() - before);
}

/// What it waits for may have been cleaned while it could not ask (rule R2).
#[test]
fn who_could_not_listen_looks_at_the_boundary_at_once() {
    let mut world = cluster(12, config);
    world.looked.clear();
    world.nodes[1].cut_off = true;
    world.pause(2, 4 * SECOND);
    world.run(10 * SECOND, u64::MAX / 2);
    world.nodes[1].cut_off = false;
    world.run(13 * SECOND, u64::MAX / 2);
    let heard: BTreeSet<usize> = world.looked.iter().map(|(node, _)| *node).collect();
    assert_eq!(heard, BTreeSet::from([1, 2]));
    let looks = world.looked.len();
    world.run(40 * SECOND, u64::MAX / 2);
    assert_eq!(world.looked.len(), looks, "who hears has no reason to look");
}

#[test]
fn a_second_primary_is_refused_without_an_order() {
    let mut world = cluster(7, config);
    let d = world.add(config("d", Role::Primary));
    world.run(10 * SECOND, 50 * MS);
    assert!(matches!(world.nodes[d].exited, Some(Reason::Refused(_))), "{:?}", world.nodes[d].exited);
    world.nodes[d].config.migrate = true;
    world.start(d);
    world.run(30 * SECOND, 50 * MS);
    assert_eq!(world.primaries(), [d]);
    world.run(60 * SECOND, u64::MAX / 2);
    settled(&world);
}

#[test]
fn a_primary_that_is_to_be_a_replica_uploads_first() {
    let mut world = cluster(8, config);
    world.nodes[0].cut_off = true;
    world.run(8 * SECOND, 50 * MS);
    world.kill(0);
    world.nodes[0].cut_off = false;
    world.nodes[0].config.role = Role::Replica;
    world.start(0);
    world.run(30 * SECOND, 50 * MS);
    settled(&world);
    assert!(world.primaries().is_empty() && !world.nodes[0].kept.wrote);
    assert_eq!(world.history().len(), world.made.len());
}

/// Kills, pauses, partitions, lost and late answers, orders of all kinds: then calm.
fn storm(seed: u64, rules: Rules) {
    let mut world = World::new(seed);
    world.rules = rules;
    let auto = world.draw(4) > 0;
    let make = if auto { automatic } else { config };
    world.add(make("a", Role::Primary));
    world.run(SECOND, 50 * MS);
    world.add(make("b", Role::Replica));
    world.add(make("c", Role::Replica));
    world.lossy = world.draw(200);
    for _ in 0..30 {
        let until = world.now_us + 100 * MS + world.draw(4 * SECOND);
        world.run(until, 60 * MS);
        let node = world.draw(3) as usize;
        match world.draw(10) {
            0 | 1 => world.kill(node),
            2 | 3 if world.nodes[node].machine.is_none() => world.start(node),
            4 => {
                let us = world.draw(15 * SECOND);
                world.pause(node, us);
            }
            5 | 6 => world.nodes[node].cut_off = !world.nodes[node].cut_off,
            7 => world.tell(node, Event::Promote),
            8 => {
                let to = ["a", "b", "c"][world.draw(3) as usize].to_owned();
                world.tell(node, Event::HandOver { to });
            }
            _ => {}
        }
    }
    world.lossy = 0;
    for node in 0..3 {
        world.nodes[node].cut_off = false;
        if world.nodes[node].machine.is_none() {
            world.start(node);
        }
    }
    world.run(world.now_us + 60 * SECOND, 60 * MS);
    if !auto && world.primaries().is_empty() {
        world.tell(1, Event::Promote);
        world.run(world.now_us + 30 * SECOND, 60 * MS);
    }
    let primaries = world.primaries();
    assert_eq!(primaries.len(), 1, "one takes writes in the end");
    world.run(world.now_us + 30 * SECOND, u64::MAX / 2);
    settled(&world);
}

#[test]
fn storms_end_with_one_history_and_nothing_durable_lost() {
    let seeds = std::option_env!("NODE_STORMS").and_then(|count| count.parse().ok()).unwrap_or(100);
    for seed in 0..seeds {
        let ended = std::panic::catch_unwind(|| storm(seed, Rules::ALL));
        assert!(ended.is_ok(), "seed {seed}");
    }
}

#[test]
fn storms_find_a_rule_that_is_left_out() {
    for rule in ["w4", "p5", "p2"] {
        let rules = Rules::without(rule).expect("it is a rule");
        let found = (0..100).find(|seed| std::panic::catch_unwind(|| storm(*seed, rules)).is_err());
        assert!(found.is_some(), "nothing goes wrong without {rule}");
    }
}
