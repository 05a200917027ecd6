import { Circuit, type ProbeOutcome } from "../../../worker/breaker/circuit.ts";

export const settings = {
  samplingWindowMs: 20_000,
  minimumCalls: 10,
  failureThresholdPercent: 50,
  openMs: 10_000,
  maxOpenMs: 60_000,
  leaseMs: 15_000,
};

/** A circuit with its clock, whose calls end as they begin. */
class Bench {
  circuit = new Circuit(settings);
  nowMs = 1_000_000;

  pass(ms: number): this {
    this.nowMs += ms;
    return this;
  }

  get view() {
    return this.circuit.view(this.nowMs);
  }

  get state() {
    return this.view.state;
  }

  report(calls: { succeeded?: number; failed?: number; underWay?: number; phase?: number; opens?: true }): this {
    const { succeeded = 0, failed = 0, underWay = 0, phase = this.view.phase, opens } = calls;
    this.circuit.report(
      { phase, started: succeeded + failed + underWay, succeeded, failed, ...(opens && { opens }) },
      this.nowMs,
    );
    return this;
  }

  open(): this {
    return this.report({ failed: settings.minimumCalls });
  }

  lease(): number | undefined {
    return this.circuit.lease(this.nowMs);
  }

  settle(end: ProbeOutcome, phase = this.view.phase): this {
    this.circuit.settle(phase, end, this.nowMs);
    return this;
  }

  /** Opens it, and lets the open time pass. */
  due(): this {
    this.open();
    return this.pass(this.view.retryAfterMs);
  }
}

export const bench = () => new Bench();
