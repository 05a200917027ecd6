import { describe, expect, it } from "vitest";
import { closed, healed, Isolate, open, ROUND_TRIP_MS, SLOW_MS } from "./isolate.ts";

describe("successes", () => {
  it("are told together, every five seconds", async () => {
    const isolate = await Isolate.knowing(closed);
    for (let i = 0; i < 200; i++) {
      const call = await isolate.call();
      await isolate.clock.pass(100);
      call.succeeded(90);
    }
    expect(isolate.breaker.requests).toBe(4);
    await isolate.clock.pass(5_000);
    isolate.client.warm(() => {});
    expect(isolate.breaker.told).toEqual({ started: 200 - 1, succeeded: 200, failed: 0 }); // the first was counted with the phase
  });

  it("that were slow count as failed, and are told with the others", async () => {
    const isolate = await Isolate.knowing(closed);
    for (const firstAudioMs of [SLOW_MS, SLOW_MS + 1]) (await isolate.call()).succeeded(firstAudioMs);
    expect(isolate.breaker.requests).toBe(0);
    await isolate.clock.pass(5_000);
    await isolate.admit();
    expect(isolate.breaker.told).toMatchObject({ succeeded: 1, failed: 1 });
  });
});

describe("failures", () => {
  it("are told at once", async () => {
    const isolate = await Isolate.knowing(closed);
    await isolate.clock.pass(250);
    const call = await isolate.call();
    isolate.breaker.view = open;
    call.failed();
    expect(isolate.breaker.reports).toEqual([{ phase: closed.phase, started: 0, succeeded: 0, failed: 1 }]);
    await isolate.clock.pass(ROUND_TRIP_MS);
    expect((await isolate.admit()).allowed).toBe(false);
  });

  it("that open the circuit are told without any gap", async () => {
    const isolate = await Isolate.knowing(closed);
    (await isolate.call()).failed();
    expect(isolate.breaker.reports).toHaveLength(0);
    (await isolate.call()).failed({ opens: true });
    expect(isolate.breaker.reports).toMatchObject([{ failed: 2, opens: true }]);
  });

  it("that open the circuit say so until they are heard, and those that follow in another phase do not", async () => {
    const isolate = await Isolate.knowing(closed);
    isolate.breaker.trouble = "throws";
    (await isolate.call()).failed({ opens: true });
    await isolate.clock.pass(1_000);
    isolate.breaker.trouble = "none";
    isolate.breaker.view = healed;
    await isolate.clock.pass(1_000);
    expect(isolate.breaker.reports.length).toBeGreaterThanOrEqual(2);
    for (const one of isolate.breaker.reports)
      expect(one).toMatchObject({ phase: closed.phase, failed: 1, opens: true });
    (await isolate.call()).failed();
    await isolate.clock.pass(1_000);
    expect(isolate.breaker.reports.at(-1)).toEqual({ phase: healed.phase, started: 0, succeeded: 0, failed: 1 });
  });

  it("of a thousand sessions cost four requests a second, and none is left untold", async () => {
    const isolate = await Isolate.knowing(closed);
    const calls = await Promise.all(Array.from({ length: 1_000 }, () => isolate.call()));
    for (const call of calls) {
      call.failed();
      await isolate.clock.pass(1);
    }
    await isolate.clock.pass(500);
    expect(isolate.breaker.told.failed).toBe(1_000);
    expect(isolate.breaker.requests).toBeLessThanOrEqual(5);
    await Promise.all(isolate.background);
    await isolate.clock.pass(4_000);
    expect(isolate.breaker.requests).toBeLessThanOrEqual(5);
  });

  it("whose report was lost are told again", async () => {
    const isolate = await Isolate.knowing(closed);
    isolate.breaker.trouble = "loses replies";
    (await isolate.call()).failed();
    await isolate.clock.pass(400);
    isolate.breaker.trouble = "none";
    await isolate.clock.pass(1_000);
    expect(isolate.breaker.reports.map(({ failed }) => failed)).toEqual([1, 1]);
    await Promise.all(isolate.background);
  });

  it("whose session is gone with their report are told by the next session", async () => {
    const isolate = await Isolate.knowing(closed);
    const call = await isolate.call();
    await isolate.clock.pass(1_000);
    isolate.breaker.trouble = "hangs";
    call.failed();
    isolate.breaker.trouble = "none";
    await isolate.clock.pass(400);
    expect(isolate.breaker.reports).toHaveLength(1);
    (await isolate.call()).failed();
    await isolate.clock.pass(200);
    expect(isolate.breaker.reports.slice(1)).toEqual([{ phase: closed.phase, started: 1, succeeded: 0, failed: 2 }]);
  });

  it("are kept while the breaker cannot be reached, and told when it can", async () => {
    const isolate = await Isolate.knowing(closed);
    isolate.breaker.trouble = "throws";
    (await isolate.call()).failed();
    await isolate.clock.pass(60_000);
    await Promise.all(isolate.background);
    const asked = isolate.breaker.requests;
    expect(asked).toBeLessThan(25);
    isolate.breaker.trouble = "none";
    await isolate.admit();
    expect(isolate.breaker.reports.slice(asked)).toEqual([
      { phase: closed.phase, started: 1, succeeded: 0, failed: 1 },
    ]);
  });

  it("of calls from before the circuit changed are of no interest", async () => {
    const isolate = await Isolate.knowing(closed);
    const calls = [await isolate.call(), await isolate.call(), await isolate.call()];
    isolate.breaker.view = healed;
    await isolate.clock.pass(5_000);
    await isolate.admit();
    await isolate.clock.pass(1_000);
    const before = isolate.breaker.requests;
    calls[0]!.failed();
    calls[1]!.succeeded(SLOW_MS + 1);
    calls[2]!.ignored();
    await isolate.clock.pass(10_000);
    await isolate.admit();
    expect(isolate.breaker.requests).toBe(before + 1);
    expect(isolate.breaker.reports.at(-1)).toMatchObject({ phase: healed.phase, succeeded: 0, failed: 0 });
  });
});

describe("a call", () => {
  it("that says nothing of the provider is as if it had not been", async () => {
    const isolate = await Isolate.knowing(closed);
    for (let i = 0; i < 50; i++) (await isolate.call()).ignored();
    (await isolate.call()).succeeded(1);
    await isolate.clock.pass(5_000);
    isolate.client.warm(() => {});
    expect(isolate.breaker.told).toEqual({ started: 0, succeeded: 1, failed: 0 });
  });

  it("ends once", async () => {
    const isolate = await Isolate.knowing(closed);
    const call = await isolate.call();
    call.succeeded(1);
    call.failed();
    call.ignored();
    await isolate.clock.pass(5_000);
    isolate.client.warm(() => {});
    expect(isolate.breaker.told).toEqual({ started: 0, succeeded: 1, failed: 0 });
  });
});
