import { describe, expect, it } from "vitest";
import type { Call } from "../../../worker/breaker/circuit-client.ts";
import { due, healed, Isolate, isImmediate, open, probed, ROUND_TRIP_MS, SLOW_MS } from "./isolate.ts";

describe("when an open circuit's time has come", () => {
  async function atThatTime(): Promise<Isolate> {
    const isolate = await Isolate.knowing(open);
    isolate.breaker.view = due;
    await isolate.clock.pass(3_000);
    return isolate;
  }

  it("one session asks for all, and is the probe", async () => {
    const isolate = await atThatTime();
    const admissions = Array.from({ length: 1_000 }, () => isolate.admit());
    await isolate.clock.pass(ROUND_TRIP_MS + 20);
    expect((await Promise.all(admissions)).filter(({ allowed }) => allowed)).toHaveLength(1);
    expect(isolate.breaker.leases).toBe(1);
    expect(await isImmediate(isolate.admit())).toBe(true);
  });

  it("nobody is let through where another isolate has the lease", async () => {
    const isolate = await atThatTime();
    isolate.breaker.view = probed;
    const admissions = Array.from({ length: 100 }, () => isolate.admit());
    await isolate.clock.pass(ROUND_TRIP_MS + 20);
    expect((await Promise.all(admissions)).some(({ allowed }) => allowed)).toBe(false);
    expect(isolate.breaker.leases).toBe(1);
  });

  it("all are let through if it was closed meanwhile", async () => {
    const isolate = await atThatTime();
    isolate.breaker.view = healed;
    const admissions = Array.from({ length: 100 }, () => isolate.admit());
    await isolate.clock.pass(ROUND_TRIP_MS + 20);
    expect((await Promise.all(admissions)).every(({ allowed }) => allowed)).toBe(true);
    expect(isolate.breaker.requests).toBe(1);
  });

  async function probeOf(isolate: Isolate): Promise<Call> {
    const admission = isolate.call();
    await isolate.clock.pass(ROUND_TRIP_MS);
    return admission;
  }

  it.each([
    ["succeeded", (call: Call) => call.succeeded(SLOW_MS)],
    ["failed", (call: Call) => call.failed()],
    ["failed", (call: Call) => call.failed({ opens: true })],
    ["failed", (call: Call) => call.succeeded(SLOW_MS + 1)],
    ["given_up", (call: Call) => call.ignored()],
  ] as const)("the probe's end is told at once: %s", async (end, finish) => {
    const isolate = await atThatTime();
    const probe = await probeOf(isolate);
    isolate.breaker.view = healed;
    finish(probe);
    finish(probe);
    expect(isolate.breaker.settled).toEqual([{ phase: probed.phase, end }]);
    await isolate.clock.pass(ROUND_TRIP_MS);
    expect((await isolate.admit()).allowed).toBe(true);
  });

  it("a session's request does not give up what another session was leased", async () => {
    const isolate = await atThatTime();
    await probeOf(isolate);
    await isolate.clock.pass(5_000);
    await isolate.admit();
    await isolate.clock.pass(ROUND_TRIP_MS);
    expect(isolate.breaker.settled).toEqual([]);
    expect((await isolate.admit()).allowed).toBe(false);
  });

  it("a lease that comes too late for its session is given up", async () => {
    const isolate = await atThatTime();
    isolate.breaker.replyMs = 1_500;
    const admission = isolate.admit();
    await isolate.clock.pass(1_500);
    expect((await admission).allowed).toBe(true);
    expect(isolate.breaker.settled).toEqual([{ phase: probed.phase, end: "given_up" }]);
  });
});
