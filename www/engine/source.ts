/** Where the page gets a database from. */
import type { Source } from "../../pkg/types.js";
import { parseLink } from "../model/link.js";

/** Path of the recording that comes with the page. */
export const BUNDLED = "recordings/trading-day/";

export interface Opening {
  source: Source;
  /** Shown as the title until the engine knows better. */
  title: string;
  /** True for the recording that comes with the page. */
  bundled: boolean;
  memory: number | null;
  /** Another source to compare with. */
  second: Second | null;
}

export interface Second {
  source: Source;
  title: string;
}

/** What the address asks for. `base` is the page's own address. */
export function openingOf(search: string, base: string): Opening {
  const query = new URLSearchParams(search);
  const memory = memoryOf(query.get("memory"));
  const dropped = query.get("dropped");
  if (dropped !== null)
    throw new Error(`this view is of a folder, “${dropped}”: drop it on the page again to go on`);
  const [asked, other] = query.getAll("src").filter((text) => text.trim() !== "");
  if (asked === undefined) {
    const url = new URL(`${BUNDLED}db/`, base).href;
    return { source: { kind: "url", url }, title: "A trading day", bundled: true, memory, second: null };
  }
  const [from, otherFrom] = query.getAll("from");
  const second = other === undefined ? null : sourceOf(other, otherFrom, base);
  return { ...sourceOf(asked, from, base), bundled: false, memory, second };
}

/** The same with the moment of the link's fragment, so that a long log may be begun near it. */
export function near(opening: Opening, fragment: string): Opening {
  const { source } = opening;
  const { op, at } = parseLink(fragment);
  const moment = op !== null ? { op } : at && "us" in at ? at : null;
  return source.kind === "url" && moment ? { ...opening, source: { ...source, near: moment } } : opening;
}

/** `from` is the number in a bucket's log to begin at, or before. */
function sourceOf(asked: string, from: string | undefined, base: string): Second {
  const url = directoryUrl(asked.trim(), base);
  const number = from !== undefined && /^\d{1,15}$/.test(from) ? { from: Number(from) } : {};
  return { source: { kind: "url", url, ...number }, title: url };
}

/** A directory's address ends with a slash; a query (a signed address) is kept behind it. */
export function directoryUrl(text: string, base: string): string {
  const url = new URL(text, base);
  url.hash = "";
  if (!url.pathname.endsWith("/")) url.pathname += "/";
  return url.href;
}

/** "256", "256M", "1G": mebibytes when there is no unit. */
export function memoryOf(text: string | null): number | null {
  const match = /^(\d{1,5})\s*(m|mb|mib|g|gb|gib)?$/i.exec(text?.trim() ?? "");
  if (!match) return null;
  const unit = match[2]?.toLowerCase().startsWith("g") ? 1024 : 1;
  const mebibytes = Number(match[1]) * unit;
  return mebibytes >= 16 ? mebibytes * 1024 * 1024 : null;
}

/** Phones get less: their tabs are killed, not swapped. */
function memoryDefault(): number {
  const small = matchMedia("(max-width: 700px) and (pointer: coarse)").matches;
  return (small ? 192 : 512) * 1024 * 1024;
}

/** What the tab may use of memory for this source. */
export function memoryFor(opening: Opening): number {
  return opening.memory ?? memoryDefault();
}
