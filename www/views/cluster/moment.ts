/** The cluster at the moment under the playhead. */
import type { Snapshot } from "../../model/shown.js";
import type { Moment } from "../../model/cluster/moment.js";
import { momentOf, UNKNOWN } from "../../model/cluster/moment.js";
import { historyNow } from "../../model/state.js";
import { useSnapshot } from "../hooks.js";

let made: { key: unknown[]; moment: Moment } | null = null;

/** Null where the source is no bucket. */
export function useMoment(): Moment | null {
  return useSnapshot(momentNow);
}

/** The same object until something of it changes. */
function momentNow({ state, shown }: Snapshot): Moment | null {
  const { cluster, table } = shown;
  if (!cluster || !state.overview) return null;
  const us = clusterTime({ state, shown });
  if (us === undefined) return UNKNOWN;
  const digest = table?.digest ?? "";
  const key = [cluster, state.overview, us, table?.dir, table?.seqTxn, digest];
  if (made?.key.every((part, i) => part === key[i])) return made.moment;
  const own = table ? [{ dir: table.dir, seqTxn: table.seqTxn, digest, partitions: table.partitions }] : [];
  made = { key, moment: momentOf(cluster, state.overview.tables, us, own) };
  return made.moment;
}

/**
 * At a table's last transaction all that is known counts (null): what came of it was written down later. Undefined where
 * the time is not known.
 */
function clusterTime({ state, shown }: Pick<Snapshot, "state" | "shown">): number | null | undefined {
  const history = historyNow(state);
  if (state.live || !history || state.txn >= history.kind.length) return null;
  const op = state.axis === "op" ? history.ops?.at[state.txn - 1] : undefined;
  const object = shown.cluster?.objects[(op ?? -1) - (shown.cluster.objects[0]?.n ?? 0)];
  return object?.committedUs ?? state.us ?? undefined;
}
