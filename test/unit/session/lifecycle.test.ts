import { describe, expect, it } from "vitest";
import { dueAt, NOTHING_SENT, stateOf, type Lifecycle } from "../../../worker/session/lifecycle.ts";

const lifetimes = { unclaimedMs: 600, graceMs: 60, endedMs: 900 };
const created: Lifecycle = { createdAt: 1_000, droppedAt: 0, sent: NOTHING_SENT };
const started: Lifecycle = { ...created, startedAt: 1_100 };

describe("a session is given up", () => {
  it("some time after it was made, if nobody comes", () => {
    expect(dueAt(created, lifetimes, 1_300)).toBe(1_600);
  });

  it("some time after its client went away", () => {
    expect(dueAt({ ...started, droppedAt: 2_000 }, lifetimes, 2_030)).toBe(2_060);
  });

  it("never while its client is there: it is looked at again later", () => {
    expect(dueAt(started, lifetimes, 5_000)).toBe(5_000 + 600_000);
    expect(dueAt(started, { ...lifetimes, graceMs: 900_000 }, 5_000)).toBe(5_000 + 900_000);
  });

  it("some time after it ended, whatever was before", () => {
    expect(dueAt({ ...started, droppedAt: 2_000, endedAt: 3_000 }, lifetimes, 3_500)).toBe(3_900);
    expect(dueAt({ ...created, endedAt: 3_000 }, lifetimes, 3_500)).toBe(3_900);
  });
});

describe("a session's state", () => {
  it("is created until the first connection, and streaming until it ends, with or without its client", () => {
    expect(stateOf(created)).toBe("created");
    expect(stateOf(started)).toBe("streaming");
    expect(stateOf({ ...started, droppedAt: 2_000 })).toBe("streaming");
  });

  it("is how it ended, once it has", () => {
    const failure = { reason: "busy", message: "" } as const;
    expect(stateOf({ ...started, outcome: { state: "completed", seq: 1, durationMs: 1, bytes: 1 } })).toBe("completed");
    expect(stateOf({ ...started, outcome: { state: "failed", failure } })).toBe("failed");
    expect(stateOf({ ...created, outcome: { state: "cancelled", failure } })).toBe("cancelled");
  });
});
