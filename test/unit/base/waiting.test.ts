import { describe, expect, it } from "vitest";
import { Bell } from "../../../worker/base/bell.ts";
import { sleep } from "../../../worker/base/sleep.ts";

const never = new AbortController().signal;

describe("a bell", () => {
  it("wakes all who wait, once", async () => {
    const bell = new Bell();
    const waiting = [bell.next(never), bell.next(never)];
    bell.ring();
    await Promise.all(waiting);
    let woken = false;
    void bell.next(never).then(() => (woken = true));
    await sleep(5, never);
    expect(woken).toBe(false);
    bell.ring();
  });

  it("wakes by itself after a while, if asked to", async () => {
    const started = performance.now();
    await new Bell().next(never, 20);
    expect(performance.now() - started).toBeGreaterThanOrEqual(15);
  });

  it("ends a wait whose signal is aborted, before or during it", async () => {
    const bell = new Bell();
    const controller = new AbortController();
    const waiting = bell.next(controller.signal);
    controller.abort(new Error("enough"));
    await expect(waiting).rejects.toThrow("enough");
    await expect(bell.next(controller.signal)).rejects.toThrow("enough");
    await expect(bell.until(() => true, controller.signal)).rejects.toThrow("enough");
  });

  it("lets wait until something is true", async () => {
    const bell = new Bell();
    let count = 0;
    const waiting = bell.until(() => count === 3, never);
    for (; count < 3; bell.ring()) {
      count++;
      await sleep(1, never);
    }
    await waiting;
    await bell.until(() => true, never);
    expect(count).toBe(3);
  });
});

describe("a sleep", () => {
  it("lasts as long as asked, and nothing for a time that is past", async () => {
    const started = performance.now();
    await sleep(-50, never);
    expect(performance.now() - started).toBeLessThan(20);
    await sleep(30, never);
    expect(performance.now() - started).toBeGreaterThanOrEqual(25);
  });

  it("ends with its signal's reason", async () => {
    const controller = new AbortController();
    const sleeping = sleep(60_000, controller.signal);
    controller.abort(new Error("wake up"));
    await expect(sleeping).rejects.toThrow("wake up");
    await expect(sleep(1, controller.signal)).rejects.toThrow("wake up");
  });
});
