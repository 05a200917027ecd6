/**
 * The state machine of a circuit breaker: pure, its clock passed in, its state plain data.
 *
 *     closed ──too many bad calls──▶ open ──its time has come──▶ half_open ──the probe is good──▶ closed
 *                                     ▲                            │
 *                                     └──bad (longer), given back──┘
 *
 * Phases are numbered, a call belongs to the phase that admitted it, and a report counts in that phase only. So what is
 * still heard of calls from before a trip disturbs nothing, and the number of a half-open phase is the lease on its probe.
 * A good probe alone counts beyond its lease, as long as nothing tripped since: if every one took longer than its lease,
 * each would be replaced before its end, and the circuit never close.
 *
 * Failures come before successes: they are often quicker, and are told at once. So calls count from their beginning, as
 * not bad until they end, and whoever is told of a closed phase is counted as beginning a call; else a provider that
 * fails one call in twenty would look like one that fails them all, in the first seconds of every closed phase.
 */
import { SlidingWindow, type Counts } from "./sliding-window.ts";

export interface CircuitSettings {
  /** How far back calls count. */
  windowMs: number;
  /** With fewer calls in the window nothing opens the circuit: one failure after an idle hour says little. */
  minimumCalls: number;
  /** Of the calls in the window, in percent: with so many bad ones the circuit opens. */
  badPercent: number;
  /** The first time it opens; doubled at each trip that follows soon. */
  openMs: number;
  /** Longest open time; a circuit that stayed closed as long begins with `openMs` again. */
  maxOpenMs: number;
  /** How long a probe may take before another is let in; its lease expires by itself. */
  probeMs: number;
}

/** JSON, and all that is kept of a circuit: its window is memory. */
export type Phase =
  | { state: "closed"; number: number; trips: number; sinceMs: number }
  | { state: "open"; number: number; trips: number; trippedAs: number; untilMs: number }
  /** One probe is out, and `untilMs` is when its lease expires. `trippedAs` is the number that the last trip took. */
  | { state: "half_open"; number: number; trips: number; trippedAs: number; untilMs: number };

/** What others need to know to decide. */
export interface CircuitView {
  phase: number;
  state: Phase["state"];
  /** Until a probe may be let in; 0 while closed. */
  retryAfterMs: number;
}

/** What became of calls that a closed phase admitted; `bad` is failed or slow. */
export interface Report extends Counts {
  phase: number;
}

export type ProbeEnd = "good" | "bad" | "given_back";

const INITIAL: Phase = { state: "closed", number: 0, trips: 0, sinceMs: 0 };

export class Circuit {
  readonly #settings: CircuitSettings;
  readonly #window: SlidingWindow;
  #phase: Phase;

  /** @param phase that was kept. */
  constructor(settings: CircuitSettings, phase = INITIAL) {
    this.#settings = settings;
    this.#phase = phase;
    this.#window = new SlidingWindow(settings.windowMs);
  }

  /** Another object at every transition, else the same. */
  get phase(): Phase {
    return this.#phase;
  }

  view(nowMs: number): CircuitView {
    const phase = this.#phase;
    const retryAfterMs = phase.state === "closed" ? 0 : Math.max(0, phase.untilMs - nowMs);
    return { phase: phase.number, state: phase.state, retryAfterMs };
  }

  /** The view of one who knows of `phase`, and of a newer one from now on. */
  tell(phase: number, nowMs: number): CircuitView {
    const { state, number } = this.#phase;
    if (state === "closed" && phase !== number) this.#window.add({ begun: 1, good: 0, bad: 0 }, nowMs);
    return this.view(nowMs);
  }

  report({ phase, ...counts }: Report, nowMs: number): void {
    if (this.#phase.state !== "closed" || phase !== this.#phase.number) return;
    this.#window.add(counts, nowMs);
    if (this.#isTooBad()) this.#trip(nowMs);
  }

  /**
   * A lease on one probe, if the time for it has come; there is never another before it expires.
   * @returns the phase to settle it by.
   */
  lease(nowMs: number): number | undefined {
    const phase = this.#phase;
    if (phase.state === "closed" || nowMs < phase.untilMs) return undefined;
    const { trips, trippedAs } = phase;
    const number = phase.number + 1;
    this.#enter({ state: "half_open", number, trips, trippedAs, untilMs: nowMs + this.#settings.probeMs });
    return number;
  }

  /** How a probe ended. */
  settle(lease: number, end: ProbeEnd, nowMs: number): void {
    const phase = this.#phase;
    if (phase.state !== "half_open" || lease <= phase.trippedAs) return;
    const { trips, trippedAs } = phase;
    const number = phase.number + 1;
    // One utterance spoken in full is proof enough: closing wrongly costs `minimumCalls`, and a longer open time.
    if (end === "good") this.#enter({ state: "closed", number, trips, sinceMs: nowMs });
    else if (lease !== phase.number) return;
    else if (end === "bad") this.#trip(nowMs);
    else this.#enter({ state: "open", number, trips, trippedAs, untilMs: nowMs });
  }

  #isTooBad(): boolean {
    const { begun, good, bad } = this.#window.sums;
    const calls = Math.max(begun, good + bad); // more have ended than begun when long ones began before the window
    return calls >= this.#settings.minimumCalls && bad * 100 >= calls * this.#settings.badPercent;
  }

  #trip(nowMs: number): void {
    const { openMs, maxOpenMs } = this.#settings;
    const phase = this.#phase;
    const hasHeld = phase.state === "closed" && nowMs - phase.sinceMs >= maxOpenMs;
    const trips = hasHeld ? 0 : phase.trips;
    const number = phase.number + 1;
    const untilMs = nowMs + Math.min(openMs * 2 ** trips, maxOpenMs);
    this.#enter({ state: "open", number, trips: trips + 1, trippedAs: number, untilMs });
  }

  #enter(phase: Phase): void {
    this.#phase = phase;
    this.#window.clear();
  }
}
