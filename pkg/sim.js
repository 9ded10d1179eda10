/** The simulated cluster: a generated module of its own, as `sim.d.ts` describes it. */
import init, { Simulation } from "./understudy_sim.js";

export { Simulation };

let loading = null;

/** Loads the module, once. Without an argument it is fetched from beside this file. */
export function loadSim(moduleOrPath) {
  loading ??= init(moduleOrPath === undefined ? undefined : { module_or_path: moduleOrPath }).catch((error) => {
    loading = null;
    throw error;
  });
  return loading;
}
