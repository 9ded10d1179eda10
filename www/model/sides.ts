/** The two sides of a comparison, as far as this side's state tells. Pure. */
import { timeOf, txnAt } from "./history.js";
import type { State } from "./state.js";
import { historyNow, momentOf, withNow } from "./state.js";

export function toggleCompare(state: State): State {
  if (withNow(state) !== "off") return { ...state, with: state.pair ? "off" : null };
  return { ...state, with: state.pair ? "same" : momentOf(state) };
}

/** Where the other side stands, by this side's log. */
export function otherTxn(state: State): number {
  const other = withNow(state);
  if (typeof other === "string") return state.txn;
  if ("txn" in other) return other.txn;
  const history = historyNow(state);
  return history ? txnAt(history, other.us) : state.txn;
}

/** Numbers of transactions are a table's own: in another table the same time is meant. */
export function withElsewhere(state: State): State["with"] {
  const history = historyNow(state);
  const at = state.with;
  if (at === null || typeof at === "string" || !("txn" in at) || at.txn === 0 || !history) return at;
  const us = timeOf(history, at.txn);
  return us === null || !Number.isFinite(us) ? at : { us };
}
