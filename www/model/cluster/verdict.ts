/** One word on whether all instances hold the same. Pure. */
import type { TableInfo } from "../../../pkg/types.js";
import type { Compared, Lane } from "./moment.js";
import type { ComparedParts } from "./stored.js";

export interface Verdict {
  word: "converged" | "level" | "behind" | "differ" | "unknown";
  /** For people. */
  text: string;
  detail: string;
}

/** Partitions are counted of tables of which journals tell them, else tables. */
export function verdictOf(
  lanes: Lane[],
  tables: TableInfo[],
  odd: Map<string, Compared>,
  parts: Map<string, ComparedParts>,
): Verdict {
  const told = lanes.filter((lane) => lane.life !== "removed" && lane.cells.some((c) => c.applied !== null));
  if (told.length === 0) {
    return { word: "unknown", text: "Not known", detail: "no instance had written what it has by then" };
  }
  const differing = differs(tables, odd, parts);
  if (differing) return differing;
  const behind = tables.filter(({ dir }) =>
    told.some((lane) => lane.cells.some((c) => c.dir === dir && c.place === "behind")),
  );
  if (behind.length > 0) {
    const who = told.filter((lane) => lane.cells.some((cell) => cell.place === "behind"));
    return {
      word: "behind",
      text: plural(behind.length, "table behind", "tables behind"),
      detail: `${who.map((lane) => lane.name).join(", ")}: not yet at the log’s last transaction in ${names(behind)}`,
    };
  }
  const agreed = tables.filter(({ dir }) => odd.get(dir)?.agreed === true).length;
  const equal = [...parts.values()].reduce((sum, compared) => sum + compared.agreed, 0);
  if (agreed === 0 && equal === 0) {
    return {
      word: "level",
      text: "All level",
      detail: "everybody has applied the log to its end; there are no digests to compare",
    };
  }
  const partitions = equal > 0 ? `, and of ${plural(equal, "partition", "partitions")}` : "";
  return {
    word: "converged",
    text: "Converged",
    detail: `everybody has applied the log to its end; digests are equal in ${agreed} of ${plural(tables.length, "table", "tables")}${partitions}`,
  };
}

function differs(
  tables: TableInfo[],
  odd: Map<string, Compared>,
  parts: Map<string, ComparedParts>,
): Verdict | null {
  const partsOf = ({ dir }: TableInfo) => parts.get(dir)?.differing ?? [];
  const counted = tables.filter((table) => partsOf(table).length > 0);
  // Of these the journals don't tell which partition it is.
  const whole = tables.filter(
    (table) => (odd.get(table.dir)?.differs.size ?? 0) > 0 && partsOf(table).length === 0,
  );
  if (counted.length + whole.length === 0) return null;
  const partitions = counted.reduce((sum, table) => sum + partsOf(table).length, 0);
  const text = [
    ...(partitions > 0 ? [plural(partitions, "partition", "partitions")] : []),
    ...(whole.length > 0 ? [plural(whole.length, "table", "tables")] : []),
  ];
  const each = counted.map((table) => `${table.name} ${some(partsOf(table))}`);
  const detail = [
    ...(each.length > 0 ? [`partitions at the same transaction are not equal: ${some(each)}`] : []),
    ...(whole.length > 0
      ? [`digests of tables at the same transaction are not equal in ${names(whole)}`]
      : []),
  ];
  const verb = partitions + whole.length === 1 ? "differs" : "differ";
  return { word: "differ", text: `${text.join(" and ")} ${verb}`, detail: detail.join("; ") };
}

function names(tables: TableInfo[]): string {
  return some(tables.map((table) => table.name));
}

function some(all: string[]): string {
  return all.length > 5 ? `${all.slice(0, 5).join(", ")} and ${all.length - 5} more` : all.join(", ");
}

function plural(n: number, one: string, many: string): string {
  return `${n} ${n === 1 ? one : many}`;
}
