/** What the instances of a cluster wrote of themselves. */
import type { Ledger } from "../../../pkg/ledger.js";
import type { Instance, JournalEntry } from "../../../pkg/types.js";
import type { Store } from "./store.js";

/** Each so many-th journal object sums up those before it, and each so many-th of these begins with all tables. */
const ROLLUP = 256;
const FULL = 16;
/** Groups that are fetched at once on the way back: at first one, then twice as many each time. */
const GROUPS_MAX = 16;
const INSTANCES_MAX = 1000;

interface Journal {
  k: number;
  written_us: number;
  state?: Record<string, number>;
  holds?: JournalEntry[];
  recent?: JournalEntry[];
  summary?: JournalEntry[];
  entries: JournalEntry[];
}

interface Known {
  instance: Instance;
  /** The object to be written next. */
  next: number;
  /** Objects between the newest summary and the first that was read, of which only the summary's tables are known. */
  between: number[];
  /** The next older summary; negative when there is none. */
  older: number;
  /** From when on the newest summary tells all. */
  summed: number;
  /** How many are fetched at once. */
  atOnce: number;
}

/** Reads on where it was, each time it is asked; and back, when somebody looks there. */
export class Journals {
  readonly #ledger: Pick<Ledger, "document">;
  readonly #store: Store;
  readonly #known: Known[] = [];

  constructor(ledger: Pick<Ledger, "document">, store: Store) {
    this.#ledger = ledger;
    this.#store = store;
  }

  get instances(): Instance[] {
    return this.#known.map((known) => known.instance);
  }

  /** Looks for new instances and for what the known ones wrote since; true if there was any. */
  async refresh(): Promise<boolean> {
    const found = await this.#newcomers();
    const news = await Promise.all(
      this.#known.map((known) => (known.next === 0 ? this.#readNewest(known) : this.#readOn(known))),
    );
    return found || news.includes(true);
  }

  /** Reads older objects until what was done at this moment is known; true if any were read. */
  async reach(us: number): Promise<boolean> {
    const read = await Promise.all(this.#known.map((known) => this.#readBack(known, us)));
    return read.includes(true);
  }

  async #newcomers(): Promise<boolean> {
    let found = false;
    while (this.#known.length < INSTANCES_MAX) {
      const node = this.#known.length;
      const key = `nodes/${padded(node, 4)}.json`;
      const bytes = await this.#store.get(key);
      if (bytes === null) return found;
      const plain = { kind: "unknown", entries: [], since: null, trouble: null };
      const instance: Instance = { ...plain, node, name: `node ${node}` };
      try {
        const { name, kind } = JSON.parse(this.#ledger.document(key, bytes)) as {
          name: string;
          kind: string;
        };
        Object.assign(instance, { name, kind });
      } catch (error) {
        instance.trouble = said(error);
      }
      this.#known.push({ instance, next: 0, between: [], older: -1, summed: Infinity, atOnce: 1 });
      found = true;
    }
    return found;
  }

  /** The end is found by jumps. How an instance stands takes the newest summary, the newest full object, and what follows. */
  async #readNewest(known: Known): Promise<boolean> {
    const { instance } = known;
    const count = await this.#count(instance.node);
    if (count === 0) return false;
    const summary = Math.floor(count / ROLLUP) * ROLLUP - 1;
    const full = Math.max(summary + 1, Math.floor((count - 1) / FULL) * FULL);
    const keys = range(full, count);
    if (summary >= 0) keys.unshift(summary);
    const journals = await Promise.all(keys.map((k) => this.#read(instance, k)));
    for (const journal of journals) {
      if (!journal) continue;
      add(instance, journal);
      // What this one tells of the time before it is in the objects between, too.
      if (journal.k === full) instance.entries.push(...(journal.holds ?? []), ...(journal.recent ?? []));
    }
    instance.entries.sort((a, b) => a.at_us - b.at_us);
    const begin = (k: number) => {
      const journal = journals.find((journal) => journal?.k === k);
      return journal ? beginOf(journal) : Infinity;
    };
    const between = range(summary + 1, full);
    Object.assign(known, { next: count, between, older: summary - ROLLUP, summed: begin(summary) });
    if (between.length > 0) instance.since = begin(full);
    else if (known.older >= 0) instance.since = known.summed;
    return true;
  }

  async #readBack(known: Known, us: number): Promise<boolean> {
    const { instance } = known;
    let read = false;
    while (instance.since !== null && us < instance.since) {
      const back = known.between.length === 0;
      const keys = back ? olderGroups(known) : known.between;
      const journals = await Promise.all(keys.map((k) => this.#read(instance, k)));
      for (const journal of journals) if (journal) add(instance, journal);
      // Only what has arrived is not asked for again.
      if (back) {
        known.older -= ROLLUP * keys.length;
        known.atOnce = Math.min(GROUPS_MAX, known.atOnce * 2);
      }
      known.between = [];
      instance.entries.sort((a, b) => a.at_us - b.at_us);
      const begins = journals.flatMap((journal) => (journal ? [beginOf(journal)] : []));
      instance.since = known.older < 0 ? null : Math.min(instance.since, known.summed, ...begins);
      read = true;
    }
    return read;
  }

  async #readOn(known: Known): Promise<boolean> {
    const before = known.next;
    for (;;) {
      const bytes = await this.#store.get(journalKey(known.instance.node, known.next));
      if (bytes === null) return known.next > before;
      const journal = this.#parse(known.instance, known.next, bytes);
      // What it sums up is known.
      if (journal) known.instance.entries.push(...journal.entries);
      known.next++;
    }
  }

  /** How many journal objects there are: they are written in order, without gaps. */
  async #count(node: number): Promise<number> {
    const has = async (k: number) => (await this.#store.get(journalKey(node, k))) !== null;
    let low = 0;
    let high = 1;
    while (await has(high - 1)) {
      low = high;
      high *= 2;
    }
    // Objects below `low` are there, that at `high - 1` is not.
    while (low < high - 1) {
      const middle = Math.floor((low + high - 1) / 2);
      if (await has(middle)) low = middle + 1;
      else high = middle + 1;
    }
    return low;
  }

  async #read(instance: Instance, k: number): Promise<Journal | null> {
    const bytes = await this.#store.get(journalKey(instance.node, k));
    return bytes === null ? null : this.#parse(instance, k, bytes);
  }

  #parse(instance: Instance, k: number, bytes: Uint8Array): Journal | null {
    try {
      return JSON.parse(this.#ledger.document(journalKey(instance.node, k), bytes)) as Journal;
    } catch (error) {
      instance.trouble = said(error);
      return null;
    }
  }
}

/** The summaries to be fetched next. */
function olderGroups({ older, atOnce }: Known): number[] {
  const keys: number[] = [];
  for (let k = older; keys.length < atOnce && k >= 0; k -= ROLLUP) keys.push(k);
  return keys;
}

function add(instance: Instance, { written_us, state, summary, entries }: Journal): void {
  if (state) {
    const at_us = Math.min(written_us, ...entries.slice(0, 1).map((entry) => entry.at_us));
    instance.entries.push({ at_us, what: "applied", tables: state });
  }
  instance.entries.push(...(summary ?? []), ...entries);
}

/** From when on a journal object tells all that happened. Digests and partitions in a summary may be older. */
function beginOf({ written_us, summary = [], entries }: Journal): number {
  const progress = summary.filter(({ what }) => what !== "digests" && what !== "partitions");
  return [...progress, ...entries].reduce((us, entry) => Math.min(us, entry.at_us), written_us);
}

function range(from: number, to: number): number[] {
  return Array.from({ length: Math.max(0, to - from) }, (_, i) => from + i);
}

function journalKey(node: number, k: number): string {
  return `nodes/${padded(node, 4)}/${padded(k, 8)}.journal`;
}

function padded(n: number, width: number): string {
  return String(n).padStart(width, "0");
}

function said(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
