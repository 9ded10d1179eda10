/** The cluster at a moment: a lane per instance, and one word on whether all hold the same. Pure. */
import type { Cluster, PartitionInfo, TableInfo } from "../../../pkg/types.js";
import type { Digest, Indexed, Life } from "./lanes.js";
import { indexOf } from "./lanes.js";
import { compareParts, type ComparedParts, type Holder, ownHolder, type Part } from "./stored.js";
import { type Verdict, verdictOf } from "./verdict.js";

/** Digests of each table that are compared, the newest ones of everybody who gave any. */
const DIGESTS_COMPARED = 16;

export type Place = "level" | "behind" | "differs" | "unknown";

/** A table on an instance. */
export interface Cell {
  dir: string;
  name: string;
  /** The last transaction that the log had by then. */
  shipped: number;
  /** The last one that the instance had applied; null where it never said. */
  applied: number | null;
  /** Microseconds since what it lacks was in the log. */
  lagUs: number;
  place: Place;
  digest: Digest | null;
  /** As the instance stores it; empty where it never said. */
  parts: Part[];
}

export interface Lane {
  node: number;
  name: string;
  role: string;
  life: Life | "unknown";
  /** Microseconds since it last wrote anything; null if it had not yet. */
  silentUs: number | null;
  reached: number | null;
  trouble: string | null;
  /** Its journal was not read back to then. */
  unread: boolean;
  cells: Cell[];
  lagTxns: number;
  lagUs: number;
}

export interface Moment {
  us: number;
  lanes: Lane[];
  verdict: Verdict;
}

/** Of a moment whose time is not known, nothing else is. */
export const UNKNOWN: Moment = {
  us: Number.NaN,
  lanes: [],
  verdict: {
    word: "unknown",
    text: "Not known",
    detail: "the table begins with a copy, and when what is in it was committed is not in the log",
  },
};

/** A table as the replay in this tab holds it. */
export interface Own extends Digest {
  dir: string;
  partitions?: readonly PartitionInfo[];
}

/** `us` null is the end of all that is known. `own` are tables of the replay in this tab. */
export function momentOf(
  cluster: Cluster,
  tables: readonly TableInfo[],
  us: number | null,
  own: readonly Own[] = [],
): Moment {
  const known = indexOf(cluster);
  const at = us ?? known.lastUs;
  const shown = tables.filter((table) => isThere(known, table.dir, at));
  const odd = new Map(shown.map((table) => [table.dir, compare(known, table.dir, at, own)]));
  const parts = new Map(shown.map((table) => [table.dir, partsOf(known, table.dir, at, own)]));
  const lanes = known.instances.map((told): Lane => {
    const cells = shown.map((table) =>
      cellOf(
        known,
        told,
        table,
        at,
        odd.get(table.dir)?.differs.has(told.instance.node) === true,
        parts.get(table.dir)?.of.get(told.instance.node),
      ),
    );
    const written = told.words.until(at);
    const wrote = told.words.timeOf(written - 1);
    return {
      node: told.instance.node,
      name: told.instance.name,
      role: told.role.at(at) ?? told.instance.kind,
      life: told.life.at(at) ?? "unknown",
      silentUs: written === 0 || wrote === null ? null : Math.max(0, at - wrote),
      reached: told.reached.at(at),
      trouble: told.trouble.at(at),
      unread: told.instance.since !== null && at < told.instance.since,
      cells,
      lagTxns: cells.reduce((sum, cell) => sum + lacking(cell), 0),
      lagUs: cells.reduce((most, cell) => Math.max(most, cell.lagUs), 0),
    };
  });
  return { us: at, lanes, verdict: verdictOf(lanes, shown, odd, parts) };
}

function lacking({ shipped, applied }: Cell): number {
  return applied === null ? 0 : Math.max(0, shipped - applied);
}

/** Tables that the log had and had not dropped. */
function isThere(known: Indexed, dir: string, us: number): boolean {
  const table = known.shipped.get(dir);
  if (table === undefined || table.last.until(us) === 0) return false;
  return table.dropped === null || table.dropped > us;
}

function cellOf(
  known: Indexed,
  told: Indexed["instances"][number],
  { dir, name }: TableInfo,
  us: number,
  differs: boolean,
  parts: Part[] = [],
): Cell {
  const log = known.shipped.get(dir)?.last;
  const shipped = log?.at(us) ?? 0;
  const applied = told.applied.get(dir)?.at(us) ?? null;
  const digest = told.digests.get(dir)?.at(us) ?? null;
  const behind = applied !== null && applied < shipped;
  let lagUs = 0;
  for (let i = log?.until(us) ?? 0; behind && i > 0; i--) {
    if ((log?.value(i - 1) ?? 0) <= applied) break;
    lagUs = us - (log?.timeOf(i - 1) ?? us);
  }
  const odd = differs || parts.some((part) => part.hash === "differs");
  const place: Place = odd ? "differs" : applied === null ? "unknown" : behind ? "behind" : "level";
  return { dir, name, shipped, applied, lagUs, place, digest, parts };
}

function partsOf(known: Indexed, dir: string, us: number, own: readonly Own[]): ComparedParts {
  const holders = known.instances.flatMap(({ instance, stored, life }): Holder[] => {
    const table = stored.get(dir);
    return table && life.at(us) !== "removed" ? [{ node: instance.node, ...table.at(us) }] : [];
  });
  const mine = own.find((table) => table.dir === dir);
  if (mine?.partitions && holders.length > 0) holders.push(ownHolder(TAB, mine.seqTxn, mine.partitions));
  return compareParts(holders);
}

export interface Compared {
  /** Nodes whose digest is not that of the others at the same transaction. */
  differs: Set<number>;
  /** How many gave a digest that somebody else gave too. */
  agreed: boolean;
}

const TAB = -1;
const LOG = -2;

/** Compares digests at equal transactions. Where two stand against one another, neither is known to be right: both. */
function compare(known: Indexed, dir: string, us: number, own: readonly Own[]): Compared {
  const by = new Map<number, Map<string, number[]>>();
  const add = (who: number, { seqTxn, digest }: Digest) => {
    if (digest === "") return;
    const same = by.get(seqTxn) ?? new Map<string, number[]>();
    by.set(seqTxn, same.set(digest, [...(same.get(digest) ?? []), who]));
  };
  for (const { instance, digests } of known.instances)
    for (const digest of digests.get(dir)?.last(us, DIGESTS_COMPARED) ?? []) add(instance.node, digest);
  for (const digest of known.shipped.get(dir)?.digests.last(us, DIGESTS_COMPARED) ?? []) add(LOG, digest);
  for (const digest of own) if (digest.dir === dir) add(TAB, digest);
  const differs = new Set<number>();
  let agreed = false;
  for (const same of by.values()) {
    const groups = [...same.values()].sort((a, b) => weight(b) - weight(a));
    const [most = [], next = []] = groups;
    if (groups.length === 1) agreed ||= new Set(most).size > 1;
    const wrong = weight(most) > weight(next) ? groups.slice(1) : groups;
    if (groups.length > 1) for (const who of wrong.flat()) differs.add(who);
  }
  return { differs, agreed };
}

/** The primary's own digest counts for more than any number of replicas. */
function weight(who: number[]): number {
  return new Set(who).size + (who.includes(LOG) ? 1000 : 0);
}
