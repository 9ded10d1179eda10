/**
 * The module with Parquet in node: storage policies on the bundled recording.
 * `node --test tests/pkg/`, after `scripts/wasm.sh parquet`.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { load, Replay } from "../../pkg/index.js";
import { filesBelow } from "./server.mjs";

const wasm = new URL("../../pkg/understudy_parquet_bg.wasm", import.meta.url);
const folder = fileURLToPath(new URL("../../www/public/recordings/trading-day/db", import.meta.url));
const MINUTE = 60e6;
const HOUR = 60 * MINUTE;
const skip = existsSync(wasm) ? false : "scripts/wasm.sh parquet builds the module";
let Engine;

before(async () => {
  if (skip) return;
  const module = await import("../../pkg/parquet.js");
  await module.loadParquet(await readFile(wasm));
  Engine = module.Engine;
});

async function open(dir, from = 0) {
  const files = new Map([...filesBelow(folder)].map(([path, bytes]) => [path, new Blob([bytes])]));
  const replay = await Replay.open({ kind: "files", name: "a day", files }, {}, Engine);
  return { replay, lab: await replay.lab(dir, from, 64e6) };
}

function instance(name, checkIntervalUs) {
  return {
    name,
    checkIntervalUs,
    workers: 2,
    convertBytesPerS: 50e6,
    uploadBytesPerS: 20e6,
    skewUs: 0,
    pauses: [],
  };
}

async function run(lab, us) {
  while (!(await lab.run(us, 1000)));
  return JSON.parse(lab.told());
}

test("instances differ, and then converge", { skip }, async () => {
  const { lab } = await open("orders~8");
  const change = { do: "set", stages: "TO PARQUET 1h, DROP LOCAL 4h" };
  const instances = [instance("a", 5 * MINUTE), instance("b", 100 * MINUTE)];
  lab.set(JSON.stringify({ policy: [{ atUs: 0, change }], instances }));
  const { startUs } = await run(lab, 0);
  let most = 0;
  let told;
  for (let tenth = 0; tenth <= 16 * 6; tenth++) {
    told = await run(lab, startUs + tenth * 10 * MINUTE);
    most = Math.max(most, told.differing.length);
  }
  assert.ok(most > 0);
  assert.deepEqual([told.differing, told.seqTxn], [[], told.txnCount]);
  assert.ok(told.conversions.rows > 1000 && told.conversions.ms > 0);
  const parquet = told.partitions.findIndex((_, i) => told.instances[0].bricks[i].form === "parquet");
  const { name } = told.partitions[parquet];
  const why = JSON.parse(lab.why(0, name));
  assert.equal(why.next.kind, "DROP_LOCAL");
  assert.ok(why.next.newestNeededUs > told.newestUs);
  const rows = lab.rows(0, name, 0, 3);
  assert.deepEqual([rows.rows.length, rows.total], [3, told.instances[0].bricks[parquet].rows]);
  lab.free();
});

test("a list of stages is checked at its place", { skip }, async () => {
  const { lab } = await open("trades~7", 100);
  lab.set(JSON.stringify({ policy: [], instances: [instance("a", HOUR)] }));
  await run(lab, 0);
  assert.deepEqual(JSON.parse(lab.check("to parquet 90 minutes")), {
    error: "invalid unit, expected 'HOUR(S)', 'DAY(S)', 'WEEK(S)', 'MONTH(S)' or 'YEAR(S)', but was 'minutes'",
    position: 14,
  });
  assert.deepEqual(JSON.parse(lab.check("to parquet 3h")), { stages: "TO PARQUET 3 HOURS" });
  assert.throws(() => lab.set("{"), { kind: "usage" });
  assert.equal(lab.why(5, "nowhere"), "null");
});

test("the same engine replays as the other one does", { skip }, async () => {
  const { replay } = await open("trades~7");
  const state = await replay.seek("trades~7", 1e9);
  assert.deepEqual([state.seqTxn, state.rows, state.standing.state], [729, 4196, "exact"]);
  replay.close();
});

test("a table that begins with a partition that QuestDB has as Parquet", { skip }, async (t) => {
  const dir = mkdtempSync(join(tmpdir(), "understudy-parquet-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const archive = fileURLToPath(new URL("../data/applied/whole.tar.gz", import.meta.url));
  execFileSync("tar", ["xzf", archive, "-C", dir]);
  const all = new Map([...filesBelow(dir)].map(([path, bytes]) => [path, new Blob([bytes])]));
  const purged = new Map([...all].filter(([path]) => !/^all_kinds~6[/]wal/.test(path)));
  await load(await readFile(new URL("../../pkg/understudy_bg.wasm", import.meta.url)));
  const end = async (files, other) => {
    const replay = await Replay.open({ kind: "files", name: "whole", files }, {}, other);
    return { state: await replay.seek("all_kinds~6", 1e9), problems: replay.overview().problems };
  };
  const replayed = await end(all, null);
  assert.ok(replayed.state.rows > 800);
  const read = await end(purged, Engine);
  assert.equal(read.state.digest, replayed.state.digest);
  const without = await end(purged, null);
  assert.equal(without.state.rows, 0);
  assert.ok(without.problems.some(({ message }) => message.includes("in Parquet form")));
});
