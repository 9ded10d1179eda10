/**
 * A fork of a real history: the tables of a recording or a bucket as they were at a moment, for a scenario to begin with, and what
 * the real history did from there on. Pure.
 */
import type { Cluster, RowsText, TableInfo, TableState } from "../../../pkg/types.js";
import { momentOf } from "../cluster/moment.js";
import { count, counted } from "../format.js";
import { type History, timeOf, txnAt } from "../history.js";
import { FREE } from "./scenario.js";
import type { Scenario, TableTold } from "./told.js";

/** The moment of the fork in a run: before it the cluster is founded over the real rows, behind it clients write. */
export const FORK_US = 5_000_000;
/** Of each table the newest rows are taken, and of the tables the one on show and those listed first. */
export const ROWS_MAX = 5_000;
export const TABLES_MAX = 6;
const NODES_MAX = 9;
/** Of a table's rows no more than so much: the simulator takes 16 MiB of all tables, of up to three bytes for each unit. */
const UNITS_MAX = 800_000;
const CELLS_MAX = 600_000;
const POINTS_MAX = 500;
/** Clients send a frame a second, of up to so many rows. */
const FRAME_MAX = 200;
/** The time before a moment by which it is told how much was written. */
const RATE_US = 10_000_000;
/** Types that lines have no way to write. */
const UNWRITABLE: ReadonlySet<string> = new Set(["BINARY", "LONG128"]);

/** A table of `begin` in a scenario. */
export interface BeginTable {
  name: string;
  partition: string;
  timestamp: string;
  dedup: string[];
  /** Writer index, name, type: in the order of cells. */
  columns: [number, string, string][];
  rows: (string | null)[][];
  /** How many rows it had; the newest of them are here. */
  all: number;
}

export interface Begin {
  of: string;
  names: string[];
  tables: BeginTable[];
}

/** What became of a table from the moment on. */
export interface RealTable {
  name: string;
  /** The transaction after which it was forked, and how many there are in all. */
  txn: number;
  last: number;
  /** Of its rows at the moment, as the replay has it; empty where the values were not all at hand. */
  digest: string;
  /** Microseconds since the moment, and rows written since. */
  points: [us: number, written: number][];
  /** Rows written from the moment on in all, as far as they are known. */
  written: number;
  /** What could not be taken along, in words. */
  cut: string[];
}

export interface Fork {
  /** The replay's own link to the moment, without its `#`: by it the fork is made again. */
  from: string;
  begin: Begin;
  /** The moment, by the server's clock; null where it is not known. */
  us: number | null;
  /** Rows that were written to these tables in a second, in the time before; 0 where that is not known. */
  rate: number;
  real: RealTable[];
  /** What was left out as a whole, in words. */
  cut: string[];
}

/** The scenario that goes on with it: by hand, as many nodes as there were, and about as many rows a second. */
export function scenarioOf({ begin, rate }: Pick<Fork, "begin" | "rate">): Scenario {
  const { names, of } = begin;
  const rows = Math.max(1, Math.min(FRAME_MAX, Math.round(rate / (FREE.clients ?? 1))));
  return {
    ...FREE,
    name: `fork of ${of}`,
    nodes: names.length > 0 ? names.length : (FREE.nodes ?? 3),
    ...(rate > 0 ? { client: { ...FREE.client, rows } } : {}),
  };
}

/** Rows written in a second, in the time before a moment. */
export function rateBefore(history: History, us: number): number {
  let rows = 0;
  for (let i = txnAt(history, us) - 1; i >= 0 && (history.times[i] ?? -Infinity) > us - RATE_US; i--)
    rows += Math.max(0, history.rows[i] ?? 0);
  return rows / (RATE_US / 1e6);
}

/** The tables to be taken: the one on show, then others that were there at the time. Answers how many were left out, too. */
export function chosenTables(
  tables: readonly TableInfo[],
  dir: string,
  us: number | null,
): { chosen: TableInfo[]; left: number } {
  const isThere = (table: TableInfo) =>
    table.dir === dir || (us !== null && (table.createdUs <= us || (table.firstUs ?? Infinity) <= us));
  const fit = tables.filter((table) => table.kind === "table" && table.replayable && isThere(table));
  const sorted = [...fit.filter((table) => table.dir === dir), ...fit.filter((table) => table.dir !== dir)];
  return { chosen: sorted.slice(0, TABLES_MAX), left: Math.max(0, sorted.length - TABLES_MAX) };
}

/** The transaction after which another table stood at this time; null if it can't be shown there. */
export function txnThen(table: TableInfo, history: History, us: number): number | null {
  const txn = txnAt(history, us);
  const dropped = table.droppedAtTxn !== null && txn >= table.droppedAtTxn;
  return dropped || txn < (table.firstTxn ?? 0) ? null : txn;
}

/** A table as `begin` has it; null of one that has nothing beside its time. */
export function beginTable(info: TableInfo, state: TableState, text: RowsText): BeginTable | null {
  const designated = state.columns.find(({ designated }) => designated);
  if (!designated || state.columns.length < 2) return null;
  const index = new Map(state.columns.map((column) => [column.name, column.index]));
  return {
    name: state.name,
    partition: info.partitionBy,
    timestamp: designated.name,
    dedup: state.columns.filter(({ upsertKey }) => upsertKey).map(({ name }) => name),
    columns: text.columns.map(({ name, type }) => [index.get(name) ?? 0, name, type]),
    rows: newest(text.rows),
    all: state.rows,
  };
}

/** The last rows, as many as there is room for. */
function newest(rows: BeginTable["rows"]): BeginTable["rows"] {
  let [units, cells] = [0, 0];
  const over = rows.findLastIndex((row) => {
    units += row.reduce((sum, cell) => sum + (cell?.length ?? 0), 0);
    cells += row.length;
    return units > UNITS_MAX || cells > CELLS_MAX;
  });
  return rows.slice(over + 1);
}

/** What the real history did to a table behind a transaction. */
export function realTable(
  table: BeginTable,
  state: TableState,
  history: History,
  us: number | null,
): RealTable {
  const { seqTxn: txn } = state;
  const begun = us ?? timeOf(history, txn);
  const points: RealTable["points"] = [[0, 0]];
  let written = 0;
  for (let i = txn; i < history.kind.length; i++) {
    written += Math.max(0, history.rows[i] ?? 0);
    const at = history.times[i] ?? -Infinity;
    if (begun !== null && Number.isFinite(at)) points.push([Math.max(0, at - begun), written]);
  }
  const { name } = table;
  const last = history.kind.length;
  return { name, txn, last, digest: state.digest, points: thinned(points), written, cut: cutOf(table) };
}

function cutOf({ all, rows, columns }: BeginTable): string[] {
  const words: string[] = [];
  if (all > rows.length) words.push(`the last ${count(rows.length)} of ${counted(all, "row")}`);
  const barred = columns
    .filter(([, , type]) => UNWRITABLE.has(type))
    .map(([, name, type]) => `${name} (${type})`);
  if (barred.length > 0)
    words.push(`without the values of ${barred.join(", ")}, which lines of ILP can’t have`);
  const long = rows.reduce((sum, row) => sum + row.filter((cell) => cell?.endsWith("…")).length, 0);
  if (long > 0) words.push(`${counted(long, "long text")} cut`);
  return words;
}

/** Every so many of them, and the last. */
function thinned(points: RealTable["points"]): RealTable["points"] {
  const step = Math.ceil(points.length / POINTS_MAX);
  return points.filter((_, i) => i % step === 0 || i === points.length - 1);
}

/** Rows written by so long after the moment. */
export function writtenBy(points: readonly (readonly [number, number])[], us: number): number {
  return points.findLast(([at]) => at <= us)?.[1] ?? 0;
}

/** What the nodes of the real cluster that ran at the moment were called: whoever took writes first. */
export function namesOf(cluster: Cluster | null, tables: readonly TableInfo[], us: number | null): string[] {
  if (!cluster || us === null) return [];
  const lanes = momentOf(cluster, tables, us).lanes.filter(({ life }) => life === "running");
  const leads = (role: string) => role === "primary" || role === "shipper";
  const sorted = [...lanes.filter(({ role }) => leads(role)), ...lanes.filter(({ role }) => !leads(role))];
  return sorted.slice(0, NODES_MAX).map(({ name, role }) => `${name}, ${role}`);
}

/** Whether what the simulator begins with is what the replay shows; null where that can't be said any more, or never. */
export function isSame(told: TableTold, real: RealTable): boolean | null {
  if (real.cut.length > 0 || real.digest === "" || told.written > 0) return null;
  return told.digest === real.digest;
}

/** Rows written to all tables, by time: a line that only goes up. */
export function allWritten(real: readonly Pick<RealTable, "points">[]): [us: number, written: number][] {
  const steps = real.flatMap(({ points }) =>
    points.map(([us, written], i): [number, number] => [us, written - (points[i - 1]?.[1] ?? 0)]),
  );
  let sum = 0;
  return steps.sort(([a], [b]) => a - b).map(([us, more]) => [us, (sum += more)]);
}

/** How much of the time since the moment a picture of both branches shows. */
export function spanShown(elapsedUs: number): number {
  return Math.max(20_000_000, 1.25 * elapsedUs);
}
