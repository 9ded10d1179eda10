/**
 * A lab in the address bar, `lab=trades~7,123;at:2026-08-01T12:00:00Z;set:0,TO PARQUET 1h;i:node-a,300,4,50000000,20000000,0`:
 * table and transaction, then the moment, the speed, what was said of the policy and when (0: from the start), instances with
 * check interval in seconds, workers, bytes per second of conversion and upload, seconds that the clock is ahead, and when each
 * stands still; the brick that is chosen.
 */
import type { LabInstance, LabPolicyStep } from "../../../pkg/types.js";
import { isoUs, parseIso } from "../format.js";
import { INSTANCES_MAX, labBegun, type LabWish, OPEN_END } from "./lab.js";

const SECOND = 1e6;

export function formatLab(lab: LabWish): string {
  const parts = [`${lab.table},${lab.from}`];
  if (lab.us !== null) parts.push(`at:${isoUs(lab.us)}`);
  if (lab.speed !== 3600) parts.push(`x:${lab.speed}`);
  for (const { atUs, change } of lab.policy) {
    const at = atUs === 0 ? "0" : isoUs(atUs);
    parts.push(change.do === "set" ? `set:${at},${change.stages.replace(/;/g, " ")}` : `${change.do}:${at}`);
  }
  for (const one of lab.instances) {
    const { name, checkIntervalUs, workers, convertBytesPerS, uploadBytesPerS, skewUs, pauses } = one;
    const numbers = [
      checkIntervalUs / SECOND,
      workers,
      convertBytesPerS,
      uploadBytesPerS,
      skewUs / SECOND,
    ].join(",");
    const stands = pauses.map(([from, to]) => `,${isoUs(from)}/${to >= OPEN_END ? "" : isoUs(to)}`).join("");
    parts.push(`i:${plainName(name)},${numbers}${stands}`);
  }
  if (lab.brick) parts.push(`sel:${lab.brick.instance},${lab.brick.partition}`);
  return parts.join(";");
}

/** Null for what is no lab; parts that are not understood are left out. Always paused. */
export function parseLab(text: string | null): LabWish | null {
  const [head, ...parts] = (text ?? "").split(";");
  const [, table, from] = /^([^,]+),(\d{1,15})$/.exec(head ?? "") ?? [];
  if (table === undefined) return null;
  let lab: LabWish = { ...labBegun(table, Number(from)), instances: [] };
  for (const part of parts) {
    const [, key, value] = /^(\w+):(.*)$/s.exec(part) ?? [];
    if (key !== undefined && value !== undefined) lab = { ...lab, ...field(lab, key, value) };
  }
  return lab.instances.length > 0 ? lab : { ...lab, instances: labBegun(table, 0).instances };
}

function field(lab: LabWish, key: string, value: string): Partial<LabWish> {
  switch (key) {
    case "at":
      return { us: parseIso(value) };
    case "x":
      return { speed: bounded(value, 1, 604_800) ?? lab.speed };
    case "set":
    case "drop":
    case "enable":
    case "disable": {
      const step = stepOf(key, value);
      return step ? { policy: [...lab.policy, step] } : {};
    }
    case "i": {
      const instance = instanceOf(value);
      if (!instance || lab.instances.length >= INSTANCES_MAX) return {};
      return { instances: [...lab.instances, instance] };
    }
    case "sel": {
      const [, instance, partition] = /^(\d+),(.+)$/.exec(value) ?? [];
      return partition === undefined ? {} : { brick: { instance: Number(instance), partition } };
    }
    default:
      return {};
  }
}

function stepOf(what: LabPolicyStep["change"]["do"], value: string): LabPolicyStep | null {
  const [, at = "", stages = ""] = /^([^,]*),?(.*)$/s.exec(value) ?? [];
  const atUs = at === "0" ? 0 : parseIso(at);
  if (atUs === null) return null;
  return { atUs, change: what === "set" ? { do: "set", stages } : { do: what } };
}

function instanceOf(value: string): LabInstance | null {
  const [name = "", check, workers, convert, upload, skew, ...stands] = value.split(",");
  const seconds = bounded(check, 1, 1e9);
  const skewed = bounded(skew, -1e9, 1e9);
  const numbers = [bounded(workers, 0, 64), bounded(convert, 1, 1e12), bounded(upload, 1, 1e12)] as const;
  if (seconds === null || skewed === null || numbers.includes(null)) return null;
  return {
    name: plainName(name),
    checkIntervalUs: seconds * SECOND,
    workers: numbers[0] ?? 0,
    convertBytesPerS: numbers[1] ?? 1,
    uploadBytesPerS: numbers[2] ?? 1,
    skewUs: skewed * SECOND,
    pauses: stands.flatMap((stand) => {
      const [from = "", to = ""] = stand.split("/");
      const [since, until] = [parseIso(from), to === "" ? OPEN_END : parseIso(to)];
      return since === null || until === null ? [] : [[since, until] as [number, number]];
    }),
  };
}

function bounded(text: string | undefined, min: number, max: number): number | null {
  if (text === undefined || !/^-?\d{1,13}$/.test(text)) return null;
  const n = Number(text);
  return n >= min && n <= max ? n : null;
}

/** Without what has a meaning in the link. */
function plainName(name: string): string {
  return (
    name
      .replace(/[;,:/]/g, " ")
      .trim()
      .slice(0, 24) || "node"
  );
}
