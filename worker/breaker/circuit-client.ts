/** Admission by a circuit: an isolate decides by its copy of the circuit whether a provider may be called. */
import type { ProbeOutcome } from "./circuit.ts";
import {
  CircuitLink,
  FRESH_MS,
  POLL_MS,
  UNKNOWN_PHASE,
  URGENT_MS,
  type Breaker,
  type CallOutcome,
  type CircuitCopy,
  type Clock,
} from "./circuit-link.ts";

/** Keeps work alive that nobody awaits, as `ctx.waitUntil` does. */
export type Background = (work: Promise<unknown>) => void;

export interface Refusal {
  allowed: false;
  retryAfterMs: number;
}

/** The longest that a session waits for the circuit's object, in ms. */
const ADMISSION_WAIT_MS = 1_000;

/** The shortest wait that a refused client is told, in ms. */
const MIN_RETRY_MS = 1_000;

export class CircuitClient {
  readonly #link: CircuitLink;
  readonly #slowMs: number;
  readonly #clock: Clock;

  /** @param slowMs a call whose first audio comes later counts as failed. */
  constructor(name: string, breaker: Breaker, slowMs: number, clock: Clock) {
    this.#link = new CircuitLink(name, breaker, clock);
    this.#slowMs = slowMs;
    this.#clock = clock;
  }

  /** Fetches the copy for the calls that will follow, unless it is fresh. */
  warm(background: Background): void {
    background(this.#link.refresh());
  }

  /**
   * Admits or refuses one call of the provider. It answers at once if the copy is enough to decide, else within a second.
   *
   * When an open circuit's time is over, one session of the isolate asks for the lease on the probe, and the others wait
   * for the same reply. If the object cannot be reached, a session without any copy is admitted; of the sessions that
   * found an open circuit's time over, those that asked are admitted and those that waited are refused.
   */
  async admit(background: Background): Promise<Call | Refusal> {
    const giveUpAtMs = this.#clock.now() + ADMISSION_WAIT_MS;
    for (;;) {
      const nowMs = this.#clock.now();
      const { copy } = this.#link;
      if (copy?.view.state === "closed" || (copy && nowMs < copy.retryAtMs)) {
        const { state, phase } = copy.view;
        const admission = state === "closed" ? this.#call(phase, background) : this.#refusal(copy);
        this.warm(background);
        return admission;
      }
      if (nowMs >= giveUpAtMs) return copy ? this.#refusal(copy) : this.#call(UNKNOWN_PHASE, background);
      if (!this.#link.mayAsk(URGENT_MS)) {
        await this.#clock.sleep(POLL_MS);
        continue;
      }
      const asking = this.#link.lease();
      background(asking);
      const reply = await Promise.race([asking, this.#clock.sleep(giveUpAtMs - nowMs)]);
      if (reply?.isLeased) return this.#probe(reply.view.phase, background);
      if (!reply) {
        background(asking.then((late) => late?.isLeased && this.#probe(late.view.phase, background).ignored()));
        return this.#call(UNKNOWN_PHASE, background);
      }
    }
  }

  /**
   * The refusal for work that is no call, while the circuit is open; undefined: the work may be done. It takes a fresh
   * copy for that, and a second at most.
   */
  async refusalNow(background: Background): Promise<Refusal | undefined> {
    const giveUpAtMs = this.#clock.now() + ADMISSION_WAIT_MS;
    const refreshing = this.#link.refresh();
    background(refreshing);
    await Promise.race([refreshing, this.#clock.sleep(ADMISSION_WAIT_MS)]);
    while (!this.#link.copy && this.#clock.now() < giveUpAtMs) await this.#clock.sleep(POLL_MS);
    const { copy } = this.#link;
    return copy?.view.state === "open" && this.#clock.now() < copy.retryAtMs ? this.#refusal(copy) : undefined;
  }

  #refusal({ view, retryAtMs }: CircuitCopy): Refusal {
    // A probe usually ends long before its lease expires, and every isolate hears of it within FRESH_MS.
    if (view.state === "half_open") return { allowed: false, retryAfterMs: FRESH_MS };
    return { allowed: false, retryAfterMs: Math.max(MIN_RETRY_MS, Math.ceil(retryAtMs - this.#clock.now())) };
  }

  #call(phase: number, background: Background): Call {
    const end = this.#link.startCall(phase);
    return new Call(this.#slowMs, (outcome) => background(end(outcome)));
  }

  #probe(phase: number, background: Background): Call {
    return new Call(this.#slowMs, (outcome) => background(this.#link.settle(phase, probeOutcome(outcome))));
  }
}

function probeOutcome(outcome: CallOutcome): ProbeOutcome {
  if (outcome === "succeeded") return "succeeded";
  return outcome === "ignored" ? "given_up" : "failed";
}

/** One call of the provider that was admitted. The first outcome it is told counts; later ones are ignored. */
export class Call {
  readonly allowed = true;
  readonly #slowMs: number;
  readonly #settle: (outcome: CallOutcome) => void;
  #isSettled = false;

  constructor(slowMs: number, settle: (outcome: CallOutcome) => void) {
    this.#slowMs = slowMs;
    this.#settle = settle;
  }

  /** @param firstAudioMs how long the first audio took, without the time in which we did not read. */
  succeeded(firstAudioMs: number): void {
    this.#end(firstAudioMs > this.#slowMs ? "slow" : "succeeded");
  }

  /** @param opens this failure alone opens the circuit. */
  failed({ opens }: { opens: boolean } = { opens: false }): void {
    this.#end(opens ? "opens" : "failed");
  }

  /** The call says nothing about the provider. */
  ignored(): void {
    this.#end("ignored");
  }

  #end(outcome: CallOutcome): void {
    if (this.#isSettled) return;
    this.#isSettled = true;
    this.#settle(outcome);
  }
}
