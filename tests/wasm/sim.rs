//! The simulator in a tab: the same seeds give the same runs as natively (`tests/sim/traces.rs`).

use understudy::sim::Scenario;
use wasm_bindgen_test::wasm_bindgen_test;

#[wasm_bindgen_test]
fn seeds_have_the_traces_that_they_have_natively() {
    assert_eq!(Scenario::traces(), include_str!("../data/simulator_traces.txt").trim_end());
}
