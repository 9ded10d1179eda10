/** Tables and logs that begin with a copy: what is known of them, and what can be fetched. */
import { join } from "node:path";
import { BUCKETS, expect, expectedOf, open, settled, test } from "./site.js";
import { startStatic } from "./static.mjs";

test.beforeEach(() => {
  test.skip(BUCKETS === "", "UNDERSTUDY_BUCKETS is not set");
});

test("a table that begins with a copy, and a log that was cleaned", async ({ page, home }) => {
  const copied = await startStatic(join(BUCKETS, "copied"));
  const trades = expectedOf("trades").filter((e) => e.seqTxn > 500);
  for (const { dir, seqTxn, digest } of trades) {
    await open(page, `${home}?src=${encodeURIComponent(copied.url)}#table=${dir}&t=txn:${seqTxn}`);
    expect(await page.evaluate(() => globalThis.understudy?.shown.table?.digest)).toBe(digest);
  }
  await copied.close();
  const cleaned = await startStatic(join(BUCKETS, "cleaned"));
  const end = trades[trades.length - 1];
  await open(page, `${home}?src=${encodeURIComponent(cleaned.url)}#table=${end?.dir}&t=txn:${end?.last}`);
  expect(await page.evaluate(() => globalThis.understudy?.shown.table?.digest)).toBe(end?.digest);
  await cleaned.close();
});

test("what is before a table's copy is not known, and nobody committed it in 1970", async ({
  page,
  home,
}) => {
  const copied = await startStatic(join(BUCKETS, "copied"));
  const src = `src=${encodeURIComponent(copied.url)}`;
  const everywhere = async () => {
    let said = await page.locator("body").innerText();
    for (const tab of ["Log", "Bytes", "Cluster", "As text"]) {
      await page.getByRole("tab", { name: tab }).click();
      await settled(page);
      said += await page.locator("body").innerText();
    }
    expect(said).not.toMatch(/1970|wal2147483647|2147483647/);
  };
  await open(page, `${home}?${src}#table=trades&t=txn:500`);
  const now = page.getByRole("region", { name: /txn 500/ });
  await expect(now).toContainText("not known (before the copy)");
  await expect(page.locator(".head .verdict")).toContainText("Not known");
  await everywhere();
  await page.getByRole("tab", { name: "Bytes" }).click();
  await expect(page.getByRole("tabpanel")).toContainText("in the copy that the table begins with");
  const told = await page.evaluate(async () => {
    const { engine, shown } = globalThis.understudy ?? {};
    const timeline = await engine?.call("timeline", ["trades~7"]);
    return {
      transaction: shown?.table?.transaction,
      before: timeline?.commitUs[499],
      after: timeline?.commitUs[500],
    };
  });
  expect(told.transaction).toMatchObject({ commitUs: null, wal: null, segment: null });
  expect(told.before).toBeNaN();
  expect(told.after).toBeGreaterThan(1e15);
  await page.evaluate(() => globalThis.understudy?.dispatch({ do: "step", by: 1 }));
  await settled(page);
  await expect(page.locator(".readout")).toContainText("UTC");
  await copied.close();

  // Where all is in copies no time is known at all, and the axis of time is not offered.
  const cleaned = await startStatic(join(BUCKETS, "cleaned"));
  await open(page, `${home}?src=${encodeURIComponent(cleaned.url)}#table=trades&t=time:2026-08-01&axis=time`);
  await everywhere();
  await expect(page.getByRole("button", { name: "Commit time" })).toHaveCount(0);
  await expect(page.locator(".readout")).toContainText("time not known");
  await page.keyboard.press("]");
  await page.keyboard.press("k");
  await cleaned.close();
});

test("a link to a late moment fetches from the snapshot before it, and the rest when asked", async ({
  page,
  home,
}) => {
  const server = await startStatic(join(BUCKETS, "snapshot"));
  const packs = new Set<number>();
  page.on("request", (request) => {
    const pack = /\/log\/.*\/(\d{16})\.pack$/.exec(request.url());
    if (pack) packs.add(Number(pack[1]));
  });
  const src = `${home}?src=${encodeURIComponent(server.url)}`;
  const [early, , end] = expectedOf("trades");
  await open(page, `${src}#table=trades&t=txn:${end?.last}`);
  // Without a hint all of it was read, and the link tells where the moment is.
  expect(packs.has(0)).toBe(true);
  await expect(page).toHaveURL(/op=\d+/);
  const address = page.url();
  for (const link of [address, `${src}#table=trades&t=time:2026-11-23T07:17:50Z&axis=time`]) {
    packs.clear();
    await page.goto("about:blank");
    await open(page, link);
    expect(Math.min(...packs)).toBe(31);
    expect(await page.evaluate(() => globalThis.understudy?.shown.cluster?.beginsAt)).toBe(31);
  }
  await page.goto("about:blank");
  await open(page, address);
  expect(await page.evaluate(() => globalThis.understudy?.shown.table?.digest)).toBe(end?.digest);

  // Before the snapshot nothing was fetched, and that is said.
  await page.keyboard.press("Home");
  await settled(page);
  const now = page.locator(".now");
  await expect(now).toContainText("was not fetched");
  await page
    .locator(".track-canvas")
    .first()
    .hover({ position: { x: 40, y: 10 } });
  await expect(page.locator(".pit")).toContainText("not fetched");
  await page.evaluate((txn) => globalThis.understudy?.dispatch({ do: "toTxn", txn }), early?.seqTxn ?? 0);
  await settled(page);
  await page.getByRole("button", { name: "Fetch what came before" }).click();
  await expect(now).not.toContainText("was not fetched");
  await settled(page);
  expect(packs.has(0)).toBe(true);
  const shown = await page.evaluate(() => globalThis.understudy?.shown.table);
  expect(shown).toMatchObject({ seqTxn: early?.seqTxn, digest: early?.digest });
  await server.close();
});
