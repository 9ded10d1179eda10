/**
 * The replayer's API around the generated module: `types.d.ts` says what each call means.
 *
 * Calls are queued, so that each sees the place to which the call before it moved.
 */
import init, { Engine } from "./understudy.js";
import { once } from "./once.js";

/** Codes of `Timeline.kind`. */
export const KIND = Object.freeze({
  unknown: 0,
  data: 1,
  outOfOrder: 2,
  replaceRange: 3,
  truncate: 4,
  structure: 5,
  sql: 6,
  view: 7,
  drop: 8,
});

/**
 * Loads the module, once. Without an argument it is fetched from beside this file; node and bundlers
 * give its bytes, its address, or what was compiled.
 */
export const load = once(init);

/** A database directory opened for replay. */
export class Replay {
  #engine;
  #last = Promise.resolve();

  constructor(engine) {
    this.#engine = engine;
  }

  static async open(source, options = {}, other = null) {
    if (other === null) await load();
    const Opened = other ?? Engine;
    const { memory, onProgress } = options;
    const engine =
      source.kind === "url"
        ? await Opened.openUrl(source.url, titleOf(source.url), memory, onProgress)
        : await Opened.openFiles(source.files, source.name, memory, onProgress);
    return new Replay(engine);
  }

  overview() {
    return this.#open().overview();
  }

  refresh() {
    return this.#queued((engine) => engine.refresh());
  }

  timeline(dir) {
    return this.#queued((engine) => engine.timeline(dir));
  }

  seek(dir, seqTxn) {
    return this.#queued((engine) => engine.seek(dir, seqTxn));
  }

  step(dir, by) {
    return this.#queued((engine) => engine.step(dir, by));
  }

  state(dir) {
    return this.#open().state(dir);
  }

  rows(dir, first, count) {
    return this.#queued((engine) => engine.rows(dir, first, count));
  }

  rowsText(dir, first, count) {
    return this.#queued((engine) => engine.rowsText(dir, first, count));
  }

  bytes(dir, seqTxn) {
    return this.#queued((engine) => engine.bytes(dir, seqTxn));
  }

  raw(path, offset, length) {
    return this.#queued((engine) => engine.raw(path, offset, length));
  }

  lab(dir, seqTxn, memory) {
    return this.#queued((engine) => {
      if (!("lab" in engine)) throw usage("storage policies take the engine of the module with Parquet");
      return engine.lab(dir, seqTxn, memory);
    });
  }

  fetched() {
    return this.#open().fetched();
  }

  readFiles() {
    return this.#open().readFiles();
  }

  /** Waits for nothing: a call that is under way fails or ends by itself. */
  close() {
    const engine = this.#engine;
    this.#engine = null;
    if (engine) this.#last = this.#last.then(() => engine.free());
  }

  #open() {
    if (!this.#engine) throw usage("the replay is closed");
    return this.#engine;
  }

  #queued(call) {
    const answer = this.#last.then(() => call(this.#open()));
    this.#last = answer.catch(() => {});
    return answer;
  }
}

/** What to call the database at an address. */
export function titleOf(url) {
  const parts = new URL(url).pathname.split("/").filter((part) => part !== "" && part !== "db");
  return parts.length > 0 ? decodeURIComponent(parts[parts.length - 1]) : new URL(url).host;
}

function usage(message) {
  return Object.assign(new Error(message), { kind: "usage" });
}
