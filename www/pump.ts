/** One thing after the other until all wishes are met: a wish while it runs has it look once more. */
export class Pump {
  readonly #step: () => Promise<boolean>;
  #wished = false;
  #running = false;

  /** `step` does what is needed most; false when there is nothing to do. */
  constructor(step: () => Promise<boolean>) {
    this.#step = step;
  }

  get running(): boolean {
    return this.#running;
  }

  /** Something may have changed. True to the one who waited for all that is to be done. */
  async wish(): Promise<boolean> {
    this.#wished = true;
    if (this.#running) return false;
    this.#running = true;
    try {
      while (this.#wished) this.#wished = await this.#lookAt();
    } finally {
      this.#running = false;
    }
    return true;
  }

  /** Runs `job` while no step is under way and none begins. */
  async exclusively<T>(job: () => Promise<T>): Promise<T> {
    while (this.#running) await new Promise((done) => setTimeout(done));
    this.#running = true;
    try {
      return await job();
    } finally {
      this.#running = false;
    }
  }

  async #lookAt(): Promise<boolean> {
    this.#wished = false;
    const more = await this.#step();
    return more || this.#wished;
  }
}
