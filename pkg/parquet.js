/** The engine with Parquet and storage policies: the generated module that takes the first one's place where these are wanted. */
import init, { Engine } from "./understudy_parquet.js";

export { Engine };

let loading = null;

/** Loads the module, once. Without an argument it is fetched from beside this file. */
export function loadParquet(moduleOrPath) {
  loading ??= init(moduleOrPath === undefined ? undefined : { module_or_path: moduleOrPath }).catch((error) => {
    loading = null;
    throw error;
  });
  return loading;
}
