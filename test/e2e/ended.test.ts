import { once } from "node:events";
import { createServer } from "node:http";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { FORMATS } from "../../protocol/formats.ts";
import { startGateway, type RunningGateway } from "../support/gateway.ts";
import { startTranscoderProcess, workerdBytes, type RunningService } from "../support/processes.ts";
import { report } from "../support/report.ts";
import { createSession, expectComplete, longText, play, sha256, type Stream } from "../support/session.ts";

const MB = 1024 * 1024;

let transcoder: RunningService;
let gateway: RunningGateway;

beforeAll(async () => {
  transcoder = await startTranscoderProcess();
  gateway = await startGateway({ TRANSCODER_URL: transcoder.url });
});

afterAll(async () => {
  await gateway?.stop();
  await transcoder?.stop();
});

const request = { provider: "mock_tone", voice: "en-US-mock-1" };

describe("a session that has ended", () => {
  it("does not keep its audio in memory, however often it is heard", async () => {
    const pcm = { ...request, text: longText(1_000), target_format: "pcm16", sample_rate_hz: 16_000 };
    const round = async (sessions: number) => {
      let bytes = 0;
      for (let i = 0; i < sessions; i++) {
        const { wsUrl } = await createSession(gateway.url, pcm);
        for (let heard = 0; heard < 2; heard++) bytes += (await play(wsUrl, { binary: true })).bytes.length;
      }
      return bytes / 2;
    };
    await round(60);
    const before = await workerdBytes(gateway.child.pid!);
    const bytes = await round(120);
    const grown = (await workerdBytes(gateway.child.pid!)) - before;
    report(`120 ended sessions of ${Math.round(bytes / MB)} MB: workerd has ${Math.round(grown / MB)} MB more`);
    expect(bytes).toBeGreaterThan(200 * MB);
    // workerd's heap itself grows for some hundred sessions more, and then no further (seen up to 360).
    expect(grown).toBeLessThan(bytes);
  });

  it("needs no encoder to be heard again, from the start, from the middle or from its last message", async () => {
    const wholes = await Promise.all(
      FORMATS.map(async (format): Promise<[string, Stream]> => {
        const text = longText(200);
        const { wsUrl } = await createSession(gateway.url, {
          ...request,
          text,
          target_format: format,
          sample_rate_hz: 24_000,
        });
        const whole = await play(wsUrl);
        expectComplete(whole);
        return [wsUrl, whole];
      }),
    );
    await transcoder.stop();
    let requests = 0;
    const counting = createServer((_, response) => void (requests++, response.writeHead(503).end()));
    await once(counting.listen(Number(new URL(transcoder.url).port), "127.0.0.1"), "listening");
    for (const [wsUrl, whole] of wholes) {
      const last = whole.audio.length;
      for (const after of [0, Math.floor(last / 2), last]) {
        const again = await play(wsUrl, { after });
        expectComplete(again, after);
        expect(sha256(again.bytes)).toBe(sha256(Buffer.concat(whole.audio.slice(after).map(({ data }) => data))));
      }
    }
    expect(requests).toBe(0);
    counting.closeAllConnections();
    counting.close();
  });
});
