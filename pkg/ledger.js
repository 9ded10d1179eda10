/** The reader of buckets: the generated module beside the engine's, loaded once and only where it is needed. */
import init, { Ledger } from "./understudy_ledger.js";
import { once } from "./once.js";

export { Ledger };

/** Loads the module. Without an argument it is fetched from beside this file. */
export const loadLedger = once(init);
