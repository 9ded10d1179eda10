/**
 * The worker that owns the WebAssembly module: loads it once, and answers the page's calls in order.
 *
 * A trap leaves the module's memory in an unknown state, so nothing is called after one: every call
 * waiting is answered with it, and the page starts a new worker.
 */
import { load, Replay, titleOf } from "../../pkg/index.js";
import { loadLedger } from "../../pkg/ledger.js";
import type { EngineClass, OpenOptions, Overview, Progress, Source, TableState } from "../../pkg/types.js";
import { BucketReplay } from "./bucket/bucket.js";
import { findCluster } from "./bucket/find.js";
import { failure } from "./failure.js";
import { LabCalls } from "./lab.js";
import { loadParquetEngine } from "./parquet.js";
import type { Args, EngineError, Method, Reply, Request } from "./protocol.js";
import { SimCalls, type SimScript } from "./sim.js";
import { loadSimScript } from "./simscript.js";

/** The module says here what it panicked with, before it traps. */
declare global {
  var understudyPanic: string | undefined;
}

const MEMORY_DEFAULT = 512 * 1024 * 1024;

let replay: Replay | BucketReplay | null = null;
let module: Promise<unknown> | null = null;
let ledger: Promise<unknown> | null = null;
let parquet: Promise<EngineClass> | null = null;
let opened: Args<"open"> | null = null;
let memory = 0;
let simulator: Promise<SimScript> | null = null;
const lab = new LabCalls();
const sim = new SimCalls();
let dead: EngineError | null = null;
let last: Promise<void> = Promise.resolve();
const waiting = new Set<number>();

self.onmessage = (event: MessageEvent<Request>) => {
  const request = event.data;
  waiting.add(request.id);
  last = last.then(() => answer(request));
};

// A panic in the middle of a promise never settles it; it ends up here.
self.addEventListener("error", (event) => {
  if (isTrap(event.error)) die(event.error);
});
self.addEventListener("unhandledrejection", (event) => {
  if (isTrap(event.reason)) die(event.reason);
});

async function answer(request: Request): Promise<void> {
  if (dead) return;
  try {
    const ok = await perform(request);
    if (!waiting.delete(request.id)) return;
    post({ id: request.id, ok }, ok instanceof Uint8Array ? [ok.buffer] : []);
  } catch (error) {
    if (isTrap(error)) die(error);
    else if (waiting.delete(request.id)) post({ id: request.id, error: plain(error) });
  }
}

async function perform(request: Request): Promise<unknown> {
  if (request.method === "open") return open(request.id, ...request.args);
  if (request.method === "close") return close();
  if (request.method === "simOpen") return openSim(request.id, ...request.args);
  if (request.method in sim) return callOn(sim, request);
  if (!replay) throw failure("usage", "nothing is open");
  if (request.method === "cluster") return replay instanceof BucketReplay ? replay.cluster() : null;
  if (request.method === "journals" && !(replay instanceof BucketReplay)) return null;
  if (request.method === "labOpen") return lab.labOpen(replay, ...request.args, memory);
  if (request.method in lab) return callOn(lab, request);
  const answer = await call(replay, request);
  if (request.method !== "seek" && request.method !== "step") return answer;
  if (!opened || !stopsAtParquet(replay, answer as TableState)) return answer;
  const [source, options] = opened;
  await open(request.id, source, { ...options, parquet: true });
  return call(replay, request);
}

function call(engine: Replay | BucketReplay, { method, args }: Request): unknown {
  const calls = engine as unknown as Record<Method, (...args: unknown[]) => unknown>;
  return calls[method](...args);
}

/** Whether the table's first state has partitions in Parquet form, which the engine at hand can't read. */
function stopsAtParquet(engine: Replay | BucketReplay, state: TableState): boolean {
  if (opened?.[1].parquet === true || state.rows > 0) return false;
  const { problems } = engine.overview();
  return problems.some(({ table, message }) => table === state.dir && message.includes("in Parquet form"));
}

function callOn(those: LabCalls | SimCalls, { method, args }: Request): unknown {
  const calls = those as unknown as Record<Method, (...args: unknown[]) => unknown>;
  return calls[method](...args);
}

async function openSim(id: number, ...[scenario, seed]: Args<"simOpen">): Promise<unknown> {
  const onProgress = (progress: Progress) => post({ id, progress });
  simulator ??= loading(loadSimScript(loadModule, onProgress), () => (simulator = null));
  return sim.simOpen(await simulator, scenario, seed);
}

async function open(id: number, ...[source, options]: Args<"open">): Promise<Overview> {
  const onProgress = (progress: Progress) => post({ id, progress });
  let other: EngineClass | null = null;
  if (options.parquet === true) {
    parquet ??= loading(loadParquetEngine(loadModule, onProgress), () => (parquet = null));
    other = await parquet;
  } else {
    module ??= loading(loadModule(__WASM_FILE__, __WASM_BYTES__, load, onProgress), () => (module = null));
    await module;
  }
  close();
  opened = [source, options];
  memory = (options.memory ?? MEMORY_DEFAULT) / 2;
  replay = await openSource(source, { ...options, onProgress }, other);
  return replay.overview();
}

async function openSource(
  source: Source,
  options: OpenOptions,
  other: EngineClass | null,
): Promise<Replay | BucketReplay> {
  if (source.kind !== "url") return Replay.open(source, options, other);
  const found = await findCluster(source.url);
  if (found.is === "other") {
    return Replay.open(source, options, other).catch((error: unknown) => {
      // A private bucket says no more of itself than this.
      throw found.refused && "status" in found.refused ? found.refused : error;
    });
  }
  ledger ??= loading(
    loadModule(__LEDGER_FILE__, __LEDGER_BYTES__, loadLedger, options.onProgress),
    () => (ledger = null),
  );
  await ledger;
  return BucketReplay.open(source.url, source, found.cluster, options, titleOf(source.url), other);
}

/** A module that could not be loaded is tried again the next time. */
function loading<T>(loaded: Promise<T>, forget: () => void): Promise<T> {
  return loaded.catch((error: unknown) => {
    forget();
    if (isTrap(error) || plain(error).kind === "module") throw error;
    throw failure("module", `the module could not be loaded: ${plain(error).message}`);
  });
}

function close(): void {
  lab.close();
  sim.close();
  replay?.close();
  replay = null;
}

/** Compiles a module while it arrives, and counts its bytes on the way. */
async function loadModule(
  file: string,
  bytes: number,
  start: (module: WebAssembly.Module) => Promise<unknown>,
  onProgress: ((progress: Progress) => void) | undefined,
): Promise<void> {
  const response = await fetch(new URL(file, import.meta.url));
  if (!response.ok || !response.body) throw new Error(`the server answered ${response.status}`);
  let loadedBytes = 0;
  const counted = response.body.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        loadedBytes += chunk.byteLength;
        onProgress?.({
          phase: "module",
          loadedBytes,
          totalBytes: Math.max(bytes, loadedBytes),
          detail: file,
        });
        controller.enqueue(chunk);
      },
    }),
  );
  // Some static servers don't know the media type, without which nothing is compiled while it arrives.
  const typed = new Response(counted, { headers: { "Content-Type": "application/wasm" } });
  await start(await WebAssembly.compileStreaming(typed));
}

function die(error: unknown): void {
  if (dead) return;
  const said = plain(error);
  const panic = globalThis.understudyPanic;
  dead = { ...said, kind: "trap", message: panic ?? said.message };
  for (const id of waiting) post({ id, error: dead });
  waiting.clear();
}

function isTrap(error: unknown): boolean {
  if (error instanceof WebAssembly.RuntimeError || globalThis.understudyPanic !== undefined) return true;
  return error instanceof RangeError && error.message.includes("call stack");
}

/** What was thrown, as data that can be posted. */
function plain(error: unknown): EngineError {
  if (!(error instanceof Error)) return failure("usage", String(error));
  const fields = error as Error & Partial<EngineError>;
  const known: EngineError = { kind: fields.kind ?? "usage", message: error.message };
  if (fields.url !== undefined) known.url = fields.url;
  if (fields.status !== undefined) known.status = fields.status;
  if (fields.file !== undefined) known.file = fields.file;
  if (fields.offset !== undefined) known.offset = fields.offset;
  if (error.stack !== undefined) known.stack = error.stack;
  return known;
}

function post(reply: Reply, transfer: Transferable[] = []): void {
  (self as unknown as { postMessage(message: Reply, transfer: Transferable[]): void }).postMessage(
    reply,
    transfer,
  );
}
