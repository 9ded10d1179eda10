/** Goes on from the moment on show: reads its rows, and opens the lab with them. */
import { detailOf } from "./engine/client.js";
import { fromOf, keepFork, readFork } from "./fork.js";
import type { Stage } from "./stage.js";

export function bindFork(stage: Stage): void {
  stage.observe((command) => {
    if ("do" in command && command.do === "fork" && stage.shown.fork?.error !== null) void fork(stage);
  });
}

async function fork(stage: Stage): Promise<void> {
  const { overview } = stage.state;
  if (!overview) return;
  const from = fromOf(stage.state);
  const { bundled, title } = stage.opening;
  const cluster = stage.shown.cluster ?? null;
  stage.tell({ fork: { error: null } });
  try {
    const source = { overview, cluster, title: bundled ? title : overview.title };
    keepFork(await stage.borrow((engine) => readFork(engine, source, from)));
    stage.tell({ fork: null });
    // From the replay to the lab the page begins anew.
    location.hash = `#lab&from=${encodeURIComponent(from)}`;
  } catch (error) {
    stage.tell({ fork: { error: detailOf(error) } });
  }
}
