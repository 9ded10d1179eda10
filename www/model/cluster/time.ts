/** The cluster's time at the moment on show. Pure. */
import type { Snapshot } from "../shown.js";
import { historyNow } from "../state.js";

/**
 * At a table's last transaction all that is known counts (null): what came of it was written down later. Undefined where
 * the time is not known.
 */
export function clusterTime({ state, shown }: Pick<Snapshot, "state" | "shown">): number | null | undefined {
  const history = historyNow(state);
  if (state.live || !history || state.txn >= history.kind.length) return null;
  const op = state.axis === "op" ? history.ops?.at[state.txn - 1] : undefined;
  const object = shown.cluster?.objects[(op ?? -1) - (shown.cluster.objects[0]?.n ?? 0)];
  return object?.committedUs ?? state.us ?? undefined;
}
