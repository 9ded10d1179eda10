/** The reader of buckets: the generated module beside the engine's, loaded once and only where it is needed. */
import init, { Ledger } from "./understudy_ledger.js";

export { Ledger };

let loading = null;

/** Loads the module. Without an argument it is fetched from beside this file. */
export function loadLedger(moduleOrPath) {
  loading ??= init(moduleOrPath === undefined ? undefined : { module_or_path: moduleOrPath }).catch((error) => {
    loading = null;
    throw error;
  });
  return loading;
}
