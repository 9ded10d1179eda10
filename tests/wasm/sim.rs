//! The simulator in a tab: the same seeds give the same runs as natively (`tests/sim/traces.rs`), and what the page asks it.

use understudy::sim::Scenario;
use understudy::web::WebSim;
use wasm_bindgen_test::wasm_bindgen_test;

#[wasm_bindgen_test]
fn seeds_have_the_traces_that_they_have_natively_and_twice() {
    let made = Scenario::traces();
    assert_eq!(made, include_str!("../data/simulator_traces.txt").trim_end());
    assert_eq!(Scenario::traces(), made);
}

#[wasm_bindgen_test]
fn a_run_is_told_and_takes_orders() {
    let json = |text: &str| serde_json::from_str::<serde_json::Value>(text).expect("JSON");
    let mut sim =
        WebSim::open(r#"{"nodes": 2, "clients": 1, "operator": false}"#, 3).ok().expect("a scenario");
    while !sim.run_until(2_500_000.0, 100) {}
    let told = json(&sim.told());
    assert!(told["rows"]["made"].as_u64() > Some(0), "{told}");
    assert!(json(&sim.happenings()).as_array().is_some_and(|all| !all.is_empty()));
    let given = json(&sim.order(r#"{"do": "kill", "node": 0}"#, 2_500_000.0).ok().expect("an order"));
    assert!(given["at_us"].as_f64() > Some(2_500_000.0));
    while !sim.run_until(2_600_000.0, 100) {}
    assert_eq!(json(&sim.told())["nodes"][0]["up"], false);
    assert_eq!(json(&sim.scenario())["script"][0]["do"], "kill");
    assert_eq!((sim.violation().as_str(), sim.over()), ("null", false));
    assert!(WebSim::open(r#"{"nodes": 0}"#, 3).is_err());
}
