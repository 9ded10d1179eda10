/** The page's side of the worker: calls as promises, and a new worker when the module has died. */
import type { Progress } from "../../pkg/types.js";
import type { Args, EngineError, Method, Reply, Result } from "../worker/protocol.js";

/** A failed call. */
export class EngineFailure extends Error {
  readonly detail: EngineError;

  constructor(detail: EngineError) {
    super(detail.message);
    this.name = "EngineFailure";
    this.detail = detail;
  }
}

/** The part of `Worker` that is used, so that tests can stand in for it. */
export interface Port {
  postMessage(message: unknown): void;
  terminate(): void;
  onmessage: ((event: MessageEvent) => void) | null;
  onerror: ((event: ErrorEvent) => void) | null;
}

interface Waiting {
  method: Method;
  done: (value: never) => void;
  failed: (error: EngineFailure) => void;
  onProgress: ((progress: Progress) => void) | undefined;
}

export class Engine {
  /** Called once when the worker has died; every call waiting has failed by then. */
  onTrap: ((error: EngineError) => void) | null = null;

  readonly #start: () => Port;
  #port: Port;
  /** Why the worker has ended, if it has: nobody would answer a call. */
  #dead: EngineError | null = null;
  #id = 0;
  readonly #waiting = new Map<number, Waiting>();

  constructor(start: () => Port) {
    this.#start = start;
    this.#port = this.#listen(start());
  }

  call<M extends Method>(method: M, args: Args<M>, onProgress?: (p: Progress) => void): Promise<Result<M>> {
    if (this.#dead) return Promise.reject(new EngineFailure(this.#dead));
    const id = ++this.#id;
    return new Promise<Result<M>>((done, failed) => {
      this.#waiting.set(id, { method, done, failed, onProgress });
      this.#port.postMessage({ id, method, args });
    });
  }

  /** Replaces the worker. What was open has to be opened again. */
  restart(): void {
    this.#port.terminate();
    this.#dead = null;
    this.#port = this.#listen(this.#start());
  }

  /** Ends the worker for good. */
  close(): void {
    this.#end({ kind: "usage", message: "closed" });
  }

  #listen(port: Port): Port {
    port.onmessage = (event) => {
      if (port === this.#port) this.#take(event.data as Reply);
    };
    port.onerror = (event) => {
      event.preventDefault();
      if (port !== this.#port) return;
      const where = event.filename ? `${event.filename}:${event.lineno}` : undefined;
      const loading = !event.message;
      this.#die({
        kind: loading ? "module" : "trap",
        message: loading ? "the worker’s script could not be loaded" : event.message,
        ...(where === undefined ? {} : { stack: where }),
      });
    };
    return port;
  }

  #take(reply: Reply): void {
    const waiting = this.#waiting.get(reply.id);
    if (!waiting) return;
    if ("progress" in reply) {
      waiting.onProgress?.(reply.progress);
      return;
    }
    this.#waiting.delete(reply.id);
    if ("error" in reply) {
      waiting.failed(new EngineFailure(reply.error));
      if (reply.error.kind === "trap") this.#die(reply.error);
    } else {
      waiting.done(reply.ok as never);
    }
  }

  #die(error: EngineError): void {
    if (this.#dead) return;
    this.#end(error);
    this.onTrap?.(error);
  }

  #end(error: EngineError): void {
    this.#dead = error;
    this.#port.terminate();
    const all = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const waiting of all) waiting.failed(new EngineFailure(error));
  }
}

/** Any thrown thing as plain data. */
export function detailOf(error: unknown): EngineError {
  if (error instanceof EngineFailure) return error.detail;
  const stack = error instanceof Error ? error.stack : undefined;
  return {
    kind: "usage",
    message: error instanceof Error ? error.message : String(error),
    ...(stack === undefined ? {} : { stack }),
  };
}
