import assert from "node:assert/strict";
import test from "node:test";
import type { LabBrick, LabTold } from "../../pkg/types.js";
import { labBegun, type LabCommand, type LabWish, OPEN_END, PLAIN, reduceLab } from "../model/lab/lab.js";
import { formatLab, parseLab } from "../model/lab/link.js";
import { brickWords, nextWords, percent, presetsFor, stretchOf, verdictOf } from "../model/lab/words.js";
import { formatLink, parseLink } from "../model/link.js";
import { reduce } from "../model/reduce.js";
import { START } from "../model/state.js";

const AT = { table: "trades~7", txn: 12 };
const NOON = Date.UTC(2026, 7, 1, 12) * 1000;
const HOUR = 3600e6;

function play(...commands: LabCommand[]): LabWish {
  let lab: LabWish | null = labBegun("trades~7", 12);
  for (const command of commands) lab = reduceLab(lab, command, AT);
  assert.ok(lab);
  return lab;
}

test("a lab begins where the playhead stands, and ends", () => {
  const begun = reduceLab(null, { do: "begin" }, AT);
  assert.deepEqual([begun?.table, begun?.from, begun?.instances.length], ["trades~7", 12, 1]);
  assert.equal(reduceLab(null, { do: "toggle" }, AT), null);
  assert.equal(reduceLab(begun, { do: "end" }, AT), null);
  assert.equal(reduceLab(null, { do: "begin" }, { table: null, txn: 0 }), null);
});

test("time passes at its speed while it is played", () => {
  const playing = play({ do: "toggle" }, { do: "speed", speed: 3600 }, { do: "tick", ms: 500, us: NOON });
  assert.equal(playing.us, NOON + HOUR / 2);
  const on = reduceLab(playing, { do: "tick", ms: 500, us: 0 }, AT);
  assert.equal(on?.us, NOON + HOUR);
  const paused = play({ do: "tick", ms: 500, us: NOON });
  assert.equal(paused.us, null);
  const jumped = play({ do: "toggle" }, { do: "jump", us: NOON + 0.2 });
  assert.deepEqual([jumped.us, jumped.playing], [NOON, false]);
});

test("what is said of the policy takes the place of what was to come", () => {
  const set = (stages: string) => ({ do: "set" as const, stages });
  const lab = play(
    { do: "policy", change: set("TO PARQUET 1h"), us: null },
    { do: "policy", change: { do: "disable" }, us: NOON + HOUR },
    { do: "policy", change: set("TO PARQUET 2h"), us: NOON },
  );
  assert.deepEqual(lab.policy, [
    { atUs: 0, change: set("TO PARQUET 1h") },
    { atUs: NOON, change: set("TO PARQUET 2h") },
  ]);
});

test("a policy that was set at this moment can be switched at this moment", () => {
  const change = { do: "set" as const, stages: "TO PARQUET 1h" };
  const lab = play(
    { do: "policy", change, us: null },
    { do: "policy", change: { do: "disable" }, us: null },
    { do: "policy", change: { do: "enable" }, us: null },
  );
  assert.deepEqual(
    lab.policy.map((step) => step.change.do),
    ["set", "enable"],
  );
  const gone = reduceLab(lab, { do: "policy", change: { do: "drop" }, us: null }, AT);
  assert.deepEqual(
    gone?.policy.map((step) => step.change.do),
    ["drop"],
  );
});

test("another instance has another schedule and another name", () => {
  const lab = play({ do: "add" }, { do: "add" }, { do: "remove", index: 1 }, { do: "add" });
  assert.deepEqual(
    lab.instances.map(({ name }) => name),
    ["node-a", "node-c", "node-b"],
  );
  assert.ok((lab.instances[1]?.checkIntervalUs ?? 0) > PLAIN.checkIntervalUs);
  const alone = play({ do: "remove", index: 0 });
  assert.equal(alone.instances.length, 1);
});

test("an instance stops and goes on", () => {
  const stopped = play({ do: "stop", index: 0, us: NOON });
  assert.deepEqual(stopped.instances[0]?.pauses, [[NOON, OPEN_END]]);
  const on = reduceLab(stopped, { do: "stop", index: 0, us: NOON + HOUR }, AT);
  assert.deepEqual(on?.instances[0]?.pauses, [[NOON, NOON + HOUR]]);
  const again = reduceLab(on, { do: "stop", index: 0, us: NOON + 2 * HOUR }, AT);
  assert.deepEqual(again?.instances[0]?.pauses, [
    [NOON, NOON + HOUR],
    [NOON + 2 * HOUR, OPEN_END],
  ]);
});

test("the link holds all of a lab", () => {
  const lab = play(
    { do: "policy", change: { do: "set", stages: "TO PARQUET 1h, DROP LOCAL 4h" }, us: null },
    { do: "policy", change: { do: "disable" }, us: NOON },
    { do: "add" },
    { do: "change", index: 1, instance: { skewUs: -60e6, workers: 1, convertBytesPerS: 1000 } },
    { do: "stop", index: 1, us: NOON + 1 },
    { do: "speed", speed: 60 },
    { do: "jump", us: NOON + HOUR },
    { do: "select", brick: { instance: 1, partition: "2026-08-01T10" } },
  );
  assert.deepEqual(parseLab(formatLab(lab)), lab);
  const state = { ...START, table: "trades~7", lab };
  const link = formatLink({ ...parseLink("#table=trades~7&tab=storage"), lab });
  assert.deepEqual(parseLink(link).lab, lab);
  assert.deepEqual(reduce(state, { do: "restore", link: parseLink(link) }).lab, lab);
  assert.match(link, /lab=trades~7%2C12%3B|lab=trades~7/);
});

test("a link's nonsense is left out", () => {
  for (const text of [null, "", "trades", "trades,x", ";i:a"])
    assert.equal(parseLab(text), null, String(text));
  const lab = parseLab(
    "t~1,5;at:never;x:-4;set:when,TO PARQUET 1h;i:a,0,1,1,1,0;i:b,60,99,1,1,0;zz:1;sel:x,y",
  );
  assert.deepEqual(lab, labBegun("t~1", 5));
  const named = parseLab("t~1,5;i:a/b:c,60,2,1000,1000,-5");
  assert.deepEqual(named?.instances[0], {
    name: "a b c",
    checkIntervalUs: 60e6,
    workers: 2,
    convertBytesPerS: 1000,
    uploadBytesPerS: 1000,
    skewUs: -5e6,
    pauses: [],
  });
});

test("beginning a lab shows it", () => {
  const state = { ...START, table: "trades~7", txn: 12 };
  const begun = reduce(state, { do: "lab", lab: { do: "begin" } });
  assert.deepEqual([begun.tab, begun.lab?.from], ["storage", 12]);
  const elsewhere = reduce({ ...begun, tab: "rows" }, { do: "lab", lab: { do: "toggle" } });
  assert.equal(elsewhere.tab, "rows");
});

test("bricks, verdicts and what comes next in words", () => {
  const brick: LabBrick = {
    form: "parquet",
    stands: "parquet",
    rows: 316,
    bytes: 12_000,
    remoteBytes: 0,
    digest: "00",
    late: false,
    differs: true,
  };
  assert.equal(brickWords("d", brick), "d: Parquet, 316 rows, 12 KB here, not the same everywhere");
  const why = { form: "native" as const, because: "not old enough", version: 1, remote: null };
  const next = { kind: "DROP_LOCAL", atUs: NOON + HOUR, newestNeededUs: NOON };
  assert.equal(
    nextWords({ ...why, next }, NOON),
    "Next: DROP_LOCAL at 2026-08-01 13:00:00, in 1 h 0 min, once there is a row as new as 2026-08-01 12:00:00.",
  );
  assert.equal(nextWords({ ...why, next: null }, NOON), "Nothing comes next.");
  const told = {
    differing: ["a"],
    partitions: [0, 1, 2, 3].map((n) => ({ name: String(n), fromUs: n * HOUR, endUs: (n + 1) * HOUR })),
  } as unknown as LabTold;
  assert.deepEqual(verdictOf(told), { word: "differ", text: "1 partition differs" });
  const stretch = stretchOf(told, 3);
  assert.deepEqual(stretch, { first: 1, fromUs: HOUR, toUs: 4 * HOUR });
  assert.ok(stretch);
  assert.deepEqual(
    [0, 1, 2.5, 9].map((h) => Math.round(percent(stretch, h * HOUR))),
    [0, 0, 50, 100],
  );
});

test("every unit of partitions has policies to try", () => {
  for (const unit of ["HOUR", "DAY", "WEEK", "MONTH", "YEAR"]) assert.ok(presetsFor(unit).length > 0, unit);
});
