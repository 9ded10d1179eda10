/** For everybody: keyboard alone, screen readers, light and dark, phones. */
import { expect, open, recorded, scrubber, serious, settled, shownTxn, test } from "./site.js";

for (const theme of ["light", "dark"] as const) {
  test(`axe finds nothing serious, ${theme}`, async ({ page, home }) => {
    await open(page, `${home}?theme=${theme}#table=${recorded("trades").dir}&t=txn:300`);
    expect(await serious(page)).toEqual([]);
    for (const tab of ["Log", "Schema", "Bytes", "As text"]) {
      await page.getByRole("tab", { name: tab }).click();
      await settled(page);
      expect(await serious(page), tab).toEqual([]);
    }
    await page.getByRole("tab", { name: "Storage" }).click();
    expect(await serious(page), "before a lab").toEqual([]);
    await page.getByRole("button", { name: /Begin after txn/ }).click();
    await page.getByRole("button", { name: "TO PARQUET 1h, DROP LOCAL 4h" }).click();
    await page.getByRole("button", { name: "+6 h" }).click();
    await page.locator(".lab-brick[data-form=parquet]").first().click();
    await page.getByText("The same as text").click();
    await expect(page.locator(".lab-why")).toContainText("Next:");
    expect(await serious(page), "a lab").toEqual([]);
    await page.getByRole("button", { name: "As a table" }).click();
    await page.getByRole("button", { name: /time$/i }).click();
    await page.keyboard.press("w");
    expect(await serious(page), "partitions as a table, zoomed").toEqual([]);
    await page.keyboard.press("c");
    await page.keyboard.press("ArrowRight");
    await expect(page.locator(".pairs")).toBeVisible();
    expect(await serious(page), "comparing").toEqual([]);
    for (const key of ["?", "/"]) {
      await page.keyboard.press(key);
      await expect(page.getByRole("dialog")).toBeVisible();
      expect(await serious(page), key).toEqual([]);
      await page.keyboard.press("Escape");
      await expect(page.getByRole("dialog")).toHaveCount(0);
    }
    await page.locator(".chip").click();
    await page.getByText("CRC-32 of the files that came whole").click();
    expect(await serious(page), "what is real").toEqual([]);
    await page.keyboard.press("Escape");
    await page.getByRole("button", { name: "Open", exact: true }).click();
    expect(await serious(page), "open").toEqual([]);
    await page.goto(`${home}?theme=${theme}&src=${encodeURIComponent("http://127.0.0.1:9/")}`);
    await expect(page.getByRole("region", { name: "Diagnosis" })).toBeVisible();
    expect(await serious(page), "broken").toEqual([]);
  });
}

test("everything by keyboard alone", async ({ page, home }) => {
  await open(page, `${home}#table=${recorded("trades").dir}&t=txn:10`);
  // Tab reaches every control and leaves again.
  const reached = new Set<string>();
  for (let i = 0; i < 80; i++) {
    await page.keyboard.press("Tab");
    const what = await page.evaluate(() => {
      const at = document.activeElement;
      return at?.getAttribute("aria-label") ?? at?.id ?? at?.textContent ?? "";
    });
    reached.add(what);
  }
  for (const name of ["Search", "Moment in the history", "Play", "Rows of the table", "tab-rows"]) {
    expect(
      [...reached].some((r) => r.includes(name)),
      `${name} is reached`,
    ).toBe(true);
  }
  // The scrubber is a slider.
  await scrubber(page).focus();
  for (const [key, by] of [
    ["ArrowRight", 1],
    ["ArrowUp", 1],
    ["ArrowLeft", -1],
    ["PageUp", 100],
    ["PageDown", -100],
  ] as const) {
    const before = Number(await scrubber(page).getAttribute("aria-valuenow"));
    await page.keyboard.press(key);
    await expect(scrubber(page), key).toHaveAttribute("aria-valuenow", String(before + by));
  }
  await page.keyboard.press("Home");
  await expect(scrubber(page)).toHaveAttribute("aria-valuenow", "0");
  // Help comes and goes, and the focus comes back.
  await page.keyboard.press("?");
  const help = page.getByRole("dialog", { name: "Keys" });
  await expect(help).toContainText("Play or pause");
  await page.keyboard.press("Escape");
  await expect(help).toHaveCount(0);
  await expect(scrubber(page)).toBeFocused();
  // Tabs turn by arrows; a button's own Space is not taken from it.
  await page.getByRole("tab", { name: "Rows" }).focus();
  await page.keyboard.press("ArrowRight");
  await expect(page.getByRole("tab", { name: "Log" })).toBeFocused();
  await page.getByRole("button", { name: "Next transaction" }).focus();
  await page.keyboard.press("Space");
  await settled(page);
  expect(await shownTxn(page)).toBe(1);
  // Typing in a field is typing.
  await page.keyboard.press("/");
  await expect(page.getByRole("combobox", { name: /Search/ })).toBeFocused();
  await page.keyboard.type("jk");
  await expect(page.getByRole("combobox", { name: /Search/ })).toHaveValue("jk");
});

for (const [where, hash] of [
  ["the replay", "#t=txn:10"],
  ["the lab", "#lab&t=2"],
] as const) {
  test(`the next key after the one that opens the search goes into its field, ${where}`, async ({
    page,
    home,
  }) => {
    await page.goto(`${home}${hash}`);
    await expect(page.getByRole("button", { name: "Search" })).toBeVisible();
    // No frame is painted between the two.
    const focused = await page.evaluate(async () => {
      dispatchEvent(new KeyboardEvent("keydown", { key: "/" }));
      for (let i = 0; i < 10; i++) await Promise.resolve();
      return document.activeElement?.getAttribute("role");
    });
    expect(focused).toBe("combobox");
  });
}

test("on a phone all is one column, with targets big enough for fingers", async ({ browser, home }) => {
  const context = await browser.newContext({
    viewport: { width: 390, height: 844 },
    hasTouch: true,
    isMobile: true,
    reducedMotion: "reduce",
  });
  const page = await context.newPage();
  await open(page, `${home}#table=${recorded("trades").dir}&t=txn:300`);
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  expect(wide).toBeLessThanOrEqual(0);
  for (const button of await page.locator(".transport-keys .button:visible").all()) {
    const box = await button.boundingBox();
    expect(box?.height ?? 0).toBeGreaterThanOrEqual(44);
    expect(box?.width ?? 0).toBeGreaterThanOrEqual(40);
  }
  const track = (await page.locator(".track").boundingBox()) ?? { x: 0, y: 0, width: 0, height: 0 };
  await page.touchscreen.tap(track.x + track.width / 2, track.y + 40);
  await settled(page);
  expect(await shownTxn(page)).toBeGreaterThan(301);
  expect(await serious(page)).toEqual([]);
  const limit = await page.evaluate(() =>
    globalThis.understudy?.engine.call("fetched", []).then((f) => f.memoryLimit),
  );
  expect(limit).toBe(192 * 1024 * 1024);
  await context.close();
});

test("?memory= and ?theme= are obeyed", async ({ page, home }) => {
  await open(page, `${home}?memory=64&theme=dark#t=txn:3`);
  const limit = await page.evaluate(() =>
    globalThis.understudy?.engine.call("fetched", []).then((f) => f.memoryLimit),
  );
  expect(limit).toBe(64 * 1024 * 1024);
  await expect(page.locator("html")).toHaveAttribute("data-theme", "dark");
  await page.getByRole("button", { name: "Light or dark" }).click();
  await expect(page.locator("html")).toHaveAttribute("data-theme", "light");
});
