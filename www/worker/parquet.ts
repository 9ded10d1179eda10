/** Finds the module with Parquet, which is built behind the page. */
import type { EngineClass, OpenOptions } from "../../pkg/types.js";
import { failure } from "./failure.js";

/** What `pkg/parquet.js` exports, built into a script of its own. */
export interface ParquetScript {
  Engine: EngineClass;
  loadParquet(module: WebAssembly.Module): Promise<unknown>;
}

export type LoadModule = (
  file: string,
  bytes: number,
  start: (module: WebAssembly.Module) => Promise<unknown>,
  onProgress: OpenOptions["onProgress"],
) => Promise<void>;

/** Loads it: names of script and module are in a list beside the page. */
export async function loadParquetEngine(
  load: LoadModule,
  onProgress: OpenOptions["onProgress"],
): Promise<EngineClass> {
  const answer = await fetch(new URL(__PARQUET_LIST__, import.meta.url), { cache: "no-cache" });
  if (!answer.ok)
    throw failure(
      "module",
      "the module for Parquet and storage policies is not here (yet): `make run` builds it in the background, which takes some minutes the first time; elsewhere `scripts/page.sh parquet` puts it into the page",
    );
  const listed = (await answer.json()) as { script: string; wasm: string; bytes: number };
  const script = (await import(new URL(listed.script, import.meta.url).href)) as ParquetScript;
  await load(listed.wasm, listed.bytes, (module) => script.loadParquet(module), onProgress);
  return script.Engine;
}
