/** Every lesson of the failover lab, played to its end as a reader would. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { readLesson } from "../../www/model/failover/lesson.js";
import { numbersAgree, openLab, told } from "./cluster.js";
import { expect, ROOT, test } from "./site.js";

const LESSONS = join(ROOT, "www/public/lessons");

for (const file of readdirSync(LESSONS).sort()) {
  test(`lesson ${file} is played to its end`, async ({ page, home, complaints }) => {
    const name = file.replace(/\.json$/, "");
    const lesson = readLesson(readFileSync(join(LESSONS, file), "utf8"));
    await openLab(page, `${home}#lab`);
    await page.keyboard.press("l");
    await page.locator(`[data-lesson="${name}"]`).click();
    const panel = page.locator(".fo-lesson");
    for (const [at, step] of lesson.steps.entries()) {
      await expect(panel).toHaveAttribute("data-step", String(at));
      await expect(panel).toContainText(step.title);
      // A reader is slower than this; the run is the same at any speed.
      await page.evaluate(() => globalThis.understudyLab?.dispatch({ do: "speed", speed: 4 }));
      const right = step.ask?.answers.findIndex((answer) => answer.right) ?? -1;
      if (step.ask) {
        const wrong = step.ask.answers.findIndex((answer) => !answer.right);
        await panel.locator(".fo-question button").nth(wrong).click();
        await expect(panel.getByRole("button", { name: "Continue" })).toBeDisabled();
        await panel.locator(".fo-question button").nth(right).click();
        await expect(panel).toContainText(step.ask.answers[right]?.because ?? "");
      }
      for (const { label } of step.try ?? [])
        await panel.getByRole("button", { name: label, exact: true }).click();
      if (!step.until) await panel.getByRole("button", { name: "Continue" }).click();
      else if (!step.try) await panel.getByRole("button", { name: "Let it run" }).click();
    }
    await expect(panel).toContainText(lesson.free);
    await numbersAgree(page);
    const { rows, nodes } = await told(page);
    expect(await page.evaluate(() => globalThis.understudyLab?.violation)).toBeNull();
    if (name.startsWith("04")) expect(rows.duplicated).toBeGreaterThan(0);
    if (name.startsWith("05") || name.startsWith("07")) expect(rows.lost).toBe(0);
    if (name.startsWith("06")) expect(rows.lost).toBeGreaterThan(0);
    if (name.startsWith("08")) expect(nodes[0]?.role).toBe("replica");
    // It stands at the moment at which it was cut off.
    if (name.startsWith("10")) expect(nodes[2]?.rows).toBeLessThan(nodes[0]?.rows ?? 0);
    expect(complaints).toEqual([]);
  });
}
