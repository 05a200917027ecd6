import { describe, expect, it } from "vitest";
import { regionOf } from "../../../worker/upstreams/region.ts";
import { slotOrder, type InstanceLoad } from "../../../worker/upstreams/containers/slots.ts";

const NOW = 1_000_000;

const awake = (load: number, ageMs = 0): InstanceLoad => ({ load, at: NOW - ageMs });
const asleep = undefined;

/** Draws what is given, over and over. */
function drawing(...values: number[]): () => number {
  let at = 0;
  return () => values[at++ % values.length]!;
}

const order = (loads: (InstanceLoad | undefined)[], random = drawing(0)) => slotOrder(loads, NOW, random);

describe("the order of slots", () => {
  it("holds each slot once", () => {
    for (let i = 0; i < 500; i++) {
      const loads = Array.from({ length: i % 7 }, () =>
        Math.random() < 0.5 ? asleep : awake(Math.random() * 2, Math.random() * 30_000),
      );
      expect(slotOrder(loads, NOW, Math.random).toSorted((a, b) => a - b)).toEqual([...loads.keys()]);
    }
  });

  it("begins with the first where nothing is known, so that one instance is woken and not all", () => {
    expect(order([asleep, asleep, asleep])).toEqual([0, 1, 2]);
  });

  it("prefers an instance that is awake and has room to waking another", () => {
    expect(order([asleep, awake(0.5), asleep])).toEqual([1, 0, 2]);
  });

  it("wakes another when those awake are full, and goes to the less full one when there is none", () => {
    expect(order([awake(0.9), asleep, awake(0.85)])).toEqual([1, 2, 0]);
    expect(order([awake(1.2), awake(0.9)])).toEqual([1, 0]);
  });

  it("takes the less busy of two that are drawn, not the least busy of all", () => {
    const loads = [awake(0.1), awake(0.4), awake(0.2), awake(0.3)];
    expect(order(loads, drawing(0.26, 0.4))).toEqual([2, 1, 0, 3]); // drawn: the second and the last by load
    expect(order(loads, drawing(0.6, 0))[0]).toBe(3);
    const firsts = new Set(Array.from({ length: 200 }, () => slotOrder(loads, NOW, Math.random)[0]));
    expect(firsts).toEqual(new Set([0, 2, 3]));
  });

  it("forgets what was heard long ago", () => {
    expect(order([asleep, awake(0.1, 16_000)])).toEqual([0, 1]);
    expect(order([awake(0.9, 16_000), asleep])).toEqual([0, 1]);
  });
});

describe("a client's region", () => {
  it.each([
    [{ continent: "NA", longitude: "-122.4" }, "wnam"],
    [{ continent: "NA", longitude: "-74.0" }, "enam"],
    [{ continent: "NA" }, "enam"],
    [{ continent: "EU", longitude: "2.35" }, "weur"],
    [{ continent: "EU", longitude: "21.01" }, "eeur"],
    [{ continent: "AS", country: "JP" }, "apac"],
    [{ continent: "AS", country: "AE" }, "me"],
    [{ continent: "SA" }, "sam"],
    [{ continent: "OC" }, "oc"],
    [{ continent: "AF" }, "afr"],
    [{ continent: "AN" }, "enam"],
    [{}, "enam"],
    [undefined, "enam"],
  ])("of %j is %s", (cf, region) => {
    expect(regionOf({ cf })).toBe(region);
  });
});
