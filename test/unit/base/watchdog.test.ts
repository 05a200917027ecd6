import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Watchdog } from "../../../worker/base/watchdog.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const late = () => new Error("too late");

describe("a watchdog", () => {
  it("aborts with its error when what is expected does not come in time", () => {
    const watchdog = new Watchdog();
    watchdog.expect(100, late);
    vi.advanceTimersByTime(99);
    expect(watchdog.signal.aborted).toBe(false);
    vi.advanceTimersByTime(1);
    expect(watchdog.signal.reason).toEqual(late());
  });

  it("counts from the last time that something was expected, later or sooner", () => {
    const watchdog = new Watchdog();
    watchdog.expect(100, late);
    vi.advanceTimersByTime(60);
    watchdog.expect(100, () => new Error("the second"));
    vi.advanceTimersByTime(99);
    expect(watchdog.signal.aborted).toBe(false);
    watchdog.expect(1_000, late);
    watchdog.expect(10, () => new Error("the last"));
    vi.advanceTimersByTime(10);
    expect(watchdog.signal.reason).toEqual(new Error("the last"));
  });

  it("lets no time pass while nobody waits", () => {
    const watchdog = new Watchdog();
    watchdog.expect(100, late);
    vi.advanceTimersByTime(99);
    watchdog.rest();
    vi.advanceTimersByTime(60_000);
    expect([watchdog.signal.aborted, vi.getTimerCount()]).toEqual([false, 0]);
    watchdog.expect(100, late);
    vi.advanceTimersByTime(99);
    expect(watchdog.signal.aborted).toBe(false);
    vi.advanceTimersByTime(1);
    expect(watchdog.signal.aborted).toBe(true);
  });

  it("begins its wait anew, as often as it takes, until something was owed for all of it", () => {
    let isOwed = false;
    const watchdog = new Watchdog(() => isOwed);
    watchdog.expect(100, late);
    vi.advanceTimersByTime(1_099);
    isOwed = true; // there was a ms left of a wait for nothing
    vi.advanceTimersByTime(100);
    expect(watchdog.signal.aborted).toBe(false);
    vi.advanceTimersByTime(1);
    expect(watchdog.signal.aborted).toBe(true);
  });

  it("does not make up for a wait in which nothing was owed any more", () => {
    let isOwed = true;
    const watchdog = new Watchdog(() => isOwed);
    watchdog.expect(100, late);
    isOwed = false;
    vi.advanceTimersByTime(100);
    isOwed = true;
    vi.advanceTimersByTime(100);
    expect(watchdog.signal.aborted).toBe(false);
    vi.advanceTimersByTime(100);
    expect(watchdog.signal.aborted).toBe(true);
  });

  it("needs one timer, however often it is told, and none once it is stopped", () => {
    const set = vi.spyOn(globalThis, "setTimeout");
    const watchdog = new Watchdog();
    for (let i = 0; i < 90; i++) {
      watchdog.expect(100, late);
      vi.advanceTimersByTime(1);
    }
    expect([set.mock.calls.length, vi.getTimerCount()]).toEqual([1, 1]);
    watchdog.stop();
    expect(vi.getTimerCount()).toBe(0);
    vi.advanceTimersByTime(60_000);
    expect(watchdog.signal.aborted).toBe(false);
  });
});
