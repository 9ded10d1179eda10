/** The failover lab: mouse, touch and keys, numbers as the simulator tells them, links and files. */
import { numbersAgree, openLab, SECOND, still, to, told } from "./cluster.js";
import { expect, serious, test } from "./site.js";

test("by mouse: kill, promote, start; numbers are the simulator's, and the link replays it", async ({
  page,
  home,
  context,
}) => {
  await openLab(page, `${home}#lab&seed=21`);
  await to(page, 6 * SECOND);
  await numbersAgree(page);
  await page.getByRole("button", { name: "Kill primary" }).click();
  await expect(page.locator("[data-end=node0]")).toHaveAttribute("data-state", "down");
  await to(page, 8 * SECOND);
  await page.locator("[data-end=node1]").click();
  const menu = page.getByRole("group", { name: "What can be done to node1" });
  await menu.getByRole("button", { name: "Promote now" }).click();
  await to(page, 14 * SECOND);
  await expect(page.locator("[data-end=node1]")).toHaveAttribute("data-state", "primary");
  await page.locator("[data-end=node0]").click();
  await page.getByRole("button", { name: "Start", exact: true }).click();
  await to(page, 25 * SECOND);
  await expect(page.locator("[data-end=node0]")).toHaveAttribute("data-state", "replica");
  await numbersAgree(page);
  const before = await told(page);
  expect(before.clients.every((client) => client.outages > 0)).toBe(true);
  await expect(page).toHaveURL(/t=25/);
  const other = await context.newPage();
  await openLab(other, page.url());
  const after = await told(other);
  expect([after.trace, after.step, after.rows]).toEqual([before.trace, before.step, before.rows]);
  // Back and forth again: the same.
  await to(other, 3 * SECOND);
  await to(other, 25 * SECOND);
  expect((await told(other)).trace).toBe(before.trace);
});

test("by keys: focus, kill, promote, step, fork, undone in the past", async ({ page, home }) => {
  await openLab(page, `${home}#lab&seed=5&t=5`);
  await page.keyboard.press("2");
  await expect(page.locator("[data-end=node1]")).toHaveAttribute("aria-pressed", "true");
  await page.keyboard.press("x");
  await still(page);
  await expect(page.locator("[data-end=node0]")).toHaveAttribute("data-state", "down");
  await page.keyboard.press("p");
  await still(page);
  await page.keyboard.press("]");
  await still(page);
  const { us } = await told(page);
  await page.keyboard.press("ArrowRight");
  await still(page);
  const next = await told(page);
  expect(next.us).toBeGreaterThan(us);
  await page.keyboard.press("ArrowLeft");
  await still(page);
  expect((await told(page)).us).toBeLessThan(next.us);
  await page.keyboard.press("f");
  await expect(page.locator('[data-branch="0"]')).toBeVisible();
  // Given before what was given: another run, and the old one stays.
  await to(page, 4 * SECOND);
  await page.keyboard.press("z");
  await still(page);
  await expect(page.locator('[data-branch="1"]')).toBeVisible();
  await expect(page.locator("[data-end=node0]")).toHaveAttribute("data-state", "paused");
  await page.locator('[data-branch="0"]').getByRole("button", { name: "Go on with it" }).click();
  await still(page);
  await expect(page.locator("[data-end=node0]")).toHaveAttribute("data-state", "down");
  await page.keyboard.press("?");
  await expect(page.getByRole("dialog", { name: "Keys" })).toContainText("Kill the primary");
  await page.keyboard.press("Escape");
  await page.keyboard.press("/");
  await page.keyboard.type("add a replica");
  await page.keyboard.press("Enter");
  await expect(page.locator("[data-end=node3]")).toBeVisible();
});

test("settings and switches count, and a file brings all of it back", async ({ page, home }) => {
  await openLab(page, `${home}#lab&t=3`);
  await page.getByRole("button", { name: "Durable ack off" }).click();
  await expect(page.getByRole("button", { name: "Durable ack on" })).toHaveAttribute("aria-pressed", "true");
  // Clients begin anew for that.
  await to(page, 5 * SECOND);
  await page.getByRole("button", { name: "Store-and-forward off" }).click();
  await page.getByLabel("Replicas ask every").selectOption({ label: "50 ms" });
  await page.getByLabel("Window").selectOption("1");
  await page.getByRole("button", { name: "+ client" }).click();
  await still(page);
  await to(page, 8 * SECOND);
  const before = await told(page);
  expect(before.clients).toHaveLength(4);
  expect(before.clients.every((client) => client.durable)).toBe(true);
  await page.getByRole("button", { name: "Scenario" }).click();
  await expect(page.locator(".fo-script li")).toHaveCount(5);
  const waiting = page.waitForEvent("download");
  await page.getByRole("button", { name: "Export as a file" }).click();
  const path = await (await waiting).path();
  await page.keyboard.press("Escape");
  await openLab(page, `${home}?again#lab`);
  await page.keyboard.press("e");
  await page.getByLabel("Import a file").setInputFiles(path);
  await still(page);
  await to(page, 8 * SECOND);
  expect((await told(page)).trace).toBe(before.trace);
});

test("it plays at its speed, and stops where it is told to", async ({ page, home }) => {
  await openLab(page, `${home}#lab&t=2&speed=2`);
  await page.keyboard.press(" ");
  await page.waitForFunction(() => (globalThis.understudyLab?.us ?? 0) > 5e6);
  await page.keyboard.press(" ");
  await still(page);
  await numbersAgree(page);
  await page.getByLabel("Speed").selectOption("50");
  await page.evaluate(() => globalThis.understudyLab?.dispatch({ do: "play" }));
  await page.waitForFunction(() => (globalThis.understudyLab?.us ?? 0) > 40e6);
  await page.keyboard.press(" ");
  await still(page);
  await numbersAgree(page);
});

test("a failing seed's link opens at its step", async ({ page, home }) => {
  await openLab(page, `${home}#lab&seed=3&step=900`);
  expect((await told(page)).step).toBe(900);
  await expect(page.locator(".head-source")).toContainText("chaos, seed 3");
});

for (const theme of ["light", "dark"] as const) {
  test(`axe finds nothing serious in the lab, ${theme}`, async ({ page, home }) => {
    await openLab(page, `${home}?theme=${theme}#lab&t=5&lesson=06-emergency-migration-and-the-lost-tail`);
    await expect(page.locator(".fo-lesson")).toBeVisible();
    await to(page, 6 * SECOND);
    expect(await serious(page), "a lesson").toEqual([]);
    // A lesson that waits goes on with a command; here it is to stand.
    await page.keyboard.press("x");
    await page.evaluate(() => globalThis.understudyLab?.dispatch({ do: "pause" }));
    await still(page);
    await page.keyboard.press("1");
    await page.keyboard.press("f");
    await to(page, 8 * SECOND);
    expect(await serious(page), "a dead primary, a branch").toEqual([]);
    for (const key of ["?", "/", "l", "e"]) {
      await page.keyboard.press(key);
      await expect(page.getByRole("dialog")).toBeVisible();
      expect(await serious(page), key).toEqual([]);
      await page.keyboard.press("Escape");
      await expect(page.getByRole("dialog")).toHaveCount(0);
    }
  });
}

test("on a phone: one column, targets for fingers, all by touch", async ({ browser, home }) => {
  const context = await browser.newContext({
    viewport: { width: 390, height: 844 },
    hasTouch: true,
    isMobile: true,
    reducedMotion: "reduce",
    serviceWorkers: "block",
  });
  const page = await context.newPage();
  await openLab(page, `${home}#lab&t=6`);
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  expect(wide).toBeLessThanOrEqual(0);
  for (const button of await page.locator(".fo-controls .button, .fo-keys .button, .fo-end").all()) {
    expect((await button.boundingBox())?.height ?? 0).toBeGreaterThanOrEqual(43);
  }
  await page.getByRole("button", { name: "Kill primary" }).tap();
  await still(page);
  await page.locator("[data-end=node2]").tap();
  await page.getByRole("button", { name: "Promote now" }).last().tap();
  await still(page);
  await to(page, 16 * SECOND);
  await expect(page.locator("[data-end=node2]")).toHaveAttribute("data-state", "primary");
  await numbersAgree(page);
  await context.close();
});

test("who asked for stillness sees marks that don't travel; who can't see hears what happens", async ({
  page,
  home,
}) => {
  await openLab(page, `${home}#lab&t=4`);
  await page.keyboard.press("x");
  await still(page);
  await page.keyboard.press("p");
  await page.keyboard.press(" ");
  await expect(page.getByRole("status", { name: "Narration" })).toContainText(/node\d/);
  await page.keyboard.press(" ");
  await still(page);
  await expect(page.locator(".fo-mark:not(.fo-still)")).toHaveCount(0);
});

test("without the module the page says what to do", async ({ page, home }) => {
  await page.route("**/sim.json", (route) => route.fulfill({ status: 404, body: "" }));
  await page.goto(`${home}#lab`);
  await expect(page.getByRole("alert")).toContainText("make run");
  await page.unroute("**/sim.json");
  await page.getByRole("button", { name: "Try again" }).click();
  await still(page);
});

test("replay and lab lead to each other, and the replay fetches nothing of the lab", async ({
  page,
  home,
}) => {
  const fetched: string[] = [];
  page.on("request", (request) => fetched.push(request.url()));
  await page.goto(home);
  await expect(page.locator("#now-title")).toBeVisible();
  expect(fetched.filter((url) => /sim\.json|understudy-sim/.test(url))).toEqual([]);
  await page.getByRole("link", { name: "Failover lab" }).click();
  await still(page);
  await page.getByRole("link", { name: "Replay" }).click();
  await expect(page.locator("#now-title")).toBeVisible();
});
