/** Storage policies of one table, as the page asks for them. */
import type { Lab, LabChecked, LabSettings, LabTold, LabWhy, RowsText } from "../../pkg/types.js";
import { failure } from "./failure.js";

/** Things that happen between two looks at what else is asked. */
const STEPS = 4_000;

/** Whoever can begin one. */
export interface HasLab {
  lab(dir: string, seqTxn: number, memory: number): Promise<Lab>;
}

export class LabCalls {
  #lab: Lab | null = null;

  /** Begins with `dir` as it is after `seqTxn`. */
  async labOpen(source: HasLab, dir: string, seqTxn: number, memory: number): Promise<void> {
    this.close();
    this.#lab = await source.lab(dir, seqTxn, memory);
  }

  labSet(settings: LabSettings): void {
    this.#open().set(JSON.stringify(settings));
  }

  /** Goes on to a time; to be called again until it is reached. */
  async labRun(untilUs: number): Promise<{ reached: boolean; told: LabTold }> {
    const lab = this.#open();
    const reached = await lab.run(untilUs, STEPS);
    return { reached, told: JSON.parse(lab.told()) as LabTold };
  }

  labWhy(instance: number, partition: string): LabWhy | null {
    return JSON.parse(this.#open().why(instance, partition)) as LabWhy | null;
  }

  labRows(instance: number, partition: string, first: number, count: number): RowsText {
    return this.#open().rows(instance, partition, first, count);
  }

  labCheck(stages: string): LabChecked {
    return JSON.parse(this.#open().check(stages)) as LabChecked;
  }

  close(): void {
    this.#lab?.free();
    this.#lab = null;
  }

  #open(): Lab {
    if (!this.#lab) throw failure("usage", "no lab was begun");
    return this.#lab;
  }
}
