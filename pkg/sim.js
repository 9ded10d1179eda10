/** The simulated cluster: a generated module of its own, as `sim.d.ts` describes it. */
import init, { Simulation } from "./understudy_sim.js";
import { once } from "./once.js";

export { Simulation };

/** Loads the module, once. Without an argument it is fetched from beside this file. */
export const loadSim = once(init);
