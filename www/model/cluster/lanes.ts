/**
 * What each instance of a cluster had applied at a moment, by its own journal, beside what the log had by then. Pure.
 *
 * Packs and journals carry the clocks of whoever wrote them, so a lag in seconds is as good as these agree.
 */
import type { Cluster, Instance } from "../../../pkg/types.js";
import { FORM_WORDS, StoredTable } from "./stored.js";
import { Track } from "./track.js";

export interface Digest {
  seqTxn: number;
  digest: string;
}

/** What the log tells of a table. */
interface Shipped {
  /** The last transaction of each pack with transactions. */
  last: Track<number>;
  digests: Track<Digest>;
  dropped: number | null;
}

/** What an instance tells of itself. */
interface Told {
  instance: Instance;
  applied: Map<string, Track<number>>;
  digests: Map<string, Track<Digest>>;
  stored: Map<string, StoredTable>;
  role: Track<string>;
  life: Track<Life>;
  trouble: Track<string | null>;
  reached: Track<number>;
  /** Everything it wrote. */
  words: Track<null>;
}

export type Life = "running" | "stopped" | "fenced" | "removed";

export interface Indexed {
  shipped: Map<string, Shipped>;
  instances: Told[];
  /** The latest time that anybody wrote. */
  lastUs: number;
}

const indexes = new WeakMap<Cluster, Indexed>();

/** Made once of a cluster. */
export function indexOf(cluster: Cluster): Indexed {
  let made = indexes.get(cluster);
  if (!made) indexes.set(cluster, (made = index(cluster)));
  return made;
}

function index(cluster: Cluster): Indexed {
  const shipped = new Map<string, Shipped>();
  let lastUs = -Infinity;
  for (const { committedUs, tables } of cluster.objects) {
    lastUs = Math.max(lastUs, committedUs);
    for (const news of tables) {
      const table = entry(shipped, news.dir, newShipped);
      if (news.what === "transactions" || news.what === "base") table.last.add(committedUs, news.last);
      else if (news.what === "dropped") table.dropped = committedUs;
      else if (news.what === "digests")
        for (const [seqTxn, digest] of news.digests) table.digests.add(committedUs, { seqTxn, digest });
    }
  }
  const instances = cluster.instances.map(tell);
  for (const { instance } of instances)
    lastUs = Math.max(lastUs, instance.entries[instance.entries.length - 1]?.at_us ?? lastUs);
  return { shipped, instances, lastUs };
}

/**
 * In which forms instances stored a table's partitions at a moment, by name: "native", or "near Parquet, far native" where
 * they are not the same. Null is the end of all that is known.
 */
export function formsAt(
  cluster: Cluster | null | undefined,
  dir: string,
  us: number | null,
): Map<string, string> {
  const forms = new Map<string, [name: string, form: string][]>();
  if (!cluster) return new Map();
  const known = indexOf(cluster);
  for (const { instance, stored } of known.instances) {
    for (const [name, { form }] of stored.get(dir)?.at(us ?? known.lastUs).parts ?? [])
      entry(forms, name, () => []).push([instance.name, FORM_WORDS[form]]);
  }
  const words = (told: [name: string, form: string][]) =>
    new Set(told.map(([, form]) => form)).size === 1
      ? (told[0]?.[1] ?? "")
      : told.map(([name, form]) => `${name} ${form}`).join(", ");
  return new Map([...forms].map(([name, told]) => [name, words(told)]));
}

function newShipped(): Shipped {
  return { last: new Track(), digests: new Track(), dropped: null };
}

function tell(instance: Instance): Told {
  const told: Told = {
    instance,
    applied: new Map(),
    digests: new Map(),
    stored: new Map(),
    role: new Track(),
    life: new Track(),
    trouble: new Track(),
    reached: new Track(),
    words: new Track(),
  };
  for (const note of instance.entries) {
    const us = note.at_us;
    told.words.add(us, null);
    switch (note.what) {
      case "started":
      case "role":
        told.role.add(us, note.role);
        told.life.add(us, "running");
        break;
      case "stopped":
      case "fenced":
      case "removed":
        told.life.add(us, note.what);
        break;
      case "applied":
        for (const [dir, txn] of Object.entries(note.tables))
          entry(told.applied, dir, () => new Track<number>()).add(us, txn);
        break;
      case "base":
        entry(told.applied, note.table, () => new Track<number>()).add(us, note.seq_txn);
        break;
      case "digests":
        for (const [dir, [seqTxn, digest]] of Object.entries(note.tables))
          entry(told.digests, dir, () => new Track<Digest>()).add(us, { seqTxn, digest });
        break;
      case "partitions":
        entry(told.stored, note.table, () => new StoredTable()).take(us, note.seq_txn, note.partitions);
        break;
      case "error":
        told.trouble.add(us, note.table === undefined ? note.text : `${note.table}: ${note.text}`);
        break;
      case "recovered":
        told.trouble.add(us, null);
        break;
      case "reached":
        told.reached.add(us, note.n);
        break;
      default:
        break;
    }
  }
  return told;
}

function entry<T>(map: Map<string, T>, key: string, make: () => T): T {
  let found = map.get(key);
  if (found === undefined) map.set(key, (found = make()));
  return found;
}
