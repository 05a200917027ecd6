import { messageEnd } from "../../../protocol/message-size.ts";
import { describe, expect, it } from "vitest";
import { MockTone } from "../../../worker/providers/mock-tone.ts";
import type { SpeechPiece } from "../../../worker/providers/provider.ts";
import { collect, concat, samplesOf } from "../bytes.ts";

const never = new AbortController().signal;
const RATE = 16_000;
const mock = new MockTone();
const speak = (text: string, voice = "en-US-mock-1", signal = never) =>
  mock.speak({ text, voice, language: "en-US" }, signal);

function pcm(pieces: SpeechPiece[]): Uint8Array {
  return concat(pieces.flatMap((piece) => (piece.type === "audio" ? [piece.data] : [])));
}

const words = (pieces: SpeechPiece[]) =>
  pieces.flatMap((piece) => (piece.type === "event" && piece.event.type === "word" ? [piece.event] : []));

const TEXT = "The quick brown fox jumps over the lazy dog, again and again.";

describe("a mock tone", () => {
  it("is the same to the sample in every run", async () => {
    expect(await collect(speak(TEXT))).toEqual(await collect(speak(TEXT)));
  });

  it("differs by voice and by text", async () => {
    const tone = pcm(await collect(speak(TEXT)));
    expect(pcm(await collect(speak(TEXT, "en-US-mock-2")))).not.toEqual(tone);
    expect(pcm(await collect(speak(TEXT.replace("fox", "cat"))))).not.toEqual(tone);
  });

  it("announces its rate first, then whole samples", async () => {
    const [first, ...rest] = await collect(speak(TEXT));
    expect(first).toEqual({ type: "event", event: { type: "format", sample_rate: RATE } });
    for (const piece of rest) {
      expect(piece.type === "event" || piece.data.length === piece.samples * 2).toBe(true);
    }
  });

  it("has no jump larger than its own, from note to note and from utterance to utterance", async () => {
    const texts = [TEXT, "Another sentence follows.", "a", TEXT];
    const tones = await Promise.all(texts.map(async (text) => pcm(await collect(speak(text)))));
    const samples = samplesOf(concat(tones));
    const amplitude = samples.reduce((most, sample) => Math.max(most, sample));
    const steepest = 2 * Math.PI * (1 / 30) * amplitude; // the shortest period of its scale has 30 samples
    for (let i = 1; i < samples.length; i++) {
      expect(Math.abs(samples[i]! - samples[i - 1]!)).toBeLessThanOrEqual(steepest + 1);
    }
  });

  it("has a note a word, and says where each begins", async () => {
    const pieces = await collect(speak("Hello, big world"));
    const found = words(pieces);
    expect(found.map(({ start, length }) => "Hello, big world".slice(start, start + length))).toEqual([
      "Hello",
      "big",
      "world",
    ]);
    const total = pcm(pieces).length / 2;
    expect(found[0]!.sample).toBe(0);
    for (const [i, { sample }] of found.entries()) expect(sample).toBeLessThan(found[i + 1]?.sample ?? total);
    const samples = samplesOf(pcm(pieces));
    for (const { sample } of found) expect(samples[sample]).toBe(0); // every note begins a period
  });

  it("says a word before the audio that holds it", async () => {
    let heard = 0;
    const late: SpeechPiece[] = [];
    for await (const piece of speak(TEXT)) {
      if (piece.type === "audio") heard += piece.samples;
      else if (piece.event.type === "word" && piece.event.sample < heard) late.push(piece);
    }
    expect(late).toEqual([]);
  });

  it("lasts about as long as speech", async () => {
    const seconds = pcm(await collect(speak(TEXT))).length / 2 / RATE;
    expect(seconds).toBeGreaterThan(TEXT.length / 20);
    expect(seconds).toBeLessThan(TEXT.length / 10);
  });

  it("is silent without a word", async () => {
    expect(pcm(await collect(speak("... !")))).toHaveLength(0);
  });

  it("of a voice it does not have is refused for good", async () => {
    await expect(collect(speak("Hello", "eve"))).rejects.toMatchObject({ again: "never", reason: "unknown_voice" });
  });

  it("lets other work of its isolate happen", async () => {
    let turns = 0;
    const timer = setInterval(() => turns++, 0);
    await collect(speak("word ".repeat(400)));
    clearInterval(timer);
    expect(turns).toBeGreaterThan(50);
  });
});

describe("the paced voice", () => {
  it("speaks the same samples, in the time they take", async () => {
    const started = performance.now();
    const paced = pcm(await collect(speak("One two", "en-US-mock-paced")));
    const ms = performance.now() - started;
    expect(paced).toEqual(pcm(await collect(speak("One two"))));
    const audioMs = (paced.length / 2 / RATE) * 1000;
    expect(ms).toBeGreaterThanOrEqual(audioMs - 40);
    expect(ms).toBeLessThan(audioMs + 400);
  });

  it("gives its pieces where the messages of its stream end, wherever in the stream it begins", async () => {
    const utterance = { text: "One two three", voice: "en-US-mock-paced", language: "en-US" };
    const place = { startMs: 52.5, streamBeganAt: Date.now() - 52.5 };
    const ends: number[] = [];
    let at = 52.5 * 16; // 52.5 ms
    for await (const piece of new MockTone().speak({ ...utterance, place }, new AbortController().signal)) {
      if (piece.type === "audio") ends.push((at += piece.samples));
    }
    const whole = ends.slice(0, -1);
    expect(whole.slice(0, 4).map((end) => end / 16)).toEqual([80, 140, 220, 320]);
    expect(whole.every((end, i) => i === 0 || end === messageEnd(whole[i - 1]!, 320, RATE))).toBe(true);
  });

  it("makes up for a moment in which its stream was held up, and for no more", async () => {
    const text = "One two three four five six seven"; // 2.2 s
    const took = async (heldUpMs: number) => {
      const place = { startMs: 0, streamBeganAt: Date.now() - heldUpMs };
      const utterance = { text, voice: "en-US-mock-paced", language: "en-US", place };
      const started = performance.now();
      const pieces = await collect(new MockTone().speak(utterance, new AbortController().signal));
      return (pcm(pieces).length / 2 / RATE) * 1000 - (performance.now() - started);
    };
    const [none, some, much] = await Promise.all([took(0), took(500), took(60_000)]);
    expect(some - none).toBeGreaterThan(400);
    expect(some - none).toBeLessThan(600);
    expect(much - none).toBeLessThan(1_100);
  });

  it("gives its first piece at once", async () => {
    const started = performance.now();
    for await (const piece of speak(TEXT, "en-US-mock-paced")) if (piece.type === "audio") break;
    expect(performance.now() - started).toBeLessThan(150);
  });

  it("stops when it is told to", async () => {
    const controller = new AbortController();
    const speaking = collect(speak(TEXT.repeat(50), "en-US-mock-paced", controller.signal));
    setTimeout(() => controller.abort(new Error("enough")), 60);
    const started = performance.now();
    await expect(speaking).rejects.toThrow("enough");
    expect(performance.now() - started).toBeLessThan(500);
  });
});
