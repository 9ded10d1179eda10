/**
 * What the page and the worker that owns the WebAssembly module say to each other.
 *
 * The page sends `Request`; the worker answers each one, in order, with `Done` or `Failed` of the same
 * `id`. Between request and answer it may send any number of `Advance`. Nothing else is ever sent.
 */
import type { Cluster, Overview, Progress, Replay, Source } from "../../pkg/types.js";
import type { Scenario } from "../model/failover/told.js";
import type { LabCalls } from "./lab.js";
import type { SimCalls } from "./sim.js";

/** The calls that the worker answers: those of `Replay`, and `open`, which must come first, and `cluster`. */
export type Calls = Pick<
  Replay,
  | "overview"
  | "refresh"
  | "timeline"
  | "seek"
  | "step"
  | "state"
  | "rows"
  | "rowsText"
  | "bytes"
  | "raw"
  | "fetched"
  | "readFiles"
  | "close"
> & {
  /** Loads the module if need be (with `parquet` the one that knows it, in place of the usual one), closes what was open, opens `source` and tells what is there. */
  open(source: Source, options: { memory?: number; parquet?: boolean }): Promise<Overview>;
  /** The cluster, where the source is its bucket. */
  cluster(): Cluster | null;
  /** The same with what its instances did at this time, where that was not read before; else null. */
  journals(us: number): Promise<Cluster | null>;
  /** Begins a lab with a table after a transaction; the source must be open with `parquet`. */
  labOpen(dir: string, seqTxn: number): Promise<void>;
  /** Loads the simulator if need be, and begins a run; nothing else need be open. Answers the scenario as the seed made it. */
  simOpen(scenario: Scenario, seed: number): Promise<Scenario>;
} & Pick<LabCalls, "labSet" | "labRun" | "labWhy" | "labRows" | "labCheck"> &
  Pick<SimCalls, "simRun" | "simToStep" | "simNext" | "simOrder">;

export type Method = keyof Calls;
export type Args<M extends Method> = Parameters<Calls[M]>;
export type Result<M extends Method> = Awaited<ReturnType<Calls[M]>>;

/** One call. `M` ties the arguments to the method. */
export type Request = { [M in Method]: { id: number; method: M; args: Args<M> } }[Method];

export interface Done {
  id: number;
  ok: unknown;
}

export interface Failed {
  id: number;
  error: EngineError;
}

/** How far the call `id` has come. */
export interface Advance {
  id: number;
  progress: Progress;
}

export type Reply = Done | Failed | Advance;

/** A failure as plain data. */
export interface EngineError {
  /**
   * `trap`: the module is dead, the worker has to be replaced. `module`: it could not be loaded.
   * `network`: a request was refused or never answered (CORS looks like this too).
   * `missing`: the server answered, but what we need is not there. `damaged`: bytes that can't be right.
   * `usage`: a call that makes no sense.
   */
  kind: "trap" | "module" | "network" | "missing" | "damaged" | "usage";
  /** In plain words, for people. */
  message: string;
  /** The address that failed, if one did. */
  url?: string;
  /** The HTTP status, if there was an answer. */
  status?: number;
  /** The file inside the `db` directory, and the place in it. */
  file?: string;
  offset?: number;
  /** What the browser said of where it happened, for a report. */
  stack?: string;
}
