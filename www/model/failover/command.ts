/** The lab's one type of command, and the table from which its keys, help and palette are made. */
import type { Order, Scenario } from "./told.js";
import type { Lesson } from "./lesson.js";

export type LabCommand =
  | { do: "play" }
  | { do: "pause" }
  | { do: "toggle" }
  | { do: "speed"; speed: number }
  | { do: "speedBy"; by: 1 | -1 }
  /** Exactly there; going back replays from the seed. */
  | { do: "to"; us: number }
  | { do: "toStep"; step: number }
  | { do: "by"; us: number }
  /** To the next thing, or the next one worth stopping at; or back to the one before. */
  | { do: "next"; notable: boolean }
  | { do: "previous"; notable: boolean }
  | { do: "give"; order: Order }
  /** Resolved by who is primary, and whom the focus is on. */
  | { do: "killPrimary" }
  | { do: "promote"; planned: boolean }
  | { do: "cutPrimary" }
  | { do: "pausePrimary" }
  | { do: "toggleDurable" }
  | { do: "toggleStored" }
  /** The instance by its place on the stage, or nobody. */
  | { do: "focus"; end: string | null }
  | { do: "focusNth"; n: number }
  /** Keeps this run as a branch, and goes on from here beside it. */
  | { do: "fork" }
  | { do: "branch"; index: number }
  /** `again`: the same, as a fork of the same moment if it is one. */
  | { do: "begin"; scenario: Scenario; seed: number; us?: number; again?: boolean }
  | { do: "lesson"; lesson: Lesson | null; name: string | null }
  /** Goes on in the lesson: to the next step, or with the clock where the step waits for something. */
  | { do: "continue" }
  /** What the lesson's step waits for is there. */
  | { do: "reached" }
  | { do: "answer"; index: number }
  | { do: "dialog"; dialog: LabDialog | null }
  | { do: "escape" };

export type LabDialog = "help" | "palette" | "lessons" | "about" | "scenario";

export interface LabEntry {
  id: string;
  title: string;
  group: (typeof LAB_GROUPS)[number];
  keys: readonly string[];
  command: LabCommand;
}

export const LAB_GROUPS = ["Play", "Move", "Cluster", "Instances", "Page"] as const;
export const SPEEDS = [
  0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 25, 50, 100,
] as const;
const SECOND = 1_000_000;
export const FOCUS_KEYS = 9;

/** Every key of the lab. Help is printed from this table. */
export const LAB_COMMANDS: readonly LabEntry[] = [
  entry("toggle", "Play", "Play or pause", [" ", "k"], { do: "toggle" }),
  entry("slower", "Play", "Slower", [","], { do: "speedBy", by: -1 }),
  entry("faster", "Play", "Faster", ["."], { do: "speedBy", by: 1 }),
  entry("next", "Move", "To the next thing that happens", ["ArrowRight"], { do: "next", notable: false }),
  entry("previous", "Move", "Back to the thing before", ["ArrowLeft"], { do: "previous", notable: false }),
  entry("next-event", "Move", "To the next fault, role, outage or loss", ["Mod+ArrowRight"], {
    do: "next",
    notable: true,
  }),
  entry("previous-event", "Move", "Back to the one before", ["Mod+ArrowLeft"], {
    do: "previous",
    notable: true,
  }),
  entry("second", "Move", "A second on", ["]", "Shift+ArrowRight"], { do: "by", us: SECOND }),
  entry("second-back", "Move", "A second back", ["[", "Shift+ArrowLeft"], { do: "by", us: -SECOND }),
  entry("tenth", "Move", "A tenth of a second on", [">"], { do: "by", us: SECOND / 10 }),
  entry("tenth-back", "Move", "A tenth of a second back", ["<"], { do: "by", us: -SECOND / 10 }),
  entry("start", "Move", "Back to the beginning", ["Home"], { do: "to", us: 0 }),
  entry("kill-primary", "Cluster", "Kill the primary", ["x"], { do: "killPrimary" }),
  entry("promote", "Cluster", "Promote now: the instance in focus, or the replica that has most", ["p"], {
    do: "promote",
    planned: false,
  }),
  entry("switch", "Cluster", "Planned switch: the primary hands over", ["o"], {
    do: "promote",
    planned: true,
  }),
  entry("cut", "Cluster", "Cut the primary off from everybody", ["c"], { do: "cutPrimary" }),
  entry("freeze", "Cluster", "Pause the primary, as a suspended machine", ["z"], { do: "pausePrimary" }),
  entry("heal", "Cluster", "Heal the network", ["h"], { do: "give", order: { do: "heal" } }),
  entry("add-node", "Cluster", "Add a replica", ["r"], { do: "give", order: { do: "add-node" } }),
  entry("add-client", "Cluster", "Add a client", ["n"], { do: "give", order: { do: "add-client" } }),
  entry("durable", "Cluster", "Durable acknowledgements on or off", ["d"], { do: "toggleDurable" }),
  entry("stored", "Cluster", "Store-and-forward on or off", ["s"], { do: "toggleStored" }),
  entry("fork", "Cluster", "Fork here: keep this run, and go on beside it", ["f"], { do: "fork" }),
  ...Array.from({ length: FOCUS_KEYS }, (_, i) =>
    entry(`focus-${i + 1}`, "Instances", `Focus instance ${i + 1}`, [String(i + 1)], {
      do: "focusNth",
      n: i,
    }),
  ),
  entry("focus-bucket", "Instances", "Focus the bucket", ["0"], { do: "focus", end: "bucket" }),
  entry("search", "Page", "Search commands and lessons", ["/"], { do: "dialog", dialog: "palette" }),
  entry("lessons", "Page", "Lessons", ["l"], { do: "dialog", dialog: "lessons" }),
  entry("scenario", "Page", "Scenario, export and import", ["e"], { do: "dialog", dialog: "scenario" }),
  entry("about", "Page", "What is real here", [], { do: "dialog", dialog: "about" }),
  entry("help", "Page", "Keys", ["?"], { do: "dialog", dialog: "help" }),
  entry("continue", "Page", "Continue the lesson", ["Enter"], { do: "continue" }),
  entry("escape", "Page", "Close, or let go of the focus", ["Escape"], { do: "escape" }),
];

function entry(
  id: string,
  group: LabEntry["group"],
  title: string,
  keys: string[],
  command: LabCommand,
): LabEntry {
  return { id, title, group, keys, command };
}

/** The entry of a command that a button makes, for its keys. */
export function keysOf(id: string): readonly string[] {
  return LAB_COMMANDS.find((known) => known.id === id)?.keys ?? [];
}
