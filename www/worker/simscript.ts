/** Finds the simulator's module, which is built behind the page. */
import type { OpenOptions } from "../../pkg/types.js";
import { failure } from "./failure.js";
import type { LoadModule } from "./parquet.js";
import type { SimScript } from "./sim.js";

export async function loadSimScript(
  load: LoadModule,
  onProgress: OpenOptions["onProgress"],
): Promise<SimScript> {
  const answer = await fetch(new URL(__SIM_LIST__, import.meta.url), { cache: "no-cache" });
  if (!answer.ok)
    throw failure(
      "module",
      "the simulator’s module is not here (yet): `make run` builds it in the background, which takes some minutes the first time; elsewhere `scripts/page.sh sim` puts it into the page",
    );
  const listed = (await answer.json()) as { script: string; wasm: string; bytes: number };
  const script = (await import(new URL(listed.script, import.meta.url).href)) as SimScript;
  await load(listed.wasm, listed.bytes, (module) => script.loadSim(module), onProgress);
  return script;
}
