/** A lab in words and places. Pure. */
import type { LabBrick, LabLane, LabStatus, LabTold, LabWhy } from "../../../pkg/types.js";
import { count, counted, isoUs, size, span } from "../format.js";

export const FORM_SIGNS: Record<LabBrick["form"], string> = {
  native: "N",
  converting: "C",
  parquet: "P",
  uploading: "U",
  remote: "R",
  dropping: "D",
  dropped: "×",
};
export const FORM_NAMES: Record<LabBrick["form"], string> = {
  native: "native",
  converting: "converting to Parquet",
  parquet: "Parquet",
  uploading: "uploading",
  remote: "remote",
  dropping: "being dropped",
  dropped: "dropped",
};
export const STATUS_WORDS: Record<LabStatus, string> = {
  none: "no policy",
  active: "active",
  disabled: "disabled",
  suspended_by_ttl: "suspended by the table’s TTL",
  off: "off: no workers",
};
export const LINE_NAMES = ["TO PARQUET", "TO REMOTE", "DROP LOCAL"] as const;

/** The one number. */
export function verdictOf(told: LabTold): { word: "converged" | "differ"; text: string } {
  const n = told.differing.length;
  if (n === 0) return { word: "converged", text: "converged" };
  return { word: "differ", text: `${counted(n, "partition")} ${n === 1 ? "differs" : "differ"}` };
}

export function brickWords(name: string, brick: LabBrick): string {
  const bytes = brick.bytes > 0 ? `, ${size(brick.bytes)} here` : "";
  const remote = brick.remoteBytes > 0 ? `, ${size(brick.remoteBytes)} in the bucket` : "";
  const rows = brick.form === "dropped" ? "" : `, ${counted(brick.rows, "row")}`;
  const late = brick.late ? ", late rows only" : "";
  return `${name}: ${FORM_NAMES[brick.form]}${rows}${bytes}${remote}${late}${brick.differs ? ", not the same everywhere" : ""}`;
}

/** When what comes next is due, seen from now. */
export function nextWords(why: LabWhy, nowUs: number): string {
  const { next } = why;
  if (!next) return "Nothing comes next.";
  const at =
    next.atUs === null
      ? ""
      : next.atUs <= nowUs
        ? " now"
        : ` at ${moment(next.atUs)}, in ${span(next.atUs - nowUs)}`;
  const needed =
    next.newestNeededUs === null ? "" : `, once there is a row as new as ${moment(next.newestNeededUs)}`;
  return `Next: ${next.kind}${at}${needed}.`;
}

/** "2026-08-01 12:03:04": no more than people read. */
export function moment(us: number): string {
  return isoUs(us).slice(0, 19).replace("T", " ");
}

/** A span that people choose: "1 h", without what is nought. */
export function plainSpan(us: number): string {
  return span(us).replace(/ 0 (s|min|h)$/, "");
}

/** "T10" of an hour, else the partition's whole name. */
export function shortName(name: string): string {
  return /T\d\d$/.test(name) ? name.slice(-3) : name;
}

/** What is drawn of a long table: the newest partitions, and the time that they span. */
export interface Stretch {
  first: number;
  fromUs: number;
  toUs: number;
}

export function stretchOf(told: LabTold, most: number): Stretch | null {
  const first = Math.max(0, told.partitions.length - most);
  const from = told.partitions[first];
  const last = told.partitions[told.partitions.length - 1];
  if (!from || !last) return null;
  return { first, fromUs: from.fromUs, toUs: last.endUs };
}

/** Where in the stretch, 0 ... 100. */
export function percent({ fromUs, toUs }: Stretch, us: number): number {
  return Math.min(100, Math.max(0, (100 * (us - fromUs)) / Math.max(1, toUs - fromUs)));
}

export function laneWords(lane: LabLane): string {
  const forms = new Map<string, number>();
  for (const brick of lane.bricks) {
    if (brick) forms.set(FORM_NAMES[brick.form], (forms.get(FORM_NAMES[brick.form]) ?? 0) + 1);
  }
  const all = [...forms].map(([form, n]) => `${count(n)} ${form}`).join(", ");
  return `${lane.name}: ${all || "no partitions"}, ${size(lane.bytes)}${lane.paused ? ", stands still" : ""}`;
}

/** Policies worth a try, by the unit of partitions. */
export function presetsFor(partitionBy: string): string[] {
  const unit = partitionBy.toUpperCase();
  if (unit === "HOUR")
    return [
      "TO PARQUET 1h, DROP LOCAL 4h",
      "TO PARQUET 2h",
      "TO REMOTE 1h, DROP LOCAL 3h",
      "TO PARQUET 1h, TO REMOTE 2h, DROP LOCAL 5h",
    ];
  if (unit === "WEEK") return ["TO PARQUET 1W, DROP LOCAL 8W", "TO REMOTE 2W, DROP LOCAL 4W"];
  if (unit === "MONTH") return ["TO PARQUET 1M, DROP LOCAL 12M", "TO REMOTE 3M, DROP LOCAL 6M"];
  if (unit === "YEAR") return ["TO PARQUET 1Y, DROP LOCAL 5Y"];
  return [
    "TO PARQUET 3d, DROP LOCAL 1M",
    "TO PARQUET 1d, DROP LOCAL 7d",
    "TO REMOTE 1d, DROP LOCAL 3d",
    "TO PARQUET 1d, TO REMOTE 2d, DROP LOCAL 1W",
  ];
}
