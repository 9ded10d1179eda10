/** What the engine has answered, and how the page as a whole is doing. */
import type { Cluster, Fetched, Progress, RowsText, TableState } from "../../pkg/types.js";
import type { Opening } from "../engine/source.js";
import type { EngineError } from "../worker/protocol.js";
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
}

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
