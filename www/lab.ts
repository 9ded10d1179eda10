/**
 * Storage policies that are tried out: another worker, with the module that knows Parquet, which follows what the state wants of
 * the lab as the stage follows the rest.
 */
import type { LabChecked, RowsText } from "../pkg/types.js";
import { Beside, memoryBeside } from "./beside.js";
import type { Engine } from "./engine/client.js";
import { latest, type LabWish, settingsOf } from "./model/lab/lab.js";
import type { LabShown } from "./model/shown.js";
import type { Stage } from "./stage.js";

const MEMORY_MIN = 32 << 20;
/** After a pause of the tab no more than this goes by at once. */
const TICK_MS_MAX = 500;
const UNOPENED: LabShown = { progress: null, told: null, why: null, error: null };

export class LabDriver {
  readonly #stage: Stage;
  readonly #beside: Beside;
  /** What the worker was given, so that only news is. */
  #begun = "";
  #set = "";
  #ran: number | null = null;
  #asked = "";
  #due = false;

  constructor(stage: Stage, start: () => Engine) {
    this.#stage = stage;
    stage.lab = this;
    this.#beside = new Beside(stage, start, {
      heard: (command) => {
        if (!("do" in command) || command.do !== "lab") return;
        this.#due = command.lab.do === "due";
        if (command.lab.do === "begin") this.#begun = "";
      },
      advance: () => this.#advance(),
      failed: (error) => this.#show({ error, progress: null }),
      closed: () => this.#forget(),
    });
    this.#bindClock();
  }

  /** Whether stages fit the table; null while there is no lab to ask. */
  async check(stages: string): Promise<LabChecked | null> {
    const { engine } = this.#beside;
    if (!engine || this.#begun === "") return null;
    return engine.call("labCheck", [stages]).catch(() => null);
  }

  /** The first rows of a partition, as an instance reads them. */
  rows(instance: number, partition: string, count: number): Promise<RowsText> {
    const { engine } = this.#beside;
    if (!engine) return Promise.reject(new Error("there is no lab"));
    return engine.call("labRows", [instance, partition, 0, count]);
  }

  /** Tries again after a failure. */
  retry(): void {
    this.#beside.close();
    this.#beside.wish();
  }

  #bindClock(): void {
    let last: number | null = null;
    let running = false;
    const frame = (now: number) => {
      const { lab } = this.#stage.state;
      const told = this.#stage.shown.lab?.told;
      running = lab?.playing === true;
      if (!running) {
        last = null;
        return;
      }
      last ??= now;
      // While the worker is behind, time gathers and is played in one step: the speed stays true.
      if (told && !this.#behind(lab)) {
        if (told.nowUs >= latest(told.startUs)) this.#stage.dispatch({ do: "lab", lab: { do: "toggle" } });
        const ms = Math.min(now - last, TICK_MS_MAX);
        this.#stage.dispatch({ do: "lab", lab: { do: "tick", ms, us: told.nowUs } });
        last = now;
      }
      requestAnimationFrame(frame);
    };
    this.#stage.subscribe(() => {
      if (this.#stage.state.lab?.playing && !running) {
        running = true;
        requestAnimationFrame(frame);
      }
    });
  }

  #behind(lab: LabWish | null): boolean {
    return lab !== null && (lab.us ?? 0) !== (this.#ran ?? 0);
  }

  #show(part: Partial<LabShown>): void {
    this.#stage.tell({ lab: { ...(this.#stage.shown.lab ?? UNOPENED), ...part } });
  }

  #forget(): void {
    [this.#begun, this.#set, this.#asked, this.#ran] = ["", "", "", null];
    if (this.#stage.shown.lab) this.#stage.tell({ lab: null });
  }

  /** Does what is needed next; true if there may be more. */
  async #advance(): Promise<boolean> {
    const { state, shown } = this.#stage;
    const { engine, opened } = this.#beside;
    const { lab } = state;
    if (lab === null) {
      if (engine) this.#beside.close();
      return false;
    }
    if (shown.lab?.error || !state.overview) return false;
    if (!engine) return this.#open();
    if (!opened) return false;
    const begun = `${lab.table} ${lab.from}`;
    if (begun !== this.#begun) {
      await engine.call("labOpen", [lab.table, lab.from]);
      [this.#begun, this.#set, this.#ran] = [begun, "", null];
      return true;
    }
    const settings = JSON.stringify(settingsOf(lab));
    if (settings !== this.#set) {
      await engine.call("labSet", [settingsOf(lab)]);
      [this.#set, this.#ran] = [settings, null];
      return true;
    }
    if (this.#ran === null || this.#behind(lab)) return this.#run(engine, lab);
    if (this.#due) return this.#toNext();
    return this.#why(engine, lab);
  }

  async #run(engine: Engine, lab: LabWish): Promise<boolean> {
    const start = this.#stage.shown.lab?.told?.startUs;
    const until = lab.us === null ? 0 : start === undefined ? lab.us : Math.min(lab.us, latest(start));
    const { reached, told } = await engine.call("labRun", [until]);
    // What lies before the beginning is the beginning.
    if (reached || until <= told.startUs) this.#ran = lab.us ?? 0;
    this.#asked = "";
    this.#show({ told, progress: null });
    return true;
  }

  #toNext(): boolean {
    this.#due = false;
    const next = this.#stage.shown.lab?.told?.nextUs;
    if (typeof next === "number") this.#stage.dispatch({ do: "lab", lab: { do: "jump", us: next } });
    return false;
  }

  async #why(engine: Engine, { brick }: LabWish): Promise<boolean> {
    const told = this.#stage.shown.lab?.told;
    const asked = brick && told ? `${brick.instance} ${brick.partition} ${told.nowUs} ${this.#set}` : "";
    if (asked === this.#asked) return false;
    this.#asked = asked;
    this.#show({ why: brick ? await engine.call("labWhy", [brick.instance, brick.partition]) : null });
    return true;
  }

  async #open(): Promise<boolean> {
    const { opening } = this.#stage;
    const engine = this.#beside.start();
    this.#stage.tell({ lab: UNOPENED });
    const memory = memoryBeside(opening, MEMORY_MIN);
    await engine.call("open", [opening.source, { memory, parquet: true }], (progress) =>
      this.#show({ progress }),
    );
    this.#beside.opened = true;
    return true;
  }
}
