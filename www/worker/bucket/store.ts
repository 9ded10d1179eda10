/** Requests to a bucket: GETs of keys, some at a time, repeated where that may help, counted. */
import type { EngineError } from "../protocol.js";

/** Browsers allow six connections to a server that speaks HTTP/1.1. */
const PARALLEL = 6;
const TRIES = 5;
/** Fewer before the bucket has ever answered: what CORS forbids doesn't heal. */
const TRIES_UNSEEN = 2;
const BACK_OFF_MS = 200;
const TIMEOUT_MS = 120_000;
/** What never changes once it is there, and is asked for only when it is known to be there. */
const IMMUTABLE = /^(blob|snapshots)\//;

export interface Counts {
  requests: number;
  bytes: number;
  objects: number;
  retries: number;
}

export class Store {
  readonly counts: Counts = { requests: 0, bytes: 0, objects: 0, retries: 0 };
  readonly #base: URL;
  #reached = false;
  #running = 0;
  readonly #queue: (() => void)[] = [];

  /** `base` is the bucket's address, with a slash at its end; a query (a signature) is kept. */
  constructor(base: string) {
    this.#base = new URL(base);
  }

  /** The address of a key. */
  url(key: string): string {
    const url = new URL(this.#base);
    url.pathname += key.split("/").map(encodeURIComponent).join("/");
    return url.href;
  }

  /** An object whole, or null if there is none. */
  async get(key: string): Promise<Uint8Array | null> {
    if (this.#running >= PARALLEL) await new Promise<void>((done) => this.#queue.push(done));
    this.#running++;
    try {
      return await this.#tried(key);
    } finally {
      this.#running--;
      this.#queue.shift()?.();
    }
  }

  async #tried(key: string): Promise<Uint8Array | null> {
    let wait = BACK_OFF_MS;
    for (let tried = 1; ; tried++) {
      const answer = await this.#once(key);
      if (!(answer instanceof Error)) return answer;
      const tries = this.#reached ? TRIES : TRIES_UNSEEN;
      if (tried >= tries || (answer.status !== undefined && !isPassing(answer.status))) throw answer;
      // Requests that failed together should not come back together.
      const spread = 0.75 + Math.random() / 2;
      await new Promise((done) => setTimeout(done, wait * spread));
      wait *= 2;
      this.counts.retries++;
    }
  }

  async #once(key: string): Promise<Uint8Array | null | (Error & EngineError)> {
    this.counts.requests++;
    const url = this.url(key);
    try {
      const cache = IMMUTABLE.test(key) ? "default" : "no-store";
      const response = await fetch(url, { cache, signal: AbortSignal.timeout(TIMEOUT_MS) });
      if (response.status === 404 || response.status === 410) return null;
      // Buckets that hide their listing answer so for what does not exist.
      if (response.status === 403 && this.#reached) return null;
      if (!response.ok) return refused(url, response.status);
      const bytes = new Uint8Array(await response.arrayBuffer());
      this.#reached = true;
      this.counts.bytes += bytes.length;
      this.counts.objects++;
      return bytes;
    } catch (error) {
      const said = error instanceof Error ? error.message : String(error);
      const why = this.#reached
        ? "the connection was lost, or the bucket forbids this request (CORS)"
        : "the bucket does not exist or is down, or it does not allow this page to read from it (CORS)";
      return failure("network", `no answer (${said}): ${why}`, { url });
    }
  }
}

function isPassing(status: number): boolean {
  return status === 408 || status === 425 || status === 429 || status >= 500;
}

function refused(url: string, status: number): Error & EngineError {
  const why =
    status === 401 || status === 403
      ? "the bucket is private: allow everybody to read below this address (GET is enough, LIST is not needed), " +
        "give a signed address, or serve a copy with `understudy serve DIR`"
      : "it is in trouble";
  return failure("network", `the bucket answered ${status}: ${why}`, { url, status });
}

/** A failure as the page knows them. */
export function failure(
  kind: EngineError["kind"],
  message: string,
  more: Partial<EngineError> = {},
): Error & EngineError {
  return Object.assign(new Error(message), { kind, ...more });
}
