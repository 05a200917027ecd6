import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { FORMATS, type AudioFormat } from "../../protocol/formats.ts";
import type { Service } from "../../service/http-service.ts";
import { startTranscoder } from "../../transcoder/server.ts";
import { NO_WORD, readWords, wordAudio } from "../fakes/word-audio.ts";
import { body, transcode } from "./client.ts";
import { decode } from "./decode.ts";

const ENGINE_HZ = 16_000;
const WORDS = 300;

const MPEG_RATES = [8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000];
const ANY_RATES = [8_000, 11_111, 16_000, 22_050, 24_000, 48_000];
const RATES: Record<AudioFormat, number[]> = {
  pcm16: ANY_RATES,
  wav: ANY_RATES,
  mulaw: ANY_RATES,
  alaw: ANY_RATES,
  flac: ANY_RATES,
  opus: ANY_RATES,
  mp3: MPEG_RATES,
  aac: MPEG_RATES,
};

/** Neighbours share digits and do not, and every digit stands in every place. */
const numbers = Array.from({ length: WORDS }, (_, i) => (i < WORDS / 2 ? i : (i * 1_237) % 4_096));

function spoken(words: readonly number[]): Int16Array {
  return Int16Array.from(words.flatMap((word) => [...wordAudio(word, ENGINE_HZ)]));
}

let service: Service;
beforeAll(async () => {
  service = await startTranscoder({ port: 0, host: "127.0.0.1" });
});
afterAll(() => service.close(0));

describe.each(FORMATS)("words in %s", (format) => {
  it.each(RATES[format])("are all read back in their order, at %i Hz", async (sampleRateHz) => {
    const encoded = await transcode(
      service.url,
      { format, sample_rate: sampleRateHz },
      body(spoken(numbers), ENGINE_HZ),
    );
    const decoded = await decode(format, encoded);
    expect(readWords(decoded.samples, decoded.sampleRateHz)).toEqual(numbers);
  });
});

describe("a recording", () => {
  const pcm = spoken([7, 7, 8]);
  const wordSamples = pcm.length / 3;

  it("of nothing has no words", () => {
    expect(readWords(new Int16Array(0), ENGINE_HZ)).toEqual([]);
    expect(readWords(new Int16Array(ENGINE_HZ), ENGINE_HZ)).toEqual([]);
  });

  it("of a word said twice has it twice", () => {
    expect(readWords(pcm, ENGINE_HZ)).toEqual([7, 7, 8]);
  });

  it("that begins or ends within a word, or skips from one into the next, says that there is no word", () => {
    const third = Math.round(wordSamples / 3);
    expect(readWords(pcm.subarray((ENGINE_HZ * 20) / 1000), ENGINE_HZ)).toEqual([NO_WORD, 7, 8]);
    expect(readWords(pcm.subarray(third), ENGINE_HZ)).toEqual([NO_WORD, 7, 8]);
    expect(readWords(pcm.subarray(0, pcm.length - 2 * third), ENGINE_HZ)).toEqual([7, 7, NO_WORD]);
    const skipped = Int16Array.from([...pcm.subarray(0, third), ...pcm.subarray(2 * wordSamples + 2 * third)]);
    expect(readWords(skipped, ENGINE_HZ)).toContain(NO_WORD);
  });

  it("of half a word and half another has no word in it", () => {
    const [half, other] = [wordAudio(0x123, ENGINE_HZ), wordAudio(0x456, ENGINE_HZ)];
    const twoBursts = (ENGINE_HZ * 60) / 1000;
    half.set(other.subarray(twoBursts), twoBursts);
    expect(readWords(half, ENGINE_HZ)).toEqual([NO_WORD]);
  });
});
