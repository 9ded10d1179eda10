/** What the simulator tells, as it writes it: `src/sim/told.rs`, `scenario.rs` and `command.rs` have the same in Rust. */

/** `bucket`, `node0`, `client3`. */
import type { Begin } from "./fork.js";

export type End = string;

export type StoreKind = "s3" | "azure" | "gcs" | "hdfs" | "directory";

/** Something that was done to the cluster, or is to be. */
export type Order =
  | { do: "kill" | "power-off" | "start" | "pause" | "resume"; node: number }
  | { do: "slow"; end: End; extra_us: number }
  | { do: "partition"; ends: End[]; silent?: boolean }
  | { do: "heal" | "add-node" | "add-client" }
  | { do: "promote"; node: number; planned?: boolean }
  | { do: "kill-client"; client: number }
  | { do: "durable" | "store-and-forward"; on: boolean }
  | { do: "window"; packs: number }
  | { do: "intervals"; poll_us: number; throttle_us: number };

export type Scripted = Order & { at_us: number };

export interface NodeSettings {
  window?: number;
  throttle_us?: number;
  poll_us?: number;
  failover?: boolean;
  beat_us?: number;
  patience_us?: number;
  self_stop_us?: number;
  timeout_us?: number;
  snapshot_every_us?: number;
  sync?: boolean;
  policy?: string;
  restart_us?: number;
}

export interface ClientSettings {
  durable?: boolean;
  on_disk?: boolean;
  every_us?: number;
  rows?: number;
  late_per_mille?: number;
  tables?: number;
  dedup_tables?: number;
  in_flight?: number;
}

/** A scenario; what it leaves out is as the simulator has it. */
export interface Scenario {
  format?: number;
  name?: string;
  nodes?: number;
  clients?: number;
  vary?: boolean;
  faults?: string[];
  operator?: boolean;
  quiet_from_us?: number;
  until_us?: number;
  store?: StoreKind;
  node?: NodeSettings;
  client?: ClientSettings;
  script?: Scripted[];
  /** Tables of a real history to begin with. */
  begin?: Begin;
}

/** Something that happened: `kind` says what, the other fields are its own. */
export interface Happening {
  step: number;
  at_us: number;
  who: End;
  kind: string;
  [field: string]: unknown;
}

export interface RowCounts {
  made: number;
  acknowledged: number;
  durable: number;
  in_history: number;
  lost: number;
  duplicated: number;
  forgotten: number;
}

/** A table of a real history, as the history in the bucket has it. */
export interface TableTold {
  name: string;
  /** Rows that it began with, that it has, and that clients have written to it since. */
  began: number;
  rows: number;
  written: number;
  digest: string;
}

export interface Requests {
  puts: number;
  gets: number;
  deletes: number;
  bytes_in: number;
  bytes_out: number;
}

export interface NodeTold {
  node: number;
  up: boolean;
  paused: boolean;
  role: string;
  writes: boolean;
  refuses: string | null;
  term: number;
  next: number;
  lag: number;
  /** For how long it has been catching up; 0 if it is not. */
  behind_us: number;
  /** How long it took the last time. */
  caught_up_us: number;
  queued: number;
  flying: number;
  rows: number;
  aside: number;
  promotions: number;
  fenced: number;
}

export interface ClientTold {
  client: number;
  node: number | null;
  queue: number;
  durable: boolean;
  outage_us: number;
  longest_outage_us: number;
  outages: number;
  stopped: string | null;
}

/** Something on its way from one end to another. */
export interface Flight {
  from: End;
  to: End;
  what: "put" | "get" | "delete" | "stored" | "refused" | "read" | "settings" | "write" | "answer";
  /** The object's key, or nothing. */
  name: string;
  sent_us: number;
  arrives_us: number;
}

export interface Trouble {
  fault: string;
  ends: End[];
  from_us: number;
  until_us: number;
  strength: number;
}

export interface Told {
  seed: number;
  step: number;
  now_us: number;
  trace: string;
  store: StoreKind;
  history: number;
  term: number;
  rows: RowCounts;
  /** Of a run that began with tables of a real history. */
  tables?: TableTold[];
  requests: Requests;
  nodes: NodeTold[];
  clients: ClientTold[];
  in_flight: Flight[];
  troubles: Trouble[];
}

/** An invariant that did not hold: a fault of the code, never of the cluster. */
export interface Violation {
  invariant: string;
  what: string;
  step: number;
  at_us: number;
}

/** The node that takes writes; of several the one with the newest term. */
export function primaryOf(told: Told): NodeTold | null {
  const writing = told.nodes.filter((node) => node.up && node.role === "primary");
  const newer = (best: NodeTold | null, node: NodeTold) => (best && best.term >= node.term ? best : node);
  return writing.filter((node) => node.writes).reduce(newer, null) ?? writing.reduce(newer, null);
}

/** The replica that is to take over: it runs, and has the most of the history. */
export function successorOf(told: Told): NodeTold | null {
  const fit = told.nodes.filter((node) => node.up && !node.paused && node.role === "replica");
  return fit.reduce<NodeTold | null>((best, node) => (best && best.next >= node.next ? best : node), null);
}

export function nodeEnd(node: number): End {
  return `node${node}`;
}

export function clientEnd(client: number): End {
  return `client${client}`;
}

/** The number in an end's name; null of the bucket. */
export function numberOf(end: End): number | null {
  const number = /^(?:node|client)(\d{1,2})$/.exec(end);
  return number ? Number(number[1]) : null;
}

export function isEnd(text: string): boolean {
  return text === "bucket" || numberOf(text) !== null;
}

export function isNode(end: End): boolean {
  return end.startsWith("node");
}
