import assert from "node:assert/strict";
import test from "node:test";
import type { Port } from "../engine/client.js";
import { Engine, EngineFailure } from "../engine/client.js";
import { curlProbe, isMixed, recipes } from "../engine/doctor.js";
import { NotADatabase, relativeToDb } from "../engine/files.js";
import { ownersOf } from "../views/bytes.js";

/** A port that keeps what was posted; the test answers. */
class Wire implements Port {
  onmessage: Port["onmessage"] = null;
  onerror: Port["onerror"] = null;
  posted: { id: number; method: string; args: unknown[] }[] = [];
  terminated = false;

  postMessage(message: unknown): void {
    this.posted.push(message as (typeof this.posted)[number]);
  }

  terminate(): void {
    this.terminated = true;
  }

  answer(data: unknown): void {
    this.onmessage?.({ data } as MessageEvent);
  }
}

function engine(): { engine: Engine; wires: Wire[] } {
  const wires: Wire[] = [];
  const made = new Engine(() => {
    const wire = new Wire();
    wires.push(wire);
    return wire;
  });
  return { engine: made, wires };
}

function first(wires: Wire[]): Wire {
  return wires[0] ?? assert.fail("no worker");
}

test("calls are answered by id, with progress on the way", async () => {
  const { engine: e, wires } = engine();
  const seen: number[] = [];
  const a = e.call("open", [{ kind: "url", url: "http://x/" }, {}], (p) => seen.push(p.loadedBytes));
  const b = e.call("seek", ["t~1", 7]);
  const wire = first(wires);
  assert.deepEqual(
    wire.posted.map((p) => p.method),
    ["open", "seek"],
  );
  const [one, two] = wire.posted;
  wire.answer({ id: one?.id, progress: { phase: "log", loadedBytes: 5, totalBytes: null, detail: "" } });
  wire.answer({ id: two?.id, ok: "second" });
  wire.answer({ id: one?.id, ok: "first" });
  assert.deepEqual(await Promise.all([a, b]), ["first", "second"]);
  assert.deepEqual(seen, [5]);
});

test("an error fails its call alone", async () => {
  const { engine: e, wires } = engine();
  const call = e.call("seek", ["t~1", 7]);
  first(wires).answer({ id: 1, error: { kind: "damaged", message: "bad", file: "f", offset: 3 } });
  await assert.rejects(call, (error) => error instanceof EngineFailure && error.detail.offset === 3);
  assert.equal(first(wires).terminated, false);
});

test("a trap fails every call, is told once, and a new worker takes over", async () => {
  const { engine: e, wires } = engine();
  const told: string[] = [];
  e.onTrap = (error) => told.push(error.message);
  const calls = [e.call("seek", ["t~1", 1]), e.call("seek", ["t~1", 2])];
  first(wires).answer({ id: 1, error: { kind: "trap", message: "unreachable" } });
  for (const call of calls) await assert.rejects(call, /unreachable/);
  assert.deepEqual(told, ["unreachable"]);
  assert.ok(first(wires).terminated);
  e.restart();
  const again = e.call("seek", ["t~1", 1]);
  // The dead worker's late words are not heard.
  first(wires).answer({ id: 3, ok: "stale" });
  wires[1]?.answer({ id: 3, ok: "fresh" });
  assert.equal(await again, "fresh");
});

test("a call to a worker that has ended fails at once", { timeout: 5_000 }, async () => {
  const { engine: closed, wires } = engine();
  closed.close();
  await assert.rejects(
    closed.call("seek", ["t~1", 1]),
    (error) => error instanceof EngineFailure && error.detail.message === "closed",
  );
  assert.deepEqual(first(wires).posted, []);

  const { engine: trapped, wires: others } = engine();
  const call = trapped.call("seek", ["t~1", 1]);
  first(others).answer({ id: 1, error: { kind: "trap", message: "unreachable" } });
  await assert.rejects(call, /unreachable/);
  await assert.rejects(trapped.call("seek", ["t~1", 2]), /unreachable/);
});

test("the registry shows where the db directory is", () => {
  const blob = new Blob(["x"]);
  const gathered = relativeToDb(
    new Map([
      ["data/db/tables.d.0", blob],
      ["data/db/trades~7/_meta", blob],
      ["data/db/.checkpoint/tables.d.0", blob],
      ["data/conf/server.conf", blob],
    ]),
  );
  assert.deepEqual(
    [...gathered.source.files.keys()],
    ["tables.d.0", "trades~7/_meta", ".checkpoint/tables.d.0"],
  );
  assert.equal(gathered.bytes, 3);
  assert.throws(() => relativeToDb(new Map([["a/b", blob]])), NotADatabase);
  assert.throws(() => relativeToDb(new Map()), /drop the folder itself/);
});

test("only http elsewhere is mixed content on an https page", () => {
  const page = new URL("https://page.example/");
  assert.ok(isMixed(page, new URL("http://db.example/")));
  assert.ok(!isMixed(page, new URL("http://127.0.0.1:9010/db/")));
  assert.ok(!isMixed(page, new URL("https://db.example/")));
  assert.ok(!isMixed(new URL("http://page.example/"), new URL("http://db.example/")));
});

test("recipes are valid and name this page; the probe can't break out of its quotes", () => {
  for (const { text } of recipes("https://page.example")) {
    assert.ok(JSON.stringify(JSON.parse(text)).includes("https://page.example"));
    assert.ok(text.includes("Content-Range"));
  }
  const probe = curlProbe("https://x/db'; rm -rf ~ '/", "https://page.example");
  assert.equal(probe.match(/'/g)?.length, 8);
});

test("the innermost field owns a byte", () => {
  const field = (offset: number, length: number, depth: number, file = 0) => ({
    file,
    offset,
    length,
    depth,
    name: "",
    value: "",
  });
  const owners = ownersOf([field(0, 8, 0), field(2, 4, 1), field(0, 8, 0, 1)], 0, 1, 8);
  assert.deepEqual([...owners], [0, 1, 1, 1, 1, 0, 0, -1]);
});
