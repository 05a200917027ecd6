/** Streams that go on in the middle, made by the real transcoder and decoded by decoders that share nothing with it. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import {
  encodedRate,
  FORMAT_TRAITS,
  resamplerPeriod,
  resumePoint,
  type AudioFormat,
} from "../../../protocol/formats.ts";
import type { Service } from "../../../service/http-service.ts";
import { startTranscoder } from "../../../transcoder/server.ts";
import { encode, runUpStart } from "../../../worker/upstreams/encoder.ts";
import { PcmBuffer } from "../../../worker/upstreams/pcm-buffer.ts";
import type { Packet } from "../../../worker/upstreams/transcoder.ts";
import { decode } from "../../transcoder/decode.ts";
import { glide } from "../../transcoder/signal.ts";
import { losing } from "./losing-upstream.ts";

const RATE = 22_050;
const SECONDS = 8;
const PCM = new Uint8Array(glide(RATE, SECONDS).buffer);
const never = new AbortController().signal;

let service: Service;
beforeAll(async () => {
  service = await startTranscoder({ port: 0, host: "127.0.0.1" });
});
afterAll(() => service.close(0));
beforeEach(() => void vi.spyOn(console, "log").mockImplementation(() => {}));
afterEach(() => void vi.restoreAllMocks());

type Target = readonly [format: AudioFormat, sampleRateHz: number];

/** The packets of PCM behind those that are there, and what losses cost. */
async function encoded([format, sampleRateHz]: Target, cuts: readonly number[] = [], before: readonly Packet[] = []) {
  const outputSample = samplesOf(before);
  const lastPacket = before.at(-1)?.data;
  const target = { format, sampleRateHz };
  const pcm = new PcmBuffer(RATE, runUpStart(target, RATE, outputSample));
  const transcoder = losing(service.url, cuts);
  const lost: number[] = [];
  const packets: Packet[] = [];
  const speaking = (async () => {
    while (pcm.end * 2 < PCM.length) {
      await pcm.room(never);
      pcm.push(PCM.subarray(pcm.end * 2, pcm.end * 2 + 2_000));
    }
    pcm.finish();
  })();
  const limits = { waitMs: 1_000, stallMs: 2_000 };
  const encoder = { transcoder, target, limits, onLost: (samples: number) => void lost.push(samples) };
  for await (const piece of encode(encoder, pcm, { outputSample, lastPacket }, never))
    if (piece.type === "audio") packets.push(piece);
  await speaking;
  return { packets, lost, asked: transcoder.asked, received: transcoder.received };
}

const bytesOf = (packets: readonly Packet[]) => Buffer.concat(packets.map(({ data }) => data));
const samplesOf = (packets: readonly Packet[]) => packets.reduce((sum, { samples }) => sum + samples, 0);

async function decoded([format, sampleRateHz]: Target, packets: readonly Packet[]) {
  const sample_rate = encodedRate(format, sampleRateHz);
  const stream = { format: { type: "format", sample_rate }, audio: packets, bytes: bytesOf(packets) } as const;
  const { samples } = await decode(format, { ...stream, audio: [...packets], samples: 0, error: undefined });
  return samples.length;
}

const TARGETS: Target[] = [
  ["mp3", 22_050],
  ["aac", 24_000],
  ["opus", 24_000],
  ["flac", 16_000],
  ["mulaw", 8_000],
  ["pcm16", 24_000],
  ["pcm16", 11_111], // its resampler has the same phase again after a second only
  ["wav", 48_000],
];

/** What comes out is the same, bit for bit, whichever encoder made it. */
const isExact = ([format]: Target) => !["mp3", "aac", "opus"].includes(format);

describe.each(TARGETS)("a stream of %s at %i Hz", (...target) => {
  it("whose encoder is lost twice is one stream, of the same packets", async () => {
    const whole = await encoded(target);
    const size = bytesOf(whole.packets).length;
    const { packets, lost, asked } = await encoded(target, [Math.round(size * 0.3), Math.round(size * 0.2)]);
    expect(lost).toHaveLength(2);
    expect(packets.map(({ samples }) => samples)).toEqual(whole.packets.map(({ samples }) => samples));
    if (isExact(target)) expect(bytesOf(packets)).toEqual(bytesOf(whole.packets));
    expect(await decoded(target, packets)).toBe(await decoded(target, whole.packets));
    for (const { searchParams } of asked) {
      const output = Number(searchParams.get("output_sample"));
      const point = resumePoint(...target, RATE, output);
      expect(searchParams.get("input_sample")).toBe(String(point.inputSample));
    }
    const { runUpMs } = FORMAT_TRAITS[target[0]];
    const period = resamplerPeriod(RATE, encodedRate(...target));
    for (const samples of lost) expect(samples).toBeLessThanOrEqual(RATE + (runUpMs * RATE) / 1000 + period);
  });

  it("whose encoder is lost behind its last packet, before it says that it was the last, is whole", async () => {
    const whole = await encoded(target);
    const { packets } = await encoded(target, [whole.received[0]! - 1]);
    expect(bytesOf(packets).equals(bytesOf(whole.packets))).toBe(true);
  });

  it("whose encoder is lost within its last packet has it from another", async () => {
    const whole = await encoded(target);
    const { packets } = await encoded(target, [whole.received[0]! - 12]);
    expect(packets.map(({ samples }) => samples)).toEqual(whole.packets.map(({ samples }) => samples));
    if (isExact(target)) expect(bytesOf(packets).equals(bytesOf(whole.packets))).toBe(true);
  });

  it("goes on in the middle after the loss of its object, which has no PCM any more", async () => {
    const { packets } = await encoded(target);
    for (const share of [0.1, 0.9]) {
      const count = Math.round(packets.length * share);
      const before = packets.slice(0, count);
      const after = await encoded(target, [], before);
      expect(after.lost).toEqual([]);
      const joined = [...before, ...after.packets];
      expect(joined.map(({ samples }) => samples)).toEqual(packets.map(({ samples }) => samples));
      if (isExact(target)) expect(bytesOf(joined)).toEqual(bytesOf(packets));
      expect(await decoded(target, joined)).toBe(await decoded(target, packets));
    }
  });
});
