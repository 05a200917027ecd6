import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { config } from "../../worker/config/config.ts";
import { currentCatalog, lastKnownCatalogs } from "../../worker/providers/catalogs.ts";
import type { Catalog, Provider } from "../../worker/providers/provider.ts";

// Only the clock that dates are read from: timers go on as they are.
beforeEach(() => void vi.useFakeTimers({ toFake: ["Date"], now: Date.now() }));
afterEach(() => void vi.useRealTimers());

const pass = (ms: number) => vi.setSystemTime(Date.now() + ms);

const CATALOG: Catalog = { voices: [], sampleRateHz: 16_000, maxChars: 100 };

let made = 0;

/** A provider that nobody has asked yet, and how often it was asked since. */
class CountingProvider implements Provider {
  readonly id = "counting";
  readonly circuitName = `counting-${++made}`;
  asked = 0;

  async catalog(): Promise<Catalog> {
    this.asked++;
    return CATALOG;
  }

  async *speak() {}

  async openCircuit(): Promise<void> {
    const breaker = env.CIRCUIT_BREAKERS.getByName(this.circuitName);
    const { phase } = await breaker.view();
    await breaker.report({ phase, started: 1, succeeded: 0, failed: 1, opens: true });
  }
}

const background = (work: Promise<unknown>) => void work.catch(() => {});

describe("a provider whose circuit is open", () => {
  it("is not asked what it offers, until the open time is over", async () => {
    const provider = new CountingProvider();
    await provider.openCircuit();
    for (const asking of [currentCatalog(provider, background), lastKnownCatalogs([provider], background)]) {
      const failure = { reason: "not_ready", retryAfterMs: expect.any(Number) as number };
      await expect(asking).rejects.toMatchObject({ failure });
    }
    expect(provider.asked).toBe(0);
    pass(config.CIRCUIT_OPEN_MS);
    expect(await currentCatalog(provider, background)).toEqual(CATALOG);
    expect(provider.asked).toBe(1);
  });

  it("still offers new sessions what it offered before, and is not asked for it again", async () => {
    const provider = new CountingProvider();
    await currentCatalog(provider, background);
    pass(31_000);
    await provider.openCircuit();
    const refreshing: Promise<unknown>[] = [];
    expect(await lastKnownCatalogs([provider], (work) => void refreshing.push(work))).toEqual([CATALOG]);
    await Promise.all(refreshing);
    await expect(currentCatalog(provider, background)).rejects.toMatchObject({ failure: { reason: "not_ready" } });
    expect(provider.asked).toBe(1);
  });
});

describe("a catalog", () => {
  it("is fetched once for all that want it at once, and again when it is no longer current", async () => {
    const provider = new CountingProvider();
    const all = await Promise.all(Array.from({ length: 100 }, () => currentCatalog(provider, background)));
    expect(all.every((catalog) => catalog === CATALOG)).toBe(true);
    expect(provider.asked).toBe(1);
    pass(5_000);
    await currentCatalog(provider, background);
    expect(provider.asked).toBe(2);
  });

  it("is refreshed in the background when it is old, by one of those that meet it", async () => {
    const provider = new CountingProvider();
    await lastKnownCatalogs([provider], background);
    pass(31_000);
    const refreshing: Promise<unknown>[] = [];
    for (let i = 0; i < 20; i++) await lastKnownCatalogs([provider], (work) => void refreshing.push(work));
    await Promise.all(refreshing);
    expect(provider.asked).toBe(2);
  });
});
