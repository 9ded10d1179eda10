/** Where in a long log to begin, so that opening it fetches no more than is reasonable. */
import type { Ledger } from "../../../pkg/ledger.js";
import type { Store } from "./store.js";

/** Bytes of log objects that opening may fetch where a later snapshot would do. */
const BYTES_MAX = 64 * 1024 * 1024;
/** Shorter logs are read from their beginning, wherever one looks first. */
const BYTES_WHOLE = 512 * 1024;
/** Objects in a block of the index. */
const BLOCK = 256;
/** Blocks of the index that are read, the newest ones. */
const BLOCKS_MAX = 64;

interface Head {
  n: number;
  snapshot: number | null;
}

interface Block {
  objects: { bytes: number; committed_us: number }[];
  snapshot: number | null;
}

export interface Beginning {
  /** The newest number known by the hints; -1 if there are none. */
  head: number;
  /** The snapshot to begin behind, or null for the beginning of the log. */
  snapshot: number | null;
  /** Bytes of the objects from there on, where known. */
  bytes: number | null;
}

/** What is asked for: the number to begin at or before, or else what is to be shown first. */
export interface Wish {
  from?: number | undefined;
  near?: { op: number } | { us: number } | undefined;
}

/** By the hints alone: a wrong one costs requests. */
export async function beginning(ledger: Ledger, store: Store, wish: Wish): Promise<Beginning> {
  const head = await hint<Head>(ledger, store, "head.json");
  if (!head) return { head: -1, snapshot: null, bytes: null };
  const last = Math.floor(head.n / BLOCK);
  const oldest = Math.max(0, last - BLOCKS_MAX + 1);
  const keys = Array.from({ length: last - oldest + 1 }, (_, i) => oldest + i);
  const blocks = await Promise.all(
    keys.map((k) => hint<Block>(ledger, store, `index/${String(k).padStart(8, "0")}.json`)),
  );
  const sizes: number[] = [];
  const times: number[] = [];
  const snapshots = new Set<number>(head.snapshot === null ? [] : [head.snapshot]);
  blocks.forEach((block, i) => {
    const first = (oldest + i) * BLOCK;
    block?.objects.forEach((object, j) => {
      sizes[first + j] = object.bytes;
      times[first + j] = object.committed_us;
    });
    if (typeof block?.snapshot === "number") snapshots.add(block.snapshot);
  });
  return choose(head.n, oldest * BLOCK, sizes, [...snapshots], wish, times);
}

/**
 * `sizes` and `times` by number, known from `known` on. What is to be shown first can be reached from any snapshot before
 * it: the newest of them leaves the least to fetch.
 */
export function choose(
  head: number,
  known: number,
  sizes: number[],
  snapshots: number[],
  { from, near }: Wish,
  times: number[] = [],
): Beginning {
  const bytesFrom = (first: number) => {
    if (first < known) return Infinity;
    let sum = 0;
    for (let n = first; n <= head; n++) sum += sizes[n] ?? 0;
    return sum;
  };
  const at = (snapshot: number | null): Beginning => {
    const bytes = bytesFrom(snapshot === null ? 0 : snapshot + 1);
    return { head, snapshot, bytes: Number.isFinite(bytes) ? bytes : null };
  };
  const ascending = [...snapshots].filter((n) => n <= head).sort((a, b) => a - b);
  if (from !== undefined) return at(ascending.findLast((n) => n < from) ?? null);
  if (bytesFrom(0) <= BYTES_WHOLE) return at(null);
  const isBefore = (n: number) => near && ("op" in near ? n < near.op : (times[n] ?? Infinity) <= near.us);
  const nearest = ascending.findLast(isBefore);
  if (nearest !== undefined) return at(nearest);
  if (bytesFrom(0) <= BYTES_MAX) return at(null);
  return at(ascending.find((n) => bytesFrom(n + 1) <= BYTES_MAX) ?? ascending[ascending.length - 1] ?? null);
}

/** A hint that can't be read is none. */
async function hint<T>(ledger: Ledger, store: Store, key: string): Promise<T | null> {
  try {
    const bytes = await store.get(key);
    return bytes === null ? null : (JSON.parse(ledger.document(key, bytes)) as T);
  } catch {
    return null;
  }
}
