/** What the lab is asked to show, and how commands change it. Pure: what the run has told is beside it. */
import type { LabCommand, LabDialog } from "./command.js";
import { SPEEDS } from "./command.js";
import type { Chronicle } from "./chronicle.js";
import { FORK_US } from "./fork.js";
import type { Lesson } from "./lesson.js";
import type { FailoverLink } from "./link.js";
import { before, UNTIL_US } from "./scenario.js";
import type { End, Scenario, Scripted, Told } from "./told.js";

/** Where the clock is to be: a time, a step, or the next thing of these kinds. */
export type Wanted = { us: number } | { step: number } | { next: "any" | "notable" };

/** A run that was left, as it stood. */
export interface Branch {
  scenario: Scenario;
  seed: number;
  /** Where the one that was gone on with left it, and how far this one had come. */
  forkUs: number;
  us: number;
  told: Told | null;
  chronicle: Chronicle;
}

export interface LabState {
  scenario: Scenario;
  seed: number;
  /** The moment of the replay that runs go on from, as its link; null of a history of the simulator's own. */
  from: string | null;
  /** Counts up where the run has to be begun anew. */
  run: number;
  wanted: Wanted;
  playing: boolean;
  speed: number;
  focus: End | null;
  dialog: LabDialog | null;
  lesson: { name: string; lesson: Lesson; step: number; answered: readonly number[] } | null;
  branches: readonly Branch[];
}

/** What the reducer needs to know of the run. */
export interface Stand {
  us: number;
  told: Told | null;
  chronicle: Chronicle;
}

const BRANCHES_MAX = 6;

export function begun(link: FailoverLink): LabState {
  return {
    scenario: link.scenario,
    seed: link.seed,
    from: link.from,
    run: 1,
    wanted: link.at ?? { us: link.from === null ? 0 : FORK_US },
    playing: false,
    speed: link.speed ?? 1,
    focus: null,
    dialog: null,
    lesson: null,
    branches: [],
  };
}

export function reduceLab(state: LabState, command: LabCommand, stand: Stand): LabState {
  switch (command.do) {
    case "play":
      return { ...state, playing: true };
    case "pause":
      return paused(state, stand);
    case "toggle":
      return state.playing ? paused(state, stand) : { ...state, playing: true };
    case "speed":
      return command.speed > 0 ? { ...state, speed: Math.min(1000, command.speed) } : state;
    case "speedBy":
      return { ...state, speed: speedBeside(state.speed, command.by) };
    case "to":
      return moved({ ...state, playing: false }, clamped(command.us, state), stand);
    case "by":
      return moved({ ...state, playing: false }, clamped(stand.us + command.us, state), stand);
    case "toStep":
      return again({ ...state, playing: false }, { step: command.step }, stand);
    case "next":
      return { ...state, playing: false, wanted: { next: command.notable ? "notable" : "any" } };
    case "previous": {
      const us = stand.chronicle.previous(stand.us, command.notable) ?? 0;
      return moved({ ...state, playing: false }, us, stand);
    }
    case "focus":
      return { ...state, focus: state.focus === command.end ? null : command.end };
    case "focusNth": {
      const end = endsOf(stand.told)[command.n];
      return end === undefined ? state : { ...state, focus: end };
    }
    case "fork":
      return forked(state, stand);
    case "branch":
      return taken(state, command.index, stand);
    case "begin": {
      const from = command.again === true ? state.from : null;
      return {
        ...state,
        scenario: command.scenario,
        seed: command.seed,
        from,
        run: state.run + 1,
        wanted: { us: command.us ?? (from !== null || command.scenario.begin ? FORK_US : 0) },
        playing: false,
        focus: null,
        branches: [],
      };
    }
    case "dialog":
      return { ...state, dialog: command.dialog };
    case "escape":
      return state.dialog === null ? { ...state, focus: null } : { ...state, dialog: null };
    case "lesson":
      return lessonBegun(state, command.lesson, command.name);
    case "continue": {
      if (!state.lesson) return state;
      const { lesson, step } = state.lesson;
      const waits = lesson.steps[step]?.until !== undefined;
      return waits ? { ...state, playing: true } : lessonOn(state, step + 1);
    }
    case "reached":
      return state.lesson ? lessonOn(paused(state, stand), state.lesson.step + 1) : state;
    case "answer":
      return state.lesson
        ? {
            ...state,
            lesson: { ...state.lesson, answered: [...state.lesson.answered, command.index] },
          }
        : state;
    default:
      return state;
  }
}

/** A command was carried out at this time: the run goes on with it, and without what had been given for later. */
export function given(state: LabState, order: Scripted): LabState {
  const { script } = before(state.scenario, order.at_us);
  return { ...state, scenario: { ...state.scenario, script: [...script, order] } };
}

/** Before a command is given in the past of a run: that run stays as a branch, and another one is begun. */
export function cutHere(state: LabState, stand: Stand): LabState {
  const { scenario } = state;
  const past = before(scenario, stand.us);
  if (past.script.length === (scenario.script ?? []).length) return state;
  return { ...withBranch(state, stand), scenario: past, run: state.run + 1, wanted: { us: stand.us } };
}

/** Nodes first, then clients, as the keys 1 to 9 count them. */
export function endsOf(told: Told | null): End[] {
  if (!told) return [];
  const nodes = told.nodes.map((node) => `node${node.node}`);
  return [...nodes, ...told.clients.map((client) => `client${client.client}`)];
}

function paused(state: LabState, stand: Stand): LabState {
  return state.playing ? { ...state, playing: false, wanted: { us: stand.us } } : state;
}

function clamped(us: number, { scenario }: LabState): number {
  return Math.max(0, Math.min(scenario.until_us ?? UNTIL_US, Math.round(us)));
}

/** Forward goes on; back begins anew and replays. */
function moved(state: LabState, us: number, stand: Stand): LabState {
  return us < stand.us ? again(state, { us }, stand) : { ...state, wanted: { us } };
}

function again(state: LabState, wanted: Wanted, stand: Stand): LabState {
  const forward = "step" in wanted && stand.told !== null && stand.told.step <= wanted.step;
  return forward ? { ...state, wanted } : { ...state, wanted, run: state.run + 1 };
}

function forked(state: LabState, stand: Stand): LabState {
  const kept = withBranch(state, stand);
  const scenario = before(state.scenario, stand.us);
  const cut = scenario.script.length < (state.scenario.script ?? []).length;
  return cut ? { ...kept, scenario, run: state.run + 1, wanted: { us: stand.us } } : kept;
}

function withBranch(state: LabState, { us, told, chronicle }: Stand): LabState {
  const { scenario, seed } = state;
  const branch: Branch = { scenario, seed, forkUs: us, us, told, chronicle };
  return { ...state, branches: [...state.branches, branch].slice(-BRANCHES_MAX) };
}

/** Goes to a branch, and leaves the present run as one in its place. */
function taken(state: LabState, index: number, { us, told, chronicle }: Stand): LabState {
  const branch = state.branches[index];
  if (!branch) return state;
  const { scenario, seed } = state;
  const left: Branch = { scenario, seed, forkUs: branch.forkUs, us, told, chronicle };
  return {
    ...state,
    scenario: branch.scenario,
    seed: branch.seed,
    run: state.run + 1,
    wanted: { us: branch.us },
    playing: false,
    branches: state.branches.map((one, i) => (i === index ? left : one)),
  };
}

function speedBeside(speed: number, by: 1 | -1): number {
  const next = by > 0 ? SPEEDS.find((s) => s > speed) : SPEEDS.findLast((s) => s < speed);
  return next ?? speed;
}

function lessonBegun(state: LabState, lesson: Lesson | null, name: string | null): LabState {
  if (!lesson || name === null) return { ...state, lesson: null };
  const begun: LabState = {
    ...state,
    scenario: lesson.scenario,
    seed: lesson.seed,
    from: null,
    run: state.run + 1,
    wanted: { us: 0 },
    playing: false,
    speed: lesson.speed,
    focus: null,
    dialog: null,
    branches: [],
    lesson: { name, lesson, step: 0, answered: [] },
  };
  return lessonOn(begun, 0);
}

/** Enters a step: its speed and its focus. */
export function lessonOn(state: LabState, at: number): LabState {
  if (!state.lesson) return state;
  const step = state.lesson.lesson.steps[at];
  const lesson = { ...state.lesson, step: Math.min(at, state.lesson.lesson.steps.length), answered: [] };
  // Behind the last step all is free.
  if (!step) return { ...state, lesson };
  return {
    ...state,
    lesson,
    speed: step.speed ?? state.speed,
    focus: step.focus ?? state.focus,
  };
}
