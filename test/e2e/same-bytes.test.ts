import { describe, expect, it } from "vitest";
import { FORMATS } from "../../protocol/formats.ts";
import { between, seeded, type Random } from "../support/random.ts";
import {
  createSession,
  expectComplete,
  longText,
  play,
  sha256,
  speak,
  Stream,
  type AudioMessage,
} from "../support/session.ts";
import { useStack } from "../support/stack.ts";

const stack = useStack();

/** Plays a session through connections that are cut at random messages, each resumed after what came. */
async function playInPieces(wsUrl: string, cuts: number, random: Random): Promise<AudioMessage[]> {
  const audio: AudioMessage[] = [];
  for (let cut = 0; cut < cuts; cut++) {
    const stream = new Stream(wsUrl, { after: audio.length });
    const wanted = between(random, 1, 40);
    await new Promise<void>((resolve) => {
      stream.onAudio = () => {
        if (stream.audio.length === wanted) resolve();
      };
      void stream.closed.then(() => resolve());
    });
    const got = stream.audio.slice(0, wanted);
    stream.socket.terminate();
    await stream.closed;
    audio.push(...got);
    if (stream.final) break;
  }
  const rest = await play(wsUrl, { after: audio.length });
  expectComplete(rest, audio.length);
  return [...audio, ...rest.audio];
}

const bytesOf = (audio: readonly AudioMessage[]) => sha256(Buffer.concat(audio.map(({ data }) => data)));

describe.each(FORMATS)("%s", (format) => {
  it("of mock_tone is the same cut and resumed, to a second listener, and in a second session", async () => {
    const random = seeded(FORMATS.indexOf(format) + 1);
    const request = {
      provider: "mock_tone",
      voice: "en-US-mock-1",
      text: longText(600),
      target_format: format,
      sample_rate_hz: 24_000,
    };
    const { wsUrl } = await createSession(stack.url, request);
    const inPieces = await playInPieces(wsUrl, 5, random);
    inPieces.forEach(({ seq }, i) => expect(seq).toBe(i + 1));
    const again = await play(wsUrl);
    expectComplete(again);
    const other = await speak(stack.url, request, { binary: true });
    expectComplete(other);
    expect(bytesOf(again.audio)).toBe(bytesOf(inPieces));
    expect(bytesOf(other.audio)).toBe(bytesOf(inPieces));
    expect(other.final).toEqual(again.final);
  });

  it("of espeak is the same cut and resumed, and to a second listener of the session", async () => {
    const random = seeded(FORMATS.indexOf(format) + 101);
    const request = { provider: "espeak", voice: "en-us", text: longText(400), target_format: format };
    const { wsUrl } = await createSession(stack.url, request);
    const inPieces = await playInPieces(wsUrl, 4, random);
    inPieces.forEach(({ seq }, i) => expect(seq).toBe(i + 1));
    const again = await play(wsUrl);
    expectComplete(again);
    expect(bytesOf(again.audio)).toBe(bytesOf(inPieces));
  });
});

it("goes on from the live stream when a second connection takes it over", async () => {
  const request = { provider: "mock_tone", voice: "en-US-mock-paced", text: longText(60), target_format: "opus" };
  const { wsUrl } = await createSession(stack.url, request);
  const first = new Stream(wsUrl);
  while (first.audio.length < 10) await first.next();
  const second = new Stream(wsUrl, { after: 4 });
  expect(await first.closed).toBe(4001);
  await second.closed;
  expectComplete(second, 4);
  const again = await play(wsUrl);
  expect(bytesOf([...again.audio.slice(0, 4), ...second.audio])).toBe(bytesOf(again.audio));
  for (const { seq, data } of first.audio) expect(data.equals(again.audio[seq - 1]!.data)).toBe(true);
});
