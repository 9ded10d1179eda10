/** The cluster's model: lanes, the verdict, store operations, cost, where to begin. */
import assert from "node:assert/strict";
import test from "node:test";
import type {
  Cluster,
  Instance,
  JournalEntry,
  LogObject,
  PartitionInfo,
  TableInfo,
} from "../../pkg/types.js";
import { costOf } from "../model/cluster/cost.js";
import { momentOf } from "../model/cluster/moment.js";
import { opsOf } from "../model/cluster/ops.js";
import { policyAt, stepsAt } from "../model/cluster/policies.js";
import { namesOf } from "../model/failover/fork.js";
import { historyOf } from "../model/history.js";
import { headUnit, reduce } from "../model/reduce.js";
import { axisFor, START } from "../model/state.js";
import { choose } from "../worker/bucket/begin.js";

const TABLES = ["a", "b"].map((name) => ({ dir: `${name}~1`, name }) as TableInfo);

function pack(n: number, us: number, tables: LogObject["tables"]): LogObject {
  const plain = { seal: null, bytes: 100, blobs: 0, blobBytes: 0, handover: null };
  return { n, term: 1, committedUs: us, tables, ...plain };
}

function txns(dir: string, first: number, last: number): LogObject["tables"][number] {
  return { dir, what: "transactions", first, last };
}

function instance(node: number, name: string, entries: JournalEntry[]): Instance {
  return { node, name, kind: "replica", entries, since: null, trouble: null };
}

function applied(us: number, a: number, b: number): JournalEntry {
  return { at_us: us, what: "applied", tables: { "a~1": a, "b~1": b } };
}

function digest(us: number, seqTxn: number, text: string): JournalEntry {
  return { at_us: us, what: "digests", tables: { "a~1": [seqTxn, text] } };
}

function cluster(instances: Instance[]): Cluster {
  const objects = [
    pack(0, 1000, [txns("a~1", 1, 3)]),
    pack(1, 2000, [txns("b~1", 1, 5)]),
    pack(2, 3000, [txns("a~1", 4, 6), txns("b~1", 6, 6)]),
  ];
  return { id: "c", beginsAt: 0, next: 3, terms: [], objects, instances, broken: [], held: 0, letGo: 0 };
}

test("what an instance lacks, and since when", () => {
  const near = instance(1, "near", [applied(1500, 3, 0), applied(2500, 3, 5), applied(3500, 6, 6)]);
  const far = instance(2, "far", [applied(1600, 2, 0), applied(3200, 3, 5)]);
  const known = cluster([near, far]);
  const at = momentOf(known, TABLES, 3300);
  assert.deepEqual(
    at.lanes.map((lane) => [lane.lagTxns, lane.lagUs]),
    [
      [4, 300],
      [4, 300],
    ],
  );
  // The first transaction that it lacks came at 1000.
  assert.equal(momentOf(known, TABLES, 1700).lanes[1]?.lagUs, 700);
  assert.equal(momentOf(known, TABLES, 2600).lanes[0]?.lagTxns, 0);
  const end = momentOf(known, TABLES, null);
  assert.equal(end.us, 3500);
  assert.equal(end.verdict.text, "2 tables behind");
  assert.match(end.verdict.detail, /^far:/);
});

test("a fork has the instances that ran at its moment, whoever took writes first", () => {
  const role = (at_us: number, role: string): JournalEntry => ({ at_us, what: "role", role });
  const known = cluster([
    instance(1, "one", [role(1000, "replica")]),
    instance(2, "two", [role(1100, "primary"), role(3000, "replica")]),
    instance(3, "late", [role(2500, "replica")]),
    instance(4, "gone", [role(1000, "replica"), { at_us: 1500, what: "removed" }]),
  ]);
  assert.deepEqual(namesOf(known, TABLES, 2000), ["two, primary", "one, replica"]);
  assert.deepEqual(namesOf(known, TABLES, 3200).length, 3);
  assert.deepEqual([namesOf(known, TABLES, null), namesOf(null, TABLES, 2000)], [[], []]);
});

test("nothing is known before anybody wrote", () => {
  const known = cluster([instance(1, "near", [applied(1500, 3, 0)])]);
  assert.equal(momentOf(known, TABLES, 1200).verdict.word, "unknown");
  assert.equal(momentOf(cluster([]), TABLES, null).verdict.word, "unknown");
});

test("one word: level without digests, converged with equal ones, and differing ones counted", () => {
  const done = applied(3500, 6, 6);
  const verdict = (one: JournalEntry[], two: JournalEntry[], own: string | null = null) =>
    momentOf(
      cluster([instance(1, "one", [done, ...one]), instance(2, "two", [done, ...two])]),
      TABLES,
      null,
      own === null ? [] : [{ dir: "a~1", seqTxn: 6, digest: own }],
    ).verdict;
  assert.equal(verdict([], []).word, "level");
  assert.equal(verdict([digest(3600, 6, "x")], [digest(3600, 5, "y")]).word, "level");
  assert.equal(verdict([digest(3600, 6, "x")], [digest(3600, 6, "x")]).word, "converged");
  assert.equal(verdict([digest(3600, 6, "x")], [], "x").word, "converged");
  assert.equal(verdict([digest(3600, 6, "x")], [digest(3600, 6, "y")]).text, "1 table differs");
  assert.equal(verdict([digest(3600, 6, "x")], [], "y").word, "differ");
  // An older transaction's digests still tell.
  const mended = [digest(3600, 5, "x"), digest(3700, 6, "z")];
  assert.equal(verdict(mended, [digest(3600, 5, "y"), digest(3700, 6, "z")]).word, "differ");
});

test("of digests that differ the one that stands alone is the odd one", () => {
  const done = applied(3500, 6, 6);
  const with_ = (node: number, text: string) => instance(node, `i${node}`, [done, digest(3600, 6, text)]);
  const { lanes } = momentOf(cluster([with_(0, "x"), with_(1, "y"), with_(2, "x")]), TABLES, null);
  const places = lanes.map((lane) => lane.cells[0]?.place);
  assert.deepEqual(places, ["level", "differs", "level"]);
});

function stored(us: number, seqTxn: number, digests: Record<string, string | null>): JournalEntry {
  const partitions = Object.entries(digests).map(([name, digest]) => ({
    name,
    rows: 5,
    bytes: 80,
    ...(digest === null ? {} : { digest }),
  }));
  return { at_us: us, what: "partitions", table: "a~1", seq_txn: seqTxn, partitions };
}

test("partitions are compared where two had them at one transaction", () => {
  const done = applied(3500, 6, 6);
  const at = (...told: JournalEntry[][]) =>
    momentOf(
      cluster(told.map((entries, node) => instance(node, `i${node}`, [done, ...entries]))),
      TABLES,
      null,
    );
  const hashes = (moment: ReturnType<typeof momentOf>) =>
    moment.lanes.map((lane) => lane.cells[0]?.parts.map((part) => part.hash).join(" "));

  const same = at([stored(3600, 6, { d1: "x", d2: "y" })], [stored(3600, 6, { d1: "x", d2: "y" })]);
  assert.deepEqual(hashes(same), ["equal equal", "equal equal"]);
  assert.equal(same.verdict.word, "converged");
  assert.match(same.verdict.detail, /of 2 partitions$/);

  const two = at([stored(3600, 6, { d1: "x", d2: "y" })], [stored(3600, 6, { d1: "x", d2: "z" })]);
  assert.deepEqual(hashes(two), ["equal differs", "equal differs"]);
  assert.equal(two.verdict.text, "1 partition differs");
  assert.match(two.verdict.detail, /a d2/);
  assert.equal(two.lanes[0]?.cells[0]?.place, "differs");

  // Of three the one that stands alone.
  const three = at(
    [stored(3600, 6, { d2: "y" })],
    [stored(3600, 6, { d2: "z" })],
    [stored(3600, 6, { d2: "y" })],
  );
  assert.deepEqual(hashes(three), ["equal", "differs", "equal"]);

  // At other transactions other contents are no difference; what was told before still holds at a later look.
  const moved = at([stored(3600, 4, { d1: "x" })], [stored(3600, 6, { d1: "y" })]);
  assert.deepEqual(hashes(moved), ["unknown", "unknown"]);
  const looked = at(
    [stored(3600, 4, { d1: "x" }), stored(3700, 6, { d2: "q" })],
    [stored(3600, 6, { d1: "y" })],
  );
  assert.deepEqual(hashes(looked), ["differs unknown", "differs"]);

  // Without digests rows tell.
  const rows = at([stored(3600, 6, { d1: null })], [stored(3600, 6, { d1: null })]);
  assert.deepEqual(hashes(rows), ["unknown", "unknown"]);
  assert.equal(rows.verdict.word, "level");
});

test("forms differ without a difference, dropped ones are not compared, and the tab's replay counts", () => {
  const done = applied(3500, 6, 6);
  const part = { name: "d1", rows: 5, bytes: 80, digest: "x" };
  const told = (form: "native" | "parquet" | "dropped", digest = "x"): JournalEntry => ({
    at_us: 3600,
    what: "partitions",
    table: "a~1",
    seq_txn: 6,
    partitions: [{ ...part, form, digest }],
  });
  const known = (one: JournalEntry, two: JournalEntry) =>
    cluster([instance(1, "one", [done, one]), instance(2, "two", [done, two])]);
  const mixed = momentOf(known(told("native"), told("parquet")), TABLES, null);
  assert.deepEqual(
    mixed.lanes.map((lane) => lane.cells[0]?.parts.map((p) => `${p.form} ${p.hash}`)),
    [["native equal"], ["parquet equal"]],
  );
  assert.equal(momentOf(known(told("native"), told("dropped", "y")), TABLES, null).verdict.word, "level");
  const own = [
    { dir: "a~1", seqTxn: 6, digest: "", partitions: [{ ...part, digest: "z" } as PartitionInfo] },
  ];
  const against = momentOf(known(told("native"), told("native")), TABLES, null, own);
  assert.equal(against.verdict.text, "1 partition differs");
  assert.deepEqual(
    against.lanes.map((lane) => lane.cells[0]?.parts[0]?.hash),
    ["equal", "equal"],
  );
});

test("dropped and removed ones don't count", () => {
  const known = cluster([
    instance(1, "one", [applied(3500, 3, 6)]),
    instance(2, "gone", [applied(1500, 0, 0), { at_us: 3100, what: "removed" }]),
  ]);
  known.objects.push(pack(3, 3200, [{ dir: "a~1", what: "dropped" }]));
  const end = momentOf(known, TABLES, null);
  assert.deepEqual(
    end.lanes[0]?.cells.map((cell) => cell.dir),
    ["b~1"],
  );
  assert.equal(end.verdict.word, "level");
});

test("the axis of store operations", () => {
  const timeline = {
    dir: "a~1",
    commitUs: Float64Array.from([1, 2, 3, 4, 5, 6]),
    kind: new Uint8Array(6).fill(1),
    rows: new Float64Array(6).fill(1),
  };
  const ops = opsOf(cluster([]), timeline);
  assert.deepEqual([...(ops?.at ?? [])], [0, 0, 0, 2, 2, 2]);
  const history = historyOf(timeline, ops);
  const axis = axisFor(history, "op");
  assert.deepEqual([axis.kind, axis.min, axis.max], ["op", -1, 2]);
  let state = reduce({ ...START, table: "a~1" }, { fact: "history", history });
  state = reduce(reduce(state, { do: "axis", axis: "op" }), { do: "toTxn", txn: 4 });
  assert.equal(headUnit(state, history), 1);
  assert.equal(headUnit(reduce(state, { do: "toTxn", txn: 3 }), history), 1 / 3);
  assert.equal(headUnit(reduce(state, { do: "start" }), history), 0);
  assert.equal(opsOf(null, timeline), null);
});

test("a shorter lag costs more", () => {
  const dial = { shipMs: 1000, pollMs: 1000, replicas: 2, tables: 10, busy: 1, bytesADay: 1e9, days: 30 };
  const slow = costOf(dial);
  const fast = costOf({ ...dial, shipMs: 50, pollMs: 50 });
  assert.ok(fast.lagMs < slow.lagMs && fast.all > 10 * slow.all);
  // 2.6 million packs, and two replicas that ask once a second and get each pack.
  assert.equal(Math.round(slow.puts), 2_592_000 + (3 * 2_592_000) / 10);
  assert.equal(Math.round(slow.gets), 2 * 2 * 2_592_000);
  assert.ok(Math.abs(slow.storage - 30 * 0.023) < 1e-9);
  assert.ok(Math.abs(slow.each * 10 - slow.all) < 1e-9);
});

test("a long log is begun behind a snapshot", () => {
  const sizes = new Array<number>(100).fill(10 * 1024 * 1024);
  assert.equal(choose(3, 0, sizes, [1, 2], {}).snapshot, null);
  assert.equal(choose(99, 0, sizes, [20, 90, 95], {}).snapshot, 95);
  assert.equal(choose(99, 0, sizes, [20, 93, 95], {}).snapshot, 93);
  assert.equal(choose(99, 0, sizes, [20], {}).snapshot, 20);
  assert.equal(choose(99, 0, sizes, [20, 90], { from: 50 }).snapshot, 20);
  assert.equal(choose(99, 0, sizes, [20, 90], { from: 0 }).snapshot, null);
  // Near what is to be shown first, unless the log is short.
  const times = sizes.map((_, n) => 1000 * n);
  assert.equal(choose(99, 0, sizes, [20, 60, 90], { near: { op: 61 } }).snapshot, 60);
  assert.equal(choose(99, 0, sizes, [20, 60, 90], { near: { op: 60 } }).snapshot, 20);
  assert.equal(choose(99, 0, sizes, [20, 60, 90], { near: { us: 60_000 } }, times).snapshot, 60);
  assert.equal(choose(99, 0, sizes, [20, 60, 90], { near: { us: 59_999 } }, times).snapshot, 20);
  assert.equal(choose(3, 0, [10, 10, 10, 10], [1], { near: { op: 3 } }).snapshot, null);
  // Before all snapshots there is only the beginning of what may be read.
  assert.equal(choose(3, 0, sizes, [2], { near: { op: 1 } }).snapshot, null);
  assert.equal(choose(99, 90, [], [20], {}).snapshot, 20);
});

test("a table’s policy and what was done about it are those of the moment", () => {
  const told = (at_us: number, policy: string | null) => ({
    at_us,
    what: "policies" as const,
    tables: policy === null ? {} : { "t~1": { policy, status: "A" } },
  });
  const step = (at_us: number, step: string, partition: string) => ({
    at_us,
    what: "policy_step" as const,
    table: "t~1",
    partition,
    step,
    task: "DROP_LOCAL",
  });
  const instance = { node: 0, kind: "replica", since: null, trouble: null };
  const cluster = {
    instances: [
      { ...instance, name: "p", entries: [told(10, "TO PARQUET 1 DAY"), told(30, null)] },
      { ...instance, name: "r", entries: [step(15, "started", "d1"), step(25, "given_up", "d1")] },
    ],
  } as unknown as Cluster;
  assert.equal(policyAt(cluster, "t~1", 9), null);
  assert.deepEqual(policyAt(cluster, "t~1", 20), { policy: "TO PARQUET 1 DAY", status: "A", ttl: null });
  assert.equal(policyAt(cluster, "t~1", 30), null);
  assert.equal(policyAt(cluster, "t~2", 20), null);
  assert.deepEqual(
    stepsAt(cluster, "t~1", 25, 9).map(({ text }) => text),
    ["DROP_LOCAL given up", "DROP_LOCAL started"],
  );
  assert.deepEqual(
    stepsAt(cluster, "t~1", 20, 9).map(({ atUs, instance, partition }) => [atUs, instance, partition]),
    [[15, "r", "d1"]],
  );
});
