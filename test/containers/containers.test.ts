import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { AudioFormat } from "../../protocol/formats.ts";
import { decodeStream } from "../support/decode-stream.ts";
import { createSession, expectComplete, longText, Stream, type SessionRequest } from "../support/session.ts";
import { rms } from "../transcoder/signal.ts";
import { containersOf, docker, type Kind } from "./docker.ts";
import { startWithContainers, type ContainerGateway } from "./stack.ts";

/** How long containers that nobody uses are kept here, in ms. */
const IDLE_MS = 20_000;

let gateway: ContainerGateway;

beforeAll(async () => {
  // On a busy machine Coqui's container takes half a minute to come back.
  gateway = await startWithContainers({ CONTAINER_IDLE_MS: IDLE_MS, FIRST_AUDIO_TIMEOUT_MS: 60_000 });
});

afterAll(() => gateway?.remove());

const TEXT =
  "Every word is a note, and the notes follow one another. The second sentence goes on where the first ended!";

const SPEAKERS = [
  { provider: "mock_tone", voice: "en-US-mock-1", kind: undefined },
  { provider: "espeak", voice: "en-us", kind: "Espeak" },
  { provider: "coqui_tts", voice: "coqui-en-1", kind: "Coqui" },
] as const;

const FORMATS: AudioFormat[] = ["mp3", "opus"];

interface Spoken {
  stream: Stream;
  /** From the POST to the first audio, in ms. */
  firstAudioMs: number;
}

/** A container that takes its time to start answers "not ready", and is asked again: on a busy machine Coqui's does. */
async function createPatiently(request: SessionRequest): Promise<{ wsUrl: string }> {
  for (const deadline = Date.now() + 120_000; ;) {
    try {
      return await createSession(gateway.url, request);
    } catch (error) {
      if (!String(error).includes("not_ready") || Date.now() > deadline) throw error;
      await sleep(1_000);
    }
  }
}

async function speakTimed(
  { provider, voice }: { provider: string; voice: string },
  format: AudioFormat,
): Promise<Spoken> {
  const started = performance.now();
  const request = { provider, voice, text: TEXT, target_format: format, sample_rate_hz: 24_000 };
  const stream = new Stream((await createPatiently(request)).wsUrl);
  await stream.next();
  const firstAudioMs = Math.round(performance.now() - started);
  await stream.closed;
  return { stream, firstAudioMs };
}

async function until(isTrue: () => Promise<boolean>, seconds: number): Promise<void> {
  const deadline = Date.now() + seconds * 1_000;
  while (!(await isTrue())) {
    if (Date.now() > deadline) throw new Error(`not within ${seconds} s`);
    await sleep(100);
  }
}

describe.each(SPEAKERS)("$provider in containers", (speaker) => {
  it.each(FORMATS)("to %s is complete, in order and heard; from a cold start and from a warm one", async (format) => {
    const runs: Spoken[] = [];
    for (let i = 0; i < 2; i++) runs.push(await speakTimed(speaker, format));
    for (const { stream } of runs) {
      const eos = expectComplete(stream);
      const { samples, sampleRateHz } = await decodeStream(format, stream.bytes, 24_000);
      const decodedMs = (samples.length * 1_000) / sampleRateHz;
      expect(Math.abs(decodedMs - eos.duration_ms)).toBeLessThan(110);
      expect(rms(samples)).toBeGreaterThan(0);
    }
    const [first, second] = runs.map(({ firstAudioMs }) => firstAudioMs);
    console.log(`${speaker.provider} to ${format}: first audio after ${first} ms, then after ${second} ms`);
  });
});

describe.each<[Kind, string, (typeof SPEAKERS)[number]]>([
  ["Transcoder", "transcoder", SPEAKERS[0]],
  ["Espeak", "engines/espeak", SPEAKERS[1]],
  ["Coqui", "engines/coqui", SPEAKERS[2]],
])("the container of %s", (kind, folder, speaker) => {
  it("is healthy by its own check, and not run by root", async () => {
    await speakTimed(speaker, "mp3");
    const [name] = await containersOf(kind);
    const dockerfile = await readFile(new URL(`../../${folder}/Dockerfile`, import.meta.url), "utf8");
    const [, command] = /^HEALTHCHECK [\s\S]*?CMD (\[.*\])$/m.exec(dockerfile)!;
    await docker("exec", name!, ...(JSON.parse(command!) as string[]));
    expect(Number(await docker("exec", name!, "id", "-u"))).toBeGreaterThan(0);
  });
});

describe("a container", () => {
  it.each<[Kind, (typeof SPEAKERS)[number]]>([
    ["Transcoder", SPEAKERS[0]],
    ["Espeak", SPEAKERS[1]],
    ["Coqui", SPEAKERS[2]],
  ])("of %s that is killed in the middle of use is back for the next session", async (kind, speaker) => {
    expectComplete((await speakTimed(speaker, "mp3")).stream);
    const { provider, voice } = speaker;
    const request = { provider, voice, text: longText(90_000), target_format: "mp3", sample_rate_hz: 24_000 };
    const stream = new Stream((await createPatiently(request)).wsUrl);
    await stream.next();
    const [name] = await containersOf(kind);
    await docker("kill", name!);
    const started = performance.now();
    const next = await speakTimed(speaker, "mp3");
    expect(expectComplete(next.stream).duration_ms).toBeGreaterThan(1_000);
    console.log(`${kind} killed: the next session ended ${Math.round(performance.now() - started)} ms later`);
    stream.send({ type: "cancel" });
    await stream.closed;
    expect(stream.finals).toHaveLength(1);
    expect((await containersOf(kind)).length).toBeGreaterThan(0);
  });

  it("is stopped when nobody has asked for a while, and started again", async () => {
    await until(async () => (await containersOf("Espeak")).length === 0, (IDLE_MS / 1_000) * 2);
    expect(expectComplete((await speakTimed(SPEAKERS[1], "mp3")).stream).duration_ms).toBeGreaterThan(1_000);
  });
});
