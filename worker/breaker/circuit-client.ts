/**
 * An isolate's knowledge of one provider's circuit: a copy to decide by, and the calls that the breaker's object has yet
 * to hear of.
 *
 * Shared by all sessions of the isolate, so it is plain data, never a promise or an I/O object: one that belongs to a
 * session which is gone never settles for the others. A request under way is therefore a time at which it began, and
 * who waits for its reply looks again and again.
 */
import { log } from "../base/log.ts";
import type { CircuitView, ProbeEnd, Report } from "./circuit.ts";
import type { Counts } from "./sliding-window.ts";

/** The breaker's object. */
export interface Breaker {
  report(report: Report): Promise<CircuitView>;
  lease(phase: number): Promise<{ view: CircuitView; isLeased: boolean }>;
  settle(phase: number, end: ProbeEnd): Promise<CircuitView>;
}

export interface Clock {
  /** ms. */
  now(): number;
  sleep(ms: number): Promise<void>;
}

/** Keeps work alive that nobody waits for, as `ctx.waitUntil` does. */
export type Background = (work: Promise<unknown>) => void;

export interface Refusal {
  allowed: false;
  retryAfterMs: number;
}

/** A copy of this age is refreshed by whoever uses it: all the requests of an isolate while all is well. */
const FRESH_MS = 5_000;

/** Between two requests of an isolate that have something urgent: a failure to tell, a probe to ask for. */
const URGENT_MS = 250;

/** A request without a reply for so long was lost with its owner. */
const LOST_MS = 500;

/** How long a session waits for the breaker. */
const ADMISSION_WAIT_MS = 1_000;

/** How often who waits for another's request looks for its reply. */
const LOOK_MS = 20;

/** How long the session of a failed call sees to it that the failure is told; then the next request tells it. */
const INSIST_MS = 5_000;

const MIN_RETRY_MS = 1_000;

/** The phase of calls let through unknowing: no report of them can count. */
const UNKNOWN = -1;

interface Copy {
  view: CircuitView;
  askedAtMs: number;
  retryAtMs: number;
}

/** The calls of one phase: all, and what of them the object has acknowledged, as asked at that time. */
interface Tally {
  phase: number;
  all: Counts;
  told: Counts;
  toldAtMs: number;
}

/** The object counted a first call when it told of the phase. */
function emptyTally(phase: number): Tally {
  return { phase, all: { begun: 0, good: 0, bad: 0 }, told: { begun: 1, good: 0, bad: 0 }, toldAtMs: 0 };
}

export class CircuitClient {
  readonly #provider: string;
  readonly #breaker: Breaker;
  readonly #slowMs: number;
  readonly #clock: Clock;
  #copy: Copy | undefined;
  #tally = emptyTally(UNKNOWN);
  #askedAtMs = -Infinity;
  #isAsking = false;

  /** @param slowMs a call whose first audio comes later is a bad one. */
  constructor(provider: string, breaker: Breaker, slowMs: number, clock: Clock) {
    this.#provider = provider;
    this.#breaker = breaker;
    this.#slowMs = slowMs;
    this.#clock = clock;
  }

  /** Has a copy fetched, if there is none that is fresh, for the calls that will follow. */
  warm(background: Background): void {
    if (this.#mayAsk(FRESH_MS)) background(this.#exchange());
  }

  /**
   * May the provider be called? Answers at once if the copy can say it; else within a second. If the breaker cannot be
   * reached, a call without a copy goes through, and of those that find an open circuit's time come the ones that asked;
   * who waited for them is refused.
   */
  async admit(background: Background): Promise<Call | Refusal> {
    const giveUpAtMs = this.#clock.now() + ADMISSION_WAIT_MS;
    for (;;) {
      const nowMs = this.#clock.now();
      const copy = this.#copy;
      if (copy?.view.state === "closed" || (copy && nowMs < copy.retryAtMs)) {
        const { state, phase } = copy.view;
        const admission = state === "closed" ? this.#call(phase, background) : this.#refusal(copy);
        this.warm(background);
        return admission;
      }
      if (nowMs >= giveUpAtMs) return copy ? this.#refusal(copy) : this.#call(UNKNOWN, background);
      if (!this.#mayAsk(URGENT_MS)) {
        await this.#clock.sleep(LOOK_MS);
        continue;
      }
      const asking = this.#ask(() => this.#breaker.lease(this.#tally.phase));
      background(asking);
      const reply = await Promise.race([asking, this.#clock.sleep(giveUpAtMs - nowMs)]);
      if (reply?.isLeased) return this.#probe(reply.view.phase, background);
      if (!reply) {
        background(asking.then((late) => late?.isLeased && this.#probe(late.view.phase, background).ignored()));
        return this.#call(UNKNOWN, background);
      }
    }
  }

  #refusal({ view, retryAtMs }: Copy): Refusal {
    // How a probe ends is known everywhere soon; that its lease expires is the exception.
    if (view.state === "half_open") return { allowed: false, retryAfterMs: FRESH_MS };
    return { allowed: false, retryAfterMs: Math.max(MIN_RETRY_MS, Math.ceil(retryAtMs - this.#clock.now())) };
  }

  #call(phase: number, background: Background): Call {
    const tally = this.#tally;
    if (phase === tally.phase) tally.all.begun++;
    return new Call(this.#slowMs, (outcome) => {
      if (phase !== tally.phase || tally !== this.#tally) return; // the circuit has moved on
      if (outcome === "ignored") tally.all.begun--;
      else if (outcome === "good") tally.all.good++;
      else tally.all.bad++;
      if (outcome === "failed") background(this.#insist(tally, tally.all.bad));
      else this.warm(background);
    });
  }

  /** How a probe ended is said at once, and once: should that be lost, its lease expires. */
  #probe(phase: number, background: Background): Call {
    return new Call(this.#slowMs, (outcome) => {
      const end = outcome === "good" ? "good" : outcome === "ignored" ? "given_back" : "bad";
      background(this.#ask(async () => ({ view: await this.#breaker.settle(phase, end) })));
    });
  }

  /** Whether no request is under way and the last one began long enough ago. */
  #mayAsk(gapMs: number): boolean {
    return this.#clock.now() - this.#askedAtMs >= (this.#isAsking ? Math.max(gapMs, LOST_MS) : gapMs);
  }

  /** Sees to it that the object hears of the first `bad` bad calls of a tally, for as long as they can count. */
  async #insist(tally: Tally, bad: number): Promise<void> {
    const untilMs = this.#clock.now() + INSIST_MS;
    while (tally === this.#tally && tally.told.bad < bad && this.#clock.now() < untilMs) {
      if (this.#mayAsk(URGENT_MS)) await this.#exchange();
      else await this.#clock.sleep(Math.max(LOOK_MS, this.#askedAtMs + URGENT_MS - this.#clock.now()));
    }
  }

  /** Tells what is untold. A report whose reply is lost is told again: better a failure counted twice than never. */
  async #exchange(): Promise<void> {
    const tally = this.#tally;
    const { phase, told } = tally;
    const all = { ...tally.all };
    const untold = { begun: all.begun - told.begun, good: all.good - told.good, bad: all.bad - told.bad };
    const askedAtMs = this.#clock.now();
    const reply = await this.#ask(async () => ({ view: await this.#breaker.report({ phase, ...untold }) }));
    if (!reply || askedAtMs < tally.toldAtMs) return;
    tally.told = all;
    tally.toldAtMs = askedAtMs;
  }

  /** Makes a request of the object, whose reply becomes the copy; undefined if it cannot be reached. */
  async #ask<Reply extends { view: CircuitView }>(request: () => Promise<Reply>): Promise<Reply | undefined> {
    const askedAtMs = this.#clock.now();
    this.#askedAtMs = askedAtMs;
    this.#isAsking = true;
    try {
      const reply = await request();
      this.#adopt(reply.view, askedAtMs);
      return reply;
    } catch (error) {
      log("breaker_unreachable", { provider: this.#provider, error: String(error) });
      // Else every session would wait for it anew.
      if (!this.#copy) this.#adopt({ phase: UNKNOWN, state: "closed", retryAfterMs: 0 }, askedAtMs);
      return undefined;
    } finally {
      if (this.#askedAtMs === askedAtMs) this.#isAsking = false;
    }
  }

  #adopt(view: CircuitView, askedAtMs: number): void {
    if (this.#copy && askedAtMs < this.#copy.askedAtMs) return; // overtaken by a later request's reply
    this.#copy = { view, askedAtMs, retryAtMs: this.#clock.now() + view.retryAfterMs };
    if (view.phase !== this.#tally.phase) this.#tally = emptyTally(view.phase);
  }
}

type Outcome = "good" | "slow" | "failed" | "ignored";

/** One call of the provider, let through. Its first end counts; later ones are ignored. */
export class Call {
  readonly allowed = true;
  readonly #slowMs: number;
  readonly #settle: (outcome: Outcome) => void;
  #isSettled = false;

  constructor(slowMs: number, settle: (outcome: Outcome) => void) {
    this.#slowMs = slowMs;
    this.#settle = settle;
  }

  /** @param firstAudioMs without the time in which we were the ones not reading. */
  succeeded(firstAudioMs: number): void {
    this.#end(firstAudioMs > this.#slowMs ? "slow" : "good");
  }

  /** {@link isProviderFailure} tells which failures are meant. */
  failed(): void {
    this.#end("failed");
  }

  /** It says nothing of the provider. */
  ignored(): void {
    this.#end("ignored");
  }

  #end(outcome: Outcome): void {
    if (this.#isSettled) return;
    this.#isSettled = true;
    this.#settle(outcome);
  }
}
