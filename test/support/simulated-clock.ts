/** A clock whose hours pass in seconds. */
import { setImmediate } from "node:timers/promises";

export class SimulatedClock {
  #nowMs = 0;
  readonly #sleepers = new Map<number, (() => void)[]>();

  now(): number {
    return this.#nowMs;
  }

  /** In whole ms. */
  sleep(ms: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const at = this.#nowMs + Math.max(0, Math.ceil(ms));
    const sleepers = this.#sleepers.get(at);
    if (sleepers) sleepers.push(resolve);
    else this.#sleepers.set(at, [resolve]);
    return promise;
  }

  /** Lets all that is to happen until then happen. */
  async passUntil(ms: number): Promise<void> {
    await setImmediate();
    for (; ; this.#nowMs++) {
      for (let due; (due = this.#sleepers.get(this.#nowMs)); await setImmediate()) {
        this.#sleepers.delete(this.#nowMs);
        for (const wake of due) wake();
      }
      if (this.#nowMs >= ms) return;
    }
  }

  pass(ms: number): Promise<void> {
    return this.passUntil(this.#nowMs + ms);
  }
}
