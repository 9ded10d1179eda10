/** Lessons: data files that bind a text to what happens in the run. `docs/lessons.md` has the format. Pure. */
import type { End, Happening, Order, Scenario, Told } from "./told.js";
import { isEnd } from "./told.js";
import { isOrder, readScenario } from "./scenario.js";

export const LESSON_FORMAT = 1;

/** What lets a lesson go on. All of a step counts from when the step began. */
export type Condition =
  /** Something of this kind happened, with these fields, so many times. */
  | { happened: string; who?: End; where?: Record<string, unknown>; times?: number }
  /** A value of what the run tells: `rows.lost`, `nodes.1.lag`, `clients.max.queue`. */
  | { told: string; is: "=" | "!=" | "<" | "<=" | ">" | ">="; value: number | string | boolean }
  /** The same, compared with another value of what the run tells. */
  | { told: string; is: "=" | "!=" | "<" | "<=" | ">" | ">="; than: string }
  /** Of the run's time. */
  | { after_ms: number }
  /** The reader did this. */
  | { given: Order["do"] }
  | { all: Condition[] }
  | { any: Condition[] };

export interface Answer {
  say: string;
  right?: boolean;
  because: string;
}

export interface LessonStep {
  title: string;
  say: string[];
  /** Without it there is a Continue button. */
  until?: Condition;
  /** Commands that the step puts before the reader. */
  try?: { label: string; order: Order }[];
  ask?: { question: string; answers: Answer[] };
  /** The stage's speed from here on. */
  speed?: number;
  focus?: End;
}

export interface Lesson {
  format: number;
  title: string;
  about: string;
  scenario: Scenario;
  seed: number;
  speed: number;
  steps: LessonStep[];
  /** What to try when it is over. */
  free: string;
}

/** Reads a lesson. Fails with what is wrong, and where. */
export function readLesson(text: string): Lesson {
  const value: unknown = JSON.parse(text);
  const lesson = object(value, "the lesson");
  known(lesson, "the lesson", ["format", "title", "about", "scenario", "seed", "speed", "steps", "free"]);
  need(lesson["format"] === LESSON_FORMAT, `format: ${LESSON_FORMAT} is the only one`);
  const steps = list(lesson["steps"], "steps");
  need(steps.length > 0, "steps: there are none");
  return {
    format: LESSON_FORMAT,
    title: words(lesson["title"], "title"),
    about: words(lesson["about"], "about"),
    scenario: readScenario(JSON.stringify(lesson["scenario"] ?? {})),
    seed: number(lesson["seed"], "seed"),
    speed: number(lesson["speed"], "speed"),
    steps: steps.map((step, i) => readStep(step, `steps[${i}]`)),
    free: words(lesson["free"], "free"),
  };
}

function readStep(value: unknown, at: string): LessonStep {
  const step = object(value, at);
  known(step, at, ["title", "say", "until", "try", "ask", "speed", "focus"]);
  const read: LessonStep = {
    title: words(step["title"], `${at}.title`),
    say: list(step["say"], `${at}.say`).map((line, i) => words(line, `${at}.say[${i}]`)),
  };
  need(read.say.length > 0, `${at}.say: a step says something`);
  if (step["until"] !== undefined) read.until = readCondition(step["until"], `${at}.until`);
  if (step["try"] !== undefined) {
    read.try = list(step["try"], `${at}.try`).map((one, i) => readTry(one, `${at}.try[${i}]`));
  }
  if (step["ask"] !== undefined) read.ask = readQuestion(step["ask"], `${at}.ask`);
  if (step["speed"] !== undefined) read.speed = number(step["speed"], `${at}.speed`);
  if (step["focus"] !== undefined) {
    read.focus = words(step["focus"], `${at}.focus`);
    need(isEnd(read.focus), `${at}.focus: bucket, nodeN or clientN`);
  }
  return read;
}

function readTry(value: unknown, at: string): { label: string; order: Order } {
  const one = object(value, at);
  known(one, at, ["label", "order"]);
  const { order } = one;
  if (!isOrder(order)) throw new Error(`${at}.order: this is no command`);
  return { label: words(one["label"], `${at}.label`), order };
}

function readQuestion(value: unknown, at: string): { question: string; answers: Answer[] } {
  const ask = object(value, at);
  known(ask, at, ["question", "answers"]);
  const answers = list(ask["answers"], `${at}.answers`).map((one, i): Answer => {
    const answer = object(one, `${at}.answers[${i}]`);
    known(answer, `${at}.answers[${i}]`, ["say", "right", "because"]);
    return {
      say: words(answer["say"], `${at}.answers[${i}].say`),
      right: answer["right"] === true,
      because: words(answer["because"], `${at}.answers[${i}].because`),
    };
  });
  need(answers.filter((answer) => answer.right).length === 1, `${at}.answers: one of them is right`);
  return { question: words(ask["question"], `${at}.question`), answers };
}

function readCondition(value: unknown, at: string): Condition {
  const condition = object(value, at);
  if ("all" in condition || "any" in condition) {
    const key = "all" in condition ? "all" : "any";
    known(condition, at, [key]);
    const parts = list(condition[key], `${at}.${key}`).map((one, i) =>
      readCondition(one, `${at}.${key}[${i}]`),
    );
    need(parts.length > 0, `${at}.${key}: there are none`);
    return key === "all" ? { all: parts } : { any: parts };
  }
  if ("happened" in condition) {
    known(condition, at, ["happened", "who", "where", "times"]);
    words(condition["happened"], `${at}.happened`);
    return condition as Condition;
  }
  if ("told" in condition) {
    known(condition, at, ["told", "is", "value", "than"]);
    need(/^\w+(\.\w+)*$/.test(words(condition["told"], `${at}.told`)), `${at}.told: a path with dots`);
    need(["=", "!=", "<", "<=", ">", ">="].includes(String(condition["is"])), `${at}.is: a comparison`);
    const one = (condition["value"] === undefined) !== (condition["than"] === undefined);
    need(one, `${at}: either value or than`);
    return condition as Condition;
  }
  if ("after_ms" in condition) {
    known(condition, at, ["after_ms"]);
    return { after_ms: number(condition["after_ms"], `${at}.after_ms`) };
  }
  known(condition, at, ["given"]);
  return { given: words(condition["given"], `${at}.given`) as Order["do"] };
}

/** What a condition is looked at with. */
export interface Since {
  /** The run's time when the step began, and now. */
  fromUs: number;
  us: number;
  told: Told;
  happened: readonly Happening[];
  given: readonly Order["do"][];
}

export function holds(condition: Condition, since: Since): boolean {
  if ("all" in condition) return condition.all.every((one) => holds(one, since));
  if ("any" in condition) return condition.any.some((one) => holds(one, since));
  if ("given" in condition) return since.given.includes(condition.given);
  if ("after_ms" in condition) return since.us - since.fromUs >= condition.after_ms * 1000;
  if ("told" in condition) {
    const other = "than" in condition ? valueAt(since.told, condition.than) : condition.value;
    return compare(valueAt(since.told, condition.told), condition.is, other);
  }
  const { happened, who, where = {}, times = 1 } = condition;
  const fits = (one: Happening) =>
    one.kind === happened &&
    (who === undefined || one.who === who) &&
    Object.entries(where).every(([field, value]) => one[field] === value);
  return since.happened.filter(fits).length >= times;
}

/** The kinds of happening that a condition looks for. */
export function kindsOf(condition: Condition): string[] {
  if ("all" in condition) return condition.all.flatMap(kindsOf);
  if ("any" in condition) return condition.any.flatMap(kindsOf);
  return "happened" in condition ? [condition.happened] : [];
}

/** A value by its path; `max`, `min` and `sum` of a list of things go over all of them. */
export function valueAt(told: unknown, path: string): unknown {
  let values: unknown[] = [told];
  let fold: string | null = null;
  for (const part of path.split(".")) {
    if (["max", "min", "sum"].includes(part) && values.every(Array.isArray)) {
      fold = part;
      values = values.flat();
      continue;
    }
    values = values.map((value) => {
      if (value === null || typeof value !== "object") return undefined;
      return (value as Record<string, unknown>)[part];
    });
  }
  if (fold === null) return values[0];
  const numbers = values.map(Number);
  if (fold === "sum") return numbers.reduce((sum, n) => sum + n, 0);
  return fold === "max" ? Math.max(...numbers) : Math.min(...numbers);
}

function compare(found: unknown, how: string, value: unknown): boolean {
  if (how === "=") return found === value;
  if (how === "!=") return found !== value;
  if (typeof found !== "number" || typeof value !== "number") return false;
  if (how === "<") return found < value;
  if (how === "<=") return found <= value;
  return how === ">" ? found > value : found >= value;
}

function need(right: boolean, otherwise: string): asserts right {
  if (!right) throw new Error(otherwise);
}

function object(value: unknown, at: string): Record<string, unknown> {
  need(value !== null && typeof value === "object" && !Array.isArray(value), `${at}: an object was expected`);
  return value as Record<string, unknown>;
}

function known(value: Record<string, unknown>, at: string, fields: string[]): void {
  const other = Object.keys(value).find((field) => !fields.includes(field));
  need(other === undefined, `${at}: ${other ?? ""} is no field of it`);
}

function list(value: unknown, at: string): unknown[] {
  need(Array.isArray(value), `${at}: a list was expected`);
  return value as unknown[];
}

function words(value: unknown, at: string): string {
  need(typeof value === "string" && value.trim() !== "", `${at}: words were expected`);
  return value;
}

function number(value: unknown, at: string): number {
  need(typeof value === "number" && Number.isFinite(value) && value >= 0, `${at}: a number was expected`);
  return value;
}
