import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startGateway, type RunningGateway } from "../support/gateway.ts";
import { startTranscoderProcess, type RunningService } from "../support/processes.ts";
import { DEFAULT_REGION } from "../../worker/upstreams/region.ts";
import { createSession, expectComplete, play, post } from "../support/session.ts";

describe("where containers could be, but are not", () => {
  let transcoder: RunningService;
  let gateway: RunningGateway;

  beforeAll(async () => {
    transcoder = await startTranscoderProcess();
    gateway = await startGateway({ CONTAINERS: "on", TRANSCODER_URL: transcoder.url });
  });

  afterAll(async () => {
    await gateway?.stop();
    await transcoder?.stop();
  });

  it("an engine without an address is absent, and the gateway ready", async () => {
    const response = await fetch(`${gateway.url}/readyz`);
    expect(await response.json()).toEqual({
      status: "ready",
      upstreams: {
        transcoder: { status: "ready" },
        mock_tone: { status: "ready", circuit: "closed" },
        espeak: { status: "absent", circuit: "closed" },
        coqui_tts: { status: "absent", circuit: "closed" },
      },
    });
    expect(response.status).toBe(200);
  });

  it("an engine that would run in every region has a circuit for each", async () => {
    const circuits = () => gateway.logs.filter(({ event }) => event === "circuit");
    const { wsUrl } = await createSession(gateway.url, {
      provider: "espeak",
      voice: "en-us",
      text: "Hello",
      fallback: [{ provider: "mock_tone", voice: "en-US-mock-1" }],
    });
    expectComplete(await play(wsUrl));
    await expect.poll(circuits).toMatchObject([{ circuit: `espeak:${DEFAULT_REGION}`, from: "closed", to: "open" }]);
    const response = await fetch(`${gateway.url}/readyz`);
    const { upstreams } = (await response.json()) as { upstreams: Record<string, unknown> };
    expect(upstreams).toMatchObject({
      espeak: { status: "absent", circuit: "open" },
      mock_tone: { status: "ready", circuit: "closed" },
    });
  });

  it("a request for it is refused", async () => {
    const response = await post(gateway.url, { provider: "espeak", voice: "en-us", text: "Hello" });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ reason: "invalid_request", field: "provider" });
  });
});
