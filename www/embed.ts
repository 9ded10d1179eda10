/**
 * The lab inside another page: `<iframe src=".../index.html#lab">` and messages. `docs/embed.md` has them all.
 *
 * Only the page around is listened to, and nothing is told before it has said hello.
 */
import type { Failover } from "./failover.js";
import { entryOfKey } from "./model/command.js";
import { LAB_COMMANDS } from "./model/failover/command.js";
import { parseLabLink } from "./model/failover/link.js";
import { isOrder } from "./model/failover/scenario.js";
import { beginLesson, openLink } from "./lessons.js";

export const EMBED_VERSION = 1;
/** Changes are told no more often than this. */
const TELL_MS = 100;

/** What the page around may ask for. */
export type Asked =
  | { understudy: 1; do: "hello" }
  | { understudy: 1; do: "open"; link: string }
  | { understudy: 1; do: "lesson"; name: string }
  | { understudy: 1; do: "seek"; us: number }
  | { understudy: 1; do: "play"; speed?: number }
  | { understudy: 1; do: "pause" }
  | { understudy: 1; do: "order"; order: unknown }
  | { understudy: 1; do: "key"; key: string };

export function embed(lab: Failover): void {
  if (window.parent === window) return;
  let told: string | null = null;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let last = "";
  const post = (message: object) => {
    if (told !== null) window.parent.postMessage({ understudy: EMBED_VERSION, ...message }, told);
  };
  const tell = () => {
    timer = undefined;
    const change = changeOf(lab);
    const text = JSON.stringify(change);
    if (text === last) return;
    last = text;
    post(change);
  };
  lab.subscribe(() => (timer ??= setTimeout(tell, TELL_MS)));
  addEventListener("message", (event: MessageEvent<unknown>) => {
    if (event.source !== window.parent || !isAsked(event.data)) return;
    if (event.data.do === "hello") {
      // Of a file there is no origin that could be named.
      told = event.origin === "null" ? "*" : event.origin;
      last = "";
      post({ event: "ready" });
      return tell();
    }
    const wrong = perform(lab, event.data);
    if (wrong !== null) post({ event: "refused", do: event.data.do, why: wrong });
  });
}

function isAsked(value: unknown): value is Asked {
  const asked = value as Partial<Asked> | null;
  return typeof value === "object" && asked?.understudy === EMBED_VERSION && typeof asked.do === "string";
}

/** Does what was asked for; says why not. */
function perform(lab: Failover, asked: Asked): string | null {
  switch (asked.do) {
    case "open":
      openLink(lab, parseLabLink(asked.link.startsWith("#") ? asked.link : `#${asked.link}`));
      return lab.trouble;
    case "lesson":
      void beginLesson(lab, asked.name);
      return null;
    case "seek":
      if (!Number.isFinite(asked.us)) return "us: a number was expected";
      lab.dispatch({ do: "to", us: asked.us });
      return null;
    case "play":
      if (asked.speed !== undefined) lab.dispatch({ do: "speed", speed: asked.speed });
      lab.dispatch({ do: "play" });
      return null;
    case "pause":
      lab.dispatch({ do: "pause" });
      return null;
    case "order":
      if (!isOrder(asked.order)) return "order: this is no command";
      lab.dispatch({ do: "give", order: asked.order });
      return null;
    case "key": {
      const plain = { shiftKey: false, ctrlKey: false, metaKey: false, altKey: false };
      const entry = entryOfKey(LAB_COMMANDS, { key: asked.key, ...plain });
      if (!entry) return "key: it does nothing";
      lab.dispatch(entry.command);
      return null;
    }
    default:
      return "do: nothing by that name";
  }
}

/** What has changed, as the page around hears it. */
function changeOf(lab: Failover) {
  const { told, state } = lab;
  return {
    event: "change" as const,
    us: lab.us,
    step: told?.step ?? 0,
    playing: state.playing,
    speed: state.speed,
    over: lab.over,
    rows: told?.rows ?? null,
    term: told?.term ?? 0,
    lesson: state.lesson ? { name: state.lesson.name, step: state.lesson.step } : null,
    link: lab.link(),
  };
}
