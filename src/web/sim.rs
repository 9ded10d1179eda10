//! A simulated cluster for JavaScript: a module of its own. Documents go over as JSON.

use crate::sim::{Command, Faults, Scenario, Scripted, Sim};
use serde::Deserialize;
use serde_json::json;
use wasm_bindgen::prelude::*;

type JsOutcome<T> = std::result::Result<T, JsError>;

/// A run of a scenario and a seed. Times are microseconds from the start, in JavaScript's numbers.
#[wasm_bindgen(js_name = Simulation)]
pub struct WebSim {
    sim: Sim,
    over: bool,
}

#[wasm_bindgen(js_class = Simulation)]
impl WebSim {
    /// Begins a run.
    ///
    /// # Errors
    /// What is wrong with the scenario.
    pub fn open(scenario: &str, seed: u64) -> JsOutcome<WebSim> {
        let scenario = read(scenario).map_err(|wrong| JsError::new(&wrong))?;
        let mut sim = Sim::new(&scenario, seed);
        sim.listen();
        Ok(Self { sim, over: false })
    }

    /// Goes on to a time, by so many steps at most; true once it is reached, or the run is over.
    #[wasm_bindgen(js_name = runUntil)]
    pub fn run_until(&mut self, until_us: f64, steps_max: u32) -> bool {
        let until_us = until_us as u64;
        for _ in 0..steps_max {
            if self.over || self.sim.next_us().is_none_or(|due| due > until_us) {
                return self.over || self.is_at_the_end(until_us);
            }
            self.over = !self.sim.step();
        }
        self.over
    }

    /// Goes on until so many steps are done in all, by `steps_max` of them at most.
    #[wasm_bindgen(js_name = runToStep)]
    pub fn run_to_step(&mut self, step: f64, steps_max: u32) -> bool {
        let step = step as u64;
        for _ in 0..steps_max {
            if self.over || self.sim.steps() >= step {
                break;
            }
            self.over = !self.sim.step();
        }
        self.over || self.sim.steps() >= step
    }

    /// Enters a command for the first moment behind this time at which nothing else is due; answers it with that time.
    ///
    /// # Errors
    /// What is no command.
    pub fn order(&mut self, order: &str, at_least_us: f64) -> JsOutcome<String> {
        let command: Command = serde_json::from_str(order)
            .map_err(|error| JsError::new(&format!("the command can't be read: {error}")))?;
        Ok(json!(self.sim.enter(command, at_least_us as u64)).to_string())
    }

    /// How everything stands.
    pub fn told(&self) -> String {
        json!(self.sim.told()).to_string()
    }

    /// What happened since it was last asked.
    pub fn happenings(&mut self) -> String {
        json!(self.sim.take_happenings()).to_string()
    }

    /// The scenario as the seed has made it, with all commands so far.
    pub fn scenario(&self) -> String {
        json!(self.sim.scenario()).to_string()
    }

    /// What did not hold, or `null`.
    pub fn violation(&self) -> String {
        json!(self.sim.violation()).to_string()
    }

    /// Virtual time of the last step.
    #[wasm_bindgen(js_name = nowUs)]
    pub fn now_us(&self) -> f64 {
        self.sim.now_us() as f64
    }

    /// Steps so far.
    pub fn steps(&self) -> f64 {
        self.sim.steps() as f64
    }

    /// Whether the run has ended.
    pub fn over(&self) -> bool {
        self.over
    }

    /// The hash over all that happened so far, 16 hex digits.
    pub fn trace(&self) -> String {
        format!("{:016x}", self.sim.trace())
    }

    /// Nothing is due up to this time: whether the run ends there, too.
    fn is_at_the_end(&mut self, until_us: u64) -> bool {
        if until_us >= self.sim.scenario().until_us {
            self.over = !self.sim.step();
        }
        true
    }
}

/// A document; one that says no more than `chaos`, perhaps with which faults and what is done when, is what
/// `understudy simulate` runs.
fn read(text: &str) -> Result<Scenario, String> {
    let Ok(Chaos { name, faults, script }) = serde_json::from_str(text) else { return Scenario::read(text) };
    if name != "chaos" {
        return Scenario::read(text);
    }
    let chaos = Scenario::chaos();
    Ok(Scenario { faults: faults.unwrap_or(chaos.faults), script, ..chaos })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Chaos {
    name: String,
    faults: Option<Faults>,
    #[serde(default)]
    script: Vec<Scripted>,
}
