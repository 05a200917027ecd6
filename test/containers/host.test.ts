/** What passes through a container's host: streams both ways at once, aborts at every moment, its load. */
import { request as httpRequest } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { EnvelopeDecoder, encodeAudio, encodeEnd, encodeEvent } from "../../protocol/envelope.ts";
import { LOAD_HEADER } from "../../worker/upstreams/containers/kinds.ts";
import { longText } from "../support/session.ts";
import { containersOf, docker } from "./docker.ts";
import { startWithContainers, type ContainerGateway } from "./stack.ts";

let gateway: ContainerGateway;

beforeAll(async () => {
  gateway = await startWithContainers({}, "test/containers/host-worker.ts");
  await Promise.all(["transcoder", "espeak", "coqui"].map(awake));
});

afterAll(() => gateway?.remove());

async function awake(name: string): Promise<void> {
  while (!(await fetch(`${gateway.url}/${name}/readyz`)).ok) await sleep(500);
}

async function info(name: string): Promise<Record<string, number>> {
  return (await (await fetch(`${gateway.url}/${name}/v1/info`)).json()) as Record<string, number>;
}

async function until(isTrue: () => boolean | Promise<boolean>, ms: number): Promise<number> {
  const started = performance.now();
  while (!(await isTrue())) {
    if (performance.now() - started > ms) throw new Error(`not within ${ms} ms`);
    await sleep(10);
  }
  return Math.round(performance.now() - started);
}

function synthesize(name: string, voice: string, text: string, query = ""): Promise<Response> {
  const body = JSON.stringify({ text, voice });
  const headers = { "content-type": "application/json" };
  return fetch(`${gateway.url}/${name}/v1/synthesize${query}`, { method: "POST", headers, body });
}

/** Asks for speech and gives it up after so many ms. */
async function abortSpeech(text: string, afterMs: number): Promise<{ status: number; bytes: number; error: string }> {
  const answer = await synthesize("coqui", "coqui-en-1", text, `?abort_after_ms=${afterMs}`);
  return (await answer.json()) as { status: number; bytes: number; error: string };
}

describe("an abort reaches the process in the container", () => {
  it("before the response's headers", async () => {
    const [name] = await containersOf("Espeak");
    const request = httpRequest(`${gateway.url}/espeak/v1/synthesize?abort_after_ms=3000`, {
      method: "POST",
      headers: { "content-type": "application/json", "content-length": 100 },
    });
    request.on("error", () => {});
    request.write('{"text":'); // the engine waits for the rest, and answers nothing
    const aborted = async () => (await docker("logs", name!)).includes('"aborted":true');
    const started = Date.now();
    await sleep(1_000);
    expect(await aborted()).toBe(false);
    await sleep(started + 3_000 - Date.now());
    console.log(`an abort before the headers was in the engine's log after ${await until(aborted, 5_000)} ms`);
    request.destroy();
  });

  it("after the headers, before the first audio", async () => {
    const speaking = abortSpeech(longText(4_000), 4_000);
    await until(async () => (await info("coqui")).syntheses_active === 1, 3_000);
    const waiting = abortSpeech("Never heard.", 500);
    await until(async () => (await info("coqui")).queued === 1, 500);
    const { status } = await waiting;
    expect(status).toBe(200);
    const ms = await until(async () => (await info("coqui")).queued === 0, 2_000);
    console.log(`an abort before the first audio was out of the engine's queue ${ms} ms later`);
    expect((await info("coqui")).syntheses_active).toBe(1);
    await speaking;
    await until(async () => (await info("coqui")).syntheses_active === 0, 5_000);
  });

  it("in the middle of the audio", async () => {
    const { bytes, error } = await abortSpeech(longText(4_000), 3_000);
    expect(bytes).toBeGreaterThan(1_000);
    expect(error).toMatch(/abort|timeout/i);
    const ms = await until(async () => (await info("coqui")).syntheses_active === 0, 5_000);
    console.log(`an abort in the middle had stopped the synthesis ${ms} ms later`);
  });
});

async function loadOf(name: string): Promise<number> {
  return Number((await fetch(`${gateway.url}/${name}/healthz`)).headers.get(LOAD_HEADER));
}

describe("a host", () => {
  it("passes a request's body and the response's at the same time, piece by piece", async () => {
    const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
    const writer = writable.getWriter();
    const answering = fetch(`${gateway.url}/transcoder/v1/transcode?format=pcm16&sample_rate=8000`, {
      method: "POST",
      body: readable,
      duplex: "half",
    });
    await writer.write(encodeEvent({ type: "format", sample_rate: 16_000 }));
    const answer = await answering; // with the request still open
    const envelopes = new EnvelopeDecoder();
    let samples = 0;
    let isOver = false;
    void (async () => {
      for await (const bytes of answer.body!) {
        for (const envelope of envelopes.push(bytes)) if (envelope.type === "audio") samples += envelope.samples;
      }
      isOver = true;
    })();
    const waits: number[] = [];
    for (let i = 1; i <= 20; i++) {
      await writer.write(encodeAudio(1_600, new Uint8Array(3_200)));
      waits.push(await until(() => samples >= i * 800 - 320, 2_000));
    }
    await writer.write(encodeEnd());
    await writer.close();
    await until(() => isOver, 2_000);
    expect(samples).toBe(16_000);
    console.log(`100 ms of audio came back encoded after ${waits.toSorted((a, b) => a - b)[10]} ms (median of 20)`);
  });

  it("says with every answer how busy its container is", async () => {
    expect(await loadOf("coqui")).toBe(0);
    const speaking = abortSpeech(longText(4_000), 2_000);
    await until(async () => (await loadOf("coqui")) > 0, 1_000);
    await speaking;
    await until(async () => (await loadOf("coqui")) === 0, 5_000);
  });

  it("starts a container that was killed again for the next request", async () => {
    const [name] = await containersOf("Espeak");
    const answer = await synthesize("espeak", "en-us", longText(2_900));
    await docker("kill", name!);
    await answer.arrayBuffer().catch(() => {});
    const started = performance.now();
    await awake("espeak");
    console.log(`a killed container was ready again after ${Math.round(performance.now() - started)} ms`);
    expect(await info("espeak")).toMatchObject({ syntheses_started: 0 });
  });
});
