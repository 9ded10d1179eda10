/** What the page is showing, as plain data. Only `reduce` makes new ones. */
import type { Overview, TableInfo } from "../../pkg/types.js";
import type { Axis } from "./axis.js";
import { opAxis, timeAxis, txnAxis } from "./axis.js";
import type { View } from "./density.js";
import { type History, knownTimes } from "./history.js";
import type { LabWish } from "./lab/lab.js";
import type { AxisKind, Link, Moment, Tab, With } from "./link.js";

export type Dialog = "help" | "palette" | "real" | "open";

export interface State {
  overview: Overview | null;
  /** Directory of the table on show. */
  table: string | null;
  histories: ReadonlyMap<string, History>;
  axis: AxisKind;
  /** Asked for before the table's log was there; taken exactly as soon as it is. */
  wanted: Moment | null;
  /** The transaction after which the table is shown. */
  txn: number;
  /** The moment under the playhead, which between two commits is neither's. */
  us: number | null;
  /** While playing by transaction: the part of the next one that has gone by. */
  part: number;
  playing: -1 | 0 | 1;
  /** At the end, wherever that is: the server writes on. */
  live: boolean;
  speed: number;
  /** Zoomed views, outermost first; never empty, the first shows all. */
  views: readonly View[];
  /** Name of the chosen partition. */
  selected: string | null;
  tab: Tab;
  partitionsAs: "bricks" | "table";
  dialog: Dialog | null;
  /** Two sources are open. */
  pair: boolean;
  /** What is compared; null is what is usual: two sources at the same transaction, one with nothing. */
  with: With | null;
  /** Storage policies that are tried out. */
  lab: LabWish | null;
  /** How often a fork was asked for. */
  forks: number;
}

export const WHOLE: View = { from: 0, to: 1 };

export const START: State = {
  overview: null,
  table: null,
  histories: new Map(),
  axis: "txn",
  wanted: null,
  txn: 0,
  us: null,
  part: 0,
  playing: 0,
  live: false,
  speed: 1,
  views: [WHOLE],
  selected: null,
  tab: "rows",
  partitionsAs: "bricks",
  dialog: null,
  pair: false,
  with: null,
  lab: null,
  forks: 0,
};

/** What the moment on show is compared with. */
export function withNow(state: State): With {
  return state.with ?? (state.pair ? "same" : "off");
}

export function historyNow(state: State): History | null {
  return (state.table !== null && state.histories.get(state.table)) || null;
}

export function tableNow(state: State): TableInfo | null {
  return state.overview?.tables.find((t) => t.dir === state.table) ?? null;
}

export function viewNow(state: State): View {
  return state.views[state.views.length - 1] ?? WHOLE;
}

const axes = new WeakMap<History, Partial<Record<AxisKind, Axis>>>();

/** The axis of a history; made once. */
export function axisFor(history: History, kind: AxisKind): Axis {
  let made = axes.get(history);
  if (!made) axes.set(history, (made = {}));
  return (made[kind] ??= axisOf(history, kind));
}

/** Where there are no times or objects of a log to go by, transactions do. */
function axisOf(history: History, kind: AxisKind): Axis {
  const times = kind === "time" ? knownTimes(history) : [];
  if (times.length > 0) return timeAxis(Float64Array.from(times));
  const { ops } = history;
  return kind === "op" && ops ? opAxis(ops.first, ops.last) : txnAxis(history.kind.length);
}

export function linkOf(state: State): Link {
  return {
    table: state.table,
    at: state.wanted ?? momentOf(state),
    selected: state.selected,
    speed: state.speed,
    axis: state.axis,
    tab: state.tab,
    with: state.with,
    lab: state.lab,
    op: opNow(state),
  };
}

/** What was there before the first object that was read has no number. */
function opNow(state: State): number | null {
  const ops = historyNow(state)?.ops;
  const at = ops?.at[state.txn - 1];
  return ops && at !== undefined && at >= ops.first ? at : null;
}

export function momentOf(state: State): Moment {
  return state.axis === "time" && state.us !== null ? { us: Math.round(state.us) } : { txn: state.txn };
}

/** Logs longer than this in all are read only for the table on show. */
const AHEAD_TXNS_MAX = 200_000;

/** A table whose log may be read ahead, of those that were not asked for. */
export function unreadTable({ overview, histories }: State, asked: ReadonlySet<string>): TableInfo | null {
  const tables = overview?.tables ?? [];
  if (tables.reduce((sum, t) => sum + t.txnCount, 0) > AHEAD_TXNS_MAX) return null;
  return tables.find((t) => t.txnCount > 0 && !histories.has(t.dir) && !asked.has(t.dir)) ?? null;
}
