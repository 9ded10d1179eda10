/** What a lab of storage policies is asked to be, and how commands change it. Pure. */
import type { LabInstance, LabPolicyStep, LabSettings } from "../../../pkg/types.js";

export interface Brick {
  /** Place of the instance. */
  instance: number;
  partition: string;
}

export interface LabWish {
  /** The table's directory, and the transaction after which the lab begins. */
  table: string;
  from: number;
  policy: readonly LabPolicyStep[];
  instances: readonly LabInstance[];
  /** The moment on its clock; null is the beginning. */
  us: number | null;
  playing: boolean;
  /** Seconds on its clock in a second. */
  speed: number;
  brick: Brick | null;
}

export type LabCommand =
  | { do: "begin" }
  | { do: "end" }
  /** At the moment on show; what was said of the policy for later is forgotten. */
  | { do: "policy"; change: LabPolicyStep["change"]; us: number | null }
  | { do: "add" }
  | { do: "change"; index: number; instance: Partial<LabInstance> }
  | { do: "remove"; index: number }
  /** Stops an instance at this moment, or lets it go on. */
  | { do: "stop"; index: number; us: number }
  | { do: "toggle" }
  /** Time went by while playing; `us` is where the lab stands. */
  | { do: "tick"; ms: number; us: number }
  | { do: "speed"; speed: number }
  | { do: "speedBy"; by: 1 | -1 }
  | { do: "jump"; us: number | null }
  /** To when something happens next. */
  | { do: "due" }
  | { do: "select"; brick: Brick | null };

export const SPEEDS = [1, 10, 60, 300, 900, 3600, 10_800, 43_200, 86_400, 604_800] as const;
export const INSTANCES_MAX = 8;
const LETTERS = ["a", "b", "c", "d", "e", "f", "g", "h", "i"];
/** A stop that has not ended. */
export const OPEN_END = 9e15;
const SECOND = 1e6;
/** Nothing is played beyond this after a jump or a beginning. */
const AHEAD_MAX = 400 * 86_400 * SECOND;

export const PLAIN: LabInstance = {
  name: "node-a",
  checkIntervalUs: 300 * SECOND,
  workers: 4,
  convertBytesPerS: 50e6,
  uploadBytesPerS: 20e6,
  skewUs: 0,
  pauses: [],
};

export function labBegun(table: string, from: number): LabWish {
  return {
    table,
    from,
    policy: [],
    instances: [PLAIN],
    us: null,
    playing: false,
    speed: 3600,
    brick: null,
  };
}

export function settingsOf({ policy, instances }: LabWish): LabSettings {
  return { policy: [...policy], instances: [...instances] };
}

/** `at` is what is on show on the page: where a lab begins. */
export function reduceLab(
  lab: LabWish | null,
  command: LabCommand,
  at: { table: string | null; txn: number },
): LabWish | null {
  if (command.do === "begin") return at.table === null ? lab : labBegun(at.table, at.txn);
  if (command.do === "end" || lab === null) return null;
  switch (command.do) {
    case "policy":
      return { ...lab, policy: said(lab, command.change, command.us) };
    case "add":
      return add(lab);
    case "change": {
      const { index, instance } = command;
      return changed(lab, index, (before) => ({ ...before, ...instance }));
    }
    case "remove": {
      const instances = lab.instances.filter((_, i) => i !== command.index);
      return instances.length === 0 ? lab : { ...lab, instances, brick: null };
    }
    case "stop":
      return changed(lab, command.index, (instance) => stopped(instance, command.us));
    case "toggle":
      return { ...lab, playing: !lab.playing };
    case "tick": {
      if (!lab.playing) return lab;
      return { ...lab, us: Math.round((lab.us ?? command.us) + command.ms * 1000 * lab.speed) };
    }
    case "speed":
      return { ...lab, speed: Math.min(Math.max(command.speed, 1), 604_800) };
    case "speedBy":
      return { ...lab, speed: nextSpeed(lab.speed, command.by) };
    case "jump":
      return { ...lab, playing: false, us: command.us === null ? null : Math.round(command.us) };
    case "due":
      return { ...lab, playing: false };
    case "select":
      return { ...lab, brick: command.brick };
  }
}

/** The last moment that may be asked for. */
export function latest(startUs: number): number {
  return startUs + AHEAD_MAX;
}

function said(lab: LabWish, change: LabPolicyStep["change"], us: number | null): LabPolicyStep[] {
  const atUs = us === null ? 0 : Math.round(us);
  // What switches a policy needs the one that was set at this very moment; what sets or removes one does not.
  const switches = isSwitch(change);
  const stays = (step: LabPolicyStep) =>
    step.atUs < atUs || (step.atUs === atUs && switches && !isSwitch(step.change));
  return [...lab.policy.filter(stays), { atUs, change }];
}

function isSwitch(change: LabPolicyStep["change"]): boolean {
  return change.do === "enable" || change.do === "disable";
}

function add(lab: LabWish): LabWish {
  const last = lab.instances[lab.instances.length - 1];
  if (!last || lab.instances.length >= INSTANCES_MAX) return lab;
  const names = new Set(lab.instances.map(({ name }) => name));
  const free = LETTERS.map((letter) => `node-${letter}`).find((name) => !names.has(name));
  // Another schedule than the last one's, so that there is something to see.
  const checkIntervalUs = Math.min(last.checkIntervalUs * 12, 86_400 * SECOND);
  const added = { ...last, name: free ?? "node", checkIntervalUs, pauses: [] };
  return { ...lab, instances: [...lab.instances, added] };
}

function changed(lab: LabWish, index: number, change: (instance: LabInstance) => LabInstance): LabWish {
  return { ...lab, instances: lab.instances.map((one, i) => (i === index ? change(one) : one)) };
}

/** What was to come later is forgotten. */
function stopped(instance: LabInstance, us: number): LabInstance {
  const at = Math.round(us);
  const before = instance.pauses.filter(([from]) => from < at);
  const last = before[before.length - 1];
  if (!last || last[1] <= at) return { ...instance, pauses: [...before, [at, OPEN_END]] };
  return { ...instance, pauses: [...before.slice(0, -1), [last[0], at]] };
}

function nextSpeed(speed: number, by: 1 | -1): number {
  const found = by === 1 ? SPEEDS.find((s) => s > speed) : SPEEDS.findLast((s) => s < speed);
  return found ?? speed;
}
