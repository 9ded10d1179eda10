/** A cluster's bucket: its tables as the engine natively gives them, its instances, what can be wrong with it. */
import { execFileSync, spawn } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import type { Page } from "@playwright/test";
import { BUCKETS, DIST, expect, expectedOf, open, ROOT, settled, test } from "./site.js";
import { startStatic } from "./static.mjs";

test.beforeEach(() => {
  test.skip(BUCKETS === "", "UNDERSTUDY_BUCKETS is not set");
});

/** What the page shows of a table is what the engine natively gives, rows and digest. */
async function compare(page: Page, home: string, bucket: string, names: string[]): Promise<void> {
  for (const name of names) {
    for (const { dir, seqTxn, digest, rows, first } of expectedOf(name)) {
      await open(page, `${home}?src=${encodeURIComponent(bucket)}#table=${dir}&t=txn:${seqTxn}`);
      const shown = await page.evaluate(async (of) => {
        const stage = globalThis.understudy;
        const rows = await stage?.engine.call("rowsText", [of, 0, 5]);
        return { table: stage?.shown.table, rows };
      }, dir);
      expect(shown.table).toMatchObject({ seqTxn, digest, rows });
      expect(shown.table?.standing.state).toBe("exact");
      const lines = [shown.rows?.columns.map((c) => c.name) ?? [], ...(shown.rows?.rows ?? [])];
      expect(lines.map((line) => line.map((value) => value ?? "").join(","))).toEqual(
        first.map((line) => line.trim().replaceAll('"', "")),
      );
    }
  }
}

test("a bucket of static files replays to the rows of the native engine", async ({ page, home }) => {
  const server = await startStatic(join(BUCKETS, "plain"));
  await compare(page, home, server.url, ["trades", "orders"]);
  await expect(page.locator(".head-source")).toContainText("Cluster");
  await server.close();
});

test("a small memory asks again for what it let go", async ({ page, home }) => {
  const server = await startStatic(join(BUCKETS, "plain"));
  const [early, , end] = expectedOf("quotes");
  await open(
    page,
    `${home}?src=${encodeURIComponent(server.url)}&memory=16M#table=quotes&t=txn:${end?.seqTxn}`,
  );
  await page.keyboard.press("Home");
  await settled(page);
  await open(
    page,
    `${home}?src=${encodeURIComponent(server.url)}&memory=16M#table=quotes&t=txn:${early?.seqTxn}`,
  );
  expect(await page.evaluate(() => globalThis.understudy?.shown.table?.digest)).toBe(early?.digest);
  await server.close();
});

test("understudy serve shows a bucket's directory", async ({ page }) => {
  const command = process.env["UNDERSTUDY_BIN"];
  test.skip(command === undefined, "UNDERSTUDY_BIN is not set");
  const server = spawn(
    command ?? "",
    ["serve", join(BUCKETS, "plain"), "--bind", "127.0.0.1:0", "--page", DIST, "--json"],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  try {
    const line = await new Promise<string>((done, fail) => {
      createInterface(server.stdout).once("line", done);
      server.once("error", fail);
      server.once("exit", (code) => fail(new Error(`understudy serve ended with ${code}`)));
    });
    const { url, bucket } = JSON.parse(line) as { url: string; bucket: string };
    expect(url).toContain(bucket);
    await open(page, url);
    await expect(page.locator(".head-source")).toContainText("Cluster");
    await expect(page.locator(".head .verdict")).toBeVisible();
  } finally {
    server.kill();
  }
});

test("nginx serves a bucket", async ({ page, home }) => {
  const nginx = ["/usr/sbin/nginx", "/usr/bin/nginx"].find(existsSync);
  test.skip(
    nginx === undefined && process.env["UNDERSTUDY_REQUIRE_LIVE"] === undefined,
    "needs nginx: apt-get install nginx-light",
  );
  const prefix = mkdtempSync(join(tmpdir(), "understudy-nginx-"));
  const port = await freePort();
  const conf = readFileSync(join(ROOT, "tests/e2e/nginx.conf"), "utf8");
  const user = process.getuid?.() === 0 ? "user root;\n" : "";
  writeFileSync(
    join(prefix, "nginx.conf"),
    user +
      conf
        .replaceAll("PREFIX", prefix)
        .replaceAll("ROOT;", `${join(BUCKETS, "plain")};`)
        .replaceAll("PORT", `${port}`),
  );
  const server = spawn(nginx ?? "nginx", ["-c", join(prefix, "nginx.conf"), "-p", prefix], {
    stdio: "inherit",
  });
  try {
    const url = `http://127.0.0.1:${port}/`;
    await expect
      .poll(() =>
        fetch(`${url}cluster.json`).then(
          (r) => r.status,
          () => 0,
        ),
      )
      .toBe(200);
    await compare(page, home, url, ["trades"]);
  } finally {
    server.kill();
    rmSync(prefix, { recursive: true, force: true });
  }
});

test("an S3 store gives a bucket, and refuses a private one", async ({ page, home }) => {
  const stores = process.env["UNDERSTUDY_STORES"] ?? "";
  test.skip(stores === "", "UNDERSTUDY_STORES is not set: scripts/stores.sh start seaweedfs");
  const published = execFileSync(
    "python3",
    [
      join(ROOT, "tests/stores/servers.py"),
      "publish",
      dirname(stores),
      join(BUCKETS, "plain"),
      new URL(home).origin,
    ],
    { encoding: "utf8" },
  );
  const [open_ = "", private_ = ""] = published.trim().split("\n");
  await compare(page, home, open_, ["trades"]);
  await page.goto(`${home}?src=${encodeURIComponent(private_)}`);
  await expect(page.getByRole("alert")).toContainText("the bucket is private");
});

test("a log that goes on is followed", async ({ page, home }) => {
  const dir = mkdtempSync(join(tmpdir(), "understudy-bucket-"));
  cpSync(join(BUCKETS, "plain"), dir, { recursive: true });
  const head = JSON.parse(readFileSync(join(dir, "head.json"), "utf8")) as { directory: string; n: number };
  // The last pack has not come yet.
  const name = `${String(head.n).padStart(16, "0")}.pack`;
  const key = join("log", head.directory, String(Math.floor(head.n / 1000)).padStart(8, "0"), name);
  rmSync(join(dir, key));
  const server = await startStatic(dir);
  await open(page, `${home}?src=${encodeURIComponent(server.url)}`);
  const next = () => page.evaluate(() => globalThis.understudy?.shown.cluster?.next);
  expect(await next()).toBe(head.n);
  await page.getByRole("button", { name: "Follow a log that is still written" }).click();
  cpSync(join(BUCKETS, "plain", key), join(dir, key));
  await expect.poll(next).toBe(head.n + 1);
  await server.close();
  rmSync(dir, { recursive: true, force: true });
});

test("what is wrong with a bucket is told", async ({ page, home }) => {
  const say = async (change: (dir: string) => void, options: Parameters<typeof startStatic>[1] = {}) => {
    const dir = mkdtempSync(join(tmpdir(), "understudy-bucket-"));
    cpSync(join(BUCKETS, "plain"), dir, { recursive: true });
    change(dir);
    const server = await startStatic(dir, options);
    await page.goto(`${home}?src=${encodeURIComponent(server.url)}`);
    return async () => {
      await server.close();
      rmSync(dir, { recursive: true, force: true });
    };
  };
  const cluster = (dir: string) =>
    JSON.parse(readFileSync(join(dir, "cluster.json"), "utf8")) as { directory: string };
  const pack = (dir: string, n: number) =>
    join(dir, "log", cluster(dir).directory, "00000000", `${String(n).padStart(16, "0")}.pack`);

  // Private.
  let done = await say(() => undefined, { refuse: 403 });
  await expect(page.getByRole("alert")).toContainText("the bucket is private");
  await done();
  // No CORS.
  done = await say(() => undefined, { cors: false });
  await expect(page.getByRole("region", { name: "Diagnosis" })).toContainText("understudy generate cors");
  await done();
  // Not a bucket.
  done = await say((dir) => rmSync(join(dir, "cluster.json")));
  await expect(page.getByRole("region", { name: "Diagnosis" })).toContainText("no database at this address");
  await done();
  // A damaged pack in the middle: what came before is there.
  done = await say((dir) => {
    const bytes = readFileSync(pack(dir, 10));
    bytes[300] = (bytes[300] ?? 0) ^ 1;
    writeFileSync(pack(dir, 10), bytes);
  });
  await expect(page.locator(".bars")).toContainText("the log can't be read on");
  await expect(page.locator(".bars")).toContainText("0000000000000010.pack");
  await done();
  // A pack at another's place.
  done = await say((dir) => cpSync(pack(dir, 9), pack(dir, 10)));
  await expect(page.locator(".bars")).toContainText("belongs to another place");
  await done();
});

function freePort(): Promise<number> {
  return new Promise((done) => {
    const probe = createServer().listen(0, "127.0.0.1", () => {
      const address = probe.address();
      probe.close(() => done(typeof address === "object" && address ? address.port : 0));
    });
  });
}
