//! Bugs that are put in on purpose, one at a time: each is found within 2,000 seeds.

use understudy::sim::{Bug, Scenario, Sim};

const SEEDS: u64 = 2_000;

#[test]
fn every_planted_bug_is_found() {
    assert!(Bug::ALL.len() >= 12);
    let mut missed = Vec::new();
    for bug in Bug::ALL {
        let found = (0..SEEDS).find_map(|seed| {
            let mut sim = Sim::with_bug(&Scenario::chaos(), seed, *bug);
            while sim.step() {}
            sim.violation().cloned().map(|violation| (seed, violation))
        });
        match found {
            Some((seed, violation)) => println!("{bug:?}: seed {seed}, {violation}"),
            None => missed.push(*bug),
        }
    }
    assert!(missed.is_empty(), "not found within {SEEDS} seeds: {missed:?}");
}
