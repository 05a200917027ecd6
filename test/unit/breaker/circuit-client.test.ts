import { describe, expect, it } from "vitest";
import { closed, due, Isolate, isImmediate, open, probed, ROUND_TRIP_MS } from "./isolate.ts";

describe("an isolate with a copy", () => {
  it("decides at once, without asking", async () => {
    for (const view of [closed, open, probed]) {
      const isolate = await Isolate.knowing(view);
      const admission = isolate.admit();
      expect(await isImmediate(admission)).toBe(true);
      expect((await admission).allowed).toBe(view === closed);
      expect(isolate.breaker.requests).toBe(0);
    }
  });

  it("decides by an old one too, and has it refreshed beside, once", async () => {
    const isolate = await Isolate.knowing(closed);
    isolate.breaker.view = open;
    await isolate.clock.pass(3_600_000);
    for (let i = 0; i < 100; i++) {
      const admission = isolate.admit();
      expect(await isImmediate(admission)).toBe(true);
      expect((await admission).allowed).toBe(true);
    }
    expect(isolate.breaker.requests).toBe(1);
    await isolate.clock.pass(ROUND_TRIP_MS);
    expect((await isolate.admit()).allowed).toBe(false);
  });

  it("says when to come back", async () => {
    const isolate = await Isolate.knowing(open);
    await isolate.clock.pass(500);
    expect(await isolate.admit()).toEqual({ allowed: false, retryAfterMs: 2_500 });
    await isolate.clock.pass(2_400);
    expect(await isolate.admit()).toEqual({ allowed: false, retryAfterMs: 1_000 });
    // A probe's end is known sooner than its lease expires.
    expect(await (await Isolate.knowing(probed)).admit()).toEqual({ allowed: false, retryAfterMs: 5_000 });
  });

  it("takes no reply for news that a later request's reply has overtaken", async () => {
    const isolate = await Isolate.knowing(closed);
    await isolate.clock.pass(5_000);
    isolate.breaker.replyMs = 2_000;
    const call = await isolate.call();
    await isolate.clock.pass(600);
    isolate.breaker.replyMs = ROUND_TRIP_MS;
    isolate.breaker.view = open;
    call.failed();
    await isolate.clock.pass(ROUND_TRIP_MS);
    isolate.breaker.view = closed;
    expect((await isolate.admit()).allowed).toBe(false);
    await isolate.clock.pass(2_000);
    expect((await isolate.admit()).allowed).toBe(false);
  });
});

describe("a cold isolate", () => {
  it("asks once for all sessions that start at once", async () => {
    const isolate = new Isolate();
    const admissions = Array.from({ length: 1_000 }, () => isolate.admit());
    await isolate.clock.pass(ROUND_TRIP_MS + 20);
    expect((await Promise.all(admissions)).every(({ allowed }) => allowed)).toBe(true);
    expect(isolate.breaker.requests).toBe(1);
  });

  it("lets nobody through while the circuit is open", async () => {
    const isolate = new Isolate();
    isolate.breaker.view = open;
    const admissions = Array.from({ length: 100 }, () => isolate.admit());
    await isolate.clock.pass(ROUND_TRIP_MS + 20);
    expect((await Promise.all(admissions)).some(({ allowed }) => allowed)).toBe(false);
  });

  it("that was warmed in time makes nobody wait", async () => {
    const isolate = new Isolate();
    isolate.client.warm(() => {});
    isolate.client.warm(() => {});
    await isolate.clock.pass(ROUND_TRIP_MS);
    expect(await isImmediate(isolate.admit())).toBe(true);
    expect(isolate.breaker.requests).toBe(1);
  });

  it("asks again when the session that asked is gone", async () => {
    const isolate = new Isolate();
    isolate.breaker.trouble = "hangs";
    void isolate.client.admit(() => {});
    isolate.breaker.trouble = "none";
    isolate.breaker.view = open;
    const other = isolate.admit();
    await isolate.clock.pass(700);
    expect(await isImmediate(other)).toBe(true);
    expect((await other).allowed).toBe(false);
    expect(isolate.breaker.requests).toBe(2);
  });
});

describe("work that is no call", () => {
  it("is refused while the circuit is open, and done otherwise", async () => {
    for (const [view, refusal] of [
      [closed, undefined],
      [open, { allowed: false, retryAfterMs: open.retryAfterMs }],
      [due, undefined],
      [probed, undefined],
    ] as const) {
      const isolate = new Isolate();
      isolate.breaker.view = view;
      const answers = Array.from({ length: 100 }, () => isolate.client.refusalNow(() => {}));
      await isolate.clock.pass(ROUND_TRIP_MS + 20);
      for (const answer of await Promise.all(answers)) expect(answer?.allowed).toEqual(refusal?.allowed);
      expect(isolate.breaker.requests).toBe(1);
      expect(isolate.breaker.leases).toBe(0);
    }
  });

  it("hears of a change since the last copy before it is done", async () => {
    const isolate = await Isolate.knowing(closed);
    await isolate.clock.pass(60_000);
    isolate.breaker.view = open;
    const answer = isolate.client.refusalNow(() => {});
    await isolate.clock.pass(ROUND_TRIP_MS);
    expect(await answer).toMatchObject({ allowed: false });
  });

  it("waits a second at most for a breaker that does not answer", async () => {
    const isolate = new Isolate();
    isolate.breaker.trouble = "hangs";
    const answer = isolate.client.refusalNow(() => {});
    await isolate.clock.pass(1_020);
    expect(await isImmediate(answer)).toBe(true);
    expect(await answer).toBeUndefined();
  });
});
