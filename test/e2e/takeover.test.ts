import { once } from "node:events";
import { WebSocket } from "ws";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { createSession, expectComplete, longText, statusOf, Stream } from "../support/session.ts";
import { useStack } from "../support/stack.ts";

const stack = useStack();

describe("a connection that was taken over, and whose client has not heard of it", () => {
  /** Its client reads nothing any more: its socket stays open, and what it says still arrives. */
  async function deafAndItsSuccessor(): Promise<{ id: string; deaf: WebSocket; successor: Stream }> {
    const request = { provider: "mock_tone", voice: "en-US-mock-paced", text: longText(60), target_format: "pcm16" };
    const { id, wsUrl } = await createSession(stack.url, request);
    const first = new Stream(wsUrl);
    while (first.audio.length < 3) await first.next();
    first.socket.pause();
    const successor = new Stream(wsUrl, { after: first.audio.length });
    await successor.next();
    expect(first.socket.readyState).toBe(WebSocket.OPEN);
    return { id, deaf: first.socket, successor };
  }

  it.concurrent.each([
    ["an ack", { type: "ack", seq: 2 }],
    ["an ack of what was never sent", { type: "ack", seq: 1_000_000 }],
    ["garbage", "garbage"],
    ["an oversized message", "a".repeat(10_000)],
    ["a cancel", { type: "cancel" }],
  ])("is not listened to: %s", async (_, words) => {
    const { id, deaf, successor } = await deafAndItsSuccessor();
    const after = successor.audio[0]!.seq - 1;
    deaf.send(typeof words === "string" ? words : JSON.stringify(words));
    await sleep(300);
    expect(deaf.readyState).toBe(WebSocket.OPEN);
    expect((await statusOf(stack.url, id)).state).toBe("streaming");
    await successor.closed;
    expectComplete(successor, after);
    const closed = once(deaf, "close") as Promise<[number]>;
    deaf.resume();
    expect((await closed)[0]).toBe(4001);
  });
});
