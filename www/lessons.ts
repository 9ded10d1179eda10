/** Fetches lessons: data files beside the page. */
import type { Failover } from "./failover.js";
import type { FailoverLink } from "./model/failover/link.js";
import { type Lesson, readLesson } from "./model/failover/lesson.js";

/** A lesson as the list has it, which the build writes. */
export interface Listed {
  name: string;
  title: string;
  about: string;
}

let listed: Promise<Listed[]> | null = null;

export function lessonList(): Promise<Listed[]> {
  listed ??= fetchText("lessons/index.json").then((text) => JSON.parse(text) as Listed[]);
  return listed;
}

export async function fetchLesson(name: string): Promise<Lesson> {
  return readLesson(await fetchText(`lessons/${name}.json`));
}

/** Shows what a link says, or begins the lesson that it names. */
export function openLink(lab: Failover, link: FailoverLink): void {
  if (link.lesson === null) lab.open(link);
  else void beginLesson(lab, link.lesson);
}

/** Begins a lesson by its name; what is wrong with it is said on the page. */
export async function beginLesson(lab: Failover, name: string): Promise<void> {
  try {
    lab.dispatch({ do: "lesson", lesson: await fetchLesson(name), name });
  } catch (error) {
    lab.complain(
      `The lesson ${name} can't be read: ${error instanceof Error ? error.message : String(error)}.`,
    );
  }
}

async function fetchText(path: string): Promise<string> {
  const answer = await fetch(new URL(path, document.baseURI));
  if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
  return answer.text();
}
