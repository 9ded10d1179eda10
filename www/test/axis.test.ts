import assert from "node:assert/strict";
import test from "node:test";
import { silences, ticks, timeAxis, txnAxis } from "../model/axis.js";
import { historyOf, nextEvent, timeOf, txnAt } from "../model/history.js";

const HOUR = 3_600_000_000;

/** A week of 8 busy hours and 16 quiet ones, a commit each minute. */
function week(): Float64Array {
  const times: number[] = [];
  for (let day = 0; day < 5; day++) {
    for (let minute = 0; minute < 480; minute++) times.push(day * 24 * HOUR + minute * 60_000_000);
  }
  return Float64Array.from(times);
}

test("the axis of transactions is linear and clamped", () => {
  const axis = txnAxis(200);
  assert.equal(axis.toUnit(50), 0.25);
  assert.equal(axis.fromUnit(0.25), 50);
  assert.equal(axis.toUnit(999), 1);
  assert.equal(txnAxis(0).toUnit(0), 0);
});

test("equal quiet nights are all closed", () => {
  const axis = timeAxis(week());
  assert.equal(axis.gaps.length, 4);
  for (const gap of axis.gaps) assert.ok(gap.unitTo - gap.unitFrom < 0.02);
  // What is left of the axis belongs to the days, equally.
  const width = axis.gaps.map((g, i) => g.unitFrom - (axis.gaps[i - 1]?.unitTo ?? 0));
  for (const w of width) assert.ok(Math.abs(w - (width[0] ?? 0)) < 0.01);
});

test("an even log has no closed silence", () => {
  assert.deepEqual(timeAxis(Float64Array.from({ length: 500 }, (_, i) => i * HOUR)).gaps, []);
});

test("gaps shorter than 100 ms never close, and at most a third of them does", () => {
  assert.deepEqual(silences(Float64Array.from([0, 10, 20, 90_000]), 90_000), []);
  const bursts = Float64Array.from({ length: 90 }, (_, i) => Math.floor(i / 2) * HOUR + (i % 2) * 1000);
  assert.ok(silences(bursts, 45 * HOUR).length <= 20);
});

test("time axis goes there and back, ascending, also across closed silences", () => {
  const axis = timeAxis(week());
  let last = -1;
  for (let i = 0; i <= 1000; i++) {
    const us = axis.min + ((axis.max - axis.min) * i) / 1000;
    const unit = axis.toUnit(us);
    assert.ok(unit >= last && unit >= 0 && unit <= 1);
    last = unit;
    assert.ok(Math.abs(axis.fromUnit(unit) - us) < 2_000_000, `${us}`);
  }
  assert.equal(axis.toUnit(axis.min), 0);
  assert.equal(axis.toUnit(axis.max), 1);
});

test("one commit, or none, makes an axis", () => {
  assert.equal(timeAxis(Float64Array.from([5])).toUnit(5), 0);
  assert.equal(timeAxis(new Float64Array(0)).toUnit(0), 0);
});

test("ticks are round and do not crowd", () => {
  const txns = ticks(txnAxis(9876), { from: 0, to: 1 }, 1100);
  assert.deepEqual(txns.slice(0, 3), [0, 1000, 2000]);
  const axis = timeAxis(week());
  const places = ticks(axis, { from: 0, to: 1 }, 1100).map((t) => axis.toUnit(t) * 1100);
  for (let i = 1; i < places.length; i++) assert.ok((places[i] ?? 0) - (places[i - 1] ?? 0) > 60);
  assert.ok(places.length >= 4);
});

test("a clock that goes back does not fold the axis", () => {
  const history = historyOf({
    dir: "t~1",
    commitUs: Float64Array.from([10, 30, 20, 40]),
    kind: Uint8Array.from([1, 5, 1, 2]),
    rows: Float64Array.from([1, 0, 1, 1]),
  });
  assert.deepEqual([...history.times], [10, 30, 30, 40]);
  assert.equal(txnAt(history, 9), 0);
  assert.equal(txnAt(history, 30), 3);
  assert.equal(timeOf(history, 0), 10);
  assert.equal(timeOf(history, 99), 40);
  assert.equal(nextEvent(history, 0, 1), 2);
  assert.equal(nextEvent(history, 2, 1), 4);
  assert.equal(nextEvent(history, 4, 1), null);
  assert.equal(nextEvent(history, 4, -1), 2);
});
