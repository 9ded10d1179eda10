/**
 * The link in the address bar: `#table=trades~7&t=txn:1234&sel=2026-08-01T14&speed=4&axis=time&tab=bytes`.
 * A moment is `txn:NUMBER` or `time:2026-08-01T12:03:04.120456Z`. `with` is what it is compared with: another
 * moment, or `same`, the same transaction of a second source; `off` with two sources is one of them alone. `lab` is in lab/link.ts.
 */
import { isoUs, parseIso } from "./format.js";
import type { LabWish } from "./lab/lab.js";
import { formatLab, parseLab } from "./lab/link.js";

export type AxisKind = "txn" | "time" | "op";
export const AXES = ["txn", "time", "op"] as const;
export const TABS = ["rows", "log", "schema", "bytes", "storage", "cluster", "text"] as const;
export type Tab = (typeof TABS)[number];
export type Moment = { txn: number } | { us: number };

/** What the moment on show is compared with. */
export type With = Moment | "same" | "off";

export interface Link {
  table: string | null;
  at: Moment | null;
  selected: string | null;
  speed: number | null;
  axis: AxisKind | null;
  tab: Tab | null;
  with: With | null;
  lab: LabWish | null;
  /** The object of a cluster's log that brought the moment: whoever opens the link need not read what came before. */
  op: number | null;
}

export const SPEED_MIN = 0.01;
export const SPEED_MAX = 1000;

/**
 * Reads a fragment, with or without its `#`. What it does not understand is left out. `sel` may name table and
 * partition at once: `sel=trades/2026-08-01`.
 */
export function parseLink(fragment: string): Link {
  const parts = new URLSearchParams(fragment.replace(/^#/, ""));
  // No table's name has a slash.
  const [, owner, partition] = /^(?:(.*)\/)?([^/]*)$/s.exec(parts.get("sel") ?? "") ?? [];
  const speed = Number(parts.get("speed") ?? Number.NaN);
  const axis = parts.get("axis");
  const tab = parts.get("tab");
  const beside = parts.get("with");
  const op = /^\d{1,15}$/.exec(parts.get("op") ?? "");
  return {
    table: parts.get("table") || owner || null,
    at: parseMoment(parts.get("t")),
    selected: partition || null,
    speed: Number.isFinite(speed) && speed >= SPEED_MIN && speed <= SPEED_MAX ? speed : null,
    axis: AXES.find((a) => a === axis) ?? null,
    tab: TABS.find((t) => t === tab) ?? null,
    with: beside === "same" || beside === "off" ? beside : parseMoment(beside),
    lab: parseLab(parts.get("lab")),
    op: op ? Number(op[0]) : null,
  };
}

export function parseMoment(text: string | null): Moment | null {
  if (text === null) return null;
  const txn = /^(?:txn:)?(\d{1,15})$/.exec(text);
  if (txn) return { txn: Number(txn[1]) };
  if (!text.startsWith("time:")) return null;
  const us = parseIso(text.slice(5));
  return us === null ? null : { us };
}

/** The fragment of a view, with its `#`. Ordinary values are left out. */
export function formatLink(link: Link): string {
  const parts: string[] = [];
  const add = (key: string, value: string) => parts.push(`${key}=${readable(value)}`);
  if (link.table !== null) add("table", link.table);
  if (link.at) add("t", formatMoment(link.at));
  if (link.selected !== null) add("sel", link.selected);
  if (link.speed !== null && link.speed !== 1) add("speed", String(link.speed));
  if (link.axis !== null && link.axis !== "txn") add("axis", link.axis);
  if (link.tab !== null && link.tab !== "rows") add("tab", link.tab);
  if (link.with !== null) add("with", typeof link.with === "string" ? link.with : formatMoment(link.with));
  if (link.lab !== null) add("lab", formatLab(link.lab));
  if (link.op !== null) add("op", String(link.op));
  return `#${parts.join("&")}`;
}

function formatMoment(at: Moment): string {
  return "txn" in at ? `txn:${at.txn}` : `time:${isoUs(at.us)}`;
}

/** Escapes only what would be read differently: colons stay as people write them. */
function readable(value: string): string {
  return encodeURIComponent(value).replace(/%3A/g, ":").replace(/%2F/g, "/");
}
