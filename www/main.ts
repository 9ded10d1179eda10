/**
 * The first paint's script: starts the worker at once, loads the rest of the page beside it, and says
 * honestly how far both have come.
 */
import type { Overview, Progress } from "../pkg/types.js";
import { detailOf, Engine } from "./engine/client.js";
import type { Opening } from "./engine/source.js";
import { memoryFor, near, openingOf } from "./engine/source.js";
import { isLabLink } from "./model/failover/link.js";
import { size } from "./model/format.js";
import type { EngineError } from "./worker/protocol.js";

declare const __WORKER_FILE__: string;
declare const __APP_CSS__: string;

const PHASES: Record<Progress["phase"], string> = {
  module: "Fetching the engine",
  tables: "Reading the list of tables",
  log: "Reading the log",
  rows: "Reading rows",
};

/** What the start hands to the page. */
export interface Start {
  engine: Engine;
  /** Another one, for the other side of a comparison. */
  another: () => Engine;
  opening: Opening;
  opened: { ok: Overview } | { failed: EngineError };
  show: (progress: Progress) => void;
}

const another = () =>
  new Engine(() => new Worker(new URL(__WORKER_FILE__, import.meta.url), { type: "module" }));
/** Replay and lab are two pages at one address: from one to the other all begins anew. */
const isLab = isLabLink(location.hash);
addEventListener("hashchange", () => {
  if (isLabLink(location.hash) !== isLab) location.reload();
});
void (isLab ? startLab() : start());

async function startLab(): Promise<void> {
  try {
    const [{ mountLab }] = await Promise.all([import("./views/failover/app.js"), loadStyles()]);
    mountLab(another());
  } catch (error) {
    say("The lab could not be loaded: ", detailOf(error).message);
  }
}

async function start(): Promise<void> {
  const engine = another();
  const app = loadApp();
  let opening: Opening;
  let opened: Start["opened"];
  try {
    opening = near(openingOf(location.search, document.baseURI), location.hash);
    const memory = memoryFor(opening);
    opened = await engine.call("open", [opening.source, { memory }], show).then(
      (ok) => ({ ok }),
      (error: unknown) => ({ failed: detailOf(error) }),
    );
  } catch (error) {
    const asked = new URLSearchParams(location.search);
    const title = asked.get("dropped") ?? asked.get("src") ?? "";
    opening = { ...openingOf("", document.baseURI), title, bundled: false };
    opened = { failed: { kind: "usage", message: detailOf(error).message } };
  }
  try {
    (await app).mount({ engine, another, opening, opened, show });
  } catch (error) {
    say("The page could not be loaded: ", detailOf(error).message);
  }
}

/** Script and styles of the page itself; both are there before it is shown. */
async function loadApp(): Promise<typeof import("./app.js")> {
  const [app] = await Promise.all([import("./app.js"), loadStyles()]);
  return app;
}

function loadStyles(): Promise<void> {
  const link = document.createElement("link");
  link.rel = "stylesheet";
  link.href = new URL(__APP_CSS__, import.meta.url).href;
  const styled = new Promise<void>((done, fail) => {
    link.onload = () => done();
    link.onerror = () => fail(new Error("the styles did not arrive"));
  });
  document.head.append(link);
  return styled;
}

function show(progress: Progress): void {
  const { loadedBytes, totalBytes } = progress;
  const bar = document.getElementById("wings-bar");
  const known = totalBytes !== null && totalBytes > 0;
  if (bar instanceof HTMLProgressElement) {
    if (known) bar.value = Math.min(100, (100 * loadedBytes) / totalBytes);
    else bar.removeAttribute("value");
  }
  say(PHASES[progress.phase], progress.detail);
  const bytes = document.getElementById("wings-bytes");
  if (!bytes) return;
  const percent = known ? `, ${Math.floor(Math.min(100, (100 * loadedBytes) / totalBytes))} %` : "";
  bytes.textContent =
    loadedBytes > 0 ? `${size(loadedBytes)}${known ? ` of ${size(totalBytes)}` : ""}${percent}` : "";
}

function say(what: string, detail: string): void {
  const line = document.getElementById("wings-say");
  const text = detail ? `${what}: ${detail}` : what;
  if (line && line.textContent !== text) line.textContent = text;
}
