/** What changed over time. */
import { upperBound } from "../history.js";

/** Values that changed at times: `at` gives the one of a moment. */
export class Track<T> {
  readonly #us: number[] = [];
  readonly #values: T[] = [];
  #times: Float64Array | null = null;

  /** Times that go back count as the latest before them. */
  add(us: number, value: T): void {
    this.#us.push(Math.max(us, this.#us[this.#us.length - 1] ?? us));
    this.#values.push(value);
    this.#times = null;
  }

  /** How many changes there were up to a moment. */
  until(us: number): number {
    return upperBound((this.#times ??= Float64Array.from(this.#us)), us);
  }

  at(us: number): T | null {
    return this.#values[this.until(us) - 1] ?? null;
  }

  /** The last few up to a moment, the newest first. */
  last(us: number, count: number): T[] {
    const to = this.until(us);
    return this.#values.slice(Math.max(0, to - count), to).reverse();
  }

  timeOf(index: number): number | null {
    return this.#us[index] ?? null;
  }

  value(index: number): T | null {
    return this.#values[index] ?? null;
  }
}
