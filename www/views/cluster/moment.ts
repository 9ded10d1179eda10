/** The cluster at the moment under the playhead. */
import type { Snapshot } from "../../model/shown.js";
import type { Moment } from "../../model/cluster/moment.js";
import { momentOf, UNKNOWN } from "../../model/cluster/moment.js";
import { clusterTime } from "../../model/cluster/time.js";
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
