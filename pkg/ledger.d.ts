import type { ModuleSource } from "./index.js";

/** Loads the module, once. In node give its bytes. */
export function loadLedger(module?: ModuleSource): Promise<unknown>;

/**
 * A cluster's history in a bucket, and where its tables' bytes lie. Makes no request itself. Texts that are more than
 * a key are JSON. Calls throw an `Error` with `kind`: `damaged` or `usage`.
 */
export class Ledger {
  /** Of the bytes of `cluster.json`; keeps about `memory` bytes of objects at hand. */
  constructor(cluster: Uint8Array, memory: number);
  cluster(): string;
  /** Begins behind the snapshot `n`, of whose manifest these are the bytes. */
  beginBehind(n: number, manifest: Uint8Array): void;
  /** `{get}`, `{idle}` or `{stopped, kind}`. */
  next(): string;
  /** The object that `next` asked for; nothing if a request sent after that did not find it. */
  give(bytes?: Uint8Array): void;
  again(boundary: boolean): void;
  ahead(by: number): string;
  state(): string;
  passed(from: number): string;
  changes(): string;
  size(path: string): number;
  /** Some of the bytes asked for; nothing while what `wanted` names is not at hand. */
  read(path: string, from: number, to: number): Uint8Array | undefined;
  /** Keys, the one that is needed first. */
  wanted(): string;
  put(key: string, bytes: Uint8Array): void;
  document(key: string, bytes: Uint8Array): string;
  free(): void;
}
