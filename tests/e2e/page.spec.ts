/** The page on its bundled recording: loads, steps, seeks, links, plays, zooms. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { DIST, expect, open, recorded, recording, scrubber, settled, shownTxn, test } from "./site.js";

const POLICY =
  "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; style-src 'self'; " +
  "img-src 'self' data:; connect-src 'self' http: https:; base-uri 'none'; form-action 'none'";

test("opens the bundled recording below any path, within its own policy", async ({
  page,
  home,
  complaints,
}) => {
  const foreign: string[] = [];
  page.on("request", (request) => {
    const url = request.url();
    if (!url.startsWith(home) && !url.startsWith("data:") && !url.startsWith("blob:")) foreign.push(url);
  });
  await open(page, home);
  const policy = page.locator('meta[http-equiv="Content-Security-Policy"]');
  await expect(policy).toHaveAttribute("content", POLICY);
  for (const table of recording().tables) {
    await expect(page.locator(".table-item").filter({ hasText: table.name }).first()).toBeVisible();
  }
  await expect(page.locator(".fact").filter({ hasText: "Digest" })).toContainText(/[0-9a-f]{32}/);
  expect(foreign).toEqual([]);
  expect(complaints).toEqual([]);
});

test("the policy is the same in the source and in what is built", () => {
  for (const file of [join(DIST, "index.html"), join(DIST, "../index.html")]) {
    expect(readFileSync(file, "utf8")).toContain(`content="${POLICY}"`);
  }
});

test("paints before the module is there, and says how far it has come", async ({ page, home }) => {
  let release = () => {};
  const held = new Promise<void>((done) => (release = done));
  await page.context().route("**/*.wasm", async (route) => {
    await held;
    await route.continue();
  });
  await page.goto(home);
  await expect(page.getByText("Understudy", { exact: true })).toBeVisible();
  await expect(page.getByRole("progressbar")).toBeVisible();
  release();
  await expect(page.locator("#now-title")).toBeVisible();
});

test("steps by one, by ten, and to what matters", async ({ page, home }) => {
  await open(page, `${home}#table=${recorded("trades").dir}&t=txn:5`);
  await page.keyboard.press("ArrowRight");
  await settled(page);
  expect(await shownTxn(page)).toBe(6);
  await expect(scrubber(page)).toHaveAttribute("aria-valuetext", /^txn 6 of \d+, \d\d:\d\d:\d\d\.\d{3}$/);
  await page.keyboard.press("Shift+ArrowRight");
  await page.keyboard.press("ArrowLeft");
  await settled(page);
  expect(await shownTxn(page)).toBe(15);
  await page.keyboard.press("Control+ArrowRight");
  await settled(page);
  const kind = await page.evaluate(() => globalThis.understudy?.shown.table?.transaction?.kind);
  expect(["unknown", "data", undefined]).not.toContain(kind);
  await page.getByRole("button", { name: "Start" }).click();
  await settled(page);
  expect(await shownTxn(page)).toBe(0);
});

for (const table of ["quotes", "trades", "orders", "indicative", "bars"]) {
  test(`${table}: at the end of the log stands what the server answered`, async ({ page, home }) => {
    const answer = recorded(table);
    await open(page, `${home}#table=${answer.dir}`);
    await page.keyboard.press("End");
    await settled(page);
    const shown = await page.evaluate(() => {
      const state = globalThis.understudy?.shown.table;
      return {
        seqTxn: state?.seqTxn,
        rows: state?.rows,
        standing: state?.standing.state,
        partitions: state?.partitions.filter((p) => p.touch !== "removed").map((p) => [p.name, p.rows]),
      };
    });
    expect(shown).toEqual({
      seqTxn: answer.seqTxn,
      rows: answer.rows,
      standing: "exact",
      partitions: answer.partitions.map((p) => [p.name, p.numRows]),
    });
  });
}

test("seeks by pointer on both axes", async ({ page, home }) => {
  const last = recorded("quotes").seqTxn;
  await open(page, `${home}#table=${recorded("quotes").dir}&t=txn:1`);
  const track = page.locator(".track");
  const box = (await track.boundingBox()) ?? { x: 0, y: 0, width: 0, height: 0 };
  await page.mouse.click(box.x + box.width / 2, box.y + 40);
  await settled(page);
  const middle = (await shownTxn(page)) ?? 0;
  expect(Math.abs(middle - last / 2)).toBeLessThan(last / 50);
  await page.getByRole("button", { name: /time$/i }).click();
  await page.mouse.click(box.x + box.width - 3, box.y + 40);
  await settled(page);
  expect(await shownTxn(page)).toBeGreaterThan(last * 0.9);
  await expect(page).toHaveURL(/t=time:\d{4}-\d\d-\d\dT.*axis=time/);
});

test("a link restores the view, paused; Back and Forward work", async ({ page, home }) => {
  const dir = recorded("orders").dir;
  await open(page, `${home}#table=${dir}&t=txn:40&speed=4&tab=schema`);
  expect(await shownTxn(page)).toBe(40);
  await expect(page.getByRole("tab", { name: "Schema" })).toHaveAttribute("aria-selected", "true");
  await expect(page.getByRole("button", { name: "Play", exact: true })).toBeVisible();
  await page.getByRole("tab", { name: "Log" }).click();
  await page.keyboard.press("End");
  await expect(page).toHaveURL(new RegExp(`t=txn:${recorded("orders").seqTxn}&speed=4&tab=log`));
  await page.goBack();
  await page.goBack();
  await settled(page);
  expect(await shownTxn(page)).toBe(40);
  await expect(page.getByRole("tab", { name: "Schema" })).toHaveAttribute("aria-selected", "true");
  await page.goForward();
  await page.goForward();
  await settled(page);
  expect(await shownTxn(page)).toBe(recorded("orders").seqTxn);
});

test("plays, pauses, plays in reverse, and plays again from the end", async ({ page, home }) => {
  await open(page, `${home}#table=${recorded("quotes").dir}&t=txn:100&speed=25`);
  await page.keyboard.press("Space");
  await expect.poll(() => shownTxn(page)).toBeGreaterThan(150);
  await page.keyboard.press("k");
  const paused = await page.evaluate(() => globalThis.understudy?.state.txn ?? 0);
  await page.keyboard.press("j");
  await expect
    .poll(() => page.evaluate(() => globalThis.understudy?.state.txn ?? 0))
    .toBeLessThan(paused - 20);
  await page.keyboard.press("Space");
  await page.keyboard.press("End");
  await settled(page);
  await page.getByRole("button", { name: "Play", exact: true }).click();
  await expect.poll(() => page.evaluate(() => globalThis.understudy?.state.txn ?? 0)).toBeLessThan(800);
});

test("without a link it plays by itself, but not for those who asked for stillness", async ({
  browser,
  home,
}) => {
  for (const [reducedMotion, name] of [
    ["no-preference", "Pause"],
    ["reduce", "Play"],
  ] as const) {
    const context = await browser.newContext({ reducedMotion });
    const page = await context.newPage();
    await open(page, home);
    await expect(page.getByRole("button", { name, exact: true })).toBeVisible();
    await context.close();
  }
});

test("zooms by wheel, key and range, and finds its way back", async ({ page, home }) => {
  await open(page, `${home}#table=${recorded("quotes").dir}&t=txn:450`);
  await page.keyboard.press("w");
  await expect(page.locator(".crumb")).toHaveCount(2);
  const box = (await page.locator(".track").boundingBox()) ?? { x: 0, y: 0, width: 0, height: 0 };
  await page.keyboard.down("Shift");
  await page.mouse.move(box.x + 200, box.y + 40);
  await page.mouse.down();
  await page.mouse.move(box.x + 500, box.y + 40, { steps: 4 });
  await page.mouse.up();
  await page.keyboard.up("Shift");
  await expect(page.locator(".crumb")).toHaveCount(3);
  await page.getByRole("button", { name: "All", exact: true }).click();
  await page.mouse.move(box.x + 300, box.y + 40);
  await page.mouse.wheel(0, -400);
  await expect(page.locator(".crumb")).toHaveCount(2);
  await page.keyboard.press("0");
  await expect(page.locator(".minimap")).toHaveCount(0);
});

test("shows the rows that a transaction wrote, its bytes, its log and everything as text", async ({
  page,
  home,
}) => {
  await open(page, `${home}#table=${recorded("trades").dir}&t=txn:300`);
  await expect(page.locator(".grid tr.changed").first()).toBeVisible();
  await page.getByRole("tab", { name: "Bytes" }).click();
  await expect(page.locator(".byte-chosen").first()).toBeVisible();
  await page.locator(".fields").focus();
  await page.keyboard.press("ArrowDown");
  await expect(page.locator("#field-1")).toHaveAttribute("aria-selected", "true");
  await page.getByRole("tab", { name: "Log" }).click();
  await expect(page.locator("tr.current")).toBeVisible();
  await page.getByRole("tab", { name: "As text" }).click();
  await expect(page.getByRole("table", { name: "Columns" })).toBeVisible();
  await expect(page.getByRole("table", { name: "Partitions" })).toBeVisible();
});

test("search goes to tables, transactions and times", async ({ page, home }) => {
  await open(page, `${home}#table=${recorded("trades").dir}&t=txn:3`);
  await page.keyboard.press("/");
  await page.getByRole("combobox", { name: /Search/ }).fill("quo");
  await page.keyboard.press("Enter");
  await expect(page.locator(".eyebrow")).toContainText("quotes");
  await page.keyboard.press("/");
  await page.getByRole("combobox", { name: /Search/ }).fill("123");
  await page.keyboard.press("Enter");
  await settled(page);
  expect(await shownTxn(page)).toBe(123);
});

test("says what is real, and what the server answered", async ({ page, home }) => {
  const quotes = recorded("quotes");
  await open(page, `${home}#table=${quotes.dir}&t=txn:${quotes.seqTxn}`);
  await page.locator(".chip").click();
  const dialog = page.getByRole("dialog", { name: "What is real here" });
  await expect(dialog.locator(".fact").filter({ hasText: "Modelled" })).toContainText("Nothing else");
  await expect(dialog.locator(".fact").filter({ hasText: "Read" }).first()).toContainText(
    /\d+ files?, in .*\d+ requests?/,
  );
  const rows = quotes.rows.toString().replace(/\B(?=(\d{3})+$)/g, "\u202f");
  await expect(dialog).toContainText(
    `${rows} rows in quotes at txn ${quotes.seqTxn}; the replay has ${rows}`,
  );
  await dialog.getByText("CRC-32 of the files that came whole").click();
  await expect(dialog.getByRole("row", { name: "tables.d.0" })).toContainText(/[0-9a-f]{8}/);
});

test("after a trap the worker starts again at the last link and offers a report", async ({ page, home }) => {
  await open(page, `${home}#table=${recorded("trades").dir}&t=txn:200`);
  const [worker] = page.workers();
  await worker?.evaluate(() => {
    setTimeout(() => {
      throw new WebAssembly.RuntimeError("unreachable");
    });
  });
  await expect(page.getByRole("heading", { name: "The engine stopped" })).toBeVisible();
  const report = page.getByRole("textbox", { name: "Report" });
  await expect(report).toHaveValue(/unreachable/);
  await expect(report).toHaveValue(/t=txn:200/);
  await page.getByRole("button", { name: "Go on at txn 200" }).click();
  await settled(page);
  expect(await shownTxn(page)).toBe(200);
});
