import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { TtsClient } from "../../client/index.ts";
import type { CreateSessionRequest } from "../../protocol/messages.ts";
import { cuttingProxy } from "../support/cutting-proxy.ts";
import { report } from "../support/report.ts";
import { expectComplete, longText, play, sha256, speak, statusOf } from "../support/session.ts";
import { useStack } from "../support/stack.ts";

const STALL_TIMEOUT_MS = 500;
const RECONNECT_GRACE_MS = 2_000;

const stack = useStack({ STALL_TIMEOUT_MS, RECONNECT_GRACE_MS });

/** What the client's loop sees of a session through a network that cuts it again and again. */
async function heardThroughCuts(request: CreateSessionRequest, seed: number, binary: boolean) {
  await using proxy = await cuttingProxy({ target: stack.url, seed, cutAfterBytes: { min: 1_000, max: 60_000 } });
  const client = new TtsClient(proxy.url);
  const session = await client.createSession(request);
  let reconnects = 0;
  const stream = client.stream(session.ws_url, { binary, onReconnect: () => reconnects++ });
  const pieces: Uint8Array[] = [];
  let next = await stream.next();
  for (; !next.done; next = await stream.next()) {
    expect(next.value.seq).toBe(pieces.length + 1);
    pieces.push(next.value.audio);
  }
  const { cuts, connections } = proxy;
  report(`${request.provider} ${request.target_format}: ${pieces.length} messages, cut ${cuts} times`);
  expect(reconnects).toBeGreaterThan(0);
  expect(reconnects).toBeLessThanOrEqual(cuts); // a cut behind the end is none
  expect(connections).toBe(reconnects + 1);
  const directUrl = session.ws_url.replace(new URL(proxy.url).host, new URL(stack.url).host);
  return { hash: sha256(Buffer.concat(pieces)), end: next.value, directUrl, id: session.session_id };
}

describe("through a network that cuts connections, the client's stream is the same as without", () => {
  it.each([
    ["mp3", false],
    ["opus", true],
    ["wav", true],
    ["flac", false],
    ["aac", false],
  ] as const)("mock_tone in %s (binary: %s)", async (format, binary) => {
    const request = {
      provider: "mock_tone",
      voice: "en-US-mock-1",
      text: longText(200),
      target_format: format,
      sample_rate_hz: 24_000,
    };
    const heard = await heardThroughCuts(request, format.length, binary);
    const whole = await speak(stack.url, request);
    expect(heard.end).toEqual(expectComplete(whole));
    expect(heard.hash).toBe(sha256(whole.bytes));
  });

  it.each(["mp3", "pcm16"] as const)("espeak in %s, as a second listener hears it", async (format) => {
    const request = { provider: "espeak", voice: "en-us", text: longText(200), target_format: format };
    const heard = await heardThroughCuts(request, 7, format === "pcm16");
    const again = await play(heard.directUrl);
    expect(heard.end).toEqual(expectComplete(again));
    expect(heard.hash).toBe(sha256(again.bytes));
  });
});

it("a reader that pauses for longer than the gateway waits for a client finds its stream whole", async () => {
  const client = new TtsClient(stack.url);
  const request = { provider: "mock_tone", voice: "en-US-mock-1", text: longText(400), sample_rate_hz: 48_000 };
  const session = await client.createSession(request);
  const closeCodes: number[] = [];
  const stream = client.stream(session.ws_url, { onReconnect: (_, closeCode) => closeCodes.push(closeCode) });
  const pieces: Uint8Array[] = [];
  for await (const { audio } of stream) {
    pieces.push(audio);
    if (pieces.length === 3) await sleep(STALL_TIMEOUT_MS + 2 * RECONNECT_GRACE_MS);
  }
  report(`a pause of ${STALL_TIMEOUT_MS + 2 * RECONNECT_GRACE_MS} ms: closed with ${closeCodes.join(", ")}`);
  expect(new Set(closeCodes)).toEqual(new Set([1013]));
  const again = await play(session.ws_url);
  expectComplete(again);
  expect(sha256(Buffer.concat(pieces))).toBe(sha256(again.bytes));
});

it("a stream left while its connection is lost is cancelled", async () => {
  await using proxy = await cuttingProxy({
    target: stack.url,
    seed: 1,
    cutAfterBytes: { min: 20_000, max: 20_000 },
  });
  const client = new TtsClient(proxy.url);
  const session = await client.createSession({
    provider: "mock_tone",
    voice: "en-US-mock-paced",
    text: longText(400),
  });
  const leaving = new AbortController();
  const stream = client.stream(session.ws_url, {
    signal: leaving.signal,
    onReconnect: () => leaving.abort(new Error("left")),
  });
  const listen = async () => {
    for (;;) if ((await stream.next()).done) return;
  };
  await expect(listen()).rejects.toThrow("left");
  await expect.poll(() => statusOf(stack.url, session.session_id)).toMatchObject({ state: "cancelled" });
});
