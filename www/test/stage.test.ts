/** The stage with the stand-in engine: what is asked is what is shown in the end. */
import assert from "node:assert/strict";
import test from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import type { Port } from "../engine/client.js";
import { Engine } from "../engine/client.js";
import type { Opening } from "../engine/source.js";
import { lookAgain } from "../live.js";
import { COMMANDS } from "../model/command.js";
import { density, marks } from "../model/density.js";
import { parseLink } from "../model/link.js";
import { search } from "../model/search.js";
import { axisFor, historyNow, WHOLE } from "../model/state.js";
import { Stage } from "../stage.js";
import type { Request } from "../worker/protocol.js";
import { Double } from "./double/engine.js";

const OPENING: Opening = {
  source: { kind: "url", url: "http://x/" },
  title: "x",
  bundled: false,
  memory: 1,
  second: null,
};

/** Answers like a worker, a little later; `breaks` makes a seek there trap. */
class DoublePort implements Port {
  onmessage: Port["onmessage"] = null;
  onerror: Port["onerror"] = null;
  static seeks: number[] = [];
  readonly #double = new Double();
  readonly #breaks: () => number | null;

  constructor(breaks: () => number | null) {
    this.#breaks = breaks;
  }

  postMessage(message: unknown): void {
    const { id, method, args } = message as Request;
    setTimeout(() => {
      if (method === "seek") {
        DoublePort.seeks.push(args[1]);
        if (args[1] === this.#breaks()) {
          this.onmessage?.({ data: { id, error: { kind: "trap", message: "unreachable" } } } as MessageEvent);
          return;
        }
      }
      const call = method === "open" ? "overview" : method;
      const ok = (this.#double[call as "state"] as (...all: unknown[]) => unknown).apply(this.#double, args);
      this.onmessage?.({ data: { id, ok } } as MessageEvent);
    }, 1);
  }

  terminate(): void {
    this.onmessage = null;
  }
}

async function open(link = "", breaks: () => number | null = () => null): Promise<Stage> {
  DoublePort.seeks = [];
  const stage = new Stage(new Engine(() => new DoublePort(breaks)), OPENING);
  stage.dispatch({ do: "restore", link: parseLink(link) });
  stage.opened(new Double().overview());
  await settled(stage);
  return stage;
}

async function settled(stage: Stage): Promise<void> {
  for (let i = 0; i < 400; i++) {
    await wait(2);
    if (stage.condition.is === "crashed" && stage.condition.recovered) return;
    if (!stage.behind && stage.shown.rows && stage.shown.busySince === null) return;
  }
  assert.fail("never settled");
}

test("opens where the link says", async () => {
  const stage = await open("#table=quotes~6&t=txn:400");
  assert.equal(stage.shown.table?.dir, "quotes~6");
  assert.equal(stage.shown.table.seqTxn, 400);
  assert.ok(stage.shown.rows?.changed.includes(true), "the rows shown hold what changed");
});

test("while it is busy only the newest wish counts", async () => {
  const stage = await open("#table=trades~7");
  for (let txn = 1; txn <= 300; txn++) stage.dispatch({ do: "toTxn", txn });
  await settled(stage);
  assert.equal(stage.shown.table?.seqTxn, 300);
  assert.ok(DoublePort.seeks.length <= 4, `${DoublePort.seeks.length} seeks`);
});

test("a wish made at any moment is not lost", async () => {
  const stage = await open("#table=trades~7&t=txn:5");
  for (let i = 0; i < 40; i++) {
    stage.dispatch({ do: "table", dir: i % 2 === 0 ? "quotes~6" : "trades~7" });
    // After as many turns of the event loop's small wheel as the pump may be in.
    for (let turns = 0; turns < i % 8; turns++) await Promise.resolve();
    stage.dispatch({ do: "toTxn", txn: 10 + i });
    await settled(stage);
    assert.equal(stage.shown.table?.seqTxn, 10 + i);
  }
});

test("what the engine finds wrong only at the end of a log is told there", async () => {
  const stage = await open("#table=orders~8&t=txn:5");
  const problems = () => stage.state.overview?.problems ?? [];
  assert.equal(problems().length, 0);
  stage.dispatch({ do: "end" });
  for (let i = 0; i < 50 && problems().length === 0; i++) await wait(2);
  assert.match(problems()[0]?.message ?? "", /server's own files/);
});

test("the end of a log that is still written is followed, until one goes elsewhere", async () => {
  const stage = await open("#table=quotes~6&t=txn:5");
  const last = historyNow(stage.state)?.kind.length ?? 0;
  const shows = async (txn: number) => {
    for (let i = 0; i < 200 && stage.shown.table?.seqTxn !== txn; i++) await wait(2);
    assert.equal(stage.shown.table?.seqTxn, txn);
  };
  stage.dispatch({ do: "live", on: true });
  await shows(last);
  await lookAgain(stage);
  await shows(last + 1);
  stage.dispatch({ do: "step", by: -1 });
  assert.equal(stage.state.live, false);
  await lookAgain(stage);
  await settled(stage);
  for (let i = 0; i < 50 && historyNow(stage.state)?.kind.length !== last + 2; i++) await wait(2);
  assert.equal(historyNow(stage.state)?.kind.length, last + 2, "the log is read on");
  await shows(last);
});

test("rows that were scrolled to are fetched, and kept while nothing moves", async () => {
  const stage = await open("#table=trades~7&t=txn:1000");
  stage.look({ first: 5, count: 20 });
  for (let i = 0; i < 50 && (stage.shown.rows?.first ?? 0) > 5; i++) await wait(2);
  assert.ok((stage.shown.rows?.first ?? 99) <= 5);
});

test("after a trap the page starts again at the last link, and does not loop", async () => {
  let at: number | null = 77;
  const stage = await open("#table=trades~7&t=txn:70", () => at);
  stage.dispatch({ do: "toTxn", txn: 77 });
  await settled(stage);
  assert.equal(stage.condition.is, "crashed");
  at = null;
  await stage.resume(false);
  await settled(stage);
  assert.equal(stage.shown.table?.seqTxn, 77);
  assert.equal(stage.shown.table.dir, "trades~7");
});

test("density counts every row once, and marks name the event", async () => {
  const stage = await open("#table=trades~7");
  const history = historyNow(stage.state) ?? assert.fail();
  for (const kind of ["txn", "time"] as const) {
    const axis = axisFor(history, kind);
    const { all, peak } = density(history, axis, WHOLE, 900);
    assert.ok(peak > 0);
    assert.equal(Math.max(...all), 1);
    const found = marks(history, axis, WHOLE, 900);
    const special = [...history.kind].filter((k) => k > 2).length;
    assert.equal(
      found.reduce((sum, m) => sum + m.count, 0),
      special,
    );
  }
});

test("search finds tables, places, events and commands", async () => {
  const stage = await open("#table=trades~7&t=txn:20");
  const find = (text: string) => search(text, stage.state, stage.shown.table?.partitions ?? [], COMMANDS);
  assert.deepEqual(find("quotes")[0]?.command, { do: "table", dir: "quotes~6" });
  assert.deepEqual(find("txn 1 200")[0]?.command, { do: "toTxn", txn: 1200 });
  assert.equal(find("09:30")[0]?.command.do, "toTime");
  assert.equal(
    find("truncate").some((f) => f.group === "Event"),
    true,
  );
  assert.equal(
    find("faster").some((f) => f.command.do === "speedBy"),
    true,
  );
  assert.deepEqual(find("no such thing"), []);
});
