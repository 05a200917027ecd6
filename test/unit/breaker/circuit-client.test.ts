import { beforeEach, describe, expect, it, vi } from "vitest";
import { Call, CircuitClient, type Refusal } from "../../../worker/breaker/circuit-client.ts";
import type { Breaker } from "../../../worker/breaker/circuit-link.ts";
import type { CallReport, CircuitView, ProbeOutcome } from "../../../worker/breaker/circuit.ts";
import { SimulatedClock } from "../../support/simulated-clock.ts";

const logged = vi.spyOn(console, "log").mockReturnValue();
beforeEach(() => void logged.mockClear());

const ROUND_TRIP_MS = 80;
const SLOW_MS = 5_000;

const closed: CircuitView = { phase: 4, state: "closed", retryAfterMs: 0 };
const open: CircuitView = { phase: 5, state: "open", retryAfterMs: 3_000 };
const due: CircuitView = { phase: 5, state: "open", retryAfterMs: 0 };
const probed: CircuitView = { phase: 6, state: "half_open", retryAfterMs: 20_000 };
const healed: CircuitView = { phase: 7, state: "closed", retryAfterMs: 0 };

type Trouble = "none" | "throws" | "hangs" | "loses replies";

/** Says what it is told to say, and can be in trouble. */
class FakeBreaker implements Breaker {
  view = closed;
  isLeasing = true;
  trouble: Trouble = "none";
  replyMs = ROUND_TRIP_MS;
  readonly reports: CallReport[] = [];
  readonly settled: { phase: number; end: ProbeOutcome }[] = [];
  leases = 0;
  readonly #clock: SimulatedClock;

  constructor(clock: SimulatedClock) {
    this.#clock = clock;
  }

  get requests(): number {
    return this.reports.length + this.settled.length + this.leases;
  }

  get told() {
    const sum = (key: "started" | "succeeded" | "failed") => this.reports.reduce((total, one) => total + one[key], 0);
    return { started: sum("started"), succeeded: sum("succeeded"), failed: sum("failed") };
  }

  async #reply<T>(take: () => T): Promise<T> {
    const { trouble } = this;
    if (trouble === "hangs") await Promise.withResolvers<void>().promise;
    await this.#clock.sleep(this.replyMs);
    if (trouble === "throws") throw new Error("Durable Object reset because its code was updated.");
    const reply = take();
    if (trouble === "loses replies") throw new Error("Network connection lost.");
    return reply;
  }

  report(report: CallReport): Promise<CircuitView> {
    this.reports.push(report);
    return this.#reply(() => this.view);
  }

  settle(phase: number, end: ProbeOutcome): Promise<CircuitView> {
    this.settled.push({ phase, end });
    return this.#reply(() => this.view);
  }

  lease(): Promise<{ view: CircuitView; isLeased: boolean }> {
    this.leases++;
    return this.#reply(() => {
      const isLeased = this.isLeasing && this.view.state === "open" && this.view.retryAfterMs === 0;
      if (isLeased) this.view = probed;
      return { view: this.view, isLeased };
    });
  }
}

class Isolate {
  readonly clock = new SimulatedClock();
  readonly breaker = new FakeBreaker(this.clock);
  readonly client = new CircuitClient("espeak", this.breaker, SLOW_MS, this.clock);
  /** Of sessions that are alive; what a session leaves behind when it dies is not among it. */
  readonly background: Promise<unknown>[] = [];

  admit(): Promise<Call | Refusal> {
    return this.client.admit((work) => void this.background.push(work));
  }

  async call(): Promise<Call> {
    const admission = await this.admit();
    if (!admission.allowed) throw new Error("refused");
    return admission;
  }

  /** An isolate that learned so a moment ago. */
  static async knowing(view: CircuitView): Promise<Isolate> {
    const isolate = new Isolate();
    isolate.breaker.view = view;
    isolate.client.warm((work) => void isolate.background.push(work));
    await isolate.clock.pass(ROUND_TRIP_MS);
    isolate.breaker.reports.length = 0;
    return isolate;
  }
}

/** Whether a promise is settled without any time passing. */
async function isImmediate(promise: Promise<unknown>): Promise<boolean> {
  let isSettled = false;
  void promise.then(() => (isSettled = true));
  for (let i = 0; i < 5; i++) await Promise.resolve();
  return isSettled;
}

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
