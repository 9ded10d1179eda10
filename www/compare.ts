/**
 * The other side of a comparison: another worker with the same source or a second one, which follows what the state
 * wants of it as the stage follows the rest.
 */
import type { Overview, TableInfo, TableState } from "../pkg/types.js";
import { Beside, memoryBeside } from "./beside.js";
import { detailOf, type Engine } from "./engine/client.js";
import { compareStates, firstDifference } from "./model/compare.js";
import { historyOf, timeOf, txnAt, type History } from "./model/history.js";
import type { Moment } from "./model/link.js";
import { type OtherSide, type TableMark, UNOPENED } from "./model/shown.js";
import { withNow } from "./model/state.js";
import type { Stage } from "./stage.js";

const MEMORY_MIN = 16 << 20;
/** Tables that are compared at once. */
const TABLES_MAX = 500;

export class Comparison {
  readonly #stage: Stage;
  readonly #beside: Beside;

  constructor(stage: Stage, start: () => Engine) {
    this.#stage = stage;
    stage.comparison = this;
    this.#beside = new Beside(stage, start, {
      heard: (command) => {
        if ("fact" in command && command.fact === "refreshed") this.#refresh();
      },
      advance: () => this.#advance(),
      failed: (error) => this.#show({ error, progress: null }),
      closed: () => {
        if (stage.shown.other) stage.tell({ other: null });
      },
    });
  }

  /** Looks for the transaction that first made the sides differ, up to the moments on show. */
  async find(): Promise<void> {
    const { shown } = this.#stage;
    const [left, right] = [shown.table, shown.other?.table];
    const other = this.#beside.engine;
    if (!left || !right || !other) return;
    const differs = Math.min(left.seqTxn, right.seqTxn);
    this.#show({ found: { is: "searching", upTo: differs } });
    try {
      const found = await this.#stage.borrow((engine) => this.#search(engine, other, left, right, differs));
      this.#show({ found });
    } catch (error) {
      this.#show({ found: { is: "failed", message: detailOf(error).message } });
    }
    // Its table was moved.
    this.#show({ asked: null });
    this.#beside.wish();
  }

  async #search(
    engine: Engine,
    other: Engine,
    left: TableState,
    right: TableState,
    last: number,
  ): Promise<OtherSide["found"]> {
    const at = async (txn: number) => {
      const [a, b] = await Promise.all([
        engine.call("seek", [left.dir, txn]),
        other.call("seek", [right.dir, txn]),
      ]);
      if (a.seqTxn !== txn || b.seqTxn !== txn) throw new Error(`one side can’t be replayed to txn ${txn}`);
      const compared = compareStates(a, b);
      if (compared.mark === "unknown")
        throw new Error("rows were let go for want of memory, so their digests are not known");
      return compared;
    };
    if ((await at(last)).mark === "equal") return { is: "none", upTo: last };
    const from = Math.max(this.#infoLeft()?.firstTxn ?? 0, this.#stage.shown.other?.info?.firstTxn ?? 0);
    if (from >= last || (await at(from)).mark !== "equal") return { is: "before", txn: Math.min(from, last) };
    const txn = await firstDifference(from, last, async (txn) => (await at(txn)).mark === "equal");
    const { pairs } = await at(txn);
    const names = pairs.filter(({ mark }) => mark !== "equal").map(({ name }) => name);
    return { is: "found", txn, partitions: names };
  }

  /** Compares every table at the times of both sides; in step, at the same transaction. */
  async all(): Promise<void> {
    const { state, shown } = this.#stage;
    const other = this.#beside.engine;
    const there = shown.other?.overview;
    if (!other || !state.overview || !there) return;
    const key = markKey(shown.table, shown.other);
    let marks: TableMark[] = [];
    for (const info of state.overview.tables.slice(0, TABLES_MAX)) {
      const found = counterpart(there, info);
      const mark: TableMark = { dir: info.dir, name: info.name, left: null, right: null, mark: "left" };
      if (found) Object.assign(mark, await this.#compareTable(other, info, found));
      marks = [...marks, mark];
      this.#show({ marks: { key, tables: marks } });
    }
    const only = there.tables.filter((info) => !state.overview?.tables.some((t) => isSame(t, info)));
    const absent = only.map(({ dir, name }): TableMark => ({
      dir,
      name,
      left: null,
      right: null,
      mark: "right",
    }));
    this.#show({ marks: { key, tables: [...marks, ...absent] } });
  }

  async #compareTable(other: Engine, info: TableInfo, found: TableInfo): Promise<Partial<TableMark>> {
    const { state, shown } = this.#stage;
    const { table } = shown;
    const right = shown.other?.table;
    try {
      if (info.dir === table?.dir && right)
        return { left: table.seqTxn, right: right.seqTxn, mark: compareStates(table, right).mark };
      const at = await this.#timed(this.#stage.engine, info, state.histories.get(info.dir), table, state.us);
      const us = right && shown.other?.history ? timeOf(shown.other.history, right.seqTxn) : null;
      const there =
        withNow(state) === "same" ? at : await this.#timed(other, found, undefined, right ?? null, us);
      const [a, b] = await Promise.all([
        this.#stage.engine.call("seek", [info.dir, at]),
        other.call("seek", [found.dir, there]),
      ]);
      return { left: a.seqTxn, right: b.seqTxn, mark: compareStates(a, b).mark };
    } catch {
      return { mark: "unknown" };
    }
  }

  /** The transaction of a table at the time of another one, or its last where that one is at its last. */
  async #timed(
    engine: Engine,
    info: TableInfo,
    known: History | undefined,
    of: TableState | null,
    us: number | null,
  ): Promise<number> {
    if (of === null || us === null || of.seqTxn >= of.txnCount) return info.txnCount;
    if (of.seqTxn === 0) return 0;
    return txnAt(known ?? historyOf(await engine.call("timeline", [info.dir])), us);
  }

  #infoLeft(): TableInfo | null {
    const { state } = this.#stage;
    return state.overview?.tables.find((t) => t.dir === state.table) ?? null;
  }

  #show(part: Partial<OtherSide>): void {
    const { other } = this.#stage.shown;
    if (other) this.#stage.tell({ other: { ...other, ...part } });
  }

  /** Only a second source is followed: the same one is pinned at what was there. */
  #refresh(): void {
    const { engine, opened } = this.#beside;
    if (!engine || !opened || !this.#stage.state.pair) return;
    engine.call("refresh", []).then(
      (overview) => {
        this.#show({ overview, history: null, asked: null });
        this.#beside.wish();
      },
      (error: unknown) => this.#show({ error: detailOf(error) }),
    );
  }

  /** Does what is needed next; true if there may be more. */
  async #advance(): Promise<boolean> {
    const { state, shown } = this.#stage;
    const { engine } = this.#beside;
    const beside = withNow(state);
    if (beside === "off" && engine) this.#beside.close();
    if (beside === "off" || !state.overview || shown.other?.error) return false;
    if (!engine) return this.#open();
    const { other } = shown;
    const info = this.#infoLeft();
    if (!info || !other?.overview || other.found?.is === "searching") return false;
    const there = counterpart(other.overview, info);
    if (other.info?.dir !== there?.dir)
      this.#show({ info: there, history: null, table: null, found: null, asked: null });
    if (!there) return false;
    return this.#seek(engine, there, beside === "same" ? { txn: state.txn } : beside);
  }

  async #seek(engine: Engine, info: TableInfo, at: Moment): Promise<boolean> {
    const key = `${info.dir} ${JSON.stringify(at)}`;
    if (this.#stage.shown.other?.asked === key) return false;
    let history = this.#stage.shown.other?.history;
    if (!history) {
      history = historyOf(await engine.call("timeline", [info.dir]));
      this.#show({ history });
    }
    const table = await engine.call("seek", [info.dir, "txn" in at ? at.txn : txnAt(history, at.us)]);
    const found = this.#stage.shown.other?.found ?? null;
    const stays = found?.is === "searching" || (found?.is === "found" && found.txn <= table.seqTxn);
    this.#show({ asked: key, table, found: stays ? found : null });
    return true;
  }

  async #open(): Promise<boolean> {
    const { opening } = this.#stage;
    const { source, title } = opening.second ?? opening;
    const engine = this.#beside.start();
    this.#stage.tell({ other: { ...UNOPENED, title, second: opening.second !== null } });
    const memory = memoryBeside(opening, MEMORY_MIN);
    const overview = await engine.call("open", [source, { memory }], (progress) => this.#show({ progress }));
    this.#beside.opened = true;
    const cluster = await engine.call("cluster", []).catch(() => null);
    this.#show({ overview, cluster, progress: null });
    return true;
  }
}

/** What the marks of all tables are of. */
export function markKey(left: TableState | null, right: OtherSide | null): string {
  return `${left?.dir} ${left?.seqTxn} ${right?.table?.seqTxn}`;
}

function counterpart(overview: Overview, info: TableInfo): TableInfo | null {
  const { tables } = overview;
  return tables.find((t) => t.dir === info.dir) ?? tables.find((t) => t.name === info.name) ?? null;
}

function isSame(one: TableInfo, other: TableInfo): boolean {
  return one.dir === other.dir || one.name === other.name;
}
