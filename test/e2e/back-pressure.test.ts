import { afterAll, beforeAll, expect, it } from "vitest";
import { setTimeout as sleep } from "node:timers/promises";
import { startFakeEngine, type FakeEngine } from "../fakes/engine.ts";
import { startGateway, type RunningGateway } from "../support/gateway.ts";
import { startTranscoderProcess, workerdBytes, type RunningService } from "../support/processes.ts";
import { report } from "../support/report.ts";
import { createSession, expectComplete, longText, play, sha256, statusOf, Stream } from "../support/session.ts";

const LEAD_MS = 30_000;
const STALL_MS = 6_000;
const WINDOW_BYTES = 256 * 1024;

let engine: FakeEngine;
let transcoder: RunningService;
let gateway: RunningGateway;

beforeAll(async () => {
  [engine, transcoder] = await Promise.all([startFakeEngine(), startTranscoderProcess()]);
  gateway = await startGateway({ ESPEAK_URL: engine.url, TRANSCODER_URL: transcoder.url });
});

afterAll(async () => {
  await gateway?.stop();
  await transcoder?.stop();
  await engine?.stop();
});

/** Ten minutes of the fake engine's speech: 20 characters a second. */
const TEN_MINUTES = longText(12_000);
const LONGEST_SEGMENT_MS = 90 * 50;

/** Spoken, and not in the log yet: a second that an encoder holds, a piece of the engine's (half a segment), a message. */
const ENCODING_MS = 1_000 + LONGEST_SEGMENT_MS / 2 + 100;

const MOST_AHEAD_MS = LEAD_MS + LONGEST_SEGMENT_MS + ENCODING_MS;

const pcm = (sampleRateHz: number) => ({
  provider: "espeak",
  voice: "fake",
  text: TEN_MINUTES,
  target_format: "pcm16",
  sample_rate_hz: sampleRateHz,
});

/** What the engine was asked to speak, in ms. */
const askedMs = () => engine.texts.reduce((sum, text) => sum + text.length * 50, 0);

const MB = 1024 * 1024;

it("asks for no further segment while a client that acks takes nothing, and gives it every byte later", async () => {
  engine.texts = [];
  const { id, wsUrl } = await createSession(gateway.url, pcm(16_000));
  const stream = new Stream(wsUrl);
  let acking = true;
  stream.onAudio = ({ seq }) => {
    if (acking && seq <= 300) stream.send({ type: "ack", seq });
    else acking = false;
  };
  while (acking) await sleep(20);
  await sleep(500);
  const stalledAt = engine.texts.length;
  const before = await workerdBytes(gateway.child.pid!);
  await sleep(20_000);
  expect(engine.texts.length).toBe(stalledAt);
  const grown = (await workerdBytes(gateway.child.pid!)) - before;
  report(
    `workerd: ${Math.round(before / MB)} MB when the client stalled, ${(grown / MB).toFixed(1)} MB more 20 s later`,
  );
  expect(grown).toBeLessThan(10 * MB); // the whole text is 19 MB of PCM

  const acked = stream.audio.slice(0, 300).reduce((sum, { data }) => sum + data.length, 0);
  expect(stream.bytes.length - acked).toBeLessThanOrEqual(WINDOW_BYTES);
  const { counts } = await statusOf(gateway.url, id);
  expect(counts.messages).toBe(stream.audio.length);
  expect(askedMs() - counts.sent_ms).toBeLessThanOrEqual(MOST_AHEAD_MS);

  stream.onAudio = ({ seq }) => stream.send({ type: "ack", seq });
  stream.send({ type: "ack", seq: stream.audio.length });
  await stream.closed;
  const eos = expectComplete(stream);
  expect(eos.duration_ms).toBeGreaterThanOrEqual(590_000);
  const again = await play(wsUrl);
  expect(sha256(again.bytes)).toBe(sha256(stream.bytes));
});

it("asks for no further segment while a client stops reading its socket, and gives it every byte later", async () => {
  engine.texts = [];
  // 48 kHz: 58 MB, several times what the kernel's own buffers take.
  const { id, wsUrl } = await createSession(gateway.url, pcm(48_000));
  const stream = new Stream(wsUrl);
  await stream.next();
  stream.socket.pause();
  let before = -1;
  for (let asked = 0; asked !== before;) {
    before = asked;
    await sleep(2_000);
    asked = engine.texts.length;
  }
  await sleep(16_000);
  expect(engine.texts.length).toBe(before);
  const { counts } = await statusOf(gateway.url, id);
  expect(counts.sent_ms).toBeLessThan(500_000);
  expect(askedMs() - counts.sent_ms).toBeLessThanOrEqual(MOST_AHEAD_MS);
  stream.socket.resume();
  await stream.closed;
  expectComplete(stream);
  expect(stream.bytes.length).toBe(stream.final!.bytes);
});

it("closes a stalled connection with 1013, and ?after= brings the rest", async () => {
  const impatient = await startGateway({
    ESPEAK_URL: engine.url,
    TRANSCODER_URL: transcoder.url,
    STALL_TIMEOUT_MS: STALL_MS,
  });
  const { wsUrl } = await createSession(impatient.url, pcm(16_000));
  const stream = new Stream(wsUrl);
  await stream.next();
  stream.send({ type: "ack", seq: 1 });
  expect(await stream.closed).toBe(1013);
  expect(stream.finals).toEqual([]);
  const rest = await play(wsUrl, { after: stream.audio.length });
  expectComplete(rest, stream.audio.length);
  const whole = await play(wsUrl);
  expect(sha256(Buffer.concat([stream.bytes, rest.bytes]))).toBe(sha256(whole.bytes));
  await impatient.stop();
});
