//! Each kind of fault occurs, does what it says, and breaks no invariant.

use super::{only, run};
use understudy::sim::{Command, End, Fault, Faults, Happening, Scenario, Scripted, Sim, What};

/// Runs of a kind of fault, with all that happened in them.
fn runs(fault: Fault, count: u64) -> Vec<(Sim, Vec<Happening>)> {
    let scenario = Scenario { vary: false, ..only([fault]) };
    (0..count)
        .map(|seed| {
            let mut sim = Sim::new(&scenario, seed);
            sim.listen();
            while sim.step() {}
            assert_eq!(sim.violation(), None, "{fault}, seed {seed}");
            let happenings = sim.take_happenings();
            (sim, happenings)
        })
        .collect()
}

/// Whether something like this happens in one of some runs of this kind of fault, and not in those without faults.
fn brings(fault: Fault, wanted: impl Fn(&Sim, &[Happening]) -> bool) {
    let found = runs(fault, 8).iter().any(|(sim, happenings)| wanted(sim, happenings));
    assert!(found, "{fault} never did what it says");
    let calm = run(&Scenario { faults: Faults::NONE, ..Scenario::default() }, 1);
    assert!(!wanted(&calm, &[]), "{fault}: the same without it");
}

fn any(happenings: &[Happening], wanted: impl Fn(&Happening) -> bool) -> bool {
    happenings.iter().any(wanted)
}

fn stopped(happenings: &[Happening], word: &str) -> bool {
    any(happenings, |it| matches!(&it.what, What::Stopped { why } if why.contains(word)))
}

#[test]
fn every_kind_begins_and_breaks_nothing() {
    for fault in Fault::ALL {
        let begins = |(_, happenings): &(Sim, Vec<Happening>)| {
            any(happenings, |it| it.what == What::Trouble { fault: *fault })
        };
        let whole_run = *fault == Fault::IgnoredCondition;
        assert!(runs(*fault, 3).iter().all(begins) || whole_run, "{fault}");
    }
}

#[test]
fn processes_are_killed_and_start_again() {
    for fault in [Fault::Kill, Fault::TornWrite, Fault::LostUnsynced, Fault::OldDisk, Fault::WindowChange] {
        brings(fault, |_, happenings| {
            let killed = happenings.iter().position(|it| {
                matches!(it.who, End::Node(_)) && matches!(&it.what, What::Stopped { why } if why == "killed")
            });
            killed.is_some_and(|at| any(&happenings[at..], |it| it.what == What::Started))
        });
    }
    brings(Fault::ClientKill, |_, happenings| {
        any(happenings, |it| matches!(it.who, End::Client(_)) && matches!(it.what, What::Stopped { .. }))
    });
}

#[test]
fn a_paused_node_says_nothing() {
    for (sim, happenings) in runs(Fault::Pause, 4) {
        for trouble in sim.plan().iter().filter(|trouble| trouble.until_us > trouble.from_us) {
            let during = happenings.iter().filter(|it| {
                trouble.ends.has(it.who)
                    && matches!(it.who, End::Node(_))
                    && (trouble.from_us + 1..trouble.until_us).contains(&it.at_us)
            });
            let spoke = during.map(|it| &it.what).find(|what| !matches!(what, What::Stopped { .. }));
            let overlaps = sim.plan().iter().filter(|other| other.ends == trouble.ends).count() > 1;
            assert!(spoke.is_none() || overlaps, "{spoke:?}");
        }
    }
}

#[test]
fn the_primary_changes_when_it_is_to() {
    for fault in [Fault::Rival, Fault::PlannedSwitch] {
        brings(fault, |sim, _| sim.told().term > 1);
    }
    for (sim, _) in runs(Fault::PlannedSwitch, 4) {
        assert_eq!((sim.told().rows.lost, sim.told().rows.duplicated), (0, 0), "planned: nothing is lost");
    }
}

#[test]
fn nodes_and_clients_join() {
    brings(Fault::AddNode, |sim, _| {
        let told = sim.told();
        told.nodes.len() > 3 && told.nodes.iter().all(|node| node.rows == told.nodes[0].rows)
    });
    brings(Fault::AddClient, |sim, _| sim.told().clients.len() > 4);
}

#[test]
fn disks_that_fail_end_processes() {
    brings(Fault::DiskFull, |_, happenings| stopped(happenings, "no space left"));
    // It is met when something is read: at a start.
    let scenario = only([Fault::ReadError, Fault::Kill]);
    let met = (0..60).any(|seed| {
        let mut sim = Sim::new(&scenario, seed);
        sim.listen();
        while sim.step() {}
        assert_eq!(sim.violation(), None, "seed {seed}");
        stopped(&sim.take_happenings(), "input/output error")
    });
    assert!(met);
}

#[test]
fn a_store_that_ignores_conditions_is_refused_before_anything_is_written() {
    brings(Fault::IgnoredCondition, |sim, happenings| {
        sim.told().history == 0
            && sim.told().rows.acknowledged == 0
            && stopped(happenings, "ignores put-if-absent")
    });
}

#[test]
fn trouble_with_the_network_or_the_bucket_takes_time_or_requests() {
    let calm = run(&Scenario::default(), 1).told();
    let calm_outage = calm.clients.iter().map(|client| client.longest_outage_us).max().unwrap();
    for fault in [Fault::Partition, Fault::BlackHole, Fault::CutFromBucket, Fault::Denied, Fault::BucketFull]
    {
        brings(fault, |sim, _| {
            let longest = sim.told().clients.iter().map(|client| client.longest_outage_us).max();
            longest.is_some_and(|longest| longest > calm_outage + 100_000)
                || sim.told().nodes.iter().any(|node| node.promotions > 1)
                || sim.told().term > 1
        });
    }
}

#[test]
fn how_long_a_node_takes_to_catch_up_is_told() {
    let order = |at_us, command| Scripted { at_us, command };
    let scenario = Scenario {
        script: vec![
            order(6_000_000, Command::Partition { ends: End::Node(2).into(), silent: false }),
            order(12_000_000, Command::Heal),
            order(25_000_000, Command::Kill { node: 1 }),
            order(29_000_000, Command::Start { node: 1 }),
        ],
        ..Scenario::default()
    };
    let mut sim = Sim::new(&scenario, 9);
    let mut at = |us, node: usize| {
        sim.run_until(us);
        let node = sim.told().nodes.remove(node);
        (node.lag, node.behind_us, node.caught_up_us)
    };
    // Whoever is cut off falls behind, and does not catch up.
    let (lag, behind_us, first) = at(11_999_999, 2);
    assert!(lag > 8 && behind_us == 0, "{lag} {behind_us}");
    let (_, behind_us, _) = at(12_050_000, 2);
    assert!((1..=50_000).contains(&behind_us), "{behind_us}");
    // It asks again after a pause of up to 10 s.
    let (_, behind_us, took) = at(24_999_999, 2);
    assert!(
        behind_us == 0 && (50_000..12_000_000).contains(&took) && took != first,
        "{behind_us} {took} {first}"
    );
    let (_, behind_us, _) = at(29_020_000, 1);
    assert!(behind_us > 0);
    let (_, behind_us, took) = at(32_000_000, 1);
    assert!(behind_us == 0 && (20_000..2_000_000).contains(&took), "{took}");
}
