import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { encodeAudio, encodeEnd, encodeEvent, EnvelopeDecoder } from "../../../protocol/envelope.ts";
import { PcmBuffer } from "../../../worker/upstreams/pcm-buffer.ts";
import { transcode, type TranscoderLimits } from "../../../worker/upstreams/transcoder.ts";
import { upstreamAt, type Upstream } from "../../../worker/upstreams/upstream.ts";
import { collect, countingPcm } from "../bytes.ts";
import { bodyOf, breakOff, fakeServer, json, stall, stream, type Answer } from "../fake-server.ts";

const never = new AbortController().signal;
const RATE = 22_050;
const target = { format: "mp3", sampleRateHz: RATE } as const;
const format = encodeEvent({ type: "format", sample_rate: RATE, delay: 1_105, frame: 576 });
const packet = encodeAudio(576, Uint8Array.of(9, 9));

beforeEach(() => void vi.spyOn(console, "log").mockImplementation(() => {}));
afterEach(() => void vi.restoreAllMocks());

/** PCM from sample 441 on. */
function pcmOf(samples: number, isFinished = true): PcmBuffer {
  const pcm = new PcmBuffer(RATE, 441);
  pcm.push(countingPcm(samples, 441));
  if (isFinished) pcm.finish();
  return pcm;
}

function ask(upstream: Upstream | undefined, pcm: PcmBuffer, limits: Partial<TranscoderLimits> = {}, signal = never) {
  const point = { inputSample: 441, outputSample: 1_152, lastPacket: undefined };
  return transcode(upstream, target, pcm, point, { waitMs: 0, stallMs: 5_000, ...limits }, signal);
}

async function transcoded(answer: Answer, waitMs = 0, signal = never) {
  await using server = await fakeServer(answer);
  return await collect(ask(server, pcmOf(100), { waitMs }, signal));
}

/** What a server was sent. */
const envelopesIn = (body: Uint8Array) => [...new EnvelopeDecoder().push(body)];

describe("transcoding", () => {
  it("says where the stream goes on, sends its PCM, and yields the format and the packets with their media time", async () => {
    let asked = "";
    let sent: unknown;
    const packets = await transcoded(async (request, response) => {
      asked = request.url!;
      sent = envelopesIn(await bodyOf(request));
      await stream(format, packet, packet, encodeEnd())(request, response);
    });
    expect(asked).toBe("/v1/transcode?format=mp3&sample_rate=22050&input_sample=441&output_sample=1152");
    expect(sent).toEqual([
      { type: "event", event: { type: "format", sample_rate: RATE } },
      { type: "audio", samples: 100, data: countingPcm(100, 441) },
      { type: "end" },
    ]);
    expect(packets).toEqual([
      { type: "event", event: { type: "format", sample_rate: RATE, delay: 1_105, frame: 576 } },
      { type: "audio", samples: 576, data: Uint8Array.of(9, 9) },
      { type: "audio", samples: 576, data: Uint8Array.of(9, 9) },
    ]);
  });

  it("yields a packet while the PCM is still being made", async () => {
    await using server = await fakeServer((request, response) => {
      response.writeHead(200).flushHeaders();
      request.on("data", () => response.write(packet));
    });
    const controller = new AbortController();
    const packets = ask(server, pcmOf(10, false), {}, controller.signal);
    expect((await packets.next()).value).toMatchObject({ samples: 576 });
    controller.abort(new Error("enough"));
    await expect(packets.next().then(() => packets.next())).rejects.toThrow("enough");
    await vi.waitFor(() => expect(server.abandoned).toBe(1));
  });

  it("waits for a transcoder that is not there yet, and sends it the PCM from the same sample on", async () => {
    const sent: unknown[] = [];
    const packets = await transcoded(async (request, response) => {
      sent.push(envelopesIn(await bodyOf(request))[1]);
      return (sent.length < 3 ? json({}, 503) : stream(packet, encodeEnd()))(request, response);
    }, 5_000);
    expect(packets).toHaveLength(1);
    expect(sent).toEqual(Array.from({ length: 3 }, () => expect.objectContaining({ data: countingPcm(100, 441) })));
  });

  it("sends no more to one that was not ready", async () => {
    const received: number[] = [];
    await using server = await fakeServer((request, response) => {
      const index = received.push(0) - 1;
      response.on("error", () => {});
      request.on("error", () => {}).on("data", (chunk: Uint8Array) => (received[index]! += chunk.length));
      if (index === 0) return json({}, 503)(request, response);
      response.writeHead(200).write(format);
    });
    const pcm = pcmOf(100, false);
    const packets = ask(server, pcm, { waitMs: 5_000 });
    await packets.next();
    const before = received[0];
    pcm.push(countingPcm(5_000));
    await vi.waitFor(() => expect(received[1]).toBeGreaterThan(10_000));
    expect(received[0]).toBe(before);
    await packets.return(undefined);
  });

  it("gives up when none comes in time, and says when to come again", async () => {
    const started = performance.now();
    const unavailable = { failure: { reason: "transcoder_unavailable", retryAfterMs: 2_000 } };
    const nobody = ask(upstreamAt("http://127.0.0.1:1"), pcmOf(100), { waitMs: 600 });
    await expect(collect(nobody)).rejects.toMatchObject(unavailable);
    expect(performance.now() - started).toBeLessThan(700);
    await expect(transcoded(json({}, 503), 300)).rejects.toMatchObject(unavailable);
    await expect(collect(ask(undefined, pcmOf(100), { waitMs: 60_000 }))).rejects.toMatchObject(unavailable);
  });

  it("gives up one that takes the connection and says nothing", async () => {
    await using server = await fakeServer(() => {});
    await expect(collect(ask(server, pcmOf(100), { waitMs: 300 }))).rejects.toMatchObject({
      failure: { reason: "transcoder_unavailable" },
    });
    await vi.waitFor(() => expect(server.abandoned).toBe(server.asked.length));
  });

  it("stops waiting when it is aborted", async () => {
    const controller = new AbortController();
    setTimeout(() => controller.abort(new Error("enough")), 50);
    await expect(transcoded(json({}, 503), 60_000, controller.signal)).rejects.toThrow("enough");
  });

  it.each([
    ["refuses the stream", json({ error: { reason: "bad_format", message: "secret" } }, 400)],
    ["fails in the middle", stream(packet, encodeEnd({ reason: "x", message: "secret", retryable: false }))],
    ["is cut without an end", stream(packet)],
    ["breaks the connection", breakOff(packet)],
    ["sends what is no envelope", stream(Uint8Array.of(7, 7, 7, 7, 7, 7))],
  ])("fails, and tells no detail, when the transcoder %s", async (_, answer) => {
    const failure = await transcoded(answer, 5_000).catch((error: unknown) => error);
    expect(failure).toMatchObject({ failure: { reason: "transcoder_failed" } });
    expect(JSON.stringify((failure as { failure: unknown }).failure)).not.toContain("secret");
  });

  it("is over upstream when its reader leaves early", async () => {
    await using server = await fakeServer(stall(packet, packet));
    const packets = ask(server, pcmOf(100));
    await packets.next();
    await packets.return(undefined);
    await vi.waitFor(() => expect(server.abandoned).toBe(1));
  });
});

describe("a transcoder that gives nothing back", () => {
  it("is given up when it owes audio: all of the PCM, or a second of it, is there", async () => {
    for (const pcm of [pcmOf(10), pcmOf(RATE, false)]) {
      await using server = await fakeServer(stall(format, packet));
      await expect(collect(ask(server, pcm, { stallMs: 60 }))).rejects.toMatchObject({
        failure: { reason: "transcoder_failed" },
      });
      await vi.waitFor(() => expect(server.abandoned).toBe(1));
    }
  });

  it("is not given up while it owes nothing, however long that is; then it has its time again", async () => {
    await using server = await fakeServer(stall(format));
    const pcm = pcmOf(RATE - 1, false);
    const packets = ask(server, pcm, { stallMs: 100 });
    await packets.next();
    let isOver = false;
    const next = packets.next().catch((error: unknown) => error);
    void next.then(() => (isOver = true));
    await new Promise((resolve) => setTimeout(resolve, 350));
    expect(isOver).toBe(false);
    pcm.push(countingPcm(1));
    expect(await next).toMatchObject({ failure: { reason: "transcoder_failed" } });
  });

  it("is not given up while nobody takes what it has given", async () => {
    await using server = await fakeServer(stream(format, packet, packet, encodeEnd()));
    const packets = ask(server, pcmOf(RATE), { stallMs: 50 });
    await packets.next();
    await packets.next();
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(await collect(packets)).toHaveLength(1);
  });
});
