/** Many isolates, one provider, one breaker: what they say to each other, counted. */
import { beforeEach, describe, expect, it, vi } from "vitest";
import { CircuitClient } from "../../../worker/breaker/circuit-client.ts";
import type { Breaker } from "../../../worker/breaker/circuit-link.ts";
import { Circuit, type CircuitView, type Phase } from "../../../worker/breaker/circuit.ts";
import { parseConfig } from "../../../worker/config/settings.ts";
import { BOUNDS } from "../../support/setting-bounds.ts";
import { report } from "../../support/report.ts";
import { SimulatedClock } from "../../support/simulated-clock.ts";

beforeEach(() => void vi.spyOn(console, "log").mockReturnValue());

const SECOND = 1_000;
const MINUTE = 60 * SECOND;

/** From an isolate to the breaker's object and back. */
const ROUND_TRIP_MS = 80;

/** How old a copy may be before it is refreshed. */
const FRESH_MS = 5 * SECOND;

const config = parseConfig({});
const settings = {
  samplingWindowMs: config.CIRCUIT_SAMPLING_WINDOW_MS,
  minimumCalls: config.CIRCUIT_MINIMUM_CALLS,
  failureThresholdPercent: config.CIRCUIT_FAILURE_THRESHOLD_PERCENT,
  openMs: config.CIRCUIT_OPEN_MS,
  maxOpenMs: config.CIRCUIT_MAX_OPEN_MS,
  leaseMs: config.FIRST_AUDIO_TIMEOUT_MS + config.GAP_TIMEOUT_MS,
};

/** Numbers from 0 to 1, the same every time. */
function randomNumbers(): () => number {
  let state = 1;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

interface Speech {
  failed: boolean;
  ms: number;
}
/** What becomes of a call. */
type Provider = (atMs: number, random: number) => Speech;

const speaks: Speech = { failed: false, ms: 800 };
const fails: Speech = { failed: true, ms: 20 };

interface Isolate {
  client: CircuitClient;
  /** Its requests to the breaker's object. */
  requests: number;
  view: CircuitView | undefined;
}

interface ProviderCall {
  atMs: number;
  endMs: number;
  failed: boolean;
  /** By an isolate that knew the circuit to be open: it has the lease. */
  isProbe: boolean;
}

class World {
  readonly clock = new SimulatedClock();
  readonly transitions: (Phase & { atMs: number })[] = [];
  readonly calls: ProviderCall[] = [];
  readonly refusedAt: number[] = [];
  readonly #circuit: Circuit;
  readonly #isolates: Isolate[];
  readonly #provider: Provider;
  readonly #random = randomNumbers();

  constructor(isolates: number, provider: Provider, samplingWindowMs = settings.samplingWindowMs) {
    this.#circuit = new Circuit({ ...settings, samplingWindowMs });
    this.#provider = provider;
    this.#isolates = Array.from({ length: isolates }, () => this.#isolate());
  }

  get requests(): number {
    return this.#isolates.reduce((sum, { requests }) => sum + requests, 0);
  }

  get mostRequestsOfOneIsolate(): number {
    return Math.max(...this.#isolates.map(({ requests }) => requests));
  }

  openings(): number[] {
    return this.transitions.filter(({ state }) => state === "open").map(({ atMs }) => atMs);
  }

  #isolate(): Isolate {
    const circuit = this.#circuit;
    const travel = async <T>(work: (nowMs: number) => T, viewOf: (reply: T) => CircuitView): Promise<T> => {
      isolate.requests++;
      await this.clock.sleep(ROUND_TRIP_MS / 2);
      const { phase } = circuit;
      const reply = structuredClone(work(this.clock.now()));
      if (circuit.phase !== phase) this.transitions.push({ ...circuit.phase, atMs: this.clock.now() });
      await this.clock.sleep(ROUND_TRIP_MS / 2);
      isolate.view = viewOf(reply);
      return reply;
    };
    const told = (phase: number, change: (nowMs: number) => void) => {
      const work = (nowMs: number) => {
        change(nowMs);
        return circuit.viewFor(phase, nowMs);
      };
      return travel(work, (view) => view);
    };
    const breaker: Breaker = {
      report: (outcomes) => told(outcomes.phase, (nowMs) => circuit.report(outcomes, nowMs)),
      settle: (phase, end) => told(phase, (nowMs) => circuit.settle(phase, end, nowMs)),
      lease: (phase) => {
        const work = (nowMs: number) => {
          const isLeased = circuit.lease(nowMs) !== undefined;
          return { view: circuit.viewFor(phase, nowMs), isLeased };
        };
        return travel(work, ({ view }) => view);
      },
    };
    const client = new CircuitClient("provider", breaker, config.CIRCUIT_SLOW_MS, this.clock);
    const isolate: Isolate = { client, requests: 0, view: undefined };
    return isolate;
  }

  /** One utterance of one session. */
  async #speak(isolate: Isolate): Promise<void> {
    const isProbe = isolate.view !== undefined && isolate.view.state !== "closed";
    const call = await isolate.client.admit(() => {});
    const atMs = this.clock.now();
    if (!call.allowed) return void this.refusedAt.push(atMs);
    const { failed, ms } = this.#provider(atMs, this.#random());
    this.calls.push({ atMs, endMs: atMs + ms, failed, isProbe });
    await this.clock.sleep(ms);
    if (failed) call.failed();
    else call.succeeded(ms / 2);
  }

  /** Sessions come evenly, to one isolate after the other. */
  async run(sessions: number, forMs: number): Promise<void> {
    for (let i = 0; i < sessions; i++) {
      const isolate = this.#isolates[i % this.#isolates.length]!;
      void this.clock.sleep((i / sessions) * forMs).then(() => this.#speak(isolate));
    }
    await this.clock.passUntil(forMs - 1);
  }

  async comeAtOnce(sessions: number): Promise<void> {
    for (let i = 0; i < sessions; i++) void this.#speak(this.#isolates[0]!);
    await this.clock.pass(FRESH_MS - 1);
  }
}

describe("while all is well", () => {
  it.each([10_000, 100_000])("%i sessions in a minute cost the breaker the same", async (sessions) => {
    const world = new World(50, () => speaks);
    await world.run(sessions, MINUTE);
    report(`${sessions} sessions, 50 isolates, 60 s: ${world.requests} requests to the breaker`);
    expect(world.calls.length).toBeGreaterThan(sessions * 0.999);
    expect(world.refusedAt).toEqual([]);
    expect(world.requests).toBe(50 * (MINUTE / FRESH_MS));
    expect(world.mostRequestsOfOneIsolate).toBe(MINUTE / FRESH_MS);
  });

  it("a thousand sessions at once in a cold isolate cost it one request", async () => {
    const world = new World(1, () => speaks);
    await world.comeAtOnce(1_000);
    expect(world.calls).toHaveLength(1_000);
    expect(world.requests).toBe(1);
  });
});

describe("a provider that fails now and then", () => {
  const cases = [1, 50, 1_000].flatMap((isolates) => [0.05, 0.2].map((part) => ({ isolates, part })));

  it.each(cases)("is left alone from the first second on: $part of the calls, $isolates isolates", async (one) => {
    const world = new World(one.isolates, (_, random) => (random < one.part ? fails : speaks));
    await world.run(10_000, MINUTE);
    expect(world.openings()).toEqual([]);
    const failures = world.calls.filter(({ failed }) => failed).length;
    expect(world.requests).toBeLessThanOrEqual(one.isolates * (MINUTE / FRESH_MS) + failures);
  });
});

describe("the shortest sampling window", () => {
  const [shortestMs] = BOUNDS.CIRCUIT_SAMPLING_WINDOW_MS;

  it.each([1, 50, 1_000])("suffices to tell a provider that fails now and then: %i isolates", async (isolates) => {
    const world = new World(isolates, (_, random) => (random < 0.2 ? fails : speaks), shortestMs);
    await world.run(10_000, MINUTE);
    expect(world.openings()).toEqual([]);
  });

  it("suffices to tell one that fails every call", async () => {
    const world = new World(50, () => fails, shortestMs);
    await world.run(500, settings.openMs);
    expect(world.openings()).toHaveLength(1);
  });
});

describe("a provider that fails every call", () => {
  it("from its first is called no more than a few times by an isolate", async () => {
    const world = new World(1, () => fails);
    await world.run(500, settings.openMs);
    report(`1 isolate, 100 sessions/s, failing from the first: ${world.calls.length} calls, then none`);
    expect(world.openings()).toHaveLength(1);
    expect(world.calls.length).toBeLessThan(50);
  });

  it.each([50, 1_000])("for a while is left alone, probed and then called again by %i isolates", async (isolates) => {
    const [diesAt, healsAt, end] = [20 * SECOND, 70 * SECOND, 2 * MINUTE];
    const isDead = (atMs: number) => atMs >= diesAt && atMs < healsAt;
    // What is well fails one call in twenty, also in the first second after it came back.
    const world = new World(isolates, (atMs, random) => (isDead(atMs) || random < 0.05 ? fails : speaks));
    await world.run(40_000, end);

    const [openedAt] = world.openings() as [number];
    const closedAt = world.transitions.find(({ state }) => state === "closed")!.atMs;
    expect(openedAt).toBeLessThan(diesAt + settings.samplingWindowMs / 2 + FRESH_MS);

    // The first session that finds its copy stale has it refreshed, a round trip long.
    const sessionEveryMs = (isolates * end) / 40_000;
    const allKnowMs = FRESH_MS + sessionEveryMs + ROUND_TRIP_MS;
    const whileOpen = world.calls.filter(({ atMs }) => atMs > openedAt && atMs < closedAt);
    const probes = whileOpen.filter(({ isProbe }) => isProbe);
    const unknowing = whileOpen.filter(({ isProbe }) => !isProbe);
    const lastUnknowingAt = Math.max(...unknowing.map(({ atMs }) => atMs));
    expect(lastUnknowingAt - openedAt).toBeLessThanOrEqual(allKnowMs);

    expect(probes).toHaveLength(world.transitions.filter(({ state }) => state === "half_open").length);
    for (const [i, probe] of probes.slice(1).entries()) expect(probe.atMs).toBeGreaterThan(probes[i]!.endMs);

    expect(closedAt - healsAt).toBeLessThan(settings.maxOpenMs);
    expect(probes.filter(({ atMs }) => atMs >= healsAt)).toHaveLength(1);
    expect(world.refusedAt.filter((atMs) => atMs > closedAt + allKnowMs)).toEqual([]);
    expect(world.openings().every((atMs) => atMs < closedAt)).toBe(true);
    report(
      `${isolates} isolates, 333 sessions/s, dead for 50 s: open after ${openedAt - diesAt} ms; ${unknowing.length} calls of ` +
        `isolates that did not know yet, the last ${lastUnknowingAt - openedAt} ms after that; ${probes.length} probes; ` +
        `closed ${closedAt - healsAt} ms after it was well`,
    );
  });
});
