//! The documented rules of the host walk, by their names on QuestDB's pages.

use super::host::{HostState, Role, Target};
use super::walk::{Bound, FirstConnect, Found, GaveUp, Lost, Next, Walk, WalkSettings, Way};
use super::{MILLI, Micros};

const SECOND: Micros = 1000 * MILLI;

fn ingress(hosts: &[&str], first: FirstConnect) -> Walk {
    let way = Way::Ingress {
        initial_backoff_ms: 100,
        max_backoff_ms: 5_000,
        first,
        max_duration_ms: 300_000,
        drainer: false,
    };
    walk(hosts, None, way)
}

fn egress(hosts: &[&str], zone: Option<&str>, target: Target) -> Walk {
    let way = Way::Egress {
        target,
        failover: true,
        max_attempts: 8,
        max_duration_ms: 30_000,
        initial_backoff_ms: 50,
        max_backoff_ms: 1_000,
    };
    walk(hosts, zone, way)
}

fn walk(hosts: &[&str], zone: Option<&str>, way: Way) -> Walk {
    let addrs = hosts.iter().map(|host| (*host).into()).collect();
    Walk::new(WalkSettings { addrs, zone: zone.map(Into::into), way }, 42)
}

fn refused(role: Option<Role>) -> Found {
    Found::Status { status: 421, role, zone: None }
}

fn connected(role: Role, zone: &str) -> Found {
    Found::Connected { role: Some(role), zone: (!zone.is_empty()).then(|| zone.into()) }
}

/// Tries what is next and tells this about it.
fn step(walk: &mut Walk, found: &Found, now: Micros) -> usize {
    let Next::Try(host) = walk.next(now) else { panic!("a host to try at {now}, not {:?}", walk.next(now)) };
    walk.found(host, found, now);
    host
}

fn states(walk: &Walk) -> Vec<HostState> {
    walk.hosts().iter().map(|host| host.state).collect()
}

#[test]
fn selection_priority_keeps_the_order_of_addr_and_does_not_shuffle() {
    let mut walk = ingress(&["a", "b", "c"], FirstConnect::Async);
    let tried: Vec<_> = (0..3).map(|_| step(&mut walk, &Found::Unreachable, 0)).collect();
    assert_eq!(tried, [0, 1, 2]);
}

#[test]
fn topology_is_handled_inside_the_round() {
    let mut walk = ingress(&["replica", "primary"], FirstConnect::Off);
    assert_eq!(step(&mut walk, &refused(Some(Role::Replica)), 0), 0);
    assert_eq!(step(&mut walk, &connected(Role::Primary, ""), 1), 1);
    assert_eq!(states(&walk), [HostState::TopologyReject, HostState::Healthy]);
}

#[test]
fn states_after_each_answer() {
    let cases = [
        (refused(Some(Role::PrimaryCatchup)), HostState::TransientReject),
        (refused(Some(Role::Replica)), HostState::TopologyReject),
        (refused(Some(Role::Primary)), HostState::TopologyReject),
        (refused(Some(Role::Standalone)), HostState::TopologyReject),
        (refused(Some(Role::Other)), HostState::TopologyReject),
        (refused(None), HostState::TransportError),
        (Found::Status { status: 404, role: None, zone: None }, HostState::TransportError),
        (Found::Status { status: 426, role: None, zone: None }, HostState::TransportError),
        (Found::Status { status: 503, role: None, zone: None }, HostState::TransportError),
        (Found::Unreachable, HostState::TransportError),
    ];
    for (found, state) in cases {
        let mut walk = ingress(&["a", "b"], FirstConnect::Async);
        step(&mut walk, &found, 0);
        assert_eq!(states(&walk)[0], state, "{found:?}");
    }
}

#[test]
fn authentication_is_cluster_wide() {
    for status in [401, 403] {
        let mut walk = ingress(&["a", "b"], FirstConnect::Async);
        step(&mut walk, &Found::Status { status, role: None, zone: None }, 0);
        assert_eq!(walk.next(0), Next::GiveUp(GaveUp::Auth), "the second host is never asked");
    }
}

#[test]
fn no_pause_within_a_round_and_equal_jitter_behind_it() {
    let mut walk = ingress(&["a", "b"], FirstConnect::Async);
    let mut now = 0;
    for base in [100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000] {
        step(&mut walk, &Found::Unreachable, now);
        step(&mut walk, &Found::Unreachable, now);
        let Next::Wait(until) = walk.next(now) else { panic!("a pause after a round") };
        assert!((base * MILLI..2 * base * MILLI).contains(&(until - now)), "base {base} ms: {}", until - now);
        now = until;
    }
}

#[test]
fn a_round_of_role_rejects_pays_one_fixed_pause_without_doubling() {
    let mut walk = ingress(&["a", "b"], FirstConnect::Async);
    let mut now = 0;
    for _ in 0..10 {
        step(&mut walk, &refused(Some(Role::PrimaryCatchup)), now);
        step(&mut walk, &refused(Some(Role::Replica)), now);
        assert_eq!(walk.next(now), Next::Wait(now + 100 * MILLI));
        now += 100 * MILLI;
    }
}

#[test]
fn a_primary_that_catches_up_is_asked_before_a_replica() {
    let mut walk = ingress(&["replica", "catching-up"], FirstConnect::Async);
    step(&mut walk, &refused(Some(Role::Replica)), 0);
    step(&mut walk, &refused(Some(Role::PrimaryCatchup)), 0);
    let Next::Wait(until) = walk.next(0) else { panic!("a pause after a round") };
    assert_eq!(walk.next(until), Next::Try(1));
}

#[test]
fn sticky_healthy_across_rounds() {
    let mut walk = ingress(&["a", "b"], FirstConnect::Async);
    step(&mut walk, &Found::Unreachable, 0);
    step(&mut walk, &connected(Role::Primary, ""), 0);
    walk.lost(1, Lost::Recycled, 0, 5);
    assert_eq!(walk.next(5), Next::Try(1), "the host that was healthy last, not the first of the list");
}

#[test]
fn mid_stream_demotion_moves_off_the_broken_node_at_once() {
    let mut walk = ingress(&["a", "b"], FirstConnect::Async);
    step(&mut walk, &connected(Role::Primary, ""), 0);
    walk.progressed();
    walk.lost(0, Lost::Broke, 0, SECOND);
    assert_eq!(states(&walk), [HostState::TransportError, HostState::Unknown]);
    assert_eq!(walk.next(SECOND), Next::Try(1), "no pause, and not the first of the list");
}

#[test]
fn connections_that_are_lost_without_progress_are_paced() {
    let mut walk = ingress(&["a"], FirstConnect::Async);
    let mut now = 0;
    let mut pauses = Vec::new();
    for _ in 0..6 {
        step(&mut walk, &connected(Role::Primary, ""), now);
        walk.lost(0, Lost::Broke, 0, now);
        let pause = if let Next::Wait(until) = walk.clone().next(now) { until - now } else { 0 };
        pauses.push(pause / MILLI);
        now += pause;
    }
    assert_eq!(pauses[0], 0, "the first loss costs nothing");
    for (pause, base) in pauses[1..].iter().zip([100, 200, 400, 800, 1_600]) {
        assert!((base..2 * base).contains(pause), "{pauses:?}");
    }
}

#[test]
fn a_running_sender_retries_an_outage_of_any_length() {
    let mut walk = ingress(&["a"], FirstConnect::On);
    step(&mut walk, &connected(Role::Primary, ""), 0);
    walk.lost(0, Lost::Broke, 0, 0);
    let mut now = 0;
    while now < 3_600 * SECOND {
        match walk.next(now) {
            Next::Try(host) => _ = walk.found(host, &Found::Unreachable, now),
            Next::Wait(until) => now = until,
            Next::GiveUp(why) => panic!("gave up after {now}: {why}"),
        }
    }
}

#[test]
fn initial_connect_retry() {
    let mut off = ingress(&["a", "b"], FirstConnect::Off);
    step(&mut off, &Found::Unreachable, 0);
    step(&mut off, &Found::Unreachable, 0);
    assert_eq!(off.next(0), Next::GiveUp(GaveUp::FirstConnect), "one round, every host");

    let ended = |mut walk: Walk| {
        let mut now = 0;
        loop {
            match walk.next(now) {
                Next::Try(host) => _ = walk.found(host, &Found::Unreachable, now),
                Next::Wait(until) => now = until,
                Next::GiveUp(why) => return (why, now),
            }
            if now > 1_000 * SECOND {
                return (GaveUp::Auth, now);
            }
        }
    };
    let (why, at) = ended(ingress(&["a"], FirstConnect::On));
    assert_eq!((why, at), (GaveUp::Exhausted, 300 * SECOND), "reconnect_max_duration_millis");
    let (why, _) = ended(ingress(&["a"], FirstConnect::Async));
    assert_eq!(why, GaveUp::Auth, "async never gives up for time");
}

#[test]
fn all_replicas_end_a_first_connect_at_once() {
    let mut walk = ingress(&["a", "b"], FirstConnect::Off);
    step(&mut walk, &refused(Some(Role::Replica)), 0);
    step(&mut walk, &refused(Some(Role::Replica)), 0);
    assert_eq!(walk.next(0), Next::GiveUp(GaveUp::RoleMismatch));
}

#[test]
fn role_filter_of_egress() {
    let mut walk = egress(&["primary", "replica"], None, Target::Replica);
    let Next::Try(0) = walk.next(0) else { panic!("the first of the list") };
    assert_eq!(walk.found(0, &connected(Role::Primary, ""), 0), Bound::Unwanted);
    let Next::Try(1) = walk.next(0) else { panic!("the second of the list") };
    assert_eq!(walk.found(1, &connected(Role::Replica, ""), 0), Bound::Yes);
}

#[test]
fn egress_fails_at_once_if_every_host_role_rejects() {
    let mut walk = egress(&["a", "b"], None, Target::Primary);
    step(&mut walk, &connected(Role::Replica, ""), 0);
    step(&mut walk, &connected(Role::Replica, ""), 0);
    assert_eq!(walk.next(0), Next::GiveUp(GaveUp::RoleMismatch));
}

#[test]
fn zone_tier_outranks_the_order_and_state_outranks_zone() {
    let mut walk = egress(&["far", "near"], Some("eu-west-1a"), Target::Any);
    // Zones are learnt by contact only: the first pick goes by the order of the list.
    assert_eq!(step(&mut walk, &connected(Role::Replica, "US-EAST-1"), 0), 0);
    walk.lost(0, Lost::Broke, 0, SECOND);
    assert_eq!(step(&mut walk, &connected(Role::Replica, "EU-WEST-1A"), SECOND), 1);
    walk.progressed();
    walk.lost(1, Lost::Recycled, 0, 2 * SECOND);
    assert_eq!(walk.next(2 * SECOND), Next::Try(1), "healthy, and in the own zone");
}

#[test]
fn a_healthy_host_of_another_zone_is_not_sticky() {
    let mut walk = egress(&["near", "far"], Some("z1"), Target::Any);
    step(&mut walk, &Found::Status { status: 503, role: None, zone: Some("z1".into()) }, 0);
    step(&mut walk, &connected(Role::Replica, "z2"), 0);
    walk.lost(1, Lost::Recycled, 0, 10 * SECOND);
    let (Next::Wait(_) | Next::Try(0)) = walk.next(10 * SECOND) else { panic!("not the far one") };
}

#[test]
fn target_primary_collapses_zones() {
    let mut walk = egress(&["far", "near"], Some("z1"), Target::Primary);
    step(&mut walk, &connected(Role::Primary, "z2"), 0);
    walk.lost(0, Lost::Recycled, 0, 10 * SECOND);
    assert_eq!(walk.next(10 * SECOND), Next::Try(0), "writers are followed across zones");
}

#[test]
fn limits_of_egress() {
    let mut walk = egress(&["a", "b"], None, Target::Any);
    let (mut now, mut attempts) = (0, 0);
    let why = loop {
        match walk.next(now) {
            Next::Try(host) => {
                attempts += 1;
                walk.found(host, &Found::Unreachable, now);
            }
            Next::Wait(until) => {
                assert!(until - now < SECOND, "full jitter: [0, base)");
                now = until;
            }
            Next::GiveUp(why) => break why,
        }
    };
    assert_eq!((why, attempts), (GaveUp::Exhausted, 8), "failover_max_attempts");

    let mut slow = egress(&["a", "b"], None, Target::Any);
    step(&mut slow, &Found::Unreachable, 0);
    assert_eq!(slow.next(30 * SECOND), Next::GiveUp(GaveUp::Exhausted), "failover_max_duration_ms");
}

#[test]
fn failover_off_tries_one_host_once() {
    let way = Way::Egress {
        target: Target::Any,
        failover: false,
        max_attempts: 8,
        max_duration_ms: 0,
        initial_backoff_ms: 50,
        max_backoff_ms: 1_000,
    };
    let mut walk = walk(&["a", "b"], None, way);
    step(&mut walk, &Found::Unreachable, 0);
    assert_eq!(walk.next(0), Next::GiveUp(GaveUp::Exhausted));
}

/// A failover from the first host to the third, step by step, to the microsecond.
#[test]
fn golden_trace() {
    let mut walk = ingress(&["a", "b", "c"], FirstConnect::Off);
    let mut trace = String::new();
    let mut now = 0;
    // a is primary until 1 s and then gone; c is replica, catches up from 1.3 s and is primary from 1.9 s.
    let answer = |host: usize, now: Micros| match (host, now) {
        (0, ..SECOND) => connected(Role::Primary, ""),
        (0, _) => Found::Unreachable,
        (1, _) => refused(Some(Role::Replica)),
        (_, ..1_300_000) => refused(Some(Role::Replica)),
        (_, ..1_900_000) => refused(Some(Role::PrimaryCatchup)),
        _ => connected(Role::Primary, ""),
    };
    for _ in 0..40 {
        match walk.next(now) {
            Next::Try(host) => {
                let bound = walk.found(host, &answer(host, now), now);
                let state = walk.hosts()[host].state;
                trace += &format!("{now:>8} {} {state:?}\n", ["a", "b", "c"][host]);
                if bound == Bound::Yes && now < SECOND {
                    now = SECOND;
                    walk.progressed();
                    walk.lost(host, Lost::Broke, 0, now);
                    trace += &format!("{now:>8} {} lost\n", ["a", "b", "c"][host]);
                } else if bound == Bound::Yes {
                    break;
                }
                now += MILLI;
            }
            Next::Wait(until) => {
                trace += &format!("{now:>8} pause of {}\n", until - now);
                now = until;
            }
            Next::GiveUp(why) => panic!("{why}"),
        }
    }
    assert_eq!(trace, include_str!("walk_trace.txt"));
}
