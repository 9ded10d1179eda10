//! Every order of events of small clusters, over the machines of `ledger` themselves: breadth first, until nothing new
//! is reached. `world.rs` says what may happen, `check.rs` what must hold.

mod check;
mod explore;
mod world;

use explore::{Outcome, explore};
use understudy::ledger::Rules;
use world::Model;

const SMALL: Model =
    Model { writers: 2, numbers: 3, window: 2, readers: 1, cleaner: true, rules: Rules::ALL };
const NO_CLEANER: Model = Model { cleaner: false, readers: 2, ..SMALL };

/// Explores all, and says how much that was.
fn holds(model: &Model) {
    let started = std::time::Instant::now();
    match explore(model) {
        Outcome::Complete { states, transitions, depth } => {
            let seconds = started.elapsed().as_secs_f32();
            println!("{model:?}: {states} states, {transitions} transitions, depth {depth}, {seconds:.1} s");
        }
        Outcome::Violation { what, path, .. } => panic!("{model:?}: {what} after\n{}", path.join("\n")),
    }
}

/// Leaves out a rule, and expects that something goes wrong.
fn needs(rule: &str, model: &Model) {
    let rules = Rules::without(rule).expect("the rule has a switch");
    match explore(&Model { rules, ..*model }) {
        Outcome::Complete { states, .. } => panic!("without {rule} nothing goes wrong in {states} states"),
        Outcome::Violation { what, path, states } => {
            println!(
                "without {rule}: {what}, {} steps, {states} states:\n  {}",
                path.len(),
                path.join("\n  ")
            );
        }
    }
}

#[test]
fn two_writers_a_reader_and_a_cleaner_keep_one_history() {
    holds(&SMALL);
}

#[test]
fn a_window_of_one_keeps_one_history() {
    holds(&Model { window: 1, ..SMALL });
}

#[test]
fn two_readers_and_more_numbers_keep_one_history() {
    holds(&Model { numbers: 4, ..NO_CLEANER });
}

#[test]
fn three_writers_keep_one_history() {
    holds(&Model { writers: 3, numbers: 3, readers: 1, ..NO_CLEANER });
}

#[test]
fn p2_the_seal_goes_to_the_lowest_missing_number() {
    needs("p2", &NO_CLEANER);
}

#[test]
fn p3_nothing_is_done_until_the_seal_is_settled() {
    needs("p3", &NO_CLEANER);
}

#[test]
fn p4_the_boundary_is_looked_at_after_the_seal_is_in() {
    needs("p4", &SMALL);
}

#[test]
fn p5_what_came_before_the_seal_is_read() {
    needs("p5", &NO_CLEANER);
}

#[test]
fn r1_no_number_is_passed_over() {
    needs("r1", &NO_CLEANER);
}

#[test]
fn r4_the_boundary_is_looked_at_after_a_seal_was_read() {
    needs("r4", &SMALL);
}

#[test]
fn c1_a_snapshot_holds_what_is_deleted() {
    needs("c1", &SMALL);
}

#[test]
fn c2_the_boundary_is_in_before_anything_is_deleted() {
    needs("c2", &SMALL);
}

#[test]
fn c3_seals_stay() {
    needs("c3", &SMALL);
}

#[test]
fn w2_stragglers_are_bounded_by_the_window() {
    needs("w2", &NO_CLEANER);
}

#[test]
fn w3_a_number_is_bound_to_its_bytes() {
    needs("w3", &NO_CLEANER);
}

#[test]
fn w4_that_a_number_is_taken_proves_nothing() {
    needs("w4", &NO_CLEANER);
}

#[test]
fn w5_numbers_are_acknowledged_without_a_gap() {
    needs("w5", &NO_CLEANER);
}

#[test]
fn s1_a_snapshot_holds_confirmed_numbers_only() {
    needs("s1", &SMALL);
}
