import { describe, expect, it } from "vitest";
import type { ProbeOutcome } from "../../../worker/breaker/circuit.ts";
import { bench } from "./circuit-bench.ts";

describe("a closed circuit", () => {
  it("opens when half of the calls in the window failed", () => {
    expect(bench().report({ succeeded: 6, failed: 5 }).state).toBe("closed");
    expect(bench().report({ succeeded: 5, failed: 5 }).view).toMatchObject({ state: "open", retryAfterMs: 10_000 });
    expect(bench().report({ succeeded: 5 }).pass(10_000).report({ failed: 4 }).report({ failed: 1 }).state).toBe(
      "open",
    );
  });

  it("stays closed while there are few calls, however they end", () => {
    expect(bench().report({ failed: 9 }).state).toBe("closed");
    const sparse = bench();
    for (let i = 0; i < 100; i++) expect(sparse.pass(3_000).report({ failed: 1 }).state).toBe("closed");
  });

  it("is not opened by one failure after an idle hour", () => {
    expect(bench().report({ succeeded: 1_000 }).pass(3_600_000).report({ failed: 1 }).state).toBe("closed");
    expect(bench().report({ failed: 9 }).pass(3_600_000).report({ failed: 1 }).state).toBe("closed");
  });

  it("forgets what is older than the window", () => {
    expect(bench().report({ failed: 9 }).pass(17_000).report({ failed: 1 }).state).toBe("open");
    expect(bench().report({ failed: 9 }).pass(20_000).report({ failed: 1 }).state).toBe("closed");
    expect(bench().report({ succeeded: 100 }).pass(20_000).report({ failed: 10 }).state).toBe("open");
  });

  it("does not count calls under way as failed", () => {
    const starting = bench().report({ failed: 10, underWay: 11 });
    expect(starting.state).toBe("closed");
    starting.circuit.report({ phase: 0, started: 0, succeeded: 0, failed: 1 }, starting.nowMs);
    expect(starting.state).toBe("open");
  });

  it("judges calls by their ends when they began before the window", () => {
    const long = bench().report({ underWay: 100 }).pass(30_000);
    long.circuit.report({ phase: 0, started: 0, succeeded: 88, failed: 12 }, long.nowMs);
    expect(long.state).toBe("closed");
  });

  it("counts a call to come of everyone who is told of it", () => {
    const { circuit, nowMs } = bench();
    for (let i = 0; i < 30; i++) circuit.viewFor(-1, nowMs);
    circuit.viewFor(0, nowMs);
    const failing = (failed: number) => circuit.report({ phase: 0, started: 0, succeeded: 0, failed }, nowMs);
    failing(14);
    expect(circuit.phase.state).toBe("closed");
    failing(1);
    expect(circuit.phase.state).toBe("open");
  });

  it("opens at once by a failure that opens it, however many calls succeed", () => {
    const opened = bench().report({ succeeded: 1_000, failed: 1, opens: true });
    expect(opened.view).toMatchObject({ state: "open", retryAfterMs: 10_000 });
    const closedAgain = opened.pass(10_000);
    closedAgain.lease();
    expect(closedAgain.settle("succeeded").report({ failed: 1, opens: true, phase: 0 }).state).toBe("closed");
  });

  it("gives no lease: nobody needs one", () => {
    expect(bench().lease()).toBeUndefined();
  });

  it("goes on counting when its clock is set back", () => {
    expect(bench().report({ failed: 5 }).pass(-60_000).report({ failed: 5 }).state).toBe("open");
  });
});

describe("an open circuit", () => {
  it("gives no lease before its time has come", () => {
    const open = bench().open().pass(9_999);
    expect(open.lease()).toBeUndefined();
    expect(open.view).toMatchObject({ state: "open", retryAfterMs: 1 });
    expect(open.pass(1).lease()).toBe(open.view.phase);
    expect(open.state).toBe("half_open");
  });

  it("does not hear what is still told of calls from before", () => {
    const open = bench().open();
    const before = open.circuit.phase;
    open
      .report({ phase: 0, failed: 100 })
      .report({ phase: 0, succeeded: 100 })
      .report({ succeeded: 5 })
      .settle("succeeded");
    expect(open.circuit.phase).toBe(before);
  });

  it("stays open for nobody's sake but its probe's, however long that takes", () => {
    expect(bench().open().pass(3_600_000).view).toMatchObject({ state: "open", retryAfterMs: 0 });
  });
});

describe("a half-open circuit", () => {
  it("has one probe at a time", () => {
    const probing = bench().due();
    expect(probing.lease()).toBeDefined();
    expect(probing.lease()).toBeUndefined();
    expect(probing.pass(14_999).lease()).toBeUndefined();
    expect(probing.view).toMatchObject({ state: "half_open", retryAfterMs: 1 });
  });

  it("lets another probe in when a lease has expired, and ignores a failure of the one before", () => {
    const probing = bench().due();
    const lost = probing.lease()!;
    const second = probing.pass(15_000).lease()!;
    expect(second).not.toBe(lost);
    expect(probing.settle("failed", lost).settle("given_up", lost).view.phase).toBe(second);
    expect(probing.settle("failed", second).state).toBe("open");
  });

  it("closes also when every probe takes longer than its lease", () => {
    const probing = bench().due();
    const first = probing.lease()!;
    probing.pass(15_000).lease();
    expect(probing.pass(5_000).settle("succeeded", first).state).toBe("closed");
  });

  it("closes by a probe that succeeds after another was given up", () => {
    const probing = bench().due();
    const first = probing.lease()!;
    probing.pass(15_000).lease();
    probing.settle("given_up").lease();
    expect(probing.settle("succeeded", first).state).toBe("closed");
  });

  it("ignores a probe from before it opened again", () => {
    const probing = bench().due();
    const early = probing.lease()!;
    probing.pass(15_000).lease();
    probing.settle("failed").pass(20_000).lease();
    const { phase } = probing.view;
    for (const lease of [early, phase - 1]) expect(probing.settle("succeeded", lease).state).toBe("half_open");
    expect(probing.settle("succeeded", phase).state).toBe("closed");
  });

  it("hears a probe whose lease has expired while no other is out", () => {
    const probing = bench().due();
    const lease = probing.lease()!;
    expect(probing.pass(16_000).settle("succeeded", lease).state).toBe("closed");
  });

  it("closes when its probe succeeds, with an empty window", () => {
    const closed = bench().due();
    closed.lease();
    expect(closed.settle("succeeded").view).toMatchObject({ state: "closed", retryAfterMs: 0 });
    expect(closed.report({ failed: 9 }).state).toBe("closed");
    expect(closed.report({ failed: 1 }).state).toBe("open");
  });

  it("opens again when its probe failed", () => {
    const open = bench().due();
    open.lease();
    expect(open.settle("failed").view).toMatchObject({ state: "open", retryAfterMs: 20_000 });
  });

  it("lets another probe in at once when one is given up", () => {
    const probing = bench().due();
    const lease = probing.lease()!;
    expect(probing.settle("given_up").view).toMatchObject({ state: "open", retryAfterMs: 0 });
    expect(probing.lease()).toBeDefined();
    expect(probing.settle("failed", lease).state).toBe("half_open");
  });

  it("does not hear what is still told of calls from before", () => {
    const probing = bench().due();
    probing.lease();
    const before = probing.circuit.phase;
    probing.report({ phase: 0, failed: 100 }).report({ phase: 1, succeeded: 100 }).report({ failed: 100 });
    expect(probing.circuit.phase).toBe(before);
    expect(probing.settle("succeeded").report({ phase: 0, failed: 100 }).state).toBe("closed");
  });
});

describe("the open time", () => {
  function openTimes(probes: readonly ProbeOutcome[]): number[] {
    const one = bench().open();
    return [
      one.view.retryAfterMs,
      ...probes.map((end) => {
        one.pass(one.view.retryAfterMs).lease();
        return one.settle(end).view.retryAfterMs;
      }),
    ];
  }

  it("doubles with every probe that fails, up to the longest", () => {
    expect(openTimes(["failed", "failed", "failed", "failed"])).toEqual([10_000, 20_000, 40_000, 60_000, 60_000]);
  });

  it("is as long as it was after a probe that was given up", () => {
    expect(openTimes(["failed", "given_up", "failed"])).toEqual([10_000, 20_000, 0, 40_000]);
  });

  it("goes on growing for a circuit that opens again soon after it closed", () => {
    const one = bench().due();
    one.lease();
    expect(one.settle("succeeded").pass(59_999).open().view.retryAfterMs).toBe(20_000);
  });

  it("begins anew for one that stayed closed as long as the longest open time", () => {
    const one = bench().due();
    one.lease();
    expect(one.settle("succeeded").pass(60_000).open().view.retryAfterMs).toBe(10_000);
  });

  it("stays the longest after it opened a thousand times", () => {
    const times = openTimes(Array<ProbeOutcome>(1_100).fill("failed"));
    expect(times.at(-1)).toBe(60_000);
  });
});
