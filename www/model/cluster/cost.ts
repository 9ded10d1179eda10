/** What shipping and polling cost, and how far behind they leave a replica. A model; what goes in is said. Pure. */
import type { Cluster } from "../../../pkg/types.js";

/** S3 Standard's list prices in us-east-1, US dollars. */
export const PRICES = { put: 0.005 / 1000, get: 0.0004 / 1000, gigabyteMonth: 0.023 } as const;
/** One request, there and back: what a store within a region takes. */
export const REQUEST_MS = 60;
const MONTH_S = 30 * 86_400;
/** An instance's journal: one object a minute while idle, one each ten seconds otherwise. */
const JOURNAL_S = 10;

export interface Dial {
  /** A pack is put each so many milliseconds while anything is written. */
  shipMs: number;
  /** A replica asks for the next pack each so many milliseconds. */
  pollMs: number;
  replicas: number;
  tables: number;
  /** Share of the time in which anything is written, 0 ... 1. */
  busy: number;
  /** Bytes of packs and blobs each day. */
  bytesADay: number;
  /** Days that the log is kept. */
  days: number;
}

export interface Cost {
  puts: number;
  gets: number;
  /** Dollars a month. */
  requests: number;
  storage: number;
  all: number;
  each: number;
  /** From commit to a replica's having the pack: on average, and at worst while nothing fails. */
  lagMs: number;
  lagMaxMs: number;
}

export function costOf(dial: Dial): Cost {
  const packs = (MONTH_S * 1000 * dial.busy) / dial.shipMs;
  const journals = ((dial.replicas + 1) * MONTH_S * dial.busy) / JOURNAL_S;
  const polls = (dial.replicas * MONTH_S * 1000) / dial.pollMs;
  const [puts, gets] = [packs + journals, polls + dial.replicas * packs];
  const requests = puts * PRICES.put + gets * PRICES.get;
  const storage = ((dial.bytesADay * dial.days) / 1e9) * PRICES.gigabyteMonth;
  return {
    puts,
    gets,
    requests,
    storage,
    all: requests + storage,
    each: (requests + storage) / Math.max(1, dial.tables),
    lagMs: dial.shipMs / 2 + dial.pollMs / 2 + 2 * REQUEST_MS,
    lagMaxMs: dial.shipMs + dial.pollMs + 2 * REQUEST_MS,
  };
}

/** What the log itself shows of how it was written. */
export interface Observed {
  packs: number;
  bytes: number;
  spanUs: number;
  /** Half of the packs came at most this long after the one before. */
  intervalUs: number | null;
}

export function observed(cluster: Cluster): Observed {
  const packs = cluster.objects.filter((object) => object.seal === null);
  const times = packs.map((pack) => pack.committedUs);
  const gaps = times.slice(1).map((us, i) => Math.max(0, us - (times[i] ?? us)));
  gaps.sort((a, b) => a - b);
  return {
    packs: packs.length,
    bytes: cluster.objects.reduce((sum, object) => sum + object.bytes + object.blobBytes, 0),
    spanUs: Math.max(0, (times[times.length - 1] ?? 0) - (times[0] ?? 0)),
    intervalUs: gaps[Math.floor(gaps.length / 2)] ?? null,
  };
}
