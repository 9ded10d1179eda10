/** Takes the screenshots in docs/ from the built page: `npm run screenshots`. */
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "@playwright/test";
import { startStatic } from "./static.mjs";

const root = join(dirname(fileURLToPath(import.meta.url)), "../..");
const DESKTOP = { width: 1280, height: 800 };
const PHONE = { width: 390, height: 844 };

const SHOTS = [
  { name: "light", theme: "light", size: DESKTOP, link: "#table=orders~8&t=txn:{late}&axis=time" },
  { name: "dark", theme: "dark", size: DESKTOP, link: "#table=trades~7&t=txn:403" },
  { name: "bytes", theme: "light", size: DESKTOP, link: "#table=trades~7&t=txn:230&tab=bytes" },
  { name: "phone", theme: "dark", size: PHONE, link: "#table=quotes~6&t=txn:400" },
];

const FORK_STEPS = [
  { do: "to", us: 9e6 },
  { do: "killPrimary" },
  { do: "to", us: 10.5e6 },
  { do: "promote", planned: false },
  { do: "to", us: 14.02e6 },
];

/** The failover lab, steered to where there is something to see. */
const LAB_SHOTS = [
  {
    name: "lab",
    theme: "light",
    size: DESKTOP,
    link: "#lab&seed=21&t=6",
    steps: [
      { do: "killPrimary" },
      { do: "to", us: 7.5e6 },
      { do: "promote", planned: false },
      { do: "to", us: 9.2e6 },
      { do: "give", order: { do: "start", node: 0 } },
      { do: "to", us: 12.02e6 },
    ],
  },
  {
    name: "lab-fork",
    theme: "light",
    size: { width: 1280, height: 1000 },
    link: "#lab&from=table%3Dtrades~7%26t%3Dtxn%3A300",
    steps: FORK_STEPS,
  },
  {
    name: "lab-fork-dark",
    theme: "dark",
    size: { width: 1280, height: 1000 },
    link: "#lab&from=table%3Dtrades~7%26t%3Dtxn%3A300",
    steps: FORK_STEPS,
  },
  {
    name: "lab-lesson",
    theme: "dark",
    size: DESKTOP,
    link: "#lab&lesson=06-emergency-migration-and-the-lost-tail",
    steps: [{ do: "to", us: 9e6 }],
  },
  { name: "lab-phone", theme: "light", size: PHONE, link: "#lab&t=5.02", steps: [] },
];

const server = await startStatic(join(root, "dist"));
const browser = await chromium.launch({
  executablePath: process.env["CHROMIUM"] ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
});
for (const shot of SHOTS) {
  const phone = shot.size === PHONE;
  const context = await browser.newContext({
    viewport: shot.size,
    reducedMotion: "reduce",
    hasTouch: phone,
    isMobile: phone,
    deviceScaleFactor: phone ? 1.5 : 1,
  });
  const page = await context.newPage();
  await page.goto(`${server.url}?theme=${shot.theme}${shot.link.replace("{late}", "400")}`);
  await settled(page);
  // A commit that came out of order shows more: go on to the next one.
  if (shot.link.includes("{late}")) {
    await page.evaluate(() => {
      const stage = globalThis.understudy;
      const kinds = stage.state.histories.get(stage.state.table).kind;
      stage.dispatch({ do: "toTxn", txn: kinds.indexOf(2, 400) + 1 });
    });
    await settled(page);
  }
  await page.waitForTimeout(1500);
  await page.screenshot({ path: join(root, `docs/screenshot-${shot.name}.png`) });
  await context.close();
}
for (const shot of LAB_SHOTS) {
  const phone = shot.size === PHONE;
  const context = await browser.newContext({
    viewport: shot.size,
    hasTouch: phone,
    isMobile: phone,
    deviceScaleFactor: phone ? 1.5 : 1,
    serviceWorkers: "block",
  });
  const page = await context.newPage();
  await page.goto(`${server.url}?theme=${shot.theme}${shot.link}`);
  await labStands(page);
  for (const step of shot.steps) {
    await page.evaluate((step) => globalThis.understudyLab.dispatch(step), step);
    await labStands(page);
  }
  await page.waitForTimeout(500);
  await page.screenshot({ path: join(root, `docs/screenshot-${shot.name}.png`) });
  await context.close();
}
await browser.close();
await server.close();

async function labStands(page) {
  await page.waitForFunction(() => {
    const lab = globalThis.understudyLab;
    return lab?.told && !lab.behind && (!location.hash.includes("lesson=") || lab.state.lesson);
  });
}

/** Waits until the engine has caught up and every table's log is read. */
async function settled(page) {
  await page.waitForFunction(() => {
    const stage = globalThis.understudy;
    if (!stage?.shown.table || stage.behind || stage.shown.busySince !== null) return false;
    return stage.state.overview.tables.every((t) => t.txnCount === 0 || stage.state.histories.has(t.dir));
  });
}
