/** Follows the end of a log that a server still writes. */
import { detailOf } from "./engine/client.js";
import type { Stage } from "./stage.js";

/** Between two looks. */
const LOOK_MS = 2000;

/** Looks for what the server has written since, as long as the end is followed. */
export function bindLive(stage: Stage): void {
  let looking = false;
  setInterval(() => {
    if (!stage.state.live || looking || stage.behind || stage.condition.is !== "ready" || document.hidden)
      return;
    looking = true;
    void lookAgain(stage).finally(() => (looking = false));
  }, LOOK_MS);
}

/** Reads the logs again. What can't be read ends the following, and says so. */
export async function lookAgain(stage: Stage): Promise<void> {
  try {
    const overview = await stage.engine.call("refresh", []);
    if (stage.shown.cluster) await stage.readCluster();
    stage.dispatch({ fact: "refreshed", overview });
  } catch (error) {
    const { kind, message } = detailOf(error);
    const { overview } = stage.state;
    if (kind === "trap" || !overview) return;
    stage.dispatch({ do: "live", on: false });
    const nowhere = { table: null, file: null, offset: null, advice: null };
    const problem = { severity: "warning" as const, ...nowhere, message: `no longer followed: ${message}` };
    stage.dispatch({ fact: "problems", problems: [...overview.problems, problem] });
  }
}
