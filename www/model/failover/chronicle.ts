/** What the run has told so far, gathered for lanes, narration and lessons. It grows; nothing in it is computed twice. */
import type { End, Happening, TableTold, Told, Trouble } from "./told.js";

/** Things that are listed, the newest. */
export const LOG_MAX = 400;
const NOTABLE_MAX = 5_000;
const SPANS_MAX = 4_000;
const GROWTH_MAX = 2_000;

/** Kinds worth stopping at. */
export const NOTABLE: ReadonlySet<string> = new Set([
  "role",
  "opened",
  "refuses",
  "set-aside",
  "rewound",
  "stopped",
  "started",
  "sealed",
  "connected",
  "disconnected",
  "trouble",
  "trouble-over",
  "snapshot-loaded",
  "policy-done",
  "quiet",
]);

/** A stretch of a lane. `to` is null while it lasts. */
export interface Span {
  from: number;
  to: number | null;
  state: string;
}

/** A fault in force. Without ends it came and went between two looks. */
export interface Window {
  fault: string;
  ends: readonly End[];
  from: number;
  to: number | null;
}

export class Chronicle {
  readonly log: Happening[] = [];
  readonly notable: Happening[] = [];
  readonly lanes = new Map<End, Span[]>();
  readonly windows: Window[] = [];
  /** How often each kind has happened. */
  readonly counts = new Map<string, number>();
  /** Of a run that began with tables of a real history: rows that clients have written to them by then. */
  readonly growth: [us: number, written: number][] = [];
  /** Counts up with each change. */
  version = 0;

  /** Takes what happened, in order, and how everything stands behind it. */
  take(happenings: readonly Happening[], told: Told): void {
    this.version++;
    for (const happening of happenings) this.#take(happening);
    if (this.log.length > 2 * LOG_MAX) this.log.splice(0, this.log.length - LOG_MAX);
    if (this.notable.length > NOTABLE_MAX) this.notable.splice(0, NOTABLE_MAX / 2);
    for (const node of told.nodes) this.#lane(`node${node.node}`, told.now_us, node.up ? null : "down");
    for (const client of told.clients) {
      const state = client.stopped !== null ? "stopped" : client.node === null ? "searching" : "connected";
      this.#lane(`client${client.client}`, told.now_us, state);
    }
    this.#look(told.troubles, told.now_us);
    if (told.tables) this.#grow(told.now_us, told.tables);
  }

  /** The state of an end at a time; null before it was there. */
  stateAt(end: End, us: number): string | null {
    const spans = this.lanes.get(end) ?? [];
    return spans.findLast((span) => span.from <= us)?.state ?? null;
  }

  /** When the last notable thing before this time was, or the last of all things. */
  previous(us: number, notable: boolean): number | null {
    const among = notable ? this.notable : this.log;
    return among.findLast((happening) => happening.at_us < us)?.at_us ?? null;
  }

  #take(happening: Happening): void {
    const { kind, who, at_us: at } = happening;
    this.log.push(happening);
    this.counts.set(kind, (this.counts.get(kind) ?? 0) + 1);
    if (NOTABLE.has(kind)) this.notable.push(happening);
    const state = stateOf(happening, this.#last(who)?.state ?? null);
    if (state !== null && who !== "bucket") this.#lane(who, at, state);
    if (kind === "trouble") {
      this.windows.push({ fault: String(happening["fault"]), ends: [], from: at, to: null });
    }
    if (kind === "trouble-over") {
      const window = this.windows.find((one) => one.to === null && one.fault === happening["fault"]);
      if (window) window.to = at;
    }
    if (kind === "quiet") for (const window of this.windows) window.to ??= at;
  }

  #grow(us: number, tables: readonly TableTold[]): void {
    const written = tables.reduce((sum, table) => sum + table.written, 0);
    if (this.growth.at(-1)?.[1] === written) return;
    this.growth.push([us, written]);
    if (this.growth.length > GROWTH_MAX) {
      const kept = this.growth.filter((_, i) => i % 2 === 1);
      this.growth.splice(0, this.growth.length, ...kept);
    }
  }

  #last(end: End): Span | null {
    return this.lanes.get(end)?.at(-1) ?? null;
  }

  /** Goes on with a state; null leaves it as it is, and begins a lane that has none yet. */
  #lane(end: End, at: number, state: string | null): void {
    let spans = this.lanes.get(end);
    if (!spans) this.lanes.set(end, (spans = []));
    const last = spans.at(-1);
    if (last && (state === null || last.state === state)) return;
    if (last) last.to = at;
    spans.push({ from: last || state === "down" ? at : 0, to: null, state: state ?? "starting" });
    if (spans.length > SPANS_MAX) spans.splice(0, SPANS_MAX / 2);
  }

  /** Whom the faults in force hit is only told while they are. */
  #look(troubles: readonly Trouble[], now: number): void {
    for (const { fault, ends, from_us: from } of troubles) {
      const known = this.windows.find((w) => w.to === null && w.fault === fault && w.from === from);
      if (!known) this.windows.push({ fault, ends, from, to: null });
      else if (known.ends.length === 0) Object.assign(known, { ends });
    }
    for (const window of this.windows) {
      if (window.to !== null) continue;
      const lasts = troubles.some((t) => t.fault === window.fault && t.from_us === window.from);
      // What happens at one moment is over at once.
      if (!lasts) window.to = window.ends.length === 0 ? window.from : now;
    }
  }
}

/** The state that a happening leaves its end in; null if it changes none. */
function stateOf(happening: Happening, before: string | null): string | null {
  switch (happening.kind) {
    case "started":
      return happening.who.startsWith("client") ? "searching" : "starting";
    case "stopped":
      return happening.who.startsWith("client") ? "searching" : "down";
    case "role": {
      const role = String(happening["role"]);
      return role === "primary" ? "refuses" : role;
    }
    case "opened":
      return "primary";
    case "refuses":
      return before === "primary" || before === "refuses" ? "refuses" : null;
    case "connected":
      return "connected";
    case "disconnected":
      return "searching";
    default:
      return null;
  }
}
