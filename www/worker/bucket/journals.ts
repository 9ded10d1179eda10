/** What the instances of a cluster wrote of themselves. */
import type { Ledger } from "../../../pkg/ledger.js";
import type { Instance, JournalEntry } from "../../../pkg/types.js";
import type { Store } from "./store.js";

/** Each so many-th journal object sums up those before it. */
const ROLLUP = 256;
/** Summed-up groups that are read of one instance, the newest ones. */
const GROUPS_MAX = 32;
const INSTANCES_MAX = 1000;

interface Journal {
  k: number;
  written_us: number;
  state?: Record<string, number>;
  summary?: JournalEntry[];
  entries: JournalEntry[];
}

/** Reads on where it was, each time it is asked. */
export class Journals {
  readonly #ledger: Ledger;
  readonly #store: Store;
  readonly #known: { instance: Instance; next: number }[] = [];

  constructor(ledger: Ledger, store: Store) {
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
      this.#known.map((known) => (known.next === 0 ? this.#readAll(known) : this.#readOn(known))),
    );
    return found || news.includes(true);
  }

  async #newcomers(): Promise<boolean> {
    let found = false;
    while (this.#known.length < INSTANCES_MAX) {
      const node = this.#known.length;
      const key = `nodes/${padded(node, 4)}.json`;
      const bytes = await this.#store.get(key);
      if (bytes === null) return found;
      const instance: Instance = { node, name: `node ${node}`, kind: "unknown", entries: [], trouble: null };
      try {
        const { name, kind } = JSON.parse(this.#ledger.document(key, bytes)) as {
          name: string;
          kind: string;
        };
        Object.assign(instance, { name, kind });
      } catch (error) {
        instance.trouble = said(error);
      }
      this.#known.push({ instance, next: 0 });
      found = true;
    }
    return found;
  }

  /** The end is found by jumps; whole groups before it by their summaries. */
  async #readAll(known: { instance: Instance; next: number }): Promise<boolean> {
    const { instance } = known;
    const count = await this.#count(instance.node);
    if (count === 0) return false;
    const group = Math.floor((count - 1) / ROLLUP);
    const oldest = Math.max(0, group - GROUPS_MAX);
    if (oldest > 0) instance.trouble = "only the newest part of its journal was read";
    const keys: number[] = [];
    for (let g = oldest; g < group; g++) keys.push(g * ROLLUP + ROLLUP - 1);
    for (let k = group * ROLLUP; k < count; k++) keys.push(k);
    const journals = await Promise.all(keys.map((k) => this.#read(instance, k)));
    for (const journal of journals) if (journal) add(instance, journal);
    instance.entries.sort((a, b) => a.at_us - b.at_us);
    known.next = count;
    return true;
  }

  async #readOn(known: { instance: Instance; next: number }): Promise<boolean> {
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

function add(instance: Instance, { written_us, state, summary, entries }: Journal): void {
  if (state) {
    const at_us = Math.min(written_us, ...entries.slice(0, 1).map((entry) => entry.at_us));
    instance.entries.push({ at_us, what: "applied", tables: state });
  }
  instance.entries.push(...(summary ?? []), ...entries);
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
