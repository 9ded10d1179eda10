/**
 * What each instance of a cluster had applied at a moment, by its own journal, beside what the log had by then. Pure.
 *
 * Packs and journals carry the clocks of whoever wrote them, so a lag in seconds is as good as these agree.
 */
import type { Cluster, Instance } from "../../../pkg/types.js";
import { upperBound } from "../history.js";

/** Values that changed at times: `at` gives the one of a moment. */
export class Track<T> {
  readonly #us: number[] = [];
  readonly #values: T[] = [];
  #times: Float64Array | null = null;

  /** Times that go back count as the latest before them. */
  add(us: number, value: T): void {
    this.#us.push(Math.max(us, this.#us[this.#us.length - 1] ?? us));
    this.#values.push(value);
    this.#times = null;
  }

  /** How many changes there were up to a moment. */
  until(us: number): number {
    return upperBound((this.#times ??= Float64Array.from(this.#us)), us);
  }

  at(us: number): T | null {
    return this.#values[this.until(us) - 1] ?? null;
  }

  /** The last few up to a moment, the newest first. */
  last(us: number, count: number): T[] {
    const to = this.until(us);
    return this.#values.slice(Math.max(0, to - count), to).reverse();
  }

  timeOf(index: number): number | null {
    return this.#us[index] ?? null;
  }

  value(index: number): T | null {
    return this.#values[index] ?? null;
  }
}

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

function newShipped(): Shipped {
  return { last: new Track(), digests: new Track(), dropped: null };
}

function tell(instance: Instance): Told {
  const told: Told = {
    instance,
    applied: new Map(),
    digests: new Map(),
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
