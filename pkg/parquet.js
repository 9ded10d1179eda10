/** The engine with Parquet and storage policies: the generated module that takes the first one's place where these are wanted. */
import init, { Engine } from "./understudy_parquet.js";
import { once } from "./once.js";

export { Engine };

/** Loads the module, once. Without an argument it is fetched from beside this file. */
export const loadParquet = once(init);
