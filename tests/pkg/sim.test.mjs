/**
 * The simulated cluster as an npm package: `understudy/sim` in node.
 * `node --test tests/pkg/`, after `scripts/wasm.sh sim`.
 */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { before, test } from "node:test";

const wasm = new URL("../../pkg/understudy_sim_bg.wasm", import.meta.url);
const skip = existsSync(wasm) ? false : "scripts/wasm.sh sim builds the module";
let Simulation;

before(async () => {
  if (skip) return;
  const module = await import("../../pkg/sim.js");
  await module.loadSim(await readFile(wasm));
  ({ Simulation } = module);
});

function run(sim, us) {
  while (!sim.runUntil(us, 1000));
  return JSON.parse(sim.told());
}

test("a cluster runs, fails over, and the script replays it", { skip }, () => {
  const scenario = { nodes: 3, clients: 2, operator: false, node: { failover: false } };
  const sim = Simulation.open(JSON.stringify(scenario), 7n);
  assert.equal(run(sim, 4e6).nodes[0].role, "primary");
  sim.order('{"do": "kill", "node": 0}', 4e6);
  run(sim, 5e6);
  const given = JSON.parse(sim.order('{"do": "promote", "node": 1}', 5e6));
  assert.ok(given.at_us > 5e6);
  const told = run(sim, 12e6);
  assert.deepEqual([told.nodes[0].up, told.nodes[1].role, told.nodes[1].writes], [false, "primary", true]);
  assert.ok(JSON.parse(sim.happenings()).some(({ kind, who }) => kind === "opened" && who === "node1"));
  const again = Simulation.open(sim.scenario(), 7n);
  assert.deepEqual(run(again, 12e6), told);
  assert.equal(again.trace(), sim.trace());
});

test("what travels has its times", { skip }, () => {
  const sim = Simulation.open('{"nodes": 2, "clients": 1}', 3n);
  const seen = new Set();
  for (let step = 1; step < 3000 && !sim.over(); step++) {
    sim.runToStep(step, 1);
    const { in_flight: flights, now_us: now } = JSON.parse(sim.told());
    for (const { what, sent_us: sent, arrives_us: arrives } of flights) {
      assert.ok(sent <= now && now <= arrives, `${what}: ${sent} ${now} ${arrives}`);
      seen.add(what);
    }
  }
  for (const what of ["put", "get", "stored", "read", "refused", "settings", "write", "answer"]) {
    assert.ok(seen.has(what), what);
  }
});

test("what is no scenario or no command is said", { skip }, () => {
  assert.throws(() => Simulation.open('{"nodes": 0}', 1n), /1 to 31 nodes/);
  assert.throws(() => Simulation.open("{", 1n), /can't be read/);
  const sim = Simulation.open('{"name": "chaos"}', 1n);
  assert.throws(() => sim.order('{"do": "nonsense"}', 0), /can't be read/);
});
