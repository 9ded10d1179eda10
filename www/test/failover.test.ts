import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import test from "node:test";
import { atRisk, monthOf } from "../model/failover/account.js";
import { Chronicle } from "../model/failover/chronicle.js";
import { LAB_COMMANDS, type LabCommand } from "../model/failover/command.js";
import { geometryOf, isCut, partOf, travelling } from "../model/failover/geometry.js";
import { holds, readLesson, valueAt } from "../model/failover/lesson.js";
import { formatLabLink, isLabLink, parseLabLink } from "../model/failover/link.js";
import { isOn, orderOf } from "../model/failover/orders.js";
import { CHAOS, FREE, isOrder, nameOf, readScenario, SAFE } from "../model/failover/scenario.js";
import { begun, cutHere, given, type LabState, reduceLab } from "../model/failover/state.js";
import type { Happening, NodeTold, Told } from "../model/failover/told.js";
import { happeningWords, narration, nodeState, orderWords } from "../model/failover/words.js";
import { entryOfKey } from "../model/command.js";

const SECOND = 1_000_000;
const LESSONS = join(process.cwd(), "www/public/lessons");
const CONNECTED = { outage_us: 0, longest_outage_us: 0, outages: 0, stopped: null };

function node(node: number, part: Partial<NodeTold> = {}): NodeTold {
  return {
    node,
    up: true,
    paused: false,
    role: "replica",
    writes: false,
    refuses: null,
    term: 1,
    next: 5,
    lag: 0,
    behind_us: 0,
    caught_up_us: 0,
    queued: 0,
    flying: 0,
    rows: 10,
    aside: 0,
    promotions: 0,
    fenced: 0,
    ...part,
  };
}

function told(part: Partial<Told> = {}): Told {
  return {
    seed: 7,
    step: 100,
    now_us: 4 * SECOND,
    trace: "00",
    store: "s3",
    history: 5,
    term: 1,
    rows: { made: 20, acknowledged: 16, durable: 8, in_history: 12, lost: 0, duplicated: 0, forgotten: 0 },
    requests: { puts: 10, gets: 100, deletes: 0, bytes_in: 1000, bytes_out: 2000 },
    nodes: [node(0, { role: "primary", writes: true }), node(1, { next: 4, lag: 1 }), node(2)],
    clients: [{ client: 0, node: 0, queue: 2, durable: false, ...CONNECTED }],
    in_flight: [],
    troubles: [],
    ...part,
  };
}

function happening(
  kind: string,
  who: string,
  at_us: number,
  fields: Record<string, unknown> = {},
): Happening {
  return { step: 1, at_us, who, kind, ...fields };
}

function play(...commands: LabCommand[]): LabState {
  const stand = { us: 4 * SECOND, told: told(), chronicle: new Chronicle() };
  return commands.reduce((state, command) => reduceLab(state, command, stand), begun(parseLabLink("#lab")));
}

test("links name a scenario, a seed and a moment, and come back as they were", () => {
  assert.ok(
    isLabLink("#lab") && isLabLink("#lab&seed=3") && !isLabLink("#lab=quotes~6") && !isLabLink("#label"),
  );
  const failing = parseLabLink("#lab&seed=1234&step=987");
  assert.deepEqual([failing.scenario, failing.seed, failing.at], [CHAOS, 1234, { step: 987 }]);
  assert.deepEqual(parseLabLink("#lab&seed=7&step=120&faults=kill,pause").scenario, {
    name: "chaos",
    faults: ["kill", "pause"],
  });
  const script = [{ do: "kill" as const, node: 0, at_us: 5 }];
  for (const scenario of [FREE, SAFE, { ...FREE, script }]) {
    const link = { scenario, seed: 9, at: { us: 12_345_678 }, speed: 0.25, from: null, lesson: "01-a" };
    assert.deepEqual(parseLabLink(formatLabLink(link)), { ...link, trouble: null });
  }
  assert.match(parseLabLink("#lab&scenario={").trouble ?? "", /not JSON/);
  assert.deepEqual(parseLabLink("#lab&seed=x&t=-1&speed=1e9&lesson=../x"), {
    scenario: FREE,
    seed: 7,
    at: null,
    speed: null,
    from: null,
    lesson: null,
    trouble: null,
  });
});

test("a scenario is one of the page's own only while nothing of it is another", () => {
  assert.equal(nameOf({ ...FREE }), "free");
  assert.equal(nameOf({ ...FREE, nodes: 2 }), null);
  assert.throws(() => readScenario('{"script": [{"do": "kill"}]}'), /at_us/);
  assert.throws(() => readScenario("[]"), /an object was expected/);
});

test("forward goes on, and back begins anew from the seed", () => {
  const on = play({ do: "by", us: SECOND });
  assert.deepEqual([on.run, on.wanted], [1, { us: 5 * SECOND }]);
  const back = play({ do: "by", us: -SECOND });
  assert.deepEqual([back.run, back.wanted], [2, { us: 3 * SECOND }]);
  assert.deepEqual(play({ do: "toStep", step: 50 }).run, 2);
  assert.deepEqual(play({ do: "toStep", step: 150 }).run, 1);
  assert.deepEqual(play({ do: "play" }, { do: "pause" }).wanted, { us: 4 * SECOND });
});

test("a moment that is gone to is one of the run: as long as its scenario says", () => {
  const stand = { us: 0, told: told(), chronicle: new Chronicle() };
  const wanted = (until_us: number) =>
    reduceLab({ ...play(), scenario: { ...FREE, until_us } }, { do: "to", us: 1e9 }, stand).wanted;
  assert.deepEqual(wanted(3600 * SECOND), { us: 1e9 });
  assert.deepEqual(wanted(900 * SECOND), { us: 900 * SECOND });
});

test("what is given becomes the script; given in the past, the old run stays as a branch", () => {
  const stand = { us: 4 * SECOND, told: told(), chronicle: new Chronicle() };
  let state = given(play(), { do: "kill", node: 0, at_us: 6 * SECOND });
  assert.equal(state.scenario.script?.length, 1);
  state = cutHere(state, stand);
  assert.deepEqual([state.run, state.branches.length, state.scenario.script], [2, 1, []]);
  state = given(state, { do: "pause", node: 0, at_us: 4 * SECOND + 1 });
  assert.deepEqual(state.scenario.script, [{ do: "pause", node: 0, at_us: 4 * SECOND + 1 }]);
  assert.equal(cutHere(state, { ...stand, us: 5 * SECOND }), state);
  const other = reduceLab(state, { do: "branch", index: 0 }, { ...stand, us: 5 * SECOND });
  assert.deepEqual(other.scenario.script, [{ do: "kill", node: 0, at_us: 6 * SECOND }]);
  assert.deepEqual(other.branches[0]?.scenario.script, state.scenario.script);
  assert.equal(reduceLab(state, { do: "fork" }, stand).branches.length, 2);
});

test("commands find the primary, the replica with most, or the one in focus", () => {
  const around = { told: told(), focus: null, durable: true, stored: false };
  assert.deepEqual(orderOf({ do: "killPrimary" }, around), { do: "kill", node: 0 });
  assert.deepEqual(orderOf({ do: "promote", planned: false }, around), { do: "promote", node: 2 });
  const chosen = { ...around, focus: "node1" };
  assert.deepEqual(orderOf({ do: "promote", planned: true }, chosen), {
    do: "promote",
    node: 1,
    planned: true,
  });
  assert.deepEqual(orderOf({ do: "toggleDurable" }, around), { do: "durable", on: false });
  const headless = { ...around, told: told({ nodes: [node(0, { up: false, role: "primary" })] }) };
  assert.equal(orderOf({ do: "killPrimary" }, headless), null);
  assert.equal(isOn("durable", { client: { durable: false } }, [{ do: "durable", on: true }]), true);
  assert.equal(isOn("store-and-forward", {}, []), true);
});

test("every key of the lab does one thing", () => {
  const keys = LAB_COMMANDS.flatMap((entry) => entry.keys);
  assert.equal(new Set(keys).size, keys.length);
  const press = (key: string) =>
    entryOfKey(LAB_COMMANDS, { key, shiftKey: false, ctrlKey: false, metaKey: false, altKey: false })?.id;
  assert.deepEqual(["x", "p", "f", "1", " ", "?", "Escape"].map(press), [
    "kill-primary",
    "promote",
    "fork",
    "focus-1",
    "toggle",
    "help",
    "escape",
  ]);
});

test("lanes follow roles, deaths and outages, and faults are windows", () => {
  const chronicle = new Chronicle();
  const pause = { fault: "pause", ends: ["node0"], from_us: 3 * SECOND, until_us: 9e15, strength: 0 };
  chronicle.take(
    [
      happening("started", "node0", 0),
      happening("role", "node0", 1, { role: "primary", why: "founded" }),
      happening("opened", "node0", SECOND, { term: 1 }),
      happening("connected", "client0", SECOND, { node: 0 }),
      happening("trouble", "bucket", 3 * SECOND, { fault: "pause" }),
    ],
    told({ troubles: [pause] }),
  );
  assert.equal(chronicle.stateAt("node0", 2 * SECOND), "primary");
  assert.deepEqual(chronicle.windows, [{ fault: "pause", ends: ["node0"], from: 3 * SECOND, to: null }]);
  chronicle.take(
    [
      happening("trouble-over", "bucket", 4 * SECOND, { fault: "pause" }),
      happening("stopped", "node0", 5 * SECOND, { why: "killed" }),
      happening("disconnected", "client0", 5 * SECOND, { node: 0 }),
    ],
    told({
      now_us: 6 * SECOND,
      nodes: [node(0, { up: false }), node(1)],
      clients: told().clients.map((client) => ({ ...client, node: null })),
    }),
  );
  assert.equal(chronicle.windows[0]?.to, 4 * SECOND);
  assert.equal(chronicle.stateAt("node0", 6 * SECOND), "down");
  assert.equal(chronicle.stateAt("client0", 6 * SECOND), "searching");
  assert.equal(chronicle.previous(5 * SECOND, true), 4 * SECOND);
  assert.equal(chronicle.counts.get("stopped"), 1);
});

test("what travels is where its times put it", () => {
  const flight = {
    from: "node0",
    to: "bucket",
    what: "put" as const,
    name: "k",
    sent_us: 1_000,
    arrives_us: 3_000,
  };
  assert.deepEqual([partOf(flight, 0), partOf(flight, 2_000), partOf(flight, 9_000)], [0, 0.5, 1]);
  const geometry = geometryOf(told(), false);
  const [from, to] = [geometry.places.get("node0"), geometry.places.get("bucket")];
  const [at] = travelling(geometry, [flight], 2_000);
  assert.equal(at?.x, ((from?.x ?? 0) + (to?.x ?? 0)) / 2);
  for (const narrow of [false, true]) {
    const { places, width, height } = geometryOf(told(), narrow);
    assert.ok([...places.values()].every(({ x, y }) => x > 0 && x < width && y > 0 && y < height));
  }
  const cut = told({
    troubles: [{ fault: "partition", ends: ["node1"], from_us: 0, until_us: 9, strength: 0 }],
  });
  assert.ok(isCut(cut, "node1", "bucket") && !isCut(cut, "node0", "bucket"));
});

test("conditions of lessons look at what happened and at what is told", () => {
  const since = {
    fromUs: SECOND,
    us: 3 * SECOND,
    told: told(),
    happened: [happening("opened", "node1", 2 * SECOND, { term: 2 })],
    given: ["kill" as const],
  };
  assert.ok(holds({ happened: "opened", who: "node1", where: { term: 2 } }, since));
  assert.ok(!holds({ happened: "opened", who: "node0" }, since));
  assert.ok(!holds({ happened: "opened", times: 2 }, since));
  assert.ok(holds({ all: [{ given: "kill" }, { after_ms: 2000 }] }, since));
  assert.ok(holds({ any: [{ given: "heal" }, { told: "rows.lost", is: "=", value: 0 }] }, since));
  assert.ok(holds({ told: "nodes.1.lag", is: ">=", value: 1 }, since));
  assert.deepEqual(
    ["nodes.max.lag", "clients.sum.queue", "nodes.min.rows", "rows.made", "nodes.9.lag"].map((path) =>
      valueAt(told(), path),
    ),
    [1, 2, 10, 20, undefined],
  );
});

test("all lessons that come with the page can be read, and say what their commands are", async () => {
  const names = (await readdir(LESSONS)).sort();
  assert.equal(names.length, 10);
  for (const name of names) {
    const lesson = readLesson(await readFile(join(LESSONS, name), "utf8"));
    assert.ok(lesson.steps.length >= 4, name);
    assert.ok(
      lesson.steps.some((step) => step.ask),
      `${name} asks something`,
    );
    for (const step of lesson.steps) {
      for (const line of step.say) assert.ok(line.length < 320, `${name}: a step says little: ${line}`);
      for (const one of step.try ?? []) assert.ok(isOrder(one.order) && orderWords(one.order) !== "");
    }
  }
});

test("what is wrong with a lesson is said, and where", () => {
  const step = { title: "a", say: ["b"] };
  const lesson = {
    format: 1,
    title: "t",
    about: "a",
    scenario: {},
    seed: 1,
    speed: 1,
    steps: [step],
    free: "f",
  };
  assert.equal(readLesson(JSON.stringify(lesson)).steps.length, 1);
  const wrong: [object, RegExp][] = [
    [{ ...lesson, format: 2 }, /format/],
    [{ ...lesson, steps: [] }, /steps: there are none/],
    [{ ...lesson, steps: [{ ...step, until: { hapened: "x" } }] }, /steps\[0\]\.until: hapened is no field/],
    [{ ...lesson, steps: [{ ...step, try: [{ label: "x", order: { do: "kil" } }] }] }, /no command/],
    [{ ...lesson, steps: [{ ...step, ask: { question: "q", answers: [] } }] }, /one of them is right/],
    [{ ...lesson, steps: [{ ...step, focus: "nobody" }] }, /nodeN/],
    [{ ...lesson, extra: 1 }, /extra is no field/],
  ];
  for (const [document, said] of wrong) assert.throws(() => readLesson(JSON.stringify(document)), said);
});

test("numbers are reckoned from what is told", () => {
  assert.equal(atRisk(told()), 4);
  assert.equal(monthOf(told(), 0), null);
  const month = monthOf(told(), 10 * SECOND);
  assert.ok(month);
  assert.equal(month.puts, 30 * 86_400);
  assert.ok(Math.abs(month.dollars - (2_592_000 * 0.005 + 25_920_000 * 0.0004) / 1000) < 1e-9);
});

test("words", () => {
  assert.equal(nodeState(node(0, { role: "primary", refuses: "fenced" })), "refuses");
  assert.equal(
    happeningWords(happening("frame-acknowledged", "client1", 0, { frame: 3, durable: true })),
    "client1 was told that frame 3 is durable",
  );
  const many = [1, 2, 3, 4, 5].map((n) => happening("disconnected", `client${n}`, n, { node: 0 }));
  const said = narration([...many, happening("opened", "node1", 9, { term: 2 })]);
  assert.match(said, /client1 lost node0.*node1 takes writes in term 2\. And 3 more\.$/);
  assert.equal(narration([happening("pack-sent", "node0", 1)]), "");
});
