/** What tests of the failover lab share: to open it, to wait for its clock, to compare its numbers. */
import type { Page } from "@playwright/test";
import { expect } from "./site.js";

export const SECOND = 1_000_000;

/** Opens the lab and waits until it stands where the link says. */
export async function openLab(page: Page, address: string): Promise<void> {
  await page.goto(address);
  await still(page);
}

/** Waits until the clock stands, and is where it was sent. */
export async function still(page: Page): Promise<void> {
  await page.waitForFunction(() => {
    const lab = globalThis.understudyLab;
    return lab !== undefined && lab.told !== null && !lab.state.playing && !lab.behind;
  });
}

export function told(page: Page) {
  return page.evaluate(() => {
    const lab = globalThis.understudyLab;
    if (!lab?.told) throw new Error("nothing is told");
    return { ...lab.told, us: lab.us };
  });
}

export async function to(page: Page, us: number): Promise<void> {
  await page.evaluate((us) => globalThis.understudyLab?.dispatch({ do: "to", us }), us);
  await still(page);
}

async function figure(page: Page, name: string): Promise<number> {
  const text = await page.locator(`[data-figure=${name}]`).textContent();
  return Number((text ?? "").replace(/\D/g, ""));
}

/** Each number on the page is the one that the simulator tells. */
export async function numbersAgree(page: Page): Promise<void> {
  await still(page);
  const { rows, requests, clients, nodes } = await told(page);
  await expect(page.locator("[data-figure=made]")).toHaveText(/\d/);
  for (const [name, value] of Object.entries(rows)) expect(await figure(page, name), name).toBe(value);
  expect(await figure(page, "risk")).toBe(Math.max(0, rows.acknowledged - rows.in_history));
  expect(await figure(page, "puts")).toBe(requests.puts);
  expect(await figure(page, "gets")).toBe(requests.gets);
  for (const client of clients) {
    const row = page.locator(`tr[data-client="${client.client}"]`);
    await expect(row.locator("[data-queue]")).toHaveAttribute("data-queue", String(client.queue));
    await expect(row.locator("[data-longest]")).toHaveAttribute(
      "data-longest",
      String(client.longest_outage_us),
    );
  }
  for (const node of nodes) {
    const row = page.locator(`tr[data-node="${node.node}"]`);
    await expect(row.locator("[data-lag]")).toHaveAttribute("data-lag", String(node.lag));
    await expect(row.locator("[data-caught-up]")).toHaveAttribute(
      "data-caught-up",
      String(node.caught_up_us),
    );
  }
}
