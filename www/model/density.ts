/** How much happened at each pixel of the timeline. */
import type { Axis } from "./axis.js";
import type { History } from "./history.js";
import { txnAt, upperBound } from "./history.js";

export interface View {
  from: number;
  to: number;
}

export interface Density {
  /** Rows per pixel, 0 ... 1 by square root, so that small commits are seen beside large ones. */
  all: Float32Array;
  /** The part of it that came out of order. */
  late: Float32Array;
  /** 1 where a transaction's row count is not known. */
  unknown: Uint8Array;
  /** Rows at the fullest pixel. */
  peak: number;
}

/** First and last transaction (inclusive) that the view shows; last < first when there is none. */
export function visible(history: History, axis: Axis, view: View): { first: number; last: number } {
  const low = axis.fromUnit(view.from);
  const high = axis.fromUnit(view.to);
  if (axis.kind === "txn")
    return { first: Math.max(1, Math.floor(low)), last: Math.min(history.kind.length, Math.ceil(high)) };
  if (axis.kind === "op" && history.ops)
    return {
      first: Math.max(1, upperBound(history.ops.at, low - 1)),
      last: Math.min(history.kind.length, upperBound(history.ops.at, Math.ceil(high)) + 1),
    };
  return {
    first: Math.max(1, txnAt(history, low - 1)),
    last: Math.min(history.kind.length, txnAt(history, high) + 1),
  };
}

/** Place of a transaction along the axis. */
export function unitOf(history: History, axis: Axis, txn: number): number {
  if (axis.kind === "txn") return axis.toUnit(txn);
  const values = axis.kind === "op" ? history.ops?.at : history.times;
  return axis.toUnit(values?.[Math.max(0, txn - 1)] ?? axis.min);
}

export function density(history: History, axis: Axis, view: View, width: number): Density {
  const rows = new Float64Array(width);
  const lateRows = new Float64Array(width);
  const unknown = new Uint8Array(width);
  const { first, last } = visible(history, axis, view);
  const scale = width / (view.to - view.from);
  // Fewer transactions than pixels: each takes its whole width on the axis of transactions.
  const wide = axis.kind === "txn" ? Math.max(1, scale / axis.max) : 1;
  for (let txn = first; txn <= last; txn++) {
    const end = (unitOf(history, axis, txn) - view.from) * scale;
    const from = Math.max(0, Math.round(end - wide));
    const to = Math.min(width, Math.max(from + 1, Math.round(end)));
    const known = history.rows[txn - 1] ?? -1;
    for (let x = from; x < to; x++) {
      if (known < 0) unknown[x] = 1;
      else rows[x] = (rows[x] ?? 0) + known;
      if (history.kind[txn - 1] === 2) lateRows[x] = (lateRows[x] ?? 0) + Math.max(0, known);
    }
  }
  const peak = rows.reduce((most, r) => Math.max(most, r), 0);
  const all = new Float32Array(width);
  const late = new Float32Array(width);
  for (let x = 0; x < width; x++) {
    all[x] = peak > 0 ? Math.sqrt((rows[x] ?? 0) / peak) : 0;
    late[x] = peak > 0 ? Math.sqrt((lateRows[x] ?? 0) / peak) : 0;
  }
  return { all, late, unknown, peak };
}

export interface Mark {
  x: number;
  /** Code of the kind. */
  kind: number;
  /** The first transaction of this kind at this place, and how many there are. */
  txn: number;
  count: number;
}

/** Marks of the transactions worth stopping at: one per kind and `every` pixels. */
export function marks(history: History, axis: Axis, view: View, width: number, every = 12): Mark[] {
  const { first, last } = visible(history, axis, view);
  const scale = width / (view.to - view.from);
  const found = new Map<string, Mark>();
  for (let txn = first; txn <= last; txn++) {
    const kind = history.kind[txn - 1] ?? 0;
    if (kind <= 2) continue;
    const x = (unitOf(history, axis, txn) - view.from) * scale;
    if (x < 0 || x > width) continue;
    const key = `${kind}:${Math.floor(x / every)}`;
    const had = found.get(key);
    if (had) had.count++;
    else found.set(key, { x, kind, txn, count: 1 });
  }
  return [...found.values()];
}
