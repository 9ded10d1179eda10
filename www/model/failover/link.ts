/**
 * The lab's part of the link grammar (`../link.ts` has the replay's): `#lab&scenario=safe&seed=7&t=12.5&speed=0.25`. `t` is a
 * time in seconds, to the microsecond; `step` in its place is a step of the run, as a failing seed of the simulator prints it.
 * `scenario` is a name, or a document in JSON; with `step` and without it, it is `chaos`, of which `faults` may name the kinds of
 * fault. `lesson` is a lesson's name. `from` is a link of the replay, without its `#`: the scenario begins with the rows of that moment.
 */
import { CHAOS, FORKED, FREE, namedScenario, nameOf, readScenario, SEED } from "./scenario.js";
import type { Scenario } from "./told.js";

export interface FailoverLink {
  scenario: Scenario;
  seed: number;
  at: { us: number } | { step: number } | null;
  speed: number | null;
  lesson: string | null;
  /** The moment of the replay that the run goes on from. */
  from: string | null;
  /** What of it could not be read, for people. */
  trouble: string | null;
}

export function isLabLink(fragment: string): boolean {
  return /^#lab(?:&|$)/.test(fragment);
}

export function parseLabLink(fragment: string): FailoverLink {
  const parts = new URLSearchParams(fragment.replace(/^#lab&?/, ""));
  const step = whole(parts.get("step"));
  const seconds = Number(parts.get("t") ?? Number.NaN);
  const speed = Number(parts.get("speed") ?? Number.NaN);
  const at = step !== null ? { step } : seconds >= 0 ? { us: Math.round(seconds * 1e6) } : null;
  const asked = parts.get("scenario");
  const from = parts.get("from");
  let scenario: Scenario = at && "step" in at ? chaosOf(parts.get("faults")) : from === null ? FREE : FORKED;
  let trouble: string | null = null;
  try {
    if (asked !== null) scenario = namedScenario(asked) ?? readScenario(asked);
  } catch (error) {
    trouble = `The link's scenario can't be read: ${error instanceof Error ? error.message : String(error)}.`;
  }
  return {
    scenario,
    seed: whole(parts.get("seed")) ?? SEED,
    at,
    speed: speed > 0 && speed <= 1000 ? speed : null,
    from,
    lesson: /^[a-z0-9-]{1,60}$/.exec(parts.get("lesson") ?? "")?.[0] ?? null,
    trouble,
  };
}

function chaosOf(faults: string | null): Scenario {
  return faults === null || faults === "" ? CHAOS : { ...CHAOS, faults: faults.split(",") };
}

function whole(text: string | null): number | null {
  return text !== null && /^\d{1,15}$/.test(text) ? Number(text) : null;
}

/** The fragment of what is on show, with its `#`. */
export function formatLabLink(link: Omit<FailoverLink, "trouble">): string {
  const parts = ["#lab"];
  if (link.from !== null) parts.push(`from=${encodeURIComponent(link.from)}`);
  const name = nameOf(link.scenario);
  if (name === null) parts.push(`scenario=${encodeURIComponent(JSON.stringify(link.scenario))}`);
  else if (name !== FREE.name || link.from !== null) parts.push(`scenario=${name}`);
  parts.push(`seed=${link.seed}`);
  if (link.at && "step" in link.at) parts.push(`step=${link.at.step}`);
  else if (link.at && link.at.us > 0) parts.push(`t=${link.at.us / 1e6}`);
  if (link.speed !== null && link.speed !== 1) parts.push(`speed=${link.speed}`);
  if (link.lesson !== null) parts.push(`lesson=${link.lesson}`);
  return parts.join("&");
}
