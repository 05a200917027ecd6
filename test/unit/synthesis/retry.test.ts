import { afterEach, describe, expect, it, vi } from "vitest";
import { GatewayError } from "../../../worker/base/errors.ts";
import { Misconfiguration, ProviderError, RequestFault, RESAMPLER_FAILED } from "../../../worker/providers/provider.ts";
import { asksAgain, troubleOf, waitMs, type RetryState, type Trouble } from "../../../worker/synthesis/retry.ts";

const limits = { attempts: 3, busyMs: 10_000, goneMs: 20_000 };
const LONG = 1e9;

/** A first failure at the start of a stream that nobody else could speak. */
const state = (more: Partial<RetryState> = {}): RetryState => ({
  hasSuccessor: false,
  isUnderWay: false,
  isInSegment: false,
  failures: 1,
  sinceAskedMs: 0,
  sinceFailedMs: 0,
  waitMs: 0,
  ...more,
});

/** How long a voice in `trouble` is asked again, found by trying. */
function asked(trouble: Trouble, situation: Partial<RetryState>): string {
  const asks = (failures: number, sinceAskedMs: number, sinceFailedMs: number) =>
    asksAgain(trouble, state({ ...situation, failures, sinceAskedMs, sinceFailedMs }), limits);
  if (!asks(1, 0, 0)) return "not at all";
  if (!asks(99, 0, 0)) return asks(1, LONG, LONG) ? "for some attempts" : "?";
  if (!asks(99, LONG, 0)) return "while busy";
  return asks(99, LONG, LONG) ? "?" : "while gone";
}

describe("a voice in trouble is asked again", () => {
  const none = "not at all";
  const attempts = "for some attempts";
  const busy = "while busy";
  const gone = "while gone";

  it.each<[Trouble, successor: string, atStart: string, underWay: string, inSegment: string]>([
    ["circuit_open", none, none, gone, gone],
    ["busy", busy, busy, gone, gone],
    ["starting", busy, gone, gone, gone],
    ["gone", attempts, attempts, gone, gone],
    ["cut_off", attempts, attempts, attempts, attempts],
    ["timeout", none, attempts, attempts, none],
    ["failed", attempts, attempts, attempts, none],
    ["refused", none, none, none, none],
  ])("%s: with a successor %s, alone at the start %s, under way %s, in a segment %s", (trouble, ...expected) => {
    const situations = [
      { hasSuccessor: true },
      {},
      { isUnderWay: true },
      { isUnderWay: true, isInSegment: true },
    ] satisfies Partial<RetryState>[];
    expect(situations.map((situation) => asked(trouble, situation))).toEqual(expected);
    // A successor waits for nobody's attempts in the middle of a segment, and for the same ones under way as at the start.
    expect(asked(trouble, { hasSuccessor: true, isUnderWay: true, isInSegment: true })).toBe(none);
    expect(asked(trouble, { hasSuccessor: true, isUnderWay: true })).toBe(expected[0]);
  });

  it("for so many attempts as the limits allow, the first one counted", () => {
    expect([1, 2, 3, 4].map((failures) => asksAgain("failed", state({ failures }), limits))).toEqual([
      true,
      true,
      false,
      false,
    ]);
    expect(asksAgain("failed", state(), { ...limits, attempts: 1 })).toBe(false);
  });

  it("while it is busy, if it would be asked before the time is over", () => {
    const again = (sinceAskedMs: number, wait: number) =>
      asksAgain("busy", state({ sinceAskedMs, waitMs: wait, sinceFailedMs: LONG }), limits);
    expect([again(0, 10_000), again(9_000, 1_000), again(9_000, 1_001), again(0, 10_001)]).toEqual([
      true,
      true,
      false,
      false,
    ]);
  });

  it("while it is gone, for as long as a busy one or as it may stay away, whichever is longer", () => {
    const again = (sinceAskedMs: number, sinceFailedMs: number, wait: number, goneMs = 20_000) =>
      asksAgain("gone", state({ isUnderWay: true, sinceAskedMs, sinceFailedMs, waitMs: wait }), { ...limits, goneMs });
    expect([again(LONG, 19_000, 1_000), again(LONG, 19_000, 1_001)]).toEqual([true, false]);
    expect([again(9_000, LONG, 1_000, 0), again(9_000, LONG, 1_001, 0)]).toEqual([true, false]);
  });
});

describe("what is wrong with a provider", () => {
  it.each<[string, unknown, Trouble | undefined]>([
    ["an open circuit", new GatewayError("circuit_open", ""), "circuit_open"],
    ["an engine with no room", new ProviderError("when_free", "busy", ""), "busy"],
    ["an engine that names another reason to wait", new ProviderError("when_free", "http_429", ""), "busy"],
    ["an engine that loads", new ProviderError("when_free", "not_ready", ""), "starting"],
    ["an engine nobody reaches", new ProviderError("retry", "unreachable", ""), "gone"],
    ["a stream without an end", new ProviderError("retry", "broken_stream", ""), "cut_off"],
    ["a resampler that died", new ProviderError("retry", RESAMPLER_FAILED, ""), "cut_off"],
    ["an engine that is late", new ProviderError("retry", "timeout", ""), "timeout"],
    ["an engine that says it failed", new ProviderError("retry", "synthesis_failed", ""), "failed"],
    ["a request's own fault", new RequestFault("unreachable", ""), "refused"],
    ["a wrong setup", new Misconfiguration(""), "refused"],
    ["another failure of ours", new GatewayError("internal", ""), undefined],
    ["a bug", new TypeError("busy"), undefined],
  ])("%s", (_, error, trouble) => {
    expect(troubleOf(error)).toBe(trouble);
  });
});

describe("the wait before the next attempt", () => {
  afterEach(() => void vi.restoreAllMocks());

  /** Its shortest and its longest. */
  function bounds(...of: Parameters<typeof waitMs>): number[] {
    return [0, 1].map((chance) => {
      vi.spyOn(Math, "random").mockReturnValue(chance);
      return waitMs(...of);
    });
  }

  it("is doubled each time, up to 16 times the first, and half of it is left to chance", () => {
    const all = [1, 2, 3, 4, 5, 6, 60].map((failures) => bounds("failed", failures, undefined));
    expect(all).toEqual([100, 200, 400, 800, 1_600, 1_600, 1_600].map((least) => [least, 2 * least]));
    for (const trouble of ["gone", "cut_off", "timeout"] as const) {
      expect(bounds(trouble, 2, undefined)).toEqual([200, 400]);
    }
  });

  it("is never shorter than a provider asks for that is busy or loading, however often it was asked", () => {
    for (const trouble of ["busy", "starting"] as const) {
      expect(bounds(trouble, 9, 3_000)).toEqual([3_000, 4_500]);
      expect(bounds(trouble, 9, undefined)).toEqual([200, 300]);
    }
  });

  it("for a circuit that is open is a quarter of a second and up to as much again", () => {
    expect(bounds("circuit_open", 5, 60_000)).toEqual([250, 500]);
  });
});
