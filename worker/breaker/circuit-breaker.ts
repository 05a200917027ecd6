/** The Durable Object that keeps one circuit for all isolates. Its name is the circuit's. */
import { DurableObject } from "cloudflare:workers";
import { log } from "../base/log.ts";
import { config } from "../config/config.ts";
import {
  Circuit,
  type CallReport,
  type CircuitSettings,
  type CircuitView,
  type Phase,
  type ProbeOutcome,
} from "./circuit.ts";

/** Where the phase is stored; another name than one whose phase had other fields. */
const PHASE = "circuit_phase";

const SETTINGS: CircuitSettings = {
  samplingWindowMs: config.CIRCUIT_SAMPLING_WINDOW_MS,
  minimumCalls: config.CIRCUIT_MINIMUM_CALLS,
  failureThresholdPercent: config.CIRCUIT_FAILURE_THRESHOLD_PERCENT,
  openMs: config.CIRCUIT_OPEN_MS,
  maxOpenMs: config.CIRCUIT_MAX_OPEN_MS,
  leaseMs: config.FIRST_AUDIO_TIMEOUT_MS + config.GAP_TIMEOUT_MS,
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

  report(report: CallReport): CircuitView {
    const now = Date.now();
    this.#storing(() => this.#circuit.report(report, now));
    return this.#circuit.viewFor(report.phase, now);
  }

  /** @param phase the last one that the caller knows. */
  lease(phase: number): LeaseReply {
    const now = Date.now();
    const leased = this.#storing(() => this.#circuit.lease(now));
    return { view: this.#circuit.viewFor(phase, now), isLeased: leased !== undefined };
  }

  settle(phase: number, outcome: ProbeOutcome): CircuitView {
    const now = Date.now();
    this.#storing(() => this.#circuit.settle(phase, outcome, now));
    return this.#circuit.viewFor(phase, now);
  }

  /** Does `work`, and stores a change of state before the reply leaves. */
  #storing<T>(work: () => T): T {
    const { phase } = this.#circuit;
    const result = work();
    if (this.#circuit.phase !== phase) {
      this.ctx.storage.kv.put(PHASE, this.#circuit.phase);
      const { state: to, openings } = this.#circuit.phase;
      const { retryAfterMs } = this.#circuit.view(Date.now());
      log("circuit", { circuit: this.ctx.id.name, from: phase.state, to, openings, retry_after_ms: retryAfterMs });
    }
    return result;
  }
}
