import assert from "node:assert/strict";
import test from "node:test";
import type { Overview, TableInfo } from "../../pkg/types.js";
import type { Command, Fact } from "../model/command.js";
import { COMMANDS, commandOfKey, keyWords } from "../model/command.js";
import { historyOf } from "../model/history.js";
import { parseLink } from "../model/link.js";
import { headUnit, reduce } from "../model/reduce.js";
import type { State } from "../model/state.js";
import { historyNow, linkOf, START, viewNow } from "../model/state.js";

const SECOND = 1_000_000;

function table(dir: string, txnCount: number): TableInfo {
  return {
    dir,
    name: dir.replace(/~.*/, ""),
    id: 1,
    kind: "table",
    partitionBy: "DAY",
    timestampColumn: "ts",
    timestampType: "TIMESTAMP",
    createdUs: 0,
    txnCount,
    purged: [],
    replayable: true,
    droppedAtTxn: null,
    appliedTxn: null,
    firstUs: 0,
    lastUs: 0,
  };
}

const OVERVIEW: Overview = {
  title: "x",
  tables: [table("a~1", 100), table("b~2", 50)],
  firstUs: 0,
  lastUs: 1,
  problems: [],
};

/** A commit each second; every tenth is a schema change. */
function history(dir: string, n: number, fromUs = 0): Fact {
  return {
    fact: "history",
    history: historyOf({
      dir,
      commitUs: Float64Array.from({ length: n }, (_, i) => fromUs + i * SECOND),
      kind: Uint8Array.from({ length: n }, (_, i) => (i % 10 === 9 ? 5 : 1)),
      rows: new Float64Array(n).fill(3),
    }),
  };
}

function after(...commands: (Command | Fact)[]): State {
  return commands.reduce(reduce, START);
}

const OPEN: (Command | Fact)[] = [{ fact: "opened", overview: OVERVIEW }, history("a~1", 100)];

test("a link is taken exactly, before anything is loaded", () => {
  const restore: Command = {
    do: "restore",
    link: parseLink("#table=b~2&t=txn:33&speed=4&axis=time&tab=log"),
  };
  const early = after(restore);
  assert.equal(early.txn, 33);
  const late = after(restore, { fact: "opened", overview: OVERVIEW }, history("b~2", 50));
  assert.equal(late.table, "b~2");
  assert.equal(late.txn, 33);
  assert.equal(late.us, 32 * SECOND);
  assert.deepEqual([late.speed, late.axis, late.tab, late.playing], [4, "time", "log", 0]);
});

test("a link to a time waits for the log, keeps its microseconds, and may name the table", () => {
  const restore: Command = {
    do: "restore",
    link: parseLink("#table=b&t=time:1970-01-01T00:00:10.500001Z&axis=time"),
  };
  const state = after(restore, { fact: "opened", overview: OVERVIEW });
  assert.deepEqual(state.wanted, { us: 10_500_001 });
  const there = reduce(state, history("b~2", 50));
  assert.deepEqual([there.txn, there.us, there.wanted], [11, 10_500_001, null]);
  assert.deepEqual(linkOf(there).at, { us: 10_500_001 });
});

test("a link opens paused, also while playing", () => {
  const state = after(...OPEN, { do: "play", direction: 1 }, { do: "restore", link: parseLink("#t=txn:5") });
  assert.deepEqual([state.playing, state.txn], [0, 5]);
});

test("a link beyond the end is clamped once the log is known", () => {
  assert.equal(after({ do: "restore", link: parseLink("#t=txn:5000") }, ...OPEN).txn, 100);
});

test("steps stay inside and pause", () => {
  assert.equal(after(...OPEN, { do: "step", by: -1 }).txn, 0);
  assert.equal(after(...OPEN, { do: "step", by: 10 }, { do: "step", by: -3 }).txn, 7);
  const state = after(...OPEN, { do: "end" }, { do: "step", by: 1 });
  assert.equal(state.txn, 100);
  assert.equal(after(...OPEN, { do: "play", direction: 1 }, { do: "step", by: 1 }).playing, 0);
});

test("steps by a second of the server's clock, from where the playhead is", () => {
  const forth: Command = { do: "stepTime", us: SECOND };
  const back: Command = { do: "stepTime", us: -SECOND };
  const state = after(...OPEN, { do: "toTime", us: 10.5 * SECOND }, forth);
  assert.deepEqual([state.txn, state.us], [12, 11.5 * SECOND]);
  assert.deepEqual([reduce(state, back).txn, reduce(reduce(state, forth), back).us], [11, 11.5 * SECOND]);
  assert.equal(after(...OPEN, forth).txn, 1);
  assert.equal(after(...OPEN, forth, back).txn, 0);
  assert.equal(after(...OPEN, { do: "end" }, forth).txn, 100);
  assert.equal(after(...OPEN, { do: "play", direction: 1 }, forth).playing, 0);
  assert.equal(after(forth).txn, 0);
});

test("events: forth, back, and to the ends when there is none", () => {
  assert.equal(after(...OPEN, { do: "event", by: 1 }).txn, 10);
  assert.equal(after(...OPEN, { do: "toTxn", txn: 25 }, { do: "event", by: -1 }).txn, 20);
  assert.equal(after(...OPEN, { do: "toTxn", txn: 4 }, { do: "event", by: -1 }).txn, 0);
});

test("playing by transaction goes ten a second at speed 1, keeping parts", () => {
  let state = after(...OPEN, { do: "play", direction: 1 });
  for (let i = 0; i < 60; i++) state = reduce(state, { do: "tick", ms: 1000 / 60 });
  assert.ok(Math.abs(state.txn - 10) <= 1, String(state.txn));
  const from = state.txn;
  state = reduce({ ...state, speed: 4, part: 0 }, { do: "tick", ms: 500 });
  assert.equal(state.txn, from + 20);
});

test("playing stops at the end; playing again starts over", () => {
  const ended = after(
    ...OPEN,
    { do: "toTxn", txn: 99 },
    { do: "play", direction: 1 },
    { do: "tick", ms: 5000 },
  );
  assert.deepEqual([ended.txn, ended.playing], [100, 0]);
  const again = reduce(ended, { do: "toggle" });
  assert.deepEqual([again.txn, again.playing], [0, 1]);
  const back = after(...OPEN, { do: "play", direction: -1 });
  assert.deepEqual([back.txn, back.playing], [100, -1]);
});

test("playing by time goes with the clock and leaps over closed silences", () => {
  const night = historyOf({
    dir: "a~1",
    commitUs: Float64Array.from([0, 1, 2, 3, 5000, 5001, 5002, 5003].map((s) => s * SECOND)),
    kind: new Uint8Array(8).fill(1),
    rows: new Float64Array(8),
  });
  let state = after(OPEN[0] as Fact, { fact: "history", history: night }, { do: "axis", axis: "time" });
  state = reduce(state, { do: "play", direction: 1 });
  state = reduce(state, { do: "tick", ms: 2000 });
  assert.deepEqual([state.us, state.txn], [2 * SECOND, 3]);
  state = reduce(state, { do: "tick", ms: 1500 });
  assert.deepEqual([state.us, state.txn], [5000 * SECOND, 5]);
  state = reduce(reduce(state, { do: "play", direction: -1 }), { do: "tick", ms: 500 });
  assert.equal(state.us, 3 * SECOND);
  for (let i = 0; i < 10; i++) state = reduce(state, { do: "tick", ms: 1000 });
  assert.deepEqual([state.txn, state.playing], [0, 0]);
});

test("speeds go up and down the ladder and stop at its ends", () => {
  assert.equal(after({ do: "speedBy", by: 1 }).speed, 2);
  assert.equal(after({ do: "speed", speed: 3 }, { do: "speedBy", by: -1 }).speed, 2);
  assert.equal(after({ do: "speed", speed: 1e9 }, { do: "speedBy", by: 1 }).speed, 1000);
});

test("another table is shown at the same moment", () => {
  const both = after(...OPEN, history("b~2", 50, 20 * SECOND), { do: "toTxn", txn: 31 });
  const other = reduce(both, { do: "table", dir: "b~2" });
  assert.deepEqual([other.table, other.txn, other.us], ["b~2", 11, 30 * SECOND]);
  assert.equal(reduce(both, { do: "table", dir: "none" }), both);
});

test("zoom keeps its centre, follows the playhead, and gives crumbs", () => {
  let state = after(...OPEN, { do: "toTxn", txn: 50 }, { do: "zoom", factor: 2 });
  assert.deepEqual(viewNow(state), { from: 0.25, to: 0.75 });
  state = reduce(state, { do: "view", from: 0.5, to: 0.6, push: true });
  assert.equal(state.views.length, 3);
  state = reduce(state, { do: "toTxn", txn: 90 });
  const head = headUnit(state, historyNow(state) ?? assert.fail());
  assert.ok(head >= viewNow(state).from && head <= viewNow(state).to);
  assert.equal(reduce(state, { do: "crumb", index: 1 }).views.length, 2);
  assert.deepEqual(viewNow(reduce(state, { do: "fit" })), { from: 0, to: 1 });
  assert.deepEqual(viewNow(reduce(state, { do: "zoom", factor: 1e-9 })), { from: 0, to: 1 });
});

test("every key of the table is found, none is there twice, each has words", () => {
  const seen = new Set<string>();
  for (const entry of COMMANDS) {
    for (const name of entry.keys) {
      assert.ok(!seen.has(name), `${name} twice`);
      seen.add(name);
      const parts = name.split("+");
      const key = parts[parts.length - 1] ?? "";
      const event = {
        key,
        shiftKey: parts.includes("Shift") || key === "?",
        ctrlKey: parts.includes("Mod"),
        metaKey: false,
        altKey: false,
      };
      assert.equal(commandOfKey(event), entry.command, name);
      assert.ok(keyWords(name).every((word) => word.length > 0));
    }
  }
});

test("keys that are the browser's are left to it", () => {
  const none = { shiftKey: false, ctrlKey: false, metaKey: false, altKey: false };
  assert.equal(commandOfKey({ ...none, key: "ArrowLeft", altKey: true }), null);
  assert.equal(commandOfKey({ ...none, key: "d", ctrlKey: true }), null);
  assert.equal(commandOfKey({ ...none, key: "Tab" }), null);
});
