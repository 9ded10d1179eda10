/**
 * Axes map what one scrubs by (a transaction's number, a commit time, or an object of a cluster's log) to
 * 0 ... 1 along the whole timeline. The axis of time is piece-wise linear: long silences are closed up.
 */
import { upperBound } from "./history.js";

export interface Axis {
  kind: "txn" | "time" | "op";
  min: number;
  max: number;
  /** Closed silences, as places along the axis and in µs. */
  gaps: Gap[];
  toUnit(value: number): number;
  fromUnit(unit: number): number;
}

export interface Gap {
  from: number;
  to: number;
  /** Where it is drawn, 0 ... 1. */
  unitFrom: number;
  unitTo: number;
}

/** Silences close if together with their like they take this share of what is left open. */
const GAP_SHARE = 0.35;
/** "Their like": silences at least this part as long as the longest of them. */
const GAP_LIKE = 0.5;
const GAPS_MAX = 20;
const GAP_US_MIN = 100_000;
/** Width of a closed silence, as a share of the axis. */
const GAP_WIDTH = 0.012;

export function txnAxis(txnCount: number): Axis {
  const max = Math.max(1, txnCount);
  return {
    kind: "txn",
    min: 0,
    max,
    gaps: [],
    toUnit: (value) => clamp(value / max, 0, 1),
    fromUnit: (unit) => clamp(unit, 0, 1) * max,
  };
}

/** From before the object `first` to after `last`. */
export function opAxis(first: number, last: number): Axis {
  const min = first - 1;
  const max = Math.max(first, last);
  return {
    kind: "op",
    min,
    max,
    gaps: [],
    toUnit: (value) => clamp((value - min) / (max - min), 0, 1),
    fromUnit: (unit) => min + clamp(unit, 0, 1) * (max - min),
  };
}

/** `times` ascending, in µs. */
export function timeAxis(times: Float64Array): Axis {
  const min = times[0] ?? 0;
  const last = times[times.length - 1] ?? 0;
  const max = last > min ? last : min + 1;
  const closed = silences(times, max - min);
  const open = max - min - closed.reduce((sum, [from, to]) => sum + (to - from), 0);
  const room = 1 - closed.length * GAP_WIDTH;
  // Knots: values and places, both ascending; linear in between.
  const values = [min];
  const units = [0];
  const gaps: Gap[] = [];
  let unit = 0;
  let at = min;
  for (const [from, to] of closed) {
    unit += open > 0 ? ((from - at) / open) * room : 0;
    values.push(from, to);
    units.push(unit, unit + GAP_WIDTH);
    gaps.push({ from, to, unitFrom: unit, unitTo: unit + GAP_WIDTH });
    unit += GAP_WIDTH;
    at = to;
  }
  values.push(max);
  units.push(1);
  const knotValues = Float64Array.from(values);
  const knotUnits = Float64Array.from(units);
  return {
    kind: "time",
    min,
    max,
    gaps,
    toUnit: (value) => between(knotValues, knotUnits, value),
    fromUnit: (place) => between(knotUnits, knotValues, place),
  };
}

/**
 * The silences to close, in order of time. The longest goes first; nights of equal length count
 * together, so that a week of quiet nights closes although no single one takes much of it.
 */
export function silences(times: Float64Array, total: number): [number, number][] {
  const gaps: [number, number][] = [];
  for (let i = 1; i < times.length; i++) {
    const from = times[i - 1] ?? 0;
    const to = times[i] ?? 0;
    if (to - from >= GAP_US_MIN) gaps.push([from, to]);
  }
  gaps.sort((a, b) => b[1] - b[0] - (a[1] - a[0]));
  const closable = Math.min(GAPS_MAX, Math.ceil((times.length - 1) / 3));
  const closed: [number, number][] = [];
  let left = total;
  for (let i = 0; i < closable && i < gaps.length;) {
    const longest = lengthOf(gaps[i]);
    const others = gaps.slice(i, closable).findIndex((gap) => lengthOf(gap) < longest * GAP_LIKE);
    const alike = gaps.slice(i, others < 0 ? closable : i + others);
    const taken = alike.reduce((sum, gap) => sum + lengthOf(gap), 0);
    if (taken < left * GAP_SHARE) break;
    closed.push(...alike);
    left -= taken;
    i += alike.length;
  }
  return closed.sort((a, b) => a[0] - b[0]);
}

function lengthOf(gap: [number, number] | undefined): number {
  return gap ? gap[1] - gap[0] : 0;
}

function between(xs: Float64Array, ys: Float64Array, x: number): number {
  const last = xs.length - 1;
  const i = clamp(upperBound(xs, x), 1, last);
  const x0 = xs[i - 1] ?? 0;
  const x1 = xs[i] ?? 0;
  const y0 = ys[i - 1] ?? 0;
  const y1 = ys[i] ?? 0;
  const part = x1 > x0 ? (x - x0) / (x1 - x0) : 0;
  return y0 + clamp(part, 0, 1) * (y1 - y0);
}

export function clamp(value: number, low: number, high: number): number {
  return Math.max(low, Math.min(high, value));
}

/** Round places for labels: about one per `every` pixels, within the visible part of the axis. */
export function ticks(axis: Axis, view: { from: number; to: number }, width: number, every = 110): number[] {
  const places = Math.max(2, Math.floor(width / every));
  const low = axis.fromUnit(view.from);
  const high = axis.fromUnit(view.to);
  const step = axis.kind === "time" ? roundTime((high - low) / places) : roundTxns((high - low) / places);
  const found: number[] = [];
  let lastX = -Infinity;
  // With closed silences equal steps lie unequally; ask each place for a round value near it instead.
  const gaps = axis.gaps.some((g) => g.unitTo > view.from && g.unitFrom < view.to);
  if (!gaps) {
    for (let v = Math.ceil(low / step) * step; v <= high && found.length < 200; v += step) found.push(v);
    return found;
  }
  for (let i = 0; i <= places; i++) {
    const unit = view.from + ((view.to - view.from) * i) / places;
    const next = axis.fromUnit(Math.min(1, unit + (view.to - view.from) / places));
    const here = axis.fromUnit(unit);
    const fine = roundTime(Math.max(1, (next - here) / 2));
    const value = Math.ceil(here / fine) * fine;
    const x = ((axis.toUnit(value) - view.from) / (view.to - view.from)) * width;
    if (value <= high && x - lastX >= every * 0.7) {
      found.push(value);
      lastX = x;
    }
  }
  return found;
}

function roundTxns(step: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(1, step)));
  return Math.max(1, ([1, 2, 5, 10].find((f) => f * power >= step) ?? 10) * power);
}

const SECOND = 1_000_000;
const STEPS_US = [
  ...[1, 2, 5, 10, 20, 50, 100, 200, 500].flatMap((n) => [n, n * 1000]).sort((a, b) => a - b),
  ...[1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200].map(
    (s) => s * SECOND,
  ),
  ...[1, 2, 7, 14, 28, 91, 182, 365].map((d) => d * 86_400 * SECOND),
];

function roundTime(step: number): number {
  return STEPS_US.find((s) => s >= step) ?? STEPS_US[STEPS_US.length - 1] ?? SECOND;
}
