import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startGateway, type RunningGateway } from "../support/gateway.ts";
import { startTranscoderProcess, type RunningService } from "../support/processes.ts";
import { createSession, expectComplete, longText, play, sha256, Stream } from "../support/session.ts";

let transcoder: RunningService;
let usual: RunningGateway;

beforeAll(async () => {
  transcoder = await startTranscoderProcess();
  usual = await startGateway({ TRANSCODER_URL: transcoder.url });
});

afterAll(async () => {
  await usual?.stop();
  await transcoder?.stop();
});

const requestOf = (format: string) => ({
  provider: "mock_tone",
  voice: "en-US-mock-1",
  text: longText(300),
  target_format: format,
});

describe.each([{ LEAD_MS: 0 }, { LEAD_MS: 1 }, { WINDOW_BYTES: 1 }, { LEAD_MS: 0, WINDOW_BYTES: 1 }])(
  "with %j",
  (settings) => {
    it("every stream comes to its end, the same as ever, to a client that acks and to one that does not", async () => {
      const gateway = await startGateway({ TRANSCODER_URL: transcoder.url, ...settings });
      for (const format of ["pcm16", "mp3", "opus", "flac"]) {
        const whole = await play((await createSession(usual.url, requestOf(format))).wsUrl);
        for (const isAcking of [false, true]) {
          const stream = new Stream((await createSession(gateway.url, requestOf(format))).wsUrl);
          if (isAcking) stream.onAudio = ({ seq }) => stream.send({ type: "ack", seq });
          await stream.closed;
          expect(expectComplete(stream)).toEqual(whole.final);
          expect(sha256(stream.bytes)).toBe(sha256(whole.bytes));
        }
      }
      await gateway.stop();
    });
  },
);
