/** The instances of a cluster: a lane for each, a cell for each partition, and one word on all. */
import { cpSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BUCKETS, expect, expectedOf, open, settled, test, writeUnchecked } from "./site.js";
import { startStatic } from "./static.mjs";

test.beforeEach(() => {
  test.skip(BUCKETS === "", "UNDERSTUDY_BUCKETS is not set");
});

test("a lane for each instance: what it lacks at a moment, and that all converge", async ({ page, home }) => {
  const server = await startStatic(join(BUCKETS, "plain"));
  const [, , end] = expectedOf("trades");
  const at = (txn: number) =>
    open(page, `${home}?src=${encodeURIComponent(server.url)}#table=trades&t=txn:${txn}&tab=cluster`);
  await at(Math.floor((end?.last ?? 0) / 2));
  const lanes = page.locator(".lanes tbody tr");
  await expect(lanes).toHaveCount(3);
  await expect(lanes.nth(0)).toContainText("primary");
  await expect(lanes.nth(2)).toContainText("far");
  await at(end?.last ?? 0);
  // The far one has not come to the end.
  await expect(page.locator(".head .verdict")).toContainText("behind");
  await expect(lanes.nth(1)).toContainText("0 txns");
  await expect(lanes.nth(2).locator(".cell-behind").first()).toBeVisible();
  await expect(page.locator(".cluster")).toContainText("Terms");
  await page.locator(".operations .linklike").first().click();
  await settled(page);
  await page.getByRole("button", { name: "Store operation" }).click();
  await expect(page).toHaveURL(/axis=op/);
  await server.close();
});

test("digests that differ at one transaction are told", async ({ page, home }) => {
  const dir = mkdtempSync(join(tmpdir(), "understudy-bucket-"));
  cpSync(join(BUCKETS, "plain"), dir, { recursive: true });
  const path = join(dir, "nodes/0001/00000002.journal");
  const [, , end] = expectedOf("trades");
  const journal = readFileSync(path, "utf8");
  expect(journal).toContain(end?.digest);
  const changed = journal.replace(end?.digest ?? "", "0".repeat(32));
  writeUnchecked(path, JSON.parse(changed) as Record<string, unknown>);
  const server = await startStatic(dir);
  await open(
    page,
    `${home}?src=${encodeURIComponent(server.url)}#table=trades&t=txn:${end?.last}&tab=cluster`,
  );
  await expect(page.locator(".head .verdict")).toContainText("1 table differs");
  await expect(page.locator(".lanes tbody tr").nth(1).locator(".cell-differs")).toContainText("trades");
  await server.close();
  rmSync(dir, { recursive: true, force: true });
});

test("a cell for each partition: how it is stored, and whether its content is the same", async ({
  page,
  home,
}) => {
  const dir = mkdtempSync(join(tmpdir(), "understudy-bucket-"));
  cpSync(join(BUCKETS, "plain"), dir, { recursive: true });
  const plain = await startStatic(join(BUCKETS, "plain"));
  const [, , end] = expectedOf("trades");
  const address = (url: string) =>
    `${home}?src=${encodeURIComponent(url)}#table=trades&t=txn:${end?.last}&tab=cluster`;
  await open(page, address(plain.url));
  // Where journals tell of tables only, tables are counted.
  await expect(page.locator(".stored")).toHaveCount(0);
  const held = await page.evaluate(() => globalThis.understudy?.shown.table?.partitions ?? []);
  expect(held.length).toBeGreaterThan(4);
  const tell = (node: number, change: (part: Record<string, unknown>, i: number) => void) => {
    const journals = join(dir, "nodes", String(node).padStart(4, "0"));
    const last = JSON.parse(readFileSync(join(journals, "00000002.journal"), "utf8")) as Record<
      string,
      unknown
    >;
    const partitions = held.map(({ name, rows, digest }, i) => {
      const part: Record<string, unknown> = { name, rows, bytes: 1000 * rows, digest };
      change(part, i);
      return part;
    });
    const what = { what: "partitions", table: end?.dir, seq_txn: end?.last, partitions };
    const at_us = last["written_us"];
    const policies = {
      what: "policies",
      tables: { [end?.dir ?? ""]: { policy: "TO PARQUET 1 HOUR", status: "A" } },
    };
    const entries = [
      { at_us, ...policies },
      { at_us, ...what },
    ];
    writeUnchecked(join(journals, "00000003.journal"), { ...last, k: 3, entries });
  };
  tell(0, () => undefined);
  tell(1, (part, i) => {
    if (i === 0) Object.assign(part, { form: "dropped", rows: 0, bytes: 0, digest: undefined });
    if (i === 1) part["form"] = "parquet";
    if (i === 2) part["form"] = "remote";
    if (i === 3) part["digest"] = "0".repeat(32);
  });
  const server = await startStatic(dir);
  await open(page, address(server.url));
  const lanes = page.locator(".lanes tbody tr");
  await expect(lanes.nth(0).locator(".part-is-equal")).toHaveCount(held.length);
  const near = lanes.nth(1);
  for (const form of ["dropped", "parquet", "remote"])
    await expect(near.locator(`.part-${form}`)).toHaveCount(1);
  await expect(near.locator(".part-is-differs")).toHaveText("N≠");
  await expect(near.locator(".strip")).toHaveAttribute(
    "aria-label",
    /1 dropped, 1 Parquet, 1 remote, \d+ native; 1 differ/,
  );
  // The far one told nothing.
  await expect(lanes.nth(2).locator(".part")).toHaveCount(0);
  await expect(page.locator(".head .verdict")).toContainText("1 partition differs");
  await expect(page.locator(".cluster-verdict")).toContainText(`trades ${held[3]?.name}`);
  const first = page.locator(".stored tbody tr").first();
  await expect(first).toContainText(held[3]?.name ?? "");
  await expect(first).toContainText("00000000");
  // The same lanes beside the policies that are tried out, whose table is read from the same bucket.
  await page.getByRole("tab", { name: "Storage" }).click();
  const real = page.getByRole("region", { name: "Instances of the cluster" });
  await expect(real.locator(".lab-lane")).toHaveCount(3);
  await expect(real.locator(".lab-lane").nth(1).locator(".lab-brick-parquet")).toContainText("Parquet");
  await expect(real).toContainText("TO PARQUET 1 HOUR, active");
  await page.getByRole("button", { name: /Begin after txn/ }).click();
  await page.getByRole("button", { name: "TO PARQUET 1h, DROP LOCAL 4h" }).click();
  await page.getByRole("button", { name: "+10 min" }).click();
  await expect(page.locator("[data-verdict=converged]")).toBeVisible();
  await expect(page.locator(".lab-brick[data-form=parquet]").first()).toBeVisible();
  await page.getByRole("tab", { name: "Cluster" }).click();
  // Comparing two moments shows how it was stored at each.
  await page.evaluate((txn) => globalThis.understudy?.dispatch({ do: "compareWith", with: { txn } }), 700);
  await expect(page.locator(".pairs tbody tr").nth(1)).toContainText("primary native, near Parquet");
  await expect(page.locator(".pairs tbody tr").nth(1)).toContainText("not told");
  await server.close();
  await plain.close();
  rmSync(dir, { recursive: true, force: true });
});

interface Journal {
  entries: { at_us: number; what: string; tables?: Record<string, number> }[];
  [key: string]: unknown;
}

/** The journal of a node in this many objects, summed up as instances do. */
function spread(dir: string, node: number, objects: number): void {
  const journals = join(dir, "nodes", String(node).padStart(4, "0"));
  const path = (k: number) => join(journals, `${String(k).padStart(8, "0")}.journal`);
  const old = [0, 1, 2].map((k) => JSON.parse(readFileSync(path(k), "utf8")) as Journal);
  const entries = old.flatMap((journal) => journal.entries);
  const state: Record<string, number> = {};
  let summary: Journal["entries"] = [];
  for (let k = 0; k < objects; k++) {
    const at = (n: number) => Math.floor((n * entries.length) / objects);
    const mine = entries.slice(at(k), at(k + 1));
    const written_us = mine[mine.length - 1]?.at_us ?? entries[Math.max(0, at(k) - 1)]?.at_us;
    const full = k % 16 === 0 ? { state: { ...state }, holds: entries.slice(0, 1) } : {};
    const rolled = k % 256 === 255 ? { summary } : {};
    writeUnchecked(path(k), { ...old[0], k, written_us, ...full, ...rolled, entries: mine });
    summary = k % 256 === 255 ? [] : [...summary, ...mine];
    for (const { what, tables } of mine) if (what === "applied") Object.assign(state, tables);
  }
}

test("of a long journal the newest is read, and the rest when somebody looks there", async ({
  page,
  home,
}) => {
  const dir = mkdtempSync(join(tmpdir(), "understudy-bucket-"));
  cpSync(join(BUCKETS, "plain"), dir, { recursive: true });
  spread(dir, 1, 1100);
  const [plain, long] = await Promise.all([startStatic(join(BUCKETS, "plain")), startStatic(dir)]);
  const asked = new Set<string>();
  page.on("request", (request) => {
    const url = request.url();
    if (url.startsWith(long.url) && url.includes("/nodes/0001/")) asked.add(url);
  });
  const [, , end] = expectedOf("trades");
  const moments = [0.98, 0.6, 0.3, 0.02].map((part) => Math.max(1, Math.floor((end?.last ?? 0) * part)));
  const lane = async (url: string, txn: number) => {
    await open(page, `${home}?src=${encodeURIComponent(url)}#table=trades&t=txn:${txn}&tab=cluster`);
    const near = page.locator(".lanes tbody tr").nth(1);
    await expect(near).not.toContainText("not read yet");
    return near.innerText();
  };
  const expected: string[] = [];
  for (const txn of moments) expected.push(await lane(plain.url, txn));
  await lane(long.url, end?.last ?? 0);
  // About twenty to find the end, then at most seventeen.
  expect(asked.size).toBeLessThan(45);
  const [before] = [asked.size];
  for (const [i, txn] of moments.entries()) {
    await page.evaluate((txn) => globalThis.understudy?.dispatch({ do: "toTxn", txn }), txn);
    await settled(page);
    const near = page.locator(".lanes tbody tr").nth(1);
    await expect(near).not.toContainText("not read yet");
    await expect.poll(() => near.innerText()).toBe(expected[i]);
  }
  expect(asked.size).toBeGreaterThan(before);
  // Not one by one, but by their summaries.
  expect(asked.size).toBeLessThan(140);
  await plain.close();
  await long.close();
  rmSync(dir, { recursive: true, force: true });
});
