import { defineConfig } from "@playwright/test";

/** What Chromium needs in a container; the browser is the system's own. */
const ARGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-dev-shm-usage",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--disable-extensions",
];

export default defineConfig({
  testDir: ".",
  testMatch: "*.spec.ts",
  outputDir: "../../test-results",
  timeout: 120_000,
  expect: { timeout: 30_000 },
  workers: 2,
  // Times are measured when nothing else runs.
  projects: [
    { name: "page", testIgnore: "*speed.spec.ts" },
    { name: "speed", testMatch: "*speed.spec.ts", dependencies: ["page"], workers: 1 },
  ],
  reporter: [["list"]],
  use: {
    browserName: "chromium",
    launchOptions: { executablePath: process.env["CHROMIUM"] ?? "/usr/bin/chromium", args: ARGS },
    viewport: { width: 1440, height: 900 },
    reducedMotion: "reduce",
    // What is kept for later would answer in place of the servers that tests watch; one test allows it.
    serviceWorkers: "block",
    trace: "off",
  },
});
