import type { ModuleSource } from "./index.js";
import type { EngineClass } from "./types.js";

/** Loads the module, once. In node give its bytes. */
export function loadParquet(module?: ModuleSource): Promise<unknown>;

/** To be given to `Replay.open`: partitions in Parquet form are read, and `Replay.lab` answers. */
export const Engine: EngineClass;
