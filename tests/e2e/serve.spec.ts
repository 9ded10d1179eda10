/** The command's own server, where there is one: `UNDERSTUDY_BIN` names the command. */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { DIST, expect, open, settled, shownTxn, test } from "./site.js";

test("understudy serve shows the page on a db directory", async ({ page, copy, complaints }) => {
  const command = process.env["UNDERSTUDY_BIN"];
  test.skip(command === undefined, "UNDERSTUDY_BIN is not set");
  const server = spawn(command ?? "", ["serve", copy, "--bind", "127.0.0.1:0", "--page", DIST, "--json"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  try {
    const line = await new Promise<string>((done, fail) => {
      createInterface(server.stdout).once("line", done);
      server.once("error", fail);
      server.once("exit", (code) => fail(new Error(`understudy serve ended with ${code}`)));
    });
    const { url } = JSON.parse(line) as { url: string };
    await open(page, url);
    await page.keyboard.press("End");
    await settled(page);
    expect(await shownTxn(page)).toBeGreaterThan(10);
    await expect(page.locator(".head-source")).toContainText("Database");
    expect(complaints).toEqual([]);
  } finally {
    server.kill();
  }
});
