/** What the engine has answered, and how the page as a whole is doing. */
import type {
  Cluster,
  Fetched,
  LabTold,
  LabWhy,
  Overview,
  Progress,
  RowsText,
  TableInfo,
  TableState,
} from "../../pkg/types.js";
import type { Opening } from "../engine/source.js";
import type { EngineError } from "../worker/protocol.js";
import type { Mark } from "./compare.js";
import type { History } from "./history.js";
import type { State } from "./state.js";

/** What the engine has answered so far. */
export interface Shown {
  /** What `table` is the answer to; the engine may have stopped before it. */
  asked: { dir: string; txn: number } | null;
  table: TableState | null;
  /** The state before it, if the step between them was one transaction. */
  before: TableState | null;
  rows: RowsText | null;
  fetched: Fetched | null;
  /** Where the source is a cluster's bucket, else null; undefined while it was not asked. */
  cluster: Cluster | null | undefined;
  /** Since when a call is under way, as `performance.now()`. */
  busySince: number | null;
  /** A call about this table and transaction failed; the rest of the page goes on. */
  failed: { dir: string; txn: number | null; error: EngineError } | null;
  /** What it is compared with, if it is. */
  other: OtherSide | null;
  /** The storage policies that are tried out. */
  lab: LabShown | null;
  /** A fork is being read, or could not be. */
  fork: { error: EngineError | null } | null;
}

/** What a lab has answered. */
export interface LabShown {
  progress: Progress | null;
  told: LabTold | null;
  /** Of the chosen brick, at the moment of `told`. */
  why: LabWhy | null;
  error: EngineError | null;
}

/** The other side of a comparison. */
export interface OtherSide {
  title: string;
  /** Of the second source, and not the same one at another moment. */
  second: boolean;
  progress: Progress | null;
  overview: Overview | null;
  cluster: Cluster | null;
  /** The table there, and its log; null if there is none. */
  info: TableInfo | null;
  history: History | null;
  /** What `table` is the answer to. */
  asked: string | null;
  table: TableState | null;
  found: Found | null;
  /** All tables, as compared at the moments that `key` says. */
  marks: { key: string; tables: TableMark[] } | null;
  error: EngineError | null;
}

/** How far the search for the first difference has come. */
export type Found =
  | { is: "searching"; upTo: number }
  | { is: "found"; txn: number; partitions: string[] }
  | { is: "none"; upTo: number }
  /** Already in the first state that both sides can show. */
  | { is: "before"; txn: number }
  | { is: "failed"; message: string };

/** One table on both sides. */
export interface TableMark {
  dir: string;
  name: string;
  /** The transactions that were compared. */
  left: number | null;
  right: number | null;
  mark: Mark;
}

export const UNOPENED: OtherSide = {
  title: "",
  second: false,
  progress: null,
  overview: null,
  cluster: null,
  info: null,
  history: null,
  asked: null,
  table: null,
  found: null,
  marks: null,
  error: null,
};

/** Before the engine has answered anything. */
export const NOTHING: Shown = {
  asked: null,
  table: null,
  before: null,
  rows: null,
  fetched: null,
  cluster: undefined,
  busySince: null,
  failed: null,
  other: null,
  lab: null,
  fork: null,
};

/** The rows in sight; some more on both sides are fetched. */
export interface RowsWindow {
  first: number;
  count: number;
}

/** The whole page's condition. */
export type Condition =
  | { is: "ready" }
  | { is: "opening"; title: string; progress: Progress | null }
  | { is: "broken"; opening: Opening; error: EngineError }
  | { is: "crashed"; error: EngineError; recovered: boolean; table: string | null; txn: number };

export interface Snapshot {
  state: State;
  shown: Shown;
  condition: Condition;
  opening: Opening;
}
