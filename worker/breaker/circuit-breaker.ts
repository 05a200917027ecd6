/** The Durable Object that keeps a provider's circuit for all isolates; its name is the provider's id. */
import { DurableObject } from "cloudflare:workers";
import { log } from "../base/log.ts";
import { config } from "../config/config.ts";
import { Circuit, type CircuitSettings, type CircuitView, type Phase, type ProbeEnd, type Report } from "./circuit.ts";

const PHASE = "phase";

const SETTINGS: CircuitSettings = {
  windowMs: config.CIRCUIT_WINDOW_MS,
  minimumCalls: config.CIRCUIT_MINIMUM_CALLS,
  badPercent: config.CIRCUIT_BAD_PERCENT,
  openMs: config.CIRCUIT_OPEN_MS,
  maxOpenMs: config.CIRCUIT_MAX_OPEN_MS,
  probeMs: config.FIRST_AUDIO_TIMEOUT_MS + config.GAP_TIMEOUT_MS,
};

export interface LeaseReply {
  view: CircuitView;
  /** The caller holds the lease on the probe of `view.phase`. */
  isLeased: boolean;
}

export class CircuitBreaker extends DurableObject {
  readonly #circuit: Circuit;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#circuit = new Circuit(SETTINGS, ctx.storage.kv.get<Phase>(PHASE));
  }

  view(): CircuitView {
    return this.#circuit.view(Date.now());
  }

  report(report: Report): CircuitView {
    const now = Date.now();
    this.#keeping(() => this.#circuit.report(report, now));
    return this.#circuit.tell(report.phase, now);
  }

  /** @param phase that the caller knows of. */
  lease(phase: number): LeaseReply {
    const now = Date.now();
    const leased = this.#keeping(() => this.#circuit.lease(now));
    return { view: this.#circuit.tell(phase, now), isLeased: leased !== undefined };
  }

  settle(phase: number, end: ProbeEnd): CircuitView {
    const now = Date.now();
    this.#keeping(() => this.#circuit.settle(phase, end, now));
    return this.#circuit.tell(phase, now);
  }

  /** Transitions are stored, and safe before the reply leaves. */
  #keeping<T>(work: () => T): T {
    const { phase } = this.#circuit;
    const result = work();
    if (this.#circuit.phase !== phase) {
      this.ctx.storage.kv.put(PHASE, this.#circuit.phase);
      const { state: to, trips } = this.#circuit.phase;
      const { retryAfterMs } = this.#circuit.view(Date.now());
      log("circuit", { provider: this.ctx.id.name, from: phase.state, to, trips, retry_after_ms: retryAfterMs });
    }
    return result;
  }
}
