/** What the gateway asks engines about themselves while many sessions are created. */
import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { startGateway, type RunningGateway } from "../support/gateway.ts";
import { post } from "../support/session.ts";

const ANSWERS: Record<string, object> = {
  "/v1/info": { sample_rate: 16_000, max_chars: 1_000 },
  "/v1/voices": { voices: [{ id: "fake", name: "Fake", language: "en-US" }] },
};

/** A catalog is asked for by one request to each of these. */
const REQUESTS_FOR_A_CATALOG = Object.keys(ANSWERS).length;

/** An engine that takes requests and does not answer them before it is told to. */
class HungEngine {
  readonly #server = createServer((request, response) => {
    this.asked++;
    this.#open.set(response, request.url ?? "");
    this.mostOpen = Math.max(this.mostOpen, this.#open.size);
    response.once("close", () => this.#open.delete(response));
  });
  readonly #open = new Map<ServerResponse, string>();
  asked = 0;
  mostOpen = 0;

  async start(): Promise<string> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  answer(): void {
    for (const [response, path] of this.#open) {
      response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(ANSWERS[path]));
    }
  }

  stop(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}

describe("creations that need the voices of an engine that hangs", () => {
  let engine: HungEngine;
  let gateway: RunningGateway;
  const request = { provider: "coqui_tts", voice: "fake", text: "Hello there." };

  beforeAll(async () => {
    engine = new HungEngine();
    gateway = await startGateway({ COQUI_URL: await engine.start() });
  });

  afterAll(async () => {
    await gateway?.stop();
    engine?.stop();
  });

  beforeEach(() => Object.assign(engine, { asked: 0, mostOpen: 0 }));

  it("ask it once, all 200 of them, and all go on when it answers, though the first client has left", async () => {
    const first = new AbortController();
    const leaving = fetch(`${gateway.url}/v1/tts/sessions`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(request),
      signal: first.signal,
    }).catch(() => "left");
    await expect.poll(() => engine.asked).toBe(REQUESTS_FOR_A_CATALOG);
    const creations = Array.from({ length: 200 }, () =>
      post(gateway.url, request).then(({ status }) => status, String),
    );
    // It is told after 2 s that the engine does not answer; by then all creations have arrived.
    const voices = await fetch(`${gateway.url}/v1/voices?provider=coqui_tts`);
    expect(await voices.json()).toEqual({ voices: [] });
    first.abort();
    expect(await leaving).toBe("left");
    const readiness = await (await fetch(`${gateway.url}/readyz`)).json();
    expect(readiness).toMatchObject({ upstreams: { coqui_tts: { status: "down" } } });
    expect(engine.mostOpen).toBe(REQUESTS_FOR_A_CATALOG);
    engine.answer();
    expect(new Set(await Promise.all(creations))).toEqual(new Set([201]));
    expect(engine.asked).toBe(REQUESTS_FOR_A_CATALOG);
  });
});
