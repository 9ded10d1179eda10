/** Keeps the address bar and the view the same, with an entry of history for each deliberate move. */
import type { Command, Fact } from "./model/command.js";
import { formatLink, parseLink } from "./model/link.js";
import type { State } from "./model/state.js";
import { linkOf } from "./model/state.js";
import type { Stage } from "./stage.js";

/** Browsers refuse more than about 200 changes in half a minute. */
const WRITE_MS_MIN = 250;

export function bindAddress(stage: Stage): void {
  let written = location.hash;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let lastMs = 0;

  const write = (push: boolean) => {
    clearTimeout(timer);
    timer = undefined;
    if (stage.condition.is !== "ready" || !stage.state.overview) return;
    const link = formatLink(linkOf(stage.state));
    if (link === written) return;
    lastMs = performance.now();
    written = link;
    if (push) history.pushState(null, "", link);
    else history.replaceState(null, "", link);
  };
  stage.observe((command, from, to) => {
    if (isMove(command, from, to)) return write(true);
    timer ??= setTimeout(() => write(false), Math.max(0, WRITE_MS_MIN - (performance.now() - lastMs)));
  });
  addEventListener("popstate", () => {
    if (location.hash === written) return;
    written = location.hash;
    stage.dispatch({ do: "restore", link: parseLink(location.hash) });
  });
}

/** Whether Back should lead to before this. */
function isMove(command: Command | Fact, from: State, to: State): boolean {
  if ("fact" in command) return false;
  switch (command.do) {
    case "toTxn":
    case "toTime":
      return command.passing !== true;
    case "event":
    case "start":
    case "end":
      return from.txn !== to.txn;
    case "table":
    case "tab":
    case "axis":
    case "compare":
    case "compareWith":
    case "pin":
    case "swap":
      return true;
    case "lab":
      return !["tick", "due", "jump", "select", "toggle"].includes(command.lab.do);
    default:
      return false;
  }
}
