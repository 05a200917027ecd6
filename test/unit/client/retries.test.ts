import { describe, expect, it } from "vitest";
import { Retries } from "../../../client/stream/retries.ts";
import { seeded } from "../../support/random.ts";

describe("the waits between attempts", () => {
  const waits = (retries: Retries, count: number) => Array.from({ length: count }, () => retries.lost(0));

  it("double from 200 ms to 5 s, half of each at random", () => {
    expect(waits(new Retries(1, () => 0), 7)).toEqual([100, 200, 400, 800, 1_600, 2_500, 2_500]);
    expect(waits(new Retries(1, () => 1), 7)).toEqual([200, 400, 800, 1_600, 3_200, 5_000, 5_000]);
    const random = waits(new Retries(1, seeded(1)), 100).slice(5) as number[];
    expect(Math.min(...random)).toBeGreaterThanOrEqual(2_500);
    expect(Math.max(...random)).toBeLessThanOrEqual(5_000);
    expect(new Set(random).size).toBe(95);
  });

  it("begin anew after progress", () => {
    const retries = new Retries(10, () => 0);
    expect([retries.lost(0), retries.lost(9), retries.lost(10)]).toEqual([100, 200, undefined]);
    retries.startOver();
    expect([retries.lost(15), retries.lost(24), retries.lost(25)]).toEqual([100, 200, undefined]);
  });

  it("fill the gateway's grace with a bounded number of attempts", () => {
    for (const [random, attempts] of [
      [0, 28],
      [1, 16],
    ] as const) {
      const retries = new Retries(60_000, () => random);
      let now = 0;
      let count = 0;
      for (let wait = retries.lost(now); wait !== undefined; wait = retries.lost((now += wait))) count++;
      expect(count).toBe(attempts);
    }
  });

  it("are none if there is no time", () => {
    expect(new Retries(0, Math.random).lost(5)).toBeUndefined();
  });
});
