/** Two moments, and two sources, side by side. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Page } from "@playwright/test";
import { BUCKETS, expect, open, recorded, settled, test } from "./site.js";
import { startStatic } from "./static.mjs";

async function bothShown(page: Page): Promise<void> {
  await settled(page);
  await expect(page.locator(".side")).toHaveCount(2);
  await expect(page.getByRole("article", { name: "Other side" }).locator(".side-moment")).toBeVisible();
}

/** What both sides have answered: transaction and digest. */
function sides(page: Page) {
  return page.evaluate(() => {
    const { table, other } = globalThis.understudy?.shown ?? {};
    return [table, other?.table].map((side) => [side?.seqTxn, side?.digest]);
  });
}

test("two moments of one source, by keys, and the link holds both", async ({ page, home, complaints }) => {
  const { dir } = recorded("trades");
  await open(page, `${home}#table=${dir}&t=txn:40`);
  await page.keyboard.press("c");
  await bothShown(page);
  await expect(page.locator(".compare-verdict")).toContainText("Equal");
  await page.keyboard.press("Shift+ArrowRight");
  await bothShown(page);
  await expect.poll(async () => (await sides(page)).map(([txn]) => txn)).toEqual([50, 40]);
  await expect(page.locator(".compare-verdict")).toContainText("differ");
  expect(await page.locator(".pair-differs, .pair-left, .pair-right").count()).toBeGreaterThan(0);
  await expect(page).toHaveURL(/t=txn:50.*with=txn:40/);
  await page.keyboard.press("<");
  await expect.poll(async () => (await sides(page))[1]?.[0]).toBe(39);
  const [, pinned] = await sides(page);
  await page.keyboard.press("b");
  await expect.poll(async () => (await sides(page)).map(([txn]) => txn)).toEqual([39, 50]);
  expect((await sides(page))[0]).toEqual(pinned);
  await expect(page).toHaveURL(/t=txn:39.*with=txn:50/);
  const address = page.url();
  await page.keyboard.press("c");
  await expect(page.locator(".compare")).toHaveCount(0);
  await expect(page).not.toHaveURL(/with=/);
  await page.goto("about:blank");
  await open(page, address);
  await bothShown(page);
  await expect.poll(async () => (await sides(page)).map(([txn]) => txn)).toEqual([39, 50]);
  expect(complaints).toEqual([]);
});

test("another table is compared at the same times", async ({ page, home }) => {
  await open(page, `${home}#table=${recorded("trades").dir}&t=txn:60&with=txn:20`);
  await bothShown(page);
  await page.keyboard.press("/");
  await page.keyboard.type("quotes");
  await page.keyboard.press("Enter");
  await bothShown(page);
  await expect(page.locator(".side-moment")).toContainText(["quotes", "quotes"]);
  await expect(page).toHaveURL(/with=time:/);
});

test("two buckets that differ in one transaction: the partition, and where it began", async ({
  page,
  home,
}) => {
  test.skip(BUCKETS === "", "UNDERSTUDY_BUCKETS is not set");
  const { dir, first, last } = JSON.parse(readFileSync(join(BUCKETS, "altered.json"), "utf8")) as {
    dir: string;
    first: number;
    last: number;
  };
  const [plain, altered] = await Promise.all([
    startStatic(join(BUCKETS, "plain")),
    startStatic(join(BUCKETS, "altered")),
  ]);
  const query = [plain, altered].map(({ url }) => `src=${encodeURIComponent(url)}`).join("&");
  await open(page, `${home}?${query}#table=${dir}&t=txn:${last}`);
  await bothShown(page);
  const other = page.getByRole("article", { name: "Other side" });
  await expect(other).toContainText(altered.url);
  await expect(page.locator(".compare-verdict")).toContainText("1 of");
  await expect(page.locator(".pair-differs")).toHaveCount(1);
  await expect(page.locator(".first-difference")).toContainText("The logs tell the same");
  await page.getByRole("button", { name: "Find the first differing txn" }).click();
  await expect(page.locator(".first-difference b")).toContainText(`First differing content: txn ${first}`);
  await settled(page);
  expect((await sides(page)).map(([txn]) => txn)).toEqual([last, last]);

  await page.getByRole("button", { name: /^Compare all/ }).click();
  const marks = page.locator(".table-marks");
  await expect(marks.locator("caption")).toContainText("1 table not the same");
  await expect(marks.locator(".pair-differs")).toContainText("trades");

  // Before it both are the same, and the sides go in step.
  await page.keyboard.press("Home");
  for (const [txn, word] of [
    [first - 1, "Equal"],
    [first, "1 of"],
  ] as const) {
    await page.evaluate((txn) => globalThis.understudy?.dispatch({ do: "toTxn", txn }), txn);
    await expect.poll(async () => (await sides(page)).map(([at]) => at)).toEqual([txn, txn]);
    await expect(page.locator(".compare-verdict")).toContainText(word);
  }
  await page.keyboard.press("v");
  await expect(page).toHaveURL(new RegExp(`with=txn:${first}`));
  await page.getByRole("button", { name: "In step" }).click();
  await expect(page).toHaveURL(/with=same/);
  await plain.close();
  await altered.close();
});

test("a second source that is not there leaves the first one on show", async ({ page, home }) => {
  const nowhere = `${home}recordings/nowhere/db/`;
  const there = `${home}recordings/trading-day/db/`;
  await open(page, `${home}?src=${encodeURIComponent(there)}&src=${encodeURIComponent(nowhere)}`);
  await expect(page.getByRole("article", { name: "Other side" }).getByRole("alert")).toContainText(
    "It can’t be shown",
  );
  await page.keyboard.press("ArrowRight");
  await settled(page);
});

test("on a phone the sides stand one above the other", async ({ page, home }) => {
  await page.setViewportSize({ width: 390, height: 844 });
  await open(page, `${home}#table=${recorded("trades").dir}&t=txn:60&with=txn:20`);
  await bothShown(page);
  const [left, right] = await Promise.all([0, 1].map((i) => page.locator(".side").nth(i).boundingBox()));
  expect(right?.y ?? 0).toBeGreaterThanOrEqual((left?.y ?? 0) + (left?.height ?? 0));
  expect((right?.x ?? 0) + (right?.width ?? 0)).toBeLessThanOrEqual(390);
  const wide = await page.evaluate(() => document.documentElement.scrollWidth);
  expect(wide).toBeLessThanOrEqual(390);
});
