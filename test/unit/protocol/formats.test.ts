import { describe, expect, it } from "vitest";
import { bitrateRange } from "../../../protocol/bit-rates.ts";
import {
  describeRates,
  encodedRate,
  FORMAT_TRAITS,
  FORMATS,
  isAudioFormat,
  isRateAllowed,
  nearestRate,
  resamplerPeriod,
  resumePoint,
} from "../../../protocol/formats.ts";

describe("the formats", () => {
  it("are told from other words, also from those every object has", () => {
    expect(FORMATS.every(isAudioFormat)).toBe(true);
    for (const word of ["ogg", "MP3", "", "toString", undefined, 7]) expect(isAudioFormat(word)).toBe(false);
  });

  it("each have a media type and an extension of their own", () => {
    const traits = FORMATS.map((format) => FORMAT_TRAITS[format]);
    expect(new Set(traits.map(({ contentType }) => contentType)).size).toBe(FORMATS.length);
    expect(new Set(traits.map(({ extension }) => extension)).size).toBe(FORMATS.length);
  });

  it("are raw PCM only as pcm16 and wav", () => {
    expect(FORMATS.filter((format) => FORMAT_TRAITS[format].isRawPcm)).toEqual(["pcm16", "wav"]);
  });
});

describe("rates", () => {
  it.each(["pcm16", "wav", "mulaw", "alaw", "flac", "opus"] as const)("of %s: any whole number in range", (format) => {
    for (const hz of [8_000, 11_111, 22_050, 48_000]) expect(isRateAllowed(format, hz)).toBe(true);
    for (const hz of [7_999, 48_001, 16_000.5, 0, -8_000, NaN, Infinity]) expect(isRateAllowed(format, hz)).toBe(false);
    expect(describeRates(format)).toBe("a whole number of Hz from 8000 to 48000");
  });

  it.each(["mp3", "aac"] as const)("of %s: its codec's table", (format) => {
    for (const hz of [8_000, 11_025, 22_050, 48_000]) expect(isRateAllowed(format, hz)).toBe(true);
    for (const hz of [8_001, 11_111, 64_000, NaN]) expect(isRateAllowed(format, hz)).toBe(false);
    expect(describeRates(format)).toBe("one of 8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000 Hz");
  });

  it("nearest to another one are always allowed", () => {
    for (const format of FORMATS) {
      for (const hz of [1, 8_000, 11_500, 22_050, 22_050.4, 23_025, 47_999, 96_000]) {
        expect(isRateAllowed(format, nearestRate(format, hz))).toBe(true);
      }
    }
  });

  it("nearest to another one are the closest, and of two as close the higher", () => {
    expect(nearestRate("mp3", 22_050)).toBe(22_050);
    expect(nearestRate("mp3", 20_000)).toBe(22_050);
    expect(nearestRate("aac", 14_000)).toBe(16_000);
    expect(nearestRate("mp3", 96_000)).toBe(48_000);
    expect(nearestRate("pcm16", 11_111)).toBe(11_111);
    expect(nearestRate("flac", 4_000)).toBe(8_000);
  });

  it("of an encoder are those asked for, but for Opus the next one it has", () => {
    expect(encodedRate("mp3", 22_050)).toBe(22_050);
    expect([8_000, 8_001, 16_000, 22_050, 24_001, 48_000].map((hz) => encodedRate("opus", hz))).toEqual([
      8_000, 12_000, 16_000, 24_000, 48_000, 48_000,
    ]);
  });
});

describe("bit rates", () => {
  it("exist for the lossy codecs only", () => {
    expect(FORMATS.filter((format) => bitrateRange(format, 24_000))).toEqual(["opus", "mp3", "aac"]);
  });

  it("have their default within their range, at every rate", () => {
    for (const format of ["opus", "mp3", "aac"] as const) {
      for (const hz of [8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000]) {
        const range = bitrateRange(format, hz)!;
        expect(range.default).toBeGreaterThanOrEqual(range.min);
        expect(range.default).toBeLessThanOrEqual(range.max);
      }
    }
  });
});

describe("the point at which another encoder goes on", () => {
  it("lies a run-up before the output, where the resampler's filter begins again", () => {
    expect(resamplerPeriod(22_050, 24_000)).toBe(147);
    expect(resumePoint("mp3", 24_000, 22_050, 576 * 100)).toEqual({ inputSample: 147 * 300, outputSample: 57_600 });
    expect(resumePoint("flac", 11_111, 22_050, 555 * 50)).toEqual({ inputSample: 22_050 * 2, outputSample: 27_750 });
    expect(resumePoint("opus", 22_050, 24_000, 480 * 100)).toEqual({ inputSample: 24_000, outputSample: 48_000 });
  });

  it("is the stream's start for as long as that is no further away", () => {
    for (const format of FORMATS) expect(resumePoint(format, 24_000, 22_050, 480).inputSample).toBe(0);
  });
});
