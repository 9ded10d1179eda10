/**
 * The npm package in node: the built module against real HTTP servers of several characters.
 * `node --test tests/pkg/`, after `scripts/wasm.sh build`.
 */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { load, Replay } from "../../pkg/index.js";
import { filesBelow, indexOf, serve } from "./server.mjs";

const folder = fileURLToPath(new URL("../../www/public/recordings/trading-day/db", import.meta.url));
const files = filesBelow(folder);
files.delete("understudy-index.json");
/** Directory -> digest at the end, read from blobs. */
let expected;

before(async () => {
  await load(await readFile(new URL("../../pkg/understudy_bg.wasm", import.meta.url)));
  expected = await digests({ kind: "files", name: "a day", files: blobs(files) });
  assert.ok(expected.size > 1);
});

function blobs(files) {
  return new Map([...files].map(([path, bytes]) => [path, new Blob([bytes])]));
}

async function digests(source, options) {
  const replay = await Replay.open(source, options);
  const found = new Map();
  for (const table of replay.overview().tables.filter((table) => table.replayable)) {
    const state = await replay.seek(table.dir, table.txnCount);
    assert.equal(state.seqTxn, table.txnCount);
    found.set(table.dir, state.digest);
  }
  const fetched = replay.fetched();
  replay.close();
  return Object.assign(found, { fetched });
}

async function withServer(served, options, use) {
  const server = await serve(served, options);
  try {
    return await use(server);
  } finally {
    await server.close();
  }
}

async function sameDigests(served, options) {
  return withServer(served, options, async (server) => {
    const found = await digests({ kind: "url", url: server.url });
    assert.deepEqual([...found], [...expected]);
    return { ...server, fetched: found.fetched };
  });
}

test("a server with ranges, without an index", async () => {
  const { fetched, seen } = await sameDigests(files);
  assert.equal(fetched.rangesHonoured, true);
  assert.equal(fetched.requests, seen.length);
  assert.equal(fetched.retries, 0);
  assert.ok(seen.some((request) => request.path === "understudy-index.json"));
});

test("an index spares every question about what exists", async () => {
  const { seen } = await sameDigests(new Map([...files, ["understudy-index.json", indexOf(files)]]));
  const missed = seen.filter(({ path }) => path !== "understudy-index.json" && !files.has(path));
  assert.deepEqual(missed, []);
});

test("a server that ignores ranges is read whole, each file once", async () => {
  const { fetched, seen } = await sameDigests(files, { ranges: false });
  assert.notEqual(fetched.rangesHonoured, true);
  const bodies = seen.filter(({ path, method }) => files.has(path) && method === "GET").map(({ path }) => path);
  assert.equal(new Set(bodies).size, bodies.length);
});

test("a server that never answers a question for a part is read whole", async () => {
  const interfere = ({ request }, response) => {
    if (!request.headers.range) return false;
    response.socket.destroy();
    return true;
  };
  const { fetched } = await sameDigests(files, { interfere });
  assert.equal(fetched.rangesHonoured, false);
});

test("a server that hides sizes is asked for them", async () => {
  await sameDigests(files, { tellsSize: false });
});

test("a server that fails once, in several ways", async () => {
  let failed = 0;
  const ways = [
    (response) => response.writeHead(503, { "Retry-After": "0" }).end(),
    (response) => response.writeHead(500).end("oops"),
    (response) => response.socket.destroy(),
    (response) => response.writeHead(200, { "Content-Length": 1000 }).write("cut", () => response.socket.destroy()),
  ];
  const interfere = ({ path, count }, response) => {
    if (count > 1 || failed >= ways.length || !path.includes("/wal")) return false;
    ways[failed++](response);
    return true;
  };
  const { fetched } = await sameDigests(files, { interfere });
  assert.equal(failed, ways.length);
  assert.equal(fetched.retries, ways.length);
});

test("a small budget is kept, and gives the same rows", async () => {
  const memory = 24 * 1024 * 1024;
  await withServer(files, {}, async (server) => {
    const found = await digests({ kind: "url", url: server.url }, { memory });
    assert.deepEqual([...found], [...expected]);
    assert.equal(found.fetched.memoryLimit, memory);
    assert.ok(found.fetched.memoryUsed <= memory, `${found.fetched.memoryUsed} bytes held`);
  });
});

test("rows that were let go come back when they are looked at", async () => {
  const windows = async (options) => {
    const replay = await Replay.open({ kind: "files", name: "a day", files: blobs(files) }, options);
    const table = replay.overview().tables.find((table) => table.name === "quotes");
    const { rows, digest } = await replay.seek(table.dir, table.txnCount);
    const letGo = replay.fetched().letGo;
    const found = [];
    for (const first of [0, Math.floor(rows / 2), rows - 10, 0]) found.push(await replay.rowsText(table.dir, first, 10));
    const arrow = await replay.rows(table.dir, 0, 10);
    replay.close();
    return { digest, letGo, found: JSON.stringify([found, Buffer.from(arrow).toString("hex")]) };
  };
  const whole = await windows({});
  const scarce = await windows({ memory: 200_000 });
  assert.equal(whole.letGo.length, 0);
  assert.match(scarce.letGo.join(), /partitions of quotes/);
  assert.equal(scarce.digest, "", "of values that are not there, there is no digest");
  assert.equal(scarce.found, whole.found);
});

test("calls are answered in order, each where the one before it moved to", async () => {
  const replay = await Replay.open({ kind: "files", name: "a day", files: blobs(files) });
  const [dir] = expected.keys();
  const states = await Promise.all([replay.seek(dir, 5), replay.step(dir, 1), replay.step(dir, -3), replay.step(dir, 1e9)]);
  assert.deepEqual(states.slice(0, 3).map((state) => state.seqTxn), [5, 6, 3]);
  assert.equal(states[3].digest, expected.get(dir));
  assert.equal(replay.state(dir).digest, expected.get(dir));
  replay.close();
  assert.throws(() => replay.overview(), { kind: "usage" });
});

test("a log that is still written is read on, and what was applied stays", async () => {
  const [dir] = expected.keys();
  const path = `${dir}/txn_seq/_txnlog`;
  const whole = files.get(path);
  const served = new Map(files);
  const half = Math.floor(Number(whole.readBigInt64LE(4)) / 2);
  const young = Buffer.from(whole);
  young.writeBigInt64LE(BigInt(half), 4);
  young.fill(0, 76 + 28 * half);
  served.set(path, young);
  await withServer(served, {}, async ({ url }) => {
    const replay = await Replay.open({ kind: "url", url });
    const before = await replay.seek(dir, 1e9);
    assert.equal(before.seqTxn, half);
    assert.equal((await replay.timeline(dir)).kind.length, half);
    served.set(path, whole);
    const table = (await replay.refresh()).tables.find((table) => table.dir === dir);
    assert.ok(table.txnCount > half);
    assert.equal(replay.state(dir).digest, before.digest);
    const timeline = await replay.timeline(dir);
    assert.equal(timeline.kind.length, table.txnCount);
    assert.ok(!timeline.kind.includes(0));
    assert.equal((await replay.seek(dir, 1e9)).digest, expected.get(dir));
    assert.equal((await replay.seek(dir, half)).digest, before.digest);
    replay.close();
  });
});

test("what can't be opened says why", async () => {
  await withServer(new Map(), {}, async ({ url }) => {
    await assert.rejects(Replay.open({ kind: "url", url }), (error) => {
      assert.equal(error.kind, "missing");
      assert.match(error.message, /tables\.d\.0/);
      return true;
    });
  });
  const gone = await serve(files);
  await gone.close();
  await assert.rejects(Replay.open({ kind: "url", url: gone.url }), { kind: "network" });
  await assert.rejects(Replay.open({ kind: "url", url: "ftp://example.com/" }), { kind: "usage" });
});

test("a segment that is gone is told, the other tables go on", async () => {
  const [first] = expected.keys();
  const kept = new Map([...files].filter(([path]) => !path.startsWith(`${first}/wal`)));
  const replay = await Replay.open({ kind: "files", name: "purged", files: blobs(kept) });
  const { tables, problems } = replay.overview();
  const purged = tables.find((table) => table.dir === first);
  // It begins with what the server had applied; of that a recording has no rows.
  assert.equal(purged.firstTxn, purged.appliedTxn);
  assert.equal((await replay.seek(first, purged.firstTxn)).seqTxn, 0);
  const stuck = (problem) => problem.table === first && problem.severity === "error";
  assert.ok(replay.overview().problems.some(stuck), "and says so");
  assert.ok(purged.purged.length > 0);
  assert.ok(problems.some((problem) => problem.table === first && /purged/.test(problem.message)));
  const other = tables.find((table) => table.dir !== first && table.replayable);
  assert.equal((await replay.seek(other.dir, other.txnCount)).digest, expected.get(other.dir));
});
