/** What came before the snapshot that a replay began with. */
import type { Stage } from "./stage.js";

/** Reads the log again from the snapshot before, or from its beginning; what is on show stays. */
export async function fetchBefore(stage: Stage, beginsAt: number): Promise<void> {
  const { opening } = stage;
  const { source } = opening;
  if (source.kind !== "url") return;
  await stage.open({ ...opening, source: { kind: "url", url: source.url, from: Math.max(0, beginsAt - 1) } });
}
