/** Other databases: by address, dropped, picked; broken, refused, hostile. */
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { extname, join } from "node:path";
import type { Page } from "@playwright/test";
import { DIST, expect, open, recorded, renameTable, ROOT, settled, shownTxn, test } from "./site.js";
import { startStatic } from "./static.mjs";

/** Drops real files on the page, as a file manager does. */
async function drop(page: Page, path: string): Promise<void> {
  const session = await page.context().newCDPSession(page);
  const data = { items: [], files: [path], dragOperationsMask: 1 };
  // Over it twice, as a hand would be: the browser drops only where the last event before was taken.
  for (const type of ["dragEnter", "dragOver", "dragOver", "drop"] as const) {
    await session.send("Input.dispatchDragEvent", { type, x: 600, y: 400, data });
    if (type === "dragOver") await expect(page.getByText("Let go to replay this folder")).toBeVisible();
  }
}

test("a dropped folder is replayed, and its link says what it takes", async ({ page, home, copy }) => {
  await open(page, `${home}#t=txn:1`);
  await drop(page, copy);
  await expect(page.locator(".head-source")).toContainText("Database");
  await settled(page);
  await page.keyboard.press("End");
  await settled(page);
  expect(await shownTxn(page)).toBeGreaterThan(10);
  await expect(page).toHaveURL(/\?dropped=db/);
  await page.reload();
  await expect(page.getByRole("alert")).toContainText("drop it on the page again");
  await drop(page, join(copy, ".."));
  await settled(page);
});

test("a folder can be picked", async ({ page, home, copy }) => {
  await open(page, `${home}#t=txn:1`);
  await page.getByRole("button", { name: "Open", exact: true }).click();
  await page.locator("input[type=file]").setInputFiles(copy);
  await expect(page.locator(".head-source")).toContainText("Database");
  await settled(page);
});

test("a folder that is no database is refused in plain words", async ({ page, home, copy }) => {
  await open(page, `${home}#t=txn:1`);
  await drop(page, join(copy, recorded("trades").dir));
  await expect(page.getByRole("alert")).toContainText("no table registry");
});

for (const ranges of [true, false]) {
  test(`?src= opens any db directory, ${ranges ? "with" : "without"} ranges`, async ({
    page,
    home,
    copy,
  }) => {
    const server = await startStatic(copy, { base: "/x/db/", ranges });
    await open(page, `${home}?src=${encodeURIComponent(server.url)}#table=trades&t=txn:50`);
    expect(await shownTxn(page)).toBe(50);
    await expect(page.locator(".eyebrow")).toContainText("trades");
    await server.close();
  });
}

test("a log that is still written is followed to its new end", async ({ page, home, copy }) => {
  const { dir, seqTxn } = recorded("trades");
  const path = join(copy, dir, "txn_seq/_txnlog");
  const whole = readFileSync(path);
  const young = Buffer.from(whole);
  young.writeBigInt64LE(20n, 4);
  writeFileSync(path, young);
  const server = await startStatic(copy);
  await open(page, `${home}?src=${encodeURIComponent(server.url)}#table=${dir}&t=txn:3`);
  const follow = page.getByRole("button", { name: "Follow a log that is still written" });
  await follow.click();
  await expect.poll(() => shownTxn(page)).toBe(20);
  writeFileSync(path, whole);
  await expect.poll(() => shownTxn(page)).toBe(seqTxn);
  await expect(follow).toHaveAttribute("aria-pressed", "true");
  await page.keyboard.press("ArrowLeft");
  await expect(follow).toHaveAttribute("aria-pressed", "false");
  await server.close();
});

test("a server that lets no page read: says which header, and what to tell the store", async ({
  page,
  home,
  copy,
}) => {
  const server = await startStatic(copy, { cors: false });
  await page.goto(`${home}?src=${encodeURIComponent(server.url)}`);
  const doctor = page.getByRole("region", { name: "Diagnosis" });
  await expect(doctor).toContainText("Missing: Access-Control-Allow-Origin");
  await doctor.getByText("Amazon S3").click();
  await expect(doctor.locator("pre").first()).toContainText('"ExposeHeaders"');
  await doctor.getByText("Try it in a terminal").click();
  await expect(doctor.locator("pre").last()).toContainText("curl -i -X OPTIONS");
  await server.close();
});

test("nothing there: tells a dead server from a wrong path", async ({ page, home, copy }) => {
  const server = await startStatic(copy);
  await page.goto(`${home}?src=${encodeURIComponent(`${server.url}nowhere/`)}`);
  await expect(page.getByRole("region", { name: "Diagnosis" })).toContainText("no database at this address");
  await server.close();
  await page.goto(`${home}?src=${encodeURIComponent(server.url)}`);
  await expect(page.getByRole("region", { name: "Diagnosis" })).toContainText("can’t be reached");
  await page.goto(`${home}?src=http%3A%2F%2F`);
  await expect(page.getByRole("alert")).toBeVisible();
});

test("an https page that is given an http source says why the browser refuses", async ({ page }) => {
  const types: Record<string, string> = {
    ".html": "text/html",
    ".js": "text/javascript",
    ".css": "text/css",
    ".wasm": "application/wasm",
  };
  await page.context().route("https://understudy.test/**", async (route) => {
    const path = new URL(route.request().url()).pathname.replace(/\/$/, "/index.html");
    await route.fulfill({ body: readFileSync(join(DIST, path)), contentType: types[extname(path)] ?? "" });
  });
  await page.goto("https://understudy.test/?src=http%3A%2F%2Fdb.example%2Fdb%2F");
  await expect(page.getByRole("main")).toContainText("mixed content");
});

test("a damaged table is named; the others go on", async ({ page, home, copy }) => {
  truncateSync(join(copy, recorded("trades").dir, "txn_seq/_txnlog"), 40);
  const server = await startStatic(copy);
  await page.goto(`${home}?src=${encodeURIComponent(server.url)}#table=quotes&t=txn:20`);
  await settled(page);
  expect(await shownTxn(page)).toBe(20);
  await page.locator(".table-item").filter({ hasText: "trades" }).click();
  await expect(page.locator(".bars")).toContainText("_txnlog");
  await page.locator(".table-item").filter({ hasText: "quotes" }).click();
  await settled(page);
  await expect(page.locator(".eyebrow")).toContainText("quotes");
  await server.close();
});

test("damage further on is told when the replay gets there, with file and offset", async ({
  page,
  home,
  copy,
}) => {
  const { dir } = recorded("trades");
  truncateSync(join(copy, dir, "wal1/0/price.d"), 8);
  const server = await startStatic(copy);
  await open(page, `${home}?src=${encodeURIComponent(server.url)}#table=${dir}`);
  await page.keyboard.press("End");
  await settled(page);
  await expect(page.locator(".now")).toContainText("The replay of txn");
  await expect(page.locator(".bars")).toContainText(`${dir}/wal1/0/price.d`);
  await server.close();
});

test("what the server's own table has lost without a record is told at the end", async ({
  page,
  home,
  copy,
}) => {
  const other = join(copy, "..", "other");
  mkdirSync(other);
  execFileSync("tar", ["xzf", join(ROOT, "tests/data/unlogged.tar.gz"), "-C", other]);
  const server = await startStatic(join(other, "db"));
  await open(page, `${home}?src=${encodeURIComponent(server.url)}#table=forced&t=txn:1`);
  await expect(page.locator(".bars")).not.toContainText("2024-04-02");
  await page.keyboard.press("End");
  await expect(page.locator(".bars")).toContainText(
    "partition 2024-04-02 has 24 rows by the log, and 0 in the server's own files",
  );
  await expect(page.locator(".bars")).toContainText("FORCE DROP PARTITION");
  await server.close();
});

test("a hostile table name is text and nothing else", async ({ page, home, copy, complaints }) => {
  const name = "<img src=x onerror=alert(1)>";
  const dir = recorded("trades").dir;
  renameTable(copy, dir, name);
  writeFileSync(join(copy, "x"), "");
  let alerted = false;
  page.on("dialog", (dialog) => {
    alerted = true;
    void dialog.dismiss();
  });
  const server = await startStatic(copy);
  await open(page, `${home}?src=${encodeURIComponent(server.url)}#table=${dir}&t=txn:9`);
  await expect(page.locator(".eyebrow")).toContainText(name);
  await expect(page.locator(".table-name").filter({ hasText: name })).toBeVisible();
  for (const tab of ["Log", "Schema", "Bytes", "As text"]) await page.getByRole("tab", { name: tab }).click();
  await page.keyboard.press("/");
  await page.getByRole("combobox", { name: /Search/ }).fill("img");
  await expect(page.locator(".hit").first()).toContainText(name);
  expect(await page.locator("img").count()).toBe(0);
  expect(await page.title()).toContain(name);
  expect(alerted).toBe(false);
  expect(complaints).toEqual([]);
  await server.close();
});
