/**
 * The state machine of a circuit breaker. It is pure: its clock is passed in, and its state is plain data.
 *
 *     closed ──too many calls failed──▶ open ──the open time is over──▶ half_open ──the probe succeeded──▶ closed
 *                                        ▲                                 │
 *                                        └──the probe failed or was given up┘
 *
 * Every change of state begins a phase with a number of its own. A call belongs to the phase that admitted it, and its
 * outcome counts in that phase only: a call from before the circuit opened cannot fail a probe or open the circuit again.
 * The number of a half-open phase is also the lease on its probe: whoever holds the number may make that one call.
 * A probe that succeeds closes the circuit even after its lease has expired, unless the circuit has opened since. If it
 * did not, a provider whose every answer takes longer than a lease would be probed for ever.
 *
 * A call counts as started when it is admitted, not when it ends, because failures are often quicker than successes. In
 * the first seconds of a closed phase only failures would have ended, and a provider that fails one call in twenty would
 * look as if it failed them all. For the same reason, an isolate that learns of a closed phase counts as one call started.
 */
import { SamplingWindow, type CallCounts } from "./sampling-window.ts";

export interface CircuitSettings {
  /** How far back calls count. */
  samplingWindowMs: number;
  /** With fewer calls in the window the circuit stays closed: one failure after an idle hour says little. */
  minimumCalls: number;
  /** The share of the calls in the window, in percent, that must have failed for the circuit to open. */
  failureThresholdPercent: number;
  /** How long the circuit is open the first time; each time it opens again soon after, it is open twice as long. */
  openMs: number;
  /** The longest open time. A circuit that stayed closed for as long starts with `openMs` again. */
  maxOpenMs: number;
  /** After so long a probe's lease expires, and another probe may start. */
  leaseMs: number;
}

/** What is stored of a circuit, as JSON. The counts in its window are kept in memory only. */
export type Phase =
  /** `openings` is how many times the circuit has opened without staying closed for long in between. */
  | { state: "closed"; number: number; openings: number; sinceMs: number }
  /** `openedAs` is the number of the phase in which the circuit last opened because calls failed. */
  | { state: "open"; number: number; openings: number; openedAs: number; untilMs: number }
  /** One probe is under way; its lease expires at `untilMs`. */
  | { state: "half_open"; number: number; openings: number; openedAs: number; untilMs: number };

/** What an isolate needs to know of a circuit to admit or refuse a call. */
export interface CircuitView {
  phase: number;
  state: Phase["state"];
  /** How long until a probe may start; 0 while closed. */
  retryAfterMs: number;
}

/** How the calls of one closed phase went, since the isolate's last report. */
export interface CallReport extends CallCounts {
  phase: number;
  /** One of the failed calls is reason enough to open the circuit, whatever the counts are. */
  opens?: true;
}

/** `given_up`: the probe ended without saying anything about the provider. */
export type ProbeOutcome = "succeeded" | "failed" | "given_up";

const INITIAL: Phase = { state: "closed", number: 0, openings: 0, sinceMs: 0 };

export class Circuit {
  readonly #settings: CircuitSettings;
  readonly #window: SamplingWindow;
  #phase: Phase;

  /** @param phase the one that was stored. */
  constructor(settings: CircuitSettings, phase = INITIAL) {
    this.#settings = settings;
    this.#phase = phase;
    this.#window = new SamplingWindow(settings.samplingWindowMs);
  }

  /** A new object after every change of state, else the same one. */
  get phase(): Phase {
    return this.#phase;
  }

  view(nowMs: number): CircuitView {
    const phase = this.#phase;
    const retryAfterMs = phase.state === "closed" ? 0 : Math.max(0, phase.untilMs - nowMs);
    return { phase: phase.number, state: phase.state, retryAfterMs };
  }

  /** The view for an isolate that knew `knownPhase` until now. */
  viewFor(knownPhase: number, nowMs: number): CircuitView {
    const { state, number } = this.#phase;
    if (state === "closed" && knownPhase !== number) this.#window.add({ started: 1, succeeded: 0, failed: 0 }, nowMs);
    return this.view(nowMs);
  }

  report({ phase, opens, ...counts }: CallReport, nowMs: number): void {
    if (this.#phase.state !== "closed" || phase !== this.#phase.number) return;
    this.#window.add(counts, nowMs);
    if (opens || this.#isOverThreshold()) this.#open(nowMs);
  }

  /**
   * Leases the probe to the caller if the open time is over and no other lease is running.
   * @returns the number of the half-open phase, by which the probe is settled.
   */
  lease(nowMs: number): number | undefined {
    const phase = this.#phase;
    if (phase.state === "closed" || nowMs < phase.untilMs) return undefined;
    const { openings, openedAs } = phase;
    const number = phase.number + 1;
    this.#enter({ state: "half_open", number, openings, openedAs, untilMs: nowMs + this.#settings.leaseMs });
    return number;
  }

  /** Ends the probe that holds `lease`. */
  settle(lease: number, outcome: ProbeOutcome, nowMs: number): void {
    const phase = this.#phase;
    if (phase.state !== "half_open" || lease <= phase.openedAs) return;
    const { openings, openedAs } = phase;
    const number = phase.number + 1;
    // One success is proof enough: closing by mistake costs `minimumCalls` calls and a longer open time.
    if (outcome === "succeeded") this.#enter({ state: "closed", number, openings, sinceMs: nowMs });
    else if (lease !== phase.number) return;
    else if (outcome === "failed") this.#open(nowMs);
    else this.#enter({ state: "open", number, openings, openedAs, untilMs: nowMs });
  }

  #isOverThreshold(): boolean {
    const { minimumCalls, failureThresholdPercent } = this.#settings;
    const { started, succeeded, failed } = this.#window.sums;
    const calls = Math.max(started, succeeded + failed); // calls may have started before the window and ended in it
    return calls >= minimumCalls && failed * 100 >= calls * failureThresholdPercent;
  }

  #open(nowMs: number): void {
    const { openMs, maxOpenMs } = this.#settings;
    const phase = this.#phase;
    const stayedClosed = phase.state === "closed" && nowMs - phase.sinceMs >= maxOpenMs;
    const openings = stayedClosed ? 0 : phase.openings;
    const number = phase.number + 1;
    const untilMs = nowMs + Math.min(openMs * 2 ** openings, maxOpenMs);
    this.#enter({ state: "open", number, openings: openings + 1, openedAs: number, untilMs });
  }

  #enter(phase: Phase): void {
    this.#phase = phase;
    this.#window.clear();
  }
}
