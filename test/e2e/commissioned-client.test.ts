import { expect, it } from "vitest";
import { WebSocket } from "ws";
import { useStack } from "../support/stack.ts";

const stack = useStack();

/** The six fields of the commissioned API's own example, and no others. */
const EXAMPLE = {
  provider: "mock_tone",
  voice: "en-US-mock-1",
  text: "Hello from the commissioned client.",
  target_format: "pcm16",
  sample_rate_hz: 16_000,
  language: "en-US",
};

it.each(["pcm16", "mulaw", "opus", "mp3", "wav"])(
  "a client of the commissioned contract gets %s as it always did",
  async (format) => {
    const response = await fetch(`${stack.url}/v1/tts/sessions`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ ...EXAMPLE, target_format: format }),
    });
    expect(response.status).toBe(201);
    const session = (await response.json()) as { session_id: string; ws_url: string };
    expect(Object.keys(session).toSorted()).toEqual(["session_id", "ws_url"]);

    // It knows three types of message, and takes any other for an error.
    const socket = new WebSocket(session.ws_url);
    const seqs: number[] = [];
    let bytes = 0;
    const eos = await new Promise<Record<string, unknown>>((resolve, reject) => {
      socket.on("error", reject);
      socket.on("message", (data: Buffer, isBinary: boolean) => {
        if (isBinary) return reject(new Error("a binary frame"));
        const message = JSON.parse(data.toString()) as Record<string, unknown>;
        if (message.type === "audio") {
          seqs.push(message.seq as number);
          bytes += Buffer.from(message.data as string, "base64").length;
        } else if (message.type === "eos") resolve(message);
        else reject(new Error(JSON.stringify(message)));
      });
    });
    expect(seqs).toEqual(seqs.map((_, i) => i + 1));
    expect(eos).toMatchObject({ seq: seqs.length, bytes });
    expect(bytes).toBeGreaterThan(1000);
  },
);

it.each(["mock_tone", "espeak"])(
  "a page that takes the first voice of %s and asks for en-US is served",
  async (provider) => {
    const response = await fetch(`${stack.url}/v1/voices?provider=${provider}`);
    const { voices } = (await response.json()) as { voices: { id: string }[] };
    const created = await fetch(`${stack.url}/v1/tts/sessions`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ ...EXAMPLE, provider, voice: voices[0]!.id }),
    });
    expect(created.status).toBe(201);
  },
);

it("what a client claims to be a proxy's word changes nothing, unless the gateway is told to trust it", async () => {
  const response = await fetch(`${stack.url}/v1/tts/sessions`, {
    method: "POST",
    headers: { "content-type": "application/json", "x-forwarded-proto": "https" },
    body: JSON.stringify(EXAMPLE),
  });
  expect(((await response.json()) as { ws_url: string }).ws_url).toMatch(/^ws:/);
});

it("an error over HTTP has the detail that such a client reads", async () => {
  const response = await fetch(`${stack.url}/v1/tts/sessions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ ...EXAMPLE, text: "" }),
  });
  expect(response.status).toBe(400);
  expect(((await response.json()) as { detail: string }).detail).toBe("text: must not be blank");
});
