/** The lab inside another page, and the page without a network. */
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { openLab, SECOND, still } from "./cluster.js";
import { DIST, expect, test } from "./site.js";
import { startStatic } from "./static.mjs";

/** What a build says is to be kept. */
interface Kept {
  shell: string[];
  rest: string[];
}

test("inside another page it answers messages", async ({ page, home }) => {
  const around = createServer((_, answer) => {
    answer.setHeader("Content-Type", "text/html");
    answer.end(`<iframe id="lab" width="1200" height="800" title="lab" src="${home}#lab"></iframe>`);
  });
  await new Promise<void>((done) => around.listen(0, "127.0.0.1", done));
  const { port } = around.address() as AddressInfo;
  await page.goto(`http://127.0.0.1:${port}/`);
  await page.evaluate(() => {
    const heard: Record<string, unknown>[] = [];
    Object.assign(globalThis, { heard });
    addEventListener("message", (event: MessageEvent<Record<string, unknown>>) => heard.push(event.data));
  });
  const say = (message: object) =>
    page.evaluate((message) => {
      const frame = document.querySelector("iframe");
      frame?.contentWindow?.postMessage({ understudy: 1, ...message }, "*");
    }, message);
  interface Heard {
    event: string;
    us: number;
    playing: boolean;
    link: string;
    why: string;
    rows: { made: number } | null;
  }
  const heard = () => page.evaluate(() => (globalThis as unknown as { heard: Heard[] }).heard);
  await expect(async () => {
    await say({ do: "hello" });
    expect((await heard()).map(({ event }) => event)).toContain("ready");
  }).toPass();
  await say({ do: "seek", us: 4 * SECOND });
  await expect.poll(async () => (await heard()).at(-1)?.us).toBe(4 * SECOND);
  await say({ do: "order", order: { do: "kill", node: 0 } });
  await expect.poll(async () => (await heard()).at(-1)?.link).toContain("kill");
  await say({ do: "order", order: { do: "kil" } });
  await expect
    .poll(async () => (await heard()).find(({ event }) => event === "refused")?.why)
    .toContain("no command");
  await say({ do: "play", speed: 5 });
  await expect.poll(async () => (await heard()).at(-1)?.us ?? 0).toBeGreaterThan(6 * SECOND);
  await say({ do: "pause" });
  await expect.poll(async () => (await heard()).at(-1)?.playing).toBe(false);
  expect((await heard()).at(-1)?.rows?.made).toBeGreaterThan(0);
  around.close();
});

test("once loaded it works without a network, replay and lab", async ({ browser }) => {
  const server = await startStatic(DIST, { base: "/some/where/" });
  const context = await browser.newContext({ reducedMotion: "reduce", serviceWorkers: "allow" });
  const page = await context.newPage();
  await openLab(page, `${server.url}#lab&t=3`);
  // All that is to be kept is there: the page's own fetches may have put some of it before the rest.
  const { shell, rest } = JSON.parse(readFileSync(join(DIST, "cache.json"), "utf8")) as Kept;
  const missing = () =>
    page.evaluate(
      async (files) => {
        const names = await caches.keys();
        const kept = await Promise.all(names.map(async (name) => (await caches.open(name)).keys()));
        const urls = new Set(kept.flat().map(({ url }) => url));
        return files.filter((file) => !urls.has(new URL(file, document.baseURI).href));
      },
      [...shell, ...rest],
    );
  await expect.poll(missing).toEqual([]);
  await server.close();
  await page.reload();
  await still(page);
  await page.keyboard.press("l");
  await page.locator("[data-lesson]").first().click();
  await expect(page.locator(".fo-lesson")).toBeVisible();
  await page.goto(server.url);
  await expect(page.locator("#now-title")).toBeVisible();
  await context.close();
});
