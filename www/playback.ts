/** Keys, and the passing of time while playing. */
import { commandOfKey } from "./model/command.js";
import type { Stage } from "./stage.js";

/** After a pause of the tab no more than this goes by at once. */
const TICK_MS_MAX = 1000;

export function bindPlayback(stage: Stage): void {
  let last: number | null = null;
  const frame = (now: number) => {
    if (stage.state.playing === 0) {
      last = null;
      return;
    }
    last ??= now;
    // While the engine is behind, time gathers and is played in one step: the speed stays true.
    if (!stage.behind) {
      stage.dispatch({ do: "tick", ms: Math.min(now - last, TICK_MS_MAX) });
      last = now;
    }
    requestAnimationFrame(frame);
  };
  let running = false;
  stage.subscribe(() => {
    const playing = stage.state.playing !== 0;
    if (playing && !running) requestAnimationFrame(frame);
    running = playing;
  });
}

export function bindKeys(stage: Stage): void {
  addEventListener("keydown", (event) => {
    if (event.defaultPrevented || stage.condition.is !== "ready") return;
    if (belongsToElement(event)) return;
    const command = commandOfKey(event);
    if (!command) return;
    if (stage.state.dialog !== null && command.do !== "escape") return;
    event.preventDefault();
    stage.dispatch(command);
  });
}

/** Typing, a focused button's Space, and scrolling a focused region stay with the element. */
export function belongsToElement(event: KeyboardEvent): boolean {
  const target = event.target;
  if (!(target instanceof HTMLElement)) return false;
  if (target.matches("input:not([type=checkbox]), textarea, select, [contenteditable]")) return true;
  if (event.key === " " && target.matches("button, summary, input, a")) return true;
  const scrolls =
    event.key.startsWith("Arrow") || ["Home", "End", "PageUp", "PageDown", " "].includes(event.key);
  return scrolls && !event.ctrlKey && !event.metaKey && target.dataset["keys"] === "own";
}
