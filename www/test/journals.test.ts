/** Journals over HTTP, of which a request fails now and then. */
import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import test from "node:test";
import { Journals } from "../worker/bucket/journals.js";
import { Store } from "../worker/bucket/store.js";

const ROLLUP = 256;
const COUNT = 4 * ROLLUP + 1;

/** Object `k` tells of one thing at `k`; each last one of a group sums up its group. */
function journal(k: number): object {
  const entry = (at_us: number) => ({ at_us, what: "applied", tables: { "t~1": at_us } });
  const first = k + 1 - ROLLUP;
  const summary = Array.from({ length: ROLLUP - 1 }, (_, i) => entry(first + i));
  return { k, written_us: k, entries: [entry(k)], ...((k + 1) % ROLLUP === 0 ? { summary } : {}) };
}

test("older journals that could not be read are asked for again", async () => {
  const asked: number[] = [];
  let refused = -1;
  const server = createServer((request, response) => {
    const [, of] = /^\/nodes\/0000\/(\d+)\.journal$/.exec(request.url ?? "") ?? [];
    const k = Number(of ?? NaN);
    if (of !== undefined) asked.push(k);
    if (k === refused) response.writeHead(400).end();
    else if (request.url === "/nodes/0000.json") response.end(JSON.stringify({ name: "a", kind: "replica" }));
    else if (k < COUNT) response.end(JSON.stringify(journal(k)));
    else response.writeHead(404).end();
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  try {
    const { port } = server.address() as AddressInfo;
    const document = (_: string, bytes: Uint8Array) => new TextDecoder().decode(bytes);
    const journals = new Journals({ document }, new Store(`http://127.0.0.1:${port}/`));
    await journals.refresh();
    const instance = journals.instances[0] ?? assert.fail("no instance");
    assert.equal(instance.since, 3 * ROLLUP);

    refused = 3 * ROLLUP - 1;
    await assert.rejects(journals.reach(600), /answered 400/);
    assert.equal(instance.since, 3 * ROLLUP);
    refused = -1;
    asked.length = 0;
    assert.equal(await journals.reach(600), true);
    assert.deepEqual(asked, [3 * ROLLUP - 1]);
    assert.ok(instance.entries.some(({ at_us }) => at_us === 600));
    assert.equal(instance.since, 2 * ROLLUP);

    await journals.reach(0);
    const told = instance.entries.map(({ at_us }) => at_us);
    assert.deepEqual(
      told,
      Array.from({ length: COUNT }, (_, k) => k),
    );
    assert.equal(instance.since, null);
  } finally {
    server.closeAllConnections();
    server.close();
  }
});
