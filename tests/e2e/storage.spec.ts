/** Storage policies on the page: the third module, instances that differ and converge, why, and the link. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Page } from "@playwright/test";
import { expect, open, recorded, ROOT, settled, test } from "./site.js";
import { startStatic } from "./static.mjs";

const HOUR = 3600e6;

async function told(page: Page) {
  return page.evaluate(() => globalThis.understudy?.shown.lab?.told ?? null);
}

/** Waits until the worker has caught up with the clock. */
async function ran(page: Page, what: string): Promise<void> {
  await page.waitForFunction((what) => {
    const stage = globalThis.understudy;
    const lab = stage?.state.lab;
    const told = stage?.shown.lab?.told;
    if (!lab || !told || lab.instances.length !== told.instances.length) return false;
    const there = lab.us === null || told.nowUs === lab.us || told.nowUs === told.startUs;
    return there && (what === "" || told.policy === what);
  }, what);
}

async function begin(page: Page, home: string): Promise<void> {
  await open(page, `${home}#table=${recorded("orders").dir}&t=txn:1&tab=storage`);
  await page.getByRole("button", { name: /Begin after txn/ }).click();
  await expect(page.locator(".lab-lane")).toHaveCount(1);
}

async function jump(page: Page, hours: number): Promise<void> {
  const before = await told(page);
  const us = (before?.startUs ?? 0) + hours * HOUR;
  await page.evaluate((us) => globalThis.understudy?.dispatch({ do: "lab", lab: { do: "jump", us } }), us);
  await page.waitForFunction((us) => globalThis.understudy?.shown.lab?.told?.nowUs === us, us);
}

test("instances with other schedules differ, and then converge", async ({ page, home, complaints }) => {
  const modules: string[] = [];
  page.on("request", (request) => {
    if (request.url().endsWith(".wasm")) modules.push(request.url());
  });
  await open(page, `${home}#table=${recorded("orders").dir}&t=txn:1&tab=storage`);
  expect(modules.filter((url) => url.includes("parquet"))).toEqual([]);
  await page.getByRole("button", { name: /Begin after txn/ }).click();
  await expect(page.locator(".lab-lane")).toHaveCount(1);
  expect(modules.filter((url) => url.includes("parquet"))).toHaveLength(1);
  await page.getByRole("button", { name: "instance", exact: true }).click();
  await expect(page.locator(".lab-lane")).toHaveCount(2);
  await page.getByRole("button", { name: "TO PARQUET 1h, DROP LOCAL 4h" }).click();
  await ran(page, "TO PARQUET 1 HOUR, DROP LOCAL 4 HOURS");
  await expect(page.locator(".lab-status")).toHaveText("active");

  // Played for a while; a partition is old enough at nine, the second one looks again at half past.
  await page.getByLabel("Clock speed").selectOption({ label: "3 h a second" });
  await page.getByRole("button", { name: "Play the clock" }).click();
  await page.waitForFunction(() => {
    const told = globalThis.understudy?.shown.lab?.told;
    return told && told.nowUs > told.startUs;
  });
  await page.getByRole("button", { name: "Pause the clock" }).click();
  await jump(page, 1.75);
  await expect(page.locator("[data-verdict=differ]")).toHaveText("1 partition differs");

  await jump(page, 20);
  await expect(page.locator("[data-verdict=converged]")).toHaveText("converged");
  const last = await told(page);
  expect(last?.seqTxn).toBe(last?.txnCount);
  expect(last?.conversions.files).toBeGreaterThan(4);
  for (const lane of [0, 1]) {
    const bricks = page.locator(".lab-lane").nth(lane).locator(".lab-brick");
    await expect(bricks.locator("visible=true")).toHaveCount(last?.partitions.length ?? -1);
    await expect(bricks.and(page.locator("[data-form=parquet]")).first()).toContainText(/ P[\d.]+ K?B$/);
    await expect(bricks.and(page.locator("[data-form=dropped]")).first()).toBeVisible();
  }
  await expect(page.locator(".lab-events tbody tr").first()).toContainText(/DROP_LOCAL|PARQUET_/);
  expect(complaints).toEqual([]);
});

test("a brick tells why, and its rows are read from the Parquet file", async ({ page, home }) => {
  await begin(page, home);
  await page.getByRole("button", { name: "TO PARQUET 1h, DROP LOCAL 4h" }).click();
  await ran(page, "TO PARQUET 1 HOUR, DROP LOCAL 4 HOURS");
  await jump(page, 6);
  const why = page.locator(".lab-why");
  await page.locator(".lab-brick").last().click();
  await expect(why).toContainText("The last partition is never touched.");
  await page.locator(".lab-brick[data-form=parquet]").last().click();
  await expect(why).toContainText(/Next: DROP_LOCAL at 2025-06-20 \d\d:\d\d:\d\d.* as new as 2025-06-20/);
  await why.getByRole("button", { name: "Read its rows from the Parquet file" }).click();
  await expect(why.locator("tbody tr")).toHaveCount(5);
  await expect(why.locator("thead")).toContainText("symbol");
});

test("what the parser refuses it refuses at its place", async ({ page, home }) => {
  await begin(page, home);
  const field = page.getByRole("textbox", { name: "Storage policy" });
  await field.fill("TO PARQUET 3x");
  await expect(page.locator("#lab-policy-error")).toContainText("At character 13: invalid time unit");
  await expect(page.getByRole("button", { name: "Set now" })).toBeDisabled();
  await field.fill("TO REMOTE 1h, DROP LOCAL 2h");
  await page.getByRole("button", { name: "Set now" }).click();
  await ran(page, "TO REMOTE 1 HOUR, DROP LOCAL 2 HOURS");
  await page.getByRole("button", { name: "Disable", exact: true }).click();
  await expect(page.locator(".lab-status")).toHaveText("disabled");
});

test("a link brings the same lab back, paused", async ({ page, home, context }) => {
  await begin(page, home);
  await page.getByRole("button", { name: "TO REMOTE 1h, DROP LOCAL 3h" }).click();
  await page.getByRole("button", { name: "instance", exact: true }).click();
  await page.getByLabel("Converts").last().selectOption({ label: "1.0 KB/s" });
  await ran(page, "TO REMOTE 1 HOUR, DROP LOCAL 3 HOURS");
  await jump(page, 7);
  await page.locator(".lab-brick[data-form=remote]").first().click();
  await expect(page.locator(".lab-why")).toContainText("read from the bucket");
  await expect(page).toHaveURL(new RegExp(`lab=${recorded("orders").dir}.*sel:`));
  const before = await told(page);
  const other = await context.newPage();
  await other.goto(page.url());
  await expect(other.locator(".lab-why")).toContainText("read from the bucket");
  const after = await told(other);
  expect(after?.instances).toEqual(before?.instances);
  expect(after?.differing).toEqual(before?.differing);
  expect(await other.evaluate(() => globalThis.understudy?.state.lab?.playing)).toBe(false);
});

test("an instance that stands still is left behind; keys and palette move the clock", async ({
  page,
  home,
}) => {
  await begin(page, home);
  await page.getByRole("button", { name: "TO PARQUET 2h" }).click();
  await ran(page, "TO PARQUET 2 HOURS");
  await page.getByRole("button", { name: "instance", exact: true }).click();
  await page.getByRole("group", { name: "Settings of node-b" }).getByRole("button", { name: "Stop" }).click();
  await jump(page, 5);
  await expect(page.locator(".lab-lane").last()).toContainText("stands still at txn 1");
  await expect(page.locator("[data-verdict=differ]")).toBeVisible();
  const before = await told(page);
  await page.locator("#now-title").click();
  await page.keyboard.press("n");
  await page.waitForFunction(
    (us) => (globalThis.understudy?.shown.lab?.told?.nowUs ?? 0) > us,
    before?.nowUs ?? 0,
  );
  expect((await told(page))?.nowUs).toBe(before?.nextUs);
  await page.keyboard.press("/");
  await page.keyboard.type("Back to the beginning of the instances");
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => {
    const told = globalThis.understudy?.shown.lab?.told;
    return told && told.nowUs === told.startUs;
  });
});

test("without the module the page says what to do", async ({ page, home }) => {
  await page.route("**/parquet.json", (route) => route.fulfill({ status: 404, body: "" }));
  await open(page, `${home}#table=${recorded("orders").dir}&t=txn:1&tab=storage`);
  await page.getByRole("button", { name: /Begin after txn/ }).click();
  await expect(page.getByRole("alert")).toContainText("make run");
  await page.unroute("**/parquet.json");
  await page.getByRole("button", { name: "Try again" }).click();
  await expect(page.locator(".lab-lane")).toHaveCount(1);
});

test("fits a phone", async ({ page, home }) => {
  await page.setViewportSize({ width: 390, height: 844 });
  await begin(page, home);
  await page.getByRole("button", { name: "TO PARQUET 1h, DROP LOCAL 4h" }).click();
  await ran(page, "TO PARQUET 1 HOUR, DROP LOCAL 4 HOURS");
  await jump(page, 8);
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  expect(wide).toBeLessThanOrEqual(0);
  await page.locator(".lab-brick").first().scrollIntoViewIfNeeded();
  await expect(page.locator(".lab-brick").first()).toBeVisible();
});

test("a table that begins with Parquet partitions is read, with the module that can", async ({
  page,
  home,
}) => {
  const db = mkdtempSync(join(tmpdir(), "understudy-parquet-"));
  execFileSync("tar", ["xzf", join(ROOT, "tests/data/applied/whole.tar.gz"), "-C", db]);
  const digest = () => page.evaluate(() => globalThis.understudy?.shown.table?.digest);
  const at = async (server: { url: string }) => {
    await open(page, `${home}?src=${encodeURIComponent(server.url)}#table=all_kinds`);
    await page.keyboard.press("End");
    await settled(page);
  };
  const server = await startStatic(db, { base: "/x/db/" });
  await at(server);
  const replayed = await digest();
  expect(replayed).toMatch(/[1-9a-f]/);
  for (const name of readdirSync(join(db, "all_kinds~6"))) {
    if (name.startsWith("wal")) rmSync(join(db, "all_kinds~6", name), { recursive: true });
  }
  const modules: string[] = [];
  page.on("request", (request) => modules.push(...(request.url().match(/understudy-parquet.*wasm/) ?? [])));
  await page.goto("about:blank");
  await at(server);
  expect(await digest()).toBe(replayed);
  expect(modules).toHaveLength(1);
  await server.close();
  rmSync(db, { recursive: true, force: true });
});
