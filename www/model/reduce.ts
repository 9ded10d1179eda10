/** The state machine: a state and a command give the next state. Pure. */
import type { Axis } from "./axis.js";
import { clamp } from "./axis.js";
import type { Command, Fact } from "./command.js";
import { SPEEDS, TXN_PER_SECOND } from "./command.js";
import type { History } from "./history.js";
import { unitOf } from "./density.js";
import { knownTimes, nextEvent, timeOf, txnAt } from "./history.js";
import { reduceLab } from "./lab/lab.js";
import type { Link, Moment } from "./link.js";
import { SPEED_MAX, SPEED_MIN } from "./link.js";
import { otherTxn, toggleCompare, withElsewhere } from "./sides.js";
import type { State } from "./state.js";
import { axisFor, historyNow, momentOf, tableNow, viewNow, WHOLE, withNow } from "./state.js";

/** The narrowest view, as a share of the axis. */
const VIEW_MIN = 1e-6;
const CRUMBS_MAX = 8;

/** Whoever goes anywhere else no longer follows the end. */
const LEAVES_THE_END: ReadonlySet<Command["do"]> = new Set([
  "toTxn",
  "toTime",
  "step",
  "stepTime",
  "event",
  "start",
  "play",
  "toggle",
  "restore",
  "swap",
]);

export function reduce(before: State, command: Command | Fact): State {
  if ("fact" in command) return take(before, command);
  const leaves = before.live && LEAVES_THE_END.has(command.do);
  const state = leaves ? { ...before, live: false } : before;
  switch (command.do) {
    case "toTxn":
      return paused(moveTo(state, { txn: command.txn }));
    case "toTime":
      return paused(moveTo(state, { us: command.us }));
    case "step":
      return paused(moveTo(state, { txn: state.txn + command.by }));
    case "stepTime":
      return paused(stepTime(state, command.us));
    case "event":
      return toEvent(state, command.by);
    case "start":
      return paused(moveTo(state, { txn: 0 }));
    case "end":
      return paused(moveTo(state, { txn: lastTxn(state) }));
    case "live": {
      const live = { ...state, live: command.on };
      return command.on ? paused(moveTo(live, { txn: lastTxn(live) })) : live;
    }
    case "play":
      return play(state, command.direction);
    case "pause":
      return paused(state);
    case "toggle":
      return state.playing === 0 ? play(state, 1) : paused(state);
    case "speed":
      return { ...state, speed: clamp(command.speed, SPEED_MIN, SPEED_MAX) };
    case "speedBy":
      return { ...state, speed: nextSpeed(state.speed, command.by) };
    case "tick":
      return tick(state, command.ms);
    case "axis":
      return command.axis === state.axis ? state : { ...state, axis: command.axis, part: 0, views: [WHOLE] };
    case "zoom":
      return zoom(state, command.factor, command.at);
    case "pan":
      return pan(state, command.by);
    case "view":
      return setView(state, command.from, command.to, command.push);
    case "crumb":
      return { ...state, views: state.views.slice(0, command.index + 1) };
    case "fit":
      return { ...state, views: [WHOLE] };
    case "table":
      return toTable(state, command.dir);
    case "select":
      return { ...state, selected: command.partition };
    case "tab":
      return { ...state, tab: command.tab };
    case "partitionsAs":
      return { ...state, partitionsAs: command.as };
    case "dialog":
      return { ...state, dialog: command.dialog };
    case "escape":
      return state.dialog ? { ...state, dialog: null } : { ...state, selected: null };
    case "compare":
      return toggleCompare(state);
    case "compareWith":
      return { ...state, with: command.with };
    case "pin":
      return { ...state, with: momentOf(state) };
    case "stepOther":
      return { ...state, with: { txn: Math.max(0, otherTxn(state) + command.by) } };
    case "swap":
      return swap(state);
    case "fork":
      return state.table === null ? state : { ...paused(state), forks: state.forks + 1 };
    case "lab":
      return toLab(state, reduceLab(state.lab, command.lab, state));
    case "restore":
      return restore(state, command.link);
  }
}

/** Whoever begins a lab wants to see it. */
function toLab(state: State, lab: State["lab"]): State {
  if (lab === state.lab) return state;
  return { ...state, lab, tab: lab !== null && state.lab === null ? "storage" : state.tab };
}

function swap(state: State): State {
  const other = withNow(state);
  return typeof other === "string" ? state : moveTo({ ...paused(state), with: momentOf(state) }, other);
}

function take(state: State, fact: Fact): State {
  if (fact.fact === "opened") {
    const { overview } = fact;
    const known = overview.tables.find((t) => t.dir === state.table || t.name === state.table);
    const table = known ?? overview.tables.find((t) => t.replayable && t.txnCount > 0) ?? overview.tables[0];
    return { ...state, overview, table: table?.dir ?? null, histories: new Map() };
  }
  if (fact.fact === "refreshed") {
    const { overview } = fact;
    const there = overview.tables.some((t) => t.dir === state.table);
    return there ? { ...state, overview } : take(state, { fact: "opened", overview });
  }
  if (fact.fact === "problems") {
    const { overview } = state;
    // Problems are only ever added.
    if (!overview || overview.problems.length === fact.problems.length) return state;
    return { ...state, overview: { ...overview, problems: fact.problems } };
  }
  const histories = new Map(state.histories).set(fact.history.dir, fact.history);
  const next = { ...state, histories };
  if (fact.history.dir !== state.table) return next;
  if (state.live) return moveTo(next, { txn: fact.history.kind.length });
  // A log that has grown moves nobody.
  if (state.wanted === null && state.histories.has(fact.history.dir)) return next;
  return moveTo(next, state.wanted ?? { txn: state.txn });
}

/** Moves exactly to a moment; if the log is not there yet, keeps it as wanted. */
function moveTo(state: State, at: Moment): State {
  const history = historyNow(state);
  if (!history) {
    const txn = "txn" in at ? Math.max(0, at.txn) : state.txn;
    return { ...state, wanted: "txn" in at ? { txn } : at, txn, part: 0 };
  }
  const txn = "txn" in at ? clamp(Math.round(at.txn), 0, history.kind.length) : txnAt(history, at.us);
  const us = "us" in at && knownTimes(history).length > 0 ? at.us : timeOf(history, txn);
  return follow({ ...state, wanted: null, txn, us, part: 0 }, history);
}

function paused(state: State): State {
  return state.playing === 0 ? state : { ...state, playing: 0, part: 0 };
}

function lastTxn(state: State): number {
  return historyNow(state)?.kind.length ?? tableNow(state)?.txnCount ?? 0;
}

/** At the end there is nothing left to play: start over, so that the button never does nothing. */
function play(state: State, direction: 1 | -1): State {
  const last = lastTxn(state);
  const atEnd = direction === 1 ? state.txn >= last : state.txn <= 0;
  const from = atEnd ? moveTo(state, { txn: direction === 1 ? 0 : last }) : state;
  return { ...from, playing: direction, part: 0 };
}

function toEvent(state: State, by: 1 | -1): State {
  const history = historyNow(state);
  const txn = history && nextEvent(history, state.txn, by);
  if (txn !== null) return paused(moveTo(state, { txn }));
  return paused(moveTo(state, { txn: by === 1 ? lastTxn(state) : 0 }));
}

function tick(state: State, ms: number): State {
  const history = historyNow(state);
  if (state.playing === 0 || !history) return state;
  return axisFor(history, state.axis).kind === "time"
    ? tickTime(state, history, ms)
    : tickTxns(state, history, ms);
}

function tickTxns(state: State, history: History, ms: number): State {
  const moved = state.part + (ms / 1000) * TXN_PER_SECOND * state.speed;
  const whole = Math.floor(moved);
  if (whole === 0) return { ...state, part: moved };
  const txn = clamp(state.txn + whole * state.playing, 0, history.kind.length);
  const over = txn === 0 || txn === history.kind.length;
  const next = { ...moveTo(state, { txn }), part: over ? 0 : moved - whole };
  return over ? paused(next) : next;
}

/** This much later or earlier; a silence that is closed up takes no time. */
function later(state: State, axis: Axis, by: number): number {
  const us = (state.us ?? axis.min) + by;
  const gap = axis.gaps.find((g) => us > g.from && us < g.to);
  return clamp(gap ? (by > 0 ? gap.to : gap.from) : us, axis.min, axis.max);
}

function stepTime(state: State, by: number): State {
  const history = historyNow(state);
  if (!history || history.kind.length === 0) return state;
  const axis = axisFor(history, "time");
  if (axis.kind !== "time") return state;
  // Before the first commit there is no time to count from.
  if (by < 0 && (state.us ?? axis.min) <= axis.min) return moveTo(state, { txn: 0 });
  if (by > 0 && state.txn === 0) return moveTo(state, { us: axis.min });
  return moveTo(state, { us: later(state, axis, by) });
}

function tickTime(state: State, history: History, ms: number): State {
  const axis = axisFor(history, "time");
  const us = later(state, axis, ms * 1000 * state.speed * state.playing);
  const next = moveTo(state, { us });
  if (state.playing === 1 && us >= axis.max) return paused(next);
  if (state.playing === -1 && us <= axis.min) return paused(moveTo(state, { txn: 0 }));
  return next;
}

function nextSpeed(speed: number, by: 1 | -1): number {
  const found = by === 1 ? SPEEDS.find((s) => s > speed) : SPEEDS.findLast((s) => s < speed);
  return found ?? speed;
}

/** Where the playhead stands along the axis, 0 ... 1. */
export function headUnit(state: State, history: History): number {
  const axis = axisFor(history, state.axis);
  if (axis.kind === "txn") return axis.toUnit(state.txn + state.part * state.playing);
  if (axis.kind === "op") return unitOf(history, axis, state.txn) * Number(state.txn > 0);
  return state.txn === 0 ? 0 : axis.toUnit(state.us ?? axis.min);
}

/** Keeps the playhead in a zoomed view. */
function follow(state: State, history: History): State {
  const view = viewNow(state);
  if (view.from <= 0 && view.to >= 1) return state;
  const head = headUnit(state, history);
  if (head >= view.from && head <= view.to) return state;
  const width = view.to - view.from;
  const from = clamp(head - width * (head > view.to ? 0.1 : 0.9), 0, 1 - width);
  return { ...state, views: [...state.views.slice(0, -1), { from, to: from + width }] };
}

function zoom(state: State, factor: number, at?: number): State {
  const view = viewNow(state);
  const history = historyNow(state);
  const centre = at ?? clamp(history ? headUnit(state, history) : 0.5, view.from, view.to);
  const width = clamp((view.to - view.from) / factor, VIEW_MIN, 1);
  const part = (centre - view.from) / (view.to - view.from);
  const from = clamp(centre - part * width, 0, 1 - width);
  if (width >= 1) return { ...state, views: [WHOLE] };
  // Zooming by wheel or key changes the innermost view; choosing a range adds one.
  const outer = state.views.length > 1 ? state.views.slice(0, -1) : state.views;
  return { ...state, views: [...outer, { from, to: from + width }] };
}

function pan(state: State, by: number): State {
  const view = viewNow(state);
  const width = view.to - view.from;
  const from = clamp(view.from + by * width, 0, 1 - width);
  if (state.views.length === 1) return state;
  return { ...state, views: [...state.views.slice(0, -1), { from, to: from + width }] };
}

function setView(state: State, from: number, to: number, push: boolean): State {
  const low = clamp(Math.min(from, to), 0, 1 - VIEW_MIN);
  const high = clamp(Math.max(from, to), low + VIEW_MIN, 1);
  if (low <= 0 && high >= 1) return { ...state, views: [WHOLE] };
  const outer = push || state.views.length === 1 ? state.views : state.views.slice(0, -1);
  return { ...state, views: [...outer.slice(0, CRUMBS_MAX), { from: low, to: high }] };
}

/** Another table, at the same moment. */
function toTable(state: State, dir: string): State {
  if (dir === state.table || !state.overview?.tables.some((t) => t.dir === dir)) return state;
  const at: Moment = state.us !== null && state.txn > 0 ? { us: state.us } : { txn: state.txn === 0 ? 0 : 1 };
  const next = {
    ...state,
    table: dir,
    selected: null,
    views: [WHOLE],
    wanted: at,
    txn: 0,
    us: null,
    part: 0,
    with: withElsewhere(state),
  };
  return next.histories.has(dir) ? moveTo(next, at) : next;
}

function restore(state: State, link: Link): State {
  const wanted = state.overview?.tables.find((t) => t.dir === link.table || t.name === link.table)?.dir;
  const table = state.overview ? (wanted ?? state.table) : (link.table ?? state.table);
  const next: State = {
    ...state,
    table,
    views: table === state.table && (link.axis ?? "txn") === state.axis ? state.views : [WHOLE],
    selected: link.selected,
    speed: link.speed ?? 1,
    axis: link.axis ?? "txn",
    tab: link.tab ?? "rows",
    playing: 0,
    part: 0,
    dialog: null,
    with: link.with,
    lab: link.lab,
  };
  return moveTo(next, link.at ?? { txn: next.txn });
}
