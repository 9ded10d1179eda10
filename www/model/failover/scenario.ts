/** Scenarios: those that come with the page, and how documents of others are read. Pure. */
import type { Order, Scenario, Scripted } from "./told.js";
import { isEnd } from "./told.js";

const SECOND = 1_000_000;
/** The end of the page's own scenarios. */
export const UNTIL_US = 900 * SECOND;
export const SEED = 7;

/** Three nodes, three clients; nothing goes wrong by itself, and nobody but you promotes. */
export const FREE: Scenario = {
  name: "free",
  nodes: 3,
  clients: 3,
  operator: false,
  quiet_from_us: UNTIL_US,
  until_us: UNTIL_US,
  node: { failover: false },
  client: { durable: false, on_disk: false },
};

/** The same with clients that lose nothing. */
export const SAFE: Scenario = { ...FREE, name: "safe", client: { durable: true, on_disk: true } };

/** The same where the cluster heals without a person. */
export const HEALING: Scenario = { ...SAFE, name: "healing", node: { failover: true } };

/** What a fork of a real history is, until its rows are read: its name and its nodes come with them. */
export const FORKED: Scenario = { ...FREE, name: "fork" };

/** What `understudy simulate` runs: all faults, settings that the seed varies. The simulator knows it by this name. */
export const CHAOS: Scenario = { name: "chaos" };

export const SCENARIOS: readonly { name: string; title: string; about: string; scenario: Scenario }[] = [
  {
    name: "free",
    title: "By hand",
    about: "Acknowledgements from the log, queues in memory, no automatic failover.",
    scenario: FREE,
  },
  {
    name: "safe",
    title: "Nothing lost",
    about: "Durable acknowledgements and store-and-forward; you promote.",
    scenario: SAFE,
  },
  {
    name: "healing",
    title: "Heals itself",
    about: "The same with automatic failover.",
    scenario: HEALING,
  },
  {
    name: "chaos",
    title: "Everything goes wrong",
    about: "As the test suite runs it: the seed chooses settings and faults.",
    scenario: CHAOS,
  },
];

export function namedScenario(name: string): Scenario | null {
  return SCENARIOS.find((known) => known.name === name)?.scenario ?? null;
}

/** The name of a scenario that is one of the page's own; null if anything of it is another. */
export function nameOf(scenario: Scenario): string | null {
  if (scenario.begin) return null;
  const text = canonical(scenario);
  return SCENARIOS.find((known) => canonical(known.scenario) === text)?.name ?? null;
}

/** The scenario's text, the same for equal scenarios whatever the order of their fields. */
export function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) => {
    if (inner === null || typeof inner !== "object" || Array.isArray(inner)) return inner;
    return Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}

/** A document that was read: the simulator itself says more about what is wrong inside. */
export function readScenario(text: string): Scenario {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Error("this is no scenario: it is not JSON");
  }
  if (value === null || typeof value !== "object" || Array.isArray(value)) {
    throw new Error("this is no scenario: an object was expected");
  }
  const { script = [] } = value as Scenario;
  if (!Array.isArray(script) || !script.every(isScripted)) {
    throw new Error("this is no scenario: script is a list of commands with at_us");
  }
  return value;
}

function isScripted(value: unknown): value is Scripted {
  const { at_us: at, do: what } = (value ?? {}) as Partial<Scripted>;
  return typeof at === "number" && Number.isFinite(at) && at >= 0 && typeof what === "string";
}

/** With one more command; what was given for later belongs to another run, and goes. */
export function withOrder(scenario: Scenario, order: Scripted): Scenario {
  return { ...scenario, script: [...before(scenario, order.at_us).script, order] };
}

/** As it was up to this time. */
export function before(scenario: Scenario, us: number): Scenario & { script: Scripted[] } {
  return { ...scenario, script: (scenario.script ?? []).filter((scripted) => scripted.at_us <= us) };
}

/** Whether a command can be one: its numbers are numbers, its ends are ends. */
export function isOrder(value: unknown): value is Order {
  if (value === null || typeof value !== "object") return false;
  const order = value as Record<string, unknown>;
  const number = (field: string) => typeof order[field] === "number" && order[field] >= 0;
  const end = (one: unknown) => typeof one === "string" && isEnd(one);
  switch (order["do"]) {
    case "kill":
    case "power-off":
    case "start":
    case "pause":
    case "resume":
    case "promote":
      return number("node");
    case "kill-client":
      return number("client");
    case "slow":
      return end(order["end"]) && number("extra_us");
    case "partition":
      return Array.isArray(order["ends"]) && order["ends"].length > 0 && order["ends"].every(end);
    case "heal":
    case "add-node":
    case "add-client":
      return true;
    case "durable":
    case "store-and-forward":
      return typeof order["on"] === "boolean";
    case "window":
      return number("packs");
    case "intervals":
      return number("poll_us") && number("throttle_us");
    default:
      return false;
  }
}
