export * from "./types.js";

/** What `fetch` and `WebAssembly.instantiate` take: an address, a response, bytes, or a compiled module. */
export type ModuleSource =
  | URL
  | string
  | Request
  | Response
  | BufferSource
  | WebAssembly.Module
  | Promise<Response | WebAssembly.Module>;

/**
 * Loads the module, once; `Replay.open` does it by itself where the module lies beside this file and
 * `fetch` can read it. In node give its bytes: `await load(await readFile("understudy_bg.wasm"))`.
 */
export function load(module?: ModuleSource): Promise<unknown>;

/** What a failed call is rejected with, as properties of an `Error`. */
export interface FailureFields {
  kind: "network" | "missing" | "damaged" | "usage";
  message: string;
  url?: string;
  status?: number;
  file?: string;
  offset?: number;
}

/** What to call the database at an address: the last part of its path that says something. */
export function titleOf(url: string): string;
