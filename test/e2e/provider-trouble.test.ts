import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { createSession, expectComplete, play, type Stream } from "../support/session.ts";
import { useTwoEngines } from "../support/two-engines.ts";

const FIRST = "The first sentence is here.";

const ESPEAK = { provider: "espeak", voice: "en-us" };
const FAKE = { provider: "coqui_tts", voice: "fake" };

const parts = useTwoEngines();

describe("a provider that the gateway has no key for", () => {
  const gateway = parts.withGateway(() => ({}));
  const request = { ...FAKE, text: FIRST, target_format: "pcm16" };

  it("is asked once: the log names it, its circuit is open for the others, and another voice can speak", async () => {
    parts.engine.always = "refuse_401";
    const first = await play((await createSession(gateway.url, request)).wsUrl);
    expect(first.final).toMatchObject({ code: 503, reason: "misconfigured" });
    expect(first.closeCode).toBe(1011);
    const { logs } = gateway.gateway;
    await expect.poll(() => logs).toContainEqual(expect.objectContaining({ event: "circuit", to: "open" }));
    const second = await play(
      (await createSession(gateway.url, { ...request, fallback: [ESPEAK] })).wsUrl + "?notices=1",
    );
    expectComplete(second);
    expect(second.notices).toMatchObject([{ reason: "circuit_open", ...ESPEAK }]);
    expect(parts.engine.texts).toEqual([FIRST]);
    const named = logs.filter(({ event }) => event === "provider_misconfigured");
    expect(named).toMatchObject([{ provider: "coqui_tts", status: 401 }]);
    expect(JSON.stringify(logs)).not.toContain("as told");
  });
});

describe("a text that an engine cannot speak", () => {
  const gateway = parts.withGateway(() => ({ CIRCUIT_MINIMUM_CALLS: 2 }));

  it("ends its own session, and keeps nobody else from speaking", async () => {
    parts.engine.always = "not_this_text";
    for (let i = 0; i < 4; i++) {
      const stream = await play((await createSession(gateway.url, { ...FAKE, text: FIRST })).wsUrl);
      expect(stream.final).toMatchObject({ code: 502, reason: "provider_failed" });
    }
    parts.engine.always = "none";
    expectComplete(await play((await createSession(gateway.url, { ...FAKE, text: FIRST })).wsUrl));
  });
});

describe("a provider in trouble", () => {
  const gateway = parts.withGateway(() => ({ CIRCUIT_MINIMUM_CALLS: 6, CIRCUIT_OPEN_MS: 3_000, PROVIDER_ATTEMPTS: 1 }));
  const request = { ...FAKE, text: FIRST, target_format: "pcm16" };
  const readiness = async () => {
    const response = await fetch(`${gateway.url}/readyz`);
    const { upstreams } = (await response.json()) as { upstreams: Record<string, unknown> };
    return { status: response.status, provider: upstreams.coqui_tts };
  };

  it("is asked no more, then probed by one session at a time, and serves again once it is well", async () => {
    parts.engine.always = "fail_500";
    let stream: Stream;
    do stream = await play((await createSession(gateway.url, request)).wsUrl);
    while (stream.final!.reason === "provider_failed");
    const asked = parts.engine.texts.length;
    expect(asked).toBeGreaterThanOrEqual(6);
    expect(stream.final).toMatchObject({ code: 503, reason: "circuit_open" });
    expect(stream.final!.retry_after_ms).toBeGreaterThan(0);
    expect(stream.closeCode).toBe(1013);
    expect(await readiness()).toEqual({
      status: 503,
      provider: { status: "down", reason: "circuit open", circuit: "open" },
    });

    const refused = await Promise.all(
      Array.from({ length: 10 }, async () => play((await createSession(gateway.url, request)).wsUrl)),
    );
    expect(refused.every(({ final }) => final!.reason === "circuit_open")).toBe(true);
    expect(parts.engine.texts).toHaveLength(asked);

    const fallback = [ESPEAK];
    expectComplete(await play((await createSession(gateway.url, { ...request, fallback })).wsUrl));
    expect(parts.engine.texts).toHaveLength(asked);

    // Its time comes; of many at once, one goes through. It fails, and the circuit is open for longer.
    await sleep(3_500);
    const probing = await Promise.all(
      Array.from({ length: 10 }, async () => play((await createSession(gateway.url, request)).wsUrl)),
    );
    expect(probing.filter(({ final }) => final!.reason === "provider_failed")).toHaveLength(1);
    expect(parts.engine.texts).toHaveLength(asked + 1);

    parts.engine.always = "none";
    let attempts = 0;
    do {
      await sleep(500);
      stream = await play((await createSession(gateway.url, request)).wsUrl);
      attempts++;
    } while (stream.final!.type === "error" && attempts < 60);
    expectComplete(stream);
    expect(parts.engine.texts).toHaveLength(asked + 2);
    expect(await readiness()).toEqual({ status: 200, provider: { status: "ready", circuit: "closed" } });
    const changes = gateway.gateway.logs.filter(({ event }) => event === "circuit").map(({ from, to }) => [from, to]);
    expect(changes).toEqual([
      ["closed", "open"],
      ["open", "half_open"],
      ["half_open", "open"],
      ["open", "half_open"],
      ["half_open", "closed"],
    ]);
  });
});
