/** The run in words: for the log, for lanes, and for those who listen. Pure. */
import { counted, span } from "../format.js";
import type { ClientTold, End, Flight, Happening, NodeTold, Order, Told } from "./told.js";

/** Virtual time: "12.345 s", to the microsecond where it matters. */
export function seconds(us: number, digits = 3): string {
  return `${(us / 1e6).toFixed(digits)} s`;
}

const FAULTS: Record<string, string> = {
  delay: "slow network",
  partition: "cut off",
  "black-hole": "cut off silently",
  pause: "paused",
  kill: "killed",
};

export function faultName(fault: string): string {
  return FAULTS[fault] ?? fault.replaceAll("-", " ");
}

/** A happening in a sentence. Kinds that are not known yet keep their name. */
export function happeningWords(happening: Happening): string {
  const { who, kind } = happening;
  const n = (field: string) => Number(happening[field] ?? 0);
  const s = (field: string) => {
    const value = happening[field];
    return typeof value === "string" ? value : "";
  };
  switch (kind) {
    case "rows-made":
      return `${who} made ${counted(n("rows"), "row")}, frame ${n("frame")}`;
    case "frame-sent":
      return `${who} sends frame ${n("frame")} to node${n("node")}${happening["again"] === true ? " again" : ""}`;
    case "frame-acknowledged":
      return `${who} was told that frame ${n("frame")} is ${happening["durable"] === true ? "durable" : "in the log"}`;
    case "connected":
      return `${who} found the primary: node${n("node")}`;
    case "disconnected":
      return `${who} lost node${n("node")}`;
    case "committed":
      return `${who} committed ${counted(n("rows"), "row")}`;
    case "pack-sent":
      return `${who} sends pack ${n("n")} with ${counted(n("rows"), "row")}`;
    case "pack-landed":
      return `pack ${n("n")} is in the bucket`;
    case "sealed":
      return `the seal ${n("n")} is in the bucket: term ${n("term")}`;
    case "confirmed":
      return `${who} knows that all before ${n("below")} is durable`;
    case "applied":
      return `${who} applied all before ${n("next")}`;
    case "snapshot-loaded":
      return `${who} took the snapshot of ${n("n")}`;
    case "snapshot-taken":
      return `a snapshot of ${n("n")} is in the bucket`;
    case "boundary-raised":
      return `packs before ${n("boundary")} may be deleted`;
    case "role":
      return `${who} is ${s("role")} (${s("why")})`;
    case "opened":
      return `${who} takes writes in term ${n("term")}`;
    case "refuses":
      return `${who} takes no writes (${s("why")})`;
    case "set-aside":
      return `${who} set ${counted(n("rows"), "row")} aside that the history does not hold`;
    case "rewound":
      return `${who} went back to the history`;
    case "stopped":
      return `${who} stopped (${s("why")})`;
    case "started":
      return `${who} started`;
    case "trouble":
      return `fault: ${faultName(s("fault"))}`;
    case "trouble-over":
      return `over: ${faultName(s("fault"))}`;
    case "policy-done":
      return `${who} changed the form of a partition of ${s("table")}`;
    case "quiet":
      return "from now on nothing goes wrong";
    default:
      return `${who}: ${kind}`;
  }
}

/** A command in words, as buttons and the script have it. */
export function orderWords(order: Order): string {
  switch (order.do) {
    case "kill":
      return `kill node${order.node}`;
    case "power-off":
      return `cut the power of node${order.node}`;
    case "start":
      return `start node${order.node}`;
    case "pause":
      return `pause node${order.node}`;
    case "resume":
      return `resume node${order.node}`;
    case "slow":
      return order.extra_us === 0
        ? `${order.end} at usual speed`
        : `${order.end} slower by ${span(order.extra_us)}`;
    case "partition":
      return `cut off ${order.ends.join(", ")}${order.silent ? " silently" : ""}`;
    case "heal":
      return "heal the network";
    case "promote":
      return order.planned ? `planned switch to node${order.node}` : `promote node${order.node}`;
    case "add-node":
      return "add a replica";
    case "add-client":
      return "add a client";
    case "kill-client":
      return `kill client${order.client}`;
    case "durable":
      return `durable acknowledgements ${order.on ? "on" : "off"}`;
    case "store-and-forward":
      return `store-and-forward ${order.on ? "on" : "off"}`;
    case "window":
      return `window of ${counted(order.packs, "pack")}`;
    case "intervals":
      return `replicas ask every ${span(order.poll_us)}, packs every ${span(order.throttle_us)}`;
  }
}

/** How a node stands, in a word; the lanes' states are the same. */
export function nodeState(node: NodeTold): string {
  if (!node.up) return "down";
  if (node.paused) return "paused";
  if (node.role === "primary") return node.writes ? "primary" : "refuses";
  return node.role;
}

export function nodeWords(node: NodeTold): string {
  const state = nodeState(node);
  const said = state === "refuses" ? `primary that takes no writes (${node.refuses ?? ""})` : state;
  const lag = node.lag > 0 && state !== "primary" ? `, ${counted(node.lag, "object")} behind` : "";
  const aside = node.aside > 0 ? `, ${counted(node.aside, "row")} set aside` : "";
  return `node${node.node}: ${said}, ${counted(node.rows, "row")}${lag}${aside}`;
}

export function clientState(client: ClientTold): string {
  if (client.stopped !== null) return "stopped";
  return client.node === null ? "searching" : "connected";
}

export function clientWords(client: ClientTold): string {
  const state = clientState(client);
  const where = client.node === null ? state : `connected to node${client.node}`;
  const queue = client.queue > 0 ? `, ${counted(client.queue, "frame")} waiting` : "";
  const worst = client.longest_outage_us > 0 ? `, longest outage ${span(client.longest_outage_us)}` : "";
  return `client${client.client}: ${client.stopped ?? where}${queue}${worst}`;
}

/** What is said aloud: as much as can be heard, and what matters most. */
export function narration(happenings: readonly Happening[]): string {
  const weight = (happening: Happening) => WEIGHTS[happening.kind] ?? 0;
  const worth = happenings.filter((happening) => weight(happening) > 0);
  const best = [...worth].sort((a, b) => weight(b) - weight(a)).slice(0, 3);
  best.sort((a, b) => a.at_us - b.at_us);
  const more = worth.length - best.length;
  if (best.length === 0) return "";
  const said = best.map((one) => `${seconds(one.at_us, 1)}: ${happeningWords(one)}`).join(". ");
  return more > 0 ? `${said}. And ${more} more.` : `${said}.`;
}

const WEIGHTS: Record<string, number> = {
  "set-aside": 5,
  opened: 5,
  stopped: 4,
  sealed: 4,
  role: 3,
  refuses: 3,
  trouble: 3,
  "trouble-over": 2,
  rewound: 2,
  started: 2,
  disconnected: 2,
  connected: 1,
};

const FLIGHTS: Record<Flight["what"], string> = {
  put: "puts",
  get: "asks for",
  delete: "deletes",
  stored: "stored",
  refused: "refused",
  read: "read",
  settings: "asks whether it takes writes",
  write: "rows",
  answer: "answer",
};

export function flightWords(flight: Flight): string {
  return `${flight.from} to ${flight.to}: ${FLIGHTS[flight.what]} ${flight.name}`.trim();
}

/** Everything at this moment, as one text. */
export function asText(told: Told, us: number): string[] {
  const { rows } = told;
  return [
    `At ${seconds(us)}: term ${told.term}, ${counted(told.history, "object")} in the history.`,
    `Rows: ${rows.made} made, ${rows.acknowledged} acknowledged, ${rows.durable} durable, ${rows.in_history} in the history, ${rows.lost} lost, ${rows.duplicated} duplicated.`,
    ...told.nodes.map(nodeWords),
    ...told.clients.map(clientWords),
    ...told.in_flight.map(flightWords),
    ...told.troubles.map((t) => `In force: ${faultName(t.fault)} at ${endsWords(t.ends)}.`),
  ];
}

export function endsWords(ends: readonly End[]): string {
  if (ends.length > 30) return "everybody";
  return ends.join(", ");
}
