/** Comparing: what differs between two states, where it began, and what the commands do. */
import assert from "node:assert/strict";
import test from "node:test";
import type { Overview, PartitionInfo, TableInfo, TableState } from "../../pkg/types.js";
import { compareStates, firstDifference, firstLogDifference } from "../model/compare.js";
import { historyOf } from "../model/history.js";
import { reduce } from "../model/reduce.js";
import type { State } from "../model/state.js";
import { linkOf, START, withNow } from "../model/state.js";

function part(name: string, rows: number, digest: string): PartitionInfo {
  const none = {
    bytes: 8 * rows,
    firstTimestamp: "",
    lastTimestamp: "",
    touch: "none" as const,
    firstRow: 0,
  };
  return { ...none, name, rows, digest };
}

function table(partitions: PartitionInfo[], types: Record<string, string> = { ts: "TIMESTAMP" }): TableState {
  const columns = Object.entries(types).map(([name, type]) => ({ name, type }));
  const digest = partitions.some((p) => p.digest === "") ? "" : JSON.stringify([partitions, types]);
  return { partitions, columns, digest } as unknown as TableState;
}

test("partitions are paired by name, and each is told apart from the others", () => {
  const left = table([part("2026-08-01", 3, "a"), part("2026-08-02", 2, "b"), part("2026-08-04", 1, "d")]);
  const right = table([
    part("2026-08-01", 3, "a"),
    part("2026-08-02", 2, "c"),
    part("2026-08-03", 5, "x"),
    part("2026-08-05", 0, ""),
  ]);
  const compared = compareStates(left, right);
  assert.deepEqual(
    compared.pairs.map(({ name, mark }) => `${name} ${mark}`),
    ["2026-08-01 equal", "2026-08-02 differs", "2026-08-03 right", "2026-08-04 left"],
  );
  assert.deepEqual([compared.mark, compared.differing], ["differs", 3]);
  assert.equal(compareStates(left, left).mark, "equal");
});

test("what was let go is not taken for equal, nor for different", () => {
  const left = table([part("2026-08-01", 3, ""), part("2026-08-02", 2, "b")]);
  const compared = compareStates(left, table([part("2026-08-01", 3, "a"), part("2026-08-02", 2, "b")]));
  assert.deepEqual([compared.mark, compared.differing, compared.pairs[0]?.mark], ["unknown", 0, "unknown"]);
  assert.equal(compareStates(left, table([part("2026-08-01", 4, "a")])).mark, "differs");
});

test("columns that differ are named", () => {
  const one = table([], { ts: "TIMESTAMP", a: "INT", b: "LONG" });
  const other = table([], { ts: "TIMESTAMP", a: "LONG", c: "INT" });
  assert.deepEqual(compareStates(one, other).columns, [
    "a is INT here and LONG on the other side",
    "b LONG is on this side only",
    "c INT is on the other side only",
  ]);
});

function log(commits: number[], kinds = commits.map(() => 1), rows = commits.map(() => 5)) {
  const [commitUs, each] = [Float64Array.from(commits), Float64Array.from(rows)];
  return historyOf({ dir: "t~1", commitUs, kind: Uint8Array.from(kinds), rows: each });
}

test("the first transaction of which two logs tell something else", () => {
  assert.equal(firstLogDifference(log([1, 2, 3]), log([1, 2, 3, 4])), null);
  assert.equal(firstLogDifference(log([1, 2, 3]), log([1, 9, 3])), 2);
  assert.equal(firstLogDifference(log([1, 2, 3]), log([1, 2, 3], [1, 1, 4])), 3);
  assert.equal(firstLogDifference(log([1, 2]), log([1, 2], [1, 1], [5, 6])), 2);
  // What one of them does not know is no difference.
  assert.equal(firstLogDifference(log([1, 2]), log([0, 2], [0, 1], [-1, 5])), null);
});

test("the first difference is found by halves", async () => {
  for (const first of [1, 2, 37, 99, 100]) {
    let asked = 0;
    const isEqual = (txn: number) => Promise.resolve((asked++, txn < first));
    assert.equal(await firstDifference(0, 100, isEqual), first);
    assert.ok(asked <= 7, `${asked} questions`);
  }
});

function ready(pair: boolean): State {
  const tables = ["a~1", "b~2"].map((dir) => ({ dir, name: dir, txnCount: 4 }) as TableInfo);
  const overview = { tables, problems: [] } as unknown as Overview;
  let state = reduce({ ...START, pair }, { fact: "opened", overview });
  state = reduce(state, { fact: "history", history: { ...log([10, 20, 30, 40]), dir: "a~1" } });
  return reduce(state, { do: "toTxn", txn: 2 });
}

test("one source is compared with another moment of itself", () => {
  const off = ready(false);
  assert.equal(withNow(off), "off");
  const on = reduce(off, { do: "compare" });
  assert.deepEqual(withNow(on), { txn: 2 });
  const moved = reduce(on, { do: "toTxn", txn: 4 });
  assert.deepEqual([moved.txn, withNow(moved)], [4, { txn: 2 }]);
  const swapped = reduce(moved, { do: "swap" });
  assert.deepEqual([swapped.txn, withNow(swapped)], [2, { txn: 4 }]);
  assert.deepEqual(withNow(reduce(swapped, { do: "stepOther", by: -1 })), { txn: 3 });
  assert.deepEqual(withNow(reduce(swapped, { do: "pin" })), { txn: 2 });
  // Another table has other numbers.
  assert.deepEqual(withNow(reduce(swapped, { do: "table", dir: "b~2" })), { us: 40 });
  const again = reduce(reduce(swapped, { do: "compare" }), { do: "restore", link: linkOf(swapped) });
  assert.deepEqual(again.with, swapped.with);
  assert.equal(linkOf(reduce(swapped, { do: "compare" })).with, null);
});

test("two sources are in step until one is pinned", () => {
  const pair = ready(true);
  assert.equal(withNow(pair), "same");
  assert.equal(linkOf(pair).with, null);
  assert.equal(reduce(pair, { do: "swap" }), pair);
  assert.deepEqual(withNow(reduce(pair, { do: "stepOther", by: 1 })), { txn: 3 });
  const off = reduce(pair, { do: "compare" });
  assert.deepEqual([withNow(off), linkOf(off).with], ["off", "off"]);
  assert.equal(withNow(reduce(off, { do: "compare" })), "same");
});
