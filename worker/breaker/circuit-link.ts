/**
 * The link from an isolate to one circuit's object: the view the isolate last received, and the outcomes of calls that it
 * has yet to report.
 *
 * All sessions of the isolate share it, so it holds plain data only. A promise or an I/O object belongs to the request
 * that made it, and if that request goes away, it never settles for the others. That a request to the object is under
 * way is therefore noted as the time at which it began; a session that needs its reply polls {@link CircuitLink.copy}.
 */
import { log } from "../base/log.ts";
import type { CallReport, CircuitView, ProbeOutcome } from "./circuit.ts";
import type { CallCounts } from "./sampling-window.ts";

/** The circuit's object, as it is called from afar. */
export interface Breaker {
  report(report: CallReport): Promise<CircuitView>;
  lease(phase: number): Promise<{ view: CircuitView; isLeased: boolean }>;
  settle(phase: number, outcome: ProbeOutcome): Promise<CircuitView>;
}

export interface Clock {
  /** ms. */
  now(): number;
  sleep(ms: number): Promise<void>;
}

/** How a call ended; `opens` is a failure that opens the circuit by itself, `ignored` says nothing about the provider. */
export type CallOutcome = "succeeded" | "slow" | "failed" | "opens" | "ignored";

/** A copy of this age is refreshed, in ms. While all is well, these are an isolate's only requests to the object. */
export const FRESH_MS = 5_000;

/** The gap between two urgent requests of an isolate, in ms: to report a failure, or to ask for the probe's lease. */
export const URGENT_MS = 250;

/** The gap between two looks for a reply that another session asked for, in ms. */
export const POLL_MS = 20;

/** A request without a reply for so long counts as lost together with the session that made it, in ms. */
const LOST_MS = 500;

/** How long a failed call's session tries to report it, in ms; later it is part of the isolate's next report. */
const REPORT_FAILURE_MS = 5_000;

/** The phase of calls that were admitted without knowing the circuit: no report about them can count. */
export const UNKNOWN_PHASE = -1;

/** What the isolate last heard of the circuit. */
export interface CircuitCopy {
  view: CircuitView;
  askedAtMs: number;
  /** When a probe may start, by this isolate's clock. */
  retryAtMs: number;
}

/** The isolate's calls in one phase. */
interface Tally {
  phase: number;
  counted: CallCounts;
  /** One of its failures opens the circuit by itself. */
  opens: boolean;
  /** The part of `counted` that the object has acknowledged, as it stood at `reportedAtMs`. */
  reported: CallCounts;
  reportedAtMs: number;
}

/** The object counted one call as started when it told of the phase. */
function emptyTally(phase: number): Tally {
  return {
    phase,
    counted: { started: 0, succeeded: 0, failed: 0 },
    opens: false,
    reported: { started: 1, succeeded: 0, failed: 0 },
    reportedAtMs: 0,
  };
}

export class CircuitLink {
  readonly #name: string;
  readonly #breaker: Breaker;
  readonly #clock: Clock;
  #copy: CircuitCopy | undefined;
  #tally = emptyTally(UNKNOWN_PHASE);
  #askedAtMs = -Infinity;
  #isAsking = false;

  constructor(name: string, breaker: Breaker, clock: Clock) {
    this.#name = name;
    this.#breaker = breaker;
    this.#clock = clock;
  }

  /** Undefined: nothing was heard yet. */
  get copy(): CircuitCopy | undefined {
    return this.#copy;
  }

  /** Whether no request is under way and the last one began at least `gapMs` ago. */
  mayAsk(gapMs: number): boolean {
    return this.#clock.now() - this.#askedAtMs >= (this.#isAsking ? Math.max(gapMs, LOST_MS) : gapMs);
  }

  /** Fetches the copy anew if it is not fresh, and reports what is unreported. */
  async refresh(): Promise<void> {
    if (this.mayAsk(FRESH_MS)) await this.#report();
  }

  /**
   * Counts a call of `phase` as started.
   * @returns what to call with its outcome; its promise settles when the object knows, if it needs to know at once.
   */
  startCall(phase: number): (outcome: CallOutcome) => Promise<void> {
    const tally = this.#tally;
    const { counted } = tally;
    if (phase === tally.phase) counted.started++;
    return async (outcome) => {
      if (phase !== tally.phase || tally !== this.#tally) return; // the circuit is in another phase by now
      if (outcome === "ignored") counted.started--;
      else if (outcome === "succeeded") counted.succeeded++;
      else counted.failed++;
      if (outcome === "opens") tally.opens = true;
      if (outcome === "failed" || outcome === "opens") await this.#reportFailures(tally, counted.failed);
      else await this.refresh();
    };
  }

  /** Asks for the lease on the probe. Undefined: the object could not be reached. */
  lease(): Promise<{ view: CircuitView; isLeased: boolean } | undefined> {
    return this.#ask(() => this.#breaker.lease(this.#tally.phase));
  }

  /** Reports a probe's outcome, once: if the report is lost, the probe's lease expires. */
  async settle(phase: number, outcome: ProbeOutcome): Promise<void> {
    await this.#ask(async () => ({ view: await this.#breaker.settle(phase, outcome) }));
  }

  /** Reports until the object knows of the first `failed` failures of `tally`, or they are too old to matter. */
  async #reportFailures(tally: Tally, failed: number): Promise<void> {
    const untilMs = this.#clock.now() + REPORT_FAILURE_MS;
    let gapMs = tally.opens ? 0 : URGENT_MS;
    while (tally === this.#tally && tally.reported.failed < failed && this.#clock.now() < untilMs) {
      if (this.mayAsk(gapMs)) {
        await this.#report();
        gapMs = URGENT_MS;
      } else await this.#clock.sleep(Math.max(POLL_MS, this.#askedAtMs + gapMs - this.#clock.now()));
    }
  }

  /** If the reply is lost, the same outcomes are reported again: a failure may count twice, but is never forgotten. */
  async #report(): Promise<void> {
    const tally = this.#tally;
    const { phase, opens, reported } = tally;
    const counted = { ...tally.counted };
    const unreported = {
      started: counted.started - reported.started,
      succeeded: counted.succeeded - reported.succeeded,
      failed: counted.failed - reported.failed,
    };
    const askedAtMs = this.#clock.now();
    const reply = await this.#ask(async () => ({
      view: await this.#breaker.report({ phase, ...unreported, ...(opens && { opens }) }),
    }));
    if (!reply || askedAtMs < tally.reportedAtMs) return;
    tally.reported = counted;
    tally.reportedAtMs = askedAtMs;
  }

  /** Makes a request to the object, and keeps the view in its reply. Undefined: the object could not be reached. */
  async #ask<Reply extends { view: CircuitView }>(request: () => Promise<Reply>): Promise<Reply | undefined> {
    const askedAtMs = this.#clock.now();
    this.#askedAtMs = askedAtMs;
    this.#isAsking = true;
    try {
      const reply = await request();
      this.#keep(reply.view, askedAtMs);
      return reply;
    } catch (error) {
      log("breaker_unreachable", { circuit: this.#name, error: String(error) });
      // Without any copy, every session would wait for the object again.
      if (!this.#copy) this.#keep({ phase: UNKNOWN_PHASE, state: "closed", retryAfterMs: 0 }, askedAtMs);
      return undefined;
    } finally {
      if (this.#askedAtMs === askedAtMs) this.#isAsking = false;
    }
  }

  #keep(view: CircuitView, askedAtMs: number): void {
    if (this.#copy && askedAtMs < this.#copy.askedAtMs) return; // the reply to a later request came first
    this.#copy = { view, askedAtMs, retryAtMs: this.#clock.now() + view.retryAfterMs };
    if (view.phase !== this.#tally.phase) this.#tally = emptyTally(view.phase);
  }
}
