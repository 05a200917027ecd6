import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { encodeAudio, encodeEnd, encodeEvent } from "../../../protocol/envelope.ts";
import { transcode } from "../../../worker/upstreams/transcoder.ts";
import { upstreamAt } from "../../../worker/upstreams/upstream.ts";
import { collect, concat, each } from "../bytes.ts";
import { bodyOf, breakOff, fakeServer, json, stall, stream, type Answer } from "../fake-server.ts";

const never = new AbortController().signal;
const target = { format: "mp3", sampleRateHz: 22_050, inputRateHz: 22_050 } as const;
const source = () => each([Uint8Array.of(1, 2), Uint8Array.of(3)]);
const packet = encodeAudio(576, Uint8Array.of(9, 9));

beforeEach(() => void vi.spyOn(console, "log").mockImplementation(() => {}));
afterEach(() => void vi.restoreAllMocks());

async function transcoded(answer: Answer, waitMs = 0, signal = never) {
  await using server = await fakeServer(answer);
  return await collect(transcode(server, target, source, { waitMs, stallMs: 5_000 }, signal));
}

/** A tape that is still being written. */
async function* live() {
  yield Uint8Array.of(1);
  await new Promise(() => {});
}

describe("transcoding", () => {
  it("sends the tape and yields the packets with their media time", async () => {
    let asked = "";
    let sent: Uint8Array | undefined;
    const packets = await transcoded(async (request, response) => {
      asked = request.url!;
      sent = await bodyOf(request);
      await stream(
        encodeEvent({ type: "format", sample_rate: 22_050, delay: 1_105 }),
        packet,
        packet,
        encodeEnd(),
      )(request, response);
    });
    expect(asked).toBe("/v1/transcode?format=mp3&sample_rate=22050");
    expect(sent).toEqual(Uint8Array.of(1, 2, 3));
    expect(packets).toMatchObject([
      { samples: 576, data: Uint8Array.of(9, 9) },
      { samples: 576, data: Uint8Array.of(9, 9) },
    ]);
  });

  it("yields a packet while the tape is still being written", async () => {
    await using server = await fakeServer((request, response) => {
      response.writeHead(200).flushHeaders();
      request.on("data", () => response.write(packet));
    });
    const controller = new AbortController();
    const packets = transcode(server, target, live, { waitMs: 0, stallMs: 5_000 }, controller.signal);
    expect((await packets.next()).value).toMatchObject({ samples: 576 });
    controller.abort(new Error("enough"));
    await expect(packets.next()).rejects.toThrow("enough");
    await vi.waitFor(() => expect(server.abandoned).toBe(1));
  });

  it("waits for a transcoder that is not there yet, and starts again from the tape's beginning", async () => {
    let tries = 0;
    let sent: Uint8Array | undefined;
    const packets = await transcoded(async (request, response) => {
      if (++tries < 3) return json({}, 503)(request, response);
      sent = await bodyOf(request);
      return stream(packet, encodeEnd())(request, response);
    }, 5_000);
    expect(packets).toHaveLength(1);
    expect(sent).toEqual(concat([Uint8Array.of(1, 2), Uint8Array.of(3)]));
  });

  it("gives up when none comes in time, and says when to come again", async () => {
    const started = performance.now();
    const nobody = transcode(upstreamAt("http://127.0.0.1:1"), target, source, { waitMs: 600, stallMs: 5_000 }, never);
    await expect(collect(nobody)).rejects.toMatchObject({
      failure: { reason: "transcoder_unavailable", retryAfterMs: 2_000 },
    });
    expect(performance.now() - started).toBeLessThan(700);
    await expect(transcoded(json({}, 503), 300)).rejects.toMatchObject({
      failure: { reason: "transcoder_unavailable" },
    });
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
    const packets = transcode(server, target, source, { waitMs: 0, stallMs: 5_000 }, never);
    await packets.next();
    await packets.return(undefined);
    await vi.waitFor(() => expect(server.abandoned).toBe(1));
  });
});
