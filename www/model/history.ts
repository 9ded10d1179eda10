/** One table's timeline as the page uses it. */
import type { Timeline } from "../../pkg/types.js";
import { isInteresting } from "./kinds.js";

export interface History extends Timeline {
  /**
   * Commit times that never go back: entry i is the latest commit time up to transaction i + 1; -Infinity where none is
   * known up to there.
   */
  times: Float64Array;
  /** Where the log came in a cluster's bucket; else null. */
  ops: Ops | null;
}

/** Which object of a cluster's log brought each transaction. */
export interface Ops {
  /** Entry i is the number of the object with transaction i + 1; ascending. */
  at: Float64Array;
  /** The numbers of all objects, of other tables too. */
  first: number;
  last: number;
}

/** A server's clock may go back between two commits; the axis of time must not. */
export function historyOf(timeline: Timeline, ops: Ops | null = null): History {
  const times = new Float64Array(timeline.commitUs.length);
  let latest = -Infinity;
  for (let i = 0; i < times.length; i++) {
    const us = timeline.commitUs[i];
    if (us !== undefined && us > latest) latest = us;
    times[i] = latest;
  }
  return { ...timeline, times, ops };
}

/** Number of transactions committed at or before `us`. */
export function txnAt(history: History, us: number): number {
  return upperBound(history.times, us);
}

/** Commit time of `txn`; that of the first one for 0. Null for an empty log, and where it is not known. */
export function timeOf(history: History, txn: number): number | null {
  const us = history.times[Math.max(0, Math.min(txn, history.times.length) - 1)] ?? null;
  return us === -Infinity ? null : us;
}

/** The times that are known. */
export function knownTimes({ times }: History): Float64Array {
  return times.subarray(upperBound(times, -Infinity));
}

/** The next transaction in the direction `by` that is worth stopping at, or null. */
export function nextEvent(history: History, txn: number, by: 1 | -1): number | null {
  for (let at = txn + by; at >= 1 && at <= history.kind.length; at += by) {
    if (isInteresting(history.kind[at - 1] ?? 0)) return at;
  }
  return null;
}

/** Index of the first entry greater than `value` in an ascending list. */
export function upperBound(list: Float64Array, value: number): number {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const mid = (low + high) >> 1;
    if ((list[mid] ?? 0) <= value) low = mid + 1;
    else high = mid;
  }
  return low;
}
