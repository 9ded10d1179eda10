/** Failures as the page understands them. */
import type { EngineError } from "./protocol.js";

export function failure(kind: EngineError["kind"], message: string): EngineError & Error {
  return Object.assign(new Error(message), { kind });
}
