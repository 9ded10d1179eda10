import assert from "node:assert/strict";
import test from "node:test";
import type { RowsText, TableInfo, TableState } from "../../pkg/types.js";
import { reduce } from "../model/reduce.js";
import { historyOf } from "../model/history.js";
import { parseLink } from "../model/link.js";
import { START, type State } from "../model/state.js";
import { Chronicle } from "../model/failover/chronicle.js";
import {
  allWritten,
  beginTable,
  chosenTables,
  FORK_US,
  isSame,
  rateBefore,
  realTable,
  scenarioOf,
  spanShown,
  txnThen,
  writtenBy,
} from "../model/failover/fork.js";
import { formatLabLink, parseLabLink } from "../model/failover/link.js";
import { FORKED, FREE, nameOf } from "../model/failover/scenario.js";
import { begun, reduceLab } from "../model/failover/state.js";
import type { Told } from "../model/failover/told.js";
import { fromOf } from "../fork.js";

const SECOND = 1_000_000;

function info(name: string, part: Partial<TableInfo> = {}): TableInfo {
  return {
    dir: `${name}~1`,
    name,
    id: 1,
    kind: "table",
    partitionBy: "HOUR",
    timestampColumn: "ts",
    timestampType: "TIMESTAMP",
    createdUs: 10 * SECOND,
    txnCount: 4,
    purged: [],
    replayable: true,
    firstTxn: 0,
    droppedAtTxn: null,
    appliedTxn: 4,
    firstUs: 10 * SECOND,
    lastUs: 13 * SECOND,
    ...part,
  };
}

/** Commits at 10, 11, 12 and 13 s, of 1, 2, an unknown number of, and 4 rows. */
const HISTORY = historyOf({
  dir: "trades~1",
  commitUs: Float64Array.from([10, 11, 12, 13], (s) => s * SECOND),
  kind: new Uint8Array(4).fill(1),
  rows: Float64Array.from([1, 2, -1, 4]),
});

function column(index: number, name: string, type: string, part: object = {}): TableState["columns"][number] {
  return { index, name, type, designated: false, upsertKey: false, indexed: false, symbols: null, ...part };
}

function state(part: Partial<TableState> = {}): TableState {
  return {
    dir: "trades~1",
    name: "trades",
    seqTxn: 2,
    txnCount: 4,
    standing: { state: "exact" },
    rows: 3,
    bytes: 100,
    ttl: null,
    dedup: true,
    structureVersion: 0,
    columns: [
      column(0, "ts", "TIMESTAMP", { designated: true, upsertKey: true }),
      column(2, "note", "VARCHAR"),
      column(3, "blob", "BINARY"),
    ],
    partitions: [],
    digest: "ab",
    transaction: null,
    changed: [],
    spent: { fetch: 0, decode: 0, apply: 0 },
    ...part,
  };
}

const TEXT: RowsText = {
  first: 1,
  total: 3,
  columns: [
    { name: "ts", type: "TIMESTAMP", numeric: false },
    { name: "note", type: "VARCHAR", numeric: false },
    { name: "blob", type: "BINARY", numeric: false },
  ],
  rows: [
    ["2026-01-01T00:00:00.000000Z", "a", null],
    ["2026-01-01T00:00:01.000000Z", `${"b".repeat(10)}…`, "00"],
  ],
  changed: [false, false],
};

test("a table is taken with its places, its keys and its newest rows, and what is cut is said", () => {
  const table = beginTable(info("trades"), state(), TEXT);
  assert.ok(table);
  assert.deepEqual(table.columns, [
    [0, "ts", "TIMESTAMP"],
    [2, "note", "VARCHAR"],
    [3, "blob", "BINARY"],
  ]);
  assert.deepEqual([table.partition, table.timestamp, table.dedup, table.all], ["HOUR", "ts", ["ts"], 3]);
  const real = realTable(table, state(), HISTORY, null);
  assert.equal(real.cut.length, 3);
  assert.match(real.cut[0] ?? "", /the last 2 of 3 rows/);
  assert.match(real.cut[1] ?? "", /blob \(BINARY\)/);
  assert.equal(beginTable(info("t"), state({ columns: [column(0, "ts", "TIMESTAMP")] }), TEXT), null);
  assert.equal(
    beginTable(info("t"), state({ columns: [column(0, "a", "INT"), column(1, "b", "INT")] }), TEXT),
    null,
  );
});

test("there is room for so much text, and the newest rows have it", () => {
  const rows = Array.from({ length: 40 }, (_, i) => [String(i), "x".repeat(50_000)]);
  const table = beginTable(info("t"), state({ rows: 40 }), { ...TEXT, rows });
  assert.deepEqual([table?.rows.length, table?.rows.at(-1)?.[0]], [15, "39"]);
});

test("the real branch counts from the moment on, as far as rows are known", () => {
  const table = beginTable(info("trades"), state(), TEXT);
  assert.ok(table);
  const real = realTable(table, state(), HISTORY, 11.5 * SECOND);
  assert.deepEqual(real.points, [
    [0, 0],
    [0.5 * SECOND, 0],
    [1.5 * SECOND, 4],
  ]);
  assert.deepEqual([real.txn, real.last, real.written, real.digest], [2, 4, 4, "ab"]);
  assert.deepEqual(
    [1, 1.5, 99].map((s) => writtenBy(real.points, s * SECOND)),
    [0, 4, 4],
  );
  const other = {
    points: [
      [0, 0],
      [SECOND, 10],
    ] as [number, number][],
  };
  assert.deepEqual(allWritten([real, other]).at(-1), [1.5 * SECOND, 14]);
  assert.deepEqual([spanShown(0), spanShown(40 * SECOND)], [20 * SECOND, 50 * SECOND]);
});

test("clients write as much as was written before", () => {
  assert.equal(rateBefore(HISTORY, 11.5 * SECOND), 0.3);
  assert.equal(rateBefore(HISTORY, 21.5 * SECOND), 0.4);
  assert.equal(rateBefore(HISTORY, 5 * SECOND), 0);
});

test("other tables come along as they were at that time", () => {
  const later = info("later", { createdUs: 20 * SECOND, firstUs: 20 * SECOND });
  const view = info("view", { kind: "materialized view" });
  const tables = [info("a"), later, view, info("b"), ...["c", "d", "e", "f", "g"].map((name) => info(name))];
  const { chosen, left } = chosenTables(tables, "b~1", 11 * SECOND);
  assert.deepEqual([chosen.map(({ name }) => name).join(""), left], ["bacdef", 1]);
  assert.deepEqual(chosenTables(tables, "b~1", null).chosen.length, 1);
  assert.deepEqual(txnThen(info("a"), HISTORY, 12.5 * SECOND), 3);
  assert.deepEqual(txnThen(info("a", { droppedAtTxn: 3 }), HISTORY, 12.5 * SECOND), null);
  assert.deepEqual(txnThen(info("a", { firstTxn: 4 }), HISTORY, 12.5 * SECOND), null);
});

test("a lab's link names the moment of the replay, and the replay's command makes it", () => {
  const at: State = { ...START, table: "trades~1", txn: 57, speed: 4, tab: "log", selected: "2026" };
  const from = fromOf(at);
  assert.deepEqual([from, parseLink(from).at], ["table=trades~1&t=txn:57", { txn: 57 }]);
  const link = parseLabLink(`#lab&from=${encodeURIComponent(from)}`);
  assert.deepEqual([link.from, link.scenario, begun(link).wanted], [from, FORKED, { us: FORK_US }]);
  const fork = { begin: { of: "x", names: ["a, primary", "b, replica"], tables: [] }, rate: 150 };
  const scenario = scenarioOf(fork);
  assert.deepEqual([scenario.nodes, scenario.client?.rows, nameOf(scenario)], [2, 50, null]);
  assert.deepEqual(scenarioOf({ ...fork, rate: 0 }).client, FREE.client);
  assert.equal(scenarioOf({ ...fork, rate: 1e9 }).client?.rows, 200);
  const whole = { ...link, scenario, at: { us: 6 * SECOND }, speed: 2 };
  assert.deepEqual(parseLabLink(formatLabLink(whole)), whole);
  assert.deepEqual(parseLabLink(formatLabLink({ ...whole, scenario: FREE })).scenario, FREE);
  const playing = reduce({ ...at, playing: 1 }, { do: "fork" });
  assert.deepEqual([playing.playing, playing.forks], [0, 1]);
  assert.equal(reduce(START, { do: "fork" }), START);
});

test("another seed goes on from the same moment, another scenario does not", () => {
  const state = begun(parseLabLink("#lab&from=table%3Da~1"));
  const stand = { us: 9 * SECOND, told: null, chronicle: new Chronicle() };
  const again = reduceLab(state, { do: "begin", scenario: state.scenario, seed: 8, again: true }, stand);
  assert.deepEqual([again.from, again.wanted], ["table=a~1", { us: FORK_US }]);
  const other = reduceLab(state, { do: "begin", scenario: FREE, seed: 8 }, stand);
  assert.deepEqual([other.from, other.wanted], [null, { us: 0 }]);
});

test("the rows are the replay's while nobody has written, and the digest is equal", () => {
  const real = { name: "t", txn: 1, last: 2, digest: "ab", points: [], written: 0, cut: [] };
  const told = { name: "t", began: 3, rows: 3, written: 0, digest: "ab" };
  assert.equal(isSame(told, real), true);
  assert.equal(isSame({ ...told, digest: "cd" }, real), false);
  assert.equal(isSame({ ...told, written: 1 }, real), null);
  assert.equal(isSame(told, { ...real, cut: ["half"] }), null);
  assert.equal(isSame(told, { ...real, digest: "" }), null);
});

test("growth is noted where it changes, and is bounded", () => {
  const chronicle = new Chronicle();
  const tell = (us: number, written: number) => {
    const tables = [{ name: "t", began: 0, rows: written, written, digest: "" }];
    chronicle.take([], { now_us: us, nodes: [], clients: [], troubles: [], tables } as unknown as Told);
  };
  tell(1, 0);
  tell(2, 0);
  tell(3, 5);
  assert.deepEqual(chronicle.growth, [
    [1, 0],
    [3, 5],
  ]);
  for (let us = 4; us < 5_000; us++) tell(us, us);
  assert.ok(chronicle.growth.length <= 2_000);
  assert.deepEqual(chronicle.growth.at(-1), [4_999, 4_999]);
});
