//! Runs of the simulator, each with the hash over all that happened: equal on every machine, natively and in a tab.

use std::fmt::Write;
use understudy::sim::{Command, Scenario, Sim};

/// The seeds that are compared.
const SEEDS: [u64; 4] = [1, 7, 1_001, 0xffff_ffff_ffff];
const SECOND: u64 = 1_000_000;

/// A line for each run: its name, seed, steps and trace.
pub fn sim_traces() -> String {
    let chaos = Scenario { quiet_from_us: 8 * SECOND, until_us: 16 * SECOND, ..Scenario::chaos() };
    let mut lines = String::new();
    for seed in SEEDS {
        let mut sim = Sim::new(&chaos, seed);
        while sim.step() {}
        line(&mut lines, "chaos", seed, &sim);
    }
    line(&mut lines, "given", 5, &given());
    lines
}

/// Commands that are given while it runs; the script that comes of it does the same.
fn given() -> Sim {
    let until = Scenario { quiet_from_us: 8 * SECOND, until_us: 12 * SECOND, ..Scenario::default() };
    let mut sim = Sim::new(&until, 5);
    for (at, command) in [
        (3 * SECOND, Command::AddNode),
        (4 * SECOND, Command::Kill { node: 0 }),
        (5 * SECOND, Command::Promote { node: 1, planned: false }),
        (7 * SECOND, Command::Start { node: 0 }),
    ] {
        while sim.next_us().is_some_and(|due| due <= at) {
            sim.step();
        }
        let scripted = sim.enter(command.clone(), at);
        assert!(scripted.at_us > at && scripted.command == command);
    }
    while sim.step() {}
    let mut again = Sim::new(sim.scenario(), 5);
    while again.step() {}
    assert_eq!((again.steps(), again.trace()), (sim.steps(), sim.trace()), "the script replays what was given");
    sim
}

fn line(lines: &mut String, name: &str, seed: u64, sim: &Sim) {
    writeln!(lines, "{name} {seed} {} {:016x}", sim.steps(), sim.trace()).expect("text");
}
