/** Two states of a table, side by side: what is the same and what is not. Pure. */
import type { ColumnInfo, PartitionInfo, TableState } from "../../pkg/types.js";
import type { History } from "./history.js";

/** `left`, `right`: only there. `unknown`: as many rows, but a digest is missing. */
export type Mark = "equal" | "differs" | "left" | "right" | "unknown";

export interface PartitionPair {
  name: string;
  left: PartitionInfo | null;
  right: PartitionInfo | null;
  mark: Mark;
}

export interface Compared {
  mark: "equal" | "differs" | "unknown";
  /** In order of names, which is that of time. */
  pairs: PartitionPair[];
  /** Partitions that are not the same. */
  differing: number;
  /** Columns that only one side has, or that are of another type there, as sentences. */
  columns: string[];
}

export function compareStates(left: TableState, right: TableState): Compared {
  const pairs = pairsOf(left.partitions, right.partitions);
  const columns = compareColumns(left.columns, right.columns);
  const differing = pairs.filter(({ mark }) => mark !== "equal" && mark !== "unknown").length;
  const known = left.digest !== "" && right.digest !== "";
  const differs = differing > 0 || columns.length > 0 || (known && left.digest !== right.digest);
  return { mark: differs ? "differs" : known ? "equal" : "unknown", pairs, differing, columns };
}

function pairsOf(left: PartitionInfo[], right: PartitionInfo[]): PartitionPair[] {
  const pairs = new Map<string, PartitionPair>();
  for (const p of left)
    if (p.rows > 0) pairs.set(p.name, { name: p.name, left: p, right: null, mark: "left" });
  for (const p of right) {
    if (p.rows === 0) continue;
    const other = pairs.get(p.name)?.left ?? null;
    pairs.set(p.name, { name: p.name, left: other, right: p, mark: other ? markOf(other, p) : "right" });
  }
  return [...pairs.values()].sort((a, b) => (a.name < b.name ? -1 : Number(a.name > b.name)));
}

function markOf(left: PartitionInfo, right: PartitionInfo): Mark {
  if (left.rows !== right.rows) return "differs";
  if (left.digest === "" || right.digest === "") return "unknown";
  return left.digest === right.digest ? "equal" : "differs";
}

function compareColumns(left: ColumnInfo[], right: ColumnInfo[]): string[] {
  const said: string[] = [];
  const types = new Map(right.map((column) => [column.name, column.type]));
  for (const { name, type } of left) {
    const other = types.get(name);
    types.delete(name);
    if (other === undefined) said.push(`${name} ${type} is on this side only`);
    else if (other !== type) said.push(`${name} is ${type} here and ${other} on the other side`);
  }
  for (const [name, type] of types) said.push(`${name} ${type} is on the other side only`);
  return said;
}

/** The first transaction of which two logs of a table do not tell the same, as far as both go; null if there is none. */
export function firstLogDifference(left: History, right: History): number | null {
  const both = Math.min(left.kind.length, right.kind.length);
  for (let i = 0; i < both; i++) {
    if (left.kind[i] === 0 || right.kind[i] === 0) continue;
    if (left.commitUs[i] !== right.commitUs[i] || left.kind[i] !== right.kind[i]) return i + 1;
    const [rows, others] = [left.rows[i] ?? -1, right.rows[i] ?? -1];
    if (rows >= 0 && others >= 0 && rows !== others) return i + 1;
  }
  return null;
}

/**
 * Between `equal`, after which both sides are the same, and `differs`, after which they are not: a transaction that
 * makes the difference. It is the first one if what differs once differs ever after.
 */
export async function firstDifference(
  equal: number,
  differs: number,
  isEqual: (txn: number) => Promise<boolean>,
): Promise<number> {
  let [low, high] = [equal, differs];
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (await isEqual(middle)) low = middle;
    else high = middle;
  }
  return high;
}
