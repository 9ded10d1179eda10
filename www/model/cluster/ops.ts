/** Which object of the log brought each transaction. */
import type { Cluster, Timeline } from "../../../pkg/types.js";
import type { Ops } from "../history.js";

/** Null where the source is no bucket. */
export function opsOf(cluster: Cluster | null | undefined, { dir, kind }: Timeline): Ops | null {
  if (!cluster || cluster.next <= cluster.beginsAt) return null;
  // What no object brought was there before the first of them.
  const at = new Float64Array(kind.length).fill(cluster.beginsAt - 1);
  const [log, until] = incarnation(dir);
  for (const object of cluster.objects) {
    for (const news of object.tables) {
      if (news.dir !== log || (news.what !== "transactions" && news.what !== "base")) continue;
      const first = news.what === "base" ? 1 : news.first;
      for (let txn = first; txn <= Math.min(news.last, kind.length, until); txn++) at[txn - 1] = object.n;
    }
  }
  for (let i = 1; i < at.length; i++) at[i] = Math.max(at[i] ?? 0, at[i - 1] ?? 0);
  return { at, first: cluster.beginsAt, last: cluster.next - 1 };
}

/** Whether what a table began with is of a snapshot, and what came before that was not fetched. */
export function isUnfetched(cluster: Cluster | null | undefined, dir: string): boolean {
  if (!cluster || cluster.beginsAt === 0) return false;
  return !cluster.objects.some(({ tables }) =>
    tables.some((news) => news.dir === dir && (news.what === "base" || news.what === "created")),
  );
}

/** What the log told before a copy took a table's place is shown as a table `DIR.until-N`. */
export function incarnation(dir: string): [dir: string, until: number] {
  const match = /^(.*)\.until-(\d+)$/.exec(dir);
  return match ? [match[1] ?? dir, Number(match[2])] : [dir, Infinity];
}
