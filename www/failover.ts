/**
 * Drives the simulated cluster in its worker: one call at a time, always for the newest wish. What is shown is what the
 * simulator told; nothing is reckoned beside it.
 */
import { detailOf, type Engine } from "./engine/client.js";
import { Forked } from "./forked.js";
import { Chronicle, NOTABLE } from "./model/failover/chronicle.js";
import type { LabCommand } from "./model/failover/command.js";
import { holds, kindsOf } from "./model/failover/lesson.js";
import { formatLabLink, type FailoverLink } from "./model/failover/link.js";
import { isOn, orderOf } from "./model/failover/orders.js";
import { begun, cutHere, given, type LabState, reduceLab } from "./model/failover/state.js";
import {
  type Happening,
  type Order,
  type Scenario,
  type Told,
  type Violation,
} from "./model/failover/told.js";
import { narration } from "./model/failover/words.js";
import { Pump } from "./pump.js";
import type { SimAnswer } from "./worker/sim.js";
import type { EngineError } from "./worker/protocol.js";
import type { Progress } from "../pkg/types.js";

/** After a pause of the tab no more than this goes by at once. */
const TICK_MS_MAX = 250;
/** Words for screen readers come no more often than this. */
const SAY_MS = 2500;

export class Failover {
  state: LabState;
  told: Told | null = null;
  /** The time on show. */
  us = 0;
  over = false;
  violation: Violation | null = null;
  chronicle = new Chronicle();
  /** As the seed has made the scenario. */
  scenario: Scenario | null = null;
  progress: Progress | null = null;
  error: EngineError | null = null;
  readonly forked: Forked;
  /** What could not be read or done, for people. */
  trouble: string | null;
  /** The last thing said to screen readers. */
  said = "";

  readonly #engine: Engine;
  readonly #calls = new Pump(() => this.#step());
  readonly #listeners = new Set<() => void>();
  #begun = 0;
  #orders: Order[] = [];
  /** Since the lesson's step began. */
  #since = { us: 0, happened: [] as Happening[], given: [] as Order["do"][] };
  #unsaid: Happening[] = [];
  #saidMs = -Infinity;

  constructor(engine: Engine, link: FailoverLink) {
    this.#engine = engine;
    this.forked = new Forked(engine);
    this.state = begun(link);
    this.trouble = link.trouble;
    engine.onTrap = (error) => this.#failed(error);
    void this.#calls.wish();
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  dispatch = (command: LabCommand): void => {
    const { told, durable, stored } = this;
    const order = told && orderOf(command, { told, focus: this.state.focus, durable, stored });
    if (order) return this.#give(order);
    const from = this.state;
    this.state = reduceLab(from, command, this);
    if (this.state === from) return;
    if (this.state.lesson?.step !== from.lesson?.step || this.state.lesson?.name !== from.lesson?.name) {
      this.#since = { us: this.state.run === from.run ? this.us : 0, happened: [], given: [] };
    }
    if (this.state.playing && !from.playing) this.#play();
    this.#changed();
    void this.#calls.wish();
  };

  /** The link to what is on show; within a lesson to its beginning. */
  link(): string {
    const { scenario, seed, from, speed, lesson } = this.state;
    if (lesson && lesson.step < lesson.lesson.steps.length) return `#lab&lesson=${lesson.name}`;
    return formatLabLink({ scenario, seed, speed, at: { us: this.us }, from, lesson: null });
  }

  /** The scenario with the rows that it begins with. */
  get whole(): Scenario {
    return this.forked.whole(this.state.scenario);
  }

  /** Whether the clock is on its way to where it was sent. */
  get behind(): boolean {
    const { wanted, run } = this.state;
    if (run !== this.#begun || this.#orders.length > 0) return true;
    if (this.over) return false;
    return "us" in wanted ? wanted.us > this.us : true;
  }

  /** Shows what a link says. */
  open(link: FailoverLink): void {
    const { run, branches, from } = this.state;
    this.trouble = link.trouble;
    this.state = { ...begun(link), run: run + 1, branches: link.from === from ? branches : [] };
    this.#changed();
    void this.#calls.wish();
  }

  /** Says on the page what is wrong; null takes it back. */
  complain(trouble: string | null): void {
    this.trouble = trouble;
    this.#changed();
  }

  /** Tries again after a failure. */
  retry(): void {
    this.error = null;
    this.#begun = 0;
    this.#engine.restart();
    this.#changed();
    void this.#calls.wish();
  }

  #changed(): void {
    for (const listener of this.#listeners) listener();
  }

  #failed(error: EngineError): void {
    this.error = error;
    this.state = { ...this.state, playing: false };
    this.#changed();
  }

  get durable(): boolean {
    return isOn("durable", this.scenario, this.#soFar());
  }

  get stored(): boolean {
    return isOn("store-and-forward", this.scenario, this.#soFar());
  }

  #soFar(): Order[] {
    const script = this.state.scenario.script ?? [];
    return [...script.filter(({ at_us: at }) => at <= Math.max(1, this.us)), ...this.#orders];
  }

  #give(order: Order): void {
    this.state = cutHere(this.state, this);
    this.#orders.push(order);
    // A lesson's step that waits for what comes of it goes on.
    const { lesson } = this.state;
    if (lesson?.lesson.steps[lesson.step]?.until && !this.state.playing) {
      this.state = { ...this.state, playing: true };
      this.#play();
    }
    this.#changed();
    void this.#calls.wish();
  }

  /** Does what is needed next; true if there may be more. */
  async #step(): Promise<boolean> {
    if (this.error) return false;
    try {
      return await this.#advance();
    } catch (error) {
      const detail = detailOf(error);
      if (detail.kind !== "trap") this.#failed(detail);
      return false;
    }
  }

  async #advance(): Promise<boolean> {
    const { run, wanted } = this.state;
    if (run !== this.#begun) return this.#begin(run);
    const order = this.#orders[0];
    if (order && this.#arrived()) return this.#order(order);
    if ("us" in wanted) return this.#runTo(wanted.us);
    if (this.over) return this.#arrive();
    const answer =
      "step" in wanted
        ? await this.#engine.call("simToStep", [wanted.step])
        : await this.#engine.call("simNext", [wanted.next === "any" ? null : [...NOTABLE]]);
    if (run !== this.state.run) return true;
    this.#take(answer);
    return answer.reached ? this.#arrive() : true;
  }

  /** Where the run stands is where it was to go. */
  #arrive(): boolean {
    this.state = { ...this.state, wanted: { us: this.us } };
    this.#changed();
    return true;
  }

  #arrived(): boolean {
    const { wanted } = this.state;
    return this.over || ("us" in wanted && (this.state.playing || wanted.us <= this.us));
  }

  async #begin(run: number): Promise<boolean> {
    const onProgress = (progress: Progress) => {
      this.progress = progress;
      this.#changed();
    };
    await this.forked.take(this.state.from, onProgress);
    if (run !== this.state.run) return true;
    this.state = { ...this.state, scenario: this.forked.scenario(this.state.scenario) };
    const made = await this.#engine.call("simOpen", [this.whole, this.state.seed], onProgress);
    // The rows need not come back.
    delete made.begin;
    if (run !== this.state.run) return true;
    [this.#begun, this.progress, this.scenario] = [run, null, made];
    [this.us, this.over, this.violation, this.told] = [0, false, null, null];
    this.chronicle = new Chronicle();
    this.#unsaid = [];
    this.#take(await this.#engine.call("simRun", [0, true]));
    return true;
  }

  async #order(order: Order): Promise<boolean> {
    const scripted = await this.#engine.call("simOrder", [order]);
    this.#orders.shift();
    this.#since.given.push(order.do);
    this.state = given(this.state, scripted);
    const { wanted } = this.state;
    // What was asked for is seen to be done, also while the clock stands still.
    if ("us" in wanted) this.state = { ...this.state, wanted: { us: Math.max(wanted.us, scripted.at_us) } };
    this.#lookAtLesson();
    this.#changed();
    return true;
  }

  async #runTo(us: number): Promise<boolean> {
    if (us <= this.us || this.over) return false;
    const { run } = this.state;
    const until = this.forked.until(this.us, us);
    const answer = await this.#engine.call("simRun", [until, !this.state.playing, this.#awaited()]);
    if (run !== this.state.run) return true;
    this.#take(answer);
    return true;
  }

  /** The kinds that the lesson waits for. */
  #awaited(): string[] {
    const { lesson } = this.state;
    const until = lesson?.lesson.steps[lesson.step]?.until;
    return until ? kindsOf(until) : [];
  }

  #take(answer: SimAnswer): void {
    [this.told, this.us, this.over, this.violation] = [answer.told, answer.us, answer.over, answer.violation];
    this.chronicle.take(answer.happenings, answer.told);
    this.forked.compare(answer.told);
    if (this.state.lesson) this.#since.happened.push(...answer.happenings);
    this.#say(answer.happenings);
    if (this.over && this.state.playing) this.state = { ...this.state, playing: false };
    this.#lookAtLesson();
    this.#changed();
  }

  #lookAtLesson(): void {
    const { lesson } = this.state;
    const until = lesson?.lesson.steps[lesson.step]?.until;
    if (!lesson || !until || !this.told) return;
    const { us: fromUs, happened, given } = this.#since;
    if (!holds(until, { fromUs, us: this.us, told: this.told, happened, given })) return;
    this.dispatch({ do: "reached" });
  }

  #say(happenings: readonly Happening[]): void {
    this.#unsaid.push(...happenings.filter(({ kind }) => NOTABLE.has(kind)));
    const now = performance.now();
    if (this.#unsaid.length === 0 || now - this.#saidMs < SAY_MS) return;
    this.said = narration(this.#unsaid) || this.said;
    this.#unsaid = [];
    this.#saidMs = now;
  }

  #playing = false;

  /** Lets time pass at its speed, a frame at a time; while the worker is behind it gathers. */
  #play(): void {
    if (this.#playing) return;
    this.#playing = true;
    let last: number | null = null;
    const frame = (now: number) => {
      if (!this.state.playing || this.error) {
        this.#playing = false;
        return;
      }
      last ??= now;
      if (this.told && !this.behind) {
        // What is less than a microsecond waits for the next frame.
        const us = Math.floor(this.us + Math.min(now - last, TICK_MS_MAX) * 1000 * this.state.speed);
        if (us > this.us) {
          last = now;
          this.state = { ...this.state, wanted: { us: Math.min(us, this.scenario?.until_us ?? us) } };
          void this.#calls.wish();
        }
      }
      requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
  }
}
