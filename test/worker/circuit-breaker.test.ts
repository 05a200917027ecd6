import { abortAllDurableObjects, evictDurableObject, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Call, Refusal } from "../../worker/breaker/circuit-client.ts";
import { circuitOf } from "../../worker/breaker/circuits.ts";
import { config } from "../../worker/config/config.ts";

// Only the clock that dates are read from: timers go on as they are.
beforeEach(() => void vi.useFakeTimers({ toFake: ["Date"], now: Date.now() }));
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

const pass = (ms: number) => vi.setSystemTime(Date.now() + ms);

let made = 0;

/** A breaker that nobody has used yet. */
function newProvider(): string {
  return `provider-${++made}`;
}

const breakerOf = (provider: string) => env.CIRCUIT_BREAKERS.getByName(provider);

async function opened(): Promise<string> {
  const provider = newProvider();
  const failed = config.CIRCUIT_MINIMUM_CALLS;
  const view = await breakerOf(provider).report({ phase: 0, started: failed, succeeded: 0, failed });
  expect(view).toEqual({ phase: 1, state: "open", retryAfterMs: config.CIRCUIT_OPEN_MS });
  return provider;
}

const ask = (provider: string) => breakerOf(provider).report({ phase: -1, started: 0, succeeded: 0, failed: 0 });

describe("a breaker", () => {
  it("is closed at first, and stores nothing while it stays so", async () => {
    const provider = newProvider();
    const report = { phase: 0, started: 1_000, succeeded: 600, failed: 400 };
    expect(await breakerOf(provider).report(report)).toEqual({ phase: 0, state: "closed", retryAfterMs: 0 });
    const keys = await runInDurableObject(breakerOf(provider), (_, { storage }) => [...storage.kv.list()]);
    expect(keys).toEqual([]);
  });

  it("is one for each provider", async () => {
    await opened();
    expect((await ask(newProvider())).state).toBe("closed");
  });

  it.each([
    ["eviction", (provider: string) => evictDurableObject(breakerOf(provider))],
    ["loss", () => abortAllDurableObjects()],
  ])("is open, leased and closed again across the %s of its object", async (_, lose) => {
    const provider = await opened();
    await lose(provider);
    expect(await ask(provider)).toEqual({ phase: 1, state: "open", retryAfterMs: config.CIRCUIT_OPEN_MS });

    pass(config.CIRCUIT_OPEN_MS);
    const { view, isLeased } = await breakerOf(provider).lease(1);
    expect([view.state, isLeased]).toEqual(["half_open", true]);
    await lose(provider);
    expect((await breakerOf(provider).lease(1)).isLeased).toBe(false);

    expect((await breakerOf(provider).settle(view.phase, "failed")).retryAfterMs).toBe(2 * config.CIRCUIT_OPEN_MS);
    await lose(provider);
    pass(2 * config.CIRCUIT_OPEN_MS);
    const again = await breakerOf(provider).lease(1);
    expect((await breakerOf(provider).settle(again.view.phase, "succeeded")).state).toBe("closed");
    await lose(provider);
    expect((await ask(provider)).state).toBe("closed");
  });

  it("forgets its window with its object", async () => {
    const provider = newProvider();
    const failed = config.CIRCUIT_MINIMUM_CALLS - 1;
    await breakerOf(provider).report({ phase: 0, started: failed, succeeded: 0, failed });
    await abortAllDurableObjects();
    expect((await breakerOf(provider).report({ phase: 0, started: 1, succeeded: 0, failed: 1 })).state).toBe("closed");
  });

  it("leases one probe to however many ask at once", async () => {
    const provider = await opened();
    pass(config.CIRCUIT_OPEN_MS);
    const replies = await Promise.all(Array.from({ length: 50 }, () => breakerOf(provider).lease(1)));
    expect(replies.filter(({ isLeased }) => isLeased)).toHaveLength(1);
    expect(replies.every(({ view }) => view.state === "half_open")).toBe(true);
  });

  it("logs every transition, and nothing else", async () => {
    const lines: Record<string, unknown>[] = [];
    vi.spyOn(console, "log").mockImplementation((line: string) => void lines.push(JSON.parse(line)));
    const provider = await opened();
    await ask(provider);
    pass(config.CIRCUIT_OPEN_MS);
    const { view } = await breakerOf(provider).lease(1);
    await breakerOf(provider).settle(view.phase, "succeeded");
    const about = { event: "circuit", circuit: provider };
    expect(lines).toMatchObject([
      { ...about, from: "closed", to: "open", openings: 1, retry_after_ms: config.CIRCUIT_OPEN_MS },
      { ...about, from: "open", to: "half_open" },
      { ...about, from: "half_open", to: "closed" },
    ]);
    expect(lines).toHaveLength(3);
  });
});

describe("an isolate", () => {
  async function admit(provider: string): Promise<Call | Refusal> {
    const work: Promise<unknown>[] = [];
    const admission = await circuitOf(provider).admit((one) => void work.push(one));
    await Promise.all(work);
    return admission;
  }

  it("opens the circuit by its failures, is refused, probes, and is let through again", async () => {
    const provider = newProvider();
    const work: Promise<unknown>[] = [];
    for (let i = 0; i < config.CIRCUIT_MINIMUM_CALLS; i++) {
      const call = await circuitOf(provider).admit((one) => void work.push(one));
      expect(call.allowed).toBe(true);
      if (call.allowed) call.failed();
    }
    pass(250); // as often as failures are told
    await Promise.all(work);
    const refusal = await admit(provider);
    expect(refusal.allowed).toBe(false);
    if (!refusal.allowed) pass(refusal.retryAfterMs);
    const [probe, other] = await Promise.all([admit(provider), admit(provider)]);
    expect([probe.allowed, other.allowed]).toEqual([true, false]);
    if (probe.allowed) probe.succeeded(100);
    await vi.waitFor(async () => expect((await ask(provider)).state).toBe("closed"));
    pass(5_000);
    await admit(provider);
    expect((await admit(provider)).allowed).toBe(true);
  });

  it("opens the circuit by one failure that says so, for everybody", async () => {
    const provider = newProvider();
    const work: Promise<unknown>[] = [];
    const call = await circuitOf(provider).admit((one) => void work.push(one));
    if (call.allowed) call.failed({ opens: true });
    pass(250); // as often as failures are reported
    await Promise.all(work);
    expect((await ask(provider)).state).toBe("open");
    expect((await admit(provider)).allowed).toBe(false);
  });

  it("shares what one of its objects was told with all the others", async () => {
    const provider = await opened();
    const admitIn = (session: DurableObjectStub) =>
      runInDurableObject(session, async (_, ctx) => {
        const { allowed } = await circuitOf(provider).admit((work) => ctx.waitUntil(work));
        return allowed;
      });
    const sessions = Array.from({ length: 20 }, () => env.SESSIONS.get(env.SESSIONS.newUniqueId()));
    expect(await Promise.all(sessions.map(admitIn))).toEqual(sessions.map(() => false));
  });

  it("keeps one client for each provider", () => {
    expect(circuitOf("espeak")).toBe(circuitOf("espeak"));
    expect(circuitOf("espeak")).not.toBe(circuitOf("coqui_tts"));
  });
});
