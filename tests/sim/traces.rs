//! The same seed gives the same run: twice in a row, with and without a listener, natively and in WebAssembly.

use super::run;
use understudy::sim::{ClientSettings, Command, Scenario, Scripted, Sim};

/// Traces of the first seeds of the usual scenario, cut short: a tab must get the same (`tests/wasm/sim.rs`).
const TRACES: &str = include_str!("../data/simulator_traces.txt");

#[test]
fn the_same_seed_gives_the_same_trace_twice_in_a_row() {
    for seed in 100..110 {
        let (one, two) = (run(&Scenario::chaos(), seed), run(&Scenario::chaos(), seed));
        assert_eq!((one.trace(), one.steps()), (two.trace(), two.steps()), "seed {seed}");
        assert_eq!(one.told(), two.told());
    }
    assert_ne!(run(&Scenario::chaos(), 1).trace(), run(&Scenario::chaos(), 2).trace());
}

#[test]
fn who_listens_changes_nothing() {
    let silent = run(&Scenario::chaos(), 5);
    let mut heard = Sim::new(&Scenario::chaos(), 5);
    heard.listen();
    while heard.step() {}
    assert_eq!(silent.trace(), heard.trace());
    assert!(heard.take_happenings().len() > 100);
}

#[test]
fn traces_are_those_that_a_tab_must_get() {
    let now = Scenario::traces();
    let there = now == TRACES.trim_end();
    assert!(
        there,
        "if the machines were changed on purpose, tests/data/simulator_traces.txt becomes:\n{now}"
    );
}

#[test]
fn going_on_to_a_time_is_the_same_as_step_by_step() {
    let whole = run(&Scenario::default(), 3);
    let mut parts = Sim::new(&Scenario::default(), 3);
    for second in 1..=50 {
        parts.run_until(second * 1_000_000);
    }
    while parts.step() {}
    assert_eq!((whole.trace(), whole.violation()), (parts.trace(), None));
}

#[test]
fn a_script_is_what_its_commands_do() {
    let script = vec![Scripted { at_us: 5_000_000, command: Command::Kill { node: 0 } }];
    let mut sim = Sim::new(&Scenario { script, ..Scenario::default() }, 1);
    sim.run_until(4_900_000);
    assert!(sim.told().nodes[0].up && sim.told().nodes[0].writes);
    sim.run_until(5_100_000);
    assert!(!sim.told().nodes[0].up);
    sim.run_until(15_000_000);
    let told = sim.told();
    assert!(!told.nodes[0].up, "it stays down until it is started");
    assert!(told.nodes.iter().any(|node| node.writes), "a standby has taken over: {told:#?}");
    assert!(told.clients.iter().all(|client| client.longest_outage_us > 1_000_000));
    sim.command(Command::Start { node: 0 });
    while sim.step() {}
    assert_eq!(sim.violation(), None);
    assert_eq!((sim.told().rows.lost, sim.told().rows.made), (0, sim.told().rows.durable));
}

#[test]
fn what_is_given_while_it_runs_becomes_a_script_that_does_the_same() {
    const SECOND: u64 = 1_000_000;
    let scenario = Scenario { quiet_from_us: 8 * SECOND, until_us: 12 * SECOND, ..Scenario::default() };
    let mut sim = Sim::new(&scenario, 5);
    for (at, command) in [
        (3 * SECOND, Command::AddNode),
        (4 * SECOND, Command::Kill { node: 0 }),
        (5 * SECOND, Command::Promote { node: 1, planned: false }),
        (7 * SECOND, Command::Start { node: 0 }),
    ] {
        sim.run_until(at);
        let Scripted { at_us, command: entered } = sim.enter(command.clone(), at);
        assert!(at_us > at && entered == command);
    }
    while sim.step() {}
    let again = run(sim.scenario(), 5);
    assert_eq!((again.trace(), again.steps()), (sim.trace(), sim.steps()));
}

#[test]
fn clients_that_begin_to_ask_for_more_find_their_node_again() {
    for seed in 0..8 {
        let client = ClientSettings { durable: false, on_disk: false, ..ClientSettings::default() };
        let mut sim = Sim::new(&Scenario { client, ..Scenario::default() }, seed);
        sim.run_until(5_000_000);
        for command in
            [Command::Durable { on: true }, Command::StoreAndForward { on: true }, Command::AddClient]
        {
            sim.command(command);
        }
        sim.run_until(12_000_000);
        assert_eq!(sim.violation(), None, "seed {seed}");
        let told = sim.told();
        let without = |client: &&understudy::sim::ClientTold| client.node.is_none() || !client.durable;
        assert_eq!(told.clients.iter().find(without), None, "seed {seed}");
        assert_eq!(told.clients.len(), 5);
    }
}
