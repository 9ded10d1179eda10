/** A driver beside the stage: another worker, which follows what the state wants of it as the stage follows the rest. */
import { detailOf, type Engine } from "./engine/client.js";
import { memoryFor, type Opening } from "./engine/source.js";
import type { Command, Fact } from "./model/command.js";
import { Pump } from "./pump.js";
import type { Stage } from "./stage.js";
import type { EngineError } from "./worker/protocol.js";

/** Of the tab's memory each worker beside the stage's gets this part. */
const MEMORY_SHARE = 1 / 3;

/** What a driver does with its worker. */
export interface Work {
  /** Hears each command, before what it makes necessary is done. */
  heard(command: Command | Fact): void;
  /** Does what is needed next; true if there may be more. */
  advance(): Promise<boolean>;
  /** The worker or a step has failed. */
  failed(error: EngineError): void;
  /** The worker is gone, with all that it was given. */
  closed(): void;
}

export class Beside {
  engine: Engine | null = null;
  /** Whether the worker has opened its source. */
  opened = false;
  readonly #start: () => Engine;
  readonly #work: Work;
  readonly #calls = new Pump(() => this.#step());
  /** How often it was closed: what fails because of that is no failure. */
  #closed = 0;

  constructor(stage: Stage, start: () => Engine, work: Work) {
    this.#start = start;
    this.#work = work;
    stage.observe((command) => {
      if ("fact" in command && command.fact === "opened") this.close();
      work.heard(command);
      this.wish();
    });
  }

  /** Something may have changed. */
  wish(): void {
    void this.#calls.wish();
  }

  /** Starts the worker. */
  start(): Engine {
    const engine = (this.engine = this.#start());
    engine.onTrap = (error) => this.#work.failed(error);
    return engine;
  }

  /** Ends the worker, if there is one. */
  close(): void {
    this.#closed++;
    this.engine?.close();
    this.engine = null;
    this.opened = false;
    this.#work.closed();
  }

  async #step(): Promise<boolean> {
    const closed = this.#closed;
    try {
      return await this.#work.advance();
    } catch (error) {
      if (closed !== this.#closed) return true;
      this.#work.failed(detailOf(error));
      return false;
    }
  }
}

/** Bytes for a worker beside the stage's, `least` at least. */
export function memoryBeside(opening: Opening, least: number): number {
  return Math.max(least, memoryFor(opening) * MEMORY_SHARE);
}
