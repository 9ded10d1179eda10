/** A moment of a real recording gone on with in the lab: the rows are the replay's, the numbers the simulator's own. */
import { join } from "node:path";
import type { Page } from "@playwright/test";
import { numbersAgree, openLab, SECOND, still, to, told } from "./cluster.js";
import { BUCKETS, expect, expectedOf, open, serious, settled, test } from "./site.js";
import { startStatic } from "./static.mjs";

const FORK = 5 * SECOND;

/** The table on show in the replay, and what its log tells of what came behind the moment. */
function replayed(page: Page) {
  return page.evaluate(() => {
    const stage = globalThis.understudy;
    const history = stage?.state.histories.get(stage.state.table ?? "");
    const table = stage?.shown.table;
    if (!history || !table) throw new Error("nothing is on show");
    const at = history.times[table.seqTxn - 1] ?? 0;
    const behind = [...history.times].slice(table.seqTxn).map((us, i): [number, number] => {
      return [us - at, Math.max(0, history.rows[table.seqTxn + i] ?? 0)];
    });
    return { name: table.name, rows: table.rows, digest: table.digest, behind };
  });
}

/** Opens the lab from the replay, by the button. */
async function fork(page: Page): Promise<void> {
  await page.getByRole("button", { name: "Fork here" }).click();
  await page.waitForURL(/#lab&from=/);
  await still(page);
}

/** What the page says of each table is what the simulator tells. */
async function tablesAgree(page: Page): Promise<void> {
  await numbersAgree(page);
  for (const { name, began, written } of (await told(page)).tables ?? []) {
    const row = page.locator(`tr[data-table="${name}"]`);
    await expect(row.locator("[data-began]")).toHaveAttribute("data-began", String(began));
    await expect(row.locator("[data-written]")).toHaveAttribute("data-written", String(written));
    await expect(row.locator("[data-written]")).toHaveText(
      String(written).replace(/\B(?=(\d{3})+$)/g, "\u202f"),
    );
  }
}

test("a recording is forked: the same rows, a dead primary, a promoted replica, and the real branch beside it", async ({
  page,
  home,
  complaints,
}) => {
  await open(page, `${home}#table=trades~7&t=txn:300`);
  const before = await replayed(page);
  expect(before.rows).toBeGreaterThan(1000);
  await fork(page);

  const begun = await told(page);
  expect([begun.us, begun.rows.made]).toEqual([FORK, 0]);
  const trades = begun.tables?.[0];
  expect(trades).toEqual({
    name: "trades",
    began: before.rows,
    rows: before.rows,
    written: 0,
    digest: before.digest,
  });
  const all = (begun.tables ?? []).reduce((sum, table) => sum + table.rows, 0);
  expect(begun.tables?.length).toBeGreaterThan(2);
  expect(begun.nodes.map((node) => [node.rows, node.lag])).toEqual(Array(3).fill([all, 0]));
  await expect(page.locator('tr[data-table="trades"]')).toHaveAttribute("data-same", "true");
  await expect(page.locator(".fo-beside")).toContainText("A trading day: trades after transaction 300");
  await tablesAgree(page);

  await to(page, 9 * SECOND);
  await page.getByRole("button", { name: "Kill primary" }).click();
  await to(page, 11 * SECOND);
  await page.locator("[data-end=node1]").click();
  const menu = page.getByRole("group", { name: "What can be done to node1" });
  await menu.getByRole("button", { name: "Promote now" }).click();
  await to(page, 25 * SECOND);
  await expect(page.locator("[data-end=node1]")).toHaveAttribute("data-state", "primary");
  const after = await told(page);
  expect(await page.evaluate(() => globalThis.understudyLab?.violation)).toBeNull();
  expect(after.rows.in_history).toBeGreaterThan(0);
  expect((after.tables ?? []).reduce((sum, table) => sum + table.written, 0)).toBe(after.rows.in_history);
  await tablesAgree(page);

  // The real branch is what the log tells.
  const really = before.behind.filter(([us]) => us <= 20 * SECOND).reduce((sum, [, rows]) => sum + rows, 0);
  const row = page.locator('tr[data-table="trades"]');
  await expect(row.locator("[data-really]")).toHaveAttribute("data-really", String(really));
  const end = before.behind.reduce((sum, [, rows]) => sum + rows, 0);
  await expect(row.locator("[data-end-written]")).toHaveAttribute("data-end-written", String(end));
  await expect(page.locator(".fo-both svg")).toHaveAttribute(
    "aria-label",
    /really written, and [\d\u202f]+ here/,
  );

  // Runs that were left stay in the picture.
  await page.keyboard.press("f");
  await expect(page.locator(".fo-both-left")).toHaveCount(1);
  expect(await serious(page)).toEqual([]);
  expect(complaints).toEqual([]);
});

test("its link replays it: in this tab, and in one that has to read the recording anew", async ({
  page,
  home,
  browser,
}) => {
  await open(page, `${home}#table=orders~8&t=txn:200`);
  const before = await replayed(page);
  await page.keyboard.press("f");
  await page.waitForURL(/#lab&from=/);
  await still(page);
  await to(page, 8 * SECOND);
  await page.keyboard.press("x");
  await to(page, 10 * SECOND);
  await expect(page).toHaveURL(/t=10/);
  const { trace, step, tables } = await told(page);
  expect(tables?.[0]).toMatchObject({ name: "orders", began: before.rows });
  await page.reload();
  await still(page);
  expect(await told(page)).toMatchObject({ trace, step });
  const context = await browser.newContext({ reducedMotion: "reduce", serviceWorkers: "block" });
  const other = await context.newPage();
  await other.goto(page.url());
  await still(other);
  await expect(other.locator('tr[data-table="orders"]')).toHaveAttribute("data-same", "true");
  expect(await told(other)).toMatchObject({ trace, step, tables });
  await context.close();
  // And back to where it came from.
  await page.getByRole("link", { name: "To the moment in the replay" }).click();
  await settled(page);
  expect(await replayed(page)).toEqual(before);
});

test("of a large table the newest rows are taken, and the page says so", async ({ page, home }) => {
  await open(page, `${home}#table=quotes~6&t=txn:915`);
  const { rows } = await replayed(page);
  expect(rows).toBeGreaterThan(5000);
  await fork(page);
  expect((await told(page)).tables?.[0]).toMatchObject({ name: "quotes", began: 5000, rows: 5000 });
  await expect(page.locator('tr[data-table="quotes"]')).toContainText(/the last 5.000 of 8.084 rows/);
  await expect(page.locator('tr[data-table="quotes"]')).not.toHaveAttribute("data-same", /./);
});

test("a folder's fork outlives a reload, another seed goes on from it, and a file has all of it", async ({
  page,
  home,
  copy,
}) => {
  await open(page, home);
  await page.getByRole("button", { name: "Open" }).click();
  await page.locator("input[type=file]").setInputFiles(copy);
  await expect(page).toHaveURL(/\?dropped=db/);
  await settled(page);
  await page.evaluate(() => globalThis.understudy?.dispatch({ do: "table", dir: "trades~7" }));
  await page.evaluate(() => globalThis.understudy?.dispatch({ do: "toTxn", txn: 100 }));
  await settled(page);
  const { rows, digest } = await replayed(page);
  await fork(page);
  await page.reload();
  await still(page);
  const begun = { name: "trades", began: rows, rows, digest };
  expect((await told(page)).tables?.[0]).toMatchObject(begun);
  await page.keyboard.press("e");
  await page.getByLabel("Seed").fill("12");
  await page.getByLabel("Seed").blur();
  await expect(page).toHaveURL(/seed=12/);
  await still(page);
  const other = await told(page);
  expect([other.seed, other.us]).toEqual([12, FORK]);
  expect(other.tables?.[0]).toMatchObject(begun);
  await to(page, 8 * SECOND);
  const { trace } = await told(page);
  await page.keyboard.press("e");
  const waiting = page.waitForEvent("download");
  await page.getByRole("button", { name: "Export as a file" }).click();
  const path = await (await waiting).path();
  await openLab(page, `${home}?again#lab`);
  await page.keyboard.press("e");
  await page.getByLabel("Import a file").setInputFiles(path);
  await still(page);
  await to(page, 8 * SECOND);
  expect((await told(page)).trace).toBe(trace);
});

test("of a bucket the nodes are those that ran, the primary first", async ({ page, home, browser }) => {
  test.skip(BUCKETS === "", "UNDERSTUDY_BUCKETS is not set");
  const server = await startStatic(join(BUCKETS, "plain"));
  const { dir, seqTxn, rows, digest } = expectedOf("trades")[1] ?? {
    dir: "",
    seqTxn: 0,
    rows: 0,
    digest: "",
  };
  await open(page, `${home}?src=${encodeURIComponent(server.url)}#table=${dir}&t=txn:${seqTxn}`);
  const names = await page.evaluate(() => {
    const { cluster } = globalThis.understudy?.shown ?? {};
    return cluster?.instances.map(({ name }) => name) ?? [];
  });
  await fork(page);
  const begun = await told(page);
  expect(begun.tables?.[0]).toEqual({ name: "trades", began: rows, rows, written: 0, digest });
  const really = await page.evaluate(() => globalThis.understudyLab?.forked.fork?.begin.names ?? []);
  expect(really.length).toBeGreaterThan(0);
  expect(begun.nodes).toHaveLength(really.length);
  expect(really.every((words) => names.includes(words.split(", ")[0] ?? ""))).toBe(true);
  expect(really[0]).toContain("primary");
  await expect(page.locator("[data-end=node0]")).toContainText(`was ${really[0]}`);
  await expect(page.locator('tr[data-table="trades"]')).toHaveAttribute("data-same", "true");
  const other = await (await browser.newContext({ serviceWorkers: "block" })).newPage();
  await openLab(other, page.url());
  expect((await told(other)).trace).toBe(begun.trace);
  await other.context().close();
  await server.close();
});
