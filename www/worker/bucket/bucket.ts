/**
 * A cluster's bucket, replayed: follows the log through the ledger's module, and gives the engine its tables as files
 * whose bytes are fetched when they are read. GETs only.
 */
import { Ledger } from "../../../pkg/ledger.js";
import { Replay } from "../../../pkg/index.js";
import type {
  Cluster,
  Fetched,
  LogObject,
  EngineClass,
  OpenOptions,
  Overview,
  Problem,
  Progress,
  TableInfo,
} from "../../../pkg/types.js";
import { incarnation } from "../../model/cluster/ops.js";
import { IN_THE_COPY, isInCopy, knownOverview, knownState, knownTimeline } from "./before.js";
import { beginning, type Wish } from "./begin.js";
import { Journals } from "./journals.js";
import { PieceFiles, Pieces } from "./pieces.js";
import { failure, Store } from "./store.js";

/** Objects that are fetched ahead of the one that is read. */
const AHEAD = 6;
/** The boundary is looked at every minute or so (rule R2). */
const BOUNDARY_MS = 60_000;
/** Instances write at most each ten seconds. */
const JOURNALS_MS = 5_000;
const MEMORY_DEFAULT = 512 * 1024 * 1024;

type Step = { get: string } | { idle: true } | { stopped: string; kind: "damaged" | "usage" };

export class BucketReplay {
  readonly #store: Store;
  readonly #ledger: Ledger;
  readonly #pieces: Pieces;
  readonly #journals: Journals;
  readonly #files = new PieceFiles();
  readonly #objects: LogObject[] = [];
  readonly #coming = new Map<string, Promise<Uint8Array | null>>();
  #replay: Replay | null = null;
  /** As the engine listed them when it last read the logs. */
  #tables = new Map<string, TableInfo>();
  #memory: number;
  #lookedMs = performance.now();
  #journalsMs = performance.now();
  #beginsAt = -1;
  /** Why the log can't be read on, if it can't. */
  #stopped: Problem | null = null;

  private constructor(store: Store, ledger: Ledger, memory: number) {
    this.#store = store;
    this.#ledger = ledger;
    this.#memory = memory;
    this.#pieces = new Pieces(ledger, store);
    this.#journals = new Journals(ledger, store);
  }

  /** Opens the bucket at `url`, of which these are the bytes of `cluster.json`. */
  static async open(
    url: string,
    wish: Wish,
    cluster: Uint8Array,
    options: OpenOptions,
    title: string,
    other: EngineClass | null = null,
  ): Promise<BucketReplay> {
    const memory = options.memory ?? MEMORY_DEFAULT;
    const store = new Store(url);
    // A quarter for objects at hand; the engine has the rest.
    const bucket = new BucketReplay(store, new Ledger(cluster, memory / 4), memory);
    await bucket.#open(wish, options, title, other);
    return bucket;
  }

  async #open(wish: Wish, options: OpenOptions, title: string, other: EngineClass | null): Promise<void> {
    const begin = await beginning(this.#ledger, this.#store, wish);
    if (begin.snapshot !== null) {
      const key = `snapshots/${String(begin.snapshot).padStart(16, "0")}.json`;
      const manifest = await this.#store.get(key);
      if (manifest) this.#ledger.beginBehind(begin.snapshot, manifest);
    }
    const tell = (key: string) => options.onProgress?.(this.#progress(key, begin.bytes));
    const [journals] = await Promise.all([
      this.#journals.refresh().then(
        () => null,
        (error: unknown) => error,
      ),
      this.#follow(begin.head, tell),
    ]);
    // Without journals there is a log all the same.
    if (journals !== null) this.#stopped ??= problem(`the journals can't be read: ${said(journals)}`);
    if (this.#objects.length === 0 && this.#stopped) throw failure("damaged", this.#stopped.message);
    this.#replay = await Replay.open(
      { kind: "files", name: title, files: this.#files },
      { ...options, memory: (this.#memory * 3) / 4 },
      other,
    );
    this.#tables = tablesOf(this.#replay);
  }

  #progress(detail: string, totalBytes: number | null): Progress {
    return { phase: "log", loadedBytes: this.#store.counts.bytes, totalBytes, detail };
  }

  /** Reads the log to its end. `head` is the last number that is known to be there. */
  async #follow(head: number, tell: (key: string) => void = () => undefined): Promise<boolean> {
    let news = false;
    for (;;) {
      const step = JSON.parse(this.#ledger.next()) as Step;
      if ("idle" in step) break;
      if ("stopped" in step) {
        this.#stopped = problem(`the log can't be read on: ${step.stopped}`);
        break;
      }
      const bytes = await this.#next(step.get, head);
      tell(step.get);
      news ||= bytes !== null;
      this.#ledger.give(bytes ?? undefined);
    }
    this.#coming.clear();
    this.#pieces.update(this.#files);
    this.#take();
    return news;
  }

  /** The object asked for, with some that follow it on their way. */
  async #next(key: string, head: number): Promise<Uint8Array | null> {
    if (!key.startsWith("log/")) return this.#store.get(key);
    const { next } = JSON.parse(this.#ledger.state()) as { next: number };
    for (let by = 0; by < AHEAD && next + by <= head; by++) {
      const ahead = this.#ledger.ahead(by);
      if (!this.#coming.has(ahead)) {
        const coming = this.#store.get(ahead);
        coming.catch(() => undefined);
        this.#coming.set(ahead, coming);
      }
    }
    const coming = this.#coming.get(key);
    this.#coming.delete(key);
    // "Not there" counts only from a request sent after it was asked for.
    return (await coming?.catch(() => null)) ?? this.#store.get(key);
  }

  #take(): void {
    const { beginsAt } = JSON.parse(this.#ledger.state()) as { beginsAt: number };
    if (beginsAt !== this.#beginsAt) this.#objects.length = 0;
    this.#beginsAt = beginsAt;
    const passed = JSON.parse(this.#ledger.passed(this.#objects.length)) as LogObject[];
    for (const object of passed) this.#objects.push(object);
  }

  overview(): Overview {
    const overview = knownOverview(this.#open_().overview());
    const problems = overview.problems.map((told) => this.#inBucket(told));
    return { ...overview, problems: [...this.#problems(), ...problems] };
  }

  /** Where a log begins with a copy nothing was purged by the server. */
  #inBucket(told: Problem): Problem {
    if (told.severity !== "note" || told.table === null || !told.message.includes("purged")) return told;
    const [dir, until] = incarnation(told.table);
    const copies = this.#objects.flatMap((object) => object.tables).filter((news) => news.dir === dir);
    const copy = copies.findLast((news) => news.what === "base" && news.last <= until);
    const why = copy?.what === "base" ? `as of transaction ${copy.last} (${copy.why})` : "in a snapshot";
    return { ...told, message: `the table begins with a copy ${why}`, advice: null };
  }

  /** Looks for what has come since; the engine reads the logs again only if there is something. */
  async refresh(): Promise<Overview> {
    const replay = this.#open_();
    const boundary = performance.now() - this.#lookedMs > BOUNDARY_MS;
    if (boundary) this.#lookedMs = performance.now();
    this.#ledger.again(boundary);
    const journals = performance.now() - this.#journalsMs > JOURNALS_MS;
    if (journals) this.#journalsMs = performance.now();
    const [news] = await Promise.all([this.#follow(-1), journals ? this.#journals.refresh() : false]);
    if (news) {
      await replay.refresh();
      this.#tables = tablesOf(replay);
    }
    return this.overview();
  }

  cluster(): Cluster {
    const state = JSON.parse(this.#ledger.state()) as Omit<Cluster, "id" | "objects" | "instances">;
    return {
      ...state,
      id: this.#ledger.cluster(),
      objects: this.#objects,
      instances: this.#journals.instances,
    };
  }

  /** Null if all that was done at this time is known already. */
  async journals(us: number): Promise<Cluster | null> {
    return (await this.#journals.reach(us)) ? this.cluster() : null;
  }

  fetched(): Fetched {
    const fetched = this.#open_().fetched();
    const { requests, bytes, objects, retries } = this.#store.counts;
    const { held, letGo } = JSON.parse(this.#ledger.state()) as { held: number; letGo: number };
    const gone = letGo > 0 ? [`${letGo} objects of the bucket: they are fetched again when needed`] : [];
    return {
      ...fetched,
      requests,
      bytes,
      retries,
      files: objects,
      memoryUsed: fetched.memoryUsed + held,
      memoryLimit: this.#memory,
      letGo: [...fetched.letGo, ...gone],
    };
  }

  /** As they lie in the bucket; zeros stand for what no transaction owns. */
  async raw(path: string, offset: number, length: number): Promise<Uint8Array> {
    const to = Math.min(this.#ledger.size(path), offset + length);
    return new Uint8Array(await this.#pieces.read(path, offset, to, true));
  }

  timeline: Replay["timeline"] = async (dir) =>
    knownTimeline(await this.#open_().timeline(dir), this.#info(dir));
  seek: Replay["seek"] = async (dir, seqTxn) =>
    knownState(await this.#open_().seek(dir, seqTxn), this.#info(dir));
  step: Replay["step"] = async (dir, by) => knownState(await this.#open_().step(dir, by), this.#info(dir));
  state: Replay["state"] = (dir) => knownState(this.#open_().state(dir), this.#info(dir));
  rows: Replay["rows"] = (dir, first, count) => this.#open_().rows(dir, first, count);
  rowsText: Replay["rowsText"] = (dir, first, count) => this.#open_().rowsText(dir, first, count);
  bytes: Replay["bytes"] = async (dir, seqTxn) => {
    if (isInCopy(this.#info(dir), seqTxn)) throw failure("missing", IN_THE_COPY);
    return this.#open_().bytes(dir, seqTxn);
  };
  lab: Replay["lab"] = (dir, seqTxn, memory) => this.#open_().lab(dir, seqTxn, memory);
  readFiles: Replay["readFiles"] = () => this.#open_().readFiles();

  close(): void {
    this.#replay?.close();
    this.#replay = null;
  }

  #open_(): Replay {
    if (!this.#replay) throw failure("usage", "the bucket is closed");
    return this.#replay;
  }

  #info(dir: string): TableInfo | undefined {
    return this.#tables.get(dir);
  }

  #problems(): Problem[] {
    const { broken } = JSON.parse(this.#ledger.state()) as Cluster;
    const tables = broken.map(([table, why]) => ({ ...problem(why), table }));
    return this.#stopped ? [this.#stopped, ...tables] : tables;
  }
}

function tablesOf(replay: Replay): Map<string, TableInfo> {
  return new Map(replay.overview().tables.map((table) => [table.dir, table]));
}

function problem(message: string): Problem {
  return { severity: "error", table: null, file: null, offset: null, message, advice: null };
}

function said(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
