/**
 * What the log laid out for a table that begins with a copy has no record of: when the transactions in the copy were
 * committed, and by whom. The engine sees filled-in records there.
 */
import type { Overview, TableInfo, TableState, Timeline } from "../../../pkg/types.js";

/** Why there is nothing to show of a transaction. */
export const IN_THE_COPY = "what it did is in the copy that the table begins with";

/** In a bucket a table lacks only what its copy holds. */
export function isInCopy(info: TableInfo | undefined, seqTxn: number): boolean {
  return info?.purged.some(([from, to]) => seqTxn >= from && seqTxn <= to) === true;
}

export function knownTimeline(timeline: Timeline, info: TableInfo | undefined): Timeline {
  const commitUs = timeline.commitUs.slice();
  for (const [from, to] of info?.purged ?? []) commitUs.fill(Number.NaN, from - 1, to);
  return { ...timeline, commitUs };
}

export function knownState(state: TableState, info: TableInfo | undefined): TableState {
  const { transaction } = state;
  if (!transaction || !isInCopy(info, transaction.seqTxn)) return state;
  const unknown = { commitUs: null, wal: null, segment: null, segmentTxn: null };
  return { ...state, transaction: { ...transaction, ...unknown, summary: IN_THE_COPY } };
}

/** Times of tables of which the log has no record are none. */
export function knownOverview(overview: Overview): Overview {
  const tables = overview.tables.map((info) => {
    const copied = info.txnCount > 0 && isInCopy(info, info.txnCount);
    return copied ? { ...info, firstUs: null, lastUs: null } : info;
  });
  const least = (a: number | null, b: number | null) => (a === null || (b !== null && b < a) ? b : a);
  const firstUs = tables.reduce<number | null>((us, info) => least(us, info.firstUs), null);
  const lastUs = tables.reduce<number | null>(
    (us, info) => (us === null ? info.lastUs : Math.max(us, info.lastUs ?? us)),
    null,
  );
  return { ...overview, tables, firstUs, lastUs };
}
