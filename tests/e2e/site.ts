/** What the browser tests share: the built page behind a plain server, databases to open, ways to look. */
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { test as base, expect, type Page } from "@playwright/test";
import { startStatic } from "./static.mjs";

export const ROOT = join(dirname(fileURLToPath(import.meta.url)), "../..");
export const DIST = join(ROOT, process.env["UNDERSTUDY_PAGE"] ?? "dist");
export const BUNDLED = join(DIST, "recordings/trading-day");

/** What the server answered when the bundled recording was made. */
export interface Recording {
  tables: {
    name: string;
    dir: string;
    seqTxn: number;
    rows: number;
    partitions: { name: string; numRows: number }[];
  }[];
}

export function recording(): Recording {
  return JSON.parse(readFileSync(join(BUNDLED, "recording.json"), "utf8")) as Recording;
}

export function recorded(name: string): Recording["tables"][number] {
  const found = recording().tables.find((t) => t.name === name);
  if (!found) throw new Error(`the recording has no table ${name}`);
  return found;
}

interface Site {
  /** Address of the page, below a path, as on a plain static host. */
  home: string;
  /** A copy of the bundled db directory, to be damaged. */
  copy: string;
  /** Complaints of the page: console errors, exceptions, breaches of its policy. */
  complaints: string[];
}

export const test = base.extend<Site>({
  home: async ({}, use) => {
    if (!existsSync(join(DIST, "index.html"))) throw new Error("dist/ is missing: npm run build");
    const server = await startStatic(DIST, { base: "/some/where/" });
    await use(server.url);
    await server.close();
  },
  copy: async ({}, use) => {
    const dir = mkdtempSync(join(tmpdir(), "understudy-e2e-"));
    cpSync(join(BUNDLED, "db"), join(dir, "db"), { recursive: true });
    await use(join(dir, "db"));
    rmSync(dir, { recursive: true, force: true });
  },
  complaints: async ({ page }, use) => {
    const complaints: string[] = [];
    page.on("pageerror", (error) => complaints.push(error.message));
    page.on("console", (message) => {
      if (message.type() === "error") complaints.push(message.text());
    });
    await use(complaints);
  },
});

export { expect };

/** Opens the page and waits until a table is on show. */
export async function open(page: Page, address: string): Promise<void> {
  await page.goto(address);
  await expect(page.locator("#now-title")).toBeVisible();
  await settled(page);
}

/** Waits until the engine has caught up with the playhead. */
export async function settled(page: Page): Promise<void> {
  await page.waitForFunction(() => {
    const stage = globalThis.understudy;
    return (
      stage !== undefined && !stage.behind && stage.shown.busySince === null && stage.shown.table !== null
    );
  });
}

/** Buckets that `cargo test --test it buckets_for_the_page` left, and what their tables hold. */
export const BUCKETS = process.env["UNDERSTUDY_BUCKETS"] ?? "";

export interface Expected {
  dir: string;
  name: string;
  last: number;
  seqTxn: number;
  digest: string;
  rows: number;
  /** The heading and the first rows, as QuestDB exports them. */
  first: string[];
}

export function expectedOf(name: string): Expected[] {
  const all = JSON.parse(readFileSync(join(BUCKETS, "expected.json"), "utf8")) as Expected[];
  return all.filter((e) => e.name === name);
}

/** Writes a JSON object of the log that a test has changed. It has no checksum, as those of earlier versions: its own would be another one. */
export function writeUnchecked(path: string, object: Record<string, unknown>): void {
  writeFileSync(path, JSON.stringify({ ...object, check: undefined }));
}

export function scrubber(page: Page) {
  return page.getByRole("slider", { name: "Moment in the history" });
}

/** The transaction that the engine has answered with. */
export function shownTxn(page: Page): Promise<number | undefined> {
  return page.evaluate(() => globalThis.understudy?.shown.table?.seqTxn);
}

/** Gives a table of a db directory another name, as its registry would. */
export function renameTable(db: string, dir: string, name: string): void {
  const path = join(db, "tables.d.0");
  const old = readFileSync(path);
  const end = Number(old.readBigInt64LE(0));
  const records: Buffer[] = [];
  let at = 8;
  while (at < end) {
    const from = at;
    const op = old.readInt32LE(at);
    const nameLength = old.readInt32LE(at + 4);
    const dirAt = at + 8 + nameLength * 2;
    const dirLength = old.readInt32LE(dirAt);
    const dirName = old.toString("utf16le", dirAt + 4, dirAt + 4 + dirLength * 2);
    at = dirAt + 4 + dirLength * 2 + 8 + (op === 0 ? 64 : 0);
    const head = Buffer.alloc(8);
    head.writeInt32LE(op, 0);
    head.writeInt32LE(name.length, 4);
    records.push(
      dirName === dir
        ? Buffer.concat([head, Buffer.from(name, "utf16le"), old.subarray(dirAt, at)])
        : old.subarray(from, at),
    );
  }
  const length = Buffer.alloc(8);
  length.writeBigInt64LE(BigInt(8 + records.reduce((sum, r) => sum + r.length, 0)));
  writeFileSync(path, Buffer.concat([length, ...records]));
}

const AXE = readFileSync(join(ROOT, "node_modules/axe-core/axe.min.js"), "utf8");

interface Violation {
  id: string;
  impact: string;
  nodes: { html: string; failureSummary: string }[];
}

/** What axe finds serious or critical. */
export async function serious(page: Page): Promise<string[]> {
  await page.evaluate(AXE);
  const violations = await page.evaluate(async () => {
    const { axe } = globalThis as unknown as { axe: { run: () => Promise<{ violations: Violation[] }> } };
    return (await axe.run()).violations;
  });
  return violations
    .filter((v) => v.impact === "serious" || v.impact === "critical")
    .flatMap((v) => v.nodes.slice(0, 3).map((n) => `${v.id}: ${n.html.slice(0, 160)} ${n.failureSummary}`));
}
