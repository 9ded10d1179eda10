/** How instances store partitions, by their own journals, and whether what they hold is the same. Pure. */
import type { PartitionInfo, StoredPartition } from "../../../pkg/types.js";
import { Track } from "./track.js";

export type Form = "native" | "converting" | "parquet" | "remote" | "dropped" | "unknown";

/** A partition as an instance told of it last. */
export interface Stored {
  form: Form;
  rows: number;
  bytes: number;
  digest: string | null;
  /** It has stood so from this transaction on. */
  since: number;
}

/** A partition on an instance. */
export interface Part extends Stored {
  name: string;
  /** Beside what others hold at the same transaction. */
  hash: "equal" | "differs" | "unknown";
}

export const FORM_WORDS: Record<Form, string> = {
  native: "native",
  converting: "converting to Parquet",
  parquet: "Parquet",
  remote: "remote",
  dropped: "dropped",
  unknown: "stored in a way this page does not know",
};

/** At most so many partitions are in one object; of more the others are told later. */
const TOLD_MAX = 500;

/** What an instance told of a table's partitions. */
export class StoredTable {
  readonly #parts = new Map<string, Track<Stored>>();
  /** The last transaction at which all of the table was looked at. */
  readonly #looked = new Track<number>();

  take(us: number, seqTxn: number, partitions: StoredPartition[]): void {
    for (const { name, form = "native", rows = 0, bytes = 0, digest = null } of partitions) {
      let track = this.#parts.get(name);
      if (!track) this.#parts.set(name, (track = new Track()));
      track.add(us, { form, rows, bytes, digest, since: seqTxn });
    }
    if (partitions.length < TOLD_MAX) this.#looked.add(us, seqTxn);
  }

  /** The partitions at a moment, by name, and until which transaction they are known to stand so. */
  at(us: number): { parts: Map<string, Stored>; until: number } {
    const parts = new Map<string, Stored>();
    for (const [name, track] of this.#parts) {
      const stored = track.at(us);
      if (stored) parts.set(name, stored);
    }
    return { parts, until: this.#looked.at(us) ?? 0 };
  }
}

/** A holder's partitions, to be compared with others'. */
export interface Holder {
  node: number;
  parts: Map<string, Stored>;
  until: number;
}

export interface ComparedParts {
  /** Of each node, in order of names. */
  of: Map<number, Part[]>;
  /** Names of those that are not the same everywhere. */
  differing: string[];
  /** How many are known to be the same on two or more. */
  agreed: number;
}

/**
 * Compares partitions that two holders had at one transaction. Who has more against it than with it differs; where two
 * stand against one another, neither is known to be right: both.
 */
export function compareParts(holders: Holder[]): ComparedParts {
  const of = new Map(holders.map(({ node }) => [node, [] as Part[]]));
  const names = new Set(holders.flatMap(({ parts }) => [...parts.keys()]));
  const differing: string[] = [];
  let agreed = 0;
  for (const name of [...names].sort()) {
    let [differs, equal] = [false, false];
    for (const holder of holders) {
      const stored = holder.parts.get(name);
      if (!stored) continue;
      const hash = hashOf(name, stored, holder, holders);
      differs ||= hash === "differs";
      equal ||= hash === "equal";
      of.get(holder.node)?.push({ ...stored, name, hash });
    }
    if (differs) differing.push(name);
    else if (equal) agreed++;
  }
  return { of, differing, agreed };
}

function hashOf(name: string, mine: Stored, holder: Holder, holders: Holder[]): Part["hash"] {
  let [against, like] = [0, 0];
  for (const other of holders) {
    const theirs = other.parts.get(name);
    if (other === holder || !theirs || mine.form === "dropped" || theirs.form === "dropped") continue;
    const digests = mine.digest !== null && theirs.digest !== null;
    if (digests && mine.digest === theirs.digest) like++;
    else if (Math.max(mine.since, theirs.since) > Math.min(untilOf(holder, mine), untilOf(other, theirs)))
      continue;
    else if (digests || mine.rows !== theirs.rows) against++;
  }
  if (against > like) return "differs";
  return like > 0 ? "equal" : "unknown";
}

function untilOf({ until }: Holder, stored: Stored): number {
  return Math.max(until, stored.since);
}

/** The replay in this tab as a holder. */
export function ownHolder(node: number, seqTxn: number, partitions: readonly PartitionInfo[]): Holder {
  const parts = new Map<string, Stored>();
  for (const { name, rows, bytes, digest } of partitions) {
    if (rows === 0) continue;
    parts.set(name, { form: "unknown", rows, bytes, digest: digest === "" ? null : digest, since: seqTxn });
  }
  return { node, parts, until: seqTxn };
}
