//! The same seed gives the same run: twice in a row, and as WebAssembly (`tests/wasm/sim.rs` compares with the same file).

#[path = "../common/sim_traces.rs"]
mod made;

/// After a change of the simulator: `UNDERSTUDY_WRITE=1 cargo test --test it sim_traces`.
#[test]
fn seeds_give_the_same_traces_twice_and_as_they_were_written_down() {
    let made = made::sim_traces();
    assert_eq!(made::sim_traces(), made);
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/sim_traces.txt");
    if std::env::var_os("UNDERSTUDY_WRITE").is_some() {
        std::fs::write(path, &made).unwrap();
    }
    assert_eq!(made, std::fs::read_to_string(path).unwrap());
}
