import { beforeEach, describe, expect, it, vi } from "vitest";
import { Isolate, isImmediate, open, ROUND_TRIP_MS } from "./isolate.ts";

const logged = vi.spyOn(console, "log").mockReturnValue();
beforeEach(() => void logged.mockClear());

describe("trouble in reaching the breaker", () => {
  it("refuses nobody, and nobody waits for it again", async () => {
    const isolate = new Isolate();
    isolate.breaker.trouble = "throws";
    const first = isolate.admit();
    await isolate.clock.pass(ROUND_TRIP_MS);
    expect((await first).allowed).toBe(true);
    for (let i = 0; i < 100; i++) {
      const admission = isolate.admit();
      expect(await isImmediate(admission)).toBe(true);
      expect((await admission).allowed).toBe(true);
    }
    expect(isolate.breaker.requests).toBe(1);
    expect(logged.mock.calls.flat().join()).toContain("breaker_unreachable");
  });

  it("delays a session by no more than a second", async () => {
    const isolate = new Isolate();
    isolate.breaker.trouble = "hangs";
    const admissions = Array.from({ length: 100 }, () => isolate.admit());
    await isolate.clock.pass(999);
    expect(await isImmediate(admissions[0]!)).toBe(false);
    await isolate.clock.pass(21);
    expect((await Promise.all(admissions)).every(({ allowed }) => allowed)).toBe(true);
    expect(isolate.breaker.requests).toBeLessThanOrEqual(3);
  });

  it("does not let all sessions loose on a provider whose circuit was open", async () => {
    const isolate = await Isolate.knowing(open);
    isolate.breaker.trouble = "throws";
    await isolate.clock.pass(3_000);
    const admissions = Array.from({ length: 1_000 }, () => isolate.admit());
    await isolate.clock.pass(1_100);
    const allowed = (await Promise.all(admissions)).filter((one) => one.allowed);
    expect(allowed.length).toBeGreaterThanOrEqual(1);
    expect(allowed.length).toBeLessThanOrEqual(5);
  });

  it("ends with the next reply", async () => {
    const isolate = new Isolate();
    isolate.breaker.trouble = "throws";
    const first = isolate.call();
    await isolate.clock.pass(ROUND_TRIP_MS);
    (await first).succeeded(100);
    isolate.breaker.trouble = "none";
    isolate.breaker.view = open;
    await isolate.clock.pass(5_000);
    await isolate.admit();
    await isolate.clock.pass(ROUND_TRIP_MS);
    expect((await isolate.admit()).allowed).toBe(false);
  });
});
