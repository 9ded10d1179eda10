import type { ModuleSource } from "./index.js";

/** Loads the module, once. In node give its bytes. */
export function loadSim(module?: ModuleSource): Promise<unknown>;

/**
 * A cluster in a simulator: the same seed and scenario give the same run everywhere. Documents go over as JSON; the crate's
 * `sim` module has their types. Times are microseconds from the start.
 */
export class Simulation {
  private constructor();
  /** Fails with what is wrong with the scenario; `{"name": "chaos"}` alone is what `understudy simulate` runs. */
  static open(scenario: string, seed: bigint): Simulation;
  /** Goes on to a time, by so many steps at most. True once it is reached, or the run is over. */
  runUntil(untilUs: number, stepsMax: number): boolean;
  /** Goes on until so many steps are done in all. */
  runToStep(step: number, stepsMax: number): boolean;
  /** Enters a command for the first moment behind this time at which nothing else is due; answers it with that time. */
  order(order: string, atLeastUs: number): string;
  /** How everything stands. */
  told(): string;
  /** What happened since it was last asked. */
  happenings(): string;
  /** The scenario as the seed has made it, with all commands so far. */
  scenario(): string;
  /** What did not hold, or `null`. */
  violation(): string;
  nowUs(): number;
  steps(): number;
  over(): boolean;
  /** The hash over all that happened so far, 16 hex digits. */
  trace(): string;
  free(): void;
}
