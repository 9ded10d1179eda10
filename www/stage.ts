/**
 * Brings what is wanted (the state) and what is shown (the engine's answers) together: one call at a time,
 * always for the newest wish.
 */
import type { Overview, Progress, RowsText, TableInfo, Timeline } from "../pkg/types.js";
import { detailOf, type Engine } from "./engine/client.js";
import type { Comparison } from "./compare.js";
import type { LabDriver } from "./lab.js";
import type { Opening } from "./engine/source.js";
import { memoryFor } from "./engine/source.js";
import { type Command, type Fact, isTick } from "./model/command.js";
import { opsOf } from "./model/cluster/ops.js";
import { historyOf } from "./model/history.js";
import { type Condition, NOTHING, type RowsWindow, type Shown } from "./model/shown.js";
import { isCovered, rowsAround, rowToShow } from "./model/rows.js";
import { reduce } from "./model/reduce.js";
import { Pump } from "./pump.js";
import { START, type State, unreadTable } from "./model/state.js";
import type { EngineError } from "./worker/protocol.js";

const ACCOUNT_MS_MIN = 500;

export class Stage {
  state: State = START;
  shown: Shown = NOTHING;
  condition: Condition = { is: "ready" };
  opening: Opening;
  readonly engine: Engine;
  /** What drives the other side of a comparison, and a lab of storage policies. */
  comparison: Comparison | null = null;
  lab: LabDriver | null = null;
  /** The last commands, for a crash report. */
  readonly lately: string[] = [];

  #listeners = new Set<() => void>();
  #window: RowsWindow = { first: 0, count: 40 };
  #follow = true;
  readonly #calls = new Pump(async () => this.#isReady() && (await this.#advance()));
  #traps = 0;
  #accountedMs = -Infinity;
  /** The last rows asked for, so that an answer shorter than hoped for is not asked for again. */
  #rowsAsked = "";
  /** Tables whose logs were asked for ahead, so that a broken one is asked for once. */
  #unread = new Set<string>();
  #observers: ((command: Command | Fact, from: State, to: State) => void)[] = [];

  constructor(engine: Engine, opening: Opening) {
    this.engine = engine;
    this.opening = opening;
    engine.onTrap = (error) => void this.#recover(error);
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Hears each command with the states before and after it. */
  observe(listener: (command: Command | Fact, from: State, to: State) => void): void {
    this.#observers.push(listener);
  }

  dispatch = (command: Command | Fact): void => {
    const from = this.state;
    this.state = reduce(from, command);
    if (!isTick(command)) {
      this.lately.push(JSON.stringify("do" in command ? command : { fact: command.fact }).slice(0, 120));
      if (this.lately.length > 20) this.lately.shift();
    }
    if (this.state === from) return;
    for (const listener of this.#observers) listener(command, from, this.state);
    this.#changed();
    void this.#pump();
  };

  get following(): boolean {
    return this.#follow;
  }

  /** Whether the rows jump to what each transaction changed. */
  follow(on: boolean): void {
    this.#follow = on;
    this.#changed();
  }

  /** Shows other rows of the same state. */
  look(window: RowsWindow): void {
    if (window.first === this.#window.first && window.count === this.#window.count) return;
    this.#window = window;
    void this.#pump();
  }

  get window(): RowsWindow {
    return this.#window;
  }

  /** True while the engine is behind the playhead. */
  get behind(): boolean {
    const { asked } = this.shown;
    return this.state.table !== null && (asked?.dir !== this.state.table || asked.txn !== this.state.txn);
  }

  /** Takes what the first paint's script, or `open`, has opened. */
  opened(overview: Overview): void {
    this.shown = NOTHING;
    this.state = { ...this.state, pair: this.opening.second !== null };
    this.#unread.clear();
    this.#become({ is: "ready" });
    this.dispatch({ fact: "opened", overview });
  }

  failed(opening: Opening, error: EngineError): void {
    this.#become({ is: "broken", opening, error });
  }

  /** Opens another source in place of this one. */
  async open(opening: Opening): Promise<boolean> {
    if (opening.title !== this.opening.title) this.state = { ...this.state, with: null, lab: null };
    this.opening = opening;
    this.#become({ is: "opening", title: opening.title, progress: null });
    const memory = memoryFor(opening);
    const show = (progress: Progress) => this.#become({ is: "opening", title: opening.title, progress });
    try {
      this.opened(await this.engine.call("open", [opening.source, { memory }], show));
      return true;
    } catch (error) {
      const detail = detailOf(error);
      if (detail.kind !== "trap") this.failed(opening, detail);
      return false;
    }
  }

  /** After a crash: goes on with what was recovered, or tries from the start. */
  async resume(fromStart: boolean): Promise<void> {
    this.#traps = 0;
    if (this.condition.is === "crashed" && this.condition.recovered && !fromStart) {
      this.#become({ is: "ready" });
      void this.#pump();
      return;
    }
    if (fromStart) this.state = { ...this.state, txn: 0, us: null, wanted: { txn: 0 }, playing: 0 };
    this.engine.restart();
    await this.open(this.opening);
  }

  // The worker has died: start another one at the last link, and say so.
  async #recover(error: EngineError): Promise<void> {
    this.#traps++;
    const { table, txn } = this.state;
    const crashed = { is: "crashed" as const, error, table, txn };
    this.state = { ...this.state, playing: 0, wanted: { txn } };
    this.#become({ ...crashed, recovered: false });
    this.engine.restart();
    if (this.#traps > 1) return;
    const memory = memoryFor(this.opening);
    try {
      const overview = await this.engine.call("open", [this.opening.source, { memory }]);
      this.shown = { ...NOTHING, other: this.shown.other, lab: this.shown.lab };
      this.state = reduce(this.state, { fact: "opened", overview });
      this.#become({ ...crashed, recovered: true });
    } catch {
      // What is shown already says that it did not come back.
    }
  }

  #isReady(): boolean {
    return this.condition.is === "ready";
  }

  #become(condition: Condition): void {
    this.condition = condition;
    this.#changed();
  }

  #changed(): void {
    for (const listener of this.#listeners) listener();
  }

  #show(part: Partial<Shown>): void {
    this.shown = { ...this.shown, ...part };
    this.#changed();
  }

  async #pump(): Promise<void> {
    if (!this.#isReady() || !(await this.#calls.wish())) return;
    if (this.shown.busySince !== null) this.#show({ busySince: null });
    if (this.#isReady()) void this.#readAhead();
  }

  /** Makes the one call that is needed most; false when there is none. */
  async #advance(): Promise<boolean> {
    const { table: dir, txn } = this.state;
    const info = this.state.overview?.tables.find((t) => t.dir === dir);
    if (this.shown.cluster === undefined) return this.readCluster();
    if (dir === null || !info) return false;
    const read = this.state.histories.get(dir)?.kind.length ?? -1;
    if (read < info.txnCount && !this.#hasFailed(dir, null)) return this.#readLog(info);
    if (read < 0) return false;
    if (this.behind) return this.#seek(info, txn);
    return this.#readRows(dir);
  }

  /** Asks for what the bucket tells of the cluster; a trap is told elsewhere. */
  async readCluster(): Promise<boolean> {
    this.tell({ cluster: await this.engine.call("cluster", []).catch(() => null) });
    return true;
  }

  async #readLog(info: TableInfo): Promise<boolean> {
    if (this.shown.busySince === null) this.#show({ busySince: performance.now() });
    try {
      this.#takeLog(await this.engine.call("timeline", [info.dir]));
      return true;
    } catch (error) {
      return this.#failedCall(info.dir, null, error);
    }
  }

  #takeLog(timeline: Timeline): void {
    this.dispatch({ fact: "history", history: historyOf(timeline, opsOf(this.shown.cluster, timeline)) });
  }

  async #seek({ dir, appliedTxn }: TableInfo, txn: number): Promise<boolean> {
    if (this.#hasFailed(dir, txn)) return false;
    if (this.shown.busySince === null) this.#show({ busySince: performance.now() });
    try {
      const table = await this.engine.call("seek", [dir, txn]);
      const last = this.shown.table;
      const before = last?.dir === dir && last.seqTxn === table.seqTxn - 1 ? last : null;
      if (this.#follow)
        this.#window = {
          ...this.#window,
          first: rowToShow(table, this.state.selected) ?? this.#window.first,
        };
      const rows = await this.#rowsOf(dir, table.rows);
      this.#show({ asked: { dir, txn }, table, before, rows, failed: null });
      // Only there does the engine find that it can't go on, or that the server's own table differs.
      if (table.seqTxn < txn || table.seqTxn === appliedTxn) await this.#readProblems();
      return true;
    } catch (error) {
      return this.#failedCall(dir, txn, error);
    }
  }

  async #readProblems(): Promise<void> {
    const { problems } = await this.engine.call("overview", []);
    this.dispatch({ fact: "problems", problems });
  }

  async #readRows(dir: string): Promise<boolean> {
    const { rows, table } = this.shown;
    if (!table || this.#hasFailed(dir, table.seqTxn)) return false;
    const { first, count } = this.#window;
    const covered = isCovered(rows, this.#window, table.rows);
    const asking = `${dir} ${table.seqTxn} ${first} ${count}`;
    if (covered || asking === this.#rowsAsked) return false;
    this.#rowsAsked = asking;
    try {
      this.#show({ rows: await this.#rowsOf(dir, table.rows) });
      return true;
    } catch (error) {
      return this.#failedCall(dir, table.seqTxn, error);
    }
  }

  #rowsOf(dir: string, total: number): Promise<RowsText> {
    return this.engine.call("rowsText", [dir, ...rowsAround(this.#window, total)]);
  }

  /** Other tables' logs, one by one, while nothing else is to do and they are few. */
  async #readAhead(): Promise<void> {
    const next = unreadTable(this.state, this.#unread);
    if (next && !this.#calls.running && this.state.playing === 0) {
      this.#unread.add(next.dir);
      try {
        this.#takeLog(await this.engine.call("timeline", [next.dir]));
      } catch {
        // It is said when the table is chosen.
      }
    }
    this.account();
  }

  /** Asks what was read so far, at most every half second. */
  account(): void {
    const now = performance.now();
    if (now - this.#accountedMs < ACCOUNT_MS_MIN || this.condition.is !== "ready") return;
    this.#accountedMs = now;
    this.engine.call("fetched", []).then(
      (fetched) => this.#show({ fetched }),
      () => undefined,
    );
  }

  /** Takes what others have asked the engine for. */
  tell = (part: Partial<Pick<Shown, "cluster" | "other" | "lab" | "fork">>): void => this.#show(part);

  /** Lets `job` move tables about while nothing else asks; what is on show is sought again behind it. */
  async borrow<T>(job: (engine: Engine) => Promise<T>): Promise<T> {
    try {
      return await this.#calls.exclusively(() => job(this.engine));
    } finally {
      this.#show({ asked: null });
      void this.#pump();
    }
  }

  #hasFailed(dir: string, txn: number | null): boolean {
    const { failed } = this.shown;
    return failed?.dir === dir && (failed.txn === null || failed.txn === txn);
  }

  #failedCall(dir: string, txn: number | null, error: unknown): boolean {
    const detail = detailOf(error);
    if (detail.kind === "trap") return false;
    this.#show({ failed: { dir, txn, error: detail } });
    if (this.state.playing !== 0) this.dispatch({ do: "pause" });
    return false;
  }
}
