/** The real history that the lab's runs go on from, if they do. */
import type { Engine } from "./engine/client.js";
import { forkOf } from "./fork.js";
import { FORK_US, type Fork, isSame, scenarioOf } from "./model/failover/fork.js";
import { canonical, FORKED } from "./model/failover/scenario.js";
import type { Scenario, Told } from "./model/failover/told.js";
import type { Progress } from "../pkg/types.js";

/** The simulator's own clock stands a little before the moment when nobody has written yet. */
const COMPARED_US = 0.9 * FORK_US;

export class Forked {
  /** Once it is read. */
  fork: Fork | null = null;
  /** By table: whether a run began with the very rows of the replay, by their digest. */
  readonly same = new Map<string, boolean>();

  readonly #engine: Engine;
  readonly #read: typeof forkOf;

  constructor(engine: Engine, read: typeof forkOf = forkOf) {
    this.#engine = engine;
    this.#read = read;
  }

  /** Reads the fork of this moment, unless it is at hand. */
  async take(from: string | null, onProgress: (progress: Progress) => void): Promise<void> {
    if (from === (this.fork?.from ?? null)) return;
    this.fork = from === null ? null : await this.#read(this.#engine, from, onProgress);
    this.same.clear();
  }

  /** The scenario of a fork whose link says no more than that it is one. */
  scenario(scenario: Scenario): Scenario {
    const bare = this.fork && canonical(scenario) === canonical(FORKED);
    return this.fork && bare ? scenarioOf(this.fork) : scenario;
  }

  /** A scenario with the rows that it begins with. */
  whole(scenario: Scenario): Scenario {
    return this.fork ? { ...scenario, begin: this.fork.begin } : scenario;
  }

  /** On the way to a time the moment of the fork is not gone past unseen. */
  until(nowUs: number, us: number): number {
    return this.fork && nowUs < FORK_US ? Math.min(us, FORK_US) : us;
  }

  /** Before clients write, the history in the bucket is to be that of the replay. */
  compare({ tables = [], now_us: us }: Told): void {
    for (const told of us >= COMPARED_US ? tables : []) {
      const real = this.fork?.real.find(({ name }) => name === told.name);
      const same = real ? isSame(told, real) : null;
      if (same !== null) this.same.set(told.name, same);
    }
  }
}
