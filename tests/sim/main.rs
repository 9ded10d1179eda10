//! The simulator: seeds that hold, faults that do what they say, bugs that are found.
//!
//! `UNDERSTUDY_SEEDS=A..B` has `seeds_hold` run those; a seed that does not hold is told step by step.
#![cfg(all(feature = "sim", not(target_arch = "wasm32")))]
// The bans are for the pure rooms; a test fails by panicking, and may ask its surroundings what to do.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::disallowed_macros,
    clippy::unwrap_used
)]

mod begin;
#[cfg(feature = "planted-bugs")]
mod bugs;
mod effects;
mod traces;

use understudy::sim::{Fault, Faults, Scenario, Sim};

/// Runs a seed to its end.
fn run(scenario: &Scenario, seed: u64) -> Sim {
    let mut sim = Sim::new(scenario, seed);
    while sim.step() {}
    sim
}

/// Seeds with only these kinds of fault.
fn only(faults: impl IntoIterator<Item = Fault>) -> Scenario {
    Scenario { faults: faults.into_iter().collect::<Faults>(), vary: true, ..Scenario::default() }
}

/// Seeds that did not hold once.
const ONCE: [u64; 21] = [
    19_163, 19_270, 20_722, 23_409, 24_330, 24_800, 25_432, 26_523, 40_780, 47_339, 54_376, 56_859, 56_970,
    57_466, 59_939, 63_967, 66_711, 68_469, 77_296, 83_337, 89_720,
];

/// Some seeds, and those that found a fault once.
fn seeds(some: std::ops::Range<u64>, once: &[u64]) -> Vec<u64> {
    let Ok(text) = std::env::var("UNDERSTUDY_SEEDS") else {
        return some.chain(once.iter().copied()).collect();
    };
    let (from, to) = text.split_once("..").expect("UNDERSTUDY_SEEDS is A..B");
    (from.parse().expect("a seed")..to.parse().expect("a seed")).collect()
}

#[test]
fn seeds_hold() {
    let faults = std::env::var("UNDERSTUDY_FAULTS").map_or(Faults::all(), |list| list.parse().unwrap());
    let scenario = Scenario { faults, ..Scenario::chaos() };
    let begun = std::time::Instant::now();
    let (mut bad, mut simulated_us) = (Vec::new(), 0);
    let seeds = seeds(0..60, &ONCE);
    for &seed in &seeds {
        let sim = run(&scenario, seed);
        simulated_us += sim.now_us();
        if let Some(violation) = sim.violation() {
            println!("seed {seed}: {violation}");
            bad.push(seed);
        }
    }
    let took = begun.elapsed().as_secs_f64();
    println!("{} seeds: {:.0} times real time", seeds.len(), simulated_us as f64 / 1e6 / took);
    if let Some(seed) = bad.first() {
        tell(&scenario, *seed);
    }
    assert!(bad.is_empty(), "seeds that do not hold: {bad:?}");
}

/// What happens in a seed.
fn tell(scenario: &Scenario, seed: u64) {
    let mut sim = Sim::new(scenario, seed);
    sim.listen();
    println!("{:?}\n{:?}", sim.scenario(), sim.plan());
    while sim.step() {}
    for it in sim.take_happenings() {
        println!("{:>8} {:>10.6} {:<8} {:?}", it.step, it.at_us as f64 / 1e6, it.who.to_string(), it.what);
    }
    println!("{:#?}\n{:?}", sim.told(), sim.violation());
}
