import { CircuitClient, type Call, type Refusal } from "../../../worker/breaker/circuit-client.ts";
import type { Breaker } from "../../../worker/breaker/circuit-link.ts";
import type { CallReport, CircuitView, ProbeOutcome } from "../../../worker/breaker/circuit.ts";
import { SimulatedClock } from "../../support/simulated-clock.ts";

export const ROUND_TRIP_MS = 80;
export const SLOW_MS = 5_000;

export const closed: CircuitView = { phase: 4, state: "closed", retryAfterMs: 0 };
export const open: CircuitView = { phase: 5, state: "open", retryAfterMs: 3_000 };
export const due: CircuitView = { phase: 5, state: "open", retryAfterMs: 0 };
export const probed: CircuitView = { phase: 6, state: "half_open", retryAfterMs: 20_000 };
export const healed: CircuitView = { phase: 7, state: "closed", retryAfterMs: 0 };

type Trouble = "none" | "throws" | "hangs" | "loses replies";

/** Says what it is told to say, and can be in trouble. */
class FakeBreaker implements Breaker {
  view = closed;
  isLeasing = true;
  trouble: Trouble = "none";
  replyMs = ROUND_TRIP_MS;
  readonly reports: CallReport[] = [];
  readonly settled: { phase: number; end: ProbeOutcome }[] = [];
  leases = 0;
  readonly #clock: SimulatedClock;

  constructor(clock: SimulatedClock) {
    this.#clock = clock;
  }

  get requests(): number {
    return this.reports.length + this.settled.length + this.leases;
  }

  get told() {
    const sum = (key: "started" | "succeeded" | "failed") => this.reports.reduce((total, one) => total + one[key], 0);
    return { started: sum("started"), succeeded: sum("succeeded"), failed: sum("failed") };
  }

  async #reply<T>(take: () => T): Promise<T> {
    const { trouble } = this;
    if (trouble === "hangs") await Promise.withResolvers<void>().promise;
    await this.#clock.sleep(this.replyMs);
    if (trouble === "throws") throw new Error("Durable Object reset because its code was updated.");
    const reply = take();
    if (trouble === "loses replies") throw new Error("Network connection lost.");
    return reply;
  }

  report(report: CallReport): Promise<CircuitView> {
    this.reports.push(report);
    return this.#reply(() => this.view);
  }

  settle(phase: number, end: ProbeOutcome): Promise<CircuitView> {
    this.settled.push({ phase, end });
    return this.#reply(() => this.view);
  }

  lease(): Promise<{ view: CircuitView; isLeased: boolean }> {
    this.leases++;
    return this.#reply(() => {
      const isLeased = this.isLeasing && this.view.state === "open" && this.view.retryAfterMs === 0;
      if (isLeased) this.view = probed;
      return { view: this.view, isLeased };
    });
  }
}

/** A client of a breaker that is told what to say, on a clock that is told when to go. */
export class Isolate {
  readonly clock = new SimulatedClock();
  readonly breaker = new FakeBreaker(this.clock);
  readonly client = new CircuitClient("espeak", this.breaker, SLOW_MS, this.clock);
  /** Of sessions that are alive; what a session leaves behind when it dies is not among it. */
  readonly background: Promise<unknown>[] = [];

  admit(): Promise<Call | Refusal> {
    return this.client.admit((work) => void this.background.push(work));
  }

  async call(): Promise<Call> {
    const admission = await this.admit();
    if (!admission.allowed) throw new Error("refused");
    return admission;
  }

  /** An isolate that learned so a moment ago. */
  static async knowing(view: CircuitView): Promise<Isolate> {
    const isolate = new Isolate();
    isolate.breaker.view = view;
    isolate.client.warm((work) => void isolate.background.push(work));
    await isolate.clock.pass(ROUND_TRIP_MS);
    isolate.breaker.reports.length = 0;
    return isolate;
  }
}

/** Whether a promise is settled without any time passing. */
export async function isImmediate(promise: Promise<unknown>): Promise<boolean> {
  let isSettled = false;
  void promise.then(() => (isSettled = true));
  for (let i = 0; i < 5; i++) await Promise.resolve();
  return isSettled;
}
