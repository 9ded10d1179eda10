/** Where to look among a table's rows. */
import type { RowsText, TableState } from "../../pkg/types.js";

/** Rows kept above the first changed one. */
const ROWS_ABOVE = 3;
/** Rows fetched on both sides of the window. */
const ROWS_AROUND = 6;

/**
 * The first row to show so that what the transaction wrote is in sight: in the chosen partition if it
 * wrote there. Null if it wrote nothing.
 */
export function rowToShow(table: TableState, selected: string | null): number | null {
  const part = table.partitions.find((p) => p.name === selected);
  const [from, to] = part ? [part.firstRow, part.firstRow + part.rows] : [0, table.rows];
  const range = table.changed.find(([first, n]) => first + n > from && first < to) ?? table.changed[0];
  if (!range) return null;
  const first = range[0] < to ? Math.max(range[0], from) : range[0];
  return Math.max(0, first - ROWS_ABOVE);
}

/** Whether these rows hold all that the window shows of a table of `total` rows. */
export function isCovered(
  rows: RowsText | null,
  window: { first: number; count: number },
  total: number,
): boolean {
  const last = Math.min(window.first + window.count, total);
  return (
    rows !== null && rows.first <= Math.min(window.first, total) && rows.first + rows.rows.length >= last
  );
}

/** The rows to fetch for a window of a table of `total` rows: the first one and how many. */
export function rowsAround(window: { first: number; count: number }, total: number): [number, number] {
  const count = window.count + 2 * ROWS_AROUND;
  return [Math.max(0, Math.min(window.first - ROWS_AROUND, total - count)), count];
}
