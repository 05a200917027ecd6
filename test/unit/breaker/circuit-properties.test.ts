import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Circuit, type Phase, type ProbeOutcome } from "../../../worker/breaker/circuit.ts";
import { settings } from "./circuit-bench.ts";

type Step =
  | { do: "pass"; ms: number }
  | { do: "report"; back: number; started: number; succeeded: number; failed: number }
  | { do: "tell"; back: number }
  | { do: "lease" }
  | { do: "settle"; back: number; end: ProbeOutcome };

const back = fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat(3) });

const anyStep: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constant("pass" as const), ms: fc.oneof(fc.nat(3_000), fc.nat(40_000)) }),
  fc.record({
    do: fc.constant("report" as const),
    back,
    started: fc.integer({ min: -2, max: 8 }),
    succeeded: fc.nat(4),
    failed: fc.nat(6),
  }),
  fc.record({ do: fc.constant("tell" as const), back }),
  fc.constant({ do: "lease" as const }),
  fc.record({
    do: fc.constant("settle" as const),
    back,
    end: fc.constantFrom<ProbeOutcome>("succeeded", "failed", "given_up"),
  }),
);

/** As long as it says: the default size is ten or so, by which few circuits are half-open. */
const anySteps = fc.array(anyStep, { maxLength: 120, size: "max" });

function take(step: Step, circuit: Circuit, nowMs: number): void {
  const { number } = circuit.phase;
  if (step.do === "report") circuit.report({ ...step, phase: number - step.back }, nowMs);
  else if (step.do === "tell") circuit.viewFor(number - step.back, nowMs);
  else if (step.do === "lease") circuit.lease(nowMs);
  else if (step.do === "settle") circuit.settle(number - step.back, step.end, nowMs);
}

const throughJson = (phase: Phase) => JSON.parse(JSON.stringify(phase)) as Phase;

const ARROWS = new Set(["closed>open", "open>half_open", "half_open>half_open", "half_open>open", "half_open>closed"]);

/** Changes often. */
const touchy = { ...settings, minimumCalls: 1 };

function eachStep(check: (step: Step, circuit: Circuit, nowMs: number, take: () => void) => void): void {
  fc.assert(
    fc.property(anySteps, (steps) => {
      const circuit = new Circuit(touchy);
      let nowMs = 1_000_000;
      for (const step of steps) {
        if (step.do === "pass") nowMs += step.ms;
        check(step, circuit, nowMs, () => take(step, circuit, nowMs));
      }
    }),
  );
}

describe("whatever happens to a circuit", () => {
  it("changes along its arrows only, and each phase has a number of its own", () => {
    eachStep((_, circuit, _nowMs, go) => {
      const before = circuit.phase;
      go();
      if (circuit.phase === before) return;
      expect(ARROWS).toContain(`${before.state}>${circuit.phase.state}`);
      expect(circuit.phase.number).toBe(before.number + 1);
    });
  });

  it("has at most one lease that is neither settled nor expired", () => {
    fc.assert(
      fc.property(anySteps, (steps) => {
        const circuit = new Circuit(touchy);
        let nowMs = 1_000_000;
        let lease: { phase: number; untilMs: number } | undefined;
        for (const step of steps) {
          if (step.do === "pass") nowMs += step.ms;
          else if (step.do !== "lease") take(step, circuit, nowMs);
          else {
            const phase = circuit.lease(nowMs);
            if (phase === undefined) continue;
            expect(lease === undefined || lease.untilMs <= nowMs).toBe(true);
            lease = { phase, untilMs: nowMs + settings.leaseMs };
          }
          if (circuit.phase.number !== lease?.phase) lease = undefined;
        }
      }),
    );
  });

  it("is closed by any probe that succeeds since it opened, and reopened by the last one only", () => {
    let probes = new Set<number>();
    eachStep((step, circuit, _nowMs, go) => {
      const before = circuit.phase;
      if (before.number === 0) probes = new Set();
      go();
      if (before.state === "half_open" && step.do === "settle") {
        const lease = before.number - step.back;
        const closes = step.end === "succeeded" && probes.has(lease);
        const reopens = step.end !== "succeeded" && step.back === 0;
        expect(circuit.phase.state).toBe(closes ? "closed" : reopens ? "open" : "half_open");
      }
      if (circuit.phase === before) return;
      const { phase } = circuit;
      if (phase.state === "closed" || phase.openedAs === phase.number) probes = new Set();
      else probes.add(phase.number); // also the phase after a probe was given up, on which nobody has a lease
    });
  });

  it("opens with at least the fewest calls in its window, half of them failed", () => {
    fc.assert(
      fc.property(anySteps, (steps) => {
        const circuit = new Circuit(settings);
        let nowMs = 1_000_000;
        let heard: { atMs: number; started: number; ended: number; failed: number }[] = [];
        for (const step of steps) {
          const before = circuit.phase;
          if (step.do === "pass") nowMs += step.ms;
          if (before.state === "closed" && step.do === "tell" && step.back > 0) {
            heard.push({ atMs: nowMs, started: 1, ended: 0, failed: 0 });
          }
          if (before.state === "closed" && step.do === "report" && step.back === 0) {
            heard.push({
              atMs: nowMs,
              started: Math.max(0, step.started),
              ended: step.succeeded + step.failed,
              failed: step.failed,
            });
          }
          take(step, circuit, nowMs);
          if (circuit.phase === before) continue;
          const within = heard.filter(({ atMs }) => atMs > nowMs - settings.samplingWindowMs);
          const sum = (key: "started" | "ended" | "failed") => within.reduce((total, one) => total + one[key], 0);
          if (before.state === "closed") {
            expect(Math.max(sum("ended"), sum("started"))).toBeGreaterThanOrEqual(settings.minimumCalls);
            expect(sum("failed") * 2).toBeGreaterThanOrEqual(settings.minimumCalls);
          }
          heard = [];
        }
      }),
    );
  });

  it("tells a time to come back that is neither past nor beyond the longest", () => {
    eachStep((_, circuit, nowMs, go) => {
      go();
      const { state, retryAfterMs } = circuit.view(nowMs);
      expect(retryAfterMs).toBeGreaterThanOrEqual(0);
      expect(retryAfterMs).toBeLessThanOrEqual(state === "closed" ? 0 : settings.maxOpenMs);
    });
  });

  it("goes on the same from its phase as JSON, but for the calls that a closed one has counted", () => {
    eachStep((step, circuit, nowMs, go) => {
      const isClosed = circuit.phase.state === "closed";
      const other = new Circuit(touchy, throughJson(circuit.phase));
      expect(other.view(nowMs)).toEqual(circuit.view(nowMs));
      go();
      take(step, other, nowMs);
      if (!isClosed) expect(other.phase).toEqual(circuit.phase);
    });
  });
});
