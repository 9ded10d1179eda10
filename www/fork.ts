/**
 * Reads what a fork of a real history takes along: on the replay's page from what is open, on the lab's page by opening it again.
 * In between, the tab keeps it, so that a reload of a dropped folder's fork finds it, too.
 */
import type { Cluster, Overview, Progress } from "../pkg/types.js";
import type { Engine } from "./engine/client.js";
import { memoryFor, near, openingOf } from "./engine/source.js";
import { historyOf, timeOf, txnAt } from "./model/history.js";
import { formatLink, parseLink } from "./model/link.js";
import { count, clock, counted, day } from "./model/format.js";
import {
  beginTable,
  chosenTables,
  type Fork,
  namesOf,
  rateBefore,
  realTable,
  ROWS_MAX,
  txnThen,
} from "./model/failover/fork.js";
import { linkOf, momentOf, type State } from "./model/state.js";

/** What is open, as the page knows it. */
export interface Source {
  overview: Overview;
  cluster: Cluster | null;
  title: string;
}

/** The moment on show as a link of the replay. */
export function fromOf(state: State): string {
  const { table, op } = linkOf(state);
  const rest = { selected: null, speed: null, axis: null, tab: null, with: null, lab: null };
  return formatLink({ table, op, at: momentOf(state), ...rest }).slice(1);
}

/** Reads the rows of the moment, and what came behind it. The engine's tables are moved. */
export async function readFork(engine: Engine, source: Source, from: string): Promise<Fork> {
  const { table, at } = parseLink(from);
  const { overview, cluster, title } = source;
  const shown = overview.tables.find(({ dir, name }) => dir === table || name === table);
  if (!shown || !at) throw new Error("the link names no table, or no moment");
  const history = historyOf(await engine.call("timeline", [shown.dir]));
  const txn = "txn" in at ? at.txn : txnAt(history, at.us);
  const us = "us" in at ? at.us : timeOf(history, txn);
  const { chosen, left } = chosenTables(overview.tables, shown.dir, us);
  const fork: Fork = {
    from,
    begin: { of: "", names: namesOf(cluster, overview.tables, us), tables: [] },
    us,
    rate: 0,
    real: [],
    cut: left > 0 ? [`${counted(left, "other table")} left out`] : [],
  };
  for (const info of chosen) {
    const own = info === shown ? history : historyOf(await engine.call("timeline", [info.dir]));
    const then = info === shown ? txn : us === null ? null : txnThen(info, own, us);
    if (then === null) continue;
    const state = await engine.call("seek", [info.dir, then]);
    const first = Math.max(0, state.rows - ROWS_MAX);
    const begun = beginTable(info, state, await engine.call("rowsText", [info.dir, first, ROWS_MAX]));
    if (!begun) {
      fork.cut.push(`${state.name} left out: it has no column beside its time`);
      continue;
    }
    fork.begin.tables.push(begun);
    fork.real.push(realTable(begun, state, own, us));
    if (us !== null) fork.rate += rateBefore(own, us);
  }
  if (fork.begin.tables.length === 0) throw new Error("there is no table here that can be gone on with");
  const when = us === null ? "" : `, ${day(us)} ${clock(us)} UTC`;
  fork.begin.of = `${title}: ${shown.name} after transaction ${count(txn)}${when}`;
  return fork;
}

/** The fork that a link of the lab names: as the tab has kept it, or read anew from the source that the address names. */
export async function forkOf(
  engine: Engine,
  from: string,
  onProgress: (progress: Progress) => void,
): Promise<Fork> {
  const kept = keptFork(from);
  if (kept) return kept;
  const opening = near(openingOf(location.search, document.baseURI), `#${from}`);
  const overview = await engine.call("open", [opening.source, { memory: memoryFor(opening) }], onProgress);
  const cluster = await engine.call("cluster", []);
  const title = opening.bundled ? opening.title : overview.title;
  const fork = await readFork(engine, { overview, cluster, title }, from);
  await engine.call("close", []);
  keepFork(fork);
  return fork;
}

/** The newest one is kept; where there is no room for it, its link still tells how to read it again. */
export function keepFork(fork: Fork): void {
  try {
    sessionStorage.setItem(key(), JSON.stringify(fork));
  } catch {
    forgetFork();
  }
}

function keptFork(from: string): Fork | null {
  try {
    const fork = JSON.parse(sessionStorage.getItem(key()) ?? "null") as Fork | null;
    return fork?.from === from ? fork : null;
  } catch {
    return null;
  }
}

function forgetFork(): void {
  try {
    sessionStorage.removeItem(key());
  } catch {
    // A tab that keeps nothing has nothing to forget.
  }
}

/** Of one source at a time. */
function key(): string {
  return `understudy fork ${location.pathname}${location.search}`;
}
