/** The simulated cluster, as the page asks for it: a module of its own, built behind the page. */
import type { Happening, Order, Scenario, Scripted, Told, Violation } from "../model/failover/told.js";
import { failure } from "./failure.js";

/** What `pkg/sim.js` exports, built into a script of its own. */
export interface SimScript {
  Simulation: { open(scenario: string, seed: bigint): Simulation };
  loadSim(module: WebAssembly.Module): Promise<unknown>;
}

/** The module's class: `src/web/sim.rs`. */
export interface Simulation {
  runUntil(untilUs: number, stepsMax: number): boolean;
  runToStep(step: number, stepsMax: number): boolean;
  order(order: string, atLeastUs: number): string;
  told(): string;
  happenings(): string;
  scenario(): string;
  violation(): string;
  nowUs(): number;
  steps(): number;
  over(): boolean;
  free(): void;
}

/** How a part of a run came out. */
export interface SimAnswer {
  /** Whether it is where it was to go; else the call is to be made again. */
  reached: boolean;
  /** The time on show: what was asked for, or the last event's where the run ends before. */
  us: number;
  /** The run is over. */
  over: boolean;
  told: Told;
  happenings: Happening[];
  violation: Violation | null;
}

/** Steps between two looks at the clock. */
const STEPS = 250;
/** For how long a call works before it answers. */
const WORK_MS = 12;
/** While nothing is to be seen in between: fewer, longer pieces. */
const SEEK_MS = 60;

export class SimCalls {
  #sim: Simulation | null = null;
  #shownUs = 0;

  /** Begins a run; answers the scenario as the seed has made it. */
  simOpen(script: SimScript, scenario: Scenario, seed: number): Scenario {
    this.close();
    this.#shownUs = 0;
    this.#sim = script.Simulation.open(JSON.stringify(scenario), BigInt(seed));
    return JSON.parse(this.#sim.scenario()) as Scenario;
  }

  /**
   * Goes on to a time. `seeking`: nobody looks on the way. `stopAt`: what is of one of these kinds is not gone past, so that
   * it is seen at its moment.
   */
  simRun(untilUs: number, seeking: boolean, stopAt: readonly string[] = []): SimAnswer {
    const sim = this.#open();
    const until = Math.max(untilUs, this.#shownUs);
    if (stopAt.length > 0) return this.#watchfully(until, stopAt);
    const reached = this.#work(seeking ? SEEK_MS : WORK_MS, () => sim.runUntil(until, STEPS));
    return this.#answer(reached, reached && !sim.over() ? until : sim.nowUs());
  }

  simToStep(step: number): SimAnswer {
    const sim = this.#open();
    const reached = this.#work(SEEK_MS, () => sim.runToStep(step, STEPS));
    return this.#answer(reached, sim.nowUs());
  }

  /** On to the next thing that is told of, or that is of one of these kinds. */
  simNext(kinds: string[] | null): SimAnswer {
    const sim = this.#open();
    const all: Happening[] = [];
    const reached = this.#work(SEEK_MS, () => {
      sim.runToStep(sim.steps() + 1, 1);
      const told = JSON.parse(sim.happenings()) as Happening[];
      all.push(...told);
      return sim.over() || told.some(({ kind }) => kinds === null || kinds.includes(kind));
    });
    return this.#answer(reached, Math.max(this.#shownUs, sim.nowUs()), all);
  }

  /** Enters a command for the moment behind the one on show; answers it with its time. */
  simOrder(order: Order): Scripted {
    return JSON.parse(this.#open().order(JSON.stringify(order), this.#shownUs)) as Scripted;
  }

  close(): void {
    this.#sim?.free();
    this.#sim = null;
  }

  #watchfully(until: number, stopAt: readonly string[]): SimAnswer {
    const sim = this.#open();
    const all: Happening[] = [];
    const stops = ({ kind }: Happening) => stopAt.includes(kind);
    const reached = this.#work(WORK_MS, () => {
      const there = sim.runUntil(until, 1);
      const told = JSON.parse(sim.happenings()) as Happening[];
      all.push(...told);
      return there || told.some(stops);
    });
    const us = reached && !all.some(stops) && !sim.over() ? until : Math.max(this.#shownUs, sim.nowUs());
    return this.#answer(reached, us, all);
  }

  #work(ms: number, piece: () => boolean): boolean {
    const until = performance.now() + ms;
    while (performance.now() < until) {
      if (piece()) return true;
    }
    return false;
  }

  #answer(reached: boolean, us: number, before: Happening[] = []): SimAnswer {
    const sim = this.#open();
    this.#shownUs = us;
    return {
      reached: reached || sim.over(),
      us,
      over: sim.over(),
      told: JSON.parse(sim.told()) as Told,
      happenings: [...before, ...(JSON.parse(sim.happenings()) as Happening[])],
      violation: JSON.parse(sim.violation()) as Violation | null,
    };
  }

  #open(): Simulation {
    if (!this.#sim) throw failure("usage", "no run was begun");
    return this.#sim;
  }
}
