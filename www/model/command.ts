/**
 * The one type of command. Buttons, keys, pointer, address bar and palette all make these; nothing else
 * changes what is shown. `Fact`s are what the engine reports.
 */
import type { Overview, Problem } from "../../pkg/types.js";
import type { History } from "./history.js";
import type { LabCommand } from "./lab/lab.js";
import type { AxisKind, Link, Tab, With } from "./link.js";
import type { Dialog } from "./state.js";

export type Command =
  /** Exactly there, even if nothing is loaded yet. `passing`: on the way, as while dragging. */
  | { do: "toTxn"; txn: number; passing?: boolean }
  | { do: "toTime"; us: number; passing?: boolean }
  /** By transactions. */
  | { do: "step"; by: number }
  /** By time on the server's clock, over closed silences. */
  | { do: "stepTime"; us: number }
  /** To the next transaction worth stopping at. */
  | { do: "event"; by: 1 | -1 }
  | { do: "start" }
  | { do: "end" }
  /** Stays at the end of a log that is still written; any other move ends it. */
  | { do: "live"; on: boolean }
  | { do: "play"; direction: 1 | -1 }
  | { do: "pause" }
  | { do: "toggle" }
  | { do: "speed"; speed: number }
  | { do: "speedBy"; by: 1 | -1 }
  /** Real time went by while playing. */
  | { do: "tick"; ms: number }
  | { do: "axis"; axis: AxisKind }
  /** Zooms around `at` (0 ... 1 along the axis), or around the playhead. */
  | { do: "zoom"; factor: number; at?: number }
  /** Moves the view by this part of its width. */
  | { do: "pan"; by: number }
  | { do: "view"; from: number; to: number; push: boolean }
  | { do: "crumb"; index: number }
  | { do: "fit" }
  | { do: "table"; dir: string }
  | { do: "select"; partition: string | null }
  | { do: "tab"; tab: Tab }
  | { do: "partitionsAs"; as: "bricks" | "table" }
  | { do: "dialog"; dialog: Dialog | null }
  | { do: "escape" }
  /** Begins or ends comparing: with the same transaction of a second source, else with the moment on show. */
  | { do: "compare" }
  /** Compares with this moment, or in step. */
  | { do: "compareWith"; with: With }
  /** The other side stays at the moment on show. */
  | { do: "pin" }
  /** Moves the other side by transactions, and lets it stay there. */
  | { do: "stepOther"; by: number }
  /** Each side's moment becomes the other's. */
  | { do: "swap" }
  /** Goes on from the moment on show in the simulator, with the real rows and roles. */
  | { do: "fork" }
  /** Of the storage policies that are tried out. */
  | { do: "lab"; lab: LabCommand }
  /** A link was opened: always paused. */
  | { do: "restore"; link: Link };

export type Fact =
  | { fact: "opened"; overview: Overview }
  /** The logs were read again: the server may have written on. */
  | { fact: "refreshed"; overview: Overview }
  | { fact: "history"; history: History }
  /** All that is known to be wrong by now: some shows only when a table gets there. */
  | { fact: "problems"; problems: Problem[] };

export const STEP_LARGE = 10;
export const STEP_PAGE = 100;
const SECOND_US = 1_000_000;
export const SPEEDS = [0.01, 0.1, 0.25, 0.5, 1, 2, 4, 10, 25, 100, 400, 1000] as const;
/** Transactions per second at speed 1 on the axis of transactions. */
export const TXN_PER_SECOND = 10;
const ZOOM_STEP = 2;
const PAN_STEP = 0.25;

export const GROUPS = ["Play", "Move", "Timeline", "Compare", "Storage", "Page"] as const;

/** One entry of the command table: what help and palette list, and what keys do. */
export interface Entry {
  id: string;
  title: string;
  group: (typeof GROUPS)[number];
  /** As `KeyboardEvent.key` gives them, modifiers first: "Shift+ArrowLeft". "Mod" is Ctrl or Cmd. */
  keys: readonly string[];
  command: Command;
}

/** Every key of the page. Help is printed from this table, so it shows no key that does nothing. */
export const COMMANDS: readonly Entry[] = [
  entry("toggle", "Play", "Play or pause", [" ", "k"], { do: "toggle" }),
  entry("forward", "Play", "Play forward", ["l"], { do: "play", direction: 1 }),
  entry("reverse", "Play", "Play in reverse", ["j"], { do: "play", direction: -1 }),
  entry("slower", "Play", "Slower", [","], { do: "speedBy", by: -1 }),
  entry("faster", "Play", "Faster", ["."], { do: "speedBy", by: 1 }),
  entry("next", "Move", "Next transaction", ["ArrowRight"], { do: "step", by: 1 }),
  entry("previous", "Move", "Previous transaction", ["ArrowLeft"], { do: "step", by: -1 }),
  entry("next-10", "Move", `${STEP_LARGE} transactions on`, ["Shift+ArrowRight"], {
    do: "step",
    by: STEP_LARGE,
  }),
  entry("previous-10", "Move", `${STEP_LARGE} transactions back`, ["Shift+ArrowLeft"], {
    do: "step",
    by: -STEP_LARGE,
  }),
  entry("next-second", "Move", "A second on", ["]"], { do: "stepTime", us: SECOND_US }),
  entry("previous-second", "Move", "A second back", ["["], { do: "stepTime", us: -SECOND_US }),
  entry(
    "next-event",
    "Move",
    "Next out-of-order commit, schema change, truncate or statement",
    ["Mod+ArrowRight"],
    {
      do: "event",
      by: 1,
    },
  ),
  entry("previous-event", "Move", "Previous one of these", ["Mod+ArrowLeft"], { do: "event", by: -1 }),
  entry("start", "Move", "Before the first transaction", ["Home"], { do: "start" }),
  entry("end", "Move", "After the last transaction", ["End"], { do: "end" }),
  entry("live", "Move", "Follow a log that is still written", [], { do: "live", on: true }),
  entry("zoom-in", "Timeline", "Zoom in", ["w"], { do: "zoom", factor: ZOOM_STEP }),
  entry("zoom-out", "Timeline", "Zoom out", ["s"], { do: "zoom", factor: 1 / ZOOM_STEP }),
  entry("pan-left", "Timeline", "Move the view left", ["a"], { do: "pan", by: -PAN_STEP }),
  entry("pan-right", "Timeline", "Move the view right", ["d"], { do: "pan", by: PAN_STEP }),
  entry("fit", "Timeline", "Show the whole timeline", ["0"], { do: "fit" }),
  entry("by-txn", "Timeline", "Timeline by transaction", [], { do: "axis", axis: "txn" }),
  entry("by-time", "Timeline", "Timeline by commit time", [], { do: "axis", axis: "time" }),
  entry("by-op", "Timeline", "Timeline by store operation (of a cluster’s bucket)", [], {
    do: "axis",
    axis: "op",
  }),
  entry("compare", "Compare", "Compare with another moment or source, or stop it", ["c"], { do: "compare" }),
  entry("pin", "Compare", "Let the other side stay at this moment", ["v"], { do: "pin" }),
  entry("in-step", "Compare", "Both sides at the same transaction (of two sources)", [], {
    do: "compareWith",
    with: "same",
  }),
  entry("other-next", "Compare", "Other side a transaction on", [">"], { do: "stepOther", by: 1 }),
  entry("other-previous", "Compare", "Other side a transaction back", ["<"], { do: "stepOther", by: -1 }),
  entry("swap", "Compare", "Swap the two moments", ["b"], { do: "swap" }),
  entry("lab-begin", "Storage", "Try storage policies from this transaction on", [], {
    do: "lab",
    lab: { do: "begin" },
  }),
  entry("lab-toggle", "Storage", "Play or pause the instances’ clock", ["p"], {
    do: "lab",
    lab: { do: "toggle" },
  }),
  entry("lab-due", "Storage", "To when something happens next", ["n"], { do: "lab", lab: { do: "due" } }),
  entry("lab-start", "Storage", "Back to the beginning of the instances’ clock", [], {
    do: "lab",
    lab: { do: "jump", us: null },
  }),
  entry("lab-slower", "Storage", "The instances’ clock slower", [], {
    do: "lab",
    lab: { do: "speedBy", by: -1 },
  }),
  entry("lab-faster", "Storage", "The instances’ clock faster", [], {
    do: "lab",
    lab: { do: "speedBy", by: 1 },
  }),
  entry("lab-add", "Storage", "Another instance", [], { do: "lab", lab: { do: "add" } }),
  entry("lab-end", "Storage", "Stop trying storage policies", [], { do: "lab", lab: { do: "end" } }),
  entry("fork", "Page", "Fork here: go on from this moment in the failover lab, with these rows", ["f"], {
    do: "fork",
  }),
  entry("search", "Page", "Search tables, transactions, times and commands", ["/"], {
    do: "dialog",
    dialog: "palette",
  }),
  entry("rows", "Page", "Show rows", [], { do: "tab", tab: "rows" }),
  entry("log", "Page", "Show the log", [], { do: "tab", tab: "log" }),
  entry("schema", "Page", "Show the schema", [], { do: "tab", tab: "schema" }),
  entry("bytes", "Page", "Show the transaction’s bytes", [], { do: "tab", tab: "bytes" }),
  entry("storage", "Page", "Show storage policies", [], { do: "tab", tab: "storage" }),
  entry("cluster", "Page", "Show the cluster (of a bucket)", [], { do: "tab", tab: "cluster" }),
  entry("text", "Page", "Show everything as text", [], { do: "tab", tab: "text" }),
  entry("real", "Page", "What is real here", [], { do: "dialog", dialog: "real" }),
  entry("open", "Page", "Open a database", [], { do: "dialog", dialog: "open" }),
  entry("help", "Page", "Keys", ["?"], { do: "dialog", dialog: "help" }),
  entry("escape", "Page", "Close, or let go of the chosen partition", ["Escape"], { do: "escape" }),
];

function entry(id: string, group: Entry["group"], title: string, keys: string[], command: Command): Entry {
  return { id, title, group, keys, command };
}

/** The command of a key press, or null. */
export function commandOfKey(event: KeyPress): Command | null {
  return entryOfKey(COMMANDS, event)?.command ?? null;
}

/** The part of a `KeyboardEvent` that names a key. */
export interface KeyPress {
  key: string;
  shiftKey: boolean;
  ctrlKey: boolean;
  metaKey: boolean;
  altKey: boolean;
}

/** The entry of a table that a key press means, if any. */
export function entryOfKey<E extends { keys: readonly string[] }>(
  table: readonly E[],
  event: KeyPress,
): E | null {
  if (event.altKey) return null;
  const mod = event.ctrlKey || event.metaKey ? "Mod+" : "";
  // Shift is part of the key where it makes another character of it.
  const shift = event.shiftKey && event.key.length > 1 ? "Shift+" : "";
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const name = `${mod}${shift}${key}`;
  return table.find((c) => c.keys.includes(name)) ?? null;
}

const KEY_WORDS: Record<string, string> = {
  " ": "Space",
  ArrowRight: "→",
  ArrowLeft: "←",
  Escape: "Esc",
  Mod: "Ctrl",
};

/** "Mod+ArrowRight" -> ["Ctrl", "→"]. */
export function keyWords(name: string): string[] {
  return name.split("+").map((part) => KEY_WORDS[part] ?? (part.length === 1 ? part.toUpperCase() : part));
}

/** Whether it only lets time pass. */
export function isTick(command: Command | Fact): boolean {
  if (!("do" in command)) return false;
  return command.do === "tick" || (command.do === "lab" && command.lab.do === "tick");
}
