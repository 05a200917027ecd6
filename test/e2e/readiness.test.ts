import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startGateway, type RunningGateway } from "../support/gateway.ts";
import { startTranscoderProcess, type RunningService } from "../support/processes.ts";
import { post } from "../support/session.ts";

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

  it("a request for it is refused", async () => {
    const response = await post(gateway.url, { provider: "espeak", voice: "en-us", text: "Hello" });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ reason: "invalid_request", field: "provider" });
  });
});
