/** The kinds of transactions: their codes in `Timeline.kind`, words and marks. */
import type { Transaction } from "../../pkg/types.js";

export type Kind = Transaction["kind"];

/** Entry `code` of `Timeline.kind`. */
export const KINDS: readonly Kind[] = [
  "unknown",
  "data",
  "outOfOrder",
  "replaceRange",
  "truncate",
  "structure",
  "sql",
  "view",
  "drop",
];

export const KIND_WORDS: Record<Kind, string> = {
  unknown: "not read",
  data: "rows in order",
  outOfOrder: "rows out of order",
  replaceRange: "replaced range",
  truncate: "truncate",
  structure: "schema change",
  sql: "SQL statement",
  view: "view refreshed",
  drop: "table dropped",
};

/** Paths of the marks in a 12 x 12 box: shapes differ, so that colour is never needed to tell kinds apart. */
export const KIND_MARKS: Record<Kind, string> = {
  unknown: "M6 2.5A3.5 3.5 0 1 0 6 9.5 3.5 3.5 0 1 0 6 2.5ZM6 4.1A1.9 1.9 0 1 1 6 7.9 1.9 1.9 0 1 1 6 4.1Z",
  data: "M3 1.5H9V10.5H3Z",
  outOfOrder: "M10.5 2V10L5.8 6.8V10L1 6 5.8 2V5.2Z",
  replaceRange: "M1 3H11V5H1ZM1 7H11V9H1Z",
  truncate: "M2.6 1 6 4.4 9.4 1 11 2.6 7.6 6 11 9.4 9.4 11 6 7.6 2.6 11 1 9.4 4.4 6 1 2.6Z",
  structure: "M6 .8 11.2 6 6 11.2.8 6Z",
  sql: "M1 1H11V8H6.5L4 11V8H1Z",
  view: "M6 2C3 2 1 6 1 6S3 10 6 10 11 6 11 6 9 2 6 2ZM6 4.2A1.8 1.8 0 1 1 6 7.8 1.8 1.8 0 1 1 6 4.2Z",
  drop: "M1 1H11V4H1ZM2 5H10L9 11.5H3Z",
};

export function kindOf(code: number | undefined): Kind {
  return KINDS[code ?? 0] ?? "unknown";
}

/** Whether a transaction is worth stopping at: anything but rows arriving in order. */
export function isInteresting(code: number): boolean {
  return code > 1;
}
